#include "action/mail_text.h"

#include <time.h>

#include "action/module.h"

#define SUBJECT_MAX 400 /* bytes: longer ones are cut by mail programs anyway */
#define LINE_MAX_BYTES 76
#define WORD_BYTES 42 /* of text in an encoded word: 56 of Base64, 68 with its frame */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static bool print_base64(struct buf *out, struct text text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	bool fits = true;

	for (size_t i = 0; i < text.size; i += 3) {
		size_t left = MIN(text.size - i, (size_t)3);
		unsigned bits = (unsigned char)text.data[i] << 16;
		char four[4];

		if (left > 1)
			bits |= (unsigned char)text.data[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)text.data[i + 2];
		for (size_t d = 0; d < 4; d++)
			four[d] = d > left ? '=' : digits[bits >> (18 - 6 * d) & 63];
		fits &= buf_append(out, four, 4);
	}
	return fits;
}

/* Words of RFC 2047, none of which cuts a character, folded onto lines of their own. */
static bool print_encoded(struct buf *out, struct text text)
{
	bool fits = true;

	while (text.size) {
		size_t size = module_fit(text, WORD_BYTES);

		fits &= buf_print(out, "=?UTF-8?B?");
		fits &= print_base64(out, (struct text){ text.data, size });
		fits &= buf_print(out, "?=");
		text.data += size;
		text.size -= size;
		if (text.size)
			fits &= buf_print(out, "\r\n ");
	}
	return fits;
}

/* Plain where it can be read as it is, within one line; else encoded. */
static bool print_subject(struct buf *out, const char *subject)
{
	AUTO(free) char *all = module_utf8(text_of(subject), SIZE_MAX / 2);
	struct text text = text_of(all);

	for (char *at = all; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7F)
			*at = ' ';
	AUTO(free) char *cut = NULL;
	if (text.size > SUBJECT_MAX) {
		cut = str_format("%.*s\xE2\x80\xA6", (int)module_fit(text, SUBJECT_MAX), all);
		text = text_of(cut);
	}
	if (is_ascii(text.data) && text.size < LINE_MAX_BYTES - strlen("Subject: ") &&
	    !strstr(text.data, "=?"))
		return buf_print(out, "Subject: %s\r\n", text.data);
	return buf_print(out, "Subject: ") && print_encoded(out, text) && buf_print(out, "\r\n");
}

/* "Name <a@b>": the name may need encoding, the address is known to be ASCII. */
static bool print_address(struct buf *out, const char *address)
{
	const char *open = strrchr(address, '<');

	if (is_ascii(address) || !open)
		return buf_append(out, address, strlen(address));
	return print_encoded(out, text_trim((struct text){ address, open - address })) &&
	       buf_print(out, " %s", open);
}

