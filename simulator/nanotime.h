/* nanotime: the API's times: RFC 3339, UTC, up to nine digits of fraction, no zeros at the end. */
#ifndef SIMULATOR_NANOTIME_H
#define SIMULATOR_NANOTIME_H

#include "base/base.h"

char *nanotime_format(int64_t ns); /* for free() */
MUST_CHECK bool nanotime_parse(const char *text, int64_t *out_ns);

#endif
