#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app/modules.h"
#include "base/escape.h"
#include "base/parse.h"
#include "cmd/ask.h"
#include "cmd/label_text.h"
#include "event/by_hand.h"
#include "rule/explain.h"

AUTO_DEFINE(struct rule_matcher *, rule_matcher_free)
AUTO_DEFINE(json_t *, json_decref)

/* One event before the rules of one file. */
struct hearing {
	const struct arguments *arguments;
	const struct event *event;
	const char *watch; /* NULL: not asked for by one */
	const char *items;
	json_t *recorded; /* as tail tells it; NULL: by hand */
	json_t *rules;    /* with --json */
	size_t true_count;
	const char *stopped_by; /* a rule that says stop, and is true */
	const char *may_stop;   /* one that is true, or would be if the cluster says so */
};

static int wrong(const char *format, ...) PRINTF_LIKE(1, 2);

static int wrong(const char *format, ...)
{
	va_list args;

	fputs("cn_monitor explain: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_WRONG;
}

/* ---- One rule ---- */

static json_t *text_json(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *node_json(const struct explain_node *node)
{
	json_t *object = json_pack("{s:s,s:s,s:i,s:i}", "condition", node->key, "value",
				   truth_name(node->truth), "line", node->place.line, "column",
				   node->place.column);

	if (node->finding)
		json_object_set_new(object, "finding", text_json(node->finding));
	if (node->child_count) {
		json_t *children = json_array();

		for (size_t i = 0; i < node->child_count; i++)
			json_array_append_new(children, node_json(&node->children[i]));
		json_object_set_new(object, "children", children);
	}
	return object;
}

static json_t *explanation_json(const struct explanation *explanation, const char *stopped_by)
{
	static const char *const modes[] = { "enforce", "dry_run", "off" };
	const struct rule *rule = explanation->rule;

	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:b,s:o,s:o,s:o}", "rule", rule->name, "verdict",
			 truth_name(explanation->truth), "mode", modes[rule->mode], "file",
			 rule->place.file, "line", rule->place.line, "candidate",
			 explanation->skipped == NULL, "skipped", text_json(explanation->skipped),
			 "stopped_by", text_json(stopped_by), "when",
			 node_json(&explanation->tree));
}

/* Why the monitor does not ask a rule that the index found, as a line for people. */
static void print_unasked(const struct hearing *hearing, bool is_unseen)
{
	if (is_unseen) {
		puts("  not asked by the monitor: the event is an echo, and the rule does not say "
		     "'on_own: yes'");
	} else if (hearing->stopped_by || hearing->may_stop) {
		printf("  %s by the monitor: rule '",
		       hearing->stopped_by ? "not asked" : "perhaps not asked");
		escape_print(stdout, hearing->stopped_by ? hearing->stopped_by : hearing->may_stop,
			     ESCAPE_TEXT);
		puts(hearing->stopped_by ? "' says stop" : "' says stop, if it is true");
	}
}

/* A rule that is not shown may stop one that is. */
static void hear_rule(struct hearing *hearing, struct rule_matcher *matcher,
		      const struct rule *rule, bool is_shown)
{
	bool is_unseen = json_object_get(json_object_get(hearing->recorded, "label"), "echo_of") &&
			 !rule->on_own;
	struct explanation explanation;
	bool can_be, is_true;

	explain_rule(&explanation, matcher, rule, hearing->event);
	can_be = explanation.truth != TRUTH_FALSE && !explanation.skipped;
	is_true = explanation.truth == TRUTH_TRUE && can_be;
	if (is_shown && hearing->rules) {
		json_t *object = explanation_json(&explanation, hearing->stopped_by);

		if (hearing->recorded)
			json_object_set_new(object, "sees_event", json_boolean(!is_unseen));
		json_array_append_new(hearing->rules, object);
	} else if (is_shown) {
		AUTO(free)
		char *text = explanation_format(&explanation, hearing->arguments->colour);

		printf("\n%s", text);
		if (can_be)
			print_unasked(hearing, is_unseen);
	}
	if (is_unseen) {
		explanation_clear(&explanation);
		return;
	}
	hearing->true_count += is_shown && is_true && !hearing->stopped_by;
	if (is_true && rule->stop && !hearing->stopped_by)
		hearing->stopped_by = rule->name;
	if (can_be && rule->stop && !hearing->may_stop)
		hearing->may_stop = rule->name;
	explanation_clear(&explanation);
}

