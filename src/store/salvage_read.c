#include "store/salvage_read.h"

#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define PATIENCE_S 30 /* for one entry: a damaged tree may go in circles */
#define KEY_MOST 511  /* LMDB's own limit */
#define VALUE_MOST ((size_t)1 << 31)
#define DATABASES_MOST 64

/* What the child says before each entry, and at its end. */
struct said {
	uint32_t kind; /* enum */
	uint32_t key_size;
	uint64_t value_size;
};
enum { SAID_ENTRY = 1, SAID_DAMAGED, SAID_WHOLE, SAID_NOT_OPEN };

/* ---- The child ---- */

static void say(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t put = write(fd, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			_exit(1); /* nobody listens, or the entry points out of the map (EFAULT) */
		at += put;
		size -= (size_t)put;
	}
}

static void say_kind(int fd, uint32_t kind)
{
	const struct said said = { .kind = kind };

	say(fd, &said, sizeof(said));
}

/* The entry's bytes are touched before anything is said of it. */
static void say_entry(int fd, const MDB_val *key, const MDB_val *value)
{
	AUTO(free) char *bytes = malloc(key->mv_size + value->mv_size + 1);
	const struct said said = { SAID_ENTRY, (uint32_t)key->mv_size, value->mv_size };

	if (!bytes)
		_exit(1);
	memcpy(bytes, key->mv_data, key->mv_size);
	memcpy(bytes + key->mv_size, value->mv_data, value->mv_size);
	alarm(PATIENCE_S);
	say(fd, &said, sizeof(said));
	say(fd, bytes, key->mv_size + value->mv_size);
}

static bool is_sane(const MDB_val *key, const MDB_val *value)
{
	return key->mv_size <= KEY_MOST && value->mv_size < VALUE_MOST;
}

static int compare(const MDB_val *a, const MDB_val *b)
{
	int rc = memcmp(a->mv_data, b->mv_data, MIN(a->mv_size, b->mv_size));

	return rc ? rc : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

/* A key that outlives its page. */
struct kept_key {
	char bytes[KEY_MOST];
	MDB_val val;
};

static void keep(struct kept_key *kept, const MDB_val *key)
{
	memcpy(kept->bytes, key->mv_data, key->mv_size);
	kept->val = (MDB_val){ key->mv_size, kept->bytes };
}

/* From where the cursor is put by first; true: it came to the end without damage. */
static bool walk(int fd, MDB_cursor *cursor, MDB_cursor_op first, MDB_cursor_op next, MDB_val *key,
		 struct kept_key *last, const struct kept_key *until)
{
	int order = next == MDB_NEXT ? 1 : -1, rc;
	bool has_last = false;
	MDB_val value;

	for (rc = mdb_cursor_get(cursor, key, &value, first); rc == 0;
	     rc = mdb_cursor_get(cursor, key, &value, next)) {
		if (!is_sane(key, &value) || (has_last && compare(key, &last->val) * order <= 0))
			return false;
		if (until && until->val.mv_size && compare(key, &until->val) * order >= 0)
			return false; /* the rest was seen from the other side */
		say_entry(fd, key, &value);
		keep(last, key);
		has_last = true;
	}
	return rc == MDB_NOTFOUND;
}

static uint64_t number_of(const MDB_val *key)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8 && i < key->mv_size; i++)
		number = number << 8 | ((const unsigned char *)key->mv_data)[i];
	return number;
}

static void put_number(char *bytes, uint64_t number)
{
	for (int i = 7; i >= 0; i--, number >>= 8)
		bytes[i] = (char)(number & 0xff);
}

/* Between the last that came from the front and the first that came from the end: what is behind a
 * damaged page is reached by its number. */
static void jump(int fd, MDB_txn *txn, MDB_dbi dbi, uint64_t from, uint64_t until)
{
	uint64_t step = 1;

	while (from + step < until) {
		MDB_cursor *cursor;
		struct kept_key last = { 0 }, end = { 0 };
		char bytes[8];
		MDB_val key = { sizeof(bytes), bytes };

		put_number(bytes, from + step);
		put_number(end.bytes, until);
		end.val = (MDB_val){ 8, end.bytes };
		if (mdb_cursor_open(txn, dbi, &cursor))
			return;
		(void)walk(fd, cursor, MDB_SET_RANGE, MDB_NEXT, &key, &last, &end);
		mdb_cursor_close(cursor);
		if (last.val.mv_size) {
			from = MAX(number_of(&last.val), from + step);
			step = 1;
		} else {
			step *= 2;
		}
	}
}

