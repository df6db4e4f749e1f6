/* trim: drops from the store what nobody needs any more. */
#ifndef APP_TRIM_H
#define APP_TRIM_H

#include "app/settings.h"
#include "store/store.h"

/* A slice of some milliseconds; cursor is the last record judged. 1: there is more. */
MUST_CHECK int trim_store(struct store *store, const struct settings *settings, uint64_t cursor,
			  int64_t now_ms, struct error *err);

#endif
