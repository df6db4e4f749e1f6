/* Rules that ask about files: the filter over real stores, with a cluster that answers by hand. */
#include "filter_fixture.h"

#define ADDED(id, path) ITEM("child_file_added", id, path)

#define ASKED_MAX 64

struct cluster_call {
	char ref[64];
	file_done *done;
	void *ctx;
	bool is_open;
};

/* What is asked and not answered. */
static struct cluster_call calls[ASKED_MAX];
static size_t call_count, open_count, most_open;

static struct cluster_call *get(void *self, const char *ref, file_done *done, void *ctx)
{
	struct cluster_call *call = &calls[call_count++];

	assert_true(call_count < ASKED_MAX);
	*call = (struct cluster_call){ .done = done, .ctx = ctx, .is_open = true };
	snprintf(call->ref, sizeof(call->ref), "%s", ref);
	open_count++;
	most_open = MAX(most_open, open_count);
	return call;
}

static void cancel(struct cluster_call *call)
{
	assert_true(call->is_open);
	call->is_open = false;
	open_count--;
}

static const struct cluster cluster = { .get = get, .cancel = cancel };
static const struct cluster *const clusters[] = { &cluster };

static void answer_one(struct cluster_call *call, enum file_result result, int64_t size)
{
	char id[64];
	struct file_info info = { .id = id,
				  .path = (char *)"/home/x",
				  .size = size,
				  .mode = 0640,
				  .owner = (char *)"500",
				  .group = (char *)"513",
				  .owner_type = (char *)"LOCAL_USER",
				  .owner_value = (char *)"alice",
				  .group_type = (char *)"NFS_GID",
				  .group_value = (char *)"100",
				  .creation_time = (char *)"2026-11-22T00:00:00Z",
				  .modification_time = (char *)"2026-11-22T00:00:00Z",
				  .num_links = 1 };
	const struct file_reply reply = { .result = result,
					  .why = "said by the test",
					  .info = result == FILE_OK ? &info : NULL };

	snprintf(id, sizeof(id), "%s", call->ref);
	assert_true(call->is_open);
	call->is_open = false;
	open_count--;
	call->done(call->ctx, &reply);
}

/* The first open call about this file. */
static void answer(struct monitor *m, const char *ref, enum file_result result, int64_t size)
{
	size_t i = 0;

	while (i < call_count && (!calls[i].is_open || strcmp(calls[i].ref, ref) != 0))
		i++;
	if (i == call_count)
		fail_msg("nobody asks for %s", ref);
	answer_one(&calls[i], result, size);
	settle_down(m);
}

static void ask_start(struct monitor *m, void **state, const char *text)
{
	call_count = open_count = most_open = 0;
	monitor_start(m, *state, text);
	filter_ask(m->filter, clusters);
}

static void ask_restart(struct monitor *m)
{
	monitor_restart(m);
	assert_int_equal(open_count, 0);
	filter_ask(m->filter, clusters);
	settle_down(m);
}

static const char big[] =
	"watched_items:\n"
	"  - name: plain\n"
	"    when: {extension: .zip}\n"
	"    actions: [log]\n"
	"  - name: big\n"
	"    when: {event: created, extension: [.zip, .dat], size: {over: 1 KiB}}\n"
	"    actions: [log]\n";

static void only_what_depends_on_a_file_waits_for_the_cluster(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.zip") "," ADDED("8", "a.txt") "]");
	settle_down(&m);
	assert_jobs(&m, "plain child_file_added /home/a.zip; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"plain\"],\"jobs\":[1],\"asking\":[\"big\"]}");
	assert_label(&m, 1, 1, NULL);
	assert_int_equal(call_count, 1);
	assert_int_equal(status_of(&m).cursor, 1);
	answer(&m, "7", FILE_OK, 2000);
	assert_jobs(&m, "plain child_file_added /home/a.zip; big child_file_added /home/a.zip; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"plain\",\"big\"],\"jobs\":[1,2]}");
}

static void what_the_cluster_says_may_be_no(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.dat") "," ADDED("8", "b.dat") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 1024);
	answer(&m, "8", FILE_GONE, 0);
	assert_jobs(&m, "");
	assert_label(&m, 1, 0, "{}");
	assert_label(&m, 1, 1, "{\"undecided\":[\"big\"]}");
}

static void events_of_one_file_share_a_request(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.dat") "," ADDED("7", "a.dat") "," ADDED("8", "b.dat") "]");
	settle_down(&m);
	assert_int_equal(call_count, 2);
	/* The answer to what was asked before is none to an event that came later. */
	hear(&m, "[" ADDED("7", "a.dat") "]");
	settle_down(&m);
	assert_int_equal(call_count, 3);
	answer(&m, "7", FILE_OK, 2000);
	assert_int_equal(status_of(&m).jobs, 2);
	answer(&m, "7", FILE_OK, 1000);
	assert_int_equal(status_of(&m).jobs, 2);
	answer(&m, "8", FILE_OK, 2000);
	assert_int_equal(status_of(&m).jobs, 3);
}

