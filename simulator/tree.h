/*
 * tree: the stand-in cluster's file system, over a real directory.
 *
 * The tree keeps a model of every object below its root directory, watches the directory with
 * inotify, and tells its subscribers what happened, as events (API facts, section 18). What a
 * person does there with ordinary tools and what the server does with the calls below goes the same
 * way: the real file changes, the model is brought up to date, each event comes out exactly once.
 *
 * What a local file system cannot hold (user metadata, locks, streams, ACLs, flags, identities,
 * creation times) is kept in a directory beside the root and survives a restart, as do the ids.
 *
 * Single-threaded, on one libuv loop. tree_lookup, tree_node and everything that changes something
 * bring the model up to date first, so a request that follows a person's change sees it. Rights are
 * not checked here; locks are.
 *
 * Nodes, entries and texts handed out are borrowed until the loop turns; keep ids instead. A node
 * whose object went meanwhile may still be asked, and a change of it answers TREE_NO_NODE.
 *
 * Not seen: reads, and access times set alone (`touch -a`). Something moved here from outside the
 * root is added, something moved out is removed: there is nothing outside of a cluster's file
 * system.
 */
#ifndef SIMULATOR_TREE_H
#define SIMULATOR_TREE_H

#include <jansson.h>
#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "event/event.h"

struct tree;
struct node; /* an object: a file, a directory, a link... with one id however many names it has */

#define TREE_ROOT_ID 2
#define TREE_NAME_MAX 255     /* bytes */
#define TREE_PATH_MAX 32760   /* bytes */
#define TREE_LINKS_MAX 1024   /* names of one file */
#define TREE_ID_TEXT_SIZE 40  /* room for an id as text, with its NUL */
#define TREE_STREAM_DEFAULT 0 /* the stream id that means the file's own data */
#define TREE_TIME_NONE INT64_MIN

/* All of these but long_ids may be changed at any time through tree_options(). */
struct tree_options {
	bool long_ids;      /* U23: ids of 29 digits (but for the root's). Fixed at tree_open */
	bool no_merging;    /* U9: adjacent identical attribute events are not merged */
	bool parent_mtime;  /* U10: adding, removing, moving says mtime_changed of the directory */
	bool every_link;    /* U27: a hard-linked file's events come once for each of its paths */
	bool rename_locked; /* U16: a locked file may be renamed */
	bool nfs_create_noise;  /* acl_changed after each file added */
	bool metadata_event;    /* extra_attrs_changed for user metadata and locks */
	bool smb_archive_noise; /* extra_attrs_changed after each data written */
	size_t past_most; /* records that snapshots may keep (tree_snapshot.h); 0: two million */
};

/* How an operation ended. The sentence in err is for people, all but TREE_OK have one. */
enum tree_result {
	TREE_OK,
	TREE_NO_ENTRY,      /* the last part of the path, or the name, does not exist */
	TREE_NO_PATH,       /* a directory part does not exist, or is not a directory */
	TREE_NO_NODE,       /* no object has this id (any more) */
	TREE_EXISTS,        /* the name is taken */
	TREE_NOT_DIRECTORY, /* a directory is needed */
	TREE_NOT_FILE,      /* a regular file is needed */
	TREE_NOT_EMPTY,     /* a directory with entries cannot go */
	TREE_CYCLE,         /* a directory into itself or below */
	TREE_WRONG_TYPE,    /* a directory over a file or the other way round */
	TREE_BAD_NAME,      /* empty, ".", "..", with a slash or a NUL */
	TREE_LONG_NAME,     /* more than TREE_NAME_MAX bytes */
	TREE_LONG_PATH,     /* more than TREE_PATH_MAX bytes */
	TREE_MANY_LINKS,    /* more than TREE_LINKS_MAX names */
	TREE_AMBIGUOUS,     /* several names, and it was not said which */
	TREE_LOCKED,        /* retention or legal hold */
	TREE_DENIED,        /* the host's file system refused (EACCES, EPERM, EROFS) */
	TREE_NO_SPACE,      /* disk or quota is full */
	TREE_NO_KEY,        /* no such user metadata */
	TREE_NO_STREAM,     /* no such stream id */
	TREE_NOT_KEPT,      /* the data of a snapshot that has changed since */
	TREE_INVALID,       /* an argument makes no sense: err says which */
	TREE_FAILED,        /* anything else that the host said: err has it */
};

/* ---- life ---- */

/*
 * root_path must be a directory. side_path: where to keep what the directory cannot hold; made if
 * missing; NULL: root_path + ".cn_simulator". It may not be below the root. Scans the whole tree
 * before it returns (no events for what is there already); -1 if the root or the side directory is
 * unusable, is in use by another simulator, or inotify's limits are reached at once.
 * options is copied; NULL: all off.
 */
