#include "check.h"

#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "qumulo/files.h"
#include "qumulo/notify.h"
#include "raw_server.h"
#include "turn.h"

#define ATTRIBUTES                                                                              \
	"{\"path\":\"/home/joe/\",\"name\":\"joe\",\"num_links\":2,"                            \
	"\"type\":\"FS_FILE_TYPE_DIRECTORY\",\"id\":\"95200597194320772806937149443\","         \
	"\"mode\":\"1777\",\"owner\":\"500\",\"group\":\"513\",\"size\":\"4096\","              \
	"\"owner_details\":{\"id_type\":\"LOCAL_USER\",\"id_value\":\"admin\"},"                \
	"\"group_details\":{\"id_type\":\"NFS_GID\",\"id_value\":\"100\"},"                     \
	"\"modification_time\":\"2024-05-01T08:09:10Z\",\"change_time\":\"2024-05-01T08:09:10." \
	"1Z\","                                                                                 \
	"\"creation_time\":\"2024-05-01T08:09:09Z\",\"new_member\":null}"

struct scene {
	uv_loop_t loop;
	struct http *http;
	struct raw_server *server;
	struct raw_server *second;
	struct qumulo *qumulo;
	struct qumulo_address addresses[2];
	struct qumulo_settings settings;
	/* the credential */
	const char *token;
	const char *username;
	const char *password;
	int read_count;
	/* the server */
	const char *status;
	const char *headers;
	const char *body;
	void (*answer)(struct scene *scene, struct raw_peer *peer, struct text request);
	char *asked; /* the last request */
	int asked_count;
	int log_in_count;
	int refused_count;
	const char *valid; /* token */
	struct raw_peer *peer;
	struct raw_peer *log_in_peer;
	/* the ends */
	int done_count;
	enum file_result result;
	int reply_status;
	char *why;
	char *error_class;
	int64_t retry_after_ms;
	struct file_info info;
	/* the stream */
	char *opened;
	struct buf *heard;
};

static void scene_asked(void *ctx, struct raw_peer *peer, struct text request)
{
	struct scene *scene = ctx;

	free(scene->asked);
	scene->asked = text_copy(request);
	scene->asked_count++;
	scene->peer = peer;
	if (scene->answer)
		scene->answer(scene, peer, request);
	else
		raw_answer(peer, scene->status, scene->headers, scene->body);
}

static int scene_credential(void *ctx, char **token, char **username, char **password,
			    struct error *err)
{
	struct scene *scene = ctx;

	scene->read_count++;
	if (!scene->token && !scene->username)
		return error_set(err, "token file: no such file");
	*token = str_copy(scene->token);
	*username = str_copy(scene->username);
	*password = str_copy(scene->password);
	return 0;
}

static void scene_open(struct scene *scene)
{
	AUTO_ERROR err = { 0 };

	*scene = (struct scene){
		.token = "access-v1:abcd", .status = "200 OK", .headers = "", .body = ATTRIBUTES
	};
	scene->heard = buf_new(1 << 20);
	uv_loop_init(&scene->loop);
	assert_int_equal(http_open(&scene->http, &scene->loop, &err), 0);
	scene->server = raw_server_new(&scene->loop, scene_asked, scene);
	scene->second = raw_server_new(&scene->loop, scene_asked, scene);
	scene->addresses[0] = (struct qumulo_address){ "127.0.0.1", raw_server_port(scene->server),
						       true, "/api" };
	scene->addresses[1] =
		(struct qumulo_address){ "127.0.0.1", raw_server_port(scene->second), true, "" };
	scene->settings = (struct qumulo_settings){
		.name = "main",
		.addresses = scene->addresses,
		.address_count = 1,
		.credential = scene_credential,
		.ctx = scene,
		.timeout_ms = 5000,
	};
	scene->qumulo = qumulo_new(scene->http, &scene->settings);
}

static void scene_renew(struct scene *scene)
{
	qumulo_free(scene->qumulo);
	scene->qumulo = qumulo_new(scene->http, &scene->settings);
}

