/* permissions_tree: everything in a directory, one object after the other, the deepest last. */
#include "action/module.h"
#include "action/permissions.h"

#define DEPTH_MAX 4096 /* no path of the cluster has more */

/* A page of one directory's entries, and how far it is done. */
struct permissions_level {
	char *directory; /* its id */
	char *next;      /* the page after it; NULL: none */
	struct file_info *entries;
	size_t count, at;
};

static void level_clear(struct permissions_level *level)
{
	for (size_t i = 0; i < level->count; i++)
		file_info_clear(&level->entries[i]);
	free(level->entries);
	free(level->next);
	free(level->directory);
}

void permissions_tree_clear(struct permissions_run *state)
{
	while (state->level_count)
		level_clear(&state->levels[--state->level_count]);
	free(TAKE(state->levels));
	free(TAKE(state->first_failure));
}

static struct permissions_level *innermost(struct permissions_run *state)
{
	return &state->levels[state->level_count - 1];
}

static void go_on(struct permissions_run *state);

static void note_failure(struct permissions_run *state, const char *path, const char *why)
{
	state->failed++;
	if (!state->first_failure)
		state->first_failure = str_format("%s: %s", path, why);
}

static void tree_end(struct permissions_run *state)
{
	AUTO(free) char *changed = str_format("%zu", state->changed);
	AUTO(free) char *seen = str_format("%zu", state->seen);
	AUTO(free) char *why = NULL;

	module_note_result(state->run, "changed", changed);
	module_note_result(state->run, "seen", seen);
	if (state->failed) {
		why = str_format("%zu of %zu could not be changed, the first: %s", state->failed,
				 state->seen, state->first_failure);
		permissions_end(state, ACTION_REJECTED, 0, why);
		return;
	}
	why = state->changed ? str_format("%zu of %zu changed", state->changed, state->seen)
			     : str_format("nothing to do: all %zu are so already", state->seen);
	permissions_end(state, ACTION_DONE, 0, why);
}

static void listed(void *ctx, const struct file_reply *reply)
{
	struct permissions_run *state = ctx;
	struct permissions_level *level = innermost(state);

	state->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		level->entries = mem_array(reply->info_count, sizeof(*level->entries));
		level->count = reply->info_count;
		for (size_t i = 0; i < level->count; i++)
			file_info_copy(&level->entries[i], &reply->infos[i]);
		level->next = reply->next ? str_copy(reply->next) : NULL;
		break;
	case FILE_GONE:
		break;
	case FILE_DENIED:
	case FILE_REFUSED:
		note_failure(state, level->directory, reply->why);
		break;
	default:
		permissions_end(state, ACTION_RETRY, reply->retry_after_ms, reply->why);
		return;
	}
	go_on(state);
}

/* The page that is done makes room for the one after it. */
static void list(struct permissions_run *state)
{
	struct permissions_level *level = innermost(state);
	AUTO(free) char *next = TAKE(level->next);

	for (size_t i = 0; i < level->count; i++)
		file_info_clear(&level->entries[i]);
	free(TAKE(level->entries));
	level->count = level->at = 0;
	state->call =
		state->cluster->list(state->cluster->self, level->directory, next, listed, state);
}

static void enter(struct permissions_run *state, const char *directory)
{
	state->levels = mem_grow(state->levels, state->level_count + 1, sizeof(*state->levels));
	state->levels[state->level_count++] =
		(struct permissions_level){ .directory = str_copy(directory) };
	list(state);
}

static void entry_done(struct permissions_run *state, enum action_result result,
		       int64_t retry_after_ms, const char *why, const struct file_info *info)
{
	struct permissions_level *level = innermost(state);
	const struct file_info *entry = &level->entries[level->at];

	if (result == ACTION_RETRY) {
		permissions_end(state, result, retry_after_ms, why);
		return;
	}
	state->seen += result != ACTION_GONE;
	if (result == ACTION_REJECTED || result == ACTION_CHANGED)
		note_failure(state, entry->path, why);
	else if (result == ACTION_DONE && !why)
		state->changed++;
	level->at++;
	if (entry->type == FILE_DIRECTORY && result != ACTION_GONE &&
	    state->level_count < DEPTH_MAX)
		enter(state, entry->id);
	else
		go_on(state);
}

/* Links lead elsewhere, and have no permissions of their own. */
static bool is_passed_over(const struct file_info *entry)
{
	return entry->type == FILE_SYMLINK;
}

/* The next entry that takes a request; false: one has been sent. */
static bool next_entry(struct permissions_run *state)
{
	struct permissions_level *level = innermost(state);

	while (level->at < level->count) {
		const struct file_info *entry = &level->entries[level->at];

		if (is_passed_over(entry)) {
			level->at++;
			continue;
		}
		if (!permissions_object(state, entry, entry_done))
			return false;
		state->seen++;
		level->at++;
		if (entry->type == FILE_DIRECTORY && state->level_count < DEPTH_MAX) {
			enter(state, entry->id);
			return false;
		}
	}
	return true;
}

static void go_on(struct permissions_run *state)
{
	while (state->level_count) {
		if (!next_entry(state))
			return;
		if (innermost(state)->next) {
			list(state);
			return;
		}
		level_clear(innermost(state));
		state->level_count--;
	}
	tree_end(state);
}

void permissions_tree(struct permissions_run *state)
{
	enter(state, state->run->file->id);
}
