#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/http_client.h"
#include "raw_server.h"
#include "turn.h"

struct scene {
	uv_loop_t loop;
	struct http *http;
	struct raw_server *server;
	/* what the server does */
	void (*answer)(struct scene *scene, struct raw_peer *peer);
	char *asked; /* the last request */
	int asked_count;
	struct raw_peer *peer;
	/* what the client heard */
	struct http_call *call;
	struct http_call *other;
	int done_count;
	enum http_failure failure;
	int status;
	char *body;
	char *why;
	char *etag;
	int64_t retry_after_ms;
	int told_status;
	struct buf *stream;
	bool cancel_on_data;
	bool close_on_done;
	bool start_on_data;
};

static void scene_asked(void *ctx, struct raw_peer *peer, struct text request)
{
	struct scene *scene = ctx;

	free(scene->asked);
	scene->asked = text_copy(request);
	scene->asked_count++;
	scene->peer = peer;
	if (scene->answer)
		scene->answer(scene, peer);
}

static void scene_forget_answer(struct scene *scene)
{
	free(TAKE(scene->body));
	free(TAKE(scene->why));
	free(TAKE(scene->etag));
}

static void scene_done(void *ctx, const struct http_answer *answer)
{
	struct scene *scene = ctx;

	scene_forget_answer(scene);
	scene->done_count++;
	scene->failure = answer->failure;
	scene->status = answer->status;
	scene->body = text_copy(answer->body);
	scene->why = str_copy(answer->why);
	scene->etag = str_copy(answer->etag);
	scene->retry_after_ms = answer->retry_after_ms;
	if (scene->close_on_done)
		http_close(TAKE(scene->http));
}

static void scene_open(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ 0 };
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
	scene->server = raw_server_new(&scene->loop, scene_asked, scene);
	scene->stream = buf_new(64 << 20);
}

static void scene_close(struct scene *scene)
{
	http_close(scene->http);
	raw_server_free(scene->server);
	assert_true(turn_out(&scene->loop));
	free(scene->asked);
	scene_forget_answer(scene);
	buf_free(scene->stream);
}

static struct http_call *scene_start(struct scene *scene, struct http_request request)
{
	AUTO(free)
	char *url = str_format("http://127.0.0.1:%d/x", raw_server_port(scene->server));

	request.method = request.method ? request.method : "GET";
	request.url = request.url ? request.url : url;
	request.timeout_ms = request.timeout_ms ? request.timeout_ms : 5000;
	request.done = scene_done;
	request.ctx = scene;
	scene->call = http_start(scene->http, &request);
	return scene->call;
}

static void scene_ask(struct scene *scene, struct http_request request)
{
	int before = scene->done_count;

	scene_start(scene, request);
	assert_int_equal(scene->done_count, before);
	assert_true(TURN_UNTIL(&scene->loop, scene->done_count > before, 10000));
}

static void scene_status(void *ctx, int status, const char *content_type)
{
	((struct scene *)ctx)->told_status = status;
}

static void scene_data(void *ctx, const char *data, size_t size)
{
	struct scene *scene = ctx;

	assert_true(buf_append(scene->stream, data, size));
	if (scene->start_on_data) {
		scene->start_on_data = false;
		scene_start(scene, (struct http_request){ 0 });
	}
	if (scene->cancel_on_data)
		http_cancel(TAKE(scene->call));
}

static void answer_hello(struct scene *scene, struct raw_peer *peer)
{
	raw_answer(peer, "200 OK", "ETag: \"7\"\r\nContent-Type: text/plain\r\n", "hello");
}

static void an_answer_comes_with_status_body_and_etag(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_hello;
	scene_ask(&scene, (struct http_request){ 0 });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	assert_int_equal(scene.status, 200);
	assert_string_equal(scene.body, "hello");
	assert_string_equal(scene.etag, "\"7\"");
	assert_null(scene.why);
	assert_non_null(strstr(scene.asked, "GET /x HTTP/1.1\r\n"));
	assert_null(strcasestr(scene.asked, "content-length"));
	scene_close(&scene);
}

