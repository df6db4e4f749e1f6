#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "app/label.h"
#include "app/members.h"
#include "base/log.h"
#include "base/text.h"
#include "store/store_type.h"
#include "turn.h"

#define PATIENCE_MS 20000

/* A store of which only the members are there; others are those that the test puts in. */
struct fake {
	struct store base;
	pthread_mutex_t lock;
	bool is_away;
	char *shown; /* of this process */
	int64_t ttl_ms;
	const char *other; /* another one's status; NULL: it is alone */
	int64_t other_age_ms;
};

static struct fake *fake_of(struct store *store)
{
	return CONTAINER_OF(store, struct fake, base);
}

static bool is_away(struct fake *fake)
{
	bool away;

	pthread_mutex_lock(&fake->lock);
	away = fake->is_away;
	pthread_mutex_unlock(&fake->lock);
	return away;
}

static int fake_put(struct store *store, struct text status, int64_t ttl_ms, struct error *err)
{
	struct fake *fake = fake_of(store);

	if (is_away(fake))
		return error_set(err, "connection refused");
	pthread_mutex_lock(&fake->lock);
	free(fake->shown);
	fake->shown = text_copy(status);
	fake->ttl_ms = ttl_ms;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static int fake_visit(struct store *store,
		      void (*visit)(void *ctx, const char *name, struct text status_json,
				    int64_t age_ms),
		      void *ctx, struct error *err)
{
	struct fake *fake = fake_of(store);
	AUTO(free) char *ours = NULL;
	const char *other;
	int64_t age_ms;

	if (is_away(fake))
		return error_set(err, "connection refused");
	pthread_mutex_lock(&fake->lock);
	ours = fake->shown ? str_copy(fake->shown) : NULL;
	other = fake->other;
	age_ms = fake->other_age_ms;
	pthread_mutex_unlock(&fake->lock);
	if (ours)
		visit(ctx, store->member, text_of(ours), 0);
	if (other)
		visit(ctx, "host-2/act/9", text_of(other), age_ms);
	return 0;
}

static int fake_tell(struct store *store, struct text message, struct error *err)
{
	if (is_away(fake_of(store)))
		return error_set(err, "connection refused");
	store_hear(store, message);
	return 0;
}

static const struct store_type fake_type = { .member_put = fake_put,
					     .member_visit = fake_visit,
					     .tell = fake_tell };

struct scene {
	uv_loop_t loop;
	struct fake fake;
	struct members *members;
	int described;
	char heard[1024];
};

static json_t *describe(void *ctx)
{
	struct scene *scene = ctx;

	return json_pack("{s:i}", "round", ++scene->described);
}

static void heard(void *ctx, json_t *message)
{
	struct scene *scene = ctx;
	AUTO(free) char *text = json_dumps(message, JSON_COMPACT);

	strcat(scene->heard, text);
}

static void keep_quiet(enum log_level level, const char *who, const char *line)
{
}

static void begin(struct scene *scene)
{
	const struct members_handler handler = { scene, describe, heard };
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .fake = { .base = { .type = &fake_type,
						     .member = (char *)"host-1/watch/1" } } };
	pthread_mutex_init(&scene->fake.lock, NULL);
	pthread_mutex_init(&scene->fake.base.wake_lock, NULL);
	log_redirect(keep_quiet);
	uv_loop_init(&scene->loop);
	assert_int_equal(
		members_open(&scene->members, &scene->loop, &scene->fake.base, &handler, &err), 0);
}

static void end(struct scene *scene)
{
	members_close(scene->members);
	assert_true(turn_out(&scene->loop));
	free(scene->fake.shown);
	pthread_mutex_destroy(&scene->fake.lock);
	pthread_mutex_destroy(&scene->fake.base.wake_lock);
	log_redirect(NULL);
}

#define WAIT(scene, condition) assert_true(TURN_UNTIL(&(scene)->loop, condition, PATIENCE_MS))

static void set_away(struct scene *scene, bool away)
{
	pthread_mutex_lock(&scene->fake.lock);
	scene->fake.is_away = away;
	pthread_mutex_unlock(&scene->fake.lock);
}

/* Of the member, as it is known in the loop. */
static json_t *status_of(const struct scene *scene, const char *name)
{
	size_t i;
	json_t *member;

	json_array_foreach(members_list(scene->members), i,
			   member) if (strcmp(json_string_value(json_object_get(member, "member")),
					      name) == 0) return json_object_get(member, "status");
	return NULL;
}

