/* judge_part: what judge's files know of each other: judge.c, and judge_answer.c for events that
 * wait for the cluster. */
#ifndef APP_JUDGE_PART_H
#define APP_JUDGE_PART_H

#include "app/judge.h"

#include "app/fire.h"
#include "app/label.h"
#include "app/open_files.h"
#include "app/repeat.h"
#include "base/buf.h"
#include "base/metric.h"

struct judged_watch {
	const struct watch_settings *settings;
	struct text name;
	struct rule_set *set;
	struct rule_matcher *matcher;
	char *private_directory; /* of the heartbeat, or NULL */
	struct metric *heartbeat_delay;
	bool is_noted; /* the store knows which rules judge */
	bool is_noting;
};

struct judge {
	struct store *store;
	const struct trial *trial; /* NULL: it is for real */
	const struct settings *settings;
	struct judged_watch *watches;
	size_t watch_count;
	struct decoder *decoder;
	struct renames *renames;
	struct settle *settle;
	struct tally *tally;
	struct pending *pending;
	struct open_files_asker *open_files;
	struct buf *tripped;

	/* The transaction under way. */
	struct store_txn *txn;
	int64_t now_ms;
	int64_t time_ms; /* of what is judged: behind now_ms while the filter is behind */
	struct repeats *repeats;
	struct echo_digests *echoes; /* of the ledger; true for records up to: */
	uint64_t echoes_until;
	bool echoes_are_known;
	unsigned echo_looks;
	struct judge_counts counts;

	/* The event under way. */
	const struct rule_set *asked;
	bool is_echo;
	uint64_t cause;  /* whose echo; 0: nobody's, as far as is known */
	bool is_blocked; /* by a rule that says stop and of which more must be known */
	json_t *waiting; /* names of rules that wait for what the cluster says */
	const struct rule **matched;
	size_t matched_count;
	size_t matched_room;
};

/* Labels are not written in a trial. */
MUST_CHECK int judge_label(struct judge *judge, const struct event *event, const json_t *label,
			   struct error *err);
struct judged_watch *judge_find_watch(struct judge *judge, struct text name);
/* A rule is true for an event: what follows at once, and what after it has settled. */
MUST_CHECK int judge_fire(struct judge *judge, const struct judged_watch *watch,
			  const struct rule *rule, const struct event *event, json_t *label,
			  struct error *err);
MUST_CHECK int judge_follow(struct judge *judge, const struct judged_watch *watch,
			    const struct rule *rule, const struct event *event, json_t *label,
			    struct error *err);
/* A file is quiet: its rule fires, if it is still there and still true; settle_fire. */
MUST_CHECK int judge_quiet(void *ctx, struct text name, const struct event *event, bool may_be_open,
			   struct error *err);
/* The event under way waits for the cluster, for the rules in judge->waiting. */
MUST_CHECK int judge_wait(struct judge *judge, const struct event *event, json_t *label,
			  struct error *err);
/* The same for one rule, whose file is quiet now. */
MUST_CHECK int judge_wait_about(struct judge *judge, const struct judged_watch *watch,
				const struct rule *rule, const struct event *event, json_t *label,
				struct error *err);

#endif
