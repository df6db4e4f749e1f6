#include "check.h"

#include "qumulo/snapshots.h"
#include "qumulo/walk.h"
#include "raw_server.h"
#include "turn.h"

#define ENTRY                                                                                    \
	"{\"path\":\"/home/joe/\",\"name\":\"joe\",\"num_links\":2,\"type\":"                    \
	"\"FS_FILE_TYPE_DIRECTORY\",\"id\":\"95200597194320772806937149443\",\"mode\":\"1777\"," \
	"\"owner\":\"500\",\"group\":\"513\",\"size\":\"0\",\"data_revision\":null,"             \
	"\"user_metadata_revision\":\"3\",\"extended_attributes\":{\"hidden\":true},"            \
	"\"change_time\":\"2024-05-01T08:09:10.000000007Z\",\"creation_time\":\"soon\"}"
#define SNAPSHOT                                                                               \
	"{\"id\":12,\"name\":\"12_cn_monitor_a\",\"source_file_id\":\"2\",\"policy_id\":null," \
	"\"timestamp\":\"1970-01-01T00:00:01.5Z\",\"expiration\":\"\",\"in_delete\":false}"
#define MOST 8

struct scene {
	uv_loop_t loop;
	struct http *http;
	struct raw_server *server;
	struct qumulo_address address;
	struct qumulo_settings settings;
	struct qumulo *qumulo;
	struct walk *walk;
	/* the server */
	const char *status, *body;
	bool holds; /* does not answer */
	struct raw_peer *peers[MOST];
	int asked_count;
	char *asked; /* the last request */
	/* the ends */
	int done_count;
	enum file_result result;
	char *error_class, *next, *first_path;
	struct walk_entry first; /* without its texts */
	enum tree_op op;
	size_t count;
	struct snapshot snapshot; /* without its texts */
	bool is_ours;
};

static void asked(void *ctx, struct raw_peer *peer, struct text request)
{
	struct scene *scene = ctx;

	free(scene->asked);
	scene->asked = text_copy(request);
	if (scene->holds && scene->asked_count < MOST)
		scene->peers[scene->asked_count] = peer;
	else
		raw_answer(peer, scene->status, "", scene->body);
	scene->asked_count++;
}

static int credential(void *ctx, char **token, char **username, char **password, struct error *err)
{
	*token = str_copy("access-v1:abcd");
	return 0;
}

static void scene_open(struct scene *scene, size_t most)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){ .status = "200 OK", .body = ENTRY };
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
	scene->server = raw_server_new(&scene->loop, asked, scene);
	scene->address = (struct qumulo_address){ "127.0.0.1", raw_server_port(scene->server), true,
						  "/api" };
	scene->settings = (struct qumulo_settings){ .name = "main",
						    .addresses = &scene->address,
						    .address_count = 1,
						    .credential = credential,
						    .timeout_ms = 5000 };
	scene->qumulo = qumulo_new(scene->http, &scene->settings);
	scene->walk = walk_new(scene->qumulo, most);
}

static void scene_forget(struct scene *scene)
{
	free(TAKE(scene->error_class));
	free(TAKE(scene->next));
	free(TAKE(scene->first_path));
}

static void scene_close(struct scene *scene)
{
	walk_free(scene->walk);
	qumulo_free(scene->qumulo);
	http_close(scene->http);
	raw_server_free(scene->server);
	assert_true(turn_out(&scene->loop));
	scene_forget(scene);
	free(scene->asked);
}

static void walk_told(void *ctx, const struct walk_answer *answer)
{
	struct scene *scene = ctx;

	scene_forget(scene);
	scene->done_count++;
	scene->result = answer->result;
	scene->error_class = str_copy(answer->error_class);
	scene->next = str_copy(answer->next);
	scene->count = answer->count;
	if (answer->count && answer->entries) {
		scene->first = answer->entries[0];
		scene->first_path = str_copy(answer->entries[0].path);
	} else if (answer->count) {
		scene->op = answer->changes[0].op;
		scene->first_path = str_copy(answer->changes[0].path);
	}
}

static void snapshots_told(void *ctx, const struct qumulo_answer *answer,
			   const struct snapshot *snapshots, size_t count)
{
	struct scene *scene = ctx;

	scene->done_count++;
	scene->result = answer->result;
	scene->count = count;
	if (count) {
		scene->snapshot = snapshots[0];
		scene->is_ours = snapshot_has_suffix(&snapshots[0], "cn_monitor_a") &&
				 !snapshot_has_suffix(&snapshots[0], "a");
	}
}

