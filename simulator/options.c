#include "simulator/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

static const char usage[] =
	"usage: cn_simulator --root DIR [option]...\n"
	"\n"
	"Serves the REST API of a Qumulo cluster over a real directory, for trying cn_monitor's "
	"rules\n"
	"without a cluster. Whatever happens in DIR, with ordinary tools or through the API, "
	"becomes\n"
	"events of the change notify stream.\n"
	"\n"
	"  --root DIR              the directory that is the cluster's file system\n"
	"  --listen HOST:PORT      where to listen (127.0.0.1:8000); port 0 picks a free one. "
	"Repeatable:\n"
	"                          each address is that of a node of its own\n"
	"  --control HOST:PORT     a further address, for /sim/... only, that is there whatever "
	"befalls "
	"the\n"
	"                          nodes\n"
	"  --tls auto|off|CERT,KEY auto (default): a self-signed certificate, made once and kept;\n"
	"                          off: plain HTTP; or PEM files of your own\n"
	"  --user NAME:PASSWORD[:RIGHTS]\n"
	"                          who may log in (admin:admin). RIGHTS: privileges, "
	"comma-separated\n"
	"                          (PRIVILEGE_FILE_READ_ACCESS,...), a role (Administrators,\n"
	"                          Data-Administrators, Observers), all (default) or none. "
	"Repeatable\n"
	"  --token [USER@]TEXT     an access token, of USER or of the first user. Without this "
	"option\n"
	"                          every user gets one; it is kept. Repeatable\n"
	"  --switch NAME=VALUE     how to behave where the API leaves it open; see below. "
	"Repeatable\n"
	"  --state DIR             where to keep what DIR cannot hold: ids, tags, locks, streams,\n"
	"                          certificate, tokens (DIR.cn_simulator beside the root)\n"
	"  --verbose               say more about connections\n"
	"  --help, --version\n"
	"\n"
	"When it is ready it prints one line with its address, the certificate's fingerprint and "
	"file,\n"
	"and the first user's token. It ends on Ctrl-C or SIGTERM.\n"
	"\n"
	"While it runs (JSON, no token needed):\n"
	"  GET    /sim/status       what was asked and sent; DELETE sets the counters to zero\n"
	"  PUT    /sim/switches     {\"spine\": \"root\", ...}; GET shows all\n"
	"  POST   /sim/emit         events that did not happen: {\"events\": [{\"type\":..., "
	"\"path\":...}]},\n"
	"                           {\"messages\": [[...], ...]}, {\"raw\": \"...\"} or\n"
	"                           {\"generate\": {\"count\": N, \"per_message\": [1, 100], "
	"\"path\":\n"
	"                           \"home/d{n%100}/f{n}.txt\", \"types\": [...], \"id\": \"{n}\", "
	"\"seed\": 1,\n"
	"                           \"rate\": events a second, \"overflow\": true, \"huge_bytes\": "
	"N,\n"
	"                           \"huge_at\": event, \"escapes\": \"least|most|mixed\"}};\n"
	"                           with any: \"cut\": \"random\" or bytes, \"to\": watched path\n"
	"  POST   /sim/streams      {\"do\": "
	"\"drop|end|stall|resume|half_line|garbage|error|overflow|\n"
	"                           reboot|comment\", \"path\": watched path, \"text\": ...}\n"
	"  POST   /sim/reboot       {\"down_ms\": 3000, \"address\": ...}: connections through it "
	"(to all "
	"addresses)\n"
	"                           end as the switch node-reboot says, and until then it answers "
	"as\n"
	"                           the switch while-down says\n"
	"  POST   /sim/up           {\"address\": ...}: it, or all of them, are back at once\n"
	"  POST   /sim/move         {\"address\": ...}: the address moves to another node: its "
	"connections\n"
	"                           end as the switch node-reboot says\n"
	"  POST   /sim/upgrade      {\"down_ms\": 3000, \"rolling\": true, \"revision_id\": "
	"\"Qumulo Core 8.0.1\"}:\n"
	"                           all nodes reboot, at once or one by one\n"
	"  GET    /sim/addresses    [{\"address\":..., \"node\": 1, \"up\": true, \"connections\": "
	"N}]\n"
	"  POST   /sim/faults       {\"status\": 503, \"count\": 3, \"skip\": 0, \"path\": "
	"\"/v1/files/\",\n"
	"                           \"method\": \"POST\", \"body\": \"json|html|none\", "
	"\"error_class\": ...,\n"
	"                           \"retry_after\": 2, \"delay_ms\": 500, \"answer\": "
	"\"given|lost|dropped\"}\n"
	"                           (lost: performed, then closed without an answer; count -1: "
	"always);\n"
	"                           GET lists them, DELETE takes all away\n"
	"  PUT    /sim/users/NAME   {\"rights\": \"Observers\"}; DELETE /sim/sessions ends all "
	"sessions\n"
	"  POST   /sim/rescan       compares the whole tree with what is known of it\n"
	"\n"
	"Switches (in brackets: the question's number in the register of unknowns):\n";

