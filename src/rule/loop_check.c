/*
 * loop_check: which rules' actions cause events that rules match. Such an event is known only
 * partly, by the regions in which the rule can be true and by what the module says of its effects;
 * the evaluator answers for it in three values, and only a clear "false" is silence.
 */
#include "base/buf.h"
#include "rule/fold.h"
#include "rule/foothold.h"
#include "rule/words.h"

#define EFFECTS_MAX 16
#define TESTS_MAX 500000 /* evaluations; a check must end in seconds, whatever the rules are */
#define WARNINGS_MAX 40

/* A rule may match, at the event described, what a step of another (or itself) causes. */
struct edge {
	uint32_t from, to;
	uint32_t step, effect; /* of from */
	event_kinds kinds;
};

struct check {
	const struct rule_set *set;
	const struct rule_modules *modules;
	struct footholds footholds;
	uint32_t *seen; /* by rule: the last round */
	uint32_t round;
	uint32_t *linked; /* by rule: 1 + the last rule with an edge to it */
	size_t tests;
	struct edge *edges;
	size_t edge_count, edge_room;
};

struct step_effects {
	struct event_effect items[EFFECTS_MAX];
	size_t count;
};

static void ask_effects(const struct check *check, const struct rule_step *step,
			struct step_effects *out)
{
	out->count = check->modules->effects(check->modules->ctx, step->module, step->options,
					     out->items, EFFECTS_MAX);
}

static void clear_effects(struct step_effects *effects)
{
	for (size_t i = 0; i < effects->count; i++) {
		free(effects->items[i].path);
		free(effects->items[i].name);
	}
}

/* The event that a step causes. */
struct cause {
	struct check *check;
	const struct set_rule *rule;
	uint32_t step, number; /* of the effect */
	const struct event_effect *effect;
	struct region before; /* where the file was that the rule matched */
	struct region after;  /* where the event is */
};

static void add_edge(struct check *check, const struct cause *cause,
		     const struct foothold *foothold)
{
	uint32_t from = cause->rule->rule.index;

	if (check->linked[foothold->rule] == from + 1)
		return;
	check->linked[foothold->rule] = from + 1;
	if (check->edge_count == check->edge_room) {
		check->edge_room = check->edge_room ? check->edge_room * 2 : 64;
		check->edges = mem_grow(check->edges, check->edge_room, sizeof(*check->edges));
	}
	check->edges[check->edge_count++] = (struct edge){
		.from = from,
		.to = foothold->rule,
		.step = cause->step,
		.effect = cause->number,
		.kinds = cause->effect->kinds & foothold->kinds,
	};
}

static void test_rule(void *ctx, const struct foothold *foothold)
{
	const struct cause *cause = ctx;
	struct check *check = cause->check;
	struct subject subject = { .kinds = cause->effect->kinds,
				   .is_partial = true,
				   .path.region = &cause->after };

	if (check->seen[foothold->rule] == check->round || check->tests >= TESTS_MAX)
		return;
	check->seen[foothold->rule] = check->round;
	check->tests++;
	if (cause->effect->kinds & EVENT_RENAMED)
		subject.old_path.region = &cause->before;
	if (condition_test(check->set->rules[foothold->rule]->when, &subject) != TRUTH_FALSE)
		add_edge(check, cause, foothold);
}

static void test_rules(struct check *check, struct cause *cause)
{
	struct fold fold = { 0 };

	check->round++;
	footholds_visit(&check->footholds, cause->effect->kinds,
			fold_text(&fold, cause->after.directory), test_rule, cause);
	fold_clear(&fold);
}

/* Memory of one cause's region: what its texts and patterns were made from. */
struct cause_memory {
	struct fold path;
	struct pattern_list name;
};

/*
 * Names are never empty, so a star in front stands for something: most templates begin with the
 * file's own name or stem. It decides whether "*.done" may be a name without an extension.
 */
static const struct pattern *name_of_effect(const char *name, bool fold,
					    struct cause_memory *memory)
{
	AUTO(free) char *glob = str_format("%s%s", name[0] == '*' ? "?" : "", name);
	AUTO_ERROR err = { 0 };
	size_t at;

	if (pattern_parse(&memory->name, text_of(glob), PATTERN_OF_NAME, fold, &at, &err) < 0 ||
	    memory->name.count != 1)
		return NULL;
	return memory->name.items[0];
}

/*
 * An effect's path is a directory that files go into. That it may be made itself, once, is no
 * loop; if it counted, "not: {directory: ..}" could not rule a loop out.
 */
