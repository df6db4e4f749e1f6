/* tree_event: what is to be told, kept in order until it is told. */
#include "simulator/tree_model.h"

void group_next(struct tree *tree)
{
	tree->group++;
}

/* Attribute and data events: saying one twice in a row tells nothing new. */
static bool may_merge(enum event_type type)
{
	return (type >= CHILD_BTIME_CHANGED && type <= CHILD_DATA_WRITTEN) ||
	       type == CHILD_STREAM_SIZE_CHANGED || type == CHILD_STREAM_DATA_WRITTEN;
}

/* With an event for each name of an object, those of different names are not the same. */
static bool is_of_link(const struct tree_event *event, const struct link *link)
{
	return event->spine[event->spine_size - 2] == link->parent->id &&
	       text_equal(path_name(event->path),
			  (struct text){ link_name(link), link->name_size });
}

/* Whether the run of such events of this object at the end of the queue has this one already. */
static bool is_told(const struct tree *tree, enum event_type type, const struct link *link,
		    const char *stream)
{
	for (size_t i = tree->event_count; i > 0; i--) {
		const struct tree_event *event = &tree->events[i - 1];

		if (!may_merge(event->type) ||
		    event->spine[event->spine_size - 1] != link->node->id ||
		    !text_equal(event->stream, text_of(stream)))
			return false;
		if (event->type == type && (!tree->options.every_link || is_of_link(event, link)))
			return true;
	}
	return false;
}

/* An event in one piece of memory: spine, path and stream are behind one another. */
static void event_fill(struct tree_event *event, const struct link *link, const char *stream)
{
	size_t depth = 0, size = 0, stream_size = stream ? strlen(stream) : 0, i;
	const struct link *at;
	uint64_t *spine;
	char *path;

	for (at = link; at; at = at->parent->links) {
		depth++;
		size += strlen(link_name(at)) + 1;
	}
	spine = mem_new((depth + 1) * sizeof(*spine) + size + stream_size + 1);
	path = (char *)(spine + depth + 1);
	event->spine = spine;
	event->spine_size = depth + 1;
	event->path = (struct text){ path, size - 1 };
	spine[0] = TREE_ROOT_ID;
	for (at = link, i = depth; at; at = at->parent->links, i--) {
		size_t part = strlen(link_name(at));

		spine[i] = at->node->id;
		size -= part + 1;
		memcpy(path + size, link_name(at), part);
		if (i < depth)
			path[size + part] = '/';
	}
	path += event->path.size + 1;
	if (stream) {
		memcpy(path, stream, stream_size);
		event->stream = (struct text){ path, stream_size };
	}
}

static void event_add(struct tree *tree, enum event_type type, const struct link *link,
		      const char *stream)
{
	struct tree_event *event;

	if (tree->quiet || !tree->hear)
		return;
	if (!tree->options.no_merging && may_merge(type) && is_told(tree, type, link, stream))
		return;
	if (tree->event_count == tree->event_room) {
		tree->event_room = MAX(64, tree->event_room * 2);
		tree->events = mem_grow(tree->events, tree->event_room, sizeof(*tree->events));
	}
	event = &tree->events[tree->event_count++];
	*event = (struct tree_event){ .type = type, .group = tree->group };
	event_fill(event, link, stream);
}

void emit(struct tree *tree, enum event_type type, const struct link *link)
{
	event_add(tree, type, link, NULL);
}

void emit_metadata(struct tree *tree, const struct node *node)
{
	if (tree->options.metadata_event)
		emit_node(tree, CHILD_EXTRA_ATTRS_CHANGED, node, NULL);
}

void emit_node(struct tree *tree, enum event_type type, const struct node *node, const char *stream)
{
	for (const struct link *link = node->links; link; link = link->next) {
		event_add(tree, type, link, stream);
		if (!tree->options.every_link)
			break;
	}
}

static void events_free(struct tree_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)events[i].spine);
	free(events);
}

void events_clear(struct tree *tree)
{
	events_free(TAKE(tree->events), tree->event_count);
	tree->event_count = tree->event_room = 0;
}

void events_deliver(struct tree *tree)
{
	size_t count = tree->event_count;
	struct tree_event *events;

	ids_save(tree); /* an id that was told is never given to another object */
	if (count == 0)
		return;
	events = TAKE(tree->events);
	tree->event_count = tree->event_room = 0;
	tree->busy++;
	if (tree->hear)
		tree->hear(tree->hear_ctx, events, count);
	tree->busy--;
	events_free(events, count);
}

bool tree_event_below(const struct tree_event *event, uint64_t watched, size_t *out_depth,
		      struct text *out_path)
{
	const char *path = event->path.data, *end = path + event->path.size;

	for (size_t i = 0; i + 1 < event->spine_size; i++) {
		if (event->spine[i] == watched) {
			*out_depth = i;
			*out_path = (struct text){ path, end - path };
			return true;
		}
		path = memchr(path, '/', end - path);
		if (!path)
			return false;
		path++;
	}
	return false;
}