enum {
	OPTION_ROOT = 1,
	OPTION_LISTEN,
	OPTION_CONTROL,
	OPTION_TLS,
	OPTION_USER,
	OPTION_TOKEN,
	OPTION_SWITCH,
	OPTION_STATE,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option known[] = {
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "tls", required_argument, NULL, OPTION_TLS },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "token", required_argument, NULL, OPTION_TOKEN },
	{ "switch", required_argument, NULL, OPTION_SWITCH },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static void show_help(void)
{
	AUTO(free) char *switches = switches_help();

	printf("%s%s", usage, switches);
}

static const char **append(const char **list, const char *value)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	list = mem_grow(list, count + 2, sizeof(*list));
	list[count] = value;
	list[count + 1] = NULL;
	return list;
}

static int find_root(struct options *options, const char *root, const char *state,
		     struct error *err)
{
	if (!root)
		return error_set(err, "--root is missing: which directory shall be the cluster's "
				      "file system?");
	options->root = realpath(root, NULL);
	if (!options->root)
		return error_errno(err, "--root %s", root);
	options->state = state ? str_copy(state) : str_format("%s.cn_simulator", options->root);
	return 0;
}

/* What is only known once all options are read. */
struct given {
	const char *root;
	const char *state;
};

static enum options_result take_option(struct options *options, struct given *given, int option,
				       const char *word, struct error *err)
{
	switch (option) {
	case OPTION_ROOT:
		given->root = optarg;
		return OPTIONS_RUN;
	case OPTION_STATE:
		given->state = optarg;
		return OPTIONS_RUN;
	case OPTION_LISTEN:
		options->listen = append(options->listen, optarg);
		return OPTIONS_RUN;
	case OPTION_CONTROL:
		options->control = optarg;
		return OPTIONS_RUN;
	case OPTION_TLS:
		options->tls = optarg;
		return OPTIONS_RUN;
	case OPTION_USER:
		options->users = append(options->users, optarg);
		return OPTIONS_RUN;
	case OPTION_TOKEN:
		options->tokens = append(options->tokens, optarg);
		return OPTIONS_RUN;
	case OPTION_SWITCH:
		return switches_set(&options->switches, text_of(optarg), err) < 0 ? OPTIONS_WRONG
										  : OPTIONS_RUN;
	case OPTION_VERBOSE:
		options->verbose = true;
		return OPTIONS_RUN;
	case OPTION_HELP:
		show_help();
		return OPTIONS_SHOWN;
	case OPTION_VERSION:
		printf("cn_simulator %s\n", CN_VERSION);
		return OPTIONS_SHOWN;
	default:
		error_set(err, option == ':' ? "%s wants a value" : "%s is not an option", word);
		return OPTIONS_WRONG;
	}
}

enum options_result options_parse(struct options *options, int argc, char **argv, struct error *err)
{
	enum options_result result = OPTIONS_RUN;
	struct given given = { 0 };
	int option;

	memset(options, 0, sizeof(*options));
	switches_init(&options->switches);
	options->tls = "auto";
	opterr = 0;
	while (result == OPTIONS_RUN && (option = getopt_long(argc, argv, ":", known, NULL)) != -1)
		result = take_option(options, &given, option, argv[optind - 1], err);
	if (result != OPTIONS_RUN)
		return result;
	if (optind < argc) {
		error_set(err, "'%s' was not expected", argv[optind]);
		return OPTIONS_WRONG;
	}
	if (!options->listen)
		options->listen = append(NULL, "127.0.0.1:8000");
	return find_root(options, given.root, given.state, err) < 0 ? OPTIONS_WRONG : OPTIONS_RUN;
}

void options_clear(struct options *options)
{
	free(options->root);
	free(options->state);
	free(options->listen);
	free(options->users);
	free(options->tokens);
	switches_clear(&options->switches);
}
