#include "action/move.h"

#include "action/directory.h"
#include "action/module.h"
#include "action/stray.h"
#include "action/template.h"
#include "base/clock.h"

struct move {
	struct action_run *run;
	const struct cluster *cluster;
	struct directory_walk *walk;
	struct cluster_call *call;
	struct stray *stray;
	enum move_collision collision;
	char *source;
	char *target;    /* as asked for */
	char *place;     /* as tried: perhaps with a number */
	char *directory; /* id of the target's */
	char *why;       /* what is told if the file turns out to be where it was */
	unsigned tries;
	bool replaces;   /* what is at place will be removed by the move */
	bool is_gone;    /* how it ends if no stray is found */
	bool has_caused; /* a request of this attempt may have led to events */
	bool is_open;    /* nobody knows what became of a move of this attempt or one before */
};

static void move_look(struct move *move, const char *why);
static void move_look_at_target(struct move *move);

static struct move *move_new(struct action_run *run)
{
	const struct action_host *host = run->action->host;
	struct move *move = NEW(struct move);
	AUTO(free) char *watch = text_copy(run->event->watch);

	move->run = run;
	move->cluster = host->cluster(host->self, watch);
	move->source = str_copy(run->file ? run->file->path : "");
	move->is_open = module_memory(run, "target") != NULL;
	run->data = move;
	return move;
}

static void move_free(struct move *move)
{
	free(move->source);
	free(move->target);
	free(move->place);
	free(move->directory);
	free(move->why);
	move->run->data = NULL;
	free(move);
}

static void move_end(struct move *move, enum action_result result, int64_t retry_after_ms,
		     const char *why, ...) PRINTF_LIKE(4, 5);
static void move_end(struct move *move, enum action_result result, int64_t retry_after_ms,
		     const char *why, ...)
{
	struct action_run *run = move->run;
	va_list args;

	va_start(args, why);
	AUTO(free) char *sentence = str_vformat(why, args);
	va_end(args);
	move_free(move);
	if (result == ACTION_RETRY)
		module_retry(run, retry_after_ms, "%s", sentence);
	else
		action_finish(run, result, "%s", sentence);
}

/* Of what was moved from there. */
static void note_undo(struct action_run *run, const char *from)
{
	AUTO(free) char *to = from ? template_escape_text(text_of(from)) : NULL;

	if (to)
		module_note_undo(run, "rename",
				 json_pack("{s:s,s:s}", "to", to, "collision", "fail"),
				 "move it back to %s", from);
}

static void move_done(struct move *move, const struct file_info *info)
{
	struct action_run *run = move->run;

	module_note_result(run, "path", info->path);
	module_note_result(run, "from", move->source);
	module_note_state(run, info);
	note_undo(run, move->source);
	move_free(move);
	action_finish(run, ACTION_DONE, NULL);
}

/* What became of each request is known: who comes to its target later comes by himself. */
static void move_forget(struct action_run *run)
{
	json_object_del(run->memory, "source");
	json_object_del(run->memory, "sent_ms");
	json_object_del(run->memory, "target");
}

/* Only if nothing of this attempt happened: it takes back all that the attempt expects. */
static void move_withdraw(struct move *move)
{
	const struct action_host *host = move->run->action->host;

	if (!move->has_caused)
		host->withdraw(host->self, move->run);
}

/* The request did nothing at all. */
static void move_undone(struct move *move)
{
	move_withdraw(move);
	if (!move->is_open)
		move_forget(move->run);
}

/* How every request ends that failed for reasons that have nothing to do with the move. */
static void move_fail(struct move *move, const struct file_reply *reply, const char *what)
{
	bool is_final = reply->result == FILE_DENIED || reply->result == FILE_REFUSED;

	move_end(move, is_final ? ACTION_REJECTED : ACTION_RETRY, reply->retry_after_ms, "%s: %s%s",
		 what, reply->why, directory_hint(reply));
}

/* The file is not where it was going: is another one there, in its stead? */
static void searched(void *ctx, enum action_result result, int64_t retry_after_ms, const char *why)
{
	struct move *move = ctx;

	move->stray = NULL;
	if (result == ACTION_DONE || result == ACTION_CHANGED)
		move_forget(move->run);
	if (result != ACTION_DONE)
		move_end(move, result, retry_after_ms, "%s", why);
	else
		move_end(move,
			 move->run->is_over ? ACTION_DONE
			 : move->is_gone    ? ACTION_GONE
					    : ACTION_CHANGED,
			 0, "%s", move->why);
}

