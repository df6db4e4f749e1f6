#include "action/mode.h"

#include "base/parse.h"

#define ALL 07777u

/* One clause: [ugoa]*([-+=][rwxXst]*)+ */
struct clause {
	unsigned who; /* the bits that it is about */
	char how;     /* + - = */
	unsigned bits;
	bool conditional_x; /* X: for directories, and where somebody may execute already */
};

typedef void each_clause(void *ctx, const struct clause *clause);

static unsigned who_bits(char letter)
{
	return letter == 'u' ? 04700 : letter == 'g' ? 02070 : letter == 'o' ? 01007 : ALL;
}

static bool read_bits(const char **at, struct clause *clause)
{
	for (; **at && !strchr(",+-=", **at); ++*at) {
		switch (**at) {
		case 'r':
			clause->bits |= 0444;
			break;
		case 'w':
			clause->bits |= 0222;
			break;
		case 'x':
			clause->bits |= 0111;
			break;
		case 'X':
			clause->conditional_x = true;
			break;
		case 's':
			clause->bits |= 06000;
			break;
		case 't':
			clause->bits |= 01000;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* False: not a symbolic mode. */
static bool walk(const char *text, each_clause *each, void *ctx)
{
	const char *at = text;

	do {
		unsigned who = 0;

		if (at > text)
			at++; /* the comma */
		for (; *at && strchr("ugoa", *at); at++)
			who |= who_bits(*at);
		if (!*at || !strchr("+-=", *at))
			return false;
		while (*at && strchr("+-=", *at)) {
			struct clause clause = { .who = who ? who : ALL, .how = *at++ };

			if (!read_bits(&at, &clause))
				return false;
			if (each)
				each(ctx, &clause);
		}
	} while (*at == ',');
	return !*at;
}

int mode_check(const char *text, struct error *err)
{
	unsigned mode;

	if (parse_mode(text_of(text), &mode, NULL) == 0 || walk(text, NULL, NULL))
		return 0;
	return error_set(err,
			 "'%.60s': expected an octal mode like \"0640\", or one like "
			 "\"u=rwX,g=rX,o=\"",
			 text);
}

struct applied {
	unsigned mode;
	bool is_directory;
};

static void apply(void *ctx, const struct clause *clause)
{
	struct applied *applied = ctx;
	unsigned bits = clause->bits;
	/* As chmod has it: = leaves these alone on directories, where they mean something else. */
	unsigned kept = applied->is_directory ? 06000 : 0;

	if (clause->conditional_x && (applied->is_directory || applied->mode & 0111))
		bits |= 0111;
	bits &= clause->who;
	if (clause->how == '+')
		applied->mode |= bits;
	else if (clause->how == '-')
		applied->mode &= ~bits;
	else
		applied->mode = (applied->mode & ~(clause->who & ~kept)) | bits;
}

unsigned mode_apply(const char *text, unsigned mode, bool is_directory)
{
	struct applied applied = { mode & ALL, is_directory };
	unsigned octal;

	if (parse_mode(text_of(text), &octal, NULL) == 0)
		return octal;
	(void)walk(text, apply, &applied);
	return applied.mode & ALL;
}

bool mode_is_absolute(const char *text)
{
	unsigned octal;

	return parse_mode(text_of(text), &octal, NULL) == 0;
}
