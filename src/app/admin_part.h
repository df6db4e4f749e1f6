/* admin_part: what the files of admin share. */
#ifndef APP_ADMIN_PART_H
#define APP_ADMIN_PART_H

#include <jansson.h>

#include "io/http_server.h"
#include "store/store.h"

/* Gives body away. */
void admin_answer(struct http_exchange *exchange, int status, json_t *body);
void admin_answer_error(struct http_exchange *exchange, int status, const char *why);
json_t *admin_time(int64_t ms); /* null for 0 */
/* A number of the query; standard if it is absent or none. */
uint64_t admin_number(const struct http_ask *ask, const char *name, uint64_t standard);

/* admin_jobs.c: jobs are looked at, and dead letters decided about. */
enum dead_choice { DEAD_RETRY, DEAD_DROP };
void admin_jobs(struct store *store, const struct http_ask *ask);
void admin_dead(struct store *store, const struct http_ask *ask, enum dead_choice choice);

#endif
