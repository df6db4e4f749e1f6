/*
 * cluster: what an action may ask of the cluster. app hands it over; qumulo/ implements it.
 *
 * Every call ends with done exactly once, never from inside the call itself, unless it is cancelled
 * first. Texts are borrowed for the duration of the call that starts it.
 */
#ifndef ACTION_CLUSTER_H
#define ACTION_CLUSTER_H

#include "event/file.h"

struct cluster_call; /* one request under way */

struct cluster {
	void *self;
	/* ref: a file id or an absolute path. */
	struct cluster_call *(*get)(void *self, const char *ref, file_done *done, void *ctx);
	/* Moves source_path into directory (id or path) under name; never over anything unless
	 * replace. info of the reply is the moved object. */
	struct cluster_call *(*move)(void *self, const char *source_path, const char *directory,
				     const char *name, bool replace, file_done *done, void *ctx);
	struct cluster_call *(*make_directory)(void *self, const char *directory, const char *name,
					       file_done *done, void *ctx);
	/* etag may be NULL: unconditional. info of the reply is the new state. */
	struct cluster_call *(*change)(void *self, const char *id, const char *etag,
				       const struct file_change *change, file_done *done,
				       void *ctx);
	/*
	 * The entry of directory (an id) with exactly this name: for paths that are too long to ask
	 * for. FILE_GONE: it has none. NULL where it is not offered.
	 */
	struct cluster_call *(*find)(void *self, const char *directory, const char *name,
				     file_done *done, void *ctx);
	void (*cancel)(struct cluster_call *call); /* done will not be called */
	/* Who has this name. NULL where it is not offered. */
	struct cluster_call *(*identify)(void *self, const char *name, identity_done *done,
					 void *ctx);
	/* As get, with the lock in info. */
	struct cluster_call *(*get_lock)(void *self, const char *id, file_done *done, void *ctx);
	/* Locks more, never less; info of the reply is the new state, with its lock. */
	struct cluster_call *(*lock)(void *self, const char *id, const char *etag,
				     const struct file_lock *lock, file_done *done, void *ctx);
	/* The user metadata of this key (NULL: all) in tags of the reply; none, if it has none. */
	struct cluster_call *(*get_tags)(void *self, const char *id, const char *key,
					 file_done *done, void *ctx);
	/* In open of the reply: of this file, or (NULL) of all, as far as so many pages tell. */
	struct cluster_call *(*get_open)(void *self, const char *id, size_t pages, file_done *done,
					 void *ctx);
	/* Of the directory with this id. expires_ms: wall time. */
	struct cluster_call *(*take_snapshot)(void *self, const char *directory, const char *suffix,
					      int64_t expires_ms, snapshot_done *done, void *ctx);
	/* The one that was taken with this suffix. */
	struct cluster_call *(*find_snapshot)(void *self, const char *suffix, snapshot_done *done,
					      void *ctx);
	struct cluster_call *(*drop_snapshot)(void *self, int64_t id, snapshot_done *done,
					      void *ctx);
	/* For good; of a directory, if it is empty (else FILE_EXISTS). No info in the reply. */
	struct cluster_call *(*remove)(void *self, const char *id, file_done *done, void *ctx);
	/* The entries of a directory, with their attributes but for ETags, a page at a time: next
	 * as the reply before it said (NULL: the first), in infos of the reply. */
	struct cluster_call *(*list)(void *self, const char *directory, const char *next,
				     file_done *done, void *ctx);
	/* The access control list (API facts, 12), in acl and etag of the reply. */
	struct cluster_call *(*get_acl)(void *self, const char *id, file_done *done, void *ctx);
	/* Only if its ETag is still this; NULL: whatever it is. */
	struct cluster_call *(*set_acl)(void *self, const char *id, const char *etag,
					const char *acl, file_done *done, void *ctx);
	/* An empty file of directory (id or path); FILE_EXISTS: the name is taken. */
	struct cluster_call *(*make_file)(void *self, const char *directory, const char *name,
					  file_done *done, void *ctx);
	/* The cluster copies into the file with this id, perhaps less than it was asked for: the
	 * reply's copied_to. Doing it twice does no harm. */
	struct cluster_call *(*copy_piece)(void *self, const char *id,
					   const struct file_piece *piece, file_done *done,
					   void *ctx);
	struct cluster_call *(*set_tag)(void *self, const char *id, const struct tag_change *change,
					file_done *done, void *ctx);
};

#endif
