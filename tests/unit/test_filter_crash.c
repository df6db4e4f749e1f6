/* Processes that watch and filter are killed at the store's points, again and again: what they
 * leave must come to each job exactly once. */
#include "filter_fixture.h"

#include <sys/wait.h>

#define RECORDS 60
#define KILLED 99
#define BASE_MS 1795367289000

static const char rules[] =
	"version: 1\n"
	"watched_items:\n"
	"  - {name: zips, when: {event: created, extension: .zip}, actions: [log]}\n"
	"  - {name: renamed, when: {event: renamed}, actions: [log]}\n"
	"  - {name: out, when: {event: moved_out}, actions: [log]}\n"
	"  - {name: quiet, when: {event: written}, settle: 5s, actions: [log]}\n";

static int points_left;

static void die_at_point(const char *point)
{
	if (--points_left == 0)
		_exit(KILLED);
}

/* Record n: a file appears, the one before it is renamed, one is written, one leaves. */
static void hear_record(struct monitor *m, uint64_t n)
{
	AUTO(free)
	char *message = str_format(
		"[" ITEM("child_file_added", "%" PRIu64, "%" PRIu64 ".zip") "," TO(
			"%" PRIu64,
			"new-%" PRIu64) "," FROM("%" PRIu64,
						 "%" PRIu64
						 ".zip") "," WRITTEN("9%" PRIu64,
								     "%" PRIu64
								     ".dat") "," FROM("8%" PRIu64,
										      "gone-"
										      "%" PRIu64) "]",
		n, n, n - 1, n - 1, n, n, n, n, n, n);

	clock_hold(BASE_MS + (int64_t)n * 100);
	hear(m, message);
}

/* One life of the process: it goes on where the one before it died. */
static void live(struct fixture *f, int points)
{
	struct monitor m;
	uint64_t first, last;

	fixture_open(f);
	points_left = points;
	store_on_point(die_at_point);
	monitor_start(&m, f, rules);
	settle_down(&m);
	ok(f, store_log_range(f->store, &first, &last, &f->err));
	while (last < RECORDS) {
		hear_record(&m, ++last);
		settle_down(&m);
	}
	_exit(0);
}

static int live_and_die(struct fixture *f, int points)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		live(f, points);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != KILLED))
		fail_msg("a child ended with status %x", status);
	return WEXITSTATUS(status);
}

static bool count_job(void *ctx, const struct job *job)
{
	struct buf *all = ctx;
	struct error err = { 0 };
	struct job_body body;

	if (job_body_read(&body, job->body, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_true(buf_print(all, "|%s %.*s|", body.rule, TEXT_ARGS(body.event->path)));
	job_body_clear(&body);
	return true;
}

static void assert_once(const struct buf *all, const char *rule, const char *path, uint64_t n)
{
	AUTO(free) char *name = str_format(path, n);
	AUTO(free) char *job = str_format("|%s /home/%s|", rule, name);
	const char *found = strstr(all->data, job);

	if (!found)
		fail_msg("lost: %s", job);
	if (strstr(found + 1, job))
		fail_msg("twice: %s", job);
}

static void every_event_becomes_its_job_once_however_often_it_dies(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf *all = buf_new(1 << 24);
	AUTO_MONITOR m = { .f = NULL };
	unsigned seed = 7;
	int deaths = 0;

	fixture_close(f);
	while (live_and_die(f, 1 + rand_r(&seed) % 12) == KILLED)
		deaths++;
	assert_true(deaths > RECORDS / 3);

	fixture_open(f);
	monitor_start(&m, f, rules);
	clock_hold(BASE_MS + RECORDS * 100);
	pass(&m, 60000);
	assert_int_equal(status_of(&m).cursor, RECORDS);
	ok(f, store_job_visit(f->store, JOB_WAITING, SIZE_MAX, count_job, all, &f->err));
	for (uint64_t n = 1; n <= RECORDS; n++) {
		assert_once(all, "zips", "%" PRIu64 ".zip", n);
		assert_once(all, "quiet", "%" PRIu64 ".dat", n);
		assert_once(all, "out", "gone-%" PRIu64, n);
		if (n < RECORDS)
			assert_once(all, "renamed", "new-%" PRIu64, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_becomes_its_job_once_however_often_it_dies),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
