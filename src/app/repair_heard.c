#include "app/repair_heard.h"

#include "event/decode.h"

#define DEPARTURES_MOST 1000
#define INDEX_BITS 20
#define FIRST_ROOM 1024 /* a power of two */
#define READ_RECORDS 10000
#define READ_BYTES (8u << 20)

/* Values of place that are no digest of a path. */
#define PLACE_NONE 0
#define PLACE_GONE 1
#define PLACE_AWAY 2
#define LEFT_MOST 4

enum change_class { CLASS_DATA, CLASS_TIMES, CLASS_PERMISSIONS, CLASS_OTHER, CLASS_COUNT };

struct object {
	uint64_t id; /* digest; 0: the slot is free */
	uint64_t place;
	uint64_t place_at;             /* where in the log it was told: place_in_log() */
	uint32_t told_ms[CLASS_COUNT]; /* since base_ms; 0: never */
	uint32_t place_ms;             /* when its place was told */
	uint32_t name;                 /* digest of its name there */
	uint32_t left[LEFT_MOST];      /* digests of paths that it was told to leave; 0: free */
	bool was_here;     /* before the gap it was told to be somewhere, first of all */
	bool is_confirmed; /* it is there */
	bool is_linked;    /* it was told under two names */
	bool is_sure;      /* its place was told since the gap */
	bool is_half_told; /* it is there by half of a move, and from where nobody told before */
};

/* The stream took up an object elsewhere than where it had told that it was. */
struct departure {
	char *id; /* NULL: the slot is free */
	bool is_directory;
	bool waits;           /* the other half of its move may say that it left from there */
	uint64_t place, from; /* where it was told to be, and where it was found; from 0: unknown */
	uint64_t place_at;    /* where in the log place was told */
	uint64_t noted_at;    /* and where the stream took it up */
};

struct heard {
	struct store *store;
	const char *watch, *path;
	uint64_t seq;
	uint64_t own_seq;
	int64_t own_ms;
	struct heard_gap gap;
	int64_t base_ms;
	struct decoder *decoder;
	struct object *objects; /* room is a power of two, at most 3/4 are used */
	size_t count, room;
	bool is_full;
	const struct record *record; /* under way */
	struct moves *moves;
	struct departure departures[DEPARTURES_MOST]; /* the oldest goes first */
	size_t departure_count;                       /* also of those that are gone */
};

