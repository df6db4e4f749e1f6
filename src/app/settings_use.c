/* settings_use: what follows from the settings. */
#include "app/settings.h"

#include "base/buf.h"

char *settings_socket(const struct settings *settings, const char *role)
{
	AUTO(buf_free) struct buf *path = buf_new(SIZE_MAX / 2);
	const char *rest = settings->admin.socket, *place;

	while ((place = strstr(rest, SETTINGS_ROLE))) {
		if (!buf_print(path, "%.*s%s", (int)(place - rest), rest, role))
			abort(); /* the limit is beyond memory */
		rest = place + strlen(SETTINGS_ROLE);
	}
	if (!buf_print(path, "%s", rest))
		abort();
	return buf_take(path);
}
