#include "store/redis_connection.h"

#include "base/secret.h"
#include "store/redis_route.h"
#include "store/redis_sentinel.h"

#define HOPS_MAX 5

struct redis_connection {
	const struct redis_address *address;
	struct redis_wire wire;
	struct redis_host host; /* that the wire leads to; no name: a Unix socket, or none */
	uint64_t serial;
};

bool redis_has_others(const struct redis_connection *connection)
{
	return connection->address->master || redis_route_has_others(connection->address->route);
}

bool redis_will_pass(const redisReply *reply)
{
	static const char *const words[] = { "LOADING",    "READONLY",    "MASTERDOWN",
					     "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN",
					     "ASK",        "MOVED",       "BUSY" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (redis_is_error(reply, words[i]))
			return true;
	return false;
}

/* ---- Logging in ---- */

/* The file may have another password by now; while it cannot be read, the last one is tried. */
static char *password(const struct redis_address *address)
{
	char *read;

	if (address->password_file && secret_read(&read, address->password_file, NULL) == 0)
		return read;
	return str_copy(address->password ? address->password : "");
}

static int authenticate(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;
	AUTO(free) char *secret = password(address);
	struct text words[] = { TEXT("AUTH"), text_of(address->user ? address->user : "default"),
				text_of(secret) };
	AUTO(freeReplyObject) redisReply *reply = NULL;
	int rc = redis_wire_demand(&connection->wire, 3, words, &reply, err);

	explicit_bzero(secret, strlen(secret));
	return rc;
}

static int select_database(struct redis_connection *connection, struct error *err)
{
	struct text words[] = { TEXT("SELECT"), text_of(connection->address->database) };
	AUTO(freeReplyObject) redisReply *reply = NULL;

	if (redis_wire_ask(&connection->wire, 2, words, &reply, err) < 0)
		return -1;
	if (reply->type != REDIS_REPLY_ERROR)
		return 0;
	connection->wire.is_refused = true;
	return strstr(reply->str, "cluster mode")
		       ? error_set(err,
				   "%s: a Redis Cluster has no database but 0, and the settings "
				   "say %s",
				   connection->wire.place, connection->address->database)
		       : error_set(err, "%s: %s", connection->wire.place, reply->str);
}

/* A Sentinel may name a server that was the master once. */
static int check_role(struct redis_connection *connection, struct error *err)
{
	struct text words[] = { TEXT("ROLE") };
	AUTO(freeReplyObject) redisReply *reply = NULL;

	if (redis_wire_ask(&connection->wire, 1, words, &reply, err) < 0)
		return -1;
	if (redis_is_error(reply, "NOPERM"))
		return 0; /* READONLY will tell */
	if (reply->type == REDIS_REPLY_ERROR)
		return error_set(err, "%s: %s", connection->wire.place, reply->str);
	if (reply->elements && reply->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(reply->element[0]->str, "master") == 0)
		return 0;
	return error_set(err, "%s: is not the master, although a sentinel says so",
			 connection->wire.place);
}

/* The other nodes, for when this one is gone. A server alone knows of none; who may not ask goes on
 * with those it was told. */
static void learn_nodes(struct redis_connection *connection)
{
	struct text words[] = { TEXT("CLUSTER"), TEXT("SLOTS") };
	AUTO(freeReplyObject) redisReply *reply = NULL;

	if (redis_wire_ask(&connection->wire, 2, words, &reply, NULL) < 0)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		redis_route_set_alone(connection->address->route);
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *range = reply->element[i]; /* from, to, node, node, ... */

		for (size_t j = 2; range->type == REDIS_REPLY_ARRAY && j < range->elements; j++) {
			const redisReply *node = range->element[j];
			struct redis_host host;

			if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
			    node->element[0]->type != REDIS_REPLY_STRING ||
			    !node->element[0]->len || node->element[1]->type != REDIS_REPLY_INTEGER)
				continue;
			host = (struct redis_host){ str_copy(node->element[0]->str),
						    str_format("%lld", node->element[1]->integer) };
			redis_route_learn(connection->address->route, &host);
			redis_host_clear(&host);
		}
	}
}

/* ---- Connecting ---- */

static int connect_to(struct redis_connection *connection, const struct redis_host *host,
		      struct error *err)
{
	const struct redis_address *address = connection->address;

	if (redis_wire_open(&connection->wire, host, err) < 0)
		return -1;
	if ((address->password || address->user) && authenticate(connection, err) < 0) {
		connection->wire.is_refused = connection->wire.fd >= 0;
		return -1;
	}
	if (address->database && strcmp(address->database, "0") != 0 &&
	    select_database(connection, err) < 0)
		return -1;
	redis_host_clear(&connection->host);
	if (host)
		connection->host =
			(struct redis_host){ str_copy(host->name), str_copy(host->port) };
	return address->master ? check_role(connection, err) : 0;
}

