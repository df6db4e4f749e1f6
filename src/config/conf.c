#include "config/conf.h"

#include <ini.h>
#include <pthread.h>
#include <strings.h>

#include "config/source.h"

enum { LINE_MAX_BYTES = 65536, NAME_MAX_BYTES = 64, LINES_MAX = 100000 };

struct conf {
	struct conf_section *sections;
	char *file;
	char *text; /* lines, each ended by NUL: what keys, values and names point into */
};

struct reader {
	struct conf *conf;
	struct problems *problems;
	bool (*may_show)(struct text kind, struct text key, struct text value);
	struct conf_section *section; /* the one that lines go to; NULL before the first */
	struct conf_section **next_section;
	struct conf_entry **next_entry;
	struct buf *shown; /* the file as excerpts may show it */
	char *line;
	int number;
	bool is_lost; /* below a section that was not understood: its keys have no home */
};

/* Debian's inih has its options as variables; one set of them serves the whole program. */
static void set_up_inih(void)
{
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_bom = false;
	ini_use_stack = false;
	ini_max_line = LINE_MAX_BYTES + 3;
	ini_initial_alloc = LINE_MAX_BYTES + 3;
}

static struct place place_at(const struct reader *reader, const char *at)
{
	struct place place = { reader->conf->file, reader->number, 1 };

	for (const char *byte = reader->line; byte < at; byte++)
		place.column += (*byte & 0xc0) != 0x80;
	return place;
}

static bool same_word(struct text a, struct text b)
{
	return a.size == b.size && (!a.size || strncasecmp(a.data, b.data, a.size) == 0);
}

static struct text without_quotes(struct text text)
{
	if (text.size >= 2 && (text.data[0] == '"' || text.data[0] == '\'') &&
	    text.data[text.size - 1] == text.data[0])
		return (struct text){ text.data + 1, text.size - 2 };
	return text;
}

/* Letters, digits and - _ . make names that fit into logs, metrics and the environment. */
static bool is_name(struct text name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      strchr("-_.", c)))
			return false;
	}
	return name.size <= NAME_MAX_BYTES;
}

static void read_section(struct reader *reader, struct text line)
{
	const char *end = memchr(line.data, ']', line.size);
	struct text inside = { line.data + 1, end ? (size_t)(end - line.data - 1) : 0 };
	struct text kind, name;

	reader->is_lost = true;
	(void)!buf_print(reader->shown, "%s\n", reader->line);
	if (!end) {
		problems_error(reader->problems, place_at(reader, line.data),
			       "a section ends with ]");
		return;
	}
	if (end + 1 < line.data + line.size) {
		problems_error(reader->problems, place_at(reader, end + 1),
			       "nothing may follow the ] of a section");
		return;
	}
	name = text_trim(inside);
	kind = text_cut(&name, ' ');
	name = without_quotes(text_trim(name));
	if (!kind.size || !is_name(kind) || !is_name(name)) {
		problems_error(reader->problems, place_at(reader, line.data),
			       "expected a section like [CLUSTER] or [CLUSTER name]; a name has "
			       "letters, digits and - _ . only");
		return;
	}
	for (struct conf_section *other = reader->conf->sections; other; other = other->next) {
		if (same_word(other->kind, kind) && same_word(other->name, name)) {
			problems_error(reader->problems, place_at(reader, line.data),
				       "section %.*s is there twice; the first is in line %d (join "
				       "them, or give each a name of its own, like [%.*s two])",
				       TEXT_ARGS(line), other->place.line, TEXT_ARGS(kind));
			return;
		}
	}
	reader->section = NEW(struct conf_section);
	reader->section->kind = kind;
	reader->section->name = name;
	reader->section->place = place_at(reader, line.data);
	*reader->next_section = reader->section;
	reader->next_section = &reader->section->next;
	reader->next_entry = &reader->section->entries;
	reader->is_lost = false;
}

/* inih's handler. It points into a buffer of its own, so the pieces are found again in our line. */
static int hear_entry(void *ctx, const char *section, const char *name, const char *value)
{
	struct reader *reader = ctx;
	struct conf_entry *entry = NEW(struct conf_entry);
	const char *at = reader->line + strspn(reader->line, " \t");

	entry->key = (struct text){ at, strlen(name) };
	entry->key_place = place_at(reader, at);
	at += entry->key.size;
	at += strcspn(at, "=:");
	at += *at ? 1 : 0;
	at += strspn(at, " \t");
	entry->value = without_quotes((struct text){ at, strlen(value) });
	entry->place = place_at(reader, entry->value.data);
	*reader->next_entry = entry;
	return 1;
}

