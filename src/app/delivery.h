/*
 * delivery: one job under way. deliver.c owns the list of them, and time and store; delivery.c
 * knows what happens to one: look at the file, judge it again, run a step, go on or end.
 *
 * LOOKING -> ACTING -> FINISHED -> WRITING, and from there to the next step's LOOKING or to its
 * end.
 */
#ifndef APP_DELIVERY_H
#define APP_DELIVERY_H

#include "app/action_cache.h"
#include "app/also_caused.h"
#include "app/breaker.h"
#include "app/deliver.h"
#include <pthread.h>

#include "app/fingerprint.h"
#include "app/job.h"
#include "app/strays.h"
#include "app/turns.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/echo.h"

enum delivery_state { DELIVERY_LOOKING, DELIVERY_ACTING, DELIVERY_FINISHED, DELIVERY_WRITING };

/* What is to be stored about a job. */
enum delivery_write { WRITE_PROGRESS, WRITE_RETRY, WRITE_DONE, WRITE_DEAD, WRITE_HELD };

struct delivery {
	struct deliver *deliver;
	struct list link;       /* in deliver->running */
	struct list queue_link; /* in deliver->expecting, ->finished or ->writing */
	enum delivery_state state;
	struct job job;
	struct job_body body;
	size_t watch;
	struct cluster_call *call;
	struct file_info file;
	bool has_file;
	struct action *action;
	struct action_run run;
	unsigned changes; /* ACTION_CHANGED in a row */
	bool has_turn;    /* of an action with a concurrency, since: */
	int64_t turn_ms;
	bool is_over; /* it ends as `ending` says, once what is left is put right */
	char *ending; /* where the file is; NULL: it is gone */
	/* What the step under way wants stored before it goes on: deliver_host.c. */
	struct expectation *effects;
	size_t effect_count;
	struct digest_order *order; /* what is gathered or told with it; NULL: nothing */
	action_expected *go_on;     /* NULL: nothing */
	void *go_on_ctx;
	event_kinds expected; /* by the step under way */
	bool has_expected;
	uint64_t after_seq;
	enum delivery_write write;
	bool closes_echo;
	unsigned echo_step;
	int64_t echo_keep_ms; /* how long what it expected is waited for */
	enum log_level level; /* of the line that is logged once it is stored; NULL: none */
	char *line;
};

struct deliver_rules {
	struct rule_set *offered; /* by another thread, not yet taken over */
	struct rule_set *set;
	struct rule_matcher *matcher;
};

struct deliver {
	uv_loop_t *loop;
	const struct settings *settings;
	struct store *store;
	const struct cluster *const *clusters;
	struct action_host host;
	struct action_cache *cache;
	struct breakers *breakers;
	struct also_caused *also_caused;
	struct turns *turns;
	struct strays *strays;
	struct fingerprints *prints;
	uv_async_t wake;
	uv_timer_t turn;  /* soon: something finished */
	uv_timer_t due;   /* the next job's time */
	uv_timer_t lease; /* prolongs */
	uv_timer_t seal;  /* of the history: its marks become links */
	bool has_marks;
	int64_t sealed_ms;      /* when it was looked for marks last */
	int64_t head_logged_ms; /* when the newest link was told last */
	uint64_t head_logged;   /* its number */
	unsigned open_handles;
	bool is_turning, is_closing;
	struct list running, expecting, finished, writing;
	size_t running_count;
	size_t ending_count;         /* of those that run: nothing is left but to write it down */
	struct deliver_rules *rules; /* one a watch */
	uint64_t random;
	struct list unstored; /* deliver_unstored.c */
	size_t unstored_count;
	pthread_mutex_t lock; /* of status, rules[].offered, and of the two above */
	struct deliver_status status;
	struct metric *done, *dead, *retried, *gone, *under_way, *breakers_open, *held;
};

/* Takes the job over. */
struct delivery *delivery_new(struct deliver *deliver, struct job *job);
void delivery_free(struct delivery *delivery); /* cancels what is under way */
/* Starts the step under way; leads to the list of the finished or of what is to be written. */
void delivery_begin(struct delivery *delivery);
/* What the step's end means. */
void delivery_conclude(struct delivery *delivery);

/* What modules are given: deliver_host.c. */
struct action_host deliver_host(struct deliver *deliver, struct http *http,
				const struct mail_server *mail);
/* For deliver.c: stores what the runs wait for, and lets them go on. */
MUST_CHECK int deliver_write_expectations(struct deliver *deliver, uint64_t after_seq,
					  struct store_txn *txn, struct error *err);
void deliver_go_on(struct deliver *deliver, uint64_t after_seq);
void deliver_go_on_without(struct deliver *deliver, const char *why);
/* For delivery.c: the run that waits is no more. */
void deliver_forget_expectations(struct delivery *delivery);
/* For delivery.c: the rule as it is offered now; NULL if it is gone. */
const struct rule *deliver_find_rule(struct deliver *deliver, size_t watch, const char *name,
				     struct rule_matcher **out_matcher);
/* The pause before attempt number `count` + 1, with jitter; first_ms: the one before the second. */
int64_t deliver_back_off(struct deliver *deliver, int64_t first_ms, unsigned count);
/* For deliver_unstored.c: says what it did, and goes on with the next step, or ends. */
void deliver_written(struct delivery *delivery);
/* Something is in one of the lists but that of the running. */
void deliver_turn_soon(struct deliver *deliver);
/* Does what the timers and wakes would do now. For tests, which move the clock by hand. */
void deliver_tick(struct deliver *deliver);

#endif
