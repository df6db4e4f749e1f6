#include "fake_action.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * As much of a mail server as libcurl talks to, for one connection; it says what it is told to
 * after the message. In a thread of its own, as fake's loop turns for the module only.
 */
struct server {
	int listener;
	pthread_t thread;
	struct buf *heard;
	const char *verdict;
};

static struct server server;
static struct mail_server settings;

static void say(int peer, const char *line)
{
	(void)!write(peer, line, strlen(line));
}

static const char *answer(struct text line, bool *is_message)
{
	if (*is_message) {
		*is_message = !text_is(line, ".");
		return *is_message ? "" : server.verdict;
	}
	if (text_starts_with(line, TEXT("EHLO")))
		return "250 here\r\n";
	*is_message = text_is(line, "DATA");
	return *is_message ? "354 go on\r\n" : "250 fine\r\n";
}

static void *serve(void *unused)
{
	int peer = accept(server.listener, NULL, NULL);
	bool is_message = false;
	size_t read_to = 0;
	char piece[4096];
	ssize_t size;

	if (peer < 0)
		return NULL;
	say(peer, "220 mail.example.com\r\n");
	while ((size = read(peer, piece, sizeof(piece))) > 0) {
		char *end;

		if (!buf_append(server.heard, piece, size))
			break;
		while ((end = memmem(server.heard->data + read_to, server.heard->size - read_to,
				     "\r\n", 2))) {
			struct text line = { server.heard->data + read_to,
					     end - server.heard->data - read_to };

			read_to += line.size + 2;
			say(peer, answer(line, &is_message));
		}
	}
	close(peer);
	return NULL;
}

static struct fake *scene(const char *options, const char *verdict)
{
	struct fake *fake = fake_new();
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	struct http *http = NULL;
	AUTO_ERROR err = { 0 };

	server = (struct server){ .verdict = verdict, .heard = buf_new(1 << 20) };
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server.listener, 4), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
	settings = (struct mail_server){ .host = "127.0.0.1",
					 .port = ntohs(address.sin_port),
					 .security = MAIL_PLAIN,
					 .from = "cn_monitor <storage@example.com>",
					 .timeout_ms = 10000 };
	assert_int_equal(http_open(&http, &fake->loop, &err), 0);
	fake->host.http = http;
	fake->host.mail = &settings;
	fake_open(fake, "email", options);
	return fake;
}

static void server_end(void)
{
	if (server.listener < 0)
		return;
	shutdown(server.listener, SHUT_RDWR); /* ends an accept that nobody came to */
	pthread_join(server.thread, NULL);
	close(server.listener);
	server.listener = -1;
}

static void scene_free(struct fake *fake)
{
	fake_free(fake);
	server_end();
	buf_free(server.heard);
}
AUTO_DEFINE(struct fake *, scene_free)

static struct action_run *go(struct fake *fake)
{
	struct action_run *run = fake_run(fake, "7", "/home/joe/r\xC3\xA9sum\xC3\xA9\n.jpg");

	fake_go(fake, run);
	server_end(); /* from here on what it heard is ours to read */
	return run;
}

static void assert_heard(const char *text)
{
	if (!strstr(server.heard->data, text))
		fail_msg("not heard: '%s' in:\n%s", text, server.heard->data);
}

static void a_mail_arrives_at_each_recipient(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene("{\"to\": [\"ops@example.com\", \"Joe <joe@example.com>\"], "
				  "\"subject\": \"{rule}\", \"body\": \"{path} at {time}\"}",
				  "250 kept\r\n");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_heard("MAIL FROM:<storage@example.com>");
	assert_heard("RCPT TO:<ops@example.com>\r\nRCPT TO:<joe@example.com>\r\n");
	assert_heard("Subject: no-media\r\n");
	assert_heard("Auto-Submitted: auto-generated\r\n");
	assert_heard("/home/joe/r=C3=A9sum=C3=A9\r\n=2Ejpg at 2026-11-22T17:00:00.123Z\r\n");
	assert_heard("Message-ID: <cn_monitor.1795366800123.12.0@example.com>\r\n");
	assert_string_equal(json_string_value(json_object_get(run->result, "message_id")),
			    "cn_monitor.1795366800123.12.0@example.com");
}

