/* admin_tail: judged events, with what was found out about them. */
#include "app/admin_part.h"
#include "app/label.h"
#include "event/decode.h"

#define EVENTS_MOST 1000

struct tail {
	const struct admin_question *question;
	struct decoder *decoder;
	json_t *events;
	uint64_t until; /* the last record that is judged */
	uint64_t next;  /* the last record that is in events, or was passed over */
	const struct record *record;
};

static struct text watch_path(const struct settings *settings, struct text name)
{
	for (size_t i = 0; i < settings->watch_count; i++)
		if (text_is(name, settings->watches[i].name))
			return text_of(settings->watches[i].path);
	return TEXT("/");
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
	if (decode_message(tail->decoder, record->bytes,
			   watch_path(tail->question->settings, record->watch), tail_event, tail,
			   &count, &err) < 0)
		json_array_append_new(tail->events,
				      json_pack("{s:I,s:s}", "seq", (json_int_t)record->seq,
						"trouble", error_text(&err)));
	return json_array_size(tail->events) < EVENTS_MOST;
}

/* after: a record; or last: so many records before the end. limit: at most so many records. */
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

	if (store_log_read(question->store, after, limit, 4u << 20, tail_record, &tail, &err) < 0) {
		json_decref(tail.events);
		admin_refuse(question, 500, error_text(&err));
		return;
	}
	admin_reply(question, json_pack("{s:o,s:I,s:I}", "events", tail.events, "next",
					(json_int_t)tail.next, "cursor", (json_int_t)cursor));
}
