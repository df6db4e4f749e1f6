#include "event/sse.h"

#include <assert.h>

#include "base/buf.h"

#define LONGEST_COMMENT 4096      /* the rest of a longer one is dropped */
#define KEPT_MEMORY (1024 * 1024) /* what a longer payload needed is given back */

static const char bom[] = "\xef\xbb\xbf";
static const char field[] = "data:";

enum place {
	AT_BOM,     /* at the very start of the stream */
	IN_FIELD,   /* at the start of a line or in what may become "data:" */
	IN_DATA,    /* behind it */
	IN_COMMENT, /* behind the colon that starts a comment */
	IN_OTHER,   /* in a line that means nothing to us */
};

struct sse {
	struct sse_handler handler;
	enum place place;
	size_t matched;       /* bytes of bom or field seen so far */
	bool may_skip_space;  /* just behind the colon */
	bool may_skip_lf;     /* just behind a CR */
	bool has_data;        /* at least one data line of the message is complete or under way */
	struct text borrowed; /* the first data line, still in the caller's bytes: not copied yet */
	struct buf *payload;
	struct buf *comment;
	/* Where the next LF and CR of the bytes being fed are: each byte is searched once. */
	const char *next_lf;
	const char *next_cr;
};

struct sse *sse_new(const struct sse_handler *handler, size_t limit_bytes)
{
	struct sse *sse = NEW(struct sse);

	sse->handler = *handler;
	sse->payload = buf_new(limit_bytes);
	sse->comment = buf_new(LONGEST_COMMENT);
	return sse;
}

void sse_free(struct sse *sse)
{
	if (!sse)
		return;
	buf_free(sse->payload);
	buf_free(sse->comment);
	free(sse);
}

static void forget_message(struct sse *sse)
{
	sse->has_data = false;
	sse->borrowed = TEXT_NONE;
	if (sse->payload->room > KEPT_MEMORY)
		free(buf_take(sse->payload));
	buf_reset(sse->payload);
}

void sse_reset(struct sse *sse)
{
	forget_message(sse);
	buf_reset(sse->comment);
	sse->place = AT_BOM;
	sse->matched = 0;
	sse->may_skip_space = sse->may_skip_lf = false;
}

bool sse_is_amid(const struct sse *sse)
{
	return sse->has_data || (sse->place == IN_FIELD && sse->matched);
}

static int too_long(const struct sse *sse, struct error *err)
{
	return error_set(err, "a message of more than %zu bytes", sse->payload->limit);
}

/* The borrowed line must not outlive the caller's bytes, nor be followed by another. */
static int keep_borrowed(struct sse *sse, struct error *err)
{
	struct text line = sse->borrowed;

	sse->borrowed = TEXT_NONE;
	if (line.size && !buf_append(sse->payload, line.data, line.size))
		return too_long(sse, err);
	return 0;
}

/* A data line begins. */
static int start_data(struct sse *sse, struct error *err)
{
	sse->place = IN_DATA;
	sse->may_skip_space = true;
	if (keep_borrowed(sse, err) < 0)
		return -1;
	if (sse->has_data && !buf_append(sse->payload, "\n", 1))
		return too_long(sse, err);
	sse->has_data = true;
	return 0;
}

static void dispatch(struct sse *sse)
{
	if (!sse->has_data)
		return;

	struct text payload = sse->borrowed.size ? sse->borrowed : buf_text(sse->payload);

	sse->handler.data(sse->handler.ctx, payload.data ? payload : TEXT(""));
	forget_message(sse);
}

