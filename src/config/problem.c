#include "config/problem.h"

#include <stdio.h>
#include <utf8proc.h>

enum {
	PROBLEMS_KEPT = 100,
	MESSAGE_MAX = 1000, /* characters */
	TAB_WIDTH = 8,
	EXCERPT_BEFORE = 60, /* columns of a long line that are shown left of the caret */
	EXCERPT_WIDTH = 100,
};

struct source {
	char *file; /* NULL for problems that belong to no file */
	char *content;
	size_t size;
	struct source *next;
	size_t index; /* in order of the first mention */
};

struct kept {
	struct problem problem;
	size_t source;
	size_t order;
};

struct problems {
	struct source *sources;
	size_t source_count;
	struct kept kept[PROBLEMS_KEPT];
	size_t kept_count;
	size_t errors;
	size_t warnings;
};

struct problems *problems_new(void)
{
	return NEW(struct problems);
}

void problems_free(struct problems *problems)
{
	if (!problems)
		return;
	for (size_t i = 0; i < problems->kept_count; i++)
		free(problems->kept[i].problem.message);
	while (problems->sources) {
		struct source *source = problems->sources;

		problems->sources = source->next;
		free(source->file);
		free(source->content);
		free(source);
	}
	free(problems);
}

/* Places borrow their file's name, so each name is kept here as long as the problems. */
static struct source *source_of(struct problems *problems, const char *file)
{
	struct source **link = &problems->sources;

	for (; *link; link = &(*link)->next) {
		struct source *source = *link;

		if (file && source->file ? strcmp(file, source->file) == 0 : file == source->file)
			return source;
	}
	*link = NEW(struct source);
	(*link)->file = str_copy(file);
	(*link)->index = problems->source_count++;
	return *link;
}

void problems_add_source(struct problems *problems, const char *file, struct text content)
{
	struct source *source = source_of(problems, file);

	free(source->content);
	source->content = text_copy(content);
	source->size = content.size;
}

/*
 * One character, moved past, as it may be shown: its text in out (at least 16 bytes), its columns
 * as the answer. What could steer a terminal, reverse a line or hide itself is written as a number.
 */
static int shown(struct text *rest, int column, char *out)
{
	/* Nearly all are plain, and a line may have sixteen million of them. */
	if (rest->data[0] >= ' ' && rest->data[0] < 0x7f) {
		out[0] = rest->data[0];
		out[1] = 0;
		rest->data++;
		rest->size--;
		return 1;
	}

	utf8proc_int32_t code;
	ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)rest->data, rest->size, &code);
	bool is_valid = used > 0;

	if (!is_valid) {
		used = 1;
		code = (unsigned char)rest->data[0];
	}

	const char *data = rest->data;

	rest->data += used;
	rest->size -= used;
	if (code == '\t' && column >= 0)
		return snprintf(out, 16, "%*s", TAB_WIDTH - column % TAB_WIDTH, "");
	if (!is_valid || code < 0x20 || code == 0x7f || (code >= 0x80 && code < 0xa0))
		return snprintf(out, 16, "\\x%02x", (unsigned)code);
	if (code == 0x61c || code == 0x200e || code == 0x200f || code == 0xfeff ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return snprintf(out, 16, "\\u%04x", (unsigned)code);
	memcpy(out, data, used);
	out[used] = 0;
	return utf8proc_charwidth(code);
}

static char *shown_text(struct text text, size_t most)
{
	AUTO(buf_free) struct buf *buf = buf_new(SIZE_MAX);
	size_t count = 0;
	char one[16];

	while (text.size && count++ < most) {
		shown(&text, -1, one);
		(void)!buf_append(buf, one, strlen(one));
	}
	if (text.size)
		(void)!buf_append(buf, "...", 3);
	return buf_take(buf);
}

/* An error matters more than a warning that came before it. */
static struct kept *room_for(struct problems *problems, bool is_warning)
{
	if (problems->kept_count < PROBLEMS_KEPT)
		return &problems->kept[problems->kept_count++];
	for (size_t i = PROBLEMS_KEPT; !is_warning && i-- > 0;) {
		if (problems->kept[i].problem.is_warning) {
			free(problems->kept[i].problem.message);
			return &problems->kept[i];
		}
	}
	return NULL;
}

static void add(struct problems *problems, struct place place, bool is_warning, const char *format,
		va_list args)
{
	struct kept *kept = room_for(problems, is_warning);
	size_t order = problems->errors + problems->warnings;

	if (is_warning)
		problems->warnings++;
	else
		problems->errors++;
	if (!kept)
		return;

	struct source *source = source_of(problems, place.file);
	AUTO(free) char *message = str_vformat(format, args);

	kept->problem = (struct problem){
		.place = { source->file, place.line, place.column },
		.is_warning = is_warning,
		.message = shown_text(text_of(message), MESSAGE_MAX),
	};
	kept->source = source->index;
	kept->order = order;
}

void problems_error(struct problems *problems, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, place, false, format, args);
	va_end(args);
}

void problems_warning(struct problems *problems, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, place, true, format, args);
	va_end(args);
}

size_t problems_error_count(const struct problems *problems)
{
	return problems->errors;
}

size_t problems_warning_count(const struct problems *problems)
{
	return problems->warnings;
}

