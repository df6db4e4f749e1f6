#include "check.h"

#include "action/mode.h"

/* The rows were made with chmod(1) on a file, and on a directory. */
static const struct {
	const char *text;
	unsigned before;
	bool is_directory;
	unsigned after;
} rows[] = {
	{ "0640", 0777, false, 0640 },
	{ "755", 0, true, 0755 },
	{ "u=rw,g=r,o=", 0777, false, 0640 },
	{ "go-w", 0666, false, 0644 },
	{ "a+x", 0644, false, 0755 },
	{ "+x", 0644, false, 0755 },
	{ "u=rwX,g=rX,o=", 0644, false, 0640 },
	{ "u=rwX,g=rX,o=", 0700, true, 0750 },
	{ "a+X", 0644, false, 0644 },
	{ "a+X", 0744, false, 0755 },
	{ "a+X", 0644, true, 0755 },
	{ "u+s", 0755, false, 04755 },
	{ "ug+s", 0755, false, 06755 },
	{ "+t", 0777, true, 01777 },
	{ "a-st", 07777, true, 0777 },
	{ "g=rx", 02755, true, 02755 },
	{ "g=rx", 02755, false, 0755 },
	{ "u-w+x", 0600, false, 0500 },
	{ "a=", 0777, false, 0 },
	{ "o=r,o+w", 0750, false, 0756 },
};

static void a_mode_becomes_what_chmod_makes_of_it(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_ERROR err = { 0 };
		unsigned after = mode_apply(rows[i].text, rows[i].before, rows[i].is_directory);

		assert_int_equal(mode_check(rows[i].text, &err), 0);
		if (after != rows[i].after)
			fail_msg("%s of %04o: %04o, not %04o", rows[i].text, rows[i].before, after,
				 rows[i].after);
	}
}

static void what_is_no_mode_is_said(void **state)
{
	static const char *const wrong[] = { "",      "8",   "rw",     "u",        "u=rw,", ",u=r",
					     "u=rwz", "u*r", "00640x", "u=rw g=r", "10000" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO_ERROR err = { 0 };

		if (mode_check(wrong[i], &err) == 0)
			fail_msg("'%s' was taken", wrong[i]);
		assert_non_null(strstr(error_text(&err), "expected an octal mode"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mode_becomes_what_chmod_makes_of_it),
		cmocka_unit_test(what_is_no_mode_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
