/* repair_look: what each kind of task asks, and what follows from the answers.
 */
#include "app/repair_part.h"

#include "base/clock.h"
#include "base/log.h"

#define SKEW_MS 10000 /* by which the two clocks may be apart where no snapshot has told */

/* One object, decided by itself; lives from one question to the next. */
struct step {
	struct list link;
	struct repair_task *task;
	struct work *work;
	char *path;  /* where it is, or was */
	char *alias; /* where it would have been before its directory moved; NULL */
	struct walk_entry old, now;
	bool has_old, has_now;
};

static struct step *step_new(struct repair_task *task, const char *path)
{
	struct step *step = NEW(struct step);

	step->task = task;
	step->work = task->work;
	step->path = str_copy(path);
	list_append(&step->work->steps, &step->link);
	work_asks(task);
	return step;
}

static void step_free(struct step *step)
{
	list_remove(&step->link);
	if (step->has_old)
		walk_entry_clear(&step->old);
	if (step->has_now)
		walk_entry_clear(&step->now);
	free(step->path);
	free(step->alias);
	free(step);
}

static void step_end(struct step *step)
{
	struct repair_task *task = step->task;

	step_free(step);
	work_answered(task);
}

void look_forget(struct work *work)
{
	struct step *step;

	list_for_each (step, &work->steps, link)
		step_free(step);
}

static const struct repair_state *state_of(const struct step *step)
{
	return step->work->setup.state;
}

static void keep_old(struct step *step, const struct walk_entry *entry)
{
	walk_entry_copy(&step->old, entry);
	step->has_old = true;
}

static void keep_now(struct step *step, const struct walk_entry *entry)
{
	walk_entry_copy(&step->now, entry);
	step->has_now = true;
}

/* It is outside of the directory that the snapshot shows. */
static bool is_elsewhere(const struct walk_answer *answer)
{
	return answer->result == FILE_GONE &&
	       strcmp(answer->error_class, "fs_file_not_covered_by_snapshot_error") == 0;
}

static bool is_watched(const struct step *step, const char *path)
{
	const struct watch_settings *watch = step->work->setup.watch;
	struct text directory = text_of(watch->path);

	if (!watch->recursive)
		return text_equal(path_parent(text_of(path)), directory);
	return path_is_below(text_of(path), directory);
}

/* Something may not be looked at, or has a name that cannot be asked for. */
static void unreadable(struct step *step)
{
	step->work->setup.state->counts.unreadable++;
	step_end(step);
}

static struct change *found(struct step *step, enum change_what what,
			    const struct walk_entry *entry, const char *path)
{
	struct change *change = change_new(what, entry, path);

	change->is_untold = step->work->setup.state->method == REPAIR_ASKED;
	if (*step->task->id)
		change->parent_id = str_copy(step->task->id);
	work_found(step->task, change);
	return change;
}

static void found_altered(struct step *step, bool is_moved)
{
	event_kinds kinds = change_compare(&step->old, &step->now, is_moved);

	if (kinds)
		found(step, CHANGE_ALTERED, &step->now, step->path)->kinds = kinds;
}

static struct repair_task *below(struct step *step, enum task_kind kind,
				 const struct walk_entry *entry, const char *path)
{
	struct repair_task *child;

	if (entry->type != FILE_DIRECTORY || !step->work->setup.watch->recursive)
		return NULL;
	child = repair_task_new(kind, entry->id, path);
	work_add_task(step->task, child);
	return child;
}

/* ---- Something is there that was not: did it come, or move? ---- */

static void came(struct step *step)
{
	found(step, CHANGE_CAME, &step->now, step->path)->old_path = TAKE(step->alias);
	below(step, TASK_CAME, &step->now, step->path);
	step_end(step);
}

static void moved(struct step *step)
{
	bool is_carried = step->alias && strcmp(step->old.path, step->alias) == 0;
	struct repair_task *child;

	if (!is_carried && strcmp(step->old.path, step->path) != 0) {
		/* Of its old place nobody here was told if that is not watched. */
		if (is_watched(step, step->old.path))
			found(step, CHANGE_MOVED, &step->now, step->path)->old_path =
				str_copy(step->old.path);
		else
			found(step, CHANGE_ARRIVED, &step->now, step->path);
	}
	found_altered(step, true);
	child = below(step, TASK_MOVED, &step->now, step->path);
	if (child) {
		child->old_path = str_copy(step->old.path);
		child->is_changed = step->now.modified_ns > state_of(step)->older.taken_ns;
	}
	step_end(step);
}

/* Whether its old name is still there: then this is another one for the same
 * file. */
static void old_name_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result == FILE_OK && strcmp(answer->entries[0].id, step->now.id) == 0)
		came(step);
	else
		moved(step);
}

