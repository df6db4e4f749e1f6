#include "check.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/mail.h"
#include "turn.h"

#define MESSAGE "Subject: x\r\n\r\nHello\r\n.\r\n.. dots\r\n"

struct scene {
	uv_loop_t loop;
	struct http *http;
	char directory[32];
	char *certificate;
	pid_t pid;
	FILE *speaks;
	struct mail_server server;
	int done_count;
	enum mail_result result;
	char *why;
};

static void scene_done(void *ctx, enum mail_result result, const char *why)
{
	struct scene *scene = ctx;

	scene->done_count++;
	scene->result = result;
	free(scene->why);
	scene->why = str_copy(why);
}

static void server_start(struct scene *scene, const char *mode, const char *key)
{
	AUTO(free)
	char *script = str_format("%s/tests/unit/mail_server.py", getenv("SOURCE_ROOT"));
	char line[32] = "";
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	scene->pid = fork();
	if (scene->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
		dup2(ends[1], 1);
		close(ends[0]);
		execl("/usr/bin/python3", "python3", script, mode, scene->certificate, key, "ann",
		      "secret", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	scene->speaks = fdopen(ends[0], "r");
	assert_non_null(fgets(line, sizeof(line), scene->speaks));
	scene->server.port = atoi(line);
}

static void scene_open(struct scene *scene, const char *mode)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .directory = "/tmp/cn-mail-XXXXXX" };
	assert_non_null(mkdtemp(scene->directory));
	scene->certificate = str_format("%s/cert", scene->directory);
	AUTO(free) char *key = str_format("%s/key", scene->directory);
	AUTO(free)
	char *make = str_format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
				"-nodes -keyout %s -out %s -days 2 -subj /CN=localhost "
				"-addext subjectAltName=DNS:localhost 2>/dev/null",
				key, scene->certificate);

	assert_int_equal(system(make), 0);
	scene->server = (struct mail_server){
		.host = "localhost",
		.security = MAIL_STARTTLS,
		.tls = { .verify = true, .ca_file = scene->certificate },
		.username = "ann",
		.password = "secret",
		.from = "cn_monitor <storage@example.com>",
		.timeout_ms = 10000,
	};
	server_start(scene, mode, key);
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
}

static void scene_close(struct scene *scene)
{
	AUTO(free) char *remove = str_format("rm -r %s", scene->directory);

	http_close(scene->http);
	assert_true(turn_out(&scene->loop));
	kill(scene->pid, SIGKILL);
	waitpid(scene->pid, NULL, 0);
	fclose(scene->speaks);
	assert_int_equal(system(remove), 0);
	free(scene->certificate);
	free(scene->why);
}

static void scene_send(struct scene *scene, const char *to)
{
	int before = scene->done_count;

	mail_send(scene->http, &scene->server, &to, 1, TEXT(MESSAGE), scene_done, scene);
	assert_int_equal(scene->done_count, before);
	assert_true(TURN_UNTIL(&scene->loop, scene->done_count > before, 15000));
}

static char *scene_mail(struct scene *scene)
{
	char line[4096] = "";

	assert_non_null(fgets(line, sizeof(line), scene->speaks));
	return str_copy(line);
}

static void a_mail_goes_out_over_starttls_with_a_login(void **state)
{
	const char *const to[] = { "ops@example.com", "Joe <joe@example.com>" };
	struct scene scene;

	scene_open(&scene, "starttls");
	mail_send(scene.http, &scene.server, to, 2, TEXT(MESSAGE), scene_done, &scene);
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 15000));
	assert_int_equal(scene.result, MAIL_SENT);
	assert_null(scene.why);
	AUTO(free) char *mail = scene_mail(&scene);
	assert_non_null(strstr(mail, "\"from\": \"storage@example.com\""));
	assert_non_null(strstr(mail, "[\"ops@example.com\", \"joe@example.com\"]"));
	assert_non_null(strstr(mail, "\"tls\": true, \"login\": true"));
	assert_non_null(strstr(mail, "Hello\\r\\n.\\r\\n.. dots\\r\\n"));

	scene.server.tls = (struct http_tls){ .verify = false };
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_SENT);
	scene_close(&scene);
}

static void the_servers_codes_decide_about_trying_again(void **state)
{
	struct scene scene;

	scene_open(&scene, "starttls");
	scene_send(&scene, "later@example.com");
	assert_int_equal(scene.result, MAIL_LATER);
	assert_non_null(strstr(scene.why, "451 try again"));
	scene_send(&scene, "never@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	assert_non_null(strstr(scene.why, "550 no such user"));
	scene.server.password = "wrong";
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	assert_non_null(strstr(scene.why, "PASSWORD_FILE"));
	scene.server.tls.ca_file = NULL;
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	assert_non_null(strstr(scene.why, "CA_FILE"));
	scene.server.port = 1;
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_LATER);
	scene_close(&scene);
}

