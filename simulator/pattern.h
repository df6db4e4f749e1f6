/*
 * pattern: texts made from a number, for generated events: "home/user{n%100}/file{n}.{r%7}".
 *
 *	{n}      the number            {n%K} {n/K}  its remainder, its quotient
 *	{r%K}    a pseudo-random number below K, fixed by seed and n
 *	{nasty}  one of several names that are hard to handle
 */
#ifndef SIMULATOR_PATTERN_H
#define SIMULATOR_PATTERN_H

#include "base/buf.h"
#include "base/error.h"

enum { PATTERN_MAX = 100000 };

struct pattern;
MUST_CHECK int pattern_parse(struct pattern **out, const char *text, struct error *err);
void pattern_free(struct pattern *pattern);
AUTO_DEFINE(struct pattern *, pattern_free)
void pattern_write(const struct pattern *pattern, uint64_t seed, int64_t n, struct buf *out);

/* A good mixture of both, the same for the same input. */
uint64_t pattern_random(uint64_t seed, uint64_t n);
/* Decimal digits; returns how many were written (at most 20, no NUL). */
size_t pattern_digits(char *out, uint64_t number);

#endif