static void scene_forget(struct scene *scene)
{
	free(TAKE(scene->why));
	free(TAKE(scene->error_class));
	file_info_clear(&scene->info);
}

static void scene_close(struct scene *scene)
{
	qumulo_free(scene->qumulo);
	http_close(scene->http);
	raw_server_free(scene->server);
	raw_server_free(scene->second);
	assert_true(turn_out(&scene->loop));
	scene_forget(scene);
	free(scene->asked);
	free(scene->opened);
	buf_free(scene->heard);
}

static void scene_done(void *ctx, const struct file_reply *reply)
{
	struct scene *scene = ctx;

	scene_forget(scene);
	scene->done_count++;
	scene->result = reply->result;
	scene->reply_status = reply->status;
	scene->why = str_copy(reply->why);
	scene->error_class = str_copy(reply->error_class);
	scene->retry_after_ms = reply->retry_after_ms;
	if (reply->info)
		file_info_copy(&scene->info, reply->info);
}

#define AWAIT(scene, condition) assert_true(TURN_UNTIL(&(scene).loop, condition, 8000))

static void get(struct scene *scene)
{
	int before = scene->done_count;

	files_get(scene->qumulo, "/home/joe", scene_done, scene);
	assert_int_equal(scene->done_count, before);
	AWAIT(*scene, scene->done_count > before);
}

static void move(struct scene *scene)
{
	int before = scene->done_count;

	files_move(scene->qumulo, "/home/j\xc3\xb6 \"x\".zip", "77", "new.zip", false, scene_done,
		   scene);
	AWAIT(*scene, scene->done_count > before);
}

static void attributes_are_read(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.headers = "ETag: \"12\"\r\n";
	get(&scene);
	assert_int_equal(scene.result, FILE_OK);
	assert_non_null(
		strstr(scene.asked, "GET /api/v1/files/%2Fhome%2Fjoe/info/attributes HTTP/1.1"));
	assert_non_null(strstr(scene.asked, "\r\nAuthorization: Bearer access-v1:abcd\r\n"));
	assert_string_equal(scene.info.id, "95200597194320772806937149443");
	assert_string_equal(scene.info.path, "/home/joe");
	assert_int_equal(scene.info.type, FILE_DIRECTORY);
	assert_int_equal(scene.info.mode, 01777);
	assert_int_equal(scene.info.size, 4096);
	assert_string_equal(scene.info.owner_value, "admin");
	assert_string_equal(scene.info.group_type, "NFS_GID");
	assert_string_equal(scene.info.change_time, "2024-05-01T08:09:10.1Z");
	assert_int_equal(scene.info.num_links, 2);
	assert_string_equal(scene.info.etag, "\"12\"");
	scene_close(&scene);
}

static void a_move_names_its_source_by_path_and_its_target_by_id(void **state)
{
	struct scene scene;

	scene_open(&scene);
	move(&scene);
	assert_int_equal(scene.result, FILE_OK);
	assert_non_null(scene.info.id);
	assert_non_null(strstr(scene.asked, "POST /api/v1/files/77/entries/ HTTP/1.1"));
	assert_non_null(strstr(scene.asked, "\"old_path\":\"/home/j\xc3\xb6 \\\"x\\\".zip\""));
	assert_non_null(strstr(scene.asked, "\"clobber\":false"));
	assert_non_null(strstr(scene.asked, "\"action\":\"RENAME\""));
	scene_close(&scene);
}

static void a_name_that_json_cannot_carry_is_refused_unsent(void **state)
{
	struct scene scene;

	scene_open(&scene);
	files_move(scene.qumulo, "/home/\xff", "77", "x", false, scene_done, &scene);
	assert_int_equal(scene.done_count, 0);
	AWAIT(scene, scene.done_count);
	assert_int_equal(scene.result, FILE_REFUSED);
	assert_int_equal(scene.asked_count, 0);
	scene_close(&scene);
}

