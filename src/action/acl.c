#include "action/acl.h"

#include "action/identity.h"
#include "base/parse.h"

#define ENTRIES_MAX 200 /* the cluster's */
#define EVERYONE "8589934592"

enum preset { PRESET_NOBODY, PRESET_OWNER_ONLY, PRESET_READ_ONLY, PRESET_NONE };
static const char *const presets[] = { "nobody", "owner_only", "read_only", NULL };

/* In the order in which they are written down; the first six are those of read. */
static const char *const all_rights[] = {
	"READ",       "READ_EA",      "READ_ATTR", "READ_ACL",     "EXECUTE",     "SYNCHRONIZE",
	"WRITE_EA",   "WRITE_ATTR",   "DELETE",    "MODIFY",       "EXTEND",      "ADD_FILE",
	"ADD_SUBDIR", "DELETE_CHILD", "WRITE_ACL", "CHANGE_OWNER", "WRITE_GROUP", NULL,
};
static const struct {
	const char *name;
	size_t count; /* of all_rights */
} right_words[] = { { "read", 6 }, { "change", 14 }, { "full", 17 } };

#define RIGHTS_OF_READ 6

static const char *text_at(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool is_among(const char *const *names, const char *name)
{
	for (; name && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static enum preset preset_of(const json_t *option)
{
	const char *name = json_string_value(option);
	int at = 0;

	while (at < PRESET_NONE && !(name && strcmp(presets[at], name) == 0))
		at++;
	return at;
}

/* ---- Checking ---- */

static void wrong(struct problems *problems, struct place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void wrong(struct problems *problems, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *sentence = str_vformat(format, args);
	va_end(args);
	problems_error(problems, place, "permissions: acl: %s", sentence);
}

static void check_rights(const json_t *rights, size_t number, struct place place,
			 struct problems *problems)
{
	const char *word = json_string_value(rights);
	const json_t *name;
	size_t i;

	for (i = 0; word && i < ARRAY_SIZE(right_words); i++)
		if (strcmp(right_words[i].name, word) == 0)
			return;
	if (!json_is_array(rights) || !json_array_size(rights)) {
		wrong(problems, place,
		      "entry %zu: rights%s%s%s: expected read, change, full or a list like "
		      "[READ, EXECUTE]",
		      number, word ? " '" : "", word ? word : "", word ? "'" : "");
		return;
	}
	json_array_foreach(rights, i, name)
	{
		const char *text = json_string_value(name);
		const char *near = text ? parse_nearest(text_of(text), all_rights) : NULL;

		if (!is_among(all_rights, text))
			wrong(problems, place, "entry %zu: there is no right '%s'%s%s%s", number,
			      text ? text : "?", near ? "; did you mean " : "", near ? near : "",
			      near ? "?" : "");
	}
}

static bool is_word(const json_t *value, const char *one, const char *other)
{
	const char *text = json_string_value(value);

	return !value || json_is_boolean(value) ||
	       (text && (strcmp(text, one) == 0 || strcmp(text, other) == 0));
}

static void check_entry(const json_t *entry, size_t number, struct place place,
			struct problems *problems)
{
	static const char *const known[] = { "allow", "deny", "rights", "inherit", NULL };
	const char *allow = text_at(entry, "allow"), *deny = text_at(entry, "deny");
	const char *who = allow ? allow : deny, *name;
	json_t *value;

	if (!json_is_object(entry)) {
		wrong(problems, place, "entry %zu: expected one like {allow: media, rights: read}",
		      number);
		return;
	}
	json_object_foreach((json_t *)entry, name, value) if (!is_among(known, name))
		wrong(problems, place,
		      "entry %zu: it has no '%s': expected allow or deny, rights and "
		      "perhaps inherit",
		      number, name);
	if (!allow == !deny)
		wrong(problems, place, "entry %zu: it needs allow or deny, one of them", number);
	else if (strcmp(who, "everyone") != 0 && strcmp(who, "owner") != 0 &&
		 strcmp(who, "group") != 0 && !identity_is_sane(who, true))
		wrong(problems, place,
		      "entry %zu: '%s': expected everyone, owner, group, " IDENTITY_HELP, number,
		      who);
	check_rights(json_object_get(entry, "rights"), number, place, problems);
	if (!is_word(json_object_get(entry, "inherit"), "yes", "no"))
		wrong(problems, place, "entry %zu: inherit: expected yes or no", number);
}

/* The cluster's own form is the cluster's to judge, but for what every entry needs. */
static void check_own_form(const json_t *acl, struct place place, struct problems *problems)
{
	const json_t *aces = json_object_get(acl, "aces"), *ace;
	size_t i;

	if (!json_is_array(aces) || json_array_size(aces) > ENTRIES_MAX) {
		wrong(problems, place,
		      "expected a list of at most %d aces, as the cluster tells "
		      "them",
		      ENTRIES_MAX);
		return;
	}
	json_array_foreach(aces, i, ace)
	{
		const char *type = text_at(ace, "type");

		if (!type || (strcmp(type, "ALLOWED") != 0 && strcmp(type, "DENIED") != 0))
			wrong(problems, place, "ace %zu: type: expected ALLOWED or DENIED", i + 1);
		if (!json_is_array(json_object_get(ace, "rights")))
			wrong(problems, place, "ace %zu: rights: expected a list", i + 1);
		if (!json_is_array(json_object_get(ace, "flags")))
			wrong(problems, place,
			      "ace %zu: flags: expected a list, if need be an "
			      "empty one",
			      i + 1);
		if (!json_object_get(ace, "trustee") && !json_object_get(ace, "trustee_details"))
			wrong(problems, place, "ace %zu: expected a trustee, or trustee_details",
			      i + 1);
	}
}

void acl_check(const char *json, struct place place, struct problems *problems)
{
	json_t *option = json_loads(json, JSON_DECODE_ANY, NULL), *entry;
	const char *text = json_string_value(option);
	size_t i;

	if (json_is_array(option)) {
		if (json_array_size(option) > ENTRIES_MAX)
			wrong(problems, place, "%zu entries, and the cluster takes %d at most",
			      json_array_size(option), ENTRIES_MAX);
		if (!json_array_size(option))
			wrong(problems, place,
			      "an empty list: nobody would have any right; if "
			      "that is meant, say nobody");
		json_array_foreach(option, i, entry) check_entry(entry, i + 1, place, problems);
	} else if (json_is_object(option)) {
		check_own_form(option, place, problems);
	} else if (preset_of(option) == PRESET_NONE) {
		const char *near = text ? parse_nearest(text_of(text), presets) : NULL;

		wrong(problems, place,
		      "'%s': expected nobody, owner_only, read_only, a list of entries, or what "
		      "the cluster tells%s%s%s",
		      text ? text : "?", near ? "; did you mean " : "", near ? near : "",
		      near ? "?" : "");
	}
	json_decref(option);
}

/* ---- Making ---- */

static json_t *acl_new(json_t *aces)
{
	return json_pack("{s:[s],s:[],s:o}", "control", "PRESENT", "posix_special_permissions",
			 "aces", aces);
}

static json_t *first_rights(size_t count)
{
	json_t *rights = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(rights, json_string(all_rights[i]));
	return rights;
}

static json_t *rights_of(const json_t *rights)
{
	const char *word = json_string_value(rights);

	for (size_t i = 0; word && i < ARRAY_SIZE(right_words); i++)
		if (strcmp(right_words[i].name, word) == 0)
			return first_rights(right_words[i].count);
	return json_deep_copy(rights);
}

/* Names and Windows identifiers only the cluster can turn into a number. */
static void add_trustee(json_t *ace, const char *who, const struct file_info *file)
{
	struct identity identity = identity_of(who, true);
	AUTO(free) char *number = identity_auth_id(identity);

	if (strcmp(who, "everyone") == 0)
		json_object_set_new(ace, "trustee", json_string(EVERYONE));
	else if (strcmp(who, "owner") == 0)
		json_object_set_new(ace, "trustee", json_string(file->owner));
	else if (strcmp(who, "group") == 0)
		json_object_set_new(ace, "trustee", json_string(file->group));
	else if (number)
		json_object_set_new(ace, "trustee", json_string(number));
	else
		json_object_set_new(ace, "trustee_details",
				    json_pack("{s:s,s:s}", "id_type", identity.type, "id_value",
					      identity.value));
}

static bool is_yes(const json_t *value)
{
	const char *text = json_string_value(value);

	return json_is_true(value) || (text && (!strcmp(text, "yes") || !strcmp(text, "true")));
}

static json_t *ace_new(const json_t *entry, const struct file_info *file)
{
	const char *allow = text_at(entry, "allow");
	bool is_inherited =
		file->type == FILE_DIRECTORY && is_yes(json_object_get(entry, "inherit"));
	json_t *flags = is_inherited ? json_pack("[s,s]", "OBJECT_INHERIT", "CONTAINER_INHERIT")
				     : json_array();
	json_t *ace = json_pack("{s:s,s:o,s:o}", "type", allow ? "ALLOWED" : "DENIED", "flags",
				flags, "rights", rights_of(json_object_get(entry, "rights")));

	add_trustee(ace, allow ? allow : text_at(entry, "deny"), file);
	return ace;
}

static json_t *of_entries(const json_t *entries, const struct file_info *file)
{
	json_t *aces = json_array(), *entry;
	size_t i;

	json_array_foreach(entries, i, entry) json_array_append_new(aces, ace_new(entry, file));
	return acl_new(aces);
}

static json_t *owner_only(const struct file_info *file)
{
	AUTO(free) char *who = str_format("auth_id:%s", file->owner);
	json_t *entry = json_pack("{s:s,s:s}", "allow", who, "rights", "full");
	json_t *acl = acl_new(json_pack("[o]", ace_new(entry, file)));

	json_decref(entry);
	return acl;
}

static json_t *readable(const json_t *rights)
{
	json_t *left = json_array(), *right;
	size_t i;

	json_array_foreach(rights, i, right)
	{
		const char *name = json_string_value(right);

		for (size_t k = 0; name && k < RIGHTS_OF_READ; k++)
			if (strcmp(all_rights[k], name) == 0)
				json_array_append(left, right);
	}
	return left;
}

/* Whoever may read now may still, and nobody may do more. What is denied stays denied. */
static json_t *read_only(const json_t *current)
{
	json_t *acl = json_deep_copy(current), *aces = json_array(), *ace;
	size_t i;

	json_array_foreach(json_object_get(current, "aces"), i, ace)
	{
		const char *type = text_at(ace, "type");
		json_t *left = json_deep_copy(ace);

		if (type && strcmp(type, "ALLOWED") == 0)
			json_object_set_new(left, "rights",
					    readable(json_object_get(ace, "rights")));
		if (json_array_size(json_object_get(left, "rights")))
			json_array_append(aces, left);
		json_decref(left);
	}
	json_object_set_new(acl, "aces", aces);
	return acl;
}

json_t *acl_wanted(const char *json, const json_t *current, const struct file_info *file)
{
	json_t *option = json_loads(json, JSON_DECODE_ANY, NULL), *acl;

	if (json_is_array(option))
		acl = of_entries(option, file);
	else if (json_is_object(option))
		acl = json_incref(option);
	else if (preset_of(option) == PRESET_READ_ONLY)
		acl = read_only(current);
	else if (preset_of(option) == PRESET_OWNER_ONLY)
		acl = owner_only(file);
	else
		acl = acl_new(json_array());
	json_decref(option);
	return acl;
}

/* ---- Comparing ---- */

static bool is_in(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i,
			   item) if (json_is_string(item) &&
				     strcmp(json_string_value(item), name) == 0) return true;
	return false;
}

/* A list that is not there is an empty one. */
static bool is_same_set(const json_t *one, const json_t *other)
{
	const json_t *item;
	size_t i;

	if (json_array_size(one) != json_array_size(other))
		return false;
	json_array_foreach(one, i, item) if (!json_is_string(item) ||
					     !is_in(other, json_string_value(item))) return false;
	return true;
}

static bool is_same_trustee(const json_t *one, const json_t *other)
{
	const char *a = text_at(one, "trustee"), *b = text_at(other, "trustee");
	const json_t *details = json_object_get(one, "trustee_details");
	const json_t *others = json_object_get(other, "trustee_details");

	if (a && b)
		return strcmp(a, b) == 0;
	return json_is_object(details) && json_equal(details, others);
}

static bool is_same_ace(const json_t *one, const json_t *other)
{
	return json_equal(json_object_get(one, "type"), json_object_get(other, "type")) &&
	       is_same_trustee(one, other) &&
	       is_same_set(json_object_get(one, "flags"), json_object_get(other, "flags")) &&
	       is_same_set(json_object_get(one, "rights"), json_object_get(other, "rights"));
}

bool acl_is_same(const json_t *one, const json_t *other)
{
	const json_t *aces = json_object_get(one, "aces"), *others = json_object_get(other, "aces");
	size_t count = json_array_size(aces);

	if (count != json_array_size(others) ||
	    !is_same_set(json_object_get(one, "posix_special_permissions"),
			 json_object_get(other, "posix_special_permissions")))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!is_same_ace(json_array_get(aces, i), json_array_get(others, i)))
			return false;
	return true;
}

char *acl_describe(const char *json)
{
	json_t *option = json_loads(json, JSON_DECODE_ANY, NULL);
	size_t count =
		json_array_size(json_is_object(option) ? json_object_get(option, "aces") : option);
	char *text = json_is_string(option)
			     ? str_copy(json_string_value(option))
			     : str_format("of %zu entr%s", count, count == 1 ? "y" : "ies");

	json_decref(option);
	return text;
}
