#include "action/template.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"

enum field {
	FIELD_PATH,
	FIELD_NAME,
	FIELD_STEM,
	FIELD_EXTENSION,
	FIELD_DIR,
	FIELD_OLD_PATH,
	FIELD_OLD_NAME,
	FIELD_EVENT,
	FIELD_FILE_ID,
	FIELD_RULE,
	FIELD_WATCH,
	FIELD_CLUSTER,
	FIELD_ORIGIN,
	FIELD_TIME,
	FIELD_DATE,
	FIELD_JOB,
	FIELD_SIZE, /* from here on: attributes of the file */
	FIELD_OWNER,
	FIELD_GROUP,
	FIELD_MODE,
	FIELD_COUNT,
};

static const char *const field_names[] = {
	[FIELD_PATH] = "path",
	[FIELD_NAME] = "name",
	[FIELD_STEM] = "stem",
	[FIELD_EXTENSION] = "extension",
	[FIELD_DIR] = "dir",
	[FIELD_OLD_PATH] = "old_path",
	[FIELD_OLD_NAME] = "old_name",
	[FIELD_EVENT] = "event",
	[FIELD_FILE_ID] = "file_id",
	[FIELD_RULE] = "rule",
	[FIELD_WATCH] = "watch",
	[FIELD_CLUSTER] = "cluster",
	[FIELD_ORIGIN] = "origin",
	[FIELD_TIME] = "time",
	[FIELD_DATE] = "date",
	[FIELD_JOB] = "job",
	[FIELD_SIZE] = "size",
	[FIELD_OWNER] = "owner",
	[FIELD_GROUP] = "group",
	[FIELD_MODE] = "mode",
	NULL,
};

enum piece_kind {
	PIECE_END,
	PIECE_TEXT,
	PIECE_FIELD,
	PIECE_RESULT,
	PIECE_UNKNOWN_FIELD, /* from here on: wrong, with text as the place */
	PIECE_UNKNOWN_MODULE,
	PIECE_BAD_KEY,
	PIECE_STRAY_BRACE,
	PIECE_UNCLOSED,
};

struct piece {
	enum piece_kind kind;
	struct text text; /* the literal text; of a field, what stands in the braces */
	enum field field;
	struct text module; /* PIECE_RESULT: {module.key} */
	struct text key;
};

static enum field field_find(struct text name)
{
	for (size_t field = 0; field < FIELD_COUNT; field++)
		if (text_is(name, field_names[field]))
			return field;
	return FIELD_COUNT;
}

static bool is_result_key(struct text key)
{
	for (size_t i = 0; i < key.size; i++)
		if (!(key.data[i] >= 'a' && key.data[i] <= 'z') &&
		    !(key.data[i] >= '0' && key.data[i] <= '9') && key.data[i] != '_')
			return false;
	return key.size > 0;
}

