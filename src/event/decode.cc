/*
 * The only file in C++: simdjson's on-demand parser behind decode.h. simdjson finds the structure;
 * strings are unescaped by json_text, which shows what cannot be a character as U+FFFD where
 * simdjson would refuse the whole message.
 */
#include <simdjson.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <sys/param.h>

extern "C" {
#include "event/decode.h"
#include "event/json_text.h"
}

namespace ondemand = simdjson::ondemand;

/* What a message larger than this needed is given back after it. */
static const size_t KEPT_MEMORY = 4 * 1024 * 1024;

struct decoder {
	ondemand::parser parser;
	char *message; /* a copy: simdjson wants room behind the text */
	size_t message_room;
	char *texts; /* of the event under way: what is not borrowed from the copy */
	size_t texts_room;
	size_t texts_used;
};

/* One element of the array while its members are collected: raw, as they stand between quotes. */
struct raw_event {
	struct text type;
	struct text path;
	struct text stream;
	struct text id;
	struct text parent;
	struct text error_class;
	struct text description;
};

enum member {
	MEMBER_TYPE,
	MEMBER_PATH,
	MEMBER_SPINE,
	MEMBER_STREAM,
	MEMBER_ERROR_CLASS,
	MEMBER_DESCRIPTION,
	MEMBER_OTHER
};

/* What the whole message has in common. */
struct decoding {
	struct decoder *decoder;
	struct text watch_path;
	decode_visit *visit;
	void *ctx;
	size_t visited;
	uint32_t index;
	bool is_stopped;
	size_t damaged; /* elements that could not be visited; err names the first */
	struct error *err;
};

static char *grown(char *old, size_t *room, size_t size)
{
	if (size <= *room)
		return old;
	*room = MAX(size, *room * 2);
	return static_cast<char *>(mem_grow(old, *room, 1));
}

extern "C" struct decoder *decoder_new(void)
{
	return new struct decoder();
}

extern "C" void decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return;
	free(decoder->message);
	free(decoder->texts);
	delete decoder;
}

static void give_memory_back(struct decoder *decoder)
{
	if (decoder->message_room > KEPT_MEMORY) {
		free(decoder->message);
		decoder->message = nullptr;
		decoder->message_room = 0;
		decoder->parser = ondemand::parser();
	}
	if (decoder->texts_room > KEPT_MEMORY) {
		free(decoder->texts);
		decoder->texts = nullptr;
		decoder->texts_room = 0;
	}
}

/* ---- Tokens ---- */

/* A scalar as it stands, white space cut off; what is between the quotes if it is a string. */
static struct text token_text(std::string_view token, bool *is_string)
{
	struct text text = text_trim({ token.data(), token.size() });

	*is_string = text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"';
	if (*is_string) {
		text.data++;
		text.size -= 2;
	}
	return text;
}

static struct text string_text(ondemand::value &value)
{
	bool is_string;
	struct text text = token_text(value.raw_json_token(), &is_string);

	return is_string ? text : TEXT_NONE;
}

/* An id may be a string or, from another release, a number: its digits either way. simdjson looks
 * at numbers only when asked for their value, which may not fit any type. */
static struct text id_text(ondemand::value &value)
{
	bool is_string;
	struct text text = token_text(value.raw_json_token(), &is_string);

	for (size_t i = 0; i < text.size && !is_string; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return TEXT_NONE;
	return text;
}

static simdjson::error_code read_spine(ondemand::value &value, struct raw_event *raw)
{
	ondemand::array spine;

	if (value.get_array().get(spine))
		return simdjson::SUCCESS; /* null or something new: the event has no ids */
	for (auto element : spine) {
		ondemand::value id;

		if (auto error = element.get(id))
			return error;
		raw->parent = raw->id;
		raw->id = id_text(id);
	}
	return simdjson::SUCCESS;
}

static bool is_key(const char *raw, const char *name, size_t size)
{
	/* Behind the text is room, so that reading past its end is harmless. */
	return memcmp(raw, name, size) == 0 && raw[size] == '"';
}
#define IS_KEY(raw, literal) is_key(raw, literal, sizeof(literal) - 1)

static enum member known_key(const char *raw)
{
	switch (raw[0]) {
	case 't':
		return IS_KEY(raw, "type") ? MEMBER_TYPE : MEMBER_OTHER;
	case 's':
		return IS_KEY(raw, "spine")         ? MEMBER_SPINE
		       : IS_KEY(raw, "stream_name") ? MEMBER_STREAM
						    : MEMBER_OTHER;
	case 'p':
		return IS_KEY(raw, "path") ? MEMBER_PATH : MEMBER_OTHER;
	case 'e':
		return IS_KEY(raw, "error_class") ? MEMBER_ERROR_CLASS : MEMBER_OTHER;
	case 'd':
		return IS_KEY(raw, "description") ? MEMBER_DESCRIPTION : MEMBER_OTHER;
	default:
		return MEMBER_OTHER;
	}
}

/* Keys with escapes are legal JSON; nobody writes them, so that is the slow way. */
static enum member member_of(const char *raw)
{
	char plain[80]; /* ours are shorter even with every letter escaped */
	const char *end = raw;
	enum member member = known_key(raw);
	bool has_escape = false;
	size_t size;

