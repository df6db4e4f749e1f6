#include "app/rename.h"

#include <inttypes.h>
#include <stdio.h>
#include <uthash.h>

#include "app/label.h"
#include "base/list.h"
#include "base/log.h"

/* Past it the oldest is judged alone: memory does not grow with what is moved in one window. */
#define MOST_WAITING 100000
#define CARRIED_MOST \
	1000 /* past it moves of directories are not looked at: each would look at all */

/* One half that waits. Those with the same key form a chain, of which the first is in the table. */
struct half {
	struct list link;    /* in order of due_ms */
	struct list unsaved; /* empty once the store has it */
	struct half *next;   /* of the same key, younger */
	struct half *last;   /* of the chain; only the first knows */
	UT_hash_handle hh;
	struct event *event;
	char *place; /* where moves of directories have brought it since; NULL: nowhere else */
	struct echo echo;
	int64_t due_ms;
	int64_t window_ms;
	size_t key_size;
	char *key;
};

struct renames {
	rename_judge *judge;
	void *ctx;
	struct half *table;
	struct list waiting;
	struct list unsaved;
	size_t count;
};

static bool is_from(enum event_type type)
{
	return type == CHILD_FILE_MOVED_FROM || type == CHILD_DIR_MOVED_FROM;
}

static bool is_to(enum event_type type)
{
	return type == CHILD_FILE_MOVED_TO || type == CHILD_DIR_MOVED_TO;
}

bool event_is_half(const struct event *event)
{
	return is_from(event->type) || is_to(event->type);
}

struct renames *renames_new(rename_judge *judge, void *ctx)
{
	struct renames *renames = NEW(struct renames);

	renames->judge = judge;
	renames->ctx = ctx;
	list_init(&renames->waiting);
	list_init(&renames->unsaved);
	return renames;
}

static void half_free(struct half *half)
{
	free(half->event);
	free(half->place);
	free(half->key);
	free(half);
}

AUTO_DEFINE(struct half *, half_free)

static void forget_all(struct renames *renames)
{
	struct half *half;

	HASH_CLEAR(hh, renames->table);
	list_for_each (half, &renames->waiting, link)
		half_free(half);
	list_init(&renames->waiting);
	list_init(&renames->unsaved);
	renames->count = 0;
}

void renames_free(struct renames *renames)
{
	if (!renames)
		return;
	forget_all(renames);
	free(renames);
}

/* What both halves of one rename have in common: the file id, or else that they are neighbours. */
static char *half_key(const struct event *event, size_t *out_size)
{
	char place[LABEL_KEY_SIZE];
	struct text id = event->file_id;
	size_t head = event->watch.size + 3;

	if (!id.size) {
		label_key(place, event->seq, event->index + (is_from(event->type) ? 1 : 0));
		id = (struct text){ place, sizeof(place) };
	}

	char *key = mem_new(head + id.size);

	if (event->watch.size)
		memcpy(key, event->watch.data, event->watch.size);
	key[head - 2] = event_type_is_directory(event->type) ? 'd' : 'f';
	key[head - 1] = event->file_id.size ? 'i' : 'n';
	memcpy(key + head, id.data, id.size);
	*out_size = head + id.size;
	return key;
}

/* ---- The table ---- */

static void add_to_chain(struct renames *renames, struct half *half)
{
	struct half *first;

	HASH_FIND(hh, renames->table, half->key, half->key_size, first);
	if (!first) {
		HASH_ADD_KEYPTR(hh, renames->table, half->key, half->key_size, half);
		half->last = half;
		return;
	}
	first->last->next = half;
	first->last = half;
}

static void add(struct renames *renames, struct half *half)
{
	struct list *before = renames->waiting.prev;

	/* Nearly always behind the last: windows are alike and time goes on. */
	while (before != &renames->waiting &&
	       list_entry(before, struct half, link)->due_ms > half->due_ms)
		before = before->prev;
	list_append(before->next, &half->link);
	add_to_chain(renames, half);
	renames->count++;
}

