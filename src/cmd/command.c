#include "cmd/command.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

#define RUNS                                                                                      \
	"Runs in the foreground until SIGTERM or SIGINT; log lines go to standard error. SIGHUP " \
	"reads\nthe rules again, and so does a change of their file."
#define STANDS_BY                                                                                 \
	"Several may run: one is active, and the others stand by. When the active one ends, one " \
	"of\n"                                                                                    \
	"them takes over: at once if it was told to stop, within ten seconds if it was killed."

const struct command commands[] = {
	{ "run", "watch, judge and act: the whole monitor in one process",
	  RUNS "\n\nOver a store in Redis several may run: one of them watches and judges, the "
	       "others stand by\n"
	       "and take over when it ends; all of them act.",
	  OPTION_CONFIG, run_run },
	{ "watch", "only listen to the clusters, and hand on what is heard",
	  "One role of the monitor as a process of its own, over a store in Redis.\n" RUNS
	  "\n\n" STANDS_BY "\n\n"
	  "While Redis is away it goes on listening, and keeps what it hears in [STORE] LOG on "
	  "this "
	  "machine;\n"
	  "nothing is lost, it only comes later.",
	  OPTION_CONFIG, watch_run },
	{ "filter", "only judge: ask the rules about what was heard",
	  "One role of the monitor as a process of its own, over a store in Redis.\n" RUNS
	  "\n\n" STANDS_BY,
	  OPTION_CONFIG, filter_run },
	{ "act", "only act: do what the rules ask for",
	  "One role of the monitor as a process of its own, over a store in Redis.\n" RUNS "\n\n"
	  "Any number may run at the same time, on any number of machines; they share the jobs, "
	  "and those of\n"
	  "one file stay in order. The jobs of one that dies are taken up by the others after "
	  "[ACT] LEASE.",
	  OPTION_CONFIG, act_run },
	{ "check", "check cn_monitor.conf and the rules, without touching a cluster",
	  "Reads the configuration and every watched_items.yml it names, and reports everything "
	  "that is\n"
	  "wrong or dangerous with file, line and column. Exit status 0: usable (perhaps with "
	  "warnings),\n"
	  "1: there are warnings, and --strict was given; 2: there are errors. A warning that is "
	  "meant so is\n"
	  "accepted in the file, by the name in brackets: accept: [loop].\n\n"
	  "With --items only that rule file is checked. --config-reference prints every key of\n"
	  "cn_monitor.conf with its default and meaning.",
	  OPTION_CONFIG | OPTION_ITEMS | OPTION_REFERENCE | OPTION_LANGUAGE | OPTION_STRICT |
		  OPTION_VERBOSE | OPTION_JSON | OPTION_NO_COLOR,
	  check_run },
	{ "doctor", "try the cluster: connection, credential, privileges, what will work",
	  "Connects to each cluster of the configuration and reports for every watch and every "
	  "action\n"
	  "of the rules whether it will work with this credential, and what is missing if it will "
	  "not.\n"
	  "Changes nothing on the cluster. Exit status 1: something will not work.",
	  OPTION_CONFIG | OPTION_JSON | OPTION_NO_COLOR, doctor_run },
	{ "calibrate", "try out what the cluster's stream tells of the monitor's own changes",
	  "Does each built-in change once (rename, permissions, tag, copy, lock, ...) in a "
	  "directory of its own\n"
	  "below DIRECTORY, removes that again, and says which events came of each. What a module "
	  "did not\n"
	  "expect, rules of the running monitor would take for somebody else's: the lines for "
	  "[ACT] ALSO_CAUSED\n"
	  "are printed. Choose a directory that no rule cares about. Exit status 1: something was "
	  "not expected.",
	  OPTION_CONFIG | OPTION_WATCH | OPTION_JSON, calibrate_command, "DIRECTORY" },
	{ "explain", "why a rule is true for an event or is not: each condition and what it saw",
	  "The event is given by hand, or is one that the running monitor has recorded:\n\n"
	  "  cn_monitor explain --event '{\"event\":\"created\",\"path\":\"/home/a.jpg\"}'\n"
	  "  cn_monitor explain --seq 1234\n\n"
	  "The event is a name as in watched_items.yml, with 'old_path' for a rename; the "
	  "cluster's own\n"
	  "form does too. A path that ends with a slash is a directory. Without --items, the rules "
	  "of the\n"
	  "watches that look at the path are asked, as their files are now; of a recorded event it "
	  "is said\n"
	  "whether it was judged by the same rules then, and what came of it. Nothing is executed.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_ITEMS | OPTION_EVENT | OPTION_SEQ | OPTION_INDEX |
		  OPTION_WATCH | OPTION_RULE | OPTION_JSON | OPTION_NO_COLOR,
	  explain_run },
	{ "backtest", "what rules would have done about the events in the log",
	  "Asks the rules of a file about what was heard, and says what they would have done: "
	  "jobs, "
	  "actions,\n"
	  "files, the busiest minute, limits and thresholds reached, rules that were never "
	  "true:\n\n"
	  "  cn_monitor backtest --items new.yml --since 24h --compare\n\n"
	  "Nothing is executed and nothing is changed; the monitor may run meanwhile or not. "
	  "Without "
	  "--items\n"
	  "the rules of -c are asked. --compare tells what a file would do otherwise than those. "
	  "What "
	  "the\n"
	  "cluster would have said about files (size, owner) is not known any more: where it "
	  "matters, "
	  "the\n"
	  "numbers are bounds, like \"3 to 57\". Interrupted, it tells what is known so far.",
	  OPTION_CONFIG | OPTION_ITEMS | OPTION_SINCE | OPTION_UNTIL | OPTION_COMPARE |
		  OPTION_RULE | OPTION_WATCH | OPTION_LINES | OPTION_JSON | OPTION_NO_COLOR,
	  backtest_command },
	{ "tail", "show events as they are judged, with the rules that matched and what was done",
	  "Shows the last judged messages of the running monitor (10, or -n N), then goes on with "
	  "each new\n"
	  "one until interrupted; --once stops after the first. Echoes of our own actions are "
	  "labelled. The\n"
	  "number in front of an event is for cn_monitor explain --seq.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON | OPTION_LINES | OPTION_ONCE |
		  OPTION_NO_COLOR,
	  tail_run },
	{ "status", "how the running monitor is doing",
	  "Streams, rules, queue, jobs, gaps. Of roles as processes of their own: all of them, "
	  "whichever is\n"
	  "asked, with who is active, who stands by, and who works by other rules. Exit status 1: "
	  "it does\n"
	  "not run, or something is wrong.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_JSON | OPTION_NO_COLOR, status_run },
	{ "health", "whether the process on this machine is well, for probes",
	  "Exit status 0: the store is reached, and the roles of this process that are active are "
	  "at work;\n"
	  "standing by is well. 1: something is not, and a line says what. It costs nothing: only "
	  "the process\n"
	  "is asked, not the store.\n\n"
	  "With --live the exit status is 0 as long as the process answers at all, whether or not "
	  "Redis and the\n"
	  "cluster do: for whoever would start it anew, which does not bring them back.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_LIVE | OPTION_JSON, health_run },
	{ "history", "what was done: jobs that ended, newest first",
	  "One line a job: when it ended, its number, the rule, the file, and what came of it. The "
	  "last\n"
	  "20, or -n N. The history goes back as far as [STORE] RETENTION; dead letters stay.\n\n"
	  "What becomes of a job is also a link of a chain, in which nothing can be changed, taken "
	  "out or\n"
	  "put in without all that follows being others. --verify reads the store itself and says "
	  "whether all\n"
	  "is as it was written (exit status 1: it is not), and the newest link. Who can write the "
	  "store can\n"
	  "make the whole chain anew: keep a link elsewhere, and hand it over with --head. The log "
	  "has one\n"
	  "every hour.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_RULE | OPTION_PATH | OPTION_SINCE | OPTION_STATUS |
		  OPTION_LINES | OPTION_VERIFY | OPTION_HEAD | OPTION_JSON,
	  history_run },
	{ "undo", "take back what jobs did: move files back, set permissions as they were",
	  "  undo JOB                        one job (cn_monitor history shows their numbers)\n"
	  "  undo --rule NAME --since AGE    every job of a rule that ended in this time, the "
	  "newest "
	  "first;\n"
	  "                                  --path takes only some of them\n\n"
	  "Each is taken back by a job of its own, and the command waits for it. A file that was "
	  "changed or\n"
	  "moved since is left alone, and so is whatever has its old place by now. Mails, messages "
	  "and\n"
	  "scripts cannot be taken back. Rules do not see what an undo does. To undo an undo does "
	  "the "
	  "thing\n"
	  "again.\n\n"
	  "Exit status 1: something was not taken back.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_RULE | OPTION_PATH | OPTION_SINCE |
		  OPTION_DRY_RUN | OPTION_FORCE | OPTION_JSON,
	  undo_run, "[JOB]" },
	{ "dead", "jobs that were given up: look at them, try them again, drop them",
	  "A job that failed for good is kept until somebody decides:\n\n"
	  "  dead [list]         all of them, newest first\n"
	  "  dead show JOB       one of them: the reason, the event, every step so far\n"
	  "  dead retry JOB      have it tried again at once, from the step that failed, with "
	  "fresh\n"
	  "                      attempts; or --all\n"
	  "  dead drop JOB       give it up for good: it moves to the history; or --all\n\n"
	  "Exit status 1: there is no such dead letter, or the monitor does not run.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_RULE | OPTION_ALL | OPTION_JSON, dead_run,
	  "[list | show JOB | retry JOB | drop JOB]" },
	{ "approve", "let jobs go on that wait for somebody's approval",
	  "A step with 'approve: by hand' waits until somebody decides about it:\n\n"
	  "  approve [list]      all that wait, newest first, and what they would do\n"
	  "  approve JOB         this one goes on; or --all, perhaps with --rule\n"
	  "  dead drop JOB       this one never will\n\n"
	  "After its time (approve_within, a day if it is not said) it cannot be approved any "
	  "more. "
	  "Exit\n"
	  "status 1: something was not approved.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_RULE | OPTION_ALL | OPTION_JSON, approve_run,
	  "[list | JOB]" },
	{ "scan", "have what is already there judged, as if it had just come",
	  "Looks through a directory (or at a file) of the cluster and tells of everything in it "
	  "as "
	  "created\n"
	  "(and written, if it holds data), with the origin scan; the rules decide, and their "
	  "actions "
	  "are\n"
	  "done. It goes on in the monitor, also after a restart; interrupted, only the display "
	  "ends.\n\n"
	  "  scan PATH           the path as the cluster has it; waits for the end\n"
	  "  scan [list]         scans that wait, are under way, and have ended\n"
	  "  scan stop NUMBER    this one ends; what it has told is told\n\n"
	  "[WATCH] SCAN_RATE bounds its requests, and it waits while the rules are behind. With "
	  "--dry-run\n"
	  "nothing is told and nothing done: it asks the cluster itself, and says which rules "
	  "would be "
	  "true for\n"
	  "what is there, perhaps those of --items. Exit status 1: it did not reach its end.",
	  OPTION_CONFIG | OPTION_SOCKET | OPTION_WATCH | OPTION_ITEMS | OPTION_DRY_RUN |
		  OPTION_JSON,
	  scan_run, "[list | PATH | stop NUMBER]" },
	{ "salvage", "save what can be read of a damaged embedded store",
	  "While no cn_monitor runs: reads the damaged store, makes a new one in its place of what "
	  "can be\n"
	  "read, keeps the damaged files beside it, and says what was saved. Numbers go on where "
	  "they\n"
	  "were; the time of which something may be lost becomes a gap, which the next start "
	  "repairs.\n"
	  "It needs as much room again. One that was interrupted is finished by the next call.",
	  OPTION_CONFIG | OPTION_JSON, salvage_run },
	{ "reload", "have the running monitor read its rules and cn_monitor.conf again",
	  "Waits for the outcome. A file with errors changes nothing: they are printed, the old "
	  "rules\n"
	  "stay at work, and the exit status is 2. Of several processes all read again, each on "
	  "its "
	  "machine,\n"
	  "and each one's outcome is told; exit status 1: from one of them nothing was heard.",
	  OPTION_CONFIG | OPTION_SOCKET, reload_run },
	{ 0 },
};

struct option_text {
	enum command_option option;
	const char *usage;
	const char *help;
};

static const struct option_text option_texts[] = {
	{ OPTION_CONFIG, "-c, --config FILE",
	  "the configuration (default: ./cn_monitor.conf, else\n"
	  "                         /etc/cn_monitor/cn_monitor.conf)" },
	{ OPTION_SOCKET, "    --socket PATH",
	  "the running monitor's socket, instead of reading -c" },
	{ OPTION_ITEMS, "    --items FILE", "only this rule file, not those of -c" },
	{ OPTION_EVENT, "    --event JSON", "an event by hand" },
	{ OPTION_SEQ, "    --seq N[.I]",
	  "the recorded message with this number (see tail); its event\n"
	  "                         I, from 0, or all" },
	{ OPTION_INDEX, "    --index I", "the same as --seq N.I" },
	{ OPTION_WATCH, "    --watch NAME", "only this watch, and its rules" },
	{ OPTION_REFERENCE, "    --config-reference", "print every key of cn_monitor.conf" },
	{ OPTION_LANGUAGE, "    --rules-reference",
	  "print what rules may say: keys, conditions, events,\n"
	  "                         actions, fields (Markdown)" },
	{ OPTION_RULE, "    --rule NAME", "only this rule, or jobs of it (also --item)" },
	{ OPTION_PATH, "    --path PREFIX", "only files whose path begins so" },
	{ OPTION_SINCE, "    --since WHEN",
	  "only what is younger: 30m, 2h, 7d, or a time (UTC):\n"
	  "                         2026-11-25, 2026-11-25T10:00:00Z" },
	{ OPTION_STATUS, "    --status STATUS", "only jobs that are done, or dead (letters)" },
	{ OPTION_VERIFY, "    --verify", "whether the history is as it was written" },
	{ OPTION_HEAD, "    --head N:HEX", "with --verify: a link that was kept elsewhere" },
	{ OPTION_UNTIL, "    --until WHEN", "only what is older; likewise" },
	{ OPTION_COMPARE, "    --compare", "with the rules of -c" },
	{ OPTION_DRY_RUN, "    --dry-run", "only show what would be done" },
	{ OPTION_FORCE, "    --force", "even if the file was changed or moved since" },
	{ OPTION_ALL, "    --all", "every dead letter; with --rule, every one of that rule" },
	{ OPTION_STRICT, "    --strict", "exit status 1 if there are warnings" },
	{ OPTION_VERBOSE, "-v, --verbose", "list the warnings that are accepted, too" },
	{ OPTION_LINES, "-n, --lines N",
	  "how many past events, jobs, or examples of each rule to\n"
	  "                         show" },
	{ OPTION_ONCE, "    --once", "do not wait for more" },
	{ OPTION_LIVE, "    --live", "only whether the process answers" },
	{ OPTION_JSON, "    --json", "for programs" },
	{ OPTION_NO_COLOR, "    --no-color",
	  "no colours (NO_COLOR in the environment does the same)" },
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "items", required_argument, NULL, OPTION_ITEMS },
	{ "config-reference", no_argument, NULL, OPTION_REFERENCE },
	{ "rules-reference", no_argument, NULL, OPTION_LANGUAGE },
	{ "rule", required_argument, NULL, OPTION_RULE },
	{ "item", required_argument, NULL, OPTION_RULE }, /* a watched item is a rule */
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "until", required_argument, NULL, OPTION_UNTIL },
	{ "status", required_argument, NULL, OPTION_STATUS },
	{ "verify", no_argument, NULL, OPTION_VERIFY },
	{ "head", required_argument, NULL, OPTION_HEAD },
	{ "compare", no_argument, NULL, OPTION_COMPARE },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "event", required_argument, NULL, OPTION_EVENT },
	{ "seq", required_argument, NULL, OPTION_SEQ },
	{ "index", required_argument, NULL, OPTION_INDEX },
	{ "watch", required_argument, NULL, OPTION_WATCH },
	{ "lines", required_argument, NULL, OPTION_LINES },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "live", no_argument, NULL, OPTION_LIVE },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "no-color", no_argument, NULL, OPTION_NO_COLOR },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void print_help(FILE *out)
{
	fputs("cn_monitor watches a Qumulo cluster's changes and acts on them.\n\n"
	      "Usage: cn_monitor COMMAND [OPTION]...\n\n",
	      out);
	for (const struct command *command = commands; command->name; command++)
		fprintf(out, "  %-8s %s\n", command->name, command->summary);
	fputs("\n  cn_monitor COMMAND --help   more about one of them\n"
	      "  cn_monitor --version\n",
	      out);
}

