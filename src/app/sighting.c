#include "app/sighting.h"

#include "app/label.h"

struct search {
	struct store_txn *txn;
	struct decoder *decoder;
	const struct event *wanted;
	uint64_t until_seq;
	uint64_t seq; /* of the record under way */
	bool is_found;
	int result;
	struct error *err;
};

static bool compare_event(void *ctx, const struct event *event)
{
	struct search *search = ctx;
	AUTO(json_decref) json_t *label = NULL;

	if (event->type != search->wanted->type ||
	    !text_equal(event->file_id, search->wanted->file_id))
		return true;
	search->result = label_get(search->txn, search->seq, event->index, &label, search->err);
	search->is_found = search->result == 0 && !json_object_get(label, "echo_of");
	return search->result == 0 && !search->is_found;
}

static bool search_record(void *ctx, const struct record *record)
{
	struct search *search = ctx;
	struct text id = search->wanted->file_id;
	size_t count;

	if (record->seq > search->until_seq)
		return false;
	/* Few records name the file: the others need not be decoded. */
	if (!text_equal(record->watch, search->wanted->watch) ||
	    !memmem(record->bytes.data, record->bytes.size, id.data, id.size))
		return true;
	search->seq = record->seq;
	/* Damage was told when the record was judged; what is whole was visited all the same. */
	int UNUSED damaged = decode_message(search->decoder, record->bytes, TEXT("/"),
					    compare_event, search, &count, NULL);

	return search->result == 0 && !search->is_found;
}

int sighting_find(struct store_txn *txn, struct store *store, struct decoder *decoder,
		  const struct event *wanted, uint64_t after_seq, uint64_t until_seq,
		  struct error *err)
{
	struct search search = { txn, decoder, wanted, until_seq, .err = err };

	if (!wanted->file_id.size)
		return 0;
	if (store_log_read(store, after_seq, SIZE_MAX, SIZE_MAX, search_record, &search, err) < 0)
		return -1;
	return search.result < 0 ? -1 : search.is_found;
}
