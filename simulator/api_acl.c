/* api_acl: access control lists (section 12). */
#include "simulator/acl.h"
#include "simulator/route.h"

static void answer_acl(struct request *request, struct node *node, bool second_version)
{
	AUTO(free) char *etag = file_etag(request->sim, node);
	const json_t *kept = tree_acl(node);
	struct tree_stat stat;

	tree_stat(request->sim->tree, node, &stat);
	AUTO(json_decref) json_t *acl = kept ? json_deep_copy(kept) : acl_of_mode(&stat);
	if (second_version)
		answer_json(request, 200, acl_v2(acl, request));
	else
		answer_json(request, 200,
			    json_pack("{s:b, s:O}", "generated", kept == NULL, "acl", acl));
	answer_etag(request, etag);
}

static void get_acl(struct request *request, bool second_version)
{
	struct node *node = file_find_read(request);

	if (node && file_allow(request, node, RIGHT_READ_ACL))
		answer_acl(request, node, second_version);
}

static void put_acl(struct request *request, bool second_version)
{
	AUTO(json_decref) json_t *body = request_object(request);
	struct node *node = body ? file_find(request) : NULL;
	AUTO(json_decref) json_t *acl = node ? acl_parse(request, body) : NULL;
	struct tree_stat stat;
	AUTO_ERROR err = { 0 };

	if (!acl || !file_allow(request, node, RIGHT_WRITE_ACL) || !file_if_match(request, node))
		return;
	tree_stat(request->sim->tree, node, &stat);
	enum tree_result result =
		tree_set_acl(request->sim->tree, node, acl, acl_mode(acl, &stat), &err);
	if (result != TREE_OK)
		answer_tree_error(request, result, &err);
	else
		answer_acl(request, node, second_version);
}

static void run_get(struct request *request)
{
	get_acl(request, false);
}

static void run_put(struct request *request)
{
	put_acl(request, false);
}

static void run_get_v2(struct request *request)
{
	get_acl(request, true);
}

static void run_put_v2(struct request *request)
{
	put_acl(request, true);
}

const struct route routes_acl[] = {
	{ "GET", "/v1/files/{}/info/acl", run_get },
	{ "PUT", "/v1/files/{}/info/acl", run_put, ROUTE_CHANGES },
	{ "GET", "/v2/files/{}/info/acl", run_get_v2 },
	{ "PUT", "/v2/files/{}/info/acl", run_put_v2, ROUTE_CHANGES },
	{ NULL },
};
