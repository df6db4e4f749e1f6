#include "check.h"

#include "action/acl.h"

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	return json;
}

#define CURRENT                                                                                    \
	"{\"control\":[\"PRESENT\",\"AUTO_INHERIT\"],\"posix_special_permissions\":[],\"aces\":["  \
	"{\"type\":\"ALLOWED\",\"flags\":[],\"trustee\":\"500\",\"rights\":[\"READ\",\"MODIFY\"]}" \
	","                                                                                        \
	"{\"type\":\"DENIED\",\"flags\":[],\"trustee\":\"501\",\"rights\":[\"MODIFY\"]},"          \
	"{\"type\":\"ALLOWED\",\"flags\":[],\"trustee\":\"513\",\"rights\":[\"EXTEND\"]}]}"

/* What an option comes to, its aces as one text. For free(). */
static char *wanted(const char *option, enum file_type type)
{
	struct file_info file = { .owner = (char *)"500", .group = (char *)"513", .type = type };
	json_t *current = parse(CURRENT), *acl = acl_wanted(option, current, &file);
	char *text = json_dumps(json_object_get(acl, "aces"), JSON_COMPACT);

	json_decref(acl);
	json_decref(current);
	return text;
}

static void assert_wanted(const char *option, const char *aces)
{
	AUTO(free) char *text = wanted(option, FILE_REGULAR);

	assert_string_equal(text, aces);
}

static void presets_become_lists(void **state)
{
	AUTO(free) char *owner = wanted("\"owner_only\"", FILE_REGULAR);

	assert_wanted("\"nobody\"", "[]");
	assert_wanted(
		"\"read_only\"",
		"[{\"type\":\"ALLOWED\",\"flags\":[],\"trustee\":\"500\",\"rights\":[\"READ\"]},"
		"{\"type\":\"DENIED\",\"flags\":[],\"trustee\":\"501\",\"rights\":[\"MODIFY\"]}]");
	assert_non_null(strstr(owner, "\"trustee\":\"500\""));
	assert_non_null(strstr(owner, "\"CHANGE_OWNER\""));
	assert_null(strstr(owner, "501"));
}

static void entries_name_people_as_everywhere(void **state)
{
	assert_wanted(
		"[{\"allow\":\"owner\",\"rights\":[\"READ\"]},"
		"{\"deny\":\"everyone\",\"rights\":[\"READ\"]},"
		"{\"allow\":\"uid:1000\",\"rights\":[\"READ\"]},"
		"{\"allow\":\"group\",\"rights\":[\"READ\"]}]",
		"[{\"type\":\"ALLOWED\",\"flags\":[],\"rights\":[\"READ\"],\"trustee\":\"500\"},"
		"{\"type\":\"DENIED\",\"flags\":[],\"rights\":[\"READ\"],"
		"\"trustee\":\"8589934592\"},"
		"{\"type\":\"ALLOWED\",\"flags\":[],\"rights\":[\"READ\"],"
		"\"trustee\":\"12884902888\"},"
		"{\"type\":\"ALLOWED\",\"flags\":[],\"rights\":[\"READ\"],"
		"\"trustee\":\"513\"}]");
	assert_wanted("[{\"allow\":\"media\",\"rights\":[\"READ\"]}]",
		      "[{\"type\":\"ALLOWED\",\"flags\":[],\"rights\":[\"READ\"],"
		      "\"trustee_details\":{\"id_type\":\"LOCAL_GROUP\",\"id_value\":\"media\"}}]");
}

/* A file hands nothing down. */
static void only_directories_have_entries_that_are_inherited(void **state)
{
	const char *option = "[{\"allow\":\"owner\",\"rights\":[\"READ\"],\"inherit\":\"yes\"}]";
	AUTO(free) char *file = wanted(option, FILE_REGULAR);
	AUTO(free) char *directory = wanted(option, FILE_DIRECTORY);

	assert_null(strstr(file, "INHERIT"));
	assert_non_null(strstr(directory, "[\"OBJECT_INHERIT\",\"CONTAINER_INHERIT\"]"));
}

static void order_of_names_does_not_matter_and_order_of_entries_does(void **state)
{
	json_t *a = parse("{\"aces\":[{\"type\":\"ALLOWED\",\"flags\":[],\"trustee\":\"1\","
			  "\"rights\":[\"READ\",\"EXECUTE\"]}],\"control\":[\"PRESENT\"]}");
	json_t *b = parse("{\"aces\":[{\"type\":\"ALLOWED\",\"flags\":[],\"trustee\":\"1\","
			  "\"trustee_details\":{},\"rights\":[\"EXECUTE\",\"READ\"]}]}");
	json_t *c = parse("{\"aces\":[{\"type\":\"DENIED\",\"flags\":[],\"trustee\":\"1\","
			  "\"rights\":[\"READ\",\"EXECUTE\"]}]}");
	json_t *d = parse("{\"aces\":[{\"type\":\"ALLOWED\",\"flags\":[\"INHERITED\"],"
			  "\"trustee\":\"1\",\"rights\":[\"READ\",\"EXECUTE\"]}]}");

	assert_true(acl_is_same(a, b));
	assert_false(acl_is_same(a, c));
	assert_false(acl_is_same(a, d));
	json_decref(a);
	json_decref(b);
	json_decref(c);
	json_decref(d);
}

static void assert_problem(const char *option, const char *sentence)
{
	struct problems *problems = problems_new();

	acl_check(option, (struct place){ 0 }, problems);
	AUTO(free) char *text = problems_format(problems, false);
	problems_free(problems);
	if (sentence ? !strstr(text, sentence) : *text != '\0')
		fail_msg("%s: %s", option, text);
}

static void what_is_wrong_is_said(void **state)
{
	assert_problem("\"nobody\"", NULL);
	assert_problem("[{\"deny\":\"media\",\"rights\":\"change\"}]", NULL);
	assert_problem(CURRENT, NULL);
	assert_problem("\"readonly\"", "'readonly': expected nobody, owner_only, read_only");
	assert_problem("[]", "if that is meant, say nobody");
	assert_problem("[{\"allow\":\"a\",\"rights\":\"write\"}]",
		       "entry 1: rights 'write': expected read, change, full or a list");
	assert_problem("[{\"allow\":\"a\",\"rights\":[\"REED\"]}]",
		       "entry 1: there is no right 'REED'; did you mean READ?");
	assert_problem("[{\"rights\":\"read\"}]", "entry 1: it needs allow or deny");
	assert_problem("[{\"allow\":\"a\",\"deny\":\"b\",\"rights\":\"read\"}]",
		       "entry 1: it needs allow or deny, one of them");
	assert_problem("[{\"allow\":\"sid:x\",\"rights\":\"read\"}]",
		       "entry 1: 'sid:x': expected everyone");
	assert_problem("[{\"allow\":\"a\",\"rights\":\"read\",\"inherits\":\"yes\"}]",
		       "entry 1: it has no 'inherits'");
	assert_problem("[\"read\"]", "entry 1: expected one like {allow: media, rights: read}");
	assert_problem(
		"{\"aces\":[{\"type\":\"ALLOWED\",\"rights\":[\"READ\"],\"trustee\":\"1\"}]}",
		"ace 1: flags: expected a list, if need be an empty one");
	assert_problem("{\"acl\":[]}", "expected a list of at most 200 aces");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_become_lists),
		cmocka_unit_test(entries_name_people_as_everywhere),
		cmocka_unit_test(only_directories_have_entries_that_are_inherited),
		cmocka_unit_test(order_of_names_does_not_matter_and_order_of_entries_does),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
