#include "store/store_lmdb.h"

#include <errno.h>
#include <unistd.h>

static const char *const space_names[SPACE_COUNT] = {
	"meta",  "halves",  "settle", "expect", "labels",  "inbox",
	"tally", "pending", "repair", "alarms", "digests", "chain",
};

const char *lmdb_space_name(enum store_space space)
{
	return space_names[space];
}

int lmdb_fail(const struct lmdb_env *env, int code, struct error *err)
{
	switch (code) {
	case MDB_MAP_FULL:
		return error_set(err,
				 "store %s is full: it may take %lld bytes; raise [STORE] MAX_SIZE",
				 env->path, (long long)env->max_bytes);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_BAD_VALSIZE:
		return error_set(err,
				 "store %s is damaged (%s): stop cn_monitor, then restore it, or "
				 "let cn_monitor salvage save what can be read of it",
				 env->path, mdb_strerror(code));
	case MDB_VERSION_MISMATCH:
		return error_set(err, "store %s was written by another version of LMDB", env->path);
	case EIO: /* also LMDB's word for a write that was cut short */
		return error_set(err, "store %s: the disk is full, or fails (%s)", env->path,
				 mdb_strerror(code));
	case MDB_PANIC:
		return error_set(err,
				 "store %s cannot be used after an earlier write error: restart "
				 "cn_monitor when the disk is in order",
				 env->path);
	default:
		return error_set(err, "store %s: %s", env->path, mdb_strerror(code));
	}
}

int lmdb_begin(const struct lmdb_env *env, bool writes, MDB_txn **out, struct error *err)
{
	int rc = mdb_txn_begin(env->env, NULL, writes ? 0 : MDB_RDONLY, out);

	/* A process that only looks on: the one that writes was started anew with a larger map. */
	if (rc == MDB_MAP_RESIZED && !(rc = mdb_env_set_mapsize(env->env, 0)))
		rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, out);
	return rc ? lmdb_fail(env, rc, err) : 0;
}

static MDB_val val_of(struct text text)
{
	return (MDB_val){ text.size, (void *)text.data };
}

static struct text text_of_val(const MDB_val *val)
{
	return (struct text){ val->mv_data, val->mv_size };
}

int lmdb_get(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
	     struct text *out, struct error *err)
{
	MDB_val at = val_of(key), value;
	int rc = mdb_get(txn, dbi, &at, &value);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return lmdb_fail(env, rc, err);
	*out = text_of_val(&value);
	return 1;
}

int lmdb_put(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
	     struct text value, unsigned flags, struct error *err)
{
	MDB_val at = val_of(key), what = val_of(value);
	int rc = mdb_put(txn, dbi, &at, &what, flags);

	return rc ? lmdb_fail(env, rc, err) : 0;
}

int lmdb_delete(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, struct text key,
		struct error *err)
{
	MDB_val at = val_of(key);
	int rc = mdb_del(txn, dbi, &at, NULL);

	return rc && rc != MDB_NOTFOUND ? lmdb_fail(env, rc, err) : 0;
}

int lmdb_cursor(const struct lmdb_env *env, MDB_txn *txn, MDB_dbi dbi, MDB_cursor **out,
		struct error *err)
{
	int rc = mdb_cursor_open(txn, dbi, out);

	return rc ? lmdb_fail(env, rc, err) : 0;
}

int lmdb_seek(const struct lmdb_env *env, MDB_cursor *cursor, struct text from, MDB_cursor_op op,
	      struct text *key, struct text *value, struct error *err)
{
	MDB_val at = val_of(from), what;
	int rc;

	if (op == MDB_SET_RANGE && !from.size)
		op = MDB_FIRST;
	rc = mdb_cursor_get(cursor, &at, &what, op);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return lmdb_fail(env, rc, err);
	*key = text_of_val(&at);
	if (value)
		*value = text_of_val(&what);
	return 1;
}

void lmdb_forget_dead_readers(const struct lmdb_env *env)
{
	int dead;

	(void)mdb_reader_check(env->env, &dead); /* if it fails, the next time may do better */
}

