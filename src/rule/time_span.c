#include "rule/time_span.h"

#include <strings.h>

#include "base/parse.h"

static const char *const days_long[] = { "monday", "tuesday",  "wednesday", "thursday",
					 "friday", "saturday", "sunday",    NULL };
static const char *const days_short[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

const char *time_day_name(int weekday)
{
	return days_short[weekday];
}

/* One or two digits, moved past. */
static bool take_number(struct text *text, int *out)
{
	size_t digits = 0;

	*out = 0;
	while (digits < 2 && digits < text->size && text->data[digits] >= '0' &&
	       text->data[digits] <= '9')
		*out = *out * 10 + (text->data[digits++] - '0');
	text->data += digits;
	text->size -= digits;
	return digits > 0;
}

static bool read_minute(struct text text, int *out)
{
	int hour, minute = 0;

	text = text_trim(text);
	if (!take_number(&text, &hour))
		return false;
	if (text.size) {
		if (text.size != 3 || text.data[0] != ':')
			return false;
		text.data++;
		text.size--;
		if (!take_number(&text, &minute) || text.size)
			return false;
	}
	*out = hour * 60 + minute;
	return minute < 60 && *out <= TIME_MINUTES;
}

int time_span_read_hours(struct time_span *span, struct text text, struct error *err)
{
	struct text until = text;
	struct text from = text_cut(&until, '-');

	if (!until.size || !read_minute(from, &span->from) || !read_minute(until, &span->until) ||
	    span->from == TIME_MINUTES)
		return error_set(err, "'%.*s': expected hours like 22:00-06:00", TEXT_ARGS(text));
	if (span->from == span->until)
		return error_set(err,
				 "'%.*s': nothing lies between the two; the whole day is "
				 "00:00-24:00",
				 TEXT_ARGS(text));
	return 0;
}

/* "mon" as well as "monday", whatever the case. */
static int read_day(struct text text, struct error *err)
{
	const char *nearest;

	text = text_trim(text);
	for (int day = 0; day < 7; day++)
		if ((text.size == 3 || text.size == strlen(days_long[day])) &&
		    strncasecmp(text.data, days_long[day], text.size) == 0)
			return day;
	nearest = parse_nearest(text, days_long);
	return error_set(err, "'%.*s': %s%s%s", TEXT_ARGS(text),
			 nearest ? "did you mean '" : "expected a day like mon, or mon-fri",
			 nearest ? nearest : "", nearest ? "'?" : "");
}

int time_span_read_days(unsigned *days, struct text text, struct error *err)
{
	struct text rest = text;
	int first = read_day(text_cut(&rest, '-'), err);
	int last = rest.size ? read_day(rest, err) : first;

	if (first < 0 || last < 0)
		return -1;
	for (int day = first;; day = (day + 1) % 7) {
		*days |= 1u << day;
		if (day == last)
			return 0;
	}
}

struct time_local time_local_of(const struct zone *zone, int64_t time_ms)
{
	int64_t utc_s = time_ms / 1000 - (time_ms % 1000 < 0);
	int64_t local_s = utc_s + zone_offset_s(zone, utc_s);
	int64_t day = local_s / 86400 - (local_s % 86400 < 0);

	return (struct time_local){
		.weekday = (int)((day % 7 + 10) % 7), /* 1970-01-01 was a Thursday: 3 */
		.minute = (int)((local_s - day * 86400) / 60),
	};
}

bool time_span_has_minute(const struct time_span *span, int weekday, int minute)
{
	bool today = span->days >> weekday & 1;
	bool yesterday = span->days >> (weekday + 6) % 7 & 1;

	if (span->from < span->until)
		return today && minute >= span->from && minute < span->until;
	return (today && minute >= span->from) || (yesterday && minute < span->until);
}

bool time_span_has(const struct time_span *span, int64_t time_ms)
{
	struct time_local local = time_local_of(span->zone, time_ms);

	return time_span_has_minute(span, local.weekday, local.minute);
}
