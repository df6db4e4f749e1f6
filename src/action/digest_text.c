#include "action/digest_text.h"

#include <inttypes.h>

#include "action/module.h"
#include "base/clock.h"

#define DIGEST_SHORT 5

static int64_t number_at(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* "12:05:59", from the time in full. */
static char *clock_time(int64_t time_ms)
{
	AUTO(free) char *whole = clock_format(time_ms);

	return str_format("%.8s", whole + 11);
}

/* "2026-11-27T12:00:03Z": the history is asked for by it. */
static char *whole_seconds(int64_t time_ms)
{
	AUTO(free) char *whole = clock_format(time_ms);

	return str_format("%.19sZ", whole);
}

static size_t shown(const json_t *gathered)
{
	return MIN(json_array_size(json_object_get(gathered, "entries")), (size_t)DIGEST_SHOWN);
}

/* The rule, where it is only one. */
static const char *only_rule(const json_t *gathered)
{
	json_t *rules = json_object_get(gathered, "rules");

	return json_object_size(rules) == 1 ? json_object_iter_key(json_object_iter(rules)) : NULL;
}

static const char *events(int64_t count)
{
	return count == 1 ? "event" : "events";
}

char *digest_subject(const json_t *gathered)
{
	AUTO(free) char *since = clock_time(number_at(gathered, "since_ms"));
	AUTO(free) char *until = clock_time(number_at(gathered, "until_ms"));
	const char *rule = only_rule(gathered);
	int64_t count = number_at(gathered, "count");

	return str_format("%s%s%" PRId64 " %s from %.5s to %.5s UTC", rule ? rule : "",
			  rule ? ": " : "", count, events(count), since, until);
}

/* How it goes on after the entries that are shown. */
static char *rest(const json_t *gathered)
{
	int64_t kept = (int64_t)json_array_size(json_object_get(gathered, "entries"));
	int64_t count = number_at(gathered, "count"), left = count - (int64_t)shown(gathered);
	AUTO(free) char *since = whole_seconds(number_at(gathered, "since_ms"));
	const char *rule = only_rule(gathered);
	AUTO(free) char *of = rule ? str_format(" --rule '%s'", rule) : str_copy("");

	if (left <= 0)
		return NULL;
	if (kept == count)
		return str_format("and %" PRId64 " more, in the list that is attached.", left);
	return str_format("and %" PRId64 " more. The first %" PRId64
			  " are in the list that is attached, all are in the history: "
			  "cn_monitor history%s --since %s",
			  left, kept, of, since);
}

static void add_counts(struct buf *out, const char *what, const json_t *counts)
{
	const char *name;
	json_t *count;

	module_print(out, "\n%s\n", what);
	json_object_foreach((json_t *)counts, name, count)
		module_print(out, "  %8" PRId64 "  %s\n", (int64_t)json_integer_value(count), name);
}

static void add_entry(struct buf *out, const json_t *entry)
{
	const char *old = text_at(entry, "old_path");

	module_print(out, "  %.8s  %s  %s%s%s\n",
		     strlen(text_at(entry, "time")) > 11 ? text_at(entry, "time") + 11 : "",
		     text_at(entry, "event"), text_at(entry, "path"), *old ? ", before: " : "",
		     old);
}

char *digest_plain(const json_t *gathered)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	AUTO(free) char *subject = digest_subject(gathered);
	AUTO(free) char *more = rest(gathered);
	const json_t *entries = json_object_get(gathered, "entries");

	module_print(out, "%s\n", subject);
	add_counts(out, "By event:", json_object_get(gathered, "kinds"));
	if (!only_rule(gathered))
		add_counts(out, "By rule:", json_object_get(gathered, "rules"));
	module_print(out, "\n%s\n", more ? "The first of them:" : "All of them:");
	for (size_t i = 0; i < shown(gathered); i++)
		add_entry(out, json_array_get(entries, i));
	if (more)
		module_print(out, "\n%s\n", more);
	return buf_take(out);
}

