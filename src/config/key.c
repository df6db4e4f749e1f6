#include "config/key.h"

#include <stdio.h>
#include <strings.h>

#include "base/parse.h"

enum { QUOTE_MAX = 60 /* characters of a value that a message repeats */ };

struct reading {
	const struct config_key *keys;
	void *config;
	key_check_template *check;
	void *ctx;
	struct problems *problems;
};

/* A duration in its biggest unit. */
static char *duration_text(int64_t ms)
{
	static const struct {
		const char *name;
		int64_t factor;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ms && ms % units[i].factor == 0)
			return str_format("%lld%s", (long long)(ms / units[i].factor),
					  units[i].name);
	return str_format("%lldms", (long long)ms);
}

static char *size_text(int64_t bytes)
{
	static const char *const units[] = { "TiB", "GiB", "MiB", "KiB" };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		int64_t factor = (int64_t)1 << (40 - 10 * i);

		if (bytes && bytes % factor == 0)
			return str_format("%lld %s", (long long)(bytes / factor), units[i]);
	}
	return str_format("%lld", (long long)bytes);
}

static char *amount_text(const struct config_key *key, int64_t amount)
{
	if (key->type == KEY_TIME)
		return duration_text(amount);
	if (key->type == KEY_SIZE)
		return size_text(amount);
	return str_format("%lld", (long long)amount);
}

/* "starttls, tls or plain" */
static char *choices_text(const char *const *choices)
{
	AUTO(buf_free) struct buf *buf = buf_new(SIZE_MAX);

	for (size_t i = 0; choices[i]; i++)
		(void)!buf_print(buf, "%s%s",
				 i == 0           ? ""
				 : choices[i + 1] ? ", "
						  : " or ",
				 choices[i]);
	return buf_take(buf);
}

static char *expected(const struct config_key *key)
{
	switch (key->type) {
	case KEY_TIME:
		return str_copy("a duration like 500ms, 10s, 5m, 2h or 7d");
	case KEY_SIZE:
		return str_copy("a size like 4096, 64 KiB, 10 MiB or 2 GB");
	case KEY_NUMBER:
		return str_copy("a whole number");
	case KEY_BOOL:
		return str_copy("yes or no");
	case KEY_JSON:
		return str_copy("a text, a list or a mapping");
	case KEY_PATH:
		return str_copy("a path");
	case KEY_LIST:
		return str_copy("a list of texts");
	case KEY_CHOICE:
		return choices_text(key->choices);
	case KEY_TEXT:
	case KEY_SECRET:
	case KEY_TEMPLATE:
		break;
	}
	return str_copy("text");
}

static int fail_expected(const struct config_key *key, const char *found, struct error *err)
{
	AUTO(free) char *wish = expected(key);

	return error_set(err, "%s: expected %s, found %s", key->name, wish, found);
}

/* A value as a message repeats it: in quotes, and not all of a long one. */
static char *quoted(struct text value)
{
	size_t size = 0, characters = 0;

	while (size < value.size && characters < QUOTE_MAX) {
		size++;
		while (size < value.size && (value.data[size] & 0xc0) == 0x80)
			size++;
		characters++;
	}
	return str_format("'%.*s'%s", (int)size, value.data ? value.data : "",
			  size < value.size ? "..." : "");
}

static int check_range(const struct config_key *key, struct text value, int64_t amount,
		       struct error *err)
{
	bool is_any = !key->least && !key->most;
	bool has_top = key->most > 0;
	AUTO(free) char *least = amount_text(key, key->least);
	AUTO(free) char *most = amount_text(key, key->most);
	AUTO(free) char *found = quoted(value);

	if (is_any ? amount >= 0 : amount >= key->least && (!has_top || amount <= key->most))
		return 0;
	if (is_any)
		return error_set(err, "%s %s: expected 0 or more", key->name, found);
	if (!has_top)
		return error_set(err, "%s %s: expected at least %s", key->name, found, least);
	return error_set(err, "%s %s: expected from %s to %s", key->name, found, least, most);
}

static int set_amount(const struct config_key *key, struct text value, int64_t *out,
		      struct error *err)
{
	AUTO(free) char *found = quoted(value);
	AUTO(free) char *wish = expected(key);
	int64_t amount;
	int result = key->type == KEY_TIME ? parse_duration(value, &amount, NULL)
		     : key->type == KEY_SIZE
			     ? parse_size(value, &amount, NULL)
			     : parse_number(value, INT64_MIN + 1, INT64_MAX, &amount, NULL);

	if (result < 0)
		return error_set(err, "%s %s: expected %s", key->name, found, wish);
	if (check_range(key, value, amount, err) < 0)
		return -1;
	*out = amount;
	return 0;
}

