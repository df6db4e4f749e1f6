#include "app/deliver_unstored.h"

#include "base/clock.h"

#define MOST 100

struct unstored {
	struct list link;
	struct job job;
};

static void drop(struct deliver *deliver, struct unstored *unstored)
{
	list_remove(&unstored->link);
	job_clear(&unstored->job);
	free(unstored);
	deliver->unstored_count--;
}

/* Takes job over. */
static void put(struct deliver *deliver, struct job *job)
{
	struct unstored *unstored = NEW(struct unstored);

	unstored->job = *job;
	*job = (struct job){ 0 };
	pthread_mutex_lock(&deliver->lock);
	if (deliver->unstored_count == MOST) {
		log_error("act", "too many messages wait past the store; the oldest is dropped");
		drop(deliver, list_entry(deliver->unstored.next, struct unstored, link));
	}
	list_append(&deliver->unstored, &unstored->link);
	deliver->unstored_count++;
	pthread_mutex_unlock(&deliver->lock);
}

void deliver_put_unstored(struct deliver *deliver, const char *body)
{
	struct job job = { .file_id = str_copy(""),
			   .body = str_copy(body),
			   .due_ms = clock_now_ms() };

	put(deliver, &job);
	uv_async_send(&deliver->wake);
}

void deliver_begin_unstored(struct deliver *deliver)
{
	int64_t now_ms = clock_now_ms();

	for (;;) {
		struct unstored *unstored;
		struct job job = { 0 };

		pthread_mutex_lock(&deliver->lock);
		list_for_each (unstored, &deliver->unstored, link) {
			if (unstored->job.due_ms > now_ms)
				continue;
			job = unstored->job;
			unstored->job = (struct job){ 0 };
			drop(deliver, unstored);
			break;
		}
		pthread_mutex_unlock(&deliver->lock);
		if (!job.body)
			return;
		delivery_begin(delivery_new(deliver, &job));
	}
}

int64_t deliver_unstored_due(struct deliver *deliver)
{
	int64_t now_ms = clock_now_ms(), due_ms = -1;
	struct unstored *unstored;

	pthread_mutex_lock(&deliver->lock);
	list_for_each (unstored, &deliver->unstored, link) {
		int64_t wait_ms = MAX(unstored->job.due_ms - now_ms, 0);

		due_ms = due_ms < 0 ? wait_ms : MIN(due_ms, wait_ms);
	}
	pthread_mutex_unlock(&deliver->lock);
	return due_ms;
}

void deliver_end_unstored(struct deliver *deliver)
{
	struct delivery *delivery;

	list_for_each (delivery, &deliver->writing, queue_link) {
		if (!delivery_is_unstored(delivery))
			continue;
		if (delivery->write == WRITE_RETRY)
			put(deliver, &delivery->job);
		deliver_written(delivery);
	}
}

void deliver_forget_unstored(struct deliver *deliver)
{
	struct unstored *unstored;

	list_for_each (unstored, &deliver->unstored, link)
		drop(deliver, unstored);
}
