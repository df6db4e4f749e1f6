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
	bool has_junk;   /* entries of the database that are not what they should be */
	bool is_refused; /* by the new store: a full disk, perhaps */
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

static int save_entry(struct saving *saving, struct text key, struct text value, struct error *err)
{
	int saved;

	if (!saving->txn && lmdb_begin(saving->env, true, &saving->txn, err) < 0)
		return -1;
	if ((saved = put(saving, key, value, err)) < 0)
		return -1;
	saving->saved += (uint64_t)saved;
	saving->has_junk |= !saved;
	return ++saving->in_txn == BATCH ? commit(saving, err) : 0;
}

static int save_or_refuse(void *ctx, struct text key, struct text value, struct error *err)
{
	struct saving *saving = ctx;
	int rc = save_entry(saving, key, value, err);

	saving->is_refused |= rc < 0;
	return rc;
}

/* ---- One database after the other ---- */

/* Databases that people know by one name are counted together. */
static void count_saved(struct salvage_report *report, const char *what, uint64_t saved,
			bool is_whole)
{
	struct salvage_count *last = &report->counts[MAX(report->count, 1) - 1];

	if (!report->count || strcmp(last->what, what) != 0) {
		last = &report->counts[report->count++];
		*last = (struct salvage_count){ what, 0, true };
	}
	last->saved += saved;
	last->is_whole &= is_whole;
}

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
	saving->has_junk = false;
	is_whole = salvage_read(&from, save_or_refuse, saving, &why);
	if (saving->is_refused) {
		mdb_txn_abort(TAKE(saving->txn));
		return error_set(err, "%s", error_text(&why));
	}
	if (commit(saving, err) < 0)
		return -1;
	is_whole = is_whole > 0 && !saving->has_junk;
	if (source->what)
		count_saved(report, source->what, saving->saved, is_whole);
	return is_whole;
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

/* What the records say about when. */
struct times {
	uint64_t cursor;
	int64_t recent_ms; /* those from then on are recent */
	uint64_t before;   /* the last that is not; 0: all are */
	int64_t first_ms;  /* of the first record; 0: there is none */
	int64_t judged_ms; /* of the last that was judged; 0: none was */
};

static bool note_time(void *ctx, const struct record *record)
{
	struct times *times = ctx;

	if (record->time_ms < times->recent_ms)
		times->before = record->seq;
	if (record->seq <= times->cursor)
		times->judged_ms = record->time_ms;
	if (!times->first_ms)
		times->first_ms = record->time_ms;
	return true;
}

/* Which records were judged is not known: those of the last minutes are judged again. */
static int guess_cursor(struct saving *saving, struct times *times, struct error *err)
{
	struct store_txn *txn;

	if (!times->before)
		return 0;
	if (store_begin(&saving->store->base, &txn, err) < 0)
		return -1;
	if (store_cursor_put(txn, times->before, err) < 0) {
		store_abort(txn);
		return -1;
	}
	times->judged_ms = times->recent_ms;
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
	struct times times = { .recent_ms = saving->last_ms - UNSURE_MS };
	int64_t sure_ms;
	uint64_t last;

	if (store_cursor_get(&store->base, &times.cursor, err) < 0 ||
	    store_log_read(&store->base, 0, SIZE_MAX, SIZE_MAX, note_time, &times, err) < 0)
		return -1;
	report->is_cursor_lost = !times.cursor && !state_is_whole && saving->last_seq;
	if (report->is_cursor_lost && guess_cursor(saving, &times, err) < 0)
		return -1;
	if (put_counter(saving, store->counters, &store->state, TEXT("job"), saving->last_job,
			&last, err) < 0 ||
	    put_counter(saving, store->notes, &store->log, TEXT("last_seq"),
			MAX(times.cursor, saving->last_seq), &last, err) < 0)
		return -1;
	if (log_is_whole)
		return 0;
	/* What came behind the last judged record, and is not there, was never judged. */
	sure_ms = times.judged_ms ? times.judged_ms : times.first_ms;
	report->gap_ms = MIN(sure_ms ? sure_ms : INT64_MAX, log_changed_ms) - UNSURE_MS;
	return set_back(saving, watches, report->gap_ms, err);
}

/* ---- Files ---- */

