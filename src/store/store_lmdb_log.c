/* store_lmdb_log: records of the embedded store, appended in batches and dropped from the front. */
#include "base/clock.h"
#include "store/store_lmdb.h"

#define PENDING_MAX (64 * 1024 * 1024) /* appended and not committed; one record may be larger */
#define PENDING_KEEP (4 * 1024 * 1024) /* of that memory stays for the next batch */
#define TRIM_RECORDS 20000             /* in one transaction, and not longer than: */
#define TRIM_MS 20

struct record_head {
	int64_t time_ms;
	uint32_t watch_size;
	uint8_t origin;
	uint8_t token[3]; /* the low byte first */
};

struct pending_head {
	uint64_t seq;
	uint64_t size; /* of the value that follows */
};

bool lmdb_record_time(struct text value, int64_t *out_ms)
{
	struct record_head head;

	if (value.size < sizeof(head))
		return false;
	memcpy(&head, value.data, sizeof(head));
	*out_ms = head.time_ms;
	return head.watch_size <= value.size - sizeof(head) && head.time_ms > 0;
}

static struct text last_seq_key(void)
{
	return TEXT("last_seq");
}

/* What the log holds; `last` also counts records that were trimmed, or lost in a damaged store. */
static int read_range(struct store_lmdb *store, MDB_txn *txn, uint64_t *out_first,
		      uint64_t *out_last, struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key, value;
	int there;

	*out_first = *out_last = 0;
	if (lmdb_cursor(&store->log, txn, store->records, &cursor, err) < 0)
		return -1;
	if ((there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_FIRST, &key, NULL, err)) < 0)
		return -1;
	if (there) {
		*out_first = store_key_number(key);
		if (lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_LAST, &key, NULL, err) < 0)
			return -1;
		*out_last = store_key_number(key);
	}
	if ((there = lmdb_get(&store->log, txn, store->notes, last_seq_key(), &value, err)) < 0)
		return -1;
	*out_last = MAX(*out_last, there ? store_key_number(value) : 0);
	return 0;
}

int lmdb_log_start(struct store_lmdb *store, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	uint64_t first, last;

	if (lmdb_begin(&store->log, false, &txn, err) < 0 ||
	    read_range(store, txn, &first, &last, err) < 0)
		return -1;
	store->next_seq = last + 1;
	store->pending = buf_new(SIZE_MAX / 2);
	return 0;
}

uint64_t lmdb_log_end(struct store *base)
{
	struct store_lmdb *store = lmdb_of(base);
	uint64_t end;

	pthread_mutex_lock(&store->append_lock);
	end = store->next_seq - 1;
	pthread_mutex_unlock(&store->append_lock);
	return end;
}

int lmdb_log_range(struct store *base, uint64_t *out_first, uint64_t *out_last, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	uint64_t first, last;

	if (lmdb_begin(&store->log, false, &txn, err) < 0 ||
	    read_range(store, txn, &first, &last, err) < 0)
		return -1;
	*out_first = first;
	*out_last = first ? last : 0;
	return 0;
}

static int append(struct store_lmdb *store, const struct record *record, uint64_t *out_seq,
		  struct error *err)
{
	struct record_head head = {
		.time_ms = record->time_ms,
		.watch_size = (uint32_t)record->watch.size,
		.origin = (uint8_t)record->origin,
		.token = { (uint8_t)record->token, (uint8_t)(record->token >> 8),
			   (uint8_t)(record->token >> 16) },
	};
	struct pending_head pending = {
		.seq = store->next_seq,
		.size = sizeof(head) + record->watch.size + record->bytes.size,
	};
	size_t size = sizeof(pending) + pending.size;

	if (record->bytes.size > (size_t)store->log.max_bytes / 2 ||
	    record->bytes.size > UINT32_MAX / 2)
		return error_set(err,
				 "store %s: a record of %zu bytes is too large for a log of %lld "
				 "bytes ([STORE] MAX_SIZE)",
				 store->log.path, record->bytes.size,
				 (long long)store->log.max_bytes);
	if (store->pending->size && store->pending->size + size > PENDING_MAX)
		return error_set(err,
				 "store %s: %zu bytes wait to be committed, which is the limit",
				 store->log.path, store->pending->size);
	if (!buf_reserve(store->pending, size) ||
	    !buf_append(store->pending, &pending, sizeof(pending)) ||
	    !buf_append(store->pending, &head, sizeof(head)) ||
	    !buf_append(store->pending, record->watch.data, record->watch.size) ||
	    !buf_append(store->pending, record->bytes.data, record->bytes.size))
		abort(); /* the limit is beyond memory */
	*out_seq = store->next_seq++;
	return 0;
}

