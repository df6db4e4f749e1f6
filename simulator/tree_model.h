/*
 * tree_model: what the files of the tree share. Nobody outside tree*.c includes it.
 *
 * A `node` is an object with its last seen stat; a `link` is one of its names in a directory.
 * `look` is what the host says right now. The clock of the tree counts the times that inotify's
 * queue was read empty ("slurps"): it tells whether an event is older or newer than a look (see
 * tree_watch.c).
 */
#ifndef SIMULATOR_TREE_MODEL_H
#define SIMULATOR_TREE_MODEL_H

#include <sys/stat.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/list.h"
#include "simulator/tree.h"

/* Which object it is, for the host: inode numbers alone are used again at once. */
struct identity {
	uint64_t dev;
	uint64_t ino;
	int64_t born_ns;
};

struct look {
	struct identity identity;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes, as the host has it */
	int64_t atime_ns, mtime_ns, ctime_ns;
	unsigned mode; /* with the type's bits */
	unsigned uid, gid;
	unsigned links;
	unsigned major, minor;
};

struct link {
	UT_hash_handle by_name; /* key: the directory's id, then the name */
	struct list siblings;   /* in the directory's children */
	struct link *next;      /* the node's next name */
	struct node *parent;
	struct node *node;
	uint64_t since; /* the last snapshot's number when it came here: see tree_past.h */
	uint64_t seen;  /* the tree's clock when the host was seen to have it */
	uint32_t mark;  /* the walk that met it last */
	bool missing;   /* a walk did not meet it; it may turn up elsewhere until the walk ends */
	uint16_t name_size;
	char key[]; /* 8 bytes of id, then the name with a NUL */
};

struct sorted {
	uint64_t hash;
	struct link *link;
};

struct directory {
	UT_hash_handle by_watch;
	int watch; /* inotify's descriptor; -1: none */
	struct node *node;
	struct list children;
	size_t count;          /* of children that are there: no ghosts */
	struct sorted *sorted; /* for listing; NULL: to be made */
	size_t sorted_count;
	bool stale;    /* its own times are to be looked at again */
	bool unlisted; /* is to be listed, or could not be */
};

struct node {
	UT_hash_handle by_id;
	UT_hash_handle by_identity; /* key: look.identity; ghosts are not in there */
	uint64_t id;
	struct look look;
	struct link *links; /* the first is the canonical one; NULL for the root */
	struct directory *dir;
	struct side *side; /* NULL: nothing is kept beside it */
	uint64_t etag;
	uint64_t data_revision;
	uint64_t since; /* the last snapshot's number when it became as it is: see tree_past.h */
	struct frozen *frozen; /* only of a snapshot's nodes: see tree_view.c */
	uint64_t told;         /* the tree's clock when its data was last looked at and told */
	bool dirty;            /* written, and gone from its place before we could look */
	bool ghost;     /* made and gone from its place before we could look: no identity yet */
	bool announced; /* a ghost whose being added was told */
	struct node *next_dead;
};

struct kept_stream {
	uint64_t id;
	char *name;
	uint64_t size;
	uint64_t data_revision;
};

struct kept_identity {
	char *id_type; /* NULL: nothing kept */
	char *id_value;
	uint64_t auth_id;
	unsigned real; /* the host's uid or gid when it was set: another one ends it */
};

/* What the host cannot hold. */
struct side {
	struct kept_identity owner, group;
	int64_t retention_ns;
	bool legal_hold;
	unsigned flags;
	int64_t creation_ns;
	int64_t change_ns; /* shown as change time while the host's is real_change_ns */
	int64_t real_change_ns;
	json_t *acl; /* NULL: none */
	unsigned acl_mode;
	json_t *tags; /* {"GENERIC": {key: value}, "S3": ...}; NULL: none */
	uint64_t tag_revision;
	char *symlink_target;
	uint64_t etag;
	struct kept_stream *streams;
	size_t stream_count;
	uint64_t last_stream;
};

