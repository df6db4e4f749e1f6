#include "action/webhook_body.h"

#include <inttypes.h>

#include "action/module.h"
#include "action/template.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)1 << 20)
#define CHAT_MAX ((size_t)20000) /* both services cut or refuse what is much longer */
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

/* CloudEvents 1.0, structured. */
static json_t *cloud_event(const char *text, const struct action_run *run)
{
	const struct event *event = run->event;
	AUTO(free) char *cluster = http_escape(text_of(run->cluster_name));
	AUTO(free) char *watch = http_escape(event->watch);
	AUTO(free) char *source = str_format("/cn_monitor/%s/%s", cluster, watch);
	/* The same for every attempt, so that the other side can drop what comes twice. */
	AUTO(free)
	char *id = str_format("%" PRId64 "-%" PRIu64 "-%u", event->time_ms, run->job, run->step);
	AUTO(free) char *type = str_format("cn_monitor.%.*s", TEXT_ARGS(event->type_name));
	AUTO(free) char *time = clock_format(event->time_ms);
	json_t *data = module_event(run);

	if (text)
		json_object_set_new(data, "text", json_string(text));
	return json_pack("{s:s,s:s,s:s,s:s,s:s%,s:s,s:s,s:o}", "specversion", "1.0", "id", id,
			 "source", source, "type", type, "subject", event->path.data,
			 event->path.size, "time", time, "datacontenttype", "application/json",
			 "data", data);
}

int webhook_body(char **out, enum webhook_preset preset, const char *text,
		 const struct action_run *run, struct error *err)
{
	AUTO(free) char *rendered = NULL;
	json_t *object = NULL;

	if (!text && preset != WEBHOOK_GENERIC)
		text = STANDARD_TEXT;
	if (text && preset == WEBHOOK_SLACK &&
	    template_render_escaped(&rendered, text, run, TEXT_MAX, slack_escape, err) < 0)
		return -1;
	if (text && preset != WEBHOOK_SLACK &&
	    template_render(&rendered, text, run, TEXT_MAX, err) < 0)
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
	else
		object = cloud_event(rendered, run);
	if (!object)
		return error_set(err, "the event cannot be written as JSON");
	*out = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return 0;
}
