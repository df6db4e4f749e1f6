#include "action/copy.h"

#include <inttypes.h>
#include <stdio.h>

#include "action/directory.h"
#include "action/module.h"
#include "action/target.h"
#include "base/parse.h"

#define PIECE ((int64_t)64 << 20) /* what is asked for at once: no cluster needs minutes for it */

static const struct config_key copy_keys[] = {
	{ .name = "to",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct copy_config, to),
	  .help = "The copy's name, beside the file; or an absolute path, whose directories are "
		  "made if they are missing; or one with / at its end, into which it goes under "
		  "the "
		  "file's name." },
	{ .name = "collision",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct copy_config, collision),
	  .standard = "fail",
	  .help = "When that name is taken: fail leaves what is there alone, suffix adds a number, "
		  "replace removes the other file.",
	  .choices = target_collisions },
	{ .name = "keep_permissions",
	  .type = KEY_BOOL,
	  .offset = offsetof(struct copy_config, keep_permissions),
	  .standard = "yes",
	  .help = "The copy gets the file's mode, owner and group; if not, what its directory "
		  "hands down." },
	{ .name = "remove",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct copy_config, remove),
	  .help = "Instead: the copy with this file id is deleted. That is how undo does it." },
	{ .name = "unchanged",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct copy_config, unchanged),
	  .help = "With remove: only if its change time is still this." },
	{ 0 },
};

static void copy_check(const void *options, struct place place, struct problems *problems)
{
	const struct copy_config *config = options;

	if (!config->to && !config->remove)
		problems_error(problems, place,
			       "copy: to is missing: expected where the copy goes, like "
			       "\"/backup{path}\"");
	else if (config->to && config->remove)
		problems_error(problems, place,
			       "copy: to and remove: expected one of them, since remove deletes an "
			       "earlier copy");
	else if (config->to)
		target_check("copy", config->to, place, problems);
	if (config->unchanged && !config->remove)
		problems_error(problems, place, "copy: unchanged belongs to remove");
}

/* What is done to the unfinished copy is seen under its temporary name, which says nothing to a
 * rule; what follows is seen at the target. */
static size_t copy_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct copy_config *config = options;
	event_kinds arrives = EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED;
	struct event_effect temporary = { 0 };
	bool makes_directories;
	size_t count = 0;

	if (!config->to || max < 3)
		return 0;
	if (config->collision == MOVE_REPLACE)
		arrives |= EVENT_KIND(CHILD_FILE_REMOVED);
	effects[count] = (struct event_effect){ .kinds = arrives };
	makes_directories = target_effect(config->to, &effects[count++]);
	(void)target_effect(config->to, &temporary);
	free(TAKE(temporary.name));
	temporary.keeps_name = false;
	temporary.name = str_copy(".cn_copy_*");
	temporary.kinds = EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_DATA_WRITTEN) |
			  EVENT_KIND(CHILD_SIZE_CHANGED) | EVENT_KIND(CHILD_ACL_CHANGED) |
			  EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_FILE_REMOVED);
	if (config->keep_permissions)
		temporary.kinds |=
			EVENT_KIND(CHILD_OWNER_CHANGED) | EVENT_KIND(CHILD_GROUP_CHANGED);
	effects[count++] = temporary;
	if (makes_directories) {
		struct event_effect directory = { 0 };

		(void)target_effect(config->to, &directory);
		free(TAKE(directory.name));
		directory.keeps_name = false;
		directory.kinds = EVENT_KIND(CHILD_DIR_ADDED);
		effects[count++] = directory;
	}
	return count;
}

/* ---- How it ends ---- */

static void copy_free(struct copy *copy)
{
	free(copy->target);
	free(copy->place);
	free(copy->directory);
	free(copy->temporary);
	free(copy->id);
	free(copy->replaced);
	free(copy->why);
	copy->run->data = NULL;
	free(copy);
}

void copy_end(struct copy *copy, enum action_result result, int64_t retry_after_ms, const char *why)
{
	struct action_run *run = copy->run;
	AUTO(free) char *sentence = why ? str_copy(why) : NULL;

	copy_free(copy);
	module_end(run, result, retry_after_ms, sentence);
}

static void abandoned(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;
	AUTO(free) char *why = NULL;

	copy->call = NULL;
	if (reply->result == FILE_OK || reply->result == FILE_GONE)
		json_object_clear(copy->run->memory);
	else
		why = str_format("%s; and what was copied so far, %s, could not be removed: %s",
				 copy->why, copy->temporary, reply->why);
	copy_end(copy, copy->result, 0, why ? why : copy->why);
}

