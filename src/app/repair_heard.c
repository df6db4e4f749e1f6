#include "app/repair_heard.h"

#include "event/decode.h"

#define MOVES_MOST 1000
#define HALVES_MOST 64
#define INDEX_BITS 20
#define FIRST_ROOM 1024 /* a power of two */
#define READ_RECORDS 10000
#define READ_BYTES (8u << 20)

/* Values of place that are no digest of a path. */
#define PLACE_NONE 0
#define PLACE_GONE 1
#define PLACE_AWAY 2

enum change_class { CLASS_DATA, CLASS_TIMES, CLASS_PERMISSIONS, CLASS_OTHER, CLASS_COUNT };

struct object {
	uint64_t id; /* digest; 0: the slot is free */
	uint64_t place;
	uint64_t place_at;             /* where in the log it was told: place_in_log() */
	uint32_t told_ms[CLASS_COUNT]; /* since base_ms; 0: never */
	uint32_t place_ms;             /* when its place was told */
	uint32_t name;                 /* digest of its name there */
	bool is_confirmed;             /* it is there */
};

struct move {
	char *from, *to;
	uint64_t at; /* where in the log it was told */
};

/* Half of the move of a directory, in a record that was read. */
struct half {
	uint64_t id;
	char *path;
	bool is_from;
};

struct heard {
	struct store *store;
	const char *watch, *path;
	uint64_t seq;
	uint64_t own_seq;
	int64_t own_ms;
	int64_t base_ms;
	struct decoder *decoder;
	struct object *objects; /* room is a power of two, at most 3/4 are used */
	size_t count, room;
	bool is_full;
	const struct record *record;     /* under way */
	struct move moves[MOVES_MOST];   /* the oldest goes first */
	size_t move_count;               /* also of those that are gone */
	struct half halves[HALVES_MOST]; /* the same */
	size_t half_count;
};

struct heard *heard_new(struct store *store, const char *watch, const char *path,
			uint64_t after_seq, uint64_t own_seq, int64_t own_ms)
{
	struct heard *heard = NEW(struct heard);

	heard->store = store;
	heard->watch = watch;
	heard->path = path;
	heard->seq = after_seq;
	heard->own_seq = own_seq;
	heard->own_ms = own_ms;
	heard->decoder = decoder_new();
	heard->room = FIRST_ROOM;
	heard->objects = mem_array(heard->room, sizeof(*heard->objects));
	return heard;
}

void heard_free(struct heard *heard)
{
	if (!heard)
		return;
	decoder_free(heard->decoder);
	for (size_t i = 0; i < MIN(heard->move_count, MOVES_MOST); i++) {
		free(heard->moves[i].from);
		free(heard->moves[i].to);
	}
	for (size_t i = 0; i < HALVES_MOST; i++)
		free(heard->halves[i].path);
	free(heard->objects);
	free(heard);
}

/* FNV-1a with a finish that spreads it over all bits. */
static uint64_t digest(struct text text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
	hash ^= hash >> 33;
	return hash > PLACE_AWAY ? hash : hash + 3;
}

static struct object *slot(struct object *objects, size_t room, uint64_t id)
{
	size_t at = id & (room - 1);

	while (objects[at].id && objects[at].id != id)
		at = (at + 1) & (room - 1);
	return &objects[at];
}

static void grow(struct heard *heard)
{
	size_t room = heard->room * 2;
	struct object *objects = mem_array(room, sizeof(*objects));

	for (size_t i = 0; i < heard->room; i++)
		if (heard->objects[i].id)
			*slot(objects, room, heard->objects[i].id) = heard->objects[i];
	free(heard->objects);
	heard->objects = objects;
	heard->room = room;
}

/* NULL: there is no room for another one. */
static struct object *object_of(struct heard *heard, struct text id)
{
	struct object *object = slot(heard->objects, heard->room, digest(id));

	if (object->id)
		return object;
	if (heard->count == HEARD_MOST) {
		heard->is_full = true;
		return NULL;
	}
	if (heard->count >= heard->room / 4 * 3) {
		grow(heard);
		object = slot(heard->objects, heard->room, digest(id));
	}
	object->id = digest(id);
	heard->count++;
	return object;
}

static const struct object *find(const struct heard *heard, const char *id)
{
	struct object *object = slot(heard->objects, heard->room, digest(text_of(id)));

	return object->id ? object : NULL;
}

static int class_of(enum event_type type)
{
	switch (type) {
	case CHILD_DATA_WRITTEN:
	case CHILD_SIZE_CHANGED:
		return CLASS_DATA;
	case CHILD_MTIME_CHANGED:
	case CHILD_BTIME_CHANGED:
	case CHILD_ATIME_CHANGED:
		return CLASS_TIMES;
	case CHILD_ACL_CHANGED:
	case CHILD_OWNER_CHANGED:
	case CHILD_GROUP_CHANGED:
		return CLASS_PERMISSIONS;
	default:
		return CLASS_OTHER;
	}
}

