/* permissions: sets mode, owner and group, and does nothing when they are so already. */
#include <inttypes.h>

#include "action/module.h"
#include "base/buf.h"
#include "base/parse.h"

struct permissions_config {
	char *mode;
	char *owner;
	char *group;
};

/* What a person wrote as owner or group, in the cluster's words. */
struct identity {
	const char *type;
	const char *value; /* points into the option */
};

/* One request and what it is about. */
struct permissions_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	struct file_change change;
};

#define IDENTITY_HELP                                                                      \
	"a number (NFS), root, the name of a local user or group, auth_id:500, uid:1000, " \
	"gid:1000 or sid:S-1-5-..."

static const struct config_key permissions_keys[] = {
	{ .name = "mode",
	  .type = KEY_MODE,
	  .offset = offsetof(struct permissions_config, mode),
	  .help = "Octal, in quotes: \"0640\"." },
	{ .name = "owner",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct permissions_config, owner),
	  .help = "The new owner: " IDENTITY_HELP "." },
	{ .name = "group",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct permissions_config, group),
	  .help = "The new group: " IDENTITY_HELP "." },
	{ 0 },
};

static bool is_number(const char *text)
{
	int64_t number;

	return parse_number(text_of(text), 0, UINT32_MAX, &number, NULL) == 0;
}

static const char *after(const char *text, const char *start)
{
	size_t size = strlen(start);

	return strncmp(text, start, size) == 0 ? text + size : NULL;
}

static struct identity identity_of(const char *text, bool is_group)
{
	const char *value;

	if ((value = after(text, "auth_id:")))
		return (struct identity){ "auth_id", value };
	if ((value = after(text, "sid:")))
		return (struct identity){ "SMB_SID", value };
	if ((value = after(text, "uid:")))
		return (struct identity){ "NFS_UID", value };
	if ((value = after(text, "gid:")))
		return (struct identity){ "NFS_GID", value };
	if ((value = after(text, "local:")))
		return (struct identity){ is_group ? "LOCAL_GROUP" : "LOCAL_USER", value };
	if (strcmp(text, "root") == 0)
		return (struct identity){ is_group ? "NFS_GID" : "NFS_UID", "0" };
	if (is_number(text))
		return (struct identity){ is_group ? "NFS_GID" : "NFS_UID", text };
	return (struct identity){ is_group ? "LOCAL_GROUP" : "LOCAL_USER", text };
}

static void check_identity(const char *text, bool is_group, struct place place,
			   struct problems *problems)
{
	const char *what = is_group ? "group" : "owner";
	struct identity identity;
	bool is_fine;

	if (!text)
		return;
	identity = identity_of(text, is_group);
	if (strcmp(identity.type, "SMB_SID") == 0)
		is_fine = after(identity.value, "S-1-") != NULL;
	else if (strcmp(identity.type, "auth_id") == 0)
		is_fine = *identity.value &&
			  strspn(identity.value, "0123456789") == strlen(identity.value);
	else if (strncmp(identity.type, "NFS_", 4) == 0)
		is_fine = is_number(identity.value);
	else
		is_fine = *identity.value && !strpbrk(identity.value, ":{}/");
	if (!is_fine)
		problems_error(problems, place, "permissions: %s '%s': expected " IDENTITY_HELP,
			       what, text);
}

static void permissions_check(const void *options, struct place place, struct problems *problems)
{
	const struct permissions_config *config = options;

	if (!config->mode && !config->owner && !config->group)
		problems_error(problems, place,
			       "permissions: nothing to set: expected mode, owner or group");
	check_identity(config->owner, false, place, problems);
	check_identity(config->group, true, place, problems);
}

static size_t permissions_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct permissions_config *config = options;

	if (!max)
		return 0;
	effects[0] = (struct event_effect){ .same_file = true, .keeps_name = true };
	if (config->mode)
		effects[0].kinds |= EVENT_KIND(CHILD_ACL_CHANGED);
	if (config->owner)
		effects[0].kinds |= EVENT_KIND(CHILD_OWNER_CHANGED);
	if (config->group)
		effects[0].kinds |= EVENT_KIND(CHILD_GROUP_CHANGED);
	return 1;
}

