/*
 * echo: the ledger, written on the spaces of any store. SPACE_EXPECT holds, by the first byte of
 *the key:
 *
 *	e (job, step, number)             an expectation
 *	i digest (job, step, number)      where to look for it: by file id, or by path without one
 *	x expires (job, step, number)     when it ends
 */
#include "store/echo.h"

#include "base/buf.h"

#define OPEN_MS (10 * 60 * 1000)

struct id {
	struct store_key job;
	char step[4];
	char number[4];
};

struct head {
	int64_t expires_ms;
	uint64_t after_seq; /* the log's last record when it was stored */
	uint32_t type;
	uint32_t file_id_size;
	uint32_t has_path;
	uint32_t is_lasting;
};

struct entry {
	struct id id;
	struct head head;
	struct text file_id, path; /* in value */
	char *value;
	bool is_renewed;
};

struct entries {
	struct entry *items;
	size_t count;
	bool is_damaged;
	/* While collecting: */
	struct text prefix;
};

static void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->items[i].value);
	free(entries->items);
}

#define AUTO_ENTRIES __attribute__((cleanup(entries_clear))) struct entries

static void put_number(char bytes[4], unsigned number)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (char)(number >> (24 - 8 * i));
}

static unsigned get_number(const char bytes[4])
{
	unsigned number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 8 | (unsigned char)bytes[i];
	return number;
}

static struct id id_of(uint64_t job, unsigned step, unsigned number)
{
	struct id id = { .job = store_key(job) };

	put_number(id.step, step);
	put_number(id.number, number);
	return id;
}

static uint64_t id_job(const struct id *id)
{
	return store_key_number((struct text){ id->job.bytes, sizeof(id->job.bytes) });
}

/* A key of one letter, perhaps a number, and an id. */
struct key {
	char bytes[1 + 8 + sizeof(struct id)];
	size_t size;
};

static struct key entry_key(const struct id *id)
{
	struct key key = { .bytes = "e", .size = 1 + sizeof(*id) };

	memcpy(key.bytes + 1, id, sizeof(*id));
	return key;
}

static struct key numbered_key(char letter, uint64_t number, const struct id *id)
{
	struct store_key first = store_key(number);
	struct key key = { .size = sizeof(key.bytes) };

	key.bytes[0] = letter;
	memcpy(key.bytes + 1, &first, 8);
	memcpy(key.bytes + 9, id, sizeof(*id));
	return key;
}

static struct text key_text(const struct key *key)
{
	return (struct text){ key->bytes, key->size };
}

uint64_t echo_digest(struct text file_id, struct text path)
{
	struct text text = file_id.size ? file_id : path;
	uint64_t digest = 14695981039346656037ull ^ (file_id.size ? 0 : 1); /* FNV-1a */

	for (size_t i = 0; i < text.size; i++)
		digest = (digest ^ (unsigned char)text.data[i]) * 1099511628211ull;
	return digest;
}

struct text echo_first_digest_key(void)
{
	return TEXT("i");
}

bool echo_key_digest(struct text key, uint64_t *out)
{
	if (key.size != sizeof((struct key){ 0 }.bytes) || key.data[0] != 'i')
		return false;
	*out = store_key_number((struct text){ key.data + 1, 8 });
	return true;
}

/* ---- Reading ---- */

/* value is given away. */
static int decode(struct entry *entry, const struct id *id, char *value, size_t size)
{
	entry->id = *id;
	entry->value = value;
	if (size < sizeof(entry->head))
		return -1;
	memcpy(&entry->head, value, sizeof(entry->head));
	if (entry->head.file_id_size > size - sizeof(entry->head))
		return -1;
	entry->file_id = (struct text){ value + sizeof(entry->head), entry->head.file_id_size };
	entry->path = (struct text){ entry->file_id.data + entry->file_id.size,
				     size - sizeof(entry->head) - entry->file_id.size };
	return 0;
}

