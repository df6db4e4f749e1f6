#include "io/transfer.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

/* More than act ever has under way by default, and its second looks: what exceeds this is closed
 * after each request, and the next begins with a TLS handshake. */
#define IDLE_CONNECTIONS 128

struct http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's */
	uv_timer_t later; /* ours: what could not be done inside libcurl's callbacks */
	unsigned open_handles;
	struct list running;
	struct list waiting;
	struct list cancelled;
	struct list guests;
	bool is_in_curl;
	bool is_settling;
	bool is_closing;
};

/* One socket of libcurl. */
struct ear {
	uv_poll_t poll;
	struct http *http;
	curl_socket_t fd;
	int events;
};

static void http_settle(struct http *http);

static void http_free_when_closed(struct http *http)
{
	if (--http->open_handles == 0)
		free(http);
}

static void timer_closed(uv_handle_t *handle)
{
	http_free_when_closed(handle->data);
}

static void ear_closed(uv_handle_t *handle)
{
	struct ear *ear = CONTAINER_OF(handle, struct ear, poll);

	http_free_when_closed(ear->http);
	free(ear);
}

static void http_act(struct http *http, curl_socket_t fd, int events)
{
	int running;

	http->is_in_curl = true;
	curl_multi_socket_action(http->multi, fd, events, &running);
	http->is_in_curl = false;
	http_settle(http);
}

static void ear_heard(uv_poll_t *poll, int status, int events)
{
	struct ear *ear = CONTAINER_OF(poll, struct ear, poll);
	int flags = 0;

	/* libuv stops listening at an error and does not tell which; reading and writing will. */
	if (status < 0) {
		uv_poll_start(poll, ear->events, ear_heard);
		events = ear->events;
	}
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	http_act(ear->http, ear->fd, flags);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct http *http = ctx;
	struct ear *ear = known;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (ear) {
			curl_multi_assign(http->multi, fd, NULL);
			uv_poll_stop(&ear->poll);
			uv_close((uv_handle_t *)&ear->poll, ear_closed);
		}
		return 0;
	}
	if (!ear) {
		ear = NEW(struct ear);
		ear->http = http;
		ear->fd = fd;
		if (uv_poll_init_socket(http->loop, &ear->poll, fd) < 0) {
			free(ear);
			return -1;
		}
		http->open_handles++;
		curl_multi_assign(http->multi, fd, ear);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	ear->events = events;
	uv_poll_start(&ear->poll, events, ear_heard);
	return 0;
}

static void timer_fired(uv_timer_t *timer)
{
	http_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;

	if (timeout_ms < 0 || http->is_closing)
		uv_timer_stop(&http->timer);
	else
		uv_timer_start(&http->timer, timer_fired, timeout_ms, 0);
	return 0;
}

static void later_fired(uv_timer_t *timer)
{
	http_settle(timer->data);
}

static void http_settle_later(struct http *http)
{
	if (!http->is_closing)
		uv_timer_start(&http->later, later_fired, 0, 0);
}

int http_open(struct http **out, uv_loop_t *loop, struct error *err)
{
	struct http *http;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	/* OpenSSL writes to sockets that their peer has closed. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return error_errno(err, "ignoring SIGPIPE");
	http = NEW(struct http);
	http->loop = loop;
	http->multi = curl_multi_init();
	if (!http->multi) {
		free(http);
		return error_set(err, "the HTTP library could not be started");
	}
	list_init(&http->running);
	list_init(&http->waiting);
	list_init(&http->cancelled);
	list_init(&http->guests);
	uv_timer_init(loop, &http->timer);
	uv_timer_init(loop, &http->later);
	http->timer.data = http->later.data = http;
	http->open_handles = 2;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
	*out = http;
	return 0;
}

uv_loop_t *http_loop(const struct http *http)
{
	return http->loop;
}

struct list *http_guests(struct http *http)
{
	return &http->guests;
}

static void transfer_remove(struct transfer *transfer)
{
	list_remove(&transfer->link);
	if (transfer->state == TRANSFER_RUNNING || transfer->state == TRANSFER_CANCELLED)
		curl_multi_remove_handle(transfer->http->multi, transfer->easy);
}

static void transfer_free(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	transfer->release(transfer);
}

static void http_drop_all(struct http *http, struct list *transfers)
{
	while (!list_is_empty(transfers)) {
		struct transfer *transfer = list_entry(transfers->next, struct transfer, link);

		transfer_remove(transfer);
		transfer_free(transfer);
	}
}

static void http_dismiss_guests(struct http *http)
{
	while (!list_is_empty(&http->guests)) {
		struct http_guest *guest = list_entry(http->guests.next, struct http_guest, link);

		list_remove(&guest->link);
		guest->http_closes(guest);
	}
}

static void http_shut(struct http *http)
{
	http_dismiss_guests(http);
	http_drop_all(http, &http->running);
	http_drop_all(http, &http->waiting);
	http_drop_all(http, &http->cancelled);
	curl_multi_cleanup(http->multi);
	uv_close((uv_handle_t *)&http->timer, timer_closed);
	uv_close((uv_handle_t *)&http->later, timer_closed);
}

void http_close(struct http *http)
{
	if (!http || http->is_closing)
		return;
	http->is_closing = true;
	if (!http->is_in_curl && !http->is_settling)
		http_shut(http);
}

static void transfer_end(struct transfer *transfer, CURLcode code)
{
	transfer_remove(transfer);
	transfer->state = TRANSFER_ENDED;
	transfer->code = code;
	transfer->ended(transfer);
	transfer_free(transfer);
}

static void http_begin_waiting(struct http *http)
{
	struct list now;

	/* What is started meanwhile is not waiting: is_in_curl is false here. */
	if (list_is_empty(&http->waiting))
		return;
	now.next = http->waiting.next;
	now.prev = http->waiting.prev;
	now.next->prev = now.prev->next = &now;
	list_init(&http->waiting);
	while (!list_is_empty(&now)) {
		struct transfer *transfer = list_entry(now.next, struct transfer, link);

		if (transfer->is_broken) {
			transfer_end(transfer, transfer->code);
			continue;
		}
		list_remove(&transfer->link);
		transfer_start(transfer);
	}
}

