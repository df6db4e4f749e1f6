#include "io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"

#define QUEUE 128
#define PATIENCE_MS 1000 /* with a socket that seems to be in use */
#define PATIENCE_TRIES 50

struct fd {
	int number;
};

static void fd_close(struct fd *fd)
{
	if (fd->number >= 0)
		close(fd->number);
}

#define AUTO_FD __attribute__((cleanup(fd_close))) struct fd

/* Whether somebody accepts connections there: 1, 0, or -1. */
static int is_answered(const struct sockaddr_un *address, struct error *err)
{
	AUTO_FD fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	if (fd.number < 0)
		return error_errno(err, "socket");
	if (connect(fd.number, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EAGAIN)
		return 1;
	if (errno == ECONNREFUSED || errno == ENOENT)
		return 0;
	return error_errno(err, "%s", address->sun_path);
}

/*
 * A socket's file that nobody answers on was left behind by a crash. One that seems to be answered
 * may be held for another moment by a child of the process that crashed, between fork and exec.
 */
static int stale_socket_remove(const struct sockaddr_un *address, struct error *err)
{
	static const struct timespec pause = { 0, PATIENCE_MS / PATIENCE_TRIES * 1000000L };
	struct stat st;
	int answered = 1;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "%s", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, "%s is there already and is not a socket", address->sun_path);
	for (int i = 0; answered > 0 && i < PATIENCE_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		answered = is_answered(address, err);
	}
	if (answered < 0)
		return -1;
	if (answered)
		return error_set(err,
				 "%s: another process answers there already; is cn_monitor "
				 "running twice?",
				 address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_errno(err, "removing the stale socket %s", address->sun_path);
	return 0;
}

static int unix_open(struct listener *out, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_FD fd = { -1 };
	struct stat st;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return error_set(err, "%s: the path of a socket has 1 to %zu bytes", path,
				 sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1); /* its length was checked above */
	if (stale_socket_remove(&address, err) < 0)
		return -1;
	fd.number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Before it is bound, so that the file has this mode from its first moment; umask would
	 * concern every thread. */
	if (fd.number < 0 || fchmod(fd.number, 0600) < 0)
		return error_errno(err, "socket");
	if (bind(fd.number, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd.number, QUEUE) < 0 || lstat(path, &st) < 0)
		return error_errno(err, "listening on %s", path);
	*out = (struct listener){
		.fd = fd.number, .path = str_copy(path), .device = st.st_dev, .inode = st.st_ino
	};
	fd.number = -1;
	return 0;
}

static int port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

static int tcp_open(struct listener *out, const char *text, struct error *err)
{
	const char *colon = strrchr(text, ':');
	struct text host = { text, colon ? (size_t)(colon - text) : 0 };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found;
	AUTO_FD fd = { -1 };
	int64_t port;
	int on = 1;

	if (!colon)
		return error_set(err,
				 "'%s': expected unix:/a/path or an address with its port, "
				 "like 127.0.0.1:9180",
				 text);
	if (parse_number(text_of(colon + 1), 0, 65535, &port, err) < 0)
		return error_prefix(err, "port in '%s'", text);
	if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
		host = (struct text){ host.data + 1, host.size - 2 };
	AUTO(free) char *name = text_copy(host);
	AUTO(free) char *service = str_format("%d", (int)port);
	if (getaddrinfo(strcmp(name, "localhost") ? name : "127.0.0.1", service, &hints, &found))
		return error_set(err, "'%s': expected an IP address in front of the port", text);
	fd.number = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd.number >= 0)
		setsockopt(fd.number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd.number < 0 || bind(fd.number, found->ai_addr, found->ai_addrlen) < 0 ||
	    listen(fd.number, QUEUE) < 0) {
		freeaddrinfo(found);
		return error_errno(err, "listening on %s", text);
	}
	freeaddrinfo(found);
	*out = (struct listener){ .fd = fd.number, .port = port_of(fd.number) };
	fd.number = -1;
	return 0;
}

int listener_open(struct listener *out, const char *address, struct error *err)
{
	if (strncmp(address, "unix:", 5) == 0)
		return unix_open(out, address + 5, err);
	return tcp_open(out, address, err);
}

void listener_close(struct listener *listener)
{
	struct stat st;

	if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		unlink(listener->path);
	free(TAKE(listener->path));
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}
