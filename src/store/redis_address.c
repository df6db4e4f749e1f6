#include "store/redis_address.h"

#include <ctype.h>

#include "base/parse.h"
#include "base/secret.h"
#include "store/redis_route.h"

#define HOSTS_MAX 64
#define TIMEOUT_MS 5000

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* "%40" is "@". NULL: a broken escape, or a NUL. */
static char *decoded(struct text text)
{
	char *out = mem_new(text.size + 1);
	size_t size = 0;

	for (size_t i = 0; i < text.size; i++) {
		int high, low;

		out[size] = text.data[i];
		if (text.data[i] == '%') {
			high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
			low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
			if (high < 0 || low < 0 || !(high | low)) {
				free(out);
				return NULL;
			}
			out[size] = (char)(high << 4 | low);
			i += 2;
		}
		size++;
	}
	return out;
}

/* ---- Hosts ---- */

void redis_host_clear(struct redis_host *host)
{
	free(host->name);
	free(host->port);
	*host = (struct redis_host){ 0 };
}

char *redis_host_show(const struct redis_host *host)
{
	return strchr(host->name, ':') ? str_format("[%s]:%s", host->name, host->port)
				       : str_format("%s:%s", host->name, host->port);
}

/* Names, and numbers of both kinds; an interface follows a %. */
static bool is_host_name(struct text name)
{
	for (size_t i = 0; i < name.size; i++)
		if (!isalnum((unsigned char)name.data[i]) &&
		    (!name.data[i] || !strchr(".-_:%", name.data[i])))
			return false;
	return name.size && name.size < 256;
}

int redis_host_init(struct redis_host *out, struct text text, const char *standard_port,
		    const char *what, struct error *err)
{
	struct text name, port = text;
	bool has_port = true;
	int64_t number;

	*out = (struct redis_host){ 0 };
	if (text.size && text.data[0] == '[') {
		name = text_cut(&port, ']');
		name = (struct text){ name.data + 1, name.size - 1 };
		has_port = port.size && port.data[0] == ':';
		if (port.size && !has_port)
			return error_set(err, "%s: expected a host like [::1]:%s", what,
					 standard_port);
		text_cut(&port, ':');
	} else {
		name = text_cut(&port, ':');
		has_port = name.size < text.size;
	}
	if (!is_host_name(name))
		return error_set(err, "%s: expected a host, like redis.example.com:%s", what,
				 standard_port);
	/* What is there instead is not shown: behind a : there may be a password. */
	if (has_port && parse_number(port, 1, 65535, &number, NULL) < 0)
		return error_set(err, "%s: expected a port from 1 to 65535 behind the ':'", what);
	out->name = text_copy(name);
	out->port = has_port ? str_format("%d", (int)number) : str_copy(standard_port);
	return 0;
}

int redis_host_moved(struct redis_host *out, struct text reply, const char *here, struct error *err)
{
	AUTO(free) char *place = NULL;
	struct text rest = reply, name;
	size_t size;

	*out = (struct redis_host){ 0 };
	text_cut(&rest, ' ');
	text_cut(&rest, ' ');
	/* The last colon is the port's, also behind an address that is full of them. */
	for (size = rest.size; size && rest.data[size - 1] != ':';)
		size--;
	if (!size)
		return error_set(err, "%.*s: expected a host and a port", TEXT_ARGS(reply));
	name = size > 1 ? (struct text){ rest.data, size - 1 } : text_of(here);
	rest = (struct text){ rest.data + size, rest.size - size };
	place = memchr(name.data, ':', name.size)
			? str_format("[%.*s]:%.*s", TEXT_ARGS(name), TEXT_ARGS(rest))
			: str_format("%.*s:%.*s", TEXT_ARGS(name), TEXT_ARGS(rest));
	return redis_host_init(out, text_of(place), "6379", "MOVED", err);
}

/* Separated by commas. */
static int read_hosts(struct redis_host **out, size_t *out_count, struct text list,
		      const char *standard_port, const char *what, struct error *err)
{
	do {
		struct text host = text_trim(text_cut(&list, ','));

		if (*out_count == HOSTS_MAX)
			return error_set(err, "%s: expected at most %d hosts", what, HOSTS_MAX);
		*out = mem_grow(*out, *out_count + 1, sizeof(**out));
		(*out)[(*out_count)++] = (struct redis_host){ 0 };
		if (redis_host_init(&(*out)[*out_count - 1], host, standard_port, what, err) < 0)
			return -1;
	} while (list.size);
	return 0;
}

