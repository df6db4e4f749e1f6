/*
 * reload: keeps the rules in step with their files. A file that changed (also by a symlink swap),
 * SIGHUP and `cn_monitor reload` lead here; the new set is compiled beside the old one in a worker
 * thread and handed to filter and act, which swap between two records. A file with errors changes
 * nothing.
 */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include <uv.h>

#include "app/settings.h"
#include "rule/rule.h"

struct reload;

/* Where a new set goes; called in the loop's thread, with a share of its own. */
struct reload_target {
	void *ctx;
	void (*offer)(void *ctx, size_t watch, struct rule_set *set);
	/* cn_monitor.conf as it was read again, borrowed; answers lines for the report, for free().
	 * NULL: nobody wants to know. */
	char *(*settings)(void *ctx, const struct settings *later);
};

/*
 * Reads the rules of every watch for the start. -1: there were errors, all of them in problems.
 * Warnings are there too.
 */
MUST_CHECK int reload_open(struct reload **out, uv_loop_t *loop, const struct settings *settings,
			   const struct reload_target *target, struct problems *problems,
			   struct error *err);
void reload_close(struct reload *reload);
/* The set of a watch as it is now; borrowed. */
struct rule_set *reload_get(struct reload *reload, size_t watch);

/*
 * Reads again. done comes once, later: whether the rules are in order, and a report of one or more
 * lines. done may be NULL.
 */
void reload_now(struct reload *reload, const char *why,
		void (*done)(void *ctx, bool is_ok, const char *report), void *ctx);

/* The same, with cn_monitor.conf beside the rules: an error in any of them changes nothing. */
void reload_everything(struct reload *reload, const char *why,
		       void (*done)(void *ctx, bool is_ok, const char *report), void *ctx);

struct reload_status {
	int64_t loaded_ms;       /* when the rules at work were read */
	uint64_t reloads;        /* that changed something */
	uint64_t refused;        /* that had errors */
	const char *last_report; /* of the last reload; "" before the first. Borrowed */
	bool last_is_ok;
	/* About the rules at work: a line for each of the first hundred. Borrowed. */
	const char *warnings;
	size_t warning_count, accepted_count;
};
void reload_get_status(const struct reload *reload, struct reload_status *out);

#endif
