/* backtest_print: words and numbers of a backtest's text, on standard output. */
#ifndef CMD_BACKTEST_PRINT_H
#define CMD_BACKTEST_PRINT_H

#include "cmd/backtest.h"

/* Foreign text. */
void print_safe(const char *text);
/* code if colours are wanted, else nothing. */
const char *colour(const struct shown *shown, const char *code);
/* "1,234" */
void print_number(uint64_t number);
/* "12", "3 to 57", "at most 57". */
void print_bounds(uint64_t sure, uint64_t most);
/* The same with a noun: "1 job", "3 to 57 jobs". */
void print_many(uint64_t sure, uint64_t most, const char *one, const char *many);
void print_duration(int64_t ms); /* "90s", "2h" */
void print_time(int64_t time_ms);

/* Beside the rules at work; see backtest_compared.c. */
void print_comparison(const struct shown *shown);

#endif
