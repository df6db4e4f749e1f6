/* steps: what may stand beside a module, and what follows a failure. */
#include "check.h"

#include "base/buf.h"
#include "rule_fixture.h"

#define RULE "watched_items:\n- name: r\n  when: {event: created}\n  actions:\n"

static struct rule_set *parse(const char *actions, struct problems *problems)
{
	AUTO(free) char *rules = str_format(RULE "%s", actions);

	return rule_set_parse("watched_items.yml", text_of(rules), &fixture, problems);
}

static void assert_said(const char *actions, const char *expected)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct rule_set *set = parse(actions, problems);
	AUTO(free) char *said = problems_format(problems, false);

	rule_set_free(set);
	if (strncmp(said, expected, strlen(expected)) != 0)
		fail_msg("expected: %s\nsaid: %s", expected, said);
}

/* "quarantine dry 3 continue|email after 1|": each step with what it says. */
static char *steps_of(const char *actions)
{
	static const char *const on_error[] = { "stop", "continue", "steps" };
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	struct rule_set *set = parse(actions, problems);
	AUTO(free) char *said = problems_format(problems, false);
	const struct rule *rule;

	if (!set)
		fail_msg("%s", said);
	rule = rule_set_get(set, 0);
	for (size_t i = 0; i < rule->step_count; i++) {
		const struct rule_step *step = &rule->steps[i];

		assert_true(buf_print(text, "%s %s%s%lld %s after %zu|", step->module,
				      step->options, step->dry_run ? " dry " : " ",
				      (long long)step->attempts, on_error[step->on_error],
				      step->after));
	}
	rule_set_free(set);
	return buf_take(text);
}

static void options_of_a_step_stand_beside_its_module(void **state)
{
	AUTO(free)
	char *steps = steps_of("  - quarantine: {to: /q}\n"
			       "    on_error: continue\n"
			       "    dry_run: yes\n"
			       "  - attempts: 3\n"
			       "    log: x\n"
			       "  - log\n");

	assert_string_equal(steps, "quarantine {\"to\": \"/q\"} dry 0 continue after 0|"
				   "log \"x\" 3 stop after 0|"
				   "log {} 0 stop after 0|");
}

static void steps_follow_a_failure(void **state)
{
	AUTO(free)
	char *list = steps_of("  - quarantine: {to: /q}\n"
			      "    on_error:\n"
			      "      - email: {to: a}\n"
			      "        attempts: 2\n"
			      "      - log\n"
			      "  - log\n");
	AUTO(free) char *one = steps_of("  - {quarantine: {to: /q}, on_error: log}\n");

	assert_string_equal(list, "quarantine {\"to\": \"/q\"} 0 steps after 0|"
				  "email {\"to\": \"a\"} 2 stop after 1|"
				  "log {} 0 stop after 1|"
				  "log {} 0 stop after 0|");
	assert_string_equal(one,
			    "quarantine {\"to\": \"/q\"} 0 steps after 0|log {} 0 stop after 1|");
}

static void a_named_action_brings_them_along(void **state)
{
	AUTO(free)
	char *steps = steps_of("  - tell\n"
			       "actions:\n"
			       "  tell: {email: {to: a}, on_error: continue, attempts: 7}\n");

	assert_string_equal(steps, "email {\"to\": \"a\"} 7 continue after 0|");
}

static void what_is_wrong_with_them_is_told(void **state)
{
	assert_said("  - quarantine: {to: /q}\n    on_eror: continue\n",
		    "watched_items.yml:6:5: 'on_eror' is no option of a step; did you mean "
		    "'on_error': expected on_error, dry_run, attempts, back_off, concurrency or "
		    "approve beside the "
		    "module, or the "
		    "module's options further to the right\n");
	assert_said("  - quarantine: {to: /q}\n    attempts: many\n",
		    "watched_items.yml:6:15: attempts: ");
	assert_said("  - quarantine: {to: /q}\n    attempts: 0\n",
		    "watched_items.yml:6:15: attempts: ");
	assert_said("  - quarantine: {to: /q}\n    dry_run: [yes]\n",
		    "watched_items.yml:6:5: dry_run is a list: expected yes or no\n");
	assert_said("  - quarantine: {to: /q}\n    on_error:\n",
		    "watched_items.yml:6:5: on_error says nothing: expected stop, continue, or "
		    "steps like - email: ...\n");
	assert_said("  - quarantine: {to: /q}\n    on_error: contine\n",
		    "watched_items.yml:6:15: there is no action 'contine': ");
	assert_said("  - log: x\n    on_error: [{log: y, on_error: stop}]\n",
		    "watched_items.yml:6:25: on_error inside of on_error: when one of these steps "
		    "fails, the job ends; expected on_error at a step of the rule\n");
	assert_said("  - {on_error: stop}\n",
		    "watched_items.yml:5:5: an action is a mapping without a module: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_a_step_stand_beside_its_module),
		cmocka_unit_test(steps_follow_a_failure),
		cmocka_unit_test(a_named_action_brings_them_along),
		cmocka_unit_test(what_is_wrong_with_them_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
