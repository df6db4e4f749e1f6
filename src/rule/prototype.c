#include "rule/prototype.h"

#define RULE_NAME "watched-files"

/* A list of texts of the prototype's form. */
static bool are_texts(struct condition_parser *parser, const struct node *node, const char *what)
{
	bool ok = node->kind == NODE_LIST && node->count;

	node_for_each(child, node)
	{
		ok &= child->kind == NODE_SCALAR && child->text.size;
	}
	if (node->kind == NODE_SCALAR)
		ok = node->text.size;
	if (!ok)
		problems_error(parser->problems, node->place,
			       "%s: expected a list of texts, like %s", what,
			       node->key->text.data[0] == 'P' ? "- /home" : "- .jpg");
	return ok;
}

/* A node that the file does not hold, for a value that it does. */
static struct node stand_in(enum node_kind kind, struct place place, const char *text)
{
	return (struct node){ .kind = kind, .place = place, .text = text_of(text) };
}

void prototype_read(struct condition_parser *parser, const struct node *paths,
		    const struct node *extensions)
{
	const struct node *first = paths ? paths : extensions;
	struct place place = first->key->place;
	struct node event_key = stand_in(NODE_SCALAR, place, "event");
	struct node event = stand_in(NODE_SCALAR, place, "child_file_added");
	struct node mapping = stand_in(NODE_MAPPING, place, NULL);
	struct node path_key = stand_in(NODE_SCALAR, place, "directory");
	struct node extension_key = stand_in(NODE_SCALAR, place, "extension");
	struct node path_list = stand_in(NODE_LIST, place, NULL);
	struct node extension_list;
	struct node *items = NULL;
	struct node **link = &event.next;
	const struct node *source = NULL;
	struct set_rule *rule, *other;
	size_t count = 0;

	if ((paths && !are_texts(parser, paths, "PATHS")) ||
	    (extensions && !are_texts(parser, extensions, "EXTENSIONS")))
		return;
	HASH_FIND(by_name, parser->set->by_name, RULE_NAME, strlen(RULE_NAME), other);
	if (other) {
		problems_error(parser->problems, place,
			       "PATHS and EXTENSIONS make a rule '" RULE_NAME
			       "', and there is one already");
		return;
	}
	event.key = &event_key;
	mapping.first = &event;
	mapping.count = 1;
	if (paths) {
		source = paths->kind == NODE_LIST ? paths->first : paths;
		count = paths->kind == NODE_LIST ? paths->count : 1;
		items = mem_array(count, sizeof(*items));
		for (size_t i = 0; i < count; i++, source = source->next) {
			items[i] = stand_in(NODE_SCALAR, source->place,
					    path_join(TEXT("/"), source->text));
			items[i].next = i + 1 < count ? &items[i + 1] : NULL;
		}
		path_list.key = &path_key;
		path_list.first = items;
		path_list.count = count;
		*link = &path_list;
		link = &path_list.next;
		mapping.count++;
	}
	if (extensions) {
		extension_list = *extensions;
		extension_list.key = &extension_key;
		extension_list.next = NULL;
		*link = &extension_list;
		mapping.count++;
	}
	rule = rule_set_add(parser->set, TEXT(RULE_NAME), place);
	rule->when = condition_parse(parser, &mapping, false);
	rule->when_place = rule->rule.place;
	set_rule_add_step(rule, "log", TEXT_NONE, str_copy("{}"), place);
	for (size_t i = 0; i < count; i++)
		free((char *)items[i].text.data);
	free(items);
}
