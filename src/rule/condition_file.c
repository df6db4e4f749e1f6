#include "rule/condition_file.h"

#include <strings.h>

#include "base/clock.h"

const char *const file_type_names[] = {
	[FILE_REGULAR] = "file",
	[FILE_DIRECTORY] = "directory",
	[FILE_SYMLINK] = "symlink",
	[FILE_OTHER] = "other",
	NULL,
};

bool file_type_parse(struct text name, unsigned *out_types)
{
	for (int type = 0; file_type_names[type]; type++) {
		if (text_is(name, file_type_names[type])) {
			*out_types |= 1u << type;
			return true;
		}
	}
	return false;
}

static enum truth truth_of(bool value)
{
	return value ? TRUTH_TRUE : TRUTH_FALSE;
}

/* ---- Type ---- */

#define FILE_KINDS                                                       \
	(EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_FILE_REMOVED) | \
	 EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_FILE_MOVED_TO))
#define DIRECTORY_KINDS                                                \
	(EVENT_KIND(CHILD_DIR_ADDED) | EVENT_KIND(CHILD_DIR_REMOVED) | \
	 EVENT_KIND(CHILD_DIR_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_TO))

/* The event's type may tell that it is a directory, or that it is none: a symlink is told as a file
 * is. */
static enum truth test_type(const struct condition *condition, const struct subject *subject)
{
	const unsigned directory = 1u << FILE_DIRECTORY;
	unsigned may_be = (1u << (FILE_OTHER + 1)) - 1;

	if (subject->file && subject->file->info)
		return truth_of(condition->types >> subject->file->info->type & 1);
	if (subject->is_partial)
		return TRUTH_UNKNOWN;
	if (subject->kinds & DIRECTORY_KINDS)
		may_be = directory;
	else if (subject->kinds & FILE_KINDS)
		may_be &= ~directory;
	if (!(condition->types & may_be))
		return TRUTH_FALSE;
	return may_be & ~condition->types ? TRUTH_UNKNOWN : TRUTH_TRUE;
}

/* ---- Owner and group ---- */

static bool is_number(struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.size > 0;
}

static bool equal_names(const char *a, const char *b)
{
	return a && *a && strcasecmp(a, b) == 0;
}

/* CORP\alice is meant by alice, too. */
static bool is_name(const char *known, const char *value)
{
	const char *plain = known ? strrchr(known, '\\') : NULL;

	return equal_names(known, value) ||
	       (plain && !strchr(value, '\\') && equal_names(plain + 1, value));
}

bool condition_is_name(const char *value)
{
	static const char *const others[] = { "uid:", "gid:", "sid:", "auth_id:", "S-1-" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strncmp(value, others[i], strlen(others[i])) == 0)
			return false;
	return !is_number(text_of(value));
}

struct principal {
	const char *auth_id, *type, *value;
	const char *const *names; /* NULL: not known */
};

static enum truth is_principal(const struct principal *who, const char *wanted)
{
	const char *colon = strchr(wanted, ':');
	struct text head = { wanted, colon ? (size_t)(colon - wanted) : 0 };
	bool is_posix = strcmp(who->type, "NFS_UID") == 0 || strcmp(who->type, "NFS_GID") == 0;

	if (text_is(head, "auth_id"))
		return truth_of(strcmp(who->auth_id, colon + 1) == 0);
	if (text_is(head, "uid") || text_is(head, "gid") || is_number(text_of(wanted))) {
		const char *number = colon ? colon + 1 : wanted;

		return truth_of(is_posix && strcmp(who->value, number) == 0);
	}
	if (text_is(head, "sid") || strncmp(wanted, "S-1-", 4) == 0)
		return truth_of(equal_names(who->value, colon ? colon + 1 : wanted));
	if (is_name(who->value, wanted))
		return TRUTH_TRUE;
	for (size_t i = 0; who->names && who->names[i]; i++)
		if (is_name(who->names[i], wanted))
			return TRUTH_TRUE;
	/* A number or a SID may have the name, as long as nobody could say. */
	if (!who->names && (is_posix || strcmp(who->type, "SMB_SID") == 0))
		return TRUTH_UNKNOWN;
	return TRUTH_FALSE;
}

