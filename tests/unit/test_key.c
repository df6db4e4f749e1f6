#include "check.h"

#include "config/key.h"

static const char *const levels[] = { "error", "warn", "info", NULL };

struct sample {
	char *url;
	struct key_list to;
	int64_t timeout_ms;
	int64_t size;
	int64_t count;
	bool force;
	char *shape;
	int level;
	char *text;
};

static const struct config_key keys[] = {
	{ "url", KEY_TEXT, offsetof(struct sample, url), NULL, "Where to POST.",
	  .is_required = true },
	{ "to", KEY_LIST, offsetof(struct sample, to), NULL, "Who gets it.", .is_template = true },
	{ "timeout", KEY_TIME, offsetof(struct sample, timeout_ms), "10s", "How long to wait.",
	  .least = 1000, .most = 3600000 },
	{ "size", KEY_SIZE, offsetof(struct sample, size), "1 MiB", "How much.", .least = 4096 },
	{ "count", KEY_NUMBER, offsetof(struct sample, count), "3", "How many." },
	{ "force", KEY_BOOL, offsetof(struct sample, force), "no", "Even so." },
	{ "shape", KEY_JSON, offsetof(struct sample, shape), NULL, "Anything." },
	{ "level", KEY_CHOICE, offsetof(struct sample, level), "info", "How loud.",
	  .choices = levels },
	{ "text", KEY_TEMPLATE, offsetof(struct sample, text), NULL, "What to say." },
	{ 0 },
};

static char *refuse_pth(void *ctx, struct text text)
{
	return memmem(text.data, text.size, "{pth}", 5)
		       ? str_copy("unknown field {pth}, did you mean {path}?")
		       : NULL;
}

static void add_message(void *ctx, const struct problem *problem)
{
	struct buf *out = ctx;

	(void)!buf_print(out, "%d:%d: %s\n", problem->place.line, problem->place.column,
			 problem->message);
}

static char *read_sample(const char *yaml, const char *short_key, struct sample *sample)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("f.yml", text_of(yaml), problems);
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	assert_non_null(document);
	*sample = (struct sample){ 0 };
	key_defaults(keys, sample);
	key_read(keys, short_key, document_root(document), sample, refuse_pth, NULL, problems);
	problems_visit(problems, add_message, out);
	return buf_take(out);
}

static void check(const char *yaml, const char *messages)
{
	struct sample sample;
	AUTO(free) char *found = read_sample(yaml, "url", &sample);

	assert_string_equal(found, messages);
	key_clear(keys, &sample);
}

static void defaults_stand_until_something_is_said(void **state)
{
	struct sample sample;
	AUTO(free)
	char *found =
		read_sample("{url: x, size: 2 GiB, shape: {a: [1, b]}, to: a@b}", NULL, &sample);

	assert_string_equal(found, "");
	assert_string_equal(sample.url, "x");
	assert_int_equal(sample.timeout_ms, 10000);
	assert_int_equal(sample.size, (int64_t)2 << 30);
	assert_int_equal(sample.count, 3);
	assert_false(sample.force);
	assert_string_equal(sample.shape, "{\"a\": [\"1\", \"b\"]}");
	assert_int_equal(sample.level, 2);
	assert_int_equal(sample.to.count, 1);
	assert_string_equal(sample.to.items[0], "a@b");
	assert_null(sample.text);
	key_clear(keys, &sample);
}

static void one_text_is_enough_where_there_is_a_short_key(void **state)
{
	struct sample sample;
	AUTO(free) char *found = read_sample("http://x", "url", &sample);

	assert_string_equal(found, "");
	assert_string_equal(sample.url, "http://x");
	key_clear(keys, &sample);

	AUTO(free) char *without = read_sample("http://x", NULL, &sample);
	assert_string_equal(without, "1:1: expected a mapping, found text 'http://x'\n");
	key_clear(keys, &sample);
}

