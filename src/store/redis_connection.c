#include "store/redis_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct redis_connection {
	const struct redis_address *address;
	SSL_CTX *tls;
	int fd; /* -1: not connected */
	SSL *ssl;
	BIO *tls_in, *tls_out; /* belong to ssl: what was received and what is to be sent */
	redisReader *reader;
	int64_t until_ms;
	int interrupt_fd; /* -1: none */
};

int64_t redis_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int tls_fail(const struct redis_connection *connection, const char *doing, struct error *err)
{
	unsigned long code = ERR_get_error();
	long verify = connection->ssl ? SSL_get_verify_result(connection->ssl) : X509_V_OK;
	const char *why = verify != X509_V_OK ? X509_verify_cert_error_string(verify)
			  : code              ? ERR_reason_error_string(code)
					      : NULL;

	ERR_clear_error();
	return error_set(err, "%s: %s: %s", connection->address->shown, doing,
			 why ? why : "TLS failed");
}

/* ---- The socket ---- */

static int wait_for(struct redis_connection *connection, short events, struct error *err)
{
	struct pollfd watched[] = { { .fd = connection->fd, .events = events },
				    { .fd = connection->interrupt_fd, .events = POLLIN } };
	int64_t rest_ms;
	int ready;

	do {
		rest_ms = connection->until_ms - redis_now_ms();
		ready = poll(watched, 2, (int)MAX(MIN(rest_ms, 1000 * 1000), 0));
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return error_errno(err, "%s: poll", connection->address->shown);
	if (!ready)
		return error_set(err, "%s: no answer in time", connection->address->shown);
	if (watched[1].revents)
		return error_set(err, "%s: interrupted", connection->address->shown);
	return 0;
}

static int send_all(struct redis_connection *connection, struct text bytes, struct error *err)
{
	while (bytes.size) {
		ssize_t size = send(connection->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN) {
			if (wait_for(connection, POLLOUT, err) < 0)
				return -1;
			continue;
		}
		if (size < 0)
			return error_errno(err, "%s: sending", connection->address->shown);
		bytes = (struct text){ bytes.data + size, bytes.size - (size_t)size };
	}
	return 0;
}

static ssize_t receive(struct redis_connection *connection, char *bytes, size_t room,
		       struct error *err)
{
	while (true) {
		ssize_t size = recv(connection->fd, bytes, room, 0);

		if (size > 0)
			return size;
		if (size == 0)
			return error_set(err, "%s: the server closed the connection",
					 connection->address->shown);
		if (errno != EAGAIN && errno != EINTR)
			return error_errno(err, "%s: receiving", connection->address->shown);
		if (wait_for(connection, POLLIN, err) < 0)
			return -1;
	}
}

/* ---- TLS over it: bytes go through memory, so that the socket has one way in and out ---- */

static int tls_flush(struct redis_connection *connection, struct error *err)
{
	char bytes[16384];
	int size;

	while ((size = BIO_read(connection->tls_out, bytes, sizeof(bytes))) > 0)
		if (send_all(connection, (struct text){ bytes, (size_t)size }, err) < 0)
			return -1;
	return 0;
}

/* After an SSL call that answered rc <= 0: 0 if it can be tried again. */
static int tls_feed(struct redis_connection *connection, int rc, const char *doing,
		    struct error *err)
{
	char bytes[16384];
	int why = SSL_get_error(connection->ssl, rc);
	ssize_t size;

	if (tls_flush(connection, err) < 0)
		return -1;
	if (why == SSL_ERROR_ZERO_RETURN)
		return error_set(err, "%s: the server closed the connection",
				 connection->address->shown);
	if (why != SSL_ERROR_WANT_READ)
		return tls_fail(connection, doing, err);
	size = receive(connection, bytes, sizeof(bytes), err);
	if (size < 0)
		return -1;
	return BIO_write(connection->tls_in, bytes, (int)size) == size
		       ? 0
		       : tls_fail(connection, doing, err);
}

static int tls_name(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;
	const char *name = address->server_name ? address->server_name : address->hosts[0].name;
	struct in6_addr number;
	bool is_number =
		inet_pton(AF_INET, name, &number) == 1 || inet_pton(AF_INET6, name, &number) == 1;

	if (is_number ? !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection->ssl), name)
		      : !SSL_set1_host(connection->ssl, name) ||
				!SSL_set_tlsext_host_name(connection->ssl, name))
		return tls_fail(connection, "server name", err);
	return 0;
}

