/* RE2::Set of every rule's patterns. */
extern "C" {
#include "party.h"
}

#if HAVE_RE2

#include <memory>
#include <re2/re2.h>
#include <re2/set.h>
#include <vector>

namespace
{

struct sets {
	const struct task *task;
	RE2::Set wanted;
	std::vector<uint32_t> rule_of;                         /* by pattern of the set */
	std::vector<std::vector<std::unique_ptr<RE2>>> others; /* by rule */
	std::vector<uint64_t> seen;                            /* by rule */
	std::vector<int> hits;
	uint64_t round = 0;

	sets(const struct task *given, const RE2::Options &options)
	    : task(given), wanted(options, RE2::UNANCHORED)
	{
	}
};

RE2::Options options_of()
{
	RE2::Options options;

	options.set_dot_nl(true);
	options.set_log_errors(false);
	options.set_never_capture(true);
	options.set_max_mem(int64_t(4)
			    << 30); /* its default of 8 MiB is for some hundred patterns */
	return options;
}

int open_re2(void **out, const struct task *task, struct error *err)
{
	auto self = std::make_unique<sets>(task, options_of());
	RE2::Options one = options_of();

	one.set_max_mem(8 << 20);
	self->others.resize(task->count);
	self->seen.resize(task->count);
	for (size_t i = 0; i < task->count; i++) {
		for (size_t j = 0; j < task->rules[i].count; j++) {
			const struct form &form = task->rules[i].forms[j];
			std::string why;

			if (!form.is_wanted) {
				self->others[i].push_back(std::make_unique<RE2>(form.regex, one));
				continue;
			}
			if (self->wanted.Add(form.regex, &why) < 0)
				return error_set(err, "%s: %s", form.regex, why.c_str());
			self->rule_of.push_back(i);
		}
	}
	if (!self->wanted.Compile())
		return error_set(err, "RE2::Set has not enough memory to compile");
	*out = self.release();
	return 0;
}

bool is_barred(const sets *self, uint32_t rule, re2::StringPiece path)
{
	for (const auto &other : self->others[rule])
		if (RE2::PartialMatch(path, *other))
			return true;
	return false;
}

void judge_by_re2(void *ctx, const struct batch *batch, struct found *found)
{
	auto self = static_cast<sets *>(ctx);

	for (size_t i = 0; i < batch->count; i++, found->event++) {
		const struct event *event = batch->events[i];
		re2::StringPiece path(event->path.data, event->path.size);
		RE2::Set::ErrorInfo info;

		self->round++;
		if (!self->wanted.Match(path, &self->hits, &info) &&
		    info.kind != RE2::Set::kNoError)
			abort(); /* out of memory: the caller says so */
		for (int hit : self->hits) {
			uint32_t rule = self->rule_of[hit];

			if (self->seen[rule] == self->round)
				continue;
			self->seen[rule] = self->round;
			if (self->task->rules[rule].kinds & event->kinds &&
			    !is_barred(self, rule, path))
				found_rule(found, rule);
		}
	}
}

} // namespace

#else

static int open_re2(void **out, const struct task *task, struct error *err)
{
	return error_set(err, "built without RE2 (the package libre2-dev)");
}

static void judge_by_re2(void *self, const struct batch *batch, struct found *found)
{
}

#endif

const struct party party_re2 = { "re2", open_re2, judge_by_re2 };
