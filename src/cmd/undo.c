#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/parse.h"
#include "cmd/jobs.h"

#define PATIENCE_MS 30000 /* without any job's end */
#define ASKED_AGAIN_US 100000

/* ---- Waiting for the jobs that do it ---- */

/* By their numbers; their value is what came of them, null as long as that is not known. */
struct waiting {
	json_t *outcomes;
	size_t left;
	int64_t since_ms;
};

static char *key_of(long long job)
{
	return str_format("%lld", job);
}

/* Answers how many ended since; -1 with a sentence. */
static int look(struct monitor *monitor, struct waiting *waiting, const char *state,
		struct error *err)
{
	AUTO(free)
	char *path = str_format("/v1/jobs?state=%s&limit=10000&since_ms=%lld", state,
				(long long)waiting->since_ms);
	json_t *answer = monitor_ask(monitor, "GET", path, err), *job;
	size_t index, left = waiting->left;

	if (!answer)
		return -1;
	json_array_foreach(json_object_get(answer, "jobs"), index, job)
	{
		AUTO(free) char *key = key_of(json_number_at(job, "id"));

		if (!json_is_null(json_object_get(waiting->outcomes, key)) ||
		    !json_object_get(waiting->outcomes, key))
			continue;
		json_object_set(waiting->outcomes, key, job);
		waiting->left--;
	}
	json_decref(answer);
	return (int)(left - waiting->left);
}

static int wait_for_all(struct monitor *monitor, struct waiting *waiting, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (waiting->left && clock_monotonic_ms() < until_ms) {
		int done = look(monitor, waiting, "done", err);
		int dead = done < 0 ? -1 : look(monitor, waiting, "dead", err);

		if (dead < 0)
			return -1;
		if (done + dead)
			until_ms = clock_monotonic_ms() + PATIENCE_MS;
		else
			usleep(ASKED_AGAIN_US);
	}
	return 0;
}

static void expect_all(struct waiting *waiting, json_t *list)
{
	json_t *entry;
	size_t index;

	json_array_foreach(list, index, entry)
	{
		AUTO(free) char *key = key_of(json_number_at(entry, "by"));

		json_object_set_new(waiting->outcomes, key, json_null());
		waiting->left++;
	}
}

/* ---- Telling ---- */

static void print_line(char *line)
{
	escape_print(stdout, line, ESCAPE_TEXT);
	putchar('\n');
	free(line);
}

static char *but_for(json_t *entry)
{
	const char *stays = json_text_at(entry, "stays");

	return *stays ? str_format(" (but for %s, which cannot be taken back)", stays)
		      : str_copy("");
}

static bool was_taken_back(json_t *job)
{
	const char *outcome = json_text_at(job, "outcome");

	return strcmp(json_text_at(job, "state"), "done") == 0 &&
	       strncmp(outcome, "not taken back", 14) != 0 && strncmp(outcome, "gone", 4) != 0 &&
	       !strstr(outcome, ": dry run: ");
}

/* Answers whether the job is taken back, as far as it can be. */
static bool print_outcome(json_t *entry, json_t *job)
{
	AUTO(free) char *rest = but_for(entry);
	long long id = json_number_at(entry, "job"), by = json_number_at(entry, "by");
	const char *outcome = json_text_at(job, "outcome");
	bool is_dead = strcmp(json_text_at(job, "state"), "dead") == 0;

	if (json_is_null(job))
		print_line(str_format("job %lld: still under way (job %lld)", id, by));
	else if (is_dead)
		print_line(str_format("job %lld: not taken back: %s (cn_monitor dead show %lld)",
				      id, outcome, by));
	else if (was_taken_back(job))
		print_line(str_format("job %lld: taken back by job %lld: %s%s", id, by, outcome,
				      rest));
	else
		print_line(str_format("job %lld: %s", id, outcome));
	return was_taken_back(job);
}

static void print_plan(json_t *entry)
{
	AUTO(free) char *rest = but_for(entry);

	print_line(str_format("job %lld  %s: would %s%s", json_number_at(entry, "job"),
			      json_text_at(entry, "path"), json_text_at(entry, "what"), rest));
}

static size_t print_all(const struct arguments *arguments, json_t *answer,
			const struct waiting *waiting)
{
	json_t *list = json_object_get(answer, "undo"), *entry;
	json_t *cannot = json_object_get(answer, "cannot");
	size_t index, done = 0;

	json_array_foreach(list, index, entry)
	{
		AUTO(free) char *key = key_of(json_number_at(entry, "by"));

		if (arguments->dry_run)
			print_plan(entry);
		else
			done += print_outcome(entry, json_object_get(waiting->outcomes, key));
	}
	json_array_foreach(cannot, index, entry)
		print_line(str_format("job %lld: not taken back: %s", json_number_at(entry, "job"),
				      json_text_at(entry, "why")));
	return done;
}