static bool collect_entry(void *ctx, struct text key, struct text value)
{
	struct entries *entries = ctx;
	struct id id;

	if (!text_starts_with(key, entries->prefix))
		return false;
	if (key.size != 1 + sizeof(id)) {
		entries->is_damaged = true;
		return false;
	}
	memcpy(&id, key.data + 1, sizeof(id));
	entries->items = mem_grow(entries->items, entries->count + 1, sizeof(*entries->items));
	entries->items[entries->count] = (struct entry){ 0 };
	if (decode(&entries->items[entries->count++], &id, text_copy(value), value.size) < 0)
		entries->is_damaged = true;
	return !entries->is_damaged;
}

static int damaged(struct error *err)
{
	return error_set(err, "the ledger of expected events is damaged");
}

/* All of one step, from a transaction or, if that is NULL, from the store. */
static int read_step(struct store *store, struct store_txn *txn, uint64_t job, unsigned step,
		     struct entries *out, struct error *err)
{
	struct id id = id_of(job, step, 0);
	struct key key = entry_key(&id);
	int rc;

	out->prefix = (struct text){ key.bytes, key.size - sizeof(id.number) };
	rc = txn ? store_scan(txn, SPACE_EXPECT, out->prefix, collect_entry, out, err)
		 : store_peek_scan(store, SPACE_EXPECT, out->prefix, collect_entry, out, err);
	if (rc < 0)
		return -1;
	return out->is_damaged ? damaged(err) : 0;
}

/* ---- Writing ---- */

static int write_entry(struct store_txn *txn, const struct entry *entry, struct error *err)
{
	struct key key = entry_key(&entry->id);
	struct key index = numbered_key('i', echo_digest(entry->file_id, entry->path), &entry->id);
	struct key expiry = numbered_key('x', (uint64_t)entry->head.expires_ms, &entry->id);
	AUTO(buf_free) struct buf *value = buf_new(SIZE_MAX / 2);

	if (!buf_append(value, &entry->head, sizeof(entry->head)) ||
	    !buf_append(value, entry->file_id.data, entry->file_id.size) ||
	    !buf_append(value, entry->path.data, entry->path.size))
		abort(); /* the limit is beyond memory */
	if (store_put(txn, SPACE_EXPECT, key_text(&key), buf_text(value), err) < 0 ||
	    store_put(txn, SPACE_EXPECT, key_text(&index), TEXT(""), err) < 0)
		return -1;
	return store_put(txn, SPACE_EXPECT, key_text(&expiry), TEXT(""), err);
}

static int remove_expiry(struct store_txn *txn, const struct entry *entry, struct error *err)
{
	struct key expiry = numbered_key('x', (uint64_t)entry->head.expires_ms, &entry->id);

	return store_delete(txn, SPACE_EXPECT, key_text(&expiry), err);
}

static int remove_entry(struct store_txn *txn, const struct entry *entry, struct error *err)
{
	struct key key = entry_key(&entry->id);
	struct key index = numbered_key('i', echo_digest(entry->file_id, entry->path), &entry->id);

	if (store_delete(txn, SPACE_EXPECT, key_text(&key), err) < 0 ||
	    store_delete(txn, SPACE_EXPECT, key_text(&index), err) < 0)
		return -1;
	return remove_expiry(txn, entry, err);
}

static bool is_same(const struct entry *entry, const struct expectation *expectation)
{
	return entry->head.type == expectation->type &&
	       text_equal(entry->file_id, text_of(expectation->file_id)) &&
	       entry->head.has_path == (expectation->path != NULL) &&
	       text_equal(entry->path, text_of(expectation->path));
}

/* One more expectation, or an older one renewed. */
static int put_expectation(struct store_txn *txn, const struct expectation *expectation,
			   struct entries *open, unsigned *next_number, const struct head *head,
			   struct error *err)
{
	struct entry entry = {
		.head = *head,
		.file_id = text_of(expectation->file_id),
		.path = text_of(expectation->path),
	};
	unsigned number = *next_number;

