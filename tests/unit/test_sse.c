#include "check.h"

#include <stdio.h>

#include "base/buf.h"
#include "event/sse.h"

/* What was heard, each thing in brackets: data in [], comments in (). */
struct heard {
	struct buf *text;
	struct sse *sse;
};

static void hear_data(void *ctx, struct text payload)
{
	struct heard *heard = ctx;

	assert_true(buf_print(heard->text, "[%.*s]", TEXT_ARGS(payload)));
}

static void hear_comment(void *ctx, struct text comment)
{
	struct heard *heard = ctx;

	assert_true(buf_print(heard->text, "(%.*s)", TEXT_ARGS(comment)));
}

static int setup(void **state)
{
	struct heard *heard = NEW(struct heard);
	struct sse_handler handler = { heard, hear_data, hear_comment };

	heard->text = buf_new(1 << 30);
	assert_true(buf_append(heard->text, "", 0));
	heard->sse = sse_new(&handler, 64);
	*state = heard;
	return 0;
}

static int teardown(void **state)
{
	struct heard *heard = *state;

	sse_free(heard->sse);
	buf_free(heard->text);
	free(heard);
	return 0;
}

static void hear(struct heard *heard, const char *bytes)
{
	AUTO_ERROR err = { 0 };
	/* On the heap, so that reading past its end is seen. */
	AUTO(free) char *exact = mem_copy(bytes, strlen(bytes));

	assert_int_equal(sse_feed(heard->sse, exact, strlen(bytes), &err), 0);
}

static void a_block_split_across_two_reads_is_heard_once(void **state)
{
	struct heard *heard = *state;

	hear(heard, "data: [1,");
	assert_true(sse_is_amid(heard->sse));
	hear(heard, "2]\n\n");
	assert_string_equal(heard->text->data, "[[1,2]]");
	assert_false(sse_is_amid(heard->sse));
}

static const struct {
	const char *bytes;
	const char *heard;
} streams[] = {
	{ ": watching\n\ndata: a\n\n", "(watching)[a]" },
	{ "data:a\n\ndata:  b\n\n", "[a][ b]" },
	{ "data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]" },
	{ "data: a\r\rdata: b\r\r", "[a][b]" },
	{ "data: a\n\r\ndata: b\r\n\n", "[a][b]" },
	{ "data: a\ndata: b\ndata\ndata:\ndata:c\n\n", "[a\nb\n\n\nc]" },
	{ "data\n\ndata:\n\ndata: \n\n", "[][][]" },
	{ ":\n: keepalive\n:keepalive\n::\n", "()(keepalive)(keepalive)(:)" },
	{ "event: x\nid: 7\nretry: 3\ndata: a\nda\ndatum: x\ndata2: y\n data: z\nDATA: u\n\n",
	  "[a]" },
	{ "\xef\xbb\xbf"
	  "data: a\n\n\xef\xbb\xbf"
	  "data: b\n\n",
	  "[a]" },
	{ "\xef\xbb"
	  "data: a\n\ndata: b\n\n",
	  "[b]" },
	{ "\n\n\r\n\r\r\ndata: a\n\n\n\n", "[a]" },
	{ "data: \xf0\x9f\x98\x80:\"\\u00e4\"\n\n", "[\xf0\x9f\x98\x80:\"\\u00e4\"]" },
	{ "data: a\n: comment amid\ndata: b\n\n", "(comment amid)[a\nb]" },
	{ "data: lost at the end\n", "" },
};

static void every_kind_of_line_is_read_as_the_standard_says(void **state)
{
	struct heard *heard = *state;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		buf_reset(heard->text);
		sse_reset(heard->sse);
		hear(heard, streams[i].bytes);
		assert_string_equal(heard->text->data, streams[i].heard);
	}
}

static void it_does_not_matter_where_the_bytes_are_cut(void **state)
{
	struct heard *heard = *state;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		size_t size = strlen(streams[i].bytes);

		for (size_t step = 1; step <= size; step++) {
			buf_reset(heard->text);
			sse_reset(heard->sse);
			for (size_t at = 0; at < size; at += step) {
				AUTO(free)
				char *piece =
					str_copy_n(streams[i].bytes + at, MIN(step, size - at));

				hear(heard, piece);
			}
			assert_string_equal(heard->text->data, streams[i].heard);
		}
	}
}

