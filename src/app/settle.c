#include "app/settle.h"

#include "app/key_part.h"
#include "base/log.h"

/*
 * Two kinds of entries:
 *	"f" watch NUL file NUL rule   -> struct timer, the rule's name NUL, the event's JSON
 *	"t" time, the same            -> one byte: look at it then
 * A change of the file moves only due_ms in the first. The second is put off when its time has come
 * and the timer is not due: so a file that is written a thousand times costs no thousand moves.
 */
#define FILE_ENTRY 'f'
#define TIME_ENTRY 't'
#define TIME_HEAD (1 + sizeof(struct store_key))

struct settle {
	int64_t next_ms; /* no time entry is earlier; INT64_MAX: there is none */
};

struct timer {
	int64_t look_ms; /* when its time entry comes */
	int64_t due_ms;
	int64_t settle_ms;
	event_kinds absent; /* not 0: it waits for none of these, and does not start anew */
	int64_t latest_ms;  /* when it fires although things happen; INT64_MAX: never */
	int64_t asked_ms;   /* whether the file is open is asked since then; 0: it is not */
	int64_t pause_ms;   /* the last pause because it was open; 0: it was not */
};

/* An answer that does not come, as after a crash, is asked for again. */
#define ASK_AGAIN_MS 30000
#define OPEN_PAUSE_MS 1000
#define OPEN_PAUSE_MOST_MS 300000

/* Key and value of one file entry, copied out of a scan. */
struct entry {
	struct text key;
	struct timer timer;
	struct text rest; /* behind the timer: opaque to most */
};

struct entries {
	struct text prefix;
	struct entry *items;
	size_t count;
};

struct settle *settle_new(void)
{
	struct settle *settle = NEW(struct settle);

	settle->next_ms = INT64_MAX;
	return settle;
}

void settle_free(struct settle *settle)
{
	free(settle);
}

int64_t settle_next_due(const struct settle *settle)
{
	return settle->next_ms;
}

/* ---- Keys ---- */

/* What all timers of the event's file begin with; without an id the path stands for the file. */
static struct buf *file_prefix(const struct event *event)
{
	struct buf *key = key_new(FILE_ENTRY);

	key_add(key, event->watch);
	key_add(key, event->file_id.size ? event->file_id : event->path);
	return key;
}

static struct buf *timer_key(const struct event *event, struct text rule)
{
	struct buf *key = file_prefix(event);

	key_add(key, rule);
	return key;
}

static struct buf *time_key(int64_t look_ms, struct text file_key)
{
	struct buf *key = key_new(TIME_ENTRY);
	struct store_key time = store_key((uint64_t)MAX(look_ms, 0));

	if (!buf_append(key, time.bytes, sizeof(time.bytes)) ||
	    !buf_append(key, file_key.data, file_key.size))
		abort();
	return key;
}

/* ---- Entries ---- */

static void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free((char *)entries->items[i].key.data);
	free(entries->items);
}

static bool read_entry(struct text key, struct text value, struct entry *out)
{
	if (value.size < sizeof(out->timer))
		return false;

	char *copy = mem_new(key.size + value.size);

	memcpy(copy, key.data, key.size);
	memcpy(copy + key.size, value.data, value.size);
	memcpy(&out->timer, value.data, sizeof(out->timer));
	out->key = (struct text){ copy, key.size };
	out->rest = (struct text){ copy + key.size + sizeof(out->timer),
				   value.size - sizeof(out->timer) };
	return true;
}

static bool collect(void *ctx, struct text key, struct text value)
{
	struct entries *entries = ctx;
	struct entry entry;

	if (!text_starts_with(key, entries->prefix))
		return false;
	if (read_entry(key, value, &entry)) {
		entries->items = mem_grow(entries->items, entries->count + 1, sizeof(entry));
		entries->items[entries->count++] = entry;
	}
	return true;
}

/* All timers of the event's file. */
static int find_entries(struct store_txn *txn, const struct event *event, struct entries *out,
			struct error *err)
{
	AUTO(buf_free) struct buf *prefix = file_prefix(event);
	int result;

