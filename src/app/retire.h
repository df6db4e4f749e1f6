/* retire: rules that a loop is done with are freed beside it: a hundred thousand take a second. */
#ifndef APP_RETIRE_H
#define APP_RETIRE_H

#include <uv.h>

#include "rule/rule.h"

/* Gives one share away, in another thread; the loop does not end before that is done. NULL is fine.
 */
void retire_set(uv_loop_t *loop, struct rule_set *set);

#endif