static void a_change_sends_only_what_changes(void **state)
{
	struct file_change change = { .mode = "0640",
				      .owner_type = "NFS_UID",
				      .owner_value = "1000",
				      .group_type = "auth_id",
				      .group_value = "513" };
	struct scene scene;

	scene_open(&scene);
	files_change(scene.qumulo, "9", "\"12\"", &change, scene_done, &scene);
	AWAIT(scene, scene.done_count);
	assert_non_null(strstr(scene.asked, "PATCH /api/v1/files/9/info/attributes HTTP/1.1"));
	assert_non_null(strstr(scene.asked, "\r\nIf-Match: \"12\"\r\n"));
	assert_non_null(strstr(scene.asked, "{\"mode\":\"0640\",\"owner_details\":"
					    "{\"id_type\":\"NFS_UID\",\"id_value\":\"1000\"},"
					    "\"group\":\"513\"}"));
	scene_close(&scene);
}

static void statuses_and_classes_have_their_results(void **state)
{
	static const struct {
		const char *status;
		const char *body;
		enum file_result get;
		enum file_result move;
	} cases[] = {
		{ "400 Bad Request", "{\"error_class\":\"decode_error\"}", FILE_REFUSED,
		  FILE_REFUSED },
		{ "403 Forbidden", "{\"error_class\":\"fs_access_denied_error\"}", FILE_DENIED,
		  FILE_DENIED },
		{ "404 Not Found", "{\"error_class\":\"fs_no_such_inode_error\"}", FILE_GONE,
		  FILE_GONE },
		{ "404 Not Found", "", FILE_GONE, FILE_GONE },
		{ "405 No", "<html>", FILE_REFUSED, FILE_REFUSED },
		{ "409 Conflict", "{\"error_class\":\"fs_entry_exists_error\"}", FILE_EXISTS,
		  FILE_EXISTS },
		{ "409 Conflict", "{\"error_class\":\"fs_sharing_violation_error\"}", FILE_BUSY,
		  FILE_BUSY },
		{ "409 Conflict", "", FILE_EXISTS, FILE_EXISTS },
		{ "412 Failed", "{\"error_class\":\"some_new_error\"}", FILE_CHANGED,
		  FILE_CHANGED },
		{ "429 Slowly", "", FILE_LATER, FILE_LATER },
		{ "500 Oops", "{\"error_class\":\"cred_error\"}", FILE_LATER, FILE_LATER },
		{ "502 Bad Gateway", "<html>", FILE_LATER, FILE_AMBIGUOUS },
		{ "503 Upgrading", "<html><body>upgrading</body></html>", FILE_LATER, FILE_LATER },
		{ "504 Gateway", "", FILE_LATER, FILE_AMBIGUOUS },
		{ "507 Full", "{\"error_class\":\"fs_no_space_error\"}", FILE_LATER, FILE_LATER },
		{ "301 Over There", "", FILE_REFUSED, FILE_REFUSED },
		/* not what a cluster says */
		{ "200 OK", "<html>hello</html>", FILE_LATER, FILE_AMBIGUOUS },
		{ "200 OK", "", FILE_LATER, FILE_AMBIGUOUS },
		{ "200 OK", "{\"id\":5}", FILE_LATER, FILE_AMBIGUOUS },
		{ "200 OK", "[1]", FILE_LATER, FILE_AMBIGUOUS },
	};
	struct scene scene;

	scene_open(&scene);
	scene.headers = "Retry-After: 3\r\n";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene.status = cases[i].status;
		scene.body = cases[i].body;
		get(&scene);
		assert_int_equal(scene.result, cases[i].get);
		assert_non_null(strstr(scene.why, "HTTP "));
		assert_int_equal(scene.reply_status, atoi(cases[i].status));
		assert_int_equal(scene.retry_after_ms, 3000);
		move(&scene);
		assert_int_equal(scene.result, cases[i].move);
		if (strstr(cases[i].body, "error_class"))
			assert_non_null(strstr(cases[i].body, scene.error_class));
	}
	scene_close(&scene);
}

static void answer_with_a_reset(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_reset(peer);
}

static void a_lost_answer_is_ambiguous_only_for_what_changes_something(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_a_reset;
	move(&scene);
	assert_int_equal(scene.result, FILE_AMBIGUOUS);
	assert_int_equal(scene.asked_count, 1);
	get(&scene);
	assert_int_equal(scene.result, FILE_LATER);
	scene_close(&scene);
}