#define AWAIT(scene, condition) assert_true(TURN_UNTIL(&(scene).loop, condition, 8000))

static void one_object_is_looked_at_as_it_was_in_a_snapshot(void **state)
{
	struct scene scene;

	scene_open(&scene, 2);
	walk_look(scene.walk, "/home/joe", 7, walk_told, &scene);
	assert_int_equal(scene.done_count, 0);
	AWAIT(scene, scene.done_count);
	assert_non_null(strstr(scene.asked, "GET /api/v1/files/%2Fhome%2Fjoe/info/attributes"
					    "?snapshot=7 HTTP/1.1"));
	assert_int_equal(scene.result, FILE_OK);
	assert_string_equal(scene.first_path, "/home/joe");
	assert_int_equal(scene.first.type, FILE_DIRECTORY);
	assert_int_equal(scene.first.flags, 2);
	assert_int_equal(scene.first.changed_ns % 1000000000, 7);
	assert_int_equal(scene.first.created_ns, WALK_NO_TIME);
	scene_close(&scene);
}

static void a_listing_goes_on_where_the_page_before_it_says(void **state)
{
	struct scene scene;

	scene_open(&scene, 2);
	scene.body = "{\"files\":[" ENTRY "],\"paging\":{\"next\":\"/api/v1/files/3/entries/?x\"}}";
	walk_list(scene.walk, "3", 7, NULL, walk_told, &scene);
	AWAIT(scene, scene.done_count == 1);
	assert_non_null(
		strstr(scene.asked, "GET /api/v1/files/3/entries/?limit=1000&snapshot=7 HTTP"));
	assert_string_equal(scene.next, "/v1/files/3/entries/?x");
	scene.body = "{\"files\":[],\"paging\":{\"next\":null}}";
	AUTO(free) char *next = str_copy(scene.next);
	walk_list(scene.walk, "3", 7, next, walk_told, &scene);
	AWAIT(scene, scene.done_count == 2);
	assert_non_null(strstr(scene.asked, "GET /api/v1/files/3/entries/?x HTTP"));
	assert_null(scene.next);
	assert_int_equal(scene.count, 0);
	scene_close(&scene);
}

static void a_difference_is_read(void **state)
{
	struct scene scene;

	scene_open(&scene, 2);
	scene.body = "{\"entries\":[{\"op\":\"DELETE\",\"path\":\"/home/joe/\"}]}";
	walk_difference(scene.walk, 9, 7, NULL, walk_told, &scene);
	AWAIT(scene, scene.done_count);
	assert_non_null(
		strstr(scene.asked, "GET /api/v2/snapshots/9/changes-since/7?limit=1000 HTTP"));
	assert_int_equal(scene.op, TREE_DELETE);
	assert_string_equal(scene.first_path, "/home/joe");
	assert_null(scene.next);
	scene_close(&scene);
}

static void what_will_not_change_by_waiting_is_told_with_its_class(void **state)
{
	static const struct {
		const char *status;
		enum file_result result;
	} cases[] = { { "404 Not Found", FILE_GONE },
		      { "403 Forbidden", FILE_DENIED },
		      { "400 Bad Request", FILE_REFUSED } };
	struct scene scene;

	scene_open(&scene, 2);
	scene.body = "{\"error_class\":\"some_error\"}";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene.status = cases[i].status;
		walk_look(scene.walk, "5", WALK_NOW, walk_told, &scene);
		AWAIT(scene, scene.done_count == (int)i + 1);
		assert_int_equal(scene.result, cases[i].result);
		assert_string_equal(scene.error_class, "some_error");
		assert_int_equal(scene.count, 0);
	}
	scene_close(&scene);
}

static void what_may_work_later_is_asked_again_and_everybody_waits(void **state)
{
	static const char *const bodies[] = { "", "<html>", "[1]", "{\"id\":\"5\"}" };
	struct scene scene;

	scene_open(&scene, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		scene.status = i ? "200 OK" : "503 Upgrading";
		scene.body = bodies[i];
		scene.asked_count = scene.done_count = 0;
		walk_look(scene.walk, "5", WALK_NOW, walk_told, &scene);
		AWAIT(scene, *walk_trouble(scene.walk));
		walk_look(scene.walk, "6", WALK_NOW, walk_told, &scene);
		assert_int_equal(scene.asked_count, 1);
		scene.status = "200 OK";
		scene.body = ENTRY;
		AWAIT(scene, scene.done_count == 2);
		assert_int_equal(scene.result, FILE_OK);
		assert_int_equal(scene.asked_count, 3);
		assert_string_equal(walk_trouble(scene.walk), "");
	}
	scene_close(&scene);
}

