#include "app/settings_variable.h"

#include <unistd.h>

#include "base/parse.h"

#define ENVIRONMENT "CN_MONITOR_"

/* Takes KEY or NAME_KEY; of several keys that fit the longest. */
static void try_key(struct settings_variable *variable, struct text rest,
		    const struct config_key *key, struct text spelled, size_t *longest)
{
	bool is_whole = text_equal(rest, spelled);
	bool is_named = settings_sections[variable->type].standard_name &&
			rest.size > spelled.size + 1 && text_ends_with(rest, spelled) &&
			rest.data[rest.size - spelled.size - 1] == '_';

	if ((!is_whole && !is_named) || spelled.size <= *longest)
		return;
	*longest = spelled.size;
	variable->key = key;
	variable->name =
		is_whole ? TEXT_NONE : (struct text){ rest.data, rest.size - spelled.size - 1 };
}

/* The rest of a variable behind its section. */
static void split_variable(struct settings_variable *variable, struct text rest)
{
	const struct settings_section *section = &settings_sections[variable->type];
	size_t longest = 0;

	for (const struct config_key *key = section->keys; key->name; key++) {
		try_key(variable, rest, key, text_of(key->name), &longest);
		try_key(variable, rest, key, text_of(settings_variable_key(section, key)),
			&longest);
	}
}

static void tell_unknown(struct problems *problems, const char *name)
{
	const char *names[128] = { 0 };
	size_t count = 0;
	const char *near;

	for (int i = 0; i < SECTION_COUNT; i++)
		for (const struct config_key *key = settings_sections[i].keys; key->name; key++)
			if (count + 1 < ARRAY_SIZE(names))
				names[count++] = str_format(
					ENVIRONMENT "%s_%s", settings_sections[i].name,
					settings_variable_key(&settings_sections[i], key));
	near = parse_nearest(text_of(name), names);
	if (near)
		problems_warning(problems, (struct place){ name, 0, 0 },
				 "unknown variable is ignored: did you mean %s?", near);
	else
		problems_warning(problems, (struct place){ name, 0, 0 },
				 "unknown variable is ignored");
	for (size_t i = 0; i < count; i++)
		free((char *)names[i]);
}

static void read_variable(struct settings_variables *variables, const char *entry,
			  struct problems *problems)
{
	const char *equals = strchr(entry, '=');
	struct settings_variable variable = { 0 };
	struct text rest;

	/* Empty counts as not set: compose files and manifests hand such ones over. */
	if (!equals || strncmp(entry, ENVIRONMENT, strlen(ENVIRONMENT)) != 0 || !equals[1])
		return;
	variable.whole = str_copy_n(entry, equals - entry);
	variable.value = text_of(equals + 1);
	rest = text_of(variable.whole + strlen(ENVIRONMENT));
	for (int i = 0; i < SECTION_COUNT && !variable.key; i++) {
		struct text section = text_of(settings_sections[i].name);
		struct text below = rest;

		if (!text_starts_with(rest, section) || rest.size <= section.size ||
		    rest.data[section.size] != '_')
			continue;
		below.data += section.size + 1;
		below.size -= section.size + 1;
		variable.type = i;
		split_variable(&variable, below);
	}
	if (!variable.key) {
		tell_unknown(problems, variable.whole);
		free(variable.whole);
		return;
	}
	variables->items =
		mem_grow(variables->items, variables->count + 1, sizeof(*variables->items));
	variables->items[variables->count++] = variable;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Sorted, so that the same settings always give the same messages. */
struct settings_variables *settings_variables_read(struct problems *problems)
{
	struct settings_variables *variables = NEW(struct settings_variables);
	AUTO(free) char *memory = NULL;
	const char **entries;
	size_t count = 0;

	while (environ && environ[count])
		count++;
	memory = mem_array(count + 1, sizeof(*entries));
	entries = (const char **)(void *)memory;
	for (size_t i = 0; i < count; i++)
		entries[i] = environ[i];
	qsort(entries, count, sizeof(*entries), by_text);
	for (size_t i = 0; i < count; i++)
		read_variable(variables, entries[i], problems);
	return variables;
}

void settings_variables_free(struct settings_variables *variables)
{
	if (!variables)
		return;
	for (size_t i = 0; i < variables->count; i++)
		free(variables->items[i].whole);
	free(variables->items);
	free(variables);
}
