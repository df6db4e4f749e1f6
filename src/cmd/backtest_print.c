#include "cmd/backtest_print.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"

void print_safe(const char *text)
{
	escape_print(stdout, text, ESCAPE_TEXT);
}

const char *colour(const struct shown *shown, const char *code)
{
	return shown->arguments->colour ? code : "";
}

void print_number(uint64_t number)
{
	if (number >= 1000) {
		print_number(number / 1000);
		printf(",%03u", (unsigned)(number % 1000));
	} else {
		printf("%u", (unsigned)number);
	}
}

void print_bounds(uint64_t sure, uint64_t most)
{
	if (sure != most && !sure)
		fputs("at most ", stdout);
	else
		print_number(sure);
	if (sure != most && sure)
		fputs(" to ", stdout);
	if (sure != most)
		print_number(most);
}

void print_many(uint64_t sure, uint64_t most, const char *one, const char *many)
{
	print_bounds(sure, most);
	printf(" %s", sure == most && sure == 1 ? one : many);
}

void print_duration(int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ms % units[i].ms == 0) {
			printf("%lld%s", (long long)(ms / units[i].ms), units[i].unit);
			return;
		}
	printf("%lldms", (long long)ms);
}

void print_time(int64_t time_ms)
{
	AUTO(free) char *text = clock_format(time_ms);

	printf("%.10s %.8s", text, text + 11);
}
