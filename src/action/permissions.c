#include "action/permissions.h"

#include <stdio.h>

#include "action/acl.h"
#include "action/identity.h"
#include "action/mode.h"
#include "action/module.h"
#include "base/buf.h"
#include "base/parse.h"

static const struct config_key permissions_keys[] = {
	{ .name = "mode",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct permissions_config, mode),
	  .check = mode_check,
	  .help = "In quotes, octal, \"0640\", or as chmod has it, \"u=rwX,g=rX,o=\"." },
	{ .name = "owner",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct permissions_config, owner),
	  .help = "The new owner: " IDENTITY_HELP "." },
	{ .name = "group",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct permissions_config, group),
	  .help = "The new group: " IDENTITY_HELP "." },
	{ .name = "acl",
	  .type = KEY_JSON,
	  .offset = offsetof(struct permissions_config, acl),
	  .help = "The new access control list: nobody, owner_only, read_only, a list of entries "
		  "like {allow: media, rights: read}, or what the cluster tells of another file." },
	{ .name = "recursive",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct permissions_config, recursive),
	  .standard = "no",
	  .help = "Of a directory: also of everything in it." },
	{ 0 },
};

static void check_identity(const char *text, bool is_group, struct place place,
			   struct problems *problems)
{
	if (text && !identity_is_sane(text, is_group))
		problems_error(problems, place, "permissions: %s '%s': expected " IDENTITY_HELP,
			       is_group ? "group" : "owner", text);
}

static void check_mode(const struct permissions_config *config, struct place place,
		       struct problems *problems)
{
	if (config->mode && config->recursive && mode_check(config->mode, NULL) == 0 &&
	    mode_is_absolute(config->mode) && !(mode_apply(config->mode, 0, true) & 0111))
		problems_warning(problems, place,
				 "permissions: mode \"%s\" for everything in a directory also "
				 "takes the right to enter the directories in it: "
				 "\"u=rwX,g=rX,o=\" knows the difference",
				 config->mode);
}

static void permissions_check(const void *options, struct place place, struct problems *problems)
{
	const struct permissions_config *config = options;

	if (!config->mode && !config->owner && !config->group && !config->acl)
		problems_error(problems, place,
			       "permissions: nothing to set: expected mode, owner, group or acl");
	if (config->mode && config->acl)
		problems_error(problems, place,
			       "permissions: mode and acl: expected one of them, since a cluster "
			       "keeps a mode as an access control list");
	check_mode(config, place, problems);
	check_identity(config->owner, false, place, problems);
	check_identity(config->group, true, place, problems);
	if (config->acl)
		acl_check(config->acl, place, problems);
}

static size_t permissions_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct permissions_config *config = options;

	if (!max)
		return 0;
	effects[0] = (struct event_effect){ .same_file = true, .keeps_name = true };
	if (config->mode || config->acl)
		effects[0].kinds |= EVENT_KIND(CHILD_ACL_CHANGED);
	if (config->owner)
		effects[0].kinds |= EVENT_KIND(CHILD_OWNER_CHANGED);
	if (config->group)
		effects[0].kinds |= EVENT_KIND(CHILD_GROUP_CHANGED);
	if (!config->recursive || max < 2)
		return 1;
	effects[1] = (struct event_effect){ .kinds = effects[0].kinds };
	return 2;
}

/* ---- One object ---- */

static unsigned wanted_mode(const struct permissions_config *config, const struct file_info *file)
{
	return mode_apply(config->mode, file->mode, file->type == FILE_DIRECTORY);
}

/* Only what differs; true if anything does. */
static bool change_needed(const struct permissions_config *config, const struct file_info *file,
			  struct file_change *change, char mode[8])
{
	*change = (struct file_change){ 0 };
	if (config->mode && wanted_mode(config, file) != (file->mode & 07777)) {
		snprintf(mode, 8, "%04o", wanted_mode(config, file));
		change->mode = mode;
	}
	if (config->owner) {
		struct identity owner = identity_of(config->owner, false);

		if (!identity_is(owner, file->owner, file->owner_type, file->owner_value)) {
			change->owner_type = owner.type;
			change->owner_value = owner.value;
		}
	}
	if (config->group) {
		struct identity group = identity_of(config->group, true);

		if (!identity_is(group, file->group, file->group_type, file->group_value)) {
			change->group_type = group.type;
			change->group_value = group.value;
		}
	}
	return change->mode || change->owner_type || change->group_type;
}

