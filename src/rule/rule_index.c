#include "rule/rule_index.h"

#include "rule/condition.h"
#include "rule/index_choice.h"
#include "rule/index_hash.h"
#include "rule/index_sieve.h"

#define PART_MAX 255 /* bytes of a name's beginning or ending that are looked up */
#define KINDS 32
#define FETCHED_LINES 4      /* most rules have no more */
#define HEAD_ONLY UINT32_MAX /* no rule: something is filed below this directory */

/* What a hash is of; part of the hash. */
enum tail_kind { TAIL_NONE, TAIL_NAME, TAIL_START, TAIL_ENDING, TAIL_SCAN, TAIL_HEAD };

struct entry {
	uint64_t key;
	uint32_t rule;
};

struct slot {
	uint64_t key;          /* 0: empty */
	uint32_t first, count; /* of filed; a single rule stands here itself */
};

/* Which lengths of beginnings and endings are worth hashing. */
struct lengths {
	uint64_t bits[(PART_MAX + 64) / 64];
	unsigned most;
};

/* Paths as they are, and folded ones, share the table but not what is looked up in it. */
struct space {
	uint64_t salt;
	bool is_used;
	bool has_heads;
	size_t longest_head;
	struct lengths starts, endings;
};

struct numbers {
	uint32_t *items;
	size_t count, room;
};

struct rule_index {
	struct scan *scans[2];
	struct space spaces[2];
	struct entry *entries; /* until it is finished */
	size_t entry_count, entry_room;
	uint32_t *filed;
	struct slot *slots;
	uint64_t mask;
	struct index_sieve sieve; /* of tails, and of keys */
	struct index_choices choices;
	event_kinds *kinds;                   /* by rule */
	const struct condition *const *whens; /* the same */
	size_t rule_count, rule_room;
	event_kinds scanned_kinds[2]; /* of those that only a scan finds: plain, folded */
	struct numbers unfiled[KINDS];
	struct numbers unfiled_any;
	size_t unfiled_count;
	uint32_t last_unfiled; /* a rule */
};

static uint64_t tail_hash(enum tail_kind kind, uint64_t hash)
{
	return index_hash_mix(hash, kind);
}

static void lengths_add(struct lengths *lengths, size_t length)
{
	lengths->bits[length / 64] |= (uint64_t)1 << length % 64;
	lengths->most = MAX(lengths->most, length);
}

static bool lengths_have(const struct lengths *lengths, size_t length)
{
	return length <= lengths->most && lengths->bits[length / 64] >> length % 64 & 1;
}

static void numbers_add(struct numbers *numbers, uint32_t number)
{
	/* A rule comes here once for each of its regions, one after the other. */
	if (numbers->count && numbers->items[numbers->count - 1] == number)
		return;
	if (numbers->count == numbers->room) {
		numbers->room = numbers->room ? numbers->room * 2 : 16;
		numbers->items = mem_grow(numbers->items, numbers->room, sizeof(*numbers->items));
	}
	numbers->items[numbers->count++] = number;
}

struct rule_index *rule_index_new(struct scan *plain, struct scan *folded)
{
	struct rule_index *index = NEW(struct rule_index);

	index->scans[0] = plain;
	index->scans[1] = folded;
	index->spaces[1].salt = 0x5bd1e995;
	index->last_unfiled = UINT32_MAX;
	return index;
}

void rule_index_free(struct rule_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < KINDS; i++)
		free(index->unfiled[i].items);
	free(index->unfiled_any.items);
	free(index->kinds);
	index_choices_clear(&index->choices);
	index_sieve_clear(&index->sieve);
	free(index->slots);
	free(index->filed);
	free(index->entries);
	free(index);
}

static void file_under(struct rule_index *index, uint64_t key, uint32_t rule)
{
	if (index->entry_count == index->entry_room) {
		index->entry_room = index->entry_room ? index->entry_room * 2 : 64;
		index->entries =
			mem_grow(index->entries, index->entry_room, sizeof(*index->entries));
	}
	index->entries[index->entry_count++] = (struct entry){ key, rule };
}

static void file_unfiled(struct rule_index *index, event_kinds kinds, uint32_t rule)
{
	if (kinds == EVENT_ANY) {
		numbers_add(&index->unfiled_any, rule);
		return;
	}
	for (size_t i = 0; i < KINDS; i++)
		if (kinds >> i & 1)
			numbers_add(&index->unfiled[i], rule);
}

/* What of a name can be looked up; both ends may be empty. */
struct name_parts {
	bool is_whole;
	struct text start, ending;
};

