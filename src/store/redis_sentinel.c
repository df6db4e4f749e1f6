#include "store/redis_sentinel.h"

#include "base/parse.h"

/* Sentinels have users of their own: ours may be unknown, and the password the same. */
static int log_in(struct redis_wire *wire, struct error *err)
{
	const struct redis_address *address = wire->address;
	struct text user[] = { TEXT("AUTH"), text_of(address->user), text_of(address->password) };
	struct text alone[] = { TEXT("AUTH"), text_of(address->password) };
	redisReply *reply;

	if (address->user && redis_wire_demand(wire, 3, user, &reply, NULL) == 0) {
		freeReplyObject(reply);
		return 0;
	}
	if (redis_wire_demand(wire, 2, alone, &reply, err) < 0)
		return -1;
	freeReplyObject(reply);
	return 0;
}

static int demand_master(struct redis_wire *wire, redisReply **out, struct error *err)
{
	struct text words[] = { TEXT("SENTINEL"), TEXT("MASTER"), text_of(wire->address->master) };
	AUTO(freeReplyObject) redisReply *reply = NULL;

	if (redis_wire_ask(wire, 3, words, &reply, err) < 0)
		return -1;
	if (reply->type != REDIS_REPLY_ERROR) {
		*out = TAKE(reply);
		return 0;
	}
	/* The password goes only to those that ask for one. */
	if (!redis_is_error(reply, "NOAUTH") || !wire->address->password)
		return error_set(err, "%s: %s", wire->place, reply->str);
	return log_in(wire, err) < 0 ? -1 : redis_wire_demand(wire, 3, words, out, err);
}

/* Of a list of names and values. */
static struct text value_of(const redisReply *reply, const char *name)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *key = reply->element[i], *value = reply->element[i + 1];

		if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
		    text_is((struct text){ key->str, key->len }, name))
			return (struct text){ value->str, value->len };
	}
	return TEXT("");
}

static void forget(struct redis_masters *masters, size_t at)
{
	redis_host_clear(&masters->items[at].host);
	memmove(masters->items + at, masters->items + at + 1,
		(--masters->count - at) * sizeof(*masters->items));
}

/* Takes host over. */
static void add(struct redis_masters *masters, struct redis_host *host, int64_t epoch)
{
	size_t at = 0;

	for (size_t i = 0; i < masters->count; i++)
		if (strcmp(masters->items[i].host.name, host->name) == 0 &&
		    strcmp(masters->items[i].host.port, host->port) == 0) {
			epoch = MAX(masters->items[i].epoch, epoch);
			forget(masters, i);
			break;
		}
	masters->items = mem_grow(masters->items, masters->count + 1, sizeof(*masters->items));
	while (at < masters->count && masters->items[at].epoch >= epoch)
		at++;
	memmove(masters->items + at + 1, masters->items + at,
		(masters->count++ - at) * sizeof(*masters->items));
	masters->items[at].host = *host;
	masters->items[at].epoch = epoch;
}

static int ask_one(struct redis_masters *masters, struct redis_wire *wire,
		   const struct redis_host *sentinel, struct error *err)
{
	AUTO(freeReplyObject) redisReply *reply = NULL;
	struct redis_host host;
	AUTO(free) char *place = NULL;
	struct text name, port;
	int64_t epoch;

	if (redis_wire_open(wire, sentinel, err) < 0 || demand_master(wire, &reply, err) < 0)
		return -1;
	name = value_of(reply, "ip");
	port = value_of(reply, "port");
	place = strchr(name.data, ':') ? str_format("[%.*s]:%.*s", TEXT_ARGS(name), TEXT_ARGS(port))
				       : str_format("%.*s:%.*s", TEXT_ARGS(name), TEXT_ARGS(port));
	if (redis_host_init(&host, text_of(place), "6379", "the master", err) < 0) {
		redis_host_clear(&host);
		return error_prefix(err, "%s", wire->place);
	}
	if (parse_number(value_of(reply, "config-epoch"), 0, INT64_MAX, &epoch, NULL) < 0)
		epoch = 0;
	add(masters, &host, epoch);
	return 0;
}

int redis_masters_find(struct redis_masters *out, struct redis_wire *wire, struct error *err)
{
	const struct redis_address *address = wire->address;
	int64_t until_ms = wire->until_ms;
	int64_t rest_ms = MAX(until_ms - redis_now_ms(), 0);
	size_t answers = 0;
	AUTO_ERROR own = { 0 };

	*out = (struct redis_masters){ 0 };
	for (size_t i = 0; i < address->sentinel_count && answers <= address->sentinel_count / 2;
	     i++) {
		/* One that swallows everything leaves time for the others. */
		wire->until_ms = MIN(until_ms, redis_now_ms() + rest_ms / address->sentinel_count);
		error_clear(&own);
		if (ask_one(out, wire, &address->sentinels[i], &own) == 0)
			answers++;
		redis_wire_close(wire);
	}
	wire->until_ms = until_ms;
	if (answers)
		return 0;
	return error_set(err, "no sentinel knows the master '%s': %s", address->master,
			 error_text(&own));
}

void redis_masters_clear(struct redis_masters *masters)
{
	for (size_t i = 0; i < masters->count; i++)
		redis_host_clear(&masters->items[i].host);
	free(masters->items);
	*masters = (struct redis_masters){ 0 };
}
