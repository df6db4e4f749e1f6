/* rule_match: a thread's memory for matching events against a set. */
#include "rule/fold.h"
#include "rule/rule_set.h"

struct rule_matcher {
	const struct rule_set *set;
	struct rule_candidates candidates;
	struct scanner *scanners[2];
	struct regex_memory *regexes;
	struct fold folded_path, folded_old_path, folded_stream;
};

struct rule_matcher *rule_matcher_new(const struct rule_set *set)
{
	struct rule_matcher *matcher = NEW(struct rule_matcher);

	matcher->set = set;
	rule_candidates_init(&matcher->candidates, set->count);
	matcher->scanners[0] = scanner_new(set->scans[0]);
	matcher->scanners[1] = scanner_new(set->scans[1]);
	matcher->regexes = regex_memory_new();
	return matcher;
}

void rule_matcher_free(struct rule_matcher *matcher)
{
	if (!matcher)
		return;
	rule_candidates_clear(&matcher->candidates);
	scanner_free(matcher->scanners[0]);
	scanner_free(matcher->scanners[1]);
	regex_memory_free(matcher->regexes);
	fold_clear(&matcher->folded_path);
	fold_clear(&matcher->folded_old_path);
	fold_clear(&matcher->folded_stream);
	free(matcher);
}

const struct rule_set *rule_matcher_set(const struct rule_matcher *matcher)
{
	return matcher->set;
}

/* The event as conditions see it; an old path counts only where the two halves were paired. */
void rule_matcher_start(struct rule_matcher *matcher, const struct event *event,
			struct subject *subject)
{
	*subject = (struct subject){ .kinds = event->kinds,
				     .regexes = matcher->regexes,
				     .event = event };
	subject->path.text = event->path;
	if (event->kinds & EVENT_RENAMED)
		subject->old_path.text = event->old_path;
	if (matcher->set->needs_folding) {
		subject->path.folded = fold_text(&matcher->folded_path, event->path);
		subject->old_path.folded =
			fold_text(&matcher->folded_old_path, subject->old_path.text);
		subject->folded_stream = fold_text(&matcher->folded_stream, event->stream);
	}
	scanner_start(matcher->scanners[0], event->path);
	scanner_start(matcher->scanners[1], subject->path.folded);
}

const struct rule_candidates *rule_matcher_candidates(struct rule_matcher *matcher,
						      const struct subject *subject)
{
	struct rule_query query = { subject->kinds, subject->path.text, subject->path.folded,
				    matcher->scanners[0], matcher->scanners[1] };

	rule_index_find(matcher->set->index, &query, &matcher->candidates);
	return &matcher->candidates;
}

void rule_match_with(struct rule_matcher *matcher, const struct event *event,
		     const struct file_facts *file,
		     bool (*visit)(void *ctx, const struct rule *rule, enum truth truth), void *ctx)
{
	const struct rule_candidates *candidates;
	struct subject subject;

	rule_matcher_start(matcher, event, &subject);
	subject.file = file;
	candidates = rule_matcher_candidates(matcher, &subject);
	for (size_t i = 0; i < candidates->count; i++) {
		uint32_t rule = candidates->rules[i];
		enum truth truth = condition_test(matcher->set->whens[rule], &subject);

		if (truth != TRUTH_FALSE && !visit(ctx, &matcher->set->rules[rule]->rule, truth))
			return;
	}
}

struct visit_true {
	bool (*visit)(void *ctx, const struct rule *rule);
	void *ctx;
};

static bool visit_true(void *ctx, const struct rule *rule, enum truth truth)
{
	struct visit_true *visit = ctx;

	return truth != TRUTH_TRUE || visit->visit(visit->ctx, rule);
}

void rule_match(struct rule_matcher *matcher, const struct event *event,
		bool (*visit)(void *ctx, const struct rule *rule), void *ctx)
{
	struct visit_true visiting = { visit, ctx };

	rule_match_with(matcher, event, NULL, visit_true, &visiting);
}

enum truth rule_test_with(struct rule_matcher *matcher, const struct rule *rule,
			  const struct event *event, const struct file_facts *file)
{
	struct subject subject;

	rule_matcher_start(matcher, event, &subject);
	subject.file = file;
	return condition_test(set_rule_of(rule)->when, &subject);
}

enum truth rule_test(struct rule_matcher *matcher, const struct rule *rule,
		     const struct event *event)
{
	return rule_test_with(matcher, rule, event, NULL);
}
