/* A watch that is told of those types of events only which its rules need. */
#include "check.h"

#include "watcher_scene.h"

#define ADDED EVENT_KIND(CHILD_FILE_ADDED)
#define REMOVED EVENT_KIND(CHILD_FILE_REMOVED)
#define ACL EVENT_KIND(CHILD_ACL_CHANGED)
#define OWNER EVENT_KIND(CHILD_OWNER_CHANGED)

static void scene_begin(struct scene *scene, event_kinds needs)
{
	scene_open(scene);
	scene->settings.events = WATCH_EVENTS_NEEDED;
	scene->needs = needs;
	scene_watch(scene);
	AWAIT(*scene, LISTENS(*scene));
}

static void say_nothing(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_say(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n");
}

static void refuse(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_answer(peer, "400 Bad Request", "", "{\"description\":\"no such type\"}");
}

static void count_change(void *ctx)
{
	++*(atomic_int *)ctx;
}

static void the_cluster_is_asked_for_what_is_needed(void **state)
{
	struct watcher_status status;
	struct scene scene;

	scene_begin(&scene, ADDED | REMOVED);
	assert_string_equal(scene.filters[0], "child_file_added,child_file_removed");
	assert_true(was_logged("at 127.0.0.1:"));
	assert_true(was_logged(", for 2 of 24 types of events"));
	assert_true(watcher_tells(scene.watcher, ADDED));
	assert_false(watcher_tells(scene.watcher, ADDED | ACL));
	watcher_get_status(scene.watcher, &status);
	assert_int_equal(status.types, ADDED | REMOVED);
	scene_close(&scene);
}

static void a_heartbeat_is_among_them(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.settings.heartbeat_ms = 60000;
	scene.needs = ADDED;
	scene.answer = say_nothing;
	scene_watch(&scene);
	AWAIT(scene, scene.asked_count == 1);
	assert_string_equal(scene.filters[0], "child_file_added,child_mtime_changed");
	scene_close(&scene);
}

static void more_is_told_by_a_further_stream_without_a_gap(void **state)
{
	atomic_int changes = 0;
	struct scene scene;

	scene_begin(&scene, ADDED);
	watcher_on_change(scene.watcher, count_change, &changes);
	scene.answer = say_nothing;
	watcher_need(scene.watcher, ADDED | ACL);
	AWAIT(scene, scene.asked_count == 2);
	assert_string_equal(scene.filters[1], "child_acl_changed");
	raw_say(scene.peers[0], "data: [1]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n") == 0);
	assert_false(watcher_tells(scene.watcher, ADDED | ACL));

	/* What is needed meanwhile is asked for once this one listens. */
	watcher_need(scene.watcher, ADDED | ACL | OWNER);
	assert_false(TURN_UNTIL(&scene.loop, scene.asked_count > 2, 100));
	changes = 0;
	raw_say(scene.peers[1], ": watching\n\n");
	AWAIT(scene, scene.asked_count == 3);
	assert_true(changes > 0);
	assert_string_equal(scene.filters[2], "child_owner_changed");
	assert_true(watcher_tells(scene.watcher, ADDED | ACL));
	assert_false(watcher_tells(scene.watcher, OWNER));
	raw_say(scene.peers[2], ": watching\n\n");
	AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL | OWNER));

	raw_say(scene.peers[2], "data: [2]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n[2]\n") == 0);
	raw_say(scene.peers[0], "data: [3]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n[2]\n[3]\n") == 0);
	raw_say(scene.peers[1], "data: [4]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n[2]\n[3]\n[4]\n") == 0);
	assert_int_equal(gaps(&scene), 0);
	assert_int_equal(scene.asked_count, 3);
	scene_close(&scene);
}

static void what_is_told_already_is_not_asked_for_again(void **state)
{
	struct scene scene;

	scene_begin(&scene, ADDED | REMOVED | ACL);
	watcher_need(scene.watcher, ADDED | ACL);
	assert_false(TURN_UNTIL(&scene.loop, scene.asked_count > 1, 100));
	assert_true(watcher_tells(scene.watcher, ADDED | ACL));
	/* Less is asked for at the next occasion. */
	raw_close(scene.peers[0]);
	AWAIT(scene, scene.asked_count == 2);
	assert_string_equal(scene.filters[1], "child_file_added,child_acl_changed");
	scene_close(&scene);
}

