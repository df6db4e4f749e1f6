#include "config/yaml_error.h"

#include <stdio.h>

/* What the parser says (a part of it), and what helps a person. %c is the character in question. */
static const struct {
	const char *said;
	const char *helpful;
} known[] = {
	{ "nested block mapping on the same line",
	  "a second ': ' on one line: put texts with ': ' in quotes" },
	{ "block sequence on the same line", "a list begins on a line of its own below its key" },
	{ "wrongly indented single-quoted", "the closing ' is missing" },
	{ "wrongly indented double-quoted", "the closing \" is missing" },
	{ "single-quoted scalar without closing", "the closing ' is missing" },
	{ "double-quoted scalar without closing", "the closing \" is missing" },
	{ "trailing content after", "text follows the closing quote: put all of it in quotes" },
	{ "flow sequence without a closing", "the closing ] of a list is missing before this" },
	{ "flow mapping without a closing", "the closing } of a mapping is missing before this" },
	{ "mismatched flow mapping end", "} stands here where a [ is still open" },
	{ "mismatched flow sequence end", "] stands here where a { is still open" },
	{ "did not find expected '-'", "this line's indentation fits none of the lines above" },
	{ "missing comma in flow", "a comma or the closing bracket is missing before this" },
	{ "extra closing brace", "} without its {: put texts with braces in quotes" },
	{ "extra closing bracket", "] without its [: put texts with brackets in quotes" },
	{ "extra comma", "a comma too many" },
	{ "invalid multiline plain key",
	  "the line below is indented deeper, as if it belonged to this value: align it with its "
	  "neighbours" },
	{ "multiline plain key",
	  "the line below is indented deeper, as if it belonged to this value: align it with its "
	  "neighbours" },
	{ "plain scalar cannot start with", "text cannot start with '%c' unless it is in quotes" },
	{ "invalid alias", "text cannot start with '*' unless it is in quotes" },
	{ "invalid anchor", "text cannot start with '&' unless it is in quotes" },
	{ "end of block sequence", "expected '- ' as in the lines above, or less indentation" },
	{ "wrong indendation", "this line's indentation fits none of the lines above" },
	{ "wrong indentation", "this line's indentation fits none of the lines above" },
	{ "invalid indentation", "this line's indentation fits none of the lines above" },
	{ "invalid value after mapping",
	  "expected 'key: value' with the same indentation as the lines above" },
};

static struct text line_at(struct text text, int number)
{
	struct text line = TEXT_NONE;

	for (int i = 0; i < number; i++) {
		line = text_cut(&text, '\n');
		if (!text.size && i + 1 < number)
			return TEXT_NONE;
	}
	return line;
}

/* A tab among the white space at the front: its column, or 0. */
static int leading_tab(struct text line)
{
	for (size_t i = 0; i < line.size; i++) {
		if (line.data[i] == '\t')
			return i + 1;
		if (line.data[i] != ' ')
			break;
	}
	return 0;
}

/*
 * Where the value of "- key: value" begins in its line. Quoted keys are not looked into: a guess
 * that only chooses between two sentences need not be perfect.
 */
static struct text value_of(struct text line)
{
	struct text rest = text_trim(line);
	const char *colon;

	while (text_starts_with(rest, TEXT("- "))) {
		rest.data += 2;
		rest.size -= 2;
		rest = text_trim(rest);
	}
	if (rest.size && strchr("{[\"'", rest.data[0]))
		return rest;
	colon = rest.size ? memmem(rest.data, rest.size, ": ", 2) : NULL;
	if (colon) {
		rest.size -= colon + 2 - rest.data;
		rest.data = colon + 2;
	}
	return text_trim(rest);
}

/* "{rule}: {path}" or "[a-z]*.jpg" without quotes: something follows the first closing bracket. */
static bool goes_on_after(struct text value, char open, char close)
{
	const char *end;

	if (!value.size || value.data[0] != open)
		return false;
	end = memchr(value.data, close, value.size);
	return end && end + 1 < value.data + value.size && !strchr(",]}#", end[1]) &&
	       !(end[1] == ' ' && end + 2 < value.data + value.size && end[2] == '#');
}

