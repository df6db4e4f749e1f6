/* Rules that can never be true, are never asked, or are there twice. */
#include "check.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "rule_fixture.h"

struct said {
	char text[4096];
	unsigned count;
};

static void keep(void *ctx, const struct problem *problem)
{
	struct said *said = ctx;

	assert_true(problem->is_warning);
	said->count++;
	snprintf(said->text, sizeof(said->text), "%d:%d: %s", problem->place.line,
		 problem->place.column, problem->message);
}

/* What is said about the rules, the last of it word by word. */
static unsigned check_in(const char *text, const struct rule_scope *scope, struct said *said)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_parse("rules.yml", text_of(text), &fixture, problems);

	if (!set) {
		AUTO(free) char *why = problems_format(problems, false);

		fail_msg("%s", why);
	}
	*said = (struct said){ 0 };
	rule_set_check(set, &fixture, scope, problems);
	problems_visit(problems, keep, said);
	return said->count;
}

static struct said last;

static unsigned check(const char *text)
{
	return check_in(text, NULL, &last);
}

static unsigned check_when(const char *when)
{
	AUTO(free)
	char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n", when);

	return check(text);
}

static void conditions_that_exclude_each_other_are_told(void **state)
{
	static const char *const never[] = {
		"{directory: /a, file: /b/x}",
		"{directory: [/a, /c], file: [/b/x, /ab/y]}",
		"{directory: /a, path: '/b/**'}",
		"{path: '/a/*/x', file: /a/b/y}",
		"{extension: .a, name: '*.b'}",
		"{extension: [.jpg, .png], file: /a/x.gif}",
		"{name: 'a*', file: /x/b}",
		"{event: created, old_path: '/a/*'}",
		"{event: created, all: [{event: removed}]}",
		"{event: renamed, all: [{event: child_file_added}]}",
		"{event: child_dir_added, type: file}",
		"{event: child_file_removed, type: directory}",
		"{old_directory: /a, old_name: x, all: [{old_path: /b/x}]}",
		"{directory: /a/b, depth: 2}",
		"{directory: /a/b, depth: {under: 3}}",
		"{file: /a/b, not: {depth: 2}}",
		"{path: '/a/*/c', depth: {over: 3}}",
		"{size: {over: 10}, all: [{size: {under: 5}}]}",
		"{size: {at_least: 10, under: 20}, not: {size: [{under: 15}, {at_least: 15}]}}",
		"{age: {over: 1h}, all: [{age: {under: 5m}}]}",
		"{not: {links: {at_least: 0}}}",
		"{mode: {all: '0400', none: '0400'}}",
		"{mode: '0640', all: [{mode: {any: '0007'}}]}",
		"{mode: '0640', not: {mode: {all: '0600'}}}",
		"{time: {days: mon}, all: [{time: {days: tue-fri, hours: 8-12}}]}",
		"{time: 22:00-06:00, all: [{time: '07-12'}]}",
		"{time: 9-10, not: {time: 8-18}}",
		"{origin: live, all: [{origin: scan}]}",
		"{origin: [live, scan], not: {origin: [scan, live, replay]}}",
		"{stream: a, all: [{stream: b}]}",
		"{stream: '', all: [{stream: '?*'}]}",
		"{watch: main, not: {watch: 'm*'}}",
		"{owner: [alice], not: {owner: [bob, alice]}}",
		"{regex: a.b, not: {regex: [x, a.b]}}",
		"{directory: /a/b, not: {directory: [/x, /a]}}",
		"{file: /a/b.jpg, not: {extension: .jpg}}",
		"{name: '*.tar.gz', not: {extension: .gz}}",
		"{not: {event: any}}",
		"{file: /a/x, any: [{directory: /b}, {name: y}, {all: [{depth: 3}, {name: x}]}]}",
		"{not: {any: [{event: created}, {not: {event: created}}]}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (check_when(never[i]) != 1 ||
		    !strstr(last.text, "3:3: rule 'r' can never be true: "))
			fail_msg("%s: %s", never[i], last.text);
}