static void show_entry(struct reader *reader, const struct conf_entry *entry)
{
	size_t before = entry->value.data - reader->line;

	if (reader->may_show(reader->section->kind, entry->key, entry->value))
		(void)!buf_print(reader->shown, "%s\n", reader->line);
	else
		(void)!buf_print(reader->shown, "%.*s***\n", (int)before, reader->line);
}

static void keep_entry(struct reader *reader)
{
	struct conf_entry *entry = *reader->next_entry;

	show_entry(reader, entry);
	if (!entry->key.size)
		problems_error(reader->problems, entry->key_place, "expected KEY = value");
	for (struct conf_entry *other = reader->section->entries; other != entry;
	     other = other->next) {
		if (same_word(other->key, entry->key)) {
			problems_error(reader->problems, entry->key_place,
				       "%.*s is there twice; the first is in line %d",
				       TEXT_ARGS(entry->key), other->key_place.line);
			entry->key.size = 0;
		}
	}
	if (!entry->key.size) {
		*reader->next_entry = NULL;
		free(entry);
		return;
	}
	reader->next_entry = &entry->next;
}

static void read_line(struct reader *reader)
{
	struct text line = text_trim(text_of(reader->line));

	if (!line.size || line.data[0] == '#' || line.data[0] == ';') {
		(void)!buf_append(reader->shown, "\n", 1);
		return;
	}
	if (line.data[0] == '[') {
		read_section(reader, line);
		return;
	}
	if (reader->is_lost) {
		(void)!buf_append(reader->shown, "***\n", 4);
		return;
	}
	if (!reader->section) {
		(void)!buf_append(reader->shown, "***\n", 4);
		problems_error(reader->problems, place_at(reader, line.data),
			       "a section like [CLUSTER] is missing above this line");
		reader->is_lost = true; /* saying it once is enough */
		return;
	}
	if (strlen(reader->line) > LINE_MAX_BYTES) {
		(void)!buf_append(reader->shown, "***\n", 4);
		problems_error(reader->problems, place_at(reader, line.data),
			       "the line is longer than 65536 bytes");
		return;
	}
	if (!strchr(reader->line, '\r') &&
	    ini_parse_string(reader->line, hear_entry, reader) == 0 && *reader->next_entry) {
		keep_entry(reader);
		return;
	}
	(void)!buf_append(reader->shown, "***\n", 4);
	problems_error(reader->problems, place_at(reader, line.data),
		       "expected KEY = value, on one line");
}

struct conf *conf_parse(const char *file, struct text text,
			bool (*may_show)(struct text kind, struct text key, struct text value),
			struct problems *problems)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	AUTO(conf_free) struct conf *conf = NULL;
	AUTO(buf_free) struct buf *shown = NULL;
	struct reader reader;
	struct text rest;

	pthread_once(&once, set_up_inih);
	if (!source_check(file, &text, problems))
		return NULL;
	conf = NEW(struct conf);
	shown = buf_new(SIZE_MAX);
	conf->file = str_copy(file);
	conf->text = text_copy(text);
	reader = (struct reader){ .conf = conf,
				  .problems = problems,
				  .may_show = may_show,
				  .shown = shown,
				  .next_section = &conf->sections };
	rest = (struct text){ conf->text, text.size };
	while (rest.size && reader.number < LINES_MAX) {
		struct text line = text_cut(&rest, '\n');

		/* Our copy: each line is cut off where it ends, a carriage return included. */
		while (line.size && line.data[line.size - 1] == '\r')
			line.size--;
		reader.line = conf->text + (line.data - conf->text);
		reader.line[line.size] = 0;
		reader.number++;
		read_line(&reader);
	}
	if (rest.size)
		problems_error(problems, (struct place){ file, reader.number, 0 },
			       "too many lines: at most 100000 are allowed");
	problems_add_source(problems, file, buf_text(shown));
	return TAKE(conf);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	while (conf->sections) {
		struct conf_section *section = conf->sections;

		conf->sections = section->next;
		while (section->entries) {
			struct conf_entry *entry = section->entries;

			section->entries = entry->next;
			free(entry);
		}
		free(section);
	}
	free(conf->file);
	free(conf->text);
	free(conf);
}

const struct conf_section *conf_sections(const struct conf *conf)
{
	return conf->sections;
}
