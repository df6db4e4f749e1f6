#include "rule/rule_parse.h"

#include "base/parse.h"
#include "rule/rule_compile.h"
#include "rule/step_parse.h"
#include "rule/words.h"

#define RULES_MAX 100000
#define NAME_MAX_BYTES 200

static const char *const top_known[] = { "version", "conditions", "actions", "watched_items",
					 "PATHS",   "EXTENSIONS", NULL };
static const char *const top_later[] = { "include", "tests", "defaults", "accept", "alarms", NULL };
static const struct words top_words = { "watched_items.yml", top_known, top_later };

static const char *const rule_known[] = { "name",   "when",        "settle",  "mode",
					  "on_own", "ignore_case", "actions", NULL };
static const char *const rule_later[] = { "threshold", "throttle", "limit",    "priority",
					  "stop",      "tests",    "defaults", "accept",
					  "alarms",    "include",  NULL };
static const struct words rule_words = { "a rule", rule_known, rule_later };

static const char *const settle_known[] = { "quiet", NULL };
static const char *const settle_later[] = { "max", "unless_open", NULL };
static const struct words settle_words = { "settle", settle_known, settle_later };

static const char *const modes[] = {
	[RULE_ENFORCE] = "enforce", [RULE_DRY_RUN] = "dry_run", [RULE_OFF] = "off", NULL
};

struct parser {
	struct rule_set *set;
	const struct rule_modules *modules;
	struct problems *problems;
	struct condition_parser conditions;
	struct step_parser steps;
	struct error err;
};

static void read_settle(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	const struct node *quiet = node;
	struct text text;

	if (node->kind == NODE_MAPPING) {
		words_check(&settle_words, node, parser->problems);
		quiet = node_get(node, "quiet");
		if (!quiet) {
			problems_error(parser->problems, node->place,
				       "settle without 'quiet': expected how long a file must have "
				       "been quiet, like quiet: 5s");
			return;
		}
	}
	text = words_text(quiet, "settle", "a duration like 5s", parser->problems);
	if (!text.size)
		return;
	if (parse_duration(text, &rule->rule.settle_ms, &parser->err) < 0)
		problems_error(parser->problems, quiet->place, "settle %s",
			       error_text(&parser->err));
}

static void read_mode(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	for (int mode = 0; modes[mode]; mode++) {
		if (node->kind == NODE_SCALAR && text_is(node->text, modes[mode])) {
			rule->rule.mode = mode;
			return;
		}
	}
	problems_error(parser->problems, node->place,
		       "mode '%.*s': expected enforce, dry_run or off", TEXT_ARGS(node->text));
}

static void read_bool(struct parser *parser, const char *name, const struct node *node, bool *out)
{
	struct text text = words_text(node, name, "yes or no", parser->problems);

	if (text.size && parse_bool(text, out, &parser->err) < 0)
		problems_error(parser->problems, node->place, "%s %s", name,
			       error_text(&parser->err));
}

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
	problems_error(parser->problems, name->place,
		       "there is already a rule '%.*s', in line %d: expected another name",
		       TEXT_ARGS(text), other->rule.place.line);
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

static void read_options(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	const struct node *settle = node_get(node, "settle"), *mode = node_get(node, "mode");
	const struct node *on_own = node_get(node, "on_own");
	const struct node *ignore_case = node_get(node, "ignore_case");

	if (settle)
		read_settle(parser, rule, settle);
	if (mode)
		read_mode(parser, rule, mode);
	if (on_own)
		read_bool(parser, "on_own", on_own, &rule->rule.on_own);
	if (ignore_case)
		read_bool(parser, "ignore_case", ignore_case, &rule->ignores_case);
}

static void read_rule(struct parser *parser, const struct node *node)
{
	const struct node *when = node_get(node, "when"), *actions = node_get(node, "actions");
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
	read_options(parser, rule, node);
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
}

