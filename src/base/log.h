/*
 * log: lines about the program itself, to standard error; safe from every thread.
 *
 * error: somebody must act. warn: we work around it. info: a state changed. debug: for developers.
 * `who` is who speaks, like "watch/main". The same line from the same speaker again and again is
 * written at doubling intervals, with a count.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
/* Every later line shows *** where this text stood. For tokens and passwords; at least 4 bytes. */
void log_hide(const char *secret);
/* Lines go to sink instead of standard error; NULL ends it. For tests. */
void log_redirect(void (*sink)(enum log_level level, const char *who, const char *line));

void log_write(enum log_level level, const char *who, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(who, ...) log_write(LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...) log_write(LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...) log_write(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...) log_write(LOG_DEBUG, who, __VA_ARGS__)

#endif
