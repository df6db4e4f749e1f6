#include "app/identities.h"

#include <strings.h>

#include "base/clock.h"

#define KEPT_MS (10 * 60 * 1000)
#define NOBODY_KEPT_MS (60 * 1000) /* a name that nobody has yet may be given soon */
#define NAMES_MAX 1000

struct entry {
	char *name;
	struct known_identity who; /* texts of our own; empty: nobody */
	int64_t until_ms;          /* monotonic; 0: never asked */
};

struct identities {
	struct entry *entries;
	size_t count;
	const struct cluster *cluster;
	struct cluster_call *call;
	size_t asked; /* the entry that is asked for */
	int64_t denied_until_ms;
	void (*done)(void *ctx, const struct identity_reply *failure);
	void *ctx;
};

struct identities *identities_new(void)
{
	return NEW(struct identities);
}

static void forget_who(struct entry *entry)
{
	free((char *)entry->who.auth_id);
	free((char *)entry->who.uid);
	free((char *)entry->who.gid);
	free((char *)entry->who.sid);
	entry->who = (struct known_identity){ 0 };
}

static void clear_entries(struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		forget_who(&entries[i]);
		free(entries[i].name);
	}
	free(entries);
}

void identities_cancel(struct identities *identities)
{
	if (identities->call)
		identities->cluster->cancel(TAKE(identities->call));
}

void identities_free(struct identities *identities)
{
	if (!identities)
		return;
	identities_cancel(identities);
	clear_entries(identities->entries, identities->count);
	free(identities);
}

/* ---- Names ---- */

static struct entry *find(struct entry *entries, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static void add_name(void *ctx, const char *name)
{
	struct identities *identities = ctx;

	if (identities->count >= NAMES_MAX || find(identities->entries, identities->count, name))
		return;
	identities->entries =
		mem_grow(identities->entries, identities->count + 1, sizeof(*identities->entries));
	identities->entries[identities->count++] = (struct entry){ .name = str_copy(name) };
}

void identities_use(struct identities *identities, const struct rule_set *set)
{
	struct entry *old = identities->entries;
	size_t old_count = identities->count;

	/* Whoever waits for an answer asks again. */
	identities_cancel(identities);
	identities->entries = NULL;
	identities->count = 0;
	rule_set_visit_names(set, add_name, identities);
	for (size_t i = 0; i < identities->count; i++) {
		struct entry *same = find(old, old_count, identities->entries[i].name);

		if (!same)
			continue;
		identities->entries[i].who = same->who;
		identities->entries[i].until_ms = same->until_ms;
		same->who = (struct known_identity){ 0 };
	}
	clear_entries(old, old_count);
}

/* ---- Asking ---- */

static struct entry *first_unknown(const struct identities *identities)
{
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < identities->count; i++)
		if (identities->entries[i].until_ms <= now_ms)
			return &identities->entries[i];
	return NULL;
}

bool identities_are_known(const struct identities *identities)
{
	return !first_unknown(identities);
}

bool identities_should_ask(const struct identities *identities)
{
	return !identities_are_known(identities) &&
	       identities->denied_until_ms <= clock_monotonic_ms();
}

bool identities_is_asking(const struct identities *identities)
{
	return identities->call != NULL;
}

static void ask_next(struct identities *identities);

static void keep(struct entry *entry, const struct known_identity *who)
{
	forget_who(entry);
	entry->until_ms = clock_monotonic_ms() + (who ? KEPT_MS : NOBODY_KEPT_MS);
	if (!who)
		return;
	entry->who.auth_id = str_copy(who->auth_id);
	entry->who.uid = str_copy(who->uid);
	entry->who.gid = str_copy(who->gid);
	entry->who.sid = str_copy(who->sid);
}

static void asked(void *ctx, const struct identity_reply *reply)
{
	struct identities *identities = ctx;
	struct entry *entry = &identities->entries[identities->asked];

	identities->call = NULL;
	switch (reply->result) {
	case FILE_OK:
		keep(entry, reply->identity);
		break;
	case FILE_GONE:
	case FILE_REFUSED:
	case FILE_EXISTS:
		keep(entry, NULL);
		break;
	default:
		if (reply->result == FILE_DENIED)
			identities->denied_until_ms = clock_monotonic_ms() + NOBODY_KEPT_MS;
		identities->done(identities->ctx, reply);
		return;
	}
	ask_next(identities);
}

static void ask_next(struct identities *identities)
{
	struct entry *entry = first_unknown(identities);

	if (!entry) {
		identities->done(identities->ctx, NULL);
		return;
	}
	identities->asked = (size_t)(entry - identities->entries);
	identities->call = identities->cluster->identify(identities->cluster->self, entry->name,
							 asked, identities);
}

void identities_ask(struct identities *identities, const struct cluster *cluster,
		    void (*done)(void *ctx, const struct identity_reply *failure), void *ctx)
{
	identities->cluster = cluster;
	identities->done = done;
	identities->ctx = ctx;
	ask_next(identities);
}

/* ---- Answers ---- */

static bool is_same(const char *a, const char *b)
{
	return a && *a && b && strcmp(a, b) == 0;
}

const char **identities_match(const struct identities *identities, const struct file_info *info,
			      bool is_group)
{
	const char **names = mem_array(identities->count + 1, sizeof(*names));
	const char *auth_id = is_group ? info->group : info->owner;
	const char *type = is_group ? info->group_type : info->owner_type;
	const char *value = is_group ? info->group_value : info->owner_value;
	size_t count = 0;

	for (size_t i = 0; i < identities->count; i++) {
		const struct known_identity *who = &identities->entries[i].who;

		if (is_same(who->auth_id, auth_id) ||
		    (is_same(type, "NFS_UID") && is_same(who->uid, value)) ||
		    (is_same(type, "NFS_GID") && is_same(who->gid, value)) ||
		    (is_same(type, "SMB_SID") && is_same(who->sid, value)))
			names[count++] = identities->entries[i].name;
	}
	return names;
}
