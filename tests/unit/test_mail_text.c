#include "check.h"

#include <stdio.h>

#include "action/mail_text.h"

static const char *const to[] = { "ops@example.com", "J\xC3\xB6rg <joe@example.com>" };

static char *written(const char *subject, const char *body)
{
	struct mail_text mail = {
		.from = "cn_monitor <storage@example.com>",
		.to = to,
		.to_count = 2,
		.subject = subject,
		.body = body,
		.message_id = "cn_monitor.1.2.0@example.com",
		.time_ms = 1795366805123,
	};

	return mail_text_write(&mail);
}

static void assert_lines_are_short_ascii(const char *mail)
{
	size_t column = 0;

	for (const char *at = mail; *at; at++) {
		assert_true((unsigned char)*at < 0x80 && *at);
		if (*at == '\n') {
			assert_true(at > mail && at[-1] == '\r');
			assert_true(column <= 79);
			column = 0;
		} else if (*at != '\r') {
			column++;
		}
	}
	assert_int_equal(column, 0);
}

static void a_mail_has_all_that_rfc_5322_asks_for(void **state)
{
	AUTO(free) char *mail = written("a file", "Hello,\n/home/a.jpg\n");

	assert_string_equal(mail, "From: cn_monitor <storage@example.com>\r\n"
				  "To: ops@example.com,\r\n"
				  " =?UTF-8?B?SsO2cmc=?= <joe@example.com>\r\n"
				  "Subject: a file\r\n"
				  "Date: Sun, 22 Nov 2026 17:00:05 +0000\r\n"
				  "Message-ID: <cn_monitor.1.2.0@example.com>\r\n"
				  "Auto-Submitted: auto-generated\r\n"
				  "MIME-Version: 1.0\r\n"
				  "Content-Type: text/plain; charset=utf-8\r\n"
				  "Content-Transfer-Encoding: quoted-printable\r\n"
				  "\r\n"
				  "Hello,\r\n"
				  "/home/a.jpg\r\n");
}

static void a_name_with_a_newline_injects_no_header(void **state)
{
	AUTO(free) char *mail = written("a\r\nBcc: eve@example.com\n\nbody", "x");

	assert_non_null(strstr(mail, "Subject: a  Bcc: eve@example.com  body\r\n"));
	assert_null(strstr(mail, "\nBcc:"));
}

static void a_long_subject_is_cut_and_folded_between_characters(void **state)
{
	char subject[3001];

	for (size_t i = 0; i < 3000; i += 3)
		memcpy(subject + i, "\xE2\x82\xAC", 4);
	AUTO(free) char *mail = written(subject, "x");
	assert_lines_are_short_ascii(mail);
	assert_non_null(strstr(mail, "Subject: =?UTF-8?B?4oKs4oKs4oKs"));
	/* 42 bytes are 14 whole characters, 56 digits and no padding. */
	assert_non_null(strstr(mail, "4oKs?=\r\n =?UTF-8?B?4oKs"));
}

static void what_looks_like_an_encoded_word_is_encoded(void **state)
{
	AUTO(free) char *mail = written("=?UTF-8?B?eA==?=", "x");

	assert_non_null(strstr(mail, "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n"));
}

static void a_body_of_any_bytes_is_short_lines_of_ascii(void **state)
{
	char body[5000];

	for (size_t i = 0; i < sizeof(body) - 1; i++)
		body[i] = (char)(1 + i * 7 % 255);
	body[sizeof(body) - 1] = 0;
	AUTO(free) char *mail = written("x", body);
	assert_lines_are_short_ascii(mail);
}

static void the_body_keeps_what_mail_programs_would_spoil(void **state)
{
	AUTO(free) char *mail = written("x", "From here\n.\na=b \n\xC3\xA4\t");
	const char *body = strstr(mail, "\r\n\r\n") + 4;

	assert_string_equal(body, "=46rom here\r\n=2E\r\na=3Db=20\r\n=C3=A4=09\r\n");
}

static void a_long_line_is_broken_softly(void **state)
{
	char line[201];

	memset(line, 'x', 200);
	line[200] = 0;
	AUTO(free) char *mail = written("x", line);
	const char *body = strstr(mail, "\r\n\r\n") + 4;

	assert_int_equal(strcspn(body, "\r"), 76);
	assert_int_equal(body[75], '=');
	assert_lines_are_short_ascii(mail);
}

static void addresses_are_checked(void **state)
{
	static const char *const wrong[] = { "ops",           "@example.com", "ops@",
					     "a@b, c@d",      "a b@c",        "x <a@b",
					     "a@b\nBcc: c@d", "\xC3\xA4@b",   "Name <>" };
	static const char *const right[] = { "ops@example.com", "The Ops <ops@example.com>",
					     "J\xC3\xB6rg <j@example.com>" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(free) char *message = mail_text_check_address(wrong[i]);

		if (!message)
			fail_msg("'%s' was accepted", wrong[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		assert_null(mail_text_check_address(right[i]));
}

static void the_domain_is_what_follows_the_at(void **state)
{
	AUTO(free) char *bare = mail_text_domain("a@example.com");
	AUTO(free) char *named = mail_text_domain("A <a@example.org>");
	AUTO(free) char *none = mail_text_domain("a");

	assert_string_equal(bare, "example.com");
	assert_string_equal(named, "example.org");
	assert_string_equal(none, "localhost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_has_all_that_rfc_5322_asks_for),
		cmocka_unit_test(a_name_with_a_newline_injects_no_header),
		cmocka_unit_test(a_long_subject_is_cut_and_folded_between_characters),
		cmocka_unit_test(what_looks_like_an_encoded_word_is_encoded),
		cmocka_unit_test(a_body_of_any_bytes_is_short_lines_of_ascii),
		cmocka_unit_test(the_body_keeps_what_mail_programs_would_spoil),
		cmocka_unit_test(a_long_line_is_broken_softly),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(the_domain_is_what_follows_the_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
