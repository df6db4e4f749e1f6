/*
 * escape: foreign text that is shown to people stays text. Whoever names a file can neither start
 * a line, nor give a terminal a command, nor turn the direction of what follows.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdio.h>

#include "base/base.h"

enum escape_style {
	ESCAPE_TEXT, /* \n \t \x1b \u202e */
	ESCAPE_JSON, /* what stands between the quotes of a string of JSON */
};

void escape_print(FILE *out, const char *text, enum escape_style style);

#endif
