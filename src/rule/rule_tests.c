#include "rule/rule_tests.h"

#include <jansson.h>

#include "base/parse.h"
#include "event/by_hand.h"
#include "rule/words.h"

static const char *const known[] = { "event",  "path",  "old_path", "file_id", "stream",
				     "origin", "watch", "time",     "expect",  NULL };
static const struct words test_words = { "a test", known, known + 9 };

struct rule_test {
	struct place place;
	struct event *event;
	char **expected;
	size_t expected_count;
};

static void free_json(json_t **place)
{
	json_decref(*place);
}

/* The test without its expectation: an event as a person types it. */
static struct event *read_event(const struct node *node, struct problems *problems)
{
	__attribute__((cleanup(free_json))) json_t *object = json_object();
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };
	struct event *event;

	node_for_each(child, node)
	{
		if (text_is(child->key->text, "expect"))
			continue;
		if (child->kind != NODE_SCALAR) {
			problems_error(problems, child->place, "%.*s: expected text, found %s",
				       TEXT_ARGS(child->key->text), node_kind_name(child->kind));
			return NULL;
		}
		json_object_set_new(object, child->key->text.data,
				    json_stringn(child->text.data, child->text.size));
	}
	text = json_dumps(object, JSON_COMPACT);
	if (event_by_hand(&event, text_of(text), TEXT("/"), &err) == 0)
		return event;
	problems_error(problems, node->place, "%s", error_text(&err));
	return NULL;
}

static void tell_no_rule(const struct rule_set *set, const struct node *name,
			 struct problems *problems)
{
	AUTO(free) char *memory = mem_array(set->count + 1, sizeof(char *));
	const char **names = (const char **)memory;
	const char *nearest;

	for (size_t i = 0; i < set->count; i++)
		names[i] = set->rules[i]->rule.name;
	nearest = parse_nearest(name->text, names);
	problems_error(problems, name->place, "there is no rule '%.*s'%s%s%s",
		       TEXT_ARGS(name->text), nearest ? "; did you mean '" : "",
		       nearest ? nearest : "", nearest ? "'?" : "");
}

static void add_expected(const struct rule_set *set, struct rule_test *test,
			 const struct node *name, struct problems *problems)
{
	if (name->kind != NODE_SCALAR || !name->text.size) {
		problems_error(problems, name->place,
			       "expect: expected a rule's name, or [] for "
			       "none");
		return;
	}
	if (!rule_set_find(set, name->text.data)) {
		tell_no_rule(set, name, problems);
		return;
	}
	test->expected = mem_grow(test->expected, test->expected_count + 1, sizeof(char *));
	test->expected[test->expected_count++] = text_copy(name->text);
}

static void read_expected(const struct rule_set *set, struct rule_test *test,
			  const struct node *node, struct problems *problems)
{
	const struct node *expect = node_get(node, "expect");

	if (!expect) {
		problems_error(problems, node->place,
			       "a test without expect: expected the names of the rules that are "
			       "true, or [] for none");
	} else if (expect->kind == NODE_LIST) {
		node_for_each(child, expect)
		{
			add_expected(set, test, child, problems);
		}
	} else {
		add_expected(set, test, expect, problems);
	}
}

static void read_test(struct rule_set *set, const struct node *node, struct problems *problems)
{
	struct rule_test *test;

	if (node->kind != NODE_MAPPING) {
		problems_error(
			problems, node->place,
			"a test is %s: expected one like {event: created, path: /home/a.jpg, "
			"expect: [a-rule]}",
			node_kind_name(node->kind));
		return;
	}
	if (!words_check(&test_words, node, problems))
		return;
	set->tests = mem_grow(set->tests, set->test_count + 1, sizeof(*set->tests));
	test = &set->tests[set->test_count++];
	*test = (struct rule_test){ .place = rule_set_place(set, node->place) };
	test->event = read_event(node, problems);
	read_expected(set, test, node, problems);
}

void rule_tests_read(struct rule_set *set, const struct node *node, struct problems *problems)
{
	if (node->kind != NODE_LIST) {
		problems_error(problems, node->place,
			       "'tests' is %s: expected a list of tests, like - {event: created, "
			       "path: /home/a.jpg, expect: [a-rule]}",
			       node_kind_name(node->kind));
		return;
	}
	node_for_each(child, node)
	{
		read_test(set, child, problems);
	}
}

void rule_tests_clear(struct rule_set *set)
{
	for (size_t i = 0; i < set->test_count; i++) {
		struct rule_test *test = &set->tests[i];

		for (size_t j = 0; j < test->expected_count; j++)
			free(test->expected[j]);
		free(test->expected);
		free(test->event);
	}
	free(set->tests);
}

/* ---- Running ---- */

struct outcome {
	bool *is_true; /* by rule */
};

static bool note_rule(void *ctx, const struct rule *rule)
{
	struct outcome *outcome = ctx;

	outcome->is_true[rule->index] = true;
	return !rule->stop;
}

static void list_name(struct buf *list, const char *name)
{
	(void)!buf_print(list, "%s'%s'", list->size ? ", " : "", name);
}

static bool run_test(const struct rule_set *set, const struct rule_test *test,
		     struct rule_matcher *matcher, struct problems *problems)
{
	bool *is_true = mem_array(set->count, sizeof(*is_true));
	struct outcome outcome = { is_true };
	AUTO(buf_free) struct buf *missing = buf_new(SIZE_MAX);
	AUTO(buf_free) struct buf *surplus = buf_new(SIZE_MAX);

	rule_match(matcher, test->event, note_rule, &outcome);
	for (size_t i = 0; i < test->expected_count; i++) {
		const struct rule *rule = rule_set_find(set, test->expected[i]);

		if (!is_true[rule->index])
			list_name(missing, rule->name);
		is_true[rule->index] = false;
	}
	for (size_t i = 0; i < set->count; i++)
		if (is_true[i])
			list_name(surplus, set->rules[i]->rule.name);
	free(is_true);
	if (missing->size)
		problems_error(problems, test->place, "this test fails: %s should be true",
			       missing->data);
	if (surplus->size)
		problems_error(problems, test->place, "this test fails: %s should not be true",
			       surplus->data);
	return !missing->size && !surplus->size;
}

size_t rule_set_test(const struct rule_set *set, struct problems *problems)
{
	struct rule_matcher *matcher = rule_matcher_new(set);
	size_t passed = 0;

	for (size_t i = 0; i < set->test_count; i++)
		passed += run_test(set, &set->tests[i], matcher, problems);
	rule_matcher_free(matcher);
	return passed;
}

size_t rule_set_test_count(const struct rule_set *set)
{
	return set->test_count;
}
