/* email: a mail about an event, through the server of [EMAIL]. */
#include <inttypes.h>

#include "action/digest_text.h"
#include "action/gather.h"
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
	struct gather_options digest;
};

struct email_run {
	struct action_run *run;
	struct gather gather;
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
	GATHER_KEYS(struct email_config, digest),
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
}

static char *email_server(const struct action *action)
{
	const struct mail_server *mail = action->host->mail;
	const struct email_config *config = action->config;

	/* What is only gathered need not wait for it; the job that tells it does. */
	if (gather_only(&config->digest))
		return NULL;
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

/* subject and the rest are those of the mail; the run ends with what becomes of it. */
static void send_mail(struct email_run *state, struct mail_text *mail)
{
	struct action_run *run = state->run;
	const struct email_config *config = run->action->config;
	const struct action_host *host = run->action->host;
	struct mail_server server = *host->mail;

	if (config->from)
		server.from = config->from;
	state->message_id = message_id_of(run, server.from);
	mail->from = server.from;
	mail->to = (const char *const *)config->to.items;
	mail->to_count = config->to.count;
	mail->message_id = state->message_id;
	mail->time_ms = clock_wall_ms();
	AUTO(free) char *message = mail_text_write(mail);

	state->call = mail_send(host->http, &server, mail->to, mail->to_count, text_of(message),
				email_done, state);
}

static void email_end(void *ctx, enum action_result result, const char *why)
{
	struct email_run *state = ctx;
	struct action_run *run = state->run;
	AUTO(free) char *sentence = str_copy(why);

	free(state);
	run->data = NULL;
	action_finish(run, result, "%s", sentence);
}

static void send_one(struct email_run *state)
{
	const struct email_config *config = state->run->action->config;
	AUTO(free) char *subject = NULL;
	AUTO(free) char *body = NULL;
	AUTO_ERROR err = { 0 };

	if (template_render(&subject, config->subject, state->run, SUBJECT_MAX, &err) < 0 ||
	    template_render(&body, config->body, state->run, BODY_MAX, &err) < 0)
		email_end(state, ACTION_REJECTED, error_text(&err));
	else
		send_mail(state, &(struct mail_text){ .subject = subject, .body = body });
}

static void send_gathered(struct email_run *state, const json_t *gathered)
{
	AUTO(free) char *what = digest_subject(gathered);
	AUTO(free) char *subject = str_format("[cn_monitor] %s", what);
	AUTO(free) char *body = digest_plain(gathered);
	AUTO(free) char *html = digest_html(gathered);
	AUTO(free) char *list = digest_list(gathered);

	send_mail(state, &(struct mail_text){
				 .subject = subject, .body = body, .html = html, .list = list });
}

static void tell(void *ctx, const json_t *gathered)
{
	if (gathered)
		send_gathered(ctx, gathered);
	else
		send_one(ctx);
}

static void email_start(struct action_run *run)
{
	const struct email_config *config = run->action->config;
	struct email_run *state = NEW(struct email_run);

	state->run = run;
	state->gather = (struct gather){ run, tell, email_end, state };
	run->data = state;
	gather_begin(&state->gather, &config->digest);
}

static void email_cancel(struct action_run *run)
{
	struct email_run *state = run->data;

	if (!state)
		return;
	if (state->call)
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
	if (config->digest.key)
		fits &= buf_print(plan, "would mail what was gathered to");
	else
		fits &= buf_print(plan, "would mail '%s' to", subject);
	for (size_t i = 0; i < config->to.count; i++)
		fits &= buf_print(plan, "%s %s", i ? "," : "", config->to.items[i]);
	if (gather_only(&config->digest))
		fits &= buf_print(plan, ", or with others in a digest");
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
