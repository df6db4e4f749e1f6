/*
 * snapshot: takes a snapshot of the file's directory, or of another one, that expires by itself.
 * Its name ends with the job and its time: so one that was taken before a crash is found again, and
 * not taken twice.
 */
#include <inttypes.h>

#include "action/module.h"
#include "action/template.h"
#include "base/clock.h"

#define NAME_MAX_BYTES ((size_t)100)

struct snapshot_config {
	char *of;
	char *name;
	int64_t expires_ms;
	int64_t remove; /* 0: none */
};

struct snapshot_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	char *directory; /* its id */
	char *suffix;
	bool may_be_there; /* an attempt before this one may have got as far as taking it */
	bool is_sent;      /* this one has */
};

static const struct config_key snapshot_keys[] = {
	{ .name = "of",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct snapshot_config, of),
	  .help = "The directory on the cluster, absolute; that of the file if it is not said." },
	{ .name = "expires",
	  .type = KEY_TIME,
	  .offset = offsetof(struct snapshot_config, expires_ms),
	  .standard = "7d",
	  .help = "After this time the cluster deletes it.",
	  .least = 60 * 1000,
	  .most = (int64_t)3650 * 86400000 },
	{ .name = "name",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct snapshot_config, name),
	  .standard = "{rule}",
	  .help = "What its name says besides the job's number and time." },
	{ .name = "remove",
	  .type = KEY_NUMBER,
	  .offset = offsetof(struct snapshot_config, remove),
	  .standard = "0",
	  .help = "Instead: the snapshot of this number is deleted. That is how undo does it." },
	{ 0 },
};

static void snapshot_check(const void *options, struct place place, struct problems *problems)
{
	const struct snapshot_config *config = options;

	if (config->of && config->of[0] != '/')
		problems_error(problems, place,
			       "snapshot: of '%s': expected a directory that begins with /, as the "
			       "cluster has it",
			       config->of);
}

static void snapshot_end(struct snapshot_run *state, enum action_result result,
			 int64_t retry_after_ms, const char *why)
{
	struct action_run *run = state->run;

	free(state->directory);
	free(state->suffix);
	free(state);
	run->data = NULL;
	module_end(run, result, retry_after_ms, why);
}

static void refused(struct snapshot_run *state, enum file_result result, const char *why,
		    int64_t retry_after_ms)
{
	AUTO(free)
	char *needs = str_format("%s; the monitor's user needs PRIVILEGE_SNAPSHOT_WRITE", why);

	switch (result) {
	case FILE_GONE:
		snapshot_end(state, ACTION_REJECTED, 0, why);
		break;
	case FILE_DENIED:
		snapshot_end(state, ACTION_REJECTED, 0, needs);
		break;
	case FILE_REFUSED:
	case FILE_EXISTS:
		snapshot_end(state, ACTION_REJECTED, 0, why);
		break;
	default:
		snapshot_end(state, ACTION_RETRY, retry_after_ms, why);
		break;
	}
}

static void done(struct snapshot_run *state, const struct snapshot_reply *reply)
{
	struct action_run *run = state->run;
	AUTO(free) char *id = str_format("%" PRId64, reply->id);

	module_note_result(run, "id", id);
	module_note_result(run, "name", reply->name);
	module_note_undo(run, "snapshot", json_pack("{s:s}", "remove", id),
			 "delete the snapshot %s", reply->name);
	snapshot_end(state, ACTION_DONE, 0, NULL);
}

static void find(struct snapshot_run *state);

static void taken(void *ctx, const struct snapshot_reply *reply)
{
	struct snapshot_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_OK)
		done(state, reply);
	else if (reply->result == FILE_AMBIGUOUS)
		find(state); /* the answer was lost: is it there? */
	else
		refused(state, reply->result, reply->why, reply->retry_after_ms);
}

static void take(struct snapshot_run *state)
{
	const struct snapshot_config *config = state->run->action->config;

	state->is_sent = true;
	state->call =
		state->cluster->take_snapshot(state->cluster->self, state->directory, state->suffix,
					      clock_now_ms() + config->expires_ms, taken, state);
}

static void found(void *ctx, const struct snapshot_reply *reply)
{
	struct snapshot_run *state = ctx;
	state->call = NULL;
	if (reply->result == FILE_OK)
		done(state, reply);
	else if (reply->result == FILE_GONE && state->is_sent)
		snapshot_end(state, ACTION_RETRY, 0,
			     "the answer was lost, and no snapshot was taken");
	else if (reply->result == FILE_GONE)
		take(state);
	else
		refused(state, reply->result, reply->why, reply->retry_after_ms);
}

