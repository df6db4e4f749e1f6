/* rule_notes: which rules judged which records, as the filter wrote it down at each change. */
#ifndef APP_RULE_NOTES_H
#define APP_RULE_NOTES_H

#include "store/store.h"

struct rule_note {
	uint64_t after_seq; /* they judge what comes behind this record */
	char digest[65];    /* rule_set_digest; "" if nothing was written down */
	char time[32];      /* since when, as clock_format has it */
};

/* For the filter, in its transaction. */
MUST_CHECK int rule_note_put(struct store_txn *txn, const char *watch, uint64_t after_seq,
			     const char *digest, int64_t now_ms, struct error *err);
/* What judged the watch's record; out_changes (or NULL): how often the rules changed behind it, up
 * to `until`. */
MUST_CHECK int rule_note_find(struct store *store, const char *watch, uint64_t seq, uint64_t until,
			      struct rule_note *out, size_t *out_changes, struct error *err);

#endif