static void arrival_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (is_elsewhere(answer)) {
		found(step, CHANGE_ARRIVED, &step->now, step->path);
		return step_end(step);
	}
	if (answer->result == FILE_GONE)
		return came(step);
	if (answer->result != FILE_OK)
		return unreadable(step);
	keep_old(step, &answer->entries[0]);
	if (step->now.type != FILE_DIRECTORY && step->now.num_links > 1 &&
	    strcmp(step->old.path, step->path) != 0)
		walk_look(step->work->walk, step->old.path, state_of(step)->newer.id, old_name_told,
			  step);
	else
		moved(step);
}

/* step->now is known. What was created since the baseline was not there before.
 */
static void arrive(struct step *step)
{
	const struct repair_snapshot *older = &state_of(step)->older;

	if (step->now.created_ns != WALK_NO_TIME && step->now.created_ns > older->taken_ns)
		came(step);
	else
		walk_look(step->work->walk, step->now.id, older->id, arrival_told, step);
}

/* ---- Something is not there any more: did it go, or move? ---- */

static void went(struct step *step)
{
	found(step, CHANGE_WENT, &step->old, step->path)->changed_ns = WALK_NO_TIME;
	below(step, TASK_WENT, &step->old, step->path);
	step_end(step);
}

/* Another name of the file that it had before, too: then this one was taken
 * away. */
static void other_name_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result == FILE_OK && strcmp(answer->entries[0].id, step->old.id) == 0)
		return went(step);
	step_end(step);
}

static void departure_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	const char *now = answer->result == FILE_OK ? answer->entries[0].path : NULL;

	if (is_elsewhere(answer) || (now && !is_watched(step, now))) {
		found(step, CHANGE_LEFT, &step->old, step->path);
		return step_end(step);
	}
	if (answer->result == FILE_GONE)
		return went(step);
	if (!now)
		return unreadable(step);
	/* Where it is now, it is found, and its way there told. */
	if (step->old.type != FILE_DIRECTORY && step->old.num_links > 1)
		walk_look(step->work->walk, now, state_of(step)->older.id, other_name_told, step);
	else
		step_end(step);
}

/* step->old is known. */
static void leave(struct step *step)
{
	walk_look(step->work->walk, step->old.id, state_of(step)->newer.id, departure_told, step);
}

/* ---- Entries of a difference ---- */

static void created_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result != FILE_OK)
		return unreadable(step);
	keep_now(step, &answer->entries[0]);
	arrive(step);
}

static void deleted_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result != FILE_OK)
		return unreadable(step);
	keep_old(step, &answer->entries[0]);
	leave(step);
}

static void modified_now_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	struct step *other;

	if (answer->result != FILE_OK)
		return unreadable(step);
	keep_now(step, &answer->entries[0]);
	if (!step->has_old)
		return arrive(step);
	if (strcmp(step->old.id, step->now.id) == 0) {
		found_altered(step, false);
		return step_end(step);
	}
	/* Another object has its name now: the one went, the other came. */
	other = step_new(step->task, step->path);
	keep_old(other, &step->old);
	leave(other);
	walk_entry_clear(&step->old);
	step->has_old = false;
	arrive(step);
}

static void modified_old_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result == FILE_OK)
		keep_old(step, &answer->entries[0]);
	else if (answer->result != FILE_GONE)
		return unreadable(step);
	walk_look(step->work->walk, step->path, state_of(step)->newer.id, modified_now_told, step);
}

static void look_at_change(struct repair_task *task, const struct tree_change *change)
{
	struct work *work = task->work;
	const struct repair_state *state = work->setup.state;
	struct step *step;

	if (strcmp(change->path, work->setup.watch->path) == 0)
		return; /* the directory itself, of which streams tell nothing */
	step = step_new(task, change->path);
	if (!is_watched(step, change->path))
		return step_end(step);
	if (change->op == TREE_CREATE)
		walk_look(work->walk, change->path, state->newer.id, created_told, step);
	else if (change->op == TREE_DELETE)
		walk_look(work->walk, change->path, state->older.id, deleted_told, step);
	else
		walk_look(work->walk, change->path, state->older.id, modified_old_told, step);
}

static void next_page(struct repair_task *task, const char *next)
{
	struct repair_task *child;

	if (!next)
		return;
	child = repair_task_new(task->kind, task->id, task->path);
	child->old_path = str_copy(task->old_path);
	child->is_changed = task->is_changed;
	child->next = str_copy(next);
	work_add_task(task, child);
}

