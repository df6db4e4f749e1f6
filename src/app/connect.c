#include "app/connect.h"

#include "base/secret.h"
#include "qumulo/copy.h"
#include "qumulo/files.h"
#include "qumulo/handles.h"
#include "qumulo/identity.h"
#include "qumulo/permissions.h"
#include "qumulo/snapshots.h"
#include "qumulo/tags.h"

struct connection {
	struct qumulo_settings settings;
	struct qumulo_address *addresses;
	struct qumulo *client;
	struct cluster cluster;
};

/* Asked at the start and after each 401, so that a token replaced in its file is found. */
static int credential(void *ctx, char **token, char **username, char **password, struct error *err)
{
	const struct cluster_settings *settings = ctx;

	if (settings->token) {
		*token = str_copy(settings->token);
		return 0;
	}
	if (settings->token_file)
		return secret_read(token, settings->token_file, err);
	if (!settings->username || !settings->password_file)
		return error_set(err, "no credential is configured");
	if (secret_read(password, settings->password_file, err) < 0)
		return -1;
	*username = str_copy(settings->username);
	return 0;
}

/* struct cluster_call is what actions call a struct qumulo_call; these few lines are the bridge.
 */
static struct cluster_call *get(void *self, const char *ref, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_get(self, ref, done, ctx);
}

static struct cluster_call *move(void *self, const char *source_path, const char *directory,
				 const char *name, bool replace, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_move(self, source_path, directory, name, replace, done,
						 ctx);
}

static struct cluster_call *make_directory(void *self, const char *directory, const char *name,
					   file_done *done, void *ctx)
{
	return (struct cluster_call *)files_make_directory(self, directory, name, done, ctx);
}

static struct cluster_call *change(void *self, const char *id, const char *etag,
				   const struct file_change *what, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_change(self, id, etag, what, done, ctx);
}

static struct cluster_call *find(void *self, const char *directory, const char *name,
				 file_done *done, void *ctx)
{
	return (struct cluster_call *)files_find(self, directory, name, done, ctx);
}

static struct cluster_call *identify(void *self, const char *name, identity_done *done, void *ctx)
{
	return (struct cluster_call *)identity_find(self, name, done, ctx);
}

static struct cluster_call *get_lock(void *self, const char *id, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_get_lock(self, id, done, ctx);
}

static struct cluster_call *lock(void *self, const char *id, const char *etag,
				 const struct file_lock *what, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_lock(self, id, etag, what, done, ctx);
}

static struct cluster_call *get_tags(void *self, const char *id, const char *key, file_done *done,
				     void *ctx)
{
	return (struct cluster_call *)tags_get(self, id, key, done, ctx);
}

static struct cluster_call *get_open(void *self, const char *id, size_t pages, file_done *done,
				     void *ctx)
{
	return (struct cluster_call *)handles_get(self, id, pages, done, ctx);
}

static struct cluster_call *set_tag(void *self, const char *id, const struct tag_change *what,
				    file_done *done, void *ctx)
{
	return (struct cluster_call *)tags_set(self, id, what, done, ctx);
}

static struct cluster_call *remove_file(void *self, const char *id, file_done *done, void *ctx)
{
	return (struct cluster_call *)files_remove(self, id, done, ctx);
}

static struct cluster_call *list_directory(void *self, const char *directory, const char *next,
					   file_done *done, void *ctx)
{
	return (struct cluster_call *)permissions_list(self, directory, next, done, ctx);
}

static struct cluster_call *get_acl(void *self, const char *id, file_done *done, void *ctx)
{
	return (struct cluster_call *)permissions_get_acl(self, id, done, ctx);
}

static struct cluster_call *set_acl(void *self, const char *id, const char *etag, const char *acl,
				    file_done *done, void *ctx)
{
	return (struct cluster_call *)permissions_set_acl(self, id, etag, acl, done, ctx);
}

static struct cluster_call *make_file(void *self, const char *directory, const char *name,
				      file_done *done, void *ctx)
{
	return (struct cluster_call *)files_make_file(self, directory, name, done, ctx);
}

static struct cluster_call *copy_a_piece(void *self, const char *id, const struct file_piece *piece,
					 file_done *done, void *ctx)
{
	return (struct cluster_call *)copy_piece(self, id, piece, done, ctx);
}

static struct cluster_call *take_snapshot(void *self, const char *directory, const char *suffix,
					  int64_t expires_ms, snapshot_done *done, void *ctx)
{
	return (struct cluster_call *)snapshots_take(self, directory, suffix, expires_ms, done,
						     ctx);
}

static struct cluster_call *find_snapshot(void *self, const char *suffix, snapshot_done *done,
					  void *ctx)
{
	return (struct cluster_call *)snapshots_find(self, suffix, done, ctx);
}

static struct cluster_call *drop_snapshot(void *self, int64_t id, snapshot_done *done, void *ctx)
{
	return (struct cluster_call *)snapshots_drop(self, id, done, ctx);
}

static void cancel(struct cluster_call *call)
{
	qumulo_cancel((struct qumulo_call *)call);
}

struct connection *connection_new(struct http *http, const struct cluster_settings *settings)
{
	struct connection *connection = NEW(struct connection);

	connection->addresses = mem_array(settings->address_count, sizeof(struct qumulo_address));
	for (size_t i = 0; i < settings->address_count; i++) {
		const struct address *address = &settings->addresses[i];

		connection->addresses[i] =
			(struct qumulo_address){ address->host, address->port, address->is_plain,
						 address->prefix };
	}
	connection->settings = (struct qumulo_settings){
		.name = settings->name,
		.addresses = connection->addresses,
		.address_count = settings->address_count,
		.credential = credential,
		.ctx = (void *)settings,
		.tls = { settings->verify_tls, settings->ca_file, settings->fingerprint },
		.timeout_ms = settings->timeout_ms,
	};
	connection->client = qumulo_new(http, &connection->settings);
	connection->cluster = (struct cluster){
		.self = connection->client,
		.get = get,
		.move = move,
		.make_directory = make_directory,
		.change = change,
		.find = find,
		.identify = identify,
		.get_lock = get_lock,
		.lock = lock,
		.get_tags = get_tags,
		.get_open = get_open,
		.take_snapshot = take_snapshot,
		.find_snapshot = find_snapshot,
		.drop_snapshot = drop_snapshot,
		.remove = remove_file,
		.set_tag = set_tag,
		.list = list_directory,
		.get_acl = get_acl,
		.set_acl = set_acl,
		.make_file = make_file,
		.copy_piece = copy_a_piece,
		.cancel = cancel,
	};
	return connection;
}

void connection_free(struct connection *connection)
{
	if (!connection)
		return;
	qumulo_free(connection->client);
	free(connection->addresses);
	free(connection);
}

struct qumulo *connection_client(struct connection *connection)
{
	return connection->client;
}

const struct cluster *connection_cluster(struct connection *connection)
{
	return &connection->cluster;
}
