/* How the Redis store reaches its server: URLs, passwords, TLS. */
#include "redis_server.h"

#include <arpa/inet.h>

#include "store/redis_address.h"
#include "store/store.h"

#define TLS_FILES                                                                        \
	"set -e; cd %s; exec >/dev/null 2>&1;"                                           \
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"   \
	" -keyout ca.key -out ca.pem -subj /CN=ca;"                                      \
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"   \
	" -keyout wrong.key -out wrong.pem -subj /CN=wrong;"                             \
	"for n in server client; do"                                                     \
	" openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key" \
	" -out $n.csr -subj /CN=$n;"                                                     \
	" printf 'subjectAltName=DNS:redis.example,IP:127.0.0.1' >$n.ext;"               \
	" openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2" \
	" -extfile $n.ext -out $n.pem; done"

struct scene {
	struct redis_server server;
	int port;
	struct error err;
};

/* That nobody listens on. */
static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static int setup(void **state)
{
	struct scene *scene = NEW(struct scene);
	AUTO(free) char *command = NULL;
	char port[16];
	/* Relative to the server's directory. */
	const char *const options[] = { "--tls-port",
					port,
					"--tls-cert-file",
					"server.pem",
					"--tls-key-file",
					"server.key",
					"--tls-ca-cert-file",
					"ca.pem",
					"--tls-auth-clients",
					"optional",
					"--user",
					"default",
					"on",
					">open sesame",
					"~*",
					"&*",
					"+@all",
					NULL };

	scene->port = free_port();
	snprintf(port, sizeof(port), "%d", scene->port);
	snprintf(scene->server.dir, sizeof(scene->server.dir), "/tmp/cn_redis.XXXXXX");
	assert_non_null(mkdtemp(scene->server.dir));
	snprintf(scene->server.socket, sizeof(scene->server.socket), "%s/redis.sock",
		 scene->server.dir);
	command = str_format(TLS_FILES, scene->server.dir);
	assert_int_equal(system(command), 0);
	redis_server_start(&scene->server, options);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	redis_server_remove(&scene->server);
	error_clear(&scene->err);
	free(scene);
	return 0;
}

/* Opens and closes a store; "$" in the URL is the server's directory. */
static int try_url(struct scene *scene, const char *format)
{
	AUTO(store_close) struct store *store = NULL;
	AUTO(free) char *url = str_copy("");
	struct store_settings settings = { .max_bytes = 1024 * 1024 };
	struct store_counts counts;

	for (const char *at = format; *at; at++) {
		char *longer = *at == '$'   ? str_format("%s%s", url, scene->server.dir)
			       : *at == '#' ? str_format("%s%d", url, scene->port)
					    : str_format("%s%c", url, *at);

		free(url);
		url = longer;
	}
	settings.url = url;
	error_clear(&scene->err);
	if (store_open(&store, &settings, &scene->err) < 0)
		return -1;
	return store_count(store, &counts, &scene->err);
}

static void works(struct scene *scene, const char *url)
{
	if (try_url(scene, url) < 0)
		fail_msg("%s", error_text(&scene->err));
}

static void fails(struct scene *scene, const char *url, const char *sentence)
{
	assert_int_equal(try_url(scene, url), -1);
	if (!strstr(error_text(&scene->err), sentence))
		fail_msg("'%s' is not in: %s", sentence, error_text(&scene->err));
	if (strstr(error_text(&scene->err), "sesame"))
		fail_msg("a secret is in: %s", error_text(&scene->err));
}

static void tls_works_with_the_right_ca_and_name(void **state)
{
	works(*state, "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/ca.pem&log=$/kept");
	works(*state, "rediss://default:open%20sesame@127.0.0.1:#/3?ca=$/ca.pem&log=$/kept"
		      "&server_name=redis.example");
}

static void a_wrong_ca_is_refused(void **state)
{
	fails(*state,
	      "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/wrong.pem&log=$/kept&timeout=200ms",
	      "certificate");
	fails(*state, "rediss://:open%20sesame@127.0.0.1:#/0?log=$/kept&timeout=200ms",
	      "certificate");
	fails(*state, "rediss://127.0.0.1:#/0?ca=$/none.pem&log=$/kept", "none.pem");
}

static void a_wrong_name_is_refused(void **state)
{
	fails(*state,
	      "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/ca.pem&log=$/kept&timeout=200ms"
	      "&server_name=other.example",
	      "hostname mismatch");
	fails(*state,
	      "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/ca.pem&log=$/kept&timeout=200ms"
	      "&server_name=127.0.0.2",
	      "IP address mismatch");
}

