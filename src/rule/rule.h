/*
 * rule: watched_items.yml, compiled: which events matter, and what is to be done about them.
 *
 * No I/O but reading the file, no knowledge of what an action does: whoever loads rules says which
 * modules exist through struct rule_modules.
 */
#ifndef RULE_RULE_H
#define RULE_RULE_H

#include "config/node.h"
#include "event/event.h"
#include "event/file.h"

enum rule_mode { RULE_ENFORCE, RULE_DRY_RUN, RULE_OFF };

/* Kleene's three values. */
enum truth { TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE };

/* What happens when a step has failed for good. */
enum step_on_error {
	STEP_STOP,     /* the job ends as a dead letter */
	STEP_CONTINUE, /* the next step's turn */
	STEP_STEPS,    /* other steps are done, then the job ends as a dead letter */
};
#define STEP_OF_THE_RULE 0

/* One action step of a rule. */
struct rule_step {
	const char *module; /* "quarantine" */
	const char *name;   /* of the named action it came from, or NULL */
	/* JSON on one line, as modules->check saw it: a mapping, or a text where that stands for a
	 * mapping with one key; {} if there were none. */
	const char *options;
	bool dry_run;
	int64_t attempts;    /* 0: as the configuration says */
	int64_t back_off_ms; /* likewise */
	int64_t concurrency; /* 0: as many as there are */
	int64_t approve_ms;  /* somebody has to approve it within this time; 0: nobody has to */
	enum step_on_error on_error;
	size_t after; /* the number (from 1) of the step whose failure it follows; or
			 STEP_OF_THE_RULE */
	struct place place;
};

/* What a window counts apart, and what it counts once. */
enum rule_per { PER_RULE, PER_DIRECTORY, PER_FILE, PER_EXTENSION };
enum rule_distinct { DISTINCT_NONE, DISTINCT_FILE, DISTINCT_DIRECTORY };

/* A number of events or jobs within a time. */
struct rule_window {
	int64_t count; /* 0: there is none */
	int64_t within_ms;
	enum rule_per per;
	enum rule_distinct distinct;
};

struct rule {
	const char *name;
	struct place place;
	enum rule_mode mode;
	int64_t settle_ms;            /* 0: at once */
	int64_t settle_max_ms;        /* and no longer than this; 0: however long */
	bool unless_open;             /* and while no SMB client has it open for writing */
	event_kinds absent;           /* fires if none of these follows.. */
	int64_t absent_ms;            /* ..within this time; 0: it waits for nothing */
	struct rule_window threshold; /* a job when so many events came */
	struct rule_window throttle;  /* at most so many jobs */
	struct rule_window limit;     /* with so many jobs it becomes a dry run */
	bool on_own;                  /* sees echoes too */
	bool stop;                    /* where it is true, no rule after it is asked */
	int64_t priority;             /* the greater are asked first */
	const struct rule_step *steps;
	size_t step_count;
	size_t index;    /* in the set */
	bool asks_tags;  /* it may depend on the file's user metadata */
	char digest[33]; /* of what it means, with all that it names: 32 hex digits */
};

/* What the loader asks about modules; app binds it to the action layer. */
struct rule_modules {
	void *ctx;
	const char *const *names; /* ended by NULL */
	/* Checks options (NULL: none were given) and reports to problems. */
	void (*check)(void *ctx, const char *module, const struct node *options, struct place place,
		      struct problems *problems);
	/* Up to max effects of the module with these options; answers their number. */
	size_t (*effects)(void *ctx, const char *module, const char *options_json,
			  struct event_effect *effects, size_t max);
	/* Whether the module works on a file; NULL: nobody asks. */
	bool (*needs_file)(void *ctx, const char *module);
	/* The n-th step (from 0) that such a step brings along: its options for free(), and its
	 * module; NULL: no more. May be NULL itself. */
	char *(*follow)(void *ctx, const char *module, const char *options_json, size_t n,
			const char **out_module);
};

struct rule_set;

/*
 * Reads and compiles path and what it includes. Everything wrong goes to problems; NULL if there
 * were errors. Safe to call in any thread; the set is immutable and may be read from several.
 */
