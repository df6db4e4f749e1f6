/*
 * tree_side: what the host's file system cannot hold, kept in a directory beside the tree.
 *
 *	lock			held while a simulator uses the directory
 *	ids			see tree_id.c
 *	objects/ID.json		one for each object that has something to keep
 *	streams/ID.STREAM	the data of a named stream
 *
 * A file is written under another name and renamed, so it is whole at any moment.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "simulator/tree_model.h"

#define NAME_SIZE 64 /* of files here: numbers and fixed words */
#define NS_PER_MS INT64_C(1000000)

static void object_name(const struct node *node, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "objects/%" PRIu64 ".json", node->id);
}

static void stream_name(const struct node *node, uint64_t stream, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "streams/%" PRIu64 ".%" PRIu64, node->id, stream);
}

static struct side *side_new(void)
{
	struct side *side = NEW(struct side);

	side->retention_ns = TREE_TIME_NONE;
	side->creation_ns = TREE_TIME_NONE;
	side->change_ns = TREE_TIME_NONE;
	return side;
}

struct side *side_of(struct tree *tree, struct node *node)
{
	past_keep(tree, node);
	if (!node->side)
		node->side = side_new();
	return node->side;
}

void kept_identity_clear(struct kept_identity *kept)
{
	free(kept->id_type);
	free(kept->id_value);
	*kept = (struct kept_identity){ 0 };
}

static void kept_identity_copy(struct kept_identity *kept)
{
	kept->id_type = str_copy(kept->id_type);
	kept->id_value = str_copy(kept->id_value);
}

struct side *side_copy(const struct side *side)
{
	struct side *copy;

	if (!side)
		return NULL;
	copy = mem_copy(side, sizeof(*side));
	kept_identity_copy(&copy->owner);
	kept_identity_copy(&copy->group);
	copy->acl = json_deep_copy(side->acl);
	copy->tags = json_deep_copy(side->tags);
	copy->symlink_target = str_copy(side->symlink_target);
	copy->streams = NULL;
	if (side->stream_count > 0)
		copy->streams =
			mem_copy(side->streams, side->stream_count * sizeof(*side->streams));
	for (size_t i = 0; i < copy->stream_count; i++)
		copy->streams[i].name = str_copy(copy->streams[i].name);
	return copy;
}

void side_free(struct side *side)
{
	if (!side)
		return;
	kept_identity_clear(&side->owner);
	kept_identity_clear(&side->group);
	json_decref(side->acl);
	json_decref(side->tags);
	free(side->symlink_target);
	for (size_t i = 0; i < side->stream_count; i++)
		free(side->streams[i].name);
	free(side->streams);
	free(side);
}

void side_touch(struct tree *tree, struct node *node)
{
	struct side *side = side_of(tree, node);

	node_changed(tree, node);
	side->etag = node->etag;
	side->change_ns = MAX(clock_now_ms() * NS_PER_MS, node->look.ctime_ns);
	side->real_change_ns = node->look.ctime_ns;
}

struct kept_stream *side_stream(const struct node *node, uint64_t stream)
{
	if (!node->side)
		return NULL;
	for (size_t i = 0; i < node->side->stream_count; i++)
		if (node->side->streams[i].id == stream)
			return &node->side->streams[i];
	return NULL;
}

/* ---- writing ---- */

static void put_identity(json_t *object, const char *key, const struct kept_identity *kept)
{
	char auth_id[24];

	if (!kept->id_type)
		return;
	snprintf(auth_id, sizeof(auth_id), "%" PRIu64, kept->auth_id);
	json_object_set_new(object, key,
			    json_pack("{s:s,s:s,s:s,s:I}", "auth_id", auth_id, "id_type",
				      kept->id_type, "id_value", kept->id_value, "real",
				      (json_int_t)kept->real));
}

static void put_time(json_t *object, const char *key, int64_t ns)
{
	if (ns != TREE_TIME_NONE)
		json_object_set_new(object, key, json_integer(ns));
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
	if (number != 0)
		json_object_set_new(object, key, json_integer(number));
}

