#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

#define SMALL_STEP_MS 1000                /* up to that the clock is followed at once */
#define LARGE_STEP_MS ((int64_t)86400000) /* beyond it, too: a clock that was never set */

static pthread_mutex_t follow_lock = PTHREAD_MUTEX_INITIALIZER;
static struct clock_follower ours;
static atomic_bool held;
static _Atomic int64_t held_ms;

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_follow(struct clock_follower *follower, int64_t wall_ms, int64_t steady_ms)
{
	int64_t offset_ms = wall_ms - steady_ms;
	int64_t ahead_ms = offset_ms - follower->offset_ms;
	int64_t most_ms = MAX(steady_ms - follower->moved_ms, 0) / 2;
	int64_t moved_ms = MIN(MAX(ahead_ms, -most_ms), most_ms);
	bool is_small = !follower->ahead_ms && llabs(ahead_ms) <= SMALL_STEP_MS;

	if (!follower->has_begun || is_small || llabs(ahead_ms) > LARGE_STEP_MS) {
		follower->has_begun = true;
		moved_ms = ahead_ms;
		follower->moved_ms = steady_ms;
	} else if (moved_ms) {
		follower->moved_ms += 2 * llabs(moved_ms);
	}
	follower->offset_ms += moved_ms;
	follower->ahead_ms = offset_ms - follower->offset_ms;
	follower->most_off_ms = MAX(follower->most_off_ms, llabs(follower->ahead_ms));
	return steady_ms + follower->offset_ms;
}

/* With the time in which the machine was suspended, by which the wall's clock goes on, too. */
int64_t clock_now_ms(void)
{
	int64_t now_ms;

	if (held)
		return held_ms;
	pthread_mutex_lock(&follow_lock);
	now_ms = clock_follow(&ours, read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME));
	pthread_mutex_unlock(&follow_lock);
	return now_ms;
}

int64_t clock_ahead_ms(void)
{
	int64_t ahead_ms;

	if (held)
		return 0;
	(void)clock_now_ms();
	pthread_mutex_lock(&follow_lock);
	ahead_ms = ours.ahead_ms;
	pthread_mutex_unlock(&follow_lock);
	return ahead_ms;
}

int64_t clock_most_off_ms(void)
{
	int64_t most_ms;

	pthread_mutex_lock(&follow_lock);
	most_ms = ours.most_off_ms;
	pthread_mutex_unlock(&follow_lock);
	return most_ms;
}

int64_t clock_wall_ms(void)
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