static void bytes_waiting_for_their_end_are_told(void **state)
{
	struct heard *heard = *state;

	assert_false(sse_is_amid(heard->sse));
	hear(heard, ": keep");
	assert_false(sse_is_amid(heard->sse));
	hear(heard, "alive\nda");
	assert_true(sse_is_amid(heard->sse));
	hear(heard, "ta: x\n");
	assert_true(sse_is_amid(heard->sse));
	hear(heard, "\n");
	assert_false(sse_is_amid(heard->sse));
}

static void a_new_connection_begins_with_nothing(void **state)
{
	struct heard *heard = *state;

	hear(heard, "data: old\ndata: ol");
	sse_reset(heard->sse);
	assert_false(sse_is_amid(heard->sse));
	hear(heard, "data: new\n\n");
	assert_string_equal(heard->text->data, "[new]");
}

static void a_payload_past_the_ceiling_is_an_error_however_it_comes(void **state)
{
	struct heard *heard = *state;
	AUTO_ERROR err = { 0 };
	AUTO(free) char *bytes = str_format("data: %064d\n\n", 1);
	AUTO(free) char *more = str_format("data: %065d\n\n", 1);
	AUTO(free) char *lines = str_format("data: %032d\ndata: %032d\n\n", 1, 1);

	hear(heard, bytes);
	assert_int_equal(heard->text->size, 66);
	assert_int_equal(sse_feed(heard->sse, more, strlen(more), &err), -1);
	assert_non_null(strstr(error_text(&err), "64"));
	sse_reset(heard->sse);
	assert_int_equal(sse_feed(heard->sse, lines, strlen(lines), &err), -1);
	sse_reset(heard->sse);
	for (size_t at = 0; at < 6 + 64; at++)
		assert_int_equal(sse_feed(heard->sse, more + at, 1, &err), 0);
	assert_int_equal(sse_feed(heard->sse, more + 70, 1, &err), -1);
}

static void a_long_comment_is_cut_and_harmless(void **state)
{
	struct heard *heard = *state;
	AUTO(free) char *bytes = str_format(":%0100000d\ndata: a\n\n", 1);

	hear(heard, bytes);
	assert_int_equal(heard->text->size, 4096 + 2 + 3);
}

static void count_bytes(void *ctx, struct text payload)
{
	*(size_t *)ctx += payload.size;
}

static void a_line_of_64_mib_and_a_million_short_ones_take_linear_time(void **state)
{
	size_t size = 64 << 20, heard = 0;
	struct sse_handler handler = { &heard, count_bytes, NULL };
	AUTO(sse_free) struct sse *sse = sse_new(&handler, size);
	AUTO(free) char *bytes = mem_new(size);
	AUTO_ERROR err = { 0 };

	memset(bytes, 'x', size);
	assert_int_equal(sse_feed(sse, "data: ", 6, &err), 0);
	for (size_t at = 0; at < size; at += 1024)
		assert_int_equal(sse_feed(sse, bytes + at, 1024, &err), 0);
	assert_int_equal(sse_feed(sse, "\r\r", 2, &err), 0);
	assert_int_equal(heard, size);

	heard = 0;
	for (size_t at = 0; at < 8 << 20; at += 8)
		memcpy(bytes + at, "data:x\r\r", 8);
	assert_int_equal(sse_feed(sse, bytes, 8 << 20, &err), 0);
	assert_int_equal(heard, 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_block_split_across_two_reads_is_heard_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_kind_of_line_is_read_as_the_standard_says,
						setup, teardown),
		cmocka_unit_test_setup_teardown(it_does_not_matter_where_the_bytes_are_cut, setup,
						teardown),
		cmocka_unit_test_setup_teardown(bytes_waiting_for_their_end_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_new_connection_begins_with_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_payload_past_the_ceiling_is_an_error_however_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_comment_is_cut_and_harmless, setup,
						teardown),
		cmocka_unit_test(a_line_of_64_mib_and_a_million_short_ones_take_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
