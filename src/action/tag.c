/* tag: sets or removes one key of the file's user metadata, and does nothing when it is so already.
 */
#include "action/module.h"
#include "action/template.h"

#define TAG_MAX ((size_t)400 << 10) /* key and value together, as clusters have it */

struct tag_config {
	char *key;
	char *value;
	bool is_removed;
};

struct tag_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	char *key;
	char *value; /* NULL: it is to be removed */
	enum tag_how how;
	char *etag; /* of what is there */
};

static const struct config_key tag_keys[] = {
	{ .name = "key",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct tag_config, key),
	  .help = "The key.",
	  .is_required = true },
	{ .name = "value",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct tag_config, value),
	  .help = "What it is set to." },
	{ .name = "remove",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct tag_config, is_removed),
	  .standard = "no",
	  .help = "yes: the key is removed." },
	{ 0 },
};

static void tag_check(const void *options, struct place place, struct problems *problems)
{
	const struct tag_config *config = options;

	if (!*config->key)
		problems_error(problems, place, "tag: the key is empty");
	else if (config->is_removed && config->value)
		problems_error(problems, place, "tag: a value, and remove: expected one of them");
	else if (!config->is_removed && (!config->value || !*config->value))
		problems_error(
			problems, place,
			"tag: expected a value (clusters keep no empty one), or remove: yes");
}

/* A key or value made from a template is not known beforehand. */
static bool is_fixed(const char *template)
{
	return template && !strpbrk(template, "{}");
}

static size_t tag_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct tag_config *config = options;
	size_t count = module_metadata_effects(effects, max);

	if (!count)
		return 0;
	effects[0].changes_tags = true;
	if (is_fixed(config->key) && (config->is_removed || is_fixed(config->value))) {
		effects[0].tag_key = str_copy(config->key);
		effects[0].tag_value = config->is_removed ? NULL : str_copy(config->value);
	}
	return count;
}

static void tag_clear(struct tag_run *state)
{
	free(state->key);
	free(state->value);
	free(state->etag);
	free(state);
}

static void tag_end(struct tag_run *state, enum action_result result, int64_t retry_after_ms,
		    const char *why)
{
	struct action_run *run = state->run;

	tag_clear(state);
	run->data = NULL;
	module_end(run, result, retry_after_ms, why);
}

static bool is_so(const struct tag_run *state, const struct file_tag *tag)
{
	if (!state->value || !tag)
		return !state->value && !tag;
	return text_equal((struct text){ tag->value, tag->size }, text_of(state->value));
}

/* As it was before; a value that is no text cannot be given back. */
static void note_undo(struct tag_run *state)
{
	struct action_run *run = state->run;
	const char *old = module_memory(run, "old_value");
	AUTO(free) char *key = template_escape_text(text_of(state->key));
	AUTO(free) char *value = old ? template_escape_text(text_of(old)) : NULL;

	if (!module_memory(run, "key")) /* nothing was changed */
		return;
	if (value)
		module_note_undo(run, "tag", json_pack("{s:s,s:s}", "key", key, "value", value),
				 "set the tag %s to %s again", state->key, old);
	else if (!module_memory(run, "had_bytes"))
		module_note_undo(run, "tag", json_pack("{s:s,s:s}", "key", key, "remove", "yes"),
				 "remove the tag %s", state->key);
}

static void note_tag(struct tag_run *state)
{
	struct action_run *run = state->run;

	note_undo(state);
	module_note_result(run, "key", state->key);
	module_note_result(run, "value", state->value);
	module_note_result(run, "old_value", module_memory(run, "old_value"));
}

static void refused(struct tag_run *state, const struct file_reply *reply, const char *right)
{
	AUTO(free)
	char *why = str_format("%s; the monitor's user needs the right %s, or "
			       "PRIVILEGE_FILE_FULL_ACCESS (a role like Data-Administrators)",
			       reply->why, right);

	switch (reply->result) {
	case FILE_GONE:
		tag_end(state, ACTION_GONE, 0, "the file is gone");
		break;
	case FILE_CHANGED:
	case FILE_EXISTS:
		tag_end(state, ACTION_CHANGED, 0, reply->why);
		break;
	case FILE_DENIED:
		tag_end(state, ACTION_REJECTED, 0,
			strcmp(reply->error_class, "fs_read_only_error") == 0 ? reply->why : why);
		break;
	case FILE_REFUSED:
		tag_end(state, ACTION_REJECTED, 0, reply->why);
		break;
	default:
		tag_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
		break;
	}
}

/* What the file is like now, for the case that somebody else changed it in the same moment. */
static void seen(void *ctx, const struct file_reply *reply)
{
	struct tag_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_OK)
		module_note_state(state->run, reply->info);
	note_tag(state);
	tag_end(state, ACTION_DONE, 0, NULL);
}

static void look_at_file(struct tag_run *state)
{
	state->call = state->cluster->get(state->cluster->self, state->run->file->id, seen, state);
}