MUST_CHECK int tree_open(struct tree **out, const char *root_path, const char *side_path,
			 uv_loop_t *loop, const struct tree_options *options, struct error *err);
/* Writes what is unsaved. The loop must turn once more (UV_RUN_DEFAULT until empty) to let go. */
void tree_close(struct tree *tree);
AUTO_DEFINE(struct tree *, tree_close)

struct tree_options *tree_options(struct tree *tree);
size_t tree_node_count(const struct tree *tree);

/* ---- events ---- */

/*
 * One event, not yet as seen by any watch: from the root.
 * path has no leading slash and `spine_size - 1` components: raw bytes, perhaps not UTF-8.
 * spine[0] is the root's id, spine[i] is the object at the end of path's first i components, the
 * last is the object the event is about. Nobody sees events of the root itself.
 */
struct tree_event {
	enum event_type type; /* never SELF_REMOVED: see tree_event_below */
	const uint64_t *spine;
	size_t spine_size;
	struct text path;
	struct text stream; /* name of the stream; data == NULL: the default stream */
	/*
	 * Events of one operation, or of one look at one object, share a group. The halves of a
	 * rename do; keep a group in one message. Groups are never interleaved.
	 */
	uint64_t group;
};

/*
 * Called with events in order, some time after they happened: from the loop, or from within one of
 * the operations below, before it returns. Calls into the tree from here may read, not change.
 * The events are borrowed for the call.
 */
typedef void tree_hear(void *ctx, const struct tree_event *events, size_t count);

/* One subscriber (the notify hub); NULL ends it. Events without subscriber are dropped. */
void tree_subscribe(struct tree *tree, tree_hear *hear, void *ctx);

/*
 * How a watch on the directory `watched` sees an event. False: not at all. True: the event lies
 * below it; *out_depth is the index in spine at which the watched directory stands (so the spine
 * that "starts at the watched directory" is spine + depth) and *out_path the path relative to it.
 * Direct children have depth == spine_size - 2. A moved_from that left the watched directory and a
 * moved_to that came into it need no care: each half has its own path and spine.
 * A CHILD_DIR_REMOVED whose last spine id is `watched` is that watch's SELF_REMOVED; the removals
 * of its content came before. (A moved directory keeps its id, its watch goes on.)
 */
bool tree_event_below(const struct tree_event *event, uint64_t watched, size_t *out_depth,
		      struct text *out_path);

/* Takes in everything that happened so far, and tells it. The calls below do this by themselves. */
void tree_sync(struct tree *tree);
/* Compares the whole tree with the model, as after an overflow of inotify's queue. */
void tree_rescan(struct tree *tree);

/* ---- ids ---- */

void tree_id_format(const struct tree *tree, uint64_t id, char out[TREE_ID_TEXT_SIZE]);
/* False: not an id that this tree could have given out. */
bool tree_id_parse(const struct tree *tree, struct text text, uint64_t *out);

/* ---- looking ---- */

/* NULL: no object has this id. */
struct node *tree_node(struct tree *tree, uint64_t id);
struct node *tree_root(struct tree *tree);
/*
 * By absolute path, raw bytes; doubled slashes and slashes at the end are ignored. Symbolic links
 * are never followed: in the middle they give TREE_NO_PATH. `.` and `..` are names that do not
 * exist.
 */
MUST_CHECK enum tree_result tree_lookup(struct tree *tree, struct text path, struct node **out,
					struct error *err);
/* The object called name in directory; NULL if there is none. */
struct node *tree_child(struct tree *tree, struct node *directory, struct text name);

/* Its absolute path (of the first of its names), without slash at the end but for the root: "/".
 * For free(). */
char *tree_path(struct tree *tree, const struct node *node);
/* Last component of the same path; "" for the root. */
struct text tree_name(const struct node *node);
/* The directory of the same path; NULL for the root. */
struct node *tree_parent(const struct node *node);
/* Whether node is `directory` or anywhere below it. */
bool tree_is_below(const struct node *node, const struct node *directory);

/*
 * A page of a directory, in an order that has nothing to do with names (by a hash, then by name).
 * after: the cursor of the last entry of the page before; 0 for the first page. At most limit are
 * written to `out`; the count is returned. More follow if *out_more.
 */
struct tree_entry {
	struct node *node;
	struct text name;
	uint64_t cursor; /* never 0 */
};
size_t tree_list(struct tree *tree, struct node *directory, uint64_t after, size_t limit,
		 struct tree_entry *out, bool *out_more);

