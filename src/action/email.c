/* email: a mail about an event, through the server of [EMAIL]. */
#include <inttypes.h>

#include "action/mail_text.h"
#include "action/module.h"
#include "action/template.h"
#include "base/clock.h"

#define SUBJECT_MAX ((size_t)1 << 20)
#define BODY_MAX ((size_t)4 << 20)

struct email_config {
	struct key_list to;
	char *from;
	char *subject;
	char *body;
	char *digest;
};

struct email_run {
	struct action_run *run;
	struct mail_call *call;
	char *message_id;
};

static const struct config_key email_keys[] = {
	{ .name = "to",
	  .type = KEY_LIST,
	  .offset = offsetof(struct email_config, to),
	  .help = "One address or a list of them.",
	  .is_required = true },
	{ .name = "subject",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct email_config, subject),
	  .standard = "[cn_monitor] {rule}: {event} {name}",
	  .help = "The subject line." },
	{ .name = "body",
	  .type = KEY_TEMPLATE,
	  .offset = offsetof(struct email_config, body),
	  .standard = "{event}\n\n  path:    {path}\n  before:  {old_path}\n  time:    {time}\n"
		      "  rule:    {rule}\n  watch:   {watch} of cluster {cluster}\n"
		      "  file id: {file_id}\n  job:     {job}\n",
	  .help = "The text of the mail." },
	{ .name = "from",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct email_config, from),
	  .help = "The sender; FROM of [EMAIL] if not given." },
	{ .name = "digest",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct email_config, digest),
	  .help = "Not supported by this version: every job sends a mail of its own." },
	{ 0 },
};

static void check_address(const char *address, const char *what, struct place place,
			  struct problems *problems)
{
	AUTO(free) char *wrong = mail_text_check_address(address);

	if (wrong)
		problems_error(problems, place, "email: %s '%s': %s", what, address, wrong);
}

static void email_check(const void *options, struct place place, struct problems *problems)
{
	const struct email_config *config = options;

	if (!config->to.count)
		problems_error(problems, place, "email: to is empty: expected an address");
	for (size_t i = 0; i < config->to.count; i++)
		check_address(config->to.items[i], "to", place, problems);
	if (config->from)
		check_address(config->from, "from", place, problems);
	if (config->digest)
		problems_error(problems, place,
			       "email: digest is not supported by this version: every job sends a "
			       "mail of its own");
}

static char *email_server(const struct action *action)
{
	const struct mail_server *mail = action->host->mail;

	return str_format("the mail server %s", mail ? mail->host : "");
}

static int email_open(struct action *action, struct error *err)
{
	if (!action->host->mail || !action->host->http)
		return error_set(err, "there is no mail server: SERVER is not set in section "
				      "[EMAIL] of cn_monitor.conf");
	if (!action->host->mail->from && !((struct email_config *)action->config)->from)
		return error_set(err, "there is no sender: FROM is not set in section [EMAIL] of "
				      "cn_monitor.conf");
	return 0;
}

static void email_done(void *ctx, enum mail_result result, const char *why)
{
	struct email_run *state = ctx;
	struct action_run *run = state->run;

	if (result == MAIL_SENT)
		module_note_result(run, "message_id", state->message_id);
	free(state->message_id);
	free(state);
	run->data = NULL;
	switch (result) {
	case MAIL_SENT:
		action_finish(run, ACTION_DONE, NULL);
		break;
	case MAIL_LATER:
		module_retry(run, 0, "%s", why);
		break;
	case MAIL_REFUSED:
		action_finish(run, ACTION_REJECTED, "%s", why);
		break;
	}
}

/* The same for every attempt, so that a mail that comes twice is known to be one. */
static char *message_id_of(const struct action_run *run, const char *from)
{
	AUTO(free) char *domain = mail_text_domain(from);

	return str_format("cn_monitor.%" PRId64 ".%" PRIu64 ".%u@%s", run->event->time_ms, run->job,
			  run->step, domain);
}

static void email_start(struct action_run *run)
{
	const struct email_config *config = run->action->config;
	const struct action_host *host = run->action->host;
	struct mail_server server = *host->mail;
	struct email_run *state;
	AUTO(free) char *subject = NULL;
	AUTO(free) char *body = NULL;
	AUTO_ERROR err = { 0 };

	if (config->from)
		server.from = config->from;
	if (template_render(&subject, config->subject, run, SUBJECT_MAX, &err) < 0 ||
	    template_render(&body, config->body, run, BODY_MAX, &err) < 0) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
		return;
	}
	state = NEW(struct email_run);
	state->run = run;
	state->message_id = message_id_of(run, server.from);
	struct mail_text mail = {
		.from = server.from,
		.to = (const char *const *)config->to.items,
		.to_count = config->to.count,
		.subject = subject,
		.body = body,
		.message_id = state->message_id,
		.time_ms = clock_wall_ms(),
	};
	AUTO(free) char *message = mail_text_write(&mail);

	run->data = state;
	state->call = mail_send(host->http, &server, mail.to, mail.to_count, text_of(message),
				email_done, state);
}

static void email_cancel(struct action_run *run)
{
	struct email_run *state = run->data;

	if (!state)
		return;
	mail_cancel(state->call);
	free(state->message_id);
	free(state);
	run->data = NULL;
}

static char *email_plan(struct action_run *run)
{
	const struct email_config *config = run->action->config;
	AUTO(buf_free) struct buf *plan = buf_new(SIZE_MAX / 2);
	AUTO(free) char *subject = NULL;
	AUTO_ERROR err = { 0 };
	bool fits = true;

	if (template_render(&subject, config->subject, run, SUBJECT_MAX, &err) < 0)
		return str_format("would be refused: %s", error_text(&err));
	fits &= buf_print(plan, "would mail '%s' to", subject);
	for (size_t i = 0; i < config->to.count; i++)
		fits &= buf_print(plan, "%s %s", i ? "," : "", config->to.items[i]);
	(void)fits;
	return buf_take(plan);
}

const struct action_type action_email = {
	.name = "email",
	.help = "Sends a mail through the server of [EMAIL].",
	.keys = email_keys,
	.short_key = "to",
	.config_size = sizeof(struct email_config),
	.check = email_check,
	.server = email_server,
	.open = email_open,
	.plan = email_plan,
	.start = email_start,
	.cancel = email_cancel,
};
