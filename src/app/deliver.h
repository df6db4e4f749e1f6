/*
 * deliver: the act role: runs jobs, many files at once and one file's jobs in order; alone decides
 * about trying again, giving up and what the history says.
 */
#ifndef APP_DELIVER_H
#define APP_DELIVER_H

#include "action/action.h"
#include "app/breaker.h"
#include "app/settings.h"
#include "rule/rule.h"
#include "store/store.h"

struct deliver;

/* clusters: one per settings->watches, to act on. */
MUST_CHECK int deliver_open(struct deliver **out, uv_loop_t *loop, struct http *http,
			    const struct settings *settings, struct store *store,
			    const struct cluster *const *clusters, const struct mail_server *mail,
			    struct error *err);
void deliver_close(
	struct deliver *deliver); /* in its loop; what is under way is taken again later */
/* From any thread: the rules by which a file that changed meanwhile is judged again. */
void deliver_offer(struct deliver *deliver, size_t watch, struct rule_set *set);

struct deliver_status { /* safe from any thread */
	uint64_t running, done, retried, dead;
	char trouble[256];
};
struct breakers *deliver_breakers(struct deliver *deliver);
void deliver_get_status(struct deliver *deliver, struct deliver_status *out);

#endif
