/* api_settings: settings of the file system (sections 6 and 16), with ETags of their own. */
#include "simulator/route.h"
#include "simulator/settings.h"

/* Starts anew with every run, as the settings do. */
static struct {
	bool atime_enabled;
	const char *granularity;
	int64_t notify_version;
	int64_t atime_version;
} settings = { .granularity = "HOUR", .notify_version = 1, .atime_version = 1 };

static void answer_version(struct request *request, json_t *body, int64_t version)
{
	AUTO(free) char *etag = str_format("\"%lld\"", (long long)version);

	answer_json(request, 200, body);
	answer_etag(request, etag);
}

static bool if_match(struct request *request, int64_t version)
{
	AUTO(free) char *etag = str_format("\"%lld\"", (long long)version);

	return request_if_match(request, etag, "the setting");
}

static void run_permissions(struct request *request)
{
	answer_json(request, 200, json_pack("{s:s}", "mode", "CROSS_PROTOCOL"));
}

static void run_get_notify(struct request *request)
{
	const struct switches *switches = &request->sim->switches;

	if (switch_value(switches, SWITCH_NOTIFY_SETTINGS) == OTHER_SIDE) {
		answer_error(request, 403, "http_unauthorized_error", "Access denied");
		return;
	}
	answer_version(request,
		       json_pack("{s:s}", "recursive_mode", switches->text[SWITCH_RECURSIVE_MODE]),
		       settings.notify_version);
}

static void run_put_notify(struct request *request)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct switches *switches = &request->sim->switches;
	const char *mode;
	AUTO_ERROR err = { 0 };

	if (!body || member_string(request, body, "recursive_mode", NEEDED, &mode) < 0 ||
	    !if_match(request, settings.notify_version))
		return;
	if (switches_put(switches, text_of(switch_name(SWITCH_RECURSIVE_MODE)), text_of(mode),
			 &err) < 0) {
		answer_error(request, 400, "decode_error", "recursive_mode: %s", mode);
		return;
	}
	settings.notify_version++;
	run_get_notify(request);
}

static void run_get_atime(struct request *request)
{
	answer_version(request,
		       json_pack("{s:b, s:s}", "enabled", (int)settings.atime_enabled,
				 "granularity", settings.granularity),
		       settings.atime_version);
}

static void change_atime(struct request *request, enum presence presence)
{
	static const char *const granularities[] = { "HOUR", "DAY", "WEEK" };
	AUTO(json_decref) json_t *body = request_object(request);
	const char *granularity = NULL;
	bool enabled = settings.atime_enabled;

	if (!body || member_bool(request, body, "enabled", presence, &enabled) < 0 ||
	    member_string(request, body, "granularity", presence, &granularity) < 0 ||
	    !if_match(request, settings.atime_version))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(granularities); i++) {
		if (granularity && strcmp(granularity, granularities[i]) != 0)
			continue;
		settings.atime_enabled = enabled;
		if (granularity)
			settings.granularity = granularities[i];
		settings.atime_version++;
		run_get_atime(request);
		return;
	}
	answer_error(request, 400, "decode_error", "granularity: %s", granularity);
}

static void run_put_atime(struct request *request)
{
	change_atime(request, NEEDED);
}

static void run_patch_atime(struct request *request)
{
	change_atime(request, OPTIONAL);
}

int64_t settings_atime_granularity_ms(void)
{
	static const int64_t hour_ms = 3600 * 1000;

	if (!settings.atime_enabled)
		return -1;
	return *settings.granularity == 'H'   ? hour_ms
	       : *settings.granularity == 'D' ? 24 * hour_ms
					      : 7 * 24 * hour_ms;
}

const struct route routes_settings[] = {
	{ "GET", "/v1/file-system/settings/permissions", run_permissions, 0,
	  PRIVILEGE(FS_SETTINGS_READ) },
	{ "GET", "/v1/file-system/settings/notify", run_get_notify, 0,
	  PRIVILEGE(FS_SETTINGS_READ) },
	{ "PUT", "/v1/file-system/settings/notify", run_put_notify, ROUTE_CHANGES,
	  PRIVILEGE(FS_SETTINGS_WRITE) },
	{ "GET", "/v1/file-system/settings/atime", run_get_atime, 0, PRIVILEGE(FS_SETTINGS_READ) },
	{ "PUT", "/v1/file-system/settings/atime", run_put_atime, ROUTE_CHANGES,
	  PRIVILEGE(FS_SETTINGS_WRITE) },
	{ "PATCH", "/v1/file-system/settings/atime", run_patch_atime, ROUTE_CHANGES,
	  PRIVILEGE(FS_SETTINGS_WRITE) },
	{ NULL },
};
