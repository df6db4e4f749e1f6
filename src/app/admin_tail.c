/* admin_tail: judged events, with what was found out about them. */
#include "app/admin_part.h"
#include "app/label.h"
#include "app/rule_notes.h"
#include "event/decode.h"

#define EVENTS_MOST 1000

struct tail {
	const struct admin_question *question;
	struct decoder *decoder;
	json_t *events;
	uint64_t until; /* the last record that is judged */
	uint64_t next;  /* the last record that is in events, or was passed over */
	const struct record *record;
	bool tells_rules;
	json_t *judged_by; /* of the record; NULL: not asked for, or not known */
};

static struct text watch_path(const struct settings *settings, struct text name)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (text_is(name, settings->watches[i].name))
			return text_of(settings->watches[i].path);
	return TEXT("/");
}

/* {"digest": .., "since": ..}: the rules that judged the record. */
static json_t *find_rules(struct tail *tail, const struct record *record)
{
	AUTO(free) char *watch = text_copy(record->watch);
	struct rule_note note;

	if (rule_note_find(tail->question->store, watch, record->seq, 0, &note, NULL, NULL) < 0 ||
	    !*note.digest)
		return NULL;
	return json_pack("{s:s,s:s}", "digest", note.digest, "since", note.time);
}

static bool tail_event(void *ctx, const struct event *decoded)
{
	struct tail *tail = ctx;
	struct event event = *decoded;
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *label = NULL;

	event.seq = tail->record->seq;
	event.time_ms = tail->record->time_ms;
	event.origin = tail->record->origin;
	event.watch = tail->record->watch;

	AUTO(free) char *text = event_to_json(&event);
	json_t *object = json_loads(text, 0, NULL);

	label_key(key, event.seq, event.index);
	if (store_peek(tail->question->store, SPACE_LABELS, (struct text){ key, sizeof(key) },
		       &label, NULL) == 0 &&
	    label)
		json_object_set_new(object, "label", json_loads(label, 0, NULL));
	if (tail->judged_by)
		json_object_set(object, "judged_by", tail->judged_by);
	json_array_append_new(tail->events, object);
	return true;
}

static bool tail_record(void *ctx, const struct record *record)
{
	struct tail *tail = ctx;
	size_t count;
	AUTO_ERROR err = { 0 };

	if (record->seq > tail->until)
		return false;
	tail->record = record;
	tail->next = record->seq;
	if (tail->tells_rules) {
		json_decref(tail->judged_by);
		tail->judged_by = find_rules(tail, record);
	}
	if (decode_message(tail->decoder, record->bytes,
			   watch_path(tail->question->settings, record->watch), tail_event, tail,
			   &count, &err) < 0)
		json_array_append_new(tail->events,
				      json_pack("{s:I,s:s}", "seq", (json_int_t)record->seq,
						"trouble", error_text(&err)));
	return json_array_size(tail->events) < EVENTS_MOST;
}

/* after: a record; or last: so many records before the end. limit: at most so many records. rules:
 * tell which ones judged each event. */
void admin_tail(struct admin_question *question)
{
	AUTO(decoder_free) struct decoder *decoder = decoder_new();
	uint64_t cursor, last = admin_number(question, "last", 0), after;
	size_t limit = (size_t)MIN(admin_number(question, "limit", EVENTS_MOST), EVENTS_MOST);
	AUTO_ERROR err = { 0 };

	if (store_cursor_get(question->store, &cursor, &err) < 0) {
		admin_refuse(question, 500, error_text(&err));
		return;
	}
	after = admin_text(question, "after") ? admin_number(question, "after", 0)
		: cursor > last               ? cursor - last
					      : 0;

	struct tail tail = { question, decoder, json_array(), cursor, after, NULL };
	int64_t count;

	tail.tells_rules = admin_number(question, "rules", 0) != 0;
	count = store_log_read(question->store, after, limit, 4u << 20, tail_record, &tail, &err);
	json_decref(tail.judged_by);
	if (count < 0) {
		json_decref(tail.events);
		admin_refuse(question, 500, error_text(&err));
		return;
	}
	admin_reply(question, json_pack("{s:o,s:I,s:I}", "events", tail.events, "next",
					(json_int_t)tail.next, "cursor", (json_int_t)cursor));
}
