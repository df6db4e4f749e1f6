#include "store/redis_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int64_t redis_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int tls_fail(struct redis_wire *wire, const char *doing, struct error *err)
{
	unsigned long code = ERR_get_error();
	long verify = wire->ssl ? SSL_get_verify_result(wire->ssl) : X509_V_OK;
	const char *why = verify != X509_V_OK ? X509_verify_cert_error_string(verify)
			  : code              ? ERR_reason_error_string(code)
					      : NULL;

	ERR_clear_error();
	wire->is_refused |= verify != X509_V_OK;
	return error_set(err, "%s: %s: %s", wire->place, doing, why ? why : "TLS failed");
}

/* ---- The socket ---- */

static int wait_for(struct redis_wire *wire, short events, struct error *err)
{
	struct pollfd watched[] = { { .fd = wire->fd, .events = events },
				    { .fd = wire->interrupt_fd, .events = POLLIN } };
	int64_t rest_ms;
	int ready;

	do {
		rest_ms = wire->until_ms - redis_now_ms();
		ready = poll(watched, 2, (int)MAX(MIN(rest_ms, 1000 * 1000), 0));
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return error_errno(err, "%s: poll", wire->place);
	if (!ready)
		return error_set(err, "%s: no answer in time", wire->place);
	if (watched[1].revents)
		return error_set(err, "%s: interrupted", wire->place);
	return 0;
}

static int send_all(struct redis_wire *wire, struct text bytes, struct error *err)
{
	while (bytes.size) {
		ssize_t size = send(wire->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN) {
			if (wait_for(wire, POLLOUT, err) < 0)
				return -1;
			continue;
		}
		if (size < 0)
			return error_errno(err, "%s: sending", wire->place);
		bytes = (struct text){ bytes.data + size, bytes.size - (size_t)size };
	}
	return 0;
}

static ssize_t receive(struct redis_wire *wire, char *bytes, size_t room, struct error *err)
{
	while (true) {
		ssize_t size = recv(wire->fd, bytes, room, 0);

		if (size > 0)
			return size;
		if (size == 0)
			return error_set(err, "%s: the server closed the connection", wire->place);
		if (errno != EAGAIN && errno != EINTR)
			return error_errno(err, "%s: receiving", wire->place);
		if (wait_for(wire, POLLIN, err) < 0)
			return -1;
	}
}

/* ---- TLS over it: bytes go through memory, so that the socket has one way in and out ---- */

static int tls_flush(struct redis_wire *wire, struct error *err)
{
	char bytes[16384];
	int size;

	while ((size = BIO_read(wire->tls_out, bytes, sizeof(bytes))) > 0)
		if (send_all(wire, (struct text){ bytes, (size_t)size }, err) < 0)
			return -1;
	return 0;
}

/* After an SSL call that answered rc <= 0: 0 if it can be tried again. */
static int tls_feed(struct redis_wire *wire, int rc, const char *doing, struct error *err)
{
	char bytes[16384];
	int why = SSL_get_error(wire->ssl, rc);
	ssize_t size;

	if (tls_flush(wire, err) < 0)
		return -1;
	if (why == SSL_ERROR_ZERO_RETURN)
		return error_set(err, "%s: the server closed the connection", wire->place);
	if (why != SSL_ERROR_WANT_READ)
		return tls_fail(wire, doing, err);
	size = receive(wire, bytes, sizeof(bytes), err);
	if (size < 0)
		return -1;
	return BIO_write(wire->tls_in, bytes, (int)size) == size ? 0 : tls_fail(wire, doing, err);
}

static int tls_name(struct redis_wire *wire, const struct redis_host *host, struct error *err)
{
	const char *name = wire->address->server_name ? wire->address->server_name : host->name;
	struct in6_addr number;
	bool is_number =
		inet_pton(AF_INET, name, &number) == 1 || inet_pton(AF_INET6, name, &number) == 1;

	if (is_number
		    ? !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(wire->ssl), name)
		    : !SSL_set1_host(wire->ssl, name) || !SSL_set_tlsext_host_name(wire->ssl, name))
		return tls_fail(wire, "server name", err);
	return 0;
}