/* ---- One rule file ---- */

static struct rule_set *load(const char *items)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = rule_set_load(items, &app_modules, problems);
	AUTO(free)
	char *text = problems_format(problems, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));

	/* Warnings are for `check` to tell. */
	if (!set)
		fputs(text, stderr);
	return set;
}

static int no_such_rule(const struct rule_set *set, const char *items, const char *name)
{
	AUTO(free) char *memory = mem_array(rule_set_count(set) + 1, sizeof(char *));
	const char **names = (const char **)memory;

	for (size_t i = 0; i < rule_set_count(set); i++)
		names[i] = rule_set_get(set, i)->name;

	const char *nearest = parse_nearest(text_of(name), names);

	return wrong("there is no rule '%s' in %s%s%s%s", name, items,
		     nearest ? "; did you mean '" : "", nearest ? nearest : "",
		     nearest ? "'?" : "");
}

static void print_jobs(const json_t *label)
{
	json_t *jobs = json_object_get(label, "jobs"), *job;
	size_t i;

	json_array_foreach(jobs, i, job) printf("%s %" JSON_INTEGER_FORMAT,
						i                               ? ","
						: i + 1 < json_array_size(jobs) ? "  jobs"
										: "  job",
						json_integer_value(job));
}

/* Whether these rules are those that judged a recorded event: 1, 0; -1: that is not known. */
static int is_same(json_t *judged_by, const struct rule_set *set)
{
	const char *digest = json_string_value(json_object_get(judged_by, "digest"));

	return digest ? strcmp(digest, rule_set_digest(set)) == 0 : -1;
}

static void print_record(const struct hearing *hearing, const struct rule_set *set)
{
	json_t *judged_by = json_object_get(hearing->recorded, "judged_by");
	json_t *label = json_object_get(hearing->recorded, "label");
	const char *since = json_string_value(json_object_get(judged_by, "since"));
	int same = is_same(judged_by, set);

	printf("recorded as %" JSON_INTEGER_FORMAT ".%" JSON_INTEGER_FORMAT " at ",
	       json_integer_value(json_object_get(hearing->recorded, "seq")),
	       json_integer_value(json_object_get(hearing->recorded, "index")));
	escape_print(stdout, json_string_value(json_object_get(hearing->recorded, "time")),
		     ESCAPE_TEXT);
	if (same == 1)
		fputs(", judged by these same rules", stdout);
	else if (same == 0)
		printf(", judged by other rules than these (%.12s, from %.19s on)",
		       json_string_value(json_object_get(judged_by, "digest")),
		       since ? since : "?");
	putchar('\n');
	if (!json_object_size(label))
		return;
	fputs("what came of it then:", stdout);
	label_print(label, hearing->arguments->colour, "  ");
	print_jobs(label);
	putchar('\n');
	if (json_object_get(label, "echo_of"))
		puts("an echo is shown only to rules that say 'on_own: yes'");
}

static void print_event(const struct hearing *hearing, const struct rule_set *set)
{
	AUTO(free) char *path = text_copy(hearing->event->path);
	AUTO(free) char *old_path = text_copy(hearing->event->old_path);

	printf("%.*s ", TEXT_ARGS(hearing->event->type_name));
	escape_print(stdout, path, ESCAPE_TEXT);
	if (*old_path) {
		fputs(", before ", stdout);
		escape_print(stdout, old_path, ESCAPE_TEXT);
	}
	putchar('\n');
	if (hearing->recorded)
		print_record(hearing, set);
	printf("rules of %s", hearing->items);
	if (hearing->watch)
		printf(" (watch '%s')", hearing->watch);
	putchar('\n');
}

static void add_record(const struct hearing *hearing, const struct rule_set *set, json_t *out)
{
	json_t *judged_by = json_object_get(hearing->recorded, "judged_by");
	json_t *label = json_object_get(hearing->recorded, "label");

	json_object_set(out, "label", label ? label : json_null());
	json_object_set(out, "judged_by", judged_by ? judged_by : json_null());
	json_object_set_new(out, "same_rules",
			    judged_by ? json_boolean(is_same(judged_by, set)) : json_null());
}

