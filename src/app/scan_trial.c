#include "app/scan_trial.h"

#include <uv.h>

#include "app/connect.h"
#include "base/clock.h"
#include "base/list.h"
#include "io/http_client.h"
#include "qumulo/walk.h"

#define PATIENCE_MS 60000
#define TICK_MS 1000
#define WAITING_MOST 1000000 /* directories that are known and not listed yet */
#define LISTED_AT_ONCE 64    /* the walk sends no more of them than its ceiling says */

struct directory {
	struct list link;
	char *id, *path;
	struct trial_walk *trial;
};

struct trial_walk {
	const struct watch_settings *watch;
	struct rule_matcher *matcher;
	struct walk *walk;
	uv_timer_t timer;
	struct list waiting;
	size_t waiting_count, asking;
	const char *path;
	void (*progress)(void *ctx, const struct scan_trial_result *so_far, const char *trouble);
	void *ctx;
	struct scan_trial_result *out;
	uint64_t last_requests;
	int64_t alive_ms;
	struct error *err;
	bool is_failed, is_over;
	/* Of the entry at hand: */
	enum truth *truths; /* by rule */
};

void scan_trial_clear(struct scan_trial_result *result)
{
	for (size_t i = 0; i < result->rule_count; i++)
		for (size_t j = 0; j < result->rules[i].example_count; j++)
			free(result->rules[i].examples[j]);
	free(result->rules);
	*result = (struct scan_trial_result){ 0 };
}

static void stop(struct trial_walk *trial)
{
	trial->is_over = true;
	uv_stop(trial->timer.loop);
}

static void fail(struct trial_walk *trial, const char *format, ...) PRINTF_LIKE(2, 3);
static void fail(struct trial_walk *trial, const char *format, ...)
{
	va_list args;

	if (trial->is_failed)
		return;
	va_start(args, format);
	AUTO(free) char *why = str_vformat(format, args);
	va_end(args);
	trial->is_failed = true;
	error_set(trial->err, "%s", why);
	stop(trial);
}

/* ---- One entry ---- */

static bool note(void *ctx, const struct rule *rule, enum truth truth)
{
	struct trial_walk *trial = ctx;

	trial->truths[rule->index] = MAX(trial->truths[rule->index], truth);
	return truth != TRUTH_TRUE || !rule->stop;
}

static void judge_as(struct trial_walk *trial, const struct walk_entry *entry, const char *path,
		     enum event_type type)
{
	const struct event event = { .type = type,
				     .type_name = text_of(event_type_name(type)),
				     .kinds = EVENT_KIND(type),
				     .path = text_of(path),
				     .file_id = text_of(entry->id),
				     .watch = text_of(trial->watch->name),
				     .origin = ORIGIN_SCAN,
				     .time_ms = clock_now_ms() };

	rule_match_with(trial->matcher, &event, NULL, note, trial);
}

static void count(struct scan_trial_rule *rule, enum truth truth, const char *path)
{
	rule->sure += truth == TRUTH_TRUE;
	rule->perhaps += truth == TRUTH_UNKNOWN;
	if (truth != TRUTH_FALSE && rule->example_count < SCAN_TRIAL_EXAMPLES)
		rule->examples[rule->example_count++] = str_copy(path);
}

/* What a scan would tell of it, and each rule once for it. */
static void judge(struct trial_walk *trial, const struct walk_entry *entry, const char *path)
{
	struct scan_trial_result *out = trial->out;

	out->entries++;
	memset(trial->truths, 0, out->rule_count * sizeof(*trial->truths));
	judge_as(trial, entry, path,
		 entry->type == FILE_DIRECTORY ? CHILD_DIR_ADDED : CHILD_FILE_ADDED);
	if (entry->type == FILE_REGULAR && entry->size > 0) {
		judge_as(trial, entry, path, CHILD_DATA_WRITTEN);
		judge_as(trial, entry, path, CHILD_SIZE_CHANGED);
	}
	for (size_t i = 0; i < out->rule_count; i++)
		count(&out->rules[i], trial->truths[i], path);
}

/* ---- Directories ---- */

static void list_more(struct trial_walk *trial);

static void directory_free(struct directory *directory)
{
	list_remove(&directory->link);
	free(directory->id);
	free(directory->path);
	free(directory);
}

static void add_directory(struct trial_walk *trial, const struct walk_entry *entry,
			  const char *path)
{
	struct directory *directory;

	if (entry->type != FILE_DIRECTORY || !trial->watch->recursive)
		return;
	if (trial->waiting_count >= WAITING_MOST)
		return fail(trial,
			    "more than %d directories are known and not looked at yet: expected "
			    "a smaller part of the tree",
			    WAITING_MOST);
	directory = NEW(struct directory);
	list_init(&directory->link);
	directory->trial = trial;
	directory->id = str_copy(entry->id);
	directory->path = str_copy(path);
	/* In front: so what is deep is done before what is beside, and little waits. */
	list_append(trial->waiting.next, &directory->link);
	trial->waiting_count++;
}