enum tree_type {
	TREE_FILE,
	TREE_DIRECTORY,
	TREE_SYMLINK,
	TREE_PIPE,
	TREE_CHARACTER_DEVICE,
	TREE_BLOCK_DEVICE,
	TREE_SOCKET,
};

/* The Windows attributes. */
enum tree_flag {
	TREE_READ_ONLY = 1 << 0,
	TREE_HIDDEN = 1 << 1,
	TREE_SYSTEM = 1 << 2,
	TREE_ARCHIVE = 1 << 3,
	TREE_TEMPORARY = 1 << 4,
	TREE_COMPRESSED = 1 << 5,
	TREE_NOT_CONTENT_INDEXED = 1 << 6,
	TREE_SPARSE_FILE = 1 << 7,
	TREE_OFFLINE = 1 << 8,
};

/* Who: an auth_id, and how owner_details shows it. Texts are borrowed. */
struct tree_identity {
	uint64_t auth_id;    /* 3<<32 + uid or 4<<32 + gid for what the host knows */
	const char *id_type; /* "NFS_UID", "NFS_GID", "LOCAL_USER", "SMB_SID"... */
	const char *id_value;
};

/* Everything about an object but its name. Times are nanoseconds since 1970. */
struct tree_stat {
	uint64_t id;
	enum tree_type type;
	unsigned mode; /* 07777 */
	struct tree_identity owner;
	struct tree_identity group; /* id texts: valid until the next tree_stat */
	uint64_t size;              /* 0 for directories */
	uint64_t data_blocks;       /* of 4096 bytes: size / 4096 rounded up; 0 but for files */
	unsigned links;
	unsigned child_count;
	unsigned major, minor;
	int64_t access_ns, modification_ns, change_ns, creation_ns;
	unsigned flags;             /* TREE_HIDDEN | ... */
	const char *symlink_target; /* "FS_FILE_TYPE_UNKNOWN"... as given at its creation */
	uint64_t etag;          /* grows with every change of the object, streams, tags included */
	uint64_t data_revision; /* grows with every change of its data */
	uint64_t user_metadata_revision; /* from 0 */
	int64_t retention_ns;            /* TREE_TIME_NONE: no retention was ever set */
	bool legal_hold;
};
void tree_stat(struct tree *tree, const struct node *node, struct tree_stat *out);
enum tree_type tree_type(const struct node *node);
uint64_t tree_id(const struct node *node);
/* By legal hold, or by retention that is not over. */
bool tree_is_locked(const struct node *node);

/* ---- changing ---- */

/* What PATCH attributes may say. Only what is in `set` is looked at. */
enum tree_attribute {
	TREE_SET_MODE = 1 << 0,
	TREE_SET_OWNER = 1 << 1,
	TREE_SET_GROUP = 1 << 2,
	TREE_SET_SIZE = 1 << 3,
	TREE_SET_CREATION = 1 << 4,
	TREE_SET_ACCESS = 1 << 5,
	TREE_SET_MODIFICATION = 1 << 6,
	TREE_SET_CHANGE = 1 << 7, /* no event */
	TREE_SET_FLAGS = 1 << 8,
};
struct tree_change {
	unsigned set;
	unsigned mode;
	struct tree_identity owner; /* copied */
	struct tree_identity group;
	uint64_t size;
	int64_t creation_ns, access_ns, modification_ns, change_ns;
	unsigned flags;
};
/*
 * All or nothing as far as the host lets us. What already is so changes nothing and tells nothing.
 * One event a field, in the order of the API facts' table 7.2, in one group. As non-root, or for an
 * identity that is not a plain uid or gid, owner and group are kept beside the file.
 */
MUST_CHECK enum tree_result tree_set_attributes(struct tree *tree, struct node *node,
						const struct tree_change *change,
						struct error *err);
/* As after a read: sets the access time to now, with its event. For atime_enabled. */
void tree_touch_access(struct tree *tree, struct node *node);

/* Makes an object. */
struct tree_new {
	enum tree_type type;
	unsigned mode;                     /* 0: 0644 for files, 0755 for directories */
	const char *symlink_text;          /* TREE_SYMLINK: what it points to */
	const char *symlink_target;        /* its symlink_target_type, or NULL */
	unsigned major, minor;             /* of devices (which only root can make) */
	const struct tree_identity *owner; /* NULL: as the host does it */
	const struct tree_identity *group;
};
MUST_CHECK enum tree_result tree_create(struct tree *tree, struct node *directory, struct text name,
					const struct tree_new *what, struct node **out,
					struct error *err);
/* A further name for a file (no directories). */
MUST_CHECK enum tree_result tree_link(struct tree *tree, struct node *file, struct node *directory,
				      struct text name, struct error *err);
