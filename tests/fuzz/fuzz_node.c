/* fuzz_node: watched_items.yml as anybody might write it. */
#include <assert.h>

#include "config/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer when quoted text ends in a syntax error; nobody can free it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

static void walk(const struct node *node, int depth)
{
	size_t count = 0;

	assert(depth <= 101);
	assert(node->place.line >= 1 && node->place.column >= 1);
	assert(node->text.data && node->text.data[node->text.size] == 0);
	node_for_each(child, node)
	{
		if (node->kind == NODE_MAPPING)
			assert(child->key);
		walk(child, depth + 1);
		count++;
	}
	assert(count == node->count);
}

/* What was read once without complaint is written as JSON and means the same when read again. */
static void there_and_back(const struct node *root)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free) struct document *again = NULL;
	AUTO(free) char *json = node_to_json(root);

	again = document_parse("again", text_of(json), problems);
	if (!again)
		return; /* keys beyond 1,024 bytes, which YAML knows in longer forms only */

	AUTO(free) char *json_again = node_to_json(document_root(again));

	assert(strcmp(json, json_again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(document_free)
	struct document *document =
		document_parse("fuzz.yml", (struct text){ (const char *)data, size }, problems);
	AUTO(free) char *text = problems_format(problems, size % 2);

	assert(text && (document || problems_error_count(problems)));
	if (!document)
		return 0;
	walk(document_root(document), 1);
	if (!problems_error_count(problems))
		there_and_back(document_root(document));
	return 0;
}
