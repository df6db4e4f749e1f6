#include "app/tally_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <uthash.h>

#include "base/log.h"
#include "base/metric.h"

/*
 * Two kinds of entries:
 *	"h" | "r" | "l" | "f", watch NUL rule NUL group NUL   -> struct window, see tally_window.h
 *	"d" NUL job NUL                                 -> the same
 *	"t" time, the same                              -> one byte: look at it then
 * "h" is a threshold's window, "r" a throttle's, "l" a limit's; "f" and "d" are of tally_loop.c. As
 *with settle, the second kind is put off when its time has come and the window is not over.
 */
#define TIME_ENTRY 't'
#define TIME_HEAD (1 + sizeof(struct store_key))

#define FILES_TEXT_MAX (32 * 1024) /* of a job's list, for texts and arguments */

struct cached {
	struct window window;
	struct text key;
	UT_hash_handle hh;
};

/* A rule that has reached its limit; in memory for whoever asks. */
struct trip {
	char *key; /* of its window, without the end's NUL */
	char *rule;
	char digest[65];
	int64_t since_ms;
	UT_hash_handle hh;
};

struct tally {
	int64_t next_ms; /* no time entry is earlier; INT64_MAX: there is none */
	struct cached *cache;
	struct trip *trips;
	struct buf *news; /* lines for the log, once they are true */
	struct metric *suppressed, *tripped, *stopped;
};

struct tally *tally_new(void)
{
	struct tally *tally = NEW(struct tally);

	tally->next_ms = INT64_MAX;
	tally->news = buf_new(SIZE_MAX);
	tally->suppressed = metric_get("cn_suppressed_total", METRIC_COUNTER,
				       "Jobs that a throttle held back.");
	tally->tripped = metric_get("cn_limit_trips_total", METRIC_COUNTER,
				    "How often a rule reached its limit and became a dry run.");
	tally->stopped = metric_get("cn_loops_stopped_total", METRIC_COUNTER,
				    "How often a rule that set itself off was stopped for a file.");
	return tally;
}

void tally_count_stop(struct tally *tally)
{
	metric_add(tally->stopped, 1);
}

static void forget_cache(struct tally *tally)
{
	struct cached *cached, *next;

	HASH_ITER(hh, tally->cache, cached, next)
	{
		HASH_DEL(tally->cache, cached);
		window_clear(&cached->window);
		free((char *)cached->key.data);
		free(cached);
	}
}

static void forget_trip(struct tally *tally, struct trip *trip)
{
	HASH_DEL(tally->trips, trip);
	free(trip->key);
	free(trip->rule);
	free(trip);
}

static void forget_trips(struct tally *tally)
{
	struct trip *trip, *next;

	HASH_ITER(hh, tally->trips, trip, next)
	{
		forget_trip(tally, trip);
	}
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	forget_cache(tally);
	buf_free(tally->news);
	forget_trips(tally);
	free(tally);
}

int64_t tally_next_due(const struct tally *tally)
{
	return tally->next_ms;
}

void tally_visit_tripped(const struct tally *tally,
			 void (*visit)(void *ctx, const char *rule, const char *digest,
				       int64_t since_ms),
			 void *ctx)
{
	for (struct trip *trip = tally->trips; trip; trip = trip->hh.next)
		visit(ctx, trip->rule, trip->digest, trip->since_ms);
}

void tally_say(struct tally *tally, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *line = str_vformat(format, args);
	va_end(args);
	(void)!buf_append(tally->news, line, strlen(line) + 1);
}

/* ---- Windows ---- */

static struct cached *find_cached(struct tally *tally, struct text key)
{
	struct cached *cached;

	HASH_FIND(hh, tally->cache, key.data, key.size, cached);
	return cached;
}

int tally_window(struct tally *tally, struct store_txn *txn, struct text key, struct window **out,
		 struct error *err)
{
	struct cached *cached = find_cached(tally, key);
	AUTO(free) char *value = NULL;
	size_t size = 0;

