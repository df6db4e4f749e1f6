#include "action/target.h"

#include "action/template.h"

#define TARGET_MAX ((size_t)512 * 1024) /* what no path of the cluster reaches */

const char *const target_collisions[] = { "fail", "suffix", "replace", NULL };

void target_check(const char *module, const char *to, struct place place, struct problems *problems)
{
	bool is_path = to[0] == '/' || to[0] == '{';

	if (!to[0])
		problems_error(problems, place, "%s: to is empty: expected a name", module);
	else if (strcmp(to, ".") == 0 || strcmp(to, "..") == 0)
		problems_error(problems, place, "%s: to '%s' is no name for a file", module, to);
	else if (!is_path && strchr(to, '/'))
		problems_error(problems, place,
			       "%s: to '%s': expected a name without /, or an absolute path "
			       "like {dir}/%s",
			       module, to, to);
	else if (!strchr(to, '{') && !text_ends_with(text_of(to), TEXT("/")))
		problems_warning(problems, place,
				 "%s: to '%s' is the same name for every file; fields like "
				 "{stem} and {extension} tell them apart",
				 module, to);
}

/* The path up to the first field, as far as it is whole directories; for free(). These fields begin
 * a directory of their own. */
static char *fixed_directory(struct text to)
{
	struct text fixed = to, rest;
	const char *brace = memchr(to.data, '{', to.size);

	if (!brace)
		return text_copy(path_parent(fixed));
	fixed.size = brace - to.data;
	rest = (struct text){ brace, to.size - fixed.size };
	if (fixed.size > 1 &&
	    (text_starts_with(rest, TEXT("{path}")) || text_starts_with(rest, TEXT("{dir}"))))
		return text_ends_with(fixed, TEXT("/")) ? text_copy(path_parent(fixed))
							: text_copy(fixed);
	return text_copy(path_parent(fixed));
}

bool target_effect(const char *to, struct event_effect *effect)
{
	struct text whole = text_of(to), name = path_name(whole);
	bool is_here = strncmp(to, "{dir}/", 6) == 0 && !strchr(to + 6, '/');
	bool is_path = !is_here && strchr(to, '/');

	effect->same_directory = !is_path;
	if (is_path && to[0] == '/')
		effect->path = fixed_directory(whole);
	if (!name.size || text_is(name, "{name}") || text_is(name, "{stem}{extension}") ||
	    text_ends_with(name, TEXT("{path}")))
		effect->keeps_name = true;
	else
		effect->name = template_glob(name);
	return is_path;
}

int target_of(char **out, const char *template, const struct action_run *run, struct error *err)
{
	struct text source = run->file ? text_of(run->file->path) : run->event->path;
	AUTO(free) char *to = NULL;
	struct text text;

	if (template_render(&to, template, run, TARGET_MAX, err) < 0)
		return -1;
	text = text_of(to);
	if (text.size && text.data[0] == '/') {
		bool is_directory = text_ends_with(text, TEXT("/"));
		AUTO(free) char *path = path_join(text, TEXT_NONE);

		*out = is_directory ? path_join(text_of(path), path_name(source)) : TAKE(path);
		return 0;
	}
	if (!text.size || strchr(to, '/'))
		return error_set(err, "'%s' is no name for a file (from to: '%s')", to, template);
	*out = path_join(path_parent(source), text);
	return 0;
}
