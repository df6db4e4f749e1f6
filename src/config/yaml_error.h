/*
 * yaml_error: says in plain words, with a way out, what a YAML parser reports about syntax.
 */
#ifndef CONFIG_YAML_ERROR_H
#define CONFIG_YAML_ERROR_H

#include "config/problem.h"

/*
 * said: the parser's own sentence, about place in text. open: the innermost list or mapping that
 * has begun and not ended there.
 */
void yaml_error(struct problems *problems, struct text text, struct place place, struct place open,
		const char *said);

#endif
