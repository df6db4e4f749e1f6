#include "app/retire.h"

#include <malloc.h>

struct retired {
	uv_work_t work;
	struct rule_set *set;
};

static void free_set(uv_work_t *work)
{
	struct retired *retired = work->data;

	rule_set_free(retired->set);
	/* Reading the rules that replace it left nearly as much behind as they take themselves. */
	malloc_trim(0);
}

static void on_set_freed(uv_work_t *work, int status)
{
	free(work->data);
}

void retire_set(uv_loop_t *loop, struct rule_set *set)
{
	struct retired *retired;

	if (!set)
		return;
	retired = NEW(struct retired);
	retired->set = set;
	retired->work.data = retired;
	uv_queue_work(loop, &retired->work, free_set, on_set_freed);
}
