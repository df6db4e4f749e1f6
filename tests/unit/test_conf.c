#include "check.h"

#include "config/conf.h"

static bool not_tokens(struct text kind, struct text key, struct text value)
{
	return !text_is(key, "TOKEN") && !text_is(key, "TOKNE");
}

/* "[CLUSTER] TOKEN=<abc>" for each entry, a line each. */
static char *dump(const struct conf *conf)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	for (const struct conf_section *section = conf_sections(conf); section;
	     section = section->next) {
		(void)!buf_print(out, "[%.*s|%.*s]\n", TEXT_ARGS(section->kind),
				 TEXT_ARGS(section->name));
		for (const struct conf_entry *entry = section->entries; entry; entry = entry->next)
			(void)!buf_print(out, "%.*s=<%.*s> %d:%d\n", TEXT_ARGS(entry->key),
					 TEXT_ARGS(entry->value), entry->place.line,
					 entry->place.column);
	}
	return buf_take(out);
}

static void check(const char *text, const char *expected, const char *messages)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(conf_free)
	struct conf *conf = conf_parse("x.conf", text_of(text), not_tokens, problems);
	AUTO(free) char *found = conf ? dump(conf) : str_copy("");
	AUTO(free) char *said = problems_format(problems, false);

	assert_string_equal(found, expected);
	assert_string_equal(said, messages);
}

static void the_prototypes_file_is_read_as_it_is(void **state)
{
	check("[CLUSTER]\nTOKEN = access-v1:abc=;#x\nCLUSTER_ADDRESS = cluster.example.com\n"
	      "USE_SSL = False\n",
	      "[CLUSTER|]\nTOKEN=<access-v1:abc=;#x> 2:9\n"
	      "CLUSTER_ADDRESS=<cluster.example.com> 3:19\nUSE_SSL=<False> 4:11\n",
	      "");
}

static void configparsers_other_forms_are_read_too(void **state)
{
	check("\xef\xbb\xbf; comment\r\n[CLUSTER west]\r\n  token: 'a b ' \r\nB=\"\"\r\n"
	      "# comment\r\n\r\n[ WATCH \"x\" ]\r\nPATH=/a b ; c # d\r\n",
	      "[CLUSTER|west]\ntoken=<a b > 3:11\nB=<> 4:4\n[WATCH|x]\nPATH=</a b ; c # d> 8:6\n",
	      "");
}

static void what_is_no_section_and_no_entry_is_told(void **state)
{
	check("A = 1\nB = 2\n[X]\nnonsense\n= 3\n[Y\n[Z] z\nlost = 1\n[a/b]\n", "[X|]\n",
	      "x.conf:1:1: a section like [CLUSTER] is missing above this line\n"
	      "    1 | ***\n      | ^\n"
	      "x.conf:4:1: expected KEY = value, on one line\n"
	      "    4 | ***\n      | ^\n"
	      "x.conf:5:1: expected KEY = value\n"
	      "    5 | = 3\n      | ^\n"
	      "x.conf:6:1: a section ends with ]\n"
	      "    6 | [Y\n      | ^\n"
	      "x.conf:7:4: nothing may follow the ] of a section\n"
	      "    7 | [Z] z\n      |    ^\n"
	      "x.conf:9:1: expected a section like [CLUSTER] or [CLUSTER name]; a name has "
	      "letters, digits and - _ . only\n"
	      "    9 | [a/b]\n      | ^\n");
}

static void sections_and_keys_that_are_there_twice_are_told(void **state)
{
	check("[A]\nK = 1\nk = 2\n[B]\n[a]\nK = 3\n[A x]\n[A X]\n",
	      "[A|]\nK=<1> 2:5\n[B|]\n[A|x]\n",
	      "x.conf:3:1: k is there twice; the first is in line 2\n"
	      "    3 | k = 2\n      | ^\n"
	      "x.conf:5:1: section [a] is there twice; the first is in line 1 (join them, or "
	      "give each a name of its own, like [a two])\n"
	      "    5 | [a]\n      | ^\n"
	      "x.conf:8:1: section [A X] is there twice; the first is in line 7 (join them, or "
	      "give each a name of its own, like [A two])\n"
	      "    8 | [A X]\n      | ^\n");
}

static void an_excerpt_never_shows_a_secret(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(conf_free)
	struct conf *conf = conf_parse(
		"x.conf", TEXT("[A]\nTOKNE = \"s3cret\"\nTOKEN s3cret\nPATH = /x\nTOKEN=s3cret\n"),
		not_tokens, problems);

	for (int line = 1; line <= 5; line++)
		problems_error(problems, (struct place){ "x.conf", line, 1 }, "here");
	AUTO(free) char *text = problems_format(problems, false);
	assert_null(strstr(text, "s3cret"));
	assert_non_null(strstr(text, "    2 | TOKNE = \"***\n"));
	assert_non_null(strstr(text, "    4 | PATH = /x\n"));
	assert_non_null(strstr(text, "    5 | TOKEN=***\n"));
	assert_non_null(conf);
}

static void a_long_token_fits_and_an_endless_line_does_not(void **state)
{
	AUTO(free) char *text = mem_new(70100);
	AUTO(problems_free) struct problems *problems = problems_new();

	strcpy(text, "[A]\nK = ");
	memset(text + 8, 'x', 60000);
	AUTO(conf_free)
	struct conf *fits = conf_parse("x.conf", text_of(text), not_tokens, problems);
	assert_int_equal(problems_error_count(problems), 0);
	assert_int_equal(conf_sections(fits)->entries->value.size, 60000);
	memset(text + 8, 'x', 70000);
	AUTO(conf_free)
	struct conf *endless = conf_parse("x.conf", text_of(text), not_tokens, problems);
	assert_null(conf_sections(endless)->entries);
	AUTO(free) char *said = problems_format(problems, false);
	assert_non_null(strstr(said, "x.conf:2:1: the line is longer than 65536 bytes\n"));
}

static void bytes_that_are_not_text_are_refused(void **state)
{
	check("[A]\nK = \xe4\n", "",
	      "x.conf:2:5: byte 0xe4 is not UTF-8; save the file as UTF-8\n");
	check("[A]\nK = a\rB = c\n", "[A|]\n",
	      "x.conf:2:1: expected KEY = value, on one line\n"
	      "    2 | ***\n      | ^\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prototypes_file_is_read_as_it_is),
		cmocka_unit_test(configparsers_other_forms_are_read_too),
		cmocka_unit_test(what_is_no_section_and_no_entry_is_told),
		cmocka_unit_test(sections_and_keys_that_are_there_twice_are_told),
		cmocka_unit_test(an_excerpt_never_shows_a_secret),
		cmocka_unit_test(a_long_token_fits_and_an_endless_line_does_not),
		cmocka_unit_test(bytes_that_are_not_text_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
