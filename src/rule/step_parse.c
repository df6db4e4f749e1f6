#include "rule/step_parse.h"

#include "base/parse.h"
#include "rule/accept.h"
#include "rule/step_options.h"
#include "rule/words.h"

#define STEPS_MAX 64

static const char *find_module(const struct step_parser *parser, struct text name)
{
	for (size_t i = 0; parser->modules->names[i]; i++)
		if (text_is(name, parser->modules->names[i]))
			return parser->modules->names[i];
	return NULL;
}

/* All names that an entry of a rule's actions may have, for "did you mean". */
static char *nearest_action(const struct step_parser *parser, struct text name)
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

static void tell_unknown_action(struct step_parser *parser, const struct node *key)
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

static bool has_entries(const struct node *step)
{
	node_for_each(child, step)
	{
		if (!step_options_have(child->key->text))
			return true;
	}
	return false;
}

/* A key beside a module that is neither a module nor an option of steps. */
static bool tell_unknown_option(struct step_parser *parser, const struct node *step)
{
	const struct node *wrong = NULL;
	size_t modules = 0;

	if (step->kind != NODE_MAPPING)
		return false;
	node_for_each(child, step)
	{
		if (find_module(parser, child->key->text))
			modules++;
		else if (!step_options_have(child->key->text))
			wrong = child;
	}
	if (modules != 1 || !wrong || step->first->kind == NODE_NULL)
		return false;

	const char *nearest = step_options_nearest(wrong->key->text);

	problems_error(parser->problems, wrong->key->place,
		       "'%.*s' is no option of a step%s%s%s: expected on_error, dry_run, attempts, "
		       "back_off, concurrency or approve beside the module, or the module's "
		       "options further to the right",
		       TEXT_ARGS(wrong->key->text), nearest ? "; did you mean '" : "",
		       nearest ? nearest : "", nearest ? "'" : "");
	return true;
}

/* Most often the options stand as far left as their module. */
static void tell_no_module(struct step_parser *parser, const struct node *node)
{
	const struct node *first = node->first;

	if (tell_unknown_option(parser, node))
		return;
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
			       : has_entries(node)        ? " of several modules"
							  : " without a module");
}

/* The one entry of a step that names its module; NULL: there is none, or several. */
static const struct node *module_entry(const struct node *step)
{
	const struct node *found = NULL;

	if (step->kind != NODE_MAPPING)
		return NULL;
	node_for_each(child, step)
	{
		if (step_options_have(child->key->text))
			continue;
		if (found)
			return NULL;
		found = child;
	}
	return found;
}

