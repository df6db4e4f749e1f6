#include "check.h"

#include "watcher_scene.h"

static void messages_are_durable_in_order_and_the_first_start_has_no_gap(void **state)
{
	struct watcher_status status;
	struct scene scene;
	int64_t before;

	scene_open(&scene);
	before = metric_get("cn_watch_messages_total{watch=\"main\"}", METRIC_COUNTER, "")->value;
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	raw_say(scene.peer, "data: [1]\n\ndata: [2");
	AWAIT(scene, strcmp(records(&scene), "[1]\n") == 0);
	raw_say(scene.peer, "]\n\n: keepalive\n\ndata: garbage\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n[2]\ngarbage\n") == 0);
	watcher_get_status(scene.watcher, &status);
	assert_int_equal(status.messages, 3);
	assert_int_equal(status.reconnects, 0);
	assert_true(status.bytes > 30);
	assert_true(status.last_byte_ms > 0);
	assert_non_null(strstr(status.why, "/home and everything below at 127.0.0.1:"));
	assert_int_equal(gaps(&scene), 0);
	assert_int_equal(
		metric_get("cn_watch_messages_total{watch=\"main\"}", METRIC_COUNTER, "")->value,
		before + 3);
	assert_int_equal(metric_get("cn_watch_up{watch=\"main\"}", METRIC_GAUGE, "")->value, 1);
	scene_close(&scene);
}

static void say_only_200(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_say(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n");
}

static void it_listens_only_once_the_cluster_says_so(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = say_only_200;
	scene_watch(&scene);
	AWAIT(scene, scene.asked_count);
	assert_false(TURN_UNTIL(&scene.loop, LISTENS(scene), 100));
	raw_say(scene.peer, ": watching /home since now\r\n\r\n");
	AWAIT(scene, LISTENS(scene));
	scene_close(&scene);
}

static void a_stream_that_breaks_off_leaves_a_gap_and_is_opened_again(void **state)
{
	struct scene scene;
	int64_t now;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	raw_say(scene.peer, "data: [1]\n\ndata: [2");
	AWAIT(scene, strcmp(records(&scene), "[1]\n") == 0);
	now = clock_now_ms();
	raw_close(scene.peer);
	AWAIT(scene, gaps(&scene) == 1);
	assert_int_equal(scene.gaps[0].until_ms, 0);
	assert_true(scene.gaps[0].from_ms <= now && scene.gaps[0].from_ms > now - 5000);
	assert_int_equal(scene.gaps[0].after_seq, 1);
	assert_string_equal(scene.gaps[0].watch, "main");
	assert_non_null(strstr(scene.gaps[0].reason, "in the middle of a message"));
	assert_int_equal(metric_get("cn_watch_up{watch=\"main\"}", METRIC_GAUGE, "")->value, 0);

	AWAIT(scene, LISTENS(scene));
	assert_int_equal(gaps(&scene), 1);
	assert_true(scene.gaps[0].until_ms >= scene.gaps[0].from_ms);
	assert_true(was_logged("changes in this time were not heard (gap 1: "));
	raw_say(scene.peer, "data: [3]\n\n"); /* the half one is forgotten */
	AWAIT(scene, strcmp(records(&scene), "[1]\n[3]\n") == 0);

	raw_reset(scene.peer);
	AWAIT(scene, gaps(&scene) == 2);
	assert_non_null(strstr(scene.gaps[1].reason, "reset"));
	AWAIT(scene, LISTENS(scene));
	scene_close(&scene);
}

static void silence_is_death(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.settings.silence_ms = 1000;
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	for (int i = 0; i < 12; i++) { /* keep-alives keep it alive */
		assert_false(TURN_UNTIL(&scene.loop, !LISTENS(scene), 100));
		raw_say(scene.peer, ": keepalive\n\n");
	}
	AWAIT(scene, gaps(&scene) == 1);
	assert_non_null(strstr(scene.gaps[0].reason, "not a byte for 1.0 s"));
	AWAIT(scene, LISTENS(scene));
	scene_close(&scene);
}

static uint64_t bytes_heard(struct scene *scene)
{
	struct watcher_status status;

	watcher_get_status(scene->watcher, &status);
	return status.bytes;
}

/* A commit to a slow disk holds the loop up: meanwhile bytes came that nobody could read. */
static void a_loop_that_was_held_up_is_no_silence(void **state)
{
	struct scene scene;
	uint64_t bytes;

	scene_open(&scene);
	scene.settings.silence_ms = 200;
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	bytes = bytes_heard(&scene);
	raw_say(scene.peer, ": keepalive\n\n");
	uv_sleep(400); /* the test itself: the limit is over, and the bytes are there */
	AWAIT(scene, bytes_heard(&scene) > bytes);
	assert_int_equal(gaps(&scene), 0);
	scene_close(&scene);
}

static void ask_for_a_good_token(struct scene *scene, struct raw_peer *peer, struct text request)
{
	AUTO(free) char *text = text_copy(request);

	if (strstr(text, "Bearer good"))
		return open_stream(scene, peer, request);
	raw_answer(peer, "401 Unauthorized", "", "");
}

static void a_refused_token_is_waited_for(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = ask_for_a_good_token;
	scene.token = "old";
	scene_watch(&scene);
	AWAIT(scene, scene.asked_count >= 2);
	assert_true(was_logged("HTTP 401; the token was refused: write a valid one into "
			       "/etc/cn_monitor/token, it is read at each attempt"));
	scene.token = "good";
	AWAIT(scene, LISTENS(scene));
	assert_true(scene.asked_count <= 5);
	assert_int_equal(gaps(&scene), 0); /* it never listened before */
	scene_close(&scene);
}

static void say_403(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_answer(peer, "403 Forbidden", "", "{\"error_class\":\"http_unauthorized_error\"}");
}

static void refusals_lead_to_no_tight_loop(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = say_403;
	scene_watch(&scene);
	(void)TURN_UNTIL(&scene.loop, false, 2000);
	assert_in_range(scene.asked_count, 2, 3);
	assert_true(was_logged("Data-Administrators"));
	scene_close(&scene);
}

static void say_429_once(struct scene *scene, struct raw_peer *peer, struct text request)
{
	if (scene->asked_count > 1)
		return open_stream(scene, peer, request);
	raw_answer(peer, "429 Slowly", "Retry-After: 2\r\n", "");
}

static void the_cluster_names_the_time_of_the_next_attempt(void **state)
{
	uint64_t first_ns;
	struct scene scene;

	scene_open(&scene);
	scene.answer = say_429_once;
	scene_watch(&scene);
	AWAIT(scene, scene.asked_count == 1);
	first_ns = scene.asked_ns;
	AWAIT(scene, LISTENS(scene));
	assert_true(scene.asked_ns - first_ns > 1900000000u);
	scene_close(&scene);
}

static void say_html_once(struct scene *scene, struct raw_peer *peer, struct text request)
{
	if (scene->asked_count > 1)
		return open_stream(scene, peer, request);
	raw_answer(peer, "200 OK", "Content-Type: text/html\r\n", "<html>data: [1]\n\n");
}

static void a_web_page_is_no_stream(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = say_html_once;
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	assert_true(was_logged("answered with 'text/html'"));
	assert_string_equal(records(&scene), "");
	scene_close(&scene);
}

static void the_time_between_two_runs_is_a_gap(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	raw_say(scene.peer, "data: [1]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n") == 0);
	scene_restart(&scene);
	assert_int_equal(gaps(&scene), 1);
	assert_string_equal(scene.gaps[0].reason, "cn_monitor was not running");
	assert_int_equal(scene.gaps[0].until_ms, 0);
	assert_int_equal(scene.gaps[0].after_seq, 1);
	AWAIT(scene, LISTENS(scene));
	assert_int_equal(gaps(&scene), 1);
	assert_true(scene.gaps[0].until_ms >= scene.gaps[0].from_ms);
	scene_close(&scene);
}

