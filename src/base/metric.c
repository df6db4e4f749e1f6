#include "base/metric.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *first;

struct metric *metric_get(const char *name, enum metric_kind kind, const char *help)
{
	pthread_mutex_lock(&lock);

	struct metric **place = &first;

	while (*place && strcmp((*place)->name, name) < 0)
		place = &(*place)->next;
	if (!*place || strcmp((*place)->name, name) != 0) {
		struct metric *metric = NEW(struct metric);

		metric->name = str_copy(name);
		metric->help = str_copy(help);
		metric->kind = kind;
		metric->next = *place;
		*place = metric;
	}

	struct metric *found = *place;

	pthread_mutex_unlock(&lock);
	return found;
}

struct metric *metric_get_of(const char *name, const char *label, const char *value,
			     enum metric_kind kind, const char *help)
{
	AUTO(free) char *whole = str_format("%s{%s=\"%s\"}", name, label, value);

	return metric_get(whole, kind, help);
}

void metric_add(struct metric *metric, int64_t amount)
{
	atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_visit(void (*visit)(void *ctx, const struct metric *metric), void *ctx)
{
	pthread_mutex_lock(&lock);
	for (struct metric *metric = first; metric; metric = metric->next)
		visit(ctx, metric);
	pthread_mutex_unlock(&lock);
}
