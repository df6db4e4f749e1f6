#include "check.h"

#include "action/template.h"
#include "base/clock.h"

static struct event event = {
	.type = CHILD_FILE_MOVED_TO,
	.type_name = { "child_file_moved_to", 19 },
	.path = { "/home/joe/a b.tar.gz", 20 },
	.old_path = { "/home/joe/old.tmp", 17 },
	.file_id = { "95200597194320772806937149443", 29 },
	.watch = { "main", 4 },
	.origin = ORIGIN_REPAIR,
	.time_ms = 1795366800123,
};

static struct action_run run = {
	.job = 12, .rule = "no-media", .cluster_name = "studio", .event = &event
};

static void assert_renders(const char *template, const char *expected)
{
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };

	assert_int_equal(template_render(&text, template, &run, 10000, &err), 0);
	assert_string_equal(text, expected);
}

static void assert_wrong(const char *template, const char *expected)
{
	AUTO(free) char *message = template_check(NULL, text_of(template));

	assert_non_null(message);
	if (!strstr(message, expected))
		fail_msg("'%s' does not say '%s'", message, expected);
}

static void every_field_of_the_event_is_filled_in(void **state)
{
	assert_renders("{path}|{name}|{stem}|{extension}|{dir}",
		       "/home/joe/a b.tar.gz|a b.tar.gz|a b.tar|.gz|/home/joe");
	assert_renders("{old_path}|{old_name}", "/home/joe/old.tmp|old.tmp");
	assert_renders("{event} {file_id}", "child_file_moved_to 95200597194320772806937149443");
	assert_renders("{rule} {watch} {cluster} {origin} {job}", "no-media main studio repair 12");
	assert_renders("{time} {date}", "2026-11-22T17:00:00.123Z 2026-11-22");
}

static void name_is_stem_and_extension(void **state)
{
	assert_renders("{stem}{extension}", "a b.tar.gz");
}

static void a_doubled_brace_is_a_brace(void **state)
{
	assert_null(template_check(NULL, TEXT("{{\"text\": \"{name}\"}}")));
	assert_renders("{{\"text\": \"{name}\"}}", "{\"text\": \"a b.tar.gz\"}");
	assert_renders("{{{job}}}", "{12}");
}

static void a_field_without_a_value_is_empty(void **state)
{
	assert_renders("<{size}{owner}{group}{mode}{quarantine.path}>", "<>");
}

static void attributes_come_from_the_file(void **state)
{
	char owner[] = "12884901888", owner_value[] = "0", group[] = "513";
	struct file_info file = { .size = 4711,
				  .mode = 0640,
				  .owner = owner,
				  .owner_value = owner_value,
				  .group = group };

	run.file = &file;
	assert_renders("{size} {owner} {group} {mode}", "4711 0 513 0640");
	run.file = NULL;
}

static void results_of_earlier_steps_are_filled_in(void **state)
{
	run.results = json_pack("{s:{s:s},s:{s:i}}", "log", "path", "/q/a", "exec", "status", 3);
	assert_renders("{log.path} {exec.status}{exec.nothing}", "/q/a 3");
	json_decref(run.results);
	run.results = NULL;
}

static void an_unknown_field_suggests_the_nearest(void **state)
{
	assert_wrong("{pth}", "unknown field {pth}, did you mean {path}?");
	assert_wrong("{name} {zzzzzzzz}", "unknown field {zzzzzzzz}");
	assert_wrong("{}", "for a brace");
	assert_wrong("{ path }", "unknown field { path }");
}

static void a_result_needs_an_action_that_exists(void **state)
{
	assert_null(template_check(NULL, TEXT("{exec.output}")));
	assert_wrong("{exce.output}", "there is no action 'exce', did you mean 'exec'?");
	assert_wrong("{exec.}", "{exec.}: expected");
	assert_wrong("{exec.A b}", "expected");
}

static void braces_that_do_not_match_are_named(void **state)
{
	assert_wrong("ab{path", "'{path' has no closing }");
	assert_wrong("a } b", "a } without its {");
	assert_wrong("{a{b}", "unknown field {a{b}");
}

static void a_text_past_the_ceiling_is_an_error(void **state)
{
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };

	assert_int_equal(template_render(&text, "{path}", &run, 19, &err), -1);
	assert_non_null(strstr(error_text(&err), "longer than 19 bytes"));
	assert_int_equal(template_render(&text, "{path}", &run, 20, &err), 0);
}

static bool in_brackets(struct buf *out, struct text value)
{
	return buf_print(out, "[%.*s]", TEXT_ARGS(value));
}

static void only_values_are_escaped(void **state)
{
	AUTO(free) char *text = NULL;

	assert_int_equal(
		template_render_escaped(&text, "<{job}> {{}} {name}", &run, 100, in_brackets, NULL),
		0);
	assert_string_equal(text, "<[12]> {} [a b.tar.gz]");
}

static void only_attributes_want_the_file(void **state)
{
	assert_false(template_wants_file(TEXT("{path} {{size}} size")));
	assert_true(template_wants_file(TEXT("{path} {size}")));
}

static void a_template_becomes_a_glob(void **state)
{
	static const char *const pairs[][2] = {
		{ "{stem}.done", "*.done" },
		{ "{stem}{extension}", "*" },
		{ "a[1]*", "a?1??" },
		{ "{{x}}", "?x?" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *glob = template_glob(text_of(pairs[i][0]));

		assert_string_equal(glob, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_the_event_is_filled_in),
		cmocka_unit_test(name_is_stem_and_extension),
		cmocka_unit_test(a_doubled_brace_is_a_brace),
		cmocka_unit_test(a_field_without_a_value_is_empty),
		cmocka_unit_test(attributes_come_from_the_file),
		cmocka_unit_test(results_of_earlier_steps_are_filled_in),
		cmocka_unit_test(an_unknown_field_suggests_the_nearest),
		cmocka_unit_test(a_result_needs_an_action_that_exists),
		cmocka_unit_test(braces_that_do_not_match_are_named),
		cmocka_unit_test(a_text_past_the_ceiling_is_an_error),
		cmocka_unit_test(only_values_are_escaped),
		cmocka_unit_test(only_attributes_want_the_file),
		cmocka_unit_test(a_template_becomes_a_glob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
