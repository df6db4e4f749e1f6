#include "app/settings.h"

#include <strings.h>
#include <unistd.h>

#include "app/address.h"
#include "app/settings_check.h"
#include "app/settings_variable.h"
#include "base/log.h"
#include "base/parse.h"
#include "config/conf.h"
#include "config/source.h"

enum { FILE_MAX = 1 << 20 };

struct loader {
	struct settings_source source;
	struct conf *conf;
	struct settings_variables *environment;
};

struct settings_origin *settings_origin(const struct settings_instance *instance, const char *key)
{
	const struct config_key *keys = settings_sections[instance->type].keys;

	return &instance->origins[key_find(keys, text_of(key)) - keys];
}

static struct settings_instance *instance_add(struct loader *loader, int type, struct text name,
					      struct place place)
{
	struct settings_source *source = &loader->source;
	struct settings_instance *instance;
	size_t keys = 0;

	while (settings_sections[type].keys[keys].name)
		keys++;
	source->instances =
		mem_grow(source->instances, source->count + 1, sizeof(*source->instances));
	instance = &source->instances[source->count++];
	*instance = (struct settings_instance){
		.type = type,
		.name = text_copy(name),
		.place = place,
		.origins = mem_array(keys, sizeof(struct settings_origin)),
	};
	return instance;
}

static struct text standard_name(int type)
{
	const char *name = settings_sections[type].standard_name;

	return name ? text_of(name) : TEXT("");
}

static bool same_word(struct text a, struct text b)
{
	return a.size == b.size && (!a.size || strncasecmp(a.data, b.data, a.size) == 0);
}

static struct settings_instance *instance_find(struct loader *loader, int type, struct text name)
{
	for (size_t i = 0; i < loader->source.count; i++) {
		struct settings_instance *instance = &loader->source.instances[i];

		if (instance->type == type && same_word(text_of(instance->name), name))
			return instance;
	}
	return NULL;
}

static size_t instance_count(struct loader *loader, int type)
{
	size_t count = 0;

	for (size_t i = 0; i < loader->source.count; i++)
		count += loader->source.instances[i].type == type;
	return count;
}

static void tell_unknown_section(struct loader *loader, const struct conf_section *section)
{
	const char *names[SECTION_COUNT + 1] = { 0 };
	const char *near;

	for (int i = 0; i < SECTION_COUNT; i++)
		names[i] = settings_sections[i].name;
	near = parse_nearest(section->kind, names);
	if (near)
		problems_error(loader->source.problems, section->place,
			       "unknown section [%.*s]: did you mean [%s]?",
			       TEXT_ARGS(section->kind), near);
	else
		problems_error(loader->source.problems, section->place,
			       "unknown section [%.*s]: known are [CLUSTER], [WATCH], [STORE], "
			       "[EMAIL], [ADMIN], [LOG] and [ACT]",
			       TEXT_ARGS(section->kind));
}

static void add_section(struct loader *loader, const struct conf_section *section)
{
	int type = settings_section_find(section->kind);
	struct text name = section->name;
	struct settings_instance *other;

	if (type < 0) {
		tell_unknown_section(loader, section);
		return;
	}
	if (name.size && !settings_sections[type].standard_name) {
		problems_error(loader->source.problems, section->place,
			       "[%s] has no name; only [CLUSTER] and [WATCH] can be several",
			       settings_sections[type].name);
		return;
	}
	if (!name.size)
		name = standard_name(type);
	other = instance_find(loader, type, name);
	if (other) {
		problems_error(loader->source.problems, section->place,
			       "a second %s '%.*s'; the first is in line %d",
			       type == SECTION_CLUSTER ? "cluster" : "watch", TEXT_ARGS(name),
			       other->place.line);
		return;
	}
	instance_add(loader, type, name, section->place);
}

/* How a section's name looks in a variable: upper case, and _ for what cannot stand there. */
static bool is_same_in_environment(struct text name, struct text variable)
{
	if (name.size != variable.size)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		else if (c == '-' || c == '.')
			c = '_';
		if (c != variable.data[i])
			return false;
	}
	return true;
}