static void conditions_that_go_together_are_not(void **state)
{
	static const char *const fine[] = {
		"{directory: /a, file: /a/x}",
		"{directory: [/a, /b], file: [/b/x]}",
		"{directory: /, file: /x}",
		"{extension: '', name: '*.b'}", /* .b */
		"{extension: .gz, name: '*.tar.gz'}",
		"{extension: .gz, not: {name: '*.tar.gz'}}",
		"{event: child_file_moved_to, old_path: '/a/*'}",
		"{event: renamed, all: [{event: child_file_moved_to}]}",
		"{event: child_file_added, type: symlink}",
		"{event: written, type: directory}",
		"{directory: /a, depth: 2}",
		"{path: '/a/**/c', depth: 7}",
		"{size: {over: 10}, all: [{age: {under: 5m}}]}",
		"{size: {at_least: 10, under: 20}, not: {size: [{under: 15}, {over: 15}]}}",
		"{owner: alice, all: [{owner: bob}]}", /* one may have both names */
		"{time: {hours: 8-12, zone: UTC}, not: {time: {hours: 8-12, zone: Asia/Tokyo}}}",
		"{time: 22:00-06:00, all: [{time: '05-12'}]}",
		"{regex: a.b, not: {regex: a.c}}",
		"{not: {old_directory: /a}, event: created}",
		"{stream: '', event: created}",
		"{file: /a/x, any: [{directory: /b}, {name: x}]}",
		"{event: any}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		if (check_when(fine[i]) != 0)
			fail_msg("%s: %s", fine[i], last.text);
}

static void case_counts_where_the_rule_says_so(void **state)
{
	static const char rules[] = "watched_items:\n"
				    "- name: r\n"
				    "  ignore_case: %s\n"
				    "  when: {directory: /A, file: /a/x, not: {name: Y}}\n"
				    "  actions: [log]\n";
	AUTO(free) char *ignores = str_format(rules, "yes");
	AUTO(free) char *heeds = str_format(rules, "no");

	assert_int_equal(check(ignores), 0);
	assert_int_equal(check(heeds), 1);
	/* X.JPG is no x to the first, and /a/x.jpg to the second. */
	assert_int_equal(check("watched_items:\n"
			       "- {name: r, stop: yes, when: {not: {name: '[!x]*'}}, actions: "
			       "[log]}\n"
			       "- {name: s, ignore_case: yes, when: {file: /a/x.jpg}, actions: "
			       "[log]}\n"),
			 0);
}

static void both_lines_are_named(void **state)
{
	assert_int_equal(check("watched_items:\n"
			       "- name: r\n"
			       "  when:\n"
			       "    event: created\n"
			       "    not: {directory: /x}\n"
			       "    old_extension: [.a, .b, .c, .d, .e]\n"
			       "  actions: [log]\n"),
			 1);
	assert_string_equal(last.text, "3:3: rule 'r' can never be true: 'event created' (line 4) "
				       "and 'old_extension .a, .b, .c (2 more)' (line 6) exclude "
				       "each other: only what was renamed has an old path");
	assert_int_equal(check_when("{not: {event: any}}"), 1);
	assert_string_equal(last.text, "3:3: rule 'r' can never be true: 'not event any' (line 3) "
				       "never is");
}

static void a_rule_about_what_nobody_watches_is_told(void **state)
{
	static const char *const directories[] = { "/home", "/projects/x" };
	const struct rule_scope scope = { directories, ARRAY_SIZE(directories) };
	static const struct {
		const char *when;
		unsigned count;
	} cases[] = {
		{ "{directory: /payroll}", 1 },     { "{directory: [/payroll, /projects]}", 0 },
		{ "{directory: /home/joe}", 0 },    { "{file: /home}", 0 },
		{ "{file: /projects/x}", 0 },       { "{file: /projects/y}", 1 },
		{ "{file: /projects}", 1 },         { "{path: '/projects/*/a'}", 0 },
		{ "{path: '/data/**'}", 1 },        { "{path: '**/a'}", 0 },
		{ "{old_directory: /payroll}", 0 }, { "{not: {directory: /home}}", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(free)
		char *text = str_format("watched_items:\n- name: r\n  when: %s\n  actions: [log]\n",
					cases[i].when);

		if (check_in(text, &scope, &last) != cases[i].count)
			fail_msg("%s: %s", cases[i].when, last.text);
		if (cases[i].count)
			assert_non_null(strstr(last.text, "lies outside of what is watched"));
	}
}

static void what_a_quarantine_does_where_nobody_watches_is_no_loop(void **state)
{
	static const char *const directories[] = { "/home" };
	const struct rule_scope scope = { directories, 1 };
	static const char rules[] = "watched_items:\n"
				    "- name: r\n"
				    "  when: {event: [created, renamed], extension: .exe}\n"
				    "  actions: [quarantine: {to: /quarantine}]\n";

	assert_int_equal(check_in(rules, NULL, &last), 1);
	assert_int_equal(check_in(rules, &scope, &last), 0);
}

/* ---- Shadows ---- */

static unsigned check_two(const char *first, const char *second)
{
	AUTO(free)
	char *text = str_format("watched_items:\n"
				"- {name: first, %s, actions: [log]}\n"
				"- {name: second, %s, actions: [log: {file: /x}]}\n",
				first, second);

	return check(text);
}

static void a_rule_behind_one_that_stops_all_it_could_match_is_told(void **state)
{
	const char *stop = "stop: yes, when: {event: [created, removed], directory: /a}";

	assert_int_equal(check_two(stop, "when: {event: created, directory: /a/b}"), 1);
	assert_string_equal(last.text,
			    "3:10: rule 'second' is never asked: rule 'first' (line 2), which is "
			    "asked before it, is true for all that it could match, and says stop");
	assert_int_equal(check_two(stop, "when: {event: created, file: /a/x, size: {over: 3}}"), 1);
	assert_int_equal(check_two(stop, "when: {event: created, directory: /}"), 0);
	assert_int_equal(check_two(stop, "when: {event: [created, written], file: /a/x}"), 0);
	assert_int_equal(check_two(stop, "when: {event: created, file: /a/x}, priority: 1"), 0);
	assert_int_equal(check_two(stop, "when: {event: created, file: /a/x}, on_own: yes"), 0);
	assert_int_equal(check_two(stop, "when: {event: created, file: /a/x}, mode: off"), 0);
	assert_int_equal(
		check_two("mode: off, stop: yes, when: {event: any}", "when: {event: created}"), 0);
	assert_int_equal(check_two("when: {event: any}", "when: {event: created}"), 0);
	assert_int_equal(
		check_two("stop: yes, on_own: yes, when: {event: any}", "when: {event: created}"),
		1);
}

/* A file that is gone has no size: then the first rule is neither true nor false. */
static void what_may_stay_unknown_stops_nobody(void **state)
{
	assert_int_equal(check_two("stop: yes, when: {any: [{size: {over: 3}}, {not: {size: {over: "
				   "3}}}]}",
				   "when: {event: created}"),
			 0);
	assert_int_equal(check_two("stop: yes, when: {any: [{size: {over: 3}}, {not: {size: {over: "
				   "3}}}]}",
				   "when: {size: 7}"),
			 1);
	/* Of a list of all types nobody has to be asked. */
	assert_int_equal(check_two("stop: yes, when: {type: [file, directory, symlink, other]}",
				   "when: {event: written}"),
			 1);
	assert_int_equal(check_two("stop: yes, when: {type: [file, symlink]}",
				   "when: {event: child_file_added}"),
			 0);
	assert_int_equal(
		check_two("stop: yes, when: {type: directory}", "when: {event: child_dir_added}"),
		1);
}

/* ---- Duplicates ---- */

static void a_rule_that_is_there_twice_is_told(void **state)
{
	assert_int_equal(
		check("conditions:\n"
		      "  docs: {extension: [.doc, .pdf]}\n"
		      "watched_items:\n"
		      "- {name: a, when: {event: created, all: [docs]}, actions: [log]}\n"
		      "- {name: b, when: {all: [docs], event: created}, actions: [log]}\n"),
		1);
	assert_string_equal(last.text, "5:10: rule 'b' does the same as rule 'a' (line 4): its "
				       "conditions and its actions are the same");
	assert_int_equal(check_two("when: {directory: [/b, /a]}", "when: {directory: [/a, /b]}"),
			 0); /* the actions differ */
	assert_int_equal(check("watched_items:\n"
			       "- {name: a, when: {event: [created, removed]}, actions: [log]}\n"
			       "- {name: b, when: {event: [removed, created]}, actions: [log]}\n"
			       "- {name: c, settle: 5s, when: {event: [removed, created]}, "
			       "actions: [log]}\n"
			       "- {name: d, ignore_case: yes, when: {event: [removed, created]}, "
			       "actions: [log]}\n"
			       "- {name: e, mode: off, when: {event: [removed, created]}, actions: "
			       "[log]}\n"),
			 1);
}

static void each_of_them_can_be_accepted(void **state)
{
	assert_int_equal(
		check("watched_items:\n"
		      "- {name: a, stop: yes, when: {event: created}, actions: [log]}\n"
		      "- {name: b, accept: [shadowed, duplicate], when: {event: created}, "
		      "actions: [log]}\n"
		      "- {name: c, accept: never, when: {event: created, old_name: x}, actions: "
		      "[log]}\n"),
		0);
}

/* ---- Never wrong ---- */

static unsigned random_state;

static unsigned any(unsigned below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % below;
}

#define ANY_OF(list) (list)[any(ARRAY_SIZE(list))]

static const char *const leaves[] = {
	"event: created",
	"event: [renamed, written]",
	"event: child_file_moved_to",
	"event: child_dir_added",
	"event: [removed, child_file_added]",
	"event: moved_out",
	"directory: /a",
	"directory: [/a/b, /B]",
	"directory: /",
	"file: /a/x.jpg",
	"file: [/a/b/y.tar.gz, /B/X.JPG]",
	"path: '/a/*'",
	"path: '/a/**'",
	"path: '/**/*.jpg'",
	"path: '/?/b/*.[a-z]z'",
	"path: '**/{x,y}*'",
	"name: '*.jpg'",
	"name: 'x*'",
	"name: '?*.*'",
	"name: [ab, '[!x]*']",
	"extension: .jpg",
	"extension: [.gz, .b]",
	"extension: ''",
	"extension: ['', .jpg]",
	"regex: '[.]jpg$'",
	"regex: ['x', '[.]jpg$']",
	"old_directory: /a",
	"old_path: '/a/b/*'",
	"old_name: x.jpg",
	"old_extension: ''",
	"depth: 2",
	"depth: {over: 2}",
	"depth: {under: 3}",
	"stream: ''",
	"stream: 's*'",
	"stream: ['', s1]",
	"watch: main",
	"watch: 'o*'",
	"origin: live",
	"origin: [scan, repair]",
	"type: file",
	"type: [directory, symlink]",
	"size: {over: 100}",
	"size: {at_most: 100}",
	"size: [0, {at_least: 50, under: 200}]",
	"links: {over: 1}",
	"links: 1",
	"mode: '0640'",
	"mode: {any: '0022'}",
	"mode: {all: '0600', none: '0007'}",
	"age: {over: 1h}",
	"age: {under: 30m}",
	"modified: {under: 1h}",
	"owner: alice",
	"owner: [alice, bob]",
	"group: staff",
	"time: {days: mon-wed, zone: UTC}",
	"time: {hours: 22:00-06:00, zone: UTC}",
	"time: {hours: 4-12, days: [thu, sun], zone: UTC}",
	"time: {hours: 8-18, zone: Europe/Berlin}",
};

static void put_condition(struct buf *out, unsigned depth)
{
	static const char *const words[] = { "all", "any", "not" };
	unsigned word = depth ? any(6) : 3;

	if (word >= ARRAY_SIZE(words)) {
		(void)!buf_print(out, "{%s}", ANY_OF(leaves));
	} else if (word == 2) {
		(void)!buf_print(out, "{not: ");
		put_condition(out, depth - 1);
		(void)!buf_print(out, "}");
	} else {
		(void)!buf_print(out, "{%s: [", words[word]);
		for (unsigned i = 0, count = 1 + any(4); i < count; i++) {
			(void)!buf_print(out, "%s", i ? ", " : "");
			put_condition(out, depth - 1);
		}
		(void)!buf_print(out, "]}");
	}
}

#define RULES 150
#define EVENTS 800

static struct rule_set *random_set(struct buf *text, struct problems *problems)
{
	(void)!buf_print(text, "watched_items:\n");
	for (unsigned i = 0; i < RULES; i++) {
		(void)!buf_print(text, "- {name: r%u, stop: %s, ignore_case: %s, when: {all: [", i,
				 any(3) ? "yes" : "no", any(4) ? "no" : "yes");
		for (unsigned j = 0, count = 1 + any(3); j < count; j++) {
			(void)!buf_print(text, "%s", j ? ", " : "");
			put_condition(text, any(4));
		}
		(void)!buf_print(text, "]}, actions: [log: {file: /f%u}]}\n", i);
	}
	return rule_set_parse("rules.yml", buf_text(text), &fixture, problems);
}

/* An event as it may come, with what the cluster says of its file. */
struct happening {
	char path[100], old_path[100], created[40], modified[40];
	struct event event;
	struct file_info info;
	const char *names[3];
	struct file_facts facts;
};

static void random_path(char out[100])
{
	static const char *const directories[] = { "", "/a", "/a/b", "/a/b/c", "/B", "/A", "/q" };
	static const char *const names[] = { "x",   "x.jpg", "X.JPG",  "y.tar.gz", ".b",  "ab",
					     "b.b", "notes", "z.jpgz", "yz",       "x.gz" };

	snprintf(out, 100, "%s/%s", ANY_OF(directories), ANY_OF(names));
}

static void random_kinds(struct happening *out)
{
	enum event_type type = any(EVENT_TYPE_COUNT + 1);
	bool is_to = event_type_moved_from(type) != EVENT_TYPE_UNKNOWN;

	out->event.type = type;
	out->event.kinds = EVENT_KIND(type);
	if (is_to)
		out->event.kinds |= any(3) ? EVENT_RENAMED : EVENT_MOVED_IN;
	if (out->event.kinds & EVENT_RENAMED) {
		random_path(out->old_path);
		out->event.old_path = text_of(out->old_path);
	}
	if (type == CHILD_FILE_MOVED_FROM || type == CHILD_DIR_MOVED_FROM)
		out->event.kinds |= any(2) ? EVENT_MOVED_OUT : 0;
	out->info.type = event_type_is_directory(type) ? FILE_DIRECTORY
			 : type <= CHILD_FILE_MOVED_TO ? (any(4) ? FILE_REGULAR : FILE_SYMLINK)
						       : any(4);
}

static void put_time(char out[40], int64_t ms)
{
	AUTO(free) char *text = clock_format(ms);

	snprintf(out, 40, "%s", text);
}

static void random_facts(struct happening *out)
{
	static const int64_t sizes[] = { 0, 49, 50, 100, 101, 199, 200, 5000 };
	static const unsigned modes[] = { 0640, 0600, 0666, 0777, 0, 0644 };
	static const char *const owners[] = { "alice", "bob", "carol" };
	int64_t age_ms = any(2) ? any(1800) * 1000ll : any(9000) * 1000ll;

	put_time(out->created, out->event.time_ms - age_ms);
	put_time(out->modified, out->event.time_ms - any(7200) * 1000ll);
	out->info.size = ANY_OF(sizes);
	out->info.mode = ANY_OF(modes);
	out->info.num_links = 1 + any(2);
	out->info.creation_time = out->created;
	out->info.modification_time = out->modified;
	out->info.owner = out->info.group = (char *)"500";
	out->info.owner_type = (char *)"LOCAL_USER";
	out->info.owner_value = (char *)ANY_OF(owners);
	out->info.group_type = (char *)"LOCAL_GROUP";
	out->info.group_value = (char *)(any(2) ? "staff" : "guests");
	out->names[0] = ANY_OF(owners);
	out->facts = (struct file_facts){ &out->info, out->names, out->names };
}

static void random_happening(struct happening *out)
{
	static const char *const streams[] = { "", "", "s1", "t" };
	static const char *const watches[] = { "main", "other" };

	*out = (struct happening){ 0 };
	random_path(out->path);
	out->event.path = text_of(out->path);
	out->event.stream = text_of(ANY_OF(streams));
	out->event.watch = text_of(ANY_OF(watches));
	out->event.origin = any(ORIGIN_COUNT);
	out->event.time_ms = 1764000000000 + any(14 * 24 * 60) * 60000ll;
	random_kinds(out);
	random_facts(out);
}

struct claims {
	const struct rule_set *set;
	struct text text;
	const struct rule *never[RULES];
	const struct rule *hidden[RULES], *stopping[RULES];
	size_t never_count, hidden_count;
};

static const struct rule *rule_named(const struct rule_set *set, const char *message,
				     const char *before)
{
	const char *at = strstr(message, before);
	char name[20];

	if (!at || sscanf(at + strlen(before), "'%19[^']'", name) != 1)
		return NULL;
	return rule_set_find(set, name);
}

static void take_claim(void *ctx, const struct problem *problem)
{
	struct claims *claims = ctx;
	const struct rule *rule = rule_named(claims->set, problem->message, "rule ");

	assert_non_null(rule);
	if (strcmp(problem->name, "never") == 0) {
		claims->never[claims->never_count++] = rule;
	} else if (strcmp(problem->name, "shadowed") == 0) {
		claims->stopping[claims->hidden_count] =
			rule_named(claims->set, problem->message, "never asked: rule ");
		claims->hidden[claims->hidden_count++] = rule;
	}
}

static struct text rule_line(const struct claims *claims, const struct rule *rule)
{
	struct text rest = claims->text, line = TEXT_NONE;

	for (int i = 0; i < rule->place.line; i++)
		line = text_cut(&rest, '\n');
	return line;
}

static void hold_against(const struct claims *claims, struct rule_matcher *matcher,
			 const struct happening *what)
{
	const struct file_facts *facts[] = { &what->facts, NULL };

	for (size_t f = 0; f < ARRAY_SIZE(facts); f++) {
		for (size_t i = 0; i < claims->never_count; i++)
			if (rule_test_with(matcher, claims->never[i], &what->event, facts[f]) ==
			    TRUTH_TRUE)
				fail_msg("true for %s: %.*s", what->path,
					 TEXT_ARGS(rule_line(claims, claims->never[i])));
		for (size_t i = 0; i < claims->hidden_count; i++)
			if (rule_test_with(matcher, claims->hidden[i], &what->event, facts[f]) ==
				    TRUTH_TRUE &&
			    rule_test_with(matcher, claims->stopping[i], &what->event, facts[f]) !=
				    TRUTH_TRUE)
				fail_msg("%s passes by\n%.*s\nand reaches\n%.*s", what->path,
					 TEXT_ARGS(rule_line(claims, claims->stopping[i])),
					 TEXT_ARGS(rule_line(claims, claims->hidden[i])));
	}
}

static void what_is_claimed_of_random_rules_holds_for_random_events(void **state)
{
	const char *seed = getenv("CN_SEED");
	unsigned sets = getenv("CN_FULL") ? 100 : 6;
	size_t never = 0, hidden = 0;

	random_state = seed ? strtoul(seed, NULL, 10) : 1;
	for (unsigned i = 0; i < sets; i++) {
		AUTO(problems_free) struct problems *problems = problems_new();
		AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
		AUTO(rule_set_free) struct rule_set *set = random_set(text, problems);
		struct claims claims = { set, buf_text(text) };
		struct rule_matcher *matcher;

		assert_non_null(set);
		rule_set_check(set, &fixture, NULL, problems);
		problems_visit(problems, take_claim, &claims);
		matcher = rule_matcher_new(set);
		for (unsigned n = 0; n < EVENTS; n++) {
			struct happening what;

			random_happening(&what);
			hold_against(&claims, matcher, &what);
		}
		rule_matcher_free(matcher);
		never += claims.never_count;
		hidden += claims.hidden_count;
	}
	/* Or nothing was proven. */
	assert_true(never >= sets * 3);
	assert_true(hidden >= sets * 3);
	print_message("%zu rules that are never true, %zu that are never asked\n", never, hidden);
}

/* ---- At any number ---- */

static void thousands_of_rules_are_looked_at_without_comparing_each_two(void **state)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
	struct said said;

	(void)!buf_print(text, "watched_items:\n");
	for (unsigned i = 0; i < 4000; i++)
		(void)!buf_print(text,
				 "- {name: r%u, stop: yes, when: {event: created, directory: "
				 "/d%u/x}, actions: [quarantine: {to: /d%u/y}]}\n",
				 i, i, i);
	(void)!buf_print(text, "- {name: last, when: {event: created, file: /d77/x/a}, actions: "
			       "[log]}\n");
	assert_int_equal(check_in(text->data, NULL, &said), 1);
	assert_non_null(strstr(said.text, "rule 'last' is never asked: rule 'r77' (line 79)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_that_exclude_each_other_are_told),
		cmocka_unit_test(conditions_that_go_together_are_not),
		cmocka_unit_test(case_counts_where_the_rule_says_so),
		cmocka_unit_test(both_lines_are_named),
		cmocka_unit_test(a_rule_about_what_nobody_watches_is_told),
		cmocka_unit_test(what_a_quarantine_does_where_nobody_watches_is_no_loop),
		cmocka_unit_test(a_rule_behind_one_that_stops_all_it_could_match_is_told),
		cmocka_unit_test(what_may_stay_unknown_stops_nobody),
		cmocka_unit_test(a_rule_that_is_there_twice_is_told),
		cmocka_unit_test(each_of_them_can_be_accepted),
		cmocka_unit_test(what_is_claimed_of_random_rules_holds_for_random_events),
		cmocka_unit_test(thousands_of_rules_are_looked_at_without_comparing_each_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