static void the_next_address_is_tried_while_nothing_was_sent(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.settings.address_count = 2;
	scene.addresses[0].port = 1; /* nobody listens there */
	scene_renew(&scene);
	move(&scene);
	assert_int_equal(scene.result, FILE_OK);
	assert_non_null(strstr(scene.asked, "POST /v1/files/77/entries/"));
	move(&scene); /* at once where it worked */
	assert_int_equal(scene.result, FILE_OK);
	scene.addresses[1].port = 1;
	move(&scene);
	assert_int_equal(scene.result, FILE_LATER);
	assert_int_equal(scene.reply_status, 0);
	scene_close(&scene);
}

/* 401 unless the request carries the valid token; log-ins by ann are welcome. */
static void answer_with_care(struct scene *scene, struct raw_peer *peer, struct text request)
{
	AUTO(free) char *bearer = str_format("Authorization: Bearer %s\r\n", scene->valid);

	if (strstr(scene->asked, "POST /api/v1/session/login")) {
		AUTO(free) char *body = str_format("{\"bearer_token\":\"%s\"}", scene->valid);

		scene->log_in_count++;
		if (!strstr(scene->asked, "{\"username\":\"ann\",\"password\":\"right\"}"))
			raw_answer(peer, "401 Unauthorized", "", "");
		else
			raw_answer(peer, "200 OK", "", body);
		return;
	}
	if (strstr(scene->asked, bearer))
		return raw_answer(peer, "200 OK", "", ATTRIBUTES);
	scene->refused_count++;
	raw_answer(peer, "401 Unauthorized", "", "");
}

static void a_replaced_token_is_read_again_after_a_401(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_care;
	scene.valid = "access-v1:abcd";
	get(&scene);
	assert_int_equal(scene.result, FILE_OK);
	scene.valid = scene.token = "access-v1:next";
	move(&scene);
	assert_int_equal(scene.result, FILE_OK);
	assert_int_equal(scene.read_count, 3); /* at first, to see that it is another, to use it */

	scene.valid = "access-v1:unknown";
	scene.refused_count = 0;
	move(&scene);
	assert_int_equal(scene.result, FILE_LATER); /* there may be another one soon */
	assert_int_equal(scene.reply_status, 401);
	assert_int_equal(scene.refused_count, 2); /* who-am-i is the second */
	scene.valid = scene.token = "access-v1:found";
	move(&scene);
	assert_int_equal(scene.result, FILE_OK);
	scene_close(&scene);
}

static void requests_at_the_same_time_share_one_log_in(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_care;
	scene.valid = "session-v1:one";
	scene.token = NULL;
	scene.username = "ann";
	scene.password = "right";
	for (int i = 0; i < 5; i++)
		files_get(scene.qumulo, "2", scene_done, &scene);
	AWAIT(scene, scene.done_count == 5);
	assert_int_equal(scene.result, FILE_OK);
	assert_int_equal(scene.log_in_count, 1);

	/* Ten hours later. */
	clock_hold(1000000);
	scene_renew(&scene);
	get(&scene);
	clock_advance(36000000);
	scene.valid = "session-v1:two";
	scene.log_in_count = 0;
	for (int i = 0; i < 5; i++)
		files_move(scene.qumulo, "/a", "2", "b", false, scene_done, &scene);
	AWAIT(scene, scene.done_count == 11);
	assert_int_equal(scene.result, FILE_OK);
	assert_int_equal(scene.log_in_count, 1);
	clock_release();
	scene_close(&scene);
}

static void answer_401_for_a_privilege(struct scene *scene, struct raw_peer *peer,
				       struct text request)
{
	scene->valid = "session-v1:good";
	if (strstr(scene->asked, "/v1/session/"))
		return answer_with_care(scene, peer, request);
	scene->refused_count++;
	raw_answer(peer, "401 Unauthorized", "", "{\"error_class\":\"http_unauthorized_error\"}");
}

