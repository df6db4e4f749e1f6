#include "qumulo/walk.h"

#include "base/clock.h"
#include "base/list.h"

#define PAGE 1000
#define PAUSE_FIRST_MS 200
#define PAUSE_MOST_MS 30000

/* One question; in the walk's line until it is sent. */
struct question {
	struct list link;
	struct walk *walk;
	enum walk_kind kind;
	char *path;
	struct qumulo_call *call; /* NULL: it waits */
	walk_done *done;
	void *ctx;
};

struct walk {
	struct qumulo *qumulo;
	uv_timer_t *timer; /* freed when it is closed */
	struct list waiting;
	struct list asked;
	size_t asking, most;
	uint64_t requests;
	int64_t pause_ms; /* 0: the last answer was one */
	int64_t gap_ns;   /* between two requests; 0: none */
	int64_t next_ns;  /* by uv_hrtime: when the next may be sent */
	bool is_held;
	char *trouble;
};

/* ---- What answers say ---- */

static const char *text_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static char *copy_of(const json_t *object, const char *name)
{
	return str_copy(text_member(object, name));
}

static char *path_copy(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	return str_copy_n(path, size);
}

static int64_t time_of(const json_t *object, const char *name)
{
	int64_t ns;

	return clock_parse_ns(text_member(object, name), &ns) ? ns : WALK_NO_TIME;
}

static enum file_type type_of(const char *name)
{
	return !strcmp(name, "FS_FILE_TYPE_FILE")        ? FILE_REGULAR
	       : !strcmp(name, "FS_FILE_TYPE_DIRECTORY") ? FILE_DIRECTORY
	       : !strcmp(name, "FS_FILE_TYPE_SYMLINK")   ? FILE_SYMLINK
							 : FILE_OTHER;
}

static unsigned flags_of(const json_t *object)
{
	static const char *const names[] = { "read_only",
					     "hidden",
					     "system",
					     "archive",
					     "temporary",
					     "compressed",
					     "not_content_indexed",
					     "sparse_file",
					     "offline" };
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		flags |= (unsigned)json_is_true(json_object_get(object, names[i])) << i;
	return flags;
}

static bool is_id(const char *text)
{
	size_t size = strlen(text);

	return size && size <= 100 && strspn(text, "0123456789") == size;
}

static int read_entry(struct walk_entry *out, const json_t *object, struct error *err)
{
	const char *id = text_member(object, "id");
	const char *path = text_member(object, "path");
	int64_t links = json_integer_value(json_object_get(object, "num_links"));

	if (!*id)
		id = text_member(object, "file_number");
	if (!is_id(id))
		return error_set(err, "attributes without a file id");
	if (path[0] != '/')
		return error_set(err, "attributes of %s without an absolute path", id);
	*out = (struct walk_entry){
		.id = str_copy(id),
		.name = copy_of(object, "name"),
		.path = path_copy(path),
		.type = type_of(text_member(object, "type")),
		.size = strtoll(text_member(object, "size"), NULL, 10),
		.mode = copy_of(object, "mode"),
		.owner = copy_of(object, "owner"),
		.group = copy_of(object, "group"),
		.data_revision = copy_of(object, "data_revision"),
		.tag_revision = copy_of(object, "user_metadata_revision"),
		.flags = flags_of(json_object_get(object, "extended_attributes")),
		.num_links = (int)MIN(MAX(links, 0), INT32_MAX),
		.changed_ns = time_of(object, "change_time"),
		.modified_ns = time_of(object, "modification_time"),
		.created_ns = time_of(object, "creation_time"),
		.accessed_ns = time_of(object, "access_time"),
	};
	return 0;
}

static int read_change(struct tree_change *out, const json_t *object, struct error *err)
{
	static const char *const ops[] = { "CREATE", "MODIFY", "DELETE" };
	const char *op = text_member(object, "op");
	const char *path = text_member(object, "path");
	size_t size = strlen(path);

	if (path[0] != '/')
		return error_set(err, "an entry of a difference without an absolute path");
	for (int i = 0; i < 3; i++) {
		if (strcmp(op, ops[i]) != 0)
			continue;
		*out = (struct tree_change){ i, path_copy(path), path[size - 1] == '/' };
		return 0;
	}
	return error_set(err, "an entry of a difference with the op '%.40s'", op);
}

/* "" at the end, or null, or nothing. */
static char *next_of(const json_t *body)
{
	const char *next = text_member(json_object_get(body, "paging"), "next");

	if (strncmp(next, "/api/", 5) == 0)
		next += 4; /* the address has it already */
	return *next ? str_copy(next) : NULL;
}

