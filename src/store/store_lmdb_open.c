/* store_lmdb_open: how the embedded store is opened, for writing or only to look on, and how large
 * it may get. */
#include "store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "1"
#define LEAST_BYTES (1024 * 1024)
#define SLACK_BYTES (64 * 1024 * 1024)
#define GROWTH 4 /* times the limit at the start that it may become later */
#define DATABASES_MOST 32

static int make_directory(const char *path, struct error *err)
{
	AUTO(free) char *part = str_copy(path);

	/* Parents too, for a path that a container image did not prepare. */
	for (char *at = part; *at && (at = strchr(at + 1, '/'));) {
		*at = 0;
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return error_errno(err, "cannot create the directory %s", part);
		*at = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "cannot create the directory %s", path);
	return 0;
}

/*
 * A record lock and not flock(): children have that too until they call exec, and if we are killed
 * just then they would keep the store from the next cn_monitor.
 */
int lmdb_lock(const char *folder, int *out_fd, struct error *err)
{
	AUTO(free) char *path = str_format("%s/lock", folder);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char holder[32] = "";
	ssize_t size;

	if (fd < 0)
		return error_errno(err, "cannot open %s", path);
	if (fcntl(fd, F_SETLK, &whole) < 0) {
		int why = errno;

		size = pread(fd, holder, sizeof(holder) - 1, 0);
		holder[strcspn(holder, "\n")] = 0;
		errno = why;
		if (why != EACCES && why != EAGAIN)
			(void)error_errno(err, "cannot lock %s", path);
		else
			(void)error_set(err,
					"store %s is in use by another cn_monitor (process %s)",
					folder, size > 0 ? holder : "unknown");
		close(fd);
		return -1;
	}
	size = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, holder, size, 0) != size) {
		(void)error_errno(err, "cannot write %s", path);
		close(fd);
		return -1;
	}
	*out_fd = fd;
	return 0;
}

static int check_format(const char *path, struct text found, struct error *err)
{
	if (text_is(found, FORMAT))
		return 0;
	return error_set(err,
			 "store %s has format %.*s, and this cn_monitor reads format " FORMAT
			 ": use the version that wrote it, or move the directory aside",
			 path, (int)MIN(found.size, 32), found.data);
}

/* DIR/format is written once both environments exist: from then on a missing or empty one was lost.
 * 1: it is there and right; 0: it is not there. */
static int read_format(struct store_lmdb *store, struct error *err)
{
	AUTO(free) char *path = str_format("%s/format", store->path);
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_errno(err, "cannot open %s", path);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size < 0)
		return error_errno(err, "cannot read %s", path);
	return check_format(store->path, text_trim((struct text){ text, (size_t)size }), err) < 0
		       ? -1
		       : 1;
}

static int write_format(struct store_lmdb *store, struct error *err)
{
	AUTO(free) char *path = str_format("%s/format", store->path);
	AUTO(free) char *fresh = str_format("%s/format.new", store->path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0)
		return error_errno(err, "cannot create %s", fresh);
	written = write(fd, FORMAT "\n", 2) == 2 && fsync(fd) == 0;
	close(fd);
	if (!written || rename(fresh, path) < 0)
		return error_errno(err, "cannot write %s", path);
	return 0;
}

/* How many of the pages from `first` on are free, that is, hold nothing. */
static int count_free(const struct lmdb_env *env, size_t first, size_t *out, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	AUTO(mdb_cursor_close) MDB_cursor *cursor = NULL;
	struct text key, value;
	int there;

	*out = 0;
	if (lmdb_begin(env, false, &txn, err) < 0 || lmdb_cursor(env, txn, 0, &cursor, err) < 0)
		return -1;
	while ((there = lmdb_seek(env, cursor, TEXT_NONE, MDB_NEXT, &key, &value, err)) > 0) {
		/* A list of page numbers, with their count in front. */
		for (size_t i = 1; i < value.size / sizeof(size_t); i++) {
			size_t page;

			memcpy(&page, value.data + i * sizeof(page), sizeof(page));
			if (page >= first)
				++*out;
		}
	}
	return there;
}

/*
 * A page behind the end of the file kills the process (SIGBUS) when it is looked at. LMDB itself
 * leaves the file short by pages that it took and gave back at once; any other page that is missing
 * was cut off.
 */
