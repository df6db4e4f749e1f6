/*
 * redis_group: several redis-servers of the test's own on loopback: a Redis Cluster of three
 * masters and a replica, or a master and a replica under three Sentinels. They die with the test.
 */
#ifndef TESTS_REDIS_GROUP_H
#define TESTS_REDIS_GROUP_H

#include "redis_server.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#define GROUP_PASSWORD "open-sesame"
enum { GROUP_WAIT_MS = 60000 }; /* for what takes a second, on a machine that is busy */

/* ---- Commands, and waiting for what they show ---- */

/* As text: a number, a status, an error's sentence, or the items of a list in lines. For free(). */
static UNUSED char *redis_show(const redisReply *reply)
{
	char *text;

	if (!reply)
		return str_copy("");
	if (reply->type == REDIS_REPLY_INTEGER)
		return str_format("%lld", reply->integer);
	if (reply->type != REDIS_REPLY_ARRAY)
		return str_copy(reply->str ? reply->str : "");
	text = str_copy("");
	for (size_t i = 0; i < reply->elements; i++) {
		AUTO(free) char *before = text;
		AUTO(free) char *item = redis_show(reply->element[i]);

		text = str_format("%s%s\n", before, item);
	}
	return text;
}

/* "" also if nobody answers; for free(). */
static UNUSED char *redis_tell(const struct redis_server *server, const char *format, ...)
	PRINTF_LIKE(2, 3);
static UNUSED char *redis_tell(const struct redis_server *server, const char *format, ...)
{
	const struct timeval limit = { .tv_sec = 20 };
	redisContext *context = redisConnectUnix(server->socket);
	redisReply *reply = NULL;
	AUTO(free) char *line = NULL;
	char *text, *words[32], *rest, *word;
	int count = 0;
	va_list args;

	va_start(args, format);
	line = str_vformat(format, args);
	va_end(args);
	for (rest = line; (word = strtok_r(rest, " \n", &rest)) && count < 32;)
		words[count++] = word;
	if (context && !context->err && redisSetTimeout(context, limit) == REDIS_OK) {
		/* Where no password is set that is an error, and fine. */
		freeReplyObject(redisCommand(context, "AUTH " GROUP_PASSWORD));
		reply = redisCommandArgv(context, count, (const char **)words, NULL);
	}
	text = redis_show(reply);
	if (reply)
		freeReplyObject(reply);
	if (context)
		redisFree(context);
	return text;
}

/* Until the answer to a command has all of these in it. */
static UNUSED void redis_await(const struct redis_server *server, const char *command,
			       const char *const *wanted)
{
	for (int i = 0; i < GROUP_WAIT_MS / 20; i++) {
		AUTO(free) char *answer = redis_tell(server, "%s", command);
		bool has_all = *answer;

		for (size_t j = 0; wanted[j]; j++)
			has_all = has_all && strstr(answer, wanted[j]);
		if (has_all)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("%s: %s never says %s", server->dir, command, wanted[0]);
}

#define AWAIT(server, command, ...) \
	redis_await((server), (command), (const char *const[]){ __VA_ARGS__, NULL })

static inline int64_t redis_offset(const struct redis_server *server, const char *name)
{
	AUTO(free) char *info = redis_tell(server, "INFO replication");
	const char *place = strstr(info, name);

	return place ? atoll(place + strlen(name)) : -1;
}

/* The replica has all that the master has. */
static UNUSED void redis_await_copy(const struct redis_server *master,
				    const struct redis_server *replica)
{
	for (int i = 0; i < GROUP_WAIT_MS / 20; i++) {
		int64_t offset = redis_offset(master, "master_repl_offset:");

		if (offset > 0 && redis_offset(replica, "slave_repl_offset:") >= offset)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("%s: the replica stays behind", replica->dir);
}

/* ---- Servers with a port ---- */

/* Below those that the system gives to connections, so that nobody comes in between. */
static UNUSED int group_port(void)
{
	static unsigned next;

	if (!next)
		next = (unsigned)getpid() * 31;
	for (int i = 0; i < 10000; i++) {
		int port = 10000 + (int)(next++ % 20000);
		struct sockaddr_in at = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)port),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rc = bind(fd, (struct sockaddr *)&at, sizeof(at));

		close(fd);
		if (rc == 0)
			return port;
	}
	fail_msg("no port is free");
	return 0;
}

