/* settings: what other handlers must know of the file system's settings. */
#ifndef SIMULATOR_SETTINGS_H
#define SIMULATOR_SETTINGS_H

#include "base/base.h"

/* How old an access time must be before a read sets it anew; -1: reads never do. */
int64_t settings_atime_granularity_ms(void);

#endif
