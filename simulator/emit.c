#include "simulator/emit.h"

#include "event/event.h"
#include "simulator/pattern.h"
#include "simulator/render.h"

/* Made ahead of the socket; more would only cost memory. */
static const size_t ahead = 128 << 10;

struct emit_cursor {
	struct emit *emit;
	char *watched_id;
	int64_t start_ms;
	int64_t next;      /* number of the next event */
	int64_t message;   /* number of the message */
	int64_t left;      /* events still to come in the message; 0: between messages */
	int64_t huge_left; /* bytes that the huge line still lacks */
	struct buf *ready; /* made and not yet handed out */
	size_t at;
	size_t ready_events;
	struct buf *path;
	struct buf *id;
	const char **spine;
	char (*ids)[24];
	size_t spine_room;
};

size_t cutter_next(struct cutter *cutter, size_t room)
{
	size_t most = MIN(room, (size_t)64 << 10);

	if (cutter->kind == CUT_NONE || room <= 1)
		return room;
	if (cutter->kind == CUT_EVERY)
		return MIN(room, cutter->every);
	/* Short pieces as often as long ones: 1-2, 2-4, 4-8... */
	uint64_t random = pattern_random(cutter->state, 1);
	cutter->state = random;
	size_t scale = (size_t)1 << random % 17;
	return MIN(most, scale + (random >> 8) % scale);
}

/* ---- the description ---- */

struct emit *emit_hold(struct emit *emit)
{
	emit->references++;
	return emit;
}

void emit_drop(struct emit *emit)
{
	if (!emit || --emit->references)
		return;
	free(emit->to);
	json_decref(emit->messages);
	free(emit->raw);
	pattern_free(emit->path);
	pattern_free(emit->id);
	free(emit->types);
	free(emit);
}

static int parse_types(struct emit *emit, const json_t *types, struct error *err)
{
	size_t count = json_array_size(types);

	if (types && (!json_is_array(types) || !count))
		return error_set(err, "types: expected a list of event types");
	emit->types = mem_array(count + 2, sizeof(*emit->types));
	emit->types[0] = event_type_name(CHILD_FILE_ADDED);
	emit->type_count = count ? count : 1;
	for (size_t i = 0; i < count; i++) {
		struct text name = text_of(json_string_value(json_array_get(types, i)));
		enum event_type type = name.data ? event_type_parse(name) : EVENT_TYPE_UNKNOWN;

		if (type == EVENT_TYPE_UNKNOWN)
			return error_set(err, "types: '%.*s' is not an event type",
					 TEXT_ARGS(name));
		emit->types[i] = event_type_name(type);
	}
	return 0;
}

static int parse_per_message(struct emit *emit, const json_t *range, struct error *err)
{
	emit->per_message_min = 1;
	emit->per_message_max = 100;
	if (json_is_integer(range)) {
		emit->per_message_min = emit->per_message_max = json_integer_value(range);
	} else if (json_array_size(range) == 2) {
		emit->per_message_min = json_integer_value(json_array_get(range, 0));
		emit->per_message_max = json_integer_value(json_array_get(range, 1));
	} else if (range) {
		return error_set(err, "per_message: expected a number or [least, most]");
	}
	if (emit->per_message_min < 1 || emit->per_message_max < emit->per_message_min)
		return error_set(err, "per_message: expected [least, most], at least 1");
	return 0;
}

static int parse_escapes(struct emit *emit, const char *escapes, struct error *err)
{
	static const char *const names[] = { "least", "most", "mixed" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], escapes) == 0) {
			emit->escapes = i;
			return 0;
		}
	}
	return error_set(err, "escapes: expected least, most or mixed");
}

static int parse_generator(struct emit *emit, const json_t *generator, struct error *err)
{
	const char *path = "home/dir{n%100}/file{n}", *id = NULL, *escapes = "least";
	json_t *per_message = NULL, *types = NULL;
	json_int_t count = 0, rate = 0, seed = 1, huge_bytes = 0, huge_at = 0;
	int overflow = 0;
	json_error_t where;

	if (json_unpack_ex((json_t *)generator, &where, JSON_STRICT,
			   "{s:I, s?o, s?s, s?s, s?o, s?I, s?I, s?b, s?I, s?I, s?s}", "count",
			   &count, "per_message", &per_message, "path", &path, "id", &id, "types",
			   &types, "seed", &seed, "rate", &rate, "overflow", &overflow,
			   "huge_bytes", &huge_bytes, "huge_at", &huge_at, "escapes", &escapes) < 0)
		return error_set(err, "generate: %s", where.text);
	if (count < 1 || rate < 0 || huge_bytes < 0 || huge_at < 0)
		return error_set(err, "generate: count, rate, huge_bytes or huge_at out of range");
	emit->count = count;
	emit->rate = rate;
	emit->overflow = overflow;
	emit->seed = seed;
	emit->huge_bytes = huge_bytes;
	emit->huge_at = huge_at;
	if (pattern_parse(&emit->path, path + (*path == '/'), err) < 0)
		return error_prefix(err, "path");
	if (id && pattern_parse(&emit->id, id, err) < 0)
		return error_prefix(err, "id");
	if (parse_types(emit, types, err) < 0 || parse_per_message(emit, per_message, err) < 0)
		return -1;
	return parse_escapes(emit, escapes, err);
}

