#include "app/members.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/thread.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

#define ROUND_MS 1000
#define SHOWN_MS 300000 /* how long one that was killed is still shown, with its age */
#define TELL_MOST 1000  /* that wait; older ones are dropped */

struct letter {
	struct list link;
	char *text;
};

struct members {
	struct store *store;
	struct members_handler handler;
	uv_async_t news; /* the thread has something for the loop */
	uv_timer_t describe;
	int open_handles;
	uv_thread_t thread;
	json_t *list;      /* the loop's */
	char trouble[256]; /* the loop's */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	char *status;         /* to be shown; NULL: nothing new */
	struct list outgoing; /* letters */
	size_t outgoing_count;
	struct list incoming;
	json_t *fresh_list; /* for the loop; NULL: nothing new */
	char fresh_trouble[256];
	int64_t next_ms; /* steady clock */
	bool is_described;
	bool is_ending;
};

static void letter_add(struct list *list, char *text)
{
	struct letter *letter = NEW(struct letter);

	letter->text = text;
	list_append(list, &letter->link);
}

static void letter_free(struct letter *letter)
{
	list_remove(&letter->link);
	free(letter->text);
	free(letter);
}

static void drop_letters(struct list *list)
{
	struct letter *letter;

	list_for_each (letter, list, link)
		letter_free(letter);
}

/* ---- The thread ---- */

static int show(struct members *members, int64_t ttl_ms, struct error *err)
{
	int result;

	pthread_mutex_lock(&members->lock);
	AUTO(free) char *status = TAKE(members->status);
	pthread_mutex_unlock(&members->lock);
	if (!status)
		return 0;
	result = store_member_put(members->store, text_of(status), ttl_ms, err);
	return result;
}

static struct letter *first_letter(struct members *members)
{
	struct letter *letter = NULL;

	pthread_mutex_lock(&members->lock);
	if (!list_is_empty(&members->outgoing)) {
		letter = list_entry(members->outgoing.next, struct letter, link);
		list_remove(&letter->link);
		members->outgoing_count--;
	}
	pthread_mutex_unlock(&members->lock);
	return letter;
}

static int tell_all(struct members *members, struct error *err)
{
	struct letter *letter;

	while ((letter = first_letter(members))) {
		if (store_tell(members->store, text_of(letter->text), err) < 0) {
			pthread_mutex_lock(&members->lock);
			letter->link.next = members->outgoing.next;
			letter->link.prev = &members->outgoing;
			members->outgoing.next->prev = &letter->link;
			members->outgoing.next = &letter->link;
			members->outgoing_count++;
			pthread_mutex_unlock(&members->lock);
			return -1;
		}
		letter_free(letter);
	}
	return 0;
}

static void add_member(void *ctx, const char *name, struct text status, int64_t age_ms)
{
	json_t *list = ctx;
	json_t *object = json_loadb(status.data, status.size, 0, NULL);

	if (object)
		json_array_append_new(list,
				      json_pack("{s:s,s:I,s:o}", "member", name, "age_ms",
						(json_int_t)MAX(age_ms, 0), "status", object));
}

static void go_round(struct members *members)
{
	json_t *list = json_array();
	AUTO_ERROR err = { 0 };
	bool is_fine = show(members, SHOWN_MS, &err) == 0 && tell_all(members, &err) == 0 &&
		       store_member_visit(members->store, add_member, list, &err) == 0;

	pthread_mutex_lock(&members->lock);
	json_t *before = TAKE(members->fresh_list);

	/* Nobody knows how the others are: what was heard last only gets older. */
	members->fresh_list = is_fine ? list : NULL;
	snprintf(members->fresh_trouble, sizeof(members->fresh_trouble), "%s",
		 is_fine ? "" : error_text(&err));
	pthread_mutex_unlock(&members->lock);
	json_decref(before);
	if (!is_fine)
		json_decref(list);
	uv_async_send(&members->news);
}

static bool wait_for_round(struct members *members)
{
	bool is_ending;

	pthread_mutex_lock(&members->lock);
	while (!members->is_ending) {
		int64_t wait_ms = members->next_ms - clock_monotonic_ms();

		if (wait_ms <= 0)
			break;
		thread_wait(&members->wake, &members->lock, wait_ms);
	}
	members->next_ms = clock_monotonic_ms() + ROUND_MS;
	is_ending = members->is_ending;
	pthread_mutex_unlock(&members->lock);
	return !is_ending;
}

static void members_main(void *arg)
{
	struct members *members = arg;
	AUTO_ERROR err = { 0 };

	pthread_setname_np(pthread_self(), "cn-members");
	while (wait_for_round(members))
		go_round(members);
	/* One that ends in order is not shown any more. */
	if (!*members->fresh_trouble && (tell_all(members, &err) < 0 || show(members, 1, &err) < 0))
		log_warn("members", "the other processes could not be told that this one ends: %s",
			 error_text(&err));
}