static void take_out_of_chain(struct renames *renames, struct half *half)
{
	struct half *first, *before;

	HASH_FIND(hh, renames->table, half->key, half->key_size, first);
	if (first == half) {
		HASH_DEL(renames->table, half);
		if (half->next) {
			half->next->last = half->last;
			HASH_ADD_KEYPTR(hh, renames->table, half->next->key, half->next->key_size,
					half->next);
		}
		return;
	}
	for (before = first; before->next != half;)
		before = before->next;
	before->next = half->next;
	if (first->last == half)
		first->last = before;
}

static void take_out(struct renames *renames, struct half *half)
{
	take_out_of_chain(renames, half);
	list_remove(&half->link);
	list_remove(&half->unsaved);
	renames->count--;
}

static struct text place_of(const struct half *half)
{
	return half->place ? text_of(half->place) : half->event->path;
}

/* A directory moved, with what came into it a moment ago. */
static void carry(struct renames *renames, struct text from, struct text to)
{
	struct half *half;

	if (renames->count > CARRIED_MOST)
		return;
	list_for_each (half, &renames->waiting, link) {
		struct text place = place_of(half);

		if (is_from(half->event->type) || !path_is_below(place, from))
			continue;

		char *before = half->place;

		half->place = str_format("%.*s%.*s", TEXT_ARGS(to), (int)(place.size - from.size),
					 place.data + from.size);
		free(before);
	}
}

/*
 * The other half of event, if it waits. Half of a move of ours and half of somebody else's are no
 * pair: both moves have their other half elsewhere, perhaps outside of the watched directory. So
 * have two of one place, and what a repair found and what the stream tells.
 */
static struct half *find_other(struct renames *renames, const struct event *event,
			       const struct echo *echo)
{
	size_t size;
	AUTO(free) char *key = half_key(event, &size);
	struct half *half;

	HASH_FIND(hh, renames->table, key, size, half);
	for (; half; half = half->next)
		if (is_from(half->event->type) != is_from(event->type) &&
		    half->event->origin == event->origin && half->echo.is_echo == echo->is_echo &&
		    !text_equal(place_of(half), event->path))
			return half;
	return NULL;
}

/*
 * What came in and moves on, or went out and comes back, waits for nothing any more: event is half
 * of another move, from or to the same place, if it has no other half that waits.
 */
static struct half *find_here(struct renames *renames, const struct event *event)
{
	size_t size;
	AUTO(free) char *key = half_key(event, &size);
	struct half *half;

	HASH_FIND(hh, renames->table, key, size, half);
	while (half &&
	       (is_from(half->event->type) == is_from(event->type) ||
		half->event->origin != event->origin || !text_equal(place_of(half), event->path)))
		half = half->next;
	return half;
}

/* ---- The store: label_key -> "<due> <window> <echo> <job> <step>\n{event}" ---- */

static int save(struct store_txn *txn, const struct half *half, struct error *err)
{
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *json = event_to_json(half->event);
	AUTO(free)
	char *value = str_format("%" PRId64 " %" PRId64 " %d %" PRIu64 " %u\n%s", half->due_ms,
				 half->window_ms, half->echo.is_echo, half->echo.job,
				 half->echo.step, json);

	label_key(key, half->event->seq, half->event->index);
	return store_put(txn, SPACE_HALVES, (struct text){ key, sizeof(key) }, text_of(value), err);
}

static int unsave(struct store_txn *txn, const struct half *half, struct error *err)
{
	char key[LABEL_KEY_SIZE];

	label_key(key, half->event->seq, half->event->index);
	return store_delete(txn, SPACE_HALVES, (struct text){ key, sizeof(key) }, err);
}

int renames_save(struct renames *renames, struct store_txn *txn, struct error *err)
{
	struct half *half;

	list_for_each (half, &renames->unsaved, unsaved) {
		if (save(txn, half, err) < 0)
			return -1;
		list_remove(&half->unsaved);
	}
	return 0;
}

