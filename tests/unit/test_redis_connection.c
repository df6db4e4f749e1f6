/* How the Redis store reaches its server: URLs, passwords, TLS. */
#include "redis_server.h"

#include <arpa/inet.h>

#include "base/buf.h"
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
	" -extfile $n.ext -out $n.pem; done; cat client.pem client.key >client.both"

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

/* "$" is the server's directory, "#" its TLS port; for free(). */
static char *filled_in(struct scene *scene, const char *text)
{
	char *whole = text ? str_copy("") : NULL;

	for (const char *at = text; at && *at; at++) {
		char *longer = *at == '$'   ? str_format("%s%s", whole, scene->server.dir)
			       : *at == '#' ? str_format("%s%d", whole, scene->port)
					    : str_format("%s%c", whole, *at);

		free(whole);
		whole = longer;
	}
	return whole;
}

/* Opens and closes a store. */
static int try_settings(struct scene *scene, struct store_settings settings)
{
	AUTO(store_close) struct store *store = NULL;
	AUTO(free) char *url = filled_in(scene, settings.url);
	AUTO(free) char *ca = filled_in(scene, settings.ca_file);
	AUTO(free) char *cert = filled_in(scene, settings.cert_file);
	AUTO(free) char *key = filled_in(scene, settings.key_file);
	AUTO(free) char *password = filled_in(scene, settings.password_file);
	AUTO(free) char *log = filled_in(scene, "$/kept");
	struct store_counts counts;

	settings.url = url;
	settings.ca_file = ca;
	settings.cert_file = cert;
	settings.key_file = key;
	settings.password_file = password;
	settings.log = log;
	settings.max_bytes = 1024 * 1024;
	error_clear(&scene->err);
	if (store_open(&store, &settings, &scene->err) < 0)
		return -1;
	return store_count(store, &counts, &scene->err);
}

#define works(scene, ...)                                                                     \
	do {                                                                                  \
		if (try_settings((scene), (struct store_settings){ .timeout_ms = 10000,       \
								   .url = __VA_ARGS__ }) < 0) \
			fail_msg("%s", error_text(&(scene)->err));                            \
	} while (0)

static void check_refusal(struct scene *scene, const char *sentence)
{
	if (!strstr(error_text(&scene->err), sentence))
		fail_msg("'%s' is not in: %s", sentence, error_text(&scene->err));
	if (strstr(error_text(&scene->err), "sesame"))
		fail_msg("a secret is in: %s", error_text(&scene->err));
}

#define fails(scene, sentence, ...)                                            \
	do {                                                                   \
		struct store_settings settings = { .url = __VA_ARGS__ };       \
		/* A busy machine may take long, a failure need not. */        \
		for (int64_t ms = 200; ms < 60000; ms *= 4) {                  \
			settings.timeout_ms = ms;                              \
			assert_int_equal(try_settings((scene), settings), -1); \
			if (strstr(error_text(&(scene)->err), (sentence)))     \
				break;                                         \
		}                                                              \
		check_refusal((scene), (sentence));                            \
	} while (0)

#define TLS "rediss://:open%20sesame@127.0.0.1:#/0"

static void tls_works_with_the_right_ca_and_name(void **state)
{
	struct scene *scene = *state;

	works(scene, TLS, .ca_file = "$/ca.pem");
	works(scene, "rediss://default:open%20sesame@127.0.0.1:#/3", .ca_file = "$/ca.pem",
	      .server_name = "redis.example");
}

static void a_wrong_ca_is_refused(void **state)
{
	struct scene *scene = *state;

	fails(scene, "certificate", TLS, .ca_file = "$/wrong.pem");
	fails(scene, "certificate", TLS);
	fails(scene, "none.pem", "rediss://127.0.0.1:#/0", .ca_file = "$/none.pem");
}

static void a_wrong_name_is_refused(void **state)
{
	struct scene *scene = *state;

	fails(scene, "hostname mismatch", TLS, .ca_file = "$/ca.pem",
	      .server_name = "other.example");
	fails(scene, "IP address mismatch", TLS, .ca_file = "$/ca.pem", .server_name = "127.0.0.2");
}

static void a_server_that_wants_a_certificate_gets_ours(void **state)
{
	struct scene *scene = *state;
	char answer[64];

	assert_true(redis_server_ask(
		&scene->server, "AUTH \"open sesame\"\r\nCONFIG SET tls-auth-clients yes", answer));
	works(scene, TLS, .ca_file = "$/ca.pem", .cert_file = "$/client.pem",
	      .key_file = "$/client.key");
	works(scene, TLS, .ca_file = "$/ca.pem", .cert_file = "$/client.both");
	fails(scene, "rediss://", TLS, .ca_file = "$/ca.pem");
	fails(scene, "key", TLS, .ca_file = "$/ca.pem", .cert_file = "$/client.pem",
	      .key_file = "$/ca.key");
	assert_true(redis_server_ask(&scene->server,
				     "AUTH \"open sesame\"\r\nCONFIG SET tls-auth-clients optional",
				     answer));
}

