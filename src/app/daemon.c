#include "app/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/connect.h"
#include "app/role.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "io/service_manager.h"

/* What belongs to one role's thread besides the role itself. */
struct crew {
	struct daemon *daemon;
	struct http *http;
	struct connection **connections; /* one a watch */
	struct role role;
};

struct host {
	struct daemon daemon;
	uv_loop_t *loop;
	uv_signal_t signals[3];
	struct service_manager *manager; /* NULL unless systemd started us */
	struct admin *admin;
	struct crew watch;
	struct crew filter;
	struct crew act;
	const struct cluster **clusters; /* what act hands to actions, one a watch */
	struct mail_server mail;
	bool has_mail;
	char *mail_password;
	char *mail_host;
};

static struct host *host_of(struct daemon *daemon)
{
	return CONTAINER_OF(daemon, struct host, daemon);
}

static void connect_all(struct crew *crew)
{
	const struct settings *settings = crew->daemon->settings;

	crew->connections = mem_array(settings->watch_count, sizeof(*crew->connections));
	for (size_t i = 0; i < settings->watch_count; i++)
		crew->connections[i] = connection_new(crew->http, settings->watches[i].on);
}

static void disconnect_all(struct crew *crew)
{
	if (!crew->connections)
		return;
	for (size_t i = 0; i < crew->daemon->settings->watch_count; i++)
		connection_free(crew->connections[i]);
	free(TAKE(crew->connections));
}

/* ---- watch ---- */

static void watch_close(void *ctx)
{
	struct crew *crew = ctx;
	struct daemon *daemon = crew->daemon;

	for (size_t i = 0; daemon->watchers && i < daemon->settings->watch_count; i++)
		watcher_close(daemon->watchers[i]);
	disconnect_all(crew);
	http_close(TAKE(crew->http));
}

static int watch_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct crew *crew = ctx;
	struct daemon *daemon = crew->daemon;
	const struct settings *settings = daemon->settings;

	if (http_open(&crew->http, loop, err) < 0)
		return -1;
	connect_all(crew);
	for (size_t i = 0; i < settings->watch_count; i++) {
		if (watcher_open(&daemon->watchers[i], loop,
				 connection_client(crew->connections[i]), &settings->watches[i],
				 settings->store.commit, daemon->store, err) < 0) {
			watch_close(crew);
			return -1;
		}
	}
	return 0;
}

/* ---- filter ---- */

/* In the filter's thread: what it read says that the stream cannot be trusted any more. */
static void stream_in_trouble(void *ctx, size_t watch, int64_t heard_ms, const char *reason)
{
	struct daemon *daemon = ctx;
	struct watcher *watcher = daemon->watchers[watch];

	if (watcher)
		watcher_report_trouble(watcher, heard_ms, reason);
}

static int filter_role_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct crew *crew = ctx;
	struct daemon *daemon = crew->daemon;
	const struct settings *settings = daemon->settings;
	struct rule_set **sets = mem_array(settings->watch_count, sizeof(*sets));

	for (size_t i = 0; i < settings->watch_count; i++)
		sets[i] = rule_set_share(reload_get(daemon->reload, i));

	int result = filter_open(&daemon->filter, loop, settings, daemon->store, sets, err);

	for (size_t i = 0; i < settings->watch_count; i++)
		rule_set_free(sets[i]);
	free(sets);
	if (result == 0)
		filter_on_trouble(daemon->filter, stream_in_trouble, daemon);
	return result;
}

static void filter_role_close(void *ctx)
{
	struct crew *crew = ctx;

	filter_close(crew->daemon->filter);
}

/* ---- act ---- */

static void act_close(void *ctx)
{
	struct crew *crew = ctx;

	deliver_close(crew->daemon->deliver);
	disconnect_all(crew);
	http_close(TAKE(crew->http));
}

static int act_open(void *ctx, uv_loop_t *loop, struct error *err)
{
	struct crew *crew = ctx;
	struct daemon *daemon = crew->daemon;
	struct host *host = host_of(daemon);
	const struct settings *settings = daemon->settings;

	if (http_open(&crew->http, loop, err) < 0)
		return -1;
	connect_all(crew);
	host->clusters = mem_array(settings->watch_count, sizeof(*host->clusters));
	for (size_t i = 0; i < settings->watch_count; i++)
		host->clusters[i] = connection_cluster(crew->connections[i]);
	if (deliver_open(&daemon->deliver, loop, crew->http, settings, daemon->store,
			 host->clusters, host->has_mail ? &host->mail : NULL, err) < 0) {
		disconnect_all(crew);
		http_close(TAKE(crew->http));
		return -1;
	}
	for (size_t i = 0; i < settings->watch_count; i++)
		deliver_offer(daemon->deliver, i, rule_set_share(reload_get(daemon->reload, i)));
	return 0;
}

