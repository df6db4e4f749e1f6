#include "rule/rule_tests.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/parse.h"
#include "event/by_hand.h"
#include "rule/condition_file.h"
#include "rule/words.h"

#define FACTS "type", "size", "owner", "group", "mode", "age", "modified", "links", "tag"

static const char *const facts[] = { FACTS, NULL };
static const char *const known[] = { "event", "path", "old_path", "file_id", "stream", "origin",
				     "watch", "time", FACTS,      "expect",  NULL };
static const struct words test_words = { "a test", known };

struct rule_test {
	struct place place;
	struct event *event;
	struct file_info info; /* what the cluster would say of the file */
	struct file_tags tags;
	bool has_info;
	const struct rule *of; /* only this one and those that are expected matter; NULL: all */
	char **expected;
	size_t expected_count;
};

static void free_json(json_t **place)
{
	json_decref(*place);
}

static bool is_fact(struct text name)
{
	for (size_t i = 0; facts[i]; i++)
		if (text_is(name, facts[i]))
			return true;
	return false;
}

/* The test without its expectation and the file: an event as a person types it. */
static struct event *read_event(const struct node *node, struct problems *problems)
{
	__attribute__((cleanup(free_json))) json_t *object = json_object();
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };
	struct event *event;

	node_for_each(child, node)
	{
		if (text_is(child->key->text, "expect") || is_fact(child->key->text))
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

/* ---- What the cluster would say ---- */

static void set_text(char **place, struct text value)
{
	free(*place);
	*place = text_copy(value);
}

/* A name, uid:1000, gid:100, sid:S-1-5-.. or auth_id:500, as in a condition. */
static void set_principal(char **type, char **value, char **auth_id, bool is_group,
			  struct text text)
{
	struct text rest = text;
	struct text head = text_cut(&rest, ':');

	if (text_is(head, "auth_id") && rest.size) {
		set_text(auth_id, rest);
		return;
	}
	if ((text_is(head, "uid") || text_is(head, "gid")) && rest.size) {
		set_text(type, is_group ? TEXT("NFS_GID") : TEXT("NFS_UID"));
		set_text(value, rest);
	} else if (text_is(head, "sid") && rest.size) {
		set_text(type, TEXT("SMB_SID"));
		set_text(value, rest);
	} else {
		set_text(type, is_group ? TEXT("LOCAL_GROUP") : TEXT("LOCAL_USER"));
		set_text(value, text);
	}
}

static int set_time(char **place, const struct event *event, struct text text, struct error *err)
{
	int64_t ago_ms;

	if (parse_duration(text, &ago_ms, err) < 0)
		return -1;
	free(*place);
	*place = clock_format(event->time_ms - ago_ms);
	return 0;
}

static int set_type(struct file_info *info, struct text text, struct error *err)
{
	unsigned types = 0;

	if (!file_type_parse(text, &types))
		return error_set(err, "'%.*s': expected file, directory, symlink or other",
				 TEXT_ARGS(text));
	info->type = (enum file_type)__builtin_ctz(types);
	return 0;
}

static int set_links(struct file_info *info, struct text text, struct error *err)
{
	int64_t links;

	if (parse_number(text, 0, 1000000, &links, err) < 0)
		return -1;
	info->num_links = (int)links;
	return 0;
}

static int set_fact(struct rule_test *test, const struct node *node, struct error *err)
{
	struct file_info *info = &test->info;
	struct text name = node->key->text, text = node->text;

	if (text_is(name, "type"))
		return set_type(info, text, err);
	if (text_is(name, "size"))
		return parse_size(text, &info->size, err);
	if (text_is(name, "mode"))
		return parse_mode(text, &info->mode, err);
	if (text_is(name, "links"))
		return set_links(info, text, err);
	if (text_is(name, "age"))
		return set_time(&info->creation_time, test->event, text, err);
	if (text_is(name, "modified"))
		return set_time(&info->modification_time, test->event, text, err);
	if (text_is(name, "owner"))
		set_principal(&info->owner_type, &info->owner_value, &info->owner, false, text);
	else
		set_principal(&info->group_type, &info->group_value, &info->group, true, text);
	return 0;
}

static void read_tags(struct rule_test *test, const struct node *node, struct problems *problems)
{
	if (node->kind != NODE_MAPPING)
		problems_error(problems, node->place,
			       "tag: expected keys and values, like {reviewed: yes}, found %s",
			       node_kind_name(node->kind));
	node_for_each(child, node)
	{
		if (node->kind == NODE_MAPPING && child->kind == NODE_SCALAR)
			file_tags_add(&test->tags, child->key->text.data, child->text);
		else if (node->kind == NODE_MAPPING)
			problems_error(problems, child->place, "tag: expected text, found %s",
				       node_kind_name(child->kind));
	}
}

/* What a test does not say is that of a new, empty file of nobody's. */
static void read_facts(struct rule_test *test, const struct node *node, struct problems *problems)
{
	struct file_info *info = &test->info;

	if (!test->event)
		return;
	if (!test->event->time_ms)
		test->event->time_ms = clock_now_ms();
	*info = (struct file_info){ .mode = 0644, .num_links = 1 };
	info->owner = str_copy("");
	info->group = str_copy("");
	info->owner_type = str_copy("LOCAL_USER");
	info->owner_value = str_copy("nobody");
	info->group_type = str_copy("LOCAL_GROUP");
	info->group_value = str_copy("nobody");
	info->creation_time = clock_format(test->event->time_ms);
	info->modification_time = clock_format(test->event->time_ms);
	node_for_each(child, node)
	{
		AUTO_ERROR err = { 0 };

		if (!is_fact(child->key->text))
			continue;
		test->has_info = true;
		if (text_is(child->key->text, "tag"))
			read_tags(test, child, problems);
		else if (child->kind != NODE_SCALAR)
			problems_error(problems, child->place, "%.*s: expected text, found %s",
				       TEXT_ARGS(child->key->text), node_kind_name(child->kind));
		else if (set_fact(test, child, &err) < 0)
			problems_error(problems, child->place, "%.*s %s",
				       TEXT_ARGS(child->key->text), error_text(&err));
	}
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

static void expect_rule(struct rule_test *test, struct text name)
{
	test->expected = mem_grow(test->expected, test->expected_count + 1, sizeof(char *));
	test->expected[test->expected_count++] = text_copy(name);
}

static void add_expected(const struct rule_set *set, struct rule_test *test,
			 const struct node *name, struct problems *problems)
{
	if (name->kind != NODE_SCALAR || !name->text.size)
		problems_error(problems, name->place,
			       "expect: expected a rule's name, or [] for "
			       "none");
	else if (!rule_set_find(set, name->text.data))
		tell_no_rule(set, name, problems);
	else
		expect_rule(test, name->text);
}

static void read_expected(const struct rule_set *set, struct rule_test *test,
			  const struct node *node, struct problems *problems)
{
	const struct node *expect = node_get(node, "expect");

	if (!expect && test->of) {
		expect_rule(test, text_of(test->of->name));
	} else if (!expect) {
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

static void read_test(struct rule_set *set, const struct node *node, const struct rule *rule,
		      struct problems *problems)
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
	*test = (struct rule_test){ .place = rule_set_place(set, node->place), .of = rule };
	test->event = read_event(node, problems);
	read_facts(test, node, problems);
	read_expected(set, test, node, problems);
}

void rule_tests_read(struct rule_set *set, const struct node *node, const struct rule *rule,
		     struct problems *problems)
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
		read_test(set, child, rule, problems);
	}
}

void rule_tests_clear(struct rule_set *set)
{
	for (size_t i = 0; i < set->test_count; i++) {
		struct rule_test *test = &set->tests[i];

		for (size_t j = 0; j < test->expected_count; j++)
			free(test->expected[j]);
		free(test->expected);
		file_info_clear(&test->info);
		file_tags_clear(&test->tags);
		free(test->event);
	}
	free(set->tests);
}

/* ---- Running ---- */

struct outcome {
	bool *is_true; /* by rule */
};

static bool note_rule(void *ctx, const struct rule *rule, enum truth truth)
{
	struct outcome *outcome = ctx;

	if (truth != TRUTH_TRUE)
		return true;

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

	const struct file_facts file = { .info = &test->info, .tags = &test->tags };

	rule_match_with(matcher, test->event, test->has_info ? &file : NULL, note_rule, &outcome);
	for (size_t i = 0; i < test->expected_count; i++) {
		const struct rule *rule = rule_set_find(set, test->expected[i]);

		if (!is_true[rule->index])
			list_name(missing, rule->name);
		is_true[rule->index] = false;
	}
	for (size_t i = 0; i < set->count; i++)
		if (is_true[i] && (!test->of || test->of == &set->rules[i]->rule))
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
