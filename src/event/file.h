/* file: what is known about one object of the cluster's file system, and how asking for it ends. */
#ifndef EVENT_FILE_H
#define EVENT_FILE_H

#include "base/text.h"

enum file_type { FILE_REGULAR, FILE_DIRECTORY, FILE_SYMLINK, FILE_OTHER };

struct file_info {
	char *id;
	char *path; /* absolute, no slash at the end (the API's slash is taken off) */
	enum file_type type;
	int64_t size;
	unsigned mode;
	char *owner; /* auth_id, decimal text */
	char *group;
	char *owner_type; /* id_type and id_value of owner_details: "NFS_UID", "1000" */
	char *owner_value;
	char *group_type;
	char *group_value;
	char *modification_time; /* as the cluster wrote them: compare for equality */
	char *change_time;
	char *creation_time;
	int num_links;
	char *etag; /* NULL if the answer had none */
	/* Only where the lock was asked for: */
	bool has_lock;
	bool legal_hold;
	char *retention; /* as the cluster wrote it; NULL: none */
};

/* What lock changes; what is not named is left as it is. */
struct file_lock {
	const char *retention; /* RFC 3339; NULL: left */
	int legal_hold;        /* 1, 0; -1: left */
};

/* User metadata of one key; any bytes, and a NUL behind them. */
struct file_tag {
	char *key;
	char *value;
	size_t size;
};
struct file_tags {
	struct file_tag *items;
	size_t count;
	char *etag; /* of the answer; NULL if it had none */
};
/* What becomes of one key. */
enum tag_how {
	TAG_ADD,     /* FILE_EXISTS if the key is there */
	TAG_REPLACE, /* FILE_CHANGED if it is not as it was when etag was read */
	TAG_REMOVE,  /* the same; FILE_GONE if it is not there */
};
struct tag_change {
	enum tag_how how;
	const char *key;
	struct text value;
	const char *etag; /* of the key; NULL: whatever it is */
};
/* value is copied. */
void file_tags_add(struct file_tags *tags, const char *key, struct text value);
const struct file_tag *file_tags_find(const struct file_tags *tags, const char *key); /* or NULL */
void file_tags_copy(struct file_tags *to, const struct file_tags *from);
void file_tags_clear(struct file_tags *tags);

/* What is known of a file beside an event of it; borrowed. */
struct file_facts {
	const struct file_info *info; /* NULL: nothing */
	/* All names that the cluster has for its owner and group, ended by NULL; NULL: not known.
	 */
	const char *const *owner_names, *const *group_names;
	const struct file_tags *tags; /* NULL: not known */
	const char *only_tag;         /* of no other key is anything known; NULL: of all */
};

/* A piece of a file's data, for a copy of it: the bytes go to the same offset. */
struct file_piece {
	const char *source_id;
	const char *source_etag; /* FILE_CHANGED if it is not this any more; NULL: whatever it is */
	int64_t offset, size;    /* size > 0 */
};

/* Who somebody is to the cluster; what is not known is empty. */
struct known_identity {
	const char *auth_id, *uid, *gid, *sid;
};

void file_info_clear(struct file_info *info);
void file_info_copy(struct file_info *to, const struct file_info *from);
/* Mode, owner and group in one text, to compare; for free(). */
char *file_permissions(const struct file_info *info);

/* Files that SMB clients have open for writing, each as often as it is. */
struct open_files {
	char **ids;
	size_t count;
	bool is_whole; /* else there are more */
};

/* How a request to the cluster ended. */
enum file_result {
	FILE_OK,
	FILE_GONE,      /* 404 */
	FILE_EXISTS,    /* 409: the name is taken */
	FILE_BUSY,      /* 409: somebody holds it open; later it may work */
	FILE_CHANGED,   /* 412: not what it was when its ETag was read */
	FILE_DENIED,    /* 403, or 401 with a valid token: asking again will not help */
	FILE_REFUSED,   /* any other 4xx: the request is wrong and stays so */
	FILE_LATER,     /* 429, 5xx, no connection, no valid token (401 or 0): nothing happened */
	FILE_AMBIGUOUS, /* the answer was lost: it may have happened or not */
};

struct file_reply {
	enum file_result result;
	const char *why;              /* a sentence, for all but FILE_OK */
	const char *error_class;      /* the cluster's, or "" */
	int status;                   /* HTTP; 0 without an answer */
	int64_t retry_after_ms;       /* 0 if the cluster named no time */
	const struct file_info *info; /* with FILE_OK, where the request yields one; borrowed */
	const struct file_tags *tags; /* the same */
	const struct open_files *open;
	const struct file_info *infos; /* of a listing */
	size_t info_count;
	const char *next;  /* the page after this one; NULL: it was the last */
	const char *acl;   /* JSON, in the form of /v1 */
	const char *etag;  /* of what acl says; NULL: none was told */
	int64_t copied_to; /* copy_piece: where the next one begins */
};

typedef void file_done(void *ctx, const struct file_reply *reply);

/* What set_attributes changes; a member left NULL is not touched. */
struct file_change {
	const char *mode;       /* "0640" */
	const char *owner_type; /* "NFS_UID", "LOCAL_USER", "SMB_SID", or "auth_id" */
	const char *owner_value;
	const char *group_type;
	const char *group_value;
};

/* How the question who has a name ended. FILE_REFUSED or FILE_GONE: nobody. Borrowed. */
struct identity_reply {
	enum file_result result;
	const char *why;
	int64_t retry_after_ms;
	const struct known_identity *identity; /* FILE_OK only */
};
typedef void identity_done(void *ctx, const struct identity_reply *reply);

/* The snapshot that was taken, or found. Borrowed. */
struct snapshot_reply {
	enum file_result result; /* FILE_GONE: there is none */
	const char *why;
	int64_t retry_after_ms;
	int64_t id;
	const char *name; /* "<id>_<suffix>" */
};
typedef void snapshot_done(void *ctx, const struct snapshot_reply *reply);

#endif
