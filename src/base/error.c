#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static void replace(struct error *err, char *text)
{
	free(err->text);
	err->text = text;
}

int error_set(struct error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	replace(err, str_vformat(format, args));
	va_end(args);
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	AUTO(free) char *start = str_vformat(format, args);
	va_end(args);
	replace(err, str_format("%s: %s", start, error_text(err)));
	return -1;
}

int error_errno(struct error *err, const char *format, ...)
{
	int number = errno;
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	AUTO(free) char *start = str_vformat(format, args);
	va_end(args);
	replace(err, str_format("%s: %s", start, strerror(number)));
	return -1;
}

const char *error_text(const struct error *err)
{
	return err && err->text ? err->text : "unknown error";
}

void error_clear(struct error *err)
{
	free(err->text);
	err->text = NULL;
}