static int by_place(const void *left, const void *right)
{
	const struct kept *a = *(const struct kept *const *)left;
	const struct kept *b = *(const struct kept *const *)right;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->problem.place.line != b->problem.place.line)
		return a->problem.place.line < b->problem.place.line ? -1 : 1;
	if (a->problem.place.column != b->problem.place.column)
		return a->problem.place.column < b->problem.place.column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void problems_visit(const struct problems *problems,
		    void (*visit)(void *ctx, const struct problem *problem), void *ctx)
{
	const struct kept *sorted[PROBLEMS_KEPT];

	for (size_t i = 0; i < problems->kept_count; i++)
		sorted[i] = &problems->kept[i];
	qsort(sorted, problems->kept_count, sizeof(sorted[0]), by_place);
	for (size_t i = 0; i < problems->kept_count; i++)
		visit(ctx, &sorted[i]->problem);
}

/* Lines end with LF, CR LF or CR, as YAML has it. */
static struct text next_line(struct text *rest)
{
	struct text line = *rest;
	size_t end = 0;

	while (end < rest->size && rest->data[end] != '\n' && rest->data[end] != '\r')
		end++;
	line.size = end;
	if (end < rest->size)
		end += 1 + (rest->data[end] == '\r' && end + 1 < rest->size &&
			    rest->data[end + 1] == '\n');
	rest->data += end;
	rest->size -= end;
	return line;
}

static bool find_line(const struct problems *problems, struct place place, struct text *out)
{
	struct source *source = problems->sources;

	while (source && source->file != place.file)
		source = source->next;
	if (!source || !source->content || place.line < 1)
		return false;

	struct text rest = { source->content, source->size };

	if (text_starts_with(rest, TEXT("\xef\xbb\xbf"))) {
		rest.data += 3;
		rest.size -= 3;
	}
	for (int line = 1; line < place.line; line++) {
		if (!rest.size)
			return false;
		next_line(&rest);
	}
	*out = next_line(&rest);
	return true;
}

struct format {
	const struct problems *problems;
	struct buf *out;
	bool colour;
};

static const char *paint(const struct format *format, const char *code)
{
	return format->colour ? code : "";
}

#define BOLD "\033[1m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define GREEN "\033[1;32m"
#define PLAIN "\033[0m"

/*
 * The line from `first` (a column on the screen) on, at most EXCERPT_WIDTH columns of it. Columns
 * of a tab and of wide characters count as they show, so that the caret stands where it should.
 */
static void print_excerpt(struct format *format, struct place place, struct text line)
{
	AUTO(buf_free) struct buf *excerpt = buf_new(SIZE_MAX);
	struct text rest = line;
	char one[16];
	int caret = 0, column = 0, first = 0;

	for (int i = 1; i < place.column && rest.size; i++)
		caret += shown(&rest, caret, one);
	if (caret > EXCERPT_WIDTH - 20)
		first = caret - EXCERPT_BEFORE;
	for (rest = line; rest.size && column < first + EXCERPT_WIDTH;) {
		int width = shown(&rest, column, one);

		if (column >= first) {
			/* A wide character may straddle the cut. */
			if (!excerpt->size && first)
				(void)!buf_print(excerpt, "...%*s", column - first, "");
			(void)!buf_append(excerpt, one, strlen(one));
		}
		column += width;
	}
	(void)!buf_print(format->out, "%s%5d |%s %.*s%s\n", paint(format, DIM), place.line,
			 paint(format, PLAIN), TEXT_ARGS(buf_text(excerpt)),
			 rest.size ? "..." : "");
	if (place.column < 1)
		return;

	int digits = snprintf(NULL, 0, "%5d", place.line);

	(void)!buf_print(format->out, "%s%*s |%s %*s%s^%s\n", paint(format, DIM), digits, "",
			 paint(format, PLAIN), first ? caret - first + 3 : caret, "",
			 paint(format, GREEN), paint(format, PLAIN));
}

static void print_problem(void *ctx, const struct problem *problem)
{
	struct format *format = ctx;
	struct place place = problem->place;
	AUTO(free) char *file = place.file ? shown_text(text_of(place.file), MESSAGE_MAX) : NULL;
	struct text line;

	(void)!buf_print(format->out, "%s", paint(format, BOLD));
	if (file)
		(void)!buf_print(format->out, "%s:", file);
	if (place.line > 0)
		(void)!buf_print(format->out, "%d:", place.line);
	if (place.line > 0 && place.column > 0)
		(void)!buf_print(format->out, "%d:", place.column);
	(void)!buf_print(format->out, "%s%s%s%s%s%s\n", paint(format, PLAIN), file ? " " : "",
			 paint(format, problem->is_warning ? YELLOW : RED),
			 problem->is_warning ? "warning: " : "", problem->message,
			 paint(format, PLAIN));
	if (find_line(format->problems, place, &line))
		print_excerpt(format, place, line);
}

char *problems_format(const struct problems *problems, bool colour)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	struct format format = { problems, out, colour };
	size_t total = problems->errors + problems->warnings;

	problems_visit(problems, print_problem, &format);
	if (total > problems->kept_count)
		(void)!buf_print(out, "... and %zu more\n", total - problems->kept_count);
	return buf_take(out);
}
