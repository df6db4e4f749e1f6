#include "action/module.h"

#include "base/buf.h"
#include "base/clock.h"

static void set_text(json_t *object, const char *key, struct text text)
{
	if (text.size)
		json_object_set_new(object, key, json_stringn(text.data, text.size));
}

/* What a threshold counted. */
static void add_files(json_t *object, json_t *threshold)
{
	if (!threshold)
		return;
	json_object_set(object, "count", json_object_get(threshold, "count"));
	json_object_set(object, "files", json_object_get(threshold, "list"));
}

json_t *module_event(const struct action_run *run)
{
	const struct event *event = run->event;
	json_t *object = json_object();
	AUTO(free) char *time = clock_format(event->time_ms);

	set_text(object, "time", text_of(time));
	set_text(object, "event", event->type_name);
	set_text(object, "path", event->path);
	set_text(object, "old_path", event->old_path);
	set_text(object, "file_id", event->file_id);
	set_text(object, "parent_id", event->parent_id);
	set_text(object, "stream", event->stream);
	set_text(object, "rule", text_of(run->rule));
	set_text(object, "watch", event->watch);
	set_text(object, "cluster", text_of(run->cluster_name));
	set_text(object, "origin", text_of(origin_name(event->origin)));
	json_object_set_new(object, "job", json_integer((json_int_t)run->job));
	add_files(object, json_object_get(run->results, "threshold"));
	if (json_object_get(run->results, "alarm"))
		json_object_set(object, "alarm", json_object_get(run->results, "alarm"));
	return object;
}

void module_retry(struct action_run *run, int64_t retry_after_ms, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	AUTO(free) char *sentence = str_vformat(why, args);
	va_end(args);
	run->not_before_ms = retry_after_ms > 0 ? clock_now_ms() + retry_after_ms : 0;
	action_finish(run, ACTION_RETRY, "%s", sentence);
}

void module_end(struct action_run *run, enum action_result result, int64_t retry_after_ms,
		const char *why)
{
	if (result == ACTION_RETRY)
		module_retry(run, retry_after_ms, "%s", why);
	else if (why)
		action_finish(run, result, "%s", why);
	else
		action_finish(run, result, NULL);
}

void module_print(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *text = str_vformat(format, args);
	va_end(args);
	if (!buf_append(out, text, strlen(text)))
		abort(); /* the limit is beyond memory */
}

void module_expect(struct action_run *run, const struct action_effect *effects, size_t count,
		   action_expected *done, void *ctx)
{
	const struct action_host *host = run->action->host;

	host->expect(host->self, run, effects, count, done, ctx);
}

size_t module_metadata_effects(struct event_effect *effects, size_t max)
{
	if (!max)
		return 0;
	effects[0] = (struct event_effect){ .kinds = EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED),
					    .same_file = true,
					    .keeps_name = true };
	return 1;
}

static void note(json_t **object, const char *key, const char *text)
{
	if (!text)
		return;
	if (!*object)
		*object = json_object();
	json_object_set_new(*object, key, json_string(text));
}

void module_note_result(struct action_run *run, const char *key, const char *text)
{
	note(&run->result, key, text);
}

void module_note_state(struct action_run *run, const struct file_info *info)
{
	AUTO(free) char *permissions = file_permissions(info);

	module_note_result(run, "change_time", info->change_time);
	module_note_result(run, "permissions", permissions);
}

void module_note_undo(struct action_run *run, const char *module, json_t *options, const char *what,
		      ...)
{
	va_list args;

	va_start(args, what);
	AUTO(free) char *sentence = str_vformat(what, args);
	va_end(args);
	if (!run->result)
		run->result = json_object();
	json_object_set_new(
		run->result, "undo",
		json_pack("{s:s,s:o,s:s}", "module", module, "options", options, "what", sentence));
}

void module_remember(struct action_run *run, const char *key, const char *text)
{
	note(&run->memory, key, text);
}

const char *module_memory(const struct action_run *run, const char *key)
{
	return json_string_value(json_object_get(run->memory, key));
}

size_t module_fit(struct text text, size_t most)
{
	if (text.size <= most)
		return text.size;
	while (most && (text.data[most] & 0xC0) == 0x80)
		most--;
	return most;
}

/* The length of the well-formed UTF-8 character in front, 0 if there is none. */
static size_t character_size(struct text text)
{
	const unsigned char *at = (const unsigned char *)text.data;
	size_t size = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
	unsigned code;

	if (!size || at[0] > 0xF4 || size > text.size)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	if (size < 3)
		return size;
	code = size == 3 ? (at[0] & 15u) << 12 | (at[1] & 63u) << 6
			 : (at[0] & 7u) << 18 | (at[1] & 63u) << 12;
	if (size == 3 ? code < 0x800 || (code >= 0xD800 && code < 0xE000)
		      : code < 0x10000 || code > 0x10FFFF)
		return 0;
	return size;
}

static char *clean(struct text text, size_t most, bool is_line)
{
	AUTO(buf_free) struct buf *out = buf_new(most);
	bool fits = true;

	while (fits && text.size) {
		size_t size = character_size(text);
		unsigned char first = (unsigned char)text.data[0];

		if (!size)
			fits = buf_append(out, "\xEF\xBF\xBD", 3);
		else if (!first || (is_line && (first < 0x20 || first == 0x7F)))
			fits = buf_append(out, " ", 1);
		else
			fits = buf_append(out, text.data, size);
		size = MAX(size, 1);
		text.data += size;
		text.size -= size;
	}
	return buf_take(out);
}

char *module_utf8(struct text text, size_t most)
{
	return clean(text, most, false);
}

char *module_first_line(struct text text, size_t most)
{
	text = text_trim(text);
	return clean(text_trim(text_cut(&text, '\n')), most, true);
}

char *module_last_line(struct text text, size_t most)
{
	const char *start;

	text = text_trim(text);
	start = text.size ? memrchr(text.data, '\n', text.size) : NULL;
	if (start)
		text = (struct text){ start + 1, text.data + text.size - start - 1 };
	return clean(text_trim(text), most, true);
}

char *module_check_header(const char *header)
{
	size_t name = strcspn(header, ":");

	if (!name || !header[name])
		return str_format("expected 'Name: value'");
	for (size_t i = 0; i < name; i++)
		if (header[i] <= ' ' || header[i] > '~' || strchr("()<>@,;\\\"/[]?={}", header[i]))
			return str_format("the name may hold letters, digits and - only");
	for (const char *at = header + name; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7F)
			return str_format("the value may not hold control characters");
	return NULL;
}