static void listed(void *ctx, const struct walk_answer *answer)
{
	struct directory *directory = ctx;
	struct trial_walk *trial = directory->trial;
	const char *slash = strcmp(directory->path, "/") == 0 ? "" : "/";

	if (answer->result != FILE_OK && answer->result != FILE_GONE)
		trial->out->unreadable++;
	for (size_t i = 0; i < answer->count; i++) {
		const struct walk_entry *entry = &answer->entries[i];
		AUTO(free) char *path = str_format("%s%s%s", directory->path, slash, entry->name);

		judge(trial, entry, path);
		add_directory(trial, entry, path);
	}
	if (answer->result == FILE_OK && answer->next)
		return walk_list(trial->walk, directory->id, WALK_NOW, answer->next, listed,
				 directory);
	trial->asking--;
	directory_free(directory);
	list_more(trial);
}

static void list_more(struct trial_walk *trial)
{
	while (trial->asking < LISTED_AT_ONCE && trial->waiting_count && !trial->is_over) {
		struct directory *directory =
			list_entry(trial->waiting.next, struct directory, link);

		list_remove(&directory->link);
		trial->waiting_count--;
		trial->asking++;
		walk_list(trial->walk, directory->id, WALK_NOW, NULL, listed, directory);
	}
	if (!trial->asking && !trial->waiting_count)
		stop(trial);
}

static void looked(void *ctx, const struct walk_answer *answer)
{
	struct trial_walk *trial = ctx;

	if (answer->result != FILE_OK)
		return fail(trial, "%s: %s", trial->path,
			    answer->result == FILE_GONE ? "there is nothing of that name"
							: answer->why);
	if (strcmp(trial->path, trial->watch->path) != 0)
		judge(trial, &answer->entries[0], trial->path);
	add_directory(trial, &answer->entries[0], trial->path);
	list_more(trial);
}

/* ---- The whole ---- */

static void tick(uv_timer_t *timer)
{
	struct trial_walk *trial = timer->data;
	const char *trouble = walk_trouble(trial->walk);

	trial->out->requests = walk_requests(trial->walk);
	if (!*trouble)
		trial->alive_ms = clock_monotonic_ms();
	trial->progress(trial->ctx, trial->out, trouble);
	if (clock_monotonic_ms() - trial->alive_ms >= PATIENCE_MS)
		fail(trial, "the cluster does not answer: %s", trouble);
}

static void make_rules(struct scan_trial_result *out, const struct rule_set *set)
{
	*out = (struct scan_trial_result){ .rule_count = rule_set_count(set) };
	out->rules = mem_array(out->rule_count, sizeof(*out->rules));
	for (size_t i = 0; i < out->rule_count; i++)
		out->rules[i].rule = rule_set_get(set, i);
}

static void go(struct trial_walk *trial, uv_loop_t *loop, struct qumulo *cluster)
{
	struct directory *directory;

	trial->walk = walk_new(cluster, (size_t)trial->watch->repair_requests);
	walk_pace(trial->walk, trial->watch->scan_rate);
	uv_timer_init(loop, &trial->timer);
	trial->timer.data = trial;
	trial->alive_ms = clock_monotonic_ms();
	uv_timer_start(&trial->timer, tick, TICK_MS, TICK_MS);
	walk_look(trial->walk, trial->path, WALK_NOW, looked, trial);
	uv_run(loop, UV_RUN_DEFAULT);
	trial->out->requests = walk_requests(trial->walk);
	walk_free(trial->walk);
	uv_close((uv_handle_t *)&trial->timer, NULL);
	list_for_each (directory, &trial->waiting, link)
		directory_free(directory);
}

int scan_trial_run(const struct watch_settings *watch, const struct rule_set *set, const char *path,
		   void (*progress)(void *ctx, const struct scan_trial_result *so_far,
				    const char *trouble),
		   void *ctx, struct scan_trial_result *out, struct error *err)
{
	struct trial_walk trial = { .watch = watch,
				    .path = path,
				    .progress = progress,
				    .ctx = ctx,
				    .out = out,
				    .err = err };
	struct connection *connection;
	struct http *http;
	uv_loop_t loop;

	make_rules(out, set);
	uv_loop_init(&loop);
	if (http_open(&http, &loop, err) < 0) {
		uv_loop_close(&loop);
		return -1;
	}
	list_init(&trial.waiting);
	trial.truths = mem_array(out->rule_count, sizeof(*trial.truths));
	trial.matcher = rule_matcher_new(set);
	connection = connection_new(http, watch->on);
	go(&trial, &loop, connection_client(connection));
	connection_free(connection);
	http_close(http);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	rule_matcher_free(trial.matcher);
	free(trial.truths);
	return trial.is_failed ? -1 : 0;
}