int64_t lmdb_bytes(MDB_txn *txn, const MDB_dbi *dbis, size_t count)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		MDB_stat stat = { 0 };

		if (mdb_stat(txn, dbis[i], &stat) == 0)
			bytes += (int64_t)stat.ms_psize *
				 (int64_t)(stat.ms_branch_pages + stat.ms_leaf_pages +
					   stat.ms_overflow_pages);
	}
	return bytes;
}

uint64_t lmdb_entries(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat stat = { 0 };

	return mdb_stat(txn, dbi, &stat) == 0 ? stat.ms_entries : 0;
}

static void close_env(struct lmdb_env *env)
{
	if (env->env)
		mdb_env_close(env->env);
	free(env->path);
}

static void close_lmdb(struct store *base)
{
	struct store_lmdb *store = lmdb_of(base);

	close_env(&store->log);
	close_env(&store->state);
	lmdb_taken_clear(store);
	buf_free(store->pending);
	pthread_mutex_destroy(&store->append_lock);
	pthread_mutex_destroy(&store->taken_lock);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	lmdb_member_clear(store);
	store_clear(base);
	free(store->path);
	free(store);
}

static int open_lmdb(struct store **out, const struct store_settings *settings, const char *place,
		     struct error *err)
{
	struct store_lmdb *store = NEW(struct store_lmdb);

	store_init(&store->base, settings);
	pthread_mutex_init(&store->member_lock, NULL);
	store->path = str_copy(place);
	store->lock_fd = -1;
	store->retention_ms = settings->retention_ms;
	pthread_mutex_init(&store->append_lock, NULL);
	pthread_mutex_init(&store->taken_lock, NULL);
	if (lmdb_open_all(store, settings, err) < 0) {
		close_lmdb(&store->base);
		return -1;
	}
	*out = &store->base;
	return 0;
}

static int count_lmdb(struct store *base, struct store_counts *out, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	struct store_counts counts = { 0 };

	if (lmdb_log_range(base, &counts.first_seq, &counts.last_seq, err) < 0 ||
	    lmdb_log_count(store, &counts, err) < 0 || lmdb_job_count(store, &counts, err) < 0)
		return -1;
	*out = counts;
	return 0;
}

const struct store_type store_lmdb = {
	.scheme = "embedded",
	.open = open_lmdb,
	.close = close_lmdb,
	.limit = lmdb_limit,
	.log_append = lmdb_log_append,
	.log_commit = lmdb_log_commit,
	.log_drain = lmdb_log_drain,
	.log_read = lmdb_log_read,
	.log_range = lmdb_log_range,
	.log_trim = lmdb_log_trim,
	.gap_put = lmdb_gap_put,
	.gap_visit = lmdb_gap_visit,
	.note_put = lmdb_note_put,
	.note_get = lmdb_note_get,
	.lease_take = lmdb_lease_take,
	.lease_drop = lmdb_lease_drop,
	.lease_look = lmdb_lease_look,
	.fence = lmdb_fence,
	.member_put = lmdb_member_put,
	.member_visit = lmdb_member_visit,
	.tell = lmdb_tell,
	.begin = lmdb_state_begin,
	.commit = lmdb_state_commit,
	.abort = lmdb_state_abort,
	.put = lmdb_state_put,
	.remove = lmdb_state_remove,
	.get = lmdb_state_get,
	.scan = lmdb_state_scan,
	.peek = lmdb_state_peek,
	.peek_scan = lmdb_state_peek_scan,
	.state_trim = lmdb_state_trim,
	.job_put = lmdb_job_put,
	.job_take = lmdb_job_take,
	.job_next_due = lmdb_job_next_due,
	.job_save = lmdb_job_save,
	.job_prolong = lmdb_job_prolong,
	.job_retry = lmdb_job_retry,
	.job_end = lmdb_job_end,
	.job_release_all = lmdb_job_release_all,
	.job_is_ours = lmdb_job_is_ours,
	.job_visit = lmdb_job_visit,
	.dead_get = lmdb_dead_get,
	.dead_retry = lmdb_dead_retry,
	.dead_drop = lmdb_dead_drop,
	.count = count_lmdb,
};
