#include "action/gather.h"

#include "action/module.h"
#include "action/template.h"
#include "base/clock.h"

#define BY_MAX ((size_t)1 << 20)

bool gather_only(const struct gather_options *options)
{
	return options->digest_ms && !options->key;
}

static const json_t *memory(const struct gather *gather, const char *name)
{
	return json_object_get(gather->run->memory, name);
}

static void taken(void *ctx, const char *why)
{
	struct gather *gather = ctx;
	const json_t *gathered = memory(gather, "gathered");

	if (why)
		gather->end(gather->ctx, ACTION_RETRY, why);
	else if (!gathered)
		gather->end(gather->ctx, ACTION_DONE, "nothing to do: nothing was gathered");
	else
		gather->tell(gather->ctx, gathered);
}

static void kept(struct gather *gather)
{
	AUTO(free) char *time = clock_format(json_integer_value(memory(gather, "kept")));
	AUTO(free) char *why = str_format("goes with the digest of %.19sZ", time);

	gather->end(gather->ctx, ACTION_DONE, why);
}

static void decided(void *ctx, const char *why)
{
	struct gather *gather = ctx;

	if (why)
		gather->end(gather->ctx, ACTION_RETRY, why);
	else if (memory(gather, "kept"))
		kept(gather);
	else
		gather->tell(gather->ctx, NULL);
}

static void keep(struct gather *gather, const struct gather_options *options)
{
	struct action_run *run = gather->run;
	const struct action_host *host = run->action->host;
	AUTO(free) char *by = NULL;
	AUTO_ERROR err = { 0 };
	json_t *entry;

	if (template_render(&by, options->by, run, BY_MAX, &err) < 0) {
		gather->end(gather->ctx, ACTION_REJECTED, error_text(&err));
		return;
	}
	entry = module_event(run);
	json_object_del(entry, "files");
	json_object_del(entry, "alarm");
	host->gather(host->self, run, &(struct action_gather){ by, options->digest_ms, entry },
		     decided, gather);
	json_decref(entry);
}

void gather_begin(struct gather *gather, const struct gather_options *options)
{
	const struct action_host *host = gather->run->action->host;

	if (memory(gather, "gathered"))
		taken(gather, NULL);
	else if (options->key)
		host->take_gathered(host->self, gather->run, options->key, taken, gather);
	else if (options->digest_ms && !memory(gather, "kept") && !memory(gather, "alone"))
		keep(gather, options);
	else
		decided(gather, NULL);
}