/* Whoever waits for it to listen and kills it at once must find a gap at the next start. */
static void that_it_listens_is_durable_before_it_is_told(void **state)
{
	struct scene scene;

	scene_open(&scene);
	told_store = scene.store;
	was_noted_when_told = false;
	scene_watch(&scene);
	AWAIT(scene, was_logged("listening to"));
	assert_true(was_noted_when_told);
	told_store = NULL;
	scene_close(&scene);
}

static void a_gap_that_was_open_at_the_end_goes_on(void **state)
{
	struct scene scene;
	int64_t from;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	scene.answer = say_403;
	raw_close(scene.peer);
	AWAIT(scene, gaps(&scene) == 1);
	from = scene.gaps[0].from_ms;
	scene_restart(&scene);
	assert_int_equal(gaps(&scene), 1);
	assert_int_equal(scene.gaps[0].from_ms, from);
	assert_non_null(strstr(scene.gaps[0].reason, "; then cn_monitor was not running"));
	scene.answer = open_stream;
	AWAIT(scene, LISTENS(scene));
	assert_int_equal(gaps(&scene), 1);
	assert_true(scene.gaps[0].until_ms);
	scene_close(&scene);
}

static void *report(void *watcher)
{
	watcher_report_trouble(watcher, clock_now_ms(), "the cluster's queue overflowed");
	return NULL;
}

static void trouble_that_another_thread_found_opens_the_stream_anew(void **state)
{
	struct scene scene;
	pthread_t thread;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	assert_int_equal(pthread_create(&thread, NULL, report, scene.watcher), 0);
	AWAIT(scene, gaps(&scene) == 1);
	pthread_join(thread, NULL);
	assert_string_equal(scene.gaps[0].reason, "the cluster's queue overflowed");
	AWAIT(scene, LISTENS(scene) && scene.asked_count == 2);
	scene_close(&scene);
}

