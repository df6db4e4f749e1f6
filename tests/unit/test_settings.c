#include "settings_fixture.h"

#include "app/address.h"
#include "base/log.h"
#include "base/secret.h"

static void the_prototypes_file_works_as_it_is(void **state)
{
	AUTO(free) char *found = NULL;
	AUTO(settings_free)
	struct settings *settings = load(
		"[CLUSTER]\nTOKEN = access-v1:abcdef==\nCLUSTER_ADDRESS = cluster.example.com\n"
		"USE_SSL = False\n",
		0600, &found);

	assert_string_equal(
		found, "4:11: W USE_SSL = no: the connection is encrypted, but the cluster's "
		       "certificate is not checked, and whoever pretends to be the cluster gets "
		       "the token; better give CA_FILE or FINGERPRINT\n");
	assert_int_equal(settings->cluster_count, 1);
	assert_string_equal(settings->clusters[0].name, "default");
	assert_string_equal(settings->clusters[0].token, "access-v1:abcdef==");
	assert_false(settings->clusters[0].verify_tls);
	assert_int_equal(settings->clusters[0].address_count, 1);
	assert_string_equal(settings->clusters[0].addresses[0].host, "cluster.example.com");
	assert_int_equal(settings->clusters[0].addresses[0].port, 8000);
	assert_string_equal(settings->clusters[0].addresses[0].prefix, "");
}

static void what_is_not_said_has_its_default(void **state)
{
	AUTO(settings_free) struct settings *settings = load_good(GOOD);
	AUTO(free) char *items = str_format("%s/watched_items.yml", folder);
	AUTO(free) char *token = str_format("%s/token", folder);

	assert_int_equal(settings->watch_count, 1);
	assert_string_equal(settings->watches[0].name, "main");
	assert_string_equal(settings->watches[0].path, "/");
	assert_true(settings->watches[0].recursive);
	assert_string_equal(settings->watches[0].items, items);
	assert_string_equal(settings->watches[0].cluster, "default");
	assert_ptr_equal(settings->watches[0].on, &settings->clusters[0]);
	assert_int_equal(settings->watches[0].silence_ms, 60000);
	assert_int_equal(settings->watches[0].rename_window_ms, 500);
	assert_true(settings->clusters[0].verify_tls);
	assert_string_equal(settings->clusters[0].token_file, token);
	assert_string_equal(settings->store.url, "embedded:/var/lib/cn_monitor");
	assert_int_equal(settings->store.retention_ms, (int64_t)7 * 86400000);
	assert_int_equal(settings->store.commit, COMMIT_BATCH);
	assert_int_equal(settings->store.max_bytes, (int64_t)4 << 30);
	assert_string_equal(settings->admin.socket, "/var/lib/cn_monitor/admin.sock");
	assert_null(settings->email.server);
	assert_int_equal(settings->log.level, LOG_INFO);
	assert_int_equal(settings->act.echo_expiry_ms, 60000);
	assert_false(settings->act.dry_run);
}

static void a_socket_may_have_the_role_in_its_name(void **state)
{
	AUTO(settings_free)
	struct settings *settings =
		load_good(GOOD "[ADMIN]\nSOCKET = /run/{role}/cn-{role}.sock\n");
	AUTO(free) char *act = settings_socket(settings, "act");

	assert_string_equal(act, "/run/act/cn-act.sock");
}

static void a_socket_without_it_is_the_same_for_all(void **state)
{
	AUTO(settings_free)
	struct settings *settings = load_good(GOOD "[ADMIN]\nSOCKET = /run/cn.sock\n");
	AUTO(free) char *act = settings_socket(settings, "act");

	assert_string_equal(act, "/run/cn.sock");
}

