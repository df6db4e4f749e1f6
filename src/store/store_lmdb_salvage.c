/* store_lmdb_salvage: a new store from what is readable of a damaged one; store/salvage.h. */
#include "store/salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/salvage_read.h"
#include "store/store_lmdb_job.h"

#define UNSURE_MS 600000 /* before the last sign of life: what was heard then may not be stored */
#define BATCH 1000       /* entries in a transaction */

void salvage_report_clear(struct salvage_report *report)
{
	free(report->kept);
	*report = (struct salvage_report){ 0 };
}

/* ---- What is checked of an entry before it is believed ---- */

enum entry_kind { ENTRY_RECORD, ENTRY_NUMBERED, ENTRY_JOB, ENTRY_ENDED, ENTRY_ANY };

struct source {
	const char *env, *database;
	const char *what; /* NULL: not told to people */
	enum entry_kind kind;
	MDB_dbi dbi;
};

struct saving {
	struct store_lmdb *store;
	struct lmdb_env *env;
	const struct source *source;
	MDB_txn *txn;
	unsigned in_txn;
	uint64_t saved;
	uint64_t last_seq, last_job; /* the highest seen */
	int64_t last_ms;             /* of the records */
};

static int commit(struct saving *saving, struct error *err)
{
	int rc = saving->txn ? mdb_txn_commit(TAKE(saving->txn)) : 0;

	saving->in_txn = 0;
	return rc ? lmdb_fail(saving->env, rc, err) : 0;
}

static int put_job(struct saving *saving, struct text value, struct error *err)
{
	struct stored job;

	if (stored_decode(saving->store, value, &job, NULL) < 0 || !job.head.id)
		return 0;
	saving->last_job = MAX(saving->last_job, job.head.id);
	return lmdb_job_enqueue(saving->store, saving->txn, &job, 0, err) < 0 ? -1 : 1;
}

/* 1: saved; 0: it is not what it should be. */
static int put(struct saving *saving, struct text key, struct text value, struct error *err)
{
	struct stored job;
	int64_t time_ms;

	switch (saving->source->kind) {
	case ENTRY_RECORD:
		if (key.size != 8 || !lmdb_record_time(value, &time_ms))
			return 0;
		if (store_key_number(key) > saving->last_seq) {
			saving->last_seq = store_key_number(key);
			saving->last_ms = time_ms;
		}
		break;
	case ENTRY_NUMBERED:
		if (key.size != 8)
			return 0;
		break;
	case ENTRY_JOB:
		return key.size == 8 ? put_job(saving, value, err) : 0;
	case ENTRY_ENDED:
		if (key.size != 16 || stored_decode(saving->store, value, &job, NULL) < 0)
			return 0;
		saving->last_job = MAX(saving->last_job, job.head.id);
		break;
	case ENTRY_ANY:
		if (!key.size)
			return 0;
		break;
	}
	return lmdb_put(saving->env, saving->txn, saving->source->dbi, key, value, 0, err) < 0 ? -1
											       : 1;
}

static int save_entry(void *ctx, struct text key, struct text value, struct error *err)
{
	struct saving *saving = ctx;
	int saved;

	if (!saving->txn && lmdb_begin(saving->env, true, &saving->txn, err) < 0)
		return -1;
	if ((saved = put(saving, key, value, err)) < 0)
		return -1;
	saving->saved += (uint64_t)saved;
	return ++saving->in_txn == BATCH ? commit(saving, err) : 0;
}

/* ---- One database after the other ---- */

static int save_database(struct saving *saving, const char *damaged, const struct source *source,
			 struct salvage_report *report, struct error *err)
{
	AUTO(free) char *path = str_format("%s/%s", damaged, source->env);
	const struct salvage_source from = { path, source->database, source->kind == ENTRY_RECORD };
	AUTO_ERROR why = { 0 };
	int is_whole;

	saving->source = source;
	saving->env = strcmp(source->env, "log") == 0 ? &saving->store->log : &saving->store->state;
	saving->saved = 0;
	is_whole = salvage_read(&from, save_entry, saving, &why);
	if (is_whole < 0 && saving->txn) { /* the new store refused it: a full disk, perhaps */
		mdb_txn_abort(TAKE(saving->txn));
		return error_set(err, "%s", error_text(&why));
	}
	if (commit(saving, err) < 0)
		return -1;
	if (source->what)
		report->counts[report->count++] =
			(struct salvage_count){ source->what, saving->saved, is_whole > 0 };
	return is_whole > 0;
}

/* ---- What must fit together in the new store ---- */

