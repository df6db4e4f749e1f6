#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"
#include "turn.h"

struct scene {
	uv_loop_t loop;
	struct child *child;
	int done_count;
	int status;
	int signal;
	bool timed_out;
	char *output;
	char *errors;
};

static void scene_done(void *ctx, const struct child_exit *exit)
{
	struct scene *scene = ctx;

	free(scene->output);
	free(scene->errors);
	scene->done_count++;
	scene->status = exit->status;
	scene->signal = exit->signal;
	scene->timed_out = exit->timed_out;
	scene->output = text_copy(exit->output);
	scene->errors = text_copy(exit->errors);
	child_cancel(scene->child); /* harmless */
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){ 0 };
	uv_loop_init(&scene->loop);
}

static void scene_close(struct scene *scene)
{
	assert_true(turn_out(&scene->loop));
	free(scene->output);
	free(scene->errors);
}

static int scene_start(struct scene *scene, const char *const *argv, struct child_options options)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "CN_PATH=a b", NULL };
	AUTO_ERROR err = { 0 };

	options.argv = argv;
	options.environment = environment;
	options.output_limit_bytes = options.output_limit_bytes ? options.output_limit_bytes : 1000;
	options.timeout_ms = options.timeout_ms ? options.timeout_ms : 10000;
	options.done = scene_done;
	options.ctx = scene;
	return child_start(&scene->child, &scene->loop, &options, &err);
}

static void scene_run(struct scene *scene, const char *script, struct child_options options)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	assert_int_equal(scene_start(scene, argv, options), 0);
	assert_int_equal(scene->done_count, 0);
	assert_true(TURN_UNTIL(&scene->loop, scene->done_count, 20000));
}

static void input_output_errors_and_status_reach_their_ends(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_run(&scene, "cat; echo \"$CN_PATH\" >&2; pwd; exit 75",
		  (struct child_options){ .input = TEXT("given\n"), .directory = "/usr" });
	assert_string_equal(scene.output, "given\n/usr\n");
	assert_string_equal(scene.errors, "a b\n");
	assert_int_equal(scene.status, 75);
	assert_int_equal(scene.signal, 0);
	assert_false(scene.timed_out);
	scene_close(&scene);
}

static void standard_streams_can_be_opened_by_their_names(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_run(&scene, "cat /dev/stdin > /dev/stderr",
		  (struct child_options){ .input = TEXT("x") });
	assert_string_equal(scene.errors, "x");
	scene_close(&scene);
}

static void arguments_are_not_words_of_a_shell(void **state)
{
	const char *const argv[] = { "printf", "%s|", "a b", "$(id)", "-n", "\n;'\"", NULL };
	struct scene scene;

	scene_open(&scene);
	assert_int_equal(scene_start(&scene, argv, (struct child_options){ 0 }), 0);
	assert_true(TURN_UNTIL(&scene.loop, scene.done_count, 5000));
	assert_string_equal(scene.output, "a b|$(id)|-n|\n;'\"|");
	scene_close(&scene);
}

static void what_cannot_be_run_is_told_at_once(void **state)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const not_executable[] = { "/etc/passwd", NULL };
	struct scene scene;

	scene_open(&scene);
	assert_int_equal(scene_start(&scene, missing, (struct child_options){ 0 }), -1);
	assert_int_equal(scene_start(&scene, not_executable, (struct child_options){ 0 }), -1);
	scene_close(&scene);
	assert_int_equal(scene.done_count, 0);
}

static void a_child_that_reads_nothing_does_no_harm(void **state)
{
	AUTO(free) char *big = mem_new(1 << 20);
	struct scene scene;

	scene_open(&scene);
	scene_run(&scene, "exec <&-; exit 3", (struct child_options){ .input = { big, 1 << 20 } });
	assert_int_equal(scene.status, 3);
	scene_close(&scene);
}

static void output_past_the_ceiling_is_dropped_and_the_child_goes_on(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_run(&scene, "yes | head -c 1000000; yes | head -c 1000000 >&2; exit 4",
		  (struct child_options){ .output_limit_bytes = 10 });
	assert_int_equal(scene.status, 4);
	assert_string_equal(scene.output, "y\ny\ny\ny\ny\n");
	assert_int_equal(strlen(scene.errors), 10);
	scene_close(&scene);
}

static void a_time_out_ends_the_whole_group(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_run(&scene, "sleep 1000 & echo $!; wait",
		  (struct child_options){ .timeout_ms = 100 });
	assert_true(scene.timed_out);
	assert_int_equal(scene.signal, SIGTERM);
	assert_int_equal(scene.status, -1);
	assert_true(
		TURN_UNTIL(&scene.loop, kill(atoi(scene.output), 0) < 0 && errno == ESRCH, 5000));
	scene_close(&scene);
}

