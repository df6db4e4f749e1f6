#include "action/directory.h"

#include <ctype.h>

#include "action/module.h"

/* Servers accept some 16 KiB of request line; the rest of the URL and proxies want room too. */
#define URL_PATH_MAX 8000

struct directory_walk {
	struct action_run *run;
	const struct cluster *cluster;
	struct cluster_call *call;
	directory_done *done;
	void *ctx;
	char *path;
	size_t *levels; /* lengths of path's beginnings: "/", "/a", "/a/b" */
	size_t count;
	size_t at;      /* the level that is reached, or asked for */
	size_t missing; /* from this level on nothing is there; count: not known */
	char *id;       /* of the level that is reached */
	bool has_caused;
};

static void walk_down(struct directory_walk *walk);
static void walk_ask(struct directory_walk *walk);

bool directory_is_askable(struct text path)
{
	size_t size = 0;

	for (size_t i = 0; i < path.size && size <= URL_PATH_MAX; i++)
		size += isalnum((unsigned char)path.data[i]) || strchr("-_.~", path.data[i]) ? 1
											     : 3;
	return size <= URL_PATH_MAX;
}

const char *directory_hint(const struct file_reply *reply)
{
	if (reply->result != FILE_DENIED)
		return "";
	return "; the monitor's user needs the rights ADD_FILE and ADD_SUBDIR where a file arrives "
	       "and DELETE where it comes from, or PRIVILEGE_FILE_FULL_ACCESS (a role like "
	       "Data-Administrators)";
}

static struct text level_path(const struct directory_walk *walk, size_t level)
{
	return (struct text){ walk->path, walk->levels[level] };
}

static void walk_free(struct directory_walk *walk)
{
	free(walk->path);
	free(walk->levels);
	free(walk->id);
	free(walk);
}

static void walk_end(struct directory_walk *walk, enum action_result result, int64_t retry_after_ms,
		     const char *why)
{
	struct directory_end end = {
		.result = result,
		.id = walk->id,
		.has_caused = walk->has_caused,
		.why = why,
		.retry_after_ms = retry_after_ms,
	};

	walk->done(walk->ctx, &end);
	walk_free(walk);
}

/* A request about the level ended in a way that has nothing to do with what is there. */
static void walk_fail(struct directory_walk *walk, size_t level, const struct file_reply *reply)
{
	bool is_final = reply->result == FILE_DENIED || reply->result == FILE_REFUSED;
	AUTO(free)
	char *why = str_format("directory %.*s: %s%s", TEXT_ARGS(level_path(walk, level)),
			       reply->why, directory_hint(reply));

	walk_end(walk, is_final ? ACTION_REJECTED : ACTION_RETRY, reply->retry_after_ms, why);
}

static void walk_reject(struct directory_walk *walk, size_t level, const char *what)
{
	AUTO(free) char *why = str_format("%.*s %s", TEXT_ARGS(level_path(walk, level)), what);

	walk_end(walk, ACTION_REJECTED, 0, why);
}

static void walk_reached(struct directory_walk *walk, size_t level, const struct file_info *info)
{
	if (info->type != FILE_DIRECTORY) {
		walk_reject(walk, level, "is in the way: it is not a directory");
		return;
	}
	free(walk->id);
	walk->id = str_copy(info->id);
	walk->at = level;
	walk_down(walk);
}

static void asked(void *ctx, const struct file_reply *reply)
{
	struct directory_walk *walk = ctx;

	walk->call = NULL;
	if (reply->result == FILE_OK) {
		walk_reached(walk, walk->at, reply->info);
	} else if (reply->result == FILE_GONE && walk->at > 0) {
		walk->missing = walk->at--;
		walk_ask(walk);
	} else {
		walk_fail(walk, walk->at, reply);
	}
}

/* Upwards, until something is there: usually that is the first. */
static void walk_ask(struct directory_walk *walk)
{
	AUTO(free) char *path = text_copy(level_path(walk, walk->at));

	walk->call = walk->cluster->get(walk->cluster->self, path, asked, walk);
}

/* Nothing went wrong, yet it is neither there nor not: somebody makes and removes it. */
static void walk_restless(struct directory_walk *walk, size_t level)
{
	AUTO(free)
	char *why = str_format("directory %.*s comes and goes while it is asked for",
			       TEXT_ARGS(level_path(walk, level)));

	walk_end(walk, ACTION_RETRY, 0, why);
}

