#include "app/settings_check.h"
#include "app/also_caused.h"

#include <errno.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/address.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/secret.h"

#define RUN_DIRECTORY "/run/cn_monitor"

/* The place of a key, or of its section where the key is not given. */
struct place settings_place(const struct settings_instance *instance, const char *key)
{
	const struct settings_origin *origin = settings_origin(instance, key);

	return origin->is_set ? origin->place : instance->place;
}

bool settings_is_set(const struct settings_instance *instance, const char *key)
{
	return settings_origin(instance, key)->is_set;
}

/* What the file names is relative to the file; what the environment names, to where we are. */
void settings_make_absolute(struct settings_source *source,
			    const struct settings_instance *instance, const char *key, char **path)
{
	AUTO(free) char *here = NULL;
	char *whole;

	if (!*path || (*path)[0] == '/')
		return;
	here = settings_origin(instance, key)->is_from_environment ? getcwd(NULL, 0)
								   : str_copy(source->folder);
	whole = path_join(text_of(here ? here : "/"), text_of(*path));
	free(*path);
	*path = whole;
}

static void make_paths_absolute(struct settings_source *source,
				const struct settings_instance *instance)
{
	for (const struct config_key *key = settings_sections[instance->type].keys; key->name;
	     key++)
		if (key->type == KEY_PATH)
			settings_make_absolute(source, instance, key->name,
					       (char **)((char *)instance->config + key->offset));
}

static void check_secret_file(struct settings_source *source,
			      const struct settings_instance *instance, const char *key,
			      const char *path)
{
	AUTO(free) char *secret = NULL;
	AUTO_ERROR err = { 0 };

	if (path && secret_read(&secret, path, &err) < 0)
		problems_error(source->problems, settings_place(instance, key), "%s: %s", key,
			       error_text(&err));
}

void settings_check_readable(struct settings_source *source,
			     const struct settings_instance *instance, const char *key,
			     const char *path)
{
	if (path && access(path, R_OK) < 0)
		problems_error(source->problems, settings_place(instance, key),
			       "%s: %s cannot be read: %s", key, path, strerror(errno));
}

void settings_check_mode(struct settings_source *source, const struct settings_instance *instance,
			 const char *key, const char *what, const char *better)
{
	const struct settings_origin *origin = settings_origin(instance, key);

	/* What secret_read asks of a secret's own file. */
	if (origin->is_set && !origin->is_from_environment && (source->mode & 026))
		problems_error(source->problems, origin->place,
			       "%s is in a file that others can %s (mode %04o): chmod 600 %s, or "
			       "move it to a %s of its own",
			       what, source->mode & 04 ? "read" : "change", source->mode,
			       source->settings->file, better);
}

static void check_modes(struct settings_source *source, const struct settings_instance *instance)
{
	for (const struct config_key *key = settings_sections[instance->type].keys; key->name;
	     key++) {
		AUTO(free) char *better = str_format("%s_FILE", key->name);

		if (key->type == KEY_SECRET)
			settings_check_mode(source, instance, key->name, key->name, better);
	}
}

/* The three ways to log in, by the keys that stand for them. */
static const char *const ways[] = { "TOKEN", "TOKEN_FILE", "USERNAME" };

/* A credential from the environment replaces another way to log in that the file names. */
static void prefer_environment(const struct settings_instance *instance,
			       struct cluster_settings *cluster)
{
	char **values[] = { &cluster->token, &cluster->token_file, &cluster->username };
	bool is_any = false;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		is_any |= settings_origin(instance, ways[i])->is_from_environment;
	for (size_t i = 0; is_any && i < ARRAY_SIZE(ways); i++) {
		struct settings_origin *origin = settings_origin(instance, ways[i]);
		struct settings_origin *password = settings_origin(instance, "PASSWORD_FILE");

		if (origin->is_from_environment)
			continue;
		free(TAKE(*values[i]));
		origin->is_set = false;
		if (values[i] == &cluster->username && !password->is_from_environment) {
			free(TAKE(cluster->password_file));
			password->is_set = false;
		}
	}
}

static void check_login(struct settings_source *source, const struct settings_instance *instance,
			struct cluster_settings *cluster)
{
	const char *first = NULL;