static void a_body_is_sent_with_its_method_and_headers(void **state)
{
	static const char *const headers[] = { "Content-Type: application/json", "If-Match: \"1\"",
					       NULL };
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_hello;
	scene_ask(&scene, (struct http_request){
				  .method = "PATCH", .headers = headers, .body = TEXT("{}") });
	assert_non_null(strstr(scene.asked, "PATCH /x HTTP/1.1\r\n"));
	assert_non_null(strstr(scene.asked, "If-Match: \"1\"\r\n"));
	assert_non_null(strstr(scene.asked, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(scene.asked, "Content-Length: 2\r\n"));
	assert_non_null(strstr(scene.asked, "\r\n\r\n{}"));

	scene_ask(&scene, (struct http_request){ .method = "POST" });
	assert_non_null(strstr(scene.asked, "Content-Length: 0\r\n"));
	assert_null(strcasestr(scene.asked, "content-type"));

	scene_ask(&scene, (struct http_request){ .method = "DELETE" });
	assert_non_null(strstr(scene.asked, "DELETE /x HTTP/1.1\r\n"));
	assert_int_equal(raw_server_connections(scene.server), 1);
	scene_close(&scene);
}

#define MANY 60

static struct raw_peer *many_peers[MANY];

/* All at once, so that each request has a connection of its own. */
static void answer_when_all_have_asked(struct scene *scene, struct raw_peer *peer)
{
	many_peers[(scene->asked_count - 1) % MANY] = peer;
	for (int i = 0; scene->asked_count % MANY == 0 && i < MANY; i++)
		raw_answer(many_peers[i], "200 OK", "", "hello");
}

static void many_requests_at_once_leave_their_connections_to_the_next(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_when_all_have_asked;
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < MANY; i++)
			scene_start(&scene, (struct http_request){ 0 });
		assert_true(TURN_UNTIL(&scene.loop, scene.done_count == round * MANY, 5000));
	}
	assert_int_equal(scene.status, 200);
	assert_int_equal(raw_server_connections(scene.server), MANY);
	scene_close(&scene);
}

static void answer_later(struct scene *scene, struct raw_peer *peer)
{
	raw_answer(peer, "429 Slow Down", "Retry-After: 7\r\n", "{}");
}

static void retry_after_is_told(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_later;
	scene_ask(&scene, (struct http_request){ 0 });
	assert_int_equal(scene.status, 429);
	assert_int_equal(scene.retry_after_ms, 7000);
	scene_close(&scene);
}

static void nobody_listening_means_not_sent(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_ask(&scene, (struct http_request){ .url = "http://127.0.0.1:1/x" });
	assert_int_equal(scene.failure, HTTP_NOT_SENT);
	assert_non_null(strstr(scene.why, "127.0.0.1:1"));
	assert_non_null(strstr(scene.why, "refused"));
	scene_ask(&scene, (struct http_request){ .url = "gopher://127.0.0.1:1/x" });
	assert_int_equal(scene.failure, HTTP_NOT_SENT);
	scene_ask(&scene, (struct http_request){ .url = "http://no-such-host.invalid/x" });
	assert_int_equal(scene.failure, HTTP_NOT_SENT);
	assert_non_null(strstr(scene.why, "no such host"));
	scene_close(&scene);
}

static void answer_with_a_reset(struct scene *scene, struct raw_peer *peer)
{
	raw_reset(peer);
}

static void answer_with_half(struct scene *scene, struct raw_peer *peer)
{
	raw_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	raw_close(peer);
}

static void answer_with_garbage(struct scene *scene, struct raw_peer *peer)
{
	raw_say(peer, "\x15\x03\x01 what?\r\n");
	raw_close(peer);
}

static void answer_never(struct scene *scene, struct raw_peer *peer)
{
}

