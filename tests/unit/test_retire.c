/* Who frees rules that are not at work any more: every call of rule_set_free comes by here. */
#include "filter_fixture.h"

#include <pthread.h>

#include "app/retire.h"

void __real_rule_set_free(struct rule_set *set);
void __wrap_rule_set_free(struct rule_set *set);

#define RULES "version: 1\nwatched_items:\n- {name: a, when: {extension: .zip}, actions: [log]}\n"

static pthread_t loop_thread;
static atomic_uint freed_here, freed_beside;

void __wrap_rule_set_free(struct rule_set *set)
{
	if (set && pthread_equal(pthread_self(), loop_thread))
		freed_here++;
	else if (set)
		freed_beside++;
	__real_rule_set_free(set);
}

static void begin_counting(void)
{
	loop_thread = pthread_self();
	freed_here = freed_beside = 0;
}

static void a_set_is_freed_beside_the_loop_which_waits_for_it_at_its_end(void **state)
{
	struct rule_set *set = load_rules(RULES);
	uv_loop_t loop;

	begin_counting();
	uv_loop_init(&loop);
	retire_set(&loop, set);
	retire_set(&loop, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(freed_beside, 1);
	assert_int_equal(freed_here, 0);
}

static void rules_that_others_replace_are_not_freed_by_the_filter(void **state)
{
	struct monitor m;

	monitor_start(&m, *state, RULES);
	settle_down(&m);
	begin_counting();
	for (unsigned i = 1; i <= 3; i++) {
		filter_offer(m.filter, 0, load_rules(RULES), NULL, NULL);
		while (freed_beside + freed_here < i)
			uv_run(&m.loop, UV_RUN_ONCE);
	}
	assert_int_equal(freed_here, 0);
	monitor_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_freed_beside_the_loop_which_waits_for_it_at_its_end),
		cmocka_unit_test(rules_that_others_replace_are_not_freed_by_the_filter),
	};

	return run_on_one_store(tests, ARRAY_SIZE(tests), &store_kinds[0]);
}
