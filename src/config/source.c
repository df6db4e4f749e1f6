#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

static void auto_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool refuse(struct problems *problems, const char *path, const char *why)
{
	problems_error(problems, (struct place){ path, 0, 0 }, "cannot be read: %s", why);
	return false;
}

bool source_read(struct buf **out, const char *path, size_t limit_bytes, unsigned *mode,
		 struct problems *problems)
{
	__attribute__((cleanup(auto_close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf_free) struct buf *buf = buf_new(limit_bytes + 1);
	struct stat info;
	ssize_t got;

	if (fd < 0 || fstat(fd, &info) < 0)
		return refuse(problems, path, strerror(errno));
	if (S_ISDIR(info.st_mode))
		return refuse(problems, path, "it is a directory, expected a file");
	if (mode)
		*mode = info.st_mode & 07777;
	do {
		size_t room = MIN((size_t)65536, limit_bytes + 1 - buf->size);

		if (!room || !buf_reserve(buf, room)) {
			AUTO(free)
			char *why = str_format("it has more than the %zu MiB allowed",
					       limit_bytes >> 20);
			return refuse(problems, path, why);
		}
		got = read(fd, buf->data + buf->size, room);
		if (got < 0 && errno != EINTR)
			return refuse(problems, path, strerror(errno));
		buf->size += MAX(got, 0);
	} while (got);
	if (buf_reserve(buf, 0))
		buf->data[buf->size] = 0;
	*out = TAKE(buf);
	return true;
}

static bool is_text(utf8proc_int32_t code)
{
	if (code < 0x20)
		return code == '\t' || code == '\n' || code == '\r';
	return code != 0x7f && (code < 0x80 || code > 0x9f || code == 0x85) && code != 0xfffe &&
	       code != 0xffff;
}

bool source_check(const char *file, struct text *text, struct problems *problems)
{
	struct place place = { file, 1, 1 };

	if (text_starts_with(*text, TEXT("\xff\xfe")) ||
	    text_starts_with(*text, TEXT("\xfe\xff"))) {
		problems_error(problems, (struct place){ file, 0, 0 },
			       "is UTF-16; save it as UTF-8");
		return false;
	}
	if (text_starts_with(*text, TEXT("\xef\xbb\xbf"))) {
		text->data += 3;
		text->size -= 3;
	}
	for (size_t at = 0; at < text->size;) {
		utf8proc_int32_t code;
		ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text->data + at,
						text->size - at, &code);

		if (used <= 0) {
			problems_error(problems, place,
				       "byte 0x%02x is not UTF-8; save the file as UTF-8",
				       (unsigned char)text->data[at]);
			return false;
		}
		if (!is_text(code)) {
			problems_error(problems, place,
				       "control character \\x%02x does not belong into a text file",
				       (unsigned)code);
			return false;
		}
		at += used;
		place.column++;
		if (code == '\n' ||
		    (code == '\r' && (at == text->size || text->data[at] != '\n'))) {
			place.line++;
			place.column = 1;
		}
	}
	return true;
}
