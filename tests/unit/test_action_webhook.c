#include "fake_action.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/sign.h"

#include <stdio.h>

#include "action/webhook_body.h"
#include "base/log.h"
#include "raw_server.h"

/* A web service that says what it is told to, once. */
struct service {
	struct raw_server *server;
	const char *status;
	const char *headers;
	const char *body;
	bool hangs_up;
	char *request;
};

static struct service service;

static void asked(void *ctx, struct raw_peer *peer, struct text request)
{
	free(service.request);
	service.request = text_copy(request);
	if (service.hangs_up)
		raw_reset(peer);
	else
		raw_answer(peer, service.status, service.headers, service.body);
}

static struct fake *scene(const char *more)
{
	struct fake *fake = fake_new();
	struct http *http = NULL;
	AUTO_ERROR err = { 0 };

	service = (struct service){ .status = "200 OK", .headers = "", .body = "" };
	service.server = raw_server_new(&fake->loop, asked, NULL);
	assert_int_equal(http_open(&http, &fake->loop, &err), 0);
	fake->host.http = http;
	AUTO(free)
	char *options = str_format("{\"url\": \"http://127.0.0.1:%d/secret/T0KEN\"%s}",
				   raw_server_port(service.server), more);
	fake_open(fake, "webhook", options);
	return fake;
}

static void scene_free(struct fake *fake)
{
	raw_server_free(service.server);
	free(service.request);
	fake_free(fake);
}
AUTO_DEFINE(struct fake *, scene_free)

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/home/<!channel> & \"co\".jpg");

	fake_go(fake, run);
	return run;
}

static json_t *posted(void)
{
	const char *body = strstr(service.request, "\r\n\r\n");
	json_t *object = json_loads(body + 4, 0, NULL);

	assert_non_null(object);
	return object;
}

static const char *text_in(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void a_generic_hook_gets_a_cloud_event(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene(", \"text\": \"saw {file_id}\", \"headers\": [\"X-Key: k3y\"]");
	AUTO(fake_run_free) struct action_run *run = go(fake);
	json_t *object = posted();
	json_t *data = json_object_get(object, "data");

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_non_null(strstr(service.request, "POST /secret/T0KEN HTTP/1.1\r\n"));
	assert_non_null(strstr(service.request,
			       "Content-Type: application/cloudevents+json; charset=utf-8\r\n"));
	assert_non_null(strstr(service.request, "X-Key: k3y\r\n"));
	assert_string_equal(text_in(object, "specversion"), "1.0");
	assert_string_equal(text_in(object, "id"), "1795366800123-12-0");
	assert_string_equal(text_in(object, "source"), "/cn_monitor/default/main");
	assert_string_equal(text_in(object, "type"), "cn_monitor.child_file_added");
	assert_string_equal(text_in(object, "subject"), "/home/<!channel> & \"co\".jpg");
	assert_string_equal(text_in(object, "time"), "2026-11-22T17:00:00.123Z");
	assert_string_equal(text_in(data, "rule"), "no-media");
	assert_string_equal(text_in(data, "text"), "saw 7");
	json_decref(object);
}

static void a_slack_hook_gets_a_text_that_no_file_name_can_abuse(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene(", \"preset\": \"slack\", \"text\": \"<https://x|look> {name}\"");
	AUTO(fake_run_free) struct action_run *run = go(fake);
	json_t *object = posted();

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(text_in(object, "text"),
			    "<https://x|look> &lt;!channel&gt; &amp; \"co\".jpg");
	json_decref(object);
}

static void a_chat_without_a_text_is_told_rule_event_and_path(void **state)
{
	AUTO(scene_free) struct fake *fake = scene(", \"preset\": \"slack\"");
	AUTO(fake_run_free) UNUSED struct action_run *run = go(fake);
	json_t *object = posted();

	assert_string_equal(text_in(object, "text"),
			    "no-media: child_file_added /home/&lt;!channel&gt; &amp; \"co\".jpg");
	json_decref(object);
}

static void a_teams_hook_gets_an_adaptive_card_without_markdown(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene(", \"preset\": \"teams\", \"text\": \"{name}\"");
	AUTO(fake_run_free) UNUSED struct action_run *run = go(fake);
	json_t *object = posted();
	json_t *attachment = json_array_get(json_object_get(object, "attachments"), 0);
	json_t *card = json_object_get(attachment, "content");
	json_t *block = json_array_get(json_object_get(card, "body"), 0);
	json_t *text = json_array_get(json_object_get(block, "inlines"), 0);

	assert_string_equal(text_in(object, "type"), "message");
	assert_string_equal(text_in(attachment, "contentType"),
			    "application/vnd.microsoft.card.adaptive");
	assert_string_equal(text_in(card, "type"), "AdaptiveCard");
	assert_string_equal(text_in(block, "type"), "RichTextBlock");
	assert_string_equal(text_in(text, "text"), "<!channel> & \"co\".jpg");
	json_decref(object);
}

static char *secret_file(const char *secret)
{
	AUTO(free) char *path = str_format("/tmp/cn_test_webhook.%d", (int)getpid());
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, secret, strlen(secret)), strlen(secret));
	close(file);
	return TAKE(path);
}

