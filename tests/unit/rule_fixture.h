/* rule_fixture: modules that a rule file may name, and short cuts to sets and events. */
#ifndef TESTS_RULE_FIXTURE_H
#define TESTS_RULE_FIXTURE_H

#include <string.h>

#include "rule/rule.h"

static const char *const fixture_modules[] = { "log",         "exec",  "quarantine", "rename",
					       "permissions", "email", "webhook",    NULL };

static UNUSED void fixture_check(void *ctx, const char *module, const struct node *options,
				 struct place place, struct problems *problems)
{
	if (strcmp(module, "quarantine") == 0 && !options)
		problems_error(problems, place, "quarantine needs 'to'");
}

static UNUSED char *fixture_option(const char *options_json, const char *key)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("options", text_of(options_json), problems);
	const struct node *value = document ? node_get(document_root(document), key) : NULL;

	return value ? text_copy(value->text) : NULL;
}

/* As the real modules do: what a rename, a quarantine, permissions and a program cause. */
static UNUSED size_t fixture_effects(void *ctx, const char *module, const char *options_json,
				     struct event_effect *effects, size_t max)
{
	const event_kinds moved =
		EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_KIND(CHILD_DIR_MOVED_TO) | EVENT_RENAMED;
	const event_kinds gone =
		EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_FROM);

	memset(effects, 0, max * sizeof(*effects));
	if (strcmp(module, "exec") == 0) {
		AUTO(free) char *causes = fixture_option(options_json, "causes");

		if (!causes)
			return 0;
		effects[0].kinds = event_kinds_parse(text_of(causes));
		effects[0].by_program = true;
		effects[0].path = fixture_option(options_json, "causes_in");
		effects[0].same_file = !effects[0].path;
		return 1;
	}
	if (strcmp(module, "permissions") == 0) {
		effects[0].kinds = EVENT_KIND(CHILD_ACL_CHANGED);
		effects[0].same_file = true;
		return 1;
	}
	if (strcmp(module, "rename") == 0) {
		effects[0].kinds = gone;
		effects[0].same_file = true;
		effects[1].kinds = moved;
		effects[1].same_directory = true;
		effects[1].name = fixture_option(options_json, "to");
		return 2;
	}
	if (strcmp(module, "quarantine") == 0) {
		effects[0].kinds = gone;
		effects[0].same_file = true;
		effects[1].kinds = moved;
		effects[1].path = fixture_option(options_json, "to");
		effects[1].keeps_name = true;
		return 2;
	}
	return 0;
}

static const struct rule_modules fixture = { NULL, fixture_modules, fixture_check,
					     fixture_effects };

static UNUSED struct event fixture_event(event_kinds kinds, const char *path)
{
	return (struct event){ .kinds = kinds, .path = text_of(path), .file_id = TEXT("1") };
}

#endif