static UNUSED void group_dir(struct redis_server *server)
{
	AUTO(free) char *path = NULL;

	snprintf(server->dir, sizeof(server->dir), "%s/cn_redis.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(server->dir))
		fail_msg("no directory for redis-server");
	path = str_format("%s/redis.sock", server->dir);
	snprintf(server->socket, sizeof(server->socket), "%s", path);
}

/* false: it ended at once, because somebody else had taken the port. */
static UNUSED bool group_run(struct redis_server *server, const char *const *words)
{
	char answer[64];

	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(words[0], (char **)words);
		_exit(127);
	}
	for (int i = 0; i < GROUP_WAIT_MS / 10; i++) {
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
			server->pid = 0;
			return false;
		}
		if (redis_server_ask(server, "PING", answer))
			return true;
		poll(NULL, 0, 10);
	}
	fail_msg("redis-server does not start: see %s/log", server->dir);
	return false;
}

/* Starts it, the second time with its port and its data. more: options, ended by NULL. */
static UNUSED void group_start(struct redis_server *server, int *port, const char *const *more)
{
	bool is_new = !server->dir[0];

	if (is_new)
		group_dir(server);
	for (int tries = 0; tries < 20; tries++) {
		char port_text[16], bus_text[16];
		const char *words[48] = { "redis-server",
					  "--port",
					  port_text,
					  "--bind",
					  "127.0.0.1",
					  "--unixsocket",
					  server->socket,
					  "--dir",
					  server->dir,
					  "--save",
					  "",
					  "--logfile",
					  "log",
					  "--appendonly",
					  "yes" };
		size_t count = 15;

		if (is_new)
			*port = group_port();
		snprintf(port_text, sizeof(port_text), "%d", *port);
		snprintf(bus_text, sizeof(bus_text), "%d", group_port());
		for (const char *const *at = more; at && *at; at++) {
			words[count++] = *at;
			if (strcmp(*at, "--cluster-port") == 0)
				words[count++] = bus_text;
		}
		if (group_run(server, words))
			return;
	}
	fail_msg("redis-server does not start: see %s/log", server->dir);
}

/* ---- A Redis Cluster ---- */

#define CLUSTER_NODES 4

struct redis_cluster {
	struct redis_server nodes[CLUSTER_NODES]; /* the last is a replica of the first */
	int ports[CLUSTER_NODES];
};

static const char *const cluster_options[] = { "--cluster-enabled",
					       "yes",
					       "--cluster-port", /* its value is put in */
					       "--cluster-node-timeout",
					       "2000",
					       "--cluster-replica-validity-factor",
					       "0",
					       NULL };

static UNUSED char *cluster_id(const struct redis_cluster *cluster, int node)
{
	return redis_tell(&cluster->nodes[node], "CLUSTER MYID");
}

static UNUSED char *cluster_url(const struct redis_cluster *cluster)
{
	return str_format("redis://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", cluster->ports[0],
			  cluster->ports[1], cluster->ports[2]);
}

static UNUSED void cluster_start(struct redis_cluster *cluster)
{
	static const char *const slots[] = { "0 5460", "5461 10922", "10923 16383" };
	AUTO(free) char *first = NULL;

	for (int i = 0; i < CLUSTER_NODES; i++) {
		group_start(&cluster->nodes[i], &cluster->ports[i], cluster_options);
		free(redis_tell(&cluster->nodes[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1));
		if (i < 3)
			free(redis_tell(&cluster->nodes[i], "CLUSTER ADDSLOTSRANGE %s", slots[i]));
	}
	for (int i = 1; i < CLUSTER_NODES; i++) {
		AUTO(free)
		char *bus = redis_tell(&cluster->nodes[i], "CONFIG GET cluster-port");

		free(redis_tell(&cluster->nodes[0], "CLUSTER MEET 127.0.0.1 %d %s",
				cluster->ports[i], strchr(bus, '\n') + 1));
	}
	for (int i = 0; i < CLUSTER_NODES; i++)
		AWAIT(&cluster->nodes[i], "CLUSTER INFO", "cluster_state:ok",
		      "cluster_known_nodes:4", "cluster_size:3");
	first = cluster_id(cluster, 0);
	free(redis_tell(&cluster->nodes[3], "CLUSTER REPLICATE %s", first));
	AWAIT(&cluster->nodes[3], "INFO replication", "role:slave", "master_link_status:up");
}

static UNUSED void cluster_remove(struct redis_cluster *cluster)
{
	for (int i = 0; i < CLUSTER_NODES; i++)
		redis_server_remove(&cluster->nodes[i]);
}

/* ---- Sentinels ---- */

#define SENTINELS 3

struct redis_watched {
	struct redis_server master, replica;
	int master_port, replica_port;
	struct redis_server sentinels[SENTINELS];
	int sentinel_ports[SENTINELS];
};

/* For free(). */
static UNUSED char *watched_sentinels(const struct redis_watched *watched)
{
	return str_format("127.0.0.1:%d, 127.0.0.1:%d, 127.0.0.1:%d", watched->sentinel_ports[0],
			  watched->sentinel_ports[1], watched->sentinel_ports[2]);
}

/* more: lines of its configuration. */
static UNUSED void sentinel_start(struct redis_server *server, int *port, int master_port,
				  const char *more)
{
	AUTO(free) char *path = NULL;
	const char *words[] = { "redis-server", NULL, "--sentinel", NULL };
	FILE *file;

	group_dir(server);
	path = str_format("%s/sentinel.conf", server->dir);
	words[1] = path;
	for (int tries = 0; tries < 20; tries++) {
		*port = group_port();
		file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file,
			"port %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\nlogfile %s/log\n"
			"sentinel monitor mymaster 127.0.0.1 %d 2\n"
			"sentinel down-after-milliseconds mymaster 1000\n"
			"sentinel failover-timeout mymaster 10000\n%s",
			*port, server->socket, server->dir, server->dir, master_port, more);
		fclose(file);
		if (group_run(server, words))
			return;
	}
	fail_msg("a sentinel does not start: see %s/log", server->dir);
}