static void a_password_is_needed_and_never_shown(void **state)
{
	struct scene *scene = *state;
	AUTO(free)
	char *command = str_format("cd %s; umask 077; printf 'open sesame\\n' >secret; "
				   "printf 'sesame street' >lie; "
				   "printf 'open sesame' >shouted; chmod 644 shouted",
				   scene->server.dir);

	assert_int_equal(system(command), 0);
	works(scene, "unix:$/redis.sock", .password_file = "$/secret");
	works(scene, "unix://:open%20sesame@$/redis.sock");
	fails(scene, "NOAUTH", "unix:$/redis.sock");
	fails(scene, "WRONGPASS", "unix:$/redis.sock", .password_file = "$/lie");
	fails(scene, "none", "unix:$/redis.sock", .password_file = "$/none");
	fails(scene, "everybody on this machine can read it", "unix:$/redis.sock",
	      .password_file = "$/shouted");
	fails(scene, "refused", "redis://:sesame@127.0.0.1:1/0");
}

static void a_user_needs_no_more_than_the_manual_says(void **state)
{
	struct scene *scene = *state;
	char answer[64];

	assert_true(redis_server_ask(&scene->server,
				     "AUTH \"open sesame\"\r\nACL SETUSER few on >sesame "
				     "~{cn:mine}:* +@scripting +@read +@write +@connection",
				     answer));
	works(scene, "unix://few:sesame@$/redis.sock", .prefix = "mine");
	fails(scene, "key", "unix://few:sesame@$/redis.sock", .prefix = "yours");
}

static void collect(void *ctx, const char *sentence)
{
	struct buf *all = ctx;

	assert_true(buf_print(all, "%s\n", sentence));
}

/* What a store says about its server; for free(). */
static char *advice_of(struct scene *scene, const char *who)
{
	AUTO(buf_free) struct buf *all = buf_new(SIZE_MAX / 2);
	AUTO(free) char *url = str_format("unix://%s@%s", who, scene->server.socket);
	struct store_settings settings = {
		.url = url, .timeout_ms = 10000, .prefix = "mine", .max_bytes = 1 << 30
	};
	struct store *store;

	if (store_open(&store, &settings, &scene->err) < 0)
		fail_msg("%s", error_text(&scene->err));
	assert_true(buf_print(all, "%s", ""));
	store_advice(store, collect, all);
	store_close(store);
	return buf_take(all);
}

static void set(struct scene *scene, const char *what)
{
	AUTO(free) char *line = str_format("AUTH \"open sesame\"\r\n%s", what);
	char answer[64];

	assert_true(redis_server_ask(&scene->server, line, answer));
}

static void a_server_that_could_lose_jobs_is_told_of(void **state)
{
	struct scene *scene = *state;
	AUTO(free) char *forgets = advice_of(scene, "default:open%20sesame");
	AUTO(free) char *well = NULL;
	AUTO(free) char *full = NULL;
	AUTO(free) char *seen = NULL;
	AUTO(free) char *blind = NULL;

	assert_non_null(strstr(forgets, "set its appendonly to yes"));
	assert_null(strstr(forgets, "maxmemory"));
	set(scene, "CONFIG SET appendonly yes");
	well = advice_of(scene, "default:open%20sesame");
	assert_string_equal(well, "");
	set(scene, "CONFIG SET appendfsync no maxmemory 512mb maxmemory-policy allkeys-lru");
	full = advice_of(scene, "default:open%20sesame");
	assert_non_null(strstr(full, "set its appendfsync to always"));
	assert_non_null(strstr(full, "noeviction instead of allkeys-lru"));
	assert_non_null(strstr(full, "its maxmemory above 2147483648 bytes"));
	/* A user who may not see the configuration, and one who may see nothing. */
	set(scene, "ACL SETUSER some on >sesame ~{cn:mine}:* +@scripting +@read +@write "
		   "+@connection +time +info");
	seen = advice_of(scene, "some:sesame");
	assert_non_null(strstr(seen, "noeviction instead of allkeys-lru"));
	set(scene, "ACL SETUSER few on >sesame ~{cn:mine}:* +@scripting +@read +@write "
		   "+@connection +time");
	blind = advice_of(scene, "few:sesame");
	assert_non_null(strstr(blind, "allow the user CONFIG GET or INFO"));
	set(scene, "CONFIG SET appendonly no appendfsync everysec maxmemory 0 maxmemory-policy "
		   "noeviction");
}