static bool print_date(struct buf *out, int64_t time_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = time_ms / 1000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	/* Not strftime: its names follow the language of whoever started us. */
	return buf_print(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n",
			 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
			 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Quoted-printable: readable as it is where it can be, lines short, nothing but ASCII. */
static bool print_body(struct buf *out, const char *body)
{
	AUTO(free) char *clean = module_utf8(text_of(body), SIZE_MAX / 2);
	size_t column = 0;
	bool fits = true;

	for (const unsigned char *at = (const unsigned char *)clean; *at; at++) {
		bool ends = !at[1] || at[1] == '\n' || (at[1] == '\r' && at[2] == '\n');
		bool is_blank = *at == ' ' || *at == '\t';
		bool is_plain = (*at > ' ' && *at <= '~' && *at != '=') || (is_blank && !ends);

		if (*at == '\n' || (*at == '\r' && at[1] == '\n')) {
			at += *at == '\r';
			fits &= buf_append(out, "\r\n", 2);
			column = 0;
			continue;
		}
		if (column + (is_plain ? 1 : 3) > LINE_MAX_BYTES - 1) {
			fits &= buf_append(out, "=\r\n", 3);
			column = 0;
		}
		/* A line "From ..." or "." means something to old mail stores and servers. */
		if (!column && (*at == '.' || strncmp((const char *)at, "From ", 5) == 0))
			is_plain = false;
		if (is_plain)
			fits &= buf_append(out, at, 1);
		else
			fits &= buf_print(out, "=%02X", *at);
		column += is_plain ? 1 : 3;
	}
	return fits && (!column || buf_append(out, "\r\n", 2));
}

/* What no quoted-printable text can hold. */
#define BOUNDARY "=_cn_monitor_"

static bool print_part(struct buf *out, const char *type, const char *more, const char *text)
{
	return buf_print(out,
			 "Content-Type: %s; charset=utf-8\r\n%s"
			 "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
			 type, more) &&
	       print_body(out, text);
}

static bool print_begin(struct buf *out, const char *kind)
{
	return buf_print(out,
			 "Content-Type: multipart/%s; boundary=\"" BOUNDARY "%s\"\r\n\r\n"
			 "--" BOUNDARY "%s\r\n",
			 kind, kind, kind);
}

static bool print_between(struct buf *out, const char *kind, const char *end)
{
	return buf_print(out, "\r\n--" BOUNDARY "%s%s\r\n", kind, end);
}

static bool print_text(struct buf *out, const struct mail_text *mail)
{
	if (!mail->html)
		return print_part(out, "text/plain", "", mail->body);
	return print_begin(out, "alternative") && print_part(out, "text/plain", "", mail->body) &&
	       print_between(out, "alternative", "") &&
	       print_part(out, "text/html", "", mail->html) &&
	       print_between(out, "alternative", "--");
}

static bool print_content(struct buf *out, const struct mail_text *mail)
{
	if (!mail->list)
		return print_text(out, mail);
	return print_begin(out, "mixed") && print_text(out, mail) &&
	       print_between(out, "mixed", "") &&
	       print_part(out, "text/csv",
			  "Content-Disposition: attachment; filename=\"events.csv\"\r\n",
			  mail->list) &&
	       print_between(out, "mixed", "--");
}

char *mail_text_write(const struct mail_text *mail)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX / 2);
	bool fits = buf_print(out, "From: ") && print_address(out, mail->from);

	for (size_t i = 0; i < mail->to_count; i++) {
		fits &= buf_print(out, i ? ",\r\n " : "\r\nTo: ");
		fits &= print_address(out, mail->to[i]);
	}
	fits &= buf_print(out, "\r\n");
	fits &= print_subject(out, mail->subject);
	fits &= print_date(out, mail->time_ms);
	fits &= buf_print(out,
			  "Message-ID: <%s>\r\nAuto-Submitted: auto-generated\r\n"
			  "MIME-Version: 1.0\r\n",
			  mail->message_id);
	fits &= print_content(out, mail);
	(void)fits; /* the ceiling is out of reach */
	return buf_take(out);
}

char *mail_text_check_address(const char *address)
{
	const char *open = strrchr(address, '<');
	struct text bare = text_trim(text_of(address));
	const char *at;

	for (const char *c = address; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			return str_copy("it holds control characters");
	if (open) {
		struct text rest = text_of(open + 1);

		if (!memchr(rest.data, '>', rest.size))
			return str_copy("its < has no >");
		bare = text_cut(&rest, '>');
	}
	at = bare.size ? memrchr(bare.data, '@', bare.size) : NULL;
	if (!at || at == bare.data || at == bare.data + bare.size - 1)
		return str_copy("expected an address like ops@example.com");
	for (size_t i = 0; i < bare.size; i++) {
		if ((unsigned char)bare.data[i] >= 0x80)
			return str_copy("an address may hold ASCII characters only");
		if (strchr(" <>,;()\"", bare.data[i]))
			return str_copy("expected one address like ops@example.com; for several "
					"write a list");
	}
	return NULL;
}

char *mail_text_domain(const char *address)
{
	const char *at = strrchr(address, '@');
	struct text rest = text_of(at ? at + 1 : "");
	struct text domain = text_trim(text_cut(&rest, '>'));

	return domain.size ? text_copy(domain) : str_copy("localhost");
}
