#include "rule/rule_options.h"

#include "base/parse.h"
#include "rule/words.h"

#define PRIORITY_MOST 1000000

static const char *const settle_known[] = { "quiet", NULL };
static const char *const settle_later[] = { "max", "unless_open", NULL };
static const struct words settle_words = { "settle", settle_known, settle_later };

static const char *const modes[] = {
	[RULE_ENFORCE] = "enforce", [RULE_DRY_RUN] = "dry_run", [RULE_OFF] = "off", NULL
};

static void read_settle(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	const struct node *quiet = node;
	AUTO_ERROR err = { 0 };
	struct text text;

	if (node->kind == NODE_MAPPING) {
		words_check(&settle_words, node, problems);
		quiet = node_get(node, "quiet");
		if (!quiet) {
			problems_error(problems, node->place,
				       "settle without 'quiet': expected how long a file must have "
				       "been quiet, like quiet: 5s");
			return;
		}
	}
	text = words_text(quiet, "settle", "a duration like 5s", problems);
	if (!text.size)
		return;
	if (parse_duration(text, &rule->rule.settle_ms, &err) < 0)
		problems_error(problems, quiet->place, "settle %s", error_text(&err));
}

static void read_mode(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	for (int mode = 0; modes[mode]; mode++) {
		if (node->kind == NODE_SCALAR && text_is(node->text, modes[mode])) {
			rule->rule.mode = mode;
			return;
		}
	}
	problems_error(problems, node->place, "mode '%.*s': expected enforce, dry_run or off",
		       TEXT_ARGS(node->text));
}

static void read_bool(const struct node *node, bool *out, struct problems *problems)
{
	const char *name = node->key->text.data;
	struct text text = words_text(node, name, "yes or no", problems);
	AUTO_ERROR err = { 0 };

	if (text.size && parse_bool(text, out, &err) < 0)
		problems_error(problems, node->place, "%s %s", name, error_text(&err));
}

static void read_priority(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	struct text text = words_text(node, "priority", "a whole number", problems);
	AUTO_ERROR err = { 0 };

	if (text.size &&
	    parse_number(text, -PRIORITY_MOST, PRIORITY_MOST, &rule->rule.priority, &err) < 0)
		problems_error(problems, node->place, "priority %s", error_text(&err));
}

static void read_option(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	struct text name = node->key->text;

	if (text_is(name, "settle"))
		read_settle(rule, node, problems);
	else if (text_is(name, "mode"))
		read_mode(rule, node, problems);
	else if (text_is(name, "on_own"))
		read_bool(node, &rule->rule.on_own, problems);
	else if (text_is(name, "ignore_case"))
		read_bool(node, &rule->ignores_case, problems);
	else if (text_is(name, "stop"))
		read_bool(node, &rule->rule.stop, problems);
	else if (text_is(name, "priority"))
		read_priority(rule, node, problems);
}

void rule_options_read(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	node_for_each(child, node)
	{
		read_option(rule, child, problems);
	}
}