static void a_storm_of_events_is_no_storm_of_requests(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	for (int i = 0; i < 40; i++) {
		AUTO(free)
		char *message = str_format("[{\"type\":\"child_file_added\",\"spine\":[\"%d\"],"
					   "\"path\":\"%d.dat\",\"stream_name\":null}]",
					   i + 10, i);

		hear(&m, message);
	}
	settle_down(&m);
	assert_int_equal(status_of(&m).cursor, 40);
	for (int i = 0; i < 40; i++) {
		AUTO(free) char *ref = str_format("%d", i + 10);

		answer(&m, ref, FILE_OK, 2000);
	}
	assert_int_equal(most_open, 16);
	assert_int_equal(status_of(&m).jobs, 40);
}

static void events_that_wait_survive_a_restart(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.dat") "," ADDED("8", "b.dat") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 2000);
	ask_restart(&m);
	assert_int_equal(call_count, 3);
	answer(&m, "8", FILE_OK, 2000);
	assert_jobs(&m, "big child_file_added /home/a.dat; big child_file_added /home/b.dat; ");
	ask_restart(&m);
	assert_int_equal(call_count, 3);
	hear(&m, "[" ADDED("9", "c.dat") "]");
	settle_down(&m);
	answer(&m, "9", FILE_OK, 2000);
	assert_int_equal(status_of(&m).jobs, 1);
}

static void a_cluster_that_cannot_say_is_asked_again_later(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.dat") "]");
	settle_down(&m);
	answer(&m, "7", FILE_LATER, 0);
	hear(&m, "[" ADDED("7", "a.dat") "]");
	settle_down(&m);
	assert_int_equal(call_count, 1); /* not while it is known to be of no use */
	pass(&m, 1000);
	while (call_count < 2) /* the timer is the loop's, which counts real time */
		uv_run(&m.loop, UV_RUN_ONCE);
	assert_int_equal(call_count, 2);
	answer(&m, "7", FILE_OK, 2000);
	assert_int_equal(status_of(&m).jobs, 2);
}

static void with_settle_the_file_is_asked_about_when_it_is_quiet(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state,
		  "watched_items:\n"
		  "  - name: big\n"
		  "    when: {event: created, size: {over: 1 KiB}}\n"
		  "    settle: 5s\n"
		  "    actions: [log]\n");
	hear(&m, "[" ADDED("7", "a.dat") "]");
	settle_down(&m);
	assert_int_equal(call_count, 0);
	pass(&m, 5000);
	assert_int_equal(call_count, 1);
	answer(&m, "7", FILE_OK, 2000);
	assert_jobs(&m, "big child_file_added /home/a.dat; ");
	assert_label(&m, 1, 0, "{\"rules\":[\"big\"],\"settling\":true,\"jobs\":[1]}");
}

static void rules_behind_one_that_may_stop_wait_with_it(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state,
		  "watched_items:\n"
		  "  - {name: first, when: {event: created}, actions: [log]}\n"
		  "  - {name: empty, when: {size: 0}, stop: yes, actions: [log]}\n"
		  "  - {name: last, when: {event: created}, actions: [log]}\n");
	hear(&m, "[" ADDED("7", "a") "," ADDED("8", "b") "]");
	settle_down(&m);
	assert_jobs(&m, "first child_file_added /home/a; first child_file_added /home/b; ");
	answer(&m, "7", FILE_OK, 0);
	answer(&m, "8", FILE_OK, 5);
	assert_jobs(&m, "first child_file_added /home/a; first child_file_added /home/b; "
			"empty child_file_added /home/a; last child_file_added /home/b; ");
}

static void a_rule_that_is_gone_by_then_does_nothing(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state, big);
	hear(&m, "[" ADDED("7", "a.dat") "]");
	settle_down(&m);
	offer(&m, "watched_items:\n- {name: x, when: {extension: .x}, actions: [log]}\n");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 2000);
	assert_jobs(&m, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_depends_on_a_file_waits_for_the_cluster),
		cmocka_unit_test(what_the_cluster_says_may_be_no),
		cmocka_unit_test(events_of_one_file_share_a_request),
		cmocka_unit_test(a_storm_of_events_is_no_storm_of_requests),
		cmocka_unit_test(events_that_wait_survive_a_restart),
		cmocka_unit_test(a_cluster_that_cannot_say_is_asked_again_later),
		cmocka_unit_test(with_settle_the_file_is_asked_about_when_it_is_quiet),
		cmocka_unit_test(rules_behind_one_that_may_stop_wait_with_it),
		cmocka_unit_test(a_rule_that_is_gone_by_then_does_nothing),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