static struct name_parts name_parts_of(const struct pattern *name)
{
	struct name_parts parts = { 0 };

	if (!name)
		return parts;
	parts.is_whole = name->is_literal;
	parts.start = name->head;
	if (parts.is_whole)
		return parts;
	parts.start.size = MIN(parts.start.size, PART_MAX);
	parts.ending = region_name_ending(name);
	if (parts.ending.size > PART_MAX)
		parts.ending = TEXT_NONE;
	return parts;
}

/* The hash of the one part that there is. */
static uint64_t parts_tail(struct space *space, const struct name_parts *parts)
{
	if (parts->is_whole)
		return tail_hash(TAIL_NAME, index_hash_text(parts->start));
	if (parts->ending.size) {
		lengths_add(&space->endings, parts->ending.size);
		return tail_hash(TAIL_ENDING, index_hash_text(parts->ending));
	}
	if (parts->start.size) {
		lengths_add(&space->starts, parts->start.size);
		return tail_hash(TAIL_START, index_hash_beginning(parts->start));
	}
	return tail_hash(TAIL_NONE, 0);
}

static uint64_t place_key(const struct space *space, uint64_t head, uint64_t tail)
{
	return index_hash_mix(head ^ space->salt, tail);
}

static uint64_t head_key(const struct space *space, uint64_t head)
{
	return index_hash_mix(head ^ space->salt, TAIL_HEAD);
}

static uint64_t scan_key(bool is_folded, uint32_t word)
{
	return index_hash_mix(tail_hash(TAIL_SCAN, word), is_folded);
}

static uint32_t word_of(struct rule_index *index, const struct region *region)
{
	AUTO(free) char *word = NULL;

	if (region->word != SCAN_NONE || !region->pattern)
		return region->word;
	word = pattern_word(region->pattern);
	return word ? scan_add(index->scans[region->pattern->is_folded], word, false) : SCAN_NONE;
}

static void add_scanned(struct rule_index *index, uint32_t rule, const struct region *region)
{
	bool is_folded = region->word == SCAN_NONE && region->pattern && region->pattern->is_folded;
	uint32_t word = word_of(index, region);

	if (word != SCAN_NONE) {
		file_under(index, scan_key(is_folded, word), rule);
		index->scanned_kinds[is_folded] |= region->kinds;
		return;
	}
	file_unfiled(index, region->kinds, rule);
	index->unfiled_count += rule != index->last_unfiled;
	index->last_unfiled = rule;
}

static void add_region(struct rule_index *index, uint32_t rule, const struct region *region)
{
	struct space *space = &index->spaces[region->is_folded];
	const struct name_parts parts = name_parts_of(region->name);
	bool has_head = region->directory.size > 0;
	uint64_t head = 0;

	if (!has_head && !parts.is_whole && !parts.start.size && !parts.ending.size) {
		add_scanned(index, rule, region);
		return;
	}
	space->is_used = true;
	if (has_head) {
		head = index_hash_directory(region->directory);
		space->has_heads = true;
		space->longest_head = MAX(space->longest_head, region->directory.size);
		file_under(index, head_key(space, head), HEAD_ONLY);
	}
	if (parts.is_whole || !parts.start.size || !parts.ending.size) {
		uint64_t tail = parts_tail(space, &parts);
		uint64_t key = place_key(space, head, tail);

		index_choices_see(&index->choices, key);
		index_sieve_add(&index->sieve, tail);
		file_under(index, key, rule);
		return;
	}
	uint64_t start = tail_hash(TAIL_START, index_hash_beginning(parts.start));
	uint64_t ending = tail_hash(TAIL_ENDING, index_hash_text(parts.ending));

	index_choices_add(
		&index->choices,
		&(struct index_choice){
			.rule = rule,
			.is_folded = region->is_folded,
			.start = { place_key(space, head, start), start, parts.start.size },
			.ending = { place_key(space, head, ending), ending, parts.ending.size },
		});
}

