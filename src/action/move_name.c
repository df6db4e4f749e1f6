/* move_name: names, paths and events of a move, and the next name when one is taken. */
#include <inttypes.h>

#include "action/module.h"
#include "action/move.h"

#define NAME_MAX_CHARACTERS 255 /* the cluster's; its bytes may be more */
#define PATH_MAX_CHARACTERS 32760
#define TRIES_MAX 20 /* numbers tried after a name that is taken, before the job's own */

enum event_type move_from_type(bool is_directory)
{
	return is_directory ? CHILD_DIR_MOVED_FROM : CHILD_FILE_MOVED_FROM;
}

enum event_type move_to_type(bool is_directory)
{
	return is_directory ? CHILD_DIR_MOVED_TO : CHILD_FILE_MOVED_TO;
}

static bool starts_character(char c)
{
	return (c & 0xC0) != 0x80;
}

static size_t count_characters(struct text text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.size; i++)
		count += starts_character(text.data[i]);
	return count;
}

char *move_check_target(const char *path)
{
	struct text rest = text_of(path);
	size_t characters = count_characters(rest);

	if (characters > PATH_MAX_CHARACTERS)
		return str_format("the new path would have %zu characters, more than the %d that "
				  "the cluster allows",
				  characters, PATH_MAX_CHARACTERS);
	(void)text_cut(&rest, '/');
	while (rest.data) {
		struct text name = text_cut(&rest, '/');

		if (!name.size || text_is(name, ".") || text_is(name, ".."))
			return str_format("'%.*s' is no name for a file", TEXT_ARGS(name));
		characters = count_characters(name);
		if (characters <= NAME_MAX_CHARACTERS)
			continue;
		name.size = module_fit(name, 60);
		return str_format("the name '%.*s...' would have %zu characters, more than the %d "
				  "that the cluster allows",
				  TEXT_ARGS(name), characters, NAME_MAX_CHARACTERS);
	}
	return NULL;
}

char *move_numbered_name(const char *name, uint64_t number)
{
	struct text whole = text_of(name);
	struct text extension = path_extension(whole);
	struct text stem = { name, whole.size - extension.size };
	AUTO(free) char *suffix = str_format(" (%" PRIu64 ")", number);
	/* Some file systems count bytes, so a name does not become longer than it was beyond that.
	 */
	size_t most = MAX(whole.size, (size_t)NAME_MAX_CHARACTERS);
	size_t added = strlen(suffix);

	if (extension.size + added >= NAME_MAX_CHARACTERS) { /* all extension: number at the end */
		stem = whole;
		extension.size = 0;
	}
	while (stem.size && (stem.size + added + extension.size > most ||
			     count_characters(stem) + added + count_characters(extension) >
				     NAME_MAX_CHARACTERS)) {
		do {
			stem.size--;
		} while (stem.size && !starts_character(stem.data[stem.size]));
	}
	return str_format("%.*s%s%.*s", TEXT_ARGS(stem), suffix, TEXT_ARGS(extension));
}

char *move_next_place(const char *target, unsigned tries, uint64_t job)
{
	AUTO(free) char *directory = text_copy(path_parent(text_of(target)));
	AUTO(free) char *name = text_copy(path_name(text_of(target)));
	AUTO(free) char *numbered = NULL;

	if (tries > TRIES_MAX + 1)
		return NULL;
	/* The job's number is nobody else's, so that a directory full of numbers is no dead end. */
	numbered = move_numbered_name(name, tries > TRIES_MAX ? job : tries + 1);
	return path_join(text_of(directory), text_of(numbered));
}
