#include "app/settings_table.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"

#define CLUSTER(member) offsetof(struct cluster_settings, member)
#define WATCH(member) offsetof(struct watch_settings, member)
#define OTHER(member) offsetof(struct settings, member)

static const char *const commit_names[] = { "batch", "always", "os", NULL };
static const char *const event_names[] = { "all", "needed", NULL };
static const char *const repair_names[] = { "auto", "snapshot", "scan", "off", NULL };
static const char *const security_names[] = { "starttls", "tls", "plain", NULL };
static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };
static const char *const format_names[] = { "text", "json", NULL };

_Static_assert(COMMIT_BATCH == 0 && COMMIT_ALWAYS == 1 && COMMIT_OS == 2, "as commit_names");
_Static_assert(WATCH_EVENTS_ALL == 0 && WATCH_EVENTS_NEEDED == 1, "as event_names");
_Static_assert(GAP_REPAIR_AUTO == 0 && GAP_REPAIR_SNAPSHOT == 1 && GAP_REPAIR_SCAN == 2 &&
		       GAP_REPAIR_OFF == 3,
	       "as repair_names");
_Static_assert(MAIL_STARTTLS == 0 && MAIL_TLS == 1 && MAIL_PLAIN == 2, "as security_names");
_Static_assert(LOG_ERROR == 0 && LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3,
	       "as level_names");
_Static_assert(LOG_TEXT == 0 && LOG_JSON == 1, "as format_names");

static const struct config_key cluster_keys[] = {
	{ "CLUSTER_ADDRESS", KEY_LIST, CLUSTER(cluster_address), NULL,
	  "Where the cluster is reached: host or host:port, several separated by commas, tried in "
	  "turn. The port is 8000 unless it is given; 443 means the API below /api. http:// is for "
	  "loopback addresses only." },
	{ "TOKEN_FILE", KEY_PATH, CLUSTER(token_file), NULL,
	  "File that holds an access token; read again when the cluster refuses it. The best of "
	  "the "
	  "three ways to log in." },
	{ "TOKEN", KEY_SECRET, CLUSTER(token), NULL,
	  "The access token itself; then nobody else may read this file." },
	{ "USERNAME", KEY_TEXT, CLUSTER(username), NULL,
	  "User to log in as, together with PASSWORD_FILE." },
	{ "PASSWORD_FILE", KEY_PATH, CLUSTER(password_file), NULL,
	  "File that holds the user's password." },
	{ "VERIFY_TLS", KEY_BOOL, CLUSTER(verify_tls), "yes",
	  "Whether the cluster's certificate is checked. With no, whoever is between here and the "
	  "cluster can read the token; each start says so." },
	{ "CA_FILE", KEY_PATH, CLUSTER(ca_file), NULL,
	  "Certificates (PEM) that sign the cluster's; the system's if it is not given." },
	{ "FINGERPRINT", KEY_TEXT, CLUSTER(fingerprint), NULL,
	  "SHA-256 of the cluster's own certificate, 64 hexadecimal digits, colons optional: it "
	  "alone is accepted, whatever its name and issuer." },
	{ "USE_SSL", KEY_BOOL, CLUSTER(use_ssl), "yes",
	  "As in older files: no means VERIFY_TLS = no. The connection is encrypted anyway." },
	{ "TIMEOUT", KEY_TIME, CLUSTER(timeout_ms), "30s",
	  "How long one request may take (the stream of events excepted).", .least = 100,
	  .most = 3600000 },
	{ 0 },
};