static int end_line(struct sse *sse, struct error *err)
{
	enum place place = sse->place;
	size_t matched = sse->matched;

	sse->place = IN_FIELD;
	sse->matched = 0;
	sse->may_skip_space = false;
	if (place == IN_COMMENT) {
		struct text comment = buf_text(sse->comment);

		if (sse->handler.comment)
			sse->handler.comment(sse->handler.ctx, comment.data ? comment : TEXT(""));
		buf_reset(sse->comment);
	} else if (place == IN_FIELD && matched == sizeof(field) - 2) {
		/* "data" without its colon is a data line without a value. */
		if (start_data(sse, err) < 0)
			return -1;
		sse->place = IN_FIELD;
		sse->may_skip_space = false;
	} else if (place <= IN_FIELD && matched == 0) {
		dispatch(sse);
	}
	return 0;
}

/* A stretch without line ends of the line under way. is_whole: it runs from behind the colon to
 * the end of the line. */
static int add_bytes(struct sse *sse, const char *data, size_t size, bool is_whole,
		     struct error *err)
{
	if (!size)
		return 0;
	if (sse->place == IN_DATA) {
		if (is_whole && !sse->payload->size && size <= sse->payload->limit)
			sse->borrowed = (struct text){ data, size };
		else if (!buf_append(sse->payload, data, size))
			return too_long(sse, err);
	} else if (sse->place == IN_COMMENT) {
		size = MIN(size, sse->comment->limit - sse->comment->size);
		if (!buf_append(sse->comment, data, size))
			assert(!"a comment past its ceiling");
	}
	return 0;
}

/* One byte at the start of a line, not a line end. */
static int start_line(struct sse *sse, char byte, struct error *err)
{
	if (sse->place == AT_BOM) {
		if (byte == bom[sse->matched]) {
			if (++sse->matched == sizeof(bom) - 1) {
				sse->place = IN_FIELD;
				sse->matched = 0;
			}
			return 0;
		}
		sse->place = sse->matched ? IN_OTHER : IN_FIELD;
		if (sse->place == IN_OTHER)
			return 0;
	}
	if (byte == ':' && sse->matched == 0) {
		sse->place = IN_COMMENT;
		sse->may_skip_space = true;
	} else if (byte != field[sse->matched]) {
		sse->place = IN_OTHER;
	} else if (++sse->matched == sizeof(field) - 1) {
		return start_data(sse, err);
	}
	return 0;
}

static const char *find_line_end(struct sse *sse, const char *at, const char *end)
{
	if (sse->next_lf < at) {
		sse->next_lf = memchr(at, '\n', end - at);
		if (!sse->next_lf)
			sse->next_lf = end;
	}
	if (sse->next_cr < at) {
		sse->next_cr = memchr(at, '\r', end - at);
		if (!sse->next_cr)
			sse->next_cr = end;
	}
	return MIN(sse->next_lf, sse->next_cr);
}

/* What is left of the line, or of the bytes; answers how far it came, NULL on error. */
static const char *take_line(struct sse *sse, const char *at, const char *end, struct error *err)
{
	bool starts_here = sse->may_skip_space;

	if (sse->may_skip_space && *at == ' ')
		at++;
	sse->may_skip_space = false;

	const char *stop = at < end ? find_line_end(sse, at, end) : end;

	if (add_bytes(sse, at, stop - at, starts_here && stop < end, err) < 0)
		return NULL;
	return stop;
}

static const char *take_piece(struct sse *sse, const char *at, const char *end, struct error *err)
{
	bool skip_lf = sse->may_skip_lf;

	sse->may_skip_lf = false;
	if (*at == '\n' && skip_lf)
		return at + 1;
	if (*at == '\n' || *at == '\r') {
		sse->may_skip_lf = *at == '\r';
		return end_line(sse, err) < 0 ? NULL : at + 1;
	}
	if (sse->place <= IN_FIELD)
		return start_line(sse, *at, err) < 0 ? NULL : at + 1;
	return take_line(sse, at, end, err);
}

int sse_feed(struct sse *sse, const char *data, size_t size, struct error *err)
{
	const char *end = data + size;

	sse->next_lf = sse->next_cr = NULL;
	while (data < end) {
		data = take_piece(sse, data, end, err);
		if (!data)
			return -1;
	}
	return keep_borrowed(sse, err);
}