	prefer_environment(instance, cluster);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!settings_is_set(instance, ways[i]))
			continue;
		if (first)
			problems_error(source->problems, settings_place(instance, ways[i]),
				       "%s and %s are both set; one way to log in is enough",
				       ways[i], first);
		first = first ? first : ways[i];
	}
	if (!first && !settings_is_set(instance, "PASSWORD_FILE"))
		problems_error(source->problems, instance->place,
			       "cluster '%s' has no credential: set TOKEN_FILE, TOKEN, or USERNAME "
			       "and PASSWORD_FILE",
			       cluster->name);
	if (settings_is_set(instance, "USERNAME") && !settings_is_set(instance, "PASSWORD_FILE"))
		problems_error(source->problems, settings_place(instance, "USERNAME"),
			       "USERNAME needs a PASSWORD_FILE");
	if (settings_is_set(instance, "PASSWORD_FILE") && !settings_is_set(instance, "USERNAME"))
		problems_error(source->problems, settings_place(instance, "PASSWORD_FILE"),
			       "PASSWORD_FILE needs a USERNAME");
	if (cluster->token && strpbrk(cluster->token, " \t"))
		problems_error(source->problems, settings_place(instance, "TOKEN"),
			       "TOKEN has white space in it, expected the token alone");
	check_secret_file(source, instance, "TOKEN_FILE", cluster->token_file);
	check_secret_file(source, instance, "PASSWORD_FILE", cluster->password_file);
}

static void check_addresses(struct settings_source *source,
			    const struct settings_instance *instance,
			    struct cluster_settings *cluster)
{
	const struct key_list *list = &cluster->cluster_address;

	if (!settings_is_set(instance, "CLUSTER_ADDRESS"))
		problems_error(source->problems, instance->place,
			       "cluster '%s' has no CLUSTER_ADDRESS", cluster->name);
	cluster->addresses = mem_array(list->count + 1, sizeof(*cluster->addresses));
	for (size_t i = 0; i < list->count; i++) {
		AUTO_ERROR err = { 0 };

		if (address_parse(&cluster->addresses[cluster->address_count],
				  text_of(list->items[i]), &err) < 0)
			problems_error(source->problems,
				       settings_place(instance, "CLUSTER_ADDRESS"),
				       "CLUSTER_ADDRESS %s", error_text(&err));
		else
			cluster->address_count++;
	}
}

/* 64 hexadecimal digits in lower case; NULL after saying what it is instead. */
static void check_fingerprint(struct settings_source *source,
			      const struct settings_instance *instance,
			      struct cluster_settings *cluster)
{
	struct text text = text_of(cluster->fingerprint);
	const char *equals = cluster->fingerprint ? strchr(cluster->fingerprint, '=') : NULL;
	char digits[65];
	size_t used = 0;
	bool is_hex = true;

	if (!cluster->fingerprint)
		return;
	/* "sha256 Fingerprint=AB:CD.." is how openssl prints it. */
	if (equals)
		text = text_of(equals + 1);
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (c == ':' || c == ' ')
			continue;
		if (c >= 'A' && c <= 'F')
			c += 'a' - 'A';
		is_hex = is_hex && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
		if (used < 64)
			digits[used] = c;
		used++;
	}
	if (is_hex && used == 64) {
		free(cluster->fingerprint);
		cluster->fingerprint = str_copy_n(digits, 64);
		return;
	}
	problems_error(source->problems, settings_place(instance, "FINGERPRINT"),
		       "FINGERPRINT: expected the 64 hexadecimal digits of a SHA-256, found %s",
		       !is_hex      ? "something else"
		       : used == 40 ? "a SHA-1 of 40"
				    : "another number of them");
}

static void check_tls(struct settings_source *source, const struct settings_instance *instance,
		      struct cluster_settings *cluster)
{
	static const char *const better[] = { "CA_FILE", "FINGERPRINT" };

	settings_check_readable(source, instance, "CA_FILE", cluster->ca_file);
	check_fingerprint(source, instance, cluster);
	if (settings_is_set(instance, "CA_FILE") && settings_is_set(instance, "FINGERPRINT"))
		problems_error(source->problems, settings_place(instance, "CA_FILE"),
			       "CA_FILE has no meaning beside FINGERPRINT, which accepts one "
			       "certificate whoever signed it; remove one of them");
	for (size_t i = 0; i < ARRAY_SIZE(better) && !cluster->verify_tls; i++)
		if (settings_is_set(instance, better[i]))
			problems_error(source->problems, settings_place(instance, better[i]),
				       "%s has no meaning with VERIFY_TLS = no; remove one of them",
				       better[i]);
	if (!cluster->use_ssl && settings_is_set(instance, "VERIFY_TLS") && cluster->verify_tls) {
		problems_error(source->problems, settings_place(instance, "USE_SSL"),
			       "USE_SSL = no contradicts VERIFY_TLS = yes; remove USE_SSL");
	} else if (!cluster->use_ssl && (settings_is_set(instance, "CA_FILE") ||
					 settings_is_set(instance, "FINGERPRINT"))) {
		problems_warning(source->problems, settings_place(instance, "USE_SSL"),
				 "USE_SSL = no is ignored, because %s says how to check the "
				 "certificate; remove USE_SSL",
				 settings_is_set(instance, "CA_FILE") ? "CA_FILE" : "FINGERPRINT");
	} else if (!cluster->use_ssl) {
		cluster->verify_tls = false;
		problems_warning(source->problems, settings_place(instance, "USE_SSL"),
				 "USE_SSL = no: the connection is encrypted, but the cluster's "
				 "certificate is not checked, and whoever pretends to be the "
				 "cluster gets the token; better give CA_FILE or FINGERPRINT");
	} else if (!cluster->verify_tls) {
		problems_warning(source->problems, settings_place(instance, "VERIFY_TLS"),
				 "VERIFY_TLS = no: the cluster's certificate is not checked, and "
				 "whoever pretends to be the cluster gets the token; better give "
				 "CA_FILE or FINGERPRINT");
	}
}