static const struct config_key watch_keys[] = {
	{ "CLUSTER", KEY_TEXT, WATCH(cluster), NULL,
	  "Name of the cluster, as in [CLUSTER name]; the first one if it is not given." },
	{ "PATH", KEY_TEXT, WATCH(path), "/", "Directory on the cluster that is watched." },
	{ "RECURSIVE", KEY_BOOL, WATCH(recursive), "yes",
	  "Whether everything below is watched, or the directory's own entries only." },
	{ "ITEMS", KEY_PATH, WATCH(items), "watched_items.yml",
	  "File of rules; relative to this file's folder." },
	{ "SILENCE", KEY_TIME, WATCH(silence_ms), "60s",
	  "A stream without a byte for so long is dead and opened anew.", .least = 100,
	  .most = 86400000 },
	{ "HEARTBEAT", KEY_TIME, WATCH(heartbeat_ms), "0s",
	  "How often a file of the monitor's own, in .cn_monitor below PATH, is touched on the "
	  "cluster; its event proves that the stream tells everything, and shows how long that "
	  "takes. Without it for three times as long the stream is opened anew. 0s: never.",
	  .least = 0, .most = 86400000 },
	{ "EVENTS", KEY_CHOICE, WATCH(events), "all",
	  "Which types of events the cluster is asked for: all, or those that the rules need, so "
	  "that less is sent and kept; then tail, explain and backtest know of those only. needed "
	  "works with the embedded store only.",
	  .choices = event_names },
	{ "RENAME_WINDOW", KEY_TIME, WATCH(rename_window_ms), "500ms",
	  "How long one half of a rename waits for the other.", .least = 0, .most = 60000 },
	{ "GAP_REPAIR", KEY_CHOICE, WATCH(gap_repair), "auto",
	  "What happens after a time in which nothing was heard: snapshot (the difference between "
	  "a "
	  "snapshot from before and one from after it), scan (all files are looked through for "
	  "times of change; removals are not seen), auto (snapshot if the rights are there, else "
	  "scan), off.",
	  .choices = repair_names },
	{ "BASELINE_EVERY", KEY_TIME, WATCH(baseline_every_ms), "15m",
	  "How often the snapshot that repairs begin from is taken anew.", .least = 1000,
	  .most = 86400000 },
	{ "BASELINE_EXPIRY", KEY_TIME, WATCH(baseline_expiry_ms), "3d",
	  "When that snapshot expires by itself; after a longer gap there is nothing to begin "
	  "from.",
	  .least = 60000, .most = (int64_t)365 * 86400000 },
	{ "SCAN_RATE", KEY_NUMBER, WATCH(scan_rate), "100",
	  "Requests a second that cn_monitor scan may send, each for up to a thousand entries of a "
	  "directory. 0: as many as the cluster answers.",
	  .least = 0, .most = 100000 },
	{ "REPAIR_REQUESTS", KEY_NUMBER, WATCH(repair_requests), "16",
	  "How many requests a repair may have under way at once.", .least = 1, .most = 256 },
	{ 0 },
};