static void http_resume_wanted(struct http *http)
{
	struct transfer *transfer;

	list_for_each (transfer, &http->running, link)
		if (transfer->wants_reading) {
			transfer_pause(transfer, false);
			return http_settle_later(http); /* the list may have changed */
		}
}

/* Outside of libcurl: does what was put off, and tells the ends of transfers. */
static void http_settle(struct http *http)
{
	CURLMsg *message;
	int left;

	http->is_settling = true;
	while (!http->is_closing && (message = curl_multi_info_read(http->multi, &left))) {
		struct transfer *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		if (transfer->state == TRANSFER_RUNNING)
			transfer_end(transfer, message->data.result);
	}
	http_drop_all(http, &http->cancelled);
	if (!http->is_closing)
		http_begin_waiting(http);
	if (!http->is_closing)
		http_resume_wanted(http);
	http->is_settling = false;
	if (http->is_closing)
		http_shut(http);
}

/* Sockets that no child inherits; libcurl's own are not closed on exec. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void transfer_init(struct transfer *transfer, struct http *http)
{
	transfer->http = http;
	list_init(&transfer->link);
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		abort(); /* out of memory: nothing else can happen here */
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->problem);
	curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	/* Or else a cancel waits for the resolver's thread: many seconds when DNS is dead. */
	curl_easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
}

void transfer_start(struct transfer *transfer)
{
	struct http *http = transfer->http;
	CURLMcode code;

	if (http->is_in_curl || transfer->is_broken) {
		transfer->state = TRANSFER_WAITING;
		list_append(&http->waiting, &transfer->link);
		return http_settle_later(http);
	}
	code = curl_multi_add_handle(http->multi, transfer->easy);
	if (code != CURLM_OK)
		return transfer_break(transfer, CURLE_FAILED_INIT, curl_multi_strerror(code));
	transfer->state = TRANSFER_RUNNING;
	list_append(&http->running, &transfer->link);
}

void transfer_break(struct transfer *transfer, CURLcode code, const char *problem)
{
	transfer->is_broken = true;
	transfer->code = code;
	strncpy(transfer->problem, problem, sizeof(transfer->problem) - 1);
	transfer_start(transfer);
}

void transfer_cancel(struct transfer *transfer)
{
	struct http *http = transfer->http;

	if (transfer->state == TRANSFER_ENDED || transfer->state == TRANSFER_CANCELLED)
		return;
	if (http->is_in_curl && transfer->state == TRANSFER_RUNNING) {
		list_remove(&transfer->link);
		transfer->state = TRANSFER_CANCELLED;
		list_append(&http->cancelled, &transfer->link);
		return http_settle_later(http);
	}
	transfer_remove(transfer);
	transfer_free(transfer);
}

void transfer_pause(struct transfer *transfer, bool paused)
{
	struct http *http = transfer->http;

	if (transfer->state != TRANSFER_RUNNING)
		return;
	transfer->is_paused = paused;
	transfer->wants_reading = !paused && http->is_in_curl;
	if (paused) {
		curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
	} else if (transfer->wants_reading) {
		http_settle_later(http);
	} else {
		/* Hands out what libcurl had kept, and so calls us back. */
		http->is_in_curl = true;
		curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
		http->is_in_curl = false;
		http_settle_later(http);
	}
}