static void a_server_that_wants_a_certificate_gets_ours(void **state)
{
	struct scene *scene = *state;
	char answer[64];

	assert_true(redis_server_ask(
		&scene->server, "AUTH \"open sesame\"\r\nCONFIG SET tls-auth-clients yes", answer));
	works(scene, "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/ca.pem&log=$/kept"
		     "&cert=$/client.pem&key=$/client.key");
	fails(scene, "rediss://:open%20sesame@127.0.0.1:#/0?ca=$/ca.pem&log=$/kept&timeout=200ms",
	      "rediss://");
	fails(scene, "rediss://127.0.0.1:#/0?ca=$/ca.pem&log=$/kept&cert=$/client.pem&key=$/ca.key",
	      "key");
	assert_true(redis_server_ask(&scene->server,
				     "AUTH \"open sesame\"\r\nCONFIG SET tls-auth-clients optional",
				     answer));
}

static void a_password_is_needed_and_never_shown(void **state)
{
	struct scene *scene = *state;
	AUTO(free)
	char *command = str_format("printf 'open sesame\\n' >%s/secret; "
				   "printf 'sesame street' >%s/lie",
				   scene->server.dir, scene->server.dir);

	assert_int_equal(system(command), 0);
	works(scene, "unix:$/redis.sock?password_file=$/secret&log=$/kept");
	fails(scene, "unix:$/redis.sock?log=$/kept&timeout=200ms", "NOAUTH");
	fails(scene, "unix:$/redis.sock?password_file=$/lie&log=$/kept&timeout=200ms", "WRONGPASS");
	fails(scene, "unix:$/redis.sock?password_file=$/none&log=$/kept", "none");
	fails(scene, "redis://:sesame@127.0.0.1:1/0?log=$/kept&timeout=200ms", "refused");
}

static void a_user_needs_no_more_than_the_manual_says(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *command = str_format("printf sesame >%s/few", scene->server.dir);
	char answer[64];

	assert_int_equal(system(command), 0);
	assert_true(redis_server_ask(&scene->server,
				     "AUTH \"open sesame\"\r\nACL SETUSER few on >sesame "
				     "~{cn:mine}:* +@scripting +@read +@write +@connection",
				     answer));
	works(scene, "unix:$/redis.sock?user=few&password_file=$/few&log=$/kept&prefix=mine");
	fails(scene, "unix:$/redis.sock?user=few&password_file=$/few&log=$/kept&prefix=yours",
	      "key");
}

static void a_wrong_url_is_told_with_what_was_expected(void **state)
{
	fails(*state, "redis:localhost", "redis://host:6379/0");
	fails(*state, "redis://?log=/x", "expected a host");
	fails(*state, "redis://:sesame@h:70000/0?log=/x", "port");
	fails(*state, "redis://:sesame@h/first?log=/x", "database");
	fails(*state, "redis://h/0", "log=/DIRECTORY");
	fails(*state, "redis://h/0?log=relative", "log=/DIRECTORY");
	fails(*state, "redis://h/0?prefx=a&log=/x", "did you mean 'prefix'");
	fails(*state, "redis://h/0?prefix={a}&log=/x", "braces");
	fails(*state, "redis://h/0?prefix=%4&log=/x", "%XX");
	fails(*state, "redis://h/0?timeout=5&log=/x", "timeout");
	fails(*state, "redis://h/0?ca=/ca.pem&log=/x", "rediss://");
}

static void a_url_may_hold_everything(void **state)
{
	struct redis_address address;

	assert_int_equal(redis_address_init(&address,
					    "rediss://me:p%40ss:w/rd@[::1]:7000/12?"
					    "prefix=b&log=/l%20og&timeout=2s",
					    NULL),
			 0);
	assert_string_equal(address.user, "me");
	assert_string_equal(address.password, "p@ss:w/rd");
	assert_string_equal(address.host, "::1");
	assert_string_equal(address.port, "7000");
	assert_string_equal(address.database, "12");
	assert_string_equal(address.prefix, "b");
	assert_string_equal(address.log, "/l og");
	assert_int_equal(address.timeout_ms, 2000);
	assert_true(address.tls);
	assert_string_equal(address.shown, "rediss://::1:7000");
	redis_address_clear(&address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_works_with_the_right_ca_and_name),
		cmocka_unit_test(a_wrong_ca_is_refused),
		cmocka_unit_test(a_wrong_name_is_refused),
		cmocka_unit_test(a_server_that_wants_a_certificate_gets_ours),
		cmocka_unit_test(a_password_is_needed_and_never_shown),
		cmocka_unit_test(a_user_needs_no_more_than_the_manual_says),
		cmocka_unit_test(a_wrong_url_is_told_with_what_was_expected),
		cmocka_unit_test(a_url_may_hold_everything),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, setup, teardown);
}
