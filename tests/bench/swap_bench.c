/*
 * How long new rules keep a filter from its records; tests/bench/rules.py runs it.
 *
 *     swap_bench FOLDER A.yml B.yml EVENTS SWAPS SECONDS
 *
 * A real filter judges by the rules of FOLDER/rules.yml what a thread appends to a real store, some
 * records each millisecond. First for some seconds undisturbed; then the file is replaced by A and
 * B in turn, and the real reload reads it again in its thread and hands it over, so many times.
 * Prints the longest times between two records, and the longest that the filter spent on a swap.
 *
 * The store is not synced: what a disk takes would hide the rest.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/filter.h"
#include "app/judge.h"
#include "app/reload.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"

#define AHEAD 20 /* records that wait for the filter at most */
#define PAUSE_US 1000
#define GAPS_MAX 1000000

struct bench {
	struct settings settings;
	struct watch_settings watch;
	struct store *store;
	struct rule_set *set;

	uv_loop_t loop; /* the filter's */
	uv_async_t stop;
	struct filter *filter;

	uv_loop_t main_loop;
	struct reload *reload;
	const char *next[2];
	unsigned swaps, wanted;
	atomic_bool is_over;

	struct text *messages;
	size_t message_count;
};

/* ---- Gaps between records: the filter's thread comes by here ---- */

static atomic_uint phase; /* whose gaps these are */
static struct {
	double longest_ms, sum_ms;
	uint64_t count;
} gaps[2];
static double last_ms;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

struct reading {
	bool (*visit)(void *ctx, const struct record *record);
	void *ctx;
};

int64_t __real_store_log_read(struct store *store, uint64_t after, size_t max_records,
			      size_t max_bytes,
			      bool (*visit)(void *ctx, const struct record *record), void *ctx,
			      struct error *err);
int64_t __wrap_store_log_read(struct store *store, uint64_t after, size_t max_records,
			      size_t max_bytes,
			      bool (*visit)(void *ctx, const struct record *record), void *ctx,
			      struct error *err);

static bool visit_timed(void *ctx, const struct record *record)
{
	struct reading *reading = ctx;
	double now = now_ms();
	unsigned which = phase;

	if (last_ms > 0) {
		gaps[which].longest_ms = MAX(gaps[which].longest_ms, now - last_ms);
		gaps[which].sum_ms += now - last_ms;
		gaps[which].count++;
	}
	last_ms = now;
	return reading->visit(reading->ctx, record);
}

int64_t __wrap_store_log_read(struct store *store, uint64_t after, size_t max_records,
			      size_t max_bytes,
			      bool (*visit)(void *ctx, const struct record *record), void *ctx,
			      struct error *err)
{
	struct reading reading = { visit, ctx };

	return __real_store_log_read(store, after, max_records, max_bytes, visit_timed, &reading,
				     err);
}

/* ---- What a swap itself takes: so does the filter's call of judge_swap ---- */

static double swap_ms;

struct rule_set *__real_judge_swap(struct judge *judge, size_t watch, struct rule_set *set);
struct rule_set *__wrap_judge_swap(struct judge *judge, size_t watch, struct rule_set *set);

struct rule_set *__wrap_judge_swap(struct judge *judge, size_t watch, struct rule_set *set)
{
	double start = now_ms();
	struct rule_set *old = __real_judge_swap(judge, watch, set);

	swap_ms = MAX(swap_ms, now_ms() - start);
	return old;
}

/* ---- Threads ---- */

static void quit(const char *what, const char *why)
{
	fprintf(stderr, "swap_bench: %s: %s\n", what, why);
	exit(1);
}

static void *append_records(void *ctx)
{
	struct bench *bench = ctx;
	AUTO_ERROR err = { 0 };
	uint64_t seq = 0;

	for (size_t n = 0; !bench->is_over; n++) {
		struct record record = { .time_ms = clock_now_ms(),
					 .watch = TEXT("main"),
					 .bytes = bench->messages[n % bench->message_count] };
		struct filter_status status;

		if (store_log_append(bench->store, &record, &seq, &err) < 0 ||
		    store_log_commit(bench->store, &err) < 0)
			quit("append", error_text(&err));
		do {
			usleep(PAUSE_US);
			filter_get_status(bench->filter, &status);
		} while (seq - status.cursor > AHEAD && !bench->is_over);
	}
	return NULL;
}

static void *run_filter(void *ctx)
{
	struct bench *bench = ctx;

	uv_run(&bench->loop, UV_RUN_DEFAULT);
	return NULL;
}

static void stop_filter(uv_async_t *stop)
{
	struct bench *bench = stop->data;

	uv_close((uv_handle_t *)stop, NULL);
	filter_close(bench->filter);
}

/* ---- Reloading, in the main thread ---- */

