#include "io/http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/list.h"
#include "io/listen.h"

#define BODY_LIMIT (1u << 20)
#define HEARD_OUT_LIMIT (64u << 20)
#define CONNECTIONS_MAX 256u
#define IDLE_TIMEOUT_S 60u

struct http_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	struct listener listener;
	uv_poll_t poll; /* of the daemon's epoll */
	uv_timer_t timer;
	unsigned open_handles;
	struct list exchanges;
	bool is_closing;
	void (*asked)(void *ctx, const struct http_ask *ask);
	void *ctx;
};

/* Lives until it was answered and the daemon is done with it, in whatever order. */
struct http_exchange {
	struct list link;
	struct http_server *server; /* NULL once the daemon is done with it */
	struct MHD_Connection *connection;
	struct buf *body;
	struct MHD_Response *response;
	int status;
	size_t body_size;
	bool is_too_large;
	bool is_asked;
	bool is_answered;
	bool is_suspended;
};

static void exchange_free(struct http_exchange *exchange)
{
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	buf_free(exchange->body);
	free(exchange);
}

static void server_free_when_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	if (--server->open_handles)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}

static void server_run(struct http_server *server);

static void timer_fired(uv_timer_t *timer)
{
	server_run(timer->data);
}

static void epoll_ready(uv_poll_t *poll, int status, int events)
{
	server_run(poll->data);
}

static void server_run_at(struct http_server *server, uint64_t wait_ms)
{
	if (!server->is_closing)
		uv_timer_start(&server->timer, timer_fired, wait_ms, 0);
}

static void server_run(struct http_server *server)
{
	unsigned long long wait_ms;

	MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
		server_run_at(server, wait_ms);
	else
		uv_timer_stop(&server->timer);
}

const char *http_ask_query(const struct http_ask *ask, const char *name)
{
	return MHD_lookup_connection_value(ask->exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct MHD_Response *response_make(const char *content_type, struct text body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.size, (void *)(body.data ? body.data : ""), MHD_RESPMEM_MUST_COPY);

	if (!response)
		abort(); /* out of memory */
	if (content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	return response;
}

void http_answer_with(struct http_exchange *exchange, int status, const char *content_type,
		      struct text body)
{
	if (!exchange->server)
		return exchange_free(exchange); /* the client, or the server, is gone */
	exchange->response = response_make(content_type, body);
	exchange->status = status;
	exchange->is_answered = true;
	if (exchange->is_suspended) {
		exchange->is_suspended = false;
		MHD_resume_connection(exchange->connection);
		server_run_at(exchange->server, 0);
	}
}

static enum MHD_Result refuse_too_large(struct MHD_Connection *connection)
{
	struct MHD_Response *response =
		response_make("text/plain", TEXT("The body is larger than 1 MiB.\n"));
	enum MHD_Result result =
		MHD_queue_response(connection, MHD_HTTP_CONTENT_TOO_LARGE, response);

	MHD_destroy_response(response);
	return result;
}

/* The daemon calls this with the headers, with each piece of the body, at its end, and once more
 * when a suspended connection goes on. */
static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *path,
				 const char *method, const char *version, const char *data,
				 size_t *size, void **place)
{
	struct http_server *server = ctx;
	struct http_exchange *exchange = *place;

	if (server->is_closing)
		return MHD_NO;
	if (!exchange) {
		exchange = *place = NEW(struct http_exchange);
		exchange->server = server;
		exchange->connection = connection;
		exchange->body = buf_new(BODY_LIMIT);
		list_append(&server->exchanges, &exchange->link);
		return MHD_YES;
	}
	if (*size) {
		/* Amid a body nothing can be answered, and a client that is cut off while it sends
		 * sees a reset in place of the answer: so it is heard out, within reason. */
		exchange->body_size += *size;
		if (exchange->body_size > HEARD_OUT_LIMIT)
			return MHD_NO;
		exchange->is_too_large |= !buf_append(exchange->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (exchange->is_too_large)
		return refuse_too_large(connection);
	if (!exchange->is_asked) {
		exchange->is_asked = true;
		server->asked(server->ctx, &(struct http_ask){
						   .method = method,
						   .path = path,
						   .body = buf_text(exchange->body),
						   .exchange = exchange,
					   });
	}
	if (exchange->is_answered)
		return MHD_queue_response(connection, exchange->status, exchange->response);
	exchange->is_suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **place,
			 enum MHD_RequestTerminationCode code)
{
	struct http_exchange *exchange = *place;

	if (!exchange)
		return;
	*place = NULL;
	list_remove(&exchange->link);
	exchange->server = NULL;
	exchange->is_suspended = false;
	if (exchange->is_answered || !exchange->is_asked)
		exchange_free(exchange);
}

static void keep_quiet(void *ctx, const char *format, va_list args)
{
}

static struct MHD_Daemon *daemon_start(struct http_server *server)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
				NULL, NULL, on_access, server,
				/* first, or else it speaks of the following options */
				MHD_OPTION_EXTERNAL_LOGGER, keep_quiet, NULL,
				MHD_OPTION_LISTEN_SOCKET, server->listener.fd,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_END);
}

int http_server_open(struct http_server **out, uv_loop_t *loop, const char *address,
		     void (*asked)(void *ctx, const struct http_ask *ask), void *ctx,
		     struct error *err)
{
	struct http_server *server = NEW(struct http_server);
	const union MHD_DaemonInfo *info;

	server->loop = loop;
	server->asked = asked;
	server->ctx = ctx;
	list_init(&server->exchanges);
	if (listener_open(&server->listener, address, err) < 0) {
		free(server);
		return -1;
	}
	server->daemon = daemon_start(server);
	if (!server->daemon) {
		listener_close(&server->listener);
		free(server);
		return error_set(err, "the HTTP server on %s could not be started", address);
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	uv_timer_init(loop, &server->timer);
	uv_poll_init(loop, &server->poll, info->epoll_fd);
	server->timer.data = server->poll.data = server;
	server->open_handles = 2;
	uv_poll_start(&server->poll, UV_READABLE, epoll_ready);
	server_run_at(server, 0);
	*out = server;
	return 0;
}

int http_server_port(const struct http_server *server)
{
	return server->listener.port;
}

/* The daemon cannot be stopped while it calls us, nor before its epoll is out of the loop: it is
 * stopped when that was closed. */
void http_server_close(struct http_server *server)
{
	struct http_exchange *exchange;

	if (!server || server->is_closing)
		return;
	server->is_closing = true;
	MHD_quiesce_daemon(server->daemon); /* gives the listening socket back to us */
	listener_close(&server->listener);
	list_for_each (exchange, &server->exchanges, link)
		if (exchange->is_suspended) {
			exchange->is_suspended = false;
			MHD_resume_connection(exchange->connection);
		}
	uv_close((uv_handle_t *)&server->poll, server_free_when_closed);
	uv_close((uv_handle_t *)&server->timer, server_free_when_closed);
}