/* The section that a variable speaks about; NULL after saying why there is none. */
static struct settings_instance *instance_of(struct loader *loader,
					     const struct settings_variable *variable)
{
	struct settings_instance *found =
		variable->name.size
			? NULL
			: instance_find(loader, variable->type, standard_name(variable->type));
	const char *section = settings_sections[variable->type].name;

	for (size_t i = 0; i < loader->source.count && !found; i++) {
		struct settings_instance *instance = &loader->source.instances[i];

		if (instance->type == variable->type &&
		    (variable->name.size
			     ? is_same_in_environment(text_of(instance->name), variable->name)
			     : instance_count(loader, variable->type) == 1))
			found = instance;
	}
	if (!found && variable->name.size)
		problems_warning(loader->source.problems, (struct place){ variable->whole, 0, 0 },
				 "is ignored: there is no section [%s %.*s] (in any case)", section,
				 TEXT_ARGS(variable->name));
	else if (!found)
		problems_error(loader->source.problems, (struct place){ variable->whole, 0, 0 },
			       "there are several [%s name]; say which one: "
			       "CN_MONITOR_%s_<NAME>_%s",
			       section, section, variable->key->name);
	return found;
}

/* Every section that is not there but may be left out, or that the environment speaks about. */
static void add_missing(struct loader *loader)
{
	for (int type = 0; type < SECTION_COUNT; type++) {
		bool is_wanted = type != SECTION_CLUSTER;

		for (size_t i = 0; i < loader->environment->count; i++)
			is_wanted |= loader->environment->items[i].type == type &&
				     !loader->environment->items[i].name.size;
		if (is_wanted && !instance_count(loader, type))
			instance_add(loader, type, standard_name(type),
				     (struct place){ loader->source.settings->file, 0, 0 });
	}
}

/* From here on the arrays stand still and may be pointed into. */
static void give_homes(struct loader *loader)
{
	struct settings *settings = loader->source.settings;

	settings->clusters =
		mem_array(instance_count(loader, SECTION_CLUSTER) + 1, sizeof(*settings->clusters));
	settings->watches =
		mem_array(instance_count(loader, SECTION_WATCH) + 1, sizeof(*settings->watches));
	for (size_t i = 0; i < loader->source.count; i++) {
		struct settings_instance *instance = &loader->source.instances[i];

		if (instance->type == SECTION_CLUSTER) {
			struct cluster_settings *cluster =
				&settings->clusters[settings->cluster_count++];

			cluster->name = str_copy(instance->name);
			instance->config = cluster;
		} else if (instance->type == SECTION_WATCH) {
			struct watch_settings *watch = &settings->watches[settings->watch_count++];

			watch->name = str_copy(instance->name);
			instance->config = watch;
		} else {
			instance->config = settings;
		}
		key_defaults(settings_sections[instance->type].keys, instance->config);
	}
}

static void set_value(struct loader *loader, struct settings_instance *instance,
		      const struct config_key *key, struct text value, struct place key_place,
		      struct place place, bool is_from_environment)
{
	struct settings_origin *origin = settings_origin(instance, key->name);
	AUTO_ERROR err = { 0 };

	*origin = (struct settings_origin){ place, true, is_from_environment };
	if (!value.size)
		problems_error(loader->source.problems, key_place, "%s has no value", key->name);
	else if (key_set(key, value, instance->config, &err) < 0)
		problems_error(loader->source.problems, place, "%s", error_text(&err));
	else if (key->type == KEY_SECRET)
		log_hide(*(char **)((char *)instance->config + key->offset));
}

static void fill_from_section(struct loader *loader, const struct conf_section *section)
{
	int type = settings_section_find(section->kind);
	struct settings_instance *instance;

	if (type < 0)
		return;
	instance = instance_find(loader, type,
				 section->name.size ? section->name : standard_name(type));
	if (!instance || instance->place.line != section->place.line)
		return;
	for (const struct conf_entry *entry = section->entries; entry; entry = entry->next) {
		const struct config_key *key = key_find(settings_sections[type].keys, entry->key);

		if (key)
			set_value(loader, instance, key, entry->value, entry->key_place,
				  entry->place, false);
		else
			key_tell_unknown(settings_sections[type].keys, entry->key, entry->key_place,
					 loader->source.problems);
	}
}

static void fill_from_environment(struct loader *loader)
{
	for (size_t i = 0; i < loader->environment->count; i++) {
		const struct settings_variable *variable = &loader->environment->items[i];
		struct settings_instance *instance = instance_of(loader, variable);
		struct place place = { variable->whole, 0, 0 };

		if (instance)
			set_value(loader, instance, variable->key, variable->value, place, place,
				  true);
	}
}

