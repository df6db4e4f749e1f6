/*
 * judge: what each event of a record leads to, in the transaction under way: echoes are
 * recognised, renames paired, rules asked, jobs put, timers started, labels written.
 *
 * Knows no loop and no clock: filter says what time it is. Everything between judge_begin and
 * judge_end is part of one transaction. When that fails, judge_load reads again what the store has,
 * and the same records can be judged again.
 */
#ifndef APP_JUDGE_H
#define APP_JUDGE_H

#include "app/pending.h"
#include "app/settings.h"
#include "app/trial.h"
#include "rule/rule.h"
#include "store/store.h"

struct judge;

struct judge_counts {
	uint64_t events; /* in records */
	uint64_t judged; /* asked the rules about; halves of renames come to that later */
	uint64_t echoes;
	uint64_t matches; /* a rule was true */
	uint64_t jobs;
};

/* Sets as of filter_open: shared, one per watch. */
struct judge *judge_new(const struct settings *settings, struct store *store,
			struct rule_set *const *sets);
void judge_free(struct judge *judge);
AUTO_DEFINE(struct judge *, judge_free)

/* From now on nothing but timers, halves and windows is stored; trial outlives the judge. */
void judge_try(struct judge *judge, const struct trial *trial);

MUST_CHECK int judge_load(struct judge *judge, struct error *err);
/* Takes set over and gives the one before it away. Not within a transaction. */
MUST_CHECK struct rule_set *judge_swap(struct judge *judge, size_t watch, struct rule_set *set);
/* Whether a swap is not written down yet: then a transaction is due even without events. */
bool judge_has_news(const struct judge *judge);
/* When judge_expire has something to do; INT64_MAX for never. */
int64_t judge_next_due(const struct judge *judge);

/* cursor: the last record judged before. Writes down which rules judge from here on. */
MUST_CHECK int judge_begin(struct judge *judge, struct store_txn *txn, uint64_t cursor,
			   int64_t now_ms, struct error *err);
/*
 * trouble is called, perhaps several times, when the record says that its stream cannot be trusted;
 * what it leads to must wait for the commit.
 */
MUST_CHECK int judge_record(struct judge *judge, const struct record *record,
			    void (*trouble)(void *ctx, size_t watch, const char *reason), void *ctx,
			    struct error *err);
/* Events of this transaction so far. */
uint64_t judge_event_count(const struct judge *judge);
/* Windows and timers that ended by now_ms: at most max. Answers how many were looked at. */
MUST_CHECK int64_t judge_expire(struct judge *judge, int64_t now_ms, size_t max, struct error *err);
/* Whether the cluster has said something about files that rules wait for; takes at most max of the
 * events, answers how many. */
bool judge_has_answers(const struct judge *judge);
MUST_CHECK int64_t judge_answers(struct judge *judge, size_t max, struct error *err);
/* From now on the cluster is asked by host; NULL: not any more. In the host's loop. */
void judge_ask_with(struct judge *judge, const struct pending_host *host);
/* Items of the inbox whose turn has come at cursor: at most max. Answers how many were taken. */
MUST_CHECK int64_t judge_inbox(struct judge *judge, uint64_t cursor, int64_t now_ms, size_t max,
			       struct error *err);
/* Last before the commit. */
MUST_CHECK int judge_end(struct judge *judge, uint64_t cursor, struct error *err);
/* Rules that a limit made a dry run, with commas between them; borrowed until the next commit. */
const char *judge_tripped(const struct judge *judge);
/* Last after a commit that went well: what this transaction's events came to. */
struct judge_counts judge_committed(struct judge *judge);

#endif