static void several_clusters_and_watches_have_names(void **state)
{
	AUTO(settings_free)
	struct settings *settings = load_good(
		"[CLUSTER west]\nCLUSTER_ADDRESS = a, b:443 , [2001:db8::1]:8443\n"
		"TOKEN_FILE = token\n[CLUSTER east]\nCLUSTER_ADDRESS = e\nTOKEN_FILE = token\n"
		"[WATCH media]\nCLUSTER = East\nPATH = /media//in/\nITEMS = media.yml\n"
		"[WATCH rest]\n[STORE]\nURL = embedded:state\n");
	AUTO(free) char *socket = str_format("%s/state/admin.sock", folder);

	assert_int_equal(settings->clusters[0].address_count, 3);
	assert_string_equal(settings->clusters[0].addresses[1].prefix, "/api");
	assert_string_equal(settings->clusters[0].addresses[2].host, "2001:db8::1");
	assert_string_equal(settings->watches[0].on->name, "east");
	assert_string_equal(settings->watches[0].path, "/media/in");
	assert_string_equal(settings->watches[1].on->name, "west");
	assert_string_equal(settings->admin.socket, socket);
}

static void typical_mistakes_are_told_with_place_finding_and_wish(void **state)
{
	check("", "there is no [CLUSTER] with a CLUSTER_ADDRESS and a TOKEN_FILE\n");
	check("[CLUSTER]\n",
	      "1:1: cluster 'default' has no CLUSTER_ADDRESS\n"
	      "1:1: cluster 'default' has no credential: set TOKEN_FILE, TOKEN, or USERNAME and "
	      "PASSWORD_FILE\n");
	check("[CLUSTR]\n", "1:1: unknown section [CLUSTR]: did you mean [CLUSTER]?\n");
	check_added("[REDIS]\n", "4:1: unknown section [REDIS]: known are [CLUSTER], [WATCH], "
				 "[STORE], [EMAIL], [ADMIN], [LOG] and [ACT]\n");
	check_added("[STORE x]\n",
		    "4:1: [STORE] has no name; only [CLUSTER] and [WATCH] can be several\n");
	check_added("TOKNE = x\n", "4:1: unknown key 'TOKNE': did you mean TOKEN?\n");
	check_added("[LOG]\nCOLOUR = x\n",
		    "5:1: unknown key 'COLOUR': known are LEVEL and FORMAT\n");
	check_added("TIMEOUT = 10 parsecs\n", "4:11: TIMEOUT '10 parsecs': expected a duration "
					      "like 500ms, 10s, 5m, 2h or 7d\n");
	check_added("TIMEOUT =\n", "4:1: TIMEOUT has no value\n");
	check_added("TIMEOUT = 0s\n", "4:11: TIMEOUT '0s': expected from 100ms to 1h\n");
	check_added("[STORE]\nCOMMIT = batched\n",
		    "5:10: COMMIT 'batched': expected batch, always or os, did you mean batch?\n");
	check_added("[STORE]\nMAX_SIZE = lots\n",
		    "5:12: MAX_SIZE 'lots': expected a size like 4096, 64 KiB, 10 MiB or 2 GB\n");
	check_added("[STORE]\nURL = /var/lib/x\n",
		    "5:7: URL '/var/lib/x': expected embedded:DIRECTORY, like "
		    "embedded:/var/lib/cn_monitor, or redis://host:6379/0, rediss://... or "
		    "unix:/PATH\n");
	check_added("[WATCH]\nPATH = home\n", "5:8: PATH 'home': expected an absolute path on the "
					      "cluster, like /home\n");
	check_added("[WATCH]\nPATH = /a/../b\n",
		    "5:8: PATH '/a/../b': expected a path without . and ..\n");
	check_added("[WATCH]\nRECURSIVE = maybe\n",
		    "5:13: RECURSIVE 'maybe': expected yes or no\n");
	check_added("[WATCH]\nCLUSTER = defualt\n",
		    "5:11: CLUSTER 'defualt': there is no such cluster, did you mean default?\n");
	check_added("[WATCH]\n[WATCH main]\n",
		    "5:1: a second watch 'main'; the first is in line 4\n");
	check_added("[WATCH a]\n[WATCH b]\n",
		    "5:1: watch 'b' is the same as watch 'a': every action would happen twice\n");
	check_added("[ACT]\nATTEMPTS = 0\n", "5:12: ATTEMPTS '0': expected from 1 to 1000000\n");
	check_added("[ACT]\nBACK_OFF = 1h\n", "5:12: BACK_OFF is longer than BACK_OFF_MAX\n");
	check_added("[LOG]\nLEVEL = warning\n", "5:9: LEVEL 'warning': expected error, warn, info "
						"or debug\n");
	check_added(
		"[ADMIN]\nSOCKET = /012345678901234567890123456789012345678901234567890123456789"
		"012345678901234567890123456789012345678901234567890123456789\n",
		"5:10: SOCKET '/0123456789012345678901234567890123456789012345678901234567890123"
		"45678901234567890123456789012345678901234567890123456789': expected a path of "
		"at most 107 bytes\n");
}

