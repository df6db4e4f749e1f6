#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

static atomic_bool held;
static _Atomic int64_t held_ms;

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return held ? held_ms : read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
	return held ? held_ms : read_clock(CLOCK_MONOTONIC);
}

void clock_hold(int64_t now_ms)
{
	held_ms = now_ms;
	held = true;
}

void clock_advance(int64_t ms)
{
	held_ms += ms;
}

void clock_release(void)
{
	held = false;
}

static struct tm split(int64_t ms, int *fraction_ms)
{
	time_t seconds = ms / 1000;
	int rest = (int)(ms % 1000);
	struct tm tm;

	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	*fraction_ms = rest;
	gmtime_r(&seconds, &tm);
	return tm;
}

char *clock_format(int64_t ms)
{
	int fraction_ms;
	struct tm tm = split(ms, &fraction_ms);

	return str_format("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			  tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction_ms);
}

char *clock_format_date(int64_t ms)
{
	int fraction_ms;
	struct tm tm = split(ms, &fraction_ms);

	return str_format("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static bool digits(const char **at, int count, int *out)
{
	*out = 0;
	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return true;
}

static bool literal(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	(*at)++;
	return true;
}

bool clock_parse_ns(const char *text, int64_t *out_ns)
{
	struct tm tm = { 0 };
	const char *at = text;
	int year, month, fraction_ns = 0, hours = 0, minutes = 0, sign = 0;
	int64_t seconds;

	if (!digits(&at, 4, &year) || !literal(&at, '-') || !digits(&at, 2, &month) ||
	    !literal(&at, '-') || !digits(&at, 2, &tm.tm_mday) || !literal(&at, 'T') ||
	    !digits(&at, 2, &tm.tm_hour) || !literal(&at, ':') || !digits(&at, 2, &tm.tm_min) ||
	    !literal(&at, ':') || !digits(&at, 2, &tm.tm_sec))
		return false;
	if (*at == '.') {
		int scale = 100000000;

		for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
			fraction_ns += (*at - '0') * scale;
	}
	if (*at == '+' || *at == '-') {
		sign = *at++ == '-' ? -1 : 1;
		if (!digits(&at, 2, &hours) || !literal(&at, ':') || !digits(&at, 2, &minutes))
			return false;
	} else if (!literal(&at, 'Z')) {
		return false;
	}
	if (*at || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	seconds = (int64_t)timegm(&tm) - sign * (hours * 3600 + minutes * 60);
	return !__builtin_mul_overflow(seconds, 1000000000, out_ns) &&
	       !__builtin_add_overflow(*out_ns, fraction_ns, out_ns);
}

bool clock_parse(const char *text, int64_t *out_ms)
{
	int64_t ns;

	if (!clock_parse_ns(text, &ns))
		return false;
	*out_ms = ns / 1000000 - (ns % 1000000 < 0);
	return true;
}
