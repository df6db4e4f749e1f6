#include "app/repair_heard.h"

#include "event/decode.h"

#define MOVES_MOST 1000
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
	uint64_t place_seq;            /* of the record that told it */
	uint32_t told_ms[CLASS_COUNT]; /* since base_ms; 0: never */
	uint32_t place_ms;             /* when its place was told */
	bool is_confirmed;             /* it is there */
};

struct move {
	char *from, *to;
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
	const struct record *record;   /* under way */
	struct move moves[MOVES_MOST]; /* the oldest goes first */
	size_t move_count;             /* also of those that are gone */
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
static void note_place(struct object *object, enum event_type type, uint64_t path)
{
	bool is_here = object->place == PLACE_NONE || object->place == path;

	switch (type) {
	case CHILD_FILE_ADDED:
	case CHILD_DIR_ADDED:
	case CHILD_FILE_MOVED_TO:
	case CHILD_DIR_MOVED_TO:
		object->place = path;
		return;
	case CHILD_FILE_MOVED_FROM:
	case CHILD_DIR_MOVED_FROM:
		if (is_here)
			object->place = PLACE_AWAY;
		return;
	case CHILD_FILE_REMOVED:
	case CHILD_DIR_REMOVED:
		if (is_here || object->place == PLACE_AWAY)
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

	if (record->origin == ORIGIN_REPAIR) {
		if (record->seq <= heard->own_seq)
			return;
		time_ms = heard->own_ms;
	}
	object->told_ms[class] = MAX(object->told_ms[class], since_base(heard, time_ms));
}

static bool note_event(void *ctx, const struct event *event)
{
	struct heard *heard = ctx;
	struct object *object;

	if (!event->file_id.size || event->stream.size)
		return true;
	object = object_of(heard, event->file_id);
	if (object) {
		uint64_t before = object->place;

		note_place(object, event->type, digest(event->path));
		if (object->place != before) {
			object->place_ms = since_base(heard, heard->record->time_ms);
			object->place_seq = heard->record->seq;
		}
		note_time(heard, object, event->type);
	}
	return true;
}

static bool note_record(void *ctx, const struct record *record)
{
	struct heard *heard = ctx;
	size_t count;

	heard->seq = record->seq;
	if (!text_is(record->watch, heard->watch) ||
	    (record->origin != ORIGIN_LIVE && record->origin != ORIGIN_REPAIR))
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

char *heard_path(struct heard *heard, const char *id)
{
	const struct object *object = find(heard, id);
	struct finding finding = { heard, id };

	if (!object || object->place == PLACE_NONE || object->place == PLACE_GONE)
		return NULL;
	finding.place = object->place;
	if (store_log_read(heard->store, object->place_seq - 1, 1, READ_BYTES, find_in_record,
			   &finding, NULL) < 0)
		return NULL;
	return finding.path;
}

void heard_note_move(struct heard *heard, const char *old_path, const char *path)
{
	struct move *move = &heard->moves[heard->move_count++ % MOVES_MOST];

	free(move->from);
	free(move->to);
	*move = (struct move){ str_copy(old_path), str_copy(path) };
}

bool heard_is_carried(const struct heard *heard, const char *old_path, const char *path)
{
	for (size_t i = 0; i < MIN(heard->move_count, MOVES_MOST); i++) {
		const struct move *move = &heard->moves[i];
		size_t from = strlen(move->from), to = strlen(move->to);

		if (path_is_below(text_of(old_path), text_of(move->from)) &&
		    path_is_below(text_of(path), text_of(move->to)) &&
		    strcmp(old_path + from, path + to) == 0)
			return true;
	}
	return false;
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
	if (text_is(record->watch, heard->watch) &&
	    (record->origin == ORIGIN_LIVE || record->origin == ORIGIN_REPAIR)) {
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
