/*
 * template: text with {fields}. {{ and }} are braces. Fields: path name stem extension dir old_path
 * old_name event file_id rule watch cluster origin time date job; of the file: size owner group
 * mode; results of earlier steps: {quarantine.path}.
 */
#ifndef ACTION_TEMPLATE_H
#define ACTION_TEMPLATE_H

#include "action/action.h"

/* NULL, or what is wrong with the template: "unknown field {pth}, did you mean {path}?". For
 * free(). */
char *template_check(void *unused, struct text text);
/* Fills in; a field without a value gives "". Result for free(). -1: past limit_bytes. */
MUST_CHECK int template_render(char **out, const char *text, const struct action_run *run,
			       size_t limit_bytes, struct error *err);

#endif
