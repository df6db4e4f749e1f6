#include "cmd/label_text.h"

#include <stdio.h>

#include "base/escape.h"

/* What is true of some rules, whose names follow. */
static const struct {
	const char *key, *words;
} of_rules[] = {
	{ "counted", "counted by" },
	{ "throttled", "left out by the throttle of" },
	{ "stopped", "perhaps set off by itself, and stopped:" },
	{ "limited", "only a dry run, by the limit of" },
	{ "undecided", "not decided, for the cluster did not say: " },
	{ "asking", "waits for what the cluster says:" },
};

/* What is true of the event. */
static const struct {
	const char *key, *words;
} of_event[] = {
	{ "settling", "waits until the file is quiet" },
	{ "awaiting", "waits for what should follow" },
};

struct line {
	bool colour;
	const char *before;
};

static void begin(const struct line *line, const char *code)
{
	fputs(line->before, stdout);
	if (line->colour)
		fputs(code, stdout);
}

static void end(const struct line *line)
{
	if (line->colour)
		fputs("\033[0m", stdout);
}

static void print_text(const struct line *line, const char *code, const char *words,
		       const char *text)
{
	begin(line, code);
	fputs(words, stdout);
	escape_print(stdout, text ? text : "", ESCAPE_TEXT);
	end(line);
}

static void print_names(const struct line *line, const char *words, const json_t *names)
{
	size_t i;
	json_t *name;

	begin(line, "\033[2m");
	fputs(words, stdout);
	json_array_foreach((json_t *)names, i, name)
	{
		fputs(i ? ", " : " ", stdout);
		escape_print(stdout, json_is_string(name) ? json_string_value(name) : "",
			     ESCAPE_TEXT);
	}
	end(line);
}

void label_print(const json_t *label, bool colour, const char *before)
{
	const struct line line = { colour, before };
	json_t *echo = json_object_get(label, "echo_of");
	const char *old_path = json_string_value(json_object_get(label, "old_path"));
	const char *trouble = json_string_value(json_object_get(label, "trouble"));
	size_t i;
	json_t *rule;

	if (old_path)
		print_text(&line, "", "from ", old_path);
	if (echo) {
		begin(&line, "\033[2m");
		printf("echo of job %" JSON_INTEGER_FORMAT, json_integer_value(echo));
		end(&line);
	}
	json_array_foreach(json_object_get(label, "rules"), i, rule)
		print_text(&line, "\033[1;33m", "-> ", json_string_value(rule));
	for (i = 0; i < ARRAY_SIZE(of_event); i++)
		if (json_is_true(json_object_get(label, of_event[i].key)))
			print_text(&line, "\033[2m", of_event[i].words, "");
	for (i = 0; i < ARRAY_SIZE(of_rules); i++)
		if (json_array_size(json_object_get(label, of_rules[i].key)))
			print_names(&line, of_rules[i].words,
				    json_object_get(label, of_rules[i].key));
	if (trouble)
		print_text(&line, "\033[31m", "", trouble);
}
