/* Who has files open: one by one, by a listing, and where neither can be had. */
#include "check.h"

#include "app/open_files.h"
#include "base/clock.h"

#define CALLS_MAX 64

struct cluster_call {
	char id[32]; /* "" for a listing */
	size_t pages;
	file_done *done;
	void *ctx;
	bool is_over;
};

struct scene {
	struct open_files_asker *asker;
	struct cluster_call calls[CALLS_MAX];
	size_t count;
	unsigned answered;
	char said[4096];
};

static struct cluster_call *get_open(void *self, const char *id, size_t pages, file_done *done,
				     void *ctx)
{
	struct scene *scene = self;
	struct cluster_call *call = &scene->calls[scene->count++];

	assert_true(scene->count < CALLS_MAX);
	snprintf(call->id, sizeof(call->id), "%s", id ? id : "");
	call->pages = pages;
	call->done = done;
	call->ctx = ctx;
	return call;
}

static void cancel(struct cluster_call *call)
{
	assert_false(call->is_over);
	call->is_over = true;
}

static struct watch_settings watch = { .name = (char *)"main" };
static struct settings settings = { .watches = &watch, .watch_count = 1 };

static void count_answer(void *ctx)
{
	((struct scene *)ctx)->answered++;
}

static struct cluster cluster;
static const struct cluster *const clusters[] = { &cluster };

static struct scene *scene_new(void)
{
	struct scene *scene = NEW(struct scene);

	clock_hold(1000000);
	cluster = (struct cluster){ .self = scene, .get_open = get_open, .cancel = cancel };
	scene->asker = open_files_new();
	open_files_open(scene->asker,
			&(struct open_files_host){ &settings, clusters, count_answer, scene });
	return scene;
}

static void scene_free(struct scene *scene)
{
	open_files_free(scene->asker);
	free(scene);
	clock_release();
}
AUTO_DEFINE(struct scene *, scene_free)

static void ask(struct scene *scene, int first, int last)
{
	for (int i = first; i <= last; i++) {
		AUTO(free) char *id = str_format("%d", i);

		assert_true(open_files_ask(scene->asker, TEXT("main"), text_of(id)));
	}
	open_files_send(scene->asker);
}

/* open: ids with spaces between them. */
static void answer(struct cluster_call *call, enum file_result result, const char *open,
		   bool is_whole)
{
	char *ids[8];
	AUTO(free) char *copy = str_copy(open);
	struct open_files files = { ids, 0, is_whole };
	const struct file_reply reply = { .result = result,
					  .why = "said by the test",
					  .open = result == FILE_OK ? &files : NULL };

	for (char *id = strtok(copy, " "); id; id = strtok(NULL, " "))
		ids[files.count++] = id;
	assert_false(call->is_over);
	call->is_over = true;
	call->done(call->ctx, &reply);
}

static int note(void *ctx, struct text name, struct text file_id, int64_t sent_ms,
		enum open_verdict verdict, struct error *err)
{
	static const char *const words[] = { "closed", "open", "unknown" };
	struct scene *scene = ctx;
	size_t size = strlen(scene->said);

	assert_true(text_is(name, "main"));
	assert_int_equal(sent_ms, 1000000);
	snprintf(scene->said + size, sizeof(scene->said) - size, "%.*s %s; ", TEXT_ARGS(file_id),
		 words[verdict]);
	return 0;
}

static const char *take(struct scene *scene)
{
	struct error err = { 0 };

	scene->said[0] = 0;
	assert_true(open_files_take(scene->asker, 1000, note, scene, &err) >= 0);
	open_files_committed(scene->asker);
	assert_false(open_files_has_answers(scene->asker));
	return scene->said;
}

static void a_few_files_are_asked_for_one_by_one_and_once(void **state)
{
	AUTO(scene_free) struct scene *scene = scene_new();

	ask(scene, 1, 3);
	ask(scene, 2, 2);
	assert_int_equal(scene->count, 3);
	answer(&scene->calls[1], FILE_OK, "2", true);
	answer(&scene->calls[0], FILE_OK, "", true);
	assert_int_equal(scene->answered, 2);
	assert_string_equal(take(scene), "2 open; 1 closed; ");
	ask(scene, 2, 2); /* it was answered: a new question */
	assert_int_equal(scene->count, 4);
}

static void many_files_are_one_listing(void **state)
{
	AUTO(scene_free) struct scene *scene = scene_new();

	ask(scene, 1, 30);
	assert_int_equal(scene->count, 1);
	assert_string_equal(scene->calls[0].id, "");
	assert_int_equal(scene->calls[0].pages, 30);
	answer(&scene->calls[0], FILE_OK, "99 30 2 4711", true);
	take(scene);
	assert_non_null(strstr(scene->said, "1 closed; 2 open; 3 closed; "));
	assert_non_null(strstr(scene->said, "29 closed; 30 open; "));
	assert_int_equal(scene->count, 1);
}

static void what_a_long_listing_does_not_come_to_is_asked_for_singly(void **state)
{
	AUTO(scene_free) struct scene *scene = scene_new();

	ask(scene, 1, 12);
	answer(&scene->calls[0], FILE_OK, "3 77", false);
	assert_string_equal(take(scene), "3 open; ");
	assert_int_equal(scene->count, 1 + 8); /* so many at a time */
	for (size_t i = 1; i < scene->count; i++)
		answer(&scene->calls[i], FILE_OK, "", true);
	assert_int_equal(scene->count, 1 + 11);
	take(scene);
	assert_non_null(strstr(scene->said, "1 closed; 2 closed; 4 closed; "));
	assert_non_null(strstr(scene->said, "12 closed; "));
}

static void who_cannot_be_asked_leaves_files_unknown(void **state)
{
	AUTO(scene_free) struct scene *scene = scene_new();

	ask(scene, 1, 1);
	answer(&scene->calls[0], FILE_DENIED, "", false);
	ask(scene, 2, 2);
	answer(&scene->calls[1], FILE_GONE, "", false);
	assert_string_equal(take(scene), "1 unknown; 2 unknown; ");
	ask(scene, 1, 9);
	answer(&scene->calls[2], FILE_LATER, "", false);
	assert_non_null(strstr(take(scene), "9 unknown; "));
}

static void what_is_under_way_is_cancelled_at_the_end(void **state)
{
	AUTO(scene_free) struct scene *scene = scene_new();

	ask(scene, 1, 3);
	ask(scene, 4, 20);
	open_files_close(scene->asker);
	for (size_t i = 0; i < scene->count; i++)
		assert_true(scene->calls[i].is_over);
	assert_false(open_files_ask(scene->asker, TEXT("main"), TEXT("1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_files_are_asked_for_one_by_one_and_once),
		cmocka_unit_test(many_files_are_one_listing),
		cmocka_unit_test(what_a_long_listing_does_not_come_to_is_asked_for_singly),
		cmocka_unit_test(who_cannot_be_asked_leaves_files_unknown),
		cmocka_unit_test(what_is_under_way_is_cancelled_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