static void difference_told(void *ctx, const struct walk_answer *answer)
{
	struct repair_task *task = ctx;

	if (answer->result == FILE_DENIED)
		work_fail(task->work, WORK_DENIED, answer->why);
	else if (answer->result != FILE_OK)
		work_fail(task->work, WORK_LOST, answer->why);
	if (answer->result == FILE_OK)
		next_page(task, answer->next);
	for (size_t i = 0; i < answer->count; i++)
		look_at_change(task, &answer->changes[i]);
	work_answered(task);
}

/* ---- Directories ---- */

static char *path_in(const char *directory, const char *name)
{
	return str_format("%s%s%s", directory, strcmp(directory, "/") == 0 ? "" : "/", name);
}

static void look_at_moved(struct step *step, const struct walk_entry *entry)
{
	const struct repair_snapshot *older = &state_of(step)->older;
	struct repair_task *child;

	step->alias = path_in(step->task->old_path ? step->task->old_path : "", entry->name);
	keep_now(step, entry);
	if (entry->changed_ns == WALK_NO_TIME || entry->changed_ns > older->taken_ns)
		return arrive(step);
	/* Untouched, which says nothing of what is deeper. */
	child = below(step, TASK_MOVED, entry, step->path);
	if (child) {
		child->old_path = str_copy(step->alias);
		child->is_changed = entry->modified_ns > older->taken_ns;
	}
	step_end(step);
}

int64_t repair_scan_since_ns(int64_t from_ms)
{
	return (from_ms - SKEW_MS - clock_most_off_ms()) * 1000000;
}

static void look_at_scanned(struct step *step, const struct walk_entry *entry)
{
	int64_t since_ns = repair_scan_since_ns(state_of(step)->from_ms);
	struct repair_task *child;
	struct change *change;

	if (entry->created_ns >= since_ns) {
		found(step, CHANGE_CAME, entry, step->path);
	} else if (entry->type != FILE_DIRECTORY && entry->changed_ns >= since_ns) {
		if (entry->modified_ns < since_ns && step->task->is_changed) {
			/* A new name, or new permissions: entries of its directory changed, too.
			 */
			found(step, CHANGE_ARRIVED, entry, step->path);
		} else {
			change = found(step, CHANGE_ALTERED, entry, step->path);
			change->kinds = entry->modified_ns >= since_ns
						? EVENT_KIND(CHILD_DATA_WRITTEN) |
							  EVENT_KIND(CHILD_MTIME_CHANGED)
						: EVENT_KIND(CHILD_ACL_CHANGED);
		}
	}
	child = below(step, TASK_SCAN, entry, step->path);
	if (child)
		child->is_changed = entry->modified_ns >= since_ns;
	step_end(step);
}

static void look_at_entry(struct repair_task *task, const struct walk_entry *entry)
{
	AUTO(free) char *path = path_in(task->path, entry->name);
	struct step *step = step_new(task, path);

	switch (task->kind) {
	case TASK_CAME:
		keep_now(step, entry);
		return arrive(step);
	case TASK_WENT:
	case TASK_LEFT:
		keep_old(step, entry);
		return leave(step);
	case TASK_MOVED:
		return look_at_moved(step, entry);
	case TASK_INSIDE:
		found(step, CHANGE_CAME, entry, step->path);
		below(step, TASK_INSIDE, entry, step->path);
		return step_end(step);
	default:
		return look_at_scanned(step, entry);
	}
}

static int64_t snapshot_for(const struct repair_state *state, enum task_kind kind)
{
	switch (kind) {
	case TASK_SCAN:
	case TASK_INSIDE:
		return WALK_NOW;
	case TASK_WENT:
	case TASK_LEFT:
		return state->older.id;
	default:
		return state->newer.id;
	}
}

static void entries_told(void *ctx, const struct walk_answer *answer)
{
	struct repair_task *task = ctx;
	struct work *work = task->work;

	if (answer->result == FILE_OK)
		next_page(task, answer->next);
	else if (answer->result != FILE_GONE || snapshot_for(work->setup.state, task->kind) >= 0)
		work->setup.state->counts.unreadable++; /* of now: it went meanwhile */
	for (size_t i = 0; i < answer->count; i++)
		look_at_entry(task, &answer->entries[i]);
	work_answered(task);
}

/* ---- What somebody asks for ---- */

static void asked_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	const struct walk_entry *entry = &answer->entries[0];

	if (answer->result != FILE_OK) {
		work_fail(step->work, WORK_LOST,
			  answer->result == FILE_GONE ? "there is nothing of that name"
						      : answer->why);
		return step_end(step);
	}
	if (is_watched(step, step->path))
		found(step, CHANGE_CAME, entry, step->path);
	below(step, TASK_INSIDE, entry, step->path);
	step_end(step);
}

/* It may have moved on since, of which the stream tells. */
static void moved_in_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	const struct walk_entry *entry = &answer->entries[0];

	if (answer->result != FILE_OK && answer->result != FILE_GONE)
		return unreadable(step);
	if (answer->result == FILE_OK && is_watched(step, entry->path))
		below(step, TASK_INSIDE, entry, entry->path);
	step_end(step);
}