struct rule_set *rule_set_load(const char *path, const struct rule_modules *modules,
			       struct problems *problems);
/* The same; note is told every file and directory ("dir/.") that decides about the rules, also when
 * there were errors. */
struct rule_set *rule_set_load_with(const char *path, const struct rule_modules *modules,
				    void (*note)(void *ctx, const char *path), void *ctx,
				    struct problems *problems);
/* The same from text, which cannot include files: for tests and fuzzing. */
struct rule_set *rule_set_parse(const char *file, struct text text,
				const struct rule_modules *modules, struct problems *problems);
/* One more owner, from any thread; each owner frees once. */
struct rule_set *rule_set_share(struct rule_set *set);
void rule_set_free(struct rule_set *set);
AUTO_DEFINE(struct rule_set *, rule_set_free)

size_t rule_set_count(const struct rule_set *set);
const struct rule *rule_set_get(const struct rule_set *set, size_t index);
const struct rule *rule_set_find(const struct rule_set *set, const char *name); /* or NULL */
const char *rule_set_digest(const struct rule_set *set); /* SHA-256 of the files, 64 hex digits */

/* Memory for matching, one per thread and set. */
struct rule_matcher;
struct rule_matcher *rule_matcher_new(const struct rule_set *set);
void rule_matcher_free(struct rule_matcher *matcher);

/*
 * Visits every rule (mode off excepted) that is true for event, by priority and then in the order
 * of the file, until visit answers false. Whether a rule says stop is for visit to heed.
 */
void rule_match(struct rule_matcher *matcher, const struct event *event,
		bool (*visit)(void *ctx, const struct rule *rule), void *ctx);
/*
 * The same with what is known of the file (NULL: nothing), for rules that are true and for those of
 * which it depends on what is not known.
 */
void rule_match_with(struct rule_matcher *matcher, const struct event *event,
		     const struct file_facts *file,
		     bool (*visit)(void *ctx, const struct rule *rule, enum truth truth),
		     void *ctx);
enum truth rule_test_with(struct rule_matcher *matcher, const struct rule *rule,
			  const struct event *event, const struct file_facts *file);
/* Whether a rule asks for what only the cluster knows of a file. */
bool rule_set_asks_cluster(const struct rule_set *set);
/* False: no event of these kinds anywhere below the directory makes a rule true. Asks each rule. */
bool rule_set_may_match_below(const struct rule_set *set, struct text directory, event_kinds kinds);
/*
 * The types of events that the set has to be told of: what any rule may be true for, waits for or
 * causes, and where files are. One bit a type; EVENT_ANY: all, those of newer clusters too. Asks
 * each rule.
 */
event_kinds rule_set_needs(const struct rule_set *set, const struct rule_modules *modules);
/* Visits each key of the rule that asks that, once: "size", "owner". */
void rule_visit_questions(const struct rule *rule, void (*visit)(void *ctx, const char *key),
			  void *ctx);
/* Every name that rules give to an owner or a group, once whatever its case; not uid:1000 and its
 * like, which nobody has to be asked about. */
void rule_set_visit_names(const struct rule_set *set, void (*visit)(void *ctx, const char *name),
			  void *ctx);
/* Whether this rule is true for event: to check again before acting. */
enum truth rule_test(struct rule_matcher *matcher, const struct rule *rule,
		     const struct event *event);

/* Runs the tests that the files hold; each that fails is an error. Answers how many passed. */
size_t rule_set_test(const struct rule_set *set, struct problems *problems);
size_t rule_set_test_count(const struct rule_set *set);

/* The directories from which a set hears of events, at any depth. */
struct rule_scope {
	const char *const *directories;
	size_t count;
};

/*
 * What can be said about rules without an event, as warnings: rules that can never be true, are
 * never reached or are there twice; actions that cause events which rules match; what is accepted
 * and does not come. scope NULL: who will use the rules is not known. For the problems that the set
 * was loaded with.
 */
void rule_set_check(const struct rule_set *set, const struct rule_modules *modules,
		    const struct rule_scope *scope, struct problems *problems);

#endif
