#include "rule/words.h"

#include "base/parse.h"

static int index_of(const char *const *names, struct text name)
{
	for (int i = 0; names[i]; i++)
		if (text_is(name, names[i]))
			return i;
	return -1;
}

static char *listed(const char *const *names)
{
	AUTO(buf_free) struct buf *buf = buf_new(SIZE_MAX);

	for (size_t i = 0; names[i]; i++)
		(void)!buf_print(buf, "%s%s", i ? ", " : "", names[i]);
	return buf_take(buf);
}

/* "when {event: created}" is one long key to YAML. */
static bool tell_no_colon(const struct words *words, const struct node *key,
			  struct problems *problems)
{
	struct text rest = key->text, first = text_cut(&rest, ' ');

	if (key->is_quoted || !rest.size || index_of(words->known, first) < 0)
		return false;
	problems_error(problems, key->place, "a ':' is missing behind '%.*s'", TEXT_ARGS(first));
	return true;
}

int words_find(const struct words *words, const struct node *key, struct problems *problems)
{
	int found = index_of(words->known, key->text);

	if (found >= 0)
		return found;
	if (!problems)
		return -1;
	if (!key->is_quoted && text_is(key->text, "<<"))
		return -1; /* the document has complained */
	if (words->elsewhere && index_of(words->elsewhere, key->text) >= 0) {
		problems_error(problems, key->place, "'%.*s' is %s", TEXT_ARGS(key->text),
			       words->where);
		return -1;
	}
	if (tell_no_colon(words, key, problems))
		return -1;

	const char *nearest = parse_nearest(key->text, words->known);

	if (nearest) {
		problems_error(problems, key->place, "%s has no key '%.*s'; did you mean '%s'?",
			       words->what, TEXT_ARGS(key->text), nearest);
		return -1;
	}

	AUTO(free) char *names = listed(words->known);

	problems_error(problems, key->place, "%s has no key '%.*s'; expected one of %s",
		       words->what, TEXT_ARGS(key->text), names);
	return -1;
}

bool words_check(const struct words *words, const struct node *mapping, struct problems *problems)
{
	bool ok = true;

	node_for_each(child, mapping)
	{
		ok &= words_find(words, child->key, problems) >= 0;
	}
	return ok;
}

char *words_place(struct place place, struct place here)
{
	bool is_here = place.file && here.file && strcmp(place.file, here.file) == 0;

	return str_format("line %d%s%s", place.line, is_here ? "" : " of ",
			  is_here ? "" : place.file);
}

struct text words_text(const struct node *node, const char *what, const char *wish,
		       struct problems *problems)
{
	if (node->kind == NODE_SCALAR && node->text.size)
		return node->text;
	if (node->kind == NODE_SCALAR)
		problems_error(problems, node->place, "%s is empty: expected %s", what, wish);
	else
		problems_error(problems, node->place, "%s is %s: expected %s", what,
			       node_kind_name(node->kind), wish);
	return TEXT_NONE;
}
