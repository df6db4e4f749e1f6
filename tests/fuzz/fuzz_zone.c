/* A time zone file from anybody: it is refused, or it answers for every moment. */
#include "base/zone.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct zone *zone)
{
	static const int64_t times[] = { -9000000000000, -2208988800, -1,         0,
					 951782400,      1795367289,  4102444799, 9000000000000 };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int32_t offset_s = zone_offset_s(zone, times[i]);

		assert(offset_s > -8 * 86400 && offset_s < 8 * 86400);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text bytes = { (const char *)data, size };
	AUTO(free) char *name = text_copy(bytes);
	struct zone *zone;

	if (zone_read(&zone, bytes, NULL) == 0) {
		ask(zone);
		zone_free(zone);
	}
	/* Names of files are not the fuzzer's to open. */
	if (!strchr(name, ',') || zone_open(&zone, name, NULL) < 0)
		return 0;
	ask(zone);
	zone_free(zone);
	return 0;
}
