#include "rule/rule_parse.h"

#include "base/parse.h"
#include "rule/accept.h"
#include "rule/alarm_parse.h"
#include "rule/condition_values.h"
#include "rule/prototype.h"
#include "rule/rule_compile.h"
#include "rule/rule_options.h"
#include "rule/rule_tests.h"
#include "rule/step_parse.h"
#include "rule/words.h"

#define RULES_MAX 100000
#define NAME_MAX_BYTES 200

/* Name, what it means, and what holds without it. */
#define FILE_KEYS(KEY)                                                                           \
	KEY("version", "of the language: `1`", "`1`")                                            \
	KEY("include", "other files and directories whose rules come to these", NULL)            \
	KEY("defaults", "what a rule of this file has where it does not say otherwise", NULL)    \
	KEY("conditions", "names for conditions", NULL)                                          \
	KEY("actions", "names for actions", NULL)                                                \
	KEY("tests", "events, and which rules are true for them; `check` runs them", NULL)       \
	KEY("watched_items", "the rules, a list", NULL)                                          \
	KEY("alarms", "what is done about the monitor's own troubles", NULL)                     \
	KEY("accept", "warnings of `check` that are meant so, for all rules of this file", NULL) \
	KEY("PATHS", "the prototype's form, see below", NULL)                                    \
	KEY("EXTENSIONS", "likewise", NULL)
#define RULE_KEYS(KEY)                                                                             \
	KEY("name", "what the rule is called in logs, mails and listings; no two rules share one", \
	    "an error")                                                                            \
	KEY("when", "its conditions", "an error")                                                  \
	KEY("actions", "what is done, in this order", "an error")                                  \
	RULE_OPTIONS(KEY)                                                                          \
	KEY("accept", "warnings of `check` that are meant so: `[loop]`", "all are told")           \
	KEY("tests", "events for which this rule is true, or is not; `check` runs them", NULL)

static const char *const top_known[] = { FILE_KEYS(RULE_OPTION_NAME) NULL };
const struct reference_row rule_file_keys[] = { FILE_KEYS(RULE_OPTION_ROW){ 0 } };
static const struct words top_words = { "watched_items.yml", top_known };

static const char *const rule_known[] = { RULE_KEYS(RULE_OPTION_NAME) NULL };
const struct reference_row rule_keys[] = { RULE_KEYS(RULE_OPTION_ROW){ 0 } };
static const struct words rule_words = {
	"a rule", rule_known, condition_words,
	"a condition: expected below 'when:', further to the right"
};

static const char *const default_known[] = { RULE_OPTIONS(RULE_OPTION_NAME) NULL };
static const struct words default_words = { "'defaults'", default_known };

struct parser {
	struct rule_set *set;
	const struct rule_modules *modules;
	struct problems *problems;
	struct condition_parser conditions;
	struct step_parser steps;
	struct set_rule *defaults; /* by file */
	struct accept_scope scope;
	bool has_strange_keys; /* the rules may be under one of them */
};

static bool is_plain(struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	return true;
}

/* The text of a rule's name, or none with the problem told. */
static struct text read_name(struct parser *parser, const struct node *node)
{
	const struct node *name = node_get(node, "name");
	struct set_rule *other;
	struct text text;

	if (!name) {
		problems_error(parser->problems, node->place,
			       "a rule without a name: expected name: and a word for it");
		return TEXT_NONE;
	}
	text = words_text(name, "name", "a word for the rule", parser->problems);
	if (!text.size)
		return TEXT_NONE;
	if (text.size > NAME_MAX_BYTES || !is_plain(text)) {
		problems_error(parser->problems, name->place,
			       "name: expected at most %d bytes without control characters",
			       NAME_MAX_BYTES);
		return TEXT_NONE;
	}
	HASH_FIND(by_name, parser->set->by_name, text.data, text.size, other);
	if (!other)
		return text;

	AUTO(free) char *where = words_place(other->rule.place, name->place);

	problems_error(parser->problems, name->place,
		       "there is already a rule '%.*s', in %s: expected another name",
		       TEXT_ARGS(text), where);
	return TEXT_NONE;
}

/* A rule whose name is wrong is read under one that no file can hold, for its other mistakes. */
static struct set_rule *new_rule(struct parser *parser, const struct node *node)
{
	struct text name = read_name(parser, node);
	const struct node *place = node_get(node, "name");
	AUTO(free) char *stand_in = NULL;