static int read_list(struct walk_page *out, enum walk_kind kind, const json_t *body,
		     struct error *err)
{
	const json_t *list = json_object_get(body, kind == WALK_LIST ? "files" : "entries");
	const json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(err, "no list of entries");
	if (kind == WALK_LIST)
		out->entries = mem_array(json_array_size(list), sizeof(*out->entries));
	else
		out->changes = mem_array(json_array_size(list), sizeof(*out->changes));
	json_array_foreach(list, i, item)
	{
		if (kind == WALK_LIST ? read_entry(&out->entries[i], item, err) < 0
				      : read_change(&out->changes[i], item, err) < 0)
			return -1;
		out->count++;
	}
	out->next = next_of(body);
	if (out->next && strncmp(out->next, "/v", 2) != 0)
		return error_set(err, "a next page '%.100s'", out->next);
	return 0;
}

int walk_parse(struct walk_page *out, enum walk_kind kind, const json_t *body, struct error *err)
{
	struct walk_page page = { 0 };
	int result;

	if (kind == WALK_LOOK) {
		page.entries = mem_array(1, sizeof(*page.entries));
		result = read_entry(page.entries, body, err);
		page.count = result == 0;
	} else {
		result = read_list(&page, kind, body, err);
	}
	if (result < 0)
		walk_page_clear(&page);
	else
		*out = page;
	return result;
}

void walk_entry_clear(struct walk_entry *entry)
{
	free(entry->id);
	free(entry->name);
	free(entry->path);
	free(entry->mode);
	free(entry->owner);
	free(entry->group);
	free(entry->data_revision);
	free(entry->tag_revision);
}

void walk_entry_copy(struct walk_entry *to, const struct walk_entry *from)
{
	*to = *from;
	to->id = str_copy(from->id);
	to->name = str_copy(from->name);
	to->path = str_copy(from->path);
	to->mode = str_copy(from->mode);
	to->owner = str_copy(from->owner);
	to->group = str_copy(from->group);
	to->data_revision = str_copy(from->data_revision);
	to->tag_revision = str_copy(from->tag_revision);
}

void walk_page_clear(struct walk_page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		if (page->entries)
			walk_entry_clear(&page->entries[i]);
		else
			free(page->changes[i].path);
	}
	free(page->entries);
	free(page->changes);
	free(page->next);
	*page = (struct walk_page){ 0 };
}

/* ---- Asking ---- */

static void fill(struct walk *walk);

static void on_timer(uv_timer_t *timer)
{
	fill(timer->data);
}

struct walk *walk_new(struct qumulo *qumulo, size_t most_at_once)
{
	struct walk *walk = NEW(struct walk);

	walk->qumulo = qumulo;
	walk->most = MAX(most_at_once, 1);
	walk->trouble = str_copy("");
	walk->timer = NEW(uv_timer_t);
	uv_timer_init(qumulo_loop(qumulo), walk->timer);
	walk->timer->data = walk;
	list_init(&walk->waiting);
	list_init(&walk->asked);
	return walk;
}

static void question_free(struct question *question)
{
	list_remove(&question->link);
	free(question->path);
	free(question);
}

static void free_timer(uv_handle_t *timer)
{
	free(timer);
}

void walk_free(struct walk *walk)
{
	struct question *question;

	if (!walk)
		return;
	list_for_each (question, &walk->asked, link) {
		qumulo_cancel(question->call);
		question_free(question);
	}
	list_for_each (question, &walk->waiting, link)
		question_free(question);
	uv_close((uv_handle_t *)walk->timer, free_timer);
	free(walk->trouble);
	free(walk);
}

/* In front of all that wait: it was there before them. */
static void ask_again_later(struct question *question, const char *why, int64_t at_least_ms)
{
	struct walk *walk = question->walk;

	list_append(walk->waiting.next, &question->link);
	walk->pause_ms = walk->pause_ms ? MIN(walk->pause_ms * 2, PAUSE_MOST_MS) : PAUSE_FIRST_MS;
	free(walk->trouble);
	walk->trouble = str_copy(why);
	uv_timer_start(walk->timer, on_timer, (uint64_t)MAX(walk->pause_ms, at_least_ms), 0);
}

static void tell(struct question *question, const struct qumulo_answer *answer,
		 const struct walk_page *page)
{
	struct walk *walk = question->walk;
	const struct walk_answer told = { .result = answer->result,
					  .error_class = answer->error_class,
					  .why = answer->why ? answer->why : "",
					  .entries = page->entries,
					  .changes = page->changes,
					  .count = page->count,
					  .next = page->next };

	walk->pause_ms = 0;
	walk->trouble[0] = '\0';
	question->done(question->ctx, &told);
	question_free(question);
	fill(walk);
}