/* In any thread of the store's. */
static void message_came(void *ctx, struct text message)
{
	struct members *members = ctx;

	pthread_mutex_lock(&members->lock);
	letter_add(&members->incoming, text_copy(message));
	pthread_mutex_unlock(&members->lock);
	uv_async_send(&members->news);
}

/* ---- The loop ---- */

static void hear(struct members *members, struct list *letters)
{
	struct letter *letter;

	list_for_each (letter, letters, link) {
		json_t *message = json_loads(letter->text, 0, NULL);

		letter_free(letter);
		if (message)
			members->handler.heard(members->handler.ctx, message);
		json_decref(message);
	}
}

static void news_came(uv_async_t *news)
{
	struct members *members = news->data;
	struct list letters;
	json_t *list;

	pthread_mutex_lock(&members->lock);
	list = TAKE(members->fresh_list);
	memcpy(members->trouble, members->fresh_trouble, sizeof(members->trouble));
	list_take_all(&letters, &members->incoming);
	pthread_mutex_unlock(&members->lock);
	if (list) {
		json_decref(members->list);
		members->list = list;
	}
	hear(members, &letters);
}

/* Under the lock. */
static void wake_thread(struct members *members)
{
	members->next_ms = 0;
	pthread_cond_signal(&members->wake);
}

static void describe_due(uv_timer_t *timer)
{
	struct members *members = timer->data;
	json_t *status = members->handler.describe(members->handler.ctx);
	char *text = json_dumps(status, JSON_COMPACT);

	json_decref(status);
	pthread_mutex_lock(&members->lock);
	free(members->status);
	members->status = text;
	if (!members->is_described)
		wake_thread(members); /* nobody has to wait for the first word of it */
	members->is_described = true;
	pthread_mutex_unlock(&members->lock);
}

void members_tell(struct members *members, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (!text || strlen(text) > STORE_MESSAGE_MAX) {
		log_error("members", "a message is too long for the other processes: %.200s...",
			  text ? text : "");
		free(text);
		return;
	}
	pthread_mutex_lock(&members->lock);
	if (members->outgoing_count == TELL_MOST)
		letter_free(list_entry(members->outgoing.next, struct letter, link));
	else
		members->outgoing_count++;
	letter_add(&members->outgoing, text);
	wake_thread(members);
	pthread_mutex_unlock(&members->lock);
}

json_t *members_list(const struct members *members)
{
	return members->list;
}

const char *members_trouble(const struct members *members)
{
	return members->trouble;
}

char *member_name(const char *role)
{
	char host[256] = "localhost";
	unsigned number = (unsigned)getpid();
	bool is_alone = number == 1; /* in a container every process has this number */

	gethostname(host, sizeof(host) - 1);
	if (is_alone && getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (unsigned)clock_now_ms();
	return str_format(is_alone ? "%s/%s/%x" : "%s/%s/%u", host, role, number);
}

/* ---- Life ---- */

static void members_free(struct members *members)
{
	drop_letters(&members->outgoing);
	drop_letters(&members->incoming);
	json_decref(members->list);
	json_decref(members->fresh_list);
	free(members->status);
	pthread_cond_destroy(&members->wake);
	pthread_mutex_destroy(&members->lock);
	free(members);
}

static void handle_closed(uv_handle_t *handle)
{
	struct members *members = handle->data;

	if (--members->open_handles == 0)
		members_free(members);
}

static void close_handles(struct members *members)
{
	uv_close((uv_handle_t *)&members->news, handle_closed);
	uv_close((uv_handle_t *)&members->describe, handle_closed);
}

int members_open(struct members **out, uv_loop_t *loop, struct store *store,
		 const struct members_handler *handler, struct error *err)
{
	struct members *members = NEW(struct members);

	members->store = store;
	members->handler = *handler;
	members->list = json_array();
	list_init(&members->outgoing);
	list_init(&members->incoming);
	pthread_mutex_init(&members->lock, NULL);
	thread_cond_init(&members->wake);
	uv_async_init(loop, &members->news, news_came);
	uv_timer_init(loop, &members->describe);
	members->news.data = members->describe.data = members;
	members->open_handles = 2;
	if (thread_start(&members->thread, members_main, members, err) < 0) {
		close_handles(members);
		return -1;
	}
	store_on_message(store, message_came, members);
	uv_timer_start(&members->describe, describe_due, 0, ROUND_MS);
	*out = members;
	return 0;
}

void members_close(struct members *members)
{
	if (!members)
		return;
	pthread_mutex_lock(&members->lock);
	free(members->status);
	members->status = str_copy("{}");
	members->is_ending = true;
	pthread_cond_signal(&members->wake);
	pthread_mutex_unlock(&members->lock);
	uv_thread_join(&members->thread);
	store_on_message(members->store, NULL, NULL);
	close_handles(members);
}
