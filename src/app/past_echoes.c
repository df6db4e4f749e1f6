#include "app/past_echoes.h"

#include "app/label.h"

#define LABELS_AT_ONCE 20000 /* read in one go, the rest of a record's come to that */

struct past_echo {
	uint64_t seq;
	uint32_t index;
	struct echo echo;
};

/* The echoes of the records from first to last. */
struct past_echoes {
	struct store *store;
	uint64_t first, last;
	struct past_echo *items; /* in order */
	size_t count, room;
	size_t looked; /* at so many labels */
};

struct past_echoes *past_echoes_new(struct store *store)
{
	struct past_echoes *echoes = NEW(struct past_echoes);

	echoes->store = store;
	return echoes;
}

void past_echoes_free(struct past_echoes *echoes)
{
	if (!echoes)
		return;
	free(echoes->items);
	free(echoes);
}

static void add(struct past_echoes *echoes, uint64_t seq, uint32_t index, struct text value)
{
	/* Most labels are of rules that matched: not worth reading. */
	if (!memmem(value.data, value.size, "\"echo_of\"", 9))
		return;

	AUTO(json_decref) json_t *label = json_loadb(value.data, value.size, 0, NULL);
	json_t *job = json_object_get(label, "echo_of");

	if (!job)
		return;
	if (echoes->count == echoes->room) {
		echoes->room = MAX(64, 2 * echoes->room);
		echoes->items = mem_grow(echoes->items, echoes->room, sizeof(*echoes->items));
	}
	echoes->items[echoes->count++] = (struct past_echo){
		seq,
		index,
		{ true, (uint64_t)json_integer_value(job),
		  (unsigned)json_integer_value(json_object_get(label, "step")) },
	};
}

static bool read_label(void *ctx, struct text key, struct text value)
{
	struct past_echoes *echoes = ctx;
	uint64_t seq;
	uint32_t index;

	if (!label_key_read(key, &seq, &index))
		return true;
	if (echoes->looked++ >= LABELS_AT_ONCE && seq > echoes->last) {
		return false;
	}
	/* Until the next one begins, it is not known whether this record has more. */
	echoes->last = MAX(echoes->last, seq);
	add(echoes, seq, index, value);
	return true;
}

static int read_from(struct past_echoes *echoes, uint64_t seq, struct error *err)
{
	char key[LABEL_KEY_SIZE];

	label_key(key, seq, 0);
	echoes->first = echoes->last = seq;
	echoes->count = echoes->looked = 0;
	if (store_peek_scan(echoes->store, SPACE_LABELS, (struct text){ key, sizeof(key) },
			    read_label, echoes, err) < 0) {
		echoes->first = echoes->last = 0;
		return error_prefix(err, "echoes");
	}
	if (echoes->looked <= LABELS_AT_ONCE)
		echoes->last = UINT64_MAX;
	return 0;
}

int past_echoes_find(struct past_echoes *echoes, const struct event *event, struct echo *out,
		     struct error *err)
{
	size_t low = 0, high;

	if ((event->seq < echoes->first || event->seq > echoes->last) &&
	    read_from(echoes, event->seq, err) < 0)
		return -1;
	for (high = echoes->count; low < high;) {
		size_t middle = low + (high - low) / 2;
		const struct past_echo *item = &echoes->items[middle];

		if (item->seq < event->seq ||
		    (item->seq == event->seq && item->index < event->index))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < echoes->count && echoes->items[low].seq == event->seq &&
	    echoes->items[low].index == event->index)
		*out = echoes->items[low].echo;
	return 0;
}