static void object_end(struct permissions_run *state, enum action_result result,
		       int64_t retry_after_ms, const char *why, const struct file_info *info)
{
	object_done *done = state->done;

	state->done = NULL;
	done(state, result, retry_after_ms, why, info);
}

static char *explain_refusal(const struct file_reply *reply)
{
	if (reply->result != FILE_DENIED)
		return str_copy(reply->why);
	return str_format("%s; the monitor's user needs the right WRITE_ACL for mode and acl "
			  "(READ_ACL, too), CHANGE_OWNER for the owner and WRITE_GROUP for the "
			  "group, or PRIVILEGE_FILE_FULL_ACCESS (a role like "
			  "Data-Administrators)",
			  reply->why);
}

/* changes: the request could have changed something, and did not. */
static void object_fail(struct permissions_run *state, const struct file_reply *reply, bool changes)
{
	const struct action_host *host = state->run->action->host;
	AUTO(free) char *why = explain_refusal(reply);

	/* Where several objects are changed, others may be on their way. */
	if (changes && state->is_root && !state->acl)
		host->withdraw(host->self, state->run);
	switch (reply->result) {
	case FILE_GONE:
		object_end(state, ACTION_GONE, 0, "the file is gone", NULL);
		break;
	case FILE_CHANGED:
		object_end(state, ACTION_CHANGED, 0, reply->why, NULL);
		break;
	case FILE_DENIED:
	case FILE_REFUSED:
		object_end(state, ACTION_REJECTED, 0, why, NULL);
		break;
	default:
		object_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why, NULL);
		break;
	}
}

/* The list was set: what that made of mode and times. */
static void seen(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;

	state->call = NULL;
	object_end(state, ACTION_DONE, 0, NULL, reply->result == FILE_OK ? reply->info : NULL);
}

static void look_at_it(struct permissions_run *state)
{
	state->call = state->cluster->get(state->cluster->self, state->file.id, seen, state);
}

/* The answer to a change of the list was lost: setting it once more does no harm. */
static void acl_set(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_OK)
		look_at_it(state);
	else if (reply->result == FILE_AMBIGUOUS)
		object_end(state, ACTION_RETRY, 0, "the answer was lost", NULL);
	else
		object_fail(state, reply, false);
}

static void set_acl(struct permissions_run *state)
{
	AUTO(free) char *text = json_dumps(state->acl, JSON_COMPACT);
	/* A change of owner or group right before makes another ETag of it. */
	bool is_free = !state->is_root || state->change.owner_type || state->change.group_type;

	state->call =
		state->cluster->set_acl(state->cluster->self, state->file.id,
					is_free ? NULL : state->acl_etag, text, acl_set, state);
}

/* The answer to the change was lost: what the file looks like now says what happened. */
static void looked(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;
	struct file_change change;
	char mode[8];

	state->call = NULL;
	if (reply->result == FILE_GONE) {
		object_end(state, ACTION_GONE, 0, "the file is gone", NULL);
	} else if (reply->result != FILE_OK) {
		object_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why, NULL);
	} else if (change_needed(state->run->action->config, reply->info, &change, mode)) {
		object_end(state, ACTION_RETRY, 0, "the answer was lost, and nothing changed",
			   NULL);
	} else if (state->acl) {
		set_acl(state);
	} else {
		object_end(state, ACTION_DONE, 0, NULL, reply->info);
	}
}

static void changed(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_OK && state->acl)
		set_acl(state);
	else if (reply->result == FILE_OK)
		object_end(state, ACTION_DONE, 0, NULL, reply->info);
	else if (reply->result == FILE_AMBIGUOUS)
		state->call =
			state->cluster->get(state->cluster->self, state->file.id, looked, state);
	else
		object_fail(state, reply, true);
}

static void expected(void *ctx, const char *why)
{
	struct permissions_run *state = ctx;
	const struct file_change *change = &state->change;

	if (why)
		object_end(state, ACTION_RETRY, 0, why, NULL);
	else if (change->mode || change->owner_type || change->group_type)
		state->call = state->cluster->change(state->cluster->self, state->file.id,
						     state->is_root ? state->file.etag : NULL,
						     change, changed, state);
	else
		set_acl(state);
}

