/*
 * snapshots: taking, finding, prolonging and deleting snapshots of a cluster (API facts, 15.1).
 *
 * Expiring ones only: whoever dies leaves nothing behind for long.
 */
#ifndef QUMULO_SNAPSHOTS_H
#define QUMULO_SNAPSHOTS_H

#include "qumulo/client.h"

struct snapshot {
	int64_t id;
	char *name; /* "<id>_<suffix>" */
	char *source_file_id;
	int64_t taken_ns; /* by the cluster's clock */
	bool in_delete;
};

/* snapshots: what the call yields, borrowed; all of the list, or the one that was asked for. */
typedef void snapshots_done(void *ctx, const struct qumulo_answer *answer,
			    const struct snapshot *snapshots, size_t count);

struct qumulo_call *snapshots_create(struct qumulo *qumulo, const char *suffix,
				     const char *source_file_id, int64_t expires_ms,
				     snapshots_done *done, void *ctx);
struct qumulo_call *snapshots_list(struct qumulo *qumulo, snapshots_done *done, void *ctx);
struct qumulo_call *snapshots_get(struct qumulo *qumulo, int64_t id, snapshots_done *done,
				  void *ctx);
struct qumulo_call *snapshots_prolong(struct qumulo *qumulo, int64_t id, int64_t expires_ms,
				      snapshots_done *done, void *ctx);
struct qumulo_call *snapshots_delete(struct qumulo *qumulo, int64_t id, snapshots_done *done,
				     void *ctx);

/* The same for actions (action/cluster.h). find: the one that was taken with this suffix. */
struct qumulo_call *snapshots_take(struct qumulo *qumulo, const char *directory, const char *suffix,
				   int64_t expires_ms, snapshot_done *done, void *ctx);
struct qumulo_call *snapshots_find(struct qumulo *qumulo, const char *suffix, snapshot_done *done,
				   void *ctx);
struct qumulo_call *snapshots_drop(struct qumulo *qumulo, int64_t id, snapshot_done *done,
				   void *ctx);

/* Whether it is one that was taken with this suffix. */
bool snapshot_has_suffix(const struct snapshot *snapshot, const char *suffix);

/* For tests, and fuzzed: a snapshot, or a list of them; snapshots_free it. -1: neither. */
MUST_CHECK int snapshots_parse(struct snapshot **out, size_t *out_count, const json_t *body,
			       struct error *err);
void snapshots_free(struct snapshot *snapshots, size_t count);

#endif
