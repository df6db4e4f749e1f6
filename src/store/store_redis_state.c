/* store_redis_state: transactions on the state and its spaces. */
#include "store/store_redis.h"

#define TRIM_ENTRIES 1000

static char *copy(struct text bytes)
{
	return bytes.size ? text_copy(bytes) : str_copy("");
}

int redis_full(const struct store_redis *store, struct error *err)
{
	return error_set(
		err,
		"store %s is full: %lld bytes of jobs that wait, dead letters and history; "
		"see what keeps the actions, clear the dead letters, or raise [STORE] "
		"MAX_SIZE",
		store->address.shown, (long long)store->max_bytes);
}

/* ---- What a transaction knows ---- */

static void make_key(char *out, enum store_space space, struct text key)
{
	out[0] = (char)space;
	memcpy(out + 1, key.data, key.size);
}

static struct cell *find_cell(struct redis_txn *txn, enum store_space space, struct text key)
{
	char bytes[1 + STORE_KEY_MAX];
	struct cell *cell;

	make_key(bytes, space, key);
	HASH_FIND(hh, txn->cells, bytes, key.size + 1, cell);
	return cell;
}

static struct cell *need_cell(struct redis_txn *txn, enum store_space space, struct text key)
{
	struct cell *cell = find_cell(txn, space, key);

	if (cell)
		return cell;
	cell = mem_new(sizeof(*cell) + 1 + key.size);
	cell->key_size = key.size + 1;
	make_key(cell->key, space, key);
	HASH_ADD_KEYPTR(hh, txn->cells, cell->key, cell->key_size, cell);
	return cell;
}

/* The first look at a value is what the commit holds against the store. */
void redis_note_read(struct redis_txn *txn, enum store_space space, struct text key, bool was_there,
		     struct text value)
{
	struct cell *cell = need_cell(txn, space, key);

	if (cell->was_read || cell->is_written)
		return;
	cell->was_read = true;
	cell->was_there = was_there;
	cell->read = copy(value);
	cell->read_size = value.size;
}

static void write_cell(struct redis_txn *txn, enum store_space space, struct text key,
		       bool is_there, struct text value)
{
	struct cell *cell = need_cell(txn, space, key);

	free(cell->value);
	cell->value = copy(value);
	cell->value_size = value.size;
	cell->is_written = true;
	cell->is_there = is_there;
}

static void free_txn(struct redis_txn *txn)
{
	struct store_redis *store = redis_of(txn->base.store);
	struct cell *cell, *next;

	HASH_ITER(hh, txn->cells, cell, next)
	{
		HASH_DEL(txn->cells, cell);
		free(cell->read);
		free(cell->value);
		free(cell);
	}
	for (size_t i = 0; i < SPACE_COUNT; i++)
		freeReplyObject(txn->whole[i]);
	words_clear(&txn->jobs);
	free(txn->left);
	free(txn->decided);
	free(txn);
	pthread_mutex_unlock(&store->txn_lock);
}

int redis_begin(struct store *base, struct store_txn **out, struct error *err)
{
	struct store_redis *store = redis_of(base);
	struct redis_txn *txn = NEW(struct redis_txn);

	pthread_mutex_lock(&store->txn_lock);
	txn->base.store = base;
	*out = &txn->base;
	return 0;
}

void redis_abort(struct store_txn *base)
{
	free_txn(redis_txn_of(base));
}

int redis_counters(struct redis_txn *txn, struct error *err)
{
	struct store_redis *store = redis_of(txn->base.store);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	struct text last;

	if (txn->has_counters)
		return 0;
	words_add(&words, TEXT("counters"));
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	last = redis_text(reply->elements == 2 ? reply->element[0] : NULL);
	if (reply->elements != 2 || last.size >= sizeof(txn->last_id))
		return redis_damaged(store, err);
	memcpy(txn->last_id, last.data, last.size);
	txn->next_id = strtoull(txn->last_id, NULL, 10) + 1;
	txn->is_full = redis_number(reply->element[1]) > store->max_bytes;
	txn->has_counters = true;
	return 0;
}

/* ---- Committing ---- */