static void print_json(json_t *answer, const struct waiting *waiting)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(answer, "undo"), index, entry)
	{
		AUTO(free) char *key = key_of(json_number_at(entry, "by"));
		json_t *job = json_object_get(waiting->outcomes, key);

		if (json_is_object(job))
			json_object_set(entry, "outcome", json_object_get(job, "outcome"));
	}
	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
}

static size_t count_done(const struct waiting *waiting)
{
	const char *key;
	json_t *job;
	size_t done = 0;

	json_object_foreach(waiting->outcomes, key, job) done += was_taken_back(job);
	return done;
}

static int tell(const struct arguments *arguments, json_t *answer, const struct waiting *waiting)
{
	size_t all = json_array_size(json_object_get(answer, "undo"));
	size_t cannot = json_array_size(json_object_get(answer, "cannot"));
	size_t done = count_done(waiting);

	if (arguments->json)
		print_json(answer, waiting);
	else
		print_all(arguments, answer, waiting);
	if (!arguments->json && !all && !cannot)
		printf("No job of rule %s ended in that time.\n", arguments->rule);
	else if (!arguments->json && arguments->rule && arguments->dry_run)
		printf("%zu of %zu jobs would be taken back.\n", all, all + cannot);
	else if (!arguments->json && arguments->rule)
		printf("%zu of %zu jobs are taken back.\n", done, all + cannot);
	if (json_is_true(json_object_get(answer, "is_cut")))
		fputs("cn_monitor undo: these are not all: the history goes further back than one "
		      "question may go; ask\nagain for the rest\n",
		      stderr);
	return cannot || (!arguments->dry_run && done < all) ? EXIT_FAILED : EXIT_FINE;
}

/* ---- The command line ---- */

static char *question(const struct arguments *arguments)
{
	AUTO(buf_free) struct buf *path = buf_new(SIZE_MAX / 2);
	AUTO(free)
	char *since =
		arguments->since_ms < 0
			? NULL
			: str_format("%lld", (long long)(clock_now_ms() - arguments->since_ms));

	if (!buf_print(path, "/v1/undo"))
		abort(); /* the limit is beyond memory */
	query_add(path, "job", arguments->word_count ? arguments->words[0] : NULL);
	query_add(path, "rule", arguments->rule);
	query_add(path, "path", arguments->path);
	query_add(path, "since_ms", since);
	query_add(path, "force", arguments->force ? "1" : NULL);
	query_add(path, "dry_run", arguments->dry_run ? "1" : NULL);
	return buf_take(path);
}

static int check(const struct arguments *arguments)
{
	const char *job = arguments->word_count ? arguments->words[0] : NULL;
	int64_t number;

	if (arguments->word_count > 1)
		return command_wrong("undo", "'%s': no more arguments are expected",
				     arguments->words[1]);
	if (job && (arguments->rule || arguments->path || arguments->since_ms >= 0))
		return command_wrong("undo", "--rule, --path and --since go without a job");
	if (job && parse_number(text_of(job), 1, INT64_MAX, &number, NULL) < 0)
		return command_wrong("undo", "'%s': expected the number of a job", job);
	if (!job && (!arguments->rule || arguments->since_ms < 0))
		return command_wrong("undo",
				     "expected the number of a job (cn_monitor history shows "
				     "them), or --rule NAME and --since AGE");
	return 0;
}

static int undo(struct monitor *monitor, const struct arguments *arguments, struct error *err)
{
	/* Clocks of several machines agree to some seconds. */
	struct waiting waiting = { .outcomes = json_object(), .since_ms = clock_now_ms() - 60000 };
	AUTO(free) char *path = question(arguments);
	json_t *answer = monitor_ask(monitor, "POST", path, err);
	int status = -1;

	if (answer && !arguments->dry_run)
		expect_all(&waiting, json_object_get(answer, "undo"));
	if (answer && wait_for_all(monitor, &waiting, err) == 0)
		status = tell(arguments, answer, &waiting);
	json_decref(answer);
	json_decref(waiting.outcomes);
	return status;
}

int undo_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = NULL;
	AUTO_ERROR err = { 0 };
	int status = check(arguments);

	if (status)
		return status;
	if (!(monitor = monitor_find(arguments)))
		return EXIT_WRONG;
	status = undo(monitor, arguments, &err);
	if (status < 0) {
		fprintf(stderr, "cn_monitor undo: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	return status;
}
