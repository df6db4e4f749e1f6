#include "rule/rule_options.h"

#include "base/parse.h"
#include "rule/words.h"

#define PRIORITY_MOST 1000000

static const char *const settle_known[] = { "quiet", "max", "unless_open", NULL };
static const struct words settle_words = { "settle", settle_known };

static const char *const modes[] = {
	[RULE_ENFORCE] = "enforce", [RULE_DRY_RUN] = "dry_run", [RULE_OFF] = "off", NULL
};

static void read_time(const char *what, const struct node *node, int64_t *out_ms,
		      struct problems *problems)
{
	struct text text = words_text(node, what, "a duration like 5s", problems);
	AUTO_ERROR err = { 0 };

	if (text.size && parse_duration(text, out_ms, &err) < 0)
		problems_error(problems, node->place, "%s %s", what, error_text(&err));
}

static void read_bool(const struct node *node, bool *out, struct problems *problems)
{
	const char *name = node->key->text.data;
	struct text text = words_text(node, name, "yes or no", problems);
	AUTO_ERROR err = { 0 };

	if (text.size && parse_bool(text, out, &err) < 0)
		problems_error(problems, node->place, "%s %s", name, error_text(&err));
}

static void read_settle(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	const struct node *quiet = node, *max = NULL, *open = NULL;

	rule->rule.settle_max_ms = 0;
	rule->rule.unless_open = false;
	if (node->kind == NODE_MAPPING) {
		words_check(&settle_words, node, problems);
		quiet = node_get(node, "quiet");
		max = node_get(node, "max");
		open = node_get(node, "unless_open");
		if (!quiet) {
			problems_error(problems, node->place,
				       "settle without 'quiet': expected how long a file must have "
				       "been quiet, like quiet: 5s");
			return;
		}
	}
	read_time("settle", quiet, &rule->rule.settle_ms, problems);
	if (open)
		read_bool(open, &rule->rule.unless_open, problems);
	if (!max)
		return;
	read_time("settle: max", max, &rule->rule.settle_max_ms, problems);
	if (rule->rule.settle_max_ms < rule->rule.settle_ms)
		problems_error(problems, max->place,
			       "settle: max is shorter than quiet: expected the longest time to "
			       "wait for a file that does not become quiet");
}

/* ---- absent ---- */

static void add_kind(struct rule *rule, const struct node *node, struct problems *problems)
{
	event_kinds kinds = node->kind == NODE_SCALAR ? event_kinds_parse(node->text) : 0;
	const char *nearest = parse_nearest(node->text, event_kind_names());

	rule->absent |= kinds;
	if (kinds)
		return;
	problems_error(problems, node->place, "absent: event '%.*s': %s%s%s", TEXT_ARGS(node->text),
		       nearest ? "did you mean '" : "expected one like ",
		       nearest ? nearest : "written", nearest ? "'?" : "");
}

static void read_absent(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	static const char *const known[] = { "event", "within", NULL };
	static const struct words words = { "absent", known };
	const struct node *event = node_get(node, "event"), *within = node_get(node, "within");

	rule->rule.absent = 0;
	rule->rule.absent_ms = 0;
	if (node->kind != NODE_MAPPING || !event || !within) {
		if (node->kind != NODE_MAPPING || words_check(&words, node, problems))
			problems_error(problems, node->place,
				       "absent: expected what should follow and how soon, like "
				       "{event: written, within: 1h}");
		return;
	}
	words_check(&words, node, problems);
	if (event->kind == NODE_LIST) {
		node_for_each(child, event)
		{
			add_kind(&rule->rule, child, problems);
		}
		if (!event->count)
			problems_error(problems, event->place, "absent: no event to wait for");
	} else {
		add_kind(&rule->rule, event, problems);
	}
	read_time("absent: within", within, &rule->rule.absent_ms, problems);
}

/* Both wait for something of the same file. */
static void check_waits(const struct set_rule *rule, const struct node *node,
			struct problems *problems)
{
	const struct node *absent = node_get(node, "absent");

