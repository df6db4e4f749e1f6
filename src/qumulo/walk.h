/*
 * walk: many small questions about a tree, of now or of a snapshot (API facts, 8.1, 15): a
 * directory's entries page by page, one object, one page of a difference of two snapshots.
 *
 * At most so many requests are under way as the ceiling says; the others wait in line. What fails
 * and may work later is asked again by itself, at growing intervals, and everybody waits for that:
 * a cluster in trouble is not asked more. So done is only told what will not change by waiting.
 */
#ifndef QUMULO_WALK_H
#define QUMULO_WALK_H

#include "qumulo/client.h"

#define WALK_NOW (-1) /* instead of a snapshot's id */
#define WALK_NO_TIME INT64_MIN

/* What a listing, or looking at one object, says of it. Times: ns since 1970 by the cluster's
 * clock.
 */
struct walk_entry {
	char *id;
	char *name;
	char *path; /* absolute, no slash at the end */
	enum file_type type;
	int64_t size;
	char *mode, *owner, *group;
	char *data_revision; /* "" where the cluster does not tell, and of directories */
	char *tag_revision;  /* of the user metadata */
	unsigned flags;      /* the extended attributes, a bit each */
	int num_links;
	int64_t changed_ns, modified_ns, created_ns, accessed_ns;
};

void walk_entry_copy(struct walk_entry *to, const struct walk_entry *from);
void walk_entry_clear(struct walk_entry *entry);

/* One entry of a difference. */
enum tree_op { TREE_CREATE, TREE_MODIFY, TREE_DELETE };
struct tree_change {
	enum tree_op op;
	char *path; /* absolute, no slash at the end */
	bool is_directory;
};

/* Borrowed for the call. */
struct walk_answer {
	enum file_result result; /* FILE_OK, FILE_GONE, FILE_DENIED, FILE_REFUSED */
	const char *error_class, *why;
	const struct walk_entry *entries; /* of a listing, or the one that was looked at */
	const struct tree_change *changes;
	size_t count;
	const char *next; /* of the page that follows; NULL: this was the last */
};
typedef void walk_done(void *ctx, const struct walk_answer *answer);

struct walk;
struct walk *walk_new(struct qumulo *qumulo, size_t most_at_once);
void walk_free(struct walk *walk); /* nobody is told any more */
AUTO_DEFINE(struct walk *, walk_free)

/* At most so many requests a second from now on; 0: any number. */
void walk_pace(struct walk *walk, int64_t requests_per_second);
/* While it is held, nothing is asked but what is under way. */
void walk_hold(struct walk *walk, bool is_held);
/* snapshot: its id, or WALK_NOW. next: from the page before it; NULL: the first. */
void walk_list(struct walk *walk, const char *ref, int64_t snapshot, const char *next,
	       walk_done *done, void *ctx);
void walk_look(struct walk *walk, const char *ref, int64_t snapshot, walk_done *done, void *ctx);
void walk_difference(struct walk *walk, int64_t newer, int64_t older, const char *next,
		     walk_done *done, void *ctx);

/* How many requests were sent; why nothing is asked at the moment ("": it is). */
uint64_t walk_requests(const struct walk *walk);
const char *walk_trouble(const struct walk *walk);

/* For tests, and fuzzed: an answer's body to what it says. walk_page_clear it. -1: it is no such
 * thing. */
struct walk_page {
	struct walk_entry *entries;
	struct tree_change *changes;
	size_t count;
	char *next;
};
enum walk_kind { WALK_LIST, WALK_LOOK, WALK_DIFFERENCE };
MUST_CHECK int walk_parse(struct walk_page *out, enum walk_kind kind, const json_t *body,
			  struct error *err);
void walk_page_clear(struct walk_page *page);

#endif
