#include "action/stray.h"

#include "action/directory.h"
#include "action/module.h"
#include "action/move.h"
#include "base/clock.h"

#define CLOCKS_DIFFER_MS 60000

struct stray {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	char *id;
	char *from;
	char *to;
	bool is_directory;
	stray_done *done;
	void *ctx;
};

const char *stray_in(const json_t *memory)
{
	return json_string_value(json_object_get(json_object_get(memory, "stray"), "id"));
}

static struct stray *stray_new(struct action_run *run, const struct cluster *cluster,
			       stray_done *done, void *ctx)
{
	struct stray *stray = NEW(struct stray);

	stray->run = run;
	stray->cluster = cluster;
	stray->done = done;
	stray->ctx = ctx;
	return stray;
}

static void stray_free(struct stray *stray)
{
	free(stray->id);
	free(stray->from);
	free(stray->to);
	free(stray);
}

/* what: how the story of the mistake goes on. */
static void stray_end(struct stray *stray, enum action_result result, int64_t retry_after_ms,
		      const char *what, const char *why)
{
	AUTO(free)
	char *sentence = str_format("another object (id %s) had taken the place of the file at %s "
				    "and was moved to %s by mistake; %s%s%s",
				    stray->id, stray->from, stray->to, what, why ? ": " : "",
				    why ? why : "");
	stray_done *done = stray->done;
	void *ctx = stray->ctx;

	if (result == ACTION_CHANGED)
		json_object_del(stray->run->memory, "stray");
	stray_free(stray);
	done(ctx, result, retry_after_ms, sentence);
}

/* Its own job may have ended meanwhile, and its coming may have been heard of by nobody. */
static void tell_arrived(struct stray *stray)
{
	const struct action_host *host = stray->run->action->host;

	host->arrived(host->self, stray->run, stray->id, stray->from, stray->is_directory);
}

static void moved_back(void *ctx, const struct file_reply *reply)
{
	struct stray *stray = ctx;

	stray->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		tell_arrived(stray);
		stray_end(stray, ACTION_CHANGED, 0, "it was put back", NULL);
		break;
	case FILE_GONE:
		stray_end(stray, ACTION_CHANGED, 0, "somebody has moved it on since", NULL);
		break;
	case FILE_EXISTS:
	case FILE_DENIED:
	case FILE_REFUSED:
	case FILE_CHANGED:
		stray_end(stray, ACTION_REJECTED, 0, "it is still there and could not be put back",
			  reply->why);
		break;
	case FILE_BUSY:
	case FILE_LATER:
	case FILE_AMBIGUOUS:
		stray_end(stray, ACTION_RETRY, reply->retry_after_ms, "it is still to be put back",
			  reply->why);
		break;
	}
}

/* Its old directory: by path, or if that is too long by the id that the event told. */
static char *directory_of(const struct stray *stray)
{
	struct text parent = path_parent(text_of(stray->from));
	struct text id = stray->run->event->parent_id;

	return text_copy(directory_is_askable(parent) || !id.size ? parent : id);
}

static void expected(void *ctx, const char *why)
{
	struct stray *stray = ctx;
	AUTO(free) char *directory = directory_of(stray);
	AUTO(free) char *name = text_copy(path_name(text_of(stray->from)));

	if (why)
		stray_end(stray, ACTION_RETRY, 0, "it is still to be put back", why);
	else
		stray->call = stray->cluster->move(stray->cluster->self, stray->to, directory, name,
						   false, moved_back, stray);
}

static void move_back(struct stray *stray)
{
	enum event_type leaves = move_from_type(stray->is_directory);
	enum event_type arrives = move_to_type(stray->is_directory);
	/* Also what the mistaken move caused, should those events still be on their way. */
	struct action_effect effects[] = {
		{ leaves, stray->id, stray->from },
		{ arrives, stray->id, stray->to },
		{ leaves, stray->id, stray->to },
		{ arrives, stray->id, stray->from },
	};

	module_expect(stray->run, effects, ARRAY_SIZE(effects), expected, stray);
}

/* So that a crash does not leave it where it is. */
static void remember(struct stray *stray, const struct file_info *moved)
{
	const struct action_host *host = stray->run->action->host;

	host->astray(host->self, stray->run, moved->id);
	stray->id = str_copy(moved->id);
	stray->is_directory = moved->type == FILE_DIRECTORY;
	json_object_set_new(stray->run->memory, "stray",
			    json_pack("{s:s,s:s,s:s,s:b}", "id", stray->id, "from", stray->from,
				      "to", stray->to, "is_directory", stray->is_directory));
}

void stray_put_back(struct stray **out, struct action_run *run, const struct cluster *cluster,
		    const struct file_info *moved, const char *from, const char *to,
		    stray_done *done, void *ctx)
{
	struct stray *stray = stray_new(run, cluster, done, ctx);

	stray->from = str_copy(from);
	stray->to = str_copy(to);
	remember(stray, moved);
	*out = stray;
	move_back(stray);
}

