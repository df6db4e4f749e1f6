#include "rule/rule_parse.h"

#include "base/parse.h"
#include "rule/rule_compile.h"
#include "rule/words.h"

#define RULES_MAX 100000
#define STEPS_MAX 64
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

/* An entry of `actions:`. */
struct named_action {
	const struct node *key;
	const char *module; /* NULL: it is wrong, and that is told */
	const struct node *options;
	bool is_used;
	UT_hash_handle hh;
};

struct parser {
	struct rule_set *set;
	const struct rule_modules *modules;
	struct problems *problems;
	struct condition_parser conditions;
	struct named_action *actions;
	struct error err;
};

static const char *find_module(const struct parser *parser, struct text name)
{
	for (size_t i = 0; parser->modules->names[i]; i++)
		if (text_is(name, parser->modules->names[i]))
			return parser->modules->names[i];
	return NULL;
}

/* All names that an entry of a rule's actions may have, for "did you mean". */
static char *nearest_action(const struct parser *parser, struct text name)
{
	struct named_action *action, *next;
	size_t modules = 0, count;

	while (parser->modules->names[modules])
		modules++;
	count = modules;

	AUTO(free)
	char *memory = mem_array(modules + HASH_COUNT(parser->actions) + 1, sizeof(char *));
	const char **names = (const char **)memory;

	for (size_t i = 0; i < modules; i++)
		names[i] = parser->modules->names[i];
	HASH_ITER(hh, parser->actions, action, next)
	{
		names[count++] = action->key->text.data;
	}
	return str_copy(parse_nearest(name, names));
}

static void tell_unknown_action(struct parser *parser, const struct node *key)
{
	AUTO(free) char *nearest = nearest_action(parser, key->text);
	AUTO(buf_free) struct buf *names = NULL;

	if (nearest) {
		problems_error(parser->problems, key->place,
			       "there is no action '%.*s'; did you mean '%s'?",
			       TEXT_ARGS(key->text), nearest);
		return;
	}
	names = buf_new(SIZE_MAX);
	for (size_t i = 0; parser->modules->names[i]; i++)
		(void)!buf_print(names, "%s%s", i ? ", " : "", parser->modules->names[i]);
	problems_error(parser->problems, key->place,
		       "there is no action '%.*s': expected a name from 'actions:' or one of %s",
		       TEXT_ARGS(key->text), names->size ? names->data : "no module");
}

/* Most often the options stand as far left as their module. */
static void tell_no_module(struct parser *parser, const struct node *node)
{
	const struct node *first = node->first;

	if (node->kind == NODE_MAPPING && node->count > 1 && first->kind == NODE_NULL &&
	    find_module(parser, first->key->text))
		problems_error(parser->problems, first->next->key->place,
			       "'%.*s' stands beside '%.*s': expected the options of a module "
			       "further to the right",
			       TEXT_ARGS(first->next->key->text), TEXT_ARGS(first->key->text));
	else
		problems_error(parser->problems, node->place,
			       "an action is %s%s: expected one module with its options, like "
			       "quarantine: {to: /quarantine}",
			       node_kind_name(node->kind),
			       node->kind != NODE_MAPPING ? ""
			       : node->count              ? " of several modules"
							  : " without a module");
}

/* {module: options}: the module's name, checked with its options; NULL if something is wrong. */
static const char *read_module(struct parser *parser, const struct node *node,
			       const struct node **out_options)
{
	const struct node *entry = node->first;
	size_t before = problems_error_count(parser->problems);
	const char *module;

	if (node->kind != NODE_MAPPING || node->count != 1) {
		tell_no_module(parser, node);
		return NULL;
	}
	module = find_module(parser, entry->key->text);
	if (!module) {
		tell_unknown_action(parser, entry->key);
		return NULL;
	}
	*out_options = entry->kind == NODE_NULL ? NULL : entry;
	parser->modules->check(parser->modules->ctx, module, *out_options, entry->key->place,
			       parser->problems);
	return problems_error_count(parser->problems) == before ? module : NULL;
}

static void read_named_action(struct parser *parser, const struct node *node)
{
	struct named_action *action;

	HASH_FIND(hh, parser->actions, node->key->text.data, node->key->text.size, action);
	if (action)
		return; /* the document has complained */
	if (find_module(parser, node->key->text)) {
		problems_error(parser->problems, node->key->place,
			       "'%.*s' is the name of a module: expected another name",
			       TEXT_ARGS(node->key->text));
		return;
	}
	action = NEW(struct named_action);
	action->key = node->key;
	action->module = read_module(parser, node, &action->options);
	HASH_ADD_KEYPTR(hh, parser->actions, node->key->text.data, node->key->text.size, action);
}

static void read_named_actions(struct parser *parser, const struct node *node)
{
	if (!node || node->kind == NODE_NULL)
		return;
	if (node->kind != NODE_MAPPING) {
		problems_error(parser->problems, node->place,
			       "'actions' is %s: expected a mapping of names to actions",
			       node_kind_name(node->kind));
		return;
	}
	node_for_each(child, node)
	{
		read_named_action(parser, child);
	}
}

static void add_step(struct set_rule *rule, const char *module, struct text name,
		     const struct node *options, struct place place)
{
	char *json = options ? node_to_json(options) : str_copy("{}");

	set_rule_add_step(rule, module, name, json, place);
}

