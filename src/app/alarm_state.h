/* alarm_state: which troubles the monitor has, and when one is told. No I/O. */
#ifndef APP_ALARM_STATE_H
#define APP_ALARM_STATE_H

#include <jansson.h>

#include "rule/alarm.h"

/* A trouble that is over comes back within this time as the same. */
#define ALARM_HOLD_MS 10000

/*
 * What is wrong, by what describe_monitor() says and the number of dead letters: an array of
 * {"kind": number, "key": "stream/main", "text": "watch main is not heard: .."}. New reference.
 */
json_t *alarm_troubles(const json_t *monitor, uint64_t dead_letters);

/* Whether the filter goes on: a cursor that stays where it is says nothing while nothing waits. */
struct alarm_progress {
	uint64_t cursor;
	int64_t since_ms; /* it stands there while records wait; 0: it does not */
};
/* Adds the trouble that it stands still, unless troubles has one of the filter. */
void alarm_watch_progress(struct alarm_progress *progress, uint64_t cursor, uint64_t last_seq,
			  int64_t now_ms, json_t *troubles);

enum alarm_verdict { ALARM_NOTHING, ALARM_RAISE, ALARM_CLEAR };
/*
 * state is what is known of one trouble of one alarm, {} at first, and is to be stored; {} again
 * when it is over. text: NULL when the trouble is not there.
 */
enum alarm_verdict alarm_step(json_t *state, const char *text, int64_t after_ms, int64_t now_ms);

#endif