	out->prefix = buf_text(prefix);
	result = store_scan(txn, SPACE_SETTLE, out->prefix, collect, out, err);
	out->prefix = TEXT_NONE;
	return result;
}

static int put_file_entry(struct store_txn *txn, struct text key, const struct timer *timer,
			  struct text rest, struct error *err)
{
	AUTO(free) char *value = mem_new(sizeof(*timer) + rest.size);

	memcpy(value, timer, sizeof(*timer));
	memcpy(value + sizeof(*timer), rest.data, rest.size);
	return store_put(txn, SPACE_SETTLE, key, (struct text){ value, sizeof(*timer) + rest.size },
			 err);
}

static int put_time_entry(struct settle *settle, struct store_txn *txn, int64_t look_ms,
			  struct text file_key, struct error *err)
{
	AUTO(buf_free) struct buf *key = time_key(look_ms, file_key);

	settle->next_ms = MIN(settle->next_ms, look_ms);
	return store_put(txn, SPACE_SETTLE, buf_text(key), TEXT("."), err);
}

static int delete_time_entry(struct store_txn *txn, int64_t look_ms, struct text file_key,
			     struct error *err)
{
	AUTO(buf_free) struct buf *key = time_key(look_ms, file_key);

	return store_delete(txn, SPACE_SETTLE, buf_text(key), err);
}

static int drop(struct store_txn *txn, const struct entry *entry, struct error *err)
{
	if (delete_time_entry(txn, entry->timer.look_ms, entry->key, err) < 0)
		return -1;
	return store_delete(txn, SPACE_SETTLE, entry->key, err);
}

/* ---- What happens to files ---- */

/* The timer will be looked at when it is due. */
static int put_off(struct settle *settle, struct store_txn *txn, struct text file_key,
		   struct timer *timer, struct text rest, struct error *err)
{
	timer->look_ms = timer->due_ms;
	if (put_time_entry(settle, txn, timer->look_ms, file_key, err) < 0)
		return -1;
	return put_file_entry(txn, file_key, timer, rest, err);
}

static char *rest_new(struct text rule, const struct event *event, size_t *out_size)
{
	AUTO(free) char *json = event_to_json(event);
	size_t size = strlen(json);
	char *rest = mem_new(rule.size + 1 + size);

	memcpy(rest, rule.data, rule.size);
	memcpy(rest + rule.size + 1, json, size);
	*out_size = rule.size + 1 + size;
	return rest;
}

static int start_new(struct settle *settle, struct store_txn *txn, struct text key,
		     const struct rule *rule, const struct event *event, struct error *err)
{
	struct text rest;
	AUTO(free) char *owned = rest_new(text_of(rule->name), event, &rest.size);
	struct timer timer = { .settle_ms = rule->settle_ms, .latest_ms = INT64_MAX };

	if (rule->absent_ms) {
		timer.settle_ms = rule->absent_ms;
		timer.absent = rule->absent;
	}
	if (rule->settle_max_ms)
		timer.latest_ms = event->time_ms + rule->settle_max_ms;
	timer.due_ms = MIN(event->time_ms + timer.settle_ms, timer.latest_ms);

	rest.data = owned;
	return put_off(settle, txn, key, &timer, rest, err);
}

/* A reload may have made the time shorter: then it must be looked at sooner. */
static int start_again(struct settle *settle, struct store_txn *txn, struct text key,
		       struct timer *timer, struct text rest, struct error *err)
{
	if (timer->look_ms <= timer->due_ms)
		return put_file_entry(txn, key, timer, rest, err);
	if (delete_time_entry(txn, timer->look_ms, key, err) < 0)
		return -1;
	return put_off(settle, txn, key, timer, rest, err);
}