static void no_more_are_under_way_than_the_ceiling_says(void **state)
{
	struct scene scene;

	scene_open(&scene, 3);
	scene.holds = true;
	for (int i = 0; i < 7; i++)
		walk_look(scene.walk, "5", WALK_NOW, walk_told, &scene);
	AWAIT(scene, scene.asked_count == 3);
	assert_int_equal(walk_requests(scene.walk), 3);
	raw_answer(scene.peers[0], "200 OK", "", ENTRY);
	AWAIT(scene, scene.asked_count == 4);
	assert_int_equal(scene.done_count, 1);
	assert_int_equal(walk_requests(scene.walk), 4);
	scene_close(&scene); /* with three under way and three that wait */
}

static void a_snapshot_is_taken_with_name_and_expiration(void **state)
{
	struct scene scene;

	scene_open(&scene, 2);
	scene.body = SNAPSHOT;
	snapshots_create(scene.qumulo, "cn_monitor_a", "2", 86400000, snapshots_told, &scene);
	AWAIT(scene, scene.done_count);
	assert_non_null(strstr(scene.asked, "POST /api/v3/snapshots/ HTTP"));
	assert_non_null(strstr(scene.asked, "\"expiration\":\"1970-01-02T00:00:00.000Z\""));
	assert_int_equal(scene.result, FILE_OK);
	assert_int_equal(scene.snapshot.id, 12);
	assert_int_equal(scene.snapshot.taken_ns, 1500000000);
	assert_true(scene.is_ours);
	scene.body = "{}";
	snapshots_create(scene.qumulo, "cn_monitor_a", "2", 86400000, snapshots_told, &scene);
	AWAIT(scene, scene.done_count == 2);
	assert_int_equal(scene.result, FILE_AMBIGUOUS); /* it may have been taken */
	scene_close(&scene);
}

static void snapshots_are_listed_prolonged_and_deleted(void **state)
{
	struct scene scene;

	scene_open(&scene, 2);
	scene.body = "{\"entries\":[" SNAPSHOT "," SNAPSHOT "]}";
	snapshots_list(scene.qumulo, snapshots_told, &scene);
	AWAIT(scene, scene.done_count == 1);
	assert_non_null(strstr(scene.asked, "GET /api/v3/snapshots/?filter=exclude_in_delete "));
	assert_int_equal(scene.count, 2);
	scene.body = SNAPSHOT;
	snapshots_prolong(scene.qumulo, 12, 86400000, snapshots_told, &scene);
	AWAIT(scene, scene.done_count == 2);
	assert_non_null(strstr(scene.asked, "PATCH /api/v3/snapshots/12 HTTP"));
	scene.status = "202 Accepted";
	scene.body = "";
	snapshots_delete(scene.qumulo, 12, snapshots_told, &scene);
	AWAIT(scene, scene.done_count == 3);
	assert_non_null(strstr(scene.asked, "DELETE /api/v3/snapshots/12 HTTP"));
	assert_int_equal(scene.result, FILE_OK);
	scene.status = "200 OK";
	scene.body = "{\"entries\":[{\"id\":1}]}";
	snapshots_list(scene.qumulo, snapshots_told, &scene);
	AWAIT(scene, scene.done_count == 4);
	assert_int_equal(scene.result, FILE_LATER);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_object_is_looked_at_as_it_was_in_a_snapshot),
		cmocka_unit_test(a_listing_goes_on_where_the_page_before_it_says),
		cmocka_unit_test(a_difference_is_read),
		cmocka_unit_test(what_will_not_change_by_waiting_is_told_with_its_class),
		cmocka_unit_test(what_may_work_later_is_asked_again_and_everybody_waits),
		cmocka_unit_test(no_more_are_under_way_than_the_ceiling_says),
		cmocka_unit_test(a_snapshot_is_taken_with_name_and_expiration),
		cmocka_unit_test(snapshots_are_listed_prolonged_and_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