static void locate(struct cause *cause, struct cause_memory *memory)
{
	const struct event_effect *effect = cause->effect;
	bool follows = effect->same_file || effect->same_directory || effect->keeps_name;
	struct region *after = &cause->after;

	*after = (struct region){ .kinds = effect->kinds, .expression = SCAN_NONE };
	after->is_folded = follows && cause->before.is_folded;
	if (effect->same_file || effect->same_directory) {
		after->directory = cause->before.directory;
		after->is_direct = cause->before.is_direct;
	} else if (effect->path && effect->path[0] == '/' && effect->path[1]) {
		after->directory = text_of(effect->path);
		if (after->is_folded)
			after->directory = fold_text(&memory->path, after->directory);
	}
	if (effect->same_file || effect->keeps_name)
		after->name = cause->before.name;
	else if (effect->name)
		after->name = name_of_effect(effect->name, after->is_folded, memory);
}

/* A step's effects, and where the file is for the next one. */
static void follow_step(struct check *check, struct cause *cause, struct cause_memory *memory,
			const struct event_effect *effects, size_t count)
{
	const event_kinds moved = EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED;
	struct region next = cause->before;

	for (size_t i = 0; i < count; i++) {
		cause->number = i;
		cause->effect = &effects[i];
		locate(cause, &memory[i]);
		test_rules(check, cause);
		if (effects[i].kinds & moved)
			next = cause->after;
	}
	cause->before = next;
}

static void follow_region(struct check *check, const struct set_rule *rule,
			  const struct region *region, const struct step_effects *steps)
{
	size_t count = rule->rule.step_count * EFFECTS_MAX;
	struct cause_memory *memory = mem_array(count, sizeof(*memory));
	struct cause cause = { .check = check, .rule = rule, .before = *region };

	for (size_t step = 0; step < rule->rule.step_count; step++) {
		cause.step = step;
		follow_step(check, &cause, memory + step * EFFECTS_MAX, steps[step].items,
			    steps[step].count);
	}
	for (size_t i = 0; i < count; i++) {
		fold_clear(&memory[i].path);
		pattern_list_clear(&memory[i].name);
	}
	free(memory);
}

static void follow_rule(struct check *check, const struct set_rule *rule)
{
	struct step_effects *steps = mem_array(rule->rule.step_count, sizeof(*steps));
	struct region_list regions = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < rule->rule.step_count; i++) {
		ask_effects(check, &rule->rule.steps[i], &steps[i]);
		count += steps[i].count;
	}
	if (count)
		region_list_of(&regions, rule->when);
	for (size_t i = 0; i < regions.count; i++)
		follow_region(check, rule, &regions.items[i], steps);
	region_list_clear(&regions);
	for (size_t i = 0; i < rule->rule.step_count; i++)
		clear_effects(&steps[i]);
	free(steps);
}

/* "renamed", "permissions", or up to three names of types. */
static char *describe_kinds(event_kinds kinds)
{
	static const struct {
		event_kinds kind, halves;
	} moves[] = { { EVENT_RENAMED | EVENT_MOVED_IN,
			EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_KIND(CHILD_DIR_MOVED_TO) },
		      { EVENT_MOVED_OUT,
			EVENT_KIND(CHILD_FILE_MOVED_FROM) | EVENT_KIND(CHILD_DIR_MOVED_FROM) } };
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
	const char *const *names = event_kind_names();
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		if (kinds & moves[i].kind)
			kinds &= ~moves[i].halves;
	for (; *names && count < 3; names++) {
		event_kinds named = event_kinds_parse(text_of(*names));

		if (named == EVENT_ANY || !(kinds & named) || (named & ~kinds))
			continue;
		(void)!buf_print(text, "%s%s", count++ ? ", " : "", *names);
		kinds &= ~named;
	}
	return text->size ? buf_take(text) : str_copy("such");
}

static char *describe_place(const struct event_effect *effect)
{
	if (effect->same_file)
		return str_copy(" at the same file");
	if (effect->same_directory)
		return str_copy(" in the same directory");
	if (effect->path)
		return str_format(" in %s", effect->path);
	return str_copy("");
}

/* A pattern like "*.*" says nothing about what is new in the name. */
static bool is_telling(const char *glob)
{
	unsigned letters = 0;

	for (; *glob; glob++)
		letters += (*glob >= 'a' && *glob <= 'z') || (*glob >= 'A' && *glob <= 'Z');
	return letters >= 2;
}

/* What would keep the rule from matching, as it would be written where that is known. */
static char *describe_except(const struct event_effect *effect)
{
	if (effect->same_file)
		return str_copy("an 'event' condition without them");
	if (effect->path && effect->path[0] == '/' && effect->path[1])
		return str_format("not: {directory: %s}", effect->path);
	if (effect->name && is_telling(effect->name))
		return str_format("not: {name: '%s'}", effect->name);
	return str_copy("a condition that excludes them");
}

