#include "simulator/server.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "simulator/faults.h"
#include "simulator/hub.h"
#include "simulator/journal.h"
#include "simulator/listener.h"
#include "simulator/route.h"

enum { REQUEST_LINE_MAX = 16 << 10 };
/* How much of a stream goes out as one chunk hangs on it: libmicrohttpd fills what is free. */
static const size_t connection_memory = 256 << 10;
static const size_t body_max = (size_t)1 << 30;

enum phase { PHASE_NEW, PHASE_BODY, PHASE_READY, PHASE_DELAYED };
static const int64_t silence_look_ms = 500;

struct server {
	struct sim *sim;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t silence; /* for connections whose silence is over */
	struct list listeners;
	struct listener *control; /* NULL: none */
	struct list accepted;     /* connections of which libmicrohttpd has not told yet */
	char *cert;
	char *key;
	bool closing;
	bool woken;          /* since the turn began */
	struct list waiting; /* requests whose answer is delayed */
	struct list silent;  /* requests that will not be answered */
};

/* libmicrohttpd's context for a request, from its first line to the end of its answer. */
struct exchange {
	struct request request; /* first */
	struct list link;
};

/* ---- driving libmicrohttpd from the loop: it lives behind one epoll descriptor ---- */

static void on_timer(uv_timer_t *timer);