/* The answer was lost: what the key says now tells what happened. */
static void looked_again(void *ctx, const struct file_reply *reply)
{
	struct tag_run *state = ctx;

	state->call = NULL;
	if (reply->result != FILE_OK)
		refused(state, reply, "READ_EA");
	else if (!is_so(state, file_tags_find(reply->tags, state->key)))
		tag_end(state, ACTION_RETRY, 0, "the answer was lost, and nothing changed");
	else
		look_at_file(state);
}

static void changed(void *ctx, const struct file_reply *reply)
{
	struct tag_run *state = ctx;
	const struct action_host *host = state->run->action->host;

	state->call = NULL;
	if (reply->result == FILE_OK) {
		look_at_file(state);
	} else if (reply->result == FILE_AMBIGUOUS) {
		state->call = state->cluster->get_tags(state->cluster->self, state->run->file->id,
						       state->key, looked_again, state);
	} else {
		host->withdraw(host->self, state->run);
		refused(state, reply, "WRITE_EA");
	}
}

static void expected(void *ctx, const char *why)
{
	struct tag_run *state = ctx;
	const struct tag_change change = { state->how, state->key, text_of(state->value),
					   state->etag };

	if (why)
		tag_end(state, ACTION_RETRY, 0, why);
	else
		state->call = state->cluster->set_tag(state->cluster->self, state->run->file->id,
						      &change, changed, state);
}

/* Before the first attempt; a later one would see what this one did. */
static void remember_before(struct tag_run *state, const struct file_tag *tag)
{
	struct action_run *run = state->run;

	if (module_memory(run, "key"))
		return;
	module_remember(run, "key", state->key);
	if (tag && strlen(tag->value) == tag->size)
		module_remember(run, "old_value", tag->value);
	else if (tag)
		module_remember(run, "had_bytes", "yes");
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct tag_run *state = ctx;
	struct action_run *run = state->run;
	struct action_effect effect = { CHILD_EXTRA_ATTRS_CHANGED, run->file->id, NULL };
	const struct file_tag *tag;

	state->call = NULL;
	if (reply->result != FILE_OK) {
		refused(state, reply, "READ_EA");
		return;
	}
	tag = file_tags_find(reply->tags, state->key);
	if (is_so(state, tag)) {
		note_tag(state);
		tag_end(state, ACTION_DONE, 0, "nothing to do: it is so already");
		return;
	}
	remember_before(state, tag);
	state->how = !state->value ? TAG_REMOVE : tag ? TAG_REPLACE : TAG_ADD;
	state->etag = str_copy(reply->tags->etag);
	module_expect(run, &effect, 1, expected, state);
}

/* 0; -1 with what is wrong with what the templates came to. */
static int render(const struct action_run *run, char **out_key, char **out_value, struct error *err)
{
	const struct tag_config *config = run->action->config;
	AUTO(free) char *key = NULL;
	AUTO(free) char *value = NULL;

	if (template_render(&key, config->key, run, TAG_MAX, err) < 0)
		return error_prefix(err, "key");
	if (!*key)
		return error_set(err, "the key is empty here");
	if (!config->is_removed) {
		if (template_render(&value, config->value, run, TAG_MAX, err) < 0)
			return error_prefix(err, "value");
		if (!*value)
			return error_set(err,
					 "the value is empty here, which clusters do not keep");
		if (strlen(key) + strlen(value) > TAG_MAX)
			return error_set(err, "key and value are longer than 400 KiB");
	}
	*out_key = TAKE(key);
	*out_value = TAKE(value);
	return 0;
}

static void tag_start(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	AUTO(free) char *watch = text_copy(run->event->watch);
	char *key = NULL, *value = NULL;
	AUTO_ERROR err = { 0 };
	struct tag_run *state;

	if (render(run, &key, &value, &err) < 0) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
		return;
	}
	state = NEW(struct tag_run);
	state->run = run;
	state->key = key;
	state->value = value;
	state->cluster = host->cluster(host->self, watch);
	run->data = state;
	state->call =
		state->cluster->get_tags(state->cluster->self, run->file->id, key, looked, state);
}

static void tag_cancel(struct action_run *run)
{
	struct tag_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	tag_clear(state);
	run->data = NULL;
}

static char *tag_plan(struct action_run *run)
{
	struct text path = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *key = NULL;
	AUTO(free) char *value = NULL;
	AUTO_ERROR err = { 0 };

	if (render(run, &key, &value, &err) < 0)
		return str_format("would be rejected: %s", error_text(&err));
	if (!value)
		return str_format("would remove the tag %s from %.*s", key, TEXT_ARGS(path));
	return str_format("would set the tag %s of %.*s to %s", key, TEXT_ARGS(path), value);
}

const struct action_type action_tag = {
	.name = "tag",
	.help = "Sets or removes a key of the file's user metadata; does nothing when it is so "
		"already.",
	.keys = tag_keys,
	.config_size = sizeof(struct tag_config),
	.needs_file = true,
	.is_built_in_change = true,
	.may_be_silent = true,
	.check = tag_check,
	.effects = tag_effects,
	.plan = tag_plan,
	.start = tag_start,
	.cancel = tag_cancel,
};