int settle_start(struct settle *settle, struct store_txn *txn, const struct rule *rule,
		 const struct event *event, struct error *err)
{
	AUTO(buf_free) struct buf *key = timer_key(event, text_of(rule->name));
	AUTO(free) char *old = NULL;
	struct timer timer;
	size_t size = 0;

	if (store_get(txn, SPACE_SETTLE, buf_text(key), &old, &size, err) < 0)
		return -1;
	if (size <= sizeof(timer))
		return start_new(settle, txn, buf_text(key), rule, event, err);
	memcpy(&timer, old, sizeof(timer));
	if (timer.absent || rule->absent_ms)
		return 0; /* it has begun */
	timer.due_ms = MIN(event->time_ms + rule->settle_ms, timer.latest_ms);
	timer.settle_ms = rule->settle_ms;
	timer.asked_ms = timer.pause_ms = 0;
	return start_again(settle, txn, buf_text(key), &timer,
			   (struct text){ old + sizeof(timer), size - sizeof(timer) }, err);
}

/* The file has another path now. */
static int move_entry(struct store_txn *txn, const struct entry *entry, const struct event *moved,
		      struct error *err)
{
	struct text json = entry->rest, rest;
	struct text rule = text_cut(&json, 0);
	struct event *old;

	if (event_from_json(&old, json, NULL) < 0)
		return 0; /* said when it fires */

	struct event now = *old;

	now.path = moved->path;
	now.path_is_lossy = moved->path_is_lossy;
	if (moved->parent_id.size)
		now.parent_id = moved->parent_id;

	AUTO(free) char *owned = rest_new(rule, &now, &rest.size);

	rest.data = owned;
	free(old);
	return put_file_entry(txn, entry->key, &entry->timer, rest, err);
}

static int restart(struct settle *settle, struct store_txn *txn, struct entry *entry,
		   const struct event *event, struct error *err)
{
	struct timer *timer = &entry->timer;
	int64_t due_ms = MIN(event->time_ms + timer->settle_ms, timer->latest_ms);

	if (!timer->asked_ms && !timer->pause_ms && due_ms <= timer->due_ms)
		return 0;
	/* What is asked about a file that is not quiet any more does not count. */
	timer->asked_ms = timer->pause_ms = 0;
	timer->due_ms = due_ms;
	return start_again(settle, txn, entry->key, timer, entry->rest, err);
}

enum effect { EFFECT_NONE, EFFECT_RESTART, EFFECT_MOVE, EFFECT_DROP };

static enum effect effect_of(const struct event *event)
{
	switch (event->type) {
	case CHILD_FILE_REMOVED:
	case CHILD_DIR_REMOVED:
		return EFFECT_DROP;
	case CHILD_FILE_MOVED_FROM:
	case CHILD_DIR_MOVED_FROM:
		return event->kinds & EVENT_MOVED_OUT ? EFFECT_DROP : EFFECT_NONE;
	case CHILD_FILE_MOVED_TO:
	case CHILD_DIR_MOVED_TO:
		return EFFECT_MOVE;
	case CHILD_ATIME_CHANGED: /* reading is quiet */
	case SELF_REMOVED:
		return EFFECT_NONE;
	default:
		return EFFECT_RESTART;
	}
}

/* One that waits for something ends when that comes. */
static enum effect effect_on(const struct entry *entry, enum effect effect,
			     const struct event *event, bool moves_only)
{
	if (effect == EFFECT_DROP || effect == EFFECT_MOVE)
		return entry->timer.absent & event->kinds && !moves_only ? EFFECT_DROP : effect;
	if (moves_only)
		return EFFECT_NONE;
	if (entry->timer.absent)
		return entry->timer.absent & event->kinds ? EFFECT_DROP : EFFECT_NONE;
	return effect;
}

static int apply(struct settle *settle, struct store_txn *txn, struct entry *entry,
		 enum effect effect, const struct event *event, struct error *err)
{
	switch (effect) {
	case EFFECT_DROP:
		return drop(txn, entry, err);
	case EFFECT_MOVE:
		return move_entry(txn, entry, event, err);
	case EFFECT_RESTART:
		return restart(settle, txn, entry, event, err);
	case EFFECT_NONE:
		break;
	}
	return 0;
}

