/* Events as bytes, made-up events, switches, privileges, times. */
#include <jansson.h>

#include "check.h"
#include "event/event.h"
#include "simulator/emit.h"
#include "simulator/nanotime.h"
#include "simulator/pattern.h"
#include "simulator/privilege.h"
#include "simulator/render.h"
#include "simulator/switches.h"

/* ---- rendering ---- */

static char *rendered(const char *text, enum bad_bytes bad, bool ascii)
{
	struct buf *out = buf_new(1000);

	assert_true(buf_append(out, "", 0));
	render_text(out, text_of(text), bad, ascii);
	char *bytes = buf_take(out);
	buf_free(out);
	return bytes;
}

static void check_text(const char *text, enum bad_bytes bad, bool ascii, const char *expected)
{
	AUTO(free) char *bytes = rendered(text, bad, ascii);

	assert_string_equal(bytes, expected);
}

static void names_are_escaped_as_json_wants_it(void **state)
{
	check_text("a\"b\\c\n\x01", BAD_REPLACED, false, "a\\\"b\\\\c\\n\\u0001");
	check_text("\xC3\xA4\xF0\x9F\x98\x80", BAD_REPLACED, false, "\xC3\xA4\xF0\x9F\x98\x80");
	check_text("\xC3\xA4\xF0\x9F\x98\x80", BAD_REPLACED, true, "\\u00e4\\ud83d\\ude00");
}

static void bytes_that_are_not_utf8_follow_the_switch(void **state)
{
	check_text("a\xFFz", BAD_REPLACED, false, "a\xEF\xBF\xBDz");
	check_text("a\xFFz", BAD_RAW, false, "a\xFFz");
	check_text("a\xFFz", BAD_SURROGATES, false, "a\\udcffz");
	check_text("\xC3", BAD_REPLACED, true, "\\ufffd");
	check_text("\xED\xA0\x80", BAD_SURROGATES, false, "\\udced\\udca0\\udc80");
	check_text("\xC0\xAF", BAD_REPLACED, true, "\\ufffd\\ufffd");
}

static void an_event_has_its_members_in_either_order(void **state)
{
	const char *spine[] = { "2", "77" };
	struct render_event event = {
		.type = "child_file_added", .spine = spine, .spine_size = 2, .path = TEXT("a")
	};

	for (event.order = 0; event.order < 2; event.order++) {
		struct buf *out = buf_new(1000);

		render_event(out, &event);
		AUTO(free) char *bytes = buf_take(out);
		json_t *json = json_loads(bytes, 0, NULL);
		json_t *expected =
			json_pack("{s:s, s:[s, s], s:s, s:n}", "type", "child_file_added", "spine",
				  "2", "77", "path", "a", "stream_name");

		assert_true(json_equal(json, expected));
		json_decref(json);
		json_decref(expected);
		buf_free(out);
	}
}

/* ---- generators ---- */

static struct emit *emit_of(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct emit *emit = NULL;
	AUTO_ERROR err = { 0 };

	assert_non_null(json);
	if (emit_parse(&emit, json, &err) < 0)
		fail_msg("%s", error_text(&err));
	json_decref(json);
	return emit;
}

/* All that a generator writes, taken in pieces of `step` bytes. */
static char *all_of(struct emit *emit, size_t step, size_t *out_events)
{
	struct emit_cursor *cursor = emit_cursor_new(emit, "2", 0);
	struct buf *all = buf_new(64 << 20);
	size_t events;

	*out_events = 0;
	while (!emit_cursor_is_done(cursor)) {
		assert_true(buf_reserve(all, step));
		size_t size = emit_cursor_fill(cursor, all->data + all->size, step, 1000, &events);
		assert_true(size > 0);
		all->size += size;
		*out_events += events;
	}
	assert_true(buf_append(all, "", 0));
	emit_cursor_free(cursor);
	char *bytes = buf_take(all);
	buf_free(all);
	return bytes;
}