/* Exactly the events that this change causes, wherever the file is by then. */
static size_t effects_of(const struct permissions_run *state, struct action_effect effects[4])
{
	const struct file_change *change = &state->change;
	const char *id = state->file.id;
	size_t count = 0;

	if (change->mode)
		effects[count++] = (struct action_effect){ CHILD_ACL_CHANGED, id, NULL };
	if (change->owner_type)
		effects[count++] = (struct action_effect){ CHILD_OWNER_CHANGED, id, NULL };
	if (change->group_type)
		effects[count++] = (struct action_effect){ CHILD_GROUP_CHANGED, id, NULL };
	if (state->acl)
		effects[count++] = (struct action_effect){ CHILD_ACL_CHANGED, id, NULL };
	return count;
}

/* Before the request goes out, so that it is known however often the answer is lost. */
static void remember_before(struct permissions_run *state)
{
	struct action_run *run = state->run;
	const struct file_change *change = &state->change;
	AUTO(free) char *mode = str_format("%04o", state->file.mode & 07777);

	if (change->mode && !module_memory(run, "old_mode"))
		module_remember(run, "old_mode", mode);
	if (change->owner_type && !module_memory(run, "old_owner"))
		module_remember(run, "old_owner", state->file.owner);
	if (change->group_type && !module_memory(run, "old_group"))
		module_remember(run, "old_group", state->file.group);
}

/* True: there is nothing to do. */
static bool act(struct permissions_run *state)
{
	struct action_effect effects[4];

	if (!change_needed(state->run->action->config, &state->file, &state->change, state->mode) &&
	    !state->acl)
		return true;
	if (state->is_root)
		remember_before(state);
	module_expect(state->run, effects, effects_of(state, effects), expected, state);
	return false;
}

static void acl_read(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;
	const struct permissions_config *config = state->run->action->config;
	json_t *current;

	state->call = NULL;
	if (reply->result != FILE_OK) {
		object_fail(state, reply, false);
		return;
	}
	current = json_loads(reply->acl, 0, NULL);
	state->acl = acl_wanted(config->acl, current, &state->file);
	state->acl_etag = str_copy(reply->etag);
	if (acl_is_same(state->acl, current)) {
		json_decref(TAKE(state->acl));
	} else if (state->is_root && !module_memory(state->run, "old_acl")) {
		module_remember(state->run, "old_acl", reply->acl);
	}
	json_decref(current);
	if (act(state))
		object_end(state, ACTION_DONE, 0, PERMISSIONS_ARE_SO, &state->file);
}

static void forget_object(struct permissions_run *state)
{
	file_info_clear(&state->file);
	json_decref(TAKE(state->acl));
	free(TAKE(state->acl_etag));
}

bool permissions_object(struct permissions_run *state, const struct file_info *file,
			object_done *done)
{
	const struct permissions_config *config = state->run->action->config;

	forget_object(state);
	file_info_copy(&state->file, file);
	state->done = done;
	if (!config->acl)
		return act(state);
	state->call =
		state->cluster->get_acl(state->cluster->self, state->file.id, acl_read, state);
	return false;
}

/* ---- The run ---- */

void permissions_end(struct permissions_run *state, enum action_result result,
		     int64_t retry_after_ms, const char *why)
{
	struct action_run *run = state->run;
	AUTO(free) char *sentence = why ? str_copy(why) : NULL;

	forget_object(state);
	permissions_tree_clear(state);
	free(state);
	run->data = NULL;
	module_end(run, result, retry_after_ms, sentence);
}

static void add_word(struct buf *what, const char *name, const char *value)
{
	if (!buf_print(what, "%s %s %s", what->size ? "," : "", name, value))
		abort(); /* the limit is beyond memory */
}

static void add_old_identity(struct action_run *run, const char *name, const char *option,
			     json_t *options, struct buf *what)
{
	const char *old = module_memory(run, name);
	AUTO(free) char *text = old ? str_format("auth_id:%s", old) : NULL;

	if (!text)
		return;
	module_note_result(run, name, old);
	json_object_set_new(options, option, json_string(text));
	add_word(what, option, text);
}