/* An empty object: nothing needs keeping. */
static json_t *side_to_json(const struct side *side)
{
	json_t *object = json_object(), *streams = json_array();

	put_identity(object, "owner", &side->owner);
	put_identity(object, "group", &side->group);
	put_time(object, "retention_ns", side->retention_ns);
	put_number(object, "legal_hold", side->legal_hold);
	put_number(object, "flags", side->flags);
	put_time(object, "creation_ns", side->creation_ns);
	put_time(object, "change_ns", side->change_ns);
	put_number(object, "tag_revision", side->tag_revision);
	put_number(object, "etag", side->etag);
	put_number(object, "last_stream", side->last_stream);
	if (side->change_ns != TREE_TIME_NONE)
		json_object_set_new(object, "real_change_ns", json_integer(side->real_change_ns));
	if (side->acl) {
		json_object_set(object, "acl", side->acl);
		json_object_set_new(object, "acl_mode", json_integer(side->acl_mode));
	}
	if (side->tags)
		json_object_set(object, "tags", side->tags);
	if (side->symlink_target)
		json_object_set_new(object, "symlink_target", json_string(side->symlink_target));
	for (size_t i = 0; i < side->stream_count; i++) {
		const struct kept_stream *stream = &side->streams[i];

		json_array_append_new(
			streams, json_pack("{s:I,s:s,s:I,s:I}", "id", (json_int_t)stream->id,
					   "name", stream->name, "size", (json_int_t)stream->size,
					   "data_revision", (json_int_t)stream->data_revision));
	}
	if (side->stream_count > 0)
		json_object_set(object, "streams", streams);
	json_decref(streams);
	return object;
}