char *digest_short(const json_t *gathered)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	AUTO(free) char *subject = digest_subject(gathered);
	const json_t *entries = json_object_get(gathered, "entries");
	size_t most = MIN(json_array_size(entries), (size_t)DIGEST_SHORT);
	int64_t left = number_at(gathered, "count") - (int64_t)most;

	module_print(out, "%s", subject);
	for (size_t i = 0; i < most; i++)
		module_print(out, "\n%s %s", text_at(json_array_get(entries, i), "event"),
			     text_at(json_array_get(entries, i), "path"));
	if (left > 0)
		module_print(out, "\nand %" PRId64 " more", left);
	return buf_take(out);
}

/* ---- HTML ---- */

static char *escape(const char *text)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);

	for (; *text; text++) {
		const char *entity = *text == '&'   ? "&amp;"
				     : *text == '<' ? "&lt;"
				     : *text == '>' ? "&gt;"
				     : *text == '"' ? "&quot;"
						    : NULL;

		if (!(entity ? buf_append(out, entity, strlen(entity)) : buf_append(out, text, 1)))
			abort(); /* the limit is beyond memory */
	}
	return buf_take(out);
}

static void add_cell(struct buf *out, const char *text)
{
	AUTO(free) char *escaped = escape(text);

	module_print(out, "<td style=\"padding:2px 12px 2px 0;vertical-align:top\">%s</td>",
		     escaped);
}

static void add_count_rows(struct buf *out, const char *what, const json_t *counts)
{
	const char *name;
	json_t *count;

	module_print(out, "<h4>%s</h4>\n<table>\n", what);
	json_object_foreach((json_t *)counts, name, count)
	{
		AUTO(free)
		char *number = str_format("%" PRId64, (int64_t)json_integer_value(count));

		module_print(out, "<tr>");
		add_cell(out, number);
		add_cell(out, name);
		module_print(out, "</tr>\n");
	}
	module_print(out, "</table>\n");
}

char *digest_html(const json_t *gathered)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	AUTO(free) char *subject = digest_subject(gathered);
	AUTO(free) char *title = escape(subject);
	AUTO(free) char *more = rest(gathered);
	AUTO(free) char *tail = escape(more ? more : "");
	const json_t *entries = json_object_get(gathered, "entries");

	module_print(
		out,
		"<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n<h3>%s</h3>\n",
		title);
	add_count_rows(out, "By event", json_object_get(gathered, "kinds"));
	if (!only_rule(gathered))
		add_count_rows(out, "By rule", json_object_get(gathered, "rules"));
	module_print(out, "<h4>%s</h4>\n<table>\n", more ? "The first of them" : "All of them");
	for (size_t i = 0; i < shown(gathered); i++) {
		const json_t *entry = json_array_get(entries, i);
		const char *time = text_at(entry, "time");
		AUTO(free) char *clock = str_format("%.8s", strlen(time) > 11 ? time + 11 : "");

		module_print(out, "<tr>");
		add_cell(out, clock);
		add_cell(out, text_at(entry, "event"));
		add_cell(out, text_at(entry, "path"));
		add_cell(out, text_at(entry, "old_path"));
		module_print(out, "</tr>\n");
	}
	module_print(out, "</table>\n<p>%s</p>\n</body></html>\n", tail);
	return buf_take(out);
}

/* ---- The list ---- */

/* In quotes, which are doubled inside; one that a spreadsheet would take for a formula is not one
 * any more. */
static void add_field(struct buf *out, const char *text, const char *after)
{
	module_print(out, "\"%s", *text && strchr("=+-@\t\r", *text) ? "'" : "");
	for (; *text; text++)
		module_print(out, "%s%c", *text == '"' ? "\"" : "", *text);
	module_print(out, "\"%s", after);
}

char *digest_list(const json_t *gathered)
{
	static const char *const names[] = { "time",    "event", "path", "old_path",
					     "file_id", "rule",  "watch" };
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	const json_t *entries = json_object_get(gathered, "entries"), *entry;
	size_t i;

	if (json_array_size(entries) <= DIGEST_SHOWN)
		return NULL;
	module_print(out, "time,event,path,old_path,file_id,rule,watch,job\n");
	json_array_foreach(entries, i, entry)
	{
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			add_field(out, text_at(entry, names[k]), ",");
		module_print(out, "%" PRId64 "\n", number_at(entry, "job"));
	}
	return buf_take(out);
}