static void exists_asked(void *ctx, const struct file_reply *reply)
{
	struct directory_walk *walk = ctx;

	walk->call = NULL;
	if (reply->result == FILE_OK)
		walk_reached(walk, walk->at + 1, reply->info);
	else if (reply->result == FILE_GONE)
		walk_restless(walk, walk->at + 1);
	else
		walk_fail(walk, walk->at + 1, reply);
}

static void walk_look(struct directory_walk *walk, file_done *done)
{
	struct text path = level_path(walk, walk->at + 1);
	AUTO(free) char *whole = text_copy(path);
	AUTO(free) char *name = text_copy(path_name(path));

	if (walk->cluster->find && !directory_is_askable(path))
		walk->call = walk->cluster->find(walk->cluster->self, walk->id, name, done, walk);
	else
		walk->call = walk->cluster->get(walk->cluster->self, whole, done, walk);
}

static void made(void *ctx, const struct file_reply *reply)
{
	struct directory_walk *walk = ctx;
	const struct action_host *host = walk->run->action->host;

	walk->call = NULL;
	if (reply->result == FILE_OK || reply->result == FILE_AMBIGUOUS)
		walk->has_caused = true;
	else if (!walk->has_caused) /* it would take back those of the levels above, too */
		host->withdraw(host->self, walk->run);
	if (reply->result == FILE_OK)
		walk_reached(walk, walk->at + 1, reply->info);
	else if (reply->result == FILE_EXISTS) /* another job was faster */
		walk_look(walk, exists_asked);
	else if (reply->result == FILE_GONE)
		walk_restless(walk, walk->at);
	else
		walk_fail(walk, walk->at + 1, reply);
}

static void expected(void *ctx, const char *why)
{
	struct directory_walk *walk = ctx;
	AUTO(free) char *name = text_copy(path_name(level_path(walk, walk->at + 1)));

	if (why)
		walk_end(walk, ACTION_RETRY, 0, why);
	else
		walk->call = walk->cluster->make_directory(walk->cluster->self, walk->id, name,
							   made, walk);
}

static void walk_make(struct directory_walk *walk)
{
	AUTO(free) char *whole = text_copy(level_path(walk, walk->at + 1));
	struct action_effect effect = { CHILD_DIR_ADDED, "", whole };

	module_expect(walk->run, &effect, 1, expected, walk);
}

static void found(void *ctx, const struct file_reply *reply)
{
	struct directory_walk *walk = ctx;

	walk->call = NULL;
	if (reply->result == FILE_GONE) {
		walk->missing = walk->at + 1;
		walk_make(walk);
	} else if (reply->result == FILE_OK) {
		walk_reached(walk, walk->at + 1, reply->info);
	} else {
		walk_fail(walk, walk->at + 1, reply);
	}
}

/* Downwards: what is missing is made; what was too long to ask for is looked up in its parent. */
static void walk_down(struct directory_walk *walk)
{
	if (walk->at + 1 == walk->count)
		walk_end(walk, ACTION_DONE, 0, NULL);
	else if (walk->at + 1 >= walk->missing)
		walk_make(walk);
	else
		walk_look(walk, found);
}

struct directory_walk *directory_reach(struct action_run *run, const struct cluster *cluster,
				       const char *path, directory_done *done, void *ctx)
{
	struct directory_walk *walk = NEW(struct directory_walk);
	size_t size = strlen(path);

	*walk = (struct directory_walk){
		.run = run, .cluster = cluster, .done = done, .ctx = ctx, .path = str_copy(path)
	};
	walk->levels = mem_array(size + 1, sizeof(*walk->levels));
	walk->levels[walk->count++] = 1;
	for (size_t i = 2; i <= size; i++)
		if (path[i] == '/' || !path[i])
			walk->levels[walk->count++] = i;
	walk->missing = walk->count;
	walk->at = walk->count - 1;
	while (walk->at && !directory_is_askable(level_path(walk, walk->at)))
		walk->at--;
	walk_ask(walk);
	return walk;
}

void directory_cancel(struct directory_walk *walk)
{
	if (!walk)
		return;
	if (walk->call)
		walk->cluster->cancel(walk->call);
	walk_free(walk);
}