static void remove_store(const char *path)
{
	static const char *const files[] = { "log/data.mdb",   "log/lock.mdb",   "log",
					     "state/data.mdb", "state/lock.mdb", "state",
					     "format",         "lock",           "done" };

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
			(struct source){ "state", lmdb_space_name(space), "progress and timers",
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

/* Of an environment, the damaged one to kept and the new one in its place, unless that was done. */
static int replace(const char *path, const char *fresh, const char *kept, const char *env,
		   struct error *err)
{
	AUTO(free) char *old = str_format("%s/%s", path, env);
	AUTO(free) char *new = str_format("%s/%s", fresh, env);
	AUTO(free) char *aside = str_format("%s/%s", kept, env);

	if (access(new, F_OK) < 0)
		return 0;
	if (access(aside, F_OK) < 0 && rename(old, aside) < 0 && errno != ENOENT)
		return error_errno(err, "cannot move %s to %s", old, aside);
	if (rename(new, old) < 0)
		return error_errno(err, "cannot move %s to %s", new, old);
	return 0;
}

/*
 * The format stays where it is, so that a start in between finds a store that is not whole, and not
 * none. What is interrupted goes on at the next call: DIR/salvaged/done names kept.
 */
static int put_in_place(const char *path, const char *fresh, const char *kept, struct error *err)
{
	AUTO(free) char *format = str_format("%s/format", path);
	AUTO(free) char *fresh_format = str_format("%s/format", fresh);

	if (mkdir(kept, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "cannot create the directory %s", kept);
	if (replace(path, fresh, kept, "log", err) < 0 ||
	    replace(path, fresh, kept, "state", err) < 0)
		return -1;
	if (access(format, F_OK) < 0 && rename(fresh_format, format) < 0)
		return error_errno(err, "cannot create %s", format);
	remove_store(fresh);
	return 0;
}

/* A name that nothing in the directory has. */
static char *name_kept(const char *path)
{
	AUTO(free) char *time = clock_format(clock_now_ms());
	char *kept;

	time[19] = 0; /* to the second, and without what some file systems refuse in names */
	for (char *at = time; *at; at++)
		if (*at == ':')
			*at = '-';
	kept = str_format("%s/damaged-%s", path, time);
	for (int number = 2; access(kept, F_OK) == 0; number++) {
		free(kept);
		kept = str_format("%s/damaged-%s-%d", path, time, number);
	}
	return kept;
}

static int write_done(const char *fresh, const char *kept, struct error *err)
{
	AUTO(free) char *path = str_format("%s/done", fresh);
	AUTO(free) char *part = str_format("%s/lock", fresh); /* nobody needs that any more */
	const char *name = strrchr(kept, '/') + 1;
	FILE *file = fopen(part, "w");
	bool is_written;

	if (!file)
		return error_errno(err, "cannot write %s", part);
	is_written = fputs(name, file) >= 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;
	is_written &= fclose(file) == 0;
	if (!is_written || rename(part, path) < 0)
		return error_errno(err, "cannot write %s", path);
	return 0;
}

/* For free(); NULL: none was interrupted when it had everything. */
static char *read_done(const char *path, const char *fresh)
{
	AUTO(free) char *done = str_format("%s/done", fresh);
	FILE *file = fopen(done, "r");
	char name[64] = "";
	size_t size;

	if (!file)
		return NULL;
	size = fread(name, 1, sizeof(name) - 1, file);
	fclose(file);
	name[size] = 0;
	name[strcspn(name, "\n")] = 0;
	if (strncmp(name, "damaged-", 8) != 0 || strchr(name, '/'))
		return NULL;
	return str_format("%s/%s", path, name);
}

static int make_fresh(const char *path, const char *fresh, const struct store_settings *settings,
		      const char *const *watches, struct salvage_report *out, struct error *err)
{
	AUTO(free) char *url = str_format("embedded:%s", fresh);
	struct store_settings fresh_settings = *settings;
	struct saving saving = { 0 };
	struct store *store;
	int rc;

	remove_store(fresh); /* of one that did not get to its end */
	fresh_settings.url = url;
	if (store_open(&store, &fresh_settings, err) < 0)
		return -1;
	saving.store = lmdb_of(store);
	rc = save_all(&saving, path, watches, out, err);
	store_close(store);
	out->kept = name_kept(path);
	if (rc == 0)
		rc = write_done(fresh, out->kept, err);
	if (rc < 0)
		remove_store(fresh);
	return rc;
}

static int salvage(const char *path, const struct store_settings *settings,
		   const char *const *watches, struct salvage_report *out, struct error *err)
{
	AUTO(free) char *fresh = str_format("%s/salvaged", path);
	AUTO_ERROR why = { 0 };

	out->kept = read_done(path, fresh);
	out->is_resumed = out->kept;
	if (!out->kept && make_fresh(path, fresh, settings, watches, out, &why) < 0)
		return error_set(err, "%s; nothing was changed", error_text(&why));
	if (put_in_place(path, fresh, out->kept, &why) < 0)
		return error_set(
			err,
			"%s; what was saved is in %s: let cn_monitor salvage put it in place "
			"when that is mended",
			error_text(&why), fresh);
	return 0;
}

static bool is_there(const char *path)
{
	static const char *const names[] = { "format", "log", "state", "salvaged" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(free) char *name = str_format("%s/%s", path, names[i]);

		if (access(name, F_OK) == 0)
			return true;
	}
	return false;
}

int store_salvage(const struct store_settings *settings, const char *const *watches,
		  struct salvage_report *out, struct error *err)
{
	struct text url = text_of(settings->url);
	AUTO(free) char *path = NULL;
	int lock_fd, rc;

	*out = (struct salvage_report){ 0 };
	if (!text_starts_with(url, TEXT("embedded:")))
		return error_set(err, "only an embedded store can be salvaged; Redis has "
				      "redis-check-aof for its own files");
	path = text_copy((struct text){ url.data + 9, url.size - 9 });
	if (!is_there(path))
		return error_set(err, "store %s: there is no store in this directory", path);
	if (lmdb_lock(path, &lock_fd, err) < 0)
		return error_prefix(err, "nothing was changed");
	rc = salvage(path, settings, watches, out, err);
	close(lock_fd);
	return rc;
}