static json_int_t round_of(const struct scene *scene)
{
	return json_integer_value(json_object_get(status_of(scene, "host-1/watch/1"), "round"));
}

static void each_process_sees_itself_and_the_others_again_and_again(void **state)
{
	struct scene scene;

	begin(&scene);
	pthread_mutex_lock(&scene.fake.lock);
	scene.fake.other = "{\"round\":70}";
	scene.fake.other_age_ms = 1234;
	pthread_mutex_unlock(&scene.fake.lock);
	WAIT(&scene, status_of(&scene, "host-2/act/9") && round_of(&scene) >= 2);
	assert_int_equal(json_array_size(members_list(scene.members)), 2);
	assert_string_equal(members_trouble(scene.members), "");
	end(&scene);
}

static void what_is_no_json_is_passed_over(void **state)
{
	struct scene scene;

	begin(&scene);
	pthread_mutex_lock(&scene.fake.lock);
	scene.fake.other = "{\"round\":";
	pthread_mutex_unlock(&scene.fake.lock);
	store_hear(&scene.fake.base, TEXT("[1,"));
	store_hear(&scene.fake.base, TEXT("{\"a\":1}"));
	WAIT(&scene, round_of(&scene) >= 2 && *scene.heard);
	assert_string_equal(scene.heard, "{\"a\":1}");
	assert_null(status_of(&scene, "host-2/act/9"));
	end(&scene);
}

static void messages_are_heard_in_their_order(void **state)
{
	struct scene scene;

	begin(&scene);
	for (int i = 0; i < 20; i++)
		members_tell(scene.members, json_pack("[i]", i));
	WAIT(&scene, strstr(scene.heard, "[19]"));
	assert_string_equal(scene.heard, "[0][1][2][3][4][5][6][7][8][9][10][11][12][13][14][15]"
					 "[16][17][18][19]");
	end(&scene);
}

static void what_the_store_cannot_take_is_told_later(void **state)
{
	struct scene scene;

	begin(&scene);
	WAIT(&scene, round_of(&scene) >= 1);
	set_away(&scene, true);
	members_tell(scene.members, json_pack("[s]", "late"));
	members_tell(scene.members, json_pack("[s]", "later"));
	WAIT(&scene, *members_trouble(scene.members));
	assert_string_equal(members_trouble(scene.members), "connection refused");
	assert_string_equal(scene.heard, "");
	assert_true(round_of(&scene) >= 1); /* what was known stays known */
	set_away(&scene, false);
	WAIT(&scene, strstr(scene.heard, "later") && !*members_trouble(scene.members));
	assert_string_equal(scene.heard, "[\"late\"][\"later\"]");
	end(&scene);
}

static void what_is_too_long_is_not_told_and_keeps_nothing_else(void **state)
{
	struct scene scene;
	AUTO(free) char *much = mem_new(STORE_MESSAGE_MAX + 1);

	memset(much, 'x', STORE_MESSAGE_MAX);
	begin(&scene);
	members_tell(scene.members, json_pack("[s]", much));
	members_tell(scene.members, json_pack("[s]", "short"));
	WAIT(&scene, *scene.heard);
	assert_string_equal(scene.heard, "[\"short\"]");
	end(&scene);
}

static void one_that_ends_is_not_shown_any_more(void **state)
{
	struct scene scene;

	begin(&scene);
	WAIT(&scene, round_of(&scene) >= 1);
	assert_true(scene.fake.ttl_ms > 10000);
	members_tell(scene.members, json_pack("[s]", "last")); /* is told all the same */
	members_close(scene.members);
	assert_int_equal(scene.fake.ttl_ms, 1);
	scene.members = NULL;
	end(&scene);
}

static void a_process_is_named_by_host_role_and_number(void **state)
{
	AUTO(free) char *name = member_name("filter");

	assert_non_null(strstr(name, "/filter/"));
	assert_true(strtol(strrchr(name, '/') + 1, NULL, 10) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_sees_itself_and_the_others_again_and_again),
		cmocka_unit_test(what_is_no_json_is_passed_over),
		cmocka_unit_test(messages_are_heard_in_their_order),
		cmocka_unit_test(what_the_store_cannot_take_is_told_later),
		cmocka_unit_test(what_is_too_long_is_not_told_and_keeps_nothing_else),
		cmocka_unit_test(one_that_ends_is_not_shown_any_more),
		cmocka_unit_test(a_process_is_named_by_host_role_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