static int tls_start(struct redis_wire *wire, const struct redis_host *host, struct error *err)
{
	int rc;

	wire->ssl = SSL_new(wire->tls);
	wire->tls_in = BIO_new(BIO_s_mem());
	wire->tls_out = BIO_new(BIO_s_mem());
	if (!wire->ssl || !wire->tls_in || !wire->tls_out)
		abort(); /* out of memory */
	SSL_set_bio(wire->ssl, wire->tls_in, wire->tls_out);
	if (tls_name(wire, host, err) < 0)
		return -1;
	while ((rc = SSL_connect(wire->ssl)) != 1)
		if (tls_feed(wire, rc, "TLS handshake", err) < 0)
			return -1;
	return tls_flush(wire, err);
}

static int write_all(struct redis_wire *wire, struct text bytes, struct error *err)
{
	size_t written;

	if (!wire->ssl)
		return send_all(wire, bytes, err);
	while (bytes.size) {
		int rc = SSL_write_ex(wire->ssl, bytes.data, MIN(bytes.size, 16384), &written);

		if (!rc && tls_feed(wire, rc, "sending", err) < 0)
			return -1;
		if (rc)
			bytes = (struct text){ bytes.data + written, bytes.size - written };
		if (tls_flush(wire, err) < 0)
			return -1;
	}
	return 0;
}

static ssize_t read_some(struct redis_wire *wire, char *bytes, size_t room, struct error *err)
{
	size_t size;
	int rc;

	if (!wire->ssl)
		return receive(wire, bytes, room, err);
	while (!(rc = SSL_read_ex(wire->ssl, bytes, room, &size)))
		if (tls_feed(wire, rc, "receiving", err) < 0)
			return -1;
	return (ssize_t)size;
}

/* ---- Connecting ---- */

void redis_wire_close(struct redis_wire *wire)
{
	SSL_free(wire->ssl);
	wire->ssl = NULL;
	if (wire->reader)
		redisReaderFree(wire->reader);
	wire->reader = NULL;
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
}

static int connect_to(struct redis_wire *wire, int family, const struct sockaddr *to,
		      socklen_t size, struct error *err)
{
	int one = 1, failure = 0;
	socklen_t failure_size = sizeof(failure);

	wire->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wire->fd < 0)
		return error_errno(err, "%s: socket", wire->place);
	if (family != AF_UNIX)
		setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(wire->fd, to, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return error_errno(err, "%s: cannot connect", wire->place);
	if (wait_for(wire, POLLOUT, err) < 0)
		return -1;
	getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size);
	errno = failure;
	return failure ? error_errno(err, "%s: cannot connect", wire->place) : 0;
}

static int connect_unix(struct redis_wire *wire, struct error *err)
{
	const char *path = wire->address->path;
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return error_set(err, "unix:%s: expected a path of at most %zu bytes", path,
				 sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, strlen(path) + 1);
	return connect_to(wire, AF_UNIX, (struct sockaddr *)&to, sizeof(to), err);
}

static int connect_host(struct redis_wire *wire, const struct redis_host *host, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int rc = getaddrinfo(host->name, host->port, &hints, &found);

	if (rc)
		return error_set(err, "%s: %s", wire->place, gai_strerror(rc));
	rc = -1;
	for (struct addrinfo *at = found; at && rc < 0; at = at->ai_next) {
		int64_t until_ms = wire->until_ms;

		redis_wire_close(wire);
		error_clear(err);
		/* One that swallows everything leaves time for the others. */
		if (at->ai_next)
			wire->until_ms -= MAX(until_ms - redis_now_ms(), 0) / 2;
		rc = connect_to(wire, at->ai_family, at->ai_addr, at->ai_addrlen, err);
		wire->until_ms = until_ms;
	}
	freeaddrinfo(found);
	return rc;
}

static char *place_of(const struct redis_address *address, const struct redis_host *host)
{
	AUTO(free) char *shown = host ? redis_host_show(host) : NULL;

	return shown ? str_format("redis%s://%s", address->tls ? "s" : "", shown)
		     : str_format("unix:%s", address->path);
}

int redis_wire_open(struct redis_wire *wire, const struct redis_host *host, struct error *err)
{
	redis_wire_close(wire);
	free(wire->place);
	wire->place = place_of(wire->address, host);
	wire->is_refused = false;
	if ((host ? connect_host(wire, host, err) : connect_unix(wire, err)) < 0 ||
	    (wire->tls && tls_start(wire, host, err) < 0)) {
		redis_wire_close(wire);
		return -1;
	}
	wire->reader = redisReaderCreate();
	if (!wire->reader)
		abort(); /* out of memory */
	return 0;
}

