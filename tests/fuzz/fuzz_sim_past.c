/* The file in which snapshots wait for the next start. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "simulator/tree_past.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The title depends on the build: it is put in front here, so that what follows is looked at. */
static FILE *with_title(const uint8_t *data, size_t size, char **bytes, size_t *bytes_size)
{
	struct past empty = { 0 };
	FILE *file = open_memstream(bytes, bytes_size);
	char *line_end;

	assert(past_write(&empty, file));
	line_end = memchr(*bytes, '\n', *bytes_size);
	assert(fseek(file, line_end + 1 - *bytes, SEEK_SET) == 0);
	assert(size == 0 || fwrite(data, size, 1, file) == 1);
	fclose(file);
	return fmemopen(*bytes, *bytes_size, "r");
}

/* What was read is written, and read again, as it is. */
static void again(const struct past *past)
{
	struct past copy = { 0 };
	char *bytes = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&bytes, &size);

	assert(past_write(past, file));
	fclose(file);
	file = fmemopen(bytes, size, "r");
	assert(past_read(&copy, file));
	assert(copy.records == past->records && copy.count == past->count);
	fclose(file);
	past_clear(&copy);
	free(copy.numbers);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct past past = { 0 };
	char *bytes = NULL;
	size_t bytes_size = 0;
	FILE *file = with_title(data, size, &bytes, &bytes_size);

	if (past_read(&past, file))
		again(&past);
	fclose(file);
	past_clear(&past);
	free(past.numbers);
	free(bytes);
	return 0;
}