static int set_choice(const struct config_key *key, struct text value, int *out, struct error *err)
{
	AUTO(free) char *found = quoted(value);
	AUTO(free) char *wish = choices_text(key->choices);
	const char *near = parse_nearest(value, key->choices);

	for (int i = 0; key->choices[i]; i++) {
		if (value.size == strlen(key->choices[i]) &&
		    strncasecmp(value.data, key->choices[i], value.size) == 0) {
			*out = i;
			return 0;
		}
	}
	if (near)
		return error_set(err, "%s %s: expected %s, did you mean %s?", key->name, found,
				 wish, near);
	return error_set(err, "%s %s: expected %s", key->name, found, wish);
}

static void list_clear(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct key_list){ NULL, 0 };
}

static void list_append_text(struct key_list *list, struct text text)
{
	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = text_copy(text);
}

static int set_list(const struct config_key *key, struct text value, struct key_list *out,
		    struct error *err)
{
	struct key_list list = { NULL, 0 };

	while (value.size) {
		struct text item = text_trim(text_cut(&value, ','));

		if (item.size)
			list_append_text(&list, item);
	}
	if (!list.count)
		return fail_expected(key, "nothing", err);
	list_clear(out);
	*out = list;
	return 0;
}

int key_set(const struct config_key *key, struct text value, void *config, struct error *err)
{
	void *member = (char *)config + key->offset;

	if (!value.size && key->type != KEY_TEXT && key->type != KEY_TEMPLATE)
		return fail_expected(key, "nothing", err);
	switch (key->type) {
	case KEY_TEXT:
	case KEY_SECRET:
	case KEY_TEMPLATE:
	case KEY_PATH:
	case KEY_JSON: /* a table's default is JSON already */
		free(*(char **)member);
		*(char **)member = text_copy(value);
		return 0;
	case KEY_TIME:
	case KEY_SIZE:
	case KEY_NUMBER:
		return set_amount(key, value, member, err);
	case KEY_BOOL:
		if (parse_bool(value, member, err) < 0)
			return error_set(err, "%s '%.*s': expected yes or no", key->name,
					 (int)MIN(value.size, (size_t)QUOTE_MAX), value.data);
		return 0;
	case KEY_CHOICE:
		return set_choice(key, value, member, err);
	case KEY_LIST:
		return set_list(key, value, member, err);
	}
	return 0;
}

void key_defaults(const struct config_key *keys, void *config)
{
	for (const struct config_key *key = keys; key->name; key++) {
		AUTO_ERROR err = { 0 };
		int result = key->standard ? key_set(key, text_of(key->standard), config, &err) : 0;

		if (result < 0)
			abort(); /* a table of ours is wrong; its test says which */
	}
}

void key_clear(const struct config_key *keys, void *config)
{
	for (const struct config_key *key = keys; key->name; key++) {
		void *member = (char *)config + key->offset;

		switch (key->type) {
		case KEY_TEXT:
		case KEY_SECRET:
		case KEY_TEMPLATE:
		case KEY_PATH:
		case KEY_JSON:
			free(*(char **)member);
			*(char **)member = NULL;
			break;
		case KEY_LIST:
			list_clear(member);
			break;
		default:
			break;
		}
	}
}

const struct config_key *key_find(const struct config_key *keys, struct text name)
{
	for (const struct config_key *key = keys; key->name; key++)
		if (name.size == strlen(key->name) &&
		    strncasecmp(name.data, key->name, name.size) == 0)
			return key;
	return NULL;
}

void key_tell_unknown(const struct config_key *keys, struct text name, struct place place,
		      struct problems *problems)
{
	AUTO(free) char *found = quoted(name);
	AUTO(buf_free) struct buf *known = buf_new(SIZE_MAX);
	AUTO(free) char *memory = NULL;
	const char **names;
	const char *near;
	size_t count = 0;

	while (keys[count].name)
		count++;
	memory = mem_array(count + 1, sizeof(*names));
	names = (const char **)(void *)memory;
	for (size_t i = 0; i < count; i++) {
		names[i] = keys[i].name;
		(void)!buf_print(known, "%s%s",
				 i == 0          ? ""
				 : i + 1 < count ? ", "
						 : " and ",
				 names[i]);
	}
	near = parse_nearest(name, names);
	if (near)
		problems_error(problems, place, "unknown key %s: did you mean %s?", found, near);
	else if (count)
		problems_error(problems, place, "unknown key %s: known %s %s", found,
			       count == 1 ? "is" : "are", known->data);
	else
		problems_error(problems, place, "unknown key %s: no keys are known here", found);
}

