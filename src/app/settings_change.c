#include "app/settings_change.h"

#include <string.h>

#include "app/settings_table.h"
#include "base/buf.h"
#include "base/log.h"

struct settings_live settings_live_of(const struct settings *settings)
{
	return (struct settings_live){ .max_bytes = settings->store.max_bytes,
				       .retention_ms = settings->store.retention_ms,
				       .log_level = settings->log.level };
}

/* ---- What is other than it was ---- */

static bool text_differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

static bool list_differs(const struct key_list *a, const struct key_list *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (text_differs(a->items[i], b->items[i]))
			return true;
	return false;
}

static bool key_differs(const struct config_key *key, const void *one, const void *other)
{
	const char *a = (const char *)one + key->offset;
	const char *b = (const char *)other + key->offset;

	switch (key->type) {
	case KEY_TIME:
	case KEY_SIZE:
	case KEY_NUMBER:
		return *(const int64_t *)a != *(const int64_t *)b;
	case KEY_BOOL:
		return *(const bool *)a != *(const bool *)b;
	case KEY_CHOICE:
		return *(const int *)a != *(const int *)b;
	case KEY_LIST:
		return list_differs((const struct key_list *)a, (const struct key_list *)b);
	default:
		return text_differs(*(char *const *)a, *(char *const *)b);
	}
}

static bool is_live(const struct settings_section *section, const struct config_key *key)
{
	static const char *const keys[] = { "STORE MAX_SIZE", "STORE RETENTION", "LOG LEVEL" };
	AUTO(free) char *whole = str_format("%s %s", section->name, key->name);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i], whole) == 0)
			return true;
	return false;
}

static void name_key(struct buf *out, const char *text)
{
	(void)!buf_print(out, "%s%s", out->size ? ", " : "", text);
}

/* name: "main" of [WATCH main]; NULL: the section has none. */
static void compare(struct buf *out, int type, const char *name, const void *one, const void *other)
{
	const struct settings_section *section = &settings_sections[type];

	for (const struct config_key *key = section->keys; key->name; key++) {
		AUTO(free)
		char *text = str_format("[%s%s%s] %s", section->name, name ? " " : "",
					name ? name : "", key->name);

		if (!is_live(section, key) && key_differs(key, one, other))
			name_key(out, text);
	}
}

static void compare_clusters(struct buf *out, const struct settings *a, const struct settings *b)
{
	if (a->cluster_count != b->cluster_count)
		return name_key(out, "the number of clusters");
	for (size_t i = 0; i < a->cluster_count; i++) {
		if (text_differs(a->clusters[i].name, b->clusters[i].name))
			name_key(out, "the clusters' names");
		else
			compare(out, SECTION_CLUSTER, a->clusters[i].name, &a->clusters[i],
				&b->clusters[i]);
	}
}

static void compare_watches(struct buf *out, const struct settings *a, const struct settings *b)
{
	if (a->watch_count != b->watch_count)
		return name_key(out, "the number of watches");
	for (size_t i = 0; i < a->watch_count; i++) {
		if (text_differs(a->watches[i].name, b->watches[i].name))
			name_key(out, "the watches' names");
		else
			compare(out, SECTION_WATCH, a->watches[i].name, &a->watches[i],
				&b->watches[i]);
	}
}

/* ---- What is done about it ---- */

static void tell(struct buf *report, enum log_level level, const char *line)
{
	log_write(level, "settings", "%s", line);
	(void)!buf_print(report, "%s%s", report->size ? "\n" : "", line);
}

static void limit_store(struct settings_live *live, const struct settings *later,
			struct store *store, struct buf *report)
{
	AUTO_ERROR err = { 0 };
	AUTO(free) char *line = NULL;
	int64_t max_bytes = live->max_bytes;

	if (live->max_bytes == later->store.max_bytes &&
	    live->retention_ms == later->store.retention_ms)
		return;
	if (store_limit(store, later->store.max_bytes, later->store.retention_ms, &err) == 0) {
		max_bytes = later->store.max_bytes;
	} else {
		line = str_format("[STORE] MAX_SIZE needs a restart: %s", error_text(&err));
		tell(report, LOG_WARN, line);
		(void)!store_limit(store, max_bytes, later->store.retention_ms, NULL);
	}
	if (live->max_bytes != max_bytes) {
		line = str_format("[STORE] MAX_SIZE is %lld bytes now, it was %lld; what is stored "
				  "stays",
				  (long long)max_bytes, (long long)live->max_bytes);
		tell(report, LOG_INFO, line);
	}
	if (live->retention_ms != later->store.retention_ms) {
		free(line);
		line = str_format("[STORE] RETENTION is %lld s now, it was %lld s",
				  (long long)later->store.retention_ms / 1000,
				  (long long)live->retention_ms / 1000);
		tell(report, LOG_INFO, line);
	}
	live->max_bytes = max_bytes;
	live->retention_ms = later->store.retention_ms;
}

char *settings_change(struct settings_live *live, const struct settings *started,
		      const struct settings *later, struct store *store)
{
	AUTO(buf_free) struct buf *report = buf_new(SIZE_MAX / 2);
	AUTO(buf_free) struct buf *other = buf_new(SIZE_MAX / 2);

	limit_store(live, later, store, report);
	if (live->log_level != later->log.level) {
		const struct config_key *key =
			key_find(settings_sections[SECTION_LOG].keys, TEXT("LEVEL"));
		AUTO(free)
		char *line =
			str_format("[LOG] LEVEL is %s now, it was %s",
				   key->choices[later->log.level], key->choices[live->log_level]);

		live->log_level = later->log.level;
		log_setup(later->log.level, started->log.format);
		tell(report, LOG_INFO, line);
	}
	compare_clusters(other, started, later);
	compare_watches(other, started, later);
	for (int type = SECTION_STORE; type < SECTION_COUNT; type++)
		compare(other, type, NULL, started, later);
	if (other->size) {
		AUTO(free)
		char *line = str_format("not at work before a restart: %s", other->data);

		tell(report, LOG_WARN, line);
	}
	return report->size ? buf_take(report) : str_copy("");
}