static void wrong_values_are_told_with_key_finding_and_wish(void **state)
{
	check("{url: x, timeout: 10 parsecs}",
	      "1:19: timeout '10 parsecs': expected a duration like 500ms, 10s, 5m, 2h or 7d\n");
	check("{url: x, timeout: 10}",
	      "1:19: timeout '10': expected a duration like 500ms, 10s, 5m, 2h or 7d\n");
	check("{url: x, timeout: 0s}", "1:19: timeout '0s': expected from 1s to 1h\n");
	check("{url: x, size: 1}", "1:16: size '1': expected at least 4 KiB\n");
	check("{url: x, size: big}",
	      "1:16: size 'big': expected a size like 4096, 64 KiB, 10 MiB or 2 GB\n");
	check("{url: x, count: -1}", "1:17: count '-1': expected 0 or more\n");
	check("{url: x, count: many}", "1:17: count 'many': expected a whole number\n");
	check("{url: x, force: maybe}", "1:17: force 'maybe': expected yes or no\n");
	check("{url: x, level: wern}",
	      "1:17: level 'wern': expected error, warn or info, did you mean warn?\n");
	check("{url: x, level: loud}", "1:17: level 'loud': expected error, warn or info\n");
	check("{url: x, timeout: }",
	      "1:10: timeout: expected a duration like 500ms, 10s, 5m, 2h or 7d, found nothing\n");
}

static void wrong_kinds_are_told_with_what_was_found(void **state)
{
	check("{url: [x]}", "1:7: url: expected text, found a list\n");
	check("{url: x, to: {a: b}}", "1:14: to: expected a list of texts, found a mapping\n");
	check("{url: x, to: [[a]]}", "1:15: an item of to: expected text, found a list\n");
	check("{url: x, text: {date}}",
	      "1:16: text: expected text, found a mapping; put templates in quotes: \"{date}\"\n");
	check("[x]", "1:1: expected a mapping, found a list\n");
}

static void unknown_and_missing_keys_are_told(void **state)
{
	check("{url: x, timout: 1s}", "1:10: unknown key 'timout': did you mean timeout?\n");
	check("{url: x, colour: 1s}",
	      "1:10: unknown key 'colour': known are url, to, timeout, size, count, force, shape, "
	      "level and text\n");
	check("{timeout: 1s}", "1:1: 'url' is missing: Where to POST.\n");
	check("{path}", "1:1: url: expected text, found a mapping; put templates in quotes: "
			"\"{path}\"\n");
}

static void templates_are_checked_at_their_place(void **state)
{
	check("{url: x, text: \"a {pth}\"}",
	      "1:16: text: unknown field {pth}, did you mean {path}?\n");
	check("{url: x, to: [a, \"{pth}\"]}",
	      "1:18: to: unknown field {pth}, did you mean {path}?\n");
}

static void a_key_can_be_set_from_text_whatever_its_case(void **state)
{
	struct sample sample = { 0 };
	AUTO_ERROR err = { 0 };

	assert_int_equal(key_set(key_find(keys, TEXT("TO")), TEXT("a, b ,,c"), &sample, &err), 0);
	assert_int_equal(sample.to.count, 3);
	assert_string_equal(sample.to.items[1], "b");
	assert_int_equal(key_set(key_find(keys, TEXT("Count")), TEXT("x"), &sample, &err), -1);
	assert_string_equal(error_text(&err), "count 'x': expected a whole number");
	assert_int_equal(key_set(key_find(keys, TEXT("count")), TEXT(""), &sample, &err), -1);
	assert_string_equal(error_text(&err), "count: expected a whole number, found nothing");
	assert_null(key_find(keys, TEXT("nope")));
	key_clear(keys, &sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand_until_something_is_said),
		cmocka_unit_test(one_text_is_enough_where_there_is_a_short_key),
		cmocka_unit_test(wrong_values_are_told_with_key_finding_and_wish),
		cmocka_unit_test(wrong_kinds_are_told_with_what_was_found),
		cmocka_unit_test(unknown_and_missing_keys_are_told),
		cmocka_unit_test(templates_are_checked_at_their_place),
		cmocka_unit_test(a_key_can_be_set_from_text_whatever_its_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
