#include "rule/scan.h"

#include <hs/hs.h>
#include <uthash.h>

#define FLAGS (HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_UTF8 | HS_FLAG_ALLOWEMPTY)

/* Many rules look for the same thing, which is compiled and found once. */
struct expression {
	uint32_t id;
	bool is_dropped;
	char *key; /* text after a letter that stands for the flags */
	UT_hash_handle hh;
};

struct scan {
	struct expression **items; /* by id */
	size_t count, room;
	struct expression *by_key;
	hs_database_t *database; /* NULL: there is nothing to look for */
};

struct scanner {
	const struct scan *scan;
	hs_scratch_t *scratch;
	struct text text;
	bool is_done;
	bool *is_found; /* by id */
	uint32_t *found;
	size_t found_count;
};

static unsigned flags_of(bool ignore_case)
{
	return FLAGS | (ignore_case ? HS_FLAG_CASELESS : 0);
}

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
	hs_error_t result = hs_expression_info(expression, flags_of(ignore_case), &info, &why);

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

uint32_t scan_add(struct scan *scan, const char *expression, bool ignore_case)
{
	AUTO(free) char *key = str_format("%c%s", ignore_case ? 'i' : 'c', expression);
	struct expression *item;

	HASH_FIND_STR(scan->by_key, key, item);
	if (item)
		return item->id;
	item = NEW(struct expression);
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

void scan_drop(struct scan *scan, uint32_t id)
{
	scan->items[id]->is_dropped = true;
}

bool scan_has(const struct scan *scan, uint32_t id)
{
	return id < scan->count && !scan->items[id]->is_dropped;
}

int scan_compile(struct scan *scan, uint32_t *bad, struct error *err)
{
	AUTO(free) char *memory = mem_array(scan->count, sizeof(char *) + 2 * sizeof(unsigned));
	const char **expressions = (const char **)memory;
	unsigned *flags = (unsigned *)(expressions + scan->count);
	unsigned *ids = flags + scan->count;
	hs_compile_error_t *why = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < scan->count; i++) {
		if (scan->items[i]->is_dropped)
			continue;
		expressions[count] = scan->items[i]->key + 1;
		flags[count] = flags_of(scan->items[i]->key[0] == 'i');
		ids[count++] = i;
	}
	if (!count)
		return 0;
	if (hs_compile_multi(expressions, flags, ids, count, HS_MODE_BLOCK, NULL, &scan->database,
			     &why) == HS_SUCCESS)
		return 0;
	*bad = why->expression >= 0 ? ids[why->expression] : SCAN_NONE;
	return blame(why, NULL, err);
}

struct scanner *scanner_new(const struct scan *scan)
{
	struct scanner *scanner = NEW(struct scanner);

	scanner->scan = scan;
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
	if (scanner->is_done)
		return;
	scanner->is_done = true;
	if (scanner->scan->database)
		hs_scan(scanner->scan->database, scanner->text.size ? scanner->text.data : "",
			scanner->text.size, 0, scanner->scratch, note, scanner);
}

bool scanner_found(struct scanner *scanner, uint32_t id)
{
	scan_now(scanner);
	return scanner->is_found[id];
}

const uint32_t *scanner_all(struct scanner *scanner, size_t *out_count)
{
	scan_now(scanner);
	*out_count = scanner->found_count;
	return scanner->found;
}
