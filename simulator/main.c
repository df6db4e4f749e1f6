/* cn_simulator: a stand-in cluster over a real directory. */
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "simulator/auth.h"
#include "simulator/certificate.h"
#include "simulator/faults.h"
#include "simulator/hub.h"
#include "simulator/journal.h"
#include "simulator/keep.h"
#include "simulator/listener.h"
#include "simulator/options.h"
#include "simulator/server.h"
#include "simulator/snapshots.h"
#include "simulator/tree.h"

enum { EXIT_RUN_TIME = 1, EXIT_USAGE = 2 };

void sim_apply_switches(struct sim *sim)
{
	struct tree_options *options = tree_options(sim->tree);
	const struct switches *switches = &sim->switches;

	options->no_merging = switch_value(switches, SWITCH_MERGE) == OTHER_SIDE;
	options->parent_mtime = switch_value(switches, SWITCH_PARENT_MTIME) == OTHER_SIDE;
	options->rename_locked = switch_value(switches, SWITCH_LOCKED_RENAME) == OTHER_SIDE;
	options->metadata_event = switch_value(switches, SWITCH_METADATA_EVENT) == OTHER_SIDE;
	options->nfs_create_noise = switch_value(switches, SWITCH_NFS_CREATE_NOISE) == OTHER_SIDE;
	options->every_link = switch_value(switches, SWITCH_LINK_EVENTS) == OTHER_SIDE;
	options->past_most = switch_value(switches, SWITCH_SNAPSHOT_RECORDS);
	options->smb_archive_noise = switch_value(switches, SWITCH_SMB_ARCHIVE_NOISE) == OTHER_SIDE;
}

/* ---- what stands behind the server ---- */

static char *make_token(void)
{
	return auth_secret("access-v1:");
}

static char *make_uuid(void)
{
	unsigned char b[16];

	if (RAND_bytes(b, sizeof(b)) != 1)
		abort();
	return str_format("%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x",
			  b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9],
			  b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int add_kept_token(struct sim *sim, const struct user *user, struct error *err)
{
	AUTO(free) char *path = str_format("%s/server/token.%s", sim->state, user->auth_id);
	AUTO(free) char *text = NULL;

	if (keep_text(&text, path, make_token, err) < 0)
		return -1;
	AUTO(free) char *specification = str_format("%s@%s", user->name, text);
	return auth_add_token(sim->auth, specification, err);
}

/* Everything of the command line that can be wrong about users: a matter of usage. */
static int add_users(struct sim *sim, const struct options *options, struct error *err)
{
	static const char *const nobody[] = { NULL };
	static const char *const default_user[] = { "admin:admin", NULL };

	sim->auth = auth_new();
	for (const char *const *user = options->users ? options->users : default_user; *user;
	     user++) {
		if (auth_add_user(sim->auth, *user, err) < 0)
			return -1;
	}
	for (const char *const *token = options->tokens ? options->tokens : nobody; *token;
	     token++) {
		if (auth_add_token(sim->auth, *token, err) < 0)
			return -1;
	}
	return 0;
}

static int add_kept_tokens(struct sim *sim, struct error *err)
{
	const struct user *user;

	list_for_each (user, &sim->auth->users, link) {
		if (!auth_access_token_of(sim->auth, user) && add_kept_token(sim, user, err) < 0)
			return -1;
	}
	return 0;
}

struct tls {
	char *cert_path;
	char *key_path;
	char *cert; /* NULL: plain HTTP */
	char *key;
	char *fingerprint;
};

static void tls_clear(struct tls *tls)
{
	free(tls->cert_path);
	free(tls->key_path);
	free(tls->cert);
	free(tls->key);
	free(tls->fingerprint);
}

static int tls_load(struct tls *tls, const struct sim *sim, const char *option, struct error *err)
{
	struct text key = text_of(option);
	struct text cert = text_cut(&key, ',');

	if (strcmp(option, "off") == 0)
		return 0;
	if (strcmp(option, "auto") == 0) {
		tls->cert_path = str_format("%s/server/cert.pem", sim->state);
		tls->key_path = str_format("%s/server/key.pem", sim->state);
		if (certificate_make(tls->cert_path, tls->key_path, err) < 0)
			return -1;
	} else if (cert.size && key.size) {
		tls->cert_path = text_copy(cert);
		tls->key_path = text_copy(key);
	} else {
		return error_set(err, "--tls %s: expected auto, off or CERT,KEY", option);
	}
	if (keep_read(&tls->cert, tls->cert_path, err) < 0 ||
	    keep_read(&tls->key, tls->key_path, err) < 0)
		return -1;
	tls->fingerprint = certificate_fingerprint(tls->cert);
	return tls->fingerprint
		       ? 0
		       : error_set(err, "%s holds no certificate in PEM form", tls->cert_path);
}

static int open_parts(struct sim *sim, const struct options *options, struct error *err)
{
	AUTO(free) char *folder = str_format("%s/server", options->state);
	AUTO(free) char *id_path = str_format("%s/cluster-id", folder);
	struct tree_options tree_options = {
		.long_ids = switch_value(&sim->switches, SWITCH_ID_SIZE) == OTHER_SIDE,
	};

	sim->root = str_copy(options->root);
	sim->state = str_copy(options->state);
	if (tree_open(&sim->tree, sim->root, sim->state, sim->loop, &tree_options, err) < 0)
		return -1;
	sim_apply_switches(sim);
	if (keep_folder(folder, err) < 0 ||
	    keep_text(&sim->cluster_id, id_path, make_uuid, err) < 0 ||
	    add_kept_tokens(sim, err) < 0)
		return -1;
	sim->name = str_copy("simulator");
	sim->revision = str_copy("Qumulo Core 7.2.1");
	sim->faults = faults_new();
	sim->journal = journal_new();
	sim->snapshots = snapshots_new();
	snapshots_load(sim);
	sim->hub = hub_new(sim);
	hub_listen(sim->hub);
	return 0;
}

static void close_parts(struct sim *sim)
{
	server_close(sim->server);
	hub_close(sim->hub);
	if (sim->snapshots)
		snapshots_save(sim);
	tree_close(sim->tree);
	faults_free(sim->faults);
	journal_free(sim->journal);
	snapshots_free(sim->snapshots);
	handles_clear(&sim->handles);
	uv_run(sim->loop, UV_RUN_DEFAULT);
	auth_free(sim->auth);
	switches_clear(&sim->switches);
	free(sim->root);
	free(sim->state);
	free(sim->cluster_id);
	free(sim->name);
	free(sim->revision);
	free(sim->upgrade.revision);
}

/* ---- running ---- */

static void on_signal(uv_signal_t *signal, int number)
{
	uv_stop(signal->loop);
}

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP };
enum { ENDING_SIGNALS = ARRAY_SIZE(ending_signals) };

