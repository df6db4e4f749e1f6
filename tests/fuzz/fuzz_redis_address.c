/* fuzz_redis_address: [STORE] as anybody might write it: URL, SENTINELS, PREFIX and DATABASE, a
 * line each; and where a node may send us. */
#include <assert.h>
#include <stdint.h>

#include "store/redis_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *line(struct text *rest)
{
	struct text text = text_cut(rest, '\n');

	return text.size ? text_copy(text) : NULL;
}

static void check_hosts(const struct redis_host *hosts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *shown = redis_host_show(&hosts[i]);
		struct redis_host again;
		int port = atoi(hosts[i].port);

		assert(*hosts[i].name && port >= 1 && port <= 65535);
		/* What we show can be written there. */
		assert(redis_host_init(&again, text_of(shown), "1", "again", NULL) == 0);
		assert(strcmp(again.name, hosts[i].name) == 0);
		assert(strcmp(again.port, hosts[i].port) == 0);
		redis_host_clear(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text rest = { (const char *)data, size };
	AUTO(free) char *url = line(&rest);
	AUTO(free) char *sentinels = line(&rest);
	AUTO(free) char *prefix = line(&rest);
	AUTO(free) char *database = line(&rest);
	const struct store_settings settings = { .url = url ? url : "",
						 .sentinels = sentinels,
						 .prefix = prefix,
						 .database = database };
	struct redis_address address;
	struct redis_host host;
	AUTO_ERROR err = { 0 };

	if (redis_address_init(&address, &settings, &err) < 0) {
		assert(address.wrong &&
		       strncmp(error_text(&err), address.wrong, strlen(address.wrong)) == 0);
	} else {
		assert(!address.wrong && address.shown);
		assert(!strchr(address.path ? "" : address.shown, '@'));
		assert((address.path != NULL) + (address.master != NULL) +
			       (address.host_count > 0) ==
		       1);
		assert((address.master != NULL) == (address.sentinel_count > 0));
		check_hosts(address.hosts, address.host_count);
		check_hosts(address.sentinels, address.sentinel_count);
	}
	redis_address_clear(&address);
	if (redis_host_moved(&host, rest, "here", NULL) == 0)
		check_hosts(&host, 1);
	redis_host_clear(&host);
	return 0;
}