static const struct config_key store_keys[] = {
	{ "URL", KEY_TEXT, OTHER(store.url), "embedded:/var/lib/cn_monitor",
	  "Where events, jobs and progress are kept: embedded:DIRECTORY, or in Redis: "
	  "redis://[user:password@]host[:6379][/database], rediss://... (TLS) or unix:/PATH. "
	  "Several "
	  "hosts, separated by commas, are nodes of one Redis Cluster. With a password in it, "
	  "nobody else may read this file." },
	{ "RETENTION", KEY_TIME, OTHER(store.retention_ms), "7d",
	  "How long judged events are kept, for explaining and replaying.", .least = 1000,
	  .most = (int64_t)3650 * 86400000 },
	{ "COMMIT", KEY_CHOICE, OTHER(store.commit), "batch",
	  "When received events are safe on disk: batch (at most 50 ms later), always (each "
	  "message), os (when the system likes; a power cut loses some).",
	  .choices = commit_names },
	{ "MAX_SIZE", KEY_SIZE, OTHER(store.max_bytes), "4 GiB",
	  "How much the store may grow; when it is full, reading pauses and an alarm goes out.",
	  .least = 1 << 20, .most = (int64_t)1 << 50 },
	{ "PREFIX", KEY_TEXT, OTHER(store.prefix), "main",
	  "Redis: name of this monitor in the server. Processes with the same name share their "
	  "work; two monitors need two." },
	{ "PASSWORD_FILE", KEY_PATH, OTHER(store.password_file), NULL,
	  "Redis: file that holds the password, instead of one in the URL; read again at each "
	  "log-in." },
	{ "DATABASE", KEY_TEXT, OTHER(store.database), NULL,
	  "Redis: number of the database where the URL does not name one; 0 if it is not given. A "
	  "Redis Cluster has no other." },
	{ "SENTINELS", KEY_TEXT, OTHER(store.sentinels), NULL,
	  "Redis: the Sentinels, host or host:port, separated by commas. They are asked where the "
	  "master is, and the URL's host is its name as they know it, like redis://mymaster/0." },
	{ "CA_FILE", KEY_PATH, OTHER(store.ca_file), NULL,
	  "rediss://: certificates (PEM) that sign the server's; the system's if it is not "
	  "given." },
	{ "CERT_FILE", KEY_PATH, OTHER(store.cert_file), NULL,
	  "rediss://: our own certificate (PEM), where the server asks for one." },
	{ "KEY_FILE", KEY_PATH, OTHER(store.key_file), NULL,
	  "rediss://: the private key of CERT_FILE, if it is not in there." },
	{ "SERVER_NAME", KEY_TEXT, OTHER(store.server_name), NULL,
	  "rediss://: name, or address, that must be in the server's certificate, instead of that "
	  "of the host. Certificate and name are always checked." },
	{ "TIMEOUT", KEY_TIME, OTHER(store.timeout_ms), "5s",
	  "Redis: how long one call to the store tries, connecting and asking again included.",
	  .least = 100, .most = 600000 },
	{ "LOG", KEY_PATH, OTHER(store.log), "/var/lib/cn_monitor",
	  "Redis: directory on this machine in which a process that watches keeps what it has "
	  "heard "
	  "until Redis has it." },
	{ 0 },
};

static const struct config_key email_keys[] = {
	{ "SERVER", KEY_TEXT, OTHER(email.server), NULL,
	  "SMTP server, host or host:port; without it there is no mail." },
	{ "SECURITY", KEY_CHOICE, OTHER(email.security), "starttls",
	  "How the connection is protected: starttls (port 587), tls (port 465), plain (port 25).",
	  .choices = security_names },
	{ "FROM", KEY_TEXT, OTHER(email.from), NULL,
	  "Sender, like cn_monitor <storage@example.com>." },
	{ "USERNAME", KEY_TEXT, OTHER(email.username), NULL,
	  "User to log in as, together with PASSWORD_FILE; without it there is no log-in." },
	{ "PASSWORD_FILE", KEY_PATH, OTHER(email.password_file), NULL,
	  "File that holds the user's password." },
	{ "VERIFY_TLS", KEY_BOOL, OTHER(email.verify_tls), "yes",
	  "Whether the server's certificate is checked." },
	{ "CA_FILE", KEY_PATH, OTHER(email.ca_file), NULL,
	  "Certificates (PEM) that sign the server's; the system's if it is not given." },
	{ "TIMEOUT", KEY_TIME, OTHER(email.timeout_ms), "30s",
	  "How long handing over a mail may take.", .least = 100, .most = 3600000 },
	{ 0 },
};

static const struct config_key admin_keys[] = {
	{ "SOCKET", KEY_PATH, OTHER(admin.socket), NULL,
	  "Unix socket for status, tail and reload. {role} in it stands for run, watch, filter or "
	  "act, "
	  "so that each process has its own. admin.sock in the store's directory if it is not "
	  "given; "
	  "where the store is in Redis, /run/cn_monitor/{role}.sock." },
	{ 0 },
};