static void without_tls_nothing_is_sent_unless_plain_was_asked_for(void **state)
{
	struct scene scene;

	scene_open(&scene, "plain");
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	assert_non_null(strstr(scene.why, "STARTTLS"));
	scene.server.security = MAIL_PLAIN;
	scene.server.username = NULL;
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_SENT);
	AUTO(free) char *mail = scene_mail(&scene);
	assert_non_null(strstr(mail, "\"tls\": false")); /* the first one, not the refused */
	scene_close(&scene);
}

static void tls_from_the_first_byte_works(void **state)
{
	struct scene scene;

	scene_open(&scene, "tls");
	scene.server.security = MAIL_TLS;
	scene.server.username = NULL;
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_SENT);
	scene_close(&scene);
}

static void an_address_cannot_carry_commands(void **state)
{
	struct scene scene;

	scene_open(&scene, "plain");
	scene.server.security = MAIL_PLAIN;
	scene.server.username = NULL;
	scene_send(&scene, "ops@example.com>\r\nRCPT TO:<eve@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	assert_non_null(strstr(scene.why, "no mail address"));
	scene.server.from = "";
	scene_send(&scene, "ops@example.com");
	assert_int_equal(scene.result, MAIL_REFUSED);
	mail_cancel(mail_send(scene.http, &scene.server, &scene.server.from, 1, TEXT(MESSAGE),
			      scene_done, &scene));
	scene_close(&scene);
	assert_int_equal(scene.done_count, 2);
}

static void count_tick(uv_timer_t *timer)
{
	++*(int *)timer->data;
}

/* Whether the server has said something that nobody read yet. */
static bool scene_is_told(const struct scene *scene)
{
	struct pollfd speaks = { .fd = fileno(scene->speaks), .events = POLLIN };

	return poll(&speaks, 1, 0) == 1;
}

/* A mail that the server has got whole and does not answer. */
static struct mail_call *scene_send_slow(struct scene *scene)
{
	const char *to = "slow@example.com";
	struct mail_call *call;

	scene_open(scene, "plain");
	scene->server.security = MAIL_PLAIN;
	scene->server.username = NULL;
	call = mail_send(scene->http, &scene->server, &to, 1, TEXT(MESSAGE), scene_done, scene);
	assert_true(TURN_UNTIL(&scene->loop, scene_is_told(scene), 8000));
	return call;
}

static void a_server_that_is_slow_to_answer_stops_nothing_else(void **state)
{
	struct scene scene;
	uv_timer_t timer;
	int ticks = 0;

	scene_send_slow(&scene);
	timer.data = &ticks;
	uv_timer_init(&scene.loop, &timer);
	uv_timer_start(&timer, count_tick, 1, 1);
	assert_true(TURN_UNTIL(&scene.loop, ticks >= 100, 8000));
	assert_int_equal(scene.done_count, 0);
	kill(scene.pid, SIGUSR1);
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 8000));
	assert_int_equal(scene.result, MAIL_SENT);
	uv_close((uv_handle_t *)&timer, NULL);
	scene_close(&scene);
}

static void a_mail_is_cancelled_while_the_server_thinks(void **state)
{
	struct scene scene;

	mail_cancel(scene_send_slow(&scene));
	scene_close(&scene); /* turns until nothing is under way */
	assert_int_equal(scene.done_count, 0);
	scene_send_slow(&scene);
	scene_close(&scene); /* closes http first */
	assert_int_equal(scene.done_count, 0);
}

static void more_mails_than_threads_go_out_all_the_same(void **state)
{
	const char *to = "ops@example.com";
	struct mail_call *calls[40];
	struct scene scene;

	scene_open(&scene, "plain");
	scene.server.security = MAIL_PLAIN;
	scene.server.username = NULL;
	for (size_t i = 0; i < 40; i++)
		calls[i] = mail_send(scene.http, &scene.server, &to, 1, TEXT(MESSAGE), scene_done,
				     &scene);
	mail_cancel(calls[39]); /* it waits for a thread */
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count == 39, 15000));
	assert_int_equal(scene.result, MAIL_SENT);
	scene_close(&scene);
	assert_int_equal(scene.done_count, 39);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_goes_out_over_starttls_with_a_login),
		cmocka_unit_test(the_servers_codes_decide_about_trying_again),
		cmocka_unit_test(without_tls_nothing_is_sent_unless_plain_was_asked_for),
		cmocka_unit_test(tls_from_the_first_byte_works),
		cmocka_unit_test(an_address_cannot_carry_commands),
		cmocka_unit_test(a_server_that_is_slow_to_answer_stops_nothing_else),
		cmocka_unit_test(a_mail_is_cancelled_while_the_server_thinks),
		cmocka_unit_test(more_mails_than_threads_go_out_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
