#include "rule/explain.h"

#include <stdio.h>

#include "base/escape.h"
#include "rule/rule_set.h"
#include "rule/words.h"

#define VALUES_SHOWN 8

const char *truth_name(enum truth truth)
{
	return truth == TRUTH_TRUE ? "true" : truth == TRUTH_FALSE ? "false" : "unknown";
}

static FILE *open_text(char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		abort(); /* out of memory */
	return out;
}

/* ---- What was seen ---- */

/* A list of values for a sentence: the first few, those with white space in quotes. */
struct listing {
	FILE *out;
	size_t count;
};

static void list_value(struct listing *listing, struct text value)
{
	const char *quote = !value.size || memchr(value.data, ' ', value.size) ? "'" : "";

	if (listing->count++ < VALUES_SHOWN)
		fprintf(listing->out, " %s%.*s%s", quote, TEXT_ARGS(value), quote);
}

static void list_end(const struct listing *listing)
{
	if (listing->count > VALUES_SHOWN)
		fprintf(listing->out, " and %zu more", listing->count - VALUES_SHOWN);
}

static size_t count_values(const struct condition *condition)
{
	size_t count = 0;

	for (size_t i = 0; i < condition->source->values_size; i++)
		count += !condition->source->values[i];
	return count;
}

static void list_values(FILE *out, const struct condition *condition)
{
	struct listing listing = { out, 0 };

	for (size_t at = 0; at < condition->source->values_size;) {
		struct text value = text_of(condition->source->values + at);

		list_value(&listing, value);
		at += value.size + 1;
	}
	list_end(&listing);
}

/* How a condition's verdict is put into words, for one value and for several. */
static const struct wording {
	const char *key;
	const char *one, *not_one, *many, *not_many;
} wordings[] = {
	{ "directory", "is below", "is not below", "is below one of", "is below none of" },
	{ "path", "matches", "does not match", "matches one of", "matches none of" },
	{ "name", "matches", "does not match", "matches one of", "matches none of" },
	{ "regex", "matches", "does not match", "matches one of", "matches none of" },
	{ "stream", "matches", "does not match", "matches one of", "matches none of" },
	{ "watch", "matches", "does not match", "matches one of", "matches none of" },
	{ "time", "is within", "is not within", "is within one of", "is within none of" },
	/* event, file, extension, depth, origin */
	{ "", "is", "is not", "is one of", "is not one of" },
};

static const char *verdict_words(const char *what, enum truth truth, bool is_list, bool is_of_file)
{
	const struct wording *words = wordings;

	while (*words->key && strcmp(words->key, what) != 0)
		words++;
	if (truth == TRUTH_UNKNOWN && is_of_file)
		return "is asked of the cluster by the monitor, and compared with";
	if (truth == TRUTH_UNKNOWN)
		return "is not known well enough to compare with";
	if (truth == TRUTH_TRUE)
		return is_list ? words->many : words->one;
	return is_list ? words->not_many : words->not_one;
}

/* An ending like .tar.gz is more than path_extension() shows: then the whole name is. */
static bool has_compound_value(const struct condition *condition)
{
	for (size_t at = 0; at < condition->source->values_size;) {
		struct text value = text_of(condition->source->values + at);

		if (value.size > 1 && memchr(value.data + 1, '.', value.size - 1))
			return true;
		at += value.size + 1;
	}
	return false;
}

static void print_text(FILE *out, struct text text)
{
	const char *quote = text.size ? "" : "'";

	fprintf(out, " %s%.*s%s", quote, TEXT_ARGS(text), quote);
}

/* What conditions other than those about paths saw; whether it was one of them. */
static bool print_fact(FILE *out, const struct condition *condition, const struct event *event)
{
	struct time_local local;

	switch (condition->kind) {
	case CONDITION_DEPTH:
		fprintf(out, " %lld of %.*s", (long long)condition_depth(event->path),
			TEXT_ARGS(event->path));
		return true;
	case CONDITION_STREAM:
		print_text(out, event->stream);
		return true;
	case CONDITION_WATCH:
		if (event->watch.size)
			print_text(out, event->watch);
		return true;
	case CONDITION_ORIGIN:
		fprintf(out, " %s", origin_name(event->origin));
		return true;
	case CONDITION_TYPE:
	case CONDITION_SIZE:
	case CONDITION_OWNER:
	case CONDITION_GROUP:
	case CONDITION_MODE:
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
	case CONDITION_LINKS:
	case CONDITION_TAG:
		return true; /* the cluster was not asked */
	case CONDITION_TIME:
		if (!event->time_ms)
			return true;
		local = time_local_of(condition->times->spans[0].zone, event->time_ms);
		fprintf(out, " %s %02d:%02d", time_day_name(local.weekday), local.minute / 60,
			local.minute % 60);
		return true;
	default:
		return false;
	}
}