static void check_cluster(struct settings_source *source, const struct settings_instance *instance)
{
	struct cluster_settings *cluster = instance->config;

	check_addresses(source, instance, cluster);
	check_login(source, instance, cluster);
	check_tls(source, instance, cluster);
}

static const struct cluster_settings *find_cluster(struct settings_source *source,
						   const struct settings_instance *instance,
						   const char *name)
{
	const struct settings *settings = source->settings;
	AUTO(free) char *memory = mem_array(settings->cluster_count + 1, sizeof(char *));
	const char **names = (const char **)(void *)memory;
	const char *near;

	for (size_t i = 0; i < settings->cluster_count; i++) {
		if (strcasecmp(settings->clusters[i].name, name) == 0)
			return &settings->clusters[i];
		names[i] = settings->clusters[i].name;
	}
	near = parse_nearest(text_of(name), names);
	problems_error(source->problems, settings_place(instance, "CLUSTER"),
		       "CLUSTER '%s': there is no such cluster%s%s%s", name,
		       near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
}

static void check_watch(struct settings_source *source, const struct settings_instance *instance)
{
	struct watch_settings *watch = instance->config;
	char *path;

	/* Without any cluster that is what is told, and not each watch's lack of one. */
	if (watch->cluster)
		watch->on = source->settings->cluster_count
				    ? find_cluster(source, instance, watch->cluster)
				    : NULL;
	else if (source->settings->cluster_count)
		watch->on = &source->settings->clusters[0];
	if (watch->on && !watch->cluster)
		watch->cluster = str_copy(watch->on->name);
	if (watch->path[0] != '/') {
		problems_error(source->problems, settings_place(instance, "PATH"),
			       "PATH '%s': expected an absolute path on the cluster, like /home",
			       watch->path);
		return;
	}
	path = path_join(text_of(watch->path), TEXT(""));
	free(watch->path);
	watch->path = path;

	struct text rest = text_of(path);

	while (rest.size) {
		struct text part = text_cut(&rest, '/');

		if (text_is(part, ".") || text_is(part, ".."))
			problems_error(source->problems, settings_place(instance, "PATH"),
				       "PATH '%s': expected a path without . and ..", watch->path);
	}
}

/* Two watches that are the same would do everything twice. */
static void check_twins(struct settings_source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct settings_instance *instance = &source->instances[i];
			const struct watch_settings *a = source->instances[j].config;
			const struct watch_settings *b = instance->config;

			if (instance->type != SECTION_WATCH ||
			    source->instances[j].type != SECTION_WATCH || !a->on ||
			    a->on != b->on || strcmp(a->path, b->path) != 0 ||
			    strcmp(a->items, b->items) != 0)
				continue;
			problems_error(source->problems, instance->place,
				       "watch '%s' is the same as watch '%s': every action would "
				       "happen twice",
				       b->name, a->name);
		}
	}
}

/* Elsewhere another process may judge by new rules before the stream tells what they need. */
static void check_events(struct settings_source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct settings_instance *instance = &source->instances[i];
		const struct watch_settings *watch = instance->config;

		if (instance->type == SECTION_WATCH && watch->events == WATCH_EVENTS_NEEDED &&
		    !settings_store_is_embedded(source->settings))
			problems_error(source->problems, settings_place(instance, "EVENTS"),
				       "EVENTS = needed works with the embedded store only: with a "
				       "store in Redis the process that judges may have new rules "
				       "before the one that listens knows what they need; use all");
	}
}

static void check_admin(struct settings_source *source, const struct settings_instance *instance)
{
	struct settings *settings = source->settings;
	struct sockaddr_un address;
	AUTO(free) char *longest = NULL;

	if (!settings->admin.socket)
		settings->admin.socket =
			settings_store_is_embedded(settings)
				? path_join(text_of(settings->store.url + strlen("embedded:")),
					    TEXT("admin.sock"))
				: str_copy(RUN_DIRECTORY "/" SETTINGS_ROLE ".sock");
	longest = settings_socket(settings, "filter");
	if (strlen(longest) >= sizeof(address.sun_path))
		problems_error(source->problems, settings_place(instance, "SOCKET"),
			       "SOCKET '%s': expected a path of at most %zu bytes", longest,
			       sizeof(address.sun_path) - 1);
}