static bool load_one(void *ctx, struct text key, struct text value)
{
	struct renames *renames = ctx;
	struct text json = value;
	struct text head = text_cut(&json, '\n');
	AUTO(free) char *numbers = text_copy(head);
	AUTO(half_free) struct half *half = NEW(struct half);
	int is_echo;

	list_init(&half->unsaved);
	if (sscanf(numbers, "%" SCNd64 " %" SCNd64 " %d %" SCNu64 " %u", &half->due_ms,
		   &half->window_ms, &is_echo, &half->echo.job, &half->echo.step) != 5 ||
	    event_from_json(&half->event, json, NULL) < 0) {
		log_error("filter", "half a rename is damaged and left out: %s", numbers);
		return true;
	}
	half->echo.is_echo = is_echo;
	half->key = half_key(half->event, &half->key_size);
	add(renames, TAKE(half));
	return true;
}

int renames_load(struct renames *renames, struct store *store, struct error *err)
{
	forget_all(renames);
	return store_peek_scan(store, SPACE_HALVES, TEXT_NONE, load_one, renames, err);
}

/* ---- Judging ---- */

static int judge_alone(struct renames *renames, struct store_txn *txn, struct half *first,
		       struct error *err)
{
	AUTO(half_free) struct half *half = first;
	bool is_saved = list_is_empty(&half->unsaved);

	take_out(renames, half);
	half->event->kinds |= is_from(half->event->type) ? EVENT_MOVED_OUT : EVENT_MOVED_IN;
	if (is_saved && unsave(txn, half, err) < 0)
		return -1;
	return renames->judge(renames->ctx, half->event, &half->echo, err);
}

static int judge_pair(struct renames *renames, struct store_txn *txn, struct half *other,
		      const struct event *event, const struct echo *echo, struct error *err)
{
	AUTO(half_free) struct half *half = other;
	bool is_saved = list_is_empty(&half->unsaved);
	bool comes_first = is_from(half->event->type);
	struct event to = comes_first ? *event : *half->event;
	const struct event *from = comes_first ? half->event : event;

	take_out(renames, half);
	if (is_saved && unsave(txn, half, err) < 0)
		return -1;
	to.kinds |= EVENT_RENAMED;
	to.old_path = from->path;
	if (event_type_is_directory(to.type))
		carry(renames, from->path, to.path);
	if (renames->judge(renames->ctx, from, comes_first ? &half->echo : echo, err) < 0)
		return -1;
	return renames->judge(renames->ctx, &to, comes_first ? echo : &half->echo, err);
}

int renames_take(struct renames *renames, struct store_txn *txn, const struct event *event,
		 const struct echo *echo, int64_t window_ms, struct error *err)
{
	struct half *other = find_other(renames, event, echo);

	if (other)
		return judge_pair(renames, txn, other, event, echo, err);
	other = find_here(renames, event);
	if (other && judge_alone(renames, txn, other, err) < 0)
		return -1;

	struct half *half = NEW(struct half);

	half->event = event_copy(event);
	half->echo = *echo;
	half->window_ms = window_ms;
	half->due_ms = event->time_ms + window_ms;
	half->key = half_key(event, &half->key_size);
	list_init(&half->unsaved);
	list_append(&renames->unsaved, &half->unsaved);
	add(renames, half);
	if (renames->count <= MOST_WAITING)
		return 0;
	return judge_alone(renames, txn, list_entry(renames->waiting.next, struct half, link), err);
}

int64_t renames_expire(struct renames *renames, struct store_txn *txn, int64_t now_ms, size_t max,
		       struct error *err)
{
	struct half *half;
	int64_t count = 0;

	list_for_each (half, &renames->waiting, link) {
		/* Farther off than its window: the clock was put back. */
		bool is_due = half->due_ms <= now_ms || half->due_ms - now_ms > half->window_ms;

		if (!is_due || count == max)
			break;
		if (judge_alone(renames, txn, half, err) < 0)
			return -1;
		count++;
	}
	return count;
}

int64_t renames_next_due(const struct renames *renames)
{
	return list_is_empty(&renames->waiting)
		       ? INT64_MAX
		       : list_entry(renames->waiting.next, struct half, link)->due_ms;
}
