#include "app/key_part.h"

#include <inttypes.h>

#include "store/store.h"

#define LONGEST_PART 120

static uint64_t digest(struct text text, uint64_t start)
{
	uint64_t sum = start; /* FNV-1a */

	for (size_t i = 0; i < text.size; i++)
		sum = (sum ^ (unsigned char)text.data[i]) * 1099511628211ull;
	return sum;
}

struct buf *key_new(char kind)
{
	struct buf *key = buf_new(STORE_KEY_MAX);

	if (!buf_append(key, &kind, 1))
		abort();
	return key;
}

void key_add(struct buf *key, struct text part)
{
	bool fits;

	if (part.size <= LONGEST_PART)
		fits = buf_append(key, part.data, part.size);
	else
		fits = buf_print(key, "#%016" PRIx64 "%016" PRIx64,
				 digest(part, 14695981039346656037ull), digest(part, part.size));
	if (!fits || !buf_append(key, "", 1))
		abort(); /* KEY_PARTS_MAX parts are shorter than STORE_KEY_MAX */
}