static void a_single_address_is_enough(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("\"ops@example.com\"", "250 kept\r\n");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_DONE);
	assert_heard("Subject: =?UTF-8?B?");
	assert_heard("rule:    no-media\r\n");
}

static void another_sender_may_be_named(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene("{\"to\": \"ops@example.com\", \"from\": \"me@example.org\"}",
				  "250 kept\r\n");
	AUTO(fake_run_free) UNUSED struct action_run *run = go(fake);

	assert_heard("MAIL FROM:<me@example.org>");
	assert_heard("From: me@example.org\r\n");
}

static void a_temporary_refusal_is_tried_again(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("\"ops@example.com\"", "451 later\r\n");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_RETRY);
}

static void a_final_refusal_is_final(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("\"ops@example.com\"", "554 no such\r\n");
	AUTO(fake_run_free) struct action_run *run = go(fake);

	assert_int_equal(run->outcome, ACTION_REJECTED);
}

static void a_cancelled_mail_says_nothing_more(void **state)
{
	AUTO(scene_free) struct fake *fake = scene("\"ops@example.com\"", "250 kept\r\n");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");

	run->action->type->start(run);
	run->action->type->cancel(run);
	assert_false(run->is_finished);
}

static void without_a_server_it_says_which_section_is_missing(void **state)
{
	AUTO(fake_free) struct fake *fake = fake_new();
	AUTO_ERROR err = { 0 };

	assert_int_equal(action_open(&fake->action, action_type_find("email"),
				     "{\"to\": \"ops@example.com\"}", &fake->host, &err),
			 -1);
	assert_string_equal(error_text(&err), "email: there is no mail server: SERVER is not set "
					      "in section [EMAIL] of cn_monitor.conf");
}

static char *checked(const char *options)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document = document_parse("w.yml", text_of(options), problems);

	action_check(action_type_find("email"), document_root(document),
		     document_root(document)->place, problems);
	return problems_format(problems, false);
}

static void options_are_checked_when_they_are_loaded(void **state)
{
	static const char *const pairs[][2] = {
		{ "{to: ops}", "email: to 'ops': expected an address" },
		{ "{to: [a@b, c]}", "email: to 'c'" },
		{ "{to: a@b, from: x}", "email: from 'x'" },
		{ "{to: a@b, digest: soon}", "digest 'soon': expected a duration" },
		{ "{to: a@b, subject: \"{nme}\"}", "did you mean {name}?" },
		{ "{subject: x}", "to" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO(free) char *found = checked(pairs[i][0]);

		if (!strstr(found, pairs[i][1]))
			fail_msg("%s: '%s' does not say '%s'", pairs[i][0], found, pairs[i][1]);
	}
	AUTO(free) char *fine = checked("{to: [a@b, Name <c@d>], subject: \"{rule}\"}");
	assert_string_equal(fine, "");
}

static void a_plan_says_who_would_be_told(void **state)
{
	AUTO(scene_free)
	struct fake *fake = scene("{\"to\": [\"a@b\", \"c@d\"], \"subject\": \"{rule}\"}", "");
	AUTO(fake_run_free) struct action_run *run = fake_run(fake, "7", "/a");
	AUTO(free) char *plan = run->action->type->plan(run);

	assert_string_equal(plan, "would mail 'no-media' to a@b, c@d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_arrives_at_each_recipient),
		cmocka_unit_test(a_single_address_is_enough),
		cmocka_unit_test(another_sender_may_be_named),
		cmocka_unit_test(a_temporary_refusal_is_tried_again),
		cmocka_unit_test(a_final_refusal_is_final),
		cmocka_unit_test(a_cancelled_mail_says_nothing_more),
		cmocka_unit_test(without_a_server_it_says_which_section_is_missing),
		cmocka_unit_test(options_are_checked_when_they_are_loaded),
		cmocka_unit_test(a_plan_says_who_would_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