static void clear_hosts(struct redis_host *hosts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		redis_host_clear(&hosts[i]);
	free(hosts);
}

/* ---- The URL ---- */

static int set(char **place, struct text text, const char *what, struct error *err)
{
	char *value = decoded(text);

	if (!value)
		return error_set(err, "URL: %s: expected %%XX after a %%", what);
	free(*place);
	*place = value;
	return 0;
}

static int read_user(struct redis_address *address, struct text who, struct error *err)
{
	struct text user = who;
	bool has_password = memchr(who.data, ':', who.size);

	user = text_cut(&who, ':');
	if (user.size && set(&address->user, user, "user", err) < 0)
		return -1;
	if (has_password && set(&address->password, who, "password", err) < 0)
		return -1;
	return 0;
}

static struct text cut_user(struct text *rest)
{
	/* The last @: a password may hold one that nobody escaped. */
	for (size_t i = rest->size; i-- > 0;)
		if (rest->data[i] == '@') {
			struct text user = { rest->data, i };

			*rest = (struct text){ rest->data + i + 1, rest->size - i - 1 };
			return user;
		}
	return TEXT_NONE;
}

static int refuse_options(struct text place, struct error *err)
{
	return place.size && memchr(place.data, '?', place.size)
		       ? error_set(err, "URL: expected nothing behind a '?': options are keys of "
					"[STORE], like PREFIX and TIMEOUT")
		       : 0;
}

static int read_path(struct redis_address *address, struct text place, struct error *err)
{
	struct text user;

	if (text_starts_with(place, TEXT("//"))) {
		place = (struct text){ place.data + 2, place.size - 2 };
		user = cut_user(&place);
		if (user.data && read_user(address, user, err) < 0)
			return -1;
	}
	if (refuse_options(place, err) < 0)
		return -1;
	if (!place.size || place.data[0] != '/')
		return error_set(err, "URL: expected unix:/PATH of the server's socket");
	return set(&address->path, place, "path", err);
}

static int read_master(struct redis_address *address, struct text name, struct error *err)
{
	if (!name.size)
		return error_set(err, "URL: expected the master's name as the sentinels know it, "
				      "like redis://mymaster/0");
	if (!is_host_name(name) || memchr(name.data, ':', name.size))
		return error_set(err, "URL: expected a master's name alone, like "
				      "redis://mymaster/0: the sentinels know its address");
	address->master = text_copy(name);
	return 0;
}

static int read_server(struct redis_address *address, struct text place, bool has_sentinels,
		       struct error *err)
{
	struct text host, user;
	int64_t number;

	if (!text_starts_with(place, TEXT("//")))
		return error_set(err, "URL: expected redis://host:6379/0");
	place = (struct text){ place.data + 2, place.size - 2 };
	user = cut_user(&place);
	if (user.data && read_user(address, user, err) < 0)
		return -1;
	if (refuse_options(place, err) < 0)
		return -1;
	host = text_cut(&place, '/');
	if ((has_sentinels ? read_master(address, host, err)
			   : read_hosts(&address->hosts, &address->host_count, host, "6379", "URL",
					err)) < 0)
		return -1;
	if (place.size && parse_number(place, 0, 1000000, &number, NULL) < 0)
		return error_set(err, "URL: expected the number of a database behind the '/'");
	if (place.size)
		address->database = str_format("%d", (int)number);
	return 0;
}

static void show(struct redis_address *address)
{
	char *shown = address->path ? str_format("unix:%s", address->path)
		      : address->master
			      ? str_format("redis%s://%s", address->tls ? "s" : "", address->master)
			      : str_format("redis%s://", address->tls ? "s" : "");

	for (size_t i = 0; i < address->host_count; i++) {
		AUTO(free) char *before = shown;
		AUTO(free) char *host = redis_host_show(&address->hosts[i]);

		shown = str_format("%s%s%s", before, i ? "," : "", host);
	}
	if (!address->path && address->database && strcmp(address->database, "0") != 0) {
		AUTO(free) char *before = shown;

		shown = str_format("%s/%s", before, address->database);
	}
	address->shown = shown;
}

static int read_url(struct redis_address *address, const struct store_settings *settings,
		    struct error *err)
{
	struct text place = text_of(settings->url);
	struct text scheme = text_cut(&place, ':');