	if (absent && rule->rule.absent_ms && rule->rule.settle_ms)
		problems_error(problems, absent->place,
			       "a rule either settles or waits for what is absent, not both");
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

static void read_priority(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	struct text text = words_text(node, "priority", "a whole number", problems);
	AUTO_ERROR err = { 0 };

	if (text.size &&
	    parse_number(text, -PRIORITY_MOST, PRIORITY_MOST, &rule->rule.priority, &err) < 0)
		problems_error(problems, node->place, "priority %s", error_text(&err));
}

/* ---- threshold, throttle, limit ---- */

#define WITHIN_MOST_MS (7 * 24 * 3600 * (int64_t)1000)

static const char *const per_names[] = { "rule", "directory", "file", "extension", NULL };
static const char *const distinct_names[] = { "", "file", "directory", NULL };

static const struct window_option {
	const char *name;
	size_t offset; /* in struct rule */
	int64_t most;  /* that it may count: it remembers each */
	struct words words;
} window_options[] = {
#define WINDOW_WORDS(name, ...)             \
	{                                   \
		name, (const char *const[]) \
		{                           \
			__VA_ARGS__, NULL   \
		}                           \
	}
	{ "threshold", offsetof(struct rule, threshold), 1000,
	  WINDOW_WORDS("threshold", "count", "within", "per", "distinct") },
	{ "throttle", offsetof(struct rule, throttle), 1000,
	  WINDOW_WORDS("throttle", "count", "within", "per") },
	{ "limit", offsetof(struct rule, limit), 10000, WINDOW_WORDS("limit", "count", "within") },
};

static int read_choice(const struct window_option *option, const struct node *node,
		       const char *const *names, struct problems *problems)
{
	AUTO(buf_free) struct buf *wish = buf_new(SIZE_MAX);
	struct text text = node->kind == NODE_SCALAR ? node->text : TEXT_NONE;

	for (int i = 0; names[i]; i++)
		if (text.size && text_is(text, names[i]))
			return i;
	for (int i = 0; names[i]; i++)
		if (*names[i])
			(void)!buf_print(wish, "%s%s", wish->size ? ", " : "", names[i]);
	problems_error(problems, node->place, "%s: %s '%.*s': expected one of %s", option->name,
		       node->key->text.data, TEXT_ARGS(text), wish->data);
	return 0;
}

static void read_count(const struct window_option *option, const struct node *node,
		       struct rule_window *window, struct problems *problems)
{
	struct text text = words_text(node, "count", "a whole number", problems);
	AUTO_ERROR err = { 0 };

	if (text.size && parse_number(text, 1, option->most, &window->count, &err) < 0)
		problems_error(problems, node->place, "%s: count %s", option->name,
			       error_text(&err));
}

static void read_within(const struct window_option *option, const struct node *node,
			struct rule_window *window, struct problems *problems)
{
	struct text text = words_text(node, "within", "a duration like 1m", problems);
	AUTO_ERROR err = { 0 };

	if (!text.size)
		return;
	if (parse_duration(text, &window->within_ms, &err) < 0)
		problems_error(problems, node->place, "%s: within %s", option->name,
			       error_text(&err));
	else if (window->within_ms < 1 || window->within_ms > WITHIN_MOST_MS)
		problems_error(problems, node->place, "%s: within '%.*s': expected 7d at most",
			       option->name, TEXT_ARGS(text));
}

static void read_window(const struct window_option *option, struct rule *rule,
			const struct node *node, struct problems *problems)
{
	struct rule_window *window = (void *)((char *)rule + option->offset);
	const struct node *count = node_get(node, "count"), *within = node_get(node, "within");
	const struct node *per = node_get(node, "per"), *distinct = node_get(node, "distinct");

	*window = (struct rule_window){ 0 };
	if (node->kind != NODE_MAPPING || !count || !within) {
		if (node->kind != NODE_MAPPING || words_check(&option->words, node, problems))
			problems_error(
				problems, node->place,
				"%s%s: expected a count and a time, like {count: 50, within: "
				"1m}",
				option->name,
				count    ? " without 'within'"
				: within ? " without 'count'"
					 : "");
		return;
	}
	words_check(&option->words, node, problems);
	read_count(option, count, window, problems);
	read_within(option, within, window, problems);
	if (per)
		window->per = read_choice(option, per, per_names, problems);
	if (distinct)
		window->distinct = read_choice(option, distinct, distinct_names, problems);
}

static void read_option(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	struct text name = node->key->text;

	if (text_is(name, "settle"))
		read_settle(rule, node, problems);
	else if (text_is(name, "absent"))
		read_absent(rule, node, problems);
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
	for (size_t i = 0; i < ARRAY_SIZE(window_options); i++)
		if (text_is(name, window_options[i].name))
			read_window(&window_options[i], &rule->rule, node, problems);
}

void rule_options_read(struct set_rule *rule, const struct node *node, struct problems *problems)
{
	node_for_each(child, node)
	{
		read_option(rule, child, problems);
	}
	check_waits(rule, node, problems);
}