/* All of them want GROUP_PASSWORD if there is one. */
static UNUSED void watched_start(struct redis_watched *watched, bool has_password)
{
	char port[16];
	const char *master[] = { "--repl-diskless-sync-delay",
				 "0",
				 NULL,
				 GROUP_PASSWORD,
				 "--masterauth",
				 GROUP_PASSWORD,
				 NULL };
	const char *replica[] = { "--replicaof",  "127.0.0.1",    port,           NULL,
				  GROUP_PASSWORD, "--masterauth", GROUP_PASSWORD, NULL };
	const char *more = has_password ? "requirepass " GROUP_PASSWORD
					  "\nsentinel auth-pass mymaster " GROUP_PASSWORD
					  "\nsentinel sentinel-pass " GROUP_PASSWORD "\n"
					: "";

	master[2] = replica[3] = has_password ? "--requirepass" : NULL;
	group_start(&watched->master, &watched->master_port, master);
	snprintf(port, sizeof(port), "%d", watched->master_port);
	group_start(&watched->replica, &watched->replica_port, replica);
	for (int i = 0; i < SENTINELS; i++)
		sentinel_start(&watched->sentinels[i], &watched->sentinel_ports[i],
			       watched->master_port, more);
}

/* They know each other and the replica, so that a fail-over can happen. */
static UNUSED void watched_await(struct redis_watched *watched)
{
	for (int i = 0; i < SENTINELS; i++)
		AWAIT(&watched->sentinels[i], "SENTINEL MASTER mymaster",
		      "num-other-sentinels\n2\n", "num-slaves\n1\n", "flags\nmaster\n");
}

static UNUSED void watched_remove(struct redis_watched *watched)
{
	for (int i = 0; i < SENTINELS; i++)
		redis_server_remove(&watched->sentinels[i]);
	redis_server_remove(&watched->replica);
	redis_server_remove(&watched->master);
}

/* ---- A server that always says the same ---- */

struct redis_liar {
	int listener, port;
	char answer[256];
	pthread_t thread;
	atomic_bool is_over;
	atomic_int asked;
};

static inline void *liar_run(void *ctx)
{
	struct redis_liar *liar = ctx;
	struct pollfd fds[] = { { liar->listener, POLLIN, 0 }, { -1, POLLIN, 0 } };
	char bytes[65536];

	while (!liar->is_over) {
		if (poll(fds, 2, 10) <= 0)
			continue;
		if (fds[0].revents) {
			if (fds[1].fd >= 0)
				close(fds[1].fd);
			fds[1].fd = accept4(liar->listener, NULL, NULL, SOCK_CLOEXEC);
			continue;
		}
		if (recv(fds[1].fd, bytes, sizeof(bytes), 0) > 0) {
			liar->asked++;
			(void)!send(fds[1].fd, liar->answer, strlen(liar->answer), MSG_NOSIGNAL);
		} else {
			close(fds[1].fd);
			fds[1].fd = -1;
		}
	}
	if (fds[1].fd >= 0)
		close(fds[1].fd);
	return NULL;
}

/* Fill in the answer once the port is known, before anybody asks. */
static UNUSED void liar_start(struct redis_liar *liar)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);

	*liar = (struct redis_liar){ 0 };
	liar->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(liar->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(liar->listener, 16), 0);
	assert_int_equal(getsockname(liar->listener, (struct sockaddr *)&at, &size), 0);
	liar->port = ntohs(at.sin_port);
	pthread_create(&liar->thread, NULL, liar_run, liar);
}

static UNUSED void liar_stop(struct redis_liar *liar)
{
	liar->is_over = true;
	pthread_join(liar->thread, NULL);
	close(liar->listener);
}

#endif
