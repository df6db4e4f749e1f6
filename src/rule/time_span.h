/* time_span: hours and days by the clocks of some place: the condition `time`. */
#ifndef RULE_TIME_SPAN_H
#define RULE_TIME_SPAN_H

#include "base/zone.h"

/*
 * Every day of days from one minute on until before another. Past midnight it ends the day after:
 * 22:00-06:00 of a Friday ends on Saturday morning.
 */
struct time_span {
	unsigned days; /* bit 0 is Monday */
	int from, until;
	const struct zone *zone;
	uint64_t zone_hash; /* of its name: equal ones are the same zone */
};

#define TIME_DAYS 0x7fu
#define TIME_MINUTES (24 * 60)

struct time_local {
	int weekday; /* 0 is Monday */
	int minute;  /* of the day */
};

/* "22:00-06:00", "8-17:30"; 24:00 is the end of the day. */
MUST_CHECK int time_span_read_hours(struct time_span *span, struct text text, struct error *err);
/* "sat", "saturday", "mon-fri"; adds to *days. */
MUST_CHECK int time_span_read_days(unsigned *days, struct text text, struct error *err);

struct time_local time_local_of(const struct zone *zone, int64_t time_ms);
bool time_span_has(const struct time_span *span, int64_t time_ms);
/* The same by what the zone's clocks show: weekday 0 is Monday. */
bool time_span_has_minute(const struct time_span *span, int weekday, int minute);
const char *time_day_name(int weekday); /* "Mon" */

#endif
