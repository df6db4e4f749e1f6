#include "random_rules.h"

#include <stdio.h>

/* Composed and decomposed, with several foldings, and all that globs and YAML find special. */
static const char *const all_words[] = {
	"a",
	"b",
	"ab",
	"abc",
	"A",
	"Ab",
	"home",
	"HOME",
	"home2",
	"tmp",
	"x",
	"Q",
	"\xc3\xa9",
	"\xc3\x89",
	"e\xcc\x81",
	"\xc3\x9f",
	"ss",
	"SS",
	"\xc4\xb0",
	"i",
	"\xe6\x97\xa5\xe6\x9c\xac",
	"a b",
	"~x",
	"[x]",
	"{a,b}",
	"*",
	"a\\b",
	"it's \"q\"",
	"\n",
	"-",
	"a.b",
	".a",
	"a.",
	"...",
	"\xf0\x9f\x98\x80",
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567",
};

static const char *const extensions[] = { ".a",   ".jpg",      ".JPG",      ".tar.gz", ".gz",
					  ".bak", ".\xc3\xa9", ".\xc3\x9f", "txt",     ".b c" };

/* Expressions with something that they are found in. */
static const struct {
	const char *regex, *piece;
} regexes[] = {
	{ "a.*b", "a-b" },          { "^/a", "a" },
	{ "tmp$", "tmp" },          { "[xy]", "y" },
	{ "(a|b)/x", "b/x" },       { "B", "B" },
	{ "\xc3\xa9", "\xc3\xa9" }, { "/[0-9]{2,4}/", "/123/" },
	{ "^/home/\\\\w+$", "q" },  { "", "" },
	{ "s{2}", "ss" },           { "\\\\.j?pe?g$", "x.jpg" },
};

#define MUST(done)               \
	do {                     \
		if (!(done))     \
			abort(); \
	} while (0)
#define PUT(buf, ...) MUST(buf_print(buf, __VA_ARGS__))

const char *random_word(const struct random_rules *rules)
{
	return CHANCE_OF(rules->chance, rules->words);
}

static void add_hint(struct random_rules *rules, enum hint_kind kind, const char *text)
{
	rules->hints = mem_grow(rules->hints, rules->hint_count + 1, sizeof(*rules->hints));
	rules->hints[rules->hint_count++] = (struct hint){ kind, str_copy(text) };
}

const struct hint *random_hint(const struct random_rules *rules, enum hint_kind kind)
{
	size_t first = rules->hint_count ? chance_pick(rules->chance, rules->hint_count) : 0;

	for (size_t i = 0; i < rules->hint_count; i++) {
		const struct hint *hint = &rules->hints[(first + i) % rules->hint_count];

		if (hint->kind == kind)
			return hint;
	}
	return NULL;
}

