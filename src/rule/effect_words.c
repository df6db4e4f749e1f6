#include "rule/effect_words.h"

#include "base/buf.h"

/* "renamed", "permissions", or up to three names of types. */
char *effect_kinds_text(event_kinds kinds)
{
	static const struct {
		event_kinds kind, halves;
	} moves[] = { { EVENT_RENAMED | EVENT_MOVED_IN,
			EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_KIND(CHILD_DIR_MOVED_TO) },
		      { EVENT_MOVED_OUT,
			EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_FROM) } };
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
	const char *const *names = event_kind_names();
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		if (kinds & moves[i].kind)
			kinds &= ~moves[i].halves;
	for (; *names && count < 3; names++) {
		event_kinds named = event_kinds_parse(text_of(*names));

		if (named == EVENT_ANY || !(kinds & named) || (named & ~kinds))
			continue;
		(void)!buf_print(text, "%s%s", count++ ? ", " : "", *names);
		kinds &= ~named;
	}
	return text->size ? buf_take(text) : str_copy("such");
}

char *effect_place_text(const struct event_effect *effect)
{
	if (effect->same_file)
		return str_copy(" at the same file");
	if (effect->same_directory)
		return str_copy(" in the same directory");
	if (effect->path)
		return str_format(" in %s", effect->path);
	return str_copy("");
}

/* A pattern like "*.*" says nothing about what is new in the name. */
static bool is_telling(const char *glob)
{
	unsigned letters = 0;

	for (; *glob; glob++)
		letters += (*glob >= 'a' && *glob <= 'z') || (*glob >= 'A' && *glob <= 'Z');
	return letters >= 2;
}

/* What would keep the rule from matching, as it would be written where that is known. */
char *effect_except_text(const struct event_effect *effect)
{
	if (effect->same_file)
		return str_copy("an 'event' condition without them");
	if (effect->path && effect->path[0] == '/' && effect->path[1])
		return str_format("not: {directory: %s}", effect->path);
	if (effect->name && is_telling(effect->name))
		return str_format("not: {name: '%s'}", effect->name);
	return str_copy("a condition that excludes them");
}
