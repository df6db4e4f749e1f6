#include "app/repair_change.h"

#include <jansson.h>

struct change *change_new(enum change_what what, const struct walk_entry *entry, const char *path)
{
	struct change *change = NEW(struct change);

	list_init(&change->link);
	change->what = what;
	change->is_directory = entry->type == FILE_DIRECTORY;
	change->is_linked = entry->type != FILE_DIRECTORY && entry->num_links > 1;
	change->has_data = entry->type == FILE_REGULAR && entry->size > 0;
	change->id = str_copy(entry->id);
	change->path = str_copy(path);
	change->changed_ns = entry->changed_ns;
	change->modified_ns = entry->modified_ns;
	return change;
}

void change_free(struct change *change)
{
	if (!change)
		return;
	list_remove(&change->link);
	free(change->id);
	free(change->parent_id);
	free(change->path);
	free(change->old_path);
	free(change->left_path);
	free(change);
}

static event_kinds compare_data(const struct walk_entry *old, const struct walk_entry *now)
{
	bool has_revisions = *old->data_revision && *now->data_revision;
	bool is_written = has_revisions
				  ? strcmp(old->data_revision, now->data_revision) != 0
				  : old->modified_ns != now->modified_ns || old->size != now->size;
	event_kinds kinds = 0;

	if (is_written)
		kinds |= EVENT_KIND(CHILD_DATA_WRITTEN);
	if (old->size != now->size)
		kinds |= EVENT_KIND(CHILD_SIZE_CHANGED);
	if (old->modified_ns != now->modified_ns)
		kinds |= EVENT_KIND(CHILD_MTIME_CHANGED);
	if (old->accessed_ns != now->accessed_ns && !kinds)
		kinds |= EVENT_KIND(CHILD_ATIME_CHANGED);
	return kinds;
}

event_kinds change_compare(const struct walk_entry *old, const struct walk_entry *now,
			   bool is_moved)
{
	event_kinds kinds = 0;

	/* A directory's own times change with its entries. */
	if (now->type != FILE_DIRECTORY)
		kinds |= compare_data(old, now);
	if (strcmp(old->mode, now->mode) != 0)
		kinds |= EVENT_KIND(CHILD_ACL_CHANGED);
	if (strcmp(old->owner, now->owner) != 0)
		kinds |= EVENT_KIND(CHILD_OWNER_CHANGED);
	if (strcmp(old->group, now->group) != 0)
		kinds |= EVENT_KIND(CHILD_GROUP_CHANGED);
	if (old->flags != now->flags)
		kinds |= EVENT_KIND(CHILD_EXTRA_ATTRS_CHANGED);
	if (old->created_ns != now->created_ns)
		kinds |= EVENT_KIND(CHILD_BTIME_CHANGED);
	/* Something that attributes do not show: entries of the ACL, unless it was a
	 * tag or a link.
	 */
	if (!kinds && !is_moved && now->type != FILE_DIRECTORY &&
	    old->changed_ns != now->changed_ns && old->num_links == now->num_links &&
	    strcmp(old->tag_revision, now->tag_revision) == 0)
		kinds |= EVENT_KIND(CHILD_ACL_CHANGED);
	return kinds;
}

/* ---- What was told ---- */

static int64_t our_ms(int64_t ns, int64_t plus_ms)
{
	return ns / 1000000 + plus_ms;
}

static event_kinds news_of(const struct change *change, const struct heard *heard,
			   const struct change_times *times, event_kinds kinds)
{
	/* The earliest that it may have been: whoever was told at that time or later
	 * was told. */
	int64_t since_ms = our_ms(change->changed_ns, times->least_ms);

	for (int type = 0; type < EVENT_TYPE_COUNT; type++)
		if ((kinds & EVENT_KIND(type)) && change->changed_ns != WALK_NO_TIME &&
		    heard_change(heard, change->id, type, since_ms))
			kinds &= ~EVENT_KIND(type);
	return kinds;
}

/* What came was told; what was written into it since perhaps not. */
static bool become_altered(struct change *change, const struct heard *heard,
			   const struct change_times *times)
{
	change->what = CHANGE_ALTERED;
	change->kinds =
		change->has_data
			? news_of(change, heard, times,
				  EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_SIZE_CHANGED))
			: 0;
	return change->kinds;
}

/* Where it is by what was told last: by the stream, else by the older snapshot, in which it was at
 * path (taken over; NULL: it was not); and its directories may have moved since. NULL: not known.
 */