	if (member != MEMBER_OTHER)
		return member;
	for (; *end != '"'; end++) {
		if (*end == '\\') {
			has_escape = true;
			end++;
		}
	}
	size = end - raw;
	if (!has_escape || size >= sizeof(plain) ||
	    json_text_unescape({ raw, size }, plain, &size) != JSON_TEXT_OK)
		return MEMBER_OTHER;
	memset(plain + size, '"', sizeof(plain) - size);
	return known_key(plain);
}

static simdjson::error_code read_member(enum member member, ondemand::value &value,
					struct raw_event *raw)
{
	switch (member) {
	case MEMBER_TYPE:
		raw->type = string_text(value);
		break;
	case MEMBER_PATH:
		raw->path = string_text(value);
		break;
	case MEMBER_SPINE:
		return read_spine(value, raw);
	case MEMBER_STREAM:
		raw->stream = string_text(value);
		break;
	case MEMBER_ERROR_CLASS:
		raw->error_class = string_text(value);
		break;
	case MEMBER_DESCRIPTION:
		raw->description = string_text(value);
		break;
	case MEMBER_OTHER:
		break;
	}
	return simdjson::SUCCESS;
}

static simdjson::error_code read_object(ondemand::object &object, struct raw_event *raw)
{
	for (auto field : object) {
		ondemand::raw_json_string key;
		ondemand::value value;

		if (auto error = field.key().get(key))
			return error;
		if (auto error = field.value().get(value))
			return error;
		if (auto error = read_member(member_of(key.raw()), value, raw))
			return error;
	}
	return simdjson::SUCCESS;
}

/* ---- Events ---- */

static void damage(struct decoding *decoding, const char *what)
{
	if (decoding->damaged++ == 0)
		error_set(decoding->err, "event %u of the message: %s", decoding->index, what);
}

/* Where size bytes may be written; never moves within one event because room was made before. */
static char *texts_at(struct decoder *decoder)
{
	return decoder->texts + decoder->texts_used;
}

/* The text itself, unescaped if need be. */
static enum json_text_result plain_text(struct decoder *decoder, struct text *text)
{
	char *out = texts_at(decoder);
	size_t size;

	if (!text->size || !memchr(text->data, '\\', text->size))
		return JSON_TEXT_OK;

	enum json_text_result result = json_text_unescape(*text, out, &size);

	if (result != JSON_TEXT_OK)
		return result;
	*text = { out, size };
	decoder->texts_used += size;
	return JSON_TEXT_OK;
}

/* start + "/" + relative; doubled slashes collapse. */
static struct text join(struct decoder *decoder, struct text start, struct text relative)
{
	char *out = texts_at(decoder), *to = out;
	const char *at = relative.size ? relative.data : "", *end = at + relative.size;

