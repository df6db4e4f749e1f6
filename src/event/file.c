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
