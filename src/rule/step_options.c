#include "rule/step_options.h"

#include "base/parse.h"
#include "config/key.h"

static const char *const approvals[] = { "no", "by hand", NULL };
#define APPROVE_WITHIN_MS ((int64_t)24 * 3600 * 1000)

static const struct config_key keys[] = {
	{ .name = "dry_run",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct step_options, dry_run),
	  .help = "Only plan this step and record what it would have done." },
	{ .name = "attempts",
	  .type = KEY_NUMBER,
	  .offset = offsetof(struct step_options, attempts),
	  .help = "How often it is tried, instead of [ACT] ATTEMPTS.",
	  .least = 1,
	  .most = 1000000 },
	{ .name = "back_off",
	  .type = KEY_TIME,
	  .offset = offsetof(struct step_options, back_off_ms),
	  .help = "The first pause between two attempts, instead of [ACT] BACK_OFF.",
	  .least = 1,
	  .most = 86400000 },
	{ .name = "concurrency",
	  .type = KEY_NUMBER,
	  .offset = offsetof(struct step_options, concurrency),
	  .help = "How many of this action are under way at once.",
	  .least = 1,
	  .most = 10000 },
	{ .name = "approve",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct step_options, approve),
	  .help = "by hand: the step waits until somebody says cn_monitor approve.",
	  .choices = approvals },
	{ .name = "approve_within",
	  .type = KEY_TIME,
	  .offset = offsetof(struct step_options, approve_ms),
	  .help = "How long it waits for that; a day if it is not said.",
	  .least = 1000,
	  .most = (int64_t)366 * 86400000 },
	{ 0 },
};

static const char on_error_name[] = "on_error";

bool step_options_have(struct text key)
{
	return text_is(key, on_error_name) || key_find(keys, key);
}

const char *step_options_nearest(struct text written)
{
	static const char *const names[] = { "on_error",    "dry_run", "attempts",       "back_off",
					     "concurrency", "approve", "approve_within", NULL };

	return parse_nearest(written, names);
}

static void read_one(struct step_options *out, const struct node *node, struct problems *problems)
{
	const struct config_key *key = key_find(keys, node->key->text);
	AUTO_ERROR err = { 0 };

	if (!key)
		return;
	if (node->kind != NODE_SCALAR)
		problems_error(problems, node->key->place, "%s is %s: expected %s", key->name,
			       node_kind_name(node->kind),
			       key->type == KEY_BOOL     ? "yes or no"
			       : key->type == KEY_TIME   ? "a time like 24h"
			       : key->type == KEY_CHOICE ? "by hand"
							 : "a number");
	else if (key_set(key, node->text, out, &err) < 0)
		problems_error(problems, node->place, "%s: %s", key->name, error_text(&err));
}

void step_options_read(struct step_options *out, const struct node *step, struct problems *problems)
{
	*out = (struct step_options){ 0 };
	if (step->kind != NODE_MAPPING)
		return;
	node_for_each(child, step)
	{
		if (text_is(child->key->text, on_error_name))
			out->on_error = child;
		else
			read_one(out, child, problems);
	}
	if (out->approve && !out->approve_ms)
		out->approve_ms = APPROVE_WITHIN_MS;
}

bool step_options_on_error(const struct node *on_error, enum step_on_error *out)
{
	static const char *const words[] = { "stop", "continue" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (on_error->kind == NODE_SCALAR && text_is(on_error->text, words[i])) {
			*out = (enum step_on_error)i;
			return true;
		}
	}
	*out = STEP_STEPS;
	return false;
}
