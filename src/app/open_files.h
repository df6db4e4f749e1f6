/*
 * open_files: asks the cluster which quiet files somebody has open for writing over SMB.
 *
 * A few files are asked for one by one, many by one listing of all handles; if that is longer than
 * asking one by one would be, the rest is asked for so. In memory only: who asks comes again.
 * Lives in the filter's thread.
 */
#ifndef APP_OPEN_FILES_H
#define APP_OPEN_FILES_H

#include "action/cluster.h"
#include "app/settings.h"

struct open_files_host {
	const struct settings *settings;
	const struct cluster *const *clusters; /* one per settings->watches */
	void (*answered)(void *ctx);           /* there is something for open_files_take */
	void *ctx;
};

enum open_verdict { FILE_IS_CLOSED, FILE_IS_OPEN, FILE_IS_UNKNOWN };

struct open_files_asker;

struct open_files_asker *open_files_new(void);
void open_files_free(struct open_files_asker *asker);
AUTO_DEFINE(struct open_files_asker *, open_files_free)
/* Without a host nothing is asked. */
void open_files_open(struct open_files_asker *asker, const struct open_files_host *host);
void open_files_close(struct open_files_asker *asker); /* cancels; the host goes */

/* Once for each file, however often it is called before the answer; false: too many wait. */
bool open_files_ask(struct open_files_asker *asker, struct text watch, struct text file_id);
/* Sends what was asked for: after the commit. */
void open_files_send(struct open_files_asker *asker);

bool open_files_has_answers(const struct open_files_asker *asker);
/* sent_ms: what was asked for later is not answered by this. */
typedef int open_files_answer(void *ctx, struct text watch, struct text file_id, int64_t sent_ms,
			      enum open_verdict verdict, struct error *err);
/* At most max; answers how many. They are there again until open_files_committed. */
MUST_CHECK int64_t open_files_take(struct open_files_asker *asker, size_t max,
				   open_files_answer *answer, void *ctx, struct error *err);
void open_files_committed(struct open_files_asker *asker);

#endif
