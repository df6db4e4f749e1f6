/*
 * How the texts that two patterns match relate: both are run at once, as sets of states, over one
 * character of every sort that either can tell apart.
 */
#include "rule/pattern.h"

#define STATES_MAX 63
#define PAIRS_MAX 2048
#define CHARACTERS_MAX 256

/* A pattern with TOKEN_DIRS spelled out: in its second state it waits for a slash. */
struct machine {
	const struct pattern *pattern;
	const struct pattern_token *tokens[STATES_MAX];
	bool waits[STATES_MAX];
	unsigned count; /* also the accepting state */
};

typedef uint64_t states;
#define STATE(n) ((states)1 << (n))

static bool machine_init(struct machine *machine, const struct pattern *pattern)
{
	machine->pattern = pattern;
	machine->count = 0;
	for (size_t i = 0; i < pattern->token_count; i++) {
		const struct pattern_token *token = &pattern->tokens[i];

		if (machine->count + 2 > STATES_MAX)
			return false;
		if (token->kind == TOKEN_CLASS && pattern->is_folded)
			return false; /* which characters it can tell apart is not plain */
		machine->waits[machine->count] = false;
		machine->tokens[machine->count++] = token;
		if (token->kind == TOKEN_DIRS) {
			machine->waits[machine->count] = true;
			machine->tokens[machine->count++] = token;
		}
	}
	return true;
}

/* What can be reached without a character. In ascending order, so one pass is enough. */
static states closure(const struct machine *machine, states set)
{
	for (unsigned n = 0; n < machine->count; n++) {
		enum pattern_token_kind kind = machine->tokens[n]->kind;

		if (!(set & STATE(n)))
			continue;
		if (kind == TOKEN_STAR || kind == TOKEN_DEEP)
			set |= STATE(n + 1);
		if (kind == TOKEN_DIRS && !machine->waits[n])
			set |= STATE(n + 1) | STATE(n + 2);
	}
	return set;
}

static states step(const struct machine *machine, states set, uint32_t character)
{
	states next = 0;

	for (unsigned n = 0; n < machine->count; n++) {
		const struct pattern_token *token = machine->tokens[n];

		if (!(set & STATE(n)))
			continue;
		if (token->kind == TOKEN_DEEP || (token->kind == TOKEN_STAR && character != '/'))
			next |= STATE(n);
		else if (token->kind == TOKEN_DIRS && machine->waits[n])
			next |= STATE(n) | (character == '/' ? STATE(n + 1) : 0);
		else if (token->kind <= TOKEN_CLASS &&
			 pattern_token_takes(machine->pattern, token, character))
			next |= STATE(n + 1);
	}
	return closure(machine, next);
}

struct alphabet {
	uint32_t characters[CHARACTERS_MAX];
	size_t count;
};

static bool alphabet_add(struct alphabet *alphabet, uint32_t character)
{
	for (size_t i = 0; i < alphabet->count; i++)
		if (alphabet->characters[i] == character)
			return true;
	if (alphabet->count == CHARACTERS_MAX)
		return false;
	alphabet->characters[alphabet->count++] = character;
	return true;
}

/* Every character that is named, and the neighbours of every range's ends. */
static bool alphabet_add_pattern(struct alphabet *alphabet, const struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->token_count; i++)
		if (pattern->tokens[i].kind == TOKEN_CHAR &&
		    !alphabet_add(alphabet, pattern->tokens[i].character))
			return false;
	for (size_t i = 0; i < pattern->range_count; i++) {
		const struct pattern_range *range = &pattern->ranges[i];

		if (!alphabet_add(alphabet, range->from) || !alphabet_add(alphabet, range->to) ||
		    !alphabet_add(alphabet, range->to + 1) ||
		    (range->from && !alphabet_add(alphabet, range->from - 1)))
			return false;
	}
	return true;
}

struct pair {
	states first, second;
};

/* What most pairs differ in: how they begin, or how they end. */
static bool ends_differ(const struct pattern *first, const struct pattern *second)
{
	struct text a = first->tail, b = second->tail;
	size_t head = MIN(first->head.size, second->head.size);
	size_t tail = MIN(a.size, b.size);

	return (head && memcmp(first->head.data, second->head.data, head) != 0) ||
	       (tail && memcmp(a.data + a.size - tail, b.data + b.size - tail, tail) != 0);
}

enum pattern_relation pattern_relate(const struct pattern *first, const struct pattern *second)
{
	struct machine a, b;
	struct alphabet alphabet = { .characters = { '/', 0x10fffe }, .count = 2 };
	size_t count = 1;
	bool meet = false, differ = false;

	if (first->is_literal)
		return pattern_match(second, first->head) ? PATTERN_WITHIN : PATTERNS_DISJOINT;
	if (ends_differ(first, second))
		return PATTERNS_DISJOINT;
	if (!machine_init(&a, first) || !machine_init(&b, second) ||
	    !alphabet_add_pattern(&alphabet, first) || !alphabet_add_pattern(&alphabet, second))
		return PATTERNS_OVERLAP;

	AUTO(free) char *memory = mem_array(PAIRS_MAX, sizeof(struct pair));
	struct pair *pairs = (struct pair *)memory;

	pairs[0] = (struct pair){ closure(&a, STATE(0)), closure(&b, STATE(0)) };
	for (size_t i = 0; i < count; i++) {
		if (pairs[i].first & STATE(a.count)) {
			if (pairs[i].second & STATE(b.count))
				meet = true;
			else
				differ = true;
		}
		if (meet && differ)
			return PATTERNS_OVERLAP;
		for (size_t c = 0; c < alphabet.count; c++) {
			struct pair next = { step(&a, pairs[i].first, alphabet.characters[c]),
					     step(&b, pairs[i].second, alphabet.characters[c]) };
			size_t known = 0;

			if (!next.first)
				continue;
			while (known < count && (pairs[known].first != next.first ||
						 pairs[known].second != next.second))
				known++;
			if (known < count)
				continue;
			if (count == PAIRS_MAX)
				return PATTERNS_OVERLAP;
			pairs[count++] = next;
		}
	}
	return meet ? PATTERN_WITHIN : PATTERNS_DISJOINT;
}