static void trouble_of_an_earlier_stream_does_not_cost_this_one(void **state)
{
	int64_t heard_ms = clock_now_ms() - 60000;
	struct scene scene;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	watcher_report_trouble(scene.watcher, heard_ms, "not an event");
	AWAIT(scene, gaps(&scene) == 1);
	assert_int_equal(scene.gaps[0].from_ms, heard_ms);
	assert_true(scene.gaps[0].until_ms > heard_ms);
	assert_true(LISTENS(scene));
	assert_int_equal(scene.asked_count, 1);

	/* While nothing is heard anyway, the gap reaches back to it. */
	scene.answer = say_403;
	raw_close(scene.peer);
	AWAIT(scene, gaps(&scene) == 2);
	watcher_report_trouble(scene.watcher, heard_ms + 1, "not an event");
	AWAIT(scene, gaps(&scene) == 2 && scene.gaps[1].from_ms == heard_ms + 1);
	assert_int_equal(scene.gaps[1].until_ms, 0);
	scene_close(&scene);
}

/* What the filter does all the time: everything in the log is judged, and may go. */
static void judge_all(struct scene *scene)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	AUTO_ERROR err = { 0 };
	uint64_t first, last;

	assert_int_equal(store_log_range(scene->store, &first, &last, &err), 0);
	assert_int_equal(store_begin(scene->store, &txn, &err), 0);
	assert_int_equal(store_cursor_put(txn, last, &err), 0);
	assert_int_equal(store_commit(TAKE(txn), &err), 0);
}

static uint64_t last_seq(struct scene *scene)
{
	AUTO_ERROR err = { 0 };
	uint64_t first, last;

	assert_int_equal(store_log_range(scene->store, &first, &last, &err), 0);
	return last;
}

static void a_full_store_stops_the_reading_and_loses_nothing(void **state)
{
	AUTO(free) char *filler = mem_new(64 * 1024 + 1);
	AUTO(buf_free) struct buf *message = buf_new(1 << 20);
	struct watcher_status full;
	struct scene scene;

	memset(filler, 'x', 64 * 1024);
	scene_open(&scene);
	scene_stop(&scene);
	scene.max_bytes = 4 << 20;
	scene.settings.silence_ms = 300; /* of our own making it does not count */
	store_up(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	for (int i = 1; i <= 1000; i++) { /* 64 MiB: more than store, sockets and buffers hold */
		buf_reset(message);
		assert_true(buf_print(message, "data: [%d,\"%s\"]\n\n", i, filler));
		raw_say_bytes(scene.peer, buf_text(message));
	}
	AWAIT(scene, was_logged("is full"));
	(void)TURN_UNTIL(&scene.loop, false, 600);
	watcher_get_status(scene.watcher, &full);
	assert_true(full.messages < 300);
	assert_int_equal(full.state, WATCHER_LISTENING);
	assert_int_equal(gaps(&scene), 0);

	assert_true(TURN_UNTIL(&scene.loop, (judge_all(&scene), last_seq(&scene) == 1000), 60000));
	assert_int_equal(gaps(&scene), 0);
	assert_true(was_logged("the store takes records again"));
	assert_non_null(strstr(records(&scene), "[1000,\"xxx"));
	scene_close(&scene);
}

static void a_narrowed_watch_is_told(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.mode = "DISABLED_IGNORE";
	scene_watch(&scene);
	AWAIT(scene, was_logged("recursive_mode is DISABLED_IGNORE"));
	scene_close(&scene);
}

static void a_lone_message_is_durable_at_once(void **state)
{
	uint64_t start_ns, took_ns = UINT64_MAX;
	struct scene scene;

	scene_open(&scene);
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	for (int i = 1; i <= 5; i++) { /* the best of five: others use this machine, too */
		(void)TURN_UNTIL(&scene.loop, false, 100);
		start_ns = uv_hrtime();
		raw_say(scene.peer, "data: [1]\n\n");
		AWAIT(scene, last_seq(&scene) == (uint64_t)i);
		took_ns = MIN(took_ns, uv_hrtime() - start_ns);
	}
	assert_true(took_ns < 40000000u);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_durable_in_order_and_the_first_start_has_no_gap),
		cmocka_unit_test(it_listens_only_once_the_cluster_says_so),
		cmocka_unit_test(a_stream_that_breaks_off_leaves_a_gap_and_is_opened_again),
		cmocka_unit_test(silence_is_death),
		cmocka_unit_test(a_loop_that_was_held_up_is_no_silence),
		cmocka_unit_test(a_refused_token_is_waited_for),
		cmocka_unit_test(refusals_lead_to_no_tight_loop),
		cmocka_unit_test(the_cluster_names_the_time_of_the_next_attempt),
		cmocka_unit_test(a_web_page_is_no_stream),
		cmocka_unit_test(the_time_between_two_runs_is_a_gap),
		cmocka_unit_test(that_it_listens_is_durable_before_it_is_told),
		cmocka_unit_test(a_gap_that_was_open_at_the_end_goes_on),
		cmocka_unit_test(trouble_that_another_thread_found_opens_the_stream_anew),
		cmocka_unit_test(trouble_of_an_earlier_stream_does_not_cost_this_one),
		cmocka_unit_test(a_full_store_stops_the_reading_and_loses_nothing),
		cmocka_unit_test(a_narrowed_watch_is_told),
		cmocka_unit_test(a_lone_message_is_durable_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