int side_save(struct tree *tree, struct node *node, struct error *err)
{
	char name[NAME_SIZE], passing[NAME_SIZE + 4];
	json_t *json;
	int fd, done;

	if (!node->side)
		return 0;
	object_name(node, name);
	snprintf(passing, sizeof(passing), "%s.new", name);
	json = side_to_json(node->side);
	if (json_object_size(json) == 0) {
		json_decref(json);
		unlinkat(tree->side_fd, name, 0);
		return 0;
	}
	fd = openat(tree->side_fd, passing, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	done = fd < 0 ? -1 : json_dumpfd(json, fd, JSON_COMPACT);
	json_decref(json);
	if (fd >= 0 && close(fd) < 0)
		done = -1;
	if (done < 0 || renameat(tree->side_fd, passing, tree->side_fd, name) < 0)
		return error_errno(err, "%s/%s", tree->side_path, name);
	return 0;
}

void side_forget(struct tree *tree, struct node *node)
{
	char name[NAME_SIZE];

	if (!node->side)
		return;
	for (size_t i = 0; i < node->side->stream_count; i++)
		side_stream_remove(tree, node, node->side->streams[i].id);
	object_name(node, name);
	unlinkat(tree->side_fd, name, 0);
}

void side_compare(struct tree *tree, struct node *node)
{
	struct side *side = node->side;
	bool acl, owner, group;
	AUTO_ERROR err = { 0 };

	if (!side)
		return;
	acl = side->acl && side->acl_mode != (node->look.mode & 07777);
	owner = side->owner.id_type && side->owner.real != node->look.uid;
	group = side->group.id_type && side->group.real != node->look.gid;
	if (!acl && !owner && !group)
		return;
	past_keep(tree, node);
	if (acl)
		json_decref(TAKE(side->acl));
	if (owner)
		kept_identity_clear(&side->owner);
	if (group)
		kept_identity_clear(&side->group);
	if (side_save(tree, node, &err) < 0)
		log_error("tree", "not kept over a restart: %s", error_text(&err));
}

/* ---- streams' data ---- */

int side_stream_open(struct tree *tree, const struct node *node, uint64_t stream, int flags)
{
	char name[NAME_SIZE];

	stream_name(node, stream, name);
	return openat(tree->side_fd, name, flags | O_CREAT | O_CLOEXEC, 0600);
}

void side_stream_remove(struct tree *tree, const struct node *node, uint64_t stream)
{
	char name[NAME_SIZE];

	stream_name(node, stream, name);
	unlinkat(tree->side_fd, name, 0);
}

/* ---- reading ---- */

static uint64_t get_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int64_t get_time(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value ? json_integer_value(value) : TREE_TIME_NONE;
}

static void get_identity(const json_t *object, const char *key, struct kept_identity *out)
{
	const json_t *value = json_object_get(object, key);
	const char *auth_id = json_string_value(json_object_get(value, "auth_id"));
	const char *id_type = json_string_value(json_object_get(value, "id_type"));
	const char *id_value = json_string_value(json_object_get(value, "id_value"));

	if (!auth_id || !id_type || !id_value)
		return;
	out->auth_id = strtoull(auth_id, NULL, 10);
	out->id_type = str_copy(id_type);
	out->id_value = str_copy(id_value);
	out->real = get_number(value, "real");
}

static void get_streams(const json_t *object, struct side *side)
{
	const json_t *streams = json_object_get(object, "streams"), *value;
	size_t i;

	if (json_array_size(streams) == 0)
		return;
	side->streams = mem_array(json_array_size(streams), sizeof(*side->streams));
	json_array_foreach(streams, i, value)
	{
		const char *name = json_string_value(json_object_get(value, "name"));

		if (name)
			side->streams[side->stream_count++] = (struct kept_stream){
				.id = get_number(value, "id"),
				.name = str_copy(name),
				.size = get_number(value, "size"),
				.data_revision = get_number(value, "data_revision"),
			};
	}
}

static void side_from_json(struct side *side, const json_t *object)
{
	const char *target = json_string_value(json_object_get(object, "symlink_target"));

	get_identity(object, "owner", &side->owner);
	get_identity(object, "group", &side->group);
	side->retention_ns = get_time(object, "retention_ns");
	side->legal_hold = get_number(object, "legal_hold") != 0;
	side->flags = get_number(object, "flags");
	side->creation_ns = get_time(object, "creation_ns");
	side->change_ns = get_time(object, "change_ns");
	side->real_change_ns = get_number(object, "real_change_ns");
	side->tag_revision = get_number(object, "tag_revision");
	side->etag = get_number(object, "etag");
	side->last_stream = get_number(object, "last_stream");
	side->acl_mode = get_number(object, "acl_mode");
	side->acl = json_incref(json_object_get(object, "acl"));
	side->tags = json_incref(json_object_get(object, "tags"));
	side->symlink_target = str_copy(target);
	get_streams(object, side);
}

char *side_to_text(const struct side *side)
{
	json_t *json = side_to_json(side);
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

struct side *side_of_text(struct text text)
{
	json_t *json = json_loadb(text.data, text.size, 0, NULL);
	struct side *side = json_is_object(json) ? side_new() : NULL;

	if (side)
		side_from_json(side, json);
	json_decref(json);
	return side;
}

static void load_object(struct tree *tree, int directory, const char *name)
{
	char *end;
	uint64_t id = strtoull(name, &end, 10);
	struct node *node = strcmp(end, ".json") == 0 ? node_find(tree, id) : NULL;
	json_error_t cause;
	json_t *json;
	int fd;

	if (!node) { /* removed while no simulator looked, or half written */
		unlinkat(directory, name, 0);
		return;
	}
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	json = fd < 0 ? NULL : json_loadfd(fd, 0, &cause);
	if (json) {
		side_from_json(side_of(tree, node), json);
		node->etag = MAX(node->etag, node->side->etag);
	} else {
		log_error("tree", "%s/objects/%s: left out: %s", tree->side_path, name,
			  fd < 0 ? strerror(errno) : cause.text);
	}
	json_decref(json);
	if (fd >= 0)
		close(fd);
	side_compare(tree, node);
}

static void load_stream(struct tree *tree, int directory, const char *name)
{
	char *end;
	uint64_t id = strtoull(name, &end, 10);
	uint64_t stream = *end == '.' ? strtoull(end + 1, &end, 10) : 0;
	struct node *node = node_find(tree, id);

	if (!node || !side_stream(node, stream))
		unlinkat(directory, name, 0);
}

static int each_file(struct tree *tree, const char *folder,
		     void (*visit)(struct tree *tree, int directory, const char *name),
		     struct error *err)
{
	int fd = openat(tree->side_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return error_errno(err, "%s/%s", tree->side_path, folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			visit(tree, fd, entry->d_name);
	closedir(dir);
	return 0;
}

int sides_load(struct tree *tree, struct error *err)
{
	if (each_file(tree, "objects", load_object, err) < 0)
		return -1;
	return each_file(tree, "streams", load_stream, err);
}

/* ---- life ---- */

static bool is_inside(const char *root, const char *path)
{
	AUTO(free) char *real = realpath(path, NULL);

	return real && (strcmp(real, root) == 0 || path_is_below(text_of(real), text_of(root)));
}

static int make_folder(struct tree *tree, const char *folder, struct error *err)
{
	if (mkdirat(tree->side_fd, folder, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "%s/%s", tree->side_path, folder);
	return 0;
}

int sides_open(struct tree *tree, const char *side_path, struct error *err)
{
	tree->side_path =
		side_path ? str_copy(side_path) : str_format("%s.cn_simulator", tree->root_path);
	if (mkdir(tree->side_path, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "%s (where the simulator keeps what %s cannot hold)",
				   tree->side_path, tree->root_path);
	if (is_inside(tree->root_path, tree->side_path))
		return error_set(err, "%s: expected a directory outside of %s", tree->side_path,
				 tree->root_path);
	tree->side_fd = open(tree->side_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree->side_fd < 0)
		return error_errno(err, "%s", tree->side_path);
	tree->side_lock_fd = openat(tree->side_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (tree->side_lock_fd < 0)
		return error_errno(err, "%s/lock", tree->side_path);
	if (flock(tree->side_lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? error_set(err, "%s: another simulator is using it",
							tree->side_path)
					    : error_errno(err, "%s/lock", tree->side_path);
	if (make_folder(tree, "objects", err) < 0)
		return -1;
	return make_folder(tree, "streams", err);
}

void sides_close(struct tree *tree)
{
	if (tree->side_lock_fd >= 0)
		close(tree->side_lock_fd);
	if (tree->side_fd >= 0)
		close(tree->side_fd);
	free(tree->side_path);
}