static int check_length(const struct lmdb_env *env, struct error *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat file;
	mdb_filehandle_t fd;
	size_t there, wanted, free_pages;
	int rc;

	if ((rc = mdb_env_info(env->env, &info)) || (rc = mdb_env_stat(env->env, &stat)) ||
	    (rc = mdb_env_get_fd(env->env, &fd)))
		return lmdb_fail(env, rc, err);
	if (fstat(fd, &file) < 0)
		return error_errno(err, "store %s", env->path);
	there = (size_t)file.st_size / stat.ms_psize;
	wanted = info.me_last_pgno + 1;
	if (there >= wanted)
		return 0;
	/* Zeros are no valid page: with them in place, looking is an error instead of a signal. */
	if (ftruncate(fd, (off_t)(wanted * stat.ms_psize)) < 0)
		return error_errno(err, "store %s", env->path);
	if (count_free(env, there, &free_pages, NULL) == 0 && free_pages == wanted - there)
		return 0;
	if (ftruncate(fd, file.st_size) < 0)
		return error_errno(err, "store %s", env->path);
	return error_set(err,
			 "store %s is damaged: %s/data.mdb has %lld bytes and should have %lld; "
			 "restore it, or let cn_monitor salvage save what can be read of it",
			 env->path, env->path, (long long)file.st_size,
			 (long long)(wanted * stat.ms_psize));
}

static int check_file(const struct lmdb_env *env, struct error *err)
{
	AUTO(free) char *path = str_format("%s/data.mdb", env->path);
	struct stat file;

	if (stat(path, &file) < 0)
		return error_errno(err, "store %s is damaged: %s", env->path, path);
	if (!file.st_size)
		return error_set(err,
				 "store %s is damaged: %s is empty; restore it, or let cn_monitor "
				 "salvage save the rest",
				 env->path, path);
	return 0;
}

static int64_t map_for(int64_t max_bytes)
{
	int64_t bytes = max_bytes + max_bytes / 4 + SLACK_BYTES;

	return bytes & ~(int64_t)(1024 * 1024 - 1);
}

static int map_env(struct lmdb_env *env, const struct store_settings *settings, int64_t max_bytes,
		   struct error *err)
{
	int rc;

	env->map_bytes = map_for(max_bytes);
	if ((rc = mdb_env_create(&env->env)))
		return lmdb_fail(env, rc, err);
	if ((rc = mdb_env_set_maxdbs(env->env, DATABASES_MOST)) ||
	    (rc = mdb_env_set_mapsize(env->env, (size_t)env->map_bytes)))
		return lmdb_fail(env, rc, err);
	rc = mdb_env_open(env->env, env->path, MDB_NOTLS | (settings->sync ? 0 : MDB_NOSYNC), 0600);
	if (!rc)
		return 0;
	mdb_env_close(TAKE(env->env)); /* after a failed opening nothing else may be done with it */
	if (rc == ENOMEM)
		return 1;
	return lmdb_fail(env, rc, err);
}

static int open_env(struct lmdb_env *env, const struct store_lmdb *store, const char *name,
		    const struct store_settings *settings, bool must_exist, struct error *err)
{
	int no_room;

	env->path = str_format("%s/%s", store->path, name);
	env->max_bytes = MAX(settings->max_bytes, LEAST_BYTES);
	if (must_exist && check_file(env, err) < 0)
		return -1;
	if (make_directory(env->path, err) < 0)
		return -1;
	no_room = map_env(env, settings, GROWTH * env->max_bytes, err);
	if (no_room > 0)
		no_room = map_env(env, settings, env->max_bytes, err);
	if (no_room > 0)
		return error_set(err,
				 "store %s: cannot reserve %lld bytes of address space: lower "
				 "[STORE] MAX_SIZE, or raise the limit (ulimit -v)",
				 env->path, (long long)env->map_bytes);
	if (no_room < 0)
		return -1;
	lmdb_forget_dead_readers(env);
	return check_length(env, err);
}

struct database {
	const char *name;
	MDB_dbi *dbi;
};

