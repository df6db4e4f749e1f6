#include "base/parse.h"

#include <stdint.h>
#include <strings.h>

/* Digits at the front of text, moved past; -1 if there are none or too many. */
static int64_t leading_number(struct text *text)
{
	int64_t value = 0;
	size_t used = 0;

	while (used < text->size && text->data[used] >= '0' && text->data[used] <= '9') {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text->data[used] - '0', &value))
			return -1;
		used++;
	}
	if (!used)
		return -1;
	text->data += used;
	text->size -= used;
	return value;
}

struct unit {
	const char *name;
	int64_t factor;
};

static int scaled(struct text text, const struct unit *units, bool ignore_case, int64_t *out)
{
	struct text rest = text_trim(text);
	int64_t value = leading_number(&rest);

	if (value < 0)
		return -1;
	rest = text_trim(rest);
	for (; units->name; units++) {
		size_t size = strlen(units->name);

		if (rest.size == size &&
		    (ignore_case ? strncasecmp(rest.data, units->name, size) == 0
				 : strncmp(rest.data ? rest.data : "", units->name, size) == 0))
			return __builtin_mul_overflow(value, units->factor, out) ? -1 : 0;
	}
	return -1;
}

int parse_duration(struct text text, int64_t *out_ms, struct error *err)
{
	static const struct unit units[] = { { "ms", 1 },        { "s", 1000 },
					     { "m", 60000 },     { "min", 60000 },
					     { "h", 3600000 },   { "d", 86400000 },
					     { "w", 604800000 }, { 0 } };

	if (scaled(text, units, false, out_ms) < 0)
		return error_set(err, "'%.*s': expected a duration like 500ms, 10s, 5m, 2h or 7d",
				 TEXT_ARGS(text));
	return 0;
}

int parse_size(struct text text, int64_t *out_bytes, struct error *err)
{
	static const struct unit units[] = { { "", 1 },
					     { "b", 1 },
					     { "kib", 1024 },
					     { "mib", 1 << 20 },
					     { "gib", 1 << 30 },
					     { "tib", (int64_t)1 << 40 },
					     { "kb", 1000 },
					     { "mb", 1000000 },
					     { "gb", 1000000000 },
					     { "tb", 1000000000000 },
					     { 0 } };

	if (scaled(text, units, true, out_bytes) < 0)
		return error_set(err, "'%.*s': expected a size like 4096, 64 KiB, 10 MiB or 2 GB",
				 TEXT_ARGS(text));
	return 0;
}

int parse_bool(struct text text, bool *out, struct error *err)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (text.size == strlen(words[i]) &&
		    strncasecmp(text.data, words[i], text.size) == 0) {
			*out = i % 2;
			return 0;
		}
	}
	return error_set(err, "'%.*s': expected yes or no", TEXT_ARGS(text));
}

int parse_number(struct text text, int64_t min, int64_t max, int64_t *out, struct error *err)
{
	struct text rest = text_trim(text);
	bool negative = rest.size && rest.data[0] == '-';

	if (negative) {
		rest.data++;
		rest.size--;
	}

	int64_t value = leading_number(&rest);

	if (value < 0 || rest.size)
		return error_set(err, "'%.*s': expected a whole number", TEXT_ARGS(text));
	if (negative)
		value = -value;
	if (value < min || value > max)
		return error_set(err, "'%.*s': expected a number from %lld to %lld",
				 TEXT_ARGS(text), (long long)min, (long long)max);
	*out = value;
	return 0;
}

static bool octal(struct text text, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			return false;
		*out = *out * 8 + (text.data[i] - '0');
	}
	return text.size >= 1 && text.size <= 5 && *out <= 07777;
}

int parse_mode(struct text text, unsigned *out, struct error *err)
{
	unsigned mode;

	if (!octal(text, &mode))
		return error_set(err, "'%.*s': expected an octal mode like \"0640\"",
				 TEXT_ARGS(text));
	*out = mode;
	return 0;
}

/* Levenshtein's distance without regard to case, one row at a time; names are short. */
static size_t distance(struct text a, const char *b)
{
	size_t length = strlen(b);
	size_t *row = mem_array(length + 1, sizeof(*row));
	size_t result;

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.size; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j];
			size_t cost = strncasecmp(&a.data[i - 1], &b[j - 1], 1) != 0;

			row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), diagonal + cost);
			diagonal = above;
		}
	}
	result = row[length];
	free(row);
	return result;
}

/* "dir" is short for "directory"; what is short for several is short for none. */
static const char *the_beginning_of(struct text found, const char *const *names)
{
	const char *only = NULL;

	if (found.size < 3)
		return NULL;
	for (; *names; names++) {
		if (!text_starts_with(text_of(*names), found))
			continue;
		if (only)
			return NULL;
		only = *names;
	}
	return only;
}

const char *parse_nearest(struct text found, const char *const *names)
{
	const char *const *all = names;
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	if (found.size > 64)
		return NULL;
	for (; *names; names++) {
		size_t away = distance(found, *names);

		if (away < best_distance) {
			best_distance = away;
			best = *names;
		}
	}
	if (best && best_distance <= 1 + MIN(found.size, strlen(best)) / 4)
		return best;
	return the_beginning_of(found, all);
}
