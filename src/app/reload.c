#include "app/reload.h"

#include <malloc.h>
#include <string.h>

#include "app/modules.h"
#include "app/retire.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "io/files_watch.h"

#define QUIET_MS 100 /* an editor's save is several changes close together */

/* One watched_items.yml; watches that name the same file share it. */
struct items {
	const char *path; /* of the settings */
	struct rule_set *set;
};

/* What decides about the rules: their files, what those include, directories. */
struct path_list {
	char **items;
	size_t count;
};

struct waiter {
	void (*done)(void *ctx, bool is_ok, const char *report);
	void *ctx;
	struct waiter *next;
};

struct reload {
	uv_loop_t *loop;
	const struct settings *settings;
	struct reload_target target;
	struct files_watch *watch;
	struct items *files;
	size_t file_count;
	size_t *file_of; /* of a watch: index into files */
	bool is_closing;
	struct path_list watched;

	/* One compilation at a time; what is asked for meanwhile leads to one more. */
	uv_work_t work;
	bool is_working;
	bool is_wanted_again;
	bool wants_settings;            /* the next compilation is to read them, too */
	bool reads_settings;            /* the one under way does */
	struct settings *settings_read; /* by the worker */
	struct rule_set **compiled;     /* by the worker, one a file */
	struct path_list found;         /* by the worker */
	struct problems *problems;
	struct waiter *waiters; /* of the compilation under way */
	struct waiter *later;   /* of the one after it */

	int64_t loaded_ms;
	uint64_t reloads;
	uint64_t refused;
	char *last_report;
	bool last_is_ok;
	/* Of the rules at work: what is odd about them, a line each. */
	char *warnings;
	size_t warning_count, accepted_count;
};

static void note_path(void *ctx, const char *path)
{
	struct path_list *list = ctx;

	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = str_copy(path);
}

static void path_list_clear(struct path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct path_list){ 0 };
}

static bool path_list_equal(const struct path_list *a, const struct path_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static void compile_all(struct reload *reload, struct problems *problems)
{
	path_list_clear(&reload->found);
	for (size_t i = 0; i < reload->file_count; i++) {
		reload->compiled[i] = rule_set_load_with(reload->files[i].path, &app_modules,
							 note_path, &reload->found, problems);
		if (reload->compiled[i])
			modules_check_rules(reload->compiled[i], reload->files[i].path,
					    reload->settings, problems);
	}
}

static void drop_compiled(struct reload *reload)
{
	for (size_t i = 0; i < reload->file_count; i++)
		rule_set_free(TAKE(reload->compiled[i]));
}

static void list_files(struct reload *reload)
{
	const struct settings *settings = reload->settings;

	reload->files = mem_array(settings->watch_count, sizeof(*reload->files));
	reload->file_of = mem_array(settings->watch_count, sizeof(*reload->file_of));
	for (size_t watch = 0; watch < settings->watch_count; watch++) {
		size_t file = 0;

		while (file < reload->file_count &&
		       strcmp(reload->files[file].path, settings->watches[watch].items) != 0)
			file++;
		if (file == reload->file_count)
			reload->files[reload->file_count++].path = settings->watches[watch].items;
		reload->file_of[watch] = file;
	}
	reload->compiled = mem_array(reload->file_count, sizeof(struct rule_set *));
}

/* "rules.yml:3:5: what is wrong [loop]" */
static char *line_of(struct place place, const char *sentence)
{
	if (!place.line)
		return str_format("%s: %s", place.file, sentence);
	return str_format("%s:%d:%d: %s", place.file, place.line, place.column, sentence);
}

static void log_problem(void *ctx, const struct problem *problem)
{
	AUTO(free) char *sentence = problem_sentence(problem);
	AUTO(free) char *line = line_of(problem->place, sentence);
	enum log_level level = problem->is_warning ? LOG_WARN : LOG_ERROR;

	log_write(level, "rules", "%s", line);
	for (size_t i = 0; i < problem->note_count; i++) {
		AUTO(free)
		char *note = line_of(problem->notes[i].place, problem->notes[i].message);

		log_write(level, "rules", "%s", note);
	}
}

static void add_warning(void *ctx, const struct problem *problem)
{
	AUTO(free) char *sentence = problem_sentence(problem);
	AUTO(free) char *line = line_of(problem->place, sentence);

	(void)!buf_print(ctx, "%s\n", line);
}

/* Keeps what is odd about the rules that go to work; answers whether it is other than before. */
static bool keep_warnings(struct reload *reload, const struct problems *problems)
{
	AUTO(buf_free) struct buf *lines = buf_new(SIZE_MAX);
	AUTO(free) char *before = reload->warnings;
	size_t count = reload->warning_count;

	problems_visit(problems, add_warning, lines);
	reload->warnings = buf_take(lines);
	reload->warning_count = problems_warning_count(problems);
	reload->accepted_count = problems_accepted_count(problems);
	metric_set(metric_get("cn_rule_warnings", METRIC_GAUGE,
			      "Warnings about the rules at work that nobody has accepted"),
		   reload->warning_count);
	return count != reload->warning_count || !before || strcmp(before, reload->warnings) != 0;
}

/* The same warnings at each change of a file would only teach people not to read them. */
static void log_warnings(const struct reload *reload, const struct problems *problems, bool is_new)
{
	size_t count = reload->warning_count;

	if (is_new)
		problems_visit(problems, log_problem, NULL);
	else if (count)
		log_info("rules", "%zu warning%s, the same as before", count,
			 count == 1 ? "" : "s");
}

/* Puts the compiled sets to work where they differ from those at work; answers how many did. */
static size_t adopt(struct reload *reload)
{
	size_t changed = 0;

	for (size_t file = 0; file < reload->file_count; file++) {
		struct items *items = &reload->files[file];
		struct rule_set *set = TAKE(reload->compiled[file]);

		if (items->set && strcmp(rule_set_digest(items->set), rule_set_digest(set)) == 0) {
			retire_set(reload->loop, set);
			continue;
		}
		retire_set(reload->loop, items->set);
		items->set = set;
		changed++;
		for (size_t watch = 0; watch < reload->settings->watch_count; watch++)
			if (reload->file_of[watch] == file)
				reload->target.offer(reload->target.ctx, watch,
						     rule_set_share(set));
	}
	return changed;
}

static char *counts(const struct reload *reload)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	for (size_t file = 0; file < reload->file_count; file++) {
		size_t count = rule_set_count(reload->files[file].set);

		(void)!buf_print(text, "%s%zu rule%s of %s", file ? ", " : "", count,
				 count == 1 ? "" : "s", reload->files[file].path);
	}
	return buf_take(text);
}

