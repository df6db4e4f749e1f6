#include "io/syslog_send.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parse.h"

#define PORT_UDP 514
#define PORT_TCP 601

struct syslog_call {
	enum syslog_way way;
	char *peer; /* for sentences */
	char *path; /* of a local one */
	char *message;
	size_t size;
	uv_getaddrinfo_t lookup;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	uv_tcp_t tcp;
	uv_timer_t timer;
	unsigned open_handles, requests;
	bool has_tcp, is_over, is_final;
	char *why;
	void (*done)(void *ctx, const char *why,
		     bool is_final); /* NULL: it was told, or cancelled */
	void *ctx;
};

/* ---- Who ---- */

static int parse_port(struct text text, int64_t *out, struct error *err)
{
	if (parse_number(text, 1, 65535, out, NULL) < 0)
		return error_set(err, "the port '%.*s': expected 1 to 65535", TEXT_ARGS(text));
	return 0;
}

static int parse_host(struct syslog_server *out, const char *text, int port, struct error *err)
{
	bool is_bracketed = text[0] == '[';
	const char *end = is_bracketed ? strchr(text, ']') : NULL;
	const char *colon =
		is_bracketed ? (end && end[1] == ':' ? end + 1 : NULL) : strrchr(text, ':');
	struct text host = text_of(text);
	int64_t number = port;

	if (is_bracketed && (!end || (end[1] && end[1] != ':')))
		return error_set(err, "expected an address like [::1]:514");
	if (colon && parse_port(text_of(colon + 1), &number, err) < 0)
		return -1;
	if (is_bracketed)
		host = (struct text){ text + 1, (size_t)(end - text - 1) };
	else if (colon)
		host.size = (size_t)(colon - text);
	if (!host.size || memchr(host.data, '/', host.size) ||
	    (!is_bracketed && memchr(host.data, ':', host.size)))
		return error_set(err, "expected a host, perhaps with :port");
	out->host = text_copy(host);
	out->port = (int)number;
	return 0;
}

