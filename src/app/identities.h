/*
 * identities: who on a cluster has the names that rules give to owners and groups: asked of the
 * cluster one after the other, and kept for some minutes.
 */
#ifndef APP_IDENTITIES_H
#define APP_IDENTITIES_H

#include "action/cluster.h"
#include "rule/rule.h"

struct identities;

struct identities *identities_new(void);
void identities_free(struct identities *identities); /* cancels what is asked */
AUTO_DEFINE(struct identities *, identities_free)
/* From now on the names of these rules; what is known of them is kept. */
void identities_use(struct identities *identities, const struct rule_set *set);

/* Whether every name is known, or known to be nobody's, and not too old. */
bool identities_are_known(const struct identities *identities);
/* Whether that should be asked now: not for a minute after the cluster refused to say. */
bool identities_should_ask(const struct identities *identities);
/*
 * Asks for what is not known. done comes once, later: reply NULL: all is known now; else how the
 * first failure was. Not while it asks already.
 */
void identities_ask(struct identities *identities, const struct cluster *cluster,
		    void (*done)(void *ctx, const struct identity_reply *failure), void *ctx);
bool identities_is_asking(const struct identities *identities);
void identities_cancel(struct identities *identities);

/* The names that this owner or group has, ended by NULL; the list is for free(), its texts are not.
 * Valid until identities_use. */
const char **identities_match(const struct identities *identities, const struct file_info *info,
			      bool is_group);

#endif
