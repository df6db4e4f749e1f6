/*
 * watched_items.yml from anybody: it is refused with a place, or it matches through its index what
 * it matches rule by rule.
 */
#include <assert.h>
#include <stdio.h>

#include "base/buf.h"
#include "rule/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer when quoted text ends in a syntax error; nobody can free it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

static const char *const module_names[] = { "log", "rename", "quarantine", NULL };

static void check(void *ctx, const char *module, const struct node *options, struct place place,
		  struct problems *problems)
{
	if (options && options->kind == NODE_LIST)
		problems_error(problems, place, "a list");
}

/* Wherever a real module would put something known, the options' own text stands. */
static size_t effects(void *ctx, const char *module, const char *options, struct event_effect *out,
		      size_t max)
{
	bool is_rename = strcmp(module, "rename") == 0;

	if (strcmp(module, "log") == 0)
		return 0;
	out[0] = (struct event_effect){ .kinds = EVENT_RENAMED | EVENT_KIND(CHILD_FILE_MOVED_TO),
					.same_directory = is_rename,
					.keeps_name = !is_rename,
					.name = is_rename ? str_copy(options) : NULL,
					.path = is_rename ? NULL : str_copy("/quarantine") };
	out[1] = (struct event_effect){ .kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM),
					.same_file = true };
	return 2;
}

static bool note(void *ctx, const struct rule *rule)
{
	size_t *next = ctx;

	assert(rule->index >= *next);
	*next = rule->index + 1;
	return true;
}

static bool note_count(void *ctx, const struct rule *rule)
{
	++*(size_t *)ctx;
	return true;
}

static void match(const struct rule_set *set, struct rule_matcher *matcher, struct text path,
		  event_kinds kinds)
{
	struct event event = { .kinds = kinds, .path = path };
	size_t found = 0, expected = 0, next = 0;

	if (kinds & EVENT_RENAMED)
		event.old_path = TEXT("/home/joe/a.tmp");
	rule_match(matcher, &event, note, &next);
	rule_match(matcher, &event, note_count, &found);
	for (size_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *rule = rule_set_get(set, i);

		expected +=
			rule->mode != RULE_OFF && rule_test(matcher, rule, &event) == TRUTH_TRUE;
	}
	assert(found == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "/", "/home/joe/a.jpg", "/home/\xc3\x9f/B.TAR.GZ",
					     "/a\nb/.c" };
	const struct rule_modules modules = { NULL, module_names, check, effects };
	AUTO(problems_free) struct problems *problems = problems_new();
	struct text text = { (const char *)data, size };
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("fuzz.yml", text, &modules, problems);
	AUTO(free) char *said = problems_format(problems, false);

	assert(said != NULL);
	assert((set == NULL) == (problems_error_count(problems) > 0));
	if (!set)
		return 0;

	struct rule_matcher *matcher = rule_matcher_new(set);
	/* What was read as YAML is valid UTF-8, as a path has to be; it is a strange one. */
	AUTO(free) char *strange = str_format("/%.*s", TEXT_ARGS(text));

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		match(set, matcher, text_of(paths[i]), EVENT_KIND(CHILD_FILE_ADDED));
		match(set, matcher, text_of(paths[i]),
		      EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED);
	}
	match(set, matcher, text_of(strange), EVENT_KIND(EVENT_TYPE_UNKNOWN));
	rule_matcher_free(matcher);
	rule_set_check(set, &modules, NULL, problems);
	assert(rule_set_test(set, problems) <= rule_set_test_count(set));
	return 0;
}
