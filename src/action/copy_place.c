/* copy_place: how a whole copy gets its name, and how one is taken back. */
#include <inttypes.h>

#include "action/copy.h"
#include "action/directory.h"
#include "action/module.h"

static void copy_move(struct copy *copy);

void copy_done(struct copy *copy, const struct file_info *info)
{
	struct action_run *run = copy->run;
	AUTO(free) char *bytes = str_format("%" PRId64, info->size);

	module_note_result(run, "to", info->path);
	module_note_result(run, "id", info->id);
	module_note_result(run, "bytes", bytes);
	module_note_undo(run, "copy",
			 json_pack("{s:s,s:s}", "remove", info->id, "unchanged", info->change_time),
			 "delete the copy %s", info->path);
	AUTO(free) char *why = str_format("copied to %s", info->path);
	copy_end(copy, ACTION_DONE, 0, why);
}

/* By id: what became of the copy, when a request to move it was not answered. */
static void looked(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK && strcmp(reply->info->path, copy->place) == 0)
		copy_done(copy, reply->info);
	else if (reply->result == FILE_OK || reply->result == FILE_GONE)
		copy_end(copy, ACTION_RETRY, 0, "the copy did not get its name");
	else
		copy_fail(copy, reply, "looking for the copy");
}

static void put_back(void *ctx, enum action_result result, int64_t retry_after_ms, const char *why)
{
	struct copy *copy = ctx;

	copy->stray = NULL;
	copy_end(copy, result, retry_after_ms, why);
}

static void place_looked_at(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;
	AUTO(free) char *why = NULL;

	copy->call = NULL;
	if (reply->result == FILE_GONE) {
		copy_move(copy);
		return;
	}
	if (reply->result != FILE_OK) {
		copy_fail(copy, reply, "looking at the file to be replaced");
		return;
	}
	if (reply->info->type == FILE_DIRECTORY)
		why = str_format("%s is a directory; only a file is replaced by a copy",
				 copy->place);
	else if (strcmp(reply->info->id, copy->run->file->id) == 0)
		why = str_format("%s is another name (a hard link) of the file itself",
				 copy->place);
	if (why) {
		copy_abandon(copy, ACTION_REJECTED, why);
		return;
	}
	copy->replaced = str_copy(reply->info->id);
	copy_move(copy);
}

static void look_at_place(struct copy *copy)
{
	free(TAKE(copy->replaced));
	copy_look_at(copy, copy->place, place_looked_at);
}

static void place_taken(struct copy *copy)
{
	const struct copy_config *config = copy->run->action->config;
	AUTO(free) char *why = NULL;
	char *next;

	copy->tries++;
	if (config->collision == MOVE_SUFFIX &&
	    (next = move_next_place(copy->target, copy->tries, copy->run->job))) {
		free(copy->place);
		copy->place = next;
		copy_move(copy);
	} else if (config->collision == MOVE_REPLACE && copy->tries < 3) {
		look_at_place(copy);
	} else if (config->collision == MOVE_FAIL) {
		why = str_format("%s exists, and collision is fail (suffix and replace are the "
				 "others)",
				 copy->place);
		copy_abandon(copy, ACTION_REJECTED, why);
	} else {
		copy_end(copy, ACTION_RETRY, 0, "the place of the copy is taken again and again");
	}
}

static void moved(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK && reply->info && strcmp(reply->info->id, copy->id) != 0)
		stray_put_back(&copy->stray, copy->run, copy->cluster, reply->info, copy->temporary,
			       copy->place, put_back, copy);
	else if (reply->result == FILE_OK && reply->info)
		copy_done(copy, reply->info);
	else if (reply->result == FILE_OK || reply->result == FILE_AMBIGUOUS ||
		 reply->result == FILE_GONE)
		copy->call = copy->cluster->get(copy->cluster->self, copy->id, looked, copy);
	else if (reply->result == FILE_EXISTS)
		place_taken(copy);
	else
		copy_fail(copy, reply, "giving the copy its name");
}

static void move_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;
	AUTO(free) char *name = text_copy(path_name(text_of(copy->place)));

	if (why)
		copy_end(copy, ACTION_RETRY, 0, why);
	else
		copy->call =
			copy->cluster->move(copy->cluster->self, copy->temporary, copy->directory,
					    name, copy->replaced != NULL, moved, copy);
}

static void copy_move(struct copy *copy)
{
	struct action_effect effects[3] = {
		{ CHILD_FILE_MOVED_FROM, copy->id, copy->temporary },
		{ CHILD_FILE_MOVED_TO, copy->id, copy->place },
	};
	size_t count = 2;

	module_remember(copy->run, "target", copy->place);
	if (copy->replaced)
		effects[count++] =
			(struct action_effect){ CHILD_FILE_REMOVED, copy->replaced, copy->place };
	module_expect(copy->run, effects, count, move_expected, copy);
}

void copy_place(struct copy *copy)
{
	const struct copy_config *config = copy->run->action->config;

	if (config->collision == MOVE_REPLACE)
		look_at_place(copy);
	else
		copy_move(copy);
}

/* ---- Taking one back ---- */

static void removed(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;

	copy->call = NULL;
	if (reply->result == FILE_OK)
		copy_end(copy, ACTION_DONE, 0, NULL);
	else if (reply->result == FILE_GONE)
		copy_end(copy, ACTION_DONE, 0, "nothing to do: the copy is not there any more");
	else if (reply->result == FILE_DENIED || reply->result == FILE_REFUSED)
		copy_end(copy, ACTION_REJECTED, 0, reply->why);
	else
		copy_end(copy, ACTION_RETRY, reply->retry_after_ms, reply->why);
}

static void remove_expected(void *ctx, const char *why)
{
	struct copy *copy = ctx;

	if (why)
		copy_end(copy, ACTION_RETRY, 0, why);
	else
		copy->call = copy->cluster->remove(copy->cluster->self, copy->id, removed, copy);
}

static void copy_looked_at(void *ctx, const struct file_reply *reply)
{
	struct copy *copy = ctx;
	const struct copy_config *config = copy->run->action->config;
	struct action_effect effect = { CHILD_FILE_REMOVED, config->remove, NULL };
	AUTO(free) char *why = NULL;

	if (reply->result != FILE_OK) {
		removed(copy, reply);
		return;
	}
	copy->call = NULL;
	if (config->unchanged && strcmp(config->unchanged, reply->info->change_time) != 0) {
		why = str_format("the copy %s was changed at %s, after it was made, and is left",
				 reply->info->path, reply->info->change_time);
		copy_end(copy, ACTION_REJECTED, 0, why);
		return;
	}
	copy->id = str_copy(config->remove);
	module_expect(copy->run, &effect, 1, remove_expected, copy);
}

void copy_take_back(struct copy *copy)
{
	const struct copy_config *config = copy->run->action->config;

	copy->call = copy->cluster->get(copy->cluster->self, config->remove, copy_looked_at, copy);
}
