/* Rules that ask about files: the filter over real stores, with a cluster that answers by hand. */
#include "filter_fixture.h"

#define ADDED(id, path) ITEM("child_file_added", id, path)

#define ASKED_MAX 64

struct cluster_call {
	char ref[64];
	file_done *done;
	identity_done *identified; /* asked for a name */
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

static struct cluster_call *identify(void *self, const char *name, identity_done *done, void *ctx)
{
	struct cluster_call *call = get(self, name, NULL, ctx);

	call->identified = done;
	return call;
}

static struct cluster_call *get_tags(void *self, const char *id, const char *key, file_done *done,
				     void *ctx)
{
	AUTO(free) char *ref = str_format("tags of %s", id);

	assert_null(key);
	return get(self, ref, done, ctx);
}

static void cancel(struct cluster_call *call)
{
	assert_true(call->is_open);
	call->is_open = false;
	open_count--;
}

static const struct cluster cluster = { .get = get, .get_tags = get_tags, .cancel = cancel };
static const struct cluster with_names = { .get = get, .identify = identify, .cancel = cancel };
static const struct cluster *const clusters[] = { &cluster };
static const struct cluster *const clusters_with_names[] = { &with_names };

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
				  .group_value = (char *)"1000",
				  .creation_time = (char *)"2026-11-22T00:00:00Z",
				  .modification_time = (char *)"2026-11-22T00:00:00Z",
				  .num_links = 1 };
	struct file_tag reviewed = { (char *)"reviewed", (char *)"yes", 3 };
	struct file_tags tags = { &reviewed, (size_t)size, NULL }; /* as many as bytes */
	const struct file_reply reply = { .result = result,
					  .why = "said by the test",
					  .info = result == FILE_OK ? &info : NULL,
					  .tags = result == FILE_OK ? &tags : NULL };

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

/* Who has the name: nobody if gid is NULL. */
static void answer_name(struct monitor *m, const char *name, enum file_result result,
			const char *gid)
{
	/* The name stands for a group: its number is a gid. */
	const struct known_identity identity = { "4711", "", gid ? gid : "", "" };
	const struct identity_reply reply = { result, "said by the test", 0,
					      result == FILE_OK ? &identity : NULL };
	size_t i = 0;

	while (i < call_count &&
	       (!calls[i].is_open || !calls[i].identified || strcmp(calls[i].ref, name) != 0))
		i++;
	if (i == call_count)
		fail_msg("nobody asks for the name %s", name);
	calls[i].is_open = false;
	open_count--;
	calls[i].identified(calls[i].ctx, &reply);
	settle_down(m);
}

static void ask_start_with(struct monitor *m, void **state, const char *text,
			   const struct cluster *const *asked)
{
	call_count = open_count = most_open = 0;
	monitor_start(m, *state, text);
	filter_ask(m->filter, asked);
}