static void a_generator_writes_the_same_whatever_the_pieces(void **state)
{
	static const char text[] =
		"{\"generate\": {\"count\": 500, \"per_message\": [1, 20], \"seed\": 7, \"path\": "
		"\"home/{nasty}/f{n}.{r%9}\", \"escapes\": \"mixed\"}}";
	struct emit *emit = emit_of(text);
	size_t events;
	AUTO(free) char *whole = all_of(emit, 1 << 20, &events);
	assert_int_equal(events, 500);
	AUTO(free) char *pieces = all_of(emit, 7, &events);

	assert_int_equal(events, 500);
	assert_string_equal(whole, pieces);
	emit_drop(emit);
}

static void every_generated_line_is_an_array_of_events(void **state)
{
	struct emit *emit = emit_of("{\"generate\": {\"count\": 300, \"per_message\": [1, 9], "
				    "\"path\": \"a/{nasty}{n}\", \"types\": "
				    "[\"child_file_added\", \"child_data_written\"]}}");
	size_t events;
	size_t index = 0;
	AUTO(free) char *bytes = all_of(emit, 4096, &events);
	struct text rest = text_of(bytes);

	while (rest.size) {
		struct text line = text_cut(&rest, '\n');

		if (!line.size)
			continue;
		assert_true(text_starts_with(line, TEXT("data: [")));
		json_t *message = json_loadb(line.data + 6, line.size - 6, 0, NULL);
		assert_in_range(json_array_size(message), 1, 9);
		for (size_t i = 0; i < json_array_size(message); i++, index++) {
			json_t *event = json_array_get(message, i);

			assert_string_equal(json_string_value(json_object_get(event, "type")),
					    index % 2 ? "child_data_written" : "child_file_added");
			assert_int_equal(json_array_size(json_object_get(event, "spine")), 3);
		}
		json_decref(message);
	}
	assert_int_equal(index, 300);
	emit_drop(emit);
}

static void one_line_can_be_made_huge(void **state)
{
	struct emit *emit = emit_of("{\"generate\": {\"count\": 20000, \"per_message\": 3, "
				    "\"huge_bytes\": 1000000, \"huge_at\": 100}}");
	size_t events, longest = 0;
	AUTO(free) char *bytes = all_of(emit, 65536, &events);
	struct text rest = text_of(bytes);

	while (rest.size) {
		size_t size = text_cut(&rest, '\n').size;

		longest = MAX(longest, size);
	}
	assert_int_equal(events, 20000);
	assert_in_range(longest, 1000000, 1001000);
	emit_drop(emit);
}

static void a_rate_holds_events_back(void **state)
{
	struct emit *emit = emit_of("{\"generate\": {\"count\": 1000, \"per_message\": 1, "
				    "\"rate\": 100, \"overflow\": true}}");
	struct emit_cursor *cursor = emit_cursor_new(emit, "2", 0);
	char out[100000];
	size_t events;

	assert_true(emit_cursor_fill(cursor, out, sizeof(out), 500, &events) > 0);
	assert_int_equal(events, 51);
	assert_int_equal(emit_cursor_fill(cursor, out, sizeof(out), 500, &events), 0);
	assert_false(emit_cursor_is_done(cursor));
	assert_int_equal(emit_cursor_backlog(cursor, 2000), 200 - 51);
	emit_cursor_free(cursor);
	emit_drop(emit);
}

static void cuts_are_of_all_sizes_and_never_empty(void **state)
{
	struct cutter cutter = { .kind = CUT_RANDOM, .state = 3 };
	size_t small = 0, large = 0;

	for (int i = 0; i < 10000; i++) {
		size_t size = cutter_next(&cutter, 1 << 20);

		assert_in_range(size, 1, 1 << 17);
		small += size < 8;
		large += size > 10000;
	}
	assert_true(small > 500 && large > 500);
}

static void wrong_descriptions_are_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"events\": [], \"raw\": \"x\"}",
		"{\"generate\": {\"count\": 0}}",
		"{\"generate\": {\"count\": 1, \"path\": \"{x}\"}}",
		"{\"generate\": {\"count\": 1, \"path\": \"{n\"}}",
		"{\"generate\": {\"count\": 1, \"types\": [\"no\"]}}",
		"{\"generate\": {\"count\": 1, \"colour\": 3}}",
		"{\"raw\": \"x\", \"cut\": \"sometimes\"}",
		"{\"messages\": [1]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);
		struct emit *emit = NULL;
		AUTO_ERROR err = { 0 };

		assert_int_equal(emit_parse(&emit, json, &err), -1);
		assert_true(*error_text(&err));
		json_decref(json);
	}
}

