#include "simulator/pattern.h"

#include "base/parse.h"

static const char *const nasty_names[] = {
	"it's \"quoted\"",
	"line\nbreak",
	"back\\slash",
	"tab\there",
	"\xF0\x9F\x98\x80 smile",
	"-rf",
	"e\xCC\x81 combined",
	"$(touch oops)",
	"100%41",
	"\xC3\xBCml\xC3\xA4ut",
	"a;b&c|d",
	"bell\x07",
	" space ",
	"\xE2\x80\xAEgpj.txt",
	"`id`",
	"{brace}",
};

enum kind { LITERAL, NUMBER, REMAINDER, QUOTIENT, RANDOM, NASTY };

struct piece {
	enum kind kind;
	char *text;
	size_t size;
	uint64_t by;
};

struct pattern {
	struct piece *pieces;
	int count;
};

uint64_t pattern_random(uint64_t seed, uint64_t n)
{
	uint64_t x = seed * 0x9E3779B97F4A7C15u + n + 0x632BE59BD9B4E019u;

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

size_t pattern_digits(char *out, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do
		digits[count++] = '0' + number % 10;
	while (number /= 10);
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}

void pattern_free(struct pattern *pattern)
{
	for (int i = 0; pattern && i < pattern->count; i++)
		free(pattern->pieces[i].text);
	if (pattern)
		free(pattern->pieces);
	free(pattern);
}

static struct piece *piece_add(struct pattern *pattern, enum kind kind)
{
	pattern->pieces = mem_grow(pattern->pieces, pattern->count + 1, sizeof(struct piece));
	struct piece *piece = &pattern->pieces[pattern->count++];

	*piece = (struct piece){ .kind = kind };
	return piece;
}

static int field_parse(struct pattern *pattern, struct text field, struct error *err)
{
	int64_t by = 0;

	if (text_is(field, "n")) {
		piece_add(pattern, NUMBER);
		return 0;
	}
	if (text_is(field, "nasty")) {
		piece_add(pattern, NASTY);
		return 0;
	}
	bool has_number =
		field.size > 2 && parse_number((struct text){ field.data + 2, field.size - 2 }, 1,
					       INT64_MAX, &by, NULL) == 0;
	enum kind kind = text_starts_with(field, TEXT("n%"))   ? REMAINDER
			 : text_starts_with(field, TEXT("n/")) ? QUOTIENT
			 : text_starts_with(field, TEXT("r%")) ? RANDOM
							       : LITERAL;
	if (!has_number || kind == LITERAL)
		return error_set(err, "'{%.*s}': expected {n}, {n%%K}, {n/K}, {r%%K} or {nasty}",
				 TEXT_ARGS(field));
	piece_add(pattern, kind)->by = by;
	return 0;
}

int pattern_parse(struct pattern **out, const char *text, struct error *err)
{
	AUTO(pattern_free) struct pattern *pattern = NEW(struct pattern);
	const char *at = text;

	if (!*text || strlen(text) > PATTERN_MAX)
		return error_set(err, "expected 1 to %d bytes", PATTERN_MAX);
	while (*at) {
		size_t plain = strcspn(at, "{");

		if (plain) {
			struct piece *piece = piece_add(pattern, LITERAL);

			piece->text = str_copy_n(at, plain);
			piece->size = plain;
			at += plain;
			continue;
		}
		size_t size = strcspn(at, "}");
		if (!at[size])
			return error_set(err, "'%s': a brace is not closed", text);
		if (field_parse(pattern, (struct text){ at + 1, size - 1 }, err) < 0)
			return -1;
		at += size + 1;
	}
	*out = TAKE(pattern);
	return 0;
}

void pattern_write(const struct pattern *pattern, uint64_t seed, int64_t n, struct buf *out)
{
	for (int i = 0; i < pattern->count; i++) {
		const struct piece *piece = &pattern->pieces[i];
		uint64_t mixed = pattern_random(seed, (uint64_t)n * 31 + i);
		uint64_t number = n;
		const char *nasty;

		switch (piece->kind) {
		case LITERAL:
			if (!buf_append(out, piece->text, piece->size))
				abort();
			continue;
		case NASTY:
			nasty = nasty_names[mixed % ARRAY_SIZE(nasty_names)];
			if (!buf_append(out, nasty, strlen(nasty)))
				abort();
			continue;
		case NUMBER:
			break;
		case REMAINDER:
			number = n % piece->by;
			break;
		case QUOTIENT:
			number = n / piece->by;
			break;
		case RANDOM:
			number = mixed % piece->by;
			break;
		}
		if (!buf_reserve(out, 20))
			abort();
		out->size += pattern_digits(out->data + out->size, number);
		out->data[out->size] = '\0';
	}
}
