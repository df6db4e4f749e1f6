/* mail_text: a mail as RFC 5322 and MIME write it, whatever a file name holds. */
#ifndef ACTION_MAIL_TEXT_H
#define ACTION_MAIL_TEXT_H

#include "base/buf.h"

struct mail_text {
	const char *from; /* as a person wrote it: "storage <a@example.com>" */
	const char *const *to;
	size_t to_count;
	const char *subject; /* control characters become spaces; cut to a sane length */
	const char *body;
	const char *html;       /* the same as HTML; NULL: none */
	const char *list;       /* a list that is attached, as comma separated values; NULL: none */
	const char *message_id; /* without < and > */
	int64_t time_ms;
};

/* The whole message, lines ended by CR LF. For free(). */
char *mail_text_write(const struct mail_text *mail);
/* NULL, or what is wrong with "a@example.com" or "Name <a@example.com>". For free(). */
char *mail_text_check_address(const char *address);
/* The part after the @; "localhost" if there is none. For free(). */
char *mail_text_domain(const char *address);

#endif