static void a_wrong_setting_is_told_with_what_was_expected(void **state)
{
	struct scene *scene = *state;

	fails(scene, "redis://host:6379/0", "redis:localhost");
	fails(scene, "expected a host", "redis://");
	fails(scene, "expected a host", "redis://a b/");
	fails(scene, "port from 1 to 65535", "redis://:sesame@h:70000/0");
	fails(scene, "port from 1 to 65535", "redis://user:sesame/0");
	fails(scene, "number of a database", "redis://:sesame@h/first");
	fails(scene, "keys of [STORE]", "redis://h/0?prefix=a");
	fails(scene, "keys of [STORE]", "unix:/socket?db=1");
	fails(scene, "unix:/PATH", "unix:socket");
	fails(scene, "%XX", "redis://:a%4@h/0");
	fails(scene, "PREFIX: expected a name without braces", "redis://h/0", .prefix = "{a}");
	fails(scene, "CA_FILE is for rediss://", "redis://h/0", .ca_file = "/ca.pem");
	fails(scene, "KEY_FILE needs a CERT_FILE", "rediss://h/0", .key_file = "/key.pem");
	fails(scene, "DATABASE: the URL names one", "redis://h/0", .database = "1");
	fails(scene, "DATABASE: 'first'", "redis://h", .database = "first");
	fails(scene, "PASSWORD_FILE: the URL has a password", "redis://:sesame@h/0",
	      .password_file = "/none");
	fails(scene, "SENTINELS has no meaning", "unix:/socket", .sentinels = "a");
	fails(scene, "SENTINELS: expected a host", "redis://m", .sentinels = "a,,b");
	fails(scene, "SENTINELS: expected a port", "redis://m", .sentinels = "a:b");
	fails(scene, "master's name as the sentinels know it", "redis:///0", .sentinels = "a");
	fails(scene, "master's name alone", "redis://m:6379/0", .sentinels = "a");
}

static void an_address_may_hold_everything(void **state)
{
	const struct store_settings settings = {
		.url = "rediss://me:p%40ss:w/r?d@[::1]:7000,other/12",
		.prefix = "b",
		.timeout_ms = 2000,
	};
	struct redis_address address;

	assert_int_equal(redis_address_init(&address, &settings, NULL), 0);
	assert_string_equal(address.user, "me");
	assert_string_equal(address.password, "p@ss:w/r?d");
	assert_int_equal(address.host_count, 2);
	assert_string_equal(address.hosts[0].name, "::1");
	assert_string_equal(address.hosts[0].port, "7000");
	assert_string_equal(address.hosts[1].name, "other");
	assert_string_equal(address.hosts[1].port, "6379");
	assert_string_equal(address.database, "12");
	assert_string_equal(address.prefix, "b");
	assert_int_equal(address.timeout_ms, 2000);
	assert_true(address.tls);
	assert_string_equal(address.shown, "rediss://[::1]:7000,other:6379/12");
	redis_address_clear(&address);
}

static void moved_to(const char *reply, const char *name, const char *port)
{
	struct redis_host host;

	assert_int_equal(redis_host_moved(&host, text_of(reply), "here", NULL), 0);
	assert_string_equal(host.name, name);
	assert_string_equal(host.port, port);
	redis_host_clear(&host);
}

static void a_node_says_where_keys_are_in_several_ways(void **state)
{
	struct redis_host host;
	AUTO_ERROR err = { 0 };

	moved_to("MOVED 1 10.0.0.8:6381", "10.0.0.8", "6381");
	moved_to("MOVED 1 2001:db8::1:6381", "2001:db8::1", "6381");
	moved_to("MOVED 1 redis-2.example.com:7", "redis-2.example.com", "7");
	moved_to("MOVED 1 :7", "here", "7");
	assert_int_equal(redis_host_moved(&host, TEXT("MOVED 1 ?:0"), "here", &err), -1);
	redis_host_clear(&host);
	assert_int_equal(redis_host_moved(&host, TEXT("MOVED"), "here", &err), -1);
	redis_host_clear(&host);
}

static void sentinels_make_the_host_a_name(void **state)
{
	const struct store_settings settings = {
		.url = "redis://mymaster/3",
		.sentinels = "a , b:7 ,[::1]:8",
	};
	struct redis_address address;

	assert_int_equal(redis_address_init(&address, &settings, NULL), 0);
	assert_string_equal(address.master, "mymaster");
	assert_int_equal(address.host_count, 0);
	assert_int_equal(address.sentinel_count, 3);
	assert_string_equal(address.sentinels[0].port, "26379");
	assert_string_equal(address.sentinels[1].name, "b");
	assert_string_equal(address.sentinels[2].name, "::1");
	assert_string_equal(address.shown, "redis://mymaster/3");
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
		cmocka_unit_test(a_server_that_could_lose_jobs_is_told_of),
		cmocka_unit_test(a_wrong_setting_is_told_with_what_was_expected),
		cmocka_unit_test(an_address_may_hold_everything),
		cmocka_unit_test(a_node_says_where_keys_are_in_several_ways),
		cmocka_unit_test(sentinels_make_the_host_a_name),
	};

	if (!redis_server_is_installed())
		return 77; /* not tested */
	return cmocka_run_group_tests(tests, setup, teardown);
}