/* ---- switches, rights, times ---- */

static void a_switch_takes_what_its_help_names_and_nothing_else(void **state)
{
	struct switches switches;
	AUTO_ERROR err = { 0 };
	AUTO(free) char *help = switches_help();

	switches_init(&switches);
	assert_int_equal(switch_value(&switches, SWITCH_KEEP_ALIVE), 20000);
	assert_int_equal(switches_set(&switches, TEXT("keep-alive=none"), &err), 0);
	assert_int_equal(switch_value(&switches, SWITCH_KEEP_ALIVE), -1);
	assert_int_equal(switches_set(&switches, TEXT("spine=root"), &err), 0);
	assert_int_equal(switch_value(&switches, SWITCH_SPINE), SPINE_ROOT);
	assert_int_equal(switches_set(&switches, TEXT("spine=tail"), &err), -1);
	assert_non_null(strstr(error_text(&err), "watched|root|absent|null"));
	assert_int_equal(switches_set(&switches, TEXT("spin=root"), &err), -1);
	assert_non_null(strstr(error_text(&err), "did you mean spine?"));
	assert_int_equal(switches_set(&switches, TEXT("spine"), &err), -1);
	assert_non_null(strstr(help, "spine=watched|root|absent|null"));
	switches_clear(&switches);
}

static void rights_are_named_by_privilege_or_role(void **state)
{
	json_t *roles = json_array();
	privilege_set set;
	AUTO_ERROR err = { 0 };

	assert_int_equal(privilege_parse(TEXT("PRIVILEGE_FILE_READ_ACCESS, CLUSTER_READ"), &set,
					 roles, &err),
			 0);
	assert_true(set == (PRIVILEGE(FILE_READ_ACCESS) | PRIVILEGE(CLUSTER_READ)));
	assert_int_equal(json_array_size(roles), 0);
	assert_int_equal(privilege_parse(TEXT("Data-Administrators"), &set, roles, &err), 0);
	assert_true(set & PRIVILEGE(FILE_FULL_ACCESS) && !(set & PRIVILEGE(ACCESS_TOKENS_WRITE)));
	assert_int_equal(json_array_size(roles), 1);
	assert_int_equal(privilege_parse(TEXT("none"), &set, roles, &err), 0);
	assert_true(set == 0);
	assert_int_equal(privilege_parse(TEXT("FILE_FULL_ACESS"), &set, roles, &err), -1);
	json_decref(roles);
}

static void check_time(int64_t ns, const char *expected)
{
	AUTO(free) char *text = nanotime_format(ns);
	int64_t parsed;

	assert_string_equal(text, expected);
	assert_true(nanotime_parse(text, &parsed));
	assert_int_equal(parsed, ns);
}

static void times_drop_the_zeros_at_their_end(void **state)
{
	check_time(0, "1970-01-01T00:00:00Z");
	check_time(1714550950000000000, "2024-05-01T08:09:10Z");
	check_time(1714550950123456780, "2024-05-01T08:09:10.12345678Z");
	check_time(1714550950100000000, "2024-05-01T08:09:10.1Z");
	check_time(1714550950000000001, "2024-05-01T08:09:10.000000001Z");
	check_time(-1, "1969-12-31T23:59:59.999999999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_escaped_as_json_wants_it),
		cmocka_unit_test(bytes_that_are_not_utf8_follow_the_switch),
		cmocka_unit_test(an_event_has_its_members_in_either_order),
		cmocka_unit_test(a_generator_writes_the_same_whatever_the_pieces),
		cmocka_unit_test(every_generated_line_is_an_array_of_events),
		cmocka_unit_test(one_line_can_be_made_huge),
		cmocka_unit_test(a_rate_holds_events_back),
		cmocka_unit_test(cuts_are_of_all_sizes_and_never_empty),
		cmocka_unit_test(wrong_descriptions_are_refused_with_a_reason),
		cmocka_unit_test(a_switch_takes_what_its_help_names_and_nothing_else),
		cmocka_unit_test(rights_are_named_by_privilege_or_role),
		cmocka_unit_test(times_drop_the_zeros_at_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