static const struct config_key log_keys[] = {
	{ "LEVEL", KEY_CHOICE, OTHER(log.level), "info", "The least that is written.",
	  .choices = level_names },
	{ "FORMAT", KEY_CHOICE, OTHER(log.format), "text", "Lines for people, or JSON.",
	  .choices = format_names },
	{ 0 },
};

static const struct config_key act_keys[] = {
	{ "ATTEMPTS", KEY_NUMBER, OTHER(act.attempts), "20",
	  "How often a step is tried before its job goes to the dead letters.", .least = 1,
	  .most = 1000000 },
	{ "BACK_OFF", KEY_TIME, OTHER(act.back_off_ms), "1s",
	  "Pause after the first failed attempt; doubled after each further one.", .least = 1,
	  .most = 86400000 },
	{ "BACK_OFF_MAX", KEY_TIME, OTHER(act.back_off_max_ms), "5m",
	  "The longest pause between two attempts.", .least = 1, .most = (int64_t)7 * 86400000 },
	{ "CIRCUIT_BREAKER", KEY_NUMBER, OTHER(act.circuit_breaker), "5",
	  "Failures in a row after which a mail server or web hook is left in peace: jobs wait for "
	  "it, and one at a time tries, with the pauses above. 0: never.",
	  .least = 0, .most = 1000000 },
	{ "CONCURRENCY", KEY_NUMBER, OTHER(act.concurrency), "32",
	  "Jobs under way at once; those of one file always run one after the other.", .least = 1,
	  .most = 10000 },
	{ "ECHO_EXPIRY", KEY_TIME, OTHER(act.echo_expiry_ms), "60s",
	  "How long after an action an event of its own is still recognised as such.", .least = 100,
	  .most = 86400000 },
	{ "ALSO_CAUSED", KEY_LIST, OTHER(act.also_caused), NULL,
	  "Events that this cluster tells of the monitor's own changes beside the usual ones, as "
	  "cn_monitor calibrate prints them: 'rename child_mtime_changed of directory'." },
	{ "LEASE", KEY_TIME, OTHER(act.lease_ms), "30s",
	  "Redis: how long the jobs of a process that gives no sign of life wait for it before "
	  "others "
	  "take them.",
	  .least = 1000, .most = 3600000 },
	{ "MAX_DEPTH", KEY_NUMBER, OTHER(act.max_depth), "4",
	  "With on_own: how many jobs in a row may each come of an echo of the one before it; the "
	  "next "
	  "one becomes a dead letter. 0: any number.",
	  .least = 0, .most = 1000 },
	{ "RUNS_PER_FILE", KEY_NUMBER, OTHER(act.runs_per_file), "60",
	  "How often a rule that runs programs (exec) or has on_own fires on one file within "
	  "RUNS_WITHIN: it may set itself off. Then it leaves the file alone, with a dead letter, "
	  "until "
	  "that is over. 0: any number.",
	  .least = 0, .most = 100000 },
	{ "RUNS_WITHIN", KEY_TIME, OTHER(act.runs_within_ms), "10m", "See RUNS_PER_FILE.",
	  .least = 1000, .most = 86400000 },
	{ "DRY_RUN", KEY_BOOL, OTHER(act.dry_run), "no",
	  "Plan and record what would be done, and do none of it." },
	{ 0 },
};

const struct settings_section settings_sections[SECTION_COUNT] = {
	[SECTION_CLUSTER] = { "CLUSTER", "default",
			      "A cluster and how to log in there. Several have names: [CLUSTER "
			      "archive].",
			      cluster_keys },
	[SECTION_WATCH] = { "WATCH", "main",
			    "What is watched, and the rules for it. Several have names: [WATCH "
			    "media].",
			    watch_keys },
	[SECTION_STORE] = { "STORE", NULL, "Where events and jobs are safe.", store_keys },
	[SECTION_EMAIL] = { "EMAIL", NULL, "The server that the action email hands its mails to.",
			    email_keys },
	[SECTION_ADMIN] = { "ADMIN", NULL, "How a running monitor is asked.", admin_keys },
	[SECTION_LOG] = { "LOG", NULL, "What the monitor says about itself, on standard error.",
			  log_keys },
	[SECTION_ACT] = { "ACT", NULL, "How actions are carried out.", act_keys },
};