static void check_mail_server(struct settings_source *source,
			      const struct settings_instance *instance, const char *server)
{
	struct address address = { 0 };
	AUTO_ERROR err = { 0 };

	if (strchr(server, '/'))
		problems_error(source->problems, settings_place(instance, "SERVER"),
			       "SERVER '%s': expected host or host:port", server);
	else if (address_parse(&address, text_of(server), &err) < 0)
		problems_error(source->problems, settings_place(instance, "SERVER"), "SERVER %s",
			       error_text(&err));
	address_clear(&address);
}

static void check_email(struct settings_source *source, const struct settings_instance *instance)
{
	const struct settings *settings = source->settings;
	const struct config_key *keys = settings_sections[SECTION_EMAIL].keys;

	for (const struct config_key *key = keys; !settings->email.server && key->name; key++) {
		if (settings_is_set(instance, key->name)) {
			problems_error(source->problems, instance->place,
				       "[EMAIL] has no SERVER, so that no mail could be sent");
			break;
		}
	}
	if (!settings->email.server)
		return;
	check_mail_server(source, instance, settings->email.server);
	if (!settings->email.from)
		problems_error(source->problems, instance->place,
			       "[EMAIL] has no FROM, the sender of the mails");
	else if (!strchr(settings->email.from, '@'))
		problems_error(source->problems, settings_place(instance, "FROM"),
			       "FROM '%s': expected a mail address like storage@example.com",
			       settings->email.from);
	if (settings->email.username && !settings->email.password_file)
		problems_error(source->problems, settings_place(instance, "USERNAME"),
			       "USERNAME needs a PASSWORD_FILE");
	if (settings->email.password_file && !settings->email.username)
		problems_error(source->problems, settings_place(instance, "PASSWORD_FILE"),
			       "PASSWORD_FILE needs a USERNAME");
	if (settings->email.username && settings->email.security == MAIL_PLAIN)
		problems_warning(source->problems, settings_place(instance, "SECURITY"),
				 "SECURITY = plain: the password goes to the mail server for "
				 "everybody on the way to read");
	if (!settings->email.verify_tls && settings->email.ca_file)
		problems_error(source->problems, settings_place(instance, "CA_FILE"),
			       "CA_FILE has no meaning with VERIFY_TLS = no; remove one of them");
	check_secret_file(source, instance, "PASSWORD_FILE", settings->email.password_file);
	settings_check_readable(source, instance, "CA_FILE", settings->email.ca_file);
}

static void check_act(struct settings_source *source, const struct settings_instance *instance)
{
	const struct settings *settings = source->settings;

	if (settings->act.back_off_ms > settings->act.back_off_max_ms)
		problems_error(source->problems, settings_place(instance, "BACK_OFF"),
			       "BACK_OFF is longer than BACK_OFF_MAX");
	for (size_t i = 0; i < settings->act.also_caused.count; i++) {
		AUTO(free) char *wrong = also_caused_check(settings->act.also_caused.items[i]);

		if (wrong)
			problems_error(source->problems, settings_place(instance, "ALSO_CAUSED"),
				       "ALSO_CAUSED, '%s': %s", settings->act.also_caused.items[i],
				       wrong);
	}
}

void settings_check(struct settings_source *source)
{
	static void (*const checks[SECTION_COUNT])(struct settings_source *,
						   const struct settings_instance *) = {
		[SECTION_CLUSTER] = check_cluster,      [SECTION_WATCH] = check_watch,
		[SECTION_STORE] = settings_check_store, [SECTION_EMAIL] = check_email,
		[SECTION_ADMIN] = check_admin,          [SECTION_ACT] = check_act,
	};

	if (!source->settings->cluster_count && !source->is_patchy)
		problems_error(source->problems, (struct place){ source->settings->file, 0, 0 },
			       "there is no [CLUSTER] with a CLUSTER_ADDRESS and a TOKEN_FILE");
	for (size_t i = 0; i < source->count; i++) {
		make_paths_absolute(source, &source->instances[i]);
		check_modes(source, &source->instances[i]);
	}
	/* In the table's order: the socket's place follows from the store's. */
	for (int type = 0; type < SECTION_COUNT; type++)
		for (size_t i = 0; i < source->count; i++)
			if (source->instances[i].type == type && checks[type])
				checks[type](source, &source->instances[i]);
	check_twins(source);
	check_events(source);
}
