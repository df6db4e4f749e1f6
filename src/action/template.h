/*
 * template: text with {fields}. {{ and }} are braces. Fields: path name stem extension dir old_path
 * old_name event file_id rule watch cluster origin time date job; of the file: size owner group
 * mode; results of earlier steps: {quarantine.path}.
 */
#ifndef ACTION_TEMPLATE_H
#define ACTION_TEMPLATE_H

#include "action/action.h"
#include "base/buf.h"

/* NULL, or what is wrong with the template: "unknown field {pth}, did you mean {path}?". For
 * free(). */
char *template_check(void *unused, struct text text);
/* Fills in; a field without a value gives "". Result for free(). -1: past limit_bytes. */
MUST_CHECK int template_render(char **out, const char *text, const struct action_run *run,
			       size_t limit_bytes, struct error *err);

/* Appends a field's value in the form that the target wants; false: past the ceiling. */
typedef bool template_escape(struct buf *out, struct text value);
/* The same; the values go through escape, what the person wrote stays as it is. */
MUST_CHECK int template_render_escaped(char **out, const char *text, const struct action_run *run,
				       size_t limit_bytes, template_escape *escape,
				       struct error *err);

/* The fields that every action has, ended by NULL; the last four are of the file. */
const char *const *template_fields(void);

/* Text that becomes `text` again: its braces are doubled. For free(). */
char *template_escape_text(struct text text);

/* Whether a field of text is an attribute of the file, so that the file must be read first. */
bool template_wants_file(struct text text);
/* A glob of all that text may become: "{stem}.done" is "*.done". For free(). */
char *template_glob(struct text text);

#endif
