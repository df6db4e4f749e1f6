#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void *there_or_end(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_new(size_t size)
{
	return there_or_end(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
	return there_or_end(calloc(count ? count : 1, size ? size : 1));
}

void *mem_grow(void *old, size_t count, size_t size)
{
	return there_or_end(reallocarray(old, count ? count : 1, size ? size : 1));
}

void *mem_copy(const void *data, size_t size)
{
	void *copy = mem_new(size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *str_copy(const char *text)
{
	return text ? there_or_end(strdup(text)) : NULL;
}

char *str_copy_n(const char *data, size_t size)
{
	char *copy = mem_new(size + 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *str_vformat(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		there_or_end(NULL);
	return text;
}

char *str_format(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	return text;
}