static int open_databases(struct lmdb_env *env, const struct database *databases, size_t count,
			  struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	MDB_dbi about;
	struct text format;
	int rc, there;

	if (lmdb_begin(env, true, &txn, err) < 0)
		return -1;
	if ((rc = mdb_dbi_open(txn, "about", MDB_CREATE, &about)))
		return lmdb_fail(env, rc, err);
	if ((there = lmdb_get(env, txn, about, TEXT("format"), &format, err)) < 0)
		return -1;
	if (there && check_format(env->path, format, err) < 0)
		return -1;
	if (!there && lmdb_put(env, txn, about, TEXT("format"), TEXT(FORMAT), 0, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if ((rc = mdb_dbi_open(txn, databases[i].name, MDB_CREATE, databases[i].dbi)))
			return lmdb_fail(env, rc, err);
	rc = mdb_txn_commit(TAKE(txn));
	return rc ? lmdb_fail(env, rc, err) : 0;
}

/* ---- Opening to look on ---- */

static int not_for_us(const char *path, struct error *err)
{
	return error_set(err,
			 "store %s may not be read by this user: try it as the one that cn_monitor "
			 "runs as",
			 path);
}

/* Like open_env, beside a process that may have it open and write. */
static int look_at_env(struct lmdb_env *env, const struct store_lmdb *store, const char *name,
		       struct error *err)
{
	int rc;

	env->path = str_format("%s/%s", store->path, name);
	if (access(env->path, R_OK | X_OK) < 0 && errno == EACCES)
		return not_for_us(env->path, err);
	if (check_file(env, err) < 0)
		return -1;
	if ((rc = mdb_env_create(&env->env)) || (rc = mdb_env_set_maxdbs(env->env, DATABASES_MOST)))
		return lmdb_fail(env, rc, err);
	rc = mdb_env_open(env->env, env->path, MDB_NOTLS | MDB_RDONLY, 0600);
	if (rc == EACCES || rc == EPERM)
		return not_for_us(env->path, err);
	return rc ? lmdb_fail(env, rc, err) : 0;
}

static int look_at_databases(struct store_lmdb *store, struct lmdb_env *env,
			     const struct database *databases, size_t count, struct error *err)
{
	AUTO(mdb_txn_abort) MDB_txn *txn = NULL;
	MDB_dbi about;
	struct text format;
	int rc, there;

	if (lmdb_begin(env, false, &txn, err) < 0)
		return -1;
	if ((rc = mdb_dbi_open(txn, "about", 0, &about)))
		return lmdb_fail(env, rc, err);
	if ((there = lmdb_get(env, txn, about, TEXT("format"), &format, err)) < 0)
		return -1;
	if (check_format(env->path, there ? format : TEXT("0"), err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		rc = mdb_dbi_open(txn, databases[i].name, 0, databases[i].dbi);
		if (rc == MDB_NOTFOUND)
			return error_set(err,
					 "store %s was written by an older cn_monitor: start this "
					 "one once, then look again",
					 store->path);
		if (rc)
			return lmdb_fail(env, rc, err);
	}
	rc = mdb_txn_commit(TAKE(txn));
	return rc ? lmdb_fail(env, rc, err) : 0;
}

static int look_at_format(struct store_lmdb *store, struct error *err)
{
	int exists;

	if (access(store->path, R_OK | X_OK) < 0)
		return errno == EACCES
			       ? not_for_us(store->path, err)
			       : error_set(err, "store %s is not there: has cn_monitor run yet?",
					   store->path);
	if ((exists = read_format(store, err)) == 0)
		return error_set(err, "store %s: there is no store in this directory", store->path);
	return MIN(exists, 0);
}

int lmdb_open_all(struct store_lmdb *store, const struct store_settings *settings,
		  struct error *err)
{
	const struct database log[] = {
		{ "records", &store->records },
		{ "gaps", &store->gaps },
		{ "notes", &store->notes },
	};
	struct database state[SPACE_COUNT + 6] = {
		{ "jobs", &store->jobs },   { "ready", &store->ready },
		{ "files", &store->files }, { "history", &store->history },
		{ "dead", &store->dead },   { "counters", &store->counters },
	};
	int exists;

	for (int space = 0; space < SPACE_COUNT; space++)
		state[6 + space] =
			(struct database){ lmdb_space_name(space), &store->spaces[space] };
	if (settings->reads_only) {
		if (look_at_format(store, err) < 0 ||
		    look_at_env(&store->log, store, "log", err) < 0 ||
		    look_at_databases(store, &store->log, log, ARRAY_SIZE(log), err) < 0 ||
		    look_at_env(&store->state, store, "state", err) < 0 ||
		    look_at_databases(store, &store->state, state, ARRAY_SIZE(state), err) < 0)
			return -1;
		return lmdb_log_start(store, err);
	}
	if (make_directory(store->path, err) < 0 ||
	    lmdb_lock(store->path, &store->lock_fd, err) < 0)
		return -1;
	if ((exists = read_format(store, err)) < 0)
		return -1;
	if (open_env(&store->log, store, "log", settings, exists, err) < 0 ||
	    open_databases(&store->log, log, ARRAY_SIZE(log), err) < 0 ||
	    open_env(&store->state, store, "state", settings, exists, err) < 0 ||
	    open_databases(&store->state, state, ARRAY_SIZE(state), err) < 0)
		return -1;
	if (!exists && write_format(store, err) < 0)
		return -1;
	return lmdb_log_start(store, err);
}

int lmdb_limit(struct store *base, int64_t max_bytes, int64_t retention_ms, struct error *err)
{
	struct store_lmdb *store = lmdb_of(base);
	int64_t bytes = MAX(max_bytes, LEAST_BYTES);

	if (map_for(bytes) > MIN(store->log.map_bytes, store->state.map_bytes))
		return error_set(err, "a store that was opened for less cannot grow to %lld bytes",
				 (long long)max_bytes);
	store->log.max_bytes = bytes;
	store->state.max_bytes = bytes;
	store->retention_ms = retention_ms;
	return 0;
}