/* All that may be told of the unfinished copy, while it is one. */
static void copy_expect(struct copy *copy, action_expected *done)
{
	static const enum event_type types[] = {
		CHILD_DATA_WRITTEN,  CHILD_SIZE_CHANGED,        CHILD_MTIME_CHANGED,
		CHILD_ACL_CHANGED,   CHILD_OWNER_CHANGED,       CHILD_GROUP_CHANGED,
		CHILD_ATIME_CHANGED, CHILD_EXTRA_ATTRS_CHANGED, CHILD_FILE_REMOVED,
	};
	struct action_effect effects[ARRAY_SIZE(types)];

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		effects[i] = (struct action_effect){ types[i], copy->id, copy->temporary, true };
	module_expect(copy->run, effects, ARRAY_SIZE(types), done, copy);
}

static void abandon_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;

	if (why)
		copy_end(copy, ACTION_RETRY, 0, why);
	else
		copy->call = copy->cluster->remove(copy->cluster->self, copy->id, abandoned, copy);
}

void copy_abandon(struct copy *copy, enum action_result result, const char *why)
{
	if (!copy->id) {
		json_object_clear(copy->run->memory);
		copy_end(copy, result, 0, why);
		return;
	}
	copy->result = result;
	free(copy->why);
	copy->why = str_copy(why);
	copy_expect(copy, abandon_expected);
}

void copy_fail(struct copy *copy, const struct file_reply *reply, const char *what)
{
	AUTO(free)
	char *why = str_format("%s: %s%s", what, reply->why, directory_hint(reply));

	if (reply->result == FILE_DENIED || reply->result == FILE_REFUSED)
		copy_abandon(copy, ACTION_REJECTED, why);
	else
		copy_end(copy, ACTION_RETRY, reply->retry_after_ms, why);
}

void copy_look_at(struct copy *copy, const char *path, file_done *done)
{
	AUTO(free) char *name = text_copy(path_name(text_of(path)));
	const struct cluster *cluster = copy->cluster;

	if (cluster->find && copy->directory && !directory_is_askable(text_of(path)))
		copy->call = cluster->find(cluster->self, copy->directory, name, done, copy);
	else
		copy->call = cluster->get(cluster->self, path, done, copy);
}

/* ---- The data ---- */

static void is_whole(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;
	int64_t size = copy->run->file->size;

	copy->call = NULL;
	if (reply->result == FILE_GONE) {
		copy_end(copy, ACTION_RETRY, 0, "the unfinished copy is gone");
	} else if (reply->result == FILE_DENIED) {
		AUTO(free)
		char *why = str_format("%s: the copy cannot be given the file's owner, group and "
				       "mode; the monitor's user needs CHANGE_OWNER, WRITE_GROUP "
				       "and WRITE_ACL, or PRIVILEGE_FILE_FULL_ACCESS; or say "
				       "keep_permissions: no",
				       reply->why);

		copy_abandon(copy, ACTION_REJECTED, why);
	} else if (reply->result != FILE_OK) {
		copy_fail(copy, reply, "finishing the copy");
	} else if (reply->info && reply->info->size != size) {
		AUTO(free)
		char *why = str_format("the copy has %" PRId64 " bytes, and the file %" PRId64,
				       reply->info->size, size);

		copy_abandon(copy, ACTION_RETRY, why);
	} else {
		copy_place(copy);
	}
}

static void finish_data(struct copy *copy)
{
	const struct copy_config *config = copy->run->action->config;
	const struct file_info *file = copy->run->file;

	if (!config->keep_permissions) {
		copy->call = copy->cluster->get(copy->cluster->self, copy->id, is_whole, copy);
		return;
	}
	snprintf(copy->mode, sizeof(copy->mode), "%04o", file->mode & 07777);
	copy->change =
		(struct file_change){ copy->mode, "auth_id", file->owner, "auth_id", file->group };
	copy->call = copy->cluster->change(copy->cluster->self, copy->id, NULL, &copy->change,
					   is_whole, copy);
}

static void copy_next(struct copy *copy);

static void piece_copied(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		copy->offset = reply->copied_to;
		copy_next(copy);
		break;
	case FILE_CHANGED:
		copy_abandon(copy, ACTION_CHANGED, "somebody changed the file while it was copied");
		break;
	case FILE_DENIED:
		copy_abandon(copy, ACTION_REJECTED, reply->why);
		break;
	case FILE_GONE: /* the file, or what was copied of it: the next attempt sees which */
		copy_end(copy, ACTION_RETRY, 0, "the file or its unfinished copy is gone");
		break;
	default: /* what happened to this piece does not matter: it is copied once more */
		copy_fail(copy, reply, "copying");
		break;
	}
}

