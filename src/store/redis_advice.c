#include "store/redis_advice.h"

#include "base/parse.h"

#define LOOK_MS 2000 /* the call that connected waits for it */

/* What the server says of itself; "": it does not say. */
struct facts {
	char appendonly[16], appendfsync[16], policy[32], maxmemory[24], replicas[24];
};

static void keep(char *out, size_t room, struct text value)
{
	size_t size = MIN(value.size, room - 1);

	if (size)
		memcpy(out, value.data, size);
	out[size] = 0;
}

/* 1; 0: the server does not let us; -1: it is gone. */
static int ask(struct redis_connection *connection, const char *command, const char *what,
	       const char *which, int64_t until_ms, redisReply **out)
{
	struct text words[] = { text_of(command), text_of(what), text_of(which) };
	redisReply *reply;

	if (redis_call(connection, which ? 3 : 2, words, until_ms, &reply, NULL) != REDIS_ANSWERED)
		return -1;
	if (reply->type == REDIS_REPLY_ERROR) {
		freeReplyObject(reply);
		return 0;
	}
	*out = reply;
	return 1;
}

static int ask_config(struct redis_connection *connection, struct facts *facts, int64_t until_ms)
{
	const struct {
		const char *name;
		char *place;
		size_t room;
	} wanted[] = {
		{ "appendonly", facts->appendonly, sizeof(facts->appendonly) },
		{ "appendfsync", facts->appendfsync, sizeof(facts->appendfsync) },
		{ "maxmemory", facts->maxmemory, sizeof(facts->maxmemory) },
		{ "maxmemory-policy", facts->policy, sizeof(facts->policy) },
		{ "min-replicas-to-write", facts->replicas, sizeof(facts->replicas) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		AUTO(freeReplyObject) redisReply *reply = NULL;
		int rc = ask(connection, "CONFIG", "GET", wanted[i].name, until_ms, &reply);

		if (rc <= 0)
			return rc;
		if (reply->elements == 2 && reply->element[1]->type == REDIS_REPLY_STRING)
			keep(wanted[i].place, wanted[i].room,
			     (struct text){ reply->element[1]->str, reply->element[1]->len });
	}
	return 1;
}

static struct text line_of(struct text info, const char *name)
{
	while (info.size) {
		struct text value = text_trim(text_cut(&info, '\n'));
		struct text key = text_cut(&value, ':');

		if (text_is(key, name))
			return value;
	}
	return TEXT("");
}

/* A hosted Redis lets nobody see its CONFIG. */
static int ask_info(struct redis_connection *connection, struct facts *facts, int64_t until_ms)
{
	AUTO(freeReplyObject) redisReply *memory = NULL;
	AUTO(freeReplyObject) redisReply *persistence = NULL;
	int rc = ask(connection, "INFO", "memory", NULL, until_ms, &memory);
	struct text info;

	if (rc > 0)
		rc = ask(connection, "INFO", "persistence", NULL, until_ms, &persistence);
	if (rc <= 0)
		return rc;
	if (memory->type != REDIS_REPLY_STRING || persistence->type != REDIS_REPLY_STRING)
		return 0;
	info = (struct text){ memory->str, memory->len };
	keep(facts->maxmemory, sizeof(facts->maxmemory), line_of(info, "maxmemory"));
	keep(facts->policy, sizeof(facts->policy), line_of(info, "maxmemory_policy"));
	info = (struct text){ persistence->str, persistence->len };
	if (text_is(line_of(info, "aof_enabled"), "0"))
		keep(facts->appendonly, sizeof(facts->appendonly), TEXT("no"));
	return 1;
}

static void add(struct redis_advice *advice, char *sentence)
{
	advice->sentences[advice->count++] = sentence;
}

static void judge(struct redis_advice *advice, const struct facts *facts, bool has_sentinels,
		  int64_t max_bytes)
{
	int64_t maxmemory = 0;

	if (strcmp(facts->appendonly, "no") == 0)
		add(advice, str_copy("the Redis server forgets jobs and progress when it is "
				     "restarted: set its appendonly to yes"));
	else if (strcmp(facts->appendfsync, "no") == 0)
		add(advice, str_copy("the Redis server may forget many seconds of jobs and "
				     "progress in a crash: set its appendfsync to always, or to "
				     "everysec"));
	if (parse_number(text_of(facts->maxmemory), 0, INT64_MAX, &maxmemory, NULL) < 0)
		maxmemory = 0;
	if (maxmemory && *facts->policy && strcmp(facts->policy, "noeviction") != 0)
		add(advice, str_format("the Redis server throws keys away when its memory is full, "
				       "and jobs with them: set its maxmemory-policy to noeviction "
				       "instead of %s",
				       facts->policy));
	if (maxmemory && maxmemory < max_bytes)
		add(advice, str_format("the Redis server is full (maxmemory) before [STORE] "
				       "MAX_SIZE is reached: set its maxmemory above %lld bytes, "
				       "or MAX_SIZE below %lld",
				       (long long)max_bytes, (long long)maxmemory / 2));
	if (has_sentinels && strcmp(facts->replicas, "0") == 0)
		add(advice, str_copy("a master that is cut off from its replicas goes on, and what "
				     "it is told meanwhile is lost: set its min-replicas-to-write "
				     "to 1"));
}

static void forget(struct redis_advice *advice)
{
	for (size_t i = 0; i < advice->count; i++)
		free(advice->sentences[i]);
	advice->count = 0;
}

void redis_advice_look(struct redis_advice *advice, const struct redis_address *address,
		       struct redis_connection *connection, int64_t max_bytes)
{
	struct facts facts = { 0 };
	int64_t until_ms = redis_now_ms() + LOOK_MS;
	int rc;

	if (advice->serial == redis_connection_serial(connection))
		return;
	rc = ask_config(connection, &facts, until_ms);
	if (rc == 0)
		rc = ask_info(connection, &facts, until_ms);
	if (rc < 0)
		return; /* after the next connecting */
	advice->serial = redis_connection_serial(connection);
	pthread_mutex_lock(&advice->lock);
	forget(advice);
	if (rc > 0)
		judge(advice, &facts, address->master != NULL, max_bytes);
	else
		add(advice, str_copy("the Redis server does not let us see how it is set: allow "
				     "the user CONFIG GET or INFO, or see to it that appendonly "
				     "is yes and maxmemory-policy is noeviction"));
	pthread_mutex_unlock(&advice->lock);
}

void redis_advice_visit(struct redis_advice *advice, void (*visit)(void *ctx, const char *sentence),
			void *ctx)
{
	char *copies[REDIS_ADVICE_MAX];
	size_t count;

	pthread_mutex_lock(&advice->lock);
	count = advice->count;
	for (size_t i = 0; i < count; i++)
		copies[i] = str_copy(advice->sentences[i]);
	pthread_mutex_unlock(&advice->lock);
	for (size_t i = 0; i < count; i++) {
		visit(ctx, copies[i]);
		free(copies[i]);
	}
}

void redis_advice_init(struct redis_advice *advice)
{
	*advice = (struct redis_advice){ 0 };
	pthread_mutex_init(&advice->lock, NULL);
}

void redis_advice_clear(struct redis_advice *advice)
{
	forget(advice);
	pthread_mutex_destroy(&advice->lock);
}
