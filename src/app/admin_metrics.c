/* admin_metrics: the numbers of this process and of the store, as Prometheus reads them. */
#include "app/admin_part.h"
#include "base/clock.h"
#include "base/metric.h"

#define TEXT_MOST (4u << 20)

static void add_metric(void *ctx, const struct metric *metric)
{
	static const char *const kinds[] = { "counter", "gauge" };
	struct buf *text = ctx;
	struct text rest = text_of(metric->name);
	struct text name = text_cut(&rest, '{');
	AUTO(free)
	char *about = str_format("# HELP %.*s %s\n# TYPE %.*s %s\n", TEXT_ARGS(name), metric->help,
				 TEXT_ARGS(name), kinds[metric->kind]);

	/* Metrics come in order of their names, so those of one family stand together. */
	if (!text->data || !strstr(text->data, about))
		(void)!buf_append(text, about, strlen(about));
	(void)!buf_print(text, "%s %lld\n", metric->name, (long long)metric->value);
}

static void set_gauge(const char *name, int64_t value, const char *help)
{
	metric_set(metric_get(name, METRIC_GAUGE, help), value);
}

/* How long the job that waits longest has been due. */
static int job_lag(struct store *store, int64_t *out_ms, struct error *err)
{
	int64_t due_ms;

	if (store_job_next_due(store, &due_ms, err) < 0)
		return -1;
	*out_ms = due_ms ? MAX(clock_now_ms() - due_ms, 0) : 0;
	return 0;
}

/* What every process says alike, because it is the store's: by it one can decide how many are
 * needed. */
static int ask_store(struct store *store, struct error *err)
{
	struct store_counts counts;
	uint64_t cursor;
	int64_t lag_ms;

	if (store_cursor_get(store, &cursor, err) < 0 || store_count(store, &counts, err) < 0 ||
	    job_lag(store, &lag_ms, err) < 0)
		return -1;
	set_gauge("cn_jobs_waiting", (int64_t)counts.jobs_waiting,
		  "Jobs that wait for their turn or time");
	set_gauge("cn_jobs_taken", (int64_t)counts.jobs_taken, "Jobs that some process works on");
	set_gauge("cn_jobs_dead", (int64_t)counts.jobs_dead, "Dead letters");
	set_gauge("cn_job_lag_ms", lag_ms, "How long the job that waits longest has been due");
	set_gauge("cn_log_lag_records",
		  counts.last_seq > cursor ? (int64_t)(counts.last_seq - cursor) : 0,
		  "Records that are not judged yet");
	set_gauge("cn_log_behind_records", (int64_t)counts.log_behind,
		  "Records on this machine that the store does not have yet");
	set_gauge("cn_gaps", (int64_t)counts.gaps, "Times in which nobody listened");
	set_gauge("cn_log_bytes", counts.log_bytes, "Bytes of the log");
	set_gauge("cn_state_bytes", counts.state_bytes, "Bytes of jobs, history and timers");
	return 0;
}

void admin_metrics(struct admin_question *question)
{
	AUTO_ERROR err = { 0 };
	bool is_away = json_object_get(question->known, "store_trouble");
	int result = is_away ? -1 : ask_store(question->store, &err);

	set_gauge("cn_store_up", result == 0, "1 while the store answers");
	question->text = buf_new(TEXT_MOST);
	metric_visit(add_metric, question->text);
	question->status = 200;
}
