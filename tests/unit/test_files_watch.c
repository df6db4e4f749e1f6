#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files_watch.h"
#include "turn.h"

struct scene {
	uv_loop_t loop;
	struct files_watch *watch;
	char directory[32];
	char *path;
	int told;
	char *last;
	bool close_when_told;
};

static void scene_changed(void *ctx, const char *path)
{
	struct scene *scene = ctx;

	scene->told++;
	free(scene->last);
	scene->last = str_copy(path);
	if (scene->close_when_told)
		files_watch_close(TAKE(scene->watch));
}

static char *inside(const struct scene *scene, const char *name)
{
	return str_format("%s/%s", scene->directory, name);
}

static void write_to(const struct scene *scene, const char *name, const char *text)
{
	AUTO(free) char *path = inside(scene, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_directory(const struct scene *scene, const char *name)
{
	AUTO(free) char *path = inside(scene, name);

	assert_int_equal(mkdir(path, 0700), 0);
}

static void rename_in(const struct scene *scene, const char *from, const char *to)
{
	AUTO(free) char *old = inside(scene, from);
	AUTO(free) char *new = inside(scene, to);

	assert_int_equal(rename(old, new), 0);
}

static void link_in(const struct scene *scene, const char *target, const char *name)
{
	AUTO(free) char *path = inside(scene, name);

	assert_int_equal(symlink(target, path), 0);
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){ .directory = "/tmp/cn-watch-XXXXXX" };
	assert_non_null(mkdtemp(scene->directory));
	uv_loop_init(&scene->loop);
}

static void scene_watch(struct scene *scene, const char *name)
{
	AUTO_ERROR err = { 0 };

	scene->path = inside(scene, name);
	assert_int_equal(files_watch_open(&scene->watch, &scene->loop,
					  (const char *const[]){ scene->path }, 1, 20,
					  scene_changed, scene, &err),
			 0);
}

static void scene_close(struct scene *scene)
{
	AUTO(free) char *remove = str_format("rm -r %s", scene->directory);

	files_watch_close(scene->watch);
	assert_true(turn_out(&scene->loop));
	assert_int_equal(system(remove), 0);
	free(scene->path);
	free(scene->last);
}

/* In less time than the slow look takes: so it was inotify. */
#define TOLD(scene, count) TURN_UNTIL(&(scene).loop, (scene).told == (count), 3000)
#define STAYS(scene, count) (!TURN_UNTIL(&(scene).loop, (scene).told != (count), 150))

static void a_written_file_is_told_once(void **state)
{
	struct scene scene;

	scene_open(&scene);
	write_to(&scene, "items.yml", "a");
	scene_watch(&scene, "items.yml");
	assert_true(STAYS(scene, 0));
	for (int i = 0; i < 5; i++)
		write_to(&scene, "items.yml", "bb");
	assert_true(TOLD(scene, 1));
	assert_string_equal(scene.last, scene.path);
	assert_true(STAYS(scene, 1));
	scene_close(&scene);
}

static void another_file_beside_it_is_not_told(void **state)
{
	struct scene scene;

	scene_open(&scene);
	write_to(&scene, "items.yml", "a");
	scene_watch(&scene, "items.yml");
	write_to(&scene, "other.yml", "a");
	assert_true(STAYS(scene, 0));
	scene_close(&scene);
}

static void a_file_renamed_over_it_is_told_and_watched_further(void **state)
{
	struct scene scene;

	scene_open(&scene);
	write_to(&scene, "items.yml", "a");
	scene_watch(&scene, "items.yml");
	for (int i = 1; i <= 3; i++) {
		write_to(&scene, "items.yml~", "a");
		rename_in(&scene, "items.yml~", "items.yml");
		assert_true(TOLD(scene, i));
	}
	write_to(&scene, "items.yml", "other");
	assert_true(TOLD(scene, 4));
	scene_close(&scene);
}

static void a_config_map_swap_is_told_each_time(void **state)
{
	struct scene scene;

	scene_open(&scene);
	make_directory(&scene, "..1");
	write_to(&scene, "..1/items.yml", "same");
	link_in(&scene, "..1", "..data");
	link_in(&scene, "..data/items.yml", "items.yml");
	scene_watch(&scene, "items.yml");
	for (int i = 2; i <= 4; i++) {
		AUTO(free) char *name = str_format("..%d", i);
		AUTO(free) char *file = str_format("%s/items.yml", name);
		AUTO(free) char *old = str_format("rm -r %s/..%d", scene.directory, i - 1);

		make_directory(&scene, name);
		write_to(&scene, file, "same");
		link_in(&scene, name, "..data_tmp");
		rename_in(&scene, "..data_tmp", "..data");
		assert_int_equal(system(old), 0);
		assert_true(TOLD(scene, i - 1));
		assert_true(STAYS(scene, i - 1));
	}
	write_to(&scene, "..4/items.yml", "in place");
	assert_true(TOLD(scene, 4));
	scene_close(&scene);
}

static void a_missing_file_is_told_when_it_appears_and_when_it_goes(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene_watch(&scene, "a/b/items.yml");
	make_directory(&scene, "a");
	assert_true(STAYS(scene, 0));
	make_directory(&scene, "a/b");
	write_to(&scene, "a/b/items.yml", "x");
	assert_true(TOLD(scene, 1));
	unlink(scene.path);
	assert_true(TOLD(scene, 2));
	write_to(&scene, "a/b/items.yml", "x");
	assert_true(TOLD(scene, 3));
	scene_close(&scene);
}

static void a_directory_made_anew_is_watched_anew(void **state)
{
	struct scene scene;

	scene_open(&scene);
	make_directory(&scene, "a");
	write_to(&scene, "a/items.yml", "x");
	scene_watch(&scene, "a/items.yml");
	rename_in(&scene, "a", "old");
	make_directory(&scene, "a");
	write_to(&scene, "a/items.yml", "y");
	assert_true(TURN_UNTIL(&scene.loop, scene.told >= 1, 6000));
	scene.told = 0;
	write_to(&scene, "a/items.yml", "zz");
	assert_true(TOLD(scene, 1));
	scene_close(&scene);
}

static void it_can_be_closed_by_whom_it_tells(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.close_when_told = true;
	scene_watch(&scene, "items.yml");
	write_to(&scene, "items.yml", "x");
	assert_true(TOLD(scene, 1));
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_file_is_told_once),
		cmocka_unit_test(another_file_beside_it_is_not_told),
		cmocka_unit_test(a_file_renamed_over_it_is_told_and_watched_further),
		cmocka_unit_test(a_config_map_swap_is_told_each_time),
		cmocka_unit_test(a_missing_file_is_told_when_it_appears_and_when_it_goes),
		cmocka_unit_test(a_directory_made_anew_is_watched_anew),
		cmocka_unit_test(it_can_be_closed_by_whom_it_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