	if (cached) {
		*out = &cached->window;
		return 0;
	}
	if (store_get(txn, SPACE_TALLY, key, &value, &size, err) < 0)
		return -1;
	cached = NEW(struct cached);
	cached->key = (struct text){ mem_copy(key.data, key.size), key.size };
	if (value && !window_read(&cached->window, (struct text){ value, size }))
		log_error("filter", "a count of a rule is damaged and begins anew");
	HASH_ADD_KEYPTR(hh, tally->cache, cached->key.data, cached->key.size, cached);
	*out = &cached->window;
	return 0;
}

static struct text group_of(enum rule_per per, const struct event *event)
{
	switch (per) {
	case PER_FILE:
		return event->file_id.size ? event->file_id : event->path;
	case PER_DIRECTORY:
		return path_parent(event->path);
	case PER_EXTENSION:
		return path_extension(event->path);
	case PER_RULE:
		break;
	}
	return TEXT_NONE;
}

int tally_rule_window(struct tally *tally, struct store_txn *txn, char kind,
		      const struct rule *rule, const struct rule_window *settings,
		      const struct event *event, int64_t now_ms, struct window **out,
		      struct error *err)
{
	AUTO(buf_free) struct buf *key = key_new(kind);

	key_add(key, event->watch);
	key_add(key, text_of(rule->name));
	key_add(key, group_of(settings->per, event));
	if (tally_window(tally, txn, buf_text(key), out, err) < 0)
		return -1;
	(*out)->within_ms = settings->within_ms;
	window_pass(*out, now_ms);
	return 0;
}

/* ---- Thresholds ---- */

static struct text distinct_of(const struct rule_window *settings, const struct event *event)
{
	return settings->distinct == DISTINCT_DIRECTORY ? path_parent(event->path)
	       : event->file_id.size                    ? event->file_id
							: event->path;
}

static json_t *text_json(struct text text)
{
	return json_stringn(text.data ? text.data : "", text.size);
}

/* Each file once, the first in front. */
static json_t *list_files(const struct window *window)
{
	json_t *list = json_array();
	AUTO(buf_free) struct buf *text = buf_new(FILES_TEXT_MAX);
	size_t left_out = 0;

	for (size_t i = 0; i < window->count; i++) {
		const struct window_entry *entry = &window->entries[i];
		bool is_new = true;

		for (size_t j = 0; j < i && is_new; j++)
			is_new = !text_equal(window->entries[j].path, entry->path);
		if (!is_new)
			continue;
		json_array_append_new(list, json_pack("{s:o,s:o}", "path", text_json(entry->path),
						      "file_id", text_json(entry->id)));
		if (left_out || text->size + entry->path.size + 64 > FILES_TEXT_MAX)
			left_out++;
		else
			(void)!buf_print(text, "%s%.*s", text->size ? "\n" : "",
					 TEXT_ARGS(entry->path));
	}
	if (left_out)
		(void)!buf_print(text, "\nand %zu more", left_out);
	return json_pack("{s:I,s:o,s:o}", "count", (json_int_t)window->count, "files",
			 text_json(buf_text(text)), "list", list);
}

int tally_threshold(struct tally *tally, struct store_txn *txn, const struct rule *rule,
		    const struct event *event, int64_t now_ms, json_t **out_files,
		    struct error *err)
{
	const struct rule_window *settings = &rule->threshold;
	struct window *window;

	if (tally_rule_window(tally, txn, 'h', rule, settings, event, now_ms, &window, err) < 0)
		return -1;
	if (settings->distinct != DISTINCT_NONE)
		window_remove(window, distinct_of(settings, event));
	window_add(window, now_ms, distinct_of(settings, event), event->path);
	if (window->count < (size_t)settings->count)
		return 0;
	*out_files = list_files(window);
	window_empty(window);
	return 1;
}

/* ---- Throttles ---- */

int tally_throttle(struct tally *tally, struct store_txn *txn, const struct rule *rule,
		   const struct event *event, int64_t now_ms, uint64_t *out_suppressed,
		   struct error *err)
{
	const struct rule_window *settings = &rule->throttle;
	struct window *window;