static int parse_cut(struct cutter *cutter, const json_t *cut, struct error *err)
{
	const char *name = json_string_value(cut);

	if (!cut || (name && strcmp(name, "none") == 0))
		return 0;
	if (name && strcmp(name, "random") == 0) {
		cutter->kind = CUT_RANDOM;
	} else if (json_is_integer(cut) && json_integer_value(cut) > 0) {
		cutter->kind = CUT_EVERY;
		cutter->every = json_integer_value(cut);
	} else {
		return error_set(err, "cut: expected none, random or a number of bytes");
	}
	return 0;
}

static bool is_list_of_lists(const json_t *messages)
{
	size_t index;
	json_t *message;

	if (!json_is_array(messages))
		return false;
	json_array_foreach(messages, index, message)
	{
		if (!json_is_array(message))
			return false;
	}
	return true;
}

int emit_parse(struct emit **out, const json_t *description, struct error *err)
{
	json_t *events = NULL, *messages = NULL, *generator = NULL, *cut = NULL;
	const char *raw = NULL, *to = NULL;
	json_int_t seed = 1;
	json_error_t where;
	AUTO(emit_drop) struct emit *emit = NEW(struct emit);

	emit->references = 1;
	if (json_unpack_ex((json_t *)description, &where, JSON_STRICT,
			   "{s?o, s?o, s?s, s?o, s?o, s?s, s?I}", "events", &events, "messages",
			   &messages, "raw", &raw, "generate", &generator, "cut", &cut, "to", &to,
			   "cut_seed", &seed) < 0)
		return error_set(err, "%s", where.text);
	if (!!events + !!messages + !!raw + !!generator != 1)
		return error_set(err, "expected one of events, messages, raw, generate");
	if (parse_cut(&emit->cutter, cut, err) < 0)
		return -1;
	emit->cutter.state = seed;
	emit->to = str_copy(to);
	emit->raw = str_copy(raw);
	if (events)
		emit->messages = json_pack("[O]", events);
	else if (messages)
		emit->messages = json_incref(messages);
	if (emit->messages && !is_list_of_lists(emit->messages))
		return error_set(err, "expected events: [...] or messages: [[...], ...]");
	if (generator && parse_generator(emit, generator, err) < 0)
		return -1;
	*out = TAKE(emit);
	return 0;
}

/* ---- one stream's way through a generator ---- */

struct emit_cursor *emit_cursor_new(struct emit *emit, const char *watched_id, int64_t now_ms)
{
	struct emit_cursor *cursor = NEW(struct emit_cursor);

	cursor->emit = emit_hold(emit);
	cursor->watched_id = str_copy(watched_id);
	cursor->start_ms = now_ms;
	cursor->ready = buf_new(64 << 20);
	cursor->path = buf_new(1 << 20);
	cursor->id = buf_new(1 << 20);
	emit->cursors++;
	return cursor;
}

void emit_cursor_free(struct emit_cursor *cursor)
{
	if (!cursor)
		return;
	cursor->emit->cursors--;
	emit_drop(cursor->emit);
	free(cursor->watched_id);
	buf_free(cursor->ready);
	buf_free(cursor->path);
	buf_free(cursor->id);
	free(cursor->spine);
	free(cursor->ids);
	free(cursor);
}

/* Ids of ten digits: the same path has the same one. */
static void write_id(char *out, uint64_t hash)
{
	out[pattern_digits(out, 1000000000 + pattern_random(hash, 7) % 8999999999u)] = '\0';
}

static void spine_reserve(struct emit_cursor *cursor, size_t size)
{
	if (size < cursor->spine_room)
		return;
	cursor->spine_room = 2 * size + 16;
	cursor->ids = mem_grow(cursor->ids, cursor->spine_room, sizeof(*cursor->ids));
	cursor->spine = mem_grow(cursor->spine, cursor->spine_room, sizeof(*cursor->spine));
}

/* The hash of path up to each slash, and to its end, one after another; false: no more. */
static bool next_prefix_hash(struct text path, size_t *at, uint64_t *hash)
{
	if (*at > path.size)
		return false;
	for (; *at < path.size && path.data[*at] != '/'; ++*at)
		*hash = (*hash ^ (unsigned char)path.data[*at]) * 1099511628211u;
	++*at;
	*hash = (*hash ^ '/') * 1099511628211u;
	return true;
}