/*
 * old_name in old_directory becomes name in directory. With clobber, a file goes over a file and a
 * directory over an empty directory; the replaced object is removed first. Onto itself: nothing.
 */
MUST_CHECK enum tree_result tree_rename(struct tree *tree, struct node *old_directory,
					struct text old_name, struct node *directory,
					struct text name, bool clobber, struct error *err);
/* Takes a name away; a directory must be empty. */
MUST_CHECK enum tree_result tree_unlink(struct tree *tree, struct node *directory, struct text name,
					struct error *err);
/* The same by object: TREE_AMBIGUOUS if it has several names. */
MUST_CHECK enum tree_result tree_remove(struct tree *tree, struct node *node, struct error *err);

/* ---- data: of the file, or of one of its streams (stream != TREE_STREAM_DEFAULT) ---- */

/*
 * A descriptor for reading (pread), to be closed by the caller; -1 with *out_result set. A symbolic
 * link has no descriptor: see tree_symlink_text.
 */
MUST_CHECK int tree_data_open(struct tree *tree, struct node *node, uint64_t stream,
			      enum tree_result *out_result, struct error *err);
/* For free(); NULL if it is none. */
char *tree_symlink_text(struct tree *tree, struct node *node);

/* Writes at offset, zero-extends. With `replace` the data ends behind what was written: a PUT is
 * offset 0 and replace. Zero bytes without replace change nothing and tell nothing. */
MUST_CHECK enum tree_result tree_write(struct tree *tree, struct node *node, uint64_t stream,
				       uint64_t offset, struct text data, bool replace,
				       struct error *err);
MUST_CHECK enum tree_result tree_truncate(struct tree *tree, struct node *node, uint64_t stream,
					  uint64_t size, struct error *err);
MUST_CHECK enum tree_result tree_punch_hole(struct tree *tree, struct node *node, uint64_t stream,
					    uint64_t offset, uint64_t size, struct error *err);

/* ---- streams ---- */

struct tree_stream {
	uint64_t id;
	const char *name;
	uint64_t size;
	uint64_t data_revision;
};
size_t tree_stream_count(const struct node *node);
/* In order of creation. False: index is past the end. */
bool tree_stream_at(const struct node *node, size_t index, struct tree_stream *out);
bool tree_stream_find(const struct node *node, uint64_t stream, struct tree_stream *out);
/* TREE_EXISTS, TREE_BAD_NAME, TREE_LONG_NAME. Names are UTF-8. */
MUST_CHECK enum tree_result tree_stream_add(struct tree *tree, struct node *node, struct text name,
					    uint64_t *out, struct error *err);
MUST_CHECK enum tree_result tree_stream_rename(struct tree *tree, struct node *node,
					       uint64_t stream, struct text name,
					       struct error *err);
MUST_CHECK enum tree_result tree_stream_remove(struct tree *tree, struct node *node,
					       uint64_t stream, struct error *err);

/* ---- user metadata, lock, ACL ---- */

enum tree_tag_mode { TREE_TAG_ADD, TREE_TAG_PUT }; /* ADD: TREE_EXISTS if the key is there */

/* kind is "GENERIC" or "S3"; key is UTF-8; value is text that the server understands (Base64). */
struct tree_tag {
	const char *kind;
	const char *key;
	const char *value;
};
size_t tree_tag_count(const struct node *node);
/* In order of kind and key. False: index is past the end. */
bool tree_tag_at(const struct node *node, size_t index, struct tree_tag *out);
const char *tree_tag_get(const struct node *node, const char *kind, struct text key); /* or NULL */
MUST_CHECK enum tree_result tree_tag_set(struct tree *tree, struct node *node, const char *kind,
					 struct text key, const char *value,
					 enum tree_tag_mode mode, struct error *err);
MUST_CHECK enum tree_result tree_tag_remove(struct tree *tree, struct node *node, const char *kind,
					    struct text key, struct error *err);

/*
 * Retention only grows: an earlier time than the present one, or one in the past, is TREE_INVALID.
 * retention_ns == TREE_TIME_NONE leaves it; legal_hold < 0 leaves that. Regular files only.
 */
MUST_CHECK enum tree_result tree_set_lock(struct tree *tree, struct node *node,
					  int64_t retention_ns, int legal_hold, struct error *err);

/* The ACL that was set, as the server gave it; NULL: none, or the mode was changed since, so it is
 * to be made up from the mode. Borrowed. */
const json_t *tree_acl(const struct node *node);
/* Stores the ACL and, with mode >= 0, sets the mode that it amounts to; one acl_changed. */
MUST_CHECK enum tree_result tree_set_acl(struct tree *tree, struct node *node, const json_t *acl,
					 int mode, struct error *err);

#endif