static char *told_path(const struct change *change, struct heard *heard, enum heard_place place,
		       char *path)
{
	uint64_t at = 0;
	char *told = place == HEARD_ELSEWHERE || place == HEARD_AWAY
			     ? heard_path(heard, change->id, &at)
			     : NULL;
	char *carried;

	if (told) {
		free(path);
		path = told;
	}
	carried = path ? heard_carry(heard, path, at) : NULL;
	free(path);
	return carried;
}

/* False: its directory brought it where it is. */
static bool find_old_path(struct change *change, struct heard *heard, enum heard_place place)
{
	change->old_path = told_path(change, heard, place, change->old_path);
	return !change->old_path || strcmp(change->old_path, change->path) != 0;
}

/* The stream told of it under another path: so it moved, and was written perhaps. */
static bool become_moved(struct change *change, struct heard *heard,
			 const struct change_times *times, enum heard_place place)
{
	if (!find_old_path(change, heard, place))
		return become_altered(change, heard, times);
	if (!change->old_path)
		return true;
	/* Its change time is that of the move. */
	if (change->has_data && (change->modified_ns == WALK_NO_TIME ||
				 !heard_change(heard, change->id, CHILD_DATA_WRITTEN,
					       our_ms(change->modified_ns, times->least_ms))))
		change->kinds = EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_SIZE_CHANGED);
	change->what = CHANGE_MOVED;
	return true;
}

static bool came_is_news(struct change *change, struct heard *heard,
			 const struct change_times *times, enum heard_place place)
{
	if (heard_is_sure(heard, change->id) && !change->is_linked)
		return (place == HEARD_AT || place == HEARD_ELSEWHERE) &&
		       become_altered(change, heard, times);
	if (place == HEARD_AT ||
	    (change->old_path && heard_place(heard, change->id, change->old_path) == HEARD_AT))
		return become_altered(change, heard, times);
	if (place == HEARD_NOWHERE || place == HEARD_GONE || change->is_linked)
		return true;
	free(TAKE(change->old_path));
	return become_moved(change, heard, times, place);
}

/* With all that is in it the directory went from path to where it is told to be. */
static void note_whole_move(const struct change *change, struct heard *heard, const char *path)
{
	enum heard_place place = heard_place(heard, change->id, path);
	AUTO(free)
	char *now = place == HEARD_ELSEWHERE ? told_path(change, heard, place, NULL) : NULL;

	if (now)
		heard_note_move(heard, path, now);
}

/* Where it is now was told, and that it left path was not, which is where it was before the gap. */
static bool become_left(struct change *change, struct heard *heard, const char *path)
{
	if (change->is_linked || heard_left(heard, change->id, path))
		return false;
	AUTO(free) char *carried = heard_carry(heard, path, 0);

	if (change->is_directory)
		note_whole_move(change, heard, carried);
	free(change->path);
	change->path = TAKE(carried);
	change->what = CHANGE_LEFT;
	return true;
}

/* What the stream took up elsewhere than where it was before the gap has left from there, too. */
static void add_left(struct change *change, struct heard *heard, enum heard_place place,
		     const char *path)
{
	if ((place == HEARD_ELSEWHERE || place == HEARD_AWAY) && !change->is_linked &&
	    !heard_left(heard, change->id, path))
		change->left_path = heard_carry(heard, path, 0);
}

static bool moved_is_news(struct change *change, struct heard *heard, enum heard_place place)
{
	if (heard_is_sure(heard, change->id) || place == HEARD_AT)
		return become_left(change, heard, change->old_path);
	add_left(change, heard, place, change->old_path);
	if (find_old_path(change, heard, place))
		return true;
	if (!change->left_path)
		return false;
	change->what = CHANGE_LEFT;
	free(change->path);
	change->path = TAKE(change->left_path);
	return true;
}

/* It came from where nobody watches, and was perhaps told to be here since. */
static bool arrived_is_news(struct change *change, struct heard *heard, enum heard_place place)
{
	if (place == HEARD_AT || heard_is_sure(heard, change->id))
		return false;
	if (place == HEARD_ELSEWHERE && !find_old_path(change, heard, place))
		return false;
	if (change->old_path)
		change->what = CHANGE_MOVED;
	return true;
}

/* It went from where it was told to be. */
static bool went_is_news(struct change *change, struct heard *heard, enum heard_place place)
{
	if (heard_is_sure(heard, change->id) && !change->is_linked)
		return become_left(change, heard, change->path);
	if (place == HEARD_GONE || (place == HEARD_AWAY && !change->is_linked))
		return become_left(change, heard, change->path);
	add_left(change, heard, place, change->path);
	change->path =
		told_path(change, heard, change->is_linked ? HEARD_NOWHERE : place, change->path);
	heard_confirm(heard, change->id);
	return true;
}