static void print_json(struct hearing *hearing, const struct rule_set *set)
{
	AUTO(free) char *text = event_to_json(hearing->event);
	AUTO(json_decref)
	json_t *object = json_pack("{s:o,s:o,s:s,s:O}", "event", json_loads(text, 0, NULL), "watch",
				   text_json(hearing->watch), "items", hearing->items, "rules",
				   hearing->rules);

	if (hearing->recorded)
		add_record(hearing, set, object);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
}

static int hear(const struct arguments *arguments, const struct event *event, json_t *recorded,
		const char *watch, const char *items)
{
	AUTO(rule_set_free) struct rule_set *set = load(items);
	struct hearing hearing = { arguments, event, watch, items, recorded };

	if (!set)
		return EXIT_WRONG;

	AUTO(rule_matcher_free) struct rule_matcher *matcher = rule_matcher_new(set);
	const struct rule *only = arguments->rule ? rule_set_find(set, arguments->rule) : NULL;

	if (arguments->rule && !only)
		return no_such_rule(set, items, arguments->rule);
	if (arguments->json)
		hearing.rules = json_array();
	else
		print_event(&hearing, set);
	for (size_t i = 0; i < rule_set_count(set); i++)
		hear_rule(&hearing, matcher, rule_set_get(set, i),
			  !only || only == rule_set_get(set, i));
	if (arguments->json) {
		print_json(&hearing, set);
		json_decref(hearing.rules);
	} else {
		printf("\nrules true: %zu of %zu\n", hearing.true_count,
		       only ? 1 : rule_set_count(set));
	}
	return EXIT_FINE;
}

/* ---- Which rule files ---- */

static const struct watch_settings *find_watch(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (strcmp(settings->watches[i].name, name) == 0)
			return &settings->watches[i];
	return NULL;
}

static int no_such_watch(const struct settings *settings, const char *name)
{
	AUTO(free) char *memory = mem_array(settings->watch_count + 1, sizeof(char *));
	const char **names = (const char **)memory;

	for (size_t i = 0; i < settings->watch_count; i++)
		names[i] = settings->watches[i].name;

	const char *nearest = parse_nearest(text_of(name), names);

	return wrong("there is no watch '%s': %s has %s%s%s", name, settings->file,
		     nearest ? "'" : "others", nearest ? nearest : "", nearest ? "'" : "");
}

static bool looks_at(const struct watch_settings *watch, struct text path)
{
	return path_is_below(path, text_of(watch->path)) || text_is(path, watch->path);
}

/* name: the watch's, or NULL for all that look at the event's path. */
static int hear_watches(const struct arguments *arguments, const struct settings *settings,
			const struct event *event, json_t *recorded, const char *name)
{
	int result = EXIT_FINE;
	size_t count = 0;

	for (size_t i = 0; i < settings->watch_count && result == EXIT_FINE; i++) {
		const struct watch_settings *watch = &settings->watches[i];

		if (name ? strcmp(name, watch->name) != 0 : !looks_at(watch, event->path))
			continue;
		if (count++ && !arguments->json)
			putchar('\n');
		result = hear(arguments, event, recorded, watch->name, watch->items);
	}
	if (count)
		return result;
	return wrong("no watch looks at '%.*s'; see the keys PATH in %s", TEXT_ARGS(event->path),
		     settings->file);
}

/* ---- The event ---- */

static int explain_by_hand(const struct arguments *arguments, const struct settings *settings)
{
	const struct watch_settings *watch =
		arguments->watch ? find_watch(settings, arguments->watch) : NULL;
	struct text directory = watch ? text_of(watch->path)
				: settings && settings->watch_count == 1
					? text_of(settings->watches[0].path)
					: TEXT("/");
	AUTO_ERROR err = { 0 };
	struct event *event;
	int result;

	if (event_by_hand(&event, text_of(arguments->event), directory, &err) < 0)
		return wrong("--event: %s", error_text(&err));
	if (arguments->items)
		result = hear(arguments, event, NULL, NULL, arguments->items);
	else
		result = hear_watches(arguments, settings, event, NULL, arguments->watch);
	free(event);
	return result;
}

