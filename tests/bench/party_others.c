/* What people would take: fnmatch() for each rule, one vectorscan database of everything. */
#include "party.h"

#include <fnmatch.h>
#include <hs/hs.h>

/* ---- fnmatch ---- */

static int open_fnmatch(void **out, const struct task *task, struct error *err)
{
	*out = (void *)task;
	return 0;
}

static bool is_true(const struct form_rule *rule, const char *path, const char *name)
{
	bool has_wanted = false;

	for (size_t i = 0; i < rule->count; i++) {
		const struct form *form = &rule->forms[i];

		if (has_wanted && form->is_wanted)
			continue;
		if (fnmatch(form->glob, form->is_of_name ? name : path, 0) != 0)
			continue;
		if (!form->is_wanted)
			return false;
		has_wanted = true;
	}
	return has_wanted;
}

static void judge_by_fnmatch(void *self, const struct batch *batch, struct found *found)
{
	const struct task *task = self;

	for (size_t i = 0; i < batch->count; i++, found->event++) {
		const struct event *event = batch->events[i];
		AUTO(free) char *path = text_copy(event->path); /* it wants a NUL */
		const char *name = path + event->path.size - path_name(event->path).size;

		for (size_t j = 0; j < task->count; j++)
			if (task->rules[j].kinds & event->kinds &&
			    is_true(&task->rules[j], path, name))
				found_rule(found, j);
	}
}

const struct party party_fnmatch = { "fnmatch", open_fnmatch, judge_by_fnmatch };

/* ---- Vectorscan ---- */

#define FLAGS (HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_UTF8 | HS_FLAG_ALLOWEMPTY)

struct vectorscan {
	const struct task *task;
	hs_database_t *database;
	hs_scratch_t *scratch;
	uint32_t *rule_of; /* by pattern */
	bool *is_wanted;   /* by pattern */
	uint64_t *seen;    /* by rule: 1 + the event that a wanted pattern was found in */
	uint64_t *barred;  /* by rule: the same of one that is not */
	uint32_t *hits;    /* rules with a wanted pattern */
	size_t hit_count;
	uint64_t round;
};

static size_t count_forms(const struct task *task)
{
	size_t count = 0;

	for (size_t i = 0; i < task->count; i++)
		count += task->rules[i].count;
	return count;
}

static int compile(struct vectorscan *self, size_t count, struct error *err)
{
	AUTO(free) char *expressions_memory = mem_array(count, sizeof(char *));
	AUTO(free) char *numbers_memory = mem_array(count, 2 * sizeof(unsigned));
	const char **expressions = (const char **)expressions_memory;
	unsigned *flags = (unsigned *)numbers_memory, *ids = flags + count;
	hs_compile_error_t *why = NULL;
	size_t at = 0;

	for (size_t i = 0; i < self->task->count; i++) {
		const struct form_rule *rule = &self->task->rules[i];

		for (size_t j = 0; j < rule->count; j++, at++) {
			expressions[at] = rule->forms[j].regex;
			flags[at] = FLAGS;
			ids[at] = at;
			self->rule_of[at] = i;
			self->is_wanted[at] = rule->forms[j].is_wanted;
		}
	}
	if (hs_compile_multi(expressions, flags, ids, count, HS_MODE_BLOCK, NULL, &self->database,
			     &why) != HS_SUCCESS) {
		error_set(err, "%s", why->message);
		hs_free_compile_error(why);
		return -1;
	}
	if (hs_alloc_scratch(self->database, &self->scratch) != HS_SUCCESS)
		return error_set(err, "no scratch memory");
	return 0;
}

static int open_vectorscan(void **out, const struct task *task, struct error *err)
{
	struct vectorscan *self = NEW(struct vectorscan);
	size_t count = count_forms(task);

	self->task = task;
	self->rule_of = mem_array(count, sizeof(*self->rule_of));
	self->is_wanted = mem_array(count, sizeof(*self->is_wanted));
	self->seen = mem_array(task->count, sizeof(*self->seen));
	self->barred = mem_array(task->count, sizeof(*self->barred));
	self->hits = mem_array(task->count, sizeof(*self->hits));
	*out = self;
	return compile(self, count, err);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *ctx)
{
	struct vectorscan *self = ctx;
	uint32_t rule = self->rule_of[id];

	if (!self->is_wanted[id]) {
		self->barred[rule] = self->round;
	} else if (self->seen[rule] != self->round) {
		self->seen[rule] = self->round;
		self->hits[self->hit_count++] = rule;
	}
	return 0;
}

static void judge_by_vectorscan(void *ctx, const struct batch *batch, struct found *found)
{
	struct vectorscan *self = ctx;

	for (size_t i = 0; i < batch->count; i++, found->event++) {
		const struct event *event = batch->events[i];

		self->round++;
		self->hit_count = 0;
		if (hs_scan(self->database, event->path.data, event->path.size, 0, self->scratch,
			    on_match, self) != HS_SUCCESS)
			abort();
		for (size_t j = 0; j < self->hit_count; j++) {
			uint32_t rule = self->hits[j];

			if (self->task->rules[rule].kinds & event->kinds &&
			    self->barred[rule] != self->round)
				found_rule(found, rule);
		}
	}
}

const struct party party_vectorscan = { "vectorscan", open_vectorscan, judge_by_vectorscan };
