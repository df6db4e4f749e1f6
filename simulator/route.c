#include "simulator/route.h"

#include "simulator/auth.h"
#include "simulator/files.h"

static const struct route *const tables[] = {
	routes_session,   routes_cluster,  routes_settings, routes_files,   routes_entries,
	routes_data,      routes_metadata, routes_acl,      routes_streams, routes_notify,
	routes_snapshots, routes_nodes,    routes_handles,  routes_control,
};

static bool matches(const struct url *url, const char *pattern)
{
	struct text rest = text_of(pattern + 1);
	int part = 0;

	/* A pattern that ends with a slash has an empty last segment, and so must the path. */
	for (bool more = true; more; part++) {
		more = rest.size && memchr(rest.data, '/', rest.size);
		struct text want = text_cut(&rest, '/');

		if (part == url->parts)
			return false;
		if (want.size && want.data[0] == '{') {
			if (!url->part[part].size)
				return false;
		} else if (!text_equal(want, url->part[part])) {
			return false;
		}
	}
	return part == url->parts;
}

static bool take_arguments(struct request *request)
{
	struct text rest = text_of(request->route->pattern + 1);
	int count = 0;

	for (int part = 0; part < request->url.parts; part++) {
		struct text want = text_cut(&rest, '/');

		if (!want.size || want.data[0] != '{')
			continue;
		request->argument[count] = url_decode(request->url.part[part]);
		if (!request->argument[count++]) {
			answer_error(request, 400, "invalid_request_error",
				     "A bad escape in the path");
			return false;
		}
	}
	return true;
}

bool route_find(struct request *request)
{
	bool path_exists = false;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct route *route = tables[i]; route->method; route++) {
			if (!matches(&request->url, route->pattern))
				continue;
			path_exists = true;
			if (strcmp(route->method, request->method) != 0)
				continue;
			request->route = route;
			return take_arguments(request);
		}
	}
	if (path_exists)
		answer_error(request, 405, "http_method_not_allowed_error",
			     "%s is not offered here", request->method);
	else
		answer_error(request, 404, "http_not_found_error", "No such resource: %.*s",
			     TEXT_ARGS(request->url.path));
	return false;
}

static bool authenticate(struct request *request)
{
	static const char scheme[] = "Bearer ";
	const char *header = request_header(request, "Authorization");
	struct sim *sim = request->sim;

	if (header && strncasecmp(header, scheme, sizeof(scheme) - 1) == 0)
		request->token = auth_check(sim->auth, header + sizeof(scheme) - 1);
	if (request->token) {
		request->user = request->token->user;
		return true;
	}
	if (switch_value(&sim->switches, SWITCH_UNAUTHORIZED_BODY) == USUAL_SIDE)
		answer_error(request, 401, "http_unauthorized_error", "Need authentication");
	else
		answer_empty(request, 401);
	return false;
}

void route_run(struct request *request)
{
	const struct route *route = request->route;

	if (!(route->flags & (ROUTE_OPEN | ROUTE_CONTROL)) && !authenticate(request))
		return;
	if (route->privilege && !(request->user->privileges & route->privilege)) {
		answer_missing_privilege(request, route->privilege);
		return;
	}
	route->run(request);
}