	*out_suppressed = 0;
	if (tally_rule_window(tally, txn, 'r', rule, settings, event, now_ms, &window, err) < 0)
		return -1;
	if (window->count >= (size_t)settings->count) {
		if (!window->suppressed++)
			tally_say(tally,
				  "rule '%s' is throttled: more than %" PRId64 " in %" PRId64
				  " s; what comes is counted and left out, first %.*s",
				  rule->name, settings->count, settings->within_ms / 1000,
				  TEXT_ARGS(event->path));
		window->is_changed = true;
		metric_add(tally->suppressed, 1);
		return 0;
	}
	*out_suppressed = window->suppressed;
	window->suppressed = 0;
	window_add(window, now_ms, TEXT_NONE, TEXT_NONE);
	return 1;
}

/* ---- Limits ---- */

int tally_limit(struct tally *tally, struct store_txn *txn, const struct rule *rule,
		const struct event *event, int64_t now_ms, struct error *err)
{
	const struct rule_window *settings = &rule->limit;
	const char *digest = rule->digest;
	struct window *window;

	if (tally_rule_window(tally, txn, 'l', rule, settings, event, now_ms, &window, err) < 0)
		return -1;
	if (*window->tripped && strcmp(window->tripped, digest) == 0)
		return 0;
	if (*window->tripped) {
		tally_say(tally, "rule '%s' is at work again: it was changed since its limit",
			  rule->name);
		*window->tripped = '\0';
		window_empty(window);
	}
	if (window->count < (size_t)settings->count) {
		window_add(window, now_ms, TEXT_NONE, TEXT_NONE);
		return 1;
	}
	snprintf(window->tripped, sizeof(window->tripped), "%s", digest);
	window_empty(window);
	window->last_ms = now_ms;
	metric_add(tally->tripped, 1);
	tally_say(
		tally,
		"!rule '%s' has reached its limit of %" PRId64 " jobs in %" PRId64
		" s and is a dry run from now on, from %.*s on; change the rule to set it to work "
		"again",
		rule->name, settings->count, settings->within_ms / 1000, TEXT_ARGS(event->path));
	return 0;
}

/* ---- The store ---- */

static struct buf *time_key(int64_t look_ms, struct text key)
{
	struct buf *out = key_new(TIME_ENTRY);
	struct store_key time = store_key((uint64_t)MAX(look_ms, 0));

	if (!buf_append(out, time.bytes, sizeof(time.bytes)) ||
	    !buf_append(out, key.data, key.size))
		abort();
	return out;
}

static int set_time(struct tally *tally, struct store_txn *txn, struct cached *cached,
		    int64_t look_ms, struct error *err)
{
	AUTO(buf_free) struct buf *key = time_key(look_ms, cached->key);

	cached->window.look_ms = look_ms;
	tally->next_ms = MIN(tally->next_ms, look_ms);
	return store_put(txn, SPACE_TALLY, buf_text(key), TEXT("."), err);
}

static int save(struct tally *tally, struct store_txn *txn, struct cached *cached,
		struct error *err)
{
	AUTO(buf_free) struct buf *value = NULL;

	if (!cached->window.is_changed)
		return 0;
	/* What is tripped stays so until the rules change: it needs no time. */
	if (!cached->window.look_ms && !*cached->window.tripped &&
	    set_time(tally, txn, cached, window_end(&cached->window), err) < 0)
		return -1;
	value = window_write(&cached->window);
	return store_put(txn, SPACE_TALLY, cached->key, buf_text(value), err);
}

