/* scratch_store: a store for what a trial has to remember, which is gone with its process. */
#ifndef APP_SCRATCH_STORE_H
#define APP_SCRATCH_STORE_H

#include "store/store.h"

/* Below TMPDIR, or /tmp. Nothing is left of it, not even after a kill. */
MUST_CHECK int scratch_store_open(struct store **out, struct error *err);

#endif
