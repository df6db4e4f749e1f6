/* alarm: what is to be done about the monitor's own troubles: `alarms:` of a rule file. */
#ifndef RULE_ALARM_H
#define RULE_ALARM_H

#include "rule/rule.h"

enum alarm_kind {
	ALARM_STREAM,      /* a watch is not heard */
	ALARM_FILTER,      /* nothing is judged, or it is far behind */
	ALARM_ACT,         /* nobody acts, or cannot */
	ALARM_SERVER,      /* a mail server or web hook does not work */
	ALARM_DEAD_LETTER, /* there are some */
	ALARM_RULES,       /* changed rules have errors */
	ALARM_LIMIT,       /* a rule has reached its limit and is a dry run */
	ALARM_STORE,       /* nothing can be stored; told past the store */
	ALARM_KINDS
};

struct rule_alarm {
	const struct rule *rule; /* whose steps are done; it has no conditions */
	unsigned kinds;          /* bit n: alarm_kind n */
	int64_t after_ms;        /* a trouble must have lasted so long */
};

const char *alarm_kind_name(enum alarm_kind kind); /* "stream" */
const struct reference_row *alarm_kind_rows(void); /* ended by a name of NULL */

size_t rule_set_alarm_count(const struct rule_set *set);
const struct rule_alarm *rule_set_alarm(const struct rule_set *set, size_t index);

#endif