/* What pairing found out stands in the label, and what it did not find out is one half alone. */
static void add_pairing(json_t *object)
{
	json_t *old_path = json_object_get(json_object_get(object, "label"), "old_path");
	struct text type = text_of(json_string_value(json_object_get(object, "type")));

	if (old_path) {
		json_object_set(object, "old_path", old_path);
		json_object_set_new(object, "moved", json_string("renamed"));
	} else if (text_ends_with(type, TEXT("_moved_to"))) {
		json_object_set_new(object, "moved", json_string("moved_in"));
	} else if (text_ends_with(type, TEXT("_moved_from"))) {
		json_object_set_new(object, "moved", json_string("moved_out"));
	}
}

static int explain_recorded(const struct arguments *arguments, const struct settings *settings,
			    json_t *object)
{
	AUTO_ERROR err = { 0 };
	struct event *event;
	int result;

	if (json_object_get(object, "trouble"))
		return wrong("record %" PRId64 " could not be read: %s", arguments->seq,
			     json_string_value(json_object_get(object, "trouble")));
	add_pairing(object);

	AUTO(free) char *text = json_dumps(object, JSON_COMPACT);

	if (event_from_json(&event, text_of(text), &err) < 0)
		return wrong("record %" PRId64 ": %s", arguments->seq, error_text(&err));

	AUTO(free) char *watch = text_copy(event->watch);

	if (arguments->items)
		result = hear(arguments, event, object, NULL, arguments->items);
	else
		result = hear_watches(arguments, settings, event, object,
				      arguments->watch ? arguments->watch : watch);
	free(event);
	return result;
}

static int explain_answer(const struct arguments *arguments, const struct settings *settings,
			  json_t *answer)
{
	json_t *object;
	size_t at, count = 0;
	int result = EXIT_FINE;

	json_array_foreach(json_object_get(answer, "events"), at, object)
	{
		if (json_integer_value(json_object_get(object, "seq")) != arguments->seq)
			continue;
		if (arguments->index >= 0 &&
		    json_integer_value(json_object_get(object, "index")) != arguments->index)
			continue;
		if (count++ && !arguments->json)
			putchar('\n');

		result = explain_recorded(arguments, settings, object);
		if (result == EXIT_WRONG)
			return result; /* the next would end so, too */
	}
	if (count)
		return result;
	wrong("the monitor has no judged event %" PRId64 "%s; see: cn_monitor tail --json",
	      arguments->seq, arguments->index < 0 ? "" : " with this index");
	return EXIT_FAILED;
}

static int explain_seq(const struct arguments *arguments, const struct settings *settings)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	AUTO(free)
	char *path = str_format("/v1/tail?after=%" PRId64 "&limit=1&rules=1", arguments->seq - 1);
	AUTO_ERROR err = { 0 };

	if (!monitor)
		return EXIT_WRONG;

	AUTO(json_decref) json_t *answer = monitor_ask(monitor, "GET", path, &err);

	if (!answer) {
		wrong("%s", error_text(&err));
		return EXIT_FAILED;
	}
	return explain_answer(arguments, settings, answer);
}

int explain_run(const struct arguments *arguments)
{
	AUTO(settings_free) struct settings *settings = NULL;

	if (!arguments->event == (arguments->seq < 0))
		return wrong("expected either --event JSON or --seq N\n"
			     "See: cn_monitor explain --help");
	if (arguments->index >= 0 && arguments->event)
		return wrong("--index goes with --seq: it says which event of that message\n"
			     "See: cn_monitor explain --help");
	if (arguments->items && arguments->watch)
		return wrong("--items and --watch both say which rules: expected one of them\n"
			     "See: cn_monitor explain --help");
	if (!arguments->items) {
		settings = command_settings(arguments);
		if (!settings)
			return EXIT_WRONG;
		if (arguments->watch && !find_watch(settings, arguments->watch))
			return no_such_watch(settings, arguments->watch);
	}
	return arguments->event ? explain_by_hand(arguments, settings)
				: explain_seq(arguments, settings);
}
