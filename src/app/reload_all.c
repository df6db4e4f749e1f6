#include "app/reload_all.h"

#include "app/label.h"
#include "base/buf.h"
#include "base/list.h"

#define PATIENCE_MS 20000
#define REPORT_MOST 8000 /* bytes of one, so that it fits into a message */

/* One question to all, and what was answered so far. */
struct question {
	struct list link;
	struct reload_all *all;
	uint64_t number;
	json_t *outcomes; /* by member: {ok, report}, or null while nothing was heard */
	uv_timer_t timer;
	void (*done)(void *ctx, bool is_ok, const char *report, json_t *outcomes);
	void *ctx;
};

struct reload_all {
	uv_loop_t *loop;
	struct reload *reload;
	struct members *members;
	char *name;
	uint64_t next_number;
	struct list questions;
	unsigned users; /* whoever waits for a reading of our own */
	bool is_closed;
};

/* What this process was asked, by whichever. */
struct order {
	struct reload_all *all;
	char *asker;
	json_int_t number;
};

struct reload_all *reload_all_open(uv_loop_t *loop, struct reload *reload, struct members *members,
				   const char *name)
{
	struct reload_all *all = NEW(struct reload_all);

	all->loop = loop;
	all->reload = reload;
	all->members = members;
	all->name = str_copy(name);
	list_init(&all->questions);
	return all;
}

/* ---- The answers together ---- */

static json_t *list_outcomes(const struct question *question, bool *out_is_ok)
{
	json_t *list = json_array();
	const char *member;
	json_t *outcome;

	*out_is_ok = true;
	json_object_foreach(question->outcomes, member, outcome)
	{
		bool is_ok = json_is_true(json_object_get(outcome, "ok"));
		json_t *report = json_object_get(outcome, "report");

		*out_is_ok &= is_ok;
		json_array_append_new(list,
				      json_pack("{s:s,s:b,s:O?}", "member", member, "ok", is_ok,
						"report", json_is_string(report) ? report : NULL));
	}
	return list;
}

static const char *report_of(json_t *outcome)
{
	const char *report = json_string_value(json_object_get(outcome, "report"));

	return report ? report
		      : "no answer; it reads its rules by itself when it sees that they changed";
}

/* Processes that say the same thing say it together. */
static char *join_reports(json_t *outcomes)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX / 2);
	size_t count = json_array_size(outcomes);

	for (size_t i = 0; i < count; i++) {
		const char *report = report_of(json_array_get(outcomes, i));
		bool was_said = false;

		for (size_t j = 0; j < i && !was_said; j++)
			was_said = strcmp(report_of(json_array_get(outcomes, j)), report) == 0;
		for (size_t j = i; j < count && !was_said; j++) {
			json_t *other = json_array_get(outcomes, j);

			if (strcmp(report_of(other), report) == 0)
				(void)!buf_print(
					text, "%s%s",
					j > i        ? ", "
					: text->size ? "\n"
						     : "",
					json_string_value(json_object_get(other, "member")));
		}
		if (!was_said)
			(void)!buf_print(text, ":\n%s", report);
	}
	return buf_take(text);
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void conclude(struct question *question)
{
	bool is_ok;
	AUTO(json_decref) json_t *outcomes = list_outcomes(question, &is_ok);
	AUTO(free) char *report = join_reports(outcomes);

	list_remove(&question->link);
	question->done(question->ctx, is_ok, report, outcomes);
	json_decref(TAKE(question->outcomes));
	uv_close((uv_handle_t *)&question->timer, timer_closed);
}

static void let_go(struct reload_all *all)
{
	if (--all->users || !all->is_closed)
		return;
	free(all->name);
	free(all);
}

static void patience_ended(uv_timer_t *timer)
{
	conclude(timer->data);
}

static bool is_complete(const struct question *question)
{
	const char *member;
	json_t *outcome;

	json_object_foreach(question->outcomes, member,
			    outcome) if (json_is_null(outcome)) return false;
	return true;
}

/* ---- Asking ---- */

