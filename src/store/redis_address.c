#include "store/redis_address.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/parse.h"

#define SECRET_MAX 4096

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

static int set(char **place, struct text text, const char *what, struct error *err)
{
	char *value = decoded(text);

	if (!value)
		return error_set(err, "store URL: %s: expected %%XX after a %%", what);
	free(*place);
	*place = value;
	return 0;
}

static int read_secret(char **out, const char *path, struct error *err)
{
	char bytes[SECRET_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return error_errno(err, "store URL: cannot open the password_file %s", path);
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (size < 0)
		return error_errno(err, "store URL: cannot read the password_file %s", path);
	free(*out);
	*out = text_copy(text_trim((struct text){ bytes, (size_t)size }));
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int read_option(struct redis_address *address, struct text name, struct text value,
		       struct error *err)
{
	const struct {
		const char *name;
		char **place;
	} texts[] = {
		{ "user", &address->user },
		{ "prefix", &address->prefix },
		{ "log", &address->log },
		{ "ca", &address->ca },
		{ "cert", &address->cert },
		{ "key", &address->key },
		{ "server_name", &address->server_name },
	};
	static const char *const names[] = { "user",          "prefix",  "log", "ca", "cert", "key",
					     "server_name",   "timeout", "db", /* of a socket */
					     "password_file", NULL };
	const char *nearest;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (text_is(name, texts[i].name))
			return set(texts[i].place, value, texts[i].name, err);
	if (text_is(name, "db"))
		return set(&address->database, value, "db", err);
	if (text_is(name, "timeout")) {
		if (parse_duration(value, &address->timeout_ms, err) < 0)
			return error_prefix(err, "store URL: timeout");
		return 0;
	}
	if (text_is(name, "password_file")) {
		AUTO(free) char *path = NULL;

		if (set(&path, value, "password_file", err) < 0)
			return -1;
		return read_secret(&address->password, path, err);
	}
	nearest = parse_nearest(name, names);
	return error_set(err, "store URL: unknown option '%.*s'%s%s%s", TEXT_ARGS(name),
			 nearest ? "; did you mean '" : "", nearest ? nearest : "",
			 nearest ? "'?" : "");
}

static int read_options(struct redis_address *address, struct text options, struct error *err)
{
	while (options.size) {
		struct text value = text_cut(&options, '&');
		struct text name = text_cut(&value, '=');

		if (read_option(address, name, value, err) < 0)
			return -1;
	}
	return 0;
}

static int read_user(struct redis_address *address, struct text who, struct error *err)
{
	struct text user = text_cut(&who, ':');

	if (user.size && set(&address->user, user, "user", err) < 0)
		return -1;
	return set(&address->password, who, "password", err);
}

static int read_host(struct redis_address *address, struct text host, struct error *err)
{
	struct text name, port = host;
	int64_t number;

	if (host.size && host.data[0] == '[') {
		name = text_cut(&port, ']');
		name = (struct text){ name.data + 1, name.size - 1 };
		text_cut(&port, ':');
	} else {
		name = text_cut(&port, ':');
	}
	if (!name.size)
		return error_set(err, "store URL: expected a host, like redis://localhost:6379/0");
	if (port.size && parse_number(port, 1, 65535, &number, err) < 0)
		return error_prefix(err, "store URL: port");
	if (set(&address->host, name, "host", err) < 0)
		return -1;
	address->port = port.size ? text_copy(port) : str_copy("6379");
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

static int read_server(struct redis_address *address, struct text place, struct error *err)
{
	struct text host, user;
	int64_t number;

	if (!text_starts_with(place, TEXT("//")))
		return error_set(err, "store URL: expected redis://host:6379/0");
	place = (struct text){ place.data + 2, place.size - 2 };
	user = cut_user(&place);
	if (user.data && read_user(address, user, err) < 0)
		return -1;
	host = text_cut(&place, '/');
	if (read_host(address, host, err) < 0)
		return -1;
	if (place.size && parse_number(place, 0, 1000000, &number, err) < 0)
		return error_prefix(err, "store URL: database");
	if (place.size)
		address->database = text_copy(place);
	return 0;
}

int redis_address_init(struct redis_address *out, const char *url, struct error *err)
{
	struct text options = text_of(url), place = text_cut(&options, '?');
	struct text scheme = text_cut(&place, ':');

	*out = (struct redis_address){ .timeout_ms = 5000, .prefix = str_copy("main") };
	if (text_is(scheme, "unix")) {
		if (set(&out->path, place, "path", err) < 0)
			return -1;
		out->shown = str_format("unix:%s", out->path);
	} else {
		out->tls = text_is(scheme, "rediss");
		if (read_server(out, place, err) < 0)
			return -1;
		out->shown = str_format("%.*s://%s:%s", TEXT_ARGS(scheme), out->host, out->port);
	}
	if (read_options(out, options, err) < 0)
		return -1;
	if (!out->log || out->log[0] != '/')
		return error_set(err, "store URL: expected log=/DIRECTORY, where the log of "
				      "messages is kept on this machine");
	if (!*out->prefix || strpbrk(out->prefix, "{}"))
		return error_set(err, "store URL: prefix '%s': expected a name without braces",
				 out->prefix);
	if (!out->tls && (out->ca || out->cert || out->key || out->server_name))
		return error_set(err, "store URL: ca, cert, key and server_name are for rediss://");
	return 0;
}

void redis_address_clear(struct redis_address *address)
{
	if (address->password)
		explicit_bzero(address->password, strlen(address->password));
	free(address->host);
	free(address->port);
	free(address->path);
	free(address->user);
	free(address->password);
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