/* As YAML has it in double quotes. */
static void put_quoted(struct buf *out, const char *text)
{
	PUT(out, "\"");
	for (; *text; text++) {
		if (*text == '\n')
			PUT(out, "\\n");
		else
			PUT(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	}
	PUT(out, "\"");
}

/* ---- Texts of values ---- */

static void put_directory(struct random_rules *rules, struct buf *out)
{
	const struct hint *above =
		chance_pick(rules->chance, 3) ? NULL : random_hint(rules, HINT_DIRECTORY);
	unsigned components = 1 + chance_pick(rules->chance, 3);

	PUT(out, "%s", above && above->text[1] ? above->text : "");
	while (components--)
		PUT(out, "/%s", random_word(rules));
}

static void put_file(struct random_rules *rules, struct buf *out)
{
	put_directory(rules, out);
	if (chance_pick(rules->chance, 2))
		PUT(out, "%s", CHANCE_OF(rules->chance, extensions));
}

/* A word of which nothing is special to a glob. */
static void put_literal(struct random_rules *rules, struct buf *out)
{
	for (const char *at = random_word(rules); *at; at++)
		PUT(out, "%s%c", strchr("*?[]{},\\", *at) ? "\\" : "", *at);
}

static void put_glob_component(struct random_rules *rules, struct buf *out)
{
	static const char *const pieces[] = { "*",    "*",        "?",        "[ab]",
					      "[!a]", "[a-z0-9]", "a{b,?*,}", "{x,tmp}",
					      "*.*",  "*.jpg",    ".",        "[\xc3\xa9x]" };
	struct chance *chance = rules->chance;

	for (unsigned parts = 1 + chance_pick(chance, 3); parts; parts--) {
		if (chance_pick(chance, 2))
			PUT(out, "%s", CHANCE_OF(chance, pieces));
		else
			put_literal(rules, out);
	}
}

static void put_path_glob(struct random_rules *rules, struct buf *out)
{
	static const char *const depths[] = { "/**", "/**/*.gz", "**", "/*", "/**.jpg", "/**/.a" };
	struct chance *chance = rules->chance;

	for (unsigned parts = 1 + chance_pick(chance, 3); parts; parts--) {
		PUT(out, "/%s", chance_hits(chance, 4) ? "**/" : "");
		if (chance_pick(chance, 2))
			put_literal(rules, out);
		else
			put_glob_component(rules, out);
	}
	if (chance_hits(chance, 3))
		PUT(out, "%s", CHANCE_OF(chance, depths));
}

/* ---- Conditions about paths ---- */

struct path_word {
	const char *key;
	enum hint_kind hint;
	void (*put)(struct random_rules *rules, struct buf *out);
};

static void put_extension(struct random_rules *rules, struct buf *out)
{
	if (!chance_hits(rules->chance, 8))
		PUT(out, "%s", CHANCE_OF(rules->chance, extensions));
}

static const struct path_word path_words[] = {
	{ "directory", HINT_DIRECTORY, put_directory },
	{ "path", HINT_PATH, put_path_glob },
	{ "name", HINT_NAME, put_glob_component },
	{ "extension", HINT_EXTENSION, put_extension },
	{ "file", HINT_FILE, put_file },
	{ "old_directory", HINT_DIRECTORY, put_directory },
	{ "old_path", HINT_PATH, put_path_glob },
	{ "old_name", HINT_NAME, put_glob_component },
	{ "old_extension", HINT_EXTENSION, put_extension },
};

/* Mostly one or two values; at times more than regions are multiplied with. */
static unsigned value_count(struct chance *chance)
{
	return chance_hits(chance, 60) ? 70 : 1 + chance_pick(chance, 2);
}

static void put_path_word(struct random_rules *rules, const struct path_word *word, struct buf *out)
{
	PUT(out, "%s: [", word->key);
	for (unsigned values = value_count(rules->chance); values; values--) {
		AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

		MUST(buf_append(text, "", 0));
		word->put(rules, text);
		if (word->hint == HINT_DIRECTORY && chance_hits(rules->chance, 20)) {
			buf_reset(text);
			PUT(text, "/");
		}
		add_hint(rules, word->hint, text->data);
		put_quoted(out, text->data);
		PUT(out, "%s", values > 1 ? ", " : "]");
	}
}

static void put_regex(struct random_rules *rules, struct buf *out)
{
	unsigned which = chance_pick(rules->chance, ARRAY_SIZE(regexes));

	which = *regexes[which].regex ? which : 0;
	add_hint(rules, HINT_PIECE, regexes[which].piece);
	PUT(out, "regex: \"%s\"", regexes[which].regex);
}

static void put_event(struct random_rules *rules, struct buf *out)
{
	const char *const *names = event_kind_names();
	unsigned count = 0;

	while (names[count])
		count++;
	PUT(out, "event: [");
	for (unsigned values = 1 + chance_pick(rules->chance, 3); values; values--) {
		/* The groups come first, and rules name them more often than single types. */
		unsigned which = chance_pick(rules->chance, 3) ? chance_pick(rules->chance, 9)
							       : chance_pick(rules->chance, count);

		PUT(out, "%s%s", names[which], values > 1 ? ", " : "]");
	}
}

/* ---- Conditions about other things ---- */

static const char *const facts[] = {
	"depth: 2",
	"depth: {over: 2}",
	"depth: {at_least: 1, under: 3}",
	"stream: ''",
	"stream: ['a*', '*x*']",
	"stream: ['', a]",
	"watch: main",
	"watch: ['m*', other]",
	"origin: live",
	"origin: [repair, scan, replay]",
	"time: 22:00-06:00",
	"time: {hours: 8-17:30, days: mon-fri, zone: Europe/Berlin}",
	"time: {days: [sat, sun], zone: America/New_York}",
	"time: [{hours: 1-4, zone: Europe/Berlin}, {days: wed, zone: UTC}]",
	"type: file",
	"type: [directory, other]",
	"size: {over: 10 MiB}",
	"size: [0, {at_least: 1 KiB, under: 1 MiB}]",
	"owner: alice",
	"owner: ['uid:1000', bob]",
	"group: staff",
	"group: ['gid:100', 'sid:S-1-5-21-7']",
	"mode: \"0640\"",
	"mode: {any: \"0022\", none: \"0001\"}",
	"age: {over: 7d}",
	"age: {under: 1h}",
	"modified: {over: 1d}",
	"links: {over: 1}",
};

/* The word is the key: no mapping has it twice. */
static size_t key_size(const char *entry)
{
	return strcspn(entry, ":");
}

static void put_condition(struct random_rules *rules, unsigned depth, struct buf *out);

static void put_list(struct random_rules *rules, unsigned depth, struct buf *out)
{
	PUT(out, "[");
	for (unsigned count = 1 + chance_pick(rules->chance, 3); count; count--) {
		put_condition(rules, depth, out);
		PUT(out, "%s", count > 1 ? ", " : "]");
	}
}

struct mapping {
	struct buf *out;
	char *keys; /* " event depth " */
};

/* Whether the mapping has no such key yet; it has one from now on. */
static bool begin_entry(struct mapping *mapping, const char *entry)
{
	AUTO(free) char *key = str_format(" %.*s ", (int)key_size(entry), entry);
	char *keys;

	if (strstr(mapping->keys, key))
		return false;
	keys = str_format("%s%s", mapping->keys, key);
	PUT(mapping->out, "%s", *mapping->keys ? ", " : "");
	free(mapping->keys);
	mapping->keys = keys;
	return true;
}

static void put_mapping(struct random_rules *rules, unsigned depth, struct buf *out)
{
	static const char *const nesting[] = { "any", "all", "not" };
	struct chance *chance = rules->chance;
	struct mapping mapping = { out, str_copy("") };

	PUT(out, "{");
	for (unsigned left = 1 + chance_pick(chance, 3); left || !*mapping.keys; left -= left > 0) {
		unsigned kind = chance_pick(chance, 16);
		const struct path_word *word = &path_words[chance_pick(chance, kind < 7 ? 5 : 9)];
		const char *fact = CHANCE_OF(chance, facts);
		const char *nest = CHANCE_OF(chance, nesting);

		if (kind < 8 && begin_entry(&mapping, word->key)) {
			put_path_word(rules, word, out);
		} else if (kind < 10 && begin_entry(&mapping, "event")) {
			put_event(rules, out);
		} else if (kind == 10 && begin_entry(&mapping, "regex")) {
			put_regex(rules, out);
		} else if (kind < 14 && begin_entry(&mapping, fact)) {
			PUT(out, "%s", fact);
		} else if (depth && begin_entry(&mapping, nest)) {
			PUT(out, "%s: ", nest);
			put_list(rules, depth - 1, out);
		}
	}
	PUT(out, "}");
	free(mapping.keys);
}

#define NAMED 3

static void put_condition(struct random_rules *rules, unsigned depth, struct buf *out)
{
	unsigned kind = chance_pick(rules->chance, 12);

	if (depth && kind == 11)
		put_list(rules, depth - 1, out);
	else if (kind == 10 && rules->conditions)
		PUT(out, "named-%u", chance_pick(rules->chance, NAMED));
	else
		put_mapping(rules, depth, out);
}

/* ---- Rules ---- */

static void add_rule(struct random_rules *rules)
{
	static const int64_t priorities[] = { 0, 0, 0, 0, 5, -5, 100 };
	struct chance *chance = rules->chance;
	struct random_rule *rule = &rules->rules[rules->count];
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	snprintf(rule->name, sizeof(rule->name), "r%zu", rules->count);
	rule->priority = CHANCE_OF(chance, priorities);
	PUT(out, "- name: %s\n", rule->name);
	if (rule->priority)
		PUT(out, "  priority: %d\n", (int)rule->priority);
	if (chance_hits(chance, 3))
		PUT(out, "  ignore_case: yes\n");
	if (chance_hits(chance, 12))
		PUT(out, "  stop: yes\n");
	if (chance_hits(chance, 12))
		PUT(out, "  mode: %s\n", chance_pick(chance, 2) ? "dry_run" : "off");
	PUT(out, "  actions: [log]\n  when: ");
	put_condition(rules, chance_pick(chance, 4), out);
	PUT(out, "\n");
	rule->text = buf_take(out);
	rules->count++;
}

static char *named_conditions(struct random_rules *rules)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	PUT(out, "conditions:\n");
	for (unsigned i = 0; i < NAMED; i++) {
		PUT(out, "  named-%u: ", i);
		put_mapping(rules, i, out);
		PUT(out, "\n");
	}
	return buf_take(out);
}

void random_rules_init(struct random_rules *rules, struct chance *chance, size_t count)
{
	*rules = (struct random_rules){ .chance = chance };
	for (size_t i = 0; i < RANDOM_WORDS; i++)
		rules->words[i] = CHANCE_OF(chance, all_words);
	rules->conditions = named_conditions(rules);
	rules->rules = mem_array(count, sizeof(*rules->rules));
	while (rules->count < count)
		add_rule(rules);
}

void random_rules_clear(struct random_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		free(rules->rules[i].text);
	for (size_t i = 0; i < rules->hint_count; i++)
		free(rules->hints[i].text);
	free(rules->rules);
	free(rules->hints);
	free(rules->conditions);
}

char *random_rules_text(const struct random_rules *rules, const bool *is_left_out)
{
	AUTO(buf_free) struct buf *out = buf_new(SIZE_MAX);

	PUT(out, "version: 1\n%swatched_items:\n", rules->conditions);
	for (size_t i = 0; i < rules->count; i++)
		if (!is_left_out || !is_left_out[i])
			PUT(out, "%s", rules->rules[i].text);
	return buf_take(out);
}
