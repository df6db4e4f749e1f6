/* [STORE] in cn_monitor.conf, above all a store in Redis. */
#include "settings_fixture.h"

#include "base/log.h"

static void a_store_in_redis_has_all_its_keys(void **state)
{
	AUTO(free) char *password = str_format("%s/password", folder);
	AUTO(free) char *log = str_format("%s/log", folder);
	AUTO(settings_free) struct settings *settings = NULL;
	struct store_settings store;

	put("password", "open sesame\n", 0600);
	settings = load_good(GOOD "[STORE]\nURL = redis://me@mymaster/3\nPREFIX = west\n"
				  "PASSWORD_FILE = password\nSENTINELS = a, b:7\nTIMEOUT = 2s\n"
				  "LOG = log\nCOMMIT = os\nMAX_SIZE = 1 GiB\n");
	store = settings_of_store(settings);
	assert_string_equal(store.url, "redis://me@mymaster/3");
	assert_string_equal(store.prefix, "west");
	assert_string_equal(store.password_file, password);
	assert_string_equal(store.sentinels, "a, b:7");
	assert_string_equal(store.log, log);
	assert_int_equal(store.timeout_ms, 2000);
	assert_int_equal(store.max_bytes, 1 << 30);
	assert_false(store.sync);
	assert_string_equal(settings->store.shown, "redis://mymaster/3");
	assert_string_equal(settings->admin.socket, "/run/cn_monitor/{role}.sock");
	assert_false(settings_store_is_embedded(settings));
}

static void what_is_not_said_of_a_store_in_redis_has_its_default(void **state)
{
	AUTO(settings_free)
	struct settings *settings = load_good(GOOD "[STORE]\nURL = unix:/run/redis.sock\n");
	const struct store_settings store = settings_of_store(settings);

	assert_string_equal(store.prefix, "main");
	assert_string_equal(store.log, "/var/lib/cn_monitor");
	assert_int_equal(store.timeout_ms, 5000);
	assert_null(store.sentinels);
	assert_null(store.database);
	assert_string_equal(settings->store.shown, "unix:/run/redis.sock");
}

static void mistakes_about_redis_are_told_with_place_finding_and_wish(void **state)
{
	check_added("[STORE]\nURL = redis:localhost\n", "5:7: URL: expected redis://host:6379/0\n");
	check_added("[STORE]\nURL = redis://h:99999/\n",
		    "5:7: URL: expected a port from 1 to 65535 behind the ':'\n");
	check_added("[STORE]\nURL = redis://h/0?prefix=x\n",
		    "5:7: URL: expected nothing behind a '?': options are keys of [STORE], like "
		    "PREFIX and TIMEOUT\n");
	check_added("[STORE]\nURL = mysql://root:sesame@h/0\n",
		    "5:7: URL: expected embedded:DIRECTORY, redis://host:6379/0, rediss://... or "
		    "unix:/PATH\n");
	check_added("[STORE]\nPREFIX = x\n", "5:10: PREFIX is for a store in Redis, and the URL "
					     "says embedded:/var/lib/cn_monitor\n");
	check_added("[STORE]\nSENTINELS = a\nURL = embedded:/x\n",
		    "5:13: SENTINELS is for a store in Redis, and the URL says embedded:/x\n");
	check_added("[STORE]\nURL = redis://h\nPREFIX = a{b}\n",
		    "6:10: PREFIX: expected a name without braces and white space\n");
	check_added("[STORE]\nURL = redis://h/1\nDATABASE = 2\n",
		    "6:12: DATABASE: the URL names one already\n");
	check_added("[STORE]\nURL = redis:///0\nSENTINELS = a\n",
		    "5:7: URL: expected the master's name as the sentinels know it, like "
		    "redis://mymaster/0\n");
	check_added("[STORE]\nURL = redis://m\nSENTINELS = a:b\n",
		    "6:13: SENTINELS: expected a port from 1 to 65535 behind the ':'\n");
	check_added("[STORE]\nURL = redis://h\nTIMEOUT = 5\n",
		    "6:11: TIMEOUT '5': expected a duration like 500ms, 10s, 5m, 2h or 7d\n");
}

static void files_of_redis_are_looked_at(void **state)
{
	put("password", "open sesame\n", 0644);
	put("ca.pem", "no certificate\n", 0644);
	check_added("[STORE]\nURL = redis://h\nPASSWORD_FILE = password\n",
		    "6:17: PASSWORD_FILE: DIR/password: everybody on this machine can read it "
		    "(mode 0644): chmod 600 DIR/password\n");
	check_added("[STORE]\nURL = redis://h\nPASSWORD_FILE = gone\n",
		    "6:17: PASSWORD_FILE: DIR/gone cannot be read: No such file or directory\n");
	check_added("[STORE]\nURL = rediss://h\nCA_FILE = gone.pem\n",
		    "6:11: CA_FILE: DIR/gone.pem cannot be read: No such file or directory\n");
	check_added("[STORE]\nURL = redis://h\nCA_FILE = ca.pem\n",
		    "6:11: CA_FILE is for rediss://, which the URL is not\n");
	check_added("[STORE]\nURL = rediss://h\nKEY_FILE = ca.pem\n",
		    "6:12: KEY_FILE needs a CERT_FILE\n");
	check_added("[STORE]\nURL = rediss://h\nCA_FILE = ca.pem\n",
		    "6:11: CA_FILE: rediss://h:6379: DIR/ca.pem: no certificate or crl found\n");
}

static char last_line[256];

static void keep_line(enum log_level level, const char *who, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void a_password_in_the_url_is_shown_nowhere(void **state)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(free) char *path = str_format("%s/cn_monitor.conf", folder);
	AUTO(free) char *text = NULL;
	AUTO(settings_free) struct settings *settings = NULL;

	put("cn_monitor.conf", GOOD "[STORE]\nURL = redis://joe:open-sesame@h:x/0\n", 0600);
	assert_null(settings_load(path, problems));
	text = problems_format(problems, false);
	assert_non_null(strstr(text, "expected a port"));
	assert_null(strstr(text, "sesame"));
	log_redirect(keep_line);
	log_info("test", "it is open-sesame!");
	log_redirect(NULL);
	assert_string_equal(last_line, "it is ***!");
	settings = load_good(GOOD "[STORE]\nURL = redis://joe:open-sesame@h/0\n");
	assert_string_equal(settings->store.shown, "redis://h:6379");
}

static void a_password_in_the_url_asks_for_a_file_that_nobody_else_reads(void **state)
{
	check_mode(GOOD "[STORE]\nURL = redis://joe:open-sesame@h/0\n", 0644,
		   "5:7: the password in URL is in a file that others can read (mode 0644): chmod "
		   "600 DIR/cn_monitor.conf, or move it to a PASSWORD_FILE of its own\n");
	check_mode(GOOD "[STORE]\nURL = redis://joe@h/0\n", 0644, "");
	setenv("CN_MONITOR_STORE_URL", "redis://joe:open-sesame@h/0", 1);
	check_mode(GOOD, 0644, "");
	unsetenv("CN_MONITOR_STORE_URL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_in_redis_has_all_its_keys),
		cmocka_unit_test(what_is_not_said_of_a_store_in_redis_has_its_default),
		cmocka_unit_test(mistakes_about_redis_are_told_with_place_finding_and_wish),
		cmocka_unit_test(files_of_redis_are_looked_at),
		cmocka_unit_test(a_password_in_the_url_is_shown_nowhere),
		cmocka_unit_test(a_password_in_the_url_asks_for_a_file_that_nobody_else_reads),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