/* The step of an edge in words. */
struct told {
	const struct set_rule *rule;
	const struct rule_step *step;
	char *kinds, *place, *except;
};

static void tell_edge(const struct check *check, const struct edge *edge, struct told *out)
{
	struct step_effects effects = { 0 };

	out->rule = check->set->rules[edge->from];
	out->step = &out->rule->rule.steps[edge->step];
	ask_effects(check, out->step, &effects);
	out->kinds = describe_kinds(edge->kinds);
	out->place = describe_place(&effects.items[edge->effect]);
	out->except = describe_except(&effects.items[edge->effect]);
	clear_effects(&effects);
}

static void told_clear(struct told *told)
{
	free(told->kinds);
	free(told->place);
	free(told->except);
}

static void warn_self(const struct check *check, const struct edge *edge, struct problems *problems)
{
	AUTO(free) char *where = NULL;
	struct told told;

	tell_edge(check, edge, &told);
	where = words_place(told.rule->when_place, told.step->place);
	problems_warning(problems, told.step->place,
			 "rule '%s' may trigger itself: its action %s causes %s events%s that its "
			 "own conditions (%s) may match; %s, but %s would rule it out",
			 told.rule->rule.name, told.step->module, told.kinds, told.place, where,
			 told.rule->rule.on_own
				 ? "on_own lets it see them until a bound ends the loop"
				 : "cn_monitor recognises such echoes and ignores them",
			 told.except);
	told_clear(&told);
}

static void warn_pair(const struct check *check, const struct edge *there, const struct edge *back,
		      struct problems *problems)
{
	AUTO(free) char *a_when = NULL;
	AUTO(free) char *b_when = NULL;
	AUTO(free) char *b_step = NULL;
	struct told a, b;

	tell_edge(check, there, &a);
	tell_edge(check, back, &b);
	a_when = words_place(a.rule->when_place, a.step->place);
	b_when = words_place(b.rule->when_place, a.step->place);
	b_step = words_place(b.step->place, a.step->place);
	problems_warning(problems, a.step->place,
			 "rules '%s' and '%s' may trigger each other: action %s causes %s events%s "
			 "that '%s' (%s) may match, whose action %s (%s) causes %s events%s that "
			 "'%s' (%s) may match",
			 a.rule->rule.name, b.rule->rule.name, a.step->module, a.kinds, a.place,
			 b.rule->rule.name, b_when, b.step->module, b_step, b.kinds, b.place,
			 a.rule->rule.name, a_when);
	told_clear(&a);
	told_clear(&b);
}

static int compare_edges(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

static const struct edge *edge_find(const struct check *check, uint32_t from, uint32_t to)
{
	struct edge wanted = { .from = from, .to = to };

	return bsearch(&wanted, check->edges, check->edge_count, sizeof(wanted), compare_edges);
}

static void warn(struct check *check, struct problems *problems)
{
	unsigned told = 0, untold = 0;

	if (check->edge_count)
		qsort(check->edges, check->edge_count, sizeof(*check->edges), compare_edges);
	for (size_t i = 0; i < check->edge_count; i++) {
		const struct edge *edge = &check->edges[i], *back;
		bool is_self = edge->from == edge->to;

		back = edge->from <= edge->to ? edge_find(check, edge->to, edge->from) : NULL;
		if (!back)
			continue;
		/* Two rules that trigger themselves are told enough. */
		if (!is_self && edge_find(check, edge->from, edge->from) &&
		    edge_find(check, edge->to, edge->to))
			continue;
		if (told++ >= WARNINGS_MAX)
			untold++;
		else if (is_self)
			warn_self(check, edge, problems);
		else
			warn_pair(check, edge, back, problems);
	}
	if (untold)
		problems_warning(problems, (struct place){ check->set->files[0], 0, 0 },
				 "%u more rules may trigger themselves or each other", untold);
	if (check->tests >= TESTS_MAX)
		problems_warning(problems, (struct place){ check->set->files[0], 0, 0 },
				 "too many rules to look for every loop among them");
}

void rule_set_check_loops(const struct rule_set *set, const struct rule_modules *modules,
			  struct problems *problems)
{
	struct check check = { .set = set, .modules = modules };

	check.seen = mem_array(set->count, sizeof(*check.seen));
	check.linked = mem_array(set->count, sizeof(*check.linked));
	footholds_init(&check.footholds, set);
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->rule.mode != RULE_OFF)
			follow_rule(&check, set->rules[i]);
	warn(&check, problems);
	footholds_clear(&check.footholds);
	free(check.edges);
	free(check.seen);
	free(check.linked);
}