void redis_add_change(struct words *words, const struct cell *cell)
{
	words_add(words, cell->is_there ? TEXT("P") : TEXT("D"));
	words_add(words, text_of(redis_space_names[(unsigned char)cell->key[0]]));
	words_add(words, cell_key(cell));
	if (cell->is_there)
		words_add(words, cell_value(cell));
}

static void add_number_key(struct words *words, uint64_t number)
{
	struct store_key key = store_key(number);

	words_add(words, number ? (struct text){ key.bytes, sizeof(key.bytes) } : TEXT(""));
}

static void add_cell(struct words *words, const struct cell *cell)
{
	struct text space = text_of(redis_space_names[(unsigned char)cell->key[0]]);

	if (cell->was_read) {
		words_add(words, cell->was_there ? TEXT("C") : TEXT("N"));
		words_add(words, space);
		words_add(words, cell_key(cell));
		if (cell->was_there)
			words_add(words, (struct text){ cell->read, cell->read_size });
	}
	redis_add_change(words, cell);
}

static bool fill_commit(struct redis_txn *txn, uint64_t number, struct words *words)
{
	struct store_redis *store = redis_of(txn->base.store);
	bool is_change = txn->jobs.count > 0;

	words_add(words, TEXT("commit"));
	words_add(words, text_of(store->client));
	words_add_number(words, (int64_t)number);
	if (txn->fence_role) {
		words_add(words, TEXT("F"));
		words_add(words, text_of(txn->fence_role));
		words_add(words, text_of(txn->fence_holder));
		words_add_number(words, (int64_t)txn->fence_token);
	}
	if (txn->has_cursor) {
		words_add(words, TEXT("U"));
		add_number_key(words, txn->cursor_before);
		add_number_key(words, txn->cursor);
		is_change = true;
	}
	for (const struct cell *cell = txn->cells; cell; cell = cell->hh.next)
		if (cell->is_written) {
			add_cell(words, cell);
			is_change = true;
		}
	if (txn->has_counters && strtoull(txn->last_id, NULL, 10) + 1 != txn->next_id) {
		words_add(words, TEXT("I"));
		words_add(words, text_of(txn->last_id));
	}
	words_add_all(words, &txn->jobs);
	return is_change;
}

/* Somebody else has it by now. */
static int lose_job(struct store_redis *store, uint64_t id, struct error *err)
{
	redis_jobs_left(store, &id, 1);
	return redis_not_taken(id, err);
}

static int check_commit(struct store_redis *store, const struct redis_txn *txn,
			const redisReply *reply, struct error *err)
{
	struct text what = redis_text(reply->elements ? reply->element[0] : NULL);

	if (text_is(what, "done"))
		return 0;
	if (text_is(what, "not taken") && reply->elements == 2)
		return lose_job(store, strtoull(reply->element[1]->str, NULL, 10), err);
	if (text_is(what, "not dead") && reply->elements == 2)
		return redis_not_dead(strtoull(reply->element[1]->str, NULL, 10), err);
	if (text_is(what, "moved") && reply->elements == 2)
		return store_cursor_moved(txn->cursor_before,
					  store_key_number(redis_text(reply->element[1])), err);
	if (text_is(what, "fenced") && reply->elements == 3)
		return error_set(err,
				 "store %s: this process does not hold the lease of %s any more "
				 "(%s does); nothing of it was stored",
				 store->address.shown, reply->element[1]->str,
				 reply->element[2]->len ? reply->element[2]->str : "nobody");
	if (text_is(what, "conflict")) {
		error_set(err, "store %s: another process changed the same thing meanwhile",
			  store->address.shown);
		return STORE_CONFLICT;
	}
	return redis_damaged(store, err);
}

static void learn(struct store_redis *store, struct redis_txn *txn, uint64_t number)
{
	store->done_number = number;
	redis_promise(txn, number);
	redis_jobs_left(store, txn->left, txn->left_count);
}

