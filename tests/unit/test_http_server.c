#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "io/http_client.h"
#include "io/http_server.h"
#include "turn.h"

struct scene {
	uv_loop_t loop;
	struct http *http;
	struct http_server *server;
	char directory[32];
	char *address;
	char *method;
	char *path;
	char *body;
	char *argument;
	int asked_count;
	struct http_exchange *kept; /* when answers are to come later */
	bool answer_later;
	int done_count;
	enum http_failure failure;
	int status;
	char *answer;
};

static void scene_asked(void *ctx, const struct http_ask *ask)
{
	struct scene *scene = ctx;

	free(scene->method);
	free(scene->path);
	free(scene->body);
	free(scene->argument);
	scene->method = str_copy(ask->method);
	scene->path = str_copy(ask->path);
	scene->body = text_copy(ask->body);
	scene->argument = str_copy(http_ask_query(ask, "q"));
	scene->asked_count++;
	if (scene->answer_later)
		scene->kept = ask->exchange;
	else
		http_answer_with(ask->exchange, 201, "text/plain", TEXT("yes"));
}

static void scene_done(void *ctx, const struct http_answer *answer)
{
	struct scene *scene = ctx;

	scene->done_count++;
	scene->failure = answer->failure;
	scene->status = answer->status;
	free(scene->answer);
	scene->answer = text_copy(answer->body);
}

static void scene_open(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .directory = "/tmp/cn-server-XXXXXX" };
	assert_non_null(mkdtemp(scene->directory));
	scene->address = str_format("unix:%s/admin.sock", scene->directory);
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
	assert_int_equal(http_server_open(&scene->server, &scene->loop, scene->address, scene_asked,
					  scene, &err),
			 0);
}

static void scene_close(struct scene *scene)
{
	http_close(scene->http);
	http_server_close(scene->server);
	assert_true(turn_out(&scene->loop));
	/* Its socket is gone with it. */
	assert_int_equal(rmdir(scene->directory), 0);
	free(scene->address);
	free(scene->method);
	free(scene->path);
	free(scene->body);
	free(scene->argument);
	free(scene->answer);
}

static struct http_call *scene_start(struct scene *scene, struct http_request request)
{
	request.method = request.method ? request.method : "GET";
	request.url = request.url ? request.url : "http://admin/a%20b?q=x%26y";
	request.unix_socket = request.unix_socket ? request.unix_socket : scene->address + 5;
	request.timeout_ms = 5000;
	request.done = scene_done;
	request.ctx = scene;
	return http_start(scene->http, &request);
}

static void scene_ask(struct scene *scene, struct http_request request)
{
	int before = scene->done_count;

	scene_start(scene, request);
	assert_true(TURN_UNTIL(&scene->loop, scene->done_count > before, 6000));
}

static void a_request_is_heard_and_answered_over_a_unix_socket(void **state)
{
	struct scene scene;
	struct stat st;

	scene_open(&scene);
	assert_int_equal(lstat(scene.address + 5, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	scene_ask(&scene, (struct http_request){ .method = "POST", .body = TEXT("{}") });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	assert_int_equal(scene.status, 201);
	assert_string_equal(scene.answer, "yes");
	assert_string_equal(scene.method, "POST");
	assert_string_equal(scene.path, "/a b");
	assert_string_equal(scene.body, "{}");
	assert_string_equal(scene.argument, "x&y");
	scene_ask(&scene, (struct http_request){ .url = "http://admin/" });
	assert_null(scene.argument);
	scene_close(&scene);
}

static void an_answer_may_come_later(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer_later = true;
	scene_start(&scene, (struct http_request){ 0 });
	assert_true(TURN_UNTIL(&scene.loop, scene.kept, 5000));
	assert_false(TURN_UNTIL(&scene.loop, scene.done_count, 50));
	http_answer_with(scene.kept, 200, "text/plain", TEXT("at last"));
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 5000));
	assert_string_equal(scene.answer, "at last");
	assert_int_equal(scene.asked_count, 1);
	scene_close(&scene);
}

static void answers_to_nobody_do_no_harm(void **state)
{
	struct scene scene;
	struct http_call *call;

	scene_open(&scene);
	scene.answer_later = true;
	call = scene_start(&scene, (struct http_request){ 0 });
	assert_true(TURN_UNTIL(&scene.loop, scene.kept, 5000));
	http_cancel(call); /* the client goes */
	uv_run(&scene.loop, UV_RUN_NOWAIT);
	http_answer_with(TAKE(scene.kept), 200, "text/plain", TEXT("hello?"));
	uv_run(&scene.loop, UV_RUN_NOWAIT);

	scene_start(&scene, (struct http_request){ 0 });
	assert_true(TURN_UNTIL(&scene.loop, scene.kept, 5000));
	scene_close(&scene); /* the server goes */
	http_answer_with(scene.kept, 200, "text/plain", TEXT("hello?"));
}