	address->tls = text_is(scheme, "rediss");
	return text_is(scheme, "unix")
		       ? read_path(address, place, err)
		       : read_server(address, place, settings->sentinels != NULL, err);
}

/* ---- The other keys ---- */

static int read_database(struct redis_address *address, const struct store_settings *settings,
			 struct error *err)
{
	int64_t number;

	if (!settings->database)
		return 0;
	address->wrong = "DATABASE";
	if (address->database)
		return error_set(err, "DATABASE: the URL names one already");
	if (parse_number(text_of(settings->database), 0, 1000000, &number, err) < 0)
		return error_prefix(err, "DATABASE");
	address->database = str_format("%d", (int)number);
	return 0;
}

static int read_password(struct redis_address *address, const struct store_settings *settings,
			 struct error *err)
{
	if (!settings->password_file)
		return 0;
	address->wrong = "PASSWORD_FILE";
	if (address->password)
		return error_set(err, "PASSWORD_FILE: the URL has a password already; one of them "
				      "is enough");
	if (secret_read(&address->password, settings->password_file, err) < 0)
		return error_prefix(err, "PASSWORD_FILE");
	address->password_file = str_copy(settings->password_file);
	return 0;
}

static int read_sentinels(struct redis_address *address, const struct store_settings *settings,
			  struct error *err)
{
	if (!settings->sentinels)
		return 0;
	address->wrong = "SENTINELS";
	if (address->path)
		return error_set(err, "SENTINELS has no meaning for a Unix socket");
	return read_hosts(&address->sentinels, &address->sentinel_count,
			  text_of(settings->sentinels), "26379", "SENTINELS", err);
}

static int read_prefix(struct redis_address *address, const struct store_settings *settings,
		       struct error *err)
{
	address->wrong = "PREFIX";
	address->prefix = str_copy(settings->prefix ? settings->prefix : "main");
	for (const char *at = address->prefix; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '{' || *at == '}')
			return error_set(err, "PREFIX: expected a name without braces and white "
					      "space");
	if (!*address->prefix || strlen(address->prefix) > 128)
		return error_set(err, "PREFIX: expected a name of at most 128 bytes");
	return 0;
}

static int read_tls(struct redis_address *address, const struct store_settings *settings,
		    struct error *err)
{
	const struct {
		const char *key, *value;
		char **place;
	} files[] = {
		{ "CA_FILE", settings->ca_file, &address->ca },
		{ "CERT_FILE", settings->cert_file, &address->cert },
		{ "KEY_FILE", settings->key_file, &address->key },
		{ "SERVER_NAME", settings->server_name, &address->server_name },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!files[i].value)
			continue;
		address->wrong = files[i].key;
		if (!address->tls)
			return error_set(err, "%s is for rediss://, which the URL is not",
					 files[i].key);
		*files[i].place = str_copy(files[i].value);
	}
	if (address->key && !address->cert) {
		address->wrong = "KEY_FILE";
		return error_set(err, "KEY_FILE needs a CERT_FILE");
	}
	return 0;
}

int redis_address_init(struct redis_address *out, const struct store_settings *settings,
		       struct error *err)
{
	*out = (struct redis_address){ .wrong = "URL" };
	if (read_url(out, settings, err) < 0 || read_database(out, settings, err) < 0 ||
	    read_password(out, settings, err) < 0 || read_sentinels(out, settings, err) < 0 ||
	    read_prefix(out, settings, err) < 0 || read_tls(out, settings, err) < 0)
		return -1;
	out->wrong = NULL;
	out->timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS;
	out->log = str_copy(settings->log ? settings->log : "/var/lib/cn_monitor");
	show(out);
	out->route = redis_route_new(out->hosts, out->host_count);
	return 0;
}

void redis_address_clear(struct redis_address *address)
{
	if (address->password)
		explicit_bzero(address->password, strlen(address->password));
	redis_route_free(address->route);
	clear_hosts(address->hosts, address->host_count);
	clear_hosts(address->sentinels, address->sentinel_count);
	free(address->path);
	free(address->master);
	free(address->user);
	free(address->password);
	free(address->password_file);
	free(address->database);
	free(address->prefix);
	free(address->log);
	free(address->ca);
	free(address->cert);
	free(address->key);
	free(address->server_name);
	free(address->shown);
	*address = (struct redis_address){ 0 };
}
