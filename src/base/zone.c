#include "base/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_SIZE_MAX (256 * 1024)
#define DAY_S 86400
#define ZONES_DIRECTORY "/usr/share/zoneinfo"

/* When clocks change in a year, as POSIX writes it. */
struct change {
	char kind;            /* 'M': a weekday of a month, 'J': day 1 to 365, 'N': day 0 to 365 */
	int month, week, day; /* 'J' and 'N': day only */
	int32_t time_s;       /* after midnight, by the clocks before the change */
};

/* What holds after the last change that a file lists. */
struct tail {
	bool is_known, has_summer;
	int32_t standard_s, summer_s;
	struct change to_summer, to_standard;
};

struct zone {
	int64_t *times; /* of changes, in order */
	int32_t *offsets;
	size_t count;
	int32_t before_s; /* before the first */
	struct tail tail;
};

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->times);
	free(zone->offsets);
	free(zone);
}

/* ---- The rule of POSIX ---- */

static bool take(struct text *text, char wanted)
{
	if (!text->size || text->data[0] != wanted)
		return false;
	text->data++;
	text->size--;
	return true;
}

static bool take_number(struct text *text, int most, int *out)
{
	size_t digits = 0;

	*out = 0;
	while (digits < text->size && digits < 3 && text->data[digits] >= '0' &&
	       text->data[digits] <= '9')
		*out = *out * 10 + (text->data[digits++] - '0');
	text->data += digits;
	text->size -= digits;
	return digits && *out <= most;
}

