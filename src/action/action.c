#include "action/action.h"

#include <assert.h>

#include "action/module.h"
#include "action/template.h"

const struct action_type *const action_types[] = {
	&action_log,      &action_syslog,
	&action_exec,     &action_quarantine,
	&action_rename,   &action_permissions,
	&action_lock,     &action_tag,
	&action_copy,     &action_delete,
	&action_snapshot, &action_email,
	&action_webhook,  NULL,
};

const struct action_type *action_type_find(const char *name)
{
	for (size_t i = 0; action_types[i]; i++)
		if (strcmp(action_types[i]->name, name) == 0)
			return action_types[i];
	return NULL;
}

/* Reads options into a new config; NULL if they are wrong, with the problems told. */
static void *config_read(const struct action_type *type, const struct node *options,
			 struct problems *problems)
{
	size_t before = problems_error_count(problems);
	void *config = mem_new(type->config_size);

	key_defaults(type->keys, config);
	key_read(type->keys, type->short_key, options, config, template_check, NULL, problems);
	if (problems_error_count(problems) == before)
		return config;
	key_clear(type->keys, config);
	free(config);
	return NULL;
}

static void config_free(const struct action_type *type, void *config)
{
	key_clear(type->keys, config);
	free(config);
}

void action_check(const struct action_type *type, const struct node *options, struct place place,
		  struct problems *problems)
{
	struct node nothing = { .kind = NODE_MAPPING, .place = place };
	void *config;

	if (!options || options->kind == NODE_NULL)
		options = &nothing;
	config = config_read(type, options, problems);
	if (!config)
		return;
	if (type->check)
		type->check(config, place, problems);
	config_free(type, config);
}

static void keep_first(void *ctx, const struct problem *problem)
{
	struct error *err = ctx;

	if (!err->text && !problem->is_warning)
		error_set(err, "%s", problem->message);
}

static void *config_from_json(const struct action_type *type, const char *options_json,
			      struct error *err)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("options", text_of(options_json), problems);
	AUTO_ERROR first = { 0 };
	void *config = NULL;

	if (document)
		config = config_read(type, document_root(document), problems);
	if (config)
		return config;
	problems_visit(problems, keep_first, &first);
	error_set(err, "%s: %s", type->name, error_text(&first));
	return NULL;
}

int action_open(struct action **out, const struct action_type *type, const char *options_json,
		const struct action_host *host, struct error *err)
{
	void *config = config_from_json(type, options_json, err);
	struct action *action;

	if (!config)
		return -1;
	action = NEW(struct action);
	action->type = type;
	action->config = config;
	action->host = host;
	if (type->open && type->open(action, err) < 0) {
		config_free(type, config);
		free(action);
		return error_prefix(err, "%s", type->name);
	}
	*out = action;
	return 0;
}

void action_close(struct action *action)
{
	if (!action)
		return;
	if (action->type->close)
		action->type->close(action);
	config_free(action->type, action->config);
	free(action);
}

bool action_needs_file(const struct action *action)
{
	if (action->type->needs_file)
		return true;
	for (const struct config_key *key = action->type->keys; key->name; key++) {
		const char *member = (const char *)action->config + key->offset;

		if (key->type == KEY_TEMPLATE) {
			const char *text = *(char *const *)member;

			if (template_wants_file(text_of(text)))
				return true;
		} else if (key->type == KEY_LIST && key->is_template) {
			const struct key_list *list = (const struct key_list *)member;

			for (size_t i = 0; i < list->count; i++)
				if (template_wants_file(text_of(list->items[i])))
					return true;
		}
	}
	return false;
}

size_t action_effects(const struct action_type *type, const char *options_json,
		      struct event_effect *effects, size_t max)
{
	AUTO_ERROR err = { 0 };
	void *config;
	size_t count;

	if (!type->effects || !(config = config_from_json(type, options_json, &err)))
		return 0;
	count = type->effects(config, effects, max);
	config_free(type, config);
	return count;
}

char *action_follow(const struct action_type *type, const char *options_json, size_t n,
		    const char **out_module)
{
	AUTO_ERROR err = { 0 };
	void *config;
	char *options;

	if (!type->follow || !(config = config_from_json(type, options_json, &err)))
		return NULL;
	options = type->follow(config, n, out_module);
	config_free(type, config);
	return options;
}

void action_finish(struct action_run *run, enum action_result result, const char *why, ...)
{
	va_list args;

	assert(!run->is_finished);
	run->is_finished = true;
	run->outcome = result;
	free(run->why);
	run->why = NULL;
	if (why) {
		va_start(args, why);
		run->why = str_vformat(why, args);
		va_end(args);
	}
	run->action->host->finished(run->action->host->self, run);
}
