/* Preloaded by test_clock.py: the system's clock is off by the milliseconds in the file CLOCK_STEP.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, id, now);
	const char *path = getenv("CLOCK_STEP");
	char text[32] = "";
	int fd;

	if (rc || id != CLOCK_REALTIME || !path || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return rc;
	if (read(fd, text, sizeof(text) - 1) > 0) {
		long long off = atoll(text) + now->tv_nsec / 1000000;

		now->tv_sec += off / 1000 - (off % 1000 < 0);
		now->tv_nsec = (off % 1000 + (off % 1000 < 0 ? 1000 : 0)) * 1000000 +
			       now->tv_nsec % 1000000;
	}
	close(fd);
	return 0;
}
