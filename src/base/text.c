#include "base/text.h"

bool text_starts_with(struct text text, struct text start)
{
	return text.size >= start.size && memcmp(text.data, start.data, start.size) == 0;
}

bool text_ends_with(struct text text, struct text end)
{
	return text.size >= end.size &&
	       memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text text)
{
	while (text.size && is_space(text.data[0])) {
		text.data++;
		text.size--;
	}
	while (text.size && is_space(text.data[text.size - 1]))
		text.size--;
	return text;
}

struct text text_cut(struct text *rest, char at)
{
	const char *found = rest->size ? memchr(rest->data, at, rest->size) : NULL;
	struct text first = *rest;

	if (!found) {
		*rest = TEXT_NONE;
		return first;
	}
	first.size = found - rest->data;
	rest->data = found + 1;
	rest->size -= first.size + 1;
	return first;
}

int text_compare(struct text a, struct text b)
{
	size_t shared = MIN(a.size, b.size);
	int order = shared ? memcmp(a.data, b.data, shared) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

struct text path_name(struct text path)
{
	const char *slash = path.size ? memrchr(path.data, '/', path.size) : NULL;

	if (!slash)
		return path;
	return (struct text){ slash + 1, path.data + path.size - slash - 1 };
}

struct text path_parent(struct text path)
{
	const char *slash = path.size ? memrchr(path.data, '/', path.size) : NULL;

	if (!slash)
		return TEXT_NONE;
	if (slash == path.data)
		return (struct text){ path.data, 1 };
	return (struct text){ path.data, slash - path.data };
}

struct text path_extension(struct text path)
{
	struct text name = path_name(path);
	const char *dot = name.size ? memrchr(name.data, '.', name.size) : NULL;

	if (!dot || dot == name.data || dot == name.data + name.size - 1)
		return (struct text){ name.data + name.size, 0 };
	return (struct text){ dot, name.data + name.size - dot };
}

bool path_is_below(struct text path, struct text directory)
{
	if (directory.size == 1 && directory.data[0] == '/')
		return path.size > 1;
	return path.size > directory.size && path.data[directory.size] == '/' &&
	       text_starts_with(path, directory);
}

char *path_join(struct text directory, struct text relative)
{
	char *path = mem_new(directory.size + relative.size + 2);
	size_t used = 0;
	struct text parts[] = { directory, TEXT("/"), relative };

	for (size_t part = 0; part < ARRAY_SIZE(parts); part++)
		for (size_t i = 0; i < parts[part].size; i++)
			if (parts[part].data[i] != '/' || !used || path[used - 1] != '/')
				path[used++] = parts[part].data[i];
	if (used > 1 && path[used - 1] == '/')
		used--;
	path[used] = 0;
	return path;
}