/* ---- What the stream told to be there ---- */

static void parent_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	struct change *change;

	/* With its directory it moved, of which is told. */
	if (answer->result == FILE_OK) {
		change = found(step, CHANGE_MOVED, &step->now, step->now.path);
		change->old_path = str_copy(step->path);
	}
	step_end(step);
}

static void told_object_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;

	if (answer->result == FILE_GONE) {
		found(step, is_elsewhere(answer) ? CHANGE_LEFT : CHANGE_WENT, &step->old,
		      step->path);
		return step_end(step);
	}
	if (answer->result != FILE_OK)
		return unreadable(step);
	keep_now(step, &answer->entries[0]);
	if (strcmp(step->now.path, step->path) == 0 || step->now.num_links > 1 ||
	    !is_watched(step, step->now.path))
		return step_end(step);
	AUTO(free) char *parent = text_copy(path_parent(text_of(step->path)));
	walk_look(step->work->walk, parent, state_of(step)->newer.id, parent_told, step);
}

/* What came since the baseline and went in the gap is in no difference. */
static void recheck_event(void *ctx, const struct event *event)
{
	struct repair_task *task = ctx;
	AUTO(free) char *path = text_copy(event->path);
	AUTO(free) char *id = text_copy(event->file_id);
	struct step *step = step_new(task, path);

	step->old =
		(struct walk_entry){ .id = TAKE(id),
				     .type = event_type_is_directory(event->type) ? FILE_DIRECTORY
										  : FILE_REGULAR,
				     .changed_ns = WALK_NO_TIME };
	step->has_old = true;
	walk_look(step->work->walk, step->old.id, state_of(step)->newer.id, told_object_told, step);
}

/* If nothing else is to be seen there: it left in the gap. */
static void old_place_told(void *ctx, const struct walk_answer *answer)
{
	struct step *step = ctx;
	bool is_there =
		answer->result == FILE_OK && strcmp(answer->entries[0].id, step->old.id) == 0;

	if (!is_there && (answer->result == FILE_OK || answer->result == FILE_GONE))
		found(step, CHANGE_LEFT, &step->old, step->path)->is_untold = true;
	step_end(step);
}

static void recheck_departure(void *ctx, const char *id, const char *path, bool is_directory)
{
	struct repair_task *task = ctx;
	struct step *step = step_new(task, path);

	step->old = (struct walk_entry){ .id = str_copy(id),
					 .type = is_directory ? FILE_DIRECTORY : FILE_REGULAR,
					 .changed_ns = WALK_NO_TIME };
	step->has_old = true;
	walk_look(step->work->walk, path, state_of(step)->newer.id, old_place_told, step);
}

#define RECHECK_MOST 500

static void recheck(struct work *work, struct repair_task *task)
{
	uint64_t after = task->next ? strtoull(task->next, NULL, 10) : work->setup.state->older.seq;
	AUTO_ERROR err = { 0 };
	uint64_t seq;
	int more = heard_read(work->heard, &err) < 0
			   ? -1
			   : heard_visit(work->heard, after, work->setup.state->until_ms,
					 RECHECK_MOST, recheck_event, task, &seq, &err);

	if (more >= 0 && !task->next)
		heard_departures(work->heard, recheck_departure, task);
	if (more) {
		AUTO(free)
		char *next = str_format("%llu", (unsigned long long)(more < 0 ? after : seq));

		next_page(task, next);
	}
	if (more < 0)
		log_warn(work->setup.who, "the log cannot be read, trying again: %s",
			 error_text(&err));
	work_answered(task);
}

void look_start(struct work *work, struct repair_task *task)
{
	const struct repair_state *state = work->setup.state;

	work_asks(task);
	if (task->kind == TASK_RECHECK)
		return recheck(work, task);
	if (task->kind == TASK_ASKED) {
		bool is_moved_in = *task->id;

		walk_look(work->walk, is_moved_in ? task->id : task->path, WALK_NOW,
			  is_moved_in ? moved_in_told : asked_told, step_new(task, task->path));
		return work_answered(task);
	}
	if (task->kind == TASK_DIFFERENCE)
		return walk_difference(work->walk, state->newer.id, state->older.id, task->next,
				       difference_told, task);
	/* Entries changed: some may have gone. Told of by their old place. */
	if (task->kind == TASK_MOVED && task->is_changed && !task->next)
		work_add_task(task, repair_task_new(TASK_LEFT, task->id, task->old_path));
	walk_list(work->walk, *task->id ? task->id : task->path, snapshot_for(state, task->kind),
		  task->next, entries_told, task);
}
