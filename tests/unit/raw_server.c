#include "raw_server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "base/list.h"

struct raw_server {
	uv_tcp_t tcp;
	struct list peers;
	unsigned open_handles;
	int port;
	int connections;
	void (*asked)(void *ctx, struct raw_peer *peer, struct text request);
	void *ctx;
};

struct raw_peer {
	uv_tcp_t tcp;
	struct list link;
	struct raw_server *server;
	struct buf *in;
	char piece[4096];
};

struct raw_write {
	uv_write_t write;
	char *data;
};

static void server_release(struct raw_server *server)
{
	if (--server->open_handles == 0)
		free(server);
}

static void peer_closed(uv_handle_t *handle)
{
	struct raw_peer *peer = handle->data;

	server_release(peer->server);
	buf_free(peer->in);
	free(peer);
}

static void peer_drop(struct raw_peer *peer)
{
	list_remove(&peer->link);
	if (!uv_is_closing((uv_handle_t *)&peer->tcp))
		uv_close((uv_handle_t *)&peer->tcp, peer_closed);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct raw_peer *peer = handle->data;

	*out = uv_buf_init(peer->piece, sizeof(peer->piece));
}

/* The size of the request at the front, 0 if it is not whole yet. */
static size_t request_size(const struct buf *in)
{
	const char *end = in->data ? strstr(in->data, "\r\n\r\n") : NULL;
	const char *length;
	size_t size;

	if (!end)
		return 0;
	size = (size_t)(end + 4 - in->data);
	length = strcasestr(in->data, "\r\ncontent-length:");
	if (length && length < end)
		size += strtoul(length + 17, NULL, 10);
	return size <= in->size ? size : 0;
}

static void peer_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *piece)
{
	struct raw_peer *peer = stream->data;
	size_t whole;

	if (size < 0)
		return peer_drop(peer);
	if (!buf_append(peer->in, piece->base, (size_t)size))
		abort();
	while ((whole = request_size(peer->in))) {
		peer->server->asked(peer->server->ctx, peer,
				    (struct text){ peer->in->data, whole });
		buf_consume(peer->in, whole);
	}
}

static void server_accept(uv_stream_t *stream, int status)
{
	struct raw_server *server = stream->data;
	struct raw_peer *peer = NEW(struct raw_peer);

	uv_tcp_init(stream->loop, &peer->tcp);
	peer->tcp.data = peer;
	peer->server = server;
	peer->in = buf_new(64 << 20);
	server->open_handles++;
	server->connections++;
	list_append(&server->peers, &peer->link);
	if (uv_accept(stream, (uv_stream_t *)&peer->tcp) < 0)
		abort();
	uv_tcp_nodelay(&peer->tcp, 1);
	uv_read_start((uv_stream_t *)&peer->tcp, give_room, peer_read);
}

struct raw_server *
raw_server_new(uv_loop_t *loop,
	       void (*asked)(void *ctx, struct raw_peer *peer, struct text request), void *ctx)
{
	struct raw_server *server = NEW(struct raw_server);
	struct sockaddr_in address;
	int size = sizeof(address);

	server->asked = asked;
	server->ctx = ctx;
	server->open_handles = 1;
	list_init(&server->peers);
	uv_tcp_init(loop, &server->tcp);
	server->tcp.data = server;
	uv_ip4_addr("127.0.0.1", 0, &address);
	if (uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0) < 0 ||
	    uv_listen((uv_stream_t *)&server->tcp, 128, server_accept) < 0 ||
	    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &size) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	return server;
}

int raw_server_port(const struct raw_server *server)
{
	return server->port;
}

int raw_server_connections(const struct raw_server *server)
{
	return server->connections;
}

static void server_closed(uv_handle_t *handle)
{
	server_release(handle->data);
}

void raw_server_free(struct raw_server *server)
{
	struct raw_peer *peer;

	list_for_each (peer, &server->peers, link)
		peer_drop(peer);
	uv_close((uv_handle_t *)&server->tcp, server_closed);
}

static void written(uv_write_t *write, int status)
{
	struct raw_write *said = CONTAINER_OF(write, struct raw_write, write);

	free(said->data);
	free(said);
}

void raw_say_bytes(struct raw_peer *peer, struct text text)
{
	struct raw_write *said = NEW(struct raw_write);
	uv_buf_t buf;

	said->data = text_copy(text);
	buf = uv_buf_init(said->data, (unsigned)text.size);
	if (uv_is_closing((uv_handle_t *)&peer->tcp) ||
	    uv_write(&said->write, (uv_stream_t *)&peer->tcp, &buf, 1, written) < 0)
		written(&said->write, 0);
}

void raw_say(struct raw_peer *peer, const char *text)
{
	raw_say_bytes(peer, text_of(text));
}

void raw_answer(struct raw_peer *peer, const char *status, const char *headers, const char *body)
{
	AUTO(free)
	char *answer = str_format("HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
				  strlen(body), headers, body);

	raw_say(peer, answer);
}

static void shut(uv_shutdown_t *shutdown, int status)
{
	struct raw_peer *peer = shutdown->data;

	free(shutdown);
	if (status != UV_ECANCELED)
		peer_drop(peer);
}

void raw_close(struct raw_peer *peer)
{
	uv_shutdown_t *shutdown = NEW(uv_shutdown_t);

	shutdown->data = peer;
	uv_read_stop((uv_stream_t *)&peer->tcp);
	if (uv_shutdown(shutdown, (uv_stream_t *)&peer->tcp, shut) < 0) {
		free(shutdown);
		peer_drop(peer);
	}
}

void raw_reset(struct raw_peer *peer)
{
	list_remove(&peer->link);
	if (!uv_is_closing((uv_handle_t *)&peer->tcp))
		uv_tcp_close_reset(&peer->tcp, peer_closed);
}