static void answer_waiters(struct reload *reload, bool is_ok, const char *report)
{
	struct waiter *waiter = TAKE(reload->waiters);

	while (waiter) {
		struct waiter *next = waiter->next;

		waiter->done(waiter->ctx, is_ok, report);
		free(waiter);
		waiter = next;
	}
}

/* Keeps the report for status, and answers who waits for it. */
static void conclude(struct reload *reload, bool is_ok, char *report)
{
	free(reload->last_report);
	reload->last_report = report;
	reload->last_is_ok = is_ok;
	metric_set(metric_get("cn_reload_ok", METRIC_GAUGE,
			      "1 if the last reading of the rules had no errors"),
		   is_ok);
	answer_waiters(reload, is_ok, report);
}

static char *tell_settings(struct reload *reload, const struct settings *settings)
{
	if (!reload->target.settings)
		return str_copy("");
	return reload->target.settings(reload->target.ctx, settings);
}

static void take_over(struct reload *reload)
{
	AUTO(problems_free) struct problems *problems = TAKE(reload->problems);
	AUTO(settings_free) struct settings *settings = TAKE(reload->settings_read);

	if (problems_error_count(problems)) {
		AUTO(free) char *text = problems_format(problems, false);

		problems_visit(problems, log_problem, NULL);
		reload->refused++;
		drop_compiled(reload);
		log_error("rules", "what was read has errors; the old rules stay at work");
		conclude(reload, false,
			 str_format("%s\nNothing was changed: the old rules stay at work.", text));
		return;
	}

	size_t changed = adopt(reload);
	AUTO(free) char *what = counts(reload);
	AUTO(free) char *warnings = problems_format(problems, false);
	AUTO(free) char *news = settings ? tell_settings(reload, settings) : str_copy("");

	log_warnings(reload, problems, keep_warnings(reload, problems));
	if (changed) {
		reload->reloads++;
		reload->loaded_ms = clock_now_ms();
		log_info("rules", "at work: %s", what);
	} else {
		log_info("rules", "nothing had changed, still at work: %s", what);
	}
	conclude(reload, true,
		 str_format("%s%s%s%s%s: %s", warnings, *warnings ? "\n" : "", news,
			    *news ? "\n" : "", changed ? "At work" : "Nothing had changed", what));
}

static void work(uv_work_t *work)
{
	struct reload *reload = CONTAINER_OF(work, struct reload, work);

	compile_all(reload, reload->problems);
	if (reload->reads_settings)
		reload->settings_read = settings_load(reload->settings->file, reload->problems);
}

static void reload_free(struct reload *reload)
{
	drop_compiled(reload);
	for (size_t i = 0; i < reload->file_count; i++)
		rule_set_free(reload->files[i].set);
	problems_free(reload->problems);
	settings_free(reload->settings_read);
	path_list_clear(&reload->watched);
	path_list_clear(&reload->found);
	free(reload->compiled);
	free(reload->files);
	free(reload->file_of);
	free(reload->last_report);
	free(reload->warnings);
	free(reload);
}

