/* settings_store: whether the keys of [STORE] fit together. */
#include "app/settings_check.h"
#include "base/log.h"
#include "store/redis_address.h"
#include "store/redis_connection.h"

/* Keys that an embedded store has no use for. */
static const char *const redis_keys[] = {
	"PREFIX",    "PASSWORD_FILE", "DATABASE",    "SENTINELS", "CA_FILE",
	"CERT_FILE", "KEY_FILE",      "SERVER_NAME", "TIMEOUT",   "LOG",
};

static bool is_redis(struct text url)
{
	return text_starts_with(url, TEXT("redis:")) || text_starts_with(url, TEXT("rediss:")) ||
	       text_starts_with(url, TEXT("unix:"));
}

static void check_embedded(struct settings_source *source, const struct settings_instance *instance)
{
	struct settings *settings = source->settings;
	AUTO(free) char *path = str_copy(settings->store.url + strlen("embedded:"));
	AUTO(free) char *whole = NULL;

	settings_make_absolute(source, instance, "URL", &path);
	whole = path_join(text_of(path), TEXT(""));
	free(settings->store.url);
	settings->store.url = str_format("embedded:%s", whole);
	settings->store.shown = str_copy(settings->store.url);
	for (size_t i = 0; i < ARRAY_SIZE(redis_keys); i++)
		if (settings_is_set(instance, redis_keys[i]))
			problems_error(source->problems, settings_place(instance, redis_keys[i]),
				       "%s is for a store in Redis, and the URL says %s",
				       redis_keys[i], settings->store.url);
}

/* The files that TLS needs are there, and belong together. */
static bool check_tls(struct settings_source *source, const struct settings_instance *instance,
		      const struct redis_address *address)
{
	static const char *const keys[] = { "CA_FILE", "CERT_FILE", "KEY_FILE" };
	const char *const paths[] = { address->ca, address->cert, address->key };
	size_t errors = problems_error_count(source->problems);
	AUTO(redis_connection_free) struct redis_connection *connection = NULL;
	const char *about = "URL";
	AUTO_ERROR err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		settings_check_readable(source, instance, keys[i], paths[i]);
		about = paths[i] ? keys[i] : about;
	}
	if (problems_error_count(source->problems) > errors)
		return false;
	if (redis_connection_new(&connection, address, &err) < 0)
		problems_error(source->problems, settings_place(instance, about), "%s: %s", about,
			       error_text(&err));
	return problems_error_count(source->problems) == errors;
}

static void check_redis(struct settings_source *source, const struct settings_instance *instance)
{
	struct settings *settings = source->settings;
	const struct store_settings store = settings_of_store(settings);
	struct redis_address address;
	AUTO_ERROR err = { 0 };
	int rc = redis_address_init(&address, &store, &err);

	log_hide(address.password);
	if (rc < 0) {
		problems_error(source->problems, settings_place(instance, address.wrong), "%s",
			       error_text(&err));
	} else if (check_tls(source, instance, &address)) {
		settings->store.shown = str_copy(address.shown);
		if (address.password && !address.password_file)
			settings_check_mode(source, instance, "URL", "the password in URL",
					    "PASSWORD_FILE");
	}
	redis_address_clear(&address);
}

void settings_check_store(struct settings_source *source, const struct settings_instance *instance)
{
	struct text url = text_of(source->settings->store.url);

	if (is_redis(url))
		check_redis(source, instance);
	else if (text_starts_with(url, TEXT("embedded:")) && url.size > strlen("embedded:"))
		check_embedded(source, instance);
	else if (strstr(url.data, "//")) /* there may be a password in it */
		problems_error(source->problems, settings_place(instance, "URL"),
			       "URL: expected embedded:DIRECTORY, redis://host:6379/0, "
			       "rediss://... or unix:/PATH");
	else
		problems_error(source->problems, settings_place(instance, "URL"),
			       "URL '%s': expected embedded:DIRECTORY, like "
			       "embedded:/var/lib/cn_monitor, or redis://host:6379/0, rediss://... "
			       "or unix:/PATH",
			       source->settings->store.url);
}
