/*
 * salvage: what can be read of a damaged embedded store goes into a new one in its place; the
 * damaged files are kept beside it.
 *
 * Each database is read forward to the first damage, then backward from its end to the last; of the
 * log also what lies between. The reading is done in a child process: a damaged page may crash
 * LMDB.
 */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "store/store.h"

struct salvage_count {
	const char *what; /* "records", "jobs", ... */
	uint64_t saved;
	bool is_whole; /* nothing of it was damaged */
};

struct salvage_report {
	char *kept;     /* the directory with the damaged files; for free() */
	int64_t gap_ms; /* what was heard since then may be lost: the next start has a gap from it;
			   0: no */
	bool is_cursor_lost; /* what was heard in the minutes before is judged again */
	bool is_resumed; /* one that was interrupted was brought to its end; it counts nothing */
	struct salvage_count counts[8];
	size_t count;
};
void salvage_report_clear(struct salvage_report *report);

/*
 * settings->url: "embedded:DIR"; nobody may have it open. watches: names, ended by NULL. -1: err
 * says whether anything was changed; what was interrupted is finished by another call.
 */
MUST_CHECK int store_salvage(const struct store_settings *settings, const char *const *watches,
			     struct salvage_report *out, struct error *err);

#endif