static void a_401_for_a_missing_privilege_leads_to_no_loop_of_log_ins(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_401_for_a_privilege;
	scene.token = NULL;
	scene.username = "ann";
	scene.password = "right";
	for (int i = 0; i < 10; i++) {
		get(&scene);
		assert_int_equal(scene.result, FILE_DENIED);
	}
	assert_int_equal(scene.log_in_count, 1);
	assert_int_equal(scene.refused_count, 20); /* asked once more, knowing the token is good */
	scene_close(&scene);
}

static void answer_401_once(struct scene *scene, struct raw_peer *peer, struct text request)
{
	if (scene->refused_count || strstr(scene->asked, "/v1/session/"))
		return raw_answer(peer, "200 OK", "", ATTRIBUTES);
	scene->refused_count++;
	raw_answer(peer, "401 Unauthorized", "", "{\"error_class\":\"http_unauthorized_error\"}");
}

static void a_token_that_was_refused_for_a_moment_only_costs_nothing(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_401_once;
	move(&scene);
	assert_int_equal(scene.refused_count, 1);
	assert_int_equal(scene.result, FILE_OK);
	scene_close(&scene);
}

static void a_session_that_ended_early_is_renewed_once(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_care;
	scene.valid = "session-v1:one";
	scene.token = NULL;
	scene.username = "ann";
	scene.password = "right";
	get(&scene);
	scene.valid = "session-v1:two";
	move(&scene);
	assert_int_equal(scene.result, FILE_OK);
	assert_int_equal(scene.log_in_count, 2);
	scene_close(&scene);
}

static void a_call_is_cancelled_while_its_refusal_is_judged(void **state)
{
	struct scene scene;
	struct qumulo_call *call;

	scene_open(&scene);
	scene.answer = answer_with_care;
	scene.valid = "access-v1:other";
	call = files_move(scene.qumulo, "/a", "2", "b", false, scene_done, &scene);
	AWAIT(scene, scene.refused_count == 1 && strstr(scene.asked, "who-am-i") == NULL);
	AWAIT(scene, scene.refused_count == 2);
	qumulo_cancel(call);
	files_move(scene.qumulo, "/a", "2", "b", false, scene_done, &scene);
	AWAIT(scene, scene.refused_count == 4); /* closed amid the next one */
	assert_int_equal(scene.done_count, 0);
	scene_close(&scene);
}

static void a_refused_log_in_is_told_and_not_tried_again_at_once(void **state)
{
	struct scene scene;

	scene_open(&scene);
	clock_hold(1000000);
	scene.answer = answer_with_care;
	scene.valid = "session-v1:one";
	scene.token = NULL;
	scene.username = "ann";
	scene.password = "wrong";
	for (int i = 0; i < 5; i++) {
		get(&scene);
		assert_int_equal(scene.result, FILE_LATER);
		assert_int_equal(scene.reply_status, 0);
		assert_non_null(strstr(scene.why, "log-in of user ann at cluster 'main'"));
	}
	assert_int_equal(scene.log_in_count, 1);
	clock_advance(10000);
	get(&scene);
	assert_int_equal(scene.log_in_count, 2);
	scene.password = "right"; /* at once, then */
	get(&scene);
	assert_int_equal(scene.result, FILE_OK);
	clock_release();
	scene_close(&scene);
}

static void without_a_usable_credential_nothing_is_sent(void **state)
{
	AUTO(free) char *long_token = mem_new(8194);
	struct scene scene;

	scene_open(&scene);
	scene.token = NULL;
	get(&scene);
	assert_int_equal(scene.result, FILE_LATER);
	assert_non_null(strstr(scene.why, "token file: no such file"));
	scene.token = "two\r\nX-Lines: 1";
	get(&scene);
	assert_int_equal(scene.result, FILE_LATER);
	memset(long_token, 'x', 8193);
	scene.token = long_token;
	get(&scene);
	assert_int_equal(scene.result, FILE_LATER);
	assert_int_equal(scene.asked_count, 0);
	long_token[8192] = 0;
	get(&scene);
	assert_int_equal(scene.result, FILE_OK);
	scene_close(&scene);
}