	if (!name.size) {
		stand_in = str_format("\n%zu", parser->set->count);
		name = text_of(stand_in);
	}
	return rule_set_add(parser->set, name, place ? place->place : node->place);
}

static void take_options(struct set_rule *rule, const struct set_rule *defaults)
{
	struct rule own = rule->rule;

	rule->rule = defaults->rule;
	rule->rule.name = own.name;
	rule->rule.place = own.place;
	rule->rule.index = own.index;
	rule->ignores_case = defaults->ignores_case;
}

static void read_rule(struct parser *parser, const struct node *node,
		      const struct set_rule *defaults)
{
	const struct node *when = node_get(node, "when"), *actions = node_get(node, "actions");
	const struct node *accept = node_get(node, "accept");
	struct set_rule *rule;
	bool keys_ok;

	if (node->kind != NODE_MAPPING) {
		problems_error(parser->problems, node->place,
			       "a rule is %s: expected a mapping with name, when and actions",
			       node_kind_name(node->kind));
		return;
	}
	keys_ok = words_check(&rule_words, node, parser->problems);
	rule = new_rule(parser, node);
	take_options(rule, defaults);
	rule_options_read(rule, node, parser->problems);
	if (accept)
		rule->accept = accept_read(parser->set, accept, parser->problems);
	parser->scope.rule = rule;
	if (when) {
		rule->when = condition_parse(&parser->conditions, when, rule->ignores_case);
		rule->when_place = rule_set_place(parser->set, when->key->place);
	} else if (keys_ok) {
		problems_error(parser->problems, node->place,
			       "a rule without conditions: expected when:, like when: {event: "
			       "created}");
	}
	if (actions)
		step_parse(&parser->steps, rule, actions);
	else if (keys_ok)
		problems_error(parser->problems, node->place,
			       "a rule without actions: expected actions:, like actions: [log]");
	parser->scope.rule = NULL;
}

static void read_rules(struct parser *parser, const struct node *node,
		       const struct set_rule *defaults)
{
	if (node->kind == NODE_NULL || (node->kind == NODE_LIST && !node->count)) {
		problems_warn(parser->problems, node->place, rule_warning_names[WARN_EMPTY],
			      "no watched items: nothing will ever happen");
		return;
	}
	if (node->kind != NODE_LIST) {
		problems_error(parser->problems, node->place,
			       "'watched_items' is %s: expected a list of rules, each beginning "
			       "with '- name:'",
			       node_kind_name(node->kind));
		return;
	}
	if (parser->set->count + node->count > RULES_MAX) {
		problems_error(parser->problems, node->place, "more than %d rules", RULES_MAX);
		return;
	}
	node_for_each(child, node)
	{
		read_rule(parser, child, defaults);
	}
}

static void read_version(struct parser *parser, const struct node *node)
{
	if (node->kind != NODE_SCALAR || !text_is(node->text, "1"))
		problems_error(parser->problems, node->place, "version '%.*s': expected 1",
			       TEXT_ARGS(node->text));
}

static void read_defaults(struct parser *parser, const struct node *node, struct set_rule *defaults)
{
	if (node->kind != NODE_MAPPING) {
		problems_error(parser->problems, node->place,
			       "'defaults' is %s: expected options of rules, like {mode: dry_run}",
			       node_kind_name(node->kind));
		return;
	}
	words_check(&default_words, node, parser->problems);
	rule_options_read(defaults, node, parser->problems);
}

/* What rules of any file may name, before the rules of the first are read. */
static void read_head(struct parser *parser, const struct rule_file *file)
{
	const struct node *root = document_root(file->document);
	const struct node *version = node_get(root, "version");
	const struct node *defaults = node_get(root, "defaults");
	const struct node *accept = node_get(root, "accept");

	if (root->kind != NODE_MAPPING) {
		problems_error(parser->problems, root->place,
			       "the file holds %s: expected watched_items: and a list of rules",
			       node_kind_name(root->kind));
		return;
	}
	if (!words_check(&top_words, root, parser->problems))
		parser->has_strange_keys = true;
	if (version)
		read_version(parser, version);
	if (file->from)
		take_options(&parser->defaults[file->index], &parser->defaults[file->from->index]);
	if (defaults)
		read_defaults(parser, defaults, &parser->defaults[file->index]);
	if (accept)
		parser->set->accepts[file->index] =
			accept_read(parser->set, accept, parser->problems);
	condition_parser_add(&parser->conditions, node_get(root, "conditions"));
	step_parser_add(&parser->steps, node_get(root, "actions"));
}

