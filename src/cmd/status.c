#include <stdio.h>

#include "base/escape.h"
#include "cmd/ask.h"

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static long long number_at(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const char *paint(const struct arguments *arguments, bool is_good)
{
	return !arguments->colour ? "" : is_good ? "\033[32m" : "\033[31m";
}

static const char *plain(const struct arguments *arguments)
{
	return arguments->colour ? "\033[0m" : "";
}

/* Nothing where all is as it should be and nobody needs to know. */
static void print_repair(const struct arguments *arguments, json_t *repair)
{
	json_t *baseline = json_object_get(repair, "baseline");
	json_t *under_way = json_object_get(repair, "under_way");
	const char *state = text_at(repair, "state"), *why = text_at(repair, "why");

	if (under_way && strcmp(text_at(repair, "method"), "expand") == 0)
		printf("        looking through a directory that was moved in: %lld told, %lld "
		       "requests\n",
		       number_at(under_way, "differences"), number_at(under_way, "requests"));
	else if (under_way)
		printf("        repairing the gap from %s to %s by %s: %lld tasks done, %lld known "
		       "to wait, %lld differences, %lld requests\n",
		       text_at(under_way, "from"), text_at(under_way, "until"),
		       text_at(repair, "method"), number_at(under_way, "tasks_done"),
		       number_at(under_way, "tasks_waiting"), number_at(under_way, "differences"),
		       number_at(under_way, "requests"));
	else if (strcmp(state, "waiting") == 0)
		puts("        a gap waits for its repair");
	else if (baseline)
		printf("        a repair would begin from snapshot %lld of %s\n",
		       number_at(baseline, "snapshot"), text_at(baseline, "time"));
	else if (strcmp(state, "off") == 0)
		puts("        gaps are not repaired (GAP_REPAIR = off)");
	if (*why) {
		printf("        %s", paint(arguments, false));
		escape_print(stdout, why, ESCAPE_TEXT);
		printf("%s\n", plain(arguments));
	}
}

static bool print_store_trouble(const struct arguments *arguments, const char *why)
{
	if (!*why)
		return true;
	printf("        %sthe stream is not read, since nothing can be stored: ",
	       paint(arguments, false));
	escape_print(stdout, why, ESCAPE_TEXT);
	printf("%s\n", plain(arguments));
	return false;
}

/* Whether all is well as far as it tells. */
static bool print_heartbeat(const struct arguments *arguments, json_t *heartbeat)
{
	const char *state = text_at(heartbeat, "state"), *why = text_at(heartbeat, "why");
	bool is_deaf = strcmp(state, "deaf") == 0;

	if (is_deaf || strcmp(state, "failed") == 0) {
		printf("        %sno heartbeat: ", paint(arguments, false));
		escape_print(stdout, why, ESCAPE_TEXT);
		printf("%s\n", plain(arguments));
	} else if (*text_at(heartbeat, "heard")) {
		printf("        the last heartbeat was heard %s, %lld ms after it was sent\n",
		       text_at(heartbeat, "heard"), number_at(heartbeat, "delay_ms"));
	} else if (heartbeat) {
		puts("        no heartbeat yet");
	}
	return !is_deaf;
}

static void print_types(json_t *types)
{
	size_t index;
	json_t *type;

	if (!json_array_size(types))
		return;
	printf("        asked for ");
	json_array_foreach(types, index, type)
		printf("%s%s", index ? ", " : "", json_string_value(type));
	puts("");
}

static bool print_watches(const struct arguments *arguments, json_t *watches)
{
	bool is_fine = true;
	size_t index;
	json_t *watch;

	json_array_foreach(watches, index, watch)
	{
		bool is_up = strcmp(text_at(watch, "state"), "listening") == 0;

		printf("watch   %s: %s%s%s%s%s: %s\n", text_at(watch, "name"),
		       paint(arguments, is_up), text_at(watch, "state"), plain(arguments),
		       *text_at(watch, "since") ? " since " : "", text_at(watch, "since"),
		       text_at(watch, "why"));
		printf("        %s on cluster %s; %lld messages, %lld bytes, last byte %s\n",
		       text_at(watch, "path"), text_at(watch, "cluster"),
		       number_at(watch, "messages"), number_at(watch, "bytes"),
		       *text_at(watch, "last_byte") ? text_at(watch, "last_byte") : "never");
		print_types(json_object_get(watch, "events"));
		is_fine &= print_store_trouble(arguments, text_at(watch, "store_trouble"));
		is_fine &= print_heartbeat(arguments, json_object_get(watch, "heartbeat"));
		print_repair(arguments, json_object_get(watch, "repair"));
		is_fine &= is_up;
	}
	return is_fine;
}

#define WARNINGS_SHOWN 5

static void print_warnings(json_t *rules)
{
	json_int_t count = number_at(rules, "warnings");
	size_t index;
	json_t *line;

	if (!count)
		return;
	printf("        %lld warning%s:\n", (long long)count, count == 1 ? "" : "s");
	json_array_foreach(json_object_get(rules, "warning_lines"), index, line)
	{
		if (index < WARNINGS_SHOWN)
			printf("          %s\n", json_string_value(line));
	}
	if (count > WARNINGS_SHOWN)
		printf("          ... cn_monitor check shows all of them\n");
}

static bool print_rules(const struct arguments *arguments, json_t *rules)
{
	bool is_ok = json_is_true(json_object_get(rules, "ok"));
	size_t index;
	json_t *file;

	json_array_foreach(json_object_get(rules, "files"), index, file)
		printf("rules   %s: %lld of %s\n", text_at(file, "watch"), number_at(file, "rules"),
		       text_at(file, "items"));
	printf("        read %s, changed %lld times, refused %lld times\n",
	       text_at(rules, "loaded"), number_at(rules, "reloads"), number_at(rules, "refused"));
	print_warnings(rules);
	if (!is_ok)
		printf("%s        the last change has errors, the rules before it are at "
		       "work:%s\n%s\n",
		       paint(arguments, false), plain(arguments), text_at(rules, "last_report"));
	return is_ok;
}

static void print_store(const struct arguments *arguments, json_t *store)
{
	size_t index;
	json_t *sentence;

	if (*text_at(store, "trouble")) { /* it names the store */
		printf("store   %s%s%s\n", paint(arguments, false), text_at(store, "trouble"),
		       plain(arguments));
		return;
	}
	printf("store   %s: records %lld to %lld, %lld KiB of log, %lld KiB of state\n",
	       text_at(store, "url"), number_at(store, "first_seq"), number_at(store, "last_seq"),
	       number_at(store, "log_bytes") / 1024, number_at(store, "state_bytes") / 1024);
	if (number_at(store, "log_behind"))
		printf("        %lld records are only on this machine yet\n",
		       number_at(store, "log_behind"));
	json_array_foreach(json_object_get(store, "advice"), index, sentence)
		printf("        %s\n", json_string_value(sentence));
}

/* Servers that actions need and that fail; what they said is foreign text. */
static void print_breakers(const struct arguments *arguments, json_t *act)
{
	size_t index;
	json_t *breaker;

	json_array_foreach(json_object_get(act, "breakers"), index, breaker)
	{
		AUTO(free)
		char *line = str_format("        jobs wait for %s since %s (%s): %s",
					text_at(breaker, "server"), text_at(breaker, "since"),
					text_at(breaker, "state"), text_at(breaker, "why"));

		fputs(paint(arguments, false), stdout);
		escape_print(stdout, line, ESCAPE_TEXT);
		printf("%s\n", plain(arguments));
	}
}

static bool print_roles(const struct arguments *arguments, json_t *status)
{
	json_t *filter = json_object_get(status, "filter");
	json_t *act = json_object_get(status, "act");
	json_t *store = json_object_get(status, "store");
	long long behind = number_at(store, "last_seq") - number_at(filter, "cursor");
	bool is_fine = !*text_at(filter, "trouble") && !*text_at(act, "trouble") &&
		       !*text_at(store, "trouble");

	bool is_known = json_object_get(store, "last_seq");

	printf("filter  judged up to record %lld", number_at(filter, "cursor"));
	if (is_known)
		printf(" (%lld waiting)", behind);
	printf(", %lld events, %lld matches, %lld echoes, last delay %lld ms\n",
	       number_at(filter, "events"), number_at(filter, "matches"),
	       number_at(filter, "echoes"), number_at(filter, "delay_ms"));
	if (*text_at(filter, "tripped"))
		printf("%s        only a dry run, until the rule is changed: %s%s\n",
		       paint(arguments, false), text_at(filter, "tripped"), plain(arguments));
	if (*text_at(filter, "trouble"))
		printf("%s        %s%s\n", paint(arguments, false), text_at(filter, "trouble"),
		       plain(arguments));
	if (is_known)
		printf("act     %lld jobs waiting, %lld running, %lld done, %lld dead\n",
		       number_at(store, "jobs_waiting"), number_at(act, "running"),
		       number_at(store, "jobs_done"), number_at(store, "jobs_dead"));
	else
		printf("act     %lld running\n", number_at(act, "running"));
	if (*text_at(act, "trouble"))
		printf("%s        %s%s\n", paint(arguments, false), text_at(act, "trouble"),
		       plain(arguments));
	print_breakers(arguments, act);
	print_store(arguments, store);
	return is_fine;
}

/* How it was closed, in a few words. */
static void print_closed(json_t *repair)
{
	const char *state = text_at(repair, "state"), *why = text_at(repair, "why");

	if (strcmp(state, "repaired") == 0)
		printf("          repaired by %s: %lld difference%s judged, %lld more had been "
		       "told "
		       "by the stream",
		       text_at(repair, "method"), number_at(repair, "differences"),
		       number_at(repair, "differences") == 1 ? "" : "s",
		       number_at(repair, "told_by_stream"));
	else if (strcmp(state, "open") == 0)
		return;
	else
		printf("          %s", state);
	if (*why) {
		fputs(" (", stdout);
		escape_print(stdout, why, ESCAPE_TEXT);
		putchar(')');
	}
	putchar('\n');
}

static void print_gaps(json_t *store)
{
	size_t index;
	json_t *gap;

	if (!number_at(store, "gap_count"))
		return;
	printf("gaps    %lld so far; changes in these times were not heard:\n",
	       number_at(store, "gap_count"));
	json_array_foreach(json_object_get(store, "gaps"), index, gap)
	{
		printf("        %lld %s: %s to %s: %s\n", number_at(gap, "id"),
		       text_at(gap, "watch"), text_at(gap, "from"),
		       *text_at(gap, "until") ? text_at(gap, "until") : "now",
		       text_at(gap, "reason"));
		print_closed(json_object_get(gap, "repair"));
	}
}

/* Newest first; a path and what a program said are foreign text. */
static void print_dead(json_t *store)
{
	size_t index;
	json_t *job;

	long long count = number_at(store, "jobs_dead");

	if (!count)
		return;
	printf(count == 1 ? "dead    %lld job was given up, or waits for approval:\n"
			  : "dead    %lld jobs were given up, or wait for approval; the newest:\n",
	       count);
	json_array_foreach(json_object_get(store, "dead"), index, job)
	{
		AUTO(free)
		char *line = str_format("job %lld, %s: rule %s: %s -> %s", number_at(job, "job"),
					text_at(job, "ended"), text_at(job, "rule"),
					text_at(job, "path"), text_at(job, "outcome"));

		fputs("        ", stdout);
		escape_print(stdout, line, ESCAPE_TEXT);
		putchar('\n');
	}
}

static void print_member_roles(const struct arguments *arguments, json_t *member)
{
	const char *role;
	json_t *status;

	json_object_foreach(json_object_get(member, "roles"), role, status)
	{
		bool is_active = strcmp(text_at(status, "state"), "active") == 0;

		printf("  %s %s%s%s", role, is_active ? paint(arguments, true) : "",
		       text_at(status, "state"), is_active ? plain(arguments) : "");
		if (!is_active && *text_at(status, "why"))
			printf(" (%s)", text_at(status, "why"));
	}
}

/* Nothing is wrong with a process that stands by, or that was killed while others do its work. */
static bool print_members(const struct arguments *arguments, json_t *members)
{
	bool is_fine = true;
	size_t index;
	json_t *member;

	if (json_array_size(members) < 2)
		return true;
	json_array_foreach(members, index, member)
	{
		printf("%s%s", index ? "        " : "members ", text_at(member, "member"));
		if (json_is_true(json_object_get(member, "is_fresh")))
			print_member_roles(arguments, member);
		else
			printf("  not heard of for %lld s", number_at(member, "age_ms") / 1000);
		if (json_is_true(json_object_get(member, "other_rules"))) {
			printf("  %sother rules than here%s", paint(arguments, false),
			       plain(arguments));
			is_fine &= !json_is_true(json_object_get(member, "is_fresh"));
		}
		putchar('\n');
	}
	return is_fine;
}

int status_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	AUTO_ERROR err = { 0 };

	if (!monitor)
		return EXIT_WRONG;

	json_t *status = monitor_ask(monitor, "GET", "/v1/status", &err);

	if (!status) {
		fprintf(stderr, "cn_monitor status: %s\n", error_text(&err));
		return EXIT_FAILED;
	}

	bool is_fine = true;

	if (arguments->json) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("cn_monitor %s, process %lld, up since %s\n", text_at(status, "version"),
		       number_at(status, "pid"), text_at(status, "started"));
		is_fine &= print_members(arguments, json_object_get(status, "members"));
		is_fine &= print_watches(arguments, json_object_get(status, "watches"));
		is_fine &= print_rules(arguments, json_object_get(status, "rules"));
		is_fine &= print_roles(arguments, status);
		print_gaps(json_object_get(status, "store"));
		print_dead(json_object_get(status, "store"));
	}
	json_decref(status);
	return is_fine ? EXIT_FINE : EXIT_FAILED;
}
