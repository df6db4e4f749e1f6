/*
 * action: what is done about an event. One file per module; a module says what happened, and
 * app/deliver alone decides about trying again.
 */
#ifndef ACTION_ACTION_H
#define ACTION_ACTION_H

#include <jansson.h>
#include <uv.h>

#include "action/cluster.h"
#include "config/key.h"
#include "event/event.h"
#include "io/http_client.h"
#include "io/mail.h"

enum action_result {
	ACTION_DONE,
	ACTION_RETRY,    /* later it may work: not_before_ms may say when */
	ACTION_REJECTED, /* it never will: into the dead letters */
	ACTION_GONE,     /* the file is gone: the job ends, nothing to complain about */
	ACTION_CHANGED,  /* the file is not what it was: judge it again before trying again */
};

/* An event that the step is about to cause (file_id "" for something that is being created). */
struct action_effect {
	enum event_type type;
	const char *file_id;
	const char *path; /* absolute; NULL: wherever that file is */
	bool is_lasting;  /* it may come any number of times */
};

/* An event that is told later, together with others. */
struct action_gather {
	const char *by; /* what they have in common; events of one step with one text go together */
	int64_t window_ms;
	const json_t *entry; /* {"event", "rule", ..}; borrowed */
};

struct action_run;

/* why: NULL, or why the expectations could not be stored: then the request must not go out. */
typedef void action_expected(void *ctx, const char *why);

/* What app provides. All called in act's loop thread. */
struct action_host {
	void *self;
	uv_loop_t *loop;
	const struct cluster *(*cluster)(void *self, const char *watch);
	/*
	 * Stores the effects as expectations, and run->memory, durably; then calls done, out of
	 * which the request may go out. Runs that come in one turn share one wait for the disk, so
	 * done never comes inside the call; nor does it come after the run was cancelled. One at a
	 * time for each run, which leaves its memory alone and does not finish meanwhile.
	 */
	void (*expect)(void *self, struct action_run *run, const struct action_effect *effects,
		       size_t count, action_expected *done, void *ctx);
	/*
	 * Stores the event for later, or says (run->memory: {"alone": true}) that it is to be told
	 * at once. What is kept becomes {"kept": time} in run->memory, and a job with this step and
	 * the option "gathered" tells it then. done as with expect.
	 */
	void (*gather)(void *self, struct action_run *run, const struct action_gather *gather,
		       action_expected *done, void *ctx);
	/* Moves what was gathered under this key into run->memory, as "gathered" (app/digest.h); it
	 * is not there if there was nothing. done as with expect. */
	void (*take_gathered)(void *self, struct action_run *run, const char *key,
			      action_expected *done, void *ctx);
	/* This object was moved by mistake, and is to be put back: its own jobs wait until that is
	 * done, and stored. */
	void (*astray)(void *self, struct action_run *run, const char *file_id);
	/* This object is where rules may want to act on it, and what says so came as our echo: it
	 * is judged as something new, unless somebody's event of its coming was heard. */
	void (*arrived)(void *self, struct action_run *run, const char *file_id, const char *path,
			bool is_directory);
	/* The request was refused and changed nothing. */
	void (*withdraw)(void *self, struct action_run *run);
	void (*finished)(void *self, struct action_run *run);
	struct http *http;              /* for requests to elsewhere than the cluster */
	const struct mail_server *mail; /* NULL: [EMAIL] is not configured */
};

/* A module with options, ready to run; shared by the runs of many jobs. */
struct action {
	const struct action_type *type;
	void *config; /* type->config_size bytes, filled from type->keys */
	const struct action_host *host;
	void *data; /* the module's own */
};

