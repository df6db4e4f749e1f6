#include "rule/scan.h"

#include <hs/hs.h>
#include <uthash.h>

#include "base/buf.h"

/* What is taken for a regular expression, which PCRE2 then judges in the same way. */
#define CHECKED (HS_FLAG_DOTALL | HS_FLAG_UTF8 | HS_FLAG_ALLOWEMPTY)
/*
 * Words at the very end of a text are not always found: as many bytes as the processor's widest
 * vectors have (AVX-512) follow it. No word has a NUL.
 */
#define PADDING 64

/* Many rules look for the same thing, which is compiled and found once. */
struct word {
	uint32_t id;
	char *key; /* the word after a letter that stands for the flags */
	UT_hash_handle hh;
};

struct scan {
	struct word **items; /* by id */
	size_t count, room;
	struct word *by_key;
	hs_database_t *database; /* NULL: there is nothing to look for */
};

struct scanner {
	const struct scan *scan;
	hs_scratch_t *scratch;
	struct text text;
	struct buf *padded;
	bool is_done;
	bool *is_found; /* by id */
	uint32_t *found;
	size_t found_count;
};

/* vectorscan's sentences begin with a capital, and end with a full stop or "at index 3." */
static int blame(hs_compile_error_t *why, int *at, struct error *err)
{
	const char *index = strstr(why->message, " at index ");
	struct text message = text_of(why->message);

	if (at)
		*at = index ? atoi(index + strlen(" at index ")) : -1;
	if (index)
		message.size = index - why->message;
	while (message.size && message.data[message.size - 1] == '.')
		message.size--;
	if (message.size > 1 && message.data[0] >= 'A' && message.data[0] <= 'Z' &&
	    message.data[1] >= 'a')
		error_set(err, "%c%.*s", message.data[0] | 0x20, (int)message.size - 1,
			  message.data + 1);
	else
		error_set(err, "%.*s", TEXT_ARGS(message));
	hs_free_compile_error(why);
	return -1;
}

int scan_check(const char *expression, bool ignore_case, int *at, struct error *err)
{
	hs_compile_error_t *why = NULL;
	hs_expr_info_t *info = NULL;
	unsigned flags = CHECKED | (ignore_case ? HS_FLAG_CASELESS : 0);
	hs_error_t result = hs_expression_info(expression, flags, &info, &why);

	free(info);
	return result == HS_SUCCESS ? 0 : blame(why, at, err);
}

struct scan *scan_new(void)
{
	return NEW(struct scan);
}

void scan_free(struct scan *scan)
{
	if (!scan)
		return;
	HASH_CLEAR(hh, scan->by_key);
	for (size_t i = 0; i < scan->count; i++) {
		free(scan->items[i]->key);
		free(scan->items[i]);
	}
	free(scan->items);
	hs_free_database(scan->database);
	free(scan);
}

uint32_t scan_add(struct scan *scan, const char *word, bool ignore_case)
{
	AUTO(free) char *key = str_format("%c%s", ignore_case ? 'i' : 'c', word);
	struct word *item;

	HASH_FIND_STR(scan->by_key, key, item);
	if (item)
		return item->id;
	item = NEW(struct word);
	item->id = scan->count;
	item->key = TAKE(key);
	HASH_ADD_KEYPTR(hh, scan->by_key, item->key, strlen(item->key), item);
	if (scan->count == scan->room) {
		scan->room = scan->room ? scan->room * 2 : 16;
		scan->items = mem_grow(scan->items, scan->room, sizeof(*scan->items));
	}
	scan->items[scan->count++] = item;
	return item->id;
}

int scan_compile(struct scan *scan, struct error *err)
{
	const size_t each = sizeof(char *) + sizeof(size_t) + 2 * sizeof(unsigned);
	AUTO(free) char *memory = mem_array(scan->count, each);
	const char **words = (const char **)memory;
	size_t *sizes = (size_t *)(words + scan->count);
	unsigned *flags = (unsigned *)(sizes + scan->count);
	unsigned *ids = flags + scan->count;
	hs_compile_error_t *why = NULL;

	for (size_t i = 0; i < scan->count; i++) {
		words[i] = scan->items[i]->key + 1;
		sizes[i] = strlen(words[i]);
		flags[i] = HS_FLAG_SINGLEMATCH |
			   (scan->items[i]->key[0] == 'i' ? HS_FLAG_CASELESS : 0);
		ids[i] = i;
	}
	if (!scan->count ||
	    hs_compile_lit_multi(words, flags, ids, sizes, scan->count, HS_MODE_BLOCK, NULL,
				 &scan->database, &why) == HS_SUCCESS)
		return 0;
	return blame(why, NULL, err);
}

struct scanner *scanner_new(const struct scan *scan)
{
	struct scanner *scanner = NEW(struct scanner);

	scanner->scan = scan;
	scanner->padded = buf_new(SIZE_MAX);
	scanner->is_found = mem_array(scan->count, sizeof(*scanner->is_found));
	scanner->found = mem_array(scan->count, sizeof(*scanner->found));
	/* It fails for want of memory only, and that is not ours to survive. */
	if (scan->database && hs_alloc_scratch(scan->database, &scanner->scratch) != HS_SUCCESS)
		abort();
	return scanner;
}

void scanner_free(struct scanner *scanner)
{
	if (!scanner)
		return;
	hs_free_scratch(scanner->scratch);
	buf_free(scanner->padded);
	free(scanner->is_found);
	free(scanner->found);
	free(scanner);
}

void scanner_start(struct scanner *scanner, struct text text)
{
	for (size_t i = 0; i < scanner->found_count; i++)
		scanner->is_found[scanner->found[i]] = false;
	scanner->found_count = 0;
	scanner->text = text;
	scanner->is_done = false;
}

static int note(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		void *ctx)
{
	struct scanner *scanner = ctx;

	if (!scanner->is_found[id]) {
		scanner->is_found[id] = true;
		scanner->found[scanner->found_count++] = id;
	}
	return 0;
}

static void scan_now(struct scanner *scanner)
{
	static const char padding[PADDING];
	struct text text = scanner->text;

	if (scanner->is_done)
		return;
	scanner->is_done = true;
	if (!scanner->scan->database)
		return;
	buf_reset(scanner->padded);
	/* These buffers have no ceiling, and there is nothing else that could go wrong. */
	if (!buf_append(scanner->padded, text.size ? text.data : "", text.size) ||
	    !buf_append(scanner->padded, padding, PADDING) ||
	    hs_scan(scanner->scan->database, scanner->padded->data, scanner->padded->size, 0,
		    scanner->scratch, note, scanner) != HS_SUCCESS)
		abort();
}

const uint32_t *scanner_all(struct scanner *scanner, size_t *out_count)
{
	scan_now(scanner);
	*out_count = scanner->found_count;
	return scanner->found;
}