static void print_command_help(const struct command *command)
{
	printf("Usage: cn_monitor %s%s%s [OPTION]...\n\n%s\n\n", command->name,
	       command->words ? " " : "", command->words ? command->words : "", command->help);
	for (size_t i = 0; i < ARRAY_SIZE(option_texts); i++)
		if (command->options & option_texts[i].option)
			printf("  %-22s %s\n", option_texts[i].usage, option_texts[i].help);
	printf("  %-22s %s\n", "-h, --help", "this text");
}

static const struct command *find_command(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int command_wrong(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "cn_monitor %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nSee: cn_monitor %s --help\n", command);
	return EXIT_WRONG;
}

/* How long ago: an age, a time or a day. */
static int parse_age(const char *text, int64_t now_ms, int64_t *out_ms, struct error *err)
{
	AUTO(free) char *day = str_format("%sT00:00:00Z", text);
	AUTO_ERROR ignored = { 0 };
	int64_t time_ms;

	if (clock_parse(text, &time_ms) || (strlen(text) == 10 && clock_parse(day, &time_ms))) {
		*out_ms = now_ms - time_ms;
		return *out_ms >= 0 ? 0 : error_set(err, "%s: that is still to come", text);
	}
	if (parse_duration(text_of(text), out_ms, &ignored) == 0)
		return 0;
	return error_set(err,
			 "'%s': expected an age like 30m, 24h or 7d, or a time like 2026-11-25 or "
			 "2026-11-25T10:00:00Z",
			 text);
}