static void answer_never(struct scene *scene, struct raw_peer *peer, struct text request)
{
}

static void what_is_cancelled_says_nothing(void **state)
{
	struct scene scene;
	struct qumulo_call *call;

	scene_open(&scene);
	scene.answer = answer_never;
	call = files_get(scene.qumulo, "2", scene_done, &scene);
	qumulo_cancel(call);
	scene.token = NULL;
	qumulo_cancel(files_get(scene.qumulo, "2", scene_done, &scene));
	files_get(scene.qumulo, "2", scene_done, &scene);
	scene.username = "ann";
	scene.password = "right";
	scene_renew(&scene);
	qumulo_cancel(files_get(scene.qumulo, "2", scene_done, &scene));
	files_get(scene.qumulo, "2", scene_done, &scene);
	AWAIT(scene, scene.asked_count);
	scene_close(&scene);
	assert_int_equal(scene.done_count, 0);
}

static void answer_with_pages(struct scene *scene, struct raw_peer *peer, struct text request)
{
	if (strstr(scene->asked, "after=2"))
		raw_answer(
			peer, "200 OK", "",
			"{\"files\":[{\"name\":\"A b\",\"id\":\"5\",\"path\":\"/A b\"},"
			"{\"name\":\"a b\",\"id\":\"6\",\"path\":\"/a b\"}],\"paging\":{\"next\":"
			"null}}");
	else
		raw_answer(peer, "200 OK", "",
			   "{\"files\":[],\"paging\":{\"next\":\"/v1/files/2/entries/?after=2\"}}");
}

static void an_entry_is_found_by_its_exact_name_on_any_page(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_pages;
	files_find(scene.qumulo, "2", "a b", scene_done, &scene);
	AWAIT(scene, scene.asked_count == 1);
	assert_non_null(strstr(scene.asked, "/files/2/entries/?limit=1000&smb-pattern=a%20b "));
	AWAIT(scene, scene.done_count == 1);
	assert_int_equal(scene.result, FILE_OK);
	assert_string_equal(scene.info.id, "6");
	assert_non_null(strstr(scene.asked, "GET /api/v1/files/2/entries/?after=2 "));
	files_find(scene.qumulo, "2", "a B", scene_done, &scene);
	AWAIT(scene, scene.done_count == 2);
	assert_int_equal(scene.result, FILE_GONE);
	scene_close(&scene);
}

static void stream_opened(void *ctx, const char *address)
{
	((struct scene *)ctx)->opened = str_copy(address);
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	assert_true(buf_append(((struct scene *)ctx)->heard, data, size));
}

static void stream_ended(void *ctx, enum file_result result, int status, const char *why,
			 int64_t retry_after_ms)
{
	scene_done(ctx, &(struct file_reply){ .result = result,
					      .status = status,
					      .why = why,
					      .error_class = "",
					      .retry_after_ms = retry_after_ms });
}

static struct notify *listen_to(struct scene *scene)
{
	struct notify_handler handler = { scene, stream_opened, stream_data, stream_ended };

	free(TAKE(scene->opened));
	return notify_start(scene->qumulo, "/home", true, "child_file_added,self_removed",
			    &handler);
}

static void answer_with_a_stream(struct scene *scene, struct raw_peer *peer, struct text request)
{
	raw_say(peer, "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Source; charset=utf-8\r\n"
		      "Transfer-Encoding: chunked\r\n\r\nc\r\n: watching\n\n\r\n");
}