static void print_seen(FILE *out, const struct condition *condition, const char *what,
		       struct text path, const struct event *event)
{
	struct text extension = path_extension(path);

	if (print_fact(out, condition, event))
		return;
	if (strcmp(what, "event") == 0) {
		fprintf(out, " %.*s%s", TEXT_ARGS(event->type_name),
			event->kinds & EVENT_RENAMED     ? " (renamed)"
			: event->kinds & EVENT_MOVED_IN  ? " (moved in)"
			: event->kinds & EVENT_MOVED_OUT ? " (moved out)"
							 : "");
	} else if (strcmp(what, "extension") != 0) {
		fprintf(out, " %.*s",
			TEXT_ARGS(strcmp(what, "name") == 0 ? path_name(path) : path));
	} else if (has_compound_value(condition)) {
		fprintf(out, " of %.*s", TEXT_ARGS(path_name(path)));
	} else if (extension.size) {
		fprintf(out, " %.*s", TEXT_ARGS(extension));
	} else {
		fputs(" ''", out);
	}
}

static char *describe(const struct condition *condition, enum truth truth,
		      const struct subject *subject, const struct event *event)
{
	bool is_old = strncmp(condition->source->key, "old_", 4) == 0;
	const char *what = condition->source->key + (is_old ? 4 : 0);
	struct text path = is_old ? subject->old_path.text : subject->path.text;
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	fputs(condition->source->key, out);
	if (is_old && !path.size) {
		fputs(": there is no old path, for the event is not a rename", out);
	} else {
		print_seen(out, condition, what, path, event);
		fprintf(out, " %s",
			verdict_words(what, truth, count_values(condition) > 1,
				      condition->kind >= CONDITION_TYPE));
		list_values(out, condition);
	}
	fclose(out);
	return text;
}

/* ---- The tree ---- */

/* Not so where one word of the file became several conditions, as `extension: ""` does. */
static bool is_branch(const struct condition *condition)
{
	return condition->kind <= CONDITION_NOT && !condition->source->values_size;
}

static void fill_node(struct explain_node *node, const struct condition *condition,
		      const struct subject *subject, const struct event *event)
{
	*node = (struct explain_node){ .key = condition->source->key,
				       .truth = condition_test(condition, subject),
				       .place = condition->source->place };
	if (!is_branch(condition)) {
		node->finding = describe(condition, node->truth, subject, event);
		return;
	}
	node->child_count = condition_child_count(condition);
	node->children = mem_array(node->child_count, sizeof(*node->children));
	for (size_t i = 0; i < node->child_count; i++)
		fill_node(&node->children[i], condition->children[i], subject, event);
}

/* ---- The index ---- */

static bool is_candidate(const struct rule_candidates *candidates, const struct rule *rule)
{
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->rules[i] == rule->index)
			return true;
	return false;
}

static struct text region_path(const struct region *region, const struct subject *subject)
{
	return region->is_folded ? subject->path.folded : subject->path.text;
}

static bool meets_directory(const struct region *region, const struct subject *subject)
{
	return !region->directory.size ||
	       path_is_below(region_path(region, subject), region->directory);
}

/* As the index asks it: by an ending, a beginning or the whole name. */
static bool meets_name(const struct region *region, const struct subject *subject)
{
	return !region->name ||
	       pattern_match(region->name, path_name(region_path(region, subject)));
}

static void print_directories(FILE *out, const struct region_list *regions)
{
	struct listing listing = { out, 0 };
	struct text last = TEXT_NONE;

	fputs("the path is not below", out);
	for (size_t i = 0; i < regions->count; i++) {
		if (!text_equal(regions->items[i].directory, last))
			list_value(&listing, regions->items[i].directory);
		last = regions->items[i].directory;
	}
	list_end(&listing);
}

