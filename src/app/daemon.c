#include "app/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/alarms.h"
#include "app/clock_watch.h"
#include "app/describe.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/secret.h"
#include "io/service_manager.h"

struct host {
	struct daemon daemon;
	uv_loop_t *loop;
	uv_signal_t signals[3];
	struct service_manager *manager; /* NULL unless systemd started us */
	struct admin *admin;
	struct alarms *alarms;
	struct clock_watch *clock;
	char *socket;
	struct post_setup setup;
	struct mail_server mail;
	bool has_mail;
	char *mail_password;
	char *mail_host;
};

/* ---- From and to the other processes ---- */

/* In the filter's thread: what it read says that a stream cannot be trusted any more. */
static void stream_in_trouble(void *ctx, size_t watch, int64_t heard_ms, const char *reason)
{
	struct daemon *daemon = ctx;

	members_tell(daemon->members, json_pack("{s:{s:s,s:I,s:s}}", "trouble", "watch",
						daemon->settings->watches[watch].name, "heard_ms",
						(json_int_t)heard_ms, "reason", reason));
}

/* Whoever has the stream open opens it anew; the others do not have it. */
static void heard_of_trouble(struct daemon *daemon, json_t *trouble)
{
	const char *name = json_string_value(json_object_get(trouble, "watch"));
	const char *reason = json_string_value(json_object_get(trouble, "reason"));
	int64_t heard_ms = json_integer_value(json_object_get(trouble, "heard_ms"));

	for (size_t i = 0; name && reason && i < daemon->settings->watch_count; i++) {
		struct watcher *watcher = crew_watcher(daemon->crew, i);

		if (watcher && strcmp(daemon->settings->watches[i].name, name) == 0)
			watcher_report_trouble(watcher, heard_ms, reason);
	}
}

static void message_heard(void *ctx, json_t *message)
{
	struct daemon *daemon = ctx;
	json_t *trouble = json_object_get(message, "trouble");

	/* Not yet up, or about to end. */
	if (!daemon->crew || !daemon->reload_all)
		return;
	if (json_is_object(trouble))
		heard_of_trouble(daemon, trouble);
	else
		reload_all_heard(daemon->reload_all, message);
}

static json_t *describe_us(void *ctx)
{
	const struct daemon *daemon = ctx;

	return daemon->crew ? describe_process(daemon) : json_object();
}

/* ---- main thread ---- */

static void offer_rules(void *ctx, size_t watch, struct rule_set *set)
{
	struct daemon *daemon = ctx;

	if (daemon->crew)
		crew_offer(daemon->crew, watch, set);
	else
		rule_set_free(set);
}

static char *settings_were_read(void *ctx, const struct settings *later)
{
	struct daemon *daemon = ctx;

	if (!daemon->store)
		return str_copy("");
	return settings_change(&daemon->live, daemon->settings, later, daemon->store);
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
		reload_everything(host->daemon.reload, "SIGHUP", reload_ended, host);
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
	    secret_read(&host->mail_password, settings->email.password_file, err) < 0)
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
	const struct reload_target target = { &host->daemon, offer_rules, settings_were_read };
	AUTO(problems_free) struct problems *problems = problems_new();
	int result = reload_open(&host->daemon.reload, host->loop, host->daemon.settings, &target,
				 problems, err);
	AUTO(free) char *text = problems_format(problems, isatty(STDERR_FILENO));

	fputs(text, stderr);
	return result;
}

static void warn(void *ctx, const char *sentence)
{
	log_warn("store", "%s", sentence);
}

static int open_store(struct daemon *daemon, struct error *err)
{
	const struct settings *settings = daemon->settings;
	struct store_settings store = settings_of_store(settings);

	store.member = daemon->name;
	store.watches = daemon->roles & CREW_ROLE(STORE_WATCH);
	if (store_open(&daemon->store, &store, err) < 0)
		return -1;
	store_advice(daemon->store, warn, NULL);
	return 0;
}

static int start_all(struct host *host, struct error *err)
{
	struct daemon *daemon = &host->daemon;
	const struct members_handler members = { daemon, describe_us, message_heard };

	if (open_store(daemon, err) < 0 ||
	    members_open(&daemon->members, host->loop, daemon->store, &members, err) < 0)
		return -1;
	daemon->reload_all =
		reload_all_open(host->loop, daemon->reload, daemon->members, daemon->name);
	host->setup = (struct post_setup){ .settings = daemon->settings,
					   .store = daemon->store,
					   .mail = host->has_mail ? &host->mail : NULL,
					   .trouble = stream_in_trouble,
					   .ctx = daemon };
	if (crew_open(&daemon->crew, host->loop, daemon->roles, &host->setup, daemon->reload, err) <
	    0)
		return -1;
	host->alarms = alarms_open(host->loop, daemon);
	host->clock = clock_watch_open(host->loop);
	return admin_open(&host->admin, host->loop, daemon, host->socket, err);
}

static void stop_all(struct host *host)
{
	struct daemon *daemon = &host->daemon;

	admin_close(TAKE(host->admin));
	alarms_close(TAKE(host->alarms));
	clock_watch_close(TAKE(host->clock));
	crew_close(TAKE(daemon->crew));
	reload_all_close(TAKE(daemon->reload_all));
	reload_close(TAKE(daemon->reload));
	members_close(TAKE(daemon->members));
	store_close(TAKE(daemon->store));
	free(TAKE(daemon->name));
	free(TAKE(host->socket));
	free(TAKE(host->mail_password));
	free(TAKE(host->mail_host));
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
static char *describe_line(void *ctx)
{
	const struct host *host = ctx;

	return describe_in_a_line(&host->daemon);
}

/* The exit status: what is wrong in files (2) is told from what went wrong (1). */
static int start(struct host *host, struct error *err)
{
	if (open_rules(host, err) < 0 || find_mail_server(host, err) < 0)
		return 2;
	say_what_is_watched(&host->daemon);
	return start_all(host, err) < 0 ? 1 : 0;
}

int daemon_run(const struct settings *settings, const char *command, unsigned roles)
{
	uv_loop_t loop;
	AUTO_ERROR err = { 0 };
	struct host host = { .daemon = { .settings = settings,
					 .roles = roles,
					 .live = settings_live_of(settings),
					 .name = member_name(command),
					 .started_ms = clock_now_ms() },
			     .loop = &loop,
			     .socket = settings_socket(settings, command) };
	int status;

	uv_loop_init(&loop);
	listen_to_signals(&host);
	status = start(&host, &err);
	if (status) {
		log_error("cn_monitor", "cannot start: %s", error_text(&err));
	} else {
		log_info("cn_monitor",
			 "version " CN_VERSION " is up%s%s, process %d; store %s, answers at %s",
			 roles == CREW_ALL ? "" : " as ", roles == CREW_ALL ? "" : command,
			 (int)getpid(), settings->store.shown, host.socket);
		host.manager = service_manager_open(&loop, describe_line, &host);
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
