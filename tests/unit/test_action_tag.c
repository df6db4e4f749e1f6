#include "fake_action.h"

static struct fake *cluster(const char *options)
{
	struct fake *fake = fake_new();

	fake_add(fake, "7", "/in/a.txt", FILE_REGULAR);
	fake_open(fake, "tag", options);
	return fake;
}

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/in/a.txt");

	fake_go(fake, run);
	return run;
}

static const char *result(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->result, key));
}

#define SEEN "{\"key\": \"seen-by\", \"value\": \"{rule}\"}"

static void a_new_key_is_added_and_never_over_another(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_story(fake, "look at tag seen-by of 7\n"
			   "expect child_extra_attrs_changed 7 anywhere\n"
			   "add tag seen-by of 7 if any: no-media\n"
			   "get 7\n"
			   "done\n");
	assert_string_equal(result(run, "value"), "no-media");
	assert_null(result(run, "old_value"));
	assert_string_equal(result(run, "change_time"), "2026-11-22T17:00:01.5Z");
}

static void another_value_is_replaced_if_it_is_still_the_one_that_was_read(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_put_tag(fake, "seen-by", "nobody");
	run = go(fake);
	assert_non_null(
		strstr(fake->story->data, "replace tag seen-by of 7 if \"78\": no-media\n"));
	assert_string_equal(result(run, "old_value"), "nobody");
}

static void what_is_so_already_is_left_as_it_is(void **state)
{
	AUTO(fake_free) struct fake *set = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = NULL;

	fake_put_tag(set, "seen-by", "no-media");
	run = go(set);
	assert_story(set, "look at tag seen-by of 7\ndone\n");
	assert_string_equal(run->why, "nothing to do: it is so already");
}

static void a_key_is_removed(void **state)
{
	AUTO(fake_free)
	struct fake *fake = cluster("{\"key\": \"seen-by\", \"remove\": true}");
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_put_tag(fake, "seen-by", "nobody");
	run = go(fake);
	assert_non_null(strstr(fake->story->data, "remove tag seen-by of 7 if \"78\": \n"));
	assert_string_equal(result(run, "old_value"), "nobody");
	again = go(fake);
	assert_story(fake, "look at tag seen-by of 7\ndone\n");
}

static void a_crash_before_the_answer_is_recognised(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *first = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_put_tag(fake, "seen-by", "nobody");
	first = fake_run(fake, "7", "/in/a.txt");
	fake_start(fake, first);
	fake_wait_for_store(fake);
	fake_store(fake);
	fake_cancel_run(fake, first); /* the request was on its way, and was done */
	again = go(fake);
	assert_story(fake, "look at tag seen-by of 7\ndone\n");
	assert_string_equal(result(again, "old_value"), "nobody");
}

static void a_lost_answer_is_settled_by_looking(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(fake_run_free) struct action_run *again = NULL;

	fake_fault(fake, (struct fake_fault){ "set_tag", FILE_AMBIGUOUS });
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_RETRY);
	fake_fault(fake, (struct fake_fault){ "set_tag", FILE_AMBIGUOUS, .is_applied = true });
	again = go(fake);
	assert_int_equal(again->outcome, ACTION_DONE);
}

static void each_answer_has_its_outcome(void **state)
{
	static const struct {
		const char *call;
		enum file_result result;
		enum action_result outcome;
		const char *why;
	} cases[] = {
		{ "get_tags", FILE_GONE, ACTION_GONE, "the file is gone" },
		{ "get_tags", FILE_DENIED, ACTION_REJECTED, "READ_EA" },
		{ "set_tag", FILE_EXISTS, ACTION_CHANGED, "The name is taken" },
		{ "set_tag", FILE_CHANGED, ACTION_CHANGED, "The ETag does not match" },
		{ "set_tag", FILE_DENIED, ACTION_REJECTED, "WRITE_EA" },
		{ "set_tag", FILE_REFUSED, ACTION_REJECTED, "Invalid request" },
		{ "set_tag", FILE_LATER, ACTION_RETRY, "Service unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(fake_free) struct fake *fake = cluster(SEEN);
		AUTO(fake_run_free) struct action_run *run = NULL;

		fake_fault(fake, (struct fake_fault){ cases[i].call, cases[i].result, 3000 });
		run = go(fake);
		assert_int_equal(run->outcome, cases[i].outcome);
		assert_non_null(strstr(run->why, cases[i].why));
	}
}

static void what_templates_come_to_is_checked_when_it_is_known(void **state)
{
	AUTO(fake_free)
	struct fake *key = cluster("{\"key\": \"{old_name}\", \"value\": \"x\"}");
	AUTO(fake_free)
	struct fake *value = cluster("{\"key\": \"was\", \"value\": \"{old_path}\"}");
	AUTO(fake_run_free) struct action_run *no_key = go(key);
	AUTO(fake_run_free) struct action_run *no_value = go(value);

	assert_int_equal(no_key->outcome, ACTION_REJECTED);
	assert_string_equal(no_key->why, "the key is empty here");
	assert_int_equal(no_value->outcome, ACTION_REJECTED);
	assert_string_equal(no_value->why, "the value is empty here, which clusters do not keep");
}

static void a_cancelled_run_ends_its_request(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/in/a.txt");

	fake_start(fake, run);
	fake_cancel_run(fake, run);
	assert_story(fake, "look at tag seen-by of 7\ncancel\n");
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("tag"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void options_are_checked_when_they_are_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{}", "'key' is missing" },
		{ "{key: a}", "tag: expected a value" },
		{ "{key: '', value: x}", "tag: the key is empty" },
		{ "{key: a, value: ''}", "tag: expected a value" },
		{ "{key: a, value: x, remove: yes}", "tag: a value, and remove" },
		{ "{key: '{nam}', value: x}", "{name}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
}

static void its_effects_tell_the_key_where_it_is_known(void **state)
{
	static const struct {
		const char *options, *key, *value;
	} cases[] = {
		{ "{\"key\": \"a\", \"value\": \"x\"}", "a", "x" },
		{ "{\"key\": \"a\", \"remove\": true}", "a", NULL },
		{ "{\"key\": \"{name}\", \"value\": \"x\"}", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event_effect effect = { 0 };

		assert_int_equal(
			action_effects(action_type_find("tag"), cases[i].options, &effect, 1), 1);
		assert_true(effect.changes_tags);
		assert_true(effect.kinds == EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED));
		assert_int_equal(!effect.tag_key, !cases[i].key);
		assert_int_equal(!effect.tag_value, !cases[i].value);
		free(effect.tag_key);
		free(effect.tag_value);
	}
}

static void a_plan_says_what_would_be_set(void **state)
{
	AUTO(fake_free) struct fake *fake = cluster(SEEN);
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/in/a.txt");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would set the tag seen-by of /in/a.txt to no-media");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_is_added_and_never_over_another),
		cmocka_unit_test(another_value_is_replaced_if_it_is_still_the_one_that_was_read),
		cmocka_unit_test(what_is_so_already_is_left_as_it_is),
		cmocka_unit_test(a_key_is_removed),
		cmocka_unit_test(a_crash_before_the_answer_is_recognised),
		cmocka_unit_test(a_lost_answer_is_settled_by_looking),
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(what_templates_come_to_is_checked_when_it_is_known),
		cmocka_unit_test(a_cancelled_run_ends_its_request),
		cmocka_unit_test(options_are_checked_when_they_are_loaded),
		cmocka_unit_test(its_effects_tell_the_key_where_it_is_known),
		cmocka_unit_test(a_plan_says_what_would_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