static void with_a_secret_a_cloud_event_is_signed(void **state)
{
	AUTO(free) char *path = secret_file("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
	AUTO(free) char *options = str_format(", \"secret_file\": \"%s\"", path);
	AUTO(scene_free) struct fake *fake = scene(options);
	AUTO(fake_run_free) struct action_run *run = go(fake);
	const char *body = strstr(service.request, "\r\n\r\n") + 4;
	AUTO(free)
	char *text = str_format("1795366800123-12-0.%lld.%s", (long long)NOW_MS / 1000, body);
	AUTO(free)
	char *signature =
		sign_message(TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), text_of(text));
	AUTO(free) char *line = str_format("webhook-signature: v1,%s\r\n", signature);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_non_null(strstr(service.request, "webhook-id: 1795366800123-12-0\r\n"));
	assert_non_null(strstr(service.request, line));
	unlink(path);
}

static void pagerduty_gets_an_event_that_its_own_end_resolves(void **state)
{
	AUTO(free) char *path = secret_file("R0UT1NG");
	AUTO(free)
	char *options = str_format(
		", \"preset\": \"pagerduty\", \"severity\": \"critical\", \"secret_file\": \"%s\"",
		path);
	AUTO(scene_free) struct fake *fake = scene(options);
	AUTO(fake_run_free) struct action_run *run = go(fake);
	json_t *object = posted(), *payload = json_object_get(object, "payload");

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_string_equal(text_in(object, "routing_key"), "R0UT1NG");
	assert_string_equal(text_in(object, "event_action"), "trigger");
	assert_string_equal(text_in(object, "dedup_key"), "cn_monitor:no-media:7");
	assert_string_equal(text_in(payload, "severity"), "critical");
	assert_string_equal(text_in(payload, "source"), "default");
	assert_string_equal(text_in(payload, "timestamp"), "2026-11-22T17:00:00.123Z");
	assert_non_null(strstr(text_in(payload, "summary"), "no-media: child_file_added /home/"));
	json_decref(object);
	unlink(path);
}

static void assert_outcome(const char *status, const char *headers, const char *body,
			   enum action_result outcome, const char *why)
{
	AUTO(scene_free) struct fake *fake = scene("");
	AUTO(fake_run_free) struct action_run *run = NULL;

	service.status = status;
	service.headers = headers;
	service.body = body;
	run = go(fake);
	assert_int_equal(run->outcome, outcome);
	if (!strstr(run->why, why))
		fail_msg("%s: '%s' does not say '%s'", status, run->why, why);
	if (strstr(run->why, "T0KEN") || strstr(run->why, "secret"))
		fail_msg("%s: '%s' shows the URL", status, run->why);
}

static void each_answer_has_its_outcome(void **state)
{
	assert_outcome("408 Timeout", "", "", ACTION_RETRY, "answered with status 408");
	assert_outcome("425 Too Early", "", "", ACTION_RETRY, "answered with status 425");
	assert_outcome("503 Busy", "", "<h1>busy</h1>\nsee you", ACTION_RETRY,
		       "answered with status 503: <h1>busy</h1>");
	assert_outcome("404 Not Found", "", "\n no_such_hook at /secret/T0KEN \nx", ACTION_REJECTED,
		       "answered with status 404: no_such_hook at /***");
	assert_outcome("400 Bad", "", "\033[31m\377", ACTION_REJECTED,
		       "status 400:  [31m\xEF\xBF\xBD");
	assert_outcome("302 Found", "Location: http://127.0.0.1:1/secret\r\n", "", ACTION_REJECTED,
		       "a redirect, which is not followed");
}

