#include "app/digest.h"

#include <inttypes.h>

#include "base/parse.h"

#define COUNTED_MOST 20 /* names in "kinds" and "rules"; the others are counted together */
#define SWEEP_MOST 4    /* groups that are looked at when one begins */

struct key {
	char bytes[1 + 3 * 8];
	size_t size;
};

static struct key key_of(char letter, uint64_t group, uint64_t number, uint64_t index, size_t parts)
{
	const struct store_key all[3] = { store_key(group), store_key(number), store_key(index) };
	struct key key = { .size = 1 + 8 * parts };

	key.bytes[0] = letter;
	for (size_t i = 0; i < parts; i++)
		memcpy(key.bytes + 1 + 8 * i, all[i].bytes, 8);
	return key;
}

static struct text key_text(const struct key *key)
{
	return (struct text){ key->bytes, key->size };
}

static uint64_t hash(const char *group)
{
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */

	for (; *group; group++)
		hash = (hash ^ (unsigned char)*group) * 1099511628211ull;
	return hash;
}

static int64_t number_at(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void set_number(json_t *object, const char *name, int64_t number)
{
	json_object_set_new(object, name, json_integer(number));
}

/* What is there; NULL: nothing. What cannot be read is nothing. */
static int read_object(struct store_txn *txn, const struct key *key, json_t **out,
		       struct error *err)
{
	AUTO(free) char *text = NULL;

	if (store_get(txn, SPACE_DIGEST, key_text(key), &text, NULL, err) < 0)
		return -1;
	*out = text ? json_loads(text, 0, NULL) : NULL;
	return 0;
}

static int write_object(struct store_txn *txn, const struct key *key, const json_t *object,
			struct error *err)
{
	AUTO(free) char *text = json_dumps(object, JSON_COMPACT);

	return store_put(txn, SPACE_DIGEST, key_text(key), text_of(text), err);
}

/* ---- The window of a group ---- */

struct sweep {
	uint64_t groups[SWEEP_MOST];
	size_t count, looked_at;
	int64_t now_ms;
};

static bool look_at_head(void *ctx, struct text key, struct text value)
{
	struct sweep *sweep = ctx;
	json_t *head;

	if (key.size != 9 || key.data[0] != 'h' || sweep->looked_at++ >= SWEEP_MOST)
		return false;
	head = json_loadb(value.data, value.size, 0, NULL);
	if (number_at(head, "until") + number_at(head, "window") < sweep->now_ms)
		sweep->groups[sweep->count++] = store_key_number((struct text){ key.data + 1, 8 });
	json_decref(head);
	return true;
}

static int look_from(struct store_txn *txn, uint64_t group, struct sweep *sweep, struct error *err)
{
	struct key key = key_of('h', group, 0, 0, 1);

	return store_scan(txn, SPACE_DIGEST, key_text(&key), look_at_head, sweep, err);
}

/* Groups need not come again: whoever begins one looks at a few others, so that they go. */
static int sweep(struct store_txn *txn, uint64_t from, int64_t now_ms, struct error *err)
{
	struct sweep sweep = { .now_ms = now_ms };

	if (look_from(txn, from, &sweep, err) < 0 ||
	    (sweep.looked_at < SWEEP_MOST && look_from(txn, 0, &sweep, err) < 0))
		return -1;
	for (size_t i = 0; i < sweep.count; i++) {
		struct key key = key_of('h', sweep.groups[i], 0, 0, 1);

		if (store_delete(txn, SPACE_DIGEST, key_text(&key), err) < 0)
			return -1;
	}
	return 0;
}

struct window {
	uint64_t group;
	int64_t number; /* of this window of the group */
	int64_t until_ms;
	bool is_quiet; /* it begins with an event that is told at once */
};

static int open_window(struct store_txn *txn, const struct digest *digest, int64_t now_ms,
		       struct window *out, struct error *err)
{
	struct key key = key_of('h', hash(digest->group), 0, 0, 1);
	json_t *head;
	int64_t until_ms;
	bool was_busy;
	int rc;

	if (read_object(txn, &key, &head, err) < 0)
		return -1;
	until_ms = number_at(head, "until");
	was_busy = json_is_true(json_object_get(head, "busy"));
	*out = (struct window){ hash(digest->group), number_at(head, "number"), until_ms, false };
	if (now_ms >= until_ms || until_ms > now_ms + digest->window_ms) {
		/* The clock may have been set back, or the window made shorter: a new one begins.
		 */
		out->is_quiet = !was_busy || now_ms >= until_ms + digest->window_ms;
		/* By time, so that no number comes twice, were its head swept away meanwhile. */
		out->number = MAX(out->number + 1, now_ms);
		out->until_ms = now_ms + digest->window_ms;
	}
	json_decref(head);
	if (out->is_quiet && sweep(txn, out->group + 1, now_ms, err) < 0)
		return -1;
	head = json_pack("{s:I,s:I,s:b,s:I}", "until", (json_int_t)out->until_ms, "number",
			 (json_int_t)out->number, "busy", !out->is_quiet, "window",
			 (json_int_t)digest->window_ms);
	rc = write_object(txn, &key, head, err);
	json_decref(head);
	return rc;
}

/* ---- Keeping ---- */

static void count_name(json_t *gathered, const char *list, const char *name)
{
	json_t *counts = json_object_get(gathered, list);

	if (!counts) {
		counts = json_object();
		json_object_set_new(gathered, list, counts);
	}
	if (!name || (!json_object_get(counts, name) && json_object_size(counts) >= COUNTED_MOST))
		name = "others";
	set_number(counts, name, number_at(counts, name) + 1);
}

static int keep_entry(struct store_txn *txn, const struct window *window, json_t *gathered,
		      const json_t *entry, struct error *err)
{
	AUTO(free) char *text = json_dumps(entry, JSON_COMPACT);
	int64_t kept = number_at(gathered, "kept"), bytes = number_at(gathered, "bytes");
	struct key key = key_of('e', window->group, (uint64_t)window->number, (uint64_t)kept, 3);

	if (kept >= DIGEST_ENTRIES_MOST || bytes + (int64_t)strlen(text) > DIGEST_BYTES_MOST)
		return 0;
	set_number(gathered, "kept", kept + 1);
	set_number(gathered, "bytes", bytes + (int64_t)strlen(text));
	return store_put(txn, SPACE_DIGEST, key_text(&key), text_of(text), err);
}

static int put_job(struct store_txn *txn, const struct window *window, digest_job *job, void *ctx,
		   struct error *err)
{
	AUTO(free) char *key = str_format("%" PRIu64 ".%" PRId64, window->group, window->number);
	AUTO(free) char *body = job(ctx, key);
	struct job put = { .file_id = (char *)"", .due_ms = window->until_ms, .body = body };
	uint64_t id;

	return store_job_put(txn, &put, &id, err);
}

int digest_keep_in(struct store_txn *txn, const struct digest *digest, int64_t now_ms,
		   digest_job *job, void *ctx, int64_t *out_due_ms, struct error *err)
{
	struct window window;
	struct key key;
	json_t *gathered;
	int rc = 0;

	*out_due_ms = 0;
	if (open_window(txn, digest, now_ms, &window, err) < 0)
		return -1;
	if (window.is_quiet)
		return 0;
	key = key_of('g', window.group, (uint64_t)window.number, 0, 2);
	if (read_object(txn, &key, &gathered, err) < 0)
		return -1;
	if (!gathered) {
		gathered = json_pack("{s:I}", "since_ms", (json_int_t)now_ms);
		rc = put_job(txn, &window, job, ctx, err);
	}
	set_number(gathered, "until_ms", now_ms);
	set_number(gathered, "count", number_at(gathered, "count") + 1);
	count_name(gathered, "kinds", json_string_value(json_object_get(digest->entry, "event")));
	count_name(gathered, "rules", json_string_value(json_object_get(digest->entry, "rule")));
	if (rc == 0)
		rc = keep_entry(txn, &window, gathered, digest->entry, err);
	if (rc == 0)
		rc = write_object(txn, &key, gathered, err);
	json_decref(gathered);
	*out_due_ms = window.until_ms;
	return rc;
}

/* ---- Taking ---- */

static bool parse_key(const char *text, uint64_t *group, uint64_t *number)
{
	const char *dot = strchr(text, '.');
	char *end;

	if (!dot)
		return false;
	*group = strtoull(text, &end, 10);
	if (end != dot)
		return false;
	*number = strtoull(dot + 1, &end, 10);
	return !*end;
}

struct taking {
	struct key prefix;
	json_t *entries;
};

static bool take_entry(void *ctx, struct text key, struct text value)
{
	struct taking *taking = ctx;
	json_t *entry;

	if (!text_starts_with(key, key_text(&taking->prefix)))
		return false;
	entry = json_loadb(value.data, value.size, 0, NULL);
	json_array_append_new(taking->entries, entry ? entry : json_object());
	return true;
}

static int remove_all(struct store_txn *txn, uint64_t group, uint64_t number, size_t entries,
		      struct error *err)
{
	struct key key = key_of('g', group, number, 0, 2);

	for (size_t i = 0; i < entries; i++) {
		struct key entry = key_of('e', group, number, i, 3);

		if (store_delete(txn, SPACE_DIGEST, key_text(&entry), err) < 0)
			return -1;
	}
	return store_delete(txn, SPACE_DIGEST, key_text(&key), err);
}

int digest_take_in(struct store_txn *txn, const char *text, json_t **out, struct error *err)
{
	struct taking taking = { .entries = json_array() };
	uint64_t group = 0, number = 0;
	json_t *gathered = NULL;
	struct key key;
	int rc = -1;

	*out = NULL;
	if (!parse_key(text, &group, &number)) {
		json_decref(taking.entries);
		return error_set(err, "'%s' is no key of what was gathered", text);
	}
	key = key_of('g', group, number, 0, 2);
	taking.prefix = key_of('e', group, number, 0, 2);
	if (read_object(txn, &key, &gathered, err) == 0 &&
	    store_scan(txn, SPACE_DIGEST, key_text(&taking.prefix), take_entry, &taking, err) >= 0)
		rc = remove_all(txn, group, number, json_array_size(taking.entries), err);
	if (rc == 0 && gathered) {
		json_object_del(gathered, "kept");
		json_object_del(gathered, "bytes");
		json_object_set(gathered, "entries", taking.entries);
		*out = json_incref(gathered);
	}
	json_decref(gathered);
	json_decref(taking.entries);
	return rc;
}