void rule_index_add(struct rule_index *index, uint32_t rule, const struct condition *condition)
{
	struct region_list regions = { 0 };
	event_kinds kinds = 0;

	region_list_of(&regions, condition);
	for (size_t i = 0; i < regions.count; i++) {
		kinds |= regions.items[i].kinds;
		add_region(index, rule, &regions.items[i]);
	}
	region_list_clear(&regions);
	if (rule >= index->rule_room) {
		index->rule_room = MAX(rule + 1, index->rule_room * 2);
		index->kinds = mem_grow(index->kinds, index->rule_room, sizeof(*index->kinds));
	}
	while (index->rule_count < rule)
		index->kinds[index->rule_count++] = 0;
	index->kinds[index->rule_count++] = kinds;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

static void file_choices(struct rule_index *index)
{
	index_choices_decide(&index->choices);
	for (size_t i = 0; i < index->choices.count; i++) {
		const struct index_choice *choice = &index->choices.items[i];
		const struct index_end *end = choice->by_start ? &choice->start : &choice->ending;
		struct space *space = &index->spaces[choice->is_folded];

		lengths_add(choice->by_start ? &space->starts : &space->endings, end->size);
		index_sieve_add(&index->sieve, end->tail);
		file_under(index, end->key, choice->rule);
	}
	index_choices_clear(&index->choices);
}

static struct slot *slot_for(struct slot *slots, uint64_t mask, uint64_t key)
{
	uint64_t at = (key >> 1) & mask; /* the lowest bit is always set */

	while (slots[at].key && slots[at].key != key)
		at = (at + 1) & mask;
	return &slots[at];
}

static void sort_entries(struct rule_index *index)
{
	struct entry *entries = index->entries;
	size_t kept = 0;

	if (index->entry_count)
		qsort(entries, index->entry_count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < index->entry_count; i++)
		if (!kept || compare_entries(&entries[kept - 1], &entries[i]) != 0)
			entries[kept++] = entries[i];
	index->entry_count = kept;
}

/* From the sorted entries. */
static void fill_slots(struct rule_index *index)
{
	size_t room = 16, end;

	while (room < index->entry_count * 2)
		room *= 2;
	index->slots = mem_array(room, sizeof(*index->slots));
	index->mask = room - 1;
	index->filed = mem_array(index->entry_count, sizeof(*index->filed));
	for (size_t i = 0; i < index->entry_count; i = end) {
		uint64_t key = index->entries[i].key;
		struct slot *slot = slot_for(index->slots, index->mask, key);

		for (end = i; end < index->entry_count && index->entries[end].key == key; end++)
			index->filed[end] = index->entries[end].rule;
		*slot = (struct slot){ key, end - i == 1 ? index->filed[i] : i, end - i };
		index_sieve_add(&index->sieve, key);
	}
	free(TAKE(index->entries));
}

void rule_index_finish(struct rule_index *index, const struct condition *const *whens)
{
	index->whens = whens;
	file_choices(index);
	sort_entries(index);
	fill_slots(index);
	index_sieve_finish(&index->sieve);
}

void rule_candidates_init(struct rule_candidates *candidates, size_t rule_count)
{
	*candidates = (struct rule_candidates){
		.rules = mem_array(rule_count, sizeof(*candidates->rules)),
		.seen = mem_array(rule_count, sizeof(*candidates->seen)),
	};
}

void rule_candidates_clear(struct rule_candidates *candidates)
{
	free(candidates->rules);
	free(candidates->seen);
}

/* It is asked soon, and until it has come from memory there is something else to do. */
static void fetch_condition(const struct condition *when)
{
	for (size_t line = 0; line < FETCHED_LINES; line++)
		__builtin_prefetch((const char *)when + line * ARENA_LINE);
}

static void find_rule(const struct rule_index *index, const struct rule_query *query,
		      struct rule_candidates *candidates, uint32_t rule)
{
	if (candidates->seen[rule] == candidates->round || !(index->kinds[rule] & query->kinds))
		return;
	candidates->seen[rule] = candidates->round;
	fetch_condition(index->whens[rule]);
	candidates->rules[candidates->count++] = rule;
}

static bool look_up(const struct rule_index *index, uint64_t key, const struct rule_query *query,
		    struct rule_candidates *candidates)
{
	const struct slot *slot;
	const uint32_t *rules;

	if (!index_sieve_has(&index->sieve, key))
		return false;
	slot = slot_for(index->slots, index->mask, key);
	if (!slot->key)
		return false;
	rules = slot->count == 1 ? &slot->first : index->filed + slot->first;
	for (uint32_t i = 0; i < slot->count; i++)
		if (rules[i] != HEAD_ONLY)
			find_rule(index, query, candidates, rules[i]);
	return true;
}

struct tails {
	uint64_t items[2 * PART_MAX + 4];
	size_t count;
};

static void add_tail(const struct rule_index *index, struct tails *tails, uint64_t tail)
{
	if (index_sieve_has(&index->sieve, tail))
		tails->items[tails->count++] = tail;
}

static void find_starts(const struct rule_index *index, const struct space *space, struct text name,
			struct tails *tails)
{
	uint64_t hash = INDEX_HASH_START;
	size_t end = MIN(name.size, space->starts.most);

	for (size_t i = 0; i < end; i++) {
		hash = index_hash_byte(hash, name.data[i]);
		if (lengths_have(&space->starts, i + 1))
			add_tail(index, tails, tail_hash(TAIL_START, hash));
	}
}

static void find_endings(const struct rule_index *index, const struct space *space,
			 struct text name, struct tails *tails)
{
	size_t first = name.size - MIN(name.size, space->endings.most);
	struct text ending = { name.data + first, name.size - first };
	const char *dot;

	while (ending.size && (dot = memchr(ending.data, '.', ending.size))) {
		ending = (struct text){ dot, ending.data + ending.size - dot };
		if (lengths_have(&space->endings, ending.size))
			add_tail(index, tails, tail_hash(TAIL_ENDING, index_hash_text(ending)));
		ending.data++;
		ending.size--;
	}
}

/* Those parts of the name that some rule is filed under, in whatever directory. */
static void find_tails(const struct rule_index *index, const struct space *space, struct text name,
		       struct tails *tails)
{
	tails->count = 0;
	add_tail(index, tails, tail_hash(TAIL_NONE, 0));
	find_starts(index, space, name, tails);
	find_endings(index, space, name, tails);
	add_tail(index, tails, tail_hash(TAIL_NAME, index_hash_text(name)));
}

static void find_at(const struct rule_index *index, const struct space *space, uint64_t head,
		    const struct tails *tails, const struct rule_query *query,
		    struct rule_candidates *candidates)
{
	for (size_t i = 0; i < tails->count; i++)
		look_up(index, place_key(space, head, tails->items[i]), query, candidates);
}

static void find_in_space(const struct rule_index *index, const struct space *space,
			  struct text path, const struct rule_query *query,
			  struct rule_candidates *candidates)
{
	struct tails tails;
	uint64_t head = INDEX_HASH_START;
	size_t end = MIN(path.size, space->longest_head + 1), next;

	if (!space->is_used)
		return;
	find_tails(index, space, path_name(path), &tails);
	find_at(index, space, 0, &tails, query, candidates);
	for (size_t slash = 0; slash < end && space->has_heads; slash = next) {
		struct text name = { path.data + slash + 1, 0 };

		next = index_hash_next_slash(path, slash);
		if (next >= end)
			return;
		name.size = next - slash - 1;
		head = index_hash_below(head, name);
		if (look_up(index, head_key(space, head), query, candidates))
			find_at(index, space, head, &tails, query, candidates);
	}
}

static void find_scanned(const struct rule_index *index, bool is_folded, struct scanner *scanner,
			 const struct rule_query *query, struct rule_candidates *candidates)
{
	const uint32_t *found;
	size_t count;

	if (!(index->scanned_kinds[is_folded] & query->kinds))
		return;
	found = scanner_all(scanner, &count);
	for (size_t i = 0; i < count; i++)
		look_up(index, scan_key(is_folded, found[i]), query, candidates);
}

static void find_unfiled(const struct rule_index *index, const struct numbers *numbers,
			 const struct rule_query *query, struct rule_candidates *candidates)
{
	for (size_t i = 0; i < numbers->count; i++)
		find_rule(index, query, candidates, numbers->items[i]);
}

static int compare_numbers(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

void rule_index_find(const struct rule_index *index, const struct rule_query *query,
		     struct rule_candidates *candidates)
{
	candidates->count = 0;
	if (++candidates->round == 0) {
		memset(candidates->seen, 0, index->rule_count * sizeof(*candidates->seen));
		candidates->round = 1;
	}
	find_in_space(index, &index->spaces[0], query->path, query, candidates);
	find_in_space(index, &index->spaces[1], query->folded_path, query, candidates);
	find_scanned(index, false, query->plain, query, candidates);
	find_scanned(index, true, query->folded, query, candidates);
	find_unfiled(index, &index->unfiled_any, query, candidates);
	for (event_kinds left = query->kinds; left; left &= left - 1)
		find_unfiled(index, &index->unfiled[__builtin_ctz(left)], query, candidates);
	if (candidates->count > 1)
		qsort(candidates->rules, candidates->count, sizeof(*candidates->rules),
		      compare_numbers);
}

size_t rule_index_unfiled(const struct rule_index *index)
{
	return index->unfiled_count;
}
