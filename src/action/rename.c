/* rename: a new name, or a new path, from a template. */
#include "action/module.h"
#include "action/move.h"
#include "action/template.h"

#define TARGET_MAX ((size_t)512 * 1024) /* what no path of the cluster reaches */

struct rename_config {
	char *to;
	int collision; /* enum move_collision */
};

static const char *const collisions[] = { "fail", "suffix", "replace", NULL };

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
	  .choices = collisions },
	{ 0 },
};

/* As far as it can be said before the fields are filled in. */
static void rename_check(const void *options, struct place place, struct problems *problems)
{
	const struct rename_config *config = options;
	bool is_path = config->to[0] == '/' || config->to[0] == '{';

	if (!config->to[0])
		problems_error(problems, place, "rename: to is empty: expected a name");
	else if (strcmp(config->to, ".") == 0 || strcmp(config->to, "..") == 0)
		problems_error(problems, place, "rename: to '%s' is no name for a file",
			       config->to);
	else if (!is_path && strchr(config->to, '/'))
		problems_error(problems, place,
			       "rename: to '%s': expected a name without /, or an absolute path "
			       "like {dir}/%s",
			       config->to, config->to);
	else if (!strchr(config->to, '{'))
		problems_warning(problems, place,
				 "rename: to '%s' is the same name for every file; fields like "
				 "{stem} and {extension} tell them apart",
				 config->to);
}

/* The path up to the first field, as far as it is whole directories; for free(). */
static char *fixed_directory(struct text to)
{
	struct text fixed = to;
	const char *brace = memchr(to.data, '{', to.size);

	if (brace)
		fixed.size = brace - to.data;
	return text_copy(path_parent(fixed));
}

static size_t rename_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct rename_config *config = options;
	struct text to = text_of(config->to);
	bool is_here = strncmp(config->to, "{dir}/", 6) == 0 && !strchr(config->to + 6, '/');
	bool is_path = !is_here && strchr(config->to, '/');
	struct event_effect place = { .same_directory = !is_path };
	size_t count = 0;

	if (count < max)
		effects[count++] = (struct event_effect){
			.kinds = EVENT_KIND(CHILD_FILE_MOVED_FROM) |
				 EVENT_KIND(CHILD_DIR_MOVED_FROM) | EVENT_MOVED_OUT,
			.same_file = true,
			.keeps_name = true,
		};
	for (size_t i = 0; i < 2 && count < max; i++) {
		struct text name = path_name(to);

		if (i == 1 && config->collision != MOVE_REPLACE)
			break;
		effects[count] = place;
		effects[count].kinds = i ? EVENT_KIND(CHILD_FILE_REMOVED)
					 : EVENT_KIND(CHILD_FILE_MOVED_TO) |
						       EVENT_KIND(CHILD_DIR_MOVED_TO) |
						       EVENT_RENAMED;
		if (is_path && to.data[0] == '/')
			effects[count].path = fixed_directory(to);
		if (!name.size || text_is(name, "{name}") || text_is(name, "{stem}{extension}"))
			effects[count].keeps_name = true;
		else
			effects[count].name = template_glob(name);
		count++;
	}
	if (is_path && count < max) {
		effects[count] = (struct event_effect){ .kinds = EVENT_KIND(CHILD_DIR_ADDED) };
		if (to.data[0] == '/')
			effects[count].path = fixed_directory(to);
		count++;
	}
	return count;
}

/* Where the file goes, absolute; for free(). */
static int target_of(char **out, const struct action_run *run, struct error *err)
{
	const struct rename_config *config = run->action->config;
	struct text source = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *to = NULL;
	struct text text;

	if (template_render(&to, config->to, run, TARGET_MAX, err) < 0)
		return -1;
	text = text_of(to);
	if (text.size && text.data[0] == '/') {
		bool is_directory = text_ends_with(text, TEXT("/"));
		AUTO(free) char *path = path_join(text, TEXT_NONE);

		*out = is_directory ? path_join(text_of(path), path_name(source)) : TAKE(path);
		return 0;
	}
	if (!text.size || strchr(to, '/'))
		return error_set(err, "'%s' is no name for a file (from to: '%s')", to, config->to);
	*out = path_join(path_parent(source), text);
	return 0;
}

/*
 * Whether the file is where this rename would have brought it from where it was at the time of the
 * event. Then another job of the same file has done that already: of a file that is created and
 * written at once, for instance. To rename it once more would be to act upon our own result.
 */
static bool is_renamed_already(const struct action_run *run)
{
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
	return target_of(&target, &then, NULL) == 0 && strcmp(target, run->file->path) == 0;
}

static void rename_start(struct action_run *run)
{
	const struct rename_config *config = run->action->config;
	AUTO(free) char *target = NULL;
	AUTO_ERROR err = { 0 };

	if (move_resume(run))
		return;
	if (is_renamed_already(run)) {
		module_note_result(run, "path", run->file->path);
		module_note_result(run, "from", run->first_path);
		action_finish(run, ACTION_DONE, "nothing to do: it is at %s already",
			      run->file->path);
		return;
	}
	if (target_of(&target, run, &err) < 0)
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
	else
		move_start(run, target, config->collision);
}

static char *rename_plan(struct action_run *run)
{
	struct text source = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *target = NULL;
	AUTO_ERROR err = { 0 };

	if (target_of(&target, run, &err) < 0)
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
	.check = rename_check,
	.effects = rename_effects,
	.plan = rename_plan,
	.start = rename_start,
	.cancel = move_cancel,
};
