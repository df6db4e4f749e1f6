#include "simulator/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

int keep_folder(const char *path, struct error *err)
{
	AUTO(free) char *copy = str_copy(path);
	struct stat info;

	for (char *slash = copy + 1; slash; *slash++ = '/') {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return error_errno(err, "cannot make the directory %s", copy);
		if (!slash)
			break;
	}
	if (stat(path, &info) < 0)
		return error_errno(err, "%s", path);
	return S_ISDIR(info.st_mode) ? 0 : error_set(err, "%s is not a directory", path);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int keep_read(char **out, const char *path, struct error *err)
{
	__attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf_free) struct buf *text = buf_new(1 << 20);
	ssize_t size;

	if (fd < 0)
		return error_errno(err, "%s", path);
	do {
		if (!buf_reserve(text, 4096))
			return error_set(err, "%s is too large", path);
		size = read(fd, text->data + text->size, 4096);
		if (size < 0)
			return error_errno(err, "%s", path);
		text->size += size;
	} while (size);
	if (text->size && text->data[text->size - 1] == '\n')
		text->size--;
	text->data[text->size] = '\0';
	*out = buf_take(text);
	return 0;
}

int keep_text(char **out, const char *path, char *(*make)(void), struct error *err)
{
	if (access(path, F_OK) == 0)
		return keep_read(out, path, err);
	AUTO(free) char *text = make();
	__attribute__((cleanup(close_fd))) int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		return error_errno(err, "cannot write %s", path);
	*out = TAKE(text);
	return 0;
}
