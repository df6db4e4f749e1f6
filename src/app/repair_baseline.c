/* repair_baseline: the snapshots of a watch: the one that a repair would begin from, and what is
 * left over of others. */
#include "app/repair_inside.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/watch_gap.h"
#include "base/clock.h"
#include "base/log.h"

#define RETRY_FIRST_MS 5000

bool repair_may_take_snapshots(const struct repair *repair)
{
	return repair->watch->gap_repair == GAP_REPAIR_AUTO ||
	       repair->watch->gap_repair == GAP_REPAIR_SNAPSHOT;
}

void repair_set_trouble(struct repair *repair, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *text = str_vformat(format, args);
	va_end(args);
	if (!repair->trouble.text || strcmp(repair->trouble.text, text) != 0)
		log_warn(repair->who, "%s", text);
	error_clear(&repair->trouble);
	error_set(&repair->trouble, "%s", text);
}

static bool save(struct repair *repair)
{
	AUTO_ERROR err = { 0 };

	if (repair_state_save(&repair->state, repair->store, repair->watch->name, &err) == 0)
		return true;
	repair_set_trouble(repair, "%s", error_text(&err));
	return false;
}

void repair_back_off(struct repair *repair, int64_t at_least_ms)
{
	struct pause *pause = repair->gaps.count ? &repair->attempts : &repair->snapshots;

	pause->length_ms =
		pause->length_ms ? MIN(pause->length_ms * 2, REPAIR_RETRY_MOST_MS) : RETRY_FIRST_MS;
	pause->until_ms = clock_monotonic_ms() + MAX(pause->length_ms, at_least_ms);
}

/* ---- Snapshots ---- */

static void look_told(void *ctx, const struct walk_answer *answer)
{
	struct repair *repair = ctx;

	repair->is_looking = false;
	if (answer->result == FILE_OK)
		return repair->then(repair, &answer->entries[0]);
	repair_set_trouble(repair, "%s cannot be looked at: %s", repair->watch->path, answer->why);
	repair_back_off(repair, 0);
}

void repair_look_then(struct repair *repair,
		      void (*then)(struct repair *repair, const struct walk_entry *directory))
{
	repair->is_looking = true;
	repair->then = then;
	walk_look(repair->walk, repair->watch->path, WALK_NOW, look_told, repair);
}

bool repair_take(struct repair *repair, const char *source, snapshots_done *done)
{
	AUTO_ERROR err = { 0 };
	uint64_t first, last;

	if (store_log_range(repair->store, &first, &last, &err) < 0) {
		repair_set_trouble(repair, "%s", error_text(&err));
		repair_back_off(repair, 0);
		return false;
	}
	repair->taking =
		(struct repair_snapshot){ .id = -1, .sent_ms = clock_now_ms(), .seq = last };
	snprintf(repair->taking.source, sizeof(repair->taking.source), "%s", source);
	repair->call =
		snapshots_create(repair->cluster, repair->state.suffix, source,
				 clock_now_ms() + repair->watch->baseline_expiry_ms, done, repair);
	return true;
}

void repair_taken(struct repair *repair, const struct snapshot *snapshot)
{
	repair->taking.id = snapshot->id;
	repair->taking.taken_ns = snapshot->taken_ns;
	repair->taking.answered_ms = clock_now_ms();
	repair->taking.covers_ms = repair->taking.sent_ms;
	repair->attempts.length_ms = 0;
	error_clear(&repair->trouble);
}

/* What else wears our name is left over: of a start before this one, or of an
 * answer that was lost.
 */
static void stray_deleted(void *ctx, const struct qumulo_answer *answer,
			  const struct snapshot *snapshots, size_t count)
{
	struct repair *repair = ctx;

	repair->call = NULL;
	if (answer->result != FILE_OK && answer->result != FILE_GONE) {
		log_warn(repair->who,
			 "snapshot %" PRId64 " of ours cannot be deleted (it expires): %s",
			 repair->stray, answer->why);
		repair_back_off(repair, 0);
	} else {
		log_info(repair->who, "deleted snapshot %" PRId64 ", which nobody needs any more",
			 repair->stray);
		repair->is_tidy = false; /* there may be more of them */
	}
}

void repair_delete_snapshot(struct repair *repair, int64_t id)
{
	repair->stray = id;
	repair->call = snapshots_delete(repair->cluster, id, stray_deleted, repair);
}

static bool is_needed(const struct repair_state *state, int64_t id)
{
	return id == state->baseline.id || id == state->candidate.id ||
	       (state->method == REPAIR_SNAPSHOT &&
		(id == state->older.id || id == state->newer.id));
}

