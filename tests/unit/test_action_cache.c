/* Open actions are shared, and the idle ones do not pile up. */
#include "check.h"

#include "app/action_cache.h"

static int opened, closed;
static bool is_broken;

static int count_open(struct action *action, struct error *err)
{
	if (is_broken)
		return error_set(err, "no");
	opened++;
	return 0;
}

static void count_close(struct action *action)
{
	closed++;
}

static const struct config_key keys[] = {
	{ .name = "n", .type = KEY_TEXT, .offset = 0, .help = "A text." },
	{ 0 },
};
static const struct action_type counted = { .name = "counted",
					    .keys = keys,
					    .config_size = sizeof(char *),
					    .open = count_open,
					    .close = count_close };

static const struct action_type *find(const char *name)
{
	return strcmp(name, "counted") == 0 ? &counted : NULL;
}

static struct action_cache *new_cache(size_t most_idle)
{
	static const struct action_host host;
	struct action_cache *cache = action_cache_new(&host, most_idle);

	action_cache_find_with(cache, find);
	opened = closed = 0;
	is_broken = false;
	return cache;
}

static struct action *get(struct action_cache *cache, const char *options)
{
	struct action *action = NULL;
	AUTO_ERROR err = { 0 };

	if (action_cache_get(cache, "counted", options, &action, &err) < 0)
		fail_msg("%s", error_text(&err));
	return action;
}

static void equal_options_share_one_open_action(void **state)
{
	AUTO(action_cache_free) struct action_cache *cache = new_cache(4);
	struct action *a = get(cache, "{\"n\":\"1\"}"), *b = get(cache, "{\"n\":\"1\"}");

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, get(cache, "{\"n\":\"2\"}"));
	assert_int_equal(opened, 2);
	action_cache_put(cache, a);
	action_cache_put(cache, b);
	assert_ptr_equal(get(cache, "{\"n\":\"1\"}"), a);
	assert_int_equal(opened, 2);
	assert_int_equal(closed, 0);
}

static void the_one_that_rested_longest_is_closed_first(void **state)
{
	AUTO(action_cache_free) struct action_cache *cache = new_cache(2);
	static const char *const options[] = { "{\"n\":\"1\"}", "{\"n\":\"2\"}", "{\"n\":\"3\"}" };
	struct action *used = get(cache, "{\"n\":\"0\"}");

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		action_cache_put(cache, get(cache, options[i]));
	assert_int_equal(closed, 1);
	action_cache_put(cache, get(cache, options[1]));
	assert_int_equal(opened, 4);
	action_cache_put(cache, get(cache, options[0])); /* was closed, is opened anew */
	assert_int_equal(opened, 5);
	action_cache_put(cache, used);
}

static void what_cannot_be_opened_says_why(void **state)
{
	AUTO(action_cache_free) struct action_cache *cache = new_cache(2);
	struct action *action;
	AUTO_ERROR err = { 0 };

	assert_int_equal(action_cache_get(cache, "teleport", "{}", &action, &err), -1);
	assert_non_null(strstr(error_text(&err), "there is no action 'teleport'"));
	assert_int_equal(action_cache_get(cache, "counted", "{\"m\":1}", &action, &err), -1);
	is_broken = true;
	assert_int_equal(action_cache_get(cache, "counted", "{}", &action, &err), -1);
	assert_non_null(strstr(error_text(&err), "counted: no"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_options_share_one_open_action),
		cmocka_unit_test(the_one_that_rested_longest_is_closed_first),
		cmocka_unit_test(what_cannot_be_opened_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