static void a_stream_is_opened_heard_paused_and_ended(void **state)
{
	struct notify *notify;
	struct scene scene;

	scene_open(&scene);
	scene.answer = answer_with_a_stream;
	notify = listen_to(&scene);
	AWAIT(scene, scene.heard->size == 12);
	assert_non_null(strstr(scene.asked, "GET /api/v1/files/%2Fhome/notify?recursive=true&"
					    "filter=child_file_added,self_removed HTTP/1.1"));
	assert_non_null(strstr(scene.opened, "127.0.0.1:"));
	assert_string_equal(scene.heard->data, ": watching\n\n");
	notify_pause(notify, true);
	raw_say(scene.peer, "1\r\nx\r\n");
	assert_false(TURN_UNTIL(&scene.loop, scene.heard->size > 12, 50));
	notify_pause(notify, false);
	AWAIT(scene, scene.heard->size == 13);
	raw_say(scene.peer, "0\r\n\r\n");
	AWAIT(scene, scene.done_count);
	assert_int_equal(scene.result, FILE_OK);

	listen_to(&scene);
	AWAIT(scene, scene.opened);
	raw_reset(scene.peer);
	AWAIT(scene, scene.done_count == 2);
	assert_int_equal(scene.result, FILE_LATER);

	notify_cancel(listen_to(&scene));
	scene_close(&scene);
}

static void a_stream_that_is_none_is_an_error(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.headers = "Content-Type: text/html\r\n";
	scene.body = "<html>";
	listen_to(&scene);
	AWAIT(scene, scene.done_count == 1);
	assert_int_equal(scene.result, FILE_REFUSED);
	assert_non_null(strstr(scene.why, "text/html"));
	scene.headers = "";
	listen_to(&scene);
	AWAIT(scene, scene.done_count == 2);
	assert_int_equal(scene.result, FILE_REFUSED);

	scene.status = "429 Slowly";
	scene.headers = "Retry-After: 7\r\n";
	scene.body = "{\"error_class\":\"busy\",\"description\":\"not now\"}";
	listen_to(&scene);
	AWAIT(scene, scene.done_count == 3);
	assert_int_equal(scene.result, FILE_LATER);
	assert_int_equal(scene.retry_after_ms, 7000);
	assert_non_null(strstr(scene.why, "not now"));

	scene.status = "401 Unauthorized";
	listen_to(&scene);
	AWAIT(scene, scene.done_count == 4);
	assert_int_equal(scene.result, FILE_LATER);
	assert_int_equal(scene.reply_status, 401);
	assert_null(scene.opened);
	scene_close(&scene);
}

static void each_stream_takes_the_next_address(void **state)
{
	struct scene scene;

	scene_open(&scene);
	scene.settings.address_count = 2;
	scene_renew(&scene);
	scene.status = "503 Rebooting";
	for (int i = 1; i <= 4; i++) {
		listen_to(&scene);
		AWAIT(scene, scene.done_count == i);
	}
	assert_int_equal(raw_server_connections(scene.server), 2);
	assert_int_equal(raw_server_connections(scene.second), 2);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_read),
		cmocka_unit_test(a_move_names_its_source_by_path_and_its_target_by_id),
		cmocka_unit_test(a_name_that_json_cannot_carry_is_refused_unsent),
		cmocka_unit_test(a_change_sends_only_what_changes),
		cmocka_unit_test(statuses_and_classes_have_their_results),
		cmocka_unit_test(a_lost_answer_is_ambiguous_only_for_what_changes_something),
		cmocka_unit_test(the_next_address_is_tried_while_nothing_was_sent),
		cmocka_unit_test(a_replaced_token_is_read_again_after_a_401),
		cmocka_unit_test(requests_at_the_same_time_share_one_log_in),
		cmocka_unit_test(a_401_for_a_missing_privilege_leads_to_no_loop_of_log_ins),
		cmocka_unit_test(a_token_that_was_refused_for_a_moment_only_costs_nothing),
		cmocka_unit_test(a_session_that_ended_early_is_renewed_once),
		cmocka_unit_test(a_call_is_cancelled_while_its_refusal_is_judged),
		cmocka_unit_test(a_refused_log_in_is_told_and_not_tried_again_at_once),
		cmocka_unit_test(without_a_usable_credential_nothing_is_sent),
		cmocka_unit_test(what_is_cancelled_says_nothing),
		cmocka_unit_test(an_entry_is_found_by_its_exact_name_on_any_page),
		cmocka_unit_test(a_stream_is_opened_heard_paused_and_ended),
		cmocka_unit_test(a_stream_that_is_none_is_an_error),
		cmocka_unit_test(each_stream_takes_the_next_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