/* why: what is told if there is none. */
static void move_search(struct move *move, bool is_gone, const char *why, ...) PRINTF_LIKE(3, 4);
static void move_search(struct move *move, bool is_gone, const char *why, ...)
{
	va_list args;

	free(move->why);
	va_start(args, why);
	move->why = str_vformat(why, args);
	va_end(args);
	move->is_gone = is_gone;
	stray_search(&move->stray, move->run, move->cluster, searched, move);
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct move *move = ctx;

	move->call = NULL;
	if (reply->result == FILE_GONE && move->is_open) {
		move_search(move, true, "the file is gone");
	} else if (reply->result == FILE_GONE) {
		move_end(move, ACTION_GONE, 0, "the file is gone");
	} else if (reply->result != FILE_OK) {
		move_fail(move, reply, "looking where the file is");
	} else if (strcmp(reply->info->path, move->place) == 0) {
		move_done(move, reply->info);
	} else if (strcmp(reply->info->path, move->source) != 0 && move->is_open) {
		move_search(move, false, "somebody moved the file from %s to %s", move->source,
			    reply->info->path);
	} else if (strcmp(reply->info->path, move->source) != 0) {
		move_end(move, ACTION_CHANGED, 0, "somebody moved the file from %s to %s",
			 move->source, reply->info->path);
	} else if (!move->has_caused && strstr(move->source, "\xEF\xBF\xBD")) {
		move_end(move, ACTION_REJECTED, 0,
			 "the path %s holds bytes that are not UTF-8, and the cluster takes the "
			 "source of a move by its path only",
			 move->source);
	} else {
		move_end(move, ACTION_RETRY, 0, "%s", move->why);
	}
}

/* Finds out by id what became of the file; why is told if it is still where it was. */
static void move_look(struct move *move, const char *why)
{
	free(move->why);
	move->why = str_copy(why);
	move->call = move->cluster->get(move->cluster->self, move->run->file->id, looked, move);
}

/* The name is taken; true: another one is in move->place. */
static bool next_place(struct move *move)
{
	char *place = move_next_place(move->target, ++move->tries, move->run->job);

	if (!place)
		return false;
	free(move->place);
	move->place = place;
	return true;
}

static void stray_ended(void *ctx, enum action_result result, int64_t retry_after_ms,
			const char *why)
{
	struct move *move = ctx;

	move->stray = NULL;
	if (result == ACTION_CHANGED)
		move_forget(move->run);
	move_end(move, result, retry_after_ms, "%s", why);
}

static void move_caught_stray(struct move *move, const struct file_info *moved)
{
	move_withdraw(move); /* nothing happened to the file that was meant */
	stray_put_back(&move->stray, move->run, move->cluster, moved, move->source, move->place,
		       stray_ended, move);
}

static void move_try(struct move *move, const struct file_info *replaced);

static void move_taken(struct move *move)
{
	if (move->collision == MOVE_FAIL) {
		move_end(move, ACTION_REJECTED, 0,
			 "%s exists, and collision is fail (suffix and replace are the others)",
			 move->place);
	} else if (move->collision == MOVE_SUFFIX && next_place(move)) {
		move_try(move, NULL);
	} else if (move->collision == MOVE_REPLACE && ++move->tries < 3) {
		move_look_at_target(move);
	} else {
		move_end(move, ACTION_RETRY, 0, "%s and the names after it are taken",
			 move->target);
	}
}

static void moved(void *ctx, const struct file_reply *reply)
{
	struct move *move = ctx;

	move->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		if (!reply->info)
			move_look(move, "the move did not happen");
		else if (strcmp(reply->info->id, move->run->file->id) == 0)
			move_done(move, reply->info);
		else
			move_caught_stray(move, reply->info);
		break;
	case FILE_AMBIGUOUS:
		move->has_caused = move->is_open = true;
		move_look(move, reply->why);
		break;
	case FILE_EXISTS:
		move_undone(move);
		move_taken(move);
		break;
	case FILE_GONE: /* the source, or the target's directory */
		move_undone(move);
		move_look(move, reply->why);
		break;
	case FILE_CHANGED:
		move_undone(move);
		move_end(move, ACTION_CHANGED, 0, "%s", reply->why);
		break;
	default:
		move_undone(move);
		move_fail(move, reply, "the move");
		break;
	}
}

static void expected(void *ctx, const char *why)
{
	struct move *move = ctx;
	AUTO(free) char *name = text_copy(path_name(text_of(move->place)));

	if (why)
		move_end(move, ACTION_RETRY, 0, "%s", why);
	else
		move->call = move->cluster->move(move->cluster->self, move->source, move->directory,
						 name, move->replaces, moved, move);
}

/* replaced: what is at the target and will be removed by the move. */
static void move_try(struct move *move, const struct file_info *replaced)
{
	struct action_run *run = move->run;
	bool is_directory = run->file->type == FILE_DIRECTORY;
	struct action_effect effects[3] = {
		{ move_from_type(is_directory), run->file->id, move->source },
		{ move_to_type(is_directory), run->file->id, move->place },
	};
	size_t count = 2;

	module_remember(run, "source", move->source);
	json_object_set_new(run->memory, "sent_ms", json_integer(clock_wall_ms()));
	module_remember(run, "target", move->place);
	move->replaces = replaced != NULL;
	if (replaced)
		effects[count++] =
			(struct action_effect){ CHILD_FILE_REMOVED, replaced->id, move->place };
	module_expect(run, effects, count, expected, move);
}