static bool is_news(struct change *change, struct heard *heard, const struct change_times *times)
{
	bool was_quiet = change->changed_ns != WALK_NO_TIME && times->quiet_until_ms &&
			 our_ms(change->changed_ns, times->most_ms) < times->quiet_until_ms;
	enum heard_place place = heard_place(heard, change->id, change->path);

	if (change->what == CHANGE_WENT || change->what == CHANGE_LEFT)
		return went_is_news(change, heard, place);
	/* It is there, whatever was told of it. */
	heard_confirm(heard, change->id);
	if (was_quiet)
		return false;
	switch (change->what) {
	case CHANGE_CAME:
		return came_is_news(change, heard, times, place);
	case CHANGE_MOVED:
		return moved_is_news(change, heard, place);
	case CHANGE_ARRIVED:
		return arrived_is_news(change, heard, place);
	default:
		change->kinds = news_of(change, heard, times, change->kinds);
		return change->kinds;
	}
}

bool change_is_news(struct change *change, struct heard *heard, const struct change_times *times)
{
	bool is_left = change->is_untold || is_news(change, heard, times);

	if (is_left && change->what == CHANGE_MOVED && change->is_directory)
		heard_note_move(heard, change->old_path, change->path);
	if (is_left && change->left_path && change->is_directory)
		heard_note_move(heard, change->left_path, change->path);
	return is_left;
}

/* ---- As the cluster tells it ---- */

static const char *relative(const char *path, const char *watch_path)
{
	size_t size = strlen(watch_path);

	while (size && watch_path[size - 1] == '/')
		size--;
	path += size;
	return *path == '/' ? path + 1 : path;
}

static void print_event(const struct change *change, enum event_type type, const char *path,
			struct buf *out)
{
	json_t *spine = change->parent_id ? json_pack("[s,s]", change->parent_id, change->id)
					  : json_pack("[s]", change->id);
	json_t *event = json_pack("{s:s,s:o,s:s,s:n}", "type", event_type_name(type), "spine",
				  spine, "path", path, "stream_name");
	AUTO(free) char *text = json_dumps(event, JSON_COMPACT);

	if (!buf_print(out, "%s%s", out->size ? "," : "", text ? text : "{}"))
		abort(); /* its limit is memory */
	json_decref(event);
}

static enum event_type either(const struct change *change, enum event_type of_file,
			      enum event_type of_directory)
{
	return change->is_directory ? of_directory : of_file;
}

static size_t print_kinds(const struct change *change, const char *path, struct buf *out)
{
	size_t count = 0;

	for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
		if (!(change->kinds & EVENT_KIND(type)))
			continue;
		print_event(change, type, path, out);
		count++;
	}
	return count;
}

static size_t print_change(const struct change *change, const char *watch_path, struct buf *out)
{
	const char *path = relative(change->path, watch_path);

	switch (change->what) {
	case CHANGE_CAME:
		print_event(change, either(change, CHILD_FILE_ADDED, CHILD_DIR_ADDED), path, out);
		if (!change->has_data)
			return 1;
		print_event(change, CHILD_DATA_WRITTEN, path, out);
		print_event(change, CHILD_SIZE_CHANGED, path, out);
		return 3;
	case CHANGE_WENT:
		print_event(change, either(change, CHILD_FILE_REMOVED, CHILD_DIR_REMOVED), path,
			    out);
		return 1;
	case CHANGE_MOVED:
		print_event(change, either(change, CHILD_FILE_MOVED_FROM, CHILD_DIR_MOVED_FROM),
			    relative(change->old_path, watch_path), out);
		print_event(change, either(change, CHILD_FILE_MOVED_TO, CHILD_DIR_MOVED_TO), path,
			    out);
		return 2 + print_kinds(change, path, out);
	case CHANGE_ARRIVED:
		print_event(change, either(change, CHILD_FILE_MOVED_TO, CHILD_DIR_MOVED_TO), path,
			    out);
		return 1;
	case CHANGE_LEFT:
		print_event(change, either(change, CHILD_FILE_MOVED_FROM, CHILD_DIR_MOVED_FROM),
			    path, out);
		return 1;
	case CHANGE_ALTERED:
		return print_kinds(change, path, out);
	}
	return 0;
}

size_t change_print(const struct change *change, const char *watch_path, struct buf *out)
{
	size_t count = print_change(change, watch_path, out);

	/* Behind the halves of its move, or it would be taken for one. */
	if (!change->left_path)
		return count;
	print_event(change, either(change, CHILD_FILE_MOVED_FROM, CHILD_DIR_MOVED_FROM),
		    relative(change->left_path, watch_path), out);
	return count + 1;
}