static void copy_file(const char *from, const char *to)
{
	AUTO(free) char *aside = str_format("%s.new", to);
	FILE *in = fopen(from, "r"), *out = fopen(aside, "w");
	char block[65536];
	size_t size;

	if (!in || !out)
		quit(from, "cannot be copied");
	while ((size = fread(block, 1, sizeof(block), in)) > 0)
		fwrite(block, 1, size, out);
	fclose(in);
	fclose(out);
	if (rename(aside, to) < 0)
		quit(to, "cannot be replaced");
}

static void reload_again(struct bench *bench);

static void swapped(void *ctx, uint64_t after_seq)
{
}

static void offer(void *ctx, size_t watch, struct rule_set *set)
{
	struct bench *bench = ctx;

	bench->swaps++;
	filter_offer(bench->filter, watch, set, swapped, NULL);
}

static void reloaded(void *ctx, bool is_ok, const char *report)
{
	struct bench *bench = ctx;

	if (!is_ok)
		quit("reload", report);
	if (bench->swaps < bench->wanted)
		reload_again(bench);
	else
		uv_stop(&bench->main_loop);
}

static void reload_again(struct bench *bench)
{
	copy_file(bench->next[bench->swaps % 2], bench->watch.items);
	reload_now(bench->reload, "the bench says so", reloaded, bench);
}

/* ---- All of it ---- */

static void read_messages(struct bench *bench, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (!file)
		quit(path, "cannot be read");
	while ((size = getline(&line, &room, file)) > 0) {
		bench->messages = mem_grow(bench->messages, bench->message_count + 1,
					   sizeof(*bench->messages));
		bench->messages[bench->message_count++] =
			(struct text){ mem_copy(line, size), size };
	}
	free(line);
	fclose(file);
}

static void begin(struct bench *bench, const char *folder, const char *rules)
{
	const struct reload_target target = { bench, offer };
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *url = str_format("embedded:%s/store", folder);
	struct store_settings store = {
		.url = url, .max_bytes = (int64_t)4 << 30, .retention_ms = 1, .watches = true
	};
	AUTO_ERROR err = { 0 };

	bench->watch = (struct watch_settings){ .name = (char *)"main",
						.path = (char *)"/",
						.items = str_format("%s/rules.yml", folder),
						.recursive = true,
						.rename_window_ms = 500 };
	bench->settings = (struct settings){ .watches = &bench->watch, .watch_count = 1 };
	copy_file(rules, bench->watch.items);
	uv_loop_init(&bench->loop);
	uv_loop_init(&bench->main_loop);
	if (store_open(&bench->store, &store, &err) < 0 ||
	    reload_open(&bench->reload, &bench->main_loop, &bench->settings, &target, problems,
			&err) < 0)
		quit("begin", error_text(&err));
	bench->set = reload_get(bench->reload, 0);
	if (filter_open(&bench->filter, &bench->loop, &bench->settings, bench->store, &bench->set,
			&err) < 0)
		quit("filter", error_text(&err));
	uv_async_init(&bench->loop, &bench->stop, stop_filter);
	bench->stop.data = bench;
}

static void stay_silent(enum log_level level, const char *who, const char *line)
{
	if (level == LOG_ERROR)
		fprintf(stderr, "%s: %s\n", who, line);
}

int main(int argc, char **argv)
{
	struct bench bench = { .swaps = 0 };
	pthread_t filter, appender;
	struct filter_status status;

	if (argc < 7)
		quit("expected", "FOLDER A.yml B.yml EVENTS SWAPS SECONDS");
	log_redirect(stay_silent);
	read_messages(&bench, argv[4]);
	bench.next[0] = argv[3];
	bench.next[1] = argv[2];
	bench.wanted = atoi(argv[5]);
	begin(&bench, argv[1], argv[2]);
	swap_ms = 0; /* of the first rules, when nothing waits */
	pthread_create(&filter, NULL, run_filter, &bench);
	pthread_create(&appender, NULL, append_records, &bench);
	usleep(atof(argv[6]) * 1e6);
	phase = 1;
	reload_again(&bench);
	uv_run(&bench.main_loop, UV_RUN_DEFAULT);
	reload_close(bench.reload);
	uv_run(&bench.main_loop, UV_RUN_DEFAULT);
	bench.is_over = true;
	pthread_join(appender, NULL);
	filter_get_status(bench.filter, &status);
	uv_async_send(&bench.stop);
	pthread_join(filter, NULL);
	store_close(bench.store);
	printf("{\"swaps\": %u, \"events\": %llu, \"swap_ms\": %.3f, \"undisturbed_ms\": %.3f, "
	       "\"swapping_ms\": %.3f, \"undisturbed_mean_ms\": %.3f, \"swapping_mean_ms\": "
	       "%.3f}\n",
	       bench.swaps, (unsigned long long)status.events, swap_ms, gaps[0].longest_ms,
	       gaps[1].longest_ms, gaps[0].sum_ms / MAX(gaps[0].count, 1),
	       gaps[1].sum_ms / MAX(gaps[1].count, 1));
	return 0;
}
