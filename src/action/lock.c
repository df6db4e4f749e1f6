/* lock: keeps a file from being changed: until a time (retention), or until somebody lifts it
 * (legal hold). Never shortens, and does nothing when the file is locked that long already. */
#include <time.h>

#include "action/module.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"

#define YEARS_MOST 1000

struct lock_config {
	char *duration;
	char *until;
	char *legal_hold;
	bool confirm;
};

/* What is wanted of one file. */
struct wish {
	int64_t until_ms; /* 0: no retention */
	int legal_hold;   /* 1, 0; -1: not spoken of */
};

/* One request and what it is about. */
struct lock_run {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	struct wish wish;
	char *etag;
	char *retention; /* what is asked for */
	int legal_hold;
};

static const struct config_key lock_keys[] = {
	{ .name = "for",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct lock_config, duration),
	  .help = "How long from the event on: 30d, 10w, 7y." },
	{ .name = "until",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct lock_config, until),
	  .help = "Until when: 2033-12-31, or with a time, 2033-12-31T18:00:00Z." },
	{ .name = "legal_hold",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct lock_config, legal_hold),
	  .help = "yes: locked until it is lifted. no: lifted." },
	{ .name = "confirm",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct lock_config, confirm),
	  .standard = "no",
	  .help = "yes: that a retention cannot be taken back is known." },
	{ 0 },
};

/* ---- Options ---- */

/* Years are those of the calendar: seven of them are not 2555 days. */
static bool add_years(struct text text, int64_t from_ms, int64_t *out_ms)
{
	time_t seconds = (time_t)(from_ms / 1000);
	int64_t years;
	struct tm tm;

	if (!text_ends_with(text, TEXT("y")))
		return false;
	text.size--;
	if (parse_number(text_trim(text), 1, YEARS_MOST, &years, NULL) < 0)
		return false;
	gmtime_r(&seconds, &tm);
	tm.tm_year += (int)years;
	*out_ms = (int64_t)timegm(&tm) * 1000 + from_ms % 1000;
	return true;
}

static int read_duration(const char *text, int64_t from_ms, int64_t *out_ms, struct error *err)
{
	int64_t duration_ms;

	if (add_years(text_of(text), from_ms, out_ms))
		return 0;
	if (parse_duration(text_of(text), &duration_ms, NULL) < 0 || duration_ms <= 0)
		return error_set(err, "'%s': expected a duration like 30d, 10w or 7y", text);
	*out_ms = from_ms + duration_ms;
	return 0;
}

static int read_until(const char *text, int64_t *out_ms, struct error *err)
{
	AUTO(free) char *midnight = str_format("%sT00:00:00Z", text);

	if (clock_parse(text, out_ms) || clock_parse(midnight, out_ms))
		return 0;
	return error_set(err, "'%s': expected a day like 2033-12-31, or 2033-12-31T18:00:00Z",
			 text);
}

/* Whole seconds, rounded up: whoever keeps times less exactly keeps them no shorter. */
static int read_wish(const struct lock_config *config, int64_t event_ms, struct wish *out,
		     struct error *err)
{
	bool hold = false;

	*out = (struct wish){ .legal_hold = -1 };
	if (config->duration && read_duration(config->duration, event_ms, &out->until_ms, err) < 0)
		return error_prefix(err, "for");
	if (config->until && read_until(config->until, &out->until_ms, err) < 0)
		return error_prefix(err, "until");
	if (config->legal_hold && parse_bool(text_of(config->legal_hold), &hold, err) < 0)
		return error_prefix(err, "legal_hold");
	if (config->legal_hold)
		out->legal_hold = hold;
	out->until_ms = (out->until_ms + 999) / 1000 * 1000;
	return 0;
}

static void lock_check(const void *options, struct place place, struct problems *problems)
{
	const struct lock_config *config = options;
	AUTO_ERROR err = { 0 };
	struct wish wish;

	if (!config->duration && !config->until && !config->legal_hold)
		problems_error(problems, place,
			       "lock: nothing to do: expected for, until or legal_hold");
	else if (config->duration && config->until)
		problems_error(problems, place,
			       "lock: for and until at once: expected one of them");
	else if (read_wish(config, clock_now_ms(), &wish, &err) < 0)
		problems_error(problems, place, "lock: %s", error_text(&err));
	else if (wish.until_ms && !config->confirm)
		problems_error(problems, place,
			       "lock: what is locked can be changed, moved or deleted by nobody "
			       "until that time is over, and the time cannot be shortened: if that "
			       "is meant, add confirm: true");
	else if (wish.legal_hold == 1 && !config->confirm)
		problems_error(problems, place,
			       "lock: what is under a legal hold can be changed, moved or deleted "
			       "by nobody until somebody lifts it: if that is meant, add confirm: "
			       "true");
	else if (config->until && wish.until_ms <= clock_now_ms())
		problems_warning(problems, place, "lock: until '%s' is over: nothing can be locked",
				 config->until);
}

