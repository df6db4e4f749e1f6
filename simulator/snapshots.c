#include "simulator/snapshots.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

static const int64_t ns_per_ms = 1000000;

struct snapshots *snapshots_new(void)
{
	struct snapshots *snapshots = NEW(struct snapshots);

	list_init(&snapshots->list);
	return snapshots;
}

static void forget_diff(struct snapshots *snapshots)
{
	tree_diff_free(TAKE(snapshots->last.diff));
	snapshots->last.older = snapshots->last.newer = 0;
}

static void snapshot_free(struct snapshots *snapshots, struct snapshot *snapshot)
{
	list_remove(&snapshot->link);
	snapshots->count--;
	free(snapshot->name);
	free(snapshot->source_path);
	free(snapshot);
}

void snapshots_free(struct snapshots *snapshots)
{
	struct snapshot *snapshot;

	if (!snapshots)
		return;
	list_for_each (snapshot, &snapshots->list, link)
		snapshot_free(snapshots, snapshot);
	forget_diff(snapshots);
	free(snapshots);
}

void snapshots_settle(struct sim *sim)
{
	int64_t now_ns = clock_now_ms() * ns_per_ms, now_ms = clock_monotonic_ms();
	struct snapshot *snapshot;

	list_for_each (snapshot, &sim->snapshots->list, link) {
		bool expired =
			snapshot->expires_ns != TREE_TIME_NONE && snapshot->expires_ns <= now_ns;
		bool deleted = snapshot->gone_at_ms && snapshot->gone_at_ms <= now_ms;

		/* The tree lets go of the oldest when too much has changed since. */
		if (!expired && !deleted && tree_snapshot_exists(sim->tree, snapshot->id))
			continue;
		if (snapshot->id == sim->snapshots->last.older ||
		    snapshot->id == sim->snapshots->last.newer)
			forget_diff(sim->snapshots);
		tree_snapshot_drop(sim->tree, snapshot->id);
		snapshot_free(sim->snapshots, snapshot);
	}
}

struct snapshot *snapshot_find(struct sim *sim, uint64_t id)
{
	struct snapshot *snapshot;

	snapshots_settle(sim);
	list_for_each (snapshot, &sim->snapshots->list, link)
		if (snapshot->id == id)
			return snapshot;
	return NULL;
}

struct snapshot *snapshot_named(struct request *request, const char *text)
{
	struct snapshot *snapshot;
	int64_t id;

	if (parse_number(text_of(text), 0, INT64_MAX, &id, NULL) < 0) {
		answer_error(request, 400, "invalid_request_error",
			     "A snapshot's id is a number, not %s", text);
		return NULL;
	}
	snapshot = snapshot_find(request->sim, id);
	if (snapshot && !snapshot->gone_at_ms)
		return snapshot;
	answer_error(request, 404, "snapshot_not_found_error", "No such snapshot: %s", text);
	return NULL;
}

struct snapshot *snapshot_take(struct sim *sim, const char *suffix, uint64_t source,
			       const char *source_path, int64_t expires_ns)
{
	struct snapshot *snapshot = NEW(struct snapshot);

	snapshot->id = tree_snapshot_take(sim->tree);
	snapshot->name = str_format("%" PRIu64 "_%s", snapshot->id, suffix);
	snapshot->source = source;
	snapshot->source_path = str_copy(source_path);
	snapshot->taken_ns = clock_now_ms() * ns_per_ms;
	snapshot->expires_ns = expires_ns;
	snapshot->version = 1;
	list_append(&sim->snapshots->list, &snapshot->link);
	sim->snapshots->count++;
	return snapshot;
}

void snapshot_delete(struct sim *sim, struct snapshot *snapshot)
{
	int64_t wait_ms = switch_value(&sim->switches, SWITCH_SNAPSHOT_DELETE);

	if (!snapshot->gone_at_ms)
		snapshot->gone_at_ms = clock_monotonic_ms() + wait_ms;
	snapshots_settle(sim);
}

/* ---- over a restart ---- */

static char *file_path(const struct sim *sim)
{
	return str_format("%s/server/snapshots.json", sim->state);
}

