#include "app/post.h"

#include "app/connect.h"
#include "app/modules.h"

static struct connection **connections_new(const struct post *post, struct http *http)
{
	const struct settings *settings = post->setup->settings;
	struct connection **connections =
		mem_array(settings->watch_count, sizeof(struct connection *));

	for (size_t i = 0; i < settings->watch_count; i++)
		connections[i] = connection_new(http, settings->watches[i].on);
	return connections;
}

static void connections_free(const struct post *post, struct connection **connections)
{
	if (!connections)
		return;
	for (size_t i = 0; i < post->setup->settings->watch_count; i++)
		connection_free(connections[i]);
	free(connections);
}

static void connect_all(struct post *post)
{
	post->connections = connections_new(post, post->http);
}

static void disconnect_all(struct post *post)
{
	connections_free(post, TAKE(post->connections));
}

/* ---- watch ---- */

event_kinds post_needs(const struct watch_settings *watch, const struct rule_set *set)
{
	return watch->events == WATCH_EVENTS_NEEDED ? rule_set_needs(set, &app_modules) : EVENT_ANY;
}

static void watch_close(void *ctx)
{
	struct post *post = ctx;

	for (size_t i = 0; i < post->setup->settings->watch_count; i++)
		watcher_close(post->watchers[i]);
	disconnect_all(post);
	http_close(TAKE(post->http));
}

static int watch_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct post *post = ctx;
	const struct settings *settings = post->setup->settings;

	if (http_open(&post->http, loop, err) < 0)
		return -1;
	connect_all(post);
	for (size_t i = 0; i < settings->watch_count; i++) {
		if (watcher_open(&post->watchers[i], loop, connection_client(post->connections[i]),
				 &settings->watches[i],
				 post_needs(&settings->watches[i], post->sets[i]),
				 settings->store.commit, post->setup->store, err) < 0) {
			watch_close(post);
			return -1;
		}
	}
	return 0;
}

/* ---- repair: beside watch, so that the stream's reader waits for nothing ---- */

static void repairs_close(void *ctx)
{
	struct post *post = ctx;

	for (size_t i = 0; i < post->setup->settings->watch_count; i++) {
		repair_free(post->repairs[i]);
		scan_role_free(TAKE(post->scans[i]));
	}
	connections_free(post, TAKE(post->repair_connections));
	http_close(TAKE(post->repair_http));
}

static int repairs_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct post *post = ctx;
	const struct settings *settings = post->setup->settings;

	if (http_open(&post->repair_http, loop, err) < 0)
		return -1;
	post->repair_connections = connections_new(post, post->repair_http);
	for (size_t i = 0; i < settings->watch_count; i++) {
		const struct watch_settings *watch = &settings->watches[i];

		post->scans[i] = scan_role_new(loop, connection_client(post->repair_connections[i]),
					       watch, post->setup->store);
		if (watch->gap_repair == GAP_REPAIR_OFF)
			continue;
		post->repairs[i] = repair_new(loop, connection_client(post->repair_connections[i]),
					      watch, post->watchers[i], post->setup->store);
	}
	return 0;
}

/* ---- filter ---- */

static int filter_role_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct post *post = ctx;
	const struct post_setup *setup = post->setup;

	if (http_open(&post->http, loop, err) < 0)
		return -1;
	if (filter_open(&post->filter, loop, setup->settings, setup->store, post->sets, err) < 0) {
		http_close(TAKE(post->http));
		return -1;
	}
	connect_all(post);
	for (size_t i = 0; i < setup->settings->watch_count; i++)
		post->clusters[i] = connection_cluster(post->connections[i]);
	filter_ask(post->filter, post->clusters);
	filter_on_trouble(post->filter, setup->trouble, setup->ctx);
	return 0;
}

static void filter_role_close(void *ctx)
{
	struct post *post = ctx;

	filter_close(post->filter);
	disconnect_all(post);
	http_close(TAKE(post->http));
}

/* ---- act ---- */

static void act_close(void *ctx)
{
	struct post *post = ctx;

	deliver_close(post->deliver);
	disconnect_all(post);
	http_close(TAKE(post->http));
}

static int act_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct post *post = ctx;
	const struct post_setup *setup = post->setup;
	const struct settings *settings = setup->settings;

	if (http_open(&post->http, loop, err) < 0)
		return -1;
	connect_all(post);
	for (size_t i = 0; i < settings->watch_count; i++)
		post->clusters[i] = connection_cluster(post->connections[i]);
	if (deliver_open(&post->deliver, loop, post->http, settings, setup->store, post->clusters,
			 setup->mail, err) < 0) {
		disconnect_all(post);
		http_close(TAKE(post->http));
		return -1;
	}
	for (size_t i = 0; i < settings->watch_count; i++)
		deliver_offer(post->deliver, i, rule_set_share(post->sets[i]));
	return 0;
}

/* ---- life ---- */

static const struct {
	const char *name, *thread;
	int (*open)(void *ctx, uv_loop_t *loop, struct error *err);
	void (*close)(void *ctx);
} kinds[STORE_ROLE_COUNT] = {
	[STORE_WATCH] = { "watch", "cn-watch", watch_open, watch_close },
	[STORE_FILTER] = { "filter", "cn-filter", filter_role_open, filter_role_close },
	[STORE_ACT] = { "act", "cn-act", act_open, act_close },
};

const char *store_role_name(enum store_role role)
{
	return kinds[role].name;
}

void post_init(struct post *post, const struct post_setup *setup, enum store_role kind)
{
	*post = (struct post){ .setup = setup,
			       .kind = kind,
			       .role = { .name = kinds[kind].thread,
					 .open = kinds[kind].open,
					 .close = kinds[kind].close } };
	post->role.ctx = post;
	post->repair_role = (struct role){
		.name = "cn-repair", .open = repairs_open, .close = repairs_close, .ctx = post
	};
}

static void forget(struct post *post)
{
	free(TAKE(post->watchers));
	free(TAKE(post->repairs));
	free(TAKE(post->scans));
	free(TAKE(post->clusters));
	post->filter = NULL;
	post->deliver = NULL;
}

int post_start(struct post *post, struct error *err)
{
	size_t count = post->setup->settings->watch_count;

	post->watchers = mem_array(count, sizeof(struct watcher *));
	post->repairs = mem_array(count, sizeof(struct repair *));
	post->scans = mem_array(count, sizeof(struct scan_role *));
	post->clusters = mem_array(count, sizeof(struct cluster *));
	if (role_start(&post->role, err) == 0) {
		if (post->kind != STORE_WATCH || role_start(&post->repair_role, err) == 0)
			return 0;
		role_stop(&post->role);
	}
	forget(post);
	return -1;
}

void post_stop(struct post *post)
{
	role_stop(&post->repair_role);
	role_stop(&post->role);
	forget(post);
}