/* The halves of a move may come in any order; what is told of another name of a
 * file says nothing of this one. */
static void note_place(const struct heard *heard, struct object *object, const struct event *event)
{
	uint64_t path = digest(event->path);
	uint32_t name = (uint32_t)digest(path_name(event->path));
	/* Where a directory has moved, the same name may be what is left of its path. */
	bool is_carried = event->type == CHILD_DIR_REMOVED || /* it has no other name */
			  (heard->move_count && object->name == name);
	bool is_here = object->place == PLACE_NONE || object->place == path;

	switch (event->type) {
	case CHILD_FILE_ADDED:
	case CHILD_DIR_ADDED:
	case CHILD_FILE_MOVED_TO:
	case CHILD_DIR_MOVED_TO:
		object->place = path;
		object->name = name;
		return;
	case CHILD_FILE_MOVED_FROM:
	case CHILD_DIR_MOVED_FROM:
		if (is_here)
			object->place = PLACE_AWAY;
		return;
	case CHILD_FILE_REMOVED:
	case CHILD_DIR_REMOVED:
		if (is_here || is_carried || object->place == PLACE_AWAY)
			object->place = PLACE_GONE;
		return;
	default:
		return;
	}
}

static uint32_t since_base(const struct heard *heard, int64_t time_ms)
{
	return (uint32_t)MIN(MAX(time_ms - heard->base_ms, 1), UINT32_MAX);
}

static void note_time(struct heard *heard, struct object *object, enum event_type type)
{
	const struct record *record = heard->record;
	int64_t time_ms = record->time_ms;
	int class = class_of(type);

	if (record->origin != ORIGIN_LIVE) {
		if (record->seq <= heard->own_seq)
			return;
		time_ms = heard->own_ms;
	}
	object->told_ms[class] = MAX(object->told_ms[class], since_base(heard, time_ms));
}

/* Records and the events in them, in their order. */
static uint64_t place_in_log(const struct heard *heard, const struct event *event)
{
	return heard->record->seq << INDEX_BITS | MIN(event->index, (1u << INDEX_BITS) - 1);
}

static void add_move(struct heard *heard, const char *from, const char *to, uint64_t at)
{
	struct move *move = &heard->moves[heard->move_count++ % MOVES_MOST];

	free(move->from);
	free(move->to);
	*move = (struct move){ str_copy(from), str_copy(to), at };
}

/* The halves may come in any order. */
static void note_half(struct heard *heard, const struct event *event)
{
	bool is_from = event->type == CHILD_DIR_MOVED_FROM;
	uint64_t id = digest(event->file_id);
	AUTO(free) char *path = text_copy(event->path);

	for (size_t i = 0; i < HALVES_MOST; i++) {
		struct half *half = &heard->halves[i];

		if (!half->path || half->id != id || half->is_from == is_from)
			continue;
		add_move(heard, is_from ? path : half->path, is_from ? half->path : path,
			 place_in_log(heard, event));
		free(TAKE(half->path));
		return;
	}

	struct half *half = &heard->halves[heard->half_count++ % HALVES_MOST];

	free(half->path);
	*half = (struct half){ id, TAKE(path), is_from };
}

static bool note_event(void *ctx, const struct event *event)
{
	struct heard *heard = ctx;
	struct object *object;

	if (!event->file_id.size || event->stream.size)
		return true;
	if (event->type == CHILD_DIR_MOVED_FROM || event->type == CHILD_DIR_MOVED_TO)
		note_half(heard, event);
	object = object_of(heard, event->file_id);
	if (object) {
		uint64_t before = object->place;

		note_place(heard, object, event);
		if (object->place != before) {
			object->place_ms = since_base(heard, heard->record->time_ms);
			object->place_at = place_in_log(heard, event);
		}
		note_time(heard, object, event->type);
	}
	return true;
}

static bool tells_what_happened(const struct heard *heard, const struct record *record)
{
	return text_is(record->watch, heard->watch) &&
	       (record->origin == ORIGIN_LIVE || record->origin == ORIGIN_REPAIR ||
		record->origin == ORIGIN_EXPANDED);
}

static bool note_record(void *ctx, const struct record *record)
{
	struct heard *heard = ctx;
	size_t count;

	heard->seq = record->seq;
	if (!tells_what_happened(heard, record))
		return true;
	if (!heard->base_ms)
		heard->base_ms = MIN(record->time_ms, heard->own_ms) - 1;
	heard->record = record;
	/* What is damaged is told of when it is judged. */
	int UNUSED damaged = decode_message(heard->decoder, record->bytes, text_of(heard->path),
					    note_event, heard, &count, NULL);

	return true;
}

int heard_read(struct heard *heard, struct error *err)
{
	int64_t count;

	do {
		count = store_log_read(heard->store, heard->seq, READ_RECORDS, READ_BYTES,
				       note_record, heard, err);
	} while (count > 0);
	return count < 0 ? -1 : 0;
}

