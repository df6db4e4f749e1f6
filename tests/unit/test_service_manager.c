#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/service_manager.h"
#include "turn.h"

#if HAVE_SYSTEMD
/* Stands in for systemd: a socket of datagrams, and what came through it. */
struct scene {
	uv_loop_t loop;
	struct service_manager *manager;
	char directory[32];
	char *path;
	int socket;
	char heard[4096];
	int described;
	const char *line;
};

static char *describe(void *ctx)
{
	struct scene *scene = ctx;

	scene->described++;
	return str_copy(scene->line);
}

static struct scene *scene_new(const char *watchdog_us)
{
	struct scene *scene = NEW(struct scene);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(scene->directory, "/tmp/cn_manager_XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	scene->path = str_format("%s/notify", scene->directory);
	strcpy(address.sun_path, scene->path);
	scene->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_return_code(bind(scene->socket, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", scene->path, 1);
	if (watchdog_us)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
	scene->line = "1 of 1 watch listening";
	uv_loop_init(&scene->loop);
	scene->manager = service_manager_open(&scene->loop, describe, scene);
	return scene;
}

static void scene_free(struct scene *scene)
{
	service_manager_close(scene->manager);
	assert_true(turn_out(&scene->loop));
	close(scene->socket);
	unlink(scene->path);
	rmdir(scene->directory);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	free(scene->path);
	free(scene);
}

/* Everything that was said so far, a line each. */
static const char *heard(struct scene *scene)
{
	size_t size = strlen(scene->heard);
	ssize_t got;

	while (size + 2 < sizeof(scene->heard) &&
	       (got = recv(scene->socket, scene->heard + size, sizeof(scene->heard) - size - 2,
			   0)) > 0) {
		size += got;
		strcpy(scene->heard + size++, "\n");
	}
	return scene->heard;
}

static bool was_heard(struct scene *scene, const char *what)
{
	return strstr(heard(scene), what) != NULL;
}

static void readiness_comes_with_a_line_of_status(void **state)
{
	struct scene *scene = scene_new(NULL);

	assert_string_equal(heard(scene), "");
	service_manager_ready(scene->manager);
	assert_string_equal(heard(scene), "READY=1\nSTATUS=1 of 1 watch listening\n");
	scene_free(scene);
}

static void the_same_status_is_told_once(void **state)
{
	struct scene *scene = scene_new("30000");
	int before;

	service_manager_ready(scene->manager);
	before = scene->described;
	assert_true(TURN_UNTIL(&scene->loop, scene->described > before + 2, 10000));
	assert_null(strstr(strstr(heard(scene), "STATUS=") + 1, "STATUS="));
	scene->line = "0 of 1 watch listening";
	assert_true(TURN_UNTIL(&scene->loop, was_heard(scene, "STATUS=0 of 1"), 10000));
	scene_free(scene);
}

static void the_watchdog_is_fed_while_the_loop_turns(void **state)
{
	struct scene *scene = scene_new("30000");

	service_manager_ready(scene->manager);
	assert_false(was_heard(scene, "WATCHDOG=1"));
	assert_true(TURN_UNTIL(&scene->loop, was_heard(scene, "WATCHDOG=1"), 10000));
	scene_free(scene);
}

static void a_reload_says_when_it_began_and_ends_with_ready(void **state)
{
	struct scene *scene = scene_new(NULL);

	service_manager_reloading(scene->manager);
	assert_true(was_heard(scene, "RELOADING=1\nMONOTONIC_USEC="));
	assert_false(was_heard(scene, "READY=1"));
	service_manager_ready(scene->manager);
	assert_true(was_heard(scene, "READY=1"));
	service_manager_stopping(scene->manager);
	assert_true(was_heard(scene, "STOPPING=1"));
	scene_free(scene);
}

#endif

static void without_systemd_there_is_no_manager_and_nothing_to_do(void **state)
{
	uv_loop_t loop;

	unsetenv("NOTIFY_SOCKET");
	uv_loop_init(&loop);
	assert_null(service_manager_open(&loop, NULL, NULL));
	service_manager_ready(NULL);
	service_manager_reloading(NULL);
	service_manager_stopping(NULL);
	service_manager_close(NULL);
	assert_true(turn_out(&loop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if HAVE_SYSTEMD
		cmocka_unit_test(readiness_comes_with_a_line_of_status),
		cmocka_unit_test(the_same_status_is_told_once),
		cmocka_unit_test(the_watchdog_is_fed_while_the_loop_turns),
		cmocka_unit_test(a_reload_says_when_it_began_and_ends_with_ready),
#endif
		cmocka_unit_test(without_systemd_there_is_no_manager_and_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