/* A piece of inotify's queue. */
struct chunk {
	struct list link;
	uint64_t slurp;
	size_t size;
	char data[] __attribute__((aligned(8)));
};

/* A name in a directory, by value: survives the objects. */
struct place {
	uint64_t directory;
	char *name;
	uint32_t cookie; /* of a move that has begun */
	bool is_old;     /* has waited for the timer once */
};

struct places {
	struct place *items;
	size_t count, room;
};

struct id_record {
	UT_hash_handle hh;
	struct {
		uint64_t ino;
		int64_t born_ns;
	} key;
	uint64_t id;
};

#define DIR_CACHE_SIZE 16

struct tree_handles; /* libuv's: they outlive the tree by a turn of the loop */

struct tree {
	struct tree_options options;
	char *root_path;
	int root_fd;
	struct node *root;
	struct node *by_id;
	struct node *by_identity;
	struct link *links;
	struct directory *watches;
	struct node *dead; /* gone, but the server may still point to them in this turn */
	char owner_text[24], group_text[24]; /* for tree_stat */

	/* tree_past.c */
	struct past *past;

	/* tree_dir.c */
	struct {
		const struct node *node;
		int fd;
	} cache[DIR_CACHE_SIZE];
	size_t cache_next;

	/* tree_id.c */
	uint64_t last_id;
	struct id_record *known; /* from the last run, during the first scan */
	int id_fd;
	struct buf *id_lines;

	/* tree_side.c */
	char *side_path;
	int side_fd;
	int side_lock_fd;

	/* tree_event.c */
	tree_hear *hear;
	void *hear_ctx;
	struct tree_event *events;
	size_t event_count, event_room;
	uint64_t group;
	bool quiet; /* the first scan: nothing is told */

	/* tree_watch.c */
	struct tree_handles *handles;
	int inotify_fd;
	struct list inbox; /* struct chunk */
	size_t inbox_size;
	uint64_t slurps;      /* the clock */
	uint64_t event_slurp; /* the slurp that the event being handled came with */
	bool overflowed;
	bool suspicious; /* directories moved while we looked: compare everything when it is quiet
			  */
	uint64_t quiet_size; /* events taken in when the timer was set */
	uint64_t taken_in;
	bool watches_exhausted;
	struct places moving; /* moved_from without its moved_to yet */
	struct places doubts; /* to be looked at when the queue is empty */
	struct places ghosts;
	int busy; /* in a drain, an operation or a subscriber: do not begin another */

	/* tree_scan.c */
	uint32_t mark;
	struct places walk;      /* directories to be listed: name NULL */
	struct places displaced; /* objects without a name, until the walk ends: name NULL */
	bool keeps_displaced;
	struct places missing; /* names that a walk did not meet */
	bool walk_all;         /* known directories below too */
	struct places stale;   /* directories whose own times are to be looked at: name NULL */
	size_t since_slurp;
};

static inline bool identity_is(const struct node *node, const struct look *look)
{
	return memcmp(&node->look.identity, &look->identity, sizeof(look->identity)) == 0;
}
static inline const char *link_name(const struct link *link)
{
	return link->key + sizeof(uint64_t);
}
static inline bool node_is_directory(const struct node *node)
{
	return S_ISDIR(node->look.mode);
}
static inline bool node_is_file(const struct node *node)
{
	return S_ISREG(node->look.mode);
}

/* By which directories are listed: nothing to do with how names sort; never 0. */
uint64_t name_hash(struct text name);

void places_add(struct places *places, uint64_t directory, const char *name);
/* The last one; its name is for free(). False: there is none. */
bool places_pop(struct places *places, struct place *out);
void places_remove(struct places *places, size_t index); /* frees its name */
void places_clear(struct places *places);