static int tls_start(struct redis_connection *connection, struct error *err)
{
	int rc;

	connection->ssl = SSL_new(connection->tls);
	connection->tls_in = BIO_new(BIO_s_mem());
	connection->tls_out = BIO_new(BIO_s_mem());
	if (!connection->ssl || !connection->tls_in || !connection->tls_out)
		abort(); /* out of memory */
	SSL_set_bio(connection->ssl, connection->tls_in, connection->tls_out);
	if (tls_name(connection, err) < 0)
		return -1;
	while ((rc = SSL_connect(connection->ssl)) != 1)
		if (tls_feed(connection, rc, "TLS handshake", err) < 0)
			return -1;
	return tls_flush(connection, err);
}

static int write_all(struct redis_connection *connection, struct text bytes, struct error *err)
{
	size_t written;

	if (!connection->ssl)
		return send_all(connection, bytes, err);
	while (bytes.size) {
		int rc =
			SSL_write_ex(connection->ssl, bytes.data, MIN(bytes.size, 16384), &written);

		if (!rc && tls_feed(connection, rc, "sending", err) < 0)
			return -1;
		if (rc)
			bytes = (struct text){ bytes.data + written, bytes.size - written };
		if (tls_flush(connection, err) < 0)
			return -1;
	}
	return 0;
}

static ssize_t read_some(struct redis_connection *connection, char *bytes, size_t room,
			 struct error *err)
{
	size_t size;
	int rc;

	if (!connection->ssl)
		return receive(connection, bytes, room, err);
	while (!(rc = SSL_read_ex(connection->ssl, bytes, room, &size)))
		if (tls_feed(connection, rc, "receiving", err) < 0)
			return -1;
	return (ssize_t)size;
}

/* ---- Connecting ---- */

