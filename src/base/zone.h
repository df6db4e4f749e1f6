/*
 * zone: time zones: how far a place's clocks are ahead of UTC at some moment, daylight saving
 * included. The C library knows one zone a process; rules may name several.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/error.h"
#include "base/text.h"

struct zone;

/*
 * name: "Europe/Berlin" as the system's zone files have it, "UTC", a rule as POSIX writes it
 * ("CET-1CEST,M3.5.0,M10.5.0/3"), or "local" for what this machine's clock shows (TZ, else
 * /etc/localtime).
 */
MUST_CHECK int zone_open(struct zone **out, const char *name, struct error *err);
/* From the bytes of a zone file (RFC 8536), whoever wrote them. */
MUST_CHECK int zone_read(struct zone **out, struct text bytes, struct error *err);
void zone_free(struct zone *zone);
AUTO_DEFINE(struct zone *, zone_free)

/* Seconds to add to UTC, given in seconds since 1970. */
int32_t zone_offset_s(const struct zone *zone, int64_t utc_s);

#endif