static void piece_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;
	const struct file_info *file = copy->run->file;
	const struct file_piece piece = { file->id, file->etag, copy->offset,
					  MIN(PIECE, file->size - copy->offset) };

	if (why)
		copy_end(copy, ACTION_RETRY, 0, why);
	else
		copy->call = copy->cluster->copy_piece(copy->cluster->self, copy->id, &piece,
						       piece_copied, copy);
}

static void copy_next(struct copy *copy)
{
	AUTO(free) char *offset = str_format("%" PRId64, copy->offset);

	if (copy->offset >= copy->run->file->size) {
		finish_data(copy);
		return;
	}
	module_remember(copy->run, "offset", offset);
	copy_expect(copy, piece_expected);
}

/* ---- The file that it grows in ---- */

static void made_private(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK)
		copy_next(copy);
	else
		copy_fail(copy, reply, "taking everybody's rights on the unfinished copy away");
}

static void private_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;

	if (why) {
		copy_end(copy, ACTION_RETRY, 0, why);
		return;
	}
	copy->change = (struct file_change){ .mode = "0600" };
	copy->call = copy->cluster->change(copy->cluster->self, copy->id, NULL, &copy->change,
					   made_private, copy);
}

static void go_on_with(struct copy *copy, const char *id)
{
	copy->id = str_copy(id);
	module_remember(copy->run, "copy_id", id);
	copy_expect(copy, private_expected);
}

/* An attempt before this one made it, and did not hear so. */
static void temporary_found(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK)
		go_on_with(copy, reply->info->id);
	else if (reply->result == FILE_GONE)
		copy_end(copy, ACTION_RETRY, 0, "the answer was lost, and nothing was made");
	else
		copy_fail(copy, reply, "looking for the unfinished copy");
}

static void made(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK && reply->info)
		go_on_with(copy, reply->info->id);
	else if (reply->result == FILE_OK || reply->result == FILE_EXISTS ||
		 reply->result == FILE_AMBIGUOUS)
		copy_look_at(copy, copy->temporary, temporary_found);
	else if (reply->result == FILE_GONE)
		copy_end(copy, ACTION_RETRY, 0, "the target's directory is gone");
	else
		copy_fail(copy, reply, "making the copy");
}

static void make_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;
	AUTO(free) char *name = text_copy(path_name(text_of(copy->temporary)));

	if (why)
		copy_end(copy, ACTION_RETRY, 0, why);
	else
		copy->call = copy->cluster->make_file(copy->cluster->self, copy->directory, name,
						      made, copy);
}

static void make(struct copy *copy)
{
	struct action_run *run = copy->run;
	struct action_effect added = { CHILD_FILE_ADDED, "", copy->temporary };

	module_remember(run, "to", copy->target);
	module_remember(run, "temporary", copy->temporary);
	module_remember(run, "source_etag", run->file->etag ? run->file->etag : "");
	module_remember(run, "offset", "0");
	module_expect(run, &added, 1, make_expected, copy);
}

/* ---- Where it goes ---- */

/* Before anything is copied: it would be for nothing. */
static void target_looked_at(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_GONE) {
		make(copy);
	} else if (reply->result != FILE_OK) {
		copy_fail(copy, reply, "looking whether the target is there");
	} else {
		AUTO(free)
		char *why = str_format(
			"%s exists, and collision is fail (suffix and replace are the others)",
			copy->place);

		copy_abandon(copy, ACTION_REJECTED, why);
	}
}

static void directory_reached(void *ctx, const struct directory_end *end)
{
	struct copy *copy = ctx;
	const struct copy_config *config = copy->run->action->config;

	copy->walk = NULL;
	if (end->result == ACTION_REJECTED) {
		copy_abandon(copy, end->result, end->why);
		return;
	}
	if (end->result != ACTION_DONE) {
		copy_end(copy, end->result, end->retry_after_ms, end->why);
		return;
	}
	copy->directory = str_copy(end->id);
	if (copy->id)
		copy_expect(copy, private_expected); /* an attempt before this one had begun */
	else if (config->collision == MOVE_FAIL)
		copy_look_at(copy, copy->place, target_looked_at);
	else
		make(copy);
}

static void reach_directory(struct copy *copy)
{
	AUTO(free) char *directory = text_copy(path_parent(text_of(copy->target)));
	AUTO(free)
	char *name = str_format(".cn_copy_%" PRIu64 "_%u_%" PRId64, copy->run->job, copy->run->step,
				copy->run->event->time_ms);

	free(copy->temporary);
	copy->temporary = path_join(text_of(directory), text_of(name));
	copy->walk = directory_reach(copy->run, copy->cluster, directory, directory_reached, copy);
}

