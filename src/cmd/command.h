/* command: a sub-command of cn_monitor. Exit status: 0 fine, 1 failed, 2 wrong usage or
 * configuration. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "app/settings.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_WRONG = 2 };

/* What the command line may hold; each command names those it takes. */
enum command_option {
	OPTION_CONFIG = 1 << 0,    /* -c, --config FILE */
	OPTION_SOCKET = 1 << 1,    /* --socket PATH */
	OPTION_JSON = 1 << 2,      /* --json */
	OPTION_ITEMS = 1 << 3,     /* --items FILE */
	OPTION_REFERENCE = 1 << 4, /* --config-reference */
	OPTION_LINES = 1 << 5,     /* -n, --lines N */
	OPTION_ONCE = 1 << 6,      /* --once */
	OPTION_NO_COLOR = 1 << 7,  /* --no-color */
	OPTION_RULE = 1 << 8,      /* --rule NAME */
	OPTION_PATH = 1 << 9,      /* --path PREFIX */
	OPTION_SINCE = 1 << 10,    /* --since AGE */
	OPTION_ALL = 1 << 11,      /* --all */
	OPTION_EVENT = 1 << 12,    /* --event JSON */
	OPTION_SEQ = 1 << 13,      /* --seq N */
	OPTION_INDEX = 1 << 14,    /* --index I */
	OPTION_WATCH = 1 << 15,    /* --watch NAME */
	OPTION_LIVE = 1 << 16,     /* --live */
	OPTION_DRY_RUN = 1 << 17,  /* --dry-run */
	OPTION_FORCE = 1 << 18,    /* --force */
	OPTION_STRICT = 1 << 20,   /* --strict */
	OPTION_VERBOSE = 1 << 21,  /* -v, --verbose */
	OPTION_UNTIL = 1 << 24,    /* --until AGE or TIME */
	OPTION_COMPARE = 1 << 25,  /* --compare */
	OPTION_LANGUAGE = 1 << 26, /* --rules-reference */
	OPTION_STATUS = 1 << 27,   /* --status STATUS */
	OPTION_VERIFY = 1 << 28,   /* --verify */
	OPTION_HEAD = 1 << 29,     /* --head N:HEX */
};

#define WORDS_MOST 4

struct arguments {
	const char *config; /* NULL: not given, as for the others */
	const char *socket;
	const char *items;
	const char *rule, *path, *event, *watch, *status, *head;
	int64_t lines; /* -1: not given */
	int64_t seq, index;
	int64_t now_ms;   /* when the command began */
	int64_t since_ms; /* how long before that; -1: not given */
	int64_t until_ms; /* likewise */
	bool json, reference, once, all, live, strict, verbose, dry_run, force, compare, language,
		verify;
	const char *words[WORDS_MOST]; /* what is no option, of a command that takes some */
	size_t word_count;
	bool colour; /* for standard output: a terminal, no NO_COLOR, no --no-color */
};

struct command {
	const char *name;
	const char *summary; /* one line for `cn_monitor --help` */
	const char *help;    /* paragraphs for `cn_monitor NAME --help` */
	unsigned options;    /* enum command_option */
	int (*run)(const struct arguments *arguments);
	const char *words; /* for the help: the words it takes; NULL: none */
};

/* All of them, ended by a name of NULL. */
extern const struct command commands[];

/* Reads the command line and runs what it names; the return value is the exit status. */
int command_main(int argc, char **argv);

/*
 * Settings for a command; prints every problem to standard error. NULL: there were errors, and the
 * command ends with EXIT_WRONG.
 */
struct settings *command_settings(const struct arguments *arguments);

/* Says to standard error what is wrong with the command line; answers EXIT_WRONG. */
int command_wrong(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

int run_run(const struct arguments *arguments);
int watch_run(const struct arguments *arguments);
int filter_run(const struct arguments *arguments);
int act_run(const struct arguments *arguments);
int health_run(const struct arguments *arguments);
int check_run(const struct arguments *arguments);
int doctor_run(const struct arguments *arguments);
/* What rules may say, in Markdown, to standard output. */
void language_print(void);

int backtest_command(const struct arguments *arguments);
int explain_run(const struct arguments *arguments);
int tail_run(const struct arguments *arguments);
int status_run(const struct arguments *arguments);
int reload_run(const struct arguments *arguments);
int dead_run(const struct arguments *arguments);
/* Whether the history is what its chain says. */
int history_verify(const struct arguments *arguments);
int calibrate_command(const struct arguments *arguments);
int history_run(const struct arguments *arguments);
int undo_run(const struct arguments *arguments);
int approve_run(const struct arguments *arguments);
int salvage_run(const struct arguments *arguments);
int scan_run(const struct arguments *arguments);
/* Which rules would be true for what is there. */
int scan_dry_run(const struct arguments *arguments, const char *path);

#endif
