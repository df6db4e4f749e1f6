/* quarantine: moves a file out of the way, to {to}/{date}/{path}, never over anything. */
#include "action/mode.h"
#include "action/module.h"
#include "action/move.h"
#include "base/clock.h"

struct quarantine_config {
	char *to;
	bool by_date;
	bool tag;
	char *permissions;
};

static const struct config_key quarantine_keys[] = {
	{ .name = "to",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct quarantine_config, to),
	  .help = "The directory on the cluster that keeps what was moved away, absolute.",
	  .is_required = true },
	{ .name = "by_date",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct quarantine_config, by_date),
	  .standard = "yes",
	  .help = "A directory for each day (UTC, of the event) below it." },
	{ .name = "tag",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct quarantine_config, tag),
	  .standard = "no",
	  .help = "Also a step tag: key quarantined, with where the file was, the rule and the "
		  "job." },
	{ .name = "permissions",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct quarantine_config, permissions),
	  .help = "Also a step permissions, with this mode, or this acl: nobody, owner_only, "
		  "read_only." },
	{ 0 },
};

static void check_permissions(const struct quarantine_config *config, struct place place,
			      struct problems *problems)
{
	static const char *const lists[] = { "nobody", "owner_only", "read_only" };

	for (size_t i = 0; config->permissions && i < ARRAY_SIZE(lists); i++)
		if (strcmp(config->permissions, lists[i]) == 0)
			return;
	if (config->permissions && mode_check(config->permissions, NULL) < 0)
		problems_error(problems, place,
			       "quarantine: permissions '%s': expected nobody, owner_only, "
			       "read_only or a mode like \"0000\"",
			       config->permissions);
}

static void quarantine_check(const void *options, struct place place, struct problems *problems)
{
	const struct quarantine_config *config = options;
	AUTO(free) char *wrong = NULL;

	if (config->to[0] != '/') {
		problems_error(problems, place,
			       "quarantine: to '%s': expected an absolute path on the cluster like "
			       "/quarantine",
			       config->to);
		return;
	}
	AUTO(free) char *path = path_join(text_of(config->to), TEXT_NONE);
	if (strcmp(path, "/") == 0)
		problems_error(problems, place,
			       "quarantine: to '/': expected a directory below the root, like "
			       "/quarantine");
	else if ((wrong = move_check_target(path)))
		problems_error(problems, place, "quarantine: to '%s': %s", config->to, wrong);
	else if (strpbrk(path, "{}"))
		problems_warning(problems, place,
				 "quarantine: to '%s': fields are not filled in here; the braces "
				 "become part of the name",
				 config->to);
	check_permissions(config, place, problems);
}

static size_t quarantine_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct quarantine_config *config = options;
	const struct event_effect all[] = {
		{ .kinds = EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_KIND(CHILD_DIR_MOVED_TO) |
			   EVENT_RENAMED,
		  .keeps_name = true },
		{ .kinds = EVENT_KIND(CHILD_DIR_ADDED) },
		{ .kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_FROM) |
			   EVENT_MOVED_OUT,
		  .same_file = true,
		  .keeps_name = true },
	};
	size_t count = MIN(ARRAY_SIZE(all), max);

	memcpy(effects, all, count * sizeof(*effects));
	for (size_t i = 0; i < count; i++)
		if (!effects[i].same_file)
			effects[i].path = path_join(text_of(config->to), TEXT_NONE);
	return count;
}

/* A mode, or else the name of an access control list. */
static char *follow_permissions(const struct quarantine_config *config, const char **out_module)
{
	bool is_mode = mode_check(config->permissions, NULL) == 0;
	json_t *options = json_pack("{s:s}", is_mode ? "mode" : "acl", config->permissions);
	char *text = json_dumps(options, JSON_COMPACT);

	json_decref(options);
	*out_module = action_permissions.name;
	return text;
}

static char *quarantine_follow(const void *options, size_t n, const char **out_module)
{
	const struct quarantine_config *config = options;

	if (config->tag && n == 0) {
		*out_module = action_tag.name;
		return str_copy("{\"key\": \"quarantined\", \"value\": \"from {quarantine.from} by "
				"rule {rule}, job {job}, {time}\"}");
	}
	if (config->permissions && n == (config->tag ? 1 : 0))
		return follow_permissions(config, out_module);
	return NULL;
}

static char *target_of(const struct action_run *run)
{
	const struct quarantine_config *config = run->action->config;
	AUTO(free) char *date = clock_format_date(run->event->time_ms);
	AUTO(free)
	char *day = path_join(text_of(config->to), config->by_date ? text_of(date) : TEXT_NONE);

	return path_join(text_of(day), run->file ? text_of(run->file->path) : run->event->path);
}

static void quarantine_start(struct action_run *run)
{
	const struct quarantine_config *config = run->action->config;
	AUTO(free) char *to = path_join(text_of(config->to), TEXT_NONE);

	if (run->is_over) {
		move_put_right(run);
		return;
	}
	if (move_resume(run))
		return;
	if (path_is_below(text_of(run->file->path), text_of(to))) {
		module_note_result(run, "path", run->file->path);
		action_finish(run, ACTION_DONE, "nothing to do: it is in %s already", to);
		return;
	}
	AUTO(free) char *target = target_of(run);
	move_start(run, target, MOVE_SUFFIX);
}

static char *quarantine_plan(struct action_run *run)
{
	const struct quarantine_config *config = run->action->config;
	AUTO(free) char *to = path_join(text_of(config->to), TEXT_NONE);
	AUTO(free) char *target = target_of(run);
	struct text source = run->file ? text_of(run->file->path) : run->event->path;

	if (path_is_below(source, text_of(to)))
		return str_format("would leave %.*s where it is", TEXT_ARGS(source));
	return str_format("would move %.*s to %s", TEXT_ARGS(source), target);
}

const struct action_type action_quarantine = {
	.name = "quarantine",
	.help = "Moves the file to {to}/{date}/{path} on the cluster, never over anything.",
	.keys = quarantine_keys,
	.short_key = "to",
	.config_size = sizeof(struct quarantine_config),
	.needs_file = true,
	.is_built_in_change = true,
	.puts_right = true,
	.check = quarantine_check,
	.effects = quarantine_effects,
	.follow = quarantine_follow,
	.plan = quarantine_plan,
	.start = quarantine_start,
	.cancel = move_cancel,
};
