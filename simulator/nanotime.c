#include "simulator/nanotime.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

static const int64_t second_ns = 1000000000;

char *nanotime_format(int64_t ns)
{
	int64_t seconds = ns / second_ns - (ns % second_ns < 0);
	int64_t fraction = ns - seconds * second_ns;
	time_t time = seconds;
	struct tm parts;
	char text[64], digits[16];

	gmtime_r(&time, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(digits, sizeof(digits), ".%09lld", (long long)fraction);
	size_t size = strlen(digits);
	while (size && (digits[size - 1] == '0' || digits[size - 1] == '.')) {
		bool point = digits[--size] == '.';

		if (point)
			break;
	}
	return str_format("%s%.*sZ", text, (int)size, digits);
}

bool nanotime_parse(const char *text, int64_t *out_ns)
{
	const char *point = strchr(text, '.');
	int64_t ms, fraction = 0;

	if (!clock_parse(text, &ms))
		return false;
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	int64_t unit = second_ns / 10;
	for (const char *digit = point ? point + 1 : ""; *digit >= '0' && *digit <= '9' && unit;
	     digit++, unit /= 10)
		fraction += (*digit - '0') * unit;
	*out_ns = seconds * second_ns + fraction;
	return true;
}
