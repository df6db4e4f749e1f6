#include <stdio.h>
#include <utf8proc.h>

#include "config/problem_part.h"

enum { TAB_WIDTH = 8 };

struct problems *problems_new(void)
{
	return NEW(struct problems);
}

static void problem_clear(struct problem *problem)
{
	free(problem->message);
	for (size_t i = 0; i < problem->note_count; i++)
		free(problem->notes[i].message);
	free(problem->notes);
}

void problems_free(struct problems *problems)
{
	if (!problems)
		return;
	for (size_t i = 0; i < problems->kept_count; i++)
		problem_clear(&problems->kept[i].problem);
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

int problem_shown(struct text *rest, int column, char *out)
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
		return snprintf(out, SHOWN_MAX, "%*s", TAB_WIDTH - column % TAB_WIDTH, "");
	if (!is_valid || code < 0x20 || code == 0x7f || (code >= 0x80 && code < 0xa0))
		return snprintf(out, SHOWN_MAX, "\\x%02x", (unsigned)code);
	if (code == 0x61c || code == 0x200e || code == 0x200f || code == 0xfeff ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return snprintf(out, SHOWN_MAX, "\\u%04x", (unsigned)code);
	memcpy(out, data, used);
	out[used] = 0;
	return utf8proc_charwidth(code);
}

char *problem_shown_text(struct text text, size_t most)
{
	AUTO(buf_free) struct buf *buf = buf_new(SIZE_MAX);
	size_t count = 0;
	char one[SHOWN_MAX];

	while (text.size && count++ < most) {
		problem_shown(&text, -1, one);
		(void)!buf_append(buf, one, strlen(one));
	}
	if (text.size)
		(void)!buf_append(buf, "...", 3);
	return buf_take(buf);
}

/* An error matters more than a warning that came before it, and that more than an accepted one. */
static int weight_of(const struct problem *problem)
{
	return problem->is_accepted ? 0 : problem->is_warning ? 1 : 2;
}

static struct kept *room_for(struct problems *problems, const struct problem *problem)
{
	struct kept *least = NULL;

	if (problems->kept_count < PROBLEMS_KEPT)
		return &problems->kept[problems->kept_count++];
	for (size_t i = PROBLEMS_KEPT; i-- > 0;)
		if (!least || weight_of(&problems->kept[i].problem) < weight_of(&least->problem))
			least = &problems->kept[i];
	if (weight_of(&least->problem) >= weight_of(problem))
		return NULL;
	problem_clear(&least->problem);
	return least;
}

static void add(struct problems *problems, struct problem problem, const char *format, va_list args)
{
	size_t order = problems->errors + problems->warnings + problems->accepted;
	const struct problem_scope *scope = &problems->scope;

	if (problem.is_warning && !problem.name)
		problem.name = scope->unnamed;
	problem.is_accepted = problem.name && scope->accepts &&
			      scope->accepts(scope->ctx, problem.name, problem.place);
	if (problem.is_accepted)
		problems->accepted++;
	else if (problem.is_warning)
		problems->warnings++;
	else
		problems->errors++;
	problems->last = room_for(problems, &problem);
	if (!problems->last)
		return;

	struct source *source = source_of(problems, problem.place.file);
	AUTO(free) char *message = str_vformat(format, args);

	problem.place.file = source->file;
	problem.message = problem_shown_text(text_of(message), MESSAGE_MAX);
	*problems->last =
		(struct kept){ .problem = problem, .source = source->index, .order = order };
}

void problems_error(struct problems *problems, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, (struct problem){ .place = place }, format, args);
	va_end(args);
}

void problems_warning(struct problems *problems, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, (struct problem){ .place = place, .is_warning = true }, format, args);
	va_end(args);
}

void problems_warn(struct problems *problems, struct place place, const char *name,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, (struct problem){ .place = place, .is_warning = true, .name = name }, format,
	    args);
	va_end(args);
}

void problems_note(struct problems *problems, struct place place, const char *format, ...)
{
	struct problem *problem = problems->last ? &problems->last->problem : NULL;
	va_list args;

	if (!problem || problem->note_count == NOTES_KEPT)
		return;
	va_start(args, format);

	AUTO(free) char *message = str_vformat(format, args);

	va_end(args);
	place.file = source_of(problems, place.file)->file;
	problem->notes = mem_grow(problem->notes, problem->note_count + 1, sizeof(*problem->notes));
	problem->notes[problem->note_count++] =
		(struct problem_note){ place, problem_shown_text(text_of(message), MESSAGE_MAX) };
}

void problems_set_scope(struct problems *problems, const struct problem_scope *scope)
{
	problems->scope = scope ? *scope : (struct problem_scope){ 0 };
}

size_t problems_error_count(const struct problems *problems)
{
	return problems->errors;
}

size_t problems_warning_count(const struct problems *problems)
{
	return problems->warnings;
}

size_t problems_accepted_count(const struct problems *problems)
{
	return problems->accepted;
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

static void visit_sorted(const struct problems *problems, bool accepted,
			 void (*visit)(void *ctx, const struct problem *problem), void *ctx)
{
	const struct kept *sorted[PROBLEMS_KEPT];
	size_t count = 0;

	for (size_t i = 0; i < problems->kept_count; i++)
		if (problems->kept[i].problem.is_accepted == accepted)
			sorted[count++] = &problems->kept[i];
	qsort(sorted, count, sizeof(sorted[0]), by_place);
	for (size_t i = 0; i < count; i++)
		visit(ctx, &sorted[i]->problem);
}

void problems_visit(const struct problems *problems,
		    void (*visit)(void *ctx, const struct problem *problem), void *ctx)
{
	visit_sorted(problems, false, visit, ctx);
}

void problems_visit_accepted(const struct problems *problems,
			     void (*visit)(void *ctx, const struct problem *problem), void *ctx)
{
	visit_sorted(problems, true, visit, ctx);
}
