#include "rule/refute.h"

#define LITERALS_MAX 1000
#define GOALS_MAX 20000
#define DEPTH_MAX 200

/* What is still to be met, shared by the alternatives that have it in common. */
struct goal {
	struct claim claim;
	const struct goal *next;
};

struct refuter_memory {
	struct goal goals[GOALS_MAX];
	size_t goal_count;
	struct literal literals[LITERALS_MAX];
	size_t literal_count;
};

void refuter_init(struct refuter *refuter, size_t work_max)
{
	*refuter = (struct refuter){ .work_max = work_max };
	refuter->memory = mem_new(sizeof(*refuter->memory));
}

void refuter_clear(struct refuter *refuter)
{
	free(refuter->memory);
}

static bool is_tired(const struct refuter *refuter)
{
	return refuter->work > refuter->work_max;
}

/* NULL: there is no more room. */
static const struct goal *put(struct refuter *refuter, struct claim claim, const struct goal *next)
{
	struct refuter_memory *memory = refuter->memory;
	struct goal *goal;

	if (memory->goal_count == GOALS_MAX) {
		refuter->work = refuter->work_max + 1;
		return NULL;
	}
	goal = &memory->goals[memory->goal_count++];
	*goal = (struct goal){ claim, next };
	return goal;
}

static void keep(struct refuter *refuter, struct clash clash)
{
	for (size_t i = 0; i < refuter->clash_count; i++)
		if (refuter->clashes[i].a.leaf == clash.a.leaf &&
		    refuter->clashes[i].b.leaf == clash.b.leaf)
			return;
	if (refuter->clash_count < CLASHES_KEPT)
		refuter->clashes[refuter->clash_count++] = clash;
}

/* With which of those before it the literal leaves no sort of event; itself: with all of them. */
static struct literal find_partner(const struct refuter *refuter, const struct literal *literal)
{
	const struct refuter_memory *memory = refuter->memory;
	struct worlds own = worlds_of(literal), none = own;

	if (!worlds_meet(&none, &own))
		return *literal;
	for (size_t i = 0; i < memory->literal_count; i++) {
		struct worlds both = worlds_of(&memory->literals[i]);

		if (literal_has_worlds(&memory->literals[i]) && !worlds_meet(&both, &own))
			return memory->literals[i];
	}
	for (size_t i = memory->literal_count; i-- > 0;)
		if (literal_has_worlds(&memory->literals[i]))
			return memory->literals[i];
	return *literal;
}

/* Whether the literal clashes with what is asked for already. */
static bool clashes(struct refuter *refuter, const struct literal *literal, struct worlds *worlds)
{
	const struct refuter_memory *memory = refuter->memory;

	if (literal_has_worlds(literal)) {
		struct worlds own = worlds_of(literal);

		refuter->work += 20;
		if (!worlds_meet(worlds, &own)) {
			keep(refuter, (struct clash){ find_partner(refuter, literal), *literal });
			return true;
		}
	}
	if (refuter->directory_count &&
	    literal_is_outside(literal, refuter->directories, refuter->directory_count,
			       &refuter->work)) {
		keep(refuter, (struct clash){ *literal, *literal, true });
		return true;
	}
	for (size_t i = 0; i < memory->literal_count && !is_tired(refuter); i++) {
		if (!literals_clash(&memory->literals[i], literal, &refuter->work))
			continue;
		keep(refuter, (struct clash){ memory->literals[i], *literal });
		return true;
	}
	if (is_tired(refuter) || !literals_clash(literal, literal, &refuter->work))
		return false;
	keep(refuter, (struct clash){ *literal, *literal });
	return true;
}

static struct claim inside(struct claim claim, const struct condition *child)
{
	claim.condition = child;
	return claim;
}

static bool closes(struct refuter *refuter, const struct goal *goals, struct worlds worlds,
		   unsigned depth);

/* Each of the alternatives has to lead to a clash. */
static bool all_close(struct refuter *refuter, struct claim claim, const struct goal *rest,
		      struct worlds worlds, unsigned depth)
{
	struct refuter_memory *memory = refuter->memory;
	const struct condition *condition = claim.condition;

	for (size_t i = 0; i < condition->child_count; i++) {
		size_t goals = memory->goal_count, literals = memory->literal_count;
		const struct goal *goal = put(refuter, inside(claim, condition->children[i]), rest);
		bool is_closed = goal && closes(refuter, goal, worlds, depth + 1);

		memory->goal_count = goals;
		memory->literal_count = literals;
		if (!is_closed)
			return false;
	}
	return true;
}

/* true: a clash was found. Otherwise what has alternatives is put before *later. */
static bool meet_goal(struct refuter *refuter, struct claim claim, struct worlds *worlds,
		      const struct goal **now, const struct goal **later)
{
	struct refuter_memory *memory = refuter->memory;
	const struct condition *condition = claim.condition;

	if (condition->kind == CONDITION_NOT) {
		claim.is_negated = !claim.is_negated;
		*now = put(refuter, inside(claim, condition->children[0]), *now);
		return false;
	}
	if (condition->kind == CONDITION_ALL || condition->kind == CONDITION_ANY) {
		if ((condition->kind == CONDITION_ANY) != claim.is_negated) {
			*later = put(refuter, claim, *later);
			return false;
		}
		for (size_t i = condition->child_count; i-- > 0 && !is_tired(refuter);)
			*now = put(refuter, inside(claim, condition->children[i]), *now);
		return false;
	}

	struct literal literal = { condition, claim.is_negated, claim.is_weak };

	if (clashes(refuter, &literal, worlds))
		return true;
	if (memory->literal_count == LITERALS_MAX)
		refuter->work = refuter->work_max + 1;
	else
		memory->literals[memory->literal_count++] = literal;
	return false;
}

static bool closes(struct refuter *refuter, const struct goal *goals, struct worlds worlds,
		   unsigned depth)
{
	const struct goal *later = NULL;

	if (depth > DEPTH_MAX)
		return false;
	/* What was put off before comes again, and is put off again. */
	while (goals && !is_tired(refuter)) {
		const struct goal *goal = goals;

		goals = goal->next;
		refuter->work++;
		if (meet_goal(refuter, goal->claim, &worlds, &goals, &later))
			return true;
	}
	if (is_tired(refuter) || !later)
		return false;
	return all_close(refuter, later->claim, later->next, worlds, depth);
}

bool refute(struct refuter *refuter, const struct claim *claims, size_t count)
{
	const struct goal *goals = NULL;

	refuter->work = 0;
	refuter->clash_count = 0;
	refuter->memory->goal_count = 0;
	refuter->memory->literal_count = 0;
	for (size_t i = count; i-- > 0;)
		goals = put(refuter, claims[i], goals);
	return closes(refuter, goals, worlds_all(), 0);
}