static size_t lock_effects(const void *options, struct event_effect *effects, size_t max)
{
	(void)options;
	return module_metadata_effects(effects, max);
}

/* ---- What is there, and what is missing ---- */

static int64_t retention_of(const struct file_info *info)
{
	int64_t ms;

	return info->retention && clock_parse(info->retention, &ms) ? ms : 0;
}

static bool is_locked_enough(const struct wish *wish, const struct file_info *info)
{
	return retention_of(info) >= wish->until_ms &&
	       (wish->legal_hold < 0 || info->legal_hold == wish->legal_hold);
}

static char *describe(const struct wish *wish)
{
	AUTO(free) char *time = wish->until_ms ? clock_format(wish->until_ms) : NULL;

	return str_format("%s%s%s%s", time ? "until " : "", time ? time : "",
			  time && wish->legal_hold >= 0 ? ", " : "",
			  wish->legal_hold < 0 ? ""
			  : wish->legal_hold   ? "under a legal hold"
					       : "without a legal hold");
}

/* A legal hold can be lifted, and put again; a retention is for good. */
static void note_undo(struct action_run *run, const struct file_info *info)
{
	const char *old = module_memory(run, "old_legal_hold");
	const char *retention = module_memory(run, "old_retention");
	bool is_longer = info->retention && strcmp(info->retention, retention ? retention : "");
	const char *stays = is_longer ? " (the retention stays)" : "";

	if (!old || (strcmp(old, "yes") == 0) == info->legal_hold)
		return;
	if (info->legal_hold)
		module_note_undo(run, "lock", json_pack("{s:s}", "legal_hold", "no"),
				 "lift the legal hold%s", stays);
	else
		module_note_undo(run, "lock",
				 json_pack("{s:s,s:s}", "legal_hold", "yes", "confirm", "yes"),
				 "put it under a legal hold again");
}

static void note_lock(struct action_run *run, const struct file_info *info)
{
	note_undo(run, info);
	module_note_result(run, "path", info->path);
	module_note_result(run, "retention", info->retention);
	module_note_result(run, "legal_hold", info->legal_hold ? "yes" : "no");
	module_note_result(run, "old_retention", module_memory(run, "old_retention"));
	module_note_result(run, "old_legal_hold", module_memory(run, "old_legal_hold"));
	module_note_state(run, info);
}

static void lock_end(struct lock_run *state, enum action_result result, int64_t retry_after_ms,
		     const char *why)
{
	struct action_run *run = state->run;

	free(state->etag);
	free(state->retention);
	free(state);
	run->data = NULL;
	module_end(run, result, retry_after_ms, why);
}

static void lock_refused(struct lock_run *state, const struct file_reply *reply, const char *needs)
{
	AUTO(free)
	char *why = str_format("%s; the monitor's user needs %s", reply->why, needs);

	switch (reply->result) {
	case FILE_GONE:
		lock_end(state, ACTION_GONE, 0, "the file is gone");
		break;
	case FILE_CHANGED:
		lock_end(state, ACTION_CHANGED, 0, reply->why);
		break;
	case FILE_DENIED:
		lock_end(state, ACTION_REJECTED, 0, why);
		break;
	case FILE_REFUSED:
	case FILE_EXISTS:
		lock_end(state, ACTION_REJECTED, 0, reply->why);
		break;
	default:
		lock_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
		break;
	}
}

/* ---- Asking for it ---- */

static void lock_done(struct lock_run *state, const struct file_info *info)
{
	AUTO(free) char *how = describe(&state->wish);
	AUTO(free)
	char *what = state->wish.legal_hold == 0 && !state->wish.until_ms
			     ? str_copy("legal hold lifted")
			     : str_format("locked %s", how);

	note_lock(state->run, info);
	lock_end(state, ACTION_DONE, 0, what);
}

/* The answer was lost: how the file is locked now says what happened. */
static void looked_again(void *ctx, const struct file_reply *reply)
{
	struct lock_run *state = ctx;

	state->call = NULL;
	if (reply->result != FILE_OK) {
		lock_refused(state, reply, "the right READ_ACL");
	} else if (!is_locked_enough(&state->wish, reply->info)) {
		lock_end(state, ACTION_RETRY, 0, "the answer was lost, and nothing changed");
	} else {
		lock_done(state, reply->info);
	}
}