static void an_answer_that_breaks_off_is_lost(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_a_reset;
	scene_ask(&scene, (struct http_request){ .method = "POST" });
	assert_int_equal(scene.failure, HTTP_LOST);
	scene.answer = answer_with_half;
	scene_ask(&scene, (struct http_request){ .method = "POST" });
	assert_int_equal(scene.failure, HTTP_LOST);
	scene.answer = answer_with_garbage;
	scene_ask(&scene, (struct http_request){ .method = "POST" });
	assert_int_equal(scene.failure, HTTP_LOST);
	scene.answer = answer_never;
	scene_ask(&scene, (struct http_request){ .method = "POST", .timeout_ms = 50 });
	assert_int_equal(scene.failure, HTTP_TIMED_OUT);
	assert_int_equal(scene.asked_count, 4);
	scene_close(&scene);
}

static void answer_once_per_connection(struct scene *scene, struct raw_peer *peer)
{
	if (scene->asked_count == 1)
		answer_hello(scene, peer);
	else if (scene->asked_count == 2)
		raw_close(peer); /* the kept connection turns out to be closed */
	else
		answer_hello(scene, peer);
}

static void a_post_is_not_repeated_behind_our_back_but_a_get_is(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_once_per_connection;
	scene_ask(&scene, (struct http_request){ 0 });
	scene_ask(&scene, (struct http_request){ .method = "POST" });
	assert_int_equal(scene.failure, HTTP_LOST);
	assert_int_equal(scene.asked_count, 2);

	scene.asked_count = 0;
	scene_ask(&scene, (struct http_request){ 0 });
	scene_ask(&scene, (struct http_request){ 0 });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	assert_int_equal(scene.asked_count, 3);
	scene_close(&scene);
}

static void an_answer_past_the_ceiling_is_refused(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_hello;
	scene_ask(&scene, (struct http_request){ .limit_bytes = 4 });
	assert_int_equal(scene.failure, HTTP_TOO_LARGE);
	scene_ask(&scene, (struct http_request){ .limit_bytes = 5 });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	scene_close(&scene);
}

static void answer_with_a_stream(struct scene *scene, struct raw_peer *peer)
{
	raw_say(peer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
}

static struct http_request stream_request(void)
{
	return (struct http_request){ .is_stream = true,
				      .on_status = scene_status,
				      .on_data = scene_data };
}

static void a_stream_comes_in_pieces_and_ends_with_its_body(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_a_stream;
	scene_start(&scene, stream_request());
	assert_true(TURN_UNTIL(&scene.loop, scene.stream->size == 5, 5000));
	assert_int_equal(scene.told_status, 200);
	raw_say(scene.peer, "6\r\nsecond\r\n");
	assert_true(TURN_UNTIL(&scene.loop, scene.stream->size == 11, 5000));
	assert_int_equal(scene.done_count, 0);
	raw_say(scene.peer, "0\r\n\r\n");
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 5000));
	assert_int_equal(scene.failure, HTTP_ANSWERED);

	scene_start(&scene, stream_request());
	assert_true(
		TURN_UNTIL(&scene.loop, scene.asked_count == 2 && scene.stream->size == 16, 5000));
	raw_close(scene.peer);
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count == 2, 5000));
	assert_int_equal(scene.failure, HTTP_LOST);
	assert_int_equal(scene.status, 200);
	assert_int_equal(raw_server_connections(scene.server), 2);
	scene_close(&scene);
}

static void a_paused_stream_says_nothing_until_it_goes_on(void **state)
{
	AUTO(free) char *big = mem_new((4 << 20) + 1);
	struct scene scene;

	memset(big, 'x', 4 << 20);
	scene_open(&scene);
	scene.answer = answer_with_a_stream;
	scene_start(&scene, stream_request());
	assert_true(TURN_UNTIL(&scene.loop, scene.stream->size == 5, 5000));
	http_pause(scene.call, true);
	raw_say(scene.peer, "400000\r\n");
	raw_say(scene.peer, big);
	raw_say(scene.peer, "\r\n");
	assert_false(TURN_UNTIL(&scene.loop, scene.stream->size > 5, 100));
	http_pause(scene.call, false);
	assert_true(TURN_UNTIL(&scene.loop, scene.stream->size == 5 + (4 << 20), 5000));
	scene_close(&scene);
}