static void find(struct snapshot_run *state)
{
	state->call =
		state->cluster->find_snapshot(state->cluster->self, state->suffix, found, state);
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct snapshot_run *state = ctx;

	state->call = NULL;
	if (reply->result != FILE_OK)
		return refused(state, reply->result, reply->why, reply->retry_after_ms);
	if (reply->info->type != FILE_DIRECTORY)
		return snapshot_end(state, ACTION_REJECTED, 0, "it is no directory");
	state->directory = str_copy(reply->info->id);
	if (state->may_be_there)
		find(state);
	else
		take(state);
}

static void removed(void *ctx, const struct snapshot_reply *reply)
{
	struct snapshot_run *state = ctx;

	state->call = NULL;
	if (reply->result == FILE_OK)
		snapshot_end(state, ACTION_DONE, 0, NULL);
	else if (reply->result == FILE_GONE)
		snapshot_end(state, ACTION_DONE, 0, "nothing to do: it is not there any more");
	else
		refused(state, reply->result, reply->why, reply->retry_after_ms);
}

/* Before the request, so that whoever goes on after a crash knows to look first. */
static void remembered(void *ctx, const char *why)
{
	struct snapshot_run *state = ctx;
	const struct snapshot_config *config = state->run->action->config;
	AUTO(free)
	char *directory = config->of ? str_copy(config->of)
				     : text_copy(path_parent(text_of(state->run->file->path)));

	if (why)
		return snapshot_end(state, ACTION_RETRY, 0, why);
	state->call = state->cluster->get(state->cluster->self, directory, looked, state);
}

/* What snapshots may be called. */
static char *tidy_name(const char *name)
{
	char *tidy = str_copy_n(name, MIN(strlen(name), NAME_MAX_BYTES));

	for (char *c = tidy; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
			    *c))
			*c = '-';
	return tidy;
}

static int name_of(const struct action_run *run, char **out, struct error *err)
{
	const struct snapshot_config *config = run->action->config;
	AUTO(free) char *name = NULL;
	AUTO(free) char *tidy = NULL;

	if (template_render(&name, config->name, run, 10000, err) < 0)
		return error_prefix(err, "name");
	tidy = tidy_name(name);
	*out = str_format("%s_%" PRIu64 "_%" PRId64, tidy, run->job, run->event->time_ms);
	return 0;
}

static void snapshot_start(struct action_run *run)
{
	const struct snapshot_config *config = run->action->config;
	const struct action_host *host = run->action->host;
	AUTO(free) char *watch = text_copy(run->event->watch);
	struct snapshot_run *state = NEW(struct snapshot_run);
	AUTO_ERROR err = { 0 };

	state->run = run;
	state->cluster = host->cluster(host->self, watch);
	run->data = state;
	if (config->remove) {
		state->call = state->cluster->drop_snapshot(state->cluster->self, config->remove,
							    removed, state);
		return;
	}
	if (name_of(run, &state->suffix, &err) < 0)
		return snapshot_end(state, ACTION_REJECTED, 0, error_text(&err));
	state->may_be_there = json_object_size(run->memory);
	if (state->may_be_there)
		return remembered(state, NULL);
	module_remember(run, "name", state->suffix);
	module_expect(run, NULL, 0, remembered, state);
}

static void snapshot_cancel(struct action_run *run)
{
	struct snapshot_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	free(state->directory);
	free(state->suffix);
	free(state);
	run->data = NULL;
}

static char *snapshot_plan(struct action_run *run)
{
	const struct snapshot_config *config = run->action->config;
	struct text path = run->file ? text_of(run->file->path) : run->event->path;
	struct text directory = config->of ? text_of(config->of) : path_parent(path);

	if (config->remove)
		return str_format("would delete the snapshot %" PRId64, config->remove);
	return str_format("would take a snapshot of %.*s", TEXT_ARGS(directory));
}

const struct action_type action_snapshot = {
	.name = "snapshot",
	.help = "Takes a snapshot of the file's directory, which expires by itself.",
	.keys = snapshot_keys,
	.config_size = sizeof(struct snapshot_config),
	.needs_file = true,
	.privilege = "PRIVILEGE_SNAPSHOT_WRITE",
	.check = snapshot_check,
	.plan = snapshot_plan,
	.start = snapshot_start,
	.cancel = snapshot_cancel,
};
