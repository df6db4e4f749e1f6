/* delete: removes the file, or an empty directory, for good. Addressed by id: nothing else can be
 * meant. */
#include "action/module.h"

struct delete_config {
	bool confirm;
};

struct delete_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
};

static const struct config_key delete_keys[] = {
	{ .name = "confirm",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct delete_config, confirm),
	  .standard = "no",
	  .help = "yes: that it cannot be taken back is known." },
	{ 0 },
};

static void delete_check(const void *options, struct place place, struct problems *problems)
{
	const struct delete_config *config = options;

	if (!config->confirm)
		problems_error(
			problems, place,
			"delete: what is deleted is gone for good, and no undo brings it back: "
			"if that is meant, add confirm: true (quarantine moves it away instead)");
}

static size_t delete_effects(const void *options, struct event_effect *effects, size_t max)
{
	if (!max)
		return 0;
	effects[0] = (struct event_effect){ .kinds = EVENT_KIND(CHILD_FILE_REMOVED) |
						     EVENT_KIND(CHILD_DIR_REMOVED),
					    .same_file = true,
					    .keeps_name = true };
	return 1;
}

static void delete_end(struct delete_run *state, enum action_result result, int64_t retry_after_ms,
		       const char *why)
{
	struct action_run *run = state->run;

	run->data = NULL;
	free(state);
	module_end(run, result, retry_after_ms, why);
}

static void done(struct delete_run *state, const char *why)
{
	struct action_run *run = state->run;

	module_note_result(run, "from", module_memory(run, "from"));
	module_note_result(run, "bytes", module_memory(run, "bytes"));
	delete_end(state, ACTION_DONE, 0, why);
}

static void refused(struct delete_run *state, const struct file_reply *reply)
{
	AUTO(free) char *why = NULL;

	switch (reply->result) {
	case FILE_GONE:
		delete_end(state, ACTION_GONE, 0, "the file is gone");
		return;
	case FILE_CHANGED:
		delete_end(state, ACTION_CHANGED, 0, reply->why);
		return;
	case FILE_EXISTS:
		why = str_format("the directory is not empty (%s); only empty ones are deleted",
				 reply->why);
		break;
	case FILE_DENIED:
		why = strcmp(reply->error_class, "fs_read_only_error") == 0
			      ? str_format("%s (is it locked?)", reply->why)
			      : str_format("%s; the monitor's user needs the right DELETE, or "
					   "DELETE_CHILD on its directory, or "
					   "PRIVILEGE_FILE_FULL_ACCESS (a role like "
					   "Data-Administrators)",
					   reply->why);
		break;
	case FILE_REFUSED:
		why = str_copy(reply->why);
		break;
	default:
		delete_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
		return;
	}
	delete_end(state, ACTION_REJECTED, 0, why);
}

/* The answer was lost: if it is not there any more, we did it. */
static void looked_again(void *ctx, const struct file_reply *reply)
{
	struct delete_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_GONE)
		done(state, NULL);
	else if (reply->result == FILE_OK)
		delete_end(state, ACTION_RETRY, 0, "the answer was lost, and nothing changed");
	else
		refused(state, reply);
}

static void removed(void *ctx, const struct file_reply *reply)
{
	struct delete_run *state = ctx;
	const struct action_host *host = state->run->action->host;

	state->call = NULL;
	if (reply->result == FILE_OK) {
		done(state, NULL);
	} else if (reply->result == FILE_AMBIGUOUS) {
		state->call = state->cluster->get(state->cluster->self, state->run->file->id,
						  looked_again, state);
	} else {
		host->withdraw(host->self, state->run);
		refused(state, reply);
	}
}

static void expected(void *ctx, const char *why)
{
	struct delete_run *state = ctx;

	if (why)
		delete_end(state, ACTION_RETRY, 0, why);
	else
		state->call = state->cluster->remove(state->cluster->self, state->run->file->id,
						     removed, state);
}

static void delete_start(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	const struct file_info *file = run->file;
	AUTO(free) char *watch = text_copy(run->event->watch);
	struct delete_run *state = NEW(struct delete_run);
	struct action_effect effect;

	state->run = run;
	state->cluster = host->cluster(host->self, watch);
	run->data = state;
	if (!file) /* it is gone, and an attempt before this one was about to do that */
		return done(state, NULL);
	if (file->type != FILE_DIRECTORY && file->num_links > 1)
		return delete_end(
			state, ACTION_REJECTED, 0,
			"the file has several names, and an id does not say which of them "
			"is meant");
	AUTO(free) char *bytes = str_format("%lld", (long long)file->size);
	module_remember(run, "from", file->path);
	module_remember(run, "bytes", bytes);
	effect = (struct action_effect){ file->type == FILE_DIRECTORY ? CHILD_DIR_REMOVED
								      : CHILD_FILE_REMOVED,
					 file->id, NULL };
	module_expect(run, &effect, 1, expected, state);
}

static void delete_cancel(struct action_run *run)
{
	struct delete_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	free(state);
	run->data = NULL;
}

static char *delete_plan(struct action_run *run)
{
	struct text path = run->file ? text_of(run->file->path) : run->event->path;

	if (run->file && run->file->type == FILE_DIRECTORY)
		return str_format("would delete the directory %.*s if it is empty",
				  TEXT_ARGS(path));
	return str_format("would delete %.*s (%lld bytes)", TEXT_ARGS(path),
			  run->file ? (long long)run->file->size : 0);
}

const struct action_type action_delete = {
	.name = "delete",
	.help = "Deletes the file, or an empty directory, for good.",
	.keys = delete_keys,
	.config_size = sizeof(struct delete_config),
	.needs_file = true,
	.removes_file = true,
	.is_built_in_change = true,
	.check = delete_check,
	.effects = delete_effects,
	.plan = delete_plan,
	.start = delete_start,
	.cancel = delete_cancel,
};