static void one_way_to_log_in_is_enough(void **state)
{
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN = abc\nTOKEN_FILE = token\n",
	      "4:14: TOKEN_FILE and TOKEN are both set; one way to log in is enough\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nUSERNAME = joe\n",
	      "3:12: USERNAME needs a PASSWORD_FILE\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nPASSWORD_FILE = token\n",
	      "3:17: PASSWORD_FILE needs a USERNAME\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nUSERNAME = joe\nPASSWORD_FILE = token\n", "");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN = Bearer abc\n",
	      "3:9: TOKEN has white space in it, expected the token alone\n");
}

static void secrets_that_others_can_read_are_refused(void **state)
{
	put("open", "abc\n", 0644);
	put("group", "abc\n", 0440);
	put("empty", " \n", 0600);
	put("lines", "a\nb\n", 0600);
	check_mode("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN = abc\n", 0644,
		   "3:9: TOKEN is in a file that others can read (mode 0644): chmod 600 "
		   "DIR/cn_monitor.conf, or move it to a TOKEN_FILE of its own\n");
	check_mode(GOOD, 0644, "");
	check_mode("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN = abc\n", 0640, "");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = open\n",
	      "3:14: TOKEN_FILE: DIR/open: everybody on this machine can read it (mode 0644): "
	      "chmod 600 DIR/open\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = group\n", "");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = gone\n",
	      "3:14: TOKEN_FILE: DIR/gone cannot be read: No such file or directory\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = empty\n",
	      "3:14: TOKEN_FILE: DIR/empty is empty, expected a secret\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = lines\n",
	      "3:14: TOKEN_FILE: DIR/lines: expected one line of text\n");
	check("[CLUSTER]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = /\n",
	      "3:14: TOKEN_FILE: / is a directory, expected a file\n");
}

static char last_line[256];

