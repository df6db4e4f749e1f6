/* What of an expression must be in a text as it stands: its longest run of plain characters that is
 * neither in a group nor repeated. */
#include "base/buf.h"
#include "rule/regex.h"

#define WORD_LEAST 2

struct reader {
	const char *at;
	bool ignores_case;
	struct buf *run;
	size_t last; /* where the run's last character begins */
	char *best;
};

static void end_run(struct reader *reader)
{
	if (reader->run->size >= WORD_LEAST &&
	    (!reader->best || reader->run->size > strlen(reader->best))) {
		free(reader->best);
		reader->best = text_copy(buf_text(reader->run));
	}
	buf_reset(reader->run);
	reader->last = 0;
}

/* In another case, k and s are also the Kelvin sign and the long s. */
static bool is_alone(char c)
{
	return (c & 0x80) || strchr("kKsS", c);
}

static void add(struct reader *reader, char c)
{
	if (reader->ignores_case && is_alone(c)) {
		end_run(reader);
		return;
	}
	if ((c & 0xc0) != 0x80)
		reader->last = reader->run->size;
	if (!buf_append(reader->run, &c, 1))
		abort(); /* it has no ceiling */
}

/* The bytes of a set, up to behind its bracket; false if it has no end. */
static bool skip_set(struct reader *reader)
{
	const char *at = reader->at + 1;

	at += *at == '^';
	at += *at == ']';
	while (*at && *at != ']') {
		const char *class_end = *at == '[' && at[1] == ':' ? strstr(at, ":]") : NULL;

		if (class_end)
			at = class_end + 2;
		else
			at += *at == '\\' && at[1] ? 2 : 1;
	}
	reader->at = at + (*at != '\0');
	return *at;
}

/* Past the group that begins here. False: it says more than what is in it. */
static bool skip_group(struct reader *reader)
{
	unsigned depth = 0;

	do {
		if (*reader->at == '[') {
			if (!skip_set(reader))
				return false;
			continue;
		}
		if (*reader->at == '\\' && (!reader->at[1] || reader->at[1] == 'Q'))
			return false;
		if (*reader->at == '(') {
			depth++;
			if (reader->at[1] == '*' || (reader->at[1] == '?' && reader->at[2] != ':'))
				return false;
		}
		depth -= *reader->at == ')';
		reader->at += *reader->at == '\\' ? 2 : 1;
	} while (depth && *reader->at);
	return !depth;
}

/* Past a quantifier. What may be there no time at all does not count. */
static bool skip_quantifier(struct reader *reader)
{
	char kind = *reader->at++;

	if (kind == '{') {
		size_t size = strspn(reader->at, "0123456789, ");

		if (reader->at[size] != '}')
			return false;
		reader->at += size + 1;
	}
	if (kind != '+')
		reader->run->size = MIN(reader->run->size, reader->last);
	end_run(reader);
	reader->at += *reader->at == '?';
	return true;
}

/* Past an escape. False: it may take more of what follows than is known here. */
static bool skip_escape(struct reader *reader)
{
	char c = reader->at[1];
	bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

	if (!c || (is_letter && !strchr("dDwWsSbBAzZhHvVRnrtfae", c)))
		return false;
	reader->at += 2;
	if (is_letter)
		end_run(reader);
	else
		add(reader, c);
	return true;
}

/* One piece of the expression; false if no more is understood. */
static bool read_piece(struct reader *reader)
{
	switch (*reader->at) {
	case '|':
	case ')':
		return false;
	case '\\':
		return skip_escape(reader);
	case '[':
		end_run(reader);
		return skip_set(reader);
	case '(':
		end_run(reader);
		return skip_group(reader);
	case '*':
	case '?':
	case '+':
	case '{':
		return skip_quantifier(reader);
	case '.':
	case '^':
	case '$':
		end_run(reader);
		break;
	default:
		add(reader, *reader->at);
	}
	reader->at++;
	return true;
}

char *regex_word(const char *expression, bool ignore_case)
{
	AUTO(buf_free) struct buf *run = buf_new(SIZE_MAX);
	struct reader reader = { .at = expression, .ignores_case = ignore_case, .run = run };

	while (*reader.at) {
		if (!read_piece(&reader)) {
			free(reader.best);
			return NULL;
		}
	}
	end_run(&reader);
	return reader.best;
}