int lmdb_log_append(struct store *base, const struct record *record, uint64_t *out_seq,
		    struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int rc;

	pthread_mutex_lock(&store->append_lock);
	rc = append(store, record, out_seq, err);
	pthread_mutex_unlock(&store->append_lock);
	return rc;
}

/* ---- Trimming ---- */

static int64_t log_bytes(const struct store_lmdb *store, MDB_txn *txn)
{
	const MDB_dbi dbis[] = { store->records, store->gaps, store->notes };

	return lmdb_bytes(txn, dbis, ARRAY_SIZE(dbis));
}

struct trim {
	int64_t before_ms;  /* older ones go */
	int64_t room_bytes; /* as long as more than that is used, younger ones go too */
	uint64_t cursor;    /* never one behind it */
};

static bool is_due(const struct trim *trim, struct text key, struct text value, int64_t used)
{
	struct record_head head;

	if (store_key_number(key) > trim->cursor)
		return false;
	if (used > trim->room_bytes || value.size < sizeof(head))
		return true;
	memcpy(&head, value.data, sizeof(head));
	return head.time_ms < trim->before_ms;
}

/* 1: stopped before the end. */
static int drop_records(struct store_lmdb *store, MDB_txn *txn, const struct trim *trim,
			size_t *out_count, struct error *err)
{
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	int64_t until_ms = clock_monotonic_ms() + TRIM_MS;
	struct text key, value;
	uint64_t last = 0;
	size_t count = 0;
	int there, rc;
	bool more = false;

	if (lmdb_cursor(&store->log, txn, store->records, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_FIRST, &key, &value, err)) >
		       0 &&
	       is_due(trim, key, value, log_bytes(store, txn))) {
		if (count == TRIM_RECORDS || (count && clock_monotonic_ms() > until_ms)) {
			more = true;
			break;
		}
		last = store_key_number(key);
		if ((rc = mdb_cursor_del(cursor, 0)))
			return lmdb_fail(&store->log, rc, err);
		count++;
	}
	if (there < 0)
		return -1;
	*out_count = count;
	if (count) {
		struct store_key note = store_key(last);

		/* So that numbers go on when the log is empty. */
		if (lmdb_put(&store->log, txn, store->notes, last_seq_key(), lmdb_key(&note), 0,
			     err) < 0)
			return -1;
	}
	return more;
}

/* Whether there is anything to do, without keeping other writers out. */
static int is_trim_due(struct store_lmdb *store, const struct trim *trim, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key, value;
	int there;

	if (lmdb_begin(&store->log, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->log, txn, store->records, &cursor, err) < 0)
		return -1;
	there = lmdb_seek(&store->log, cursor, TEXT_NONE, MDB_FIRST, &key, &value, err);
	if (there <= 0)
		return there;
	return is_due(trim, key, value, log_bytes(store, txn));
}

static int trim_once(struct store_lmdb *store, struct trim *trim, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	size_t count;
	int rc, more;

	if (store_cursor_get(&store->base, &trim->cursor, err) < 0)
		return -1;
	if ((rc = is_trim_due(store, trim, err)) <= 0)
		return rc;
	store_point("log.trim.before");
	if (lmdb_begin(&store->log, true, &txn, err) < 0 ||
	    (more = drop_records(store, txn, trim, &count, err)) < 0 ||
	    lmdb_gaps_trim(store, txn, err) < 0)
		return -1;
	store_point("log.trim.amid");
	if ((rc = mdb_txn_commit(TAKE(txn))))
		return lmdb_fail(&store->log, rc, err);
	store_point("log.trim.after");
	return more;
}

/* A log at its limit keeps a sixteenth free, so that not every commit has to make room first. */
static int64_t room_of(const struct store_lmdb *store)
{
	return store->log.max_bytes - store->log.max_bytes / 16;
}

int lmdb_log_trim(struct store *base, int64_t now_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	struct trim trim = { .before_ms = now_ms - store->retention_ms,
			     .room_bytes = room_of(store) };

	lmdb_forget_dead_readers(&store->log);
	return trim_once(store, &trim, err);
}

/* ---- Committing ---- */

/* Makes room for what is pending. The first pass only looks: it is the rule that there is enough.
 */
