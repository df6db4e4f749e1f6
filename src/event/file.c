#include "event/file.h"

/* The members that are texts of their own. */
static const size_t texts[] = {
	offsetof(struct file_info, id),
	offsetof(struct file_info, path),
	offsetof(struct file_info, owner),
	offsetof(struct file_info, group),
	offsetof(struct file_info, owner_type),
	offsetof(struct file_info, owner_value),
	offsetof(struct file_info, group_type),
	offsetof(struct file_info, group_value),
	offsetof(struct file_info, modification_time),
	offsetof(struct file_info, change_time),
	offsetof(struct file_info, creation_time),
	offsetof(struct file_info, etag),
	offsetof(struct file_info, retention),
};

static char **text_at(struct file_info *info, size_t offset)
{
	return (char **)((char *)info + offset);
}

void file_info_clear(struct file_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*text_at(info, texts[i]));
	*info = (struct file_info){ 0 };
}

void file_info_copy(struct file_info *to, const struct file_info *from)
{
	struct file_info copy = *from;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*text_at(&copy, texts[i]) = str_copy(*text_at(&copy, texts[i]));
	*to = copy;
}

char *file_permissions(const struct file_info *info)
{
	return str_format("%04o %s %s", info->mode & 07777, info->owner ? info->owner : "",
			  info->group ? info->group : "");
}

/* ---- User metadata ---- */

void file_tags_add(struct file_tags *tags, const char *key, struct text value)
{
	tags->items = mem_grow(tags->items, tags->count + 1, sizeof(*tags->items));
	tags->items[tags->count++] =
		(struct file_tag){ str_copy(key), text_copy(value), value.size };
}

const struct file_tag *file_tags_find(const struct file_tags *tags, const char *key)
{
	for (size_t i = 0; i < tags->count; i++)
		if (strcmp(tags->items[i].key, key) == 0)
			return &tags->items[i];
	return NULL;
}

void file_tags_copy(struct file_tags *to, const struct file_tags *from)
{
	*to = (struct file_tags){ .etag = str_copy(from->etag) };
	for (size_t i = 0; i < from->count; i++)
		file_tags_add(to, from->items[i].key,
			      (struct text){ from->items[i].value, from->items[i].size });
}

void file_tags_clear(struct file_tags *tags)
{
	for (size_t i = 0; i < tags->count; i++) {
		free(tags->items[i].key);
		free(tags->items[i].value);
	}
	free(tags->items);
	free(tags->etag);
	*tags = (struct file_tags){ 0 };
}
