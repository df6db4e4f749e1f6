#include "app/tally_window.h"

#include <inttypes.h>
#include <stdio.h>

static void drop(struct window *window, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		free((char *)window->entries[i].id.data);
	window->count -= count;
	memmove(window->entries + first, window->entries + first + count,
		(window->count - first) * sizeof(*window->entries));
	window->is_changed = true;
}

static void append(struct window *window, int64_t time_ms, struct text id, struct text path)
{
	char *memory = mem_new(id.size + path.size + 1);

	if (id.size)
		memcpy(memory, id.data, id.size);
	if (path.size)
		memcpy(memory + id.size, path.data, path.size);
	if (window->count == window->room) {
		window->room = window->room ? window->room * 2 : 8;
		window->entries = mem_grow(window->entries, window->room, sizeof(*window->entries));
	}
	window->entries[window->count++] = (struct window_entry){ time_ms,
								  { memory, id.size },
								  { memory + id.size, path.size } };
}

void window_add(struct window *window, int64_t now_ms, struct text id, struct text path)
{
	append(window, now_ms, id, path);
	window->last_ms = now_ms;
	window->is_changed = true;
}

void window_remove(struct window *window, struct text id)
{
	for (size_t i = 0; i < window->count; i++) {
		if (text_equal(window->entries[i].id, id)) {
			drop(window, i, 1);
			return;
		}
	}
}

void window_empty(struct window *window)
{
	window->is_changed = true;
	if (window->count)
		drop(window, 0, window->count);
}

void window_pass(struct window *window, int64_t now_ms)
{
	size_t over = 0;

	/* Farther ahead than the window is long: the clock was put back. */
	while (over < window->count &&
	       (window->entries[over].time_ms <= now_ms - window->within_ms ||
		window->entries[over].time_ms > now_ms + window->within_ms))
		over++;
	if (over)
		drop(window, 0, over);
}

int64_t window_end(const struct window *window)
{
	return window->last_ms + window->within_ms;
}

void window_clear(struct window *window)
{
	for (size_t i = 0; i < window->count; i++)
		free((char *)window->entries[i].id.data);
	free(window->entries);
	*window = (struct window){ 0 };
}

/* ---- "<look> <within> <last> <suppressed> <tripped or ->\n", then entries in binary ---- */

struct entry_head {
	int64_t time_ms;
	uint32_t id_size, path_size;
};

struct buf *window_write(const struct window *window)
{
	struct buf *out = buf_new(SIZE_MAX / 2);
	bool fits = buf_print(out, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %s\n",
			      window->look_ms, window->within_ms, window->last_ms,
			      window->suppressed, *window->tripped ? window->tripped : "-");

	for (size_t i = 0; i < window->count; i++) {
		const struct window_entry *entry = &window->entries[i];
		struct entry_head head = { entry->time_ms, (uint32_t)entry->id.size,
					   (uint32_t)entry->path.size };

		fits = fits && buf_append(out, &head, sizeof(head)) &&
		       buf_append(out, entry->id.data, entry->id.size + entry->path.size);
	}
	if (!fits)
		abort(); /* the limit is beyond memory */
	return out;
}

static bool read_entries(struct window *window, struct text rest)
{
	while (rest.size) {
		struct entry_head head;
		struct text id, path;

		if (rest.size < sizeof(head))
			return false;
		memcpy(&head, rest.data, sizeof(head));
		rest.data += sizeof(head);
		rest.size -= sizeof(head);
		if ((size_t)head.id_size + head.path_size > rest.size)
			return false;
		id = (struct text){ rest.data, head.id_size };
		path = (struct text){ rest.data + head.id_size, head.path_size };
		append(window, head.time_ms, id, path);
		rest.data += id.size + path.size;
		rest.size -= id.size + path.size;
	}
	return true;
}

bool window_read(struct window *window, struct text value)
{
	struct text rest = value;
	AUTO(free) char *line = text_copy(text_cut(&rest, '\n'));
	struct window fresh = { 0 };

	if (sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %64s", &fresh.look_ms,
		   &fresh.within_ms, &fresh.last_ms, &fresh.suppressed, fresh.tripped) != 5 ||
	    !read_entries(&fresh, rest)) {
		window_clear(&fresh);
		return false;
	}
	if (strcmp(fresh.tripped, "-") == 0)
		*fresh.tripped = '\0';
	*window = fresh;
	return true;
}