static int make_room(struct store_lmdb *store, struct error *err)
{
	/* Pages are not filled to the last byte, and large values begin a page of their own. */
	int64_t need = (int64_t)store->pending->size + (int64_t)store->pending->size / 8 + 65536;
	struct trim trim = { .before_ms = INT64_MIN,
			     .room_bytes = MIN(store->log.max_bytes - need, room_of(store)) };
	int64_t used;
	int more = 1;

	for (;;) {
		AUTO(mdb_txn_abort) MDB_txn *txn = NULL;

		if (lmdb_begin(&store->log, false, &txn, err) < 0)
			return -1;
		used = log_bytes(store, txn);
		if (used + need <= store->log.max_bytes)
			return 0;
		if (!more)
			break;
		mdb_txn_abort(TAKE(txn));
		if ((more = trim_once(store, &trim, err)) < 0)
			return -1;
	}
	return error_set(err,
			 "store %s is full: %lld of %lld bytes are records that no rule has judged "
			 "yet; none of them is given up: see what keeps the filter, or raise "
			 "[STORE] MAX_SIZE",
			 store->log.path, (long long)used, (long long)store->log.max_bytes);
}

static int write_pending(struct store_lmdb *store, MDB_txn *txn, struct error *err)
{
	const char *at = store->pending->data;
	const char *end = at + store->pending->size;

	while (at < end) {
		struct pending_head head;
		struct store_key key;

		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		key = store_key(head.seq);
		if (lmdb_put(&store->log, txn, store->records, lmdb_key(&key),
			     (struct text){ at, head.size }, MDB_APPEND, err) < 0)
			return -1;
		at += head.size;
	}
	return 0;
}

static int commit(struct store_lmdb *store, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	int rc;

	if (make_room(store, err) < 0)
		return -1;
	store_point("log.commit.before");
	if (lmdb_begin(&store->log, true, &txn, err) < 0 || write_pending(store, txn, err) < 0)
		return -1;
	store_point("log.commit.amid");
	if ((rc = mdb_txn_commit(TAKE(txn))))
		return lmdb_fail(&store->log, rc, err);
	store_point("log.commit.after");
	if (store->pending->room > PENDING_KEEP) {
		buf_free(store->pending);
		store->pending = buf_new(SIZE_MAX / 2);
	}
	buf_reset(store->pending);
	return 0;
}

int lmdb_log_commit(struct store *base, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int rc = 0;
	bool any;

	pthread_mutex_lock(&store->append_lock);
	any = store->pending->size > 0;
	if (any)
		rc = commit(store, err);
	pthread_mutex_unlock(&store->append_lock);
	if (any && rc == 0)
		store_wake(base, STORE_FILTER);
	return rc;
}

int lmdb_log_drain(struct store *base, int64_t wait_ms, struct error *err)
{
	return 1; /* what is committed can be read */
}

/* ---- Reading ---- */

static int read_record(const struct store_lmdb *store, struct text key, struct text value,
		       struct record *out, struct error *err)
{
	struct record_head head;

	if (key.size != 8 || value.size < sizeof(head))
		return lmdb_fail(&store->log, MDB_CORRUPTED, err);
	memcpy(&head, value.data, sizeof(head));
	if (head.watch_size > value.size - sizeof(head) || head.origin >= ORIGIN_COUNT)
		return lmdb_fail(&store->log, MDB_CORRUPTED, err);
	out->seq = store_key_number(key);
	out->time_ms = head.time_ms;
	out->origin = head.origin;
	out->token = head.token[0] | (uint32_t)head.token[1] << 8 | (uint32_t)head.token[2] << 16;
	out->watch = (struct text){ value.data + sizeof(head), head.watch_size };
	out->bytes = (struct text){ out->watch.data + head.watch_size,
				    value.size - sizeof(head) - head.watch_size };
	return 0;
}

int64_t lmdb_log_read(struct store *base, uint64_t after, size_t max_records, size_t max_bytes,
		      bool (*visit)(void *ctx, const struct record *record), void *ctx,
		      struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct store_key from = store_key(after + 1);
	MDB_cursor_op op = MDB_SET_RANGE;
	struct text key, value;
	struct record record;
	int64_t count = 0;
	size_t bytes = 0;
	int there;

	if (lmdb_begin(&store->log, false, &txn, err) < 0 ||
	    lmdb_cursor(&store->log, txn, store->records, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(&store->log, cursor, lmdb_key(&from), op, &key, &value, err)) >
	       0) {
		if (read_record(store, key, value, &record, err) < 0)
			return -1;
		bytes += record.bytes.size;
		if (count && ((size_t)count >= max_records || bytes > max_bytes))
			break;
		count++;
		if (!visit(ctx, &record))
			break;
		op = MDB_NEXT;
	}
	return there < 0 ? -1 : count;
}

int lmdb_log_count(struct store_lmdb *store, struct store_counts *out, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;

	if (lmdb_begin(&store->log, false, &txn, err) < 0)
		return -1;
	out->gaps = lmdb_entries(txn, store->gaps);
	out->log_bytes = log_bytes(store, txn);
	return 0;
}
