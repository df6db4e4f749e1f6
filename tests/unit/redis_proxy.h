/*
 * redis_proxy: stands between a store and its server on a TCP port of its own, and fails in the
 * ways of a network: it cuts answers off, swallows requests, and lets them through much later.
 */
#ifndef TESTS_REDIS_PROXY_H
#define TESTS_REDIS_PROXY_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>

#include "redis_server.h"

/* The connections of a store, by what they ask first. */
enum redis_proxy_kind { PROXY_CALLS, PROXY_LISTENS, PROXY_FORWARDS };

struct redis_proxy {
	const struct redis_server *server;
	int listener, port;
	pthread_t thread;
	atomic_bool is_closed;  /* new connections are dropped */
	atomic_bool is_over;    /* the end of the test */
	atomic_int open_count;  /* connections */
	atomic_int kind;        /* which connections the following is about */
	atomic_int cut_at;      /* that many bytes of the next answer pass, then the end; -1: all */
	atomic_bool is_holding; /* the next request is kept, and its connection ended */
	char held[65536];
	atomic_int held_size;
};

struct redis_proxy_client {
	struct redis_proxy *proxy;
	int fd;
	pthread_t thread;
	struct redis_proxy_client *next;
};

static inline enum redis_proxy_kind redis_proxy_kind(const char *request, size_t size)
{
	if (memmem(request, size, "\r\nresume\r\n", 10) || memmem(request, size, "XREAD", 5))
		return PROXY_LISTENS;
	return memmem(request, size, "\r\nforward", 9) ? PROXY_FORWARDS : PROXY_CALLS;
}

/* One connection's life. */
static inline void redis_proxy_serve(struct redis_proxy *proxy, int client)
{
	int server = redis_server_connect(proxy->server);
	struct pollfd fds[] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	char bytes[65536];
	int kind = -1;

	while (server >= 0 && !proxy->is_over && !proxy->is_closed) {
		ssize_t size;
		int cut_at;

		if (poll(fds, 2, 10) <= 0)
			continue;
		if (fds[0].revents) {
			size = recv(client, bytes, sizeof(bytes), 0);
			if (size <= 0)
				break;
			if (kind < 0)
				kind = (int)redis_proxy_kind(bytes, (size_t)size);
			if (kind == proxy->kind && proxy->is_holding) {
				memcpy(proxy->held, bytes, (size_t)size);
				proxy->held_size = (int)size;
				proxy->is_holding = false;
				break;
			}
			if (send(server, bytes, (size_t)size, MSG_NOSIGNAL) != size)
				break;
		}
		if (fds[1].revents) {
			size = recv(server, bytes, sizeof(bytes), 0);
			if (size <= 0)
				break;
			cut_at = kind == proxy->kind ? proxy->cut_at : -1;
			if (cut_at >= 0)
				size = MIN(size, cut_at);
			if (send(client, bytes, (size_t)size, MSG_NOSIGNAL) != size)
				break;
			if (cut_at >= 0) {
				proxy->cut_at = -1;
				break;
			}
		}
	}
	if (server >= 0)
		close(server);
}

static inline void *redis_proxy_client_run(void *ctx)
{
	struct redis_proxy_client *client = ctx;

	redis_proxy_serve(client->proxy, client->fd);
	close(client->fd);
	client->proxy->open_count--;
	return NULL;
}

static inline void *redis_proxy_run(void *ctx)
{
	struct redis_proxy *proxy = ctx;
	struct redis_proxy_client *clients = NULL, *next;
	struct pollfd fd = { proxy->listener, POLLIN, 0 };

	while (!proxy->is_over) {
		struct redis_proxy_client *client;
		int accepted;

		if (poll(&fd, 1, 10) <= 0)
			continue;
		accepted = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
		if (accepted < 0)
			continue;
		if (proxy->is_closed) {
			close(accepted);
			continue;
		}
		client = NEW(struct redis_proxy_client);
		*client = (struct redis_proxy_client){ proxy, accepted, 0, clients };
		clients = client;
		proxy->open_count++;
		pthread_create(&client->thread, NULL, redis_proxy_client_run, client);
	}
	for (; clients; clients = next) {
		next = clients->next;
		pthread_join(clients->thread, NULL);
		free(clients);
	}
	return NULL;
}

static UNUSED void redis_proxy_start(struct redis_proxy *proxy, const struct redis_server *server)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);

	proxy->server = server;
	proxy->cut_at = -1;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(proxy->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(proxy->listener, 16), 0);
	assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&at, &size), 0);
	proxy->port = ntohs(at.sin_port);
	pthread_create(&proxy->thread, NULL, redis_proxy_run, proxy);
}

/* What was kept arrives after all. */
static UNUSED void redis_proxy_let_through(struct redis_proxy *proxy)
{
	int server = redis_server_connect(proxy->server);
	char answer[64];

	assert_true(proxy->held_size > 0);
	assert_int_equal(send(server, proxy->held, (size_t)proxy->held_size, 0), proxy->held_size);
	assert_true(recv(server, answer, sizeof(answer), 0) > 0);
	close(server);
}

static UNUSED void redis_proxy_stop(struct redis_proxy *proxy)
{
	proxy->is_over = true;
	pthread_join(proxy->thread, NULL);
	close(proxy->listener);
}

#endif
