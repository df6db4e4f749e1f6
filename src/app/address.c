#include "app/address.h"

#include <arpa/inet.h>
#include <strings.h>

#include "base/parse.h"

enum { PORT_API = 8000, PORT_WEB = 443 };

static int fail(struct text text, const char *wish, struct error *err)
{
	return error_set(err, "'%.*s': %s", TEXT_ARGS(text), wish);
}

static bool cut_start(struct text *text, const char *start)
{
	size_t size = strlen(start);

	if (text->size < size || strncasecmp(text->data, start, size) != 0)
		return false;
	text->data += size;
	text->size -= size;
	return true;
}

static bool is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(host, "localhost") == 0;
}

static bool is_ipv6(struct text host)
{
	AUTO(free) char *copy = text_copy(host);
	struct in6_addr six;

	return inet_pton(AF_INET6, copy, &six) == 1;
}

static bool is_host(struct text host)
{
	for (size_t i = 0; i < host.size; i++) {
		char c = host.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      strchr("-_.", c)))
			return false;
	}
	return host.size > 0 && host.size <= 253 && host.data[0] != '-' && host.data[0] != '.';
}

/* Splits "host:port" or "[v6]:port"; port is empty if there is none. */
static bool split_port(struct text rest, struct text *host, struct text *port)
{
	const char *end;

	*port = TEXT_NONE;
	if (rest.size && rest.data[0] == '[') {
		end = memchr(rest.data, ']', rest.size);
		if (!end)
			return false;
		*host = (struct text){ rest.data + 1, end - rest.data - 1 };
		rest.size -= end + 1 - rest.data;
		rest.data = end + 1;
		if (!is_ipv6(*host) || (rest.size && rest.data[0] != ':'))
			return false;
		*port = rest.size ? (struct text){ rest.data + 1, rest.size - 1 } : TEXT_NONE;
		return !rest.size || port->size;
	}
	if (is_ipv6(rest)) {
		*host = rest;
		return true;
	}

	bool has_port = rest.size && memchr(rest.data, ':', rest.size);

	*host = text_cut(&rest, ':');
	*port = rest;
	return is_host(*host) && (!has_port || port->size);
}

int address_parse(struct address *out, struct text text, struct error *err)
{
	struct text rest = text_trim(text), host, port;
	bool is_plain = false, has_scheme = true, has_prefix = false;
	int64_t number = PORT_API;

	if (cut_start(&rest, "http://"))
		is_plain = true;
	else if (!cut_start(&rest, "https://"))
		has_scheme = false;
	if (!has_scheme && rest.size && memmem(rest.data, rest.size, "://", 3))
		return fail(text, "expected https://, or the host alone", err);
	if (rest.size && memchr(rest.data, '@', rest.size))
		return error_set(err, "name and password do not belong into an address: use "
				      "USERNAME and PASSWORD_FILE");

	const char *slash = rest.size ? memchr(rest.data, '/', rest.size) : NULL;

	if (slash) {
		struct text path = { slash, rest.size - (slash - rest.data) };

		has_prefix = text_is(path, "/api") || text_is(path, "/api/");
		if (!has_prefix && path.size > 1)
			return fail(text, "nothing but /api may follow the host and port", err);
		rest.size -= path.size;
	}
	if (!split_port(rest, &host, &port))
		return fail(text,
			    "expected an address like cluster.example.com, 10.0.0.1:8000 or "
			    "[2001:db8::1]:8000",
			    err);
	if (port.size && parse_number(port, 1, 65535, &number, NULL) < 0)
		return fail(text, "expected a port from 1 to 65535", err);
	/* The web's port is where the web's prefix is, and the other way round. */
	if (!port.size && has_prefix && !is_plain)
		number = PORT_WEB;

	AUTO(free) char *name = text_copy(host);

	if (is_plain && !is_loopback(name))
		return fail(text,
			    "http:// would show the token to the network and is for loopback "
			    "addresses only; use https://",
			    err);
	*out = (struct address){
		.host = TAKE(name),
		.port = number,
		.is_plain = is_plain,
		.prefix = str_copy(has_prefix || number == PORT_WEB ? "/api" : ""),
	};
	return 0;
}

void address_clear(struct address *address)
{
	free(address->host);
	free(address->prefix);
	*address = (struct address){ 0 };
}
