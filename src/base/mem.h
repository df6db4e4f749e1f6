/* mem: memory that is there or the program ends; out of memory is not an error to handle. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stdlib.h>

#include "base/base.h"

/* Zeroed. Free with free(). */
void *mem_new(size_t size);
void *mem_array(size_t count, size_t size);
void *mem_grow(void *old, size_t count, size_t size); /* as realloc, overflow checked */
void *mem_copy(const void *data, size_t size);

char *str_copy(const char *text); /* NULL gives NULL */
char *str_copy_n(const char *data, size_t size);
char *str_format(const char *format, ...) PRINTF_LIKE(1, 2);
char *str_vformat(const char *format, va_list args);

#define NEW(type) ((type *)mem_new(sizeof(type)))

AUTO_DEFINE(char *, free)

#endif
