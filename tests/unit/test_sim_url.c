/* The request's target and the patterns of names. */
#include "check.h"
#include "simulator/smb_pattern.h"
#include "simulator/url.h"

static void a_path_of_many_parts_stays_in_one_segment(void **state)
{
	struct url url;
	AUTO(free) char *path = NULL;

	assert_int_equal(url_parse(&url, "/v1/files/%2Fhome%2Fa%20b+c/data?offset=5", NULL), 0);
	assert_int_equal(url.parts, 4);
	path = url_decode(url.part[2]);
	assert_string_equal(path, "/home/a b+c");
	assert_string_equal(url_parameter(&url, "offset"), "5");
	assert_null(url_parameter(&url, "length"));
	url_clear(&url);
}

static void the_prefix_of_port_443_means_the_same_resource(void **state)
{
	struct url url;

	assert_int_equal(url_parse(&url, "/api/v1/version", NULL), 0);
	assert_int_equal(url.parts, 2);
	assert_true(text_is(url.part[0], "v1"));
	url_clear(&url);
}

static void a_slash_at_the_end_is_a_segment_of_its_own(void **state)
{
	struct url url;

	assert_int_equal(url_parse(&url, "/v1/users/", NULL), 0);
	assert_int_equal(url.parts, 3);
	assert_int_equal(url.part[2].size, 0);
	url_clear(&url);
}

static void bad_escapes_are_refused(void **state)
{
	static const char *const bad[] = { "%", "%4", "%zz", "a%00b", "%%41" };
	struct url url;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(url_decode(text_of(bad[i])));
	assert_int_equal(url_parse(&url, "/v1/x?a=%zz", NULL), -1);
	url_clear(&url);
	assert_int_equal(url_parse(&url, "v1/x", NULL), -1);
	url_clear(&url);
}

static void what_is_encoded_decodes_to_the_same_bytes(void **state)
{
	char all[256];

	for (int i = 0; i < 255; i++)
		all[i] = i + 1;
	all[255] = '\0';
	AUTO(free) char *encoded = url_encode(all);
	AUTO(free) char *decoded = url_decode(text_of(encoded));
	assert_string_equal(decoded, all);
	assert_null(strchr(encoded, '/'));
}

static bool matches(const char *pattern, const char *name)
{
	return smb_pattern_matches(text_of(pattern), text_of(name));
}

static void smb_patterns_do_not_look_at_case(void **state)
{
	assert_true(matches("*.JPG", "photo.jpg"));
	assert_true(matches("\xC3\x84*", "\xC3\xA4pfel"));
	assert_true(matches("f?o", "f\xC3\xB6o"));
	assert_true(matches("*a*b*", "xxaYYbzz"));
	assert_true(matches("*", ""));
	assert_true(matches("a*b", "ab\xFF"
				   "b"));
	assert_false(matches("f?o", "fo"));
	assert_false(matches("*.jpg", "photo.jpg.txt"));
	assert_false(matches("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_of_many_parts_stays_in_one_segment),
		cmocka_unit_test(the_prefix_of_port_443_means_the_same_resource),
		cmocka_unit_test(a_slash_at_the_end_is_a_segment_of_its_own),
		cmocka_unit_test(bad_escapes_are_refused),
		cmocka_unit_test(what_is_encoded_decodes_to_the_same_bytes),
		cmocka_unit_test(smb_patterns_do_not_look_at_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