static int commit(struct store_redis *store, struct redis_txn *txn, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	const struct commit about = { ++store->commit_number, txn->left, txn->left_count };
	int rc;

	if (!fill_commit(txn, about.number, &words))
		return 0;
	if (redis_step(store, &words, &about, &reply, err) < 0)
		return -1;
	rc = check_commit(store, txn, reply, err);
	if (rc < 0)
		return rc;
	learn(store, txn, about.number);
	return 0;
}

int redis_commit(struct store_txn *base, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	int rc;

	store_point("state.commit.before");
	rc = commit(redis_of(base->store), txn, err);
	if (rc == 0)
		store_point("state.commit.after");
	free_txn(txn);
	return rc;
}

/* ---- Spaces ---- */

int redis_put(struct store_txn *base, enum store_space space, struct text key, struct text value,
	      struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);

	/* What grows with the events is refused; cursors and expectations are needed to get out of
	 * it again. */
	if (space == SPACE_LABELS) {
		if (redis_counters(txn, err) < 0)
			return -1;
		if (txn->is_full)
			return redis_full(redis_of(base->store), err);
	}
	write_cell(txn, space, key, true, value);
	return 0;
}

int redis_remove(struct store_txn *base, enum store_space space, struct text key, struct error *err)
{
	write_cell(redis_txn_of(base), space, key, false, TEXT(""));
	return 0;
}

static void give(bool is_there, struct text value, char **out, size_t *out_size)
{
	*out = is_there ? copy(value) : NULL;
	if (out_size)
		*out_size = is_there ? value.size : 0;
}

/* For freeReplyObject. */
static redisReply *fetch(struct store_redis *store, enum store_space space, struct text key,
			 struct error *err)
{
	redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };

	words_add(&words, TEXT("get"));
	words_add(&words, text_of(redis_space_names[space]));
	words_add(&words, key);
	return redis_step(store, &words, NULL, &reply, err) < 0 ? NULL : reply;
}

int redis_get(struct store_txn *base, enum store_space space, struct text key, char **out,
	      size_t *out_size, struct error *err)
{
	struct redis_txn *txn = redis_txn_of(base);
	struct cell *cell = find_cell(txn, space, key);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct text value;
	bool is_there;

	if (cell && cell->is_written) {
		give(cell->is_there, cell_value(cell), out, out_size);
		return 0;
	}
	if (redis_find_whole(txn, space, key, &is_there, &value)) {
		redis_note_read(txn, space, key, is_there, value);
		give(is_there, value, out, out_size);
		return 0;
	}
	if (!(reply = fetch(redis_of(base->store), space, key, err)))
		return -1;
	is_there = reply->type == REDIS_REPLY_STRING;
	redis_note_read(txn, space, key, is_there, redis_text(reply));
	give(is_there, redis_text(reply), out, out_size);
	return 0;
}

int redis_peek(struct store *base, enum store_space space, struct text key, char **out,
	       size_t *out_size, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = fetch(redis_of(base), space, key, err);

	if (!reply)
		return -1;
	give(reply->type == REDIS_REPLY_STRING, redis_text(reply), out, out_size);
	return 0;
}

/* ---- Trimming ---- */

/* Labels of records up to this one can go. */
static int first_label(struct store *base, uint64_t *out, struct error *err)
{
	uint64_t first, last, cursor;

	if (store_log_range(base, &first, &last, err) < 0 ||
	    store_cursor_get(base, &cursor, err) < 0)
		return -1;
	*out = first ? first : cursor + 1;
	return 0;
}

int redis_state_trim(struct store *base, int64_t now_ms, struct error *err)
{
	struct store_redis *store = redis_of(base);
	AUTO(freeReplyObject) redisReply *reply = NULL;
	AUTO_WORDS words = { 0 };
	struct store_key key;
	uint64_t before;

	if (first_label(base, &before, err) < 0)
		return -1;
	key = store_key(before);
	words_add(&words, TEXT("trim"));
	words_add_number(&words, MAX(now_ms - store->retention_ms, 0));
	words_add(&words, (struct text){ key.bytes, sizeof(key.bytes) });
	words_add_number(&words, TRIM_ENTRIES);
	if (redis_step(store, &words, NULL, &reply, err) < 0)
		return -1;
	return redis_number(reply) > 0;
}