/* Whether the file's owner or group, which the cluster tells in two forms, is identity. */
static bool is_identity(struct identity identity, const char *auth_id, const char *type,
			const char *value)
{
	uint64_t base = strcmp(identity.type, "NFS_UID") == 0   ? 3
			: strcmp(identity.type, "NFS_GID") == 0 ? 4
								: 0;
	AUTO(free) char *number = NULL;

	if (strcmp(identity.type, "auth_id") == 0)
		return auth_id && strcmp(auth_id, identity.value) == 0;
	if (type && value && strcmp(type, identity.type) == 0 && strcmp(value, identity.value) == 0)
		return true;
	if (!base || !auth_id)
		return false;
	number =
		str_format("%" PRIu64, (base << 32) + (uint64_t)strtoull(identity.value, NULL, 10));
	return strcmp(auth_id, number) == 0;
}

/* Only what differs; true if anything does. */
static bool change_needed(const struct permissions_config *config, const struct file_info *file,
			  struct file_change *change)
{
	unsigned mode = 0;

	*change = (struct file_change){ 0 };
	if (config->mode &&
	    (parse_mode(text_of(config->mode), &mode, NULL) < 0 || mode != (file->mode & 07777)))
		change->mode = config->mode;
	if (config->owner) {
		struct identity owner = identity_of(config->owner, false);

		if (!is_identity(owner, file->owner, file->owner_type, file->owner_value)) {
			change->owner_type = owner.type;
			change->owner_value = owner.value;
		}
	}
	if (config->group) {
		struct identity group = identity_of(config->group, true);

		if (!is_identity(group, file->group, file->group_type, file->group_value)) {
			change->group_type = group.type;
			change->group_value = group.value;
		}
	}
	return change->mode || change->owner_type || change->group_type;
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
	if (!buf_print(what, "%s %s %s", what->size ? "," : "", option, text))
		abort(); /* the limit is beyond memory */
}

/* What was changed, as it was before. */
static void note_undo(struct action_run *run)
{
	const char *mode = module_memory(run, "old_mode");
	AUTO(buf_free) struct buf *what = buf_new(SIZE_MAX / 2);
	json_t *options = json_object();

	if (mode) {
		module_note_result(run, "old_mode", mode);
		json_object_set_new(options, "mode", json_string(mode));
		if (!buf_print(what, " mode %s", mode))
			abort(); /* the limit is beyond memory */
	}
	add_old_identity(run, "old_owner", "owner", options, what);
	add_old_identity(run, "old_group", "group", options, what);
	if (json_object_size(options))
		module_note_undo(run, "permissions", options, "set%s again", what->data);
	else
		json_decref(options);
}

static void note_state(struct action_run *run, const struct file_info *info)
{
	const struct permissions_config *config = run->action->config;
	unsigned mode = 0;

	module_note_result(run, "path", info->path);
	module_note_state(run, info);
	note_undo(run);
	/* It is not what was just made of it: this is how somebody else left it, right behind us.
	 * (A cluster may take setuid and setgid away by itself.) */
	if (config->mode && parse_mode(text_of(config->mode), &mode, NULL) == 0 &&
	    ((mode ^ info->mode) & 01777) != 0)
		module_note_result(run, "change_time", "");
}

static void permissions_end(struct permissions_run *state, enum action_result result,
			    int64_t retry_after_ms, const char *why)
{
	struct action_run *run = state->run;

	free(state);
	run->data = NULL;
	if (result == ACTION_RETRY)
		module_retry(run, retry_after_ms, "%s", why);
	else if (why)
		action_finish(run, result, "%s", why);
	else
		action_finish(run, result, NULL);
}

/* The answer to the change was lost: what the file looks like now says what happened. */
static void looked(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;
	struct file_change change;

	if (reply->result == FILE_GONE) {
		permissions_end(state, ACTION_GONE, 0, "the file is gone");
	} else if (reply->result != FILE_OK) {
		permissions_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
	} else if (change_needed(state->run->action->config, reply->info, &change)) {
		permissions_end(state, ACTION_RETRY, 0, "the answer was lost, and nothing changed");
	} else {
		note_state(state->run, reply->info);
		permissions_end(state, ACTION_DONE, 0, NULL);
	}
}

static char *explain_refusal(const struct file_reply *reply)
{
	if (reply->result != FILE_DENIED)
		return str_copy(reply->why);
	return str_format("%s; the monitor's user needs the right WRITE_ACL for the mode, "
			  "CHANGE_OWNER for the owner and WRITE_GROUP for the group, or "
			  "PRIVILEGE_FILE_FULL_ACCESS (a role like Data-Administrators)",
			  reply->why);
}

