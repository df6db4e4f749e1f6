#include "simulator/url.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(struct text encoded)
{
	char *decoded = mem_new(encoded.size + 1);
	size_t size = 0;

	for (size_t i = 0; i < encoded.size; i++) {
		if (encoded.data[i] != '%') {
			decoded[size++] = encoded.data[i];
			continue;
		}
		int high = i + 2 < encoded.size ? hex_digit(encoded.data[i + 1]) : -1;
		int low = i + 2 < encoded.size ? hex_digit(encoded.data[i + 2]) : -1;

		if (high < 0 || low < 0 || !(high * 16 + low)) {
			free(decoded);
			return NULL;
		}
		decoded[size++] = high * 16 + low;
		i += 2;
	}
	return decoded;
}

char *url_encode(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.~";
	static const char hex[] = "0123456789ABCDEF";
	char *encoded = mem_new(3 * strlen(text) + 1);
	size_t size = 0;

	for (const char *at = text; *at; at++) {
		if (strchr(plain, *at)) {
			encoded[size++] = *at;
			continue;
		}
		encoded[size++] = '%';
		encoded[size++] = hex[(unsigned char)*at >> 4];
		encoded[size++] = hex[(unsigned char)*at & 15];
	}
	return encoded;
}

static int parse_query(struct url *url, struct text query, struct error *err)
{
	while (query.size) {
		struct text value = text_cut(&query, '&');
		struct text name = text_cut(&value, '=');

		if (!name.size)
			continue;
		url->parameters = mem_grow(url->parameters, url->parameter_count + 1,
					   sizeof(*url->parameters));
		struct url_parameter *parameter = &url->parameters[url->parameter_count];
		parameter->name = url_decode(name);
		parameter->value = url_decode(value);
		if (!parameter->name || !parameter->value) {
			free(parameter->name);
			free(parameter->value);
			return error_set(err, "a bad escape in the query, at '%.*s'",
					 TEXT_ARGS(name));
		}
		url->parameter_count++;
	}
	return 0;
}

int url_parse(struct url *url, const char *raw, struct error *err)
{
	memset(url, 0, sizeof(*url));
	url->raw = str_copy(raw);
	struct text query = text_of(url->raw);

	url->path = text_cut(&query, '?');
	if (text_starts_with(url->path, TEXT("/api/"))) {
		url->path.data += 4;
		url->path.size -= 4;
	}
	if (!text_starts_with(url->path, TEXT("/")))
		return error_set(err, "expected a target that starts with a slash");
	const char *end = url->path.data + url->path.size;
	for (const char *at = url->path.data; at && url->parts < URL_PARTS_MAX;) {
		const char *start = at + 1;
		const char *slash = memchr(start, '/', end - start);

		url->part[url->parts++] = (struct text){ start, (slash ? slash : end) - start };
		at = slash;
	}
	return parse_query(url, query, err);
}

void url_clear(struct url *url)
{
	for (int i = 0; i < url->parameter_count; i++) {
		free(url->parameters[i].name);
		free(url->parameters[i].value);
	}
	free(url->parameters);
	free(url->raw);
	memset(url, 0, sizeof(*url));
}

const char *url_parameter(const struct url *url, const char *name)
{
	for (int i = 0; i < url->parameter_count; i++) {
		if (strcmp(url->parameters[i].name, name) == 0)
			return url->parameters[i].value;
	}
	return NULL;
}