	while (start.size && start.data[start.size - 1] == '/')
		start.size--;
	if (start.size)
		memcpy(to, start.data, start.size);
	to += start.size;
	while (at < end) {
		const char *slash = static_cast<const char *>(memchr(at, '/', end - at));
		size_t size = (slash ? slash : end) - at;

		if (size) {
			*to++ = '/';
			memcpy(to, at, size);
			to += size;
		}
		at += size + 1;
	}
	if (to == out)
		*to++ = '/';
	decoder->texts_used += to - out;
	return { out, static_cast<size_t>(to - out) };
}

static void make_room(struct decoding *decoding, const struct raw_event *raw)
{
	struct decoder *decoder = decoding->decoder;
	/* The path twice: unescaped, then joined. */
	size_t size = raw->type.size + 2 * raw->path.size + raw->stream.size + raw->id.size +
		      raw->parent.size + decoding->watch_path.size + 2;

	decoder->texts_used = 0;
	decoder->texts = grown(decoder->texts, &decoder->texts_room, size);
}

static bool unescape_all(struct decoding *decoding, struct raw_event *raw)
{
	struct text *texts[] = { &raw->type, &raw->path, &raw->stream, &raw->id, &raw->parent };

	for (struct text *text : texts) {
		switch (plain_text(decoding->decoder, text)) {
		case JSON_TEXT_OK:
			break;
		case JSON_TEXT_NUL:
			damage(decoding, "a name with a NUL byte, which no file can have");
			return false;
		case JSON_TEXT_WRONG:
			damage(decoding, "a string with an escape that is none");
			return false;
		}
	}
	return true;
}

static void visit_event(struct decoding *decoding, struct raw_event *raw)
{
	struct event event = {};

	make_room(decoding, raw);
	if (!unescape_all(decoding, raw))
		return;
	event.type_name = raw->type;
	event.type = event_type_parse(raw->type);
	event.kinds = EVENT_KIND(event.type);
	event.path = join(decoding->decoder, decoding->watch_path, raw->path);
	event.path_is_lossy = json_text_is_lossy(raw->path);
	event.file_id = raw->id;
	event.parent_id = raw->parent;
	event.stream = raw->stream;
	event.index = decoding->index;
	decoding->visited++;
	decoding->is_stopped = !decoding->visit(decoding->ctx, &event);
}

static int cluster_error(const struct raw_event *raw, struct error *err)
{
	return error_set(err, "the cluster reported %.*s%s%.*s",
			 (int)MIN(raw->error_class.size, (size_t)200), raw->error_class.data,
			 raw->description.size ? ": " : "",
			 (int)MIN(raw->description.size, (size_t)200),
			 raw->description.data ? raw->description.data : "");
}

/* Damage of structure ends the message; an element that is no event is passed over. */
static simdjson::error_code decode_element(struct decoding *decoding, ondemand::value &element)
{
	struct raw_event raw = {};
	ondemand::object object;

	if (element.get_object().get(object)) {
		damage(decoding, "not an object");
		return simdjson::SUCCESS;
	}
	if (auto error = read_object(object, &raw))
		return error;
	if (raw.error_class.size && !raw.type.size) {
		if (decoding->damaged++ == 0)
			cluster_error(&raw, decoding->err);
		return simdjson::SUCCESS;
	}
	visit_event(decoding, &raw);
	return simdjson::SUCCESS;
}

static simdjson::error_code decode_array(struct decoding *decoding, ondemand::document &document)
{
	ondemand::array array;

	if (auto error = document.get_array().get(array))
		return error;
	for (auto element : array) {
		ondemand::value value;

		if (auto error = element.get(value))
			return error;
		if (auto error = decode_element(decoding, value))
			return error;
		if (decoding->is_stopped)
			return simdjson::SUCCESS;
		decoding->index++;
	}
	/* Nothing may follow: then there is no place to be at. */
	return document.current_location().error() == simdjson::OUT_OF_BOUNDS
		       ? simdjson::SUCCESS
		       : simdjson::TRAILING_CONTENT;
}

/* A message that is an object: how the cluster says that something is wrong. */
static int decode_object(ondemand::document &document, struct error *err)
{
	struct raw_event raw = {};
	ondemand::object object;

	if (document.get_object().get(object) || read_object(object, &raw) || !raw.error_class.size)
		return error_set(err, "the message is an object, expected an array of events");
	return cluster_error(&raw, err);
}

static int decode_document(struct decoding *decoding, ondemand::document &document)
{
	ondemand::json_type type;
	simdjson::error_code error = document.type().get(type);

	if (!error && type == ondemand::json_type::object)
		return decode_object(document, decoding->err);
	if (!error)
		error = decode_array(decoding, document);
	if (error && decoding->damaged == 0)
		return error_set(decoding->err, "not an array of events: %s (after %zu events)",
				 simdjson::error_message(error), decoding->visited);
	return error || decoding->damaged ? -1 : 0;
}

/* ---- The message ---- */

static void copy_message(struct decoder *decoder, struct text *message, bool repair)
{
	size_t size = repair ? json_text_repair(*message, nullptr) : message->size;

	decoder->message =
		grown(decoder->message, &decoder->message_room, size + simdjson::SIMDJSON_PADDING);
	if (repair)
		json_text_repair(*message, decoder->message);
	else if (size)
		memcpy(decoder->message, message->data, size);
	memset(decoder->message + size, 0, simdjson::SIMDJSON_PADDING);
	*message = { decoder->message, size };
}

static simdjson::error_code find_structure(struct decoder *decoder, struct text message,
					   bool repair, ondemand::document *out)
{
	copy_message(decoder, &message, repair);
	return decoder->parser.iterate(message.data, message.size, decoder->message_room).get(*out);
}

extern "C" int decode_message(struct decoder *decoder, struct text message, struct text watch_path,
			      decode_visit *visit, void *ctx, size_t *out_count, struct error *err)
{
	struct decoding decoding = {};
	ondemand::document document;

	decoding.decoder = decoder;
	decoding.watch_path = watch_path;
	decoding.visit = visit;
	decoding.ctx = ctx;
	decoding.err = err;
	if (text_starts_with(message, TEXT("\xef\xbb\xbf"))) {
		message.data += 3;
		message.size -= 3;
	}

	simdjson::error_code error = find_structure(decoder, message, false, &document);

	if (error == simdjson::UTF8_ERROR)
		error = find_structure(decoder, message, true, &document);

	int result = error ? error_set(err, "not JSON: %s", simdjson::error_message(error))
			   : decode_document(&decoding, document);

	*out_count = decoding.visited;
	give_memory_back(decoder);
	return result;
}
