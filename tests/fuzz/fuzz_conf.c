/* fuzz_conf: cn_monitor.conf as anybody might write it. */
#include <assert.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool shows_paths(struct text kind, struct text key, struct text value)
{
	return text_is(key, "PATH");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(conf_free)
	struct conf *conf = conf_parse("fuzz.conf", (struct text){ (const char *)data, size },
				       shows_paths, problems);
	AUTO(free) char *text = NULL;

	assert(conf || problems_error_count(problems));
	for (const struct conf_section *section = conf ? conf_sections(conf) : NULL; section;
	     section = section->next) {
		assert(section->kind.size && section->place.line >= 1);
		for (const struct conf_entry *entry = section->entries; entry;
		     entry = entry->next) {
			assert(entry->key.size && entry->place.column >= 1);
			assert(!memchr(entry->value.data, '\n', entry->value.size));
			assert(!memchr(entry->value.data, 0, entry->value.size));
			problems_warning(problems, entry->place, "here");
		}
	}
	text = problems_format(problems, size % 2);
	assert(text);
	return 0;
}