static void changed(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;
	struct action_run *run = state->run;
	const struct action_host *host = run->action->host;

	state->call = NULL;
	if (reply->result == FILE_OK) {
		if (reply->info)
			note_state(run, reply->info);
		permissions_end(state, ACTION_DONE, 0, NULL);
		return;
	}
	if (reply->result == FILE_AMBIGUOUS) {
		state->call =
			state->cluster->get(state->cluster->self, run->file->id, looked, state);
		return;
	}
	host->withdraw(host->self, run);
	switch (reply->result) {
	case FILE_GONE:
		permissions_end(state, ACTION_GONE, 0, "the file is gone");
		break;
	case FILE_CHANGED:
		permissions_end(state, ACTION_CHANGED, 0, reply->why);
		break;
	case FILE_DENIED:
	case FILE_REFUSED: {
		AUTO(free) char *why = explain_refusal(reply);

		permissions_end(state, ACTION_REJECTED, 0, why);
		break;
	}
	default:
		permissions_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
		break;
	}
}

/* Exactly the events that this change causes, wherever the file is by then. */
static size_t effects_of(const struct file_change *change, const char *id,
			 struct action_effect effects[3])
{
	size_t count = 0;

	if (change->mode)
		effects[count++] = (struct action_effect){ CHILD_ACL_CHANGED, id, NULL };
	if (change->owner_type)
		effects[count++] = (struct action_effect){ CHILD_OWNER_CHANGED, id, NULL };
	if (change->group_type)
		effects[count++] = (struct action_effect){ CHILD_GROUP_CHANGED, id, NULL };
	return count;
}

/* Before the request goes out, so that it is known however often the answer is lost. */
static void remember_before(struct action_run *run, const struct file_change *change)
{
	AUTO(free) char *mode = str_format("%04o", run->file->mode & 07777);

	if (change->mode)
		module_remember(run, "old_mode", mode);
	if (change->owner_type)
		module_remember(run, "old_owner", run->file->owner);
	if (change->group_type)
		module_remember(run, "old_group", run->file->group);
}

static void expected(void *ctx, const char *why)
{
	struct permissions_run *state = ctx;
	const struct file_info *file = state->run->file;

	if (why) {
		permissions_end(state, ACTION_RETRY, 0, why);
		return;
	}
	state->call = state->cluster->change(state->cluster->self, file->id, file->etag,
					     &state->change, changed, state);
}

static void permissions_start(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	struct permissions_run *state;
	struct file_change change;
	struct action_effect effects[3];
	AUTO(free) char *watch = text_copy(run->event->watch);

	if (!change_needed(run->action->config, run->file, &change)) {
		note_state(run, run->file);
		action_finish(run, ACTION_DONE, "nothing to do: it is so already");
		return;
	}
	state = NEW(struct permissions_run);
	state->run = run;
	state->cluster = host->cluster(host->self, watch);
	state->change = change;
	run->data = state;
	remember_before(run, &change);
	module_expect(run, effects, effects_of(&change, run->file->id, effects), expected, state);
}

static void permissions_cancel(struct action_run *run)
{
	struct permissions_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	free(state);
	run->data = NULL;
}

static char *permissions_plan(struct action_run *run)
{
	const struct permissions_config *config = run->action->config;
	struct text path = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(buf_free) struct buf *plan = buf_new(SIZE_MAX / 2);
	struct file_change change;
	bool fits = true;

	if (run->file && !change_needed(config, run->file, &change))
		return str_format("would leave %.*s as it is: it is so already", TEXT_ARGS(path));
	fits &= buf_print(plan, "would set");
	if (config->mode)
		fits &= buf_print(plan, " mode %s", config->mode);
	if (config->owner)
		fits &= buf_print(plan, " owner %s", config->owner);
	if (config->group)
		fits &= buf_print(plan, " group %s", config->group);
	fits &= buf_print(plan, " on %.*s", TEXT_ARGS(path));
	(void)fits;
	return buf_take(plan);
}

const struct action_type action_permissions = {
	.name = "permissions",
	.help = "Sets mode, owner and group of the file; does nothing when they are so already.",
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