/* A name: of a named action, or of a module that needs no options. */
static void read_action_name(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	struct named_action *action;
	const char *module = find_module(parser, node->text);
	size_t before = problems_error_count(parser->problems);

	HASH_FIND(hh, parser->actions, node->text.data, node->text.size, action);
	if (action) {
		action->is_used = true;
		if (action->module)
			add_step(rule, action->module, node->text, action->options, node->place);
		return;
	}
	if (!module) {
		tell_unknown_action(parser, node);
		return;
	}
	parser->modules->check(parser->modules->ctx, module, NULL, node->place, parser->problems);
	if (problems_error_count(parser->problems) == before)
		add_step(rule, module, TEXT_NONE, NULL, node->place);
}

static void read_action(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	const struct node *options;
	const char *module;

	if (node->kind == NODE_SCALAR) {
		read_action_name(parser, rule, node);
		return;
	}
	module = read_module(parser, node, &options);
	if (module)
		add_step(rule, module, TEXT_NONE, options, node->first->key->place);
}

static void read_actions(struct parser *parser, struct set_rule *rule, const struct node *node)
{
	if (node->kind == NODE_NULL || (node->kind == NODE_LIST && !node->count)) {
		problems_error(parser->problems, node->place,
			       "rule '%s' has no actions: expected at least one, like - log",
			       rule->rule.name);
	} else if (node->kind != NODE_LIST) {
		read_action(parser, rule, node);
	} else if (node->count > STEPS_MAX) {
		problems_error(parser->problems, node->place, "more than %d actions", STEPS_MAX);
	} else {
		node_for_each(child, node)
		{
			read_action(parser, rule, child);
		}
	}
}

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

/* The rule with its name, or NULL: nobody could refer to it. */
static struct set_rule *read_name(struct parser *parser, const struct node *node)
{
	const struct node *name = node_get(node, "name");
	struct set_rule *other;
	struct text text;

	if (!name) {
		problems_error(parser->problems, node->place,
			       "a rule without a name: expected name: and a word for it");
		return NULL;
	}
	text = words_text(name, "name", "a word for the rule", parser->problems);
	if (!text.size)
		return NULL;
	if (text.size > NAME_MAX_BYTES || !is_plain(text)) {
		problems_error(parser->problems, name->place,
			       "name: expected at most %d bytes without control characters",
			       NAME_MAX_BYTES);
		return NULL;
	}
	HASH_FIND(by_name, parser->set->by_name, text.data, text.size, other);
	if (!other)
		return rule_set_add(parser->set, text, name->place);
	problems_error(parser->problems, name->place,
		       "there is already a rule '%.*s', in line %d: expected another name",
		       TEXT_ARGS(text), other->rule.place.line);
	return NULL;
}

static void read_rule(struct parser *parser, const struct node *node)
{
	const struct node *when = node_get(node, "when"), *actions = node_get(node, "actions");
	const struct node *settle, *mode, *on_own, *ignore_case;
	struct set_rule *rule;

	if (node->kind != NODE_MAPPING) {
		problems_error(parser->problems, node->place,
			       "a rule is %s: expected a mapping with name, when and actions",
			       node_kind_name(node->kind));
		return;
	}
	words_check(&rule_words, node, parser->problems);
	rule = read_name(parser, node);
	if (!rule)
		return;
	if ((settle = node_get(node, "settle")))
		read_settle(parser, rule, settle);
	if ((mode = node_get(node, "mode")))
		read_mode(parser, rule, mode);
	if ((on_own = node_get(node, "on_own")))
		read_bool(parser, "on_own", on_own, &rule->rule.on_own);
	if ((ignore_case = node_get(node, "ignore_case")))
		read_bool(parser, "ignore_case", ignore_case, &rule->ignores_case);
	if (when) {
		rule->when = condition_parse(&parser->conditions, when, rule->ignores_case);
		rule->when_place = rule_set_place(parser->set, when->key->place);
	} else {
		problems_error(parser->problems, node->place,
			       "rule '%s' has no conditions: expected when:, like when: {event: "
			       "created}",
			       rule->rule.name);
	}
	if (actions)
		read_actions(parser, rule, actions);
	else
		problems_error(parser->problems, node->place,
			       "rule '%s' has no actions: expected actions:, like actions: [log]",
			       rule->rule.name);
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

static void finish_actions(struct parser *parser)
{
	struct named_action *action, *next;

	HASH_ITER(hh, parser->actions, action, next)
	{
		if (!action->is_used)
			problems_warning(parser->problems, action->key->place,
					 "no rule uses the action '%.*s'",
					 TEXT_ARGS(action->key->text));
		HASH_DEL(parser->actions, action);
		free(action);
	}
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

	if (root->kind != NODE_MAPPING) {
		problems_error(problems, root->place,
			       "the file holds %s: expected watched_items: and a list of rules",
			       node_kind_name(root->kind));
		return;
	}
	words_check(&top_words, root, problems);
	if (version)
		read_version(&parser, version);
	condition_parser_init(&parser.conditions, set, node_get(root, "conditions"), problems);
	read_named_actions(&parser, node_get(root, "actions"));
	if (paths || extensions)
		read_prototype(&parser, paths, extensions);
	if (items)
		read_rules(&parser, items);
	else if (!paths && !extensions)
		problems_error(problems, root->place,
			       "no 'watched_items': expected watched_items: and a list of rules");
	condition_parser_finish(&parser.conditions);
	finish_actions(&parser);
	if (problems_error_count(problems) == before)
		rule_compile(&parser.conditions);
	condition_parser_clear(&parser.conditions);
	error_clear(&parser.err);
}