bool redis_wire_is_gone(const struct redis_wire *wire)
{
	struct pollfd watched = { .fd = wire->fd, .events = POLLIN };

	/* Nothing is awaited: it can only be the end. Over TLS it may be a new session's ticket. */
	return !wire->ssl && poll(&watched, 1, 0) != 0;
}

/* ---- Requests ---- */

static int send_request(struct redis_wire *wire, size_t count, const struct text *words,
			struct error *err)
{
	const char **data = mem_array(count, sizeof(*data));
	size_t *sizes = mem_array(count, sizeof(*sizes));
	char *request;
	long long size;
	int rc;

	for (size_t i = 0; i < count; i++) {
		data[i] = words[i].data ? words[i].data : "";
		sizes[i] = words[i].size;
	}
	size = redisFormatCommandArgv(&request, (int)count, data, sizes);
	free(data);
	free(sizes);
	if (size < 0)
		abort(); /* out of memory */
	rc = write_all(wire, (struct text){ request, (size_t)size }, err);
	redisFreeCommand(request);
	return rc;
}

static int broken_reply(const struct redis_wire *wire, struct error *err)
{
	return error_set(err, "%s: not a reply of Redis: %s", wire->place, wire->reader->errstr);
}

int redis_wire_ask(struct redis_wire *wire, size_t count, const struct text *words,
		   redisReply **out, struct error *err)
{
	char bytes[16384];
	void *reply = NULL;

	if (send_request(wire, count, words, err) < 0)
		return -1;
	while (true) {
		ssize_t got;

		if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK)
			return broken_reply(wire, err);
		if (reply)
			break;
		if ((got = read_some(wire, bytes, sizeof(bytes), err)) < 0)
			return -1;
		if (redisReaderFeed(wire->reader, bytes, (size_t)got) != REDIS_OK)
			return broken_reply(wire, err);
	}
	*out = reply;
	return 0;
}

int redis_wire_demand(struct redis_wire *wire, size_t count, const struct text *words,
		      redisReply **out, struct error *err)
{
	redisReply *reply;

	if (redis_wire_ask(wire, count, words, &reply, err) < 0)
		return -1;
	if (reply->type == REDIS_REPLY_ERROR) {
		error_set(err, "%s: %s", wire->place, reply->str);
		freeReplyObject(reply);
		return -1;
	}
	*out = reply;
	return 0;
}

bool redis_is_error(const redisReply *reply, const char *word)
{
	size_t size = strlen(word);

	return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, size) == 0 &&
	       (!reply->str[size] || reply->str[size] == ' ');
}

/* ---- Birth and death ---- */

static int tls_init(struct redis_wire *wire, struct error *err)
{
	const struct redis_address *address = wire->address;

	wire->tls = SSL_CTX_new(TLS_client_method());
	if (!wire->tls || !SSL_CTX_set_min_proto_version(wire->tls, TLS1_2_VERSION))
		return tls_fail(wire, "TLS", err);
	SSL_CTX_set_verify(wire->tls, SSL_VERIFY_PEER, NULL);
	if (address->ca ? SSL_CTX_load_verify_locations(wire->tls, address->ca, NULL) != 1
			: SSL_CTX_set_default_verify_paths(wire->tls) != 1)
		return tls_fail(wire, address->ca ? address->ca : "CA certificates", err);
	if (address->cert && SSL_CTX_use_certificate_chain_file(wire->tls, address->cert) != 1)
		return tls_fail(wire, address->cert, err);
	if (address->cert &&
	    SSL_CTX_use_PrivateKey_file(wire->tls, address->key ? address->key : address->cert,
					SSL_FILETYPE_PEM) != 1)
		return tls_fail(wire, "the key of the client's certificate", err);
	return 0;
}

int redis_wire_init(struct redis_wire *out, const struct redis_address *address, struct error *err)
{
	*out = (struct redis_wire){ .address = address, .fd = -1, .interrupt_fd = -1 };
	out->place = str_copy(address->shown);
	if (address->tls && tls_init(out, err) < 0) {
		redis_wire_clear(out);
		return -1;
	}
	return 0;
}

void redis_wire_clear(struct redis_wire *wire)
{
	redis_wire_close(wire);
	SSL_CTX_free(wire->tls);
	wire->tls = NULL;
	free(wire->place);
	wire->place = NULL;
}