static void any_stream_that_is_lost_is_a_gap_and_all_begin_anew(void **state)
{
	for (int lost = 0; lost < 2; lost++) {
		struct scene scene;

		scene_begin(&scene, ADDED);
		watcher_need(scene.watcher, ADDED | ACL);
		AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL));
		raw_close(scene.peers[lost]);
		AWAIT(scene, gaps(&scene) == 1 && scene.gaps[0].until_ms > 0);
		AWAIT(scene, LISTENS(scene));
		assert_int_equal(scene.asked_count, 3);
		assert_string_equal(scene.filters[2], "child_file_added,child_acl_changed");
		assert_true(watcher_tells(scene.watcher, ADDED | ACL));
		scene_close(&scene);
	}
}

static void the_gap_begins_where_the_slower_stream_was(void **state)
{
	struct scene scene;
	int64_t quiet_ms;

	scene_begin(&scene, ADDED);
	watcher_need(scene.watcher, ADDED | ACL);
	AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL));
	quiet_ms = clock_now_ms();
	assert_false(TURN_UNTIL(&scene.loop, false, 50));
	raw_say(scene.peers[0], "data: [1]\n\n");
	AWAIT(scene, strcmp(records(&scene), "[1]\n") == 0);
	raw_close(scene.peers[0]);
	AWAIT(scene, gaps(&scene) == 1);
	assert_true(scene.gaps[0].from_ms <= quiet_ms);
	scene_close(&scene);
}

static void a_further_stream_that_does_not_open_costs_a_gap_and_no_rule_waits(void **state)
{
	struct scene scene;

	scene_begin(&scene, ADDED);
	scene.answer = refuse;
	watcher_need(scene.watcher, ADDED | ACL);
	AWAIT(scene, gaps(&scene) == 1);
	assert_true(was_logged("lost the stream: "));
	assert_true(was_logged("no such type"));
	assert_true(was_logged("set EVENTS = all"));
	AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL));
	scene.answer = open_stream;
	AWAIT(scene, LISTENS(scene));
	assert_string_equal(scene.filters[scene.asked_count - 1],
			    "child_file_added,child_acl_changed");
	scene_close(&scene);
}

static void rules_wait_for_a_stream_that_was_asked_for_before(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.needs = ADDED;
	scene.answer = say_nothing;
	scene_watch(&scene);
	AWAIT(scene, scene.asked_count == 1);
	watcher_need(scene.watcher, ADDED | ACL);
	assert_false(watcher_tells(scene.watcher, ADDED | ACL));
	raw_say(scene.peers[0], ": watching\n\n");
	AWAIT(scene, scene.asked_count == 2);
	assert_false(watcher_tells(scene.watcher, ADDED | ACL));
	raw_say(scene.peers[1], ": watching\n\n");
	AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL));
	scene_close(&scene);
}

static void all_is_needed(void **state)
{
	struct scene scene;

	scene_begin(&scene, EVENT_TYPES & ~ACL);
	watcher_need(scene.watcher, EVENT_ANY);
	AWAIT(scene, watcher_tells(scene.watcher, EVENT_ANY));
	assert_string_equal(scene.filters[1], "child_acl_changed");
	raw_close(scene.peers[1]);
	AWAIT(scene, scene.asked_count == 3);
	assert_null(scene.filters[2]);
	scene_close(&scene);
}

static void silence_of_one_stream_is_death_of_all(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.settings.silence_ms = 1000;
	scene.needs = ADDED;
	scene_watch(&scene);
	AWAIT(scene, LISTENS(scene));
	watcher_need(scene.watcher, ADDED | ACL);
	AWAIT(scene, watcher_tells(scene.watcher, ADDED | ACL));

	uint64_t said_ns = 0;

	AWAIT(scene, ({
		      if (uv_hrtime() - said_ns > 100000000u) {
			      raw_say(scene.peers[0], ": keepalive\n\n");
			      said_ns = uv_hrtime();
		      }
		      gaps(&scene) == 1;
	      }));
	assert_non_null(strstr(scene.gaps[0].reason, "not a byte for 1.0 s"));
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cluster_is_asked_for_what_is_needed),
		cmocka_unit_test(a_heartbeat_is_among_them),
		cmocka_unit_test(more_is_told_by_a_further_stream_without_a_gap),
		cmocka_unit_test(what_is_told_already_is_not_asked_for_again),
		cmocka_unit_test(any_stream_that_is_lost_is_a_gap_and_all_begin_anew),
		cmocka_unit_test(the_gap_begins_where_the_slower_stream_was),
		cmocka_unit_test(a_further_stream_that_does_not_open_costs_a_gap_and_no_rule_waits),
		cmocka_unit_test(rules_wait_for_a_stream_that_was_asked_for_before),
		cmocka_unit_test(all_is_needed),
		cmocka_unit_test(silence_of_one_stream_is_death_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