static void answered(void *ctx, const struct qumulo_answer *answer)
{
	struct question *question = ctx;
	struct walk_page page = { 0 };
	AUTO_ERROR err = { 0 };

	question->call = NULL;
	question->walk->asking--;
	list_remove(&question->link);
	if (answer->result == FILE_LATER || answer->result == FILE_AMBIGUOUS ||
	    answer->result == FILE_BUSY)
		return ask_again_later(question, answer->why ? answer->why : "no answer",
				       answer->retry_after_ms);
	if (answer->result == FILE_OK &&
	    walk_parse(&page, question->kind, answer->body, &err) < 0) {
		/* Something stands between us and the cluster, perhaps. */
		error_prefix(&err, "HTTP %d, but not an answer of a cluster", answer->status);
		return ask_again_later(question, error_text(&err), 0);
	}
	tell(question, answer, &page);
	walk_page_clear(&page);
}

static void ask(struct question *question)
{
	struct walk *walk = question->walk;

	list_remove(&question->link);
	list_append(&walk->asked, &question->link);
	walk->asking++;
	walk->requests++;
	question->call =
		qumulo_request(walk->qumulo, "GET", question->path, NULL, NULL, answered, question);
}

/* As many as there would have been in this time may be made up for. */
#define PACE_BEHIND_NS 100000000

/* 0: a request may be sent now, and counts; else in so many milliseconds. */
static int64_t pace(struct walk *walk)
{
	int64_t now_ns = (int64_t)uv_hrtime();

	if (!walk->gap_ns)
		return 0;
	walk->next_ns = MAX(walk->next_ns, now_ns - PACE_BEHIND_NS);
	if (walk->next_ns > now_ns)
		return (walk->next_ns - now_ns) / 1000000 + 1;
	walk->next_ns += walk->gap_ns;
	return 0;
}

void walk_pace(struct walk *walk, int64_t requests_per_second)
{
	walk->gap_ns = requests_per_second ? 1000000000 / requests_per_second : 0;
}

void walk_hold(struct walk *walk, bool is_held)
{
	walk->is_held = is_held;
	if (!is_held)
		fill(walk);
}

/* After a failure one asks for all whether it works again. */
static void fill(struct walk *walk)
{
	int64_t wait_ms = 0;

	size_t most = walk->pause_ms ? 1 : walk->most;

	if (walk->is_held || (walk->pause_ms && uv_is_active((uv_handle_t *)walk->timer)))
		return;
	while (walk->asking < most && !list_is_empty(&walk->waiting) && !(wait_ms = pace(walk)))
		ask(list_entry(walk->waiting.next, struct question, link));
	if (wait_ms)
		uv_timer_start(walk->timer, on_timer, (uint64_t)wait_ms, 0);
}

/* Takes path over. */
static void put(struct walk *walk, enum walk_kind kind, char *path, walk_done *done, void *ctx)
{
	struct question *question = NEW(struct question);

	*question = (struct question){
		.walk = walk, .kind = kind, .path = path, .done = done, .ctx = ctx
	};
	list_init(&question->link);
	list_append(&walk->waiting, &question->link);
	fill(walk);
}

static char *then(char *path, char separator, int64_t snapshot)
{
	char *whole;

	if (snapshot == WALK_NOW)
		return path;
	whole = str_format("%s%csnapshot=%lld", path, separator, (long long)snapshot);
	free(path);
	return whole;
}

void walk_list(struct walk *walk, const char *ref, int64_t snapshot, const char *next,
	       walk_done *done, void *ctx)
{
	AUTO(free) char *escaped = qumulo_ref(ref);

	put(walk, WALK_LIST,
	    next ? str_copy(next)
		 : then(str_format("/v1/files/%s/entries/?limit=%d", escaped, PAGE), '&', snapshot),
	    done, ctx);
}

void walk_look(struct walk *walk, const char *ref, int64_t snapshot, walk_done *done, void *ctx)
{
	AUTO(free) char *escaped = qumulo_ref(ref);

	put(walk, WALK_LOOK,
	    then(str_format("/v1/files/%s/info/attributes", escaped), '?', snapshot), done, ctx);
}

void walk_difference(struct walk *walk, int64_t newer, int64_t older, const char *next,
		     walk_done *done, void *ctx)
{
	put(walk, WALK_DIFFERENCE,
	    next ? str_copy(next)
		 : str_format("/v2/snapshots/%lld/changes-since/%lld?limit=%d", (long long)newer,
			      (long long)older, PAGE),
	    done, ctx);
}

uint64_t walk_requests(const struct walk *walk)
{
	return walk->requests;
}

const char *walk_trouble(const struct walk *walk)
{
	return walk->trouble;
}