static void target_looked_at(void *ctx, const struct file_reply *reply)
{
	struct move *move = ctx;

	move->call = NULL;
	if (reply->result == FILE_GONE)
		move_try(move, NULL);
	else if (reply->result != FILE_OK)
		move_fail(move, reply, "looking at the file to be replaced");
	else if (reply->info->type == FILE_DIRECTORY)
		move_end(move, ACTION_REJECTED, 0,
			 "%s is a directory; only a file is replaced by a file", move->place);
	else if (strcmp(reply->info->id, move->run->file->id) == 0)
		move_end(move, ACTION_REJECTED, 0,
			 "%s is another name (a hard link) of the same file", move->place);
	else
		move_try(move, reply->info);
}

/* The removal of what is replaced is an echo too, so its id must be known. */
static void move_look_at_target(struct move *move)
{
	AUTO(free) char *name = text_copy(path_name(text_of(move->place)));
	const struct cluster *cluster = move->cluster;

	if (cluster->find && !directory_is_askable(text_of(move->place)))
		move->call =
			cluster->find(cluster->self, move->directory, name, target_looked_at, move);
	else
		move->call = cluster->get(cluster->self, move->place, target_looked_at, move);
}

static void move_in(struct move *move)
{
	if (move->collision == MOVE_REPLACE && move->run->file->type != FILE_DIRECTORY)
		move_look_at_target(move);
	else
		move_try(move, NULL);
}

static void directory_reached(void *ctx, const struct directory_end *end)
{
	struct move *move = ctx;

	move->walk = NULL;
	move->has_caused |= end->has_caused;
	if (end->result != ACTION_DONE) {
		move_end(move, end->result, end->retry_after_ms, "%s", end->why);
		return;
	}
	move->directory = str_copy(end->id);
	move_in(move);
}

bool move_resume(struct action_run *run)
{
	const char *target = module_memory(run, "target");

	if (json_object_get(run->memory, "stray")) {
		struct move *move = move_new(run);

		if (stray_resume(&move->stray, run, move->cluster, stray_ended, move))
			return true;
		move_free(move);
	}
	if (!target || strcmp(target, run->file->path) != 0)
		return false;
	/* The attempt before this one did it; only its answer was lost. */
	module_note_result(run, "path", target);
	module_note_result(run, "from", module_memory(run, "source"));
	module_note_state(run, run->file);
	note_undo(run, module_memory(run, "source"));
	action_finish(run, ACTION_DONE, NULL);
	return true;
}

void move_put_right(struct action_run *run)
{
	struct move *move = move_new(run);

	if (stray_resume(&move->stray, run, move->cluster, stray_ended, move))
		return;
	move_search(move, false, "no request of it is left open");
}

/* The id of the target's directory, if the event already says it: no path to ask for. */
static struct text known_directory(const struct move *move)
{
	const struct event *event = move->run->event;

	if (!text_equal(event->path, text_of(move->source)) ||
	    !text_equal(path_parent(event->path), path_parent(text_of(move->target))))
		return TEXT_NONE;
	return event->parent_id;
}

void move_start(struct action_run *run, const char *target, enum move_collision collision)
{
	struct text source = text_of(run->file->path);
	AUTO(free) char *wrong = move_check_target(target);
	AUTO(free) char *directory = text_copy(path_parent(text_of(target)));
	struct move *move;

	if (wrong) {
		action_finish(run, ACTION_REJECTED, "%s", wrong);
		return;
	}
	if (source.size < 2 || path_is_below(text_of(target), source)) {
		action_finish(run, ACTION_REJECTED, "%s cannot be moved into itself",
			      run->file->path);
		return;
	}
	if (text_is(source, target)) {
		module_note_result(run, "path", target);
		action_finish(run, ACTION_DONE, "nothing to do: it is at %s already", target);
		return;
	}
	move = move_new(run);
	move->target = str_copy(target);
	move->place = str_copy(target);
	move->collision = collision;
	move->directory = known_directory(move).size ? text_copy(known_directory(move)) : NULL;
	if (move->directory)
		move_in(move);
	else
		move->walk =
			directory_reach(run, move->cluster, directory, directory_reached, move);
}

void move_cancel(struct action_run *run)
{
	struct move *move = run->data;

	if (!move)
		return;
	directory_cancel(move->walk);
	stray_cancel(move->stray);
	if (move->call)
		move->cluster->cancel(move->call);
	move_free(move);
}