static void a_stream_can_be_cancelled_while_it_speaks(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_a_stream;
	scene.cancel_on_data = true;
	scene_start(&scene, stream_request());
	assert_true(TURN_UNTIL(&scene.loop, scene.stream->size == 5, 5000));
	scene.answer = answer_hello;
	scene_ask(&scene, (struct http_request){ 0 });
	assert_int_equal(scene.done_count, 1);
	assert_string_equal(scene.body, "hello");
	scene_close(&scene);
}

static void answer_stream_first(struct scene *scene, struct raw_peer *peer)
{
	if (scene->asked_count == 1)
		answer_with_a_stream(scene, peer);
	else
		answer_hello(scene, peer);
}

static void a_request_can_be_started_while_a_stream_speaks(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_stream_first;
	scene.start_on_data = true;
	scene_start(&scene, stream_request());
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count == 1, 5000));
	assert_string_equal(scene.body, "hello");
	scene_close(&scene);
}

static void everything_can_be_closed_from_inside_an_answer(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_hello;
	scene.close_on_done = true;
	scene_start(&scene, (struct http_request){ .url = "http://127.0.0.1:1/" });
	scene_start(&scene, (struct http_request){ 0 });
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 5000));
	assert_int_equal(scene.done_count, 1);
	scene_close(&scene);
}

static void a_name_is_escaped_whole(void **state)
{
	AUTO(free) char *escaped = http_escape(TEXT("/home/joe/a b+\xc3\xa4.txt"));

	assert_string_equal(escaped, "%2Fhome%2Fjoe%2Fa%20b%2B%C3%A4.txt");
}

/* A TLS server with a certificate of its own making, out of openssl's tools. */
struct tls_server {
	char directory[32];
	FILE *speaks;
	pid_t pid;
	int port;
	char *certificate;
	char *fingerprint;
};

static char *command_output(const char *command)
{
	char line[512] = "";
	FILE *pipe = popen(command, "re");

	assert_non_null(pipe);
	(void)!fgets(line, sizeof(line), pipe);
	assert_int_equal(pclose(pipe), 0);
	line[strcspn(line, "\n")] = 0;
	return str_copy(line);
}

static void tls_server_start(struct tls_server *server)
{
	int ends[2];

	*server = (struct tls_server){ .directory = "/tmp/cn-tls-XXXXXX" };
	assert_non_null(mkdtemp(server->directory));
	AUTO(free)
	char *make = str_format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
				"-nodes -keyout %s/key -out %s/cert -days 2 -subj /CN=localhost "
				"-addext subjectAltName=DNS:localhost 2>/dev/null",
				server->directory, server->directory);
	AUTO(free)
	char *show = str_format("openssl x509 -in %s/cert -noout -fingerprint -sha256",
				server->directory);

	assert_int_equal(system(make), 0);
	server->certificate = str_format("%s/cert", server->directory);
	AUTO(free) char *shown = command_output(show);
	server->fingerprint = str_copy(strchr(shown, '=') + 1);
	AUTO(free) char *key = str_format("%s/key", server->directory);

	assert_int_equal(pipe(ends), 0);
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
		dup2(ends[1], 1);
		close(ends[0]);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert",
		       server->certificate, "-key", key, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	server->speaks = fdopen(ends[0], "r");
	for (char line[256]; !server->port && fgets(line, sizeof(line), server->speaks);)
		if (strncmp(line, "ACCEPT", 6) == 0)
			server->port = atoi(strrchr(line, ':') + 1);
	assert_int_not_equal(server->port, 0);
}

static void tls_server_stop(struct tls_server *server)
{
	AUTO(free) char *remove = str_format("rm -r %s", server->directory);

	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	fclose(server->speaks);
	free(server->certificate);
	free(server->fingerprint);
	assert_int_equal(system(remove), 0);
}

