#include "rule/rule_set.h"

#include "rule/alarm_parse.h"
#include "rule/condition_file.h"
#include "rule/fold.h"
#include "rule/rule_parse.h"
#include "rule/rule_tests.h"

struct place rule_set_place(struct rule_set *set, struct place place)
{
	for (size_t i = 0; i < set->file_count; i++, set->last_file++) {
		set->last_file %= set->file_count;
		if (strcmp(set->files[set->last_file], place.file) == 0)
			break;
	}
	place.file = set->files[set->last_file % set->file_count];
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

struct rule_step *set_rule_add_step(struct set_rule *rule, const char *module, struct text name,
				    char *options_json, struct place place)
{
	struct rule_step *steps = mem_grow((struct rule_step *)rule->rule.steps,
					   rule->rule.step_count + 1, sizeof(*steps));

	place.file = rule->rule.place.file;
	steps[rule->rule.step_count++] = (struct rule_step){
		.module = str_copy(module),
		.name = name.size ? text_copy(name) : NULL,
		.options = options_json,
		.after = STEP_OF_THE_RULE,
		.place = place,
	};
	rule->rule.steps = steps;
	return &steps[rule->rule.step_count - 1];
}

void set_rule_clear(struct set_rule *rule)
{
	for (size_t i = 0; i < rule->rule.step_count; i++) {
		free((char *)rule->rule.steps[i].module);
		free((char *)rule->rule.steps[i].name);
		free((char *)rule->rule.steps[i].options);
	}
	free((struct rule_step *)rule->rule.steps);
	free((char *)rule->rule.name);
	free(rule->accept);
}

static struct rule_set *rule_set_new(void)
{
	struct rule_set *set = NEW(struct rule_set);

	atomic_init(&set->owners, 1);
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
	for (size_t i = 0; i < set->count; i++) {
		set_rule_clear(set->rules[i]);
		free(set->rules[i]);
	}
	alarms_clear(set);
	free(set->rules);
	rule_index_free(set->index);
	free(set->names);
	free(set->whens);
	condition_pool_clear(&set->pool);
	scan_free(set->scans[0]);
	scan_free(set->scans[1]);
	rule_tests_clear(set);
	for (size_t i = 0; i < set->file_count; i++) {
		free(set->files[i]);
		free(set->accepts[i]);
	}
	free(set->files);
	free(set->accepts);
	free(set);
}

static void name_files(struct rule_set *set, const struct rule_files *files)
{
	set->files = mem_array(files->count, sizeof(char *));
	set->accepts = mem_array(files->count, sizeof(struct accept *));
	for (size_t i = 0; i < files->count; i++)
		set->files[set->file_count++] = str_copy(files->items[i]->path);
}

static struct rule_set *build(const struct rule_files *files, const struct rule_modules *modules,
			      size_t errors_before, struct problems *problems)
{
	AUTO(rule_set_free) struct rule_set *set = rule_set_new();

	name_files(set, files);
	memcpy(set->digest, files->digest, sizeof(set->digest));
	rule_parse(set, files, modules, problems);
	return problems_error_count(problems) == errors_before ? TAKE(set) : NULL;
}

struct rule_set *rule_set_parse(const char *file, struct text text,
				const struct rule_modules *modules, struct problems *problems)
{
	size_t before = problems_error_count(problems);
	struct rule_files files;
	struct rule_set *set;

	rule_files_parse(&files, file, text, problems);
	set = build(&files, modules, before, problems);
	rule_files_clear(&files);
	return set;
}

struct rule_set *rule_set_load(const char *path, const struct rule_modules *modules,
			       struct problems *problems)
{
	return rule_set_load_with(path, modules, NULL, NULL, problems);
}

struct rule_set *rule_set_load_with(const char *path, const struct rule_modules *modules,
				    void (*note)(void *ctx, const char *path), void *ctx,
				    struct problems *problems)
{
	size_t before = problems_error_count(problems);
	struct rule_files files;
	struct rule_set *set;

	rule_files_read(&files, path, problems);
	for (size_t i = 0; i < files.watched_count && note; i++)
		note(ctx, files.watched[i]);
	set = build(&files, modules, before, problems);
	rule_files_clear(&files);
	return set;
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

void rule_set_visit_names(const struct rule_set *set, void (*visit)(void *ctx, const char *name),
			  void *ctx)
{
	for (size_t i = 0; i < set->name_count; i++)
		visit(ctx, set->names[i]);
}

bool rule_set_asks_cluster(const struct rule_set *set)
{
	for (const struct condition *condition = set->pool.last; condition;
	     condition = condition->source->made_before)
		if (condition_asks_cluster(condition))
			return true;
	return false;
}

struct questions {
	const char *keys[CONDITION_KINDS];
	size_t count;
};

static void add_questions(struct questions *questions, const struct condition *condition)
{
	bool is_new = condition_asks_cluster(condition);

	for (size_t i = 0; i < questions->count && is_new; i++)
		is_new = strcmp(questions->keys[i], condition->source->key) != 0;
	if (is_new && questions->count < CONDITION_KINDS)
		questions->keys[questions->count++] = condition->source->key;
	for (size_t i = 0; i < condition_child_count(condition); i++)
		add_questions(questions, condition->children[i]);
}

void rule_visit_questions(const struct rule *rule, void (*visit)(void *ctx, const char *key),
			  void *ctx)
{
	struct questions questions = { .count = 0 };

	add_questions(&questions, set_rule_of(rule)->when);
	for (size_t i = 0; i < questions.count; i++)
		visit(ctx, questions.keys[i]);
}

const char *rule_set_digest(const struct rule_set *set)
{
	return set->digest;
}
