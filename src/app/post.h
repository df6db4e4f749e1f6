/* post: one role's place in this process: the role's thread, and what belongs to it. */
#ifndef APP_POST_H
#define APP_POST_H

#include "app/deliver.h"
#include "app/filter.h"
#include "app/repair.h"
#include "app/role.h"
#include "app/scan.h"
#include "app/settings.h"
#include "app/watcher.h"
#include "store/store.h"

/* The same for every role of the process; outlives the posts. */
struct post_setup {
	const struct settings *settings;
	struct store *store;
	const struct mail_server *mail; /* NULL: none */
	/* As filter_on_trouble(); called in the filter's thread. */
	void (*trouble)(void *ctx, size_t watch, int64_t heard_ms, const char *reason);
	void *ctx;
};

struct post {
	const struct post_setup *setup;
	enum store_role kind;
	struct role role;
	struct rule_set **sets; /* one a watch: with which it begins; the post's own shares */
	/* Of the role that is at work, as far as it is of that kind: */
	struct filter *filter;
	struct deliver *deliver;
	struct watcher **watchers; /* one a watch */
	struct repair **repairs;   /* one a watch; NULL: GAP_REPAIR = off */
	struct scan_role **scans;  /* one a watch */

	/* post's own */
	struct http *http;
	struct connection **connections; /* one a watch */
	struct role repair_role;         /* of watch, beside the role's own thread */
	struct http *repair_http;
	struct connection **repair_connections;
	const struct cluster *
		*clusters; /* what act hands to actions and filter asks, one a watch */
};

const char *store_role_name(enum store_role role); /* "watch", "filter", "act" */

/* Types of events that the watch's stream has to tell of for these rules. */
event_kinds post_needs(const struct watch_settings *watch, const struct rule_set *set);

void post_init(struct post *post, const struct post_setup *setup, enum store_role kind);
/* Both block, and may be called in any thread, though not at the same time. */
MUST_CHECK int post_start(struct post *post, struct error *err);
void post_stop(struct post *post); /* fine if it is not at work */

#endif