int syslog_server_parse(struct syslog_server *out, const char *text, struct error *err)
{
	*out = (struct syslog_server){ 0 };
	if (text[0] == '/') {
		if (strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return error_set(err, "the path of a socket has at most %zu bytes",
					 sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		out->way = SYSLOG_LOCAL;
		out->path = str_copy(text);
		return 0;
	}
	if (strncmp(text, "udp://", 6) == 0) {
		out->way = SYSLOG_UDP;
		return parse_host(out, text + 6, PORT_UDP, err);
	}
	if (strncmp(text, "tcp://", 6) == 0) {
		out->way = SYSLOG_TCP;
		return parse_host(out, text + 6, PORT_TCP, err);
	}
	return error_set(err, "expected /dev/log, udp://host:514 or tcp://host:601");
}

void syslog_server_clear(struct syslog_server *server)
{
	free(server->path);
	free(server->host);
	*server = (struct syslog_server){ 0 };
}

/* ---- How it ends ---- */

static void free_if_over(struct syslog_call *call)
{
	if (call->open_handles || call->requests)
		return;
	free(call->peer);
	free(call->path);
	free(call->message);
	free(call->why);
	free(call);
}

static void on_closed(uv_handle_t *handle)
{
	struct syslog_call *call = handle->data;

	call->open_handles--;
	free_if_over(call);
}

/* The handles go; requests that are under way come back first. */
static void call_close(struct syslog_call *call)
{
	if (call->is_over)
		return;
	call->is_over = true;
	if (call->has_tcp)
		uv_close((uv_handle_t *)&call->tcp, on_closed);
	uv_close((uv_handle_t *)&call->timer, on_closed);
}

/* why: given away; NULL: it is sent. */
static void call_end(struct syslog_call *call, char *why, bool is_final)
{
	void (*done)(void *ctx, const char *why, bool is_final) = call->done;

	if (call->is_over) {
		free(why);
		return;
	}
	call->done = NULL;
	call->why = why;
	call_close(call);
	if (done)
		done(call->ctx, call->why, is_final);
}

static char *explain(const struct syslog_call *call, const char *what, int code)
{
	return str_format("the syslog server %s: %s: %s", call->peer, what, uv_strerror(code));
}

void syslog_cancel(struct syslog_call *call)
{
	call->done = NULL;
	call_close(call);
	if (call->requests)
		uv_cancel((uv_req_t *)&call->lookup);
}

static void on_timeout(uv_timer_t *timer)
{
	struct syslog_call *call = timer->data;

	call_end(call, str_format("the syslog server %s: no connection in time", call->peer),
		 false);
}

/* ---- Datagrams ---- */

static void send_datagram(struct syslog_call *call, const struct sockaddr *address, size_t size)
{
	int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code = 0;

	if (fd < 0 ||
	    sendto(fd, call->message, call->size, MSG_NOSIGNAL, address, (socklen_t)size) < 0)
		code = errno;
	if (fd >= 0)
		close(fd);
	if (code)
		call_end(call, explain(call, "cannot send", -code), code == EMSGSIZE);
	else
		call_end(call, NULL, false);
}

static void on_turn(uv_timer_t *timer)
{
	struct syslog_call *call = timer->data;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, call->path, strlen(call->path));
	send_datagram(call, (const struct sockaddr *)&address, sizeof(address));
}

/* ---- TCP ---- */

static void on_shut_down(uv_shutdown_t *request, int code)
{
	struct syslog_call *call = request->data;

	call->requests--;
	call_end(call, code ? explain(call, "the connection broke", code) : NULL, false);
	free_if_over(call);
}

static void on_written(uv_write_t *request, int code)
{
	struct syslog_call *call = request->data;

	call->requests--;
	if (code || call->is_over) {
		call_end(call, explain(call, "the connection broke", code), false);
		free_if_over(call);
		return;
	}
	call->shutdown.data = call;
	call->requests++;
	uv_shutdown(&call->shutdown, (uv_stream_t *)&call->tcp, on_shut_down);
}

static void on_connected(uv_connect_t *request, int code)
{
	struct syslog_call *call = request->data;
	uv_buf_t buf = uv_buf_init(call->message, (unsigned)call->size);

	call->requests--;
	if (code || call->is_over) {
		call_end(call, explain(call, "no connection", code), false);
		free_if_over(call);
		return;
	}
	call->write.data = call;
	call->requests++;
	uv_write(&call->write, (uv_stream_t *)&call->tcp, &buf, 1, on_written);
}

static void connect_to(struct syslog_call *call, const struct sockaddr *address)
{
	uv_tcp_init(call->timer.loop, &call->tcp);
	call->tcp.data = call;
	call->has_tcp = true;
	call->open_handles++;
	call->connect.data = call;
	call->requests++;
	if (uv_tcp_connect(&call->connect, &call->tcp, address, on_connected) != 0) {
		call->requests--;
		call_end(call, explain(call, "no connection", UV_EADDRNOTAVAIL), false);
	}
}

static void on_found(uv_getaddrinfo_t *lookup, int code, struct addrinfo *found)
{
	struct syslog_call *call = lookup->data;

	call->requests--;
	if (call->is_over || code)
		call_end(call, explain(call, "no such host", code), false);
	else if (call->way == SYSLOG_UDP)
		send_datagram(call, found->ai_addr, found->ai_addrlen);
	else
		connect_to(call, found->ai_addr);
	uv_freeaddrinfo(found);
	if (call->is_over)
		free_if_over(call);
}

/* ---- Sending ---- */

struct syslog_call *syslog_send(uv_loop_t *loop, const struct syslog_server *server,
				struct text message, int64_t timeout_ms,
				void (*done)(void *ctx, const char *why, bool is_final), void *ctx)
{
	struct syslog_call *call = NEW(struct syslog_call);
	AUTO(free) char *port = str_format("%d", server->port);
	struct addrinfo hints = {
		.ai_socktype = server->way == SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM,
	};

	call->way = server->way;
	call->peer = server->path ? str_copy(server->path)
				  : str_format("%s:%d", server->host, server->port);
	call->path = server->path ? str_copy(server->path) : NULL;
	call->message = server->way == SYSLOG_TCP
				? str_format("%zu %.*s", message.size, TEXT_ARGS(message))
				: text_copy(message);
	call->size = strlen(call->message);
	call->done = done;
	call->ctx = ctx;
	uv_timer_init(loop, &call->timer);
	call->timer.data = call;
	call->open_handles = 1;
	if (server->way == SYSLOG_LOCAL) {
		uv_timer_start(&call->timer, on_turn, 0, 0);
		return call;
	}
	uv_timer_start(&call->timer, on_timeout, (uint64_t)timeout_ms, 0);
	call->lookup.data = call;
	call->requests++;
	if (uv_getaddrinfo(loop, &call->lookup, on_found, server->host, port, &hints) != 0) {
		call->requests--;
		uv_timer_start(&call->timer, on_timeout, 0, 0);
	}
	return call;
}