static void strays_listed(void *ctx, const struct qumulo_answer *answer,
			  const struct snapshot *snapshots, size_t count)
{
	struct repair *repair = ctx;

	repair->call = NULL;
	repair->is_tidy = true; /* whoever may not list them has none either */
	for (size_t i = 0; i < count; i++) {
		if (snapshot_has_suffix(&snapshots[i], repair->state.suffix) &&
		    !snapshots[i].in_delete && !is_needed(&repair->state, snapshots[i].id))
			return repair_delete_snapshot(repair, snapshots[i].id);
	}
}

void repair_tidy(struct repair *repair)
{
	repair->call = snapshots_list(repair->cluster, strays_listed, repair);
}

/* ---- The baseline ---- */

static void no_snapshot(struct repair *repair, const struct qumulo_answer *answer)
{
	const char *then = repair->watch->gap_repair == GAP_REPAIR_AUTO
				   ? "gaps are repaired by scan, which does not see removals"
				   : "gaps cannot be repaired";

	repair_set_trouble(
		repair, "no snapshot can be taken, so %s: %s%s", then, answer->why,
		answer->result == FILE_DENIED
			? "; it needs PRIVILEGE_SNAPSHOT_WRITE, PRIVILEGE_SNAPSHOT_READ and "
			  "PRIVILEGE_SNAPSHOT_DIFFERENCE_READ"
			: "");
	if (answer->result == FILE_AMBIGUOUS)
		repair->is_tidy = false; /* it may have been taken */
	repair_back_off(repair, answer->result == FILE_DENIED ? REPAIR_RETRY_MOST_MS
							      : answer->retry_after_ms);
}

static void candidate_taken(void *ctx, const struct qumulo_answer *answer,
			    const struct snapshot *snapshots, size_t count)
{
	struct repair *repair = ctx;

	repair->call = NULL;
	if (answer->result != FILE_OK)
		return no_snapshot(repair, answer);
	repair_taken(repair, &snapshots[0]);
	repair->state.candidate = repair->taking;
	repair->is_ours = true;
	(void)save(repair); /* else it is a stray */
}

static void take_candidate(struct repair *repair, const struct walk_entry *directory)
{
	struct watcher_status heard;

	watcher_get_status(repair->watcher, &heard);
	repair->taken_reconnects = heard.reconnects;
	(void)repair_take(repair, directory->id, candidate_taken);
}

/* The stream was heard for a while after it, and all that is durable: what was
 * before it was told.
 */
static void promote(struct repair *repair)
{
	struct repair_snapshot old = repair->state.baseline;

	repair->state.baseline = repair->state.candidate;
	repair->state.candidate.id = -1;
	if (!save(repair)) {
		repair->state.candidate = repair->state.baseline;
		repair->state.baseline = old;
		return;
	}
	repair->snapshots.length_ms = 0;
	log_info(repair->who, "snapshot %" PRId64 " is what a repair would begin from",
		 repair->state.baseline.id);
	if (old.id >= 0)
		repair_delete_snapshot(repair, old.id);
}

static void judge_candidate(struct repair *repair, const struct watcher_status *heard)
{
	int64_t good_ms = repair->state.candidate.answered_ms + REPAIR_LATE_MS;
	AUTO_ERROR err = { 0 };
	int64_t until_ms;

	/* The stream was lost since: it proves nothing. */
	if (!repair->is_ours || heard->reconnects != repair->taken_reconnects) {
		repair->state.candidate.id = -1;
		repair->is_ours = repair->is_tidy = false;
		(void)save(repair);
		return repair_back_off(repair, 0);
	}
	if (heard->complete_ms < good_ms)
		return;
	if (watch_gap_heard_until(repair->store, repair->watch->name, &until_ms, &err) < 0)
		return repair_set_trouble(repair, "%s", error_text(&err));
	if (until_ms < good_ms)
		watcher_note_alive(repair->watcher);
	else
		promote(repair);
}

void repair_keep_baseline(struct repair *repair, const struct watcher_status *heard)
{
	const struct repair_snapshot *baseline = &repair->state.baseline;
	int64_t age_ms = clock_now_ms() - baseline->answered_ms;

	if (repair->state.candidate.id >= 0)
		return judge_candidate(repair, heard);
	/* A clock that was put back makes it young for ever. */
	if (baseline->id >= 0 && age_ms >= 0 && age_ms < repair->watch->baseline_every_ms)
		return;
	if (repair_may_take_snapshots(repair) && clock_monotonic_ms() >= repair->snapshots.until_ms)
		repair_look_then(repair, take_candidate);
}
