/* field_check: fields of templates that nothing fills: results of steps that come later or not at
 * all, what a rule does not count. */
#include "rule/accept.h"
#include "rule/rule_check.h"

/* "{quarantine.path}" */
struct field {
	struct text whole, module;
};

static size_t word_size(const char *at, const char *also)
{
	size_t size = 0;

	while ((at[size] >= 'a' && at[size] <= 'z') || at[size] == '_' ||
	       (at[size] && strchr(also, at[size])))
		size++;
	return size;
}

/* The next field with a dot from at on; {{ is a brace. */
static bool find_field(const char **at, struct field *out)
{
	for (const char *open = strchr(*at, '{'); open; open = strchr(open + 1, '{')) {
		size_t module = word_size(open + 1, ""), key;

		if (open[1] == '{') {
			open++;
			continue;
		}
		if (!module || open[1 + module] != '.')
			continue;
		key = word_size(open + 2 + module, "0123456789");
		if (!key || open[2 + module + key] != '}')
			continue;
		out->module = (struct text){ open + 1, module };
		out->whole = (struct text){ open, module + key + 3 };
		*at = open + out->whole.size;
		return true;
	}
	return false;
}

static bool is_module(const struct rule_modules *modules, struct text name)
{
	for (size_t i = 0; modules->names[i]; i++)
		if (text_is(name, modules->names[i]))
			return true;
	return false;
}

static bool has_step(const struct rule *rule, struct text module, size_t before)
{
	for (size_t i = 0; i < before; i++)
		if (text_is(module, rule->steps[i].module))
			return true;
	return false;
}

/* Why nothing fills the field; for free(). NULL: something does. */
static char *what_is_missing(const struct rule *rule, size_t step, struct text module,
			     const struct rule_modules *modules)
{
	bool counts = text_is(module, "threshold")  ? rule->threshold.count > 0
		      : text_is(module, "throttle") ? rule->throttle.count > 0
						    : true;

	if (!counts)
		return str_format("the rule has no %.*s", TEXT_ARGS(module));
	if (!is_module(modules, module) || has_step(rule, module, step))
		return NULL;
	if (has_step(rule, module, rule->step_count))
		return str_format("%.*s comes only after this step", TEXT_ARGS(module));
	return str_format("the rule has no %.*s before this step", TEXT_ARGS(module));
}

static void check_step(const struct rule_set *set, const struct set_rule *rule, size_t step,
		       const struct rule_modules *modules, struct problems *problems)
{
	const struct rule_step *it = &rule->rule.steps[step];
	struct accept_scope scope = { set, rule };
	const char *at = it->options;
	struct field field;

	while (find_field(&at, &field)) {
		AUTO(free)
		char *missing = what_is_missing(&rule->rule, step, field.module, modules);

		if (!missing)
			continue;
		accept_begin(&scope, problems);
		problems_warn(problems, it->place, rule_warning_names[WARN_FIELD],
			      "rule '%s': %.*s stays empty in %s: %s", rule->rule.name,
			      TEXT_ARGS(field.whole), it->module, missing);
		accept_end(problems);
	}
}

void rule_check_fields(const struct rule_set *set, const struct rule_modules *modules,
		       struct problems *problems)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct set_rule *rule = set->rules[i];

		for (size_t step = 0; step < rule->rule.step_count; step++)
			if (rule->rule.mode != RULE_OFF)
				check_step(set, rule, step, modules, problems);
	}
}