void snapshots_save(struct sim *sim)
{
	AUTO(free) char *path = file_path(sim);
	AUTO(json_decref) json_t *all = json_array();
	struct snapshot *snapshot;

	snapshots_settle(sim);
	list_for_each (snapshot, &sim->snapshots->list, link) {
		if (snapshot->gone_at_ms) /* its deletion is over now */
			continue;
		json_array_append_new(all,
				      json_pack("{s:I, s:s, s:I, s:s, s:I, s:I, s:I}", "id",
						(json_int_t)snapshot->id, "name", snapshot->name,
						"source", (json_int_t)snapshot->source,
						"source_path", snapshot->source_path, "taken",
						(json_int_t)snapshot->taken_ns, "expires",
						(json_int_t)snapshot->expires_ns, "version",
						(json_int_t)snapshot->version));
	}
	if (json_dump_file(all, path, JSON_COMPACT) < 0)
		log_error("snapshots", "%s: not written: the snapshots end here", path);
}

static void load_one(struct sim *sim, json_t *json)
{
	json_int_t id, source, taken, expires, version;
	const char *name, *source_path;
	struct snapshot *snapshot;

	if (json_unpack(json, "{s:I, s:s, s:I, s:s, s:I, s:I, s:I}", "id", &id, "name", &name,
			"source", &source, "source_path", &source_path, "taken", &taken, "expires",
			&expires, "version", &version) < 0 ||
	    id <= 0 || !tree_snapshot_exists(sim->tree, id))
		return;
	snapshot = NEW(struct snapshot);
	*snapshot = (struct snapshot){ .id = id,
				       .name = str_copy(name),
				       .source = source,
				       .source_path = str_copy(source_path),
				       .taken_ns = taken,
				       .expires_ns = expires,
				       .version = version };
	list_append(&sim->snapshots->list, &snapshot->link);
	sim->snapshots->count++;
}

void snapshots_load(struct sim *sim)
{
	AUTO(free) char *path = file_path(sim);
	AUTO(json_decref) json_t *all = json_load_file(path, 0, NULL);
	struct snapshot *snapshot;
	json_t *json;
	size_t index;

	json_array_foreach(all, index, json) load_one(sim, json);
	/* What has no name can never be asked for. */
	snapshot = list_entry(sim->snapshots->list.next, struct snapshot, link);
	for (uint64_t id = 0; (id = tree_snapshot_next(sim->tree, id));) {
		if (&snapshot->link != &sim->snapshots->list && snapshot->id == id)
			snapshot = list_entry(snapshot->link.next, struct snapshot, link);
		else
			tree_snapshot_drop(sim->tree, id);
	}
	snapshots_settle(sim);
}

/* ---- the difference ---- */

/* What another object has taken the place of, as one change. */
static void join_replaced(struct tree_diff *diff)
{
	size_t kept = 0;

	for (size_t i = 0; i < diff->count; i++) {
		struct tree_difference *entry = &diff->entries[i];

		if (kept > 0 && entry->op == TREE_DIFF_CREATE &&
		    strcmp(entry->path, diff->entries[kept - 1].path) == 0) {
			diff->entries[kept - 1].op = TREE_DIFF_MODIFY;
			free(entry->path);
			continue;
		}
		diff->entries[kept++] = *entry;
	}
	diff->count = kept;
}

static void swap(struct tree_difference *a, struct tree_difference *b)
{
	struct tree_difference kept = *a;

	*a = *b;
	*b = kept;
}

static void reorder(struct tree_diff *diff, int64_t order)
{
	uint64_t random = 88172645463325252; /* the same mixture each time, for pages of it */

	for (size_t i = 0; order == DIFF_REVERSE && i < diff->count / 2; i++)
		swap(&diff->entries[i], &diff->entries[diff->count - 1 - i]);
	for (size_t i = diff->count; order == DIFF_MIXED && i > 1; i--) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		swap(&diff->entries[i - 1], &diff->entries[random % i]);
	}
}

const struct tree_diff *snapshots_diff(struct sim *sim, const struct snapshot *older,
				       const struct snapshot *newer)
{
	int64_t order = switch_value(&sim->switches, SWITCH_DIFF_ORDER);
	int64_t replaced = switch_value(&sim->switches, SWITCH_DIFF_REPLACED);
	struct snapshots *snapshots = sim->snapshots;

	if (snapshots->last.diff && snapshots->last.older == older->id &&
	    snapshots->last.newer == newer->id && snapshots->last.order == order &&
	    snapshots->last.replaced == replaced)
		return snapshots->last.diff;
	forget_diff(snapshots);
	snapshots->last.older = older->id;
	snapshots->last.newer = newer->id;
	snapshots->last.order = order;
	snapshots->last.replaced = replaced;
	snapshots->last.diff = tree_diff_new(sim->tree, older->id, newer->id, newer->source);
	if (replaced == OTHER_SIDE)
		join_replaced(snapshots->last.diff);
	reorder(snapshots->last.diff, order);
	return snapshots->last.diff;
}
