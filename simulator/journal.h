/* journal: what was asked of the simulator, so that a test can say what a client did. */
#ifndef SIMULATOR_JOURNAL_H
#define SIMULATOR_JOURNAL_H

#include "simulator/request.h"

enum { JOURNAL_LENGTH = 1000 };

struct journal {
	json_t *requests; /* "GET /v1/version": count */
	json_t *answers;  /* "200": count */
	json_t *changes;  /* the last JOURNAL_LENGTH modifying requests, oldest first */
	int64_t change_count;
};

struct journal *journal_new(void);
void journal_free(struct journal *journal);
void journal_forget(struct journal *journal); /* all counters to zero */
/* status 0: closed without an answer. */
void journal_note(struct journal *journal, const struct request *request, unsigned status);

#endif
