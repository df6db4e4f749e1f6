/*
 * redis_server: a redis-server of the test's own, on a socket in a directory of its own. It dies
 * with the test.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include "check.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

struct redis_server {
	char dir[64];
	char socket[80];
	pid_t pid;
};

static UNUSED bool redis_server_is_installed(void)
{
	return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static inline int redis_server_connect(const struct redis_server *server)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", server->socket);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Says one command in a line and shows the beginning of the answer; false: nobody is there. */
static UNUSED bool redis_server_ask(const struct redis_server *server, const char *line,
				    char answer[64])
{
	int fd = redis_server_connect(server);
	ssize_t size;

	if (fd < 0)
		return false;
	size = write(fd, line, strlen(line));
	size = size > 0 ? write(fd, "\r\n", 2) : -1;
	size = size > 0 ? read(fd, answer, 63) : -1;
	close(fd);
	answer[MAX(size, 0)] = 0;
	return size > 0;
}

/* It answers, and has read what it had stored. */
static inline void redis_server_await(const struct redis_server *server)
{
	char answer[64];

	for (int i = 0; i < 3000; i++) {
		if (redis_server_ask(server, "PING", answer) &&
		    (strncmp(answer, "+PONG", 5) == 0 || strncmp(answer, "-NOAUTH", 7) == 0))
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("redis-server does not start: see %s/log", server->dir);
}

/* options: more words of the command line, ended by NULL; may be NULL. */
static UNUSED void redis_server_start(struct redis_server *server, const char *const *options)
{
	const char *words[32] = {
		"redis-server", "--port", "0", "--unixsocket", server->socket, "--dir",
		server->dir,    "--save", "",  "--logfile",    "log",          "--loglevel",
		"warning",
	};
	size_t count = 13;

	if (!server->dir[0]) {
		snprintf(server->dir, sizeof(server->dir), "%s/cn_redis.XXXXXX",
			 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (!mkdtemp(server->dir))
			fail_msg("no directory for redis-server");
		snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
	}
	for (; options && *options; options++)
		words[count++] = *options;
	words[count] = NULL;
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(words[0], (char **)words);
		_exit(127);
	}
	redis_server_await(server);
}

static UNUSED void redis_server_kill(struct redis_server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	server->pid = 0;
}

/* And what it stored. */
static UNUSED void redis_server_remove(struct redis_server *server)
{
	AUTO(free) char *command = str_format("rm -rf %s", server->dir);

	if (!server->dir[0])
		return;
	redis_server_kill(server);
	if (system(command) != 0)
		fail_msg("%s", command);
	server->dir[0] = 0;
}

#endif