/* What was changed, as it was before. */
static void note_undo(struct action_run *run)
{
	const char *mode = module_memory(run, "old_mode"), *acl = module_memory(run, "old_acl");
	AUTO(buf_free) struct buf *what = buf_new(SIZE_MAX / 2);
	json_t *options = json_object();

	if (mode) {
		module_note_result(run, "old_mode", mode);
		json_object_set_new(options, "mode", json_string(mode));
		add_word(what, "mode", mode);
	}
	add_old_identity(run, "old_owner", "owner", options, what);
	add_old_identity(run, "old_group", "group", options, what);
	if (acl) {
		json_object_set_new(options, "acl", json_loads(acl, 0, NULL));
		add_word(what, "the former access control", "list");
	}
	if (json_object_size(options))
		module_note_undo(run, "permissions", options, "set%s again", what->data);
	else
		json_decref(options);
}

static void note_state(struct permissions_run *state, const struct file_info *info)
{
	struct action_run *run = state->run;
	const struct permissions_config *config = run->action->config;

	module_note_result(run, "path", info->path);
	module_note_state(run, info);
	/* Of what is in a directory, nobody keeps how it was. */
	if (!config->recursive || run->file->type != FILE_DIRECTORY)
		note_undo(run);
	/* It is not what was just made of it: this is how somebody else left it, right behind us.
	 * (A cluster may take setuid and setgid away by itself.) */
	if (config->mode && ((wanted_mode(config, run->file) ^ info->mode) & 01777) != 0)
		module_note_result(run, "change_time", "");
}

static void root_done(struct permissions_run *state, enum action_result result,
		      int64_t retry_after_ms, const char *why, const struct file_info *info)
{
	const struct permissions_config *config = state->run->action->config;

	if (result == ACTION_DONE && info)
		note_state(state, info);
	if (result == ACTION_DONE && config->recursive &&
	    state->run->file->type == FILE_DIRECTORY) {
		state->seen = 1;
		state->changed = !why;
		state->is_root = false;
		permissions_tree(state);
		return;
	}
	permissions_end(state, result, retry_after_ms, why);
}

static void permissions_start(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	struct permissions_run *state = NEW(struct permissions_run);
	AUTO(free) char *watch = text_copy(run->event->watch);

	state->run = run;
	state->cluster = host->cluster(host->self, watch);
	state->is_root = true;
	run->data = state;
	if (permissions_object(state, run->file, root_done))
		root_done(state, ACTION_DONE, 0, PERMISSIONS_ARE_SO, run->file);
}

static void permissions_cancel(struct action_run *run)
{
	struct permissions_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	forget_object(state);
	permissions_tree_clear(state);
	free(state);
	run->data = NULL;
}

static char *permissions_plan(struct action_run *run)
{
	const struct permissions_config *config = run->action->config;
	struct text path = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(buf_free) struct buf *plan = buf_new(SIZE_MAX / 2);
	AUTO(free) char *acl = config->acl ? acl_describe(config->acl) : NULL;
	struct file_change change;
	bool fits = true;
	char mode[8];

	if (run->file && !config->acl && !config->recursive &&
	    !change_needed(config, run->file, &change, mode))
		return str_format("would leave %.*s as it is: it is so already", TEXT_ARGS(path));
	fits &= buf_print(plan, "would set");
	if (config->mode)
		fits &= buf_print(plan, " mode %s", config->mode);
	if (config->owner)
		fits &= buf_print(plan, " owner %s", config->owner);
	if (config->group)
		fits &= buf_print(plan, " group %s", config->group);
	if (acl)
		fits &= buf_print(plan, " the access control list %s", acl);
	fits &= buf_print(plan, " on %.*s", TEXT_ARGS(path));
	if (config->recursive && run->file && run->file->type == FILE_DIRECTORY)
		fits &= buf_print(plan, " and everything in it");
	(void)fits;
	return buf_take(plan);
}

const struct action_type action_permissions = {
	.name = "permissions",
	.help = "Sets mode, owner, group and access control list; does nothing when they are so "
		"already.",
	.keys = permissions_keys,
	.short_key = "mode",
	.config_size = sizeof(struct permissions_config),
	.needs_file = true,
	.is_built_in_change = true,
	.check = permissions_check,
	.effects = permissions_effects,
	.plan = permissions_plan,
	.start = permissions_start,
	.cancel = permissions_cancel,
};