	for (size_t i = 0; i < open->count; i++) {
		if (open->items[i].is_renewed || !is_same(&open->items[i], expectation))
			continue;
		open->items[i].is_renewed = true;
		if (remove_expiry(txn, &open->items[i], err) < 0)
			return -1;
		number = get_number(open->items[i].id.number);
		/* What it was met by meanwhile may still wait in the log to be judged. */
		if (expectation->is_lasting)
			entry.head.after_seq = open->items[i].head.after_seq;
		break;
	}
	if (number == *next_number)
		++*next_number;
	entry.id = id_of(expectation->job, expectation->step, number);
	entry.head.type = expectation->type;
	entry.head.file_id_size = (uint32_t)entry.file_id.size;
	entry.head.has_path = expectation->path != NULL;
	entry.head.is_lasting = expectation->is_lasting;
	return write_entry(txn, &entry, err);
}

int echo_expect_in(struct store_txn *txn, const struct expectation *expectations, size_t count,
		   uint64_t after_seq, int64_t now_ms, struct error *err)
{
	AUTO_ENTRIES open = { 0 };
	struct head head = { .expires_ms = now_ms + OPEN_MS, .after_seq = after_seq };
	unsigned next_number = 0;

	if (count &&
	    read_step(NULL, txn, expectations[0].job, expectations[0].step, &open, err) < 0)
		return -1;
	if (open.count)
		next_number = get_number(open.items[open.count - 1].id.number) + 1;
	for (size_t i = 0; i < count; i++)
		if (put_expectation(txn, &expectations[i], &open, &next_number, &head, err) < 0)
			return -1;
	return 0;
}