static void who_ignores_sigterm_is_killed(void **state)
{
	struct scene scene;
	uint64_t start = uv_hrtime();

	scene_open(&scene);
	scene_run(&scene, "trap '' TERM; while :; do sleep 0.1; done",
		  (struct child_options){ .timeout_ms = 100 });
	assert_true(scene.timed_out);
	assert_int_equal(scene.signal, SIGKILL);
	assert_true(uv_hrtime() - start < 9000000000u);
	scene_close(&scene);
}

static void a_grandchild_that_keeps_the_pipes_does_not_hold_us(void **state)
{
	struct scene scene;
	uint64_t start = uv_hrtime();

	scene_open(&scene);
	scene_run(&scene, "sleep 1000 & echo $!; exit 5", (struct child_options){ 0 });
	assert_int_equal(scene.status, 5);
	assert_false(scene.timed_out);
	assert_true(uv_hrtime() - start < 5000000000u);
	kill(atoi(scene.output), SIGKILL);
	scene_close(&scene);
}

static void a_cancelled_child_is_killed_and_says_nothing(void **state)
{
	const char *const argv[] = { "sleep", "1000", NULL };
	struct scene scene;

	scene_open(&scene);
	assert_int_equal(scene_start(&scene, argv, (struct child_options){ 0 }), 0);
	child_cancel(scene.child);
	scene_close(&scene); /* would wait for the 1000 s */
	assert_int_equal(scene.done_count, 0);
}

static int open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void a_child_inherits_three_files_and_leaves_none_behind(void **state)
{
	int leaky = dup(1); /* not closed on exec */
	struct scene scene;
	int before;

	scene_open(&scene);
	scene_run(&scene, "ls /proc/self/fd | wc -l", (struct child_options){ 0 });
	assert_string_equal(scene.output, "4\n"); /* one is the ls's own */
	before = open_files();
	for (int i = 0; i < (getenv("CN_FULL") ? 10000 : 50); i++) {
		scene.done_count = 0;
		scene_run(&scene, "exit 0", (struct child_options){ 0 });
	}
	uv_run(&scene.loop, UV_RUN_DEFAULT);
	assert_int_equal(open_files(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie either */
	assert_int_equal(errno, ECHILD);
	scene_close(&scene);
	close(leaky);
}

static void memory_past_the_limit_is_refused_to_it(void **state)
{
	struct scene scene;
	/* It waits for its input, which comes when the limit is set. */
	const char *script = "read go; dd if=/dev/zero of=/dev/null bs=200M count=1";

	scene_open(&scene);
	scene_run(&scene, script, (struct child_options){ .input = TEXT("go\n") });
	assert_int_equal(scene.status, 0);
	scene.done_count = 0;
	scene_run(&scene, script,
		  (struct child_options){ .input = TEXT("go\n"),
					  .memory_limit_bytes = 64 * 1024 * 1024 });
	assert_int_equal(scene.status, 1);
	assert_non_null(strstr(scene.errors, "memory exhausted"));
	scene_close(&scene);
}

static void it_runs_as_somebody_else_who_can_open_its_streams(void **state)
{
	struct scene scene;
	struct child_user nobody = { 65534, 65534 };

	if (geteuid()) {
		print_message("skipped because: only root can start programs as somebody else\n");
		skip();
	}
	scene_open(&scene);
	scene_run(&scene, "cat /dev/stdin; id -u; id -g; id -G >/dev/stderr",
		  (struct child_options){ .input = TEXT("in\n"), .user = &nobody });
	assert_string_equal(scene.output, "in\n65534\n65534\n");
	assert_string_equal(scene.errors, "65534\n");
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_output_errors_and_status_reach_their_ends),
		cmocka_unit_test(memory_past_the_limit_is_refused_to_it),
		cmocka_unit_test(it_runs_as_somebody_else_who_can_open_its_streams),
		cmocka_unit_test(standard_streams_can_be_opened_by_their_names),
		cmocka_unit_test(arguments_are_not_words_of_a_shell),
		cmocka_unit_test(what_cannot_be_run_is_told_at_once),
		cmocka_unit_test(a_child_that_reads_nothing_does_no_harm),
		cmocka_unit_test(output_past_the_ceiling_is_dropped_and_the_child_goes_on),
		cmocka_unit_test(a_time_out_ends_the_whole_group),
		cmocka_unit_test(who_ignores_sigterm_is_killed),
		cmocka_unit_test(a_grandchild_that_keeps_the_pipes_does_not_hold_us),
		cmocka_unit_test(a_cancelled_child_is_killed_and_says_nothing),
		cmocka_unit_test(a_child_inherits_three_files_and_leaves_none_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
