#include "rule/rule_set.h"

#include <openssl/evp.h>

#include "config/source.h"
#include "rule/fold.h"
#include "rule/rule_parse.h"

#define FILE_SIZE_MAX (16 << 20)

struct place rule_set_place(const struct rule_set *set, struct place place)
{
	place.file = set->file;
	return place;
}

struct set_rule *rule_set_add(struct rule_set *set, struct text name, struct place place)
{
	struct set_rule *rule = NEW(struct set_rule);
	char *copy = text_copy(name);

	rule->rule.name = copy;
	rule->rule.place = rule_set_place(set, place);
	rule->rule.index = set->count;
	HASH_ADD_KEYPTR(by_name, set->by_name, copy, name.size, rule);
	if (set->count == set->room) {
		set->room = set->room ? set->room * 2 : 16;
		set->rules = mem_grow(set->rules, set->room, sizeof(*set->rules));
	}
	set->rules[set->count++] = rule;
	return rule;
}

void set_rule_add_step(struct set_rule *rule, const char *module, struct text name,
		       char *options_json, struct place place)
{
	struct rule_step *steps = mem_grow((struct rule_step *)rule->rule.steps,
					   rule->rule.step_count + 1, sizeof(*steps));

	place.file = rule->rule.place.file;
	steps[rule->rule.step_count++] = (struct rule_step){
		.module = str_copy(module),
		.name = name.size ? text_copy(name) : NULL,
		.options = options_json,
		.place = place,
	};
	rule->rule.steps = steps;
}

static void rule_free(struct set_rule *rule)
{
	for (size_t i = 0; i < rule->rule.step_count; i++) {
		free((char *)rule->rule.steps[i].module);
		free((char *)rule->rule.steps[i].name);
		free((char *)rule->rule.steps[i].options);
	}
	free((struct rule_step *)rule->rule.steps);
	free((char *)rule->rule.name);
	free(rule);
}

static struct rule_set *rule_set_new(const char *file)
{
	struct rule_set *set = NEW(struct rule_set);

	atomic_init(&set->owners, 1);
	set->file = str_copy(file);
	set->scans[0] = scan_new();
	set->scans[1] = scan_new();
	set->index = rule_index_new(set->scans[0], set->scans[1]);
	return set;
}

struct rule_set *rule_set_share(struct rule_set *set)
{
	atomic_fetch_add(&set->owners, 1);
	return set;
}

void rule_set_free(struct rule_set *set)
{
	if (!set || atomic_fetch_sub(&set->owners, 1) > 1)
		return;
	HASH_CLEAR(by_name, set->by_name);
	for (size_t i = 0; i < set->count; i++)
		rule_free(set->rules[i]);
	free(set->rules);
	rule_index_free(set->index);
	condition_pool_clear(&set->pool);
	scan_free(set->scans[0]);
	scan_free(set->scans[1]);
	free(set->file);
	free(set);
}

static void digest(struct rule_set *set, struct text text)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!EVP_Digest(text.size ? text.data : "", text.size, hash, &size, EVP_sha256(), NULL))
		abort(); /* no memory, or an OpenSSL without SHA-256 */
	for (unsigned i = 0; i < size && i < 32; i++)
		snprintf(set->digest + 2 * i, 3, "%02x", hash[i]);
}

struct rule_set *rule_set_parse(const char *file, struct text text,
				const struct rule_modules *modules, struct problems *problems)
{
	AUTO(rule_set_free) struct rule_set *set = rule_set_new(file);
	size_t before = problems_error_count(problems);
	AUTO(document_free) struct document *document = document_parse(file, text, problems);

	if (!document)
		return NULL;
	digest(set, text);
	rule_parse(set, document_root(document), modules, problems);
	return problems_error_count(problems) == before ? TAKE(set) : NULL;
}

struct rule_set *rule_set_load(const char *path, const struct rule_modules *modules,
			       struct problems *problems)
{
	AUTO(buf_free) struct buf *text = NULL;

	if (!source_read(&text, path, FILE_SIZE_MAX, NULL, problems))
		return NULL;
	return rule_set_parse(path, buf_text(text), modules, problems);
}

size_t rule_set_count(const struct rule_set *set)
{
	return set->count;
}

const struct rule *rule_set_get(const struct rule_set *set, size_t index)
{
	return &set->rules[index]->rule;
}

const struct rule *rule_set_find(const struct rule_set *set, const char *name)
{
	struct set_rule *found;

	HASH_FIND(by_name, set->by_name, name, strlen(name), found);
	return found ? &found->rule : NULL;
}

const char *rule_set_digest(const struct rule_set *set)
{
	return set->digest;
}