static void a_body_past_the_ceiling_is_refused(void **state)
{
	static const char *const chunked[] = { "Transfer-Encoding: chunked", NULL };
	size_t size = (1 << 20) + 1;
	AUTO(free) char *big = mem_new(size);
	struct scene scene;

	scene_open(&scene);
	scene_ask(&scene, (struct http_request){ .method = "POST", .body = { big, size - 1 } });
	assert_int_equal(scene.status, 201);
	scene_ask(&scene, (struct http_request){ .method = "POST", .body = { big, size } });
	assert_int_equal(scene.status, 413);
	scene_ask(&scene, (struct http_request){
				  .method = "POST", .body = { big, size }, .headers = chunked });
	assert_int_equal(scene.status, 413);
	assert_int_equal(scene.asked_count, 1);
	scene_close(&scene);
}

static void two_servers_do_not_share_a_socket_but_a_stale_one_is_replaced(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct http_server *other = NULL;
	AUTO_ERROR err = { 0 };
	struct scene scene;
	int stale;

	scene_open(&scene);
	assert_int_equal(
		http_server_open(&other, &scene.loop, scene.address, scene_asked, &scene, &err),
		-1);
	assert_non_null(strstr(error_text(&err), "running twice"));

	AUTO(free) char *address = str_format("unix:%s/stale", scene.directory);
	strcpy(name.sun_path, address + 5);
	stale = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&name, sizeof(name)), 0);
	close(stale);
	assert_int_equal(http_server_open(&other, &scene.loop, address, scene_asked, &scene, &err),
			 0);
	scene_ask(&scene, (struct http_request){ .unix_socket = address + 5 });
	assert_int_equal(scene.status, 201);
	http_server_close(other);

	AUTO(free) char *file = str_format("unix:%s/file", scene.directory);
	fclose(fopen(file + 5, "we"));
	assert_int_equal(http_server_open(&other, &scene.loop, file, scene_asked, &scene, &err),
			 -1);
	assert_int_equal(unlink(file + 5), 0); /* it is still there */
	scene_close(&scene);
}

static void *hold_for_a_moment(void *arg)
{
	struct timespec moment = { 0, 100000000 };

	nanosleep(&moment, NULL); /* not for luck: it is what is tested */
	close(*(int *)arg);
	return NULL;
}

/* As a child of a killed process does, between its fork and its exec. */
static void a_socket_that_is_held_for_a_moment_longer_is_replaced(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct http_server *server = NULL;
	struct scene scene;
	pthread_t holder;
	int held;

	scene_open(&scene);

	AUTO(free) char *address = str_format("unix:%s/held", scene.directory);

	strcpy(name.sun_path, address + 5);
	held = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(held, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(held, 8), 0);
	assert_int_equal(pthread_create(&holder, NULL, hold_for_a_moment, &held), 0);
	assert_int_equal(http_server_open(&server, &scene.loop, address, scene_asked, &scene, NULL),
			 0);
	pthread_join(holder, NULL);
	http_server_close(server);
	scene_close(&scene);
}

static void a_loopback_address_works_too(void **state)
{
	struct http_server *tcp;
	AUTO_ERROR err = { 0 };
	struct scene scene;

	scene_open(&scene);
	assert_int_equal(
		http_server_open(&tcp, &scene.loop, "127.0.0.1:0", scene_asked, &scene, &err), 0);
	AUTO(free) char *url = str_format("http://127.0.0.1:%d/", http_server_port(tcp));
	http_start(scene.http, &(struct http_request){ .method = "GET",
						       .url = url,
						       .done = scene_done,
						       .ctx = &scene,
						       .timeout_ms = 5000 });
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 6000));
	assert_int_equal(scene.status, 201);
	http_server_close(tcp);
	assert_int_equal(
		http_server_open(&tcp, &scene.loop, "somewhere:1", scene_asked, &scene, &err), -1);
	assert_int_equal(
		http_server_open(&tcp, &scene.loop, "127.0.0.1:x", scene_asked, &scene, &err), -1);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_heard_and_answered_over_a_unix_socket),
		cmocka_unit_test(an_answer_may_come_later),
		cmocka_unit_test(answers_to_nobody_do_no_harm),
		cmocka_unit_test(a_body_past_the_ceiling_is_refused),
		cmocka_unit_test(two_servers_do_not_share_a_socket_but_a_stale_one_is_replaced),
		cmocka_unit_test(a_socket_that_is_held_for_a_moment_longer_is_replaced),
		cmocka_unit_test(a_loopback_address_works_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