static enum truth test_principal(const struct condition *condition, const struct file_facts *file)
{
	const struct file_info *info = file->info;
	bool is_owner = condition->kind == CONDITION_OWNER;
	struct principal who = { is_owner ? info->owner : info->group,
				 is_owner ? info->owner_type : info->group_type,
				 is_owner ? info->owner_value : info->group_value,
				 is_owner ? file->owner_names : file->group_names };
	enum truth best = TRUTH_FALSE;

	if (!who.auth_id || !who.type || !who.value)
		return TRUTH_UNKNOWN;
	for (size_t at = 0; at < condition->source->values_size && best < TRUTH_TRUE;
	     at += strlen(condition->source->values + at) + 1) {
		enum truth one = is_principal(&who, condition->source->values + at);

		best = MAX(best, one);
	}
	return best;
}

/* ---- Numbers ---- */

static enum truth in_ranges(const struct condition *condition, int64_t number)
{
	for (size_t i = 0; i < condition->range_count; i++)
		if (number >= condition->ranges[i].least && number <= condition->ranges[i].most)
			return TRUTH_TRUE;
	return TRUTH_FALSE;
}

bool condition_file_age(const struct condition *condition, const struct subject *subject,
			int64_t *out_ms)
{
	const struct file_info *info = subject->file ? subject->file->info : NULL;
	const char *since;
	int64_t since_ms;

	if (!info || !subject->event || !subject->event->time_ms)
		return false;
	since = condition->kind == CONDITION_AGE ? info->creation_time : info->modification_time;
	if (!since || !clock_parse(since, &since_ms))
		return false;
	*out_ms = MAX(subject->event->time_ms - since_ms, 0);
	return true;
}

static bool has_mode(const struct mode_test *test, unsigned mode)
{
	return (mode & test->all) == test->all && (!test->any || mode & test->any) &&
	       !(mode & test->none);
}

static enum truth test_mode(const struct condition *condition, unsigned mode)
{
	for (size_t i = 0; i < condition->mode_count; i++)
		if (has_mode(&condition->modes[i], mode & 07777))
			return TRUTH_TRUE;
	return TRUTH_FALSE;
}

/* ---- User metadata ---- */

static enum truth has_tag(const struct tag_test *test, const struct file_facts *file)
{
	const struct file_tag *tag;
	struct text value;

	if (!file || !file->tags || (file->only_tag && strcmp(file->only_tag, test->key) != 0))
		return TRUTH_UNKNOWN;
	tag = file_tags_find(file->tags, test->key);
	if (!tag || test->is_any)
		return truth_of(tag);
	value = (struct text){ tag->value, tag->size };
	for (size_t i = 0; i < test->values.count; i++)
		if (pattern_match(test->values.items[i], value))
			return TRUTH_TRUE;
	return TRUTH_FALSE;
}

static enum truth test_tags(const struct condition *condition, const struct file_facts *file)
{
	enum truth best = TRUTH_FALSE, all = TRUTH_TRUE;

	for (size_t i = 0; i < condition->tag_count; i++) {
		enum truth one = has_tag(&condition->tags[i], file);

		if (i && condition->tags[i].is_another) {
			best = MAX(best, all);
			all = TRUTH_TRUE;
		}
		all = MIN(all, one);
	}
	return MAX(best, all);
}

enum truth condition_test_file(const struct condition *condition, const struct subject *subject)
{
	const struct file_info *info = subject->file ? subject->file->info : NULL;
	int64_t age_ms;

	if (condition->kind == CONDITION_TYPE)
		return test_type(condition, subject);
	if (condition->kind == CONDITION_TAG)
		return test_tags(condition, subject->file);
	if (!info)
		return TRUTH_UNKNOWN;
	switch (condition->kind) {
	case CONDITION_SIZE:
		return in_ranges(condition, info->size);
	case CONDITION_LINKS:
		return in_ranges(condition, info->num_links);
	case CONDITION_MODE:
		return test_mode(condition, info->mode);
	case CONDITION_AGE:
	case CONDITION_MODIFIED:
		return condition_file_age(condition, subject, &age_ms)
			       ? in_ranges(condition, age_ms)
			       : TRUTH_UNKNOWN;
	default:
		return test_principal(condition, subject->file);
	}
}