static int put_counter(struct saving *saving, MDB_dbi dbi, struct lmdb_env *env, struct text key,
		       uint64_t least, uint64_t *out, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	struct store_key number;
	struct text value;
	int there, rc;

	if (lmdb_begin(env, true, &txn, err) < 0 ||
	    (there = lmdb_get(env, txn, dbi, key, &value, err)) < 0)
		return -1;
	*out = MAX(least, there ? store_key_number(value) : 0);
	number = store_key(*out);
	if (lmdb_put(env, txn, dbi, key, lmdb_key(&number), 0, err) < 0)
		return -1;
	rc = mdb_txn_commit(TAKE(txn));
	return rc ? lmdb_fail(env, rc, err) : 0;
}

/* From where on the records came in the last minutes before last_ms. */
struct recent {
	int64_t since_ms;
	uint64_t before; /* the last one older than that */
};

static bool note_old(void *ctx, const struct record *record)
{
	struct recent *recent = ctx;

	if (record->time_ms < recent->since_ms)
		recent->before = record->seq;
	return true;
}

/* Which records were judged is not known: those of the last minutes are judged again. */
static int guess_cursor(struct saving *saving, struct error *err)
{
	struct store *store = &saving->store->base;
	struct recent recent = { .since_ms = saving->last_ms - UNSURE_MS };
	struct store_txn *txn;

	if (store_log_read(store, 0, SIZE_MAX, SIZE_MAX, note_old, &recent, err) < 0 ||
	    store_begin(store, &txn, err) < 0)
		return -1;
	if (recent.before && store_cursor_put(txn, recent.before, err) < 0) {
		store_abort(txn);
		return -1;
	}
	return store_commit(txn, err);
}

/* The next start finds that nothing was heard since then (app/watch_gap). */
static int set_back(struct saving *saving, const char *const *watches, int64_t since_ms,
		    struct error *err)
{
	AUTO(free) char *text = str_format("%lld", (long long)since_ms);

	for (size_t i = 0; watches[i]; i++) {
		AUTO(free) char *name = str_format("alive/%s", watches[i]);

		if (store_note_put(&saving->store->base, name, text_of(text), err) < 0)
			return -1;
	}
	return 0;
}

static int64_t changed_ms(const char *damaged, const char *env)
{
	AUTO(free) char *path = str_format("%s/%s/data.mdb", damaged, env);
	struct stat file;

	return stat(path, &file) < 0 ? clock_now_ms() : (int64_t)file.st_mtim.tv_sec * 1000;
}

static int make_fit(struct saving *saving, const char *const *watches, bool log_is_whole,
		    bool state_is_whole, int64_t log_changed_ms, struct salvage_report *report,
		    struct error *err)
{
	struct store_lmdb *store = saving->store;
	uint64_t cursor, last;

	if (store_cursor_get(&store->base, &cursor, err) < 0)
		return -1;
	report->is_cursor_lost = !cursor && !state_is_whole && saving->last_seq;
	if (report->is_cursor_lost && guess_cursor(saving, err) < 0)
		return -1;
	if (put_counter(saving, store->counters, &store->state, TEXT("job"), saving->last_job,
			&last, err) < 0 ||
	    put_counter(saving, store->notes, &store->log, TEXT("last_seq"),
			MAX(cursor, saving->last_seq), &last, err) < 0)
		return -1;
	if (log_is_whole)
		return 0;
	/* The records end at last_ms, or something between them is missing. */
	report->gap_ms =
		MIN(saving->last_ms ? saving->last_ms : INT64_MAX, log_changed_ms) - UNSURE_MS;
	return set_back(saving, watches, report->gap_ms, err);
}

/* ---- Files ---- */

static int move(const char *from_folder, const char *to_folder, const char *name, struct error *err)
{
	AUTO(free) char *from = str_format("%s/%s", from_folder, name);
	AUTO(free) char *to = str_format("%s/%s", to_folder, name);

	if (rename(from, to) < 0 && errno != ENOENT)
		return error_errno(err, "cannot move %s to %s", from, to);
	return 0;
}

static void remove_store(const char *path)
{
	static const char *const files[] = {
		"log/data.mdb",   "log/lock.mdb", "log",    "state/data.mdb",
		"state/lock.mdb", "state",        "format", "lock"
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO(free) char *file = str_format("%s/%s", path, files[i]);

		(void)remove(file);
	}
	(void)remove(path);
}

static off_t length_of(const char *folder, const char *env)
{
	AUTO(free) char *path = str_format("%s/%s/data.mdb", folder, env);
	struct stat file;

	return stat(path, &file) < 0 ? -1 : file.st_size;
}

