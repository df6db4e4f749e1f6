#include "rule/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rule/scan.h"

/* Going back and forth ends here; what needs more is matched in the way that never goes back. */
#define STEPS_MAX 20000
#define WORKSPACE_LEAST 1024
#define WORKSPACE_MOST (1024 * 1024)

struct regex {
	pcre2_code *code;
};

struct regex_memory {
	pcre2_match_context *context;
	pcre2_match_data *data;
	int *workspace;
	size_t workspace_size;
};

static int blame(int code, PCRE2_SIZE offset, int *at, struct error *err)
{
	PCRE2_UCHAR message[256];

	pcre2_get_error_message(code, message, sizeof(message));
	*at = (int)offset;
	return error_set(err, "%s", (const char *)message);
}

int regex_new(struct regex **out, const char *expression, bool ignore_case, int *at,
	      struct error *err)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE |
				 (ignore_case ? PCRE2_CASELESS : 0);
	PCRE2_SIZE offset;
	pcre2_code *code;
	int why;

	if (scan_check(expression, ignore_case, at, err) < 0) {
		/* What is not supported has no place there. */
		const char *special = *at < 0 ? strstr(expression, "(?") : NULL;

		if (special)
			*at = (int)(special - expression);
		return -1;
	}
	code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, options, &why, &offset,
			     NULL);
	if (!code)
		return blame(why, offset, at, err);
	/* Where the system forbids making code it is interpreted, some times slower. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);

	struct regex *regex = NEW(struct regex);

	regex->code = code;
	*out = regex;
	return 0;
}

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

struct regex_memory *regex_memory_new(void)
{
	struct regex_memory *memory = NEW(struct regex_memory);

	memory->context = pcre2_match_context_create(NULL);
	memory->data = pcre2_match_data_create(1, NULL);
	if (!memory->context || !memory->data)
		abort(); /* out of memory, as everywhere */
	pcre2_set_match_limit(memory->context, STEPS_MAX);
	return memory;
}

void regex_memory_free(struct regex_memory *memory)
{
	if (!memory)
		return;
	pcre2_match_data_free(memory->data);
	pcre2_match_context_free(memory->context);
	free(memory->workspace);
	free(memory);
}

/* Without going back: all ways at once, so that the time grows with the text and no faster. */
static enum truth test_all_ways(const struct regex *regex, struct regex_memory *memory,
				struct text text)
{
	int result = PCRE2_ERROR_DFA_WSSIZE;

	while (result == PCRE2_ERROR_DFA_WSSIZE && memory->workspace_size <= WORKSPACE_MOST) {
		if (memory->workspace)
			result = pcre2_dfa_match(regex->code, (PCRE2_SPTR)text.data, text.size, 0,
						 PCRE2_DFA_SHORTEST, memory->data, NULL,
						 memory->workspace, memory->workspace_size);
		if (result != PCRE2_ERROR_DFA_WSSIZE)
			break;
		memory->workspace_size = MAX(memory->workspace_size * 2, WORKSPACE_LEAST);
		memory->workspace = mem_grow(memory->workspace, memory->workspace_size,
					     sizeof(*memory->workspace));
	}
	if (result == PCRE2_ERROR_NOMATCH)
		return TRUTH_FALSE;
	return result >= 0 ? TRUTH_TRUE : TRUTH_UNKNOWN;
}

enum truth regex_test(const struct regex *regex, struct regex_memory *memory, struct text text)
{
	int result;

	if (!text.size)
		text = TEXT("");
	result = pcre2_match(regex->code, (PCRE2_SPTR)text.data, text.size, 0, 0, memory->data,
			     memory->context);
	if (result >= 0)
		return TRUTH_TRUE;
	if (result == PCRE2_ERROR_NOMATCH)
		return TRUTH_FALSE;
	return test_all_ways(regex, memory, text);
}
