/* rule_digest: by which a rule is known to be another than before: what it means, not where it
 * stands or how it is written. */
#include <openssl/evp.h>

#include "base/buf.h"
#include "rule/rule_compile.h"

static void print_condition(struct buf *out, const struct condition *condition)
{
	bool fits = buf_print(out, "%d %s %d %d(", condition->kind, condition->source->key,
			      condition->ignores_case, condition->is_old);

	/* The values are counted: they may hold anything. */
	fits &= buf_print(out, "%zu:", condition->source->values_size) &&
		buf_append(out, condition->source->values, condition->source->values_size);
	for (size_t i = 0; i < condition_child_count(condition); i++)
		print_condition(out, condition->children[i]);
	fits &= buf_print(out, ")");
	if (!fits)
		abort(); /* the buffer has no ceiling */
}

static void print_window(struct buf *out, const struct rule_window *window)
{
	if (!buf_print(out, " %lld/%lld/%d/%d", (long long)window->count,
		       (long long)window->within_ms, window->per, window->distinct))
		abort();
}

static void print_options(struct buf *out, const struct rule *rule)
{
	if (!buf_print(out, "%d %lld %lld %d %x %lld %d %d %lld", rule->mode,
		       (long long)rule->settle_ms, (long long)rule->settle_max_ms,
		       rule->unless_open, rule->absent, (long long)rule->absent_ms, rule->on_own,
		       rule->stop, (long long)rule->priority))
		abort();
	print_window(out, &rule->threshold);
	print_window(out, &rule->throttle);
	print_window(out, &rule->limit);
	for (size_t i = 0; i < rule->step_count; i++)
		if (!buf_print(out, "\n%s %s", rule->steps[i].module, rule->steps[i].options))
			abort();
}

void rule_digest(struct set_rule *rule)
{
	AUTO(buf_free) struct buf *text = buf_new(SIZE_MAX);
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	print_condition(text, rule->when);
	print_options(text, &rule->rule);
	if (!EVP_Digest(text->data, text->size, bytes, &size, EVP_sha256(), NULL) || size != 32)
		abort();
	for (unsigned i = 0; i < 16; i++)
		snprintf(rule->rule.digest + 2 * i, 3, "%02x", bytes[i]);
}
