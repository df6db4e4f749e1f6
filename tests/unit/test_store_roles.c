/* The store's contract about who may, and about what its processes tell each other, on every
 * implementation, seen from one process; test_store_redis*.c has several. */
#define STORES_ON_GROUPS
#include "stores.h"

#include <pthread.h>

static void a_lease_is_taken_renewed_and_seen(void **state)
{
	struct fixture *f = *state;
	struct store_lease lease, again;

	assert_int_equal(store_lease_take(f->store, STORE_FILTER, 5000, &lease, &f->err), 1);
	assert_true(lease.token > 0);
	assert_string_equal(lease.holder, "host-1/run/1");
	assert_false(lease.is_unconfirmed);
	assert_int_equal(store_lease_take(f->store, STORE_FILTER, 5000, &again, &f->err), 1);
	assert_int_equal(again.token, lease.token);
	assert_int_equal(store_lease_look(f->store, STORE_FILTER, &again, &f->err), 1);
	assert_int_equal(again.token, lease.token);
	assert_string_equal(again.holder, "host-1/run/1");
	ok(f, store_lease_drop(f->store, STORE_FILTER, &f->err));
	assert_int_equal(store_lease_take(f->store, STORE_FILTER, 5000, &again, &f->err), 1);
	assert_true(again.token >= lease.token);
}

static void a_transaction_of_who_holds_the_lease_is_committed(void **state)
{
	struct fixture *f = *state;
	struct store_lease lease;
	struct store_txn *txn;
	uint64_t cursor;

	assert_int_equal(store_lease_take(f->store, STORE_FILTER, 5000, &lease, &f->err), 1);
	ok(f, store_begin(f->store, &txn, &f->err));
	ok(f, store_fence(txn, STORE_FILTER, &f->err));
	ok(f, store_cursor_put(txn, 7, &f->err));
	ok(f, store_commit(txn, &f->err));
	ok(f, store_cursor_get(f->store, &cursor, &f->err));
	assert_int_equal(cursor, 7);
}

struct members {
	int count;
	char name[32], status[64];
	int64_t age_ms;
};

static void see_member(void *ctx, const char *name, struct text status_json, int64_t age_ms)
{
	struct members *members = ctx;

	members->count++;
	members->age_ms = age_ms;
	snprintf(members->name, sizeof(members->name), "%s", name);
	snprintf(members->status, sizeof(members->status), "%.*s", TEXT_ARGS(status_json));
}

static void a_status_is_seen_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct members members = { 0 };

	ok(f, store_member_visit(f->store, see_member, &members, &f->err));
	assert_int_equal(members.count, 0);
	ok(f, store_member_put(f->store, TEXT("{\"a\":1}"), 60000, &f->err));
	ok(f, store_member_put(f->store, TEXT("{\"a\":2}"), 60000, &f->err));
	ok(f, store_member_visit(f->store, see_member, &members, &f->err));
	assert_int_equal(members.count, 1);
	assert_string_equal(members.name, "host-1/run/1");
	assert_string_equal(members.status, "{\"a\":2}");
	assert_in_range(members.age_ms, 0, 59999);
}

static void a_status_goes_after_its_time(void **state)
{
	struct fixture *f = *state;
	struct members members = { .count = -1 };

	ok(f, store_member_put(f->store, TEXT("{}"), 20, &f->err));
	for (int i = 0; i < 500 && members.count; i++) {
		poll(NULL, 0, 10);
		members.count = 0;
		ok(f, store_member_visit(f->store, see_member, &members, &f->err));
	}
	assert_int_equal(members.count, 0);
}

struct heard {
	pthread_mutex_t lock;
	int count;
	char last[32];
};

static void hear(void *ctx, struct text message)
{
	struct heard *heard = ctx;

	pthread_mutex_lock(&heard->lock);
	heard->count++;
	snprintf(heard->last, sizeof(heard->last), "%.*s", TEXT_ARGS(message));
	pthread_mutex_unlock(&heard->lock);
}

static void await(struct heard *heard, int count)
{
	int now = 0;

	for (int i = 0; i < 1000 && now < count; i++) {
		pthread_mutex_lock(&heard->lock);
		now = heard->count;
		pthread_mutex_unlock(&heard->lock);
		if (now < count)
			poll(NULL, 0, 10);
	}
	assert_int_equal(now, count);
}

static void a_message_is_heard_once_by_who_told_it_too(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { PTHREAD_MUTEX_INITIALIZER, 0, "" };
	AUTO(free) char *large = mem_new(STORE_MESSAGE_MAX + 1);

	store_on_message(f->store, hear, &heard);
	ok(f, store_tell(f->store, TEXT("reload"), &f->err));
	await(&heard, 1);
	assert_string_equal(heard.last, "reload");
	refused(f, store_tell(f->store, (struct text){ large, STORE_MESSAGE_MAX + 1 }, &f->err),
		"at most");
	ok(f, store_tell(f->store, TEXT("bytes\0and more"), &f->err));
	await(&heard, 2);
	store_on_message(f->store, NULL, NULL);
	ok(f, store_tell(f->store, TEXT("nobody listens any more"), &f->err));
	assert_int_equal(heard.count, 2);
}

static void what_is_committed_can_be_waited_for(void **state)
{
	struct fixture *f = *state;
	struct record record = { .time_ms = 1, .watch = TEXT("main"), .bytes = TEXT("[]") };
	struct store_counts counts;
	uint64_t seq, first, last;

	for (int i = 0; i < 3; i++)
		ok(f, store_log_append(f->store, &record, &seq, &f->err));
	ok(f, store_log_commit(f->store, &f->err));
	assert_int_equal(store_log_drain(f->store, 10000, &f->err), 1);
	ok(f, store_log_range(f->store, &first, &last, &f->err));
	assert_int_equal(last, 3);
	ok(f, store_count(f->store, &counts, &f->err));
	assert_int_equal(counts.log_behind, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_is_taken_renewed_and_seen),
		cmocka_unit_test(a_transaction_of_who_holds_the_lease_is_committed),
		cmocka_unit_test(a_status_is_seen_until_it_is_replaced),
		cmocka_unit_test(a_status_goes_after_its_time),
		cmocka_unit_test(a_message_is_heard_once_by_who_told_it_too),
		cmocka_unit_test(what_is_committed_can_be_waited_for),
	};

	return run_on_every_store(tests, ARRAY_SIZE(tests));
}