/* Without a file, everything may come from the environment; without that, somebody forgot it. */
static bool read_file(struct loader *loader, const char *path)
{
	static const char *const usual[] = { "cn_monitor.conf", "/etc/cn_monitor/cn_monitor.conf" };
	struct settings *settings = loader->source.settings;
	AUTO(buf_free) struct buf *buf = NULL;

	for (size_t i = 0; !path && i < ARRAY_SIZE(usual); i++)
		if (access(usual[i], F_OK) == 0)
			path = usual[i];
	if (!path) {
		for (size_t i = 0; i < loader->environment->count; i++)
			if (loader->environment->items[i].type == SECTION_CLUSTER)
				return true;
		problems_error(loader->source.problems, (struct place){ 0 },
			       "there is no cn_monitor.conf here and none in /etc/cn_monitor: name "
			       "one with -c FILE, or write one that begins with [CLUSTER], "
			       "CLUSTER_ADDRESS and TOKEN_FILE (cn_monitor check "
			       "--config-reference explains every key)");
		return false;
	}
	settings->file = str_copy(path);
	if (!source_read(&buf, path, FILE_MAX, &loader->source.mode, loader->source.problems))
		return false;
	loader->conf = conf_parse(settings->file, buf_text(buf), settings_may_show,
				  loader->source.problems);
	return loader->conf;
}

static char *absolute_folder(const char *file)
{
	struct text folder = file ? path_parent(text_of(file)) : TEXT_NONE;
	AUTO(free) char *here = NULL;

	if (folder.size && folder.data[0] == '/')
		return text_copy(folder);
	here = getcwd(NULL, 0);
	return path_join(here ? text_of(here) : TEXT("/"),
			 file && memchr(file, '/', strlen(file)) ? folder : TEXT(""));
}

static void load(struct loader *loader, const char *path)
{
	size_t errors = problems_error_count(loader->source.problems);

	loader->environment = settings_variables_read(loader->source.problems);
	if (!read_file(loader, path))
		return;
	loader->source.folder = absolute_folder(loader->source.settings->file);
	for (const struct conf_section *section = loader->conf ? conf_sections(loader->conf) : NULL;
	     section; section = section->next)
		add_section(loader, section);
	loader->source.is_patchy = problems_error_count(loader->source.problems) > errors;
	add_missing(loader);
	give_homes(loader);
	for (const struct conf_section *section = loader->conf ? conf_sections(loader->conf) : NULL;
	     section; section = section->next)
		fill_from_section(loader, section);
	fill_from_environment(loader);
	settings_check(&loader->source);
}

static void loader_clear(struct loader *loader)
{
	for (size_t i = 0; i < loader->source.count; i++) {
		free(loader->source.instances[i].name);
		free(loader->source.instances[i].origins);
	}
	settings_variables_free(loader->environment);
	free(loader->source.instances);
	free(loader->source.folder);
	conf_free(loader->conf);
}

struct settings *settings_load(const char *path, struct problems *problems)
{
	AUTO(settings_free) struct settings *settings = NEW(struct settings);
	struct loader loader = { .source = { .settings = settings, .problems = problems } };
	size_t errors = problems_error_count(problems);

	load(&loader, path);
	loader_clear(&loader);
	return problems_error_count(problems) > errors ? NULL : TAKE(settings);
}

struct store_settings settings_of_store(const struct settings *settings)
{
	return (struct store_settings){
		.url = settings->store.url,
		.max_bytes = settings->store.max_bytes,
		.retention_ms = settings->store.retention_ms,
		.sync = settings->store.commit != COMMIT_OS,
		.prefix = settings->store.prefix,
		.password_file = settings->store.password_file,
		.sentinels = settings->store.sentinels,
		.ca_file = settings->store.ca_file,
		.cert_file = settings->store.cert_file,
		.key_file = settings->store.key_file,
		.server_name = settings->store.server_name,
		.database = settings->store.database,
		.log = settings->store.log,
		.timeout_ms = settings->store.timeout_ms,
	};
}

bool settings_store_is_embedded(const struct settings *settings)
{
	return text_starts_with(text_of(settings->store.url), TEXT("embedded:"));
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->cluster_count; i++) {
		struct cluster_settings *cluster = &settings->clusters[i];

		for (size_t j = 0; j < cluster->address_count; j++)
			address_clear(&cluster->addresses[j]);
		free(cluster->addresses);
		free(cluster->name);
		key_clear(settings_sections[SECTION_CLUSTER].keys, cluster);
	}
	for (size_t i = 0; i < settings->watch_count; i++) {
		free(settings->watches[i].name);
		key_clear(settings_sections[SECTION_WATCH].keys, &settings->watches[i]);
	}
	for (int type = SECTION_STORE; type < SECTION_COUNT; type++)
		key_clear(settings_sections[type].keys, settings);
	free(settings->clusters);
	free(settings->watches);
	free(settings->store.shown);
	free(settings->file);
	free(settings);
}
