/*
 * settings: cn_monitor.conf and the environment, read and checked.
 *
 * Every key comes from one table (settings.c), which parses it, names its default and prints
 * `cn_monitor check --config-reference`. The environment's CN_MONITOR_<SECTION>_<KEY> (sections
 * with a name: CN_MONITOR_<SECTION>_<NAME>_<KEY>) wins over the file.
 */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "config/key.h"
#include "io/mail.h"
#include "store/store.h"

enum watch_events { WATCH_EVENTS_ALL, WATCH_EVENTS_NEEDED };
enum gap_repair { GAP_REPAIR_AUTO, GAP_REPAIR_SNAPSHOT, GAP_REPAIR_SCAN, GAP_REPAIR_OFF };
enum commit_mode { COMMIT_BATCH, COMMIT_ALWAYS, COMMIT_OS };

struct address {
	char *host;    /* without brackets */
	int port;      /* 8000, or 443 */
	bool is_plain; /* http://: loopback only */
	char *prefix;  /* "" or "/api" (port 443) */
};

struct cluster_settings {
	char *name; /* "default" for [CLUSTER], else of [CLUSTER name] */
	struct key_list cluster_address;
	struct address *addresses; /* parsed from cluster_address */
	size_t address_count;
	char *token; /* one of: token, token_file, username + password_file (or password) */
	char *token_file;
	char *username;
	char *password_file;
	bool verify_tls;
	bool use_ssl; /* the prototype's: False means VERIFY_TLS = no, with a warning */
	char *ca_file;
	char *fingerprint;
	int64_t timeout_ms; /* of one request */
};

struct watch_settings {
	char *name;                        /* "main" for [WATCH], else of [WATCH name] */
	char *cluster;                     /* name; default: the first */
	const struct cluster_settings *on; /* found by it */
	char *path;
	bool recursive;
	char *items;          /* absolute: relative ones are relative to the file that names them */
	int64_t silence_ms;   /* a stream without a byte for so long is dead; 60 s */
	int64_t heartbeat_ms; /* how often the stream is proven to live; 0: never */
	int events;           /* enum watch_events */
	int64_t rename_window_ms; /* how long half a rename waits for the other; 500 ms */
	int gap_repair;           /* enum gap_repair */
	int64_t baseline_every_ms;
	int64_t baseline_expiry_ms;
	int64_t repair_requests; /* at once */
	int64_t scan_rate;       /* requests a second; 0: any number */
};

struct settings {
	char *file;
	struct cluster_settings *clusters;
	size_t cluster_count;
	struct watch_settings *watches;
	size_t watch_count;
	struct {
		char *url;
		int64_t retention_ms;
		int commit; /* enum commit_mode */
		int64_t max_bytes;
		/* Of a store in Redis */
		char *prefix;
		char *password_file;
		char *database;
		char *sentinels;
		char *ca_file, *cert_file, *key_file, *server_name;
		int64_t timeout_ms;
		char *log;
		char *shown; /* url without a password: for people */
	} store;
	struct {
		char *server; /* host or host:port; NULL: no mail */
		int security; /* enum mail_security */
		char *username;
		char *password_file;
		char *from;
		bool verify_tls;
		char *ca_file;
		int64_t timeout_ms;
	} email;
	struct {
		char *socket; /* of the admin server */
	} admin;
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
	} log;
	struct {
		int64_t attempts;    /* before a step is given up */
		int64_t back_off_ms; /* first pause between attempts, doubled each time */
		int64_t back_off_max_ms;
		int64_t concurrency;         /* jobs under way at once */
		int64_t echo_expiry_ms;      /* how long an expectation outlives its action; 60 s */
		struct key_list also_caused; /* app/also_caused.h */
		int64_t lease_ms;        /* how long a job stays with a process that is silent */
		int64_t max_depth;       /* jobs in a row of each other's echoes; 0: whatever */
		int64_t runs_per_file;   /* firings of a rule that may loop; 0: whatever.. */
		int64_t runs_within_ms;  /* ..in this time */
		int64_t circuit_breaker; /* failures in a row of a server that open it; 0: never */
		bool dry_run;
	} act;
};

/* path NULL: cn_monitor.conf here, else /etc/cn_monitor/cn_monitor.conf. NULL if there were errors.
 */
struct settings *settings_load(const char *path, struct problems *problems);
/* What store_open wants to know; points into settings. member and watches are left to the caller.
 */
struct store_settings settings_of_store(const struct settings *settings);
bool settings_store_is_embedded(const struct settings *settings);
/* The admin socket of the process that has the role ("run": all of them), from [ADMIN] SOCKET,
 * which may have its name in it. For free(). */
#define SETTINGS_ROLE "{role}"
char *settings_socket(const struct settings *settings, const char *role);
void settings_free(struct settings *settings);
AUTO_DEFINE(struct settings *, settings_free)
void settings_print_reference(void); /* every key with default and meaning, to standard output */

#endif