/* What rules count, and the step that failed. */
static bool is_found_out_elsewhere(const char *name)
{
	static const char *const names[] = { "threshold", "throttle", "error", "alarm" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct piece wrong(struct text text, enum piece_kind kind)
{
	return (struct piece){ .kind = kind, .text = text };
}

static struct piece piece_of_field(struct text inside)
{
	struct piece piece = { .kind = PIECE_FIELD, .text = inside, .field = field_find(inside) };
	struct text module = inside;

	if (piece.field != FIELD_COUNT)
		return piece;
	if (!inside.size || !memchr(inside.data, '.', inside.size))
		return wrong(inside, PIECE_UNKNOWN_FIELD);
	piece.kind = PIECE_RESULT;
	piece.module = text_cut(&module, '.');
	piece.key = module;
	AUTO(free) char *name = text_copy(piece.module);
	if (!action_type_find(name) && !is_found_out_elsewhere(name))
		return wrong(inside, PIECE_UNKNOWN_MODULE);
	if (!is_result_key(piece.key))
		return wrong(inside, PIECE_BAD_KEY);
	return piece;
}

/* Cuts the next piece off rest. What is wrong is a piece too, so that check and render agree. */
static struct piece piece_next(struct text *rest)
{
	struct piece piece = { .kind = PIECE_TEXT, .text = *rest };
	size_t at = 0;

	if (!rest->size)
		return (struct piece){ .kind = PIECE_END };
	while (at < rest->size && rest->data[at] != '{' && rest->data[at] != '}')
		at++;
	if (at) {
		piece.text.size = at;
	} else if (rest->size > 1 && rest->data[0] == rest->data[1]) {
		piece.text.size = 1;
		at = 2;
	} else if (rest->data[0] == '}') {
		piece = wrong((struct text){ rest->data, 1 }, PIECE_STRAY_BRACE);
		at = 1;
	} else {
		const char *end = memchr(rest->data, '}', rest->size);

		if (!end) {
			piece = wrong(*rest, PIECE_UNCLOSED);
			at = rest->size;
		} else {
			piece = piece_of_field(
				(struct text){ rest->data + 1, end - rest->data - 1 });
			at = end - rest->data + 1;
		}
	}
	rest->data += at;
	rest->size -= at;
	return piece;
}

const char *const *template_fields(void)
{
	return field_names;
}

static char *explain_unknown(struct text name)
{
	const char *nearest = parse_nearest(name, field_names);

	if (!name.size)
		return str_copy("{} names no field; for a brace write {{ or }}");
	if (nearest)
		return str_format("unknown field {%.*s}, did you mean {%s}?", TEXT_ARGS(name),
				  nearest);
	return str_format("unknown field {%.*s}; fields are path name stem extension dir old_path "
			  "old_name event file_id rule watch cluster origin time date job size "
			  "owner group mode, and results of earlier steps like {quarantine.path}; "
			  "for a brace write {{",
			  TEXT_ARGS(name));
}

static char *explain_module(struct text inside)
{
	struct text module = text_cut(&inside, '.');
	const char *names[32] = { NULL };

	for (size_t i = 0; action_types[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = action_types[i]->name;
	const char *nearest = parse_nearest(module, names);

	return str_format("{%.*s.%.*s}: there is no action '%.*s'%s%s%s", TEXT_ARGS(module),
			  TEXT_ARGS(inside), TEXT_ARGS(module), nearest ? ", did you mean '" : "",
			  nearest ? nearest : "", nearest ? "'?" : "");
}

char *template_check(void *unused, struct text text)
{
	struct piece piece;

	(void)unused;
	while ((piece = piece_next(&text)).kind != PIECE_END) {
		switch (piece.kind) {
		case PIECE_UNKNOWN_FIELD:
			return explain_unknown(piece.text);
		case PIECE_UNKNOWN_MODULE:
			return explain_module(piece.text);
		case PIECE_BAD_KEY:
			return str_format("{%.*s}: expected {action.result} with a name of small "
					  "letters, digits and _ after the dot",
					  TEXT_ARGS(piece.text));
		case PIECE_STRAY_BRACE:
			return str_copy("a } without its {; for a brace write }}");
		case PIECE_UNCLOSED:
			if (piece.text.size > 20)
				for (piece.text.size = 20;
				     (piece.text.data[piece.text.size] & 0xC0) == 0x80;)
					piece.text.size--;
			return str_format("'%.*s' has no closing }; for a brace write {{",
					  TEXT_ARGS(piece.text));
		default:
			break;
		}
	}
	return NULL;
}

bool template_wants_file(struct text text)
{
	struct piece piece;

	while ((piece = piece_next(&text)).kind != PIECE_END)
		if (piece.kind == PIECE_FIELD && piece.field >= FIELD_SIZE)
			return true;
	return false;
}

char *template_glob(struct text text)
{
	AUTO(buf_free) struct buf *glob = buf_new(SIZE_MAX / 2);
	bool after_star = false;
	bool fits = true;
	struct piece piece;

	while ((piece = piece_next(&text)).kind != PIECE_END) {
		if (piece.kind != PIECE_TEXT) {
			if (!after_star)
				fits &= buf_append(glob, "*", 1);
			after_star = true;
			continue;
		}
		after_star = false;
		/* ? stands for the characters that mean something in a glob: wide enough. */
		for (size_t i = 0; i < piece.text.size; i++)
			fits &= buf_append(
				glob,
				strchr("*?[]{}\\", piece.text.data[i]) ? "?" : &piece.text.data[i],
				1);
	}
	(void)fits;
	return buf_take(glob);
}

static char *stem_of(struct text path)
{
	struct text name = path_name(path);

	name.size -= path_extension(path).size;
	return text_copy(name);
}

static const char *first_of(const char *preferred, const char *other)
{
	return preferred && *preferred ? preferred : other;
}

static char *attribute(enum field field, const struct file_info *file)
{
	if (!file)
		return NULL;
	switch (field) {
	case FIELD_SIZE:
		return str_format("%" PRId64, file->size);
	case FIELD_OWNER:
		return str_copy(first_of(file->owner_value, file->owner));
	case FIELD_GROUP:
		return str_copy(first_of(file->group_value, file->group));
	default:
		return str_format("%04o", file->mode);
	}
}

/* For free(); NULL: no value. */
static char *field_value(enum field field, const struct action_run *run)
{
	const struct event *event = run->event;

	switch (field) {
	case FIELD_PATH:
		return text_copy(event->path);
	case FIELD_NAME:
		return text_copy(path_name(event->path));
	case FIELD_STEM:
		return stem_of(event->path);
	case FIELD_EXTENSION:
		return text_copy(path_extension(event->path));
	case FIELD_DIR:
		return text_copy(path_parent(event->path));
	case FIELD_OLD_PATH:
		return text_copy(event->old_path);
	case FIELD_OLD_NAME:
		return text_copy(path_name(event->old_path));
	case FIELD_EVENT:
		return text_copy(event->type_name);
	case FIELD_FILE_ID:
		return event->file_id.size || !run->file ? text_copy(event->file_id)
							 : str_copy(run->file->id);
	case FIELD_RULE:
		return str_copy(run->rule);
	case FIELD_WATCH:
		return text_copy(event->watch);
	case FIELD_CLUSTER:
		return str_copy(run->cluster_name);
	case FIELD_ORIGIN:
		return str_copy(origin_name(event->origin));
	case FIELD_TIME:
		return clock_format(event->time_ms);
	case FIELD_DATE:
		return clock_format_date(event->time_ms);
	case FIELD_JOB:
		return str_format("%" PRIu64, run->job);
	default:
		return attribute(field, run->file);
	}
}

static char *result_value(const struct piece *piece, const struct action_run *run)
{
	AUTO(free) char *module = text_copy(piece->module);
	AUTO(free) char *key = text_copy(piece->key);
	json_t *value = json_object_get(json_object_get(run->results, module), key);

	if (!value || json_is_null(value))
		return NULL;
	if (json_is_string(value))
		return str_copy(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

char *template_escape_text(struct text text)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	bool fits = true;

	for (const char *at = text.data; at < text.data + text.size; at++) {
		fits &= buf_append(out, at, 1);
		if (*at == '{' || *at == '}')
			fits &= buf_append(out, at, 1);
	}
	if (!fits)
		abort(); /* the limit is beyond memory */
	return buf_take(out);
}

static bool as_it_is(struct buf *out, struct text value)
{
	return buf_append(out, value.data, value.size);
}

int template_render_escaped(char **out, const char *text, const struct action_run *run,
			    size_t limit_bytes, template_escape *escape, struct error *err)
{
	AUTO(buf_free) struct buf *filled = buf_new(limit_bytes);
	struct text rest = text_of(text);
	struct piece piece;
	bool fits = true;

	while (fits && (piece = piece_next(&rest)).kind != PIECE_END) {
		AUTO(free) char *value = NULL;

		if (piece.kind == PIECE_TEXT)
			fits = as_it_is(filled, piece.text);
		else if (piece.kind == PIECE_FIELD)
			value = field_value(piece.field, run);
		else if (piece.kind == PIECE_RESULT)
			value = result_value(&piece, run);
		if (value)
			fits = escape(filled, text_of(value));
	}
	if (!fits)
		return error_set(err, "the text with all fields filled in is longer than %zu bytes",
				 limit_bytes);
	*out = buf_take(filled);
	return 0;
}

int template_render(char **out, const char *text, const struct action_run *run, size_t limit_bytes,
		    struct error *err)
{
	return template_render_escaped(out, text, run, limit_bytes, as_it_is, err);
}