static void looked(void *ctx, const struct file_reply *reply)
{
	struct stray *stray = ctx;

	stray->call = NULL;
	if (reply->result == FILE_OK && strcmp(reply->info->path, stray->from) == 0)
		tell_arrived(stray); /* an attempt before this one did it */
	if (reply->result == FILE_OK && strcmp(reply->info->path, stray->to) == 0)
		move_back(stray);
	else if (reply->result == FILE_OK || reply->result == FILE_GONE)
		stray_end(stray, ACTION_CHANGED, 0, "it is not there any more", NULL);
	else if (reply->result == FILE_DENIED || reply->result == FILE_REFUSED)
		stray_end(stray, ACTION_REJECTED, 0, "where it is now cannot be asked", reply->why);
	else
		stray_end(stray, ACTION_RETRY, reply->retry_after_ms,
			  "where it is now is still to be asked", reply->why);
}

bool stray_resume(struct stray **out, struct action_run *run, const struct cluster *cluster,
		  stray_done *done, void *ctx)
{
	const char *id, *from, *to;
	int is_directory;
	struct stray *stray;

	if (json_unpack(json_object_get(run->memory, "stray"), "{s:s,s:s,s:s,s:b}", "id", &id,
			"from", &from, "to", &to, "is_directory", &is_directory) < 0)
		return false;
	stray = stray_new(run, cluster, done, ctx);
	stray->id = str_copy(id);
	stray->from = str_copy(from);
	stray->to = str_copy(to);
	stray->is_directory = is_directory;
	*out = stray;
	stray->call = cluster->get(cluster->self, id, looked, stray);
	return true;
}

/* ---- After an answer that nobody heard ---- */

static void search_end(struct stray *stray, enum action_result result, int64_t retry_after_ms,
		       const char *why)
{
	stray_done *done = stray->done;
	void *ctx = stray->ctx;
	AUTO(free) char *sentence = why ? str_copy(why) : NULL;

	stray_free(stray);
	done(ctx, result, retry_after_ms, sentence);
}

static void search_failed(struct stray *stray, const struct file_reply *reply)
{
	if (reply->result == FILE_DENIED || reply->result == FILE_REFUSED)
		search_end(stray, ACTION_DONE, 0, NULL);
	else
		search_end(stray, ACTION_RETRY, reply->retry_after_ms, reply->why);
}

static void old_place_looked_at(void *ctx, const struct file_reply *reply)
{
	struct stray *stray = ctx;

	stray->call = NULL;
	if (reply->result == FILE_GONE)
		move_back(stray);
	else if (reply->result == FILE_OK)
		stray_end(stray, ACTION_REJECTED, 0, "it is still there and could not be put back",
			  "its old place is taken");
	else if (reply->result == FILE_DENIED || reply->result == FILE_REFUSED)
		stray_end(stray, ACTION_REJECTED, 0,
			  "whether its old place is free cannot be asked", reply->why);
	else
		search_failed(stray, reply);
}

/* A move is a change of it (API facts, 8.2). The clocks may differ by less than a minute. */
static bool has_come_since(const struct stray *stray, const struct file_info *info)
{
	const json_t *sent = json_object_get(stray->run->memory, "sent_ms");
	int64_t changed_ms;

	return json_is_integer(sent) && clock_parse(info->change_time, &changed_ms) &&
	       changed_ms >= json_integer_value(sent) - CLOCKS_DIFFER_MS;
}

static void target_looked_at(void *ctx, const struct file_reply *reply)
{
	struct stray *stray = ctx;
	AUTO(free) char *own = text_copy(stray->run->event->file_id);

	stray->call = NULL;
	if (reply->result != FILE_OK && reply->result != FILE_GONE) {
		search_failed(stray, reply);
	} else if (reply->result == FILE_GONE || strcmp(reply->info->id, own) == 0 ||
		   !has_come_since(stray, reply->info)) {
		search_end(stray, ACTION_DONE, 0, NULL);
	} else {
		remember(stray, reply->info);
		stray->call = stray->cluster->get(stray->cluster->self, stray->from,
						  old_place_looked_at, stray);
	}
}

void stray_search(struct stray **out, struct action_run *run, const struct cluster *cluster,
		  stray_done *done, void *ctx)
{
	struct stray *stray = stray_new(run, cluster, done, ctx);
	const char *from = module_memory(run, "source"), *to = module_memory(run, "target");

	stray->from = str_copy(from ? from : "/");
	stray->to = str_copy(to ? to : "/");
	*out = stray;
	stray->call = cluster->get(cluster->self, stray->to, target_looked_at, stray);
}

void stray_cancel(struct stray *stray)
{
	if (!stray)
		return;
	if (stray->call)
		stray->cluster->cancel(stray->call);
	stray_free(stray);
}
