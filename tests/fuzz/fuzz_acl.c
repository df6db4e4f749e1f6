/*
 * fuzz_acl: an access control list as a cluster may tell it, or a person may write it: what is made
 * of it, whether it is the same; and what a cluster answers to a request to copy.
 */
#include <assert.h>
#include <stdint.h>

#include "action/acl.h"
#include "qumulo/copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(const char *option, const json_t *current, enum file_type type)
{
	struct file_info file = { .owner = (char *)"500", .group = (char *)"513", .type = type };
	json_t *acl = acl_wanted(option, current, &file);

	(void)acl_is_same(acl, current);
	json_decref(acl);
}

/* What a person wrote is only made into a list if nothing is wrong with it. */
static void check_option(const json_t *option)
{
	struct problems *problems = problems_new();
	char *text = json_dumps(option, JSON_ENCODE_ANY);

	acl_check(text, (struct place){ 0 }, problems);
	if (!problems_error_count(problems)) {
		make(text, option, FILE_REGULAR);
		make(text, option, FILE_DIRECTORY);
	}
	free(acl_describe(text));
	free(text);
	problems_free(problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct file_piece piece = { "7", NULL, 100, 50 };
	json_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	int64_t next = copy_next_offset(json, &piece);

	assert(next == -1 || (next > 100 && next <= 150));
	if (json) {
		make("\"read_only\"", json, FILE_REGULAR);
		check_option(json);
	}
	json_decref(json);
	return 0;
}