static void signals_start(struct sim *sim, uv_signal_t *signals)
{
	for (size_t i = 0; i < ENDING_SIGNALS; i++) {
		uv_signal_init(sim->loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, ending_signals[i]);
	}
}

static void wait_for_signal(struct sim *sim, uv_signal_t *signals)
{
	uv_run(sim->loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < ENDING_SIGNALS; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
	uv_run(sim->loop, UV_RUN_NOWAIT);
}

/* What a person would have to put together by hand from the line for programs. */
static void say_configuration(const struct sim *sim, const struct tls *tls, const char *token)
{
	printf("\nFor a cn_monitor.conf that only you can read (chmod 600):\n\n"
	       "[CLUSTER]\nCLUSTER_ADDRESS = %s%s\nTOKEN = %s\n",
	       tls->cert ? "" : "http://", server_address(sim->server), token);
	if (tls->cert)
		printf("FINGERPRINT = %s\n", tls->fingerprint);
	printf("\nWhat happens below %s is told now. Ctrl-C ends it.\n", sim->root);
}

static void say_ready(const struct sim *sim, const struct tls *tls)
{
	const struct user *user = auth_first_user(sim->auth);
	const struct token *token = auth_access_token_of(sim->auth, user);
	struct listener *listener;

	if (tls->cert)
		printf("cn_simulator: https://%s serves %s, certificate SHA-256 fingerprint %s, "
		       "token %s, certificate file %s\n",
		       server_address(sim->server), sim->root, tls->fingerprint, token->text,
		       tls->cert_path);
	else
		printf("cn_simulator: http://%s serves %s, token %s\n", server_address(sim->server),
		       sim->root, token->text);
	list_for_each (listener, server_listeners(sim->server), link)
		if (listener->number > 1)
			printf("cn_simulator: %s://%s, too\n", tls->cert ? "https" : "http",
			       listener->address);
	if (server_control(sim->server))
		printf("cn_simulator: %s://%s, for /sim/\n", tls->cert ? "https" : "http",
		       server_control(sim->server));
	if (isatty(STDOUT_FILENO))
		say_configuration(sim, tls, token->text);
	fflush(stdout);
}

static int run(struct sim *sim, const struct options *options, struct error *err)
{
	__attribute__((cleanup(tls_clear))) struct tls tls = { 0 };
	uv_signal_t signals[ENDING_SIGNALS];

	if (open_parts(sim, options, err) < 0 || tls_load(&tls, sim, options->tls, err) < 0 ||
	    server_open(&sim->server, sim, options->listen, options->control, tls.cert, tls.key,
			err) < 0)
		return -1;
	signals_start(sim, signals);
	say_ready(sim, &tls); /* who reads it may end us at once */
	wait_for_signal(sim, signals);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct sim sim = { .loop = uv_default_loop() };
	AUTO_ERROR err = { 0 };
	int status = EXIT_SUCCESS;

	signal(SIGPIPE, SIG_IGN);
	switch (options_parse(&options, argc, argv, &err)) {
	case OPTIONS_SHOWN:
		break;
	case OPTIONS_WRONG:
		status = EXIT_USAGE;
		break;
	case OPTIONS_RUN:
		log_setup(options.verbose ? LOG_DEBUG : LOG_WARN, LOG_TEXT);
		sim.switches = options.switches;
		memset(&options.switches, 0, sizeof(options.switches));
		if (add_users(&sim, &options, &err) < 0)
			status = EXIT_USAGE;
		else if (run(&sim, &options, &err) < 0)
			status = EXIT_RUN_TIME;
		close_parts(&sim);
		break;
	}
	if (status)
		fprintf(stderr, "cn_simulator: %s\n%s", error_text(&err),
			status == EXIT_USAGE ? "Try cn_simulator --help\n" : "");
	options_clear(&options);
	return status;
}
