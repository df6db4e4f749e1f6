/* metric: named numbers about the program, counted from any thread, read by status and /metrics. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdatomic.h>

#include "base/base.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
	const char
		*name; /* "cn_events_judged_total", with labels: "cn_jobs_total{result=\"done\"}" */
	const char *help;
	enum metric_kind kind;
	_Atomic int64_t value;
	struct metric *next;
};

/* The one metric of this name, made at the first call. Never freed. */
struct metric *metric_get(const char *name, enum metric_kind kind, const char *help);
/* The same with a label: name{label="value"}. */
struct metric *metric_get_of(const char *name, const char *label, const char *value,
			     enum metric_kind kind, const char *help);
void metric_add(struct metric *metric, int64_t amount);
void metric_set(struct metric *metric, int64_t value);
/* In order of names. */
void metric_visit(void (*visit)(void *ctx, const struct metric *metric), void *ctx);

#endif
