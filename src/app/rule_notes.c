#include "app/rule_notes.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "app/label.h"
#include "base/clock.h"

/* "rules/WATCH/" and 16 hex digits -> {"digest": .., "time": ..} */
int rule_note_put(struct store_txn *txn, const char *watch, uint64_t after_seq, const char *digest,
		  int64_t now_ms, struct error *err)
{
	AUTO(free) char *key = str_format("rules/%s/%016" PRIx64, watch, after_seq);
	AUTO(free) char *time = clock_format(now_ms);
	AUTO(free) char *value = str_format("{\"digest\":\"%s\",\"time\":\"%s\"}", digest, time);

	return store_put(txn, SPACE_META, text_of(key), text_of(value), err);
}

struct search {
	struct text prefix;
	uint64_t seq, until;
	struct rule_note *note;
	size_t changes;
	char digest[65]; /* of the note before */
};

static void read_note(struct text value, struct rule_note *out)
{
	AUTO(json_decref) json_t *object = json_loadb(value.data, value.size, 0, NULL);
	const char *digest = json_string_value(json_object_get(object, "digest"));
	const char *time = json_string_value(json_object_get(object, "time"));

	snprintf(out->digest, sizeof(out->digest), "%s", digest ? digest : "");
	snprintf(out->time, sizeof(out->time), "%s", time ? time : "");
}

static bool visit_note(void *ctx, struct text key, struct text value)
{
	struct search *search = ctx;
	struct rule_note note = { 0 };
	AUTO(free) char *number = NULL;

	if (!text_starts_with(key, search->prefix))
		return false;
	number = text_copy(
		(struct text){ key.data + search->prefix.size, key.size - search->prefix.size });
	note.after_seq = strtoull(number, NULL, 16);
	if (note.after_seq >= search->until)
		return false;
	read_note(value, &note);
	if (note.after_seq < search->seq)
		*search->note = note;
	else if (strcmp(note.digest, search->digest) != 0)
		search->changes++; /* a start of the monitor is no change */
	memcpy(search->digest, note.digest, sizeof(note.digest));
	return true;
}

int rule_note_find(struct store *store, const char *watch, uint64_t seq, uint64_t until,
		   struct rule_note *out, size_t *out_changes, struct error *err)
{
	AUTO(free) char *prefix = str_format("rules/%s/", watch);
	struct search search = { text_of(prefix), seq, MAX(until, seq), out };

	*out = (struct rule_note){ 0 };
	if (store_peek_scan(store, SPACE_META, search.prefix, visit_note, &search, err) < 0)
		return -1;
	if (out_changes)
		*out_changes = search.changes;
	return 0;
}