/* ---- main thread ---- */

static void rules_swapped(void *ctx, uint64_t after_seq)
{
	const struct watch_settings *watch = ctx;

	log_info("filter", "watch %s: the new rules judge from record %llu on", watch->name,
		 (unsigned long long)after_seq + 1);
}

static void offer_rules(void *ctx, size_t watch, struct rule_set *set)
{
	struct daemon *daemon = ctx;

	deliver_offer(daemon->deliver, watch, rule_set_share(set));
	filter_offer(daemon->filter, watch, set, rules_swapped,
		     (void *)&daemon->settings->watches[watch]);
}

static void reload_ended(void *ctx, bool is_ok, const char *report)
{
	struct host *host = ctx;

	service_manager_ready(host->manager);
}

static void signal_came(uv_signal_t *handle, int number)
{
	struct host *host = handle->data;

	if (number == SIGHUP) {
		service_manager_reloading(host->manager);
		reload_now(host->daemon.reload, "SIGHUP", reload_ended, host);
		return;
	}
	log_info("cn_monitor", "stopping: %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
	service_manager_stopping(host->manager);
	uv_stop(host->loop);
}

static void listen_to_signals(struct host *host)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uv_signal_init(host->loop, &host->signals[i]);
		host->signals[i].data = host;
		uv_signal_start(&host->signals[i], signal_came, numbers[i]);
	}
}

static void close_signals(struct host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->signals); i++)
		uv_close((uv_handle_t *)&host->signals[i], NULL);
}

static int find_mail_server(struct host *host, struct error *err)
{
	const struct settings *settings = host->daemon.settings;
	static const int standard_ports[] = {
		[MAIL_STARTTLS] = 587, [MAIL_TLS] = 465, [MAIL_PLAIN] = 25
	};
	int64_t port;

	if (!settings->email.server)
		return 0;

	const char *colon = strrchr(settings->email.server, ':');
	bool has_port = colon && (settings->email.server[0] != '['
					  ? strchr(settings->email.server, ':') == colon
					  : colon[-1] == ']');

	host->mail_host = str_copy_n(settings->email.server,
				     has_port ? (size_t)(colon - settings->email.server)
					      : strlen(settings->email.server));
	port = standard_ports[settings->email.security];
	if (has_port && parse_number(text_of(colon + 1), 1, 65535, &port, err) < 0)
		return error_prefix(err, "[EMAIL] SERVER %s", settings->email.server);
	if (settings->email.password_file &&
	    settings_read_secret(&host->mail_password, settings->email.password_file, err) < 0)
		return error_prefix(err, "[EMAIL] PASSWORD_FILE");
	host->mail = (struct mail_server){
		.host = host->mail_host,
		.port = (int)port,
		.security = settings->email.security,
		.tls = { settings->email.verify_tls, settings->email.ca_file, NULL },
		.username = settings->email.username,
		.password = host->mail_password,
		.from = settings->email.from,
		.timeout_ms = settings->email.timeout_ms,
	};
	host->has_mail = true;
	return 0;
}

/* Reads the rules; prints what is wrong with them, all of it. */
static int open_rules(struct host *host, struct error *err)
{
	const struct reload_target target = { &host->daemon, offer_rules };
	AUTO(problems_free) struct problems *problems = problems_new();
	int result = reload_open(&host->daemon.reload, host->loop, host->daemon.settings, &target,
				 problems, err);
	AUTO(free) char *text = problems_format(problems, isatty(STDERR_FILENO));

	fputs(text, stderr);
	return result;
}

static int start_all(struct host *host, struct error *err)
{
	struct daemon *daemon = &host->daemon;
	const struct settings *settings = daemon->settings;
	const struct store_settings store = {
		.url = settings->store.url,
		.max_bytes = settings->store.max_bytes,
		.retention_ms = settings->store.retention_ms,
		.sync = settings->store.commit != COMMIT_OS,
		.watches = true,
	};

	if (store_open(&daemon->store, &store, err) < 0)
		return -1;
	daemon->watchers = mem_array(settings->watch_count, sizeof(*daemon->watchers));
	/* The later ones feed the earlier ones, so each finds its successor at work. */
	if (role_start(&host->act.role, err) < 0)
		return error_prefix(err, "act");
	if (role_start(&host->filter.role, err) < 0)
		return error_prefix(err, "filter");
	if (role_start(&host->watch.role, err) < 0)
		return error_prefix(err, "watch");
	return admin_open(&host->admin, host->loop, daemon, err);
}

