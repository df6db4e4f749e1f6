#include "check.h"

#include <stdio.h>

#include "store/store_redis_chunk.h"

#define COUNT 300

struct seen {
	uint64_t first, last, count;
	uint64_t until; /* stop there; 0: never */
	bool is_right;
};

static struct record record_of(uint64_t seq, char *text, size_t room)
{
	int size = snprintf(text, room, "[{\"type\":\"child_file_added\",\"path\":\"home/f%llu\"}]",
			    (unsigned long long)seq);

	return (struct record){ .seq = seq,
				.time_ms = 1795367289000 + (int64_t)seq,
				.origin = ORIGIN_REPAIR,
				.watch = TEXT("main"),
				.bytes = { text, (size_t)size } };
}

static bool see(void *ctx, const struct record *record)
{
	struct seen *seen = ctx;
	char text[128];
	struct record expected = record_of(record->seq, text, sizeof(text));

	seen->is_right &= record->time_ms == expected.time_ms &&
			  record->origin == expected.origin &&
			  text_equal(record->watch, expected.watch) &&
			  text_equal(record->bytes, expected.bytes);
	if (!seen->count++)
		seen->first = record->seq;
	seen->last = record->seq;
	return record->seq != seen->until;
}

static void add(struct chunk_writer *writer, uint64_t from, uint64_t to)
{
	char text[128];

	for (uint64_t seq = from; seq <= to; seq++) {
		struct record record = record_of(seq, text, sizeof(text));

		chunk_add(writer, &record);
	}
}

static int visit(struct text chunk, uint64_t count, uint64_t last, uint64_t after,
		 struct seen *seen)
{
	AUTO(chunk_reader_free) struct chunk_reader *reader = chunk_reader_new();
	uint64_t until = seen->until;

	*seen = (struct seen){ .until = until, .is_right = true };
	return chunk_visit(reader, chunk, count, last, after, see, seen);
}

static void records_come_out_as_they_went_in(void **state)
{
	AUTO(chunk_writer_free) struct chunk_writer *writer = chunk_writer_new();
	struct seen seen = { 0 };

	for (uint64_t count = 1; count <= COUNT; count += 13) {
		struct text chunk;

		add(writer, 1000, 999 + count);
		assert_true(chunk_size(writer) > 50 * count);
		chunk = chunk_finish(writer);
		assert_int_equal(visit(chunk, count, 999 + count, 0, &seen), 1);
		assert_true(seen.is_right && seen.first == 1000 && seen.count == count);
	}
}

static void alike_records_take_a_fraction_of_their_bytes(void **state)
{
	AUTO(chunk_writer_free) struct chunk_writer *writer = chunk_writer_new();
	size_t plain;

	add(writer, 1, COUNT);
	plain = chunk_size(writer);
	assert_true(chunk_finish(writer).size < plain / 4);
	assert_int_equal(chunk_size(writer), 0);
}

static void reading_begins_and_ends_amid_a_chunk(void **state)
{
	AUTO(chunk_writer_free) struct chunk_writer *writer = chunk_writer_new();
	struct seen seen = { .until = 200 };
	struct text chunk;

	add(writer, 1, COUNT);
	chunk = chunk_finish(writer);
	assert_int_equal(visit(chunk, COUNT, COUNT, 150, &seen), 0);
	assert_true(seen.is_right && seen.first == 151 && seen.last == 200);
}

static void what_was_reset_does_not_come_out(void **state)
{
	AUTO(chunk_writer_free) struct chunk_writer *writer = chunk_writer_new();
	struct seen seen = { 0 };
	struct text chunk;

	add(writer, 1, 5);
	chunk_reset(writer);
	add(writer, 6, 7);
	chunk = chunk_finish(writer);
	assert_int_equal(visit(chunk, 2, 7, 0, &seen), 1);
	assert_true(seen.is_right && seen.first == 6 && seen.count == 2);
}

static void damage_is_noticed_wherever_it_is(void **state)
{
	AUTO(chunk_writer_free) struct chunk_writer *writer = chunk_writer_new();
	struct seen seen = { 0 };
	struct text chunk;
	AUTO(free) char *copy = NULL;

	add(writer, 1, COUNT);
	chunk = chunk_finish(writer);
	assert_int_equal(visit(chunk, COUNT - 1, COUNT, 0, &seen), -1);
	assert_int_equal(visit(chunk, COUNT + 1, COUNT + 1, 0, &seen), -1);
	assert_int_equal(visit(TEXT(""), 1, 1, 0, &seen), -1);
	assert_int_equal(visit(TEXT("x"), 1, 1, 0, &seen), -1);
	assert_int_equal(visit(TEXT("z\xff\xff\xff\xff"), 1, 1, 0, &seen), -1);
	for (size_t size = 1; size < chunk.size; size += 7)
		assert_int_equal(visit((struct text){ chunk.data, size }, COUNT, COUNT, 0, &seen),
				 -1);
	copy = text_copy(chunk);
	copy[4] ^= 1; /* the size of what is in it */
	assert_int_equal(visit((struct text){ copy, chunk.size }, COUNT, COUNT, 0, &seen), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_went_in),
		cmocka_unit_test(alike_records_take_a_fraction_of_their_bytes),
		cmocka_unit_test(reading_begins_and_ends_amid_a_chunk),
		cmocka_unit_test(what_was_reset_does_not_come_out),
		cmocka_unit_test(damage_is_noticed_wherever_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