static void read_body(struct parser *parser, const struct rule_file *file)
{
	const struct node *root = document_root(file->document);
	const struct node *items = node_get(root, "watched_items");
	const struct node *paths = node_get(root, "PATHS");
	const struct node *extensions = node_get(root, "EXTENSIONS");
	const struct node *alarms = node_get(root, "alarms");
	bool may_be_empty = file->from || node_get(root, "include") || parser->has_strange_keys;

	if (alarms)
		alarms_read(parser->set, &parser->steps, alarms);
	if (paths || extensions)
		prototype_read(&parser->conditions, paths, extensions);
	if (items)
		read_rules(parser, items, &parser->defaults[file->index]);
	else if (!paths && !extensions && !may_be_empty)
		problems_error(parser->problems, root->place,
			       "no 'watched_items': expected watched_items: and a list of rules");
}

static void read_tests_of_rules(struct parser *parser, const struct node *items)
{
	node_for_each(item, items)
	{
		const struct node *tests = node_get(item, "tests");
		const struct node *name = node_get(item, "name");
		const struct rule *rule = tests && name && name->kind == NODE_SCALAR
						  ? rule_set_find(parser->set, name->text.data)
						  : NULL;

		if (rule)
			rule_tests_read(parser->set, tests, rule, parser->problems);
	}
}

static void read_tests(struct parser *parser, const struct rule_file *file)
{
	const struct node *root = document_root(file->document);
	const struct node *items = node_get(root, "watched_items");
	const struct node *tests = node_get(root, "tests");

	if (items && items->kind == NODE_LIST)
		read_tests_of_rules(parser, items);
	if (tests)
		rule_tests_read(parser->set, tests, NULL, parser->problems);
}

static void for_each_file(struct parser *parser, const struct rule_files *files,
			  void (*read)(struct parser *parser, const struct rule_file *file))
{
	for (size_t i = 0; i < files->count; i++)
		if (files->items[i]->document &&
		    document_root(files->items[i]->document)->kind == NODE_MAPPING)
			read(parser, files->items[i]);
}

static int compare_priorities(const void *left, const void *right)
{
	const struct set_rule *a = *(struct set_rule *const *)left;
	const struct set_rule *b = *(struct set_rule *const *)right;

	if (a->rule.priority != b->rule.priority)
		return a->rule.priority > b->rule.priority ? -1 : 1;
	return (a->rule.index > b->rule.index) - (a->rule.index < b->rule.index);
}

/* The order in which they are asked, from now on. */
static void sort_rules(struct rule_set *set)
{
	if (set->count)
		qsort(set->rules, set->count, sizeof(struct set_rule *), compare_priorities);
	for (size_t i = 0; i < set->count; i++)
		set->rules[i]->rule.index = i;
}

/* What is wrong may have been told when the file was read. */
static bool is_whole(const struct rule_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (!set->rules[i]->when)
			return false;
	return true;
}

void rule_parse(struct rule_set *set, const struct rule_files *files,
		const struct rule_modules *modules, struct problems *problems)
{
	struct parser parser = { .set = set, .modules = modules, .problems = problems };
	size_t before = problems_error_count(problems);

	parser.scope.set = set;
	accept_begin(&parser.scope, problems);
	parser.defaults = mem_array(MAX(files->count, 1), sizeof(*parser.defaults));
	condition_parser_init(&parser.conditions, set, problems);
	step_parser_init(&parser.steps, modules, problems);
	for (size_t i = 0; i < files->count; i++)
		if (files->items[i]->document)
			read_head(&parser, files->items[i]);
	condition_parser_build(&parser.conditions);
	for_each_file(&parser, files, read_body);
	for_each_file(&parser, files, read_tests);
	sort_rules(set);
	/* After a mistake, what seems unused may only be misspelt. */
	if (problems_error_count(problems) == before && is_whole(set)) {
		condition_parser_finish(&parser.conditions);
		step_parser_finish(&parser.steps);
		rule_compile(&parser.conditions);
	}
	condition_parser_clear(&parser.conditions);
	step_parser_clear(&parser.steps);
	free(parser.defaults);
	accept_end(problems);
}