static void check_template(struct reading *reading, const struct config_key *key,
			   const struct node *node)
{
	if (!reading->check || !(key->type == KEY_TEMPLATE || key->is_template))
		return;

	AUTO(free) char *wrong = reading->check(reading->ctx, node->text);

	if (wrong)
		problems_error(reading->problems, node->place, "%s: %s", key->name, wrong);
}

/* {date} without quotes is a mapping with one key and no value. */
static bool looks_like_template(const struct node *node)
{
	return node->kind == NODE_MAPPING && node->count == 1 && node->first->kind == NODE_NULL;
}

static void tell_kind(struct reading *reading, const struct config_key *key,
		      const struct node *node)
{
	AUTO(free) char *wish = expected(key);

	if (looks_like_template(node))
		problems_error(reading->problems, node->place,
			       "%s: expected %s, found a mapping; put templates in quotes: "
			       "\"{%.*s}\"",
			       key->name, wish, TEXT_ARGS(node->first->key->text));
	else
		problems_error(reading->problems, node->place, "%s: expected %s, found %s",
			       key->name, wish, node_kind_name(node->kind));
}

static void read_list(struct reading *reading, const struct config_key *key,
		      const struct node *node)
{
	struct key_list *list = (void *)((char *)reading->config + key->offset);

	list_clear(list);
	if (node->kind == NODE_SCALAR) {
		list_append_text(list, node->text);
		check_template(reading, key, node);
		return;
	}
	node_for_each(item, node)
	{
		if (item->kind != NODE_SCALAR) {
			AUTO(free) char *name = str_format("an item of %s", key->name);
			struct config_key of_item = { .name = name, .type = KEY_TEXT };

			tell_kind(reading, &of_item, item);
			continue;
		}
		list_append_text(list, item->text);
		check_template(reading, key, item);
	}
	if (!node->count && key->is_required)
		problems_error(reading->problems, node->place,
			       "%s: expected a list of texts, found an empty one", key->name);
}

static void read_value(struct reading *reading, const struct config_key *key,
		       const struct node *node)
{
	AUTO_ERROR err = { 0 };

	if (key->type == KEY_LIST && (node->kind == NODE_LIST || node->kind == NODE_SCALAR)) {
		read_list(reading, key, node);
		return;
	}
	if (key->type == KEY_JSON && node->kind != NODE_NULL) {
		char **json = (void *)((char *)reading->config + key->offset);

		free(*json);
		*json = node_to_json(node);
		return;
	}
	if (node->kind != NODE_SCALAR) {
		tell_kind(reading, key, node);
		return;
	}
	if (key_set(key, node->text, reading->config, &err) < 0) {
		problems_error(reading->problems, node->place, "%s", error_text(&err));
		return;
	}
	if (key->check && key->check(node->text.data, &err) < 0)
		problems_error(reading->problems, node->place, "%s %s", key->name,
			       error_text(&err));
	check_template(reading, key, node);
}

static void read_mapping(struct reading *reading, const struct node *node)
{
	node_for_each(child, node)
	{
		const struct config_key *key = NULL;

		for (key = reading->keys; key->name; key++)
			if (text_is(child->key->text, key->name))
				break;
		if (key->name)
			read_value(reading, key, child);
		else
			key_tell_unknown(reading->keys, child->key->text, child->key->place,
					 reading->problems);
	}
	for (const struct config_key *key = reading->keys; key->name; key++)
		if (key->is_required && !node_get(node, key->name))
			problems_error(reading->problems, node->place, "'%s' is missing: %s",
				       key->name, key->help ? key->help : "it is required");
}

void key_read(const struct config_key *keys, const char *short_key, const struct node *node,
	      void *config, key_check_template *check, void *ctx, struct problems *problems)
{
	static const struct node nothing = { .kind = NODE_MAPPING };
	struct reading reading = { keys, config, check, ctx, problems };
	const struct config_key *only = short_key ? key_find(keys, text_of(short_key)) : NULL;

	if (!node) {
		read_mapping(&reading, &nothing);
	} else if (node->kind == NODE_MAPPING || node->kind == NODE_NULL) {
		/* "{path}" without quotes, where one text is enough. */
		if (only && looks_like_template(node) && !key_find(keys, node->first->key->text))
			tell_kind(&reading, only, node);
		else
			read_mapping(&reading, node);
	} else if (only && (node->kind == NODE_SCALAR || only->type == KEY_LIST)) {
		read_value(&reading, only, node);
		for (const struct config_key *key = keys; key->name; key++)
			if (key->is_required && key != only)
				problems_error(problems, node->place, "'%s' is missing: %s",
					       key->name, key->help);
	} else {
		AUTO(free) char *found = node->kind == NODE_SCALAR ? quoted(node->text) : NULL;

		problems_error(problems, node->place, "expected a mapping, found %s%s%s",
			       node_kind_name(node->kind), found ? " " : "", found ? found : "");
	}
}