/* ---- tree_model.c: nodes and links, without a word to anybody ---- */
struct node *node_new(struct tree *tree, const struct look *look, uint64_t id);
void node_set_identity(struct tree *tree, struct node *node, const struct look *look);
/* Takes over what was seen; ETag and revision grow as needed. */
void node_take(struct tree *tree, struct node *node, const struct look *look);
void node_changed(struct tree *tree, struct node *node); /* the ETag grows */
void node_data_changed(struct tree *tree, struct node *node);
struct node *node_find(struct tree *tree, uint64_t id); /* NULL: no such object */
struct node *node_by_identity(struct tree *tree, const struct look *look);
struct link *link_find(struct tree *tree, uint64_t directory, const char *name, size_t size);
struct link *link_find_at(struct tree *tree, const struct node *directory, const char *name);
struct link *link_add(struct tree *tree, struct node *node, struct node *directory,
		      const char *name, size_t name_size);
/* The node stays, even without a name. */
void link_free(struct tree *tree, struct link *link);
/* Without names, and without children: for a node whose end was told. */
void node_free(struct tree *tree, struct node *node); /* the memory: when the loop has turned */
void dead_free(struct tree *tree);
void model_clear(struct tree *tree);

/* ---- tree_dir.c: the host's directories, whatever the length of their paths ---- */
/* A borrowed O_PATH descriptor, good until some more are opened; -1 with errno. */
int dir_open(struct tree *tree, const struct node *directory);
void dir_forget(struct tree *tree, const struct node *directory);
void dir_forget_all(struct tree *tree);
/* After a look that failed: it is not there, which is more than that we may not look. */
bool look_found_none(void);
int look_at(struct tree *tree, const struct node *directory, const char *name, struct look *out);
int look_in(int fd, const char *name, struct look *out); /* in an open directory */
int look_at_fd(int fd, struct look *out);
int look_at_node(struct tree *tree, const struct node *node, struct look *out);
/* An O_PATH descriptor of the object itself, checked to be it; -1 with errno. To be closed. */
int node_open_path(struct tree *tree, const struct node *node);
/* For data. The owner's missing rights are lent for the moment of opening. */
int node_open_data(struct tree *tree, struct node *node, int flags);

/* ---- tree_id.c ---- */
int ids_open(struct tree *tree, struct error *err);
uint64_t id_next(struct tree *tree);
uint64_t id_for(struct tree *tree, const struct look *look); /* its old one, or a new one */
void id_remember(struct tree *tree, const struct node *node);
int ids_settle(struct tree *tree, struct error *err); /* after the first scan */
void ids_save(struct tree *tree);
void ids_close(struct tree *tree);

/* ---- tree_side.c ---- */
int sides_open(struct tree *tree, const char *side_path, struct error *err);
int sides_load(struct tree *tree, struct error *err); /* after the first scan */
void sides_close(struct tree *tree);
/* For a change: makes the node's side if it has none. */
struct side *side_of(struct tree *tree, struct node *node);
/* The object changed in a way that the host does not see: ETag and change time move on. */
void side_touch(struct tree *tree, struct node *node);
struct side *side_copy(const struct side *side); /* NULL of NULL */
char *side_to_text(const struct side *side);     /* for free() */
struct side *side_of_text(struct text text);     /* NULL: it is damaged */
/* Writes it, or takes it away when nothing is left in it. */
int side_save(struct tree *tree, struct node *node, struct error *err);
void side_free(struct side *side);
void side_forget(struct tree *tree, struct node *node); /* the object is gone */
/* What the host's new stat ends: an ACL by another mode, an owner by another uid. */
void side_compare(struct tree *tree, struct node *node);
int side_stream_open(struct tree *tree, const struct node *node, uint64_t stream, int flags);
void side_stream_remove(struct tree *tree, const struct node *node, uint64_t stream);
struct kept_stream *side_stream(const struct node *node, uint64_t stream);
void kept_identity_clear(struct kept_identity *kept);

/* ---- tree_past.c ---- */
/* Before a change of anything about it (but for its names): snapshots see it as it is now. */
void past_keep(struct tree *tree, struct node *node);
void past_keep_link(struct tree *tree, const struct link *link); /* before it goes */
void past_open(struct tree *tree);
void past_load(struct tree *tree);                   /* before the first scan */
void past_compare(struct tree *tree);                /* after it */
int past_save(struct tree *tree, struct error *err); /* at the very end */
void past_forget(struct tree *tree);                 /* nothing is kept from now on */
void past_close(struct tree *tree);