static bool tell_tab(struct problems *problems, struct text text, struct place place)
{
	/* The parser notices a tab on its line, or only on the line after it. */
	for (int number = MAX(place.line - 1, 1); number <= place.line + 1; number++) {
		int column = leading_tab(line_at(text, number));

		if (!column)
			continue;
		problems_error(problems, (struct place){ place.file, number, column },
			       "tab character; YAML wants spaces");
		return true;
	}
	return false;
}

static char character_at(struct text line, int column)
{
	size_t at = 0;

	for (int i = 1; i < column && at < line.size; i++) {
		at++;
		while (at < line.size && (line.data[at] & 0xc0) == 0x80)
			at++;
	}
	return at < line.size && line.data[at] >= ' ' && line.data[at] < 0x7f ? line.data[at] : ' ';
}

static bool tell_escape(struct problems *problems, struct place place, const char *said)
{
	const char *quote = strcasestr(said, "invalid escape '");
	char found = quote ? quote[strlen("invalid escape '")] : 0;

	if (found < '!' || found > '~')
		return false;
	problems_error(
		problems, place,
		"\\%c means nothing in double quotes: use single quotes, or \\\\ for a backslash",
		found);
	return true;
}

/* What is missing at the end of the file is best told where it began. */
static bool tell_unclosed(struct problems *problems, struct text text, struct place place,
			  struct place open)
{
	char bracket = character_at(line_at(text, open.line), open.column);

	if (text_trim(line_at(text, place.line)).size || (bracket != '[' && bracket != '{'))
		return false;
	problems_error(problems, open, "this %c is never closed", bracket);
	return true;
}

/* "key:value" */
static bool tell_tight_colon(struct problems *problems, struct text line, struct place place)
{
	const char *colon = line.size ? memchr(line.data, ':', line.size) : NULL;

	if (!colon || colon == line.data || colon + 1 >= line.data + line.size || colon[1] == ' ' ||
	    memmem(line.data, line.size, ": ", 2))
		return false;
	problems_error(problems, place, "a space is wanted after ':', as in 'key: value'");
	return true;
}

static bool tell_brackets(struct problems *problems, struct text line, struct place place)
{
	struct text value = value_of(line);

	if (goes_on_after(value, '{', '}'))
		problems_error(problems, place,
			       "a value that begins with { is a mapping; put templates in quotes: "
			       "\"%.*s\"",
			       TEXT_ARGS(value));
	else if (goes_on_after(value, '[', ']'))
		problems_error(problems, place,
			       "a value that begins with [ is a list; put patterns in quotes: "
			       "\"%.*s\"",
			       TEXT_ARGS(value));
	else
		return false;
	return true;
}

/* done/{name} inside of { } */
static bool tell_inner_bracket(struct problems *problems, struct text line, struct place place,
			       const char *said)
{
	char found = character_at(line, place.column);

	if (!strcasestr(said, "missing comma in flow") || (found != '{' && found != '['))
		return false;
	problems_error(problems, place, "%c in the midst of a text: put the text in quotes", found);
	return true;
}

static void tell_known(struct problems *problems, struct text line, struct place place,
		       const char *said)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *hole = strstr(known[i].helpful, "%c");

		if (!strcasestr(said, known[i].said))
			continue;
		if (hole)
			problems_error(problems, place, "%.*s%c%s", (int)(hole - known[i].helpful),
				       known[i].helpful, character_at(line, place.column),
				       hole + 2);
		else
			problems_error(problems, place, "%s", known[i].helpful);
		return;
	}
	problems_error(problems, place, "not valid YAML: %s", said);
}

void yaml_error(struct problems *problems, struct text text, struct place place, struct place open,
		const char *said)
{
	struct text line = line_at(text, place.line);

	if (!tell_tab(problems, text, place) && !tell_brackets(problems, line, place) &&
	    !tell_escape(problems, place, said) && !tell_unclosed(problems, text, place, open) &&
	    !tell_tight_colon(problems, line, place) &&
	    !tell_inner_bracket(problems, line, place, said))
		tell_known(problems, line, place, said);
}
