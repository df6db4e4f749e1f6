/* fuzz_walk: what somebody who answers as a cluster says of entries, differences and snapshots. */
#include <assert.h>
#include <stdint.h>

#include "qumulo/snapshots.h"
#include "qumulo/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const json_t *body, enum walk_kind kind)
{
	struct walk_page page;

	if (walk_parse(&page, kind, body, NULL) < 0)
		return;
	for (size_t i = 0; i < page.count; i++) {
		const char *path = page.entries ? page.entries[i].path : page.changes[i].path;
		size_t length = strlen(path);

		assert(path[0] == '/' && (length == 1 || path[length - 1] != '/'));
		assert(!page.entries || *page.entries[i].id);
	}
	assert(!page.next || page.next[0] == '/');
	walk_page_clear(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	struct snapshot *snapshots;
	size_t count;

	for (int kind = WALK_LIST; kind <= WALK_DIFFERENCE; kind++)
		check_page(body, kind);
	if (snapshots_parse(&snapshots, &count, body, NULL) == 0) {
		for (size_t i = 0; i < count; i++)
			(void)snapshot_has_suffix(&snapshots[i], "cn_monitor");
		snapshots_free(snapshots, count);
	}
	json_decref(body);
	return 0;
}