/* ---- tree_event.c ---- */
void group_next(struct tree *tree);
void emit(struct tree *tree, enum event_type type, const struct link *link);
/* Of an attribute or a stream: at its canonical path, or at each. */
/* Of user metadata or a lock; where clusters emit something at all. */
void emit_metadata(struct tree *tree, const struct node *node);
void emit_node(struct tree *tree, enum event_type type, const struct node *node,
	       const char *stream);
void events_deliver(struct tree *tree);
void events_clear(struct tree *tree);

/* ---- tree_scan.c and tree_refresh.c: making the model what the host has, and saying so ---- */
/* Why we look: it decides what a difference means. */
enum cause { CAUSE_LOOK, CAUSE_MODIFY, CAUSE_CLOSE, CAUSE_ATTRIB };
void scan_refresh(struct tree *tree, struct node *node, const struct look *look, enum cause cause);
/* The host has `name` in directory and it looks like this. */
void scan_entry(struct tree *tree, struct node *directory, const char *name,
		const struct look *look);
/* The host has not got it; it may turn up elsewhere until scan_finish. */
void scan_missed(struct tree *tree, struct link *link);
void scan_walk(struct tree *tree, struct node *directory); /* lists it, soon */
void scan_run(struct tree *tree);
void scan_finish(struct tree *tree);
void scan_all(struct tree *tree);
/* Model and events together. */
void scan_added(struct tree *tree, struct link *link);
void scan_removed(struct tree *tree, struct link *link);
struct link *scan_moved(struct tree *tree, struct link *link, struct node *directory,
			const char *name);
/* A ghost turned out to be this. */
void scan_adopt(struct tree *tree, struct link *link, const struct look *look);
void scan_resized(struct tree *tree, struct node *node);
void scan_written(struct tree *tree, struct node *node, bool resized);
void scan_stale(struct tree *tree, struct node *directory);
void scan_settle_stale(struct tree *tree);

/* ---- tree_change.c and its kind ---- */
/* Before a change: everything older is told. The node again, or NULL if it is gone by now. */
struct node *change_begin(struct tree *tree, struct node *node);
/* After it, with the model up to date: tells it, and lets our own inotify events pass by. */
void change_end(struct tree *tree);
enum tree_result change_failed(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
enum tree_result change_refused(struct error *err, enum tree_result result, const char *format, ...)
	PRINTF_LIKE(3, 4);
enum tree_result check_unlocked(const struct node *node, struct error *err);
/* A name for a new entry, with a NUL into out (TREE_NAME_MAX + 1 bytes). */
enum tree_result check_name(struct text name, char *out, struct error *err);
/* Really if we may, else beside the file. Tells nothing. */
int identity_set(struct tree *tree, struct node *node, bool is_group,
		 const struct tree_identity *identity);

/* ---- tree_story.c ---- */
struct inotify_event;
void story_handle(struct tree *tree, const struct inotify_event *event);
void story_settle_doubts(struct tree *tree);
void story_settle_ghosts(struct tree *tree);
void story_settle_moving(struct tree *tree);

/* ---- tree_watch.c ---- */
int watch_open(struct tree *tree, uv_loop_t *loop, struct error *err);
void watch_close(struct tree *tree);
/* 0, or -1: it could not be watched (and that was said). */
int watch_directory(struct tree *tree, struct node *directory);
void watch_forget(struct tree *tree, struct directory *dir);
/* Reads what inotify has into memory, so that its queue does not overflow. */
void watch_slurp(struct tree *tree);
void watch_breathe(struct tree *tree); /* the same, now and then */
void watch_drain(struct tree *tree);
/* The same, and waits a moment for halves of moves. */
void watch_settle(struct tree *tree);

#endif
