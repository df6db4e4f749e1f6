#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"

enum { SECRET_MAX = 65536 };

static void auto_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int check_mode(const char *path, const struct stat *info, struct error *err)
{
	if (S_ISDIR(info->st_mode))
		return error_set(err, "%s is a directory, expected a file", path);
	if (info->st_mode & (S_IROTH | S_IWOTH))
		return error_set(
			err, "%s: everybody on this machine can %s it (mode %04o): chmod 600 %s",
			path, info->st_mode & S_IROTH ? "read" : "change",
			(unsigned)info->st_mode & 07777, path);
	if (info->st_mode & S_IWGRP)
		return error_set(err, "%s: its group can change it (mode %04o): chmod 600 %s", path,
				 (unsigned)info->st_mode & 07777, path);
	return 0;
}

int secret_read(char **out, const char *path, struct error *err)
{
	/* Links are followed: Kubernetes mounts secrets as links. What counts is the file itself.
	 */
	__attribute__((cleanup(auto_close_fd))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO(buf_free) struct buf *buf = buf_new(SECRET_MAX);
	struct stat info;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &info) < 0)
		return error_errno(err, "%s cannot be read", path);
	if (check_mode(path, &info, err) < 0)
		return -1;
	while (got) {
		if (!buf_reserve(buf, 4096))
			return error_set(err, "%s is too big for a secret", path);
		got = read(fd, buf->data + buf->size, 4096);
		if (got < 0 && errno != EINTR)
			return error_errno(err, "%s cannot be read", path);
		buf->size += MAX(got, 0);
	}

	struct text secret = buf_text(buf);

	while (secret.size && strchr(" \t\r\n", secret.data[secret.size - 1]))
		secret.size--;
	if (!secret.size)
		return error_set(err, "%s is empty, expected a secret", path);
	for (size_t i = 0; i < secret.size; i++)
		if ((unsigned char)secret.data[i] < ' ' || secret.data[i] == 0x7f)
			return error_set(err, "%s: expected one line of text", path);
	*out = text_copy(secret);
	log_hide(*out);
	return 0;
}