/* A page behind the end of the file would kill us when it is looked at; zeros are only damaged. */
static void fill_up(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat file;
	mdb_filehandle_t fd;

	if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat) || mdb_env_get_fd(env, &fd) ||
	    fstat(fd, &file) < 0)
		return;

	off_t wanted = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
	AUTO(free) char *path = NULL;
	const char *folder;

	if (file.st_size >= wanted || mdb_env_get_path(env, &folder))
		return;
	path = str_format("%s/data.mdb", folder);
	(void)!truncate(path, wanted);
}

static void read_database(int fd, const struct salvage_source *source, bool is_backward,
			  struct kept_key *last)
{
	struct kept_key until = *last, first = { 0 };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val key = { 0 };
	bool is_whole;
	int rc;

	alarm(PATIENCE_S);
	if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, DATABASES_MOST) ||
	    mdb_env_open(env, source->path, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600))
		return say_kind(fd, SAID_NOT_OPEN);
	fill_up(env);
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
		return say_kind(fd, SAID_NOT_OPEN);
	rc = mdb_dbi_open(txn, source->database, 0, &dbi);
	if (rc || mdb_cursor_open(txn, dbi, &cursor))
		return say_kind(fd, rc == MDB_NOTFOUND ? SAID_WHOLE : SAID_DAMAGED);
	if (!is_backward) {
		is_whole = walk(fd, cursor, MDB_FIRST, MDB_NEXT, &key, last, NULL);
		return say_kind(fd, is_whole ? SAID_WHOLE : SAID_DAMAGED);
	}
	if (until.val.mv_size)
		until.val.mv_data = until.bytes;
	(void)walk(fd, cursor, MDB_LAST, MDB_PREV, &key, &first, &until);
	if (source->is_numbered)
		jump(fd, txn, dbi, until.val.mv_size ? number_of(&until.val) : 0,
		     first.val.mv_size ? number_of(&first.val) : UINT64_MAX / 2);
	say_kind(fd, SAID_DAMAGED);
}

/* ---- The parent ---- */

/* 1: filled; 0: the end came first. */
static int listen_for(int fd, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t got = read(fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		at += got;
		size -= (size_t)got;
	}
	return 1;
}

struct hearing {
	int (*visit)(void *ctx, struct text key, struct text value, struct error *err);
	void *ctx;
	struct kept_key last;
	bool is_refused;
};

/* Answers the last thing said, SAID_DAMAGED where the child died without a word. */
static uint32_t hear(int fd, struct hearing *hearing, struct error *err)
{
	struct said said;

	while (listen_for(fd, &said, sizeof(said))) {
		if (said.kind != SAID_ENTRY)
			return said.kind;
		if (said.key_size > KEY_MOST || said.value_size >= VALUE_MOST)
			break;

		AUTO(free) char *bytes = mem_new(said.key_size + said.value_size + 1);
		struct text key = { bytes, said.key_size };
		struct text value = { bytes + said.key_size, said.value_size };
		MDB_val last = { said.key_size, bytes };

		if (!listen_for(fd, bytes, said.key_size + said.value_size))
			break;
		if (hearing->visit(hearing->ctx, key, value, err) < 0) {
			hearing->is_refused = true;
			break;
		}
		keep(&hearing->last, &last);
	}
	return SAID_DAMAGED;
}

static int ask_child(const struct salvage_source *source, bool is_backward, struct hearing *hearing,
		     struct error *err)
{
	int ends[2], status;
	uint32_t said;
	pid_t child;

	if (pipe(ends) < 0 || (child = fork()) < 0)
		return error_errno(err, "cannot start reading %s", source->path);
	if (!child) {
		close(ends[0]);
		signal(SIGALRM, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* a crash is expected */
		read_database(ends[1], source, is_backward, &hearing->last);
		_exit(0);
	}
	close(ends[1]);
	said = hear(ends[0], hearing, err);
	close(ends[0]);
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (hearing->is_refused)
		return -1;
	if (said == SAID_NOT_OPEN)
		return error_set(err, "%s cannot be opened: its first pages are damaged",
				 source->path);
	return said == SAID_WHOLE;
}

int salvage_read(const struct salvage_source *source,
		 int (*visit)(void *ctx, struct text key, struct text value, struct error *err),
		 void *ctx, struct error *err)
{
	struct hearing hearing = { visit, ctx };
	int is_whole = ask_child(source, false, &hearing, err);

	if (is_whole)
		return is_whole;
	return ask_child(source, true, &hearing, err) < 0 ? -1 : 0;
}