/* "<+03>" or letters. */
static bool take_name(struct text *text)
{
	size_t used = 0;
	bool is_quoted = take(text, '<');

	while (used < text->size &&
	       (is_quoted ? text->data[used] != '>'
			  : (text->data[used] | 0x20) >= 'a' && (text->data[used] | 0x20) <= 'z'))
		used++;
	text->data += used;
	text->size -= used;
	return used >= 3 && (!is_quoted || take(text, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct text *text, int32_t *out)
{
	int hours, minutes = 0, seconds = 0;
	bool is_negative = take(text, '-');

	if (!is_negative)
		(void)take(text, '+');
	if (!take_number(text, 167, &hours) ||
	    (take(text, ':') && (!take_number(text, 59, &minutes) ||
				 (take(text, ':') && !take_number(text, 59, &seconds)))))
		return false;
	*out = hours * 3600 + minutes * 60 + seconds;
	if (is_negative)
		*out = -*out;
	return true;
}

static bool take_change(struct text *text, struct change *out)
{
	out->time_s = 2 * 3600;
	if (take(text, 'M')) {
		out->kind = 'M';
		if (!take_number(text, 12, &out->month) || !out->month || !take(text, '.') ||
		    !take_number(text, 5, &out->week) || !out->week || !take(text, '.') ||
		    !take_number(text, 6, &out->day))
			return false;
	} else {
		out->kind = take(text, 'J') ? 'J' : 'N';
		if (!take_number(text, 365, &out->day) || (out->kind == 'J' && !out->day))
			return false;
	}
	return !take(text, '/') || take_time(text, &out->time_s);
}

static bool read_tail(struct text text, struct tail *out)
{
	struct tail tail = { .is_known = true };

	if (!take_name(&text) || !take_time(&text, &tail.standard_s))
		return false;
	tail.standard_s = -tail.standard_s; /* POSIX counts towards the west */
	if (text.size) {
		tail.has_summer = true;
		if (!take_name(&text))
			return false;
		tail.summer_s = tail.standard_s + 3600;
		if (text.size && text.data[0] != ',') {
			if (!take_time(&text, &tail.summer_s))
				return false;
			tail.summer_s = -tail.summer_s;
		}
		if (!text.size) /* what the C library takes then */
			text = TEXT(",M3.2.0,M11.1.0");
		if (!take(&text, ',') || !take_change(&text, &tail.to_summer) ||
		    !take(&text, ',') || !take_change(&text, &tail.to_standard) || text.size)
			return false;
	}
	*out = tail;
	return true;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t day_of(int64_t year, int month, int day)
{
	int64_t years = month <= 2 ? year - 1 : year;
	int64_t era = (years >= 0 ? years : years - 399) / 400;
	int64_t of_era = years - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t year_of(int64_t day)
{
	int64_t year = 1970 + day * 400 / 146097; /* or a year beside it */

	while (day_of(year + 1, 1, 1) <= day)
		year++;
	while (day_of(year, 1, 1) > day)
		year--;
	return year;
}

/* Seconds since 1970 by the clocks before the change. */
static int64_t change_s(const struct change *change, int64_t year)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t day = day_of(year, 1, 1);

	if (change->kind == 'J') {
		day += change->day - 1 + (is_leap(year) && change->day > 59);
	} else if (change->kind == 'N') {
		day += change->day;
	} else {
		int64_t first = day_of(year, change->month, 1);
		int length = lengths[change->month - 1] + (change->month == 2 && is_leap(year));
		int weekday = (int)((first % 7 + 11) % 7); /* 1970-01-01 was a Thursday: 4 */
		int64_t of_month = (change->day - weekday + 7) % 7 + 7 * (change->week - 1);

		if (of_month >= length)
			of_month -= 7;
		day = first + of_month;
	}
	return day * DAY_S + change->time_s;
}

static int32_t tail_offset(const struct tail *tail, int64_t utc_s)
{
	int64_t local_s = utc_s + tail->standard_s;
	int64_t day = local_s / DAY_S - (local_s % DAY_S < 0);
	int64_t year, summer_s, standard_s;
	bool is_summer;

	if (!tail->has_summer)
		return tail->standard_s;
	year = year_of(day);
	summer_s = change_s(&tail->to_summer, year) - tail->standard_s;
	standard_s = change_s(&tail->to_standard, year) - tail->summer_s;
	if (summer_s < standard_s)
		is_summer = utc_s >= summer_s && utc_s < standard_s;
	else /* the southern half of the world */
		is_summer = utc_s >= summer_s || utc_s < standard_s;
	return is_summer ? tail->summer_s : tail->standard_s;
}

/* ---- Zone files: RFC 8536 ---- */

#define HEADER_SIZE 44

struct header {
	char version;
	uint32_t utc_count, standard_count, leap_count, time_count, type_count, letter_count;
};

static int64_t number_at(const char *data, size_t size)
{
	uint64_t value = data[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | (unsigned char)data[i];
	return (int64_t)value;
}

static bool take_header(struct text *bytes, struct header *out)
{
	uint32_t *counts[] = { &out->utc_count,  &out->standard_count, &out->leap_count,
			       &out->time_count, &out->type_count,     &out->letter_count };

	if (bytes->size < HEADER_SIZE || !text_starts_with(*bytes, TEXT("TZif")))
		return false;
	out->version = bytes->data[4];
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int64_t count = number_at(bytes->data + 20 + 4 * i, 4);

		if (count < 0 || count > FILE_SIZE_MAX)
			return false;
		*counts[i] = (uint32_t)count;
	}
	bytes->data += HEADER_SIZE;
	bytes->size -= HEADER_SIZE;
	return true;
}

static size_t block_size(const struct header *header, size_t time_size)
{
	return header->time_count * (time_size + 1) + header->type_count * (size_t)6 +
	       header->letter_count + header->leap_count * (time_size + 4) +
	       header->standard_count + header->utc_count;
}

static bool read_block(struct zone *zone, const struct header *header, size_t time_size,
		       struct text bytes)
{
	const char *types_of = bytes.data + header->time_count * time_size;
	const char *types = types_of + header->time_count;

	if (!header->type_count)
		return false;
	zone->count = header->time_count;
	zone->times = mem_array(zone->count, sizeof(*zone->times));
	zone->offsets = mem_array(zone->count, sizeof(*zone->offsets));
	zone->before_s = (int32_t)number_at(types, 4);
	for (size_t i = 0; i < zone->count; i++) {
		unsigned char type = (unsigned char)types_of[i];

		zone->times[i] = number_at(bytes.data + i * time_size, time_size);
		if (type >= header->type_count || (i && zone->times[i] <= zone->times[i - 1]))
			return false;
		zone->offsets[i] = (int32_t)number_at(types + type * 6, 4);
	}
	return true;
}

static bool is_sane(int32_t offset_s)
{
	return offset_s > -7 * DAY_S && offset_s < 7 * DAY_S;
}

static bool are_sane(const struct zone *zone)
{
	bool ok = is_sane(zone->before_s);

	for (size_t i = 0; i < zone->count; i++)
		ok &= is_sane(zone->offsets[i]);
	return ok;
}

/* The second block, with times of 64 bits, is there in every file of this century. */
static bool read_file(struct zone *zone, struct text bytes)
{
	struct header header;
	size_t time_size = 4, size;

	if (!take_header(&bytes, &header))
		return false;
	if (header.version >= '2') {
		size = block_size(&header, 4);
		if (size > bytes.size)
			return false;
		bytes.data += size;
		bytes.size -= size;
		time_size = 8;
		if (!take_header(&bytes, &header))
			return false;
	}
	size = block_size(&header, time_size);
	if (size > bytes.size || !read_block(zone, &header, time_size, bytes) || !are_sane(zone))
		return false;
	bytes.data += size;
	bytes.size -= size;
	if (time_size == 8 && take(&bytes, '\n')) {
		struct text rule = text_cut(&bytes, '\n');

		return !rule.size || read_tail(rule, &zone->tail);
	}
	return true;
}

int zone_read(struct zone **out, struct text bytes, struct error *err)
{
	AUTO(zone_free) struct zone *zone = NEW(struct zone);

	if (!read_file(zone, bytes))
		return error_set(err, "not a time zone file");
	*out = TAKE(zone);
	return 0;
}

/* ---- Names ---- */

static int load(struct zone **out, const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	AUTO(free) char *bytes = NULL;
	size_t size;

	if (!file)
		return error_set(err, "%s: %s", path, strerror(errno));
	bytes = mem_new(FILE_SIZE_MAX);
	size = fread(bytes, 1, FILE_SIZE_MAX, file);
	fclose(file);
	if (zone_read(out, (struct text){ bytes, size }, err) < 0)
		return error_prefix(err, "%s", path);
	return 0;
}

static bool is_file_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-/";

	return *name && *name != '/' && !name[strspn(name, allowed)];
}

static struct zone *of_rule(const char *rule)
{
	AUTO(zone_free) struct zone *zone = NEW(struct zone);

	return read_tail(text_of(rule), &zone->tail) ? TAKE(zone) : NULL;
}

static int open_local(struct zone **out, struct error *err)
{
	const char *name = getenv("TZ");

	if (name && *name == ':')
		name++;
	if (name && *name == '/')
		return load(out, name, err);
	if (name && *name && strcmp(name, "local") != 0)
		return zone_open(out, name, err);
	if (name || load(out, "/etc/localtime", err) < 0)
		*out = NEW(struct zone); /* what the C library takes then */
	error_clear(err);
	return 0;
}

int zone_open(struct zone **out, const char *name, struct error *err)
{
	const char *directory = getenv("TZDIR");
	AUTO(free) char *path = NULL;
	AUTO_ERROR why = { 0 };

	if (strcmp(name, "local") == 0)
		return open_local(out, err);
	if (strcmp(name, "UTC") == 0) {
		*out = NEW(struct zone);
		return 0;
	}
	path = str_format("%s/%s", directory ? directory : ZONES_DIRECTORY, name);
	if (is_file_name(name) && load(out, path, &why) == 0)
		return 0;
	*out = of_rule(name);
	if (*out)
		return 0;
	return error_set(err,
			 "'%s': expected a time zone that this machine knows, like Europe/Berlin, "
			 "or UTC or local%s%s%s",
			 name, why.text ? " (" : "", why.text ? why.text : "", why.text ? ")" : "");
}

int32_t zone_offset_s(const struct zone *zone, int64_t utc_s)
{
	size_t low = 0, high = zone->count;

	if (zone->tail.is_known && (!high || utc_s >= zone->times[high - 1]))
		return tail_offset(&zone->tail, utc_s);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (zone->times[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? zone->offsets[low - 1] : zone->before_s;
}
