/*
 * What sets itself off, stopped: a rule that asks for its own echoes (on_own) by how deep its jobs
 * come of each other, and that or one that runs programs by how often it fires on one file.
 */
#include <inttypes.h>

#include "app/tally_part.h"
#include "base/buf.h"

#define CHAIN_KEPT_MS ((int64_t)60 * 60 * 1000) /* an echo that is not there by then is none */

bool tally_may_loop(const struct rule *rule)
{
	bool runs_program = false;

	for (size_t i = 0; i < rule->step_count && !runs_program; i++)
		runs_program = strcmp(rule->steps[i].module, "exec") == 0;
	return rule->on_own || runs_program;
}

/* The jobs that a job came of, each by an echo of the one before it; the entries' ids. */
static int open_chain(struct tally *tally, struct store_txn *txn, uint64_t job, int64_t now_ms,
		      struct window **out, struct error *err)
{
	AUTO(buf_free) struct buf *key = key_new('d');
	AUTO(free) char *number = str_format("%" PRIu64, job);

	key_add(key, TEXT_NONE);
	key_add(key, text_of(number));
	if (tally_window(tally, txn, buf_text(key), out, err) < 0)
		return -1;
	(*out)->within_ms = CHAIN_KEPT_MS;
	window_pass(*out, now_ms);
	return 0;
}

static char *chain_text(const struct window *chain, uint64_t last)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);

	for (size_t i = 0; i < chain->count; i++)
		(void)!buf_print(text, "%.*s -> ", TEXT_ARGS(chain->entries[i].id));
	(void)!buf_print(text, "%" PRIu64, last);
	return buf_take(text);
}

int tally_depth(struct tally *tally, struct store_txn *txn, const struct rule *rule,
		const struct event *event, uint64_t cause, int64_t most, int64_t now_ms,
		char **out_why, struct error *err)
{
	struct window *chain;

	if (open_chain(tally, txn, cause, now_ms, &chain, err) < 0)
		return -1;
	if ((int64_t)chain->count < most)
		return 1;

	AUTO(free) char *jobs = chain_text(chain, cause);

	*out_why = str_format("stopped: it comes of %zu jobs in a row, each set off by what the "
			      "one before it did (jobs %s; [ACT] MAX_DEPTH is %" PRId64 ")",
			      chain->count + 1, jobs, most);
	tally_count_stop(tally);
	tally_say(tally,
		  "!rule '%s' sets itself off at %.*s and is stopped there: jobs %s, each of the "
		  "one before it",
		  rule->name, TEXT_ARGS(event->path), jobs);
	return 0;
}

int tally_chain(struct tally *tally, struct store_txn *txn, uint64_t cause, uint64_t job,
		int64_t now_ms, struct error *err)
{
	AUTO(free) char *number = str_format("%" PRIu64, cause);
	struct window *before, *chain;

	if (open_chain(tally, txn, cause, now_ms, &before, err) < 0 ||
	    open_chain(tally, txn, job, now_ms, &chain, err) < 0)
		return -1;
	for (size_t i = 0; i < before->count; i++)
		window_add(chain, now_ms, before->entries[i].id, TEXT_NONE);
	window_add(chain, now_ms, text_of(number), TEXT_NONE);
	return 0;
}

int tally_runs(struct tally *tally, struct store_txn *txn, const struct rule *rule,
	       const struct event *event, const struct rule_window *most, int64_t now_ms,
	       char **out_why, struct error *err)
{
	struct window *window;

	if (tally_rule_window(tally, txn, 'f', rule, most, event, now_ms, &window, err) < 0)
		return -1;
	if (window->count < (size_t)most->count) {
		window_add(window, now_ms, TEXT_NONE, TEXT_NONE);
		return 1;
	}
	/* As long as it goes on, it is not over. */
	window_remove(window, TEXT_NONE);
	window_add(window, now_ms, TEXT_NONE, TEXT_NONE);
	if (window->suppressed++)
		return 0;
	*out_why = str_format("stopped: the rule has fired %" PRId64 " times in %" PRId64
			      " s on this file, perhaps because of what it does itself; it is left "
			      "alone until that is over ([ACT] RUNS_PER_FILE, RUNS_WITHIN)",
			      most->count, most->within_ms / 1000);
	tally_count_stop(tally);
	tally_say(tally,
		  "!rule '%s' has fired %" PRId64 " times in %" PRId64
		  " s on %.*s, perhaps because of what it does itself, and leaves that file alone "
		  "until that is over",
		  rule->name, most->count, most->within_ms / 1000, TEXT_ARGS(event->path));
	return 0;
}