static void ask_start(struct monitor *m, void **state, const char *text)
{
	ask_start_with(m, state, text, clusters);
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

static const char hers[] = "watched_items:\n"
			   "  - name: hers\n"
			   "    when: {event: created, group: [staff, wheel]}\n"
			   "    actions: [log]\n"
			   "  - name: others\n"
			   "    when: {event: created, not: {group: staff}}\n"
			   "    actions: [log]\n";

static void names_start(struct monitor *m, void **state)
{
	ask_start_with(m, state, hers, clusters_with_names);
}

static void who_has_a_name_is_asked_once_and_kept_for_a_time(void **state)
{
	AUTO_MONITOR m;

	names_start(&m, state);
	hear(&m, "[" ADDED("7", "a") "," ADDED("8", "b") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 0);
	answer(&m, "8", FILE_OK, 0);
	assert_jobs(&m, "");
	assert_int_equal(call_count, 3); /* two files, and one name at a time */
	answer_name(&m, calls[2].ref, FILE_OK, "1");
	assert_int_equal(call_count, 4);
	assert_string_not_equal(calls[2].ref, calls[3].ref);
	answer_name(&m, calls[3].ref, FILE_REFUSED, NULL);
	assert_jobs(&m, "others child_file_added /home/a; others child_file_added /home/b; ");
	hear(&m, "[" ADDED("9", "c") "]");
	settle_down(&m);
	answer(&m, "9", FILE_OK, 0);
	assert_int_equal(status_of(&m).jobs, 3);
	assert_int_equal(call_count, 5);
	clock_advance(10 * 60 * 1000);
	hear(&m, "[" ADDED("10", "d") "]");
	settle_down(&m);
	answer(&m, "10", FILE_OK, 0);
	assert_int_equal(call_count, 7);
}

static void a_name_stands_for_the_number_that_the_cluster_gives_it(void **state)
{
	AUTO_MONITOR m;

	names_start(&m, state);
	hear(&m, "[" ADDED("7", "a") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 0);
	for (int i = 1; i <= 2; i++)
		answer_name(&m, calls[i].ref, FILE_OK,
			    strcmp(calls[i].ref, "staff") ? "1" : "1000");
	assert_jobs(&m, "hers child_file_added /home/a; ");
}

static void as_long_as_names_cannot_be_asked_their_events_wait(void **state)
{
	AUTO_MONITOR m;

	names_start(&m, state);
	hear(&m, "[" ADDED("7", "a") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 0);
	answer_name(&m, calls[1].ref, FILE_LATER, NULL);
	assert_jobs(&m, "");
	ask_restart(&m);
	assert_string_equal(calls[2].ref, "7");
	answer(&m, "7", FILE_OK, 0);
	assert_label(&m, 1, 0, "{\"undecided\":[\"hers\",\"others\"]}"); /* without names */
}

static void who_may_not_ask_for_names_decides_nothing_by_them(void **state)
{
	AUTO_MONITOR m;

	names_start(&m, state);
	hear(&m, "[" ADDED("7", "a") "," ADDED("8", "b") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 0);
	answer_name(&m, calls[2].ref, FILE_DENIED, NULL);
	answer(&m, "8", FILE_OK, 0);
	assert_int_equal(call_count, 3); /* not asked again at once */
	assert_jobs(&m, "");
	assert_label(&m, 1, 0, "{\"undecided\":[\"hers\",\"others\"]}");
	assert_label(&m, 1, 1, "{\"undecided\":[\"hers\",\"others\"]}");
}

static void rules_that_change_while_names_are_asked_for_are_heeded(void **state)
{
	AUTO_MONITOR m;

	names_start(&m, state);
	hear(&m, "[" ADDED("7", "a") "]");
	settle_down(&m);
	answer(&m, "7", FILE_OK, 0);
	offer(&m, "watched_items:\n"
		  "- {name: hers, when: {group: other}, actions: [log]}\n");
	settle_down(&m);
	assert_string_equal(calls[2].ref, "other");
	answer_name(&m, "other", FILE_OK, "");
	assert_jobs(&m, "");
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

static void tags_are_asked_for_only_where_attributes_leave_it_open(void **state)
{
	AUTO_MONITOR m;

	ask_start(&m, state,
		  "watched_items:\n"
		  "  - name: tagged\n"
		  "    when: {event: created, size: {under: 10}, tag: {reviewed: yes}}\n"
		  "    actions: [log]\n"
		  "  - name: big\n"
		  "    when: {event: created, size: {over: 5}}\n"
		  "    actions: [log]\n");
	hear(&m,
	     "[" ADDED("1", "a") "," ADDED("2", "b") "," ADDED("3", "c") "," ADDED("4", "d") "]");
	settle_down(&m);
	answer(&m, "1", FILE_OK, 20); /* too big, whatever its tags */
	answer(&m, "2", FILE_OK, 1);
	answer(&m, "3", FILE_OK, 6);
	answer(&m, "4", FILE_OK, 1);
	assert_jobs(&m, "big child_file_added /home/a; ");
	answer(&m, "tags of 2", FILE_OK, 1);
	answer(&m, "tags of 3", FILE_DENIED, 0);
	answer(&m, "tags of 4", FILE_OK, 0);
	assert_int_equal(open_count, 0);
	assert_jobs(&m, "big child_file_added /home/a; tagged child_file_added /home/b; "
			"big child_file_added /home/c; ");
	assert_label(&m, 1, 2, "{\"undecided\":[\"tagged\"],\"rules\":[\"big\"],\"jobs\":[3]}");
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
		cmocka_unit_test(who_has_a_name_is_asked_once_and_kept_for_a_time),
		cmocka_unit_test(a_name_stands_for_the_number_that_the_cluster_gives_it),
		cmocka_unit_test(as_long_as_names_cannot_be_asked_their_events_wait),
		cmocka_unit_test(who_may_not_ask_for_names_decides_nothing_by_them),
		cmocka_unit_test(rules_that_change_while_names_are_asked_for_are_heeded),
		cmocka_unit_test(tags_are_asked_for_only_where_attributes_leave_it_open),
		cmocka_unit_test(a_rule_that_is_gone_by_then_does_nothing),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