static void read_rules(struct parser *parser, const struct node *node)
{
	if (node->kind == NODE_NULL || (node->kind == NODE_LIST && !node->count)) {
		problems_warning(parser->problems, node->place,
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
	if (node->count > RULES_MAX) {
		problems_error(parser->problems, node->place, "more than %d rules", RULES_MAX);
		return;
	}
	node_for_each(child, node)
	{
		read_rule(parser, child);
	}
}

/* A list of texts of the prototype's form. */
static bool are_texts(struct parser *parser, const struct node *node, const char *what)
{
	bool ok = node->kind == NODE_LIST && node->count;

	node_for_each(child, node)
	{
		ok &= child->kind == NODE_SCALAR && child->text.size;
	}
	if (node->kind == NODE_SCALAR)
		ok = node->text.size;
	if (!ok)
		problems_error(parser->problems, node->place,
			       "%s: expected a list of texts, like %s", what,
			       node->key->text.data[0] == 'P' ? "- /home" : "- .jpg");
	return ok;
}

/* A node that the file does not hold, for a value that it does. */
static struct node stand_in(enum node_kind kind, struct place place, const char *text)
{
	return (struct node){ .kind = kind, .place = place, .text = text_of(text) };
}

/*
 * The prototype's form, read as the mapping that says the same: file added, below one of PATHS
 * (with or without the slash in front), with one of EXTENSIONS; written to the log.
 */
static void read_prototype(struct parser *parser, const struct node *paths,
			   const struct node *extensions)
{
	const struct node *first = paths ? paths : extensions;
	struct place place = first->key->place;
	struct node event_key = stand_in(NODE_SCALAR, place, "event");
	struct node event = stand_in(NODE_SCALAR, place, "child_file_added");
	struct node mapping = stand_in(NODE_MAPPING, place, NULL);
	struct node path_key = stand_in(NODE_SCALAR, place, "directory");
	struct node extension_key = stand_in(NODE_SCALAR, place, "extension");
	struct node path_list = stand_in(NODE_LIST, place, NULL);
	struct node extension_list;
	struct node *items = NULL;
	struct node **link = &event.next;
	const struct node *source = NULL;
	struct set_rule *rule;
	size_t count = 0;

	if ((paths && !are_texts(parser, paths, "PATHS")) ||
	    (extensions && !are_texts(parser, extensions, "EXTENSIONS")))
		return;
	event.key = &event_key;
	mapping.first = &event;
	mapping.count = 1;
	if (paths) {
		source = paths->kind == NODE_LIST ? paths->first : paths;
		count = paths->kind == NODE_LIST ? paths->count : 1;
		items = mem_array(count, sizeof(*items));
		for (size_t i = 0; i < count; i++, source = source->next) {
			items[i] = stand_in(NODE_SCALAR, source->place,
					    path_join(TEXT("/"), source->text));
			items[i].next = i + 1 < count ? &items[i + 1] : NULL;
		}
		path_list.key = &path_key;
		path_list.first = items;
		path_list.count = count;
		*link = &path_list;
		link = &path_list.next;
		mapping.count++;
	}
	if (extensions) {
		extension_list = *extensions;
		extension_list.key = &extension_key;
		extension_list.next = NULL;
		*link = &extension_list;
		mapping.count++;
	}
	rule = rule_set_add(parser->set, TEXT("watched-files"), place);
	rule->when = condition_parse(&parser->conditions, &mapping, false);
	rule->when_place = rule->rule.place;
	set_rule_add_step(rule, "log", TEXT_NONE, str_copy("{}"), place);
	for (size_t i = 0; i < count; i++)
		free((char *)items[i].text.data);
	free(items);
}

static void read_version(struct parser *parser, const struct node *node)
{
	if (node->kind != NODE_SCALAR || !text_is(node->text, "1"))
		problems_error(parser->problems, node->place, "version '%.*s': expected 1",
			       TEXT_ARGS(node->text));
}

void rule_parse(struct rule_set *set, const struct node *root, const struct rule_modules *modules,
		struct problems *problems)
{
	struct parser parser = { .set = set, .modules = modules, .problems = problems };
	const struct node *version = node_get(root, "version");
	const struct node *items = node_get(root, "watched_items");
	const struct node *paths = node_get(root, "PATHS");
	const struct node *extensions = node_get(root, "EXTENSIONS");
	size_t before = problems_error_count(problems);
	bool keys_ok;

	if (root->kind != NODE_MAPPING) {
		problems_error(problems, root->place,
			       "the file holds %s: expected watched_items: and a list of rules",
			       node_kind_name(root->kind));
		return;
	}
	keys_ok = words_check(&top_words, root, problems);
	if (version)
		read_version(&parser, version);
	condition_parser_init(&parser.conditions, set, node_get(root, "conditions"), problems);
	step_parser_init(&parser.steps, modules, node_get(root, "actions"), problems);
	if (paths || extensions)
		read_prototype(&parser, paths, extensions);
	if (items)
		read_rules(&parser, items);
	else if (!paths && !extensions && keys_ok)
		problems_error(problems, root->place,
			       "no 'watched_items': expected watched_items: and a list of rules");
	/* After a mistake, what seems unused may only be misspelt. */
	if (problems_error_count(problems) == before) {
		condition_parser_finish(&parser.conditions);
		step_parser_finish(&parser.steps);
		rule_compile(&parser.conditions);
	}
	condition_parser_clear(&parser.conditions);
	step_parser_clear(&parser.steps);
	error_clear(&parser.err);
}
