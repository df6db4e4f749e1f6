/*
 * Somebody does what he likes while the tree listens: the events, told one after the other to
 * somebody who knows nothing else, must lead to what is there in the end.
 */
#include "tree_fixture.h"

#include <dirent.h>

#define STEPS 20000
#define NAMES 6

/* What a listener makes of the events: paths, in no order. */
struct listener {
	char **paths;
	size_t count;
	size_t events;
	bool is_done;
};

static size_t find(const struct listener *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->paths[i], path) == 0)
			return i;
	return SIZE_MAX;
}

static void add(struct listener *l, const char *path)
{
	if (find(l, path) != SIZE_MAX)
		fail_msg("%s: added, but it is there", path);
	l->paths = mem_grow(l->paths, l->count + 1, sizeof(*l->paths));
	l->paths[l->count++] = str_copy(path);
}

static void take(struct listener *l, const char *path, const char *why)
{
	size_t i = find(l, path), size = strlen(path);

	if (i == SIZE_MAX)
		fail_msg("%s: %s, but it is not there", path, why);
	free(l->paths[i]);
	l->paths[i] = l->paths[--l->count];
	for (i = 0; strcmp(why, "removed") == 0 && i < l->count; i++)
		if (strncmp(l->paths[i], path, size) == 0 && l->paths[i][size] == '/')
			fail_msg("%s: removed before %s", path, l->paths[i]);
}

static void move(struct listener *l, const char *from, const char *to)
{
	size_t size = strlen(from);

	take(l, from, "moved");
	add(l, to);
	for (size_t i = 0; i < l->count; i++) {
		char *old = l->paths[i];

		if (strncmp(old, from, size) != 0 || old[size] != '/')
			continue;
		l->paths[i] = str_format("%s%s", to, old + size);
		free(old);
	}
}

static void listen_to(void *ctx, const struct tree_event *events, size_t count)
{
	struct listener *l = ctx;

	for (size_t i = 0; i < count; i++) {
		const struct tree_event *event = &events[i];
		AUTO(free) char *path = text_copy(event->path);
		uint64_t id = event->spine[event->spine_size - 1];
		AUTO(free) char *between = str_format("#%llu", (unsigned long long)id);

		l->events++;
		switch (event->type) {
		case CHILD_FILE_ADDED:
		case CHILD_DIR_ADDED:
			if (strcmp(path, "done") == 0)
				l->is_done = true;
			add(l, path);
			break;
		case CHILD_FILE_REMOVED:
		case CHILD_DIR_REMOVED:
			take(l, path, "removed");
			break;
		case CHILD_FILE_MOVED_FROM: /* on its way, under a name of its own */
		case CHILD_DIR_MOVED_FROM:
			move(l, path, between);
			break;
		case CHILD_FILE_MOVED_TO:
		case CHILD_DIR_MOVED_TO:
			move(l, between, path);
			break;
		default:
			if (find(l, path) == SIZE_MAX)
				fail_msg("%s: changed, but it is not there", path);
		}
	}
}

/* ---- somebody ---- */

static void any_path(unsigned *seed, char path[16])
{
	int depth = rand_r(seed) % 3 + 1;
	size_t size = 0;

	for (int i = 0; i < depth; i++) {
		if (i > 0)
			path[size++] = '/';
		path[size++] = 'a' + rand_r(seed) % NAMES;
	}
	path[size] = '\0';
}

static void any_step(unsigned *seed)
{
	char a[16], b[16];
	int fd;

	any_path(seed, a);
	any_path(seed, b);
	switch (rand_r(seed) % 10) {

	case 0:
	case 1:
		mkdir(a, 0755);
		break;
	case 2:
	case 3:
		fd = open(a, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0 && write(fd, b, strlen(b)) < 0)
			abort();
		close(fd);
		break;
	case 4:
	case 5:
	case 6:
		if (rename(a, b) < 0)
			chmod(a, 0700 + rand_r(seed) % 8);
		break;
	case 7:
		if (link(a, b) < 0)
			unlink(a);
		break;
	case 8:
		rmdir(a);
		break;
	default:
		unlink(a);
	}
}

static pid_t somebody(const char *root, unsigned seed, int steps)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (chdir(root) < 0)
		abort();
	for (int i = 0; i < steps; i++)
		any_step(&seed);
	close(open("done", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	_exit(0);
}

/* ---- the comparison ---- */

static void compare(struct fixture *f, struct listener *l, const char *path)
{
	AUTO(free) char *absolute = str_format("%s/%s", f->root, path);
	DIR *dir = opendir(absolute);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		AUTO(free)
		char *below = str_format("%s%s%s", path, *path ? "/" : "", entry->d_name);
		AUTO(free) char *rooted = str_format("/%s", below);

		if (entry->d_name[0] == '.')
			continue;
		if (!at(f, rooted))
			fail_msg("%s: is there, but not in the tree", below);
		take(l, below, "found");
		if (entry->d_type == DT_DIR)
			compare(f, l, below);
	}
	if (dir)
		closedir(dir);
}

static void story(struct fixture *f, unsigned seed, int steps, bool overflows)
{
	struct listener listener = { 0 };
	pid_t pid;
	int status;

	fixture_init(f, NULL);
	tree_subscribe(f->tree, listen_to, &listener);
	pid = somebody(f->root, seed, steps);
	if (overflows) /* the walk over everything meets what goes on at the same time */
		for (int i = 0; i < 50; i++)
			tree_rescan(f->tree);
	assert_true(TURN_UNTIL(&f->loop, listener.is_done, FIXTURE_WAIT_MS));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	/* What was in doubt is settled in the turns after. */
	TURN_UNTIL(&f->loop, tree_node_count(f->tree) == 0, 350);
	compare(f, &listener, "");
	if (listener.count > 0)
		fail_msg("%s: told, but it is not there", listener.paths[0]);
	tree_subscribe(f->tree, NULL, NULL);
	fixture_clear(f);
	free(listener.paths);
}

static void the_events_add_up_to_what_is_there(void **state)
{
	for (unsigned seed = 1; seed <= 5; seed++)
		story(&(struct fixture){ 0 }, seed, STEPS / 5, false);
}

static void the_events_add_up_over_overflows(void **state)
{
	for (unsigned seed = 11; seed <= 15; seed++)
		story(&(struct fixture){ 0 }, seed, STEPS / 5, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_events_add_up_to_what_is_there),
		cmocka_unit_test(the_events_add_up_over_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
