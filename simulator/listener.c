#include "simulator/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "simulator/hub.h"
#include "simulator/server.h"

enum { BACKLOG = 512, ACCEPT_MOST = 64 };

/* ---- connections ---- */

struct wire *wire_new(struct listener *listener, int fd)
{
	struct wire *wire = NEW(struct wire);

	list_init(&wire->link);
	wire->listener = listener;
	wire->fd = fd;
	return wire;
}

struct wire *wire_waiting(struct list *waiting, int fd)
{
	struct wire *wire;

	list_for_each (wire, waiting, link)
		if (wire->fd == fd)
			return wire;
	return NULL;
}

void wire_begin(struct wire *wire)
{
	list_remove(&wire->link);
	list_append(&wire->listener->wires, &wire->link);
	wire->listener->wire_count++;
	wire->has_begun = true;
}

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	list_remove(&wire->link);
	wire->listener->wire_count -= wire->has_begun;
	free(wire);
}

/* The peer gets a reset, as when the address is no longer where it was. */
static void wire_reset(struct wire *wire)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	wire->over = true;
	hub_cut(wire->listener->sim->hub, wire, false);
	if (connect(wire->fd, &none, sizeof(none)) < 0)
		shutdown(wire->fd, SHUT_RDWR);
}

/* Whatever the peer sends falls into the void from now on: no packet of it is acknowledged. */
static void wire_silence(struct wire *wire, int64_t lasting_ms)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = { .len = 1, .filter = &nothing };

	wire->silent = true;
	wire->over_ms = clock_monotonic_ms() + lasting_ms;
	hub_cut(wire->listener->sim->hub, wire, true);
	if (setsockopt(wire->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		log_warn("http", "the host still acknowledges what comes in: %s", strerror(errno));
}

void listener_cut(struct listener *listener, const struct wire *spared)
{
	const struct switches *switches = &listener->sim->switches;
	bool silently = switch_value(switches, SWITCH_NODE_REBOOT) == OTHER_SIDE;
	struct wire *wire;

	list_for_each (wire, &listener->wires, link) {
		if (wire == spared || wire->over || (wire->silent && silently))
			continue;
		if (silently)
			wire_silence(wire, switch_value(switches, SWITCH_SILENCE));
		else
			wire_reset(wire);
	}
	server_release(listener->sim->server);
}

bool listener_look(struct listener *listener)
{
	int64_t now_ms = clock_monotonic_ms();
	struct wire *wire;
	bool any = false;

	list_for_each (wire, &listener->wires, link) {
		if (!wire->silent || wire->over)
			continue;
		if (wire->over_ms <= now_ms)
			wire_reset(wire);
		else
			any = true;
	}
	return any;
}

/* ---- accepting ---- */

static void refuse(int fd, int64_t how)
{
	static const char no_tls[] = "HTTP/1.0 400 Bad Request\r\n\r\n";

	/* Whoever begins a TLS handshake finds that this is none. */
	if (how == DOWN_TLS && send(fd, no_tls, sizeof(no_tls) - 1, MSG_NOSIGNAL) < 0)
		log_debug("http", "nobody heard that there is no TLS");
	close(fd);
}

static void accept_one(struct listener *listener, int fd, const struct sockaddr *from,
		       socklen_t from_size)
{
	int64_t how = switch_value(&listener->sim->switches, SWITCH_WHILE_DOWN);

	if (listener->is_down && (how == DOWN_CLOSED || how == DOWN_TLS || how == DOWN_REFUSED))
		refuse(fd, how);
	else
		server_accept(listener->sim->server, listener, fd, from, from_size);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;
	struct sockaddr_storage from;

	for (int i = 0; i < ACCEPT_MOST && listener->poll == poll; i++) {
		socklen_t size = sizeof(from);
		int fd = accept4(listener->fd, (struct sockaddr *)&from, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		accept_one(listener, fd, (struct sockaddr *)&from, size);
	}
}

/* ---- the socket ---- */

static int socket_bind(const struct sockaddr_storage *at, socklen_t size)
{
	int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
			bind(fd, (const struct sockaddr *)at, size) < 0)) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* 0, or -1 with errno. */
static int socket_open(struct listener *listener)
{
	int fd = socket_bind(&listener->at, listener->at_size);

	if (fd < 0)
		return -1;
	if (listen(fd, BACKLOG) < 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	listener->fd = fd;
	listener->poll = NEW(uv_poll_t);
	listener->poll->data = listener;
	uv_poll_init(listener->sim->loop, listener->poll, fd);
	uv_poll_start(listener->poll, UV_READABLE, on_readable);
	return 0;
}

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

static void socket_close(struct listener *listener)
{
	if (!listener->poll)
		return;
	uv_poll_stop(listener->poll);
	uv_close((uv_handle_t *)TAKE(listener->poll), handle_free);
	close(listener->fd);
	listener->fd = -1;
}

/* ---- away and back ---- */

void listener_up(struct listener *listener)
{
	void (*on_back)(struct listener * listener) = TAKE(listener->on_back);
	AUTO_ERROR err = { 0 };

	uv_timer_stop(listener->timer);
	listener->is_down = false;
	if (!listener->poll && socket_open(listener) < 0) {
		error_errno(&err, "cannot listen on %s again", listener->address);
		log_error("http", "%s", error_text(&err));
	}
	if (on_back)
		on_back(listener);
}

static void on_time(uv_timer_t *timer)
{
	listener_up(timer->data);
}

void listener_down(struct listener *listener, int64_t down_ms, const struct wire *spared)
{
	listener->is_down = true;
	if (switch_value(&listener->sim->switches, SWITCH_WHILE_DOWN) == DOWN_REFUSED)
		socket_close(listener);
	listener_cut(listener, spared);
	uv_update_time(listener->sim->loop);
	uv_timer_start(listener->timer, on_time, down_ms, 0);
}

/* ---- life ---- */

static int split(const char *listen_at, char **host, char **port, struct error *err)
{
	const char *colon = strrchr(listen_at, ':');

	if (!colon || colon == listen_at || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return error_set(err, "listen '%s': expected HOST:PORT like 127.0.0.1:8000",
				 listen_at);
	bool bracketed = listen_at[0] == '[' && colon[-1] == ']';
	*host = str_copy_n(listen_at + bracketed, colon - listen_at - 2 * bracketed);
	*port = str_copy(colon + 1);
	return 0;
}

static int find_address(struct listener *listener, const char *listen_at, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	AUTO(free) char *host = NULL;
	AUTO(free) char *port = NULL;
	char number[8];

	if (split(listen_at, &host, &port, err) < 0)
		return -1;
	int status = getaddrinfo(host, port, &hints, &found);
	if (status)
		return error_set(err, "listen '%s': %s", listen_at, gai_strerror(status));
	memcpy(&listener->at, found->ai_addr, found->ai_addrlen);
	listener->at_size = found->ai_addrlen;
	freeaddrinfo(found);
	listener->reserve = socket_bind(&listener->at, listener->at_size);
	if (listener->reserve < 0)
		return error_errno(err, "cannot listen on %s", listen_at);
	if (getsockname(listener->reserve, (struct sockaddr *)&listener->at, &listener->at_size) <
		    0 ||
	    getnameinfo((struct sockaddr *)&listener->at, listener->at_size, NULL, 0, number,
			sizeof(number), NI_NUMERICSERV) != 0)
		return error_set(err, "cannot tell the port that was picked");
	listener->address = str_format(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, number);
	return 0;
}

static void release(struct listener *listener)
{
	if (listener->reserve >= 0)
		close(listener->reserve);
	free(listener->address);
	free(listener);
}
AUTO_DEFINE(struct listener *, release)

int listener_open(struct listener **out, struct sim *sim, const char *listen_at, int number,
		  struct error *err)
{
	AUTO(release) struct listener *listener = NEW(struct listener);

	list_init(&listener->link);
	list_init(&listener->wires);
	listener->sim = sim;
	listener->number = listener->node = number;
	listener->fd = listener->reserve = -1;
	if (find_address(listener, listen_at, err) < 0)
		return -1;
	if (socket_open(listener) < 0)
		return error_errno(err, "cannot listen on %s", listen_at);
	listener->timer = NEW(uv_timer_t);
	listener->timer->data = listener;
	uv_timer_init(sim->loop, listener->timer);
	*out = TAKE(listener);
	return 0;
}

void listener_stop(struct listener *listener)
{
	socket_close(listener);
	uv_timer_stop(listener->timer);
}

void listener_free(struct listener *listener)
{
	struct wire *wire;

	list_for_each (wire, &listener->wires, link)
		wire_free(wire);
	socket_close(listener);
	uv_close((uv_handle_t *)listener->timer, handle_free);
	list_remove(&listener->link);
	release(listener);
}
