/* What is wrong, as it is shown: with excerpts and carets to people, as JSON to programs. */
#include <stdio.h>

#include "config/problem_part.h"

enum {
	EXCERPT_BEFORE = 60, /* columns of a long line that are shown left of the caret */
	EXCERPT_WIDTH = 100,
};

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
	char one[SHOWN_MAX];
	int caret = 0, column = 0, first = 0;

	for (int i = 1; i < place.column && rest.size; i++)
		caret += problem_shown(&rest, caret, one);
	if (caret > EXCERPT_WIDTH - 20)
		first = caret - EXCERPT_BEFORE;
	for (rest = line; rest.size && column < first + EXCERPT_WIDTH;) {
		int width = problem_shown(&rest, column, one);

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

/* "rules.yml:3:5: " */
static void print_place(struct format *format, struct place place)
{
	AUTO(free)
	char *file = place.file ? problem_shown_text(text_of(place.file), MESSAGE_MAX) : NULL;

	(void)!buf_print(format->out, "%s", paint(format, BOLD));
	if (file)
		(void)!buf_print(format->out, "%s:", file);
	if (place.line > 0)
		(void)!buf_print(format->out, "%d:", place.line);
	if (place.line > 0 && place.column > 0)
		(void)!buf_print(format->out, "%d:", place.column);
	(void)!buf_print(format->out, "%s%s", paint(format, PLAIN), file ? " " : "");
}

static bool is_same_line(struct place a, struct place b)
{
	return a.file == b.file && a.line == b.line;
}

static void print_line(struct format *format, struct place place, bool is_shown, const char *colour,
		       const char *kind, const char *message)
{
	struct text line;

	print_place(format, place);
	(void)!buf_print(format->out, "%s%s%s%s\n", paint(format, colour), kind, message,
			 paint(format, PLAIN));
	if (!is_shown && find_line(format->problems, place, &line))
		print_excerpt(format, place, line);
}

char *problem_sentence(const struct problem *problem)
{
	if (!problem->name)
		return str_copy(problem->message);
	return str_format("%s [%s]", problem->message, problem->name);
}

static void print_problem(void *ctx, const struct problem *problem)
{
	struct format *format = ctx;
	AUTO(free) char *sentence = problem_sentence(problem);

	print_line(format, problem->place, false, problem->is_warning ? YELLOW : RED,
		   problem->is_warning ? "warning: " : "", sentence);
	for (size_t i = 0; i < problem->note_count; i++)
		print_line(format, problem->notes[i].place,
			   is_same_line(problem->notes[i].place, problem->place), "",
			   "note: ", problem->notes[i].message);
}

char *problems_format(const struct problems *problems, bool colour)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	struct format format = { problems, out, colour };
	size_t total = problems->errors + problems->warnings, kept = 0;

	problems_visit(problems, print_problem, &format);
	for (size_t i = 0; i < problems->kept_count; i++)
		kept += !problems->kept[i].problem.is_accepted;
	if (total > kept)
		(void)!buf_print(out, "... and %zu more\n", total - kept);
	return buf_take(out);
}

static void print_accepted(void *ctx, const struct problem *problem)
{
	struct format *format = ctx;
	AUTO(free) char *sentence = problem_sentence(problem);

	print_place(format, problem->place);
	(void)!buf_print(format->out, "accepted: %s\n", sentence);
}

char *problems_format_accepted(const struct problems *problems)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);
	struct format format = { problems, out, false };

	problems_visit_accepted(problems, print_accepted, &format);
	return buf_take(out);
}

static json_t *place_to_json(struct place place, const char *message)
{
	AUTO(free)
	char *file = place.file ? problem_shown_text(text_of(place.file), MESSAGE_MAX) : NULL;
	json_t *object = json_object();

	if (file)
		json_object_set_new_nocheck(object, "file", json_string_nocheck(file));
	if (place.line > 0)
		json_object_set_new_nocheck(object, "line", json_integer(place.line));
	if (place.line > 0 && place.column > 0)
		json_object_set_new_nocheck(object, "column", json_integer(place.column));
	json_object_set_new_nocheck(object, "message", json_string_nocheck(message));
	return object;
}

json_t *problem_to_json(const struct problem *problem)
{
	json_t *object = place_to_json(problem->place, problem->message);
	json_t *notes = json_array();

	json_object_set_new_nocheck(object, "severity",
				    json_string(problem->is_accepted  ? "accepted"
						: problem->is_warning ? "warning"
								      : "error"));
	if (problem->name)
		json_object_set_new_nocheck(object, "name", json_string(problem->name));
	for (size_t i = 0; i < problem->note_count; i++)
		json_array_append_new(
			notes, place_to_json(problem->notes[i].place, problem->notes[i].message));
	if (json_array_size(notes))
		json_object_set_nocheck(object, "notes", notes);
	json_decref(notes);
	return object;
}