/* MHD_get_timeout knows nothing of connections that were resumed during MHD_run. */
static void server_turn(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	server->woken = false;
	MHD_run(server->daemon);
	if (server->woken)
		uv_timer_start(&server->timer, on_timer, 0, 0);
	else if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&server->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&server->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	server_turn(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
	server_turn(CONTAINER_OF(timer, struct server, timer));
}

void server_wake(struct server *server)
{
	server->woken = true;
	if (!server->closing)
		uv_timer_start(&server->timer, on_timer, 0, 0);
}

static struct wire *wire_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/* ---- one request ---- */

static void timer_free(uv_handle_t *handle)
{
	free(handle);
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct server *server = cls;
	struct exchange *exchange = NEW(struct exchange);
	struct request *request = &exchange->request;
	AUTO_ERROR err = { 0 };

	list_init(&exchange->link);
	request->sim = server->sim;
	request->connection = connection;
	request->wire = wire_of(connection);
	request->method = str_copy("");
	if (strlen(target) > REQUEST_LINE_MAX - 32) {
		answer_error(request, 414, "", "The request line is longer than %d bytes",
			     REQUEST_LINE_MAX);
		/* Nothing of it is of use any more. */
		if (url_parse(&request->url, "/", NULL) < 0)
			abort();
	} else if (url_parse(&request->url, target, &err) < 0) {
		answer_error(request, 400, "invalid_request_error", "%s", error_text(&err));
	}
	return exchange;
}

static void request_clear(struct request *request)
{
	for (int i = 0; i < REQUEST_ARGUMENTS_MAX; i++)
		free(request->argument[i]);
	url_clear(&request->url);
	free(request->method);
	buf_free(request->body);
	fault_free(request->fault);
	if (request->response)
		MHD_destroy_response(request->response);
	if (request->timer)
		uv_close((uv_handle_t *)request->timer, timer_free);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *context;

	if (!exchange)
		return;
	*context = NULL;
	list_remove(&exchange->link);
	request_clear(&exchange->request);
	free(exchange);
}

/* What a node says that is on its way up or down (U21). */
static void answer_down(struct request *request)
{
	static const char page[] = "<html><body><h1>503 Service Unavailable</h1></body></html>\n";

	switch (switch_value(&request->sim->switches, SWITCH_WHILE_DOWN)) {
	case DOWN_502:
		answer_empty(request, 502);
		break;
	case DOWN_503:
		answer_empty(request, 503);
		break;
	case DOWN_HTML:
		answer_bytes(request, "text/html", page, sizeof(page) - 1);
		request->status = 503;
		break;
	default:
		request->unserved = true;
		break;
	}
}

/* The whole request is there: what will be done with it, but for a delay? */
static void request_settle(struct request *request)
{
	struct sim *sim = request->sim;

	request->phase = PHASE_READY;
	if (request->too_large)
		answer_error(request, 413, "", "The body is too large");
	bool found = !request->response && route_find(request);
	if (found && request->route->flags & ROUTE_CONTROL)
		return;
	if (request->wire->listener->number == 0) {
		answer_error(request, 404, "http_not_found_error", "Only /sim/... is here");
		return;
	}
	if (request->wire->listener->is_down) {
		answer_down(request);
		return;
	}
	if (!found)
		return;
	if (faults_limit_rate(sim->faults, request))
		return;
	request->fault = faults_take(sim->faults, request);
}

static void on_delay_over(uv_timer_t *timer)
{
	struct exchange *exchange = timer->data;

	list_remove(&exchange->link);
	MHD_resume_connection(exchange->request.connection);
	server_wake(exchange->request.sim->server);
}

static void request_delay(struct server *server, struct exchange *exchange, int64_t delay_ms)
{
	struct request *request = &exchange->request;

	request->phase = PHASE_DELAYED;
	request->timer = NEW(uv_timer_t);
	request->timer->data = exchange;
	uv_timer_init(server->sim->loop, request->timer);
	uv_update_time(server->sim->loop); /* or the time since the turn began would be missing */
	uv_timer_start(request->timer, on_delay_over, delay_ms, 0);
	list_append(&server->waiting, &exchange->link);
	MHD_suspend_connection(request->connection);
}

/* ---- silence: the connection is up, and nothing comes ---- */

static void silent_release(struct server *server, struct exchange *exchange)
{
	list_remove(&exchange->link);
	MHD_resume_connection(exchange->request.connection);
	server_wake(server);
}

static void on_silence(uv_timer_t *timer)
{
	struct server *server = CONTAINER_OF(timer, struct server, silence);
	struct listener *listener;
	struct exchange *exchange;
	bool any = false;

	list_for_each (listener, &server->listeners, link)
		any |= listener_look(listener);
	list_for_each (exchange, &server->silent, link)
		if (exchange->request.wire->over)
			silent_release(server, exchange);
	if (!any)
		uv_timer_stop(timer);
}

static void request_silence(struct server *server, struct exchange *exchange)
{
	list_append(&server->silent, &exchange->link);
	MHD_suspend_connection(exchange->request.connection);
}

void server_release(struct server *server)
{
	struct exchange *exchange;

	list_for_each (exchange, &server->waiting, link) {
		if (!exchange->request.wire->silent && !exchange->request.wire->over)
			continue;
		uv_timer_stop(exchange->request.timer);
		on_delay_over(exchange->request.timer);
	}
	uv_timer_start(&server->silence, on_silence, 0, silence_look_ms);
	server_wake(server);
}

static enum MHD_Result request_finish(struct request *request)
{
	const struct fault *fault = request->fault;
	struct journal *journal = request->sim->journal;
	enum fault_loss loss = fault ? fault->loss : FAULT_ANSWERED;

	if (request->unserved)
		return MHD_NO;
	if (!request->response && fault && fault->status)
		fault_answer(fault, request);
	else if (!request->response && loss != FAULT_DROPPED)
		route_run(request);
	if (!(request->route && request->route->flags & ROUTE_CONTROL))
		journal_note(journal, request, loss == FAULT_ANSWERED ? request->status : 0);
	if (loss != FAULT_ANSWERED)
		return MHD_NO;
	return MHD_queue_response(request->connection, request->status, request->response);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct server *server = cls;
	struct exchange *exchange = *context;
	struct request *request = &exchange->request;

	if (server->closing || request->wire->over)
		return MHD_NO;
	if (request->phase == PHASE_NEW) {
		free(request->method);
		request->method = str_copy(method);
		request->phase = PHASE_BODY;
		return MHD_YES;
	}
	if (*upload_size) {
		if (!request->body)
			request->body = buf_new(body_max);
		if (!buf_append(request->body, upload, *upload_size))
			request->too_large = true;
		*upload_size = 0;
		return MHD_YES;
	}
	if (request->wire->silent) {
		request_silence(server, exchange);
		return MHD_YES;
	}
	if (request->phase == PHASE_BODY) {
		request_settle(request);
		if (request->fault && request->fault->delay_ms) {
			request_delay(server, exchange, request->fault->delay_ms);
			return MHD_YES;
		}
	}
	return request_finish(request);
}

/* ---- connections ---- */

/* Newer releases of libmicrohttpd tell of a connection only when they run the next time. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *server = cls;
	struct wire *wire = *context;
	int fd;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			     ->connect_fd;
		wire = wire_waiting(&server->accepted, fd);
		assert(wire);
		*context = wire;
		wire_begin(wire);
	} else if (wire) {
		*context = NULL;
		wire_free(wire);
	}
}

void server_accept(struct server *server, struct listener *listener, int fd,
		   const struct sockaddr *from, socklen_t from_size)
{
	/* One that waits with this number failed before it was told of. */
	wire_free(wire_waiting(&server->accepted, fd));
	list_append(&server->accepted, &wire_new(listener, fd)->link);
	/* If it fails, the descriptor is closed. */
	if (MHD_add_connection(server->daemon, fd, from, from_size) != MHD_YES)
		wire_free(wire_waiting(&server->accepted, fd));
	server_wake(server);
}

