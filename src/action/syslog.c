/* syslog: a message to a syslog server, in the form of RFC 5424, or to the local one in its own. */
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "action/module.h"
#include "action/template.h"
#include "base/buf.h"
#include "base/clock.h"
#include "io/syslog_send.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define TIMEOUT_MS 10000
#define SD_ID "cn_monitor@32473" /* the number that RFC 5612 keeps for documentation */

struct syslog_config {
	char *server;
	int facility;
	int severity;
	char *text;
};

struct syslog_run {
	struct action_run *run;
	struct syslog_call *call;
};

/* In the order of their numbers (RFC 5424, 6.2.1). */
static const char *const facilities[] = { "kern",     "user",   "mail",   "daemon", "auth",
					  "syslog",   "lpr",    "news",   "uucp",   "cron",
					  "authpriv", "ftp",    "ntp",    "audit",  "alert",
					  "clock",    "local0", "local1", "local2", "local3",
					  "local4",   "local5", "local6", "local7", NULL };
static const char *const severities[] = { "emergency", "alert", "critical", "error", "warning",
					  "notice",    "info",  "debug",    NULL };

static const struct config_key syslog_keys[] = {
	{ .name = "server",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct syslog_config, server),
	  .standard = "/dev/log",
	  .help = "A local socket, udp://host:514 or tcp://host:601." },
	{ .name = "facility",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct syslog_config, facility),
	  .standard = "daemon",
	  .help = "From what kind of program it comes.",
	  .choices = facilities },
	{ .name = "severity",
	  .type = KEY_CHOICE,
	  .offset = offsetof(struct syslog_config, severity),
	  .standard = "notice",
	  .help = "How bad it is.",
	  .choices = severities },
	{ .name = "text",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct syslog_config, text),
	  .standard = "{rule}: {event} {path}",
	  .help = "The message." },
	{ 0 },
};

static void syslog_check(const void *options, struct place place, struct problems *problems)
{
	const struct syslog_config *config = options;
	struct syslog_server server;
	AUTO_ERROR err = { 0 };

	if (syslog_server_parse(&server, config->server, &err) < 0)
		problems_error(problems, place, "syslog: server '%s': %s", config->server,
			       error_text(&err));
	syslog_server_clear(&server);
}

static char *syslog_server_name(const struct action *action)
{
	const struct syslog_config *config = action->config;

	return str_format("the syslog server %s", config->server);
}

/* ---- What is sent ---- */

/* In quotes, where three characters need a backslash (RFC 5424, 6.3.3). */
static void add_parameter(struct buf *out, const char *name, const char *value)
{
	AUTO(free) char *line = value ? module_utf8(text_of(value), TEXT_MAX) : NULL;

	if (!line || !*line)
		return;
	module_print(out, " %s=\"", name);
	for (const char *at = line; *at; at++)
		module_print(out, "%s%c", strchr("\"\\]", *at) ? "\\" : "",
			     (unsigned char)*at < ' ' ? ' ' : *at);
	module_print(out, "\"");
}

static void add_data(struct buf *out, const struct action_run *run)
{
	static const char *const names[] = { "event", "path",  "old_path", "file_id",
					     "rule",  "watch", "cluster",  "origin" };
	json_t *event = module_event(run);

	module_print(out, "[" SD_ID);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add_parameter(out, names[i], json_string_value(json_object_get(event, names[i])));
	module_print(out, " job=\"%llu\"]", (unsigned long long)run->job);
	json_decref(event);
}

/* RFC 5424. */
static void add_whole(struct buf *out, const struct action_run *run, int priority, const char *text)
{
	AUTO(free) char *time = clock_format(run->event->time_ms);
	struct utsname host = { 0 };

	uname(&host);
	module_print(out, "<%d>1 %s %s cn_monitor %ld event ", priority, time,
		     host.nodename[0] ? host.nodename : "-", (long)getpid());
	add_data(out, run);
	module_print(out, " %s", text);
}

/* What the local server takes from programs: the time is the machine's. */
static void add_local(struct buf *out, int64_t time_ms, int priority, const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = time_ms / 1000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	module_print(out, "<%d>%.3s %2d %02d:%02d:%02d cn_monitor[%ld]: %s", priority,
		     months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		     (long)getpid(), text);
}

/* ---- The run ---- */

static void sent(void *ctx, const char *why, bool is_final)
{
	struct syslog_run *state = ctx;
	struct action_run *run = state->run;

	free(state);
	run->data = NULL;
	if (!why)
		action_finish(run, ACTION_DONE, NULL);
	else if (is_final)
		action_finish(run, ACTION_REJECTED, "%s", why);
	else
		module_retry(run, 0, "%s", why);
}

static void syslog_start(struct action_run *run)
{
	const struct syslog_config *config = run->action->config;
	const struct action_host *host = run->action->host;
	int priority = config->facility * 8 + config->severity;
	AUTO(buf_free) struct buf *message = buf_new(SIZE_MAX / 2);
	AUTO(free) char *text = NULL;
	struct syslog_server server;
	struct syslog_run *state;
	AUTO_ERROR err = { 0 };

	if (template_render(&text, config->text, run, TEXT_MAX, &err) < 0 ||
	    syslog_server_parse(&server, config->server, &err) < 0) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
		return;
	}
	AUTO(free) char *line = module_first_line(text_of(text), TEXT_MAX);
	if (server.way == SYSLOG_LOCAL)
		add_local(message, clock_wall_ms(), priority, line);
	else
		add_whole(message, run, priority, line);
	state = NEW(struct syslog_run);
	state->run = run;
	run->data = state;
	state->call = syslog_send(host->loop, &server, buf_text(message), TIMEOUT_MS, sent, state);
	syslog_server_clear(&server);
}

static void syslog_cancel_run(struct action_run *run)
{
	struct syslog_run *state = run->data;

	if (!state)
		return;
	syslog_cancel(state->call);
	free(state);
	run->data = NULL;
}

static char *syslog_plan(struct action_run *run)
{
	const struct syslog_config *config = run->action->config;
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };

	if (template_render(&text, config->text, run, TEXT_MAX, &err) < 0)
		return str_format("would be refused: %s", error_text(&err));
	return str_format("would send '%s' to %s", text, config->server);
}

const struct action_type action_syslog = {
	.name = "syslog",
	.help = "Sends a message to a syslog server.",
	.keys = syslog_keys,
	.short_key = "text",
	.config_size = sizeof(struct syslog_config),
	.check = syslog_check,
	.server = syslog_server_name,
	.plan = syslog_plan,
	.start = syslog_start,
	.cancel = syslog_cancel_run,
};