/* One attempt at one step of a job. */
struct action_run {
	struct action *action;
	uint64_t job;
	unsigned step;
	unsigned attempt; /* from 1 */
	const char *rule;
	const char *cluster_name;
	const struct event *event;
	/* Where the file was at the time of the event; NULL: where event says it is. */
	const char *first_path;
	const struct file_info *file; /* read just before; NULL where the module wants none */
	json_t *results; /* of earlier steps: {"quarantine": {"path": ..}}; borrowed, read only */
	json_t *memory; /* an object that survives crashes once expect is done: where I was going */
	json_t *result; /* what this step found out, for later steps and the history */
	bool is_over;   /* the job ends; only what earlier attempts left is put right */
	void *data;     /* the module's own */
	/* Set by action_finish: */
	enum action_result outcome;
	char *why;
	int64_t not_before_ms; /* ACTION_RETRY: not before, in wall time; 0: the usual back-off */
	bool is_finished;
};

struct action_type {
	const char *name;
	const char *help; /* one sentence */
	const struct config_key *keys;
	const char *short_key; /* the key meant by a string instead of a mapping, or NULL */
	size_t config_size;
	bool needs_file; /* deliver reads the file again first, and ends the job if it is gone */
	bool is_built_in_change; /* changes files on the cluster itself: echoes are exact */
	/* A file that is gone, where an earlier attempt remembers something, is what it wanted. */
	bool removes_file;
	/* An attempt may have hit another file, which shows later: before a job ends because its
	 * file is gone or moved, one more run, with is_over, puts that right. */
	bool puts_right;
	/*
	 * What an attempt has begun is finished, wherever the file is by then; and one that is gone
	 * meanwhile leads to one more start (with file NULL), in which what was begun is removed.
	 */
	bool sees_to_the_end;
	/* The event that it expects may never come: then it is not waited for any longer than
	 * events take. */
	bool may_be_silent;
	const char *privilege; /* that it needs beside access to the file; NULL: none */
	/* What one key cannot say alone; what is wrong goes to problems. May be NULL. */
	void (*check)(const void *config, struct place place, struct problems *problems);
	/* Which events it may cause, for the loop check: up to max of them. NULL: none at all. */
	size_t (*effects)(const void *config, struct event_effect *effects, size_t max);
	/* The n-th step (from 0) that it brings along: options as JSON for free(), and the module;
	 * NULL: no more. May be NULL. */
	char *(*follow)(const void *config, size_t n, const char **out_module);
	/* The server elsewhere that it needs, as people are shown it: while that fails, jobs wait.
	 * For free(). NULL: none. */
	char *(*server)(const struct action *action);
	int (*open)(struct action *action, struct error *err); /* may be NULL */
	void (*close)(struct action *action);                  /* may be NULL */
	/* What it would do, as a sentence for dry runs; no side effect. For free(). */
	char *(*plan)(struct action_run *run);
	void (*start)(struct action_run *run);  /* leads to one action_finish, now or later */
	void (*cancel)(struct action_run *run); /* no action_finish comes after it */
};

/* Every module, ended by NULL. */
extern const struct action_type *const action_types[];
const struct action_type *action_type_find(const char *name);

/* Checks options as a person wrote them (NULL: none were given). */
void action_check(const struct action_type *type, const struct node *options, struct place place,
		  struct problems *problems);
/* From a JSON mapping that was checked before, or a JSON string for the short key. */
MUST_CHECK int action_open(struct action **out, const struct action_type *type,
			   const char *options_json, const struct action_host *host,
			   struct error *err);
void action_close(struct action *action);
AUTO_DEFINE(struct action *, action_close)

/*
 * Whether the file is to be read before a run: the module needs it (then a file that is gone ends
 * the job), or a template shows one of its attributes (then run->file is NULL for a file that is
 * gone, and the attribute empty).
 */
bool action_needs_file(const struct action *action);

/* The effects of a module with these options; 0 if it has none or they are wrong. */
size_t action_effects(const struct action_type *type, const char *options_json,
		      struct event_effect *effects, size_t max);

/* The n-th step that one with these options brings along, as follow() says; NULL: no more. */
char *action_follow(const struct action_type *type, const char *options_json, size_t n,
		    const char **out_module);

/* Exactly once for each start. why: a sentence, copied; NULL with ACTION_DONE. */
void action_finish(struct action_run *run, enum action_result result, const char *why, ...)
	PRINTF_LIKE(3, 4);

#endif
