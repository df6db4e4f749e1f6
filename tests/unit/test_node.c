#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "config/node.h"

/* Parses text and compares every message, without excerpts, one a line. */
static void add_message(void *ctx, const struct problem *problem)
{
	struct buf *out = ctx;

	(void)!buf_print(out, "%d:%d: %s\n", problem->place.line, problem->place.column,
			 problem->message);
}

static char *messages_of(struct text text)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	document_free(document_parse("f.yml", text, problems));
	problems_visit(problems, add_message, out);
	return buf_take(out);
}

static void check(const char *yaml, const char *messages)
{
	AUTO(free) char *found = messages_of(text_of(yaml));

	assert_string_equal(found, messages);
}

static char *json_of(const char *yaml)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("f.yml", text_of(yaml), problems);

	assert_int_equal(problems_error_count(problems), 0);
	assert_non_null(document);
	return node_to_json(document_root(document));
}

static void check_json(const char *yaml, const char *json)
{
	AUTO(free) char *found = json_of(yaml);

	assert_string_equal(found, json);
	/* JSON is YAML: it comes back through the same door. */
	AUTO(free) char *again = json_of(found);
	assert_string_equal(again, json);
}

static void block_and_flow_forms_mean_the_same(void **state)
{
	check_json("a:\n  - b: c\n    d: e\n", "{\"a\": [{\"b\": \"c\", \"d\": \"e\"}]}");
	check_json("a: [{b: c, d: e}]", "{\"a\": [{\"b\": \"c\", \"d\": \"e\"}]}");
	check_json("{event: created, path: /home/a.jpg}",
		   "{\"event\": \"created\", \"path\": \"/home/a.jpg\"}");
	check_json("to: \"{rule}: {path}\"", "{\"to\": \"{rule}: {path}\"}");
}

static void texts_survive_the_way_there_and_back(void **state)
{
	check_json(
		"a: \"q\\\" b\\\\ n\\n e\\e del\\x7f nel\\u0085 bom\\ufeff \\ufffe \\U0001f600\"",
		"{\"a\": \"q\\\" b\\\\ n\\u000a e\\u001b del\\u007f nel\\u0085 bom\\ufeff \\ufffe "
		"\xf0\x9f\x98\x80\"}");
	check_json("{\"a\\/b\": \"\\ud83d\\ude00\"}", "{\"a/b\": \"\xf0\x9f\x98\x80\"}");
}

static void nodes_know_their_places(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse(
		"f.yml", TEXT("\xef\xbb\xbf\xc3\xa4\xc3\xb6: [1, \"x\"]\r\nb:\r\n  c: d\r\n"),
		problems);
	const struct node *list = node_get(document_root(document), "\xc3\xa4\xc3\xb6");
	const struct node *inner = node_get(node_get(document_root(document), "b"), "c");

	assert_int_equal(list->kind, NODE_LIST);
	assert_int_equal(list->count, 2);
	assert_int_equal(list->place.column, 5);
	assert_false(list->first->is_quoted);
	assert_true(list->first->next->is_quoted);
	assert_int_equal(list->first->next->place.column, 9);
	assert_int_equal(inner->place.line, 3);
	assert_int_equal(inner->place.column, 6);
	assert_int_equal(inner->key->place.column, 3);
	assert_string_equal(inner->place.file, "f.yml");
}

static void nothing_at_all_is_a_null(void **state)
{
	static const char *const empty[] = { "",     "\n",         "# only a comment", "---\n",
					     "\r\n", "---\n...\n", "\xef\xbb\xbf",     "~",
					     "null" };

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		AUTO(free) char *json = json_of(empty[i]);
		assert_string_equal(json, "null");
	}
	check_json("a:\nb: ~\nc: \"\"\nd: \"null\"\n",
		   "{\"a\": null, \"b\": null, \"c\": \"\", \"d\": \"null\"}");
}

static void an_alias_stands_for_what_its_anchor_holds(void **state)
{
	check_json("a: &x {b: 1}\nc: *x\n", "{\"a\": {\"b\": \"1\"}, \"c\": {\"b\": \"1\"}}");
	check_json("- &x a\n- *x\n", "[\"a\", \"a\"]");
	check("a: &x [*x]\n",
	      "1:8: '*x' without quotes refers to an anchor '&x', and there is none before it; put "
	      "patterns in quotes\n");
}

static void a_billion_laughs_are_refused(void **state)
{
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);

	assert_true(buf_print(text, "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"));
	for (int i = 1; i < 10; i++) {
		assert_true(buf_print(text, "a%d: &a%d [", i, i));
		for (int j = 0; j < 10; j++)
			assert_true(buf_print(text, "%s*a%d", j ? ", " : "", i - 1));
		assert_true(buf_print(text, "]\n"));
	}
	AUTO(free) char *found = messages_of(buf_text(text));
	assert_non_null(strstr(
		found, "aliases make this file too big: they may add at most 100000 values\n"));
}

static void a_hundred_levels_are_enough(void **state)
{
	AUTO(free) char *deep = mem_new(401);

	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	check(deep, "");
	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	check(deep, "1:101: nested too deep: at most 100 levels are allowed\n");
	/* By way of an alias, too. */
	memset(deep, '[', 90);
	memset(deep + 90, ']', 90);
	deep[180] = 0;
	AUTO(free) char *aliased = str_format("- &x %s\n- [[[[[[[[[[*x]]]]]]]]]]\n", deep);
	check(aliased, "2:13: nested too deep: at most 100 levels are allowed\n");
}