struct heard *heard_new(struct store *store, const char *watch, const char *path,
			uint64_t after_seq, uint64_t own_seq, int64_t own_ms, struct heard_gap gap)
{
	struct heard *heard = NEW(struct heard);

	heard->store = store;
	heard->watch = watch;
	heard->path = path;
	heard->seq = after_seq;
	heard->own_seq = own_seq;
	heard->own_ms = own_ms;
	heard->gap = gap;
	heard->moves = moves_new(gap);
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
	moves_free(heard->moves);
	for (size_t i = 0; i < DEPARTURES_MOST; i++)
		free(heard->departures[i].id);
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

/* Records and the events in them, in their order. */
static uint64_t place_in_log(const struct heard *heard, const struct event *event)
{
	return heard->record->seq << INDEX_BITS | MIN(event->index, (1u << INDEX_BITS) - 1);
}

/* ---- Departures that nobody told ---- */

static bool is_path(uint64_t place)
{
	return place != PLACE_NONE && place != PLACE_GONE && place != PLACE_AWAY;
}

static bool is_live_since(const struct heard *heard, int64_t time_ms)
{
	return heard->record->origin == ORIGIN_LIVE && heard->record->time_ms >= time_ms;
}

/* Since the (first) gap began; what the stream tells since the last one is all that happened since.
 */
static bool is_since_gap(const struct heard *heard)
{
	return is_live_since(heard, heard->gap.from_ms + 1);
}

static struct departure *find_departure(struct heard *heard, struct text id, uint64_t place)
{
	for (size_t i = 0; i < MIN(heard->departure_count, DEPARTURES_MOST); i++) {
		struct departure *departure = &heard->departures[i];

		if (departure->id && text_is(id, departure->id) &&
		    (place ? departure->place == place : departure->waits))
			return departure;
	}
	return NULL;
}

/* from 0: whether it left from there, the other half of its move says. */
static void add_departure(struct heard *heard, const struct object *object,
			  const struct event *event, uint64_t from)
{
	struct departure *departure;

	if (!is_since_gap(heard) || object->is_linked)
		return;
	departure = &heard->departures[heard->departure_count++ % DEPARTURES_MOST];
	free(departure->id);
	*departure = (struct departure){ .id = text_copy(event->file_id),
					 .is_directory = event_type_is_directory(event->type),
					 .waits = !from,
					 .place = object->place,
					 .from = from,
					 .place_at = object->place_at,
					 .noted_at = place_in_log(heard, event) };
}

/* Answers whether it is the second half of a move whose first told where the object is. */
static bool end_departure(struct heard *heard, const struct event *event, uint64_t path)
{
	struct departure *told = find_departure(heard, event->file_id, path);
	struct departure *waiting =
		told || !is_since_gap(heard) ? NULL : find_departure(heard, event->file_id, 0);
	bool was_waiting = told ? told->waits : waiting != NULL;

	if (told)
		free(TAKE(told->id));
	if (waiting) {
		waiting->waits = false;
		waiting->from = path;
	}
	return was_waiting;
}

/* ---- Places ---- */

static uint32_t since_base(const struct heard *heard, int64_t time_ms)
{
	return (uint32_t)MIN(MAX(time_ms - heard->base_ms, 1), UINT32_MAX);
}

static bool has_left(const struct object *object, uint64_t path)
{
	for (size_t i = 0; i < LEFT_MOST; i++)
		if (object->left[i] == ((uint32_t)path | 1))
			return true;
	return false;
}

/* The first is kept: where it was at the baseline. */
static void note_left(struct object *object, uint64_t path)
{
	size_t at = 0;

	if (has_left(object, path))
		return;
	while (at < LEFT_MOST && object->left[at])
		at++;
	if (at == LEFT_MOST) {
		memmove(&object->left[1], &object->left[2],
			(LEFT_MOST - 2) * sizeof(object->left[0]));
		at--;
	}
	object->left[at] = (uint32_t)path | 1;
}

/* Of the move by which its place was told first. */
static bool is_other_half(const struct heard *heard, struct object *object)
{
	bool is_told = object->is_half_told;

	object->is_half_told = false;
	return is_told && since_base(heard, heard->record->time_ms) <=
				  (uint64_t)object->place_ms + OTHER_HALF_MS;
}

static void leave(struct heard *heard, struct object *object, const struct event *event,
		  uint64_t path, uint64_t place)
{
	/* Where a directory has moved, the same name may be what is left of its path. */
	bool is_carried = moves_are_known(heard->moves) &&
			  object->name == (uint32_t)digest(path_name(event->path));
	bool is_only = event->type == CHILD_DIR_REMOVED; /* it has no other name */
	bool is_half = (heard->departure_count && end_departure(heard, event, path)) ||
		       is_other_half(heard, object);

	note_left(object, path);
	if (object->place == path || object->place == PLACE_NONE) {
		object->place = place;
	} else if (place == PLACE_GONE) {
		if (is_path(object->place) && !is_carried)
			add_departure(heard, object, event, path);
		if (is_carried || is_only || object->place == PLACE_AWAY ||
		    (is_since_gap(heard) && !object->is_linked))
			object->place = PLACE_GONE;
	} else if (is_path(object->place) && !is_half && is_since_gap(heard)) {
		add_departure(heard, object, event, path);
		object->place = PLACE_AWAY;
	}
}

/* The halves of a move may come in any order; what is told of another name of a
 * file says nothing of this one. */
static void note_place(struct heard *heard, struct object *object, const struct event *event)
{
	uint64_t path = digest(event->path);

	switch (event->type) {
	case CHILD_FILE_ADDED:
	case CHILD_DIR_ADDED:
		object->is_linked |= is_path(object->place) && object->place != path;
		break;
	case CHILD_FILE_MOVED_TO:
	case CHILD_DIR_MOVED_TO:
		if (is_path(object->place) && object->place != path)
			add_departure(heard, object, event, 0);
		object->is_half_told = object->place == PLACE_NONE;
		break;
	case CHILD_FILE_MOVED_FROM:
	case CHILD_DIR_MOVED_FROM:
		return leave(heard, object, event, path, PLACE_AWAY);
	case CHILD_FILE_REMOVED:
	case CHILD_DIR_REMOVED:
		return leave(heard, object, event, path, PLACE_GONE);
	default:
		return;
	}
	object->was_here |= !object->left[0] && !is_since_gap(heard);
	object->place = path;
	object->name = (uint32_t)digest(path_name(event->path));
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

static bool note_event(void *ctx, const struct event *event)
{
	struct heard *heard = ctx;
	struct object *object;

	if (!event->file_id.size || event->stream.size)
		return true;
	moves_hear(heard->moves, event, place_in_log(heard, event), heard->record->time_ms,
		   heard->record->origin == ORIGIN_LIVE);
	object = object_of(heard, event->file_id);
	if (object) {
		uint64_t before = object->place;

		note_place(heard, object, event);
		if (object->place != before) {
			object->place_ms = since_base(heard, heard->record->time_ms);
			object->place_at = place_in_log(heard, event);
			object->is_sure = is_live_since(heard, heard->gap.until_ms);
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
	uint64_t place; /* PLACE_AWAY: where it left */
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

/* The path in that event of the log, for free(); NULL: not to be had. */
static char *path_at(struct heard *heard, const char *id, uint64_t place, uint64_t at)
{
	struct finding finding = { heard, id, place };

	if (store_log_read(heard->store, (at >> INDEX_BITS) - 1, 1, READ_BYTES, find_in_record,
			   &finding, NULL) < 0)
		return NULL;
	return finding.path;
}

char *heard_path(struct heard *heard, const char *id, uint64_t *out_at)
{
	const struct object *object = find(heard, id);

	if (!object || object->place == PLACE_NONE || object->place == PLACE_GONE)
		return NULL;
	*out_at = object->place_at;
	return path_at(heard, id, object->place, object->place_at);
}

bool heard_is_sure(const struct heard *heard, const char *id)
{
	const struct object *object = find(heard, id);

	return object && object->place != PLACE_NONE && object->is_sure;
}

struct leaving {
	const struct object *object;
	bool is_told;
};

static void look_whether_left(void *ctx, const char *path)
{
	struct leaving *leaving = ctx;

	leaving->is_told |= has_left(leaving->object, digest(text_of(path)));
}

bool heard_left(const struct heard *heard, const char *id, const char *path)
{
	struct leaving leaving = { find(heard, id) };

	if (!leaving.object)
		return false;
	free(moves_carry(heard->moves, path, 0, look_whether_left, &leaving));
	return leaving.is_told || leaving.object->was_here;
}

void heard_departures(struct heard *heard,
		      void (*visit)(void *ctx, const char *id, const char *path, bool is_directory),
		      void *ctx)
{
	for (size_t i = 0; i < MIN(heard->departure_count, DEPARTURES_MOST); i++) {
		const struct departure *departure = &heard->departures[i];
		AUTO(free)
		char *told = departure->id ? path_at(heard, departure->id, departure->place,
						     departure->place_at)
					   : NULL;
		AUTO(free) char *path = told ? heard_carry(heard, told, departure->place_at) : NULL;

		/* With its directory it came to where the stream took it up. */
		if (path && digest(text_of(path)) != departure->from)
			visit(ctx, departure->id, path, departure->is_directory);
	}
}

void heard_note_move(struct heard *heard, const char *old_path, const char *path)
{
	moves_add(heard->moves, old_path, path, UINT64_MAX);
}

char *heard_carry(const struct heard *heard, const char *path, uint64_t since)
{
	return moves_carry(heard->moves, path, since, NULL, NULL);
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
	    object->place_ms > visiting->until ||
	    moves_took_out(heard->moves, event->path, object->place_at))
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
