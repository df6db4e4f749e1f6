#include "qumulo/notify.h"

#include "qumulo/call.h"

struct notify {
	struct qumulo_call *call;
	struct notify_handler handler;
};

static void stream_opened(void *ctx, const char *address)
{
	struct notify *notify = ctx;

	notify->handler.opened(notify->handler.ctx, address);
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	struct notify *notify = ctx;

	notify->handler.data(notify->handler.ctx, data, size);
}

static void stream_done(void *ctx, const struct qumulo_answer *answer)
{
	struct notify *notify = ctx;

	notify->handler.ended(notify->handler.ctx, answer->result, answer->status, answer->why,
			      answer->retry_after_ms);
}

struct notify *notify_start(struct qumulo *qumulo, const char *path, bool recursive,
			    const char *filter, const struct notify_handler *handler)
{
	static const struct call_stream stream = { stream_opened, stream_data };
	struct notify *notify = NEW(struct notify);
	AUTO(free) char *ref = qumulo_ref(path);
	AUTO(free)
	char *request = str_format("/v1/files/%s/notify?recursive=%s%s%s", ref,
				   recursive ? "true" : "false", filter ? "&filter=" : "",
				   filter ? filter : "");

	notify->handler = *handler;
	notify->call =
		call_start(qumulo, "GET", request, NULL, NULL, &stream, stream_done, free, notify);
	return notify;
}

void notify_pause(struct notify *notify, bool paused)
{
	if (notify->call->http)
		http_pause(notify->call->http, paused);
}

void notify_cancel(struct notify *notify)
{
	if (notify)
		qumulo_cancel(notify->call);
}