static void the_pause_that_the_service_asks_for_is_kept(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("");
	AUTO(fake_run_free) struct action_run *run = NULL;

	service.status = "429 Slow Down";
	service.headers = "Retry-After: 17\r\n";
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_true(run->not_before_ms == NOW_MS + 17000);
}

static void a_service_that_hangs_up_is_tried_again(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("");
	AUTO(fake_run_free) struct action_run *run = NULL;

	service.hangs_up = true;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_RETRY);
	assert_non_null(strstr(run->why, "http://127.0.0.1:"));
	assert_null(strstr(run->why, "T0KEN"));
}

static void an_answer_that_is_too_long_is_an_answer(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("");
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO(free) char *body = mem_new(200001);

	memset(body, 'x', 200000);
	service.body = body;
	run = go(fake);
	assert_int_equal(run->outcome, ACTION_DONE);
}

static void a_cancelled_post_says_nothing_more(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");

	run->action->type->start(run);
	run->action->type->cancel(run);
	assert_false(run->is_finished);
}

static char logged[300];

static void keep_line(enum log_level level, const char *who, const char *line)
{
	snprintf(logged, sizeof(logged), "%s", line);
}

static void the_url_and_its_headers_are_hidden_in_the_log(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene(", \"headers\": [\"Authorization: Bearer abcdefgh\"]");

	log_redirect(keep_line);
	log_info("x", "at /secret/T0KEN with Bearer abcdefgh, %p", (void *)fake);
	log_redirect(NULL);
	assert_null(strstr(logged, "T0KEN"));
	assert_null(strstr(logged, "abcdefgh"));
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("webhook"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void options_are_checked_when_they_are_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{url: ftp://x}", "begins with https://" },
		{ "{url: \"https://x/{path}\"}", "url (https://x): it may hold neither" },
		{ "{url: http://example.com/k}", "http://example.com is reached without" },
		{ "{url: https://x, verify_tls: no}", "is not checked" },
		{ "{url: https://x, preset: irc}", "generic, slack, teams or pagerduty" },
		{ "{url: https://x, headers: [nothing]}", "headers, number 1: expected 'Name:" },
		{ "{url: https://x, headers: [\"A: b\\r\\nC: d\"]}", "control characters" },
		{ "{url: https://x, text: \"{pth}\"}", "did you mean {path}?" },
		{ "{preset: slack}", "url" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *fine = checked("https://hooks.example.com/x");
	AUTO(free) char *loopback = checked("http://localhost:8080/x");
	assert_string_equal(fine, "");
	assert_string_equal(loopback, "");
}

static void a_plan_shows_scheme_and_host_only(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO(fake_run_free) struct action_run *run = NULL;
	AUTO_ERROR err = { 0 };
	struct http *http = NULL;

	assert_int_equal(http_open(&http, &fake->loop, &err), 0);
	fake->host.http = http;
	fake_open(fake, "webhook",
		  "{\"url\": \"https://joe:pw@hooks.example.com:8443?key=1\", \"preset\": "
		  "\"teams\"}");
	run = fake_run(fake, "7", "/a");
	AUTO(free) char *plan = run->action->type->plan(run);
	assert_string_equal(plan, "would post a teams message to https://hooks.example.com:8443");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_generic_hook_gets_a_cloud_event),
		cmocka_unit_test(a_slack_hook_gets_a_text_that_no_file_name_can_abuse),
		cmocka_unit_test(a_chat_without_a_text_is_told_rule_event_and_path),
		cmocka_unit_test(a_teams_hook_gets_an_adaptive_card_without_markdown),
		cmocka_unit_test(with_a_secret_a_cloud_event_is_signed),
		cmocka_unit_test(pagerduty_gets_an_event_that_its_own_end_resolves),
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(the_pause_that_the_service_asks_for_is_kept),
		cmocka_unit_test(a_service_that_hangs_up_is_tried_again),
		cmocka_unit_test(an_answer_that_is_too_long_is_an_answer),
		cmocka_unit_test(a_cancelled_post_says_nothing_more),
		cmocka_unit_test(the_url_and_its_headers_are_hidden_in_the_log),
		cmocka_unit_test(options_are_checked_when_they_are_loaded),
		cmocka_unit_test(a_plan_shows_scheme_and_host_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