static void locked(void *ctx, const struct file_reply *reply)
{
	struct lock_run *state = ctx;
	struct action_run *run = state->run;
	const struct action_host *host = run->action->host;

	state->call = NULL;
	if (reply->result == FILE_AMBIGUOUS ||
	    (reply->result == FILE_OK && (!reply->info || !reply->info->has_lock))) {
		state->call = state->cluster->get_lock(state->cluster->self, run->file->id,
						       looked_again, state);
	} else if (reply->result != FILE_OK) {
		host->withdraw(host->self, run);
		lock_refused(state, reply,
			     "PRIVILEGE_FS_FILE_LOCK_WRITE and the right WRITE_ACL (which "
			     "PRIVILEGE_FILE_FULL_ACCESS implies)");
	} else if (!is_locked_enough(&state->wish, reply->info)) {
		lock_end(state, ACTION_REJECTED, 0,
			 "the cluster says that it was done, but the file is not locked like "
			 "that");
	} else {
		lock_done(state, reply->info);
	}
}

static void expected(void *ctx, const char *why)
{
	struct lock_run *state = ctx;
	const struct file_lock lock = { state->retention, state->legal_hold };

	if (why)
		lock_end(state, ACTION_RETRY, 0, why);
	else
		state->call = state->cluster->lock(state->cluster->self, state->run->file->id,
						   state->etag, &lock, locked, state);
}

static void remember_before(struct action_run *run, const struct file_info *info)
{
	if (module_memory(run, "old_legal_hold"))
		return; /* an attempt before this one looked */
	module_remember(run, "old_retention", info->retention);
	module_remember(run, "old_legal_hold", info->legal_hold ? "yes" : "no");
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct lock_run *state = ctx;
	struct action_run *run = state->run;
	const struct wish *wish = &state->wish;
	struct action_effect effect = { CHILD_EXTRA_ATTRS_CHANGED, run->file->id, NULL };

	state->call = NULL;
	if (reply->result != FILE_OK) {
		lock_refused(state, reply, "the right READ_ACL");
		return;
	}
	if (is_locked_enough(wish, reply->info)) {
		note_lock(run, reply->info);
		lock_end(state, ACTION_DONE, 0, "nothing to do: it is locked like that already");
		return;
	}
	remember_before(run, reply->info);
	if (wish->until_ms > retention_of(reply->info))
		state->retention = clock_format(wish->until_ms);
	state->legal_hold = wish->legal_hold >= 0 && wish->legal_hold != reply->info->legal_hold
				    ? wish->legal_hold
				    : -1;
	state->etag = str_copy(reply->info->etag);
	module_expect(run, &effect, 1, expected, state);
}

static void lock_start(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	AUTO(free) char *watch = text_copy(run->event->watch);
	AUTO_ERROR err = { 0 };
	struct lock_run *state;
	struct wish wish;

	if (read_wish(run->action->config, run->event->time_ms, &wish, &err) < 0) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
		return;
	}
	if (run->file->type != FILE_REGULAR) {
		action_finish(run, ACTION_REJECTED, "only files can be locked, and this is none");
		return;
	}
	if (wish.until_ms && wish.until_ms <= clock_now_ms()) {
		action_finish(run, ACTION_REJECTED,
			      "the time until which it should be locked is over");
		return;
	}
	state = NEW(struct lock_run);
	state->run = run;
	state->wish = wish;
	state->cluster = host->cluster(host->self, watch);
	run->data = state;
	state->call = state->cluster->get_lock(state->cluster->self, run->file->id, looked, state);
}

static void lock_cancel(struct action_run *run)
{
	struct lock_run *state = run->data;

	if (!state)
		return;
	if (state->call)
		state->cluster->cancel(state->call);
	free(state->etag);
	free(state->retention);
	free(state);
	run->data = NULL;
}

static char *lock_plan(struct action_run *run)
{
	struct text path = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *how = NULL;
	AUTO_ERROR err = { 0 };
	struct wish wish;

	if (read_wish(run->action->config, run->event->time_ms, &wish, &err) < 0)
		return str_format("would be rejected: %s", error_text(&err));
	if (run->file && run->file->type != FILE_REGULAR)
		return str_format("would be rejected: %.*s is no file", TEXT_ARGS(path));
	how = describe(&wish);
	return str_format("would make %.*s locked %s, as far as it is not yet", TEXT_ARGS(path),
			  how);
}

const struct action_type action_lock = {
	.name = "lock",
	.help = "Locks the file against any change: for a time, or by a legal hold.",
	.keys = lock_keys,
	.config_size = sizeof(struct lock_config),
	.needs_file = true,
	.is_built_in_change = true,
	.may_be_silent = true,
	.privilege = "PRIVILEGE_FS_FILE_LOCK_WRITE",
	.check = lock_check,
	.effects = lock_effects,
	.plan = lock_plan,
	.start = lock_start,
	.cancel = lock_cancel,
};