int echo_expect(struct store *store, const struct expectation *expectations, size_t count,
		const struct job *progress, int64_t now_ms, int64_t lease_ms, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	uint64_t first, after_seq;

	/* The end of the log is read before the request goes out: its echo comes behind it. */
	if (store_log_range(store, &first, &after_seq, err) < 0 ||
	    store_begin(store, &txn, err) < 0 ||
	    echo_expect_in(txn, expectations, count, after_seq, now_ms, err) < 0)
		return -1;
	if (progress && store_job_save_in(txn, progress, now_ms, lease_ms, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err);
}

int64_t echo_count_open(struct store *store, uint64_t job, unsigned step, int64_t now_ms,
			struct error *err)
{
	AUTO_ENTRIES open = { 0 };
	int64_t count = 0;

	if (read_step(store, NULL, job, step, &open, err) < 0)
		return -1;
	for (size_t i = 0; i < open.count; i++)
		count += open.items[i].head.expires_ms > now_ms;
	return count;
}

static bool count_entry(void *ctx, struct text key, struct text value)
{
	if (!text_starts_with(key, TEXT("e")))
		return false;
	++*(int64_t *)ctx;
	return true;
}

int64_t echo_count(struct store *store, struct error *err)
{
	int64_t count = 0;

	if (store_peek_scan(store, SPACE_EXPECT, TEXT("e"), count_entry, &count, err) < 0)
		return -1;
	return count;
}

int echo_close_in(struct store_txn *txn, uint64_t job, unsigned step, int64_t expires_ms,
		  struct error *err)
{
	AUTO_ENTRIES open = { 0 };

	if (read_step(NULL, txn, job, step, &open, err) < 0)
		return -1;
	for (size_t i = 0; i < open.count; i++) {
		if (remove_expiry(txn, &open.items[i], err) < 0)
			return -1;
		open.items[i].head.expires_ms = expires_ms;
		if (write_entry(txn, &open.items[i], err) < 0)
			return -1;
	}
	return 0;
}

int echo_close(struct store *store, uint64_t job, unsigned step, int64_t expires_ms,
	       struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	if (store_begin(store, &txn, err) < 0 || echo_close_in(txn, job, step, expires_ms, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err);
}

static int withdraw(struct store *store, uint64_t job, unsigned step, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;
	AUTO_ENTRIES open = { 0 };

	if (store_begin(store, &txn, err) < 0 || read_step(store, txn, job, step, &open, err) < 0)
		return -1;
	for (size_t i = 0; i < open.count; i++)
		if (remove_entry(txn, &open.items[i], err) < 0)
			return -1;
	return open.count ? store_commit(TAKE(txn), err) : 0;
}

int echo_withdraw(struct store *store, uint64_t job, unsigned step, struct error *err)
{
	int rc;

	/* What the filter took of them meanwhile is not there at the next try. */
	do {
		error_clear(err);
		rc = withdraw(store, job, step, err);
	} while (rc == STORE_CONFLICT);
	return rc < 0 ? -1 : 0;
}

/* ---- Matching and expiry ---- */

struct ids {
	struct id *items;
	size_t count;
	char letter;
	uint64_t least, most; /* of the number in the key */
};

static void ids_clear(struct ids *ids)
{
	free(ids->items);
}

#define AUTO_IDS __attribute__((cleanup(ids_clear))) struct ids

static bool collect_id(void *ctx, struct text key, struct text value)
{
	struct ids *ids = ctx;
	uint64_t number;

	if (key.size != sizeof((struct key){ 0 }.bytes) || key.data[0] != ids->letter)
		return false;
	number = store_key_number((struct text){ key.data + 1, 8 });
	if (number < ids->least || number > ids->most)
		return false;
	ids->items = mem_grow(ids->items, ids->count + 1, sizeof(*ids->items));
	memcpy(&ids->items[ids->count++], key.data + 9, sizeof(*ids->items));
	return true;
}

static int read_ids(struct store_txn *txn, struct ids *ids, struct error *err)
{
	struct id none = { 0 };
	struct key from = numbered_key(ids->letter, ids->least, &none);

	return store_scan(txn, SPACE_EXPECT, key_text(&from), collect_id, ids, err);
}

/* 1: *out is filled, and its value for free(); 0: not there. */
static int read_entry(struct store_txn *txn, const struct id *id, struct entry *out,
		      struct error *err)
{
	struct key key = entry_key(id);
	char *value;
	size_t size;

	if (store_get(txn, SPACE_EXPECT, key_text(&key), &value, &size, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (decode(out, id, value, size) < 0) {
		free(value);
		return damaged(err);
	}
	return 1;
}

static bool fits(const struct entry *entry, const struct event *event, int64_t now_ms)
{
	if (entry->head.type != event->type || entry->head.expires_ms <= now_ms)
		return false;
	/* What was in the log before the request went out is somebody else's change. */
	if (event->seq && event->seq <= entry->head.after_seq)
		return false;
	if (!entry->file_id.size)
		return text_equal(entry->path, event->path);
	if (!text_equal(entry->file_id, event->file_id))
		return false;
	return !entry->head.has_path || event->path_is_lossy ||
	       text_equal(entry->path, event->path);
}

static int match_by(struct store_txn *txn, uint64_t digest, const struct event *event,
		    int64_t now_ms, uint64_t *out_job, unsigned *out_step, struct error *err)
{
	AUTO_IDS ids = { .letter = 'i', .least = digest, .most = digest };

	if (read_ids(txn, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.count; i++) {
		AUTO(free) char *value = NULL;
		struct entry entry = { 0 };
		int there = read_entry(txn, &ids.items[i], &entry, err);

		if (there < 0)
			return -1;
		value = entry.value;
		if (!there || !fits(&entry, event, now_ms))
			continue;
		if (!entry.head.is_lasting && remove_entry(txn, &entry, err) < 0)
			return -1;
		*out_job = id_job(&entry.id);
		*out_step = get_number(entry.id.step);
		return 1;
	}
	return 0;
}

int echo_match(struct store_txn *txn, const struct event *event, int64_t now_ms, uint64_t *out_job,
	       unsigned *out_step, struct error *err)
{
	int found = 0;

	if (event->file_id.size)
		found = match_by(txn, echo_digest(event->file_id, TEXT_NONE), event, now_ms,
				 out_job, out_step, err);
	if (found)
		return found;
	return match_by(txn, echo_digest(TEXT_NONE, event->path), event, now_ms, out_job, out_step,
			err);
}

int64_t echo_expire(struct store_txn *txn, int64_t now_ms, struct error *err)
{
	AUTO_IDS ids = { .letter = 'x', .least = 0, .most = (uint64_t)MAX(now_ms, 0) };

	if (read_ids(txn, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.count; i++) {
		AUTO(free) char *value = NULL;
		struct entry entry = { 0 };
		int there = read_entry(txn, &ids.items[i], &entry, err);

		if (there < 0)
			return -1;
		value = entry.value;
		if (there && remove_entry(txn, &entry, err) < 0)
			return -1;
	}
	return (int64_t)ids.count;
}