/* Reading fills a file up that was cut off. */
static void cut_back(const char *folder, const char *env, off_t length)
{
	AUTO(free) char *path = str_format("%s/%s/data.mdb", folder, env);

	if (length >= 0 && length_of(folder, env) > length)
		(void)!truncate(path, length);
}

static int save_all(struct saving *saving, const char *damaged, const char *const *watches,
		    struct salvage_report *report, struct error *err)
{
	struct store_lmdb *store = saving->store;
	struct source sources[8 + SPACE_COUNT] = {
		{ "log", "records", "records", ENTRY_RECORD, store->records },
		{ "log", "gaps", "gaps", ENTRY_NUMBERED, store->gaps },
		{ "log", "notes", NULL, ENTRY_ANY, store->notes },
		{ "state", "jobs", "jobs that wait", ENTRY_JOB, store->jobs },
		{ "state", "history", "jobs that were done", ENTRY_ENDED, store->history },
		{ "state", "dead", "dead letters", ENTRY_ENDED, store->dead },
		{ "state", "counters", NULL, ENTRY_ANY, store->counters },
	};
	const off_t log_length = length_of(damaged, "log"),
		    state_length = length_of(damaged, "state");
	int64_t log_changed_ms = changed_ms(damaged, "log");
	bool log_is_whole = true, state_is_whole = true;
	size_t count = 7;
	int rc = 0;

	for (int space = 0; space < SPACE_COUNT; space++)
		sources[count++] =
			(struct source){ "state", lmdb_space_name(space), lmdb_space_name(space),
					 ENTRY_ANY, store->spaces[space] };
	for (size_t i = 0; i < count && rc >= 0; i++) {
		rc = save_database(saving, damaged, &sources[i], report, err);
		if (strcmp(sources[i].env, "log") == 0)
			log_is_whole &= rc > 0;
		else
			state_is_whole &= rc > 0;
	}
	cut_back(damaged, "log", log_length);
	cut_back(damaged, "state", state_length);
	if (rc < 0)
		return -1;
	return make_fit(saving, watches, log_is_whole, state_is_whole, log_changed_ms, report, err);
}

static int put_in_place(const char *path, const char *fresh, const char *kept, struct error *err)
{
	if (mkdir(kept, 0700) < 0)
		return error_errno(err, "cannot create the directory %s", kept);
	if (move(path, kept, "log", err) < 0 || move(path, kept, "state", err) < 0 ||
	    move(path, kept, "format", err) < 0 || move(fresh, path, "log", err) < 0 ||
	    move(fresh, path, "state", err) < 0 || move(fresh, path, "format", err) < 0)
		return -1;
	remove_store(fresh);
	return 0;
}

static char *name_kept(const char *path)
{
	AUTO(free) char *time = clock_format(clock_now_ms());

	time[19] = 0; /* to the second, and without what some file systems refuse in names */
	for (char *at = time; *at; at++)
		if (*at == ':')
			*at = '-';
	return str_format("%s/damaged-%s", path, time);
}

int store_salvage(const struct store_settings *settings, const char *const *watches,
		  struct salvage_report *out, struct error *err)
{
	struct text url = text_of(settings->url);
	AUTO(free) char *path = NULL;
	AUTO(free) char *fresh = NULL;
	AUTO(free) char *fresh_url = NULL;
	struct store_settings fresh_settings = *settings;
	struct saving saving = { 0 };
	struct store *store;
	int lock_fd, rc;

	*out = (struct salvage_report){ 0 };
	if (!text_starts_with(url, TEXT("embedded:")))
		return error_set(err, "only an embedded store can be salvaged; Redis has "
				      "redis-check-aof for its own files");
	path = text_copy((struct text){ url.data + 9, url.size - 9 });
	fresh = str_format("%s/salvaged", path);
	fresh_url = str_format("embedded:%s", fresh);
	if (lmdb_lock(path, &lock_fd, err) < 0)
		return -1;
	remove_store(fresh); /* of one that did not get to its end */
	fresh_settings.url = fresh_url;
	if (store_open(&store, &fresh_settings, err) < 0) {
		close(lock_fd);
		return -1;
	}
	saving.store = lmdb_of(store);
	rc = save_all(&saving, path, watches, out, err);
	store_close(store);
	if (rc == 0) {
		out->kept = name_kept(path);
		rc = put_in_place(path, fresh, out->kept, err);
	} else {
		remove_store(fresh);
	}
	close(lock_fd);
	return rc;
}