int settings_section_find(struct text name)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		if (strlen(settings_sections[i].name) == name.size &&
		    strncasecmp(settings_sections[i].name, name.data, name.size) == 0)
			return i;
	return -1;
}

const char *settings_variable_key(const struct settings_section *section,
				  const struct config_key *key)
{
	size_t size = strlen(section->name);

	if (strncmp(key->name, section->name, size) == 0 && key->name[size] == '_')
		return key->name + size + 1;
	return key->name;
}

bool settings_may_show(struct text section, struct text key, struct text value)
{
	int type = settings_section_find(section);
	const struct config_key *known =
		type < 0 ? NULL : key_find(settings_sections[type].keys, key);

	if (!known || known->type == KEY_SECRET)
		return false;
	/* The URL of a store may have a password in it, maybe where it does not belong. */
	return type != SECTION_STORE || known->offset != OTHER(store.url) || !value.size ||
	       !memmem(value.data, value.size, "//", 2);
}

static const char *type_name(enum key_type type)
{
	switch (type) {
	case KEY_TEXT:
	case KEY_TEMPLATE:
		return "text";
	case KEY_SECRET:
		return "secret";
	case KEY_PATH:
		return "path";
	case KEY_TIME:
		return "duration";
	case KEY_SIZE:
		return "size";
	case KEY_NUMBER:
		return "number";
	case KEY_BOOL:
		return "yes or no";
	case KEY_JSON:
		return "list or mapping";
	case KEY_CHOICE:
		return "choice";
	case KEY_LIST:
		return "list";
	}
	return "";
}

/* Text in lines of at most 76 columns, each behind indent spaces. */
static void print_wrapped(const char *text, int indent)
{
	struct text rest = text_of(text);

	while (rest.size) {
		size_t room = 76 - indent;
		size_t end = MIN(rest.size, room);

		if (end < rest.size) {
			const char *space = memrchr(rest.data, ' ', end + 1);

			end = space ? (size_t)(space - rest.data) : end;
		}
		printf("%*s%.*s\n", indent, "", (int)end, rest.data);
		rest.data += end;
		rest.size -= end;
		rest = text_trim(rest);
	}
}

static void print_key(const struct settings_section *section, const struct config_key *key)
{
	if (key->standard)
		printf("  %-16s %-10s default: %s\n", key->name, type_name(key->type),
		       key->standard);
	else
		printf("  %-16s %s\n", key->name, type_name(key->type));
	for (size_t i = 0; key->choices && key->choices[i]; i++)
		printf("%s%s%s", i ? ", " : "      one of ", key->choices[i],
		       key->choices[i + 1] ? "" : "\n");
	print_wrapped(key->help, 6);
	printf("      $CN_MONITOR_%s_%s\n", section->name, settings_variable_key(section, key));
}

void settings_print_reference(void)
{
	print_wrapped(
		"cn_monitor.conf has sections and lines of KEY = value. Lines that begin with # or "
		"; are comments. A value may stand in quotes and ends with its line. Paths are "
		"relative to the file's folder.",
		0);
	putchar('\n');
	print_wrapped(
		"An environment variable wins over the file: CN_MONITOR_<SECTION>_<KEY>, for a "
		"section with a name CN_MONITOR_<SECTION>_<NAME>_<KEY>. An empty one counts as "
		"not set.",
		0);
	for (int i = 0; i < SECTION_COUNT; i++) {
		const struct settings_section *section = &settings_sections[i];

		printf("\n[%s]\n", section->name);
		print_wrapped(section->help, 2);
		for (const struct config_key *key = section->keys; key->name; key++) {
			putchar('\n');
			print_key(section, key);
		}
	}
}
