/*
 * gather: what email and webhook share of digests: the first event after a quiet time is told at
 * once, those that follow are kept, and a job of its own tells them (app/digest.h).
 */
#ifndef ACTION_GATHER_H
#define ACTION_GATHER_H

#include "action/action.h"

/* Options of the module: `digest`, `by`, `gathered`. */
struct gather_options {
	int64_t digest_ms; /* 0: every event is told by itself */
	char *by;
	char *key; /* of what this run tells; NULL: it is about one event */
};

/* For a module's table of keys. */
#define GATHER_KEYS(config_type, member)                                                           \
	{ .name = "digest",                                                                        \
	  .type = KEY_TIME,                                                                        \
	  .offset = offsetof(config_type, member.digest_ms),                                       \
	  .help = "The first event after a quiet time is told at once; those that come "           \
		  "within this time after it go together into one.",                               \
	  .least = 1000,                                                                           \
	  .most = (int64_t)7 * 86400000 },                                                         \
		{ .name = "by",                                                                    \
		  .type = KEY_TEMPLATE,                                                            \
		  .offset = offsetof(config_type, member.by),                                      \
		  .standard = "{rule}",                                                            \
		  .help = "With digest: which events go together, \"{dir}\" or \"{owner}\" for "   \
			  "instance." },                                                           \
	{                                                                                          \
		.name = "gathered", .type = KEY_TEXT, .offset = offsetof(config_type, member.key), \
		.help = "Set by the monitor itself, in the job that tells a digest."               \
	}

struct gather {
	struct action_run *run;
	/* gathered: what is to be told; NULL: the event of the run alone. */
	void (*tell)(void *ctx, const json_t *gathered);
	/* The run ends without that: it is kept for later, or failed. why: a sentence. */
	void (*end)(void *ctx, enum action_result result, const char *why);
	void *ctx;
};

/* Whether a run with these options only gathers, and so needs no server. */
bool gather_only(const struct gather_options *options);
/* gather: of the module's own state, filled, and there until one of its functions is called, which
 * may be inside this call; a run that is cancelled calls neither. */
void gather_begin(struct gather *gather, const struct gather_options *options);

#endif