static void keep_line(enum log_level level, const char *who, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void a_secret_is_trimmed_and_hidden_from_the_log(void **state)
{
	AUTO(free) char *path = str_format("%s/password", folder);
	AUTO(free) char *secret = NULL;
	AUTO_ERROR err = { 0 };

	put("password", "cor rect horse \r\n", 0600);
	assert_int_equal(secret_read(&secret, path, &err), 0);
	assert_string_equal(secret, "cor rect horse");
	log_redirect(keep_line);
	log_info("test", "it is cor rect horse!");
	log_redirect(NULL);
	assert_string_equal(last_line, "it is ***!");
}

static void certificates_are_checked_in_one_way(void **state)
{
	char expected[65] = { 0 };

	memset(expected, 'a', 64);
	put("ca.pem", "x", 0644);
	check_added(
		"VERIFY_TLS = no\n",
		"4:14: W VERIFY_TLS = no: the cluster's certificate is not checked, and whoever "
		"pretends to be the cluster gets the token; better give CA_FILE or "
		"FINGERPRINT\n");
	check_added("USE_SSL = no\nVERIFY_TLS = yes\n",
		    "4:11: USE_SSL = no contradicts VERIFY_TLS = yes; remove USE_SSL\n");
	check_added("USE_SSL = no\nCA_FILE = ca.pem\n",
		    "4:11: W USE_SSL = no is ignored, because CA_FILE says how to check the "
		    "certificate; remove USE_SSL\n");
	check_added("CA_FILE = gone.pem\n", "4:11: CA_FILE: DIR/gone.pem cannot be read: No such "
					    "file or directory\n");
	check_added("FINGERPRINT = 12:34\n",
		    "4:15: FINGERPRINT: expected the 64 hexadecimal digits of a SHA-256, found "
		    "another number of them\n");
	check_added("FINGERPRINT = 0123456789012345678901234567890123456789\n",
		    "4:15: FINGERPRINT: expected the 64 hexadecimal digits of a SHA-256, found a "
		    "SHA-1 of 40\n");

	AUTO(settings_free)
	struct settings *settings = load_good(
		GOOD
		"FINGERPRINT = sha256 Fingerprint=AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:"
		"AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA\n");
	assert_string_equal(settings->clusters[0].fingerprint, expected);
	assert_true(settings->clusters[0].verify_tls);
}

static void check_address(const char *text, const char *host, int port, const char *prefix)
{
	struct address address = { 0 };
	AUTO_ERROR err = { 0 };

	if (address_parse(&address, text_of(text), &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(address.host, host);
	assert_int_equal(address.port, port);
	assert_string_equal(address.prefix, prefix);
	address_clear(&address);
}

static void check_no_address(const char *text, const char *message)
{
	struct address address = { 0 };
	AUTO_ERROR err = { 0 };

	assert_int_equal(address_parse(&address, text_of(text), &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void addresses_are_read_as_people_write_them(void **state)
{
	const char *wish = "expected an address like cluster.example.com, 10.0.0.1:8000 or "
			   "[2001:db8::1]:8000";
	static const char *const wrong[] = { "",       "a b", "a:",  "[::1",         "[::1]8000",
					     "[::1]:", "-a",  ":80", "[nonsense]:80" };

	check_address("c", "c", 8000, "");
	check_address("10.0.0.1:443", "10.0.0.1", 443, "/api");
	check_address("[::1]:9000", "::1", 9000, "");
	check_address("2001:db8::1", "2001:db8::1", 8000, "");
	check_address("https://c", "c", 8000, "");
	check_address("HTTPS://c:8443/", "c", 8443, "");
	check_address("https://c/api", "c", 443, "/api");
	check_address("https://c:8443/api/", "c", 8443, "/api");
	check_address("http://127.0.0.1:1234", "127.0.0.1", 1234, "");
	check_address("http://localhost", "localhost", 8000, "");
	check_address("http://[::1]:80", "::1", 80, "");
	check_no_address("http://c",
			 "'http://c': http:// would show the token to the network and is "
			 "for loopback addresses only; use https://");
	check_no_address("http://127.evil.com",
			 "'http://127.evil.com': http:// would show the token "
			 "to the network and is for loopback addresses only; "
			 "use https://");
	check_no_address("ftp://c", "'ftp://c': expected https://, or the host alone");
	check_no_address("joe:pw@c",
			 "name and password do not belong into an address: use USERNAME "
			 "and PASSWORD_FILE");
	check_no_address("https://c/v1", "'https://c/v1': nothing but /api may follow the host and "
					 "port");
	check_no_address("c:0", "'c:0': expected a port from 1 to 65535");
	check_no_address("c:99999", "'c:99999': expected a port from 1 to 65535");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(free) char *message = str_format("'%s': %s", wrong[i], wish);

		check_no_address(wrong[i], message);
	}
	check("[CLUSTER]\nTOKEN_FILE = token\nCLUSTER_ADDRESS = a, http://b\n",
	      "3:19: CLUSTER_ADDRESS 'http://b': http:// would show the token to the network and "
	      "is "
	      "for loopback addresses only; use https://\n");
}

static void mail_needs_a_server_a_sender_and_both_halves_of_a_log_in(void **state)
{
	check_added("[EMAIL]\nFROM = a@b\n",
		    "4:1: [EMAIL] has no SERVER, so that no mail could be sent\n");
	check_added("[EMAIL]\nSERVER = mail:587\n", "4:1: [EMAIL] has no FROM, the sender of the "
						    "mails\n");
	check_added("[EMAIL]\nSERVER = mail/x\nFROM = joe\nUSERNAME = u\n",
		    "5:10: SERVER 'mail/x': expected host or host:port\n"
		    "6:8: FROM 'joe': expected a mail address like storage@example.com\n"
		    "7:12: USERNAME needs a PASSWORD_FILE\n");
	check_added(
		"[EMAIL]\nSERVER = mail\nFROM = a@b\nUSERNAME = u\nPASSWORD_FILE = token\n"
		"SECURITY = plain\n",
		"9:12: W SECURITY = plain: the password goes to the mail server for everybody on "
		"the way to read\n");
	check_added("[EMAIL]\nSERVER = mail\nFROM = a@b\nSECURITY = ssl\n",
		    "7:12: SECURITY 'ssl': expected starttls, tls or plain\n");
}

static void the_environment_wins_over_the_file(void **state)
{
	setenv("CN_MONITOR_CLUSTER_TIMEOUT", "7s", 1);
	setenv("CN_MONITOR_CLUSTER_TOKEN", "from-environment", 1);
	setenv("CN_MONITOR_WATCH_PATH", "/env", 1);
	setenv("CN_MONITOR_STORE_COMMIT", "always", 1);
	setenv("CN_MONITOR_STORE_URL", "", 1);

	AUTO(settings_free) struct settings *settings = load_good(GOOD "TIMEOUT = 9s\n");

	assert_int_equal(settings->clusters[0].timeout_ms, 7000);
	assert_string_equal(settings->clusters[0].token, "from-environment");
	assert_null(settings->clusters[0].token_file);
	assert_string_equal(settings->watches[0].path, "/env");
	assert_int_equal(settings->store.commit, COMMIT_ALWAYS);
	assert_string_equal(settings->store.url, "embedded:/var/lib/cn_monitor");
	unsetenv("CN_MONITOR_CLUSTER_TIMEOUT");
	unsetenv("CN_MONITOR_CLUSTER_TOKEN");
	unsetenv("CN_MONITOR_WATCH_PATH");
	unsetenv("CN_MONITOR_STORE_COMMIT");
	unsetenv("CN_MONITOR_STORE_URL");
}

static void the_environment_reaches_sections_with_names(void **state)
{
	setenv("CN_MONITOR_CLUSTER_WEST_1_TIMEOUT", "7s", 1);
	setenv("CN_MONITOR_CLUSTER_WEST_1_ADDRESS", "d", 1);

	setenv("CN_MONITOR_CLUSTER_TOKEN_FILE", "token", 1);
	setenv("CN_MONITOR_WATCH_NOPE_PATH", "/x", 1);
	setenv("CN_MONITOR_CLUSTER_TOKNE", "x", 1);
	setenv("CN_MONITOR_LOG_LEVEL", "loud", 1);
	check("[CLUSTER west-1]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = token\n[CLUSTER b]\n"
	      "CLUSTER_ADDRESS = c\nTOKEN_FILE = token\n",
	      "CN_MONITOR_CLUSTER_TOKNE: W unknown variable is ignored: did you mean "
	      "CN_MONITOR_CLUSTER_TOKEN?\n"
	      "CN_MONITOR_CLUSTER_TOKEN_FILE: there are several [CLUSTER name]; say which one: "
	      "CN_MONITOR_CLUSTER_<NAME>_TOKEN_FILE\n"
	      "CN_MONITOR_LOG_LEVEL: LEVEL 'loud': expected error, warn, info or debug\n"
	      "CN_MONITOR_WATCH_NOPE_PATH: W is ignored: there is no section [WATCH NOPE] (in any "
	      "case)\n");
	unsetenv("CN_MONITOR_CLUSTER_TOKEN_FILE");
	unsetenv("CN_MONITOR_WATCH_NOPE_PATH");
	unsetenv("CN_MONITOR_CLUSTER_TOKNE");
	unsetenv("CN_MONITOR_LOG_LEVEL");

	AUTO(settings_free)
	struct settings *settings =
		load_good("[CLUSTER west-1]\nCLUSTER_ADDRESS = c\nTOKEN_FILE = token\n");
	assert_int_equal(settings->clusters[0].timeout_ms, 7000);
	assert_string_equal(settings->clusters[0].addresses[0].host, "d");
	unsetenv("CN_MONITOR_CLUSTER_WEST_1_TIMEOUT");
	unsetenv("CN_MONITOR_CLUSTER_WEST_1_ADDRESS");
}

static void all_may_come_from_the_environment(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *path = str_format("%s/nothing", folder);
	AUTO(free) char *here = getcwd(NULL, 0);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chdir(path), 0);
	assert_null(settings_load(NULL, problems));
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text,
			    "there is no cn_monitor.conf here and none in /etc/cn_monitor: name "
			    "one with -c FILE, or write one that begins with [CLUSTER], "
			    "CLUSTER_ADDRESS and TOKEN_FILE (cn_monitor check --config-reference "
			    "explains every key)\n");
	setenv("CN_MONITOR_CLUSTER_ADDRESS", "c:443", 1);
	setenv("CN_MONITOR_CLUSTER_TOKEN", "abcdef", 1);
	AUTO(settings_free) struct settings *settings = settings_load(NULL, problems);
	assert_non_null(settings);
	assert_int_equal(settings->clusters[0].addresses[0].port, 443);
	assert_string_equal(settings->clusters[0].token, "abcdef");
	AUTO(free) char *items = str_format("%s/watched_items.yml", path);
	assert_string_equal(settings->watches[0].items, items);
	unsetenv("CN_MONITOR_CLUSTER_ADDRESS");
	unsetenv("CN_MONITOR_CLUSTER_TOKEN");
	assert_int_equal(chdir(here), 0);
	rmdir(path);
}

static void a_file_that_is_not_there_is_told(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();

	assert_null(settings_load("/nonexistent/x.conf", problems));
	AUTO(free) char *text = problems_format(problems, false);
	assert_string_equal(text,
			    "/nonexistent/x.conf: cannot be read: No such file or directory\n");
}

static void the_examples_of_the_project_can_be_read(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *path = str_format("%s/examples/cn_monitor.conf", getenv("SOURCE_ROOT"));

	settings_free(settings_load(path, problems));
	AUTO(free) char *text = problems_format(problems, false);
	/* All of it but the token's file, which is the reader's to make. */
	assert_non_null(strstr(text, "token cannot be read: No such file or directory\n"));
	assert_int_equal(problems_error_count(problems), 1);
	assert_int_equal(problems_warning_count(problems), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prototypes_file_works_as_it_is),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(a_socket_may_have_the_role_in_its_name),
		cmocka_unit_test(a_socket_without_it_is_the_same_for_all),
		cmocka_unit_test(several_clusters_and_watches_have_names),
		cmocka_unit_test(typical_mistakes_are_told_with_place_finding_and_wish),
		cmocka_unit_test(one_way_to_log_in_is_enough),
		cmocka_unit_test(secrets_that_others_can_read_are_refused),
		cmocka_unit_test(a_secret_is_trimmed_and_hidden_from_the_log),
		cmocka_unit_test(certificates_are_checked_in_one_way),
		cmocka_unit_test(addresses_are_read_as_people_write_them),
		cmocka_unit_test(mail_needs_a_server_a_sender_and_both_halves_of_a_log_in),
		cmocka_unit_test(the_environment_wins_over_the_file),
		cmocka_unit_test(the_environment_reaches_sections_with_names),
		cmocka_unit_test(all_may_come_from_the_environment),
		cmocka_unit_test(a_file_that_is_not_there_is_told),
		cmocka_unit_test(the_examples_of_the_project_can_be_read),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