static int connect_master(struct redis_connection *connection, struct error *err)
{
	struct redis_wire *wire = &connection->wire;
	struct redis_masters masters;
	int64_t until_ms = wire->until_ms;
	int rc;

	wire->until_ms -= MAX(until_ms - redis_now_ms(), 0) / 2;
	rc = redis_masters_find(&masters, wire, err);
	for (size_t i = 0; rc == 0 && i < masters.count; i++) {
		bool is_last = i + 1 == masters.count;

		error_clear(err);
		wire->until_ms = until_ms;
		if (!is_last)
			wire->until_ms -= MAX(until_ms - redis_now_ms(), 0) / 2;
		if (connect_to(connection, &masters.items[i].host, err) == 0)
			break;
		redis_wire_close(wire);
		rc = is_last ? -1 : 0;
	}
	redis_masters_clear(&masters);
	wire->until_ms = until_ms;
	return rc;
}

static int connect_picked(struct redis_connection *connection, struct error *err)
{
	struct redis_route *route = connection->address->route;
	struct redis_wire *wire = &connection->wire;
	int64_t until_ms = wire->until_ms;
	struct redis_host host;
	int rc;

	redis_route_pick(route, &host);
	if (redis_route_has_others(route))
		wire->until_ms -= MAX(until_ms - redis_now_ms(), 0) * 2 / 3;
	rc = connect_to(connection, &host, err);
	wire->until_ms = until_ms;
	if (rc < 0)
		redis_route_avoid(route, &host);
	redis_host_clear(&host);
	return rc;
}

static int connect_all(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;
	int rc = address->path     ? connect_to(connection, NULL, err)
		 : address->master ? connect_master(connection, err)
				   : connect_picked(connection, err);

	if (rc < 0)
		return -1;
	connection->serial++;
	if (connection->host.name && !address->master && !redis_route_is_alone(address->route))
		learn_nodes(connection);
	return 0;
}

/* ---- Calls ---- */

static int follow(struct redis_connection *connection, const redisReply *reply, struct error *err)
{
	struct redis_host host;
	int rc = redis_host_moved(&host, (struct text){ reply->str, reply->len },
				  connection->host.name, err);

	if (rc == 0)
		redis_route_move(connection->address->route, &host);
	redis_host_clear(&host);
	return rc < 0 ? error_prefix(err, "%s", connection->wire.place) : 0;
}

/* The server is up, but not for us: another may be, in a cluster. */
static void mind_state(struct redis_connection *connection, const redisReply *reply)
{
	if (connection->host.name &&
	    (redis_is_error(reply, "CLUSTERDOWN") || redis_is_error(reply, "LOADING") ||
	     redis_is_error(reply, "READONLY") || redis_is_error(reply, "MASTERDOWN")))
		redis_route_avoid(connection->address->route, &connection->host);
}

static enum redis_outcome call_once(struct redis_connection *connection, size_t count,
				    const struct text *words, redisReply **out, struct error *err)
{
	struct redis_wire *wire = &connection->wire;

	if (wire->fd >= 0 && redis_wire_is_gone(wire))
		redis_hang_up(connection);
	if (wire->fd < 0 && connect_all(connection, err) < 0) {
		redis_hang_up(connection);
		return wire->is_refused && !redis_has_others(connection) ? REDIS_REFUSED
									 : REDIS_NOT_SENT;
	}
	if (redis_wire_ask(wire, count, words, out, err) == 0)
		return REDIS_ANSWERED;
	redis_hang_up(connection);
	/* Who is gone amid an answer is not asked again at once if there are others. */
	if (connection->host.name)
		redis_route_avoid(connection->address->route, &connection->host);
	return REDIS_LOST;
}

enum redis_outcome redis_call(struct redis_connection *connection, size_t count,
			      const struct text *words, int64_t until_ms, redisReply **out,
			      struct error *err)
{
	connection->wire.until_ms = until_ms;
	for (int hops = 0;; hops++) {
		redisReply *reply;
		enum redis_outcome outcome = call_once(connection, count, words, &reply, err);
		int rc;

		if (outcome != REDIS_ANSWERED)
			return outcome;
		if (!redis_is_error(reply, "MOVED") || !connection->host.name ||
		    connection->address->master) {
			mind_state(connection, reply);
			*out = reply;
			return REDIS_ANSWERED;
		}
		rc = hops < HOPS_MAX ? follow(connection, reply, err)
				     : error_set(err, "%s: sent from node to node: %s",
						 connection->wire.place, reply->str);
		freeReplyObject(reply);
		redis_hang_up(connection);
		if (rc < 0)
			return REDIS_NOT_SENT;
	}
}

void redis_hang_up(struct redis_connection *connection)
{
	redis_wire_close(&connection->wire);
}

uint64_t redis_connection_serial(const struct redis_connection *connection)
{
	return connection->serial;
}

void redis_interrupt_by(struct redis_connection *connection, int fd)
{
	connection->wire.interrupt_fd = fd;
}

/* ---- Birth and death ---- */

int redis_connection_new(struct redis_connection **out, const struct redis_address *address,
			 struct error *err)
{
	struct redis_connection *connection = NEW(struct redis_connection);

	connection->address = address;
	if (redis_wire_init(&connection->wire, address, err) < 0) {
		free(connection);
		return -1;
	}
	*out = connection;
	return 0;
}

void redis_connection_free(struct redis_connection *connection)
{
	if (!connection)
		return;
	redis_wire_clear(&connection->wire);
	redis_host_clear(&connection->host);
	free(connection);
}