/* By what the index passed a rule over: it asks for the event, the directory, the name, in turn. */
static void print_skip(FILE *out, const struct region_list *regions, const struct subject *subject)
{
	bool has_kind = false, has_directory = false, has_name = false;

	for (size_t i = 0; i < regions->count; i++) {
		const struct region *region = &regions->items[i];
		bool is_below = meets_directory(region, subject);

		has_kind |= (region->kinds & subject->kinds) != 0;
		has_directory |= is_below;
		has_name |= is_below && meets_name(region, subject);
	}
	if (!regions->count)
		fputs("no event at all can make it true", out);
	else if (!has_kind)
		fputs("it is for other types of events", out);
	else if (!has_directory)
		print_directories(out, regions);
	else if (!has_name)
		fputs("it is for files of other names", out);
	else
		fputs("no pattern of it was found in the path", out);
}

static char *why_skipped(const struct rule *rule, const struct condition *when,
			 const struct rule_candidates *candidates, const struct subject *subject)
{
	struct region_list regions = { 0 };
	char *text;
	size_t size;
	FILE *out;

	if (rule->mode == RULE_OFF)
		return str_copy("its mode is off");
	if (is_candidate(candidates, rule))
		return NULL;
	out = open_text(&text, &size);
	region_list_of(&regions, when);
	print_skip(out, &regions, subject);
	region_list_clear(&regions);
	fclose(out);
	return text;
}

void explain_rule(struct explanation *out, struct rule_matcher *matcher, const struct rule *rule,
		  const struct event *event)
{
	const struct condition *when = set_rule_of(rule)->when;
	struct subject subject;

	*out = (struct explanation){ .rule = rule };
	out->where = words_place(rule->place,
				 (struct place){ rule_matcher_set(matcher)->files[0], 0, 0 });
	rule_matcher_start(matcher, event, &subject);
	out->skipped =
		why_skipped(rule, when, rule_matcher_candidates(matcher, &subject), &subject);
	fill_node(&out->tree, when, &subject, event);
	out->truth = out->tree.truth;
}

static void node_clear(struct explain_node *node)
{
	for (size_t i = 0; i < node->child_count; i++)
		node_clear(&node->children[i]);
	free(node->children);
	free(node->finding);
}

void explanation_clear(struct explanation *explanation)
{
	node_clear(&explanation->tree);
	free(explanation->skipped);
	free(explanation->where);
	*explanation = (struct explanation){ 0 };
}

/* ---- For people ---- */

static const char *truth_colour(enum truth truth)
{
	return truth == TRUTH_TRUE ? "\033[32m" : truth == TRUTH_FALSE ? "\033[31m" : "\033[33m";
}

static void print_node(FILE *out, const struct explain_node *node, unsigned depth, bool colour)
{
	fprintf(out, "  %s%-7s%s  %*s", colour ? truth_colour(node->truth) : "",
		truth_name(node->truth), colour ? "\033[0m" : "", (int)depth * 2, "");
	escape_print(out, node->finding ? node->finding : node->key, ESCAPE_TEXT);
	fputc('\n', out);
	for (size_t i = 0; i < node->child_count; i++)
		print_node(out, &node->children[i], depth + 1, colour);
}

char *explanation_format(const struct explanation *explanation, bool colour)
{
	const struct rule *rule = explanation->rule;
	char *text;
	size_t size;
	FILE *out = open_text(&text, &size);

	escape_print(out, rule->name, ESCAPE_TEXT);
	fputs(" (", out);
	escape_print(out, explanation->where, ESCAPE_TEXT);
	fprintf(out, "): %s%s%s%s\n", colour ? truth_colour(explanation->truth) : "",
		truth_name(explanation->truth), colour ? "\033[0m" : "",
		rule->mode == RULE_DRY_RUN ? ", but only as a dry run" : "");
	if (explanation->skipped) {
		fprintf(out, "  %snot evaluated by the monitor: ", colour ? "\033[2m" : "");
		escape_print(out, explanation->skipped, ESCAPE_TEXT);
		fprintf(out, "%s\n", colour ? "\033[0m" : "");
	}
	print_node(out, &explanation->tree, 0, colour);
	fclose(out);
	return text;
}