void redis_hang_up(struct redis_connection *connection)
{
	SSL_free(connection->ssl);
	connection->ssl = NULL;
	if (connection->reader)
		redisReaderFree(connection->reader);
	connection->reader = NULL;
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

static int connect_to(struct redis_connection *connection, int family, const struct sockaddr *to,
		      socklen_t size, struct error *err)
{
	int one = 1, failure = 0;
	socklen_t failure_size = sizeof(failure);

	connection->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return error_errno(err, "%s: socket", connection->address->shown);
	if (family != AF_UNIX)
		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(connection->fd, to, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return error_errno(err, "%s: cannot connect", connection->address->shown);
	if (wait_for(connection, POLLOUT, err) < 0)
		return -1;
	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size);
	errno = failure;
	return failure ? error_errno(err, "%s: cannot connect", connection->address->shown) : 0;
}

static int connect_unix(struct redis_connection *connection, struct error *err)
{
	const char *path = connection->address->path;
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return error_set(err, "unix:%s: expected a path of at most %zu bytes", path,
				 sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, strlen(path) + 1);
	return connect_to(connection, AF_UNIX, (struct sockaddr *)&to, sizeof(to), err);
}

static int connect_host(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int rc = getaddrinfo(address->hosts[0].name, address->hosts[0].port, &hints, &found);

	if (rc)
		return error_set(err, "%s: %s", address->shown, gai_strerror(rc));
	rc = -1;
	for (struct addrinfo *at = found; at && rc < 0; at = at->ai_next) {
		redis_hang_up(connection);
		error_clear(err);
		rc = connect_to(connection, at->ai_family, at->ai_addr, at->ai_addrlen, err);
	}
	freeaddrinfo(found);
	return rc;
}

/* One request on an open connection. */
static int exchange(struct redis_connection *connection, size_t count, const struct text *words,
		    redisReply **out, struct error *err)
{
	const char **data = mem_array(count, sizeof(*data));
	size_t *sizes = mem_array(count, sizeof(*sizes));
	char bytes[16384], *request;
	void *reply = NULL;
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
	rc = write_all(connection, (struct text){ request, (size_t)size }, err);
	redisFreeCommand(request);
	while (rc == 0) {
		ssize_t got;

		if (redisReaderGetReply(connection->reader, &reply) != REDIS_OK)
			return error_set(err, "%s: not a reply of Redis: %s",
					 connection->address->shown, connection->reader->errstr);
		if (reply)
			break;
		if ((got = read_some(connection, bytes, sizeof(bytes), err)) < 0)
			return -1;
		if (redisReaderFeed(connection->reader, bytes, (size_t)got) != REDIS_OK)
			return error_set(err, "%s: not a reply of Redis: %s",
					 connection->address->shown, connection->reader->errstr);
	}
	*out = reply;
	return rc;
}

static int greet_with(struct redis_connection *connection, size_t count, const struct text *words,
		      struct error *err)
{
	redisReply *reply;
	int rc = 0;

	if (exchange(connection, count, words, &reply, err) < 0)
		return -1;
	if (reply->type == REDIS_REPLY_ERROR)
		rc = error_set(err, "%s: %s", connection->address->shown, reply->str);
	freeReplyObject(reply);
	return rc;
}

static int greet(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;
	struct text auth[] = { TEXT("AUTH"), text_of(address->user ? address->user : "default"),
			       text_of(address->password) };
	struct text select[] = { TEXT("SELECT"), text_of(address->database) };

	if (address->password && greet_with(connection, 3, auth, err) < 0)
		return -1;
	if (address->database && strcmp(address->database, "0") != 0)
		return greet_with(connection, 2, select, err);
	return 0;
}

static int connect_all(struct redis_connection *connection, struct error *err)
{
	if ((connection->address->path ? connect_unix(connection, err)
				       : connect_host(connection, err)) < 0)
		return -1;
	if (connection->address->tls && tls_start(connection, err) < 0)
		return -1;
	connection->reader = redisReaderCreate();
	if (!connection->reader)
		abort(); /* out of memory */
	return greet(connection, err);
}

/* A server that went away has said so by now; that a request then certainly did not arrive is worth
 * the look. */
static bool is_gone(const struct redis_connection *connection)
{
	struct pollfd watched = { .fd = connection->fd, .events = POLLIN };

	return poll(&watched, 1, 0) != 0; /* nothing is awaited: it can only be the end */
}

enum redis_outcome redis_call(struct redis_connection *connection, size_t count,
			      const struct text *words, int64_t until_ms, redisReply **out,
			      struct error *err)
{
	connection->until_ms = until_ms;
	if (connection->fd >= 0 && !connection->ssl && is_gone(connection))
		redis_hang_up(connection);
	if (connection->fd < 0 && connect_all(connection, err) < 0) {
		redis_hang_up(connection);
		return REDIS_NOT_SENT;
	}
	if (exchange(connection, count, words, out, err) < 0) {
		redis_hang_up(connection);
		return REDIS_LOST;
	}
	return REDIS_ANSWERED;
}

/* ---- Birth and death ---- */

static int tls_init(struct redis_connection *connection, struct error *err)
{
	const struct redis_address *address = connection->address;

	connection->tls = SSL_CTX_new(TLS_client_method());
	if (!connection->tls || !SSL_CTX_set_min_proto_version(connection->tls, TLS1_2_VERSION))
		return tls_fail(connection, "TLS", err);
	SSL_CTX_set_verify(connection->tls, SSL_VERIFY_PEER, NULL);
	if (address->ca ? SSL_CTX_load_verify_locations(connection->tls, address->ca, NULL) != 1
			: SSL_CTX_set_default_verify_paths(connection->tls) != 1)
		return tls_fail(connection, address->ca ? address->ca : "CA certificates", err);
	if (address->cert &&
	    SSL_CTX_use_certificate_chain_file(connection->tls, address->cert) != 1)
		return tls_fail(connection, address->cert, err);
	if (address->cert && SSL_CTX_use_PrivateKey_file(
				     connection->tls, address->key ? address->key : address->cert,
				     SSL_FILETYPE_PEM) != 1)
		return tls_fail(connection, "the key of the client's certificate", err);
	return 0;
}

int redis_connection_new(struct redis_connection **out, const struct redis_address *address,
			 struct error *err)
{
	AUTO(redis_connection_free)
	struct redis_connection *connection = NEW(struct redis_connection);

	connection->address = address;
	connection->fd = connection->interrupt_fd = -1;
	if (address->tls && tls_init(connection, err) < 0)
		return -1;
	*out = TAKE(connection);
	return 0;
}

void redis_interrupt_by(struct redis_connection *connection, int fd)
{
	connection->interrupt_fd = fd;
}

void redis_connection_free(struct redis_connection *connection)
{
	if (!connection)
		return;
	redis_hang_up(connection);
	SSL_CTX_free(connection->tls);
	free(connection);
}
