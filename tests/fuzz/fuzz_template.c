/* Templates come from watched_items.yml; what fills them in comes from whoever may name a file. */
#include <assert.h>

#include "action/mail_text.h"
#include "action/module.h"
#include "action/move.h"
#include "action/template.h"
#include "action/webhook_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool in_brackets(struct buf *out, struct text value)
{
	return buf_print(out, "[%.*s]", TEXT_ARGS(value));
}

/* What every path goes through that becomes a name, a mail or a message to a chat. */
static void use(const char *path, const struct action_run *run)
{
	static const char *const to[] = { "ops@example.com" };
	AUTO(free) UNUSED char *wrong = move_check_target(path);
	AUTO(free) UNUSED char *numbered = move_numbered_name(path, 12);
	AUTO(free) char *first = module_first_line(text_of(path), 60);
	AUTO(free) char *last = module_last_line(text_of(path), 60);
	struct mail_text mail = { .from = "a@example.com",
				  .to = to,
				  .to_count = 1,
				  .subject = path,
				  .body = path,
				  .message_id = "x@example.com" };
	AUTO(free) char *message = mail_text_write(&mail);

	assert(strlen(first) <= 60 && strlen(last) <= 60);
	assert(!strchr(first, '\n') && !strchr(last, '\n'));
	for (const unsigned char *at = (const unsigned char *)message; *at; at++)
		assert(*at < 0x80 && (*at >= ' ' || *at == '\r' || *at == '\n' || *at == '\t'));
	for (int preset = WEBHOOK_GENERIC; preset <= WEBHOOK_PAGERDUTY; preset++) {
		const struct webhook_words words = { preset, "{path} {exec.output}", "key",
						     "error" };
		AUTO(free) char *body = NULL;
		AUTO_ERROR err = { 0 };

		if (webhook_body(&body, &words, run, &err) < 0)
			continue;
		json_t *object = json_loads(body, 0, NULL);
		assert(object);
		json_decref(object);
	}
}

/* The first line is the template, the rest is the path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text path = { (const char *)data, size };
	AUTO(free) char *template = text_copy(text_cut(&path, '\n'));
	AUTO(free) char *name = text_copy(path);
	AUTO(free) char *message = template_check(NULL, text_of(template));
	AUTO(free) char *glob = template_glob(text_of(template));
	AUTO(free) char *rendered = NULL;
	AUTO(free) char *escaped = NULL;
	AUTO(free) char *valid = module_utf8(text_of(name), 1 << 16);
	struct event event = { .type = CHILD_FILE_ADDED,
			       .type_name = TEXT("child_file_added"),
			       .path = text_of(valid),
			       .old_path = text_of(valid),
			       .watch = TEXT("main") };
	struct action_run run = { .rule = "r", .cluster_name = "c", .event = &event };
	AUTO_ERROR err = { 0 };
	bool is_short = strlen(template) < 100 && strlen(name) < 1000;

	run.results = json_pack("{s:{s:s}}", "exec", "output", valid);
	assert(glob);
	assert(!message || *message);
	if (template_render(&rendered, template, &run, 1 << 20, &err) < 0)
		assert(!is_short);
	if (template_render_escaped(&escaped, template, &run, 1 << 20, in_brackets, &err) == 0)
		assert(!rendered || strlen(escaped) >= strlen(rendered));
	template_wants_file(text_of(template));
	if (is_short)
		use(valid, &run);
	json_decref(run.results);
	return 0;
}