struct finding {
	struct heard *heard;
	const char *id;
	uint64_t place;
	char *path;
};

static bool find_event(void *ctx, const struct event *event)
{
	struct finding *finding = ctx;
	bool is_place = finding->place == PLACE_AWAY ? event->type == CHILD_FILE_MOVED_FROM ||
							       event->type == CHILD_DIR_MOVED_FROM
						     : finding->place == digest(event->path);

	if (!is_place || !text_is(event->file_id, finding->id))
		return true;
	free(finding->path);
	finding->path = text_copy(event->path);
	return true;
}

static bool find_in_record(void *ctx, const struct record *record)
{
	struct finding *finding = ctx;
	size_t count;
	int UNUSED damaged =
		decode_message(finding->heard->decoder, record->bytes,
			       text_of(finding->heard->path), find_event, finding, &count, NULL);

	return false;
}

char *heard_path(struct heard *heard, const char *id, uint64_t *out_at)
{
	const struct object *object = find(heard, id);
	struct finding finding = { heard, id };

	if (!object || object->place == PLACE_NONE || object->place == PLACE_GONE)
		return NULL;
	finding.place = object->place;
	*out_at = object->place_at;
	if (store_log_read(heard->store, (object->place_at >> INDEX_BITS) - 1, 1, READ_BYTES,
			   find_in_record, &finding, NULL) < 0)
		return NULL;
	return finding.path;
}

void heard_note_move(struct heard *heard, const char *old_path, const char *path)
{
	add_move(heard, old_path, path, UINT64_MAX);
}

char *heard_carry(const struct heard *heard, const char *path, uint64_t since)
{
	size_t first = heard->move_count - MIN(heard->move_count, MOVES_MOST);
	char *whole = str_copy(path);

	for (size_t i = first; i < heard->move_count; i++) {
		const struct move *move = &heard->moves[i % MOVES_MOST];
		char *old = whole;

		if (move->at <= since || !path_is_below(text_of(old), text_of(move->from)))
			continue;
		whole = str_format("%s%s", move->to, old + strlen(move->from));
		free(old);
	}
	return whole;
}

void heard_confirm(struct heard *heard, const char *id)
{
	struct object *object = slot(heard->objects, heard->room, digest(text_of(id)));

	object->is_confirmed = object->id;
}

struct visiting {
	struct heard *heard;
	uint32_t until;
	size_t count, most;
	void (*visit)(void *ctx, const struct event *event);
	void *ctx;
	uint64_t seq;
};

static bool visit_event(void *ctx, const struct event *event)
{
	struct visiting *visiting = ctx;
	struct heard *heard = visiting->heard;
	struct object *object;

	if (!event->file_id.size)
		return true;
	object = slot(heard->objects, heard->room, digest(event->file_id));
	if (!object->id || object->is_confirmed || object->place != digest(event->path) ||
	    object->place_ms > visiting->until)
		return true;
	object->is_confirmed = true;
	visiting->count++;
	visiting->visit(visiting->ctx, event);
	return true;
}

static bool visit_record(void *ctx, const struct record *record)
{
	struct visiting *visiting = ctx;
	struct heard *heard = visiting->heard;
	size_t count;

	if (visiting->count >= visiting->most)
		return false;
	visiting->seq = record->seq;
	if (tells_what_happened(heard, record)) {
		int UNUSED damaged =
			decode_message(heard->decoder, record->bytes, text_of(heard->path),
				       visit_event, visiting, &count, NULL);
	}
	return true;
}

int heard_visit(struct heard *heard, uint64_t after, int64_t until_ms, size_t most,
		void (*visit)(void *ctx, const struct event *event), void *ctx, uint64_t *out_seq,
		struct error *err)
{
	struct visiting visiting = {
		heard, since_base(heard, until_ms), 0, most, visit, ctx, after
	};
	int64_t count = store_log_read(heard->store, after, READ_RECORDS, READ_BYTES, visit_record,
				       &visiting, err);

	if (count < 0)
		return -1;
	*out_seq = visiting.seq;
	return count > 0;
}

bool heard_is_full(const struct heard *heard)
{
	return heard->is_full;
}

enum heard_place heard_place(const struct heard *heard, const char *id, const char *path)
{
	const struct object *object = find(heard, id);

	if (!object || object->place == PLACE_NONE)
		return HEARD_NOWHERE;
	if (object->place == PLACE_GONE)
		return HEARD_GONE;
	if (object->place == PLACE_AWAY)
		return HEARD_AWAY;
	return object->place == digest(text_of(path)) ? HEARD_AT : HEARD_ELSEWHERE;
}

bool heard_change(const struct heard *heard, const char *id, enum event_type type, int64_t since_ms)
{
	const struct object *object = find(heard, id);
	uint32_t told = object ? object->told_ms[class_of(type)] : 0;

	return told && heard->base_ms + told >= since_ms;
}