static void start_work(struct reload *reload);
static void watch_found(struct reload *reload);

static void work_done(uv_work_t *work, int status)
{
	struct reload *reload = CONTAINER_OF(work, struct reload, work);

	reload->is_working = false;
	if (reload->is_closing) {
		answer_waiters(reload, false, "cn_monitor is stopping");
		reload->waiters = TAKE(reload->later);
		answer_waiters(reload, false, "cn_monitor is stopping");
		reload_free(reload);
		return;
	}
	take_over(reload);
	watch_found(reload);
	if (reload->is_wanted_again && !reload->is_working)
		start_work(reload);
}

static void start_work(struct reload *reload)
{
	reload->is_wanted_again = false;
	reload->reads_settings = reload->wants_settings;
	reload->wants_settings = false;
	reload->is_working = true;
	reload->waiters = TAKE(reload->later);
	reload->problems = problems_new();
	uv_queue_work(reload->loop, &reload->work, work, work_done);
}

void reload_now(struct reload *reload, const char *why,
		void (*done)(void *ctx, bool is_ok, const char *report), void *ctx)
{
	log_info("rules", "reading again: %s", why);
	if (done) {
		struct waiter *waiter = NEW(struct waiter);

		*waiter = (struct waiter){ done, ctx, reload->later };
		reload->later = waiter;
	}
	if (reload->is_working)
		reload->is_wanted_again = true;
	else
		start_work(reload);
}

void reload_everything(struct reload *reload, const char *why,
		       void (*done)(void *ctx, bool is_ok, const char *report), void *ctx)
{
	reload->wants_settings = true;
	reload_now(reload, why, done, ctx);
}

static int watch_files(struct reload *reload, struct error *err);

/*
 * Included files are known only when they were read: they are watched from then on, and read once
 * more, for what changed in between.
 */
static void watch_found(struct reload *reload)
{
	AUTO_ERROR err = { 0 };

	if (path_list_equal(&reload->found, &reload->watched))
		return;
	path_list_clear(&reload->watched);
	reload->watched = reload->found;
	reload->found = (struct path_list){ 0 };
	files_watch_close(TAKE(reload->watch));
	if (watch_files(reload, &err) < 0)
		log_error("rules", "changes of the files are not noticed any more: %s",
			  error_text(&err));
	reload_now(reload, "other files are included than before", NULL, NULL);
}

static void file_changed(void *ctx, const char *path)
{
	AUTO(free) char *why = str_format("%s changed", path);

	reload_now(ctx, why, NULL, NULL);
}

static int watch_files(struct reload *reload, struct error *err)
{
	return files_watch_open(&reload->watch, reload->loop,
				(const char *const *)reload->watched.items, reload->watched.count,
				QUIET_MS, file_changed, reload, err);
}

int reload_open(struct reload **out, uv_loop_t *loop, const struct settings *settings,
		const struct reload_target *target, struct problems *problems, struct error *err)
{
	struct reload *reload = NEW(struct reload);

	reload->loop = loop;
	reload->settings = settings;
	reload->target = *target;
	reload->last_report = str_copy("");
	reload->last_is_ok = true;
	list_files(reload);
	for (size_t i = 0; i < reload->file_count; i++)
		note_path(&reload->watched, reload->files[i].path);
	/* Watching begins before reading, so that a change in between is not missed. */
	if (watch_files(reload, err) < 0) {
		reload_free(reload);
		return -1;
	}
	compile_all(reload, problems);
	malloc_trim(0); /* the texts and trees that the rules were read from */
	if (problems_error_count(problems)) {
		reload_close(reload);
		return error_set(err, "the rules have errors");
	}
	for (size_t i = 0; i < reload->file_count; i++)
		reload->files[i].set = TAKE(reload->compiled[i]);
	reload->loaded_ms = clock_now_ms();
	keep_warnings(reload, problems);
	watch_found(reload);
	*out = reload;
	return 0;
}

void reload_close(struct reload *reload)
{
	if (!reload)
		return;
	reload->is_closing = true;
	files_watch_close(TAKE(reload->watch));
	if (!reload->is_working)
		reload_free(reload);
}

struct rule_set *reload_get(struct reload *reload, size_t watch)
{
	return reload->files[reload->file_of[watch]].set;
}

void reload_get_status(const struct reload *reload, struct reload_status *out)
{
	*out = (struct reload_status){ reload->loaded_ms,     reload->reloads,
				       reload->refused,       reload->last_report,
				       reload->last_is_ok,    reload->warnings,
				       reload->warning_count, reload->accepted_count };
}
