#include "app/also_caused.h"

#include "base/parse.h"

struct item {
	const char *module;
	enum event_type type;
	bool of_directory;
};

struct also_caused {
	struct item *items;
	size_t count;
};

static char *unknown_module(struct text name)
{
	const char *names[64] = { 0 };
	const char *near;

	for (size_t i = 0; action_types[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = action_types[i]->name;
	near = parse_nearest(name, names);
	return str_format("there is no module '%.*s'%s%s%s", TEXT_ARGS(name),
			  near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

/* NULL: *out is filled. */
static char *parse(const char *text, struct item *out)
{
	struct text rest = text_trim(text_of(text));
	struct text module = text_cut(&rest, ' '), type;
	AUTO(free) char *name = text_copy(module);
	const struct action_type *found = action_type_find(name);

	rest = text_trim(rest);
	type = text_cut(&rest, ' ');
	rest = text_trim(rest);
	if (!type.size)
		return str_copy("expected a module and an event, like 'rename "
				"child_mtime_changed of directory'");
	if (!found)
		return unknown_module(module);
	out->module = found->name;
	out->type = event_type_parse(type);
	if (out->type == EVENT_TYPE_UNKNOWN)
		return str_format("there is no type of event '%.*s'", TEXT_ARGS(type));
	out->of_directory = text_is(rest, "of directory");
	if (rest.size && !out->of_directory)
		return str_format("'%.*s': expected 'of directory' or nothing", TEXT_ARGS(rest));
	return NULL;
}

char *also_caused_check(const char *text)
{
	struct item item;

	return parse(text, &item);
}

struct also_caused *also_caused_new(const struct key_list *list)
{
	struct also_caused *also = NEW(struct also_caused);

	also->items = mem_array(list->count, sizeof(*also->items));
	for (size_t i = 0; i < list->count; i++) {
		AUTO(free) char *wrong = parse(list->items[i], &also->items[also->count]);

		also->count += wrong == NULL;
	}
	return also;
}

void also_caused_free(struct also_caused *also)
{
	if (!also)
		return;
	free(also->items);
	free(also);
}

/* What is known already is not expected twice. */
static bool is_there(const struct action_effect *all, size_t count, const struct action_effect *one)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].type == one->type && strcmp(all[i].file_id, one->file_id) == 0 &&
		    (all[i].path && one->path ? strcmp(all[i].path, one->path) == 0
					      : all[i].path == one->path))
			return true;
	return false;
}

static bool follow(const struct item *item, const struct action_effect *effect,
		   struct action_effect *out)
{
	*out = (struct action_effect){ item->type, effect->file_id, NULL };
	if (item->of_directory) {
		if (!effect->path)
			return false;
		out->file_id = "";
		out->path = text_copy(path_parent(text_of(effect->path)));
	} else if (!*effect->file_id) {
		out->path = str_copy(effect->path);
	}
	return true;
}

struct action_effect *also_caused_add(const struct also_caused *also, const char *module,
				      const struct action_effect *effects, size_t count,
				      size_t *out_count)
{
	struct action_effect *all = mem_array(count * (1 + also->count) + 1, sizeof(*all));

	for (size_t i = 0; i < count; i++)
		all[i] = effects[i];
	*out_count = count;
	for (size_t k = 0; k < also->count; k++) {
		for (size_t i = 0; i < count && !strcmp(also->items[k].module, module); i++) {
			struct action_effect *next = &all[*out_count];

			if (!follow(&also->items[k], &effects[i], next))
				continue;
			if (is_there(all, *out_count, next))
				free((char *)next->path);
			else
				++*out_count;
		}
	}
	return all;
}

void also_caused_clear(struct action_effect *all, size_t count, size_t all_count)
{
	for (size_t i = count; i < all_count; i++)
		free((char *)all[i].path);
	free(all);
}