static void on_mhd_log(void *cls, const char *format, va_list args)
{
	AUTO(free) char *line = str_vformat(format, args);

	line[strcspn(line, "\n")] = '\0';
	log_debug("http", "%s", line);
}

static struct MHD_Daemon *daemon_start(struct server *server)
{
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_mhd_log, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, 8192, NULL },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, server },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server },
		{ server->key ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, server->key },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		  (char *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 MHD_USE_NO_LISTEN_SOCKET | (server->key ? MHD_USE_TLS : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

static void server_free(struct server *server)
{
	struct listener *listener;
	struct wire *wire;

	list_for_each (wire, &server->accepted, link)
		wire_free(wire);
	list_for_each (listener, &server->listeners, link)
		listener_free(listener);
	if (server->control)
		listener_free(server->control);
	free(server->cert);
	free(server->key);
	free(server);
}
AUTO_DEFINE(struct server *, server_free)

int server_open(struct server **out, struct sim *sim, const char *const *listen_at,
		const char *control_at, const char *cert, const char *key, struct error *err)
{
	AUTO(server_free) struct server *server = NEW(struct server);
	struct listener *listener;

	server->sim = sim;
	list_init(&server->listeners);
	list_init(&server->accepted);
	list_init(&server->waiting);
	list_init(&server->silent);
	server->cert = str_copy(cert);
	server->key = str_copy(key);
	for (int i = 0; listen_at[i]; i++) {
		if (listener_open(&listener, sim, listen_at[i], i + 1, err) < 0)
			return -1;
		list_append(&server->listeners, &listener->link);
	}
	if (control_at && listener_open(&server->control, sim, control_at, 0, err) < 0)
		return -1;
	server->daemon = daemon_start(server);
	if (!server->daemon)
		return error_set(err, "cannot start the server%s",
				 key ? ": are certificate and key a PEM pair?" : "");
	int epoll = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	uv_timer_init(sim->loop, &server->timer);
	uv_timer_init(sim->loop, &server->silence);
	uv_poll_init(sim->loop, &server->poll, epoll);
	server->poll.data = server;
	uv_poll_start(&server->poll, UV_READABLE, on_poll);
	*out = TAKE(server);
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	server_free(CONTAINER_OF(handle, struct server, timer));
}

static void on_silence_closed(uv_handle_t *handle)
{
	struct server *server = CONTAINER_OF(handle, struct server, silence);

	uv_close((uv_handle_t *)&server->timer, on_timer_closed);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct server *server = handle->data;

	uv_close((uv_handle_t *)&server->silence, on_silence_closed);
}

void server_close(struct server *server)
{
	struct listener *listener;
	struct exchange *exchange;

	if (!server)
		return;
	server->closing = true;
	list_for_each (listener, &server->listeners, link)
		listener_stop(listener);
	if (server->control)
		listener_stop(server->control);
	list_for_each (exchange, &server->silent, link)
		silent_release(server, exchange);
	list_for_each (exchange, &server->waiting, link) {
		uv_timer_stop(exchange->request.timer);
		on_delay_over(exchange->request.timer);
	}
	hub_drop_all(server->sim->hub);
	MHD_run(server->daemon);
	uv_timer_stop(&server->timer);
	uv_timer_stop(&server->silence);
	uv_close((uv_handle_t *)&server->poll, on_poll_closed);
	MHD_stop_daemon(server->daemon);
}

const char *server_address(const struct server *server)
{
	return list_entry(server->listeners.next, struct listener, link)->address;
}

const char *server_control(const struct server *server)
{
	return server->control ? server->control->address : NULL;
}

struct list *server_listeners(struct server *server)
{
	return &server->listeners;
}

size_t server_connections(const struct server *server)
{
	return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
		->num_connections;
}
