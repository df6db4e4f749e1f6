/* api_notify: opening the notify stream (section 17). */
#include "simulator/auth.h"
#include "simulator/files.h"
#include "simulator/hub.h"
#include "simulator/route.h"

/* "a,b" to bits; empty is all. -1: 400 was answered. */
static int parse_filter(struct request *request, uint32_t *out)
{
	struct text rest = text_of(url_parameter(&request->url, "filter"));

	*out = 0;
	while (rest.size) {
		struct text name = text_trim(text_cut(&rest, ','));
		enum event_type type = event_type_parse(name);

		if (!name.size)
			continue;
		if (type == EVENT_TYPE_UNKNOWN) {
			answer_error(request, 400, "invalid_request_error",
				     "Unknown notification type: %.*s", TEXT_ARGS(name));
			return -1;
		}
		*out |= EVENT_KIND(type);
	}
	return 0;
}

static void answer_recursive_disabled(struct request *request)
{
	static const char text[] = "Recursive notification is disabled";

	switch (switch_value(&request->sim->switches, SWITCH_RECURSIVE_DISABLED)) {
	case DISABLED_403:
		answer_error(request, 403, "http_unauthorized_error", text);
		break;
	case DISABLED_409:
		answer_error(request, 409, "invalid_request_error", text);
		break;
	case DISABLED_501:
		answer_error(request, 501, "http_not_implemented_error", text);
		break;
	case DISABLED_EMPTY:
		answer_empty(request, 400);
		break;
	default:
		answer_error(request, 400, "invalid_request_error", text);
		break;
	}
}

static bool may_watch(struct request *request, struct node *directory, bool recursive)
{
	const struct switches *switches = &request->sim->switches;
	privilege_set needed = PRIVILEGE(FILE_FULL_ACCESS);

	if (!recursive)
		return file_allow(request, directory, RIGHT_READ);
	if (switch_value(switches, SWITCH_RECURSIVE_PRIVILEGE) == PRIVILEGE_BY_READ_ACCESS)
		needed |= PRIVILEGE(FILE_READ_ACCESS);
	if (request->user->privileges & needed)
		return true;
	answer_missing_privilege(request, needed);
	return false;
}

static void run_notify(struct request *request)
{
	struct sim *sim = request->sim;
	struct node *directory = file_find(request);
	bool recursive;
	uint32_t filter;

	if (!directory || request_flag(request, "recursive", &recursive) < 0 ||
	    parse_filter(request, &filter) < 0 || !may_watch(request, directory, recursive))
		return;
	if (tree_type(directory) != TREE_DIRECTORY) {
		answer_error(request, 400, "fs_not_a_directory_error", "Not a directory");
		return;
	}
	int64_t mode = switch_value(&sim->switches, SWITCH_RECURSIVE_MODE);
	if (recursive && mode == RECURSIVE_DISABLED_ERROR) {
		answer_recursive_disabled(request);
		return;
	}
	if (tree_id(directory) == sim->hub->fail_next) {
		sim->hub->fail_next = 0;
		answer_error(request, 500, "fs_watcher_missed_events_error",
			     "Change watch missed events");
		return;
	}
	AUTO(free) char *path = tree_path(sim->tree, directory);
	hub_open_stream(sim->hub, request, tree_id(directory), path,
			recursive && mode != RECURSIVE_DISABLED_IGNORE, filter);
}

const struct route routes_notify[] = {
	{ "GET", "/v1/files/{}/notify", run_notify },
	{ NULL },
};