/* A message's number, or N.M for one of its events. */
static int parse_place(const char *text, struct arguments *arguments, struct error *err)
{
	struct text index = text_of(text);
	struct text seq = text_cut(&index, '.');

	if (parse_number(seq, 1, INT64_MAX, &arguments->seq, err) < 0)
		return -1;
	return strchr(text, '.') ? parse_number(index, 0, UINT32_MAX, &arguments->index, err) : 0;
}

static int take_option(const struct command *command, struct arguments *arguments, int option)
{
	AUTO_ERROR err = { 0 };

	switch (option) {
	case OPTION_CONFIG:
		arguments->config = optarg;
		break;
	case OPTION_SOCKET:
		arguments->socket = optarg;
		break;
	case OPTION_ITEMS:
		arguments->items = optarg;
		break;
	case OPTION_REFERENCE:
		arguments->reference = true;
		break;
	case OPTION_LINES:
		if (parse_number(text_of(optarg), 0, 10000, &arguments->lines, &err) < 0)
			return command_wrong(command->name, "--lines %s", error_text(&err));
		break;
	case OPTION_RULE:
		arguments->rule = optarg;
		break;
	case OPTION_PATH:
		arguments->path = optarg;
		break;
	case OPTION_SINCE:
		if (parse_age(optarg, arguments->now_ms, &arguments->since_ms, &err) < 0)
			return command_wrong(command->name, "--since %s", error_text(&err));
		break;
	case OPTION_UNTIL:
		if (parse_age(optarg, arguments->now_ms, &arguments->until_ms, &err) < 0)
			return command_wrong(command->name, "--until %s", error_text(&err));
		break;
	case OPTION_STATUS:
		if (strcmp(optarg, "done") != 0 && strcmp(optarg, "dead") != 0)
			return command_wrong(command->name, "--status %s: expected done or dead",
					     optarg);
		arguments->status = optarg;
		break;
	case OPTION_VERIFY:
		arguments->verify = true;
		break;
	case OPTION_HEAD:
		arguments->head = optarg;
		break;
	case OPTION_LANGUAGE:
		arguments->language = true;
		break;
	case OPTION_COMPARE:
		arguments->compare = true;
		break;
	case OPTION_ALL:
		arguments->all = true;
		break;
	case OPTION_DRY_RUN:
		arguments->dry_run = true;
		break;
	case OPTION_FORCE:
		arguments->force = true;
		break;
	case OPTION_EVENT:
		arguments->event = optarg;
		break;
	case OPTION_SEQ:
		if (parse_place(optarg, arguments, &err) < 0)
			return command_wrong(command->name, "--seq %s", error_text(&err));
		break;
	case OPTION_INDEX:
		if (parse_number(text_of(optarg), 0, UINT32_MAX, &arguments->index, &err) < 0)
			return command_wrong(command->name, "--index %s", error_text(&err));
		break;
	case OPTION_WATCH:
		arguments->watch = optarg;
		break;
	case OPTION_ONCE:
		arguments->once = true;
		break;
	case OPTION_LIVE:
		arguments->live = true;
		break;
	case OPTION_STRICT:
		arguments->strict = true;
		break;
	case OPTION_VERBOSE:
		arguments->verbose = true;
		break;
	case OPTION_JSON:
		arguments->json = true;
		break;
	case OPTION_NO_COLOR:
		arguments->colour = false;
		break;
	}
	return 0;
}