static const uint64_t hash_start = 14695981039346656037u;

static size_t make_spine(struct emit_cursor *cursor)
{
	uint64_t hash = hash_start;
	size_t size = 1;
	size_t at = 0;

	while (next_prefix_hash(buf_text(cursor->path), &at, &hash)) {
		spine_reserve(cursor, size + 1);
		write_id(cursor->ids[size++], hash);
	}
	cursor->spine[0] = cursor->watched_id;
	for (size_t i = 1; i < size; i++)
		cursor->spine[i] = cursor->ids[i];
	return size;
}

json_t *emit_spine(const char *watched_id, const char *path)
{
	json_t *spine = json_pack("[s]", watched_id);
	uint64_t hash = hash_start;
	size_t at = 0;
	char id[24];

	while (next_prefix_hash(text_of(path), &at, &hash)) {
		write_id(id, hash);
		json_array_append_new(spine, json_string(id));
	}
	return spine;
}

static void make_event(struct emit_cursor *cursor)
{
	const struct emit *emit = cursor->emit;
	int64_t n = cursor->next++;

	buf_reset(cursor->path);
	pattern_write(emit->path, emit->seed, n, cursor->path);
	struct render_event event = {
		.type = emit->types[n % emit->type_count],
		.spine_size = make_spine(cursor),
		.path = buf_text(cursor->path),
		.ascii = emit->escapes == ESCAPES_MOST ||
			 (emit->escapes == ESCAPES_MIXED && pattern_random(emit->seed, n) % 2),
		.order = n / 7,
	};
	if (emit->id) {
		buf_reset(cursor->id);
		pattern_write(emit->id, emit->seed, n, cursor->id);
		cursor->spine[event.spine_size - 1] = cursor->id->data;
	}
	event.spine = cursor->spine;
	render_event(cursor->ready, &event);
	cursor->ready_events++;
}

static bool may_start_message(const struct emit_cursor *cursor, int64_t now_ms)
{
	const struct emit *emit = cursor->emit;

	if (cursor->next == emit->count)
		return false;
	return !emit->rate || cursor->next <= (now_ms - cursor->start_ms) * emit->rate / 1000;
}

static void make_more(struct emit_cursor *cursor, int64_t now_ms)
{
	const struct emit *emit = cursor->emit;
	int64_t spread = emit->per_message_max - emit->per_message_min + 1;

	buf_reset(cursor->ready);
	cursor->at = 0;
	while (cursor->ready->size < ahead) {
		size_t before = cursor->ready->size;
		bool first = !cursor->left;

		if (first) {
			if (!may_start_message(cursor, now_ms))
				return;
			cursor->left = emit->per_message_min +
				       pattern_random(emit->seed, ~cursor->message++) % spread;
			if (emit->huge_bytes && cursor->next <= emit->huge_at &&
			    cursor->next + cursor->left > emit->huge_at)
				cursor->huge_left = emit->huge_bytes;
		}
		if (!buf_append(cursor->ready, first ? "data: [" : ",", first ? 7 : 1))
			abort();
		make_event(cursor);
		cursor->left--;
		cursor->huge_left -=
			MIN(cursor->huge_left, (int64_t)(cursor->ready->size - before));
		if (!cursor->left && cursor->huge_left)
			cursor->left = 1;
		if (cursor->next == emit->count)
			cursor->left = 0;
		if (!cursor->left && !buf_append(cursor->ready, "]\n\n", 3))
			abort();
	}
}

size_t emit_cursor_fill(struct emit_cursor *cursor, char *out, size_t room, int64_t now_ms,
			size_t *out_events)
{
	size_t done = 0;

	*out_events = 0;
	while (done < room) {
		if (cursor->at == cursor->ready->size) {
			make_more(cursor, now_ms);
			if (!cursor->ready->size)
				break;
		}
		size_t size = MIN(room - done, cursor->ready->size - cursor->at);
		memcpy(out + done, cursor->ready->data + cursor->at, size);
		done += size;
		cursor->at += size;
		if (cursor->at == cursor->ready->size) {
			*out_events += cursor->ready_events;
			cursor->emit->sent_events += cursor->ready_events;
			cursor->ready_events = 0;
		}
	}
	return done;
}

bool emit_cursor_is_done(const struct emit_cursor *cursor)
{
	return cursor->at == cursor->ready->size && cursor->next == cursor->emit->count;
}

int64_t emit_cursor_backlog(const struct emit_cursor *cursor, int64_t now_ms)
{
	const struct emit *emit = cursor->emit;

	if (!emit->overflow || !emit->rate)
		return 0;
	return MIN((now_ms - cursor->start_ms) * emit->rate / 1000, emit->count) - cursor->next;
}

const struct emit *emit_cursor_emit(const struct emit_cursor *cursor)
{
	return cursor->emit;
}
