/* admin_scan: scans that somebody asks for, stops, and asks about. */
#include "app/admin_part.h"
#include "app/scan_item.h"
#include "base/clock.h"
#include "base/log.h"

static const struct watch_settings *watch_for(const struct settings *settings, const char *name,
					      struct text path)
{
	for (size_t i = 0; i < settings->watch_count; i++) {
		const struct watch_settings *watch = &settings->watches[i];
		struct text directory = text_of(watch->path);

		if ((!name || strcmp(name, watch->name) == 0) &&
		    (text_equal(path, directory) || path_is_below(path, directory)))
			return watch;
	}
	return NULL;
}

static void refuse_path(struct admin_question *question, const char *name, const char *path)
{
	const struct settings *settings = question->settings;
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);

	(void)!buf_print(text, "%s lies in none of the watched directories: expected one in ",
			 path);
	for (size_t i = 0; i < settings->watch_count; i++)
		if (!name || strcmp(name, settings->watches[i].name) == 0)
			(void)!buf_print(text, "%s%s", i && !name ? ", " : "",
					 settings->watches[i].path);
	admin_refuse(question, 400, text->data);
}

void admin_scan(struct admin_question *question)
{
	const char *asked = admin_text(question, "path"), *name = admin_text(question, "watch");
	struct text path = text_of(asked ? asked : "");
	const struct watch_settings *watch;
	json_t *item = NULL;
	AUTO_ERROR err = { 0 };

	while (path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	if (!path.size || path.data[0] != '/')
		return admin_refuse(question, 400,
				    "expected path=PATH, the whole path as the cluster has it");
	AUTO(free) char *tidy = text_copy(path);
	watch = watch_for(question->settings, name, path);
	if (!watch)
		return refuse_path(question, name, tidy);
	if (scan_item_new(question->store, watch->name, tidy, clock_now_ms(), &item, &err) < 0)
		return admin_refuse(question, 500, error_text(&err));
	log_info("admin", "a scan of %s is asked for", tidy);
	admin_reply(question, item);
}

void admin_scans(struct admin_question *question)
{
	AUTO_ERROR err = { 0 };
	json_t *items = scan_items(question->store, NULL, &err);

	if (items)
		admin_reply(question, json_pack("{s:o}", "scans", items));
	else
		admin_refuse(question, 500, error_text(&err));
}

/* Whoever has the watch sees it within a second. */
static int stop(struct admin_question *question, json_t *item, struct error *err)
{
	AUTO(store_abort) struct store_txn *txn = NULL;

	json_object_set_new(item, "state", json_string("stopping"));
	if (store_begin(question->store, &txn, err) < 0 || scan_item_put(txn, item, err) < 0)
		return -1;
	return store_commit(TAKE(txn), err) < 0 ? -1 : 0;
}

void admin_scan_stop(struct admin_question *question)
{
	uint64_t number = admin_number(question, "number", 0);
	AUTO_ERROR err = { 0 };
	json_t *items = scan_items(question->store, NULL, &err), *item, *stopped = NULL;
	size_t i;

	json_array_foreach(items, i, item) if (!stopped && scan_item_is_open(item) &&
					       (uint64_t)json_integer_value(json_object_get(
						       item, "number")) == number) stopped = item;
	if (!items)
		admin_refuse(question, 500, error_text(&err));
	else if (!stopped)
		admin_refuse(question, 404, "no such scan waits or is under way");
	else if (stop(question, stopped, &err) < 0)
		admin_refuse(question, 500, error_text(&err));
	else
		admin_reply(question, json_incref(stopped));
	json_decref(items);
}
