/* rename: a new name, or a new path, from a template. */
#include "action/module.h"
#include "action/move.h"
#include "action/target.h"

struct rename_config {
	char *to;
	int collision; /* enum move_collision */
};

static const struct config_key rename_keys[] = {
	{ .name = "to",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct rename_config, to),
	  .help = "The new name; or an absolute path, whose directories are made if they are "
		  "missing; or one with / at its end, into which the file goes under its name.",
	  .is_required = true },
	{ .name = "collision",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct rename_config, collision),
	  .standard = "fail",
	  .help = "When the new name is taken: fail leaves both files alone, suffix adds a number, "
		  "replace removes the other file.",
	  .choices = target_collisions },
	{ 0 },
};

static void rename_check(const void *options, struct place place, struct problems *problems)
{
	const struct rename_config *config = options;

	target_check("rename", config->to, place, problems);
}

static size_t rename_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct rename_config *config = options;
	bool makes_directories = false;
	size_t count = 0;

	if (count < max)
		effects[count++] = (struct event_effect){
			.kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM) |
				 EVENT_KIND(CHILD_DIR_MOVED_FROM) | EVENT_MOVED_OUT,
			.same_file = true,
			.keeps_name = true,
		};
	for (size_t i = 0; i < 2 && count < max; i++) {
		if (i == 1 && config->collision != MOVE_REPLACE)
			break;
		effects[count] = (struct event_effect){ 0 };
		effects[count].kinds = i ? EVENT_KIND(CHILD_FILE_REMOVED)
					 : EVENT_KIND(CHILD_FILE_MOVED_TO) |
						       EVENT_KIND(CHILD_DIR_MOVED_TO) |
						       EVENT_RENAMED;
		makes_directories = target_effect(config->to, &effects[count++]);
	}
	if (makes_directories && count < max) {
		struct event_effect place = { 0 };

		(void)target_effect(config->to, &place);
		free(TAKE(place.name));
		place.keeps_name = false;
		place.kinds = EVENT_KIND(CHILD_DIR_ADDED);
		effects[count++] = place;
	}
	return count;
}

/*
 * Whether the file is where this rename would have brought it from where it was at the time of the
 * event. Then another job of the same file has done that already: of a file that is created and
 * written at once, for instance. To rename it once more would be to act upon our own result.
 */
static bool is_renamed_already(const struct action_run *run)
{
	const struct rename_config *config = run->action->config;
	AUTO(free) char *target = NULL;
	struct action_run then = *run;
	struct event event = *run->event;
	struct file_info file = *run->file;

	if (!run->first_path)
		return false;
	event.path = text_of(run->first_path);
	file.path = (char *)run->first_path; /* only read */
	then.event = &event;
	then.file = &file;
	return target_of(&target, config->to, &then, NULL) == 0 &&
	       strcmp(target, run->file->path) == 0;
}

static void rename_start(struct action_run *run)
{
	const struct rename_config *config = run->action->config;
	AUTO(free) char *target = NULL;
	AUTO_ERROR err = { 0 };

	if (run->is_over) {
		move_put_right(run);
		return;
	}
	if (move_resume(run))
		return;
	if (is_renamed_already(run)) {
		module_note_result(run, "path", run->file->path);
		module_note_result(run, "from", run->first_path);
		action_finish(run, ACTION_DONE, "nothing to do: it is at %s already",
			      run->file->path);
		return;
	}
	if (target_of(&target, config->to, run, &err) < 0)
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
	else
		move_start(run, target, config->collision);
}

static char *rename_plan(struct action_run *run)
{
	const struct rename_config *config = run->action->config;
	struct text source = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *target = NULL;
	AUTO_ERROR err = { 0 };

	if (target_of(&target, config->to, run, &err) < 0)
		return str_format("would be refused: %s", error_text(&err));
	return str_format("would rename %.*s to %s", TEXT_ARGS(source), target);
}

const struct action_type action_rename = {
	.name = "rename",
	.help = "Gives the file a new name or path, from a template.",
	.keys = rename_keys,
	.short_key = "to",
	.config_size = sizeof(struct rename_config),
	.needs_file = true,
	.is_built_in_change = true,
	.puts_right = true,
	.check = rename_check,
	.effects = rename_effects,
	.plan = rename_plan,
	.start = rename_start,
	.cancel = move_cancel,
};