static void begin(struct copy *copy)
{
	const struct copy_config *config = copy->run->action->config;
	AUTO(free) char *wrong = NULL;
	AUTO_ERROR err = { 0 };

	if (copy->id && module_memory(copy->run, "to")) {
		copy->target = str_copy(module_memory(copy->run, "to"));
	} else if (target_of(&copy->target, config->to, copy->run, &err) < 0) {
		copy_abandon(copy, ACTION_REJECTED, error_text(&err));
		return;
	}
	if ((wrong = move_check_target(copy->target))) {
		copy_abandon(copy, ACTION_REJECTED, wrong);
		return;
	}
	if (strcmp(copy->target, copy->run->file->path) == 0) {
		copy_abandon(copy, ACTION_REJECTED,
			     "the copy would have the place of the file itself");
		return;
	}
	copy->place = str_copy(copy->target);
	reach_directory(copy);
}

/* ---- Going on after an attempt that did not end ---- */

static void earlier_looked_at(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;
	struct action_run *run = copy->run;
	const char *target = module_memory(run, "target"),
		   *etag = module_memory(run, "source_etag");
	const char *offset = module_memory(run, "offset");
	const char *temporary = module_memory(run, "temporary");
	const char *now = run->file && run->file->etag ? run->file->etag : "";

	copy->call = NULL;
	if (reply->result != FILE_OK && reply->result != FILE_GONE) {
		copy_fail(copy, reply, "looking for the unfinished copy");
		return;
	}
	if (reply->result == FILE_OK && target && strcmp(reply->info->path, target) == 0) {
		copy->place = str_copy(target);
		copy_done(copy, reply->info); /* only its answer was lost */
		return;
	}
	/* Anywhere else it is somebody's by now, and left alone. */
	if (reply->result == FILE_OK && strcmp(reply->info->path, temporary) == 0) {
		copy->temporary = str_copy(temporary);
		copy->id = str_copy(reply->info->id);
	}
	if (!run->file) {
		copy_abandon(copy, ACTION_GONE, "the file is gone");
		return;
	}
	if (copy->id && etag && strcmp(etag, now) != 0) {
		copy_abandon(copy, ACTION_CHANGED, "somebody changed the file while it was copied");
		return;
	}
	if (!copy->id || !offset ||
	    parse_number(text_of(offset), 0, INT64_MAX, &copy->offset, NULL) < 0)
		copy->offset = 0;
	begin(copy);
}

static void copy_start(struct action_run *run)
{
	const struct copy_config *config = run->action->config;
	const struct action_host *host = run->action->host;
	AUTO(free) char *watch = text_copy(run->event->watch);
	const char *id = module_memory(run, "copy_id"), *path = module_memory(run, "temporary");
	struct copy *copy;

	if (!config->remove && run->file && run->file->type != FILE_REGULAR) {
		action_finish(run, ACTION_REJECTED,
			      "%s is not an ordinary file, and only such are copied",
			      run->file->path);
		return;
	}
	copy = NEW(struct copy);
	copy->run = run;
	copy->cluster = host->cluster(host->self, watch);
	run->data = copy;
	if (config->remove)
		copy_take_back(copy);
	else if (id)
		copy->call = copy->cluster->get(copy->cluster->self, id, earlier_looked_at, copy);
	else if (path)
		copy_look_at(copy, path, earlier_looked_at);
	else
		begin(copy);
}

static void copy_cancel(struct action_run *run)
{
	struct copy *copy = run->data;

	if (!copy)
		return;
	directory_cancel(copy->walk);
	stray_cancel(copy->stray);
	if (copy->call)
		copy->cluster->cancel(copy->call);
	copy_free(copy);
}

static char *copy_plan(struct action_run *run)
{
	const struct copy_config *config = run->action->config;
	struct text source = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *target = NULL;
	AUTO_ERROR err = { 0 };

	if (config->remove)
		return str_format("would delete the copy with the file id %s", config->remove);
	if (run->file && run->file->type != FILE_REGULAR)
		return str_format("would be refused: %.*s is not an ordinary file",
				  TEXT_ARGS(source));
	if (target_of(&target, config->to, run, &err) < 0)
		return str_format("would be refused: %s", error_text(&err));
	return str_format("would copy %.*s to %s", TEXT_ARGS(source), target);
}

const struct action_type action_copy = {
	.name = "copy",
	.help = "Has the cluster make a copy of the file.",
	.keys = copy_keys,
	.short_key = "to",
	.config_size = sizeof(struct copy_config),
	.needs_file = true,
	.is_built_in_change = true,
	.sees_to_the_end = true,
	.check = copy_check,
	.effects = copy_effects,
	.plan = copy_plan,
	.start = copy_start,
	.cancel = copy_cancel,
};