int tally_save(struct tally *tally, struct store_txn *txn, struct error *err)
{
	struct cached *cached, *next;

	HASH_ITER(hh, tally->cache, cached, next)
	{
		if (save(tally, txn, cached, err) < 0)
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

static struct text rule_of_key(struct text key)
{
	struct text rest = { key.data + 1, key.size - 1 };

	(void)text_cut(&rest, '\0');
	return text_cut(&rest, '\0');
}

static void say_suppressed(struct tally *tally, struct text key, const struct window *window)
{
	struct text rule = rule_of_key(key);

	tally_say(tally,
		  key.data[0] == 'f' ? "rule '%.*s' looks after a file again that it fired on too "
				       "often: %" PRIu64 " were left out"
				     : "rule '%.*s' is not throttled any more: %" PRIu64
				       " were left out",
		  TEXT_ARGS(rule), window->suppressed);
}

/* The window of the first time entry. 1: done with it; 0: its time has not come. */
static int look(struct tally *tally, struct store_txn *txn, const struct first *first,
		int64_t now_ms, struct error *err)
{
	struct text key = { first->key.data + TIME_HEAD, first->key.size - TIME_HEAD };
	struct window *window;
	int64_t end_ms;

	/* Without a window of this key there is nothing to keep. */
	if (tally_window(tally, txn, key, &window, err) < 0)
		return -1;
	if (first->look_ms > now_ms && first->look_ms - now_ms <= window->within_ms)
		return 0;
	if (store_delete(txn, SPACE_TALLY, first->key, err) < 0)
		return -1;
	window_pass(window, now_ms);
	end_ms = MIN(window_end(window), now_ms + window->within_ms);
	window->look_ms = 0;
	window->is_changed = true; /* and stored at the end of the transaction */
	if (window->count && end_ms > now_ms)
		return set_time(tally, txn, find_cached(tally, key), end_ms, err) < 0 ? -1 : 1;
	if (window->suppressed)
		say_suppressed(tally, key, window);
	window->suppressed = 0;
	if (*window->tripped)
		return 1;
	window->is_changed = false;
	return store_delete(txn, SPACE_TALLY, key, err) < 0 ? -1 : 1;
}

int64_t tally_expire(struct tally *tally, struct store_txn *txn, int64_t now_ms, size_t max,
		     struct error *err)
{
	const char kind = TIME_ENTRY;
	int64_t count = 0;

	for (; tally->next_ms <= now_ms && count < max; count++) {
		struct first first = { { NULL, 0 }, INT64_MAX };

		if (store_scan(txn, SPACE_TALLY, (struct text){ &kind, 1 }, read_first, &first,
			       err) < 0)
			return -1;

		AUTO(free) char *key = (char *)first.key.data;
		int result = key ? look(tally, txn, &first, now_ms, err) : 0;

		if (result < 0)
			return -1;
		if (result == 0) {
			tally->next_ms = first.look_ms;
			break;
		}
	}
	return count;
}

/* ---- The beginning and the end of a transaction ---- */

static void note_trip(struct tally *tally, struct text key, const struct window *window)
{
	struct trip *trip;

	HASH_FIND(hh, tally->trips, key.data, key.size, trip);
	if (trip)
		forget_trip(tally, trip);
	if (!*window->tripped)
		return;
	trip = NEW(struct trip);
	trip->key = mem_copy(key.data, key.size);
	trip->rule = text_copy(rule_of_key(key));
	snprintf(trip->digest, sizeof(trip->digest), "%s", window->tripped);
	trip->since_ms = window->last_ms;
	HASH_ADD_KEYPTR(hh, tally->trips, trip->key, key.size, trip);
}

void tally_committed(struct tally *tally)
{
	struct text news = buf_text(tally->news);
	struct cached *cached, *next;

	HASH_ITER(hh, tally->cache, cached, next)
	{
		if (cached->key.data[0] == 'l')
			note_trip(tally, cached->key, &cached->window);
	}
	forget_cache(tally);
	while (news.size) {
		struct text line = text_cut(&news, '\0');

		if (line.data[0] == '!')
			log_error("filter", "%.*s", (int)line.size - 1, line.data + 1);
		else
			log_warn("filter", "%.*s", TEXT_ARGS(line));
	}
	buf_reset(tally->news);
}

static bool load_trip(void *ctx, struct text key, struct text value)
{
	struct tally *tally = ctx;
	struct window window = { 0 };

	if (key.data[0] != 'l')
		return false;
	if (window_read(&window, value))
		note_trip(tally, key, &window);
	window_clear(&window);
	return true;
}

int tally_load(struct tally *tally, struct store *store, struct error *err)
{
	const char kinds[] = { TIME_ENTRY, 'l' };
	struct first first = { { NULL, 0 }, INT64_MAX };

	forget_cache(tally);
	forget_trips(tally);
	buf_reset(tally->news);
	if (store_peek_scan(store, SPACE_TALLY, (struct text){ &kinds[0], 1 }, read_first, &first,
			    err) < 0 ||
	    store_peek_scan(store, SPACE_TALLY, (struct text){ &kinds[1], 1 }, load_trip, tally,
			    err) < 0)
		return -1;
	free((char *)first.key.data);
	tally->next_ms = first.look_ms;
	return 0;
}