/* {module: options}: the module's name, checked with its options; NULL if something is wrong. */
static const char *read_module(struct step_parser *parser, const struct node *node,
			       const struct node **out_options)
{
	const struct node *entry = module_entry(node);
	size_t before = problems_error_count(parser->problems);
	const char *module;

	if (!entry) {
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

static void tell_twice(struct step_parser *parser, const struct node *first,
		       const struct node *second)
{
	AUTO(free) char *where = NULL;

	if (strcmp(first->place.file, second->place.file) == 0)
		return; /* the document has complained */
	where = words_place(first->place, second->place);
	problems_error(parser->problems, second->place,
		       "there is already an action '%.*s', in %s: expected another name",
		       TEXT_ARGS(second->text), where);
}

static void read_named_action(struct step_parser *parser, const struct node *node)
{
	struct named_action *action;

	HASH_FIND(hh, parser->actions, node->key->text.data, node->key->text.size, action);
	if (action) {
		tell_twice(parser, action->key, node->key);
		return;
	}
	if (find_module(parser, node->key->text)) {
		problems_error(parser->problems, node->key->place,
			       "'%.*s' is the name of a module: expected another name",
			       TEXT_ARGS(node->key->text));
		return;
	}
	action = NEW(struct named_action);
	action->key = node->key;
	action->step = node;
	action->module = read_module(parser, node, &action->options);
	HASH_ADD_KEYPTR(hh, parser->actions, node->key->text.data, node->key->text.size, action);
}

void step_parser_init(struct step_parser *parser, const struct rule_modules *modules,
		      struct problems *problems)
{
	*parser = (struct step_parser){ .modules = modules, .problems = problems };
}

void step_parser_add(struct step_parser *parser, const struct node *node)
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

/* A step that is about to be added: of a rule, or after the failure of one of its steps. */
struct adding {
	struct step_parser *parser;
	struct set_rule *rule;
	size_t after;
};

static void read_action(struct adding *adding, const struct node *node);

static void read_actions(struct adding *adding, const struct node *node)
{
	if (node->kind != NODE_LIST) {
		read_action(adding, node);
		return;
	}
	node_for_each(child, node)
	{
		read_action(adding, child);
	}
}

static void read_on_error(struct adding *adding, size_t step, const struct node *on_error)
{
	struct step_parser *parser = adding->parser;
	struct rule_step *steps = (struct rule_step *)adding->rule->rule.steps;
	struct adding more = { parser, adding->rule, step + 1 };

	if (adding->after != STEP_OF_THE_RULE)
		problems_error(
			parser->problems, on_error->key->place,
			"on_error inside of on_error: when one of these steps fails, the job ends; "
			"expected on_error at a step of the rule");
	else if (on_error->kind == NODE_NULL || (on_error->kind == NODE_LIST && !on_error->count))
		problems_error(parser->problems, on_error->key->place,
			       "on_error says nothing: expected stop, continue, or steps like "
			       "- email: ...");
	else if (!step_options_on_error(on_error, &steps[step].on_error))
		read_actions(&more, on_error);
}

/* What a step brings along, as if it were written behind it. */
static void add_followers(struct adding *adding, size_t index, struct text name, struct place place)
{
	const struct rule_modules *modules = adding->parser->modules;
	struct rule_step leader = adding->rule->rule.steps[index];
	const char *module;
	char *options;

	if (!modules->follow)
		return;
	for (size_t n = 0;
	     (options = modules->follow(modules->ctx, leader.module, leader.options, n, &module));
	     n++) {
		struct rule_step *added =
			set_rule_add_step(adding->rule, module, name, options, place);

		added->dry_run = leader.dry_run;
		added->after = adding->after;
	}
}

/* step: with the module and what stands beside it; NULL: a module alone. */
static void add_step(struct adding *adding, const char *module, struct text name,
		     const struct node *step, const struct node *options, struct place place)
{
	struct set_rule *rule = adding->rule;
	char *json = options ? node_to_json(options) : str_copy("{}");
	struct step_options beside = { 0 };
	struct rule_step *added = set_rule_add_step(rule, module, name, json, place);
	size_t index = rule->rule.step_count - 1;

	if (step)
		step_options_read(&beside, step, adding->parser->problems);
	added->dry_run = beside.dry_run;
	added->attempts = beside.attempts;
	added->back_off_ms = beside.back_off_ms;
	added->concurrency = beside.concurrency;
	added->approve_ms = beside.approve_ms;
	added->after = adding->after;
	if (beside.on_error)
		read_on_error(adding, index, beside.on_error);
	add_followers(adding, index, name, place);
}

/* A name: of a named action, or of a module that needs no options. */
static void read_action_name(struct adding *adding, const struct node *node)
{
	struct step_parser *parser = adding->parser;
	struct named_action *action;
	const char *module = find_module(parser, node->text);
	size_t before = problems_error_count(parser->problems);

	HASH_FIND(hh, parser->actions, node->text.data, node->text.size, action);
	if (action) {
		action->is_used = true;
		if (action->module)
			add_step(adding, action->module, node->text, action->step, action->options,
				 node->place);
		return;
	}
	if (!module) {
		tell_unknown_action(parser, node);
		return;
	}
	parser->modules->check(parser->modules->ctx, module, NULL, node->place, parser->problems);
	if (problems_error_count(parser->problems) == before)
		add_step(adding, module, TEXT_NONE, NULL, NULL, node->place);
}

static void read_action(struct adding *adding, const struct node *node)
{
	const struct node *options;
	const char *module;

	if (node->kind == NODE_SCALAR) {
		read_action_name(adding, node);
		return;
	}
	module = read_module(adding->parser, node, &options);
	if (module)
		add_step(adding, module, TEXT_NONE, node, options, module_entry(node)->key->place);
}

void step_parse(struct step_parser *parser, struct set_rule *rule, const struct node *node)
{
	struct adding adding = { parser, rule, STEP_OF_THE_RULE };

	if (node->kind == NODE_NULL || (node->kind == NODE_LIST && !node->count))
		problems_error(parser->problems, node->place,
			       "no actions: expected at least one, like - log");
	else
		read_actions(&adding, node);
	if (rule->rule.step_count > STEPS_MAX)
		problems_error(parser->problems, node->place, "more than %d actions", STEPS_MAX);
}

void step_parser_finish(struct step_parser *parser)
{
	struct named_action *action, *next;

	HASH_ITER(hh, parser->actions, action, next)
	{
		if (!action->is_used)
			problems_warn(parser->problems, action->key->place,
				      rule_warning_names[WARN_UNUSED],
				      "no rule uses the action '%.*s'",
				      TEXT_ARGS(action->key->text));
	}
}

void step_parser_clear(struct step_parser *parser)
{
	struct named_action *action, *next;

	HASH_ITER(hh, parser->actions, action, next)
	{
		HASH_DEL(parser->actions, action);
		free(action);
	}
}