static void stop_all(struct host *host)
{
	struct daemon *daemon = &host->daemon;

	admin_close(TAKE(host->admin));
	reload_close(TAKE(daemon->reload));
	/* From the source on, so that nobody feeds what is gone. The filter may still point at
	 * watchers: their memory goes last. */
	role_stop(&host->filter.role);
	role_stop(&host->watch.role);
	role_stop(&host->act.role);
	store_close(TAKE(daemon->store));
	free(TAKE(daemon->watchers));
	free(TAKE(host->clusters));
	free(TAKE(host->mail_password));
	free(TAKE(host->mail_host));
}

static struct crew crew_of(struct daemon *daemon, const char *name,
			   int (*open)(void *ctx, uv_loop_t *loop, struct error *err),
			   void (*close)(void *ctx))
{
	return (struct crew){ .daemon = daemon,
			      .role = { .name = name, .open = open, .close = close } };
}

/* Said before the roles speak, so that a log begins with what it is about. */
static void say_what_is_watched(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->settings->watch_count; i++) {
		const struct watch_settings *watch = &daemon->settings->watches[i];
		size_t rules = rule_set_count(reload_get(daemon->reload, i));
		AUTO(free) char *who = str_format("watch/%s", watch->name);

		log_info(who, "watches %s%s of cluster %s, %zu rule%s from %s", watch->path,
			 watch->recursive ? " and everything below" : ", its own entries only",
			 watch->on->name, rules, rules == 1 ? "" : "s", watch->items);
	}
	if (daemon->settings->act.dry_run)
		log_warn("act", "DRY_RUN is on: actions are planned and recorded, none is done");
}

/* One line for `systemctl status`. */
static char *describe(void *ctx)
{
	const struct host *host = ctx;
	const struct daemon *daemon = &host->daemon;
	size_t count = daemon->settings->watch_count;
	size_t listening = 0;
	struct reload_status rules;

	for (size_t i = 0; i < count; i++) {
		struct watcher_status status;

		watcher_get_status(daemon->watchers[i], &status);
		listening += status.state == WATCHER_LISTENING;
	}
	reload_get_status(daemon->reload, &rules);
	return str_format(
		"%zu of %zu watch%s listening%s", listening, count, count == 1 ? "" : "es",
		rules.last_is_ok ? ""
				 : "; the changed rules have errors, the old ones stay at work");
}

/* The exit status: what is wrong in files (2) is told from what went wrong (1). */
static int start(struct host *host, struct error *err)
{
	if (open_rules(host, err) < 0 || find_mail_server(host, err) < 0)
		return 2;
	say_what_is_watched(&host->daemon);
	return start_all(host, err) < 0 ? 1 : 0;
}

int daemon_run(const struct settings *settings)
{
	uv_loop_t loop;
	AUTO_ERROR err = { 0 };
	struct host host = { .daemon = { .settings = settings, .started_ms = clock_now_ms() },
			     .loop = &loop };
	int status;

	host.watch = crew_of(&host.daemon, "cn-watch", watch_open, watch_close);
	host.filter = crew_of(&host.daemon, "cn-filter", filter_role_open, filter_role_close);
	host.act = crew_of(&host.daemon, "cn-act", act_open, act_close);
	host.watch.role.ctx = &host.watch;
	host.filter.role.ctx = &host.filter;
	host.act.role.ctx = &host.act;

	uv_loop_init(&loop);
	listen_to_signals(&host);
	status = start(&host, &err);
	if (status) {
		log_error("cn_monitor", "cannot start: %s", error_text(&err));
	} else {
		log_info("cn_monitor",
			 "version " CN_VERSION " is up, process %d; store %s, answers at %s",
			 (int)getpid(), settings->store.url, settings->admin.socket);
		host.manager = service_manager_open(&loop, describe, &host);
		service_manager_ready(host.manager);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	service_manager_close(TAKE(host.manager));
	stop_all(&host);
	close_signals(&host);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return status;
}
