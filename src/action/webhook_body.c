#include "action/webhook_body.h"

#include <inttypes.h>

#include "action/digest_text.h"
#include "action/module.h"
#include "action/template.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)1 << 20)
#define CHAT_MAX ((size_t)20000)   /* both services cut or refuse what is much longer */
#define SUMMARY_MAX ((size_t)1024) /* bytes of a PagerDuty summary */
#define STANDARD_TEXT "{rule}: {event} {path}"

static char *shortened(char *text)
{
	size_t size = module_fit(text_of(text), CHAT_MAX);

	if (!text[size])
		return text;
	char *cut = str_format("%.*s\xE2\x80\xA6", (int)size, text);

	free(text);
	return cut;
}

/* A file name must not call for everybody's attention or pose as a link: <!channel>, <http:..|..>
 */
static bool slack_escape(struct buf *out, struct text value)
{
	bool fits = true;

	for (size_t i = 0; i < value.size && fits; i++) {
		char c = value.data[i];

		if (c == '&')
			fits = buf_append(out, "&amp;", 5);
		else if (c == '<')
			fits = buf_append(out, "&lt;", 4);
		else if (c == '>')
			fits = buf_append(out, "&gt;", 4);
		else
			fits = buf_append(out, &c, 1);
	}
	return fits;
}

static json_t *slack_message(const char *text)
{
	return json_pack("{s:s}", "text", text);
}

/* A RichTextBlock shows text as it is; a TextBlock would read Markdown into names like a_b_c. */
static json_t *teams_message(const char *text)
{
	return json_pack("{s:s,s:[{s:s,s:n,s:{s:s,s:s,s:s,s:[{s:s,s:[{s:s,s:s}]}]}}]}", "type",
			 "message", "attachments", "contentType",
			 "application/vnd.microsoft.card.adaptive", "contentUrl", "content",
			 "$schema", "http://adaptivecards.io/schemas/adaptive-card.json", "type",
			 "AdaptiveCard", "version", "1.4", "body", "type", "RichTextBlock",
			 "inlines", "type", "TextRun", "text", text);
}

char *webhook_id(const struct action_run *run)
{
	return str_format("%" PRId64 "-%" PRIu64 "-%u", run->event->time_ms, run->job, run->step);
}

/* What belongs together for PagerDuty: a rule and a file; an alarm and its end. */
static char *dedup_key(const struct action_run *run, const char *since)
{
	const struct event *event = run->event;
	struct text what = event->file_id.size ? event->file_id : event->path;

	if (since)
		return str_format("cn_monitor:%s:%s", run->rule, since);
	return str_format("cn_monitor:%.150s:%.*s", run->rule, (int)MIN(what.size, 80), what.data);
}

/* Events API v2. */
static json_t *pagerduty_event(const char *text, const struct webhook_words *words,
			       const struct action_run *run)
{
	const json_t *alarm = json_object_get(run->results, "alarm");
	const char *state = json_string_value(json_object_get(alarm, "state"));
	bool is_over = state && strcmp(state, "over") == 0;
	AUTO(free)
	char *key = dedup_key(run, json_string_value(json_object_get(alarm, "since")));
	AUTO(free) char *time = clock_format(run->event->time_ms);
	size_t size = module_fit(text_of(text), SUMMARY_MAX);

	return json_pack("{s:s,s:s,s:s,s:{s:s%,s:s,s:s,s:s,s:o}}", "routing_key", words->secret,
			 "event_action", is_over ? "resolve" : "trigger", "dedup_key", key,
			 "payload", "summary", text, size, "source",
			 *run->cluster_name ? run->cluster_name : "cn_monitor", "severity",
			 words->severity, "timestamp", time, "custom_details", module_event(run));
}

/* CloudEvents 1.0, structured. */
static json_t *cloud_event(const char *text, const struct action_run *run, const json_t *gathered)
{
	const struct event *event = run->event;
	AUTO(free) char *cluster = http_escape(text_of(run->cluster_name));
	AUTO(free) char *watch = http_escape(event->watch);
	AUTO(free) char *source = str_format("/cn_monitor/%s/%s", cluster, watch);
	AUTO(free) char *id = webhook_id(run);
	AUTO(free)
	char *type = gathered ? str_copy("cn_monitor.digest")
			      : str_format("cn_monitor.%.*s", TEXT_ARGS(event->type_name));
	AUTO(free) char *time = clock_format(event->time_ms);
	json_t *data = gathered ? json_deep_copy(gathered) : module_event(run);

	if (text)
		json_object_set_new(data, "text", json_string(text));
	return json_pack("{s:s,s:s,s:s,s:s,s:s%,s:s,s:s,s:o}", "specversion", "1.0", "id", id,
			 "source", source, "type", type, "subject", event->path.data,
			 event->path.size, "time", time, "datacontenttype", "application/json",
			 "data", data);
}

/* What people are told, as the service shows it; NULL in *out: nothing. */
static int render(char **out, const struct webhook_words *words, const struct action_run *run,
		  struct error *err)
{
	const char *text = words->text;
	AUTO(free) char *brief = words->gathered ? digest_short(words->gathered) : NULL;
	AUTO(buf_free) struct buf *escaped = buf_new(SIZE_MAX / 2);

	*out = NULL;
	if (brief) {
		if (words->preset == WEBHOOK_SLACK && slack_escape(escaped, text_of(brief)))
			*out = buf_take(escaped);
		else
			*out = TAKE(brief);
		return 0;
	}
	if (!text && words->preset != WEBHOOK_GENERIC)
		text = STANDARD_TEXT;
	if (!text)
		return 0;
	if (words->preset == WEBHOOK_SLACK)
		return template_render_escaped(out, text, run, TEXT_MAX, slack_escape, err);
	return template_render(out, text, run, TEXT_MAX, err);
}

int webhook_body(char **out, const struct webhook_words *words, const struct action_run *run,
		 struct error *err)
{
	enum webhook_preset preset = words->preset;
	AUTO(free) char *rendered = NULL;
	json_t *object = NULL;

	if (render(&rendered, words, run, err) < 0)
		return -1;
	if (rendered) { /* a program's output may be in it: not always UTF-8 */
		char *clean = module_utf8(text_of(rendered), TEXT_MAX);

		free(rendered);
		rendered = shortened(clean);
	}
	if (preset == WEBHOOK_SLACK)
		object = slack_message(rendered);
	else if (preset == WEBHOOK_TEAMS)
		object = teams_message(rendered);
	else if (preset == WEBHOOK_PAGERDUTY)
		object = pagerduty_event(rendered, words, run);
	else
		object = cloud_event(rendered, run, words->gathered);
	if (!object)
		return error_set(err, "the event cannot be written as JSON");
	*out = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return 0;
}