static json_t *who_is_there(const struct reload_all *all)
{
	json_t *there = json_pack("{s:n}", all->name);
	size_t i;
	json_t *member;

	json_array_foreach(members_list(all->members), i, member)
	{
		const char *name = json_string_value(json_object_get(member, "member"));

		if (json_integer_value(json_object_get(member, "age_ms")) < MEMBER_FRESH_MS)
			json_object_set_new(there, name, json_null());
	}
	return there;
}

static void read_alone(void *ctx, bool is_ok, const char *report)
{
	struct question *question = ctx;
	AUTO(json_decref)
	json_t *outcomes = json_pack("[{s:s,s:b,s:s}]", "member", question->all->name, "ok", is_ok,
				     "report", report);

	question->done(question->ctx, is_ok, report, outcomes);
	let_go(question->all);
	free(question);
}

void reload_all_ask(struct reload_all *all,
		    void (*done)(void *ctx, bool is_ok, const char *report, json_t *outcomes),
		    void *ctx)
{
	struct question *question = NEW(struct question);
	json_t *there = who_is_there(all);

	question->all = all;
	question->done = done;
	question->ctx = ctx;
	if (json_object_size(there) == 1) {
		json_decref(there);
		all->users++;
		reload_everything(all->reload, "asked to", read_alone, question);
		return;
	}
	question->number = ++all->next_number;
	question->outcomes = there;
	uv_timer_init(all->loop, &question->timer);
	question->timer.data = question;
	uv_timer_start(&question->timer, patience_ended, PATIENCE_MS, 0);
	list_append(&all->questions, &question->link);
	members_tell(all->members, json_pack("{s:{s:s,s:I}}", "reload", "asker", all->name,
					     "number", (json_int_t)question->number));
}

/* ---- Being asked ---- */

/* Between two characters. */
static char *cut_report(const char *report)
{
	size_t size = strlen(report);

	if (size > REPORT_MOST) {
		size = REPORT_MOST;
		while (size && ((unsigned char)report[size] & 0xC0) == 0x80)
			size--;
	}
	return str_copy_n(report, size);
}

static void order_done(void *ctx, bool is_ok, const char *report)
{
	struct order *order = ctx;
	AUTO(free) char *cut = cut_report(report);

	if (!order->all->is_closed)
		members_tell(order->all->members,
			     json_pack("{s:{s:s,s:I,s:s,s:b,s:s}}", "reloaded", "asker",
				       order->asker, "number", order->number, "member",
				       order->all->name, "ok", is_ok, "report", cut));
	let_go(order->all);
	free(order->asker);
	free(order);
}

static void obey(struct reload_all *all, json_t *message)
{
	const char *asker = json_string_value(json_object_get(message, "asker"));
	AUTO(free) char *why = str_format("asked to through %s", asker ? asker : "?");
	struct order *order = NEW(struct order);

	order->all = all;
	order->asker = str_copy(asker ? asker : "");
	order->number = json_integer_value(json_object_get(message, "number"));
	all->users++;
	reload_everything(all->reload, why, order_done, order);
}

static void note_outcome(struct reload_all *all, json_t *message)
{
	const char *asker = json_string_value(json_object_get(message, "asker"));
	const char *member = json_string_value(json_object_get(message, "member"));
	json_int_t number = json_integer_value(json_object_get(message, "number"));
	struct question *question;

	if (!asker || !member || strcmp(asker, all->name) != 0)
		return;
	list_for_each (question, &all->questions, link) {
		if (question->number != (uint64_t)number)
			continue;
		json_object_set(question->outcomes, member, message);
		if (is_complete(question))
			conclude(question);
		return;
	}
}

void reload_all_heard(struct reload_all *all, json_t *message)
{
	json_t *reload = json_object_get(message, "reload");
	json_t *reloaded = json_object_get(message, "reloaded");

	if (json_is_object(reload))
		obey(all, reload);
	if (json_is_object(reloaded))
		note_outcome(all, reloaded);
}

void reload_all_close(struct reload_all *all)
{
	struct question *question;

	if (!all)
		return;
	list_for_each (question, &all->questions, link)
		conclude(question);
	all->is_closed = true;
	all->users++;
	let_go(all);
}