static void a_million_brackets_end_at_once(void **state)
{
	AUTO(free) char *deep = mem_new(1000001);

	memset(deep, '[', 1000000);
	check(deep, "0:0: nested too deep: at most 100 levels are allowed\n");
}

static void slips_in_yaml_are_told_in_plain_words(void **state)
{
	check("a:\n\tb: 1\n", "2:1: tab character; YAML wants spaces\n");
	check("a: b\n\tc: d\n", "2:1: tab character; YAML wants spaces\n");
	check("a: 1\n? b:\t: 1\n", "2:1: a tab in a line that begins with '?': expected spaces\n");
	check("a: 1\r\nb: 2\r- ? b:\t: 1",
	      "3:1: a tab in a line that begins with '?': expected spaces\n");
	check("a: 1\nb: 2\na: 3\n", "3:1: 'a' is there twice; the first is in line 1\n");
	check("a: 1\n---\nb: 2\n",
	      "2:1: a second document begins here (---); one file holds one\n");
	check("a: {rule}: {path}\n",
	      "1:10: a value that begins with { is a mapping; put templates in quotes: \"{rule}: "
	      "{path}\"\n");
	check("- to: {stem}.{date}\n",
	      "1:13: a value that begins with { is a mapping; put templates in quotes: "
	      "\"{stem}.{date}\"\n");
	check("name: *.tmp\n",
	      "1:7: '*.tmp' without quotes refers to an anchor '&.tmp', and there is none before "
	      "it; put patterns in quotes\n");
	check("name: [a-z]*.jpg\n",
	      "1:13: a value that begins with [ is a list; put patterns in quotes: "
	      "\"[a-z]*.jpg\"\n");
	check("a: \"C:\\dir\"\n", "1:7: \\d means nothing in double quotes: use single quotes, or "
				  "\\\\ for a backslash\n");
	check("a: \"x\n", "1:5: the closing \" is missing\n");
	check("a: 'it\nb: 2\n", "1:4: the closing ' is missing\n");
	check("a: b: c\n", "1:5: a second ': ' on one line: put texts with ': ' in quotes\n");
	check("a: [1, 2\nb: 3\n", "1:4: this [ is never closed\n");
	check("a: {b: 1\n", "1:4: this { is never closed\n");
	check("a: @home\n", "1:4: text cannot start with '@' unless it is in quotes\n");
	check("a: !foo bar\n",
	      "1:4: tag '!foo' is not known; put text that begins with ! in quotes\n");
	check("a: b\nc:d\n", "2:1: a space is wanted after ':', as in 'key: value'\n");
	check("a: - b\n", "1:4: a list begins on a line of its own below its key\n");
	check("a: \"x\" y\n", "1:8: text follows the closing quote: put all of it in quotes\n");
	check("a:\n  - b\n - c\n", "3:2: this line's indentation fits none of the lines above\n");
	check("a: 1\n  b: 2\n",
	      "1:4: the line below is indented deeper, as if it belonged to this value: align it "
	      "with its neighbours\n");
	check("{a}: {b}\n", "1:1: a key must be text, found a mapping; put texts with { or [ in "
			    "quotes\n");
	check("<<: {a: 1}\n", "1:1: '<<' (merge) is not part of YAML 1.2; write the keys out\n");
}

static void bytes_that_are_not_text_are_refused_with_their_place(void **state)
{
	AUTO(free) char *nul = messages_of(TEXT("a: b\nc: \0d\n"));
	AUTO(free) char *escaped = messages_of(TEXT("a: \"x\\0y\"\n"));

	check("a: \xe4\n", "1:4: byte 0xe4 is not UTF-8; save the file as UTF-8\n");
	check("\xff\xfe", "0:0: is UTF-16; save it as UTF-8\n");
	assert_string_equal(nul, "2:4: control character \\x00 does not belong into a text file\n");
	assert_string_equal(escaped,
			    "1:4: text with \\0 or half a character in it is not allowed\n");
}

static void a_file_that_cannot_be_read_is_a_problem(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	assert_null(document_read("/nonexistent/rules.yml", problems));
	assert_null(document_read("/", problems));
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text,
			    "/nonexistent/rules.yml: cannot be read: No such file or directory\n"
			    "/: cannot be read: it is a directory, expected a file\n");
}

static void a_file_beyond_the_ceiling_is_refused(void **state)
{
	char path[] = "/tmp/test_node_XXXXXX";
	int fd = mkstemp(path);
	AUTO(problems_free) struct problems *problems = problems_new();

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
	assert_null(document_read(path, problems));
	unlink(path);
	close(fd);
	AUTO(free) char *text = problems_format(problems, false);
	assert_non_null(strstr(text, ": cannot be read: it has more than the 16 MiB allowed\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_and_flow_forms_mean_the_same),
		cmocka_unit_test(texts_survive_the_way_there_and_back),
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(nothing_at_all_is_a_null),
		cmocka_unit_test(an_alias_stands_for_what_its_anchor_holds),
		cmocka_unit_test(a_billion_laughs_are_refused),
		cmocka_unit_test(a_hundred_levels_are_enough),
		cmocka_unit_test(a_million_brackets_end_at_once),
		cmocka_unit_test(slips_in_yaml_are_told_in_plain_words),
		cmocka_unit_test(bytes_that_are_not_text_are_refused_with_their_place),
		cmocka_unit_test(a_file_that_cannot_be_read_is_a_problem),
		cmocka_unit_test(a_file_beyond_the_ceiling_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