/* getopt's number for an option to its bit; some have a letter that is short for them. */
static int option_bit(int option)
{
	switch (option) {
	case 'c':
		return OPTION_CONFIG;
	case 'n':
		return OPTION_LINES;
	case 'v':
		return OPTION_VERBOSE;
	default:
		return option;
	}
}

/* Takes the word that getopt stopped at. */
static int take_word(const struct command *command, struct arguments *arguments, const char *word)
{
	if (!command->words)
		return command_wrong(command->name, "'%s': no arguments are expected", word);
	if (arguments->word_count == WORDS_MOST)
		return command_wrong(command->name, "'%s': no more arguments are expected", word);
	arguments->words[arguments->word_count++] = word;
	return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct arguments arguments = { .lines = -1,
				       .now_ms = clock_now_ms(),
				       .since_ms = -1,
				       .until_ms = -1,
				       .seq = -1,
				       .index = -1,
				       .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };

	opterr = 0;
	while (optind < argc) {
		int option = getopt_long(argc, argv, "+:c:n:hv", long_options, NULL);
		int result = 0;

		if (option == 'h') {
			print_command_help(command);
			return EXIT_FINE;
		}
		if (option == ':')
			return command_wrong(command->name, "%s needs a value", argv[optind - 1]);
		if (option == -1 && optind < argc)
			result = take_word(command, &arguments, argv[optind++]);
		else if (option == '?' ||
			 (option != -1 && !(command->options & (unsigned)option_bit(option))))
			return command_wrong(command->name, "'%s' is not an option of this command",
					     argv[optind - 1]);
		else if (option != -1)
			result = take_option(command, &arguments, option_bit(option));
		if (result)
			return result;
	}
	return command->run(&arguments);
}

int command_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct command *command = name ? find_command(name) : NULL;
	const char *names[ARRAY_SIZE(commands)] = { 0 };

	if (command)
		return run_command(command, argc - 1, argv + 1);
	if (name &&
	    (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)) {
		print_help(stdout);
		return EXIT_FINE;
	}
	if (name && (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)) {
		puts("cn_monitor " CN_VERSION);
		return EXIT_FINE;
	}
	if (!name) {
		print_help(stderr);
		return EXIT_WRONG;
	}
	for (size_t i = 0; commands[i].name; i++)
		names[i] = commands[i].name;

	const char *near = parse_nearest(text_of(name), names);

	fprintf(stderr, "cn_monitor: '%s' is not a command%s%s%s\nSee: cn_monitor --help\n", name,
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return EXIT_WRONG;
}

struct settings *command_settings(const struct arguments *arguments)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	struct settings *settings = settings_load(arguments->config, problems);
	AUTO(free)
	char *text = problems_format(problems, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));

	fputs(text, stderr);
	if (settings)
		log_setup(settings->log.level, settings->log.format);
	return settings;
}