int settle_hear(struct settle *settle, struct store_txn *txn, const struct event *event,
		bool moves_only, struct error *err)
{
	__attribute__((cleanup(entries_clear))) struct entries entries = { 0 };
	enum effect effect = effect_of(event);

	if (settle->next_ms == INT64_MAX ||
	    (moves_only && effect != EFFECT_MOVE && effect != EFFECT_DROP))
		return 0;
	if (find_entries(txn, event, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		struct entry *entry = &entries.items[i];

		if (apply(settle, txn, entry, effect_on(entry, effect, event, moves_only), event,
			  err) < 0)
			return -1;
	}
	return 0;
}

/* ---- When time passes ---- */

struct first {
	struct text key; /* of a time entry; data is for free() */
	int64_t look_ms;
};

static bool read_first(void *ctx, struct text key, struct text value)
{
	struct first *first = ctx;

	if (key.size <= TIME_HEAD || key.data[0] != TIME_ENTRY)
		return false;
	first->look_ms = (int64_t)store_key_number((struct text){ key.data + 1, key.size - 1 });
	first->key = (struct text){ mem_copy(key.data, key.size), key.size };
	return false;
}

struct firing_timer {
	settle_fire *fire;
	void *ctx;
	int64_t now_ms;
};

/* Its time entry is gone already. */
static int fire_timer(struct settle *settle, struct store_txn *txn, struct text file_key,
		      struct timer *timer, struct text value, bool is_closed,
		      const struct firing_timer *firing, struct error *err)
{
	bool may_be_open = !is_closed && firing->now_ms < timer->latest_ms;
	struct text rest = value;
	struct text rule = text_cut(&rest, 0);
	AUTO_ERROR damage = { 0 };
	struct event *event;
	int result = 0;

	if (event_from_json(&event, rest, &damage) < 0) {
		log_error("filter", "a settle timer is damaged and dropped: %s",
			  error_text(&damage));
	} else {
		result = firing->fire(firing->ctx, rule, event, may_be_open, err);
		free(event);
	}
	if (result == 0)
		return store_delete(txn, SPACE_SETTLE, file_key, err);
	if (result != SETTLE_ASK)
		return -1;
	timer->asked_ms = firing->now_ms;
	timer->due_ms = MIN(firing->now_ms + ASK_AGAIN_MS, timer->latest_ms);
	return put_off(settle, txn, file_key, timer, value, err);
}

/* How far off its time can be, if the clock was not put back. */
static int64_t reach_of(const struct timer *timer)
{
	return MAX(MAX(timer->settle_ms, timer->pause_ms),
		   timer->asked_ms ? ASK_AGAIN_MS : (int64_t)0);
}

/* Looks at the timer of the first time entry. 1: done with it; 0: its time has not come. */
static int look(struct settle *settle, struct store_txn *txn, const struct first *first,
		const struct firing_timer *firing, struct error *err)
{
	int64_t now_ms = firing->now_ms;
	struct text file_key = { first->key.data + TIME_HEAD, first->key.size - TIME_HEAD };
	AUTO(free) char *value = NULL;
	struct timer timer = { 0 };
	size_t size;

	if (store_get(txn, SPACE_SETTLE, file_key, &value, &size, err) < 0)
		return -1;
	if (value && size > sizeof(timer))
		memcpy(&timer, value, sizeof(timer));
	/* Farther off than its time is long: the clock was put back. */
	if (first->look_ms > now_ms && first->look_ms - now_ms <= reach_of(&timer))
		return 0;
	if (store_delete(txn, SPACE_SETTLE, first->key, err) < 0)
		return -1;
	if (!value || size <= sizeof(timer))
		return 1;

	struct text rest = { value + sizeof(timer), size - sizeof(timer) };
	int result;

	timer.due_ms = MIN(timer.due_ms, now_ms + reach_of(&timer));
	if (timer.due_ms > now_ms)
		result = put_off(settle, txn, file_key, &timer, rest, err);
	else
		result = fire_timer(settle, txn, file_key, &timer, rest, false, firing, err);
	return result < 0 ? -1 : 1;
}

int64_t settle_expire(struct settle *settle, struct store_txn *txn, int64_t now_ms, size_t max,
		      settle_fire *fire, void *ctx, struct error *err)
{
	const struct firing_timer firing = { fire, ctx, now_ms };
	const char kind = TIME_ENTRY;
	int64_t count = 0;

	for (; count < max; count++) {
		struct first first = { { NULL, 0 }, INT64_MAX };

		if (store_scan(txn, SPACE_SETTLE, (struct text){ &kind, 1 }, read_first, &first,
			       err) < 0)
			return -1;

		AUTO(free) char *key = (char *)first.key.data;
		int result = key ? look(settle, txn, &first, &firing, err) : 0;

		if (result < 0)
			return -1;
		if (result == 0) {
			settle->next_ms = first.look_ms;
			break;
		}
	}
	return count;
}

struct visiting {
	void (*visit)(void *ctx, const char *watch, const char *rule);
	void *ctx;
};

static bool visit_timer(void *ctx, struct text key, struct text value)
{
	const struct visiting *visiting = ctx;
	struct text watch = { key.data + 1, key.size - 1 };
	struct text rule = value;

	if (key.data[0] != FILE_ENTRY)
		return false;
	if (value.size <= sizeof(struct timer))
		return true;
	rule.data += sizeof(struct timer);
	rule.size -= sizeof(struct timer);

	AUTO(free) char *rule_name = text_copy(text_cut(&rule, 0));
	AUTO(free) char *watch_name = text_copy(text_cut(&watch, 0));

	visiting->visit(visiting->ctx, watch_name, rule_name);
	return true;
}

int settle_visit(struct store *store, void (*visit)(void *ctx, const char *watch, const char *rule),
		 void *ctx, struct error *err)
{
	const char kind = FILE_ENTRY;
	struct visiting visiting = { visit, ctx };

	return store_peek_scan(store, SPACE_SETTLE, (struct text){ &kind, 1 }, visit_timer,
			       &visiting, err);
}

/* ---- Whether files are open ---- */

static int answer_entry(struct settle *settle, struct store_txn *txn, struct entry *entry,
			bool is_closed, const struct firing_timer *firing, struct error *err)
{
	struct timer *timer = &entry->timer;

	if (delete_time_entry(txn, timer->look_ms, entry->key, err) < 0)
		return -1;
	timer->asked_ms = 0;
	if (is_closed)
		return fire_timer(settle, txn, entry->key, timer, entry->rest, true, firing, err);
	timer->pause_ms = timer->pause_ms ? MIN(2 * timer->pause_ms, OPEN_PAUSE_MOST_MS)
					  : MAX(timer->settle_ms, (int64_t)OPEN_PAUSE_MS);
	timer->due_ms = MIN(firing->now_ms + timer->pause_ms, timer->latest_ms);
	return put_off(settle, txn, entry->key, timer, entry->rest, err);
}

int settle_answer(struct settle *settle, struct store_txn *txn, struct text watch,
		  struct text file_id, int64_t sent_ms, bool is_closed, int64_t now_ms,
		  settle_fire *fire, void *ctx, struct error *err)
{
	__attribute__((cleanup(entries_clear))) struct entries entries = { 0 };
	const struct firing_timer firing = { fire, ctx, now_ms };
	const struct event file = { .watch = watch, .file_id = file_id };

	if (find_entries(txn, &file, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		struct entry *entry = &entries.items[i];

		if (entry->timer.asked_ms && entry->timer.asked_ms <= sent_ms &&
		    answer_entry(settle, txn, entry, is_closed, &firing, err) < 0)
			return -1;
	}
	return 0;
}

int settle_load(struct settle *settle, struct store *store, struct error *err)
{
	const char kind = TIME_ENTRY;
	struct first first = { { NULL, 0 }, INT64_MAX };

	if (store_peek_scan(store, SPACE_SETTLE, (struct text){ &kind, 1 }, read_first, &first,
			    err) < 0)
		return -1;
	free((char *)first.key.data);
	settle->next_ms = first.look_ms;
	return 0;
}