static void ask_tls(struct scene *scene, const struct tls_server *server, const char *host,
		    struct http_tls tls)
{
	AUTO(free) char *url = str_format("https://%s:%d/", host, server->port);

	scene_ask(scene, (struct http_request){ .url = url, .tls = &tls });
}

static void a_certificate_is_accepted_by_authority_fingerprint_or_not_at_all(void **state)
{
	struct tls_server server;
	struct scene scene;

	tls_server_start(&server);
	scene_open(&scene);

	ask_tls(&scene, &server, "localhost", (struct http_tls){ .verify = true });
	assert_int_equal(scene.failure, HTTP_TLS_REFUSED);
	assert_non_null(strstr(scene.why, "self-signed"));
	assert_non_null(strstr(scene.why, "CA_FILE"));
	assert_non_null(strstr(scene.why, "FINGERPRINT"));

	ask_tls(&scene, &server, "localhost",
		(struct http_tls){ .verify = true, .ca_file = server.certificate });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	ask_tls(&scene, &server, "127.0.0.1", /* another name */
		(struct http_tls){ .verify = true, .ca_file = server.certificate });
	assert_int_equal(scene.failure, HTTP_TLS_REFUSED);
	ask_tls(&scene, &server, "127.0.0.1",
		(struct http_tls){ .verify = true, .fingerprint = server.fingerprint });
	assert_int_equal(scene.failure, HTTP_ANSWERED);
	ask_tls(&scene, &server, "127.0.0.1", (struct http_tls){ .verify = false });
	assert_int_equal(scene.failure, HTTP_ANSWERED);

	server.fingerprint[0] = server.fingerprint[0] == '0' ? '1' : '0';
	for (int i = 0; i < 2; i++) { /* verify = no does not weaken a pin */
		ask_tls(&scene, &server, "127.0.0.1",
			(struct http_tls){ .verify = i, .fingerprint = server.fingerprint });
		assert_int_equal(scene.failure, HTTP_TLS_REFUSED);
		assert_non_null(strstr(scene.why, "not the one in FINGERPRINT"));
	}
	ask_tls(&scene, &server, "localhost",
		(struct http_tls){ .verify = true, .ca_file = "/nonexistent/ca.pem" });
	assert_int_equal(scene.failure, HTTP_TLS_REFUSED);
	assert_non_null(strstr(scene.why, "cannot be read"));
	scene_close(&scene);
	tls_server_stop(&server);
}

static void tls_to_a_server_without_it_is_not_sent(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_garbage;
	AUTO(free)
	char *url = str_format("https://127.0.0.1:%d/", raw_server_port(scene.server));
	scene_start(&scene, (struct http_request){ .url = url, .timeout_ms = 300 });
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 5000));
	assert_int_equal(scene.failure, HTTP_NOT_SENT);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_with_status_body_and_etag),
		cmocka_unit_test(a_body_is_sent_with_its_method_and_headers),
		cmocka_unit_test(many_requests_at_once_leave_their_connections_to_the_next),
		cmocka_unit_test(retry_after_is_told),
		cmocka_unit_test(nobody_listening_means_not_sent),
		cmocka_unit_test(an_answer_that_breaks_off_is_lost),
		cmocka_unit_test(a_post_is_not_repeated_behind_our_back_but_a_get_is),
		cmocka_unit_test(an_answer_past_the_ceiling_is_refused),
		cmocka_unit_test(a_stream_comes_in_pieces_and_ends_with_its_body),
		cmocka_unit_test(a_paused_stream_says_nothing_until_it_goes_on),
		cmocka_unit_test(a_stream_can_be_cancelled_while_it_speaks),
		cmocka_unit_test(a_request_can_be_started_while_a_stream_speaks),
		cmocka_unit_test(everything_can_be_closed_from_inside_an_answer),
		cmocka_unit_test(a_name_is_escaped_whole),
		cmocka_unit_test(a_certificate_is_accepted_by_authority_fingerprint_or_not_at_all),
		cmocka_unit_test(tls_to_a_server_without_it_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
