#include "app/crew.h"

#include <stdio.h>

#include "app/lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"

#define AWAY_MS 10000 /* with a role that cannot be started: a standby may have more luck */
#define DRAIN_MS 5000 /* for what was heard to reach the other roles before the end */

/* One role of this process. */
struct duty {
	struct crew *crew;
	struct post post;
	struct lease *lease; /* NULL: it needs none */
	const char *name;
	enum crew_state state;
	int64_t since_ms;
	uint64_t token; /* of the lease under which it is at work */
	uv_work_t work; /* starts or stops it */
	bool is_busy;
	char failure[400]; /* why it could not be started; "" */
	char holder[128];  /* as it was said last */
	int result;
	struct error err;
	struct metric *active;
};

/* Rules that wait until the stream tells what they need. */
struct waiting {
	struct rule_set *set; /* NULL: none do */
	event_kinds needs;
};

struct crew {
	uv_loop_t *loop;
	unsigned roles;
	const struct post_setup *setup;
	struct reload *reload;
	struct duty duties[STORE_ROLE_COUNT];
	struct waiting *waiting; /* one a watch */
	uv_async_t told;         /* it may */
	bool is_closing;
};

static const char *const state_names[] = { "absent", "standby", "starting", "active", "stopping" };

const char *crew_state_name(enum crew_state state)
{
	return state_names[state];
}

/* STANDBY -> STARTING -> ACTIVE -> STOPPING -> STANDBY; a failed start leads back to STANDBY. */
static void set_state(struct duty *duty, enum crew_state next)
{
	duty->state = next;
	duty->since_ms = clock_now_ms();
	metric_set(duty->active, next == CREW_ACTIVE);
}

/* ---- The rules that a role begins with ---- */

static void share_sets(struct duty *duty)
{
	size_t count = duty->crew->setup->settings->watch_count;

	duty->post.sets = mem_array(count, sizeof(struct rule_set *));
	for (size_t i = 0; i < count; i++)
		duty->post.sets[i] = rule_set_share(reload_get(duty->crew->reload, i));
}

static void rules_swapped(void *ctx, uint64_t after_seq)
{
	const struct watch_settings *watch = ctx;

	log_info("filter", "watch %s: the new rules judge from record %llu on", watch->name,
		 (unsigned long long)after_seq + 1);
}

/* Takes set over. */
static void offer(struct duty *duty, size_t watch, struct rule_set *set)
{
	const struct settings *settings = duty->crew->setup->settings;

	if (duty->state == CREW_ACTIVE && duty->post.filter)
		filter_offer(duty->post.filter, watch, set, rules_swapped,
			     (void *)&settings->watches[watch]);
	else if (duty->state == CREW_ACTIVE && duty->post.deliver)
		deliver_offer(duty->post.deliver, watch, set);
	else
		rule_set_free(set);
}

/* Those that were read while it started are not known to it yet. */
static void drop_sets(struct duty *duty)
{
	size_t count = duty->crew->setup->settings->watch_count;

	for (size_t i = 0; i < count; i++) {
		struct rule_set *now = reload_get(duty->crew->reload, i);

		if (now != duty->post.sets[i])
			offer(duty, i, rule_set_share(now));
		rule_set_free(duty->post.sets[i]);
	}
	free(TAKE(duty->post.sets));
}

/* ---- Started and stopped by the lease ---- */

static void review(struct duty *duty);

static void do_start(uv_work_t *work)
{
	struct duty *duty = work->data;

	duty->result = post_start(&duty->post, &duty->err);
}

static void start_failed(struct duty *duty)
{
	if (strcmp(duty->failure, error_text(&duty->err)) != 0)
		log_error(duty->name, "cannot start, leaves the lease to others for %d s: %s",
			  AWAY_MS / 1000, error_text(&duty->err));
	snprintf(duty->failure, sizeof(duty->failure), "%s", error_text(&duty->err));
	error_clear(&duty->err);
	set_state(duty, CREW_STANDBY);
	lease_yield(duty->lease, AWAY_MS);
}

static void start_done(uv_work_t *work, int status)
{
	struct duty *duty = work->data;

	duty->is_busy = false;
	if (duty->result < 0) {
		start_failed(duty);
	} else {
		duty->failure[0] = '\0';
		set_state(duty, CREW_ACTIVE);
		log_info(duty->name, "active");
	}
	drop_sets(duty);
	review(duty);
}

static void do_stop(uv_work_t *work)
{
	struct duty *duty = work->data;

	post_stop(&duty->post);
}

static void stop_done(uv_work_t *work, int status)
{
	struct duty *duty = work->data;

	duty->is_busy = false;
	set_state(duty, CREW_STANDBY);
	duty->holder[0] = '\0';
	review(duty);
}

static void begin_start(struct duty *duty, uint64_t token)
{
	log_info(duty->name, "starting: this process holds the lease now (number %llu)",
		 (unsigned long long)token);
	duty->token = token;
	duty->is_busy = true;
	share_sets(duty);
	set_state(duty, CREW_STARTING);
	uv_queue_work(duty->crew->loop, &duty->work, do_start, start_done);
}

static void begin_stop(struct duty *duty)
{
	log_warn(duty->name, "stopping: the lease is lost");
	duty->is_busy = true;
	set_state(duty, CREW_STOPPING);
	uv_queue_work(duty->crew->loop, &duty->work, do_stop, stop_done);
}

static void say_standby(struct duty *duty, const struct lease_status *lease)
{
	if (*lease->holder && strcmp(duty->holder, lease->holder) != 0)
		log_info(duty->name, "standby: %s is active", lease->holder);
	snprintf(duty->holder, sizeof(duty->holder), "%s", lease->holder);
}

/* Compares what is with what the lease wants. */
static void review(struct duty *duty)
{
	struct lease_status lease;
	bool is_wanted;

	if (duty->is_busy || duty->crew->is_closing)
		return;
	lease_get_status(duty->lease, &lease);
	is_wanted = lease.state == LEASE_ACTIVE;
	/* Another number: somebody else was active meanwhile, and what is in memory is old. */
	if (duty->state == CREW_ACTIVE && (!is_wanted || lease.token != duty->token))
		begin_stop(duty);
	else if (duty->state == CREW_STANDBY && is_wanted)
		begin_start(duty, lease.token);
	else if (duty->state == CREW_STANDBY)
		say_standby(duty, &lease);
}

static void lease_changed(void *ctx)
{
	review(ctx);
}

/* ---- New rules ---- */

/* Takes set over. */
static void offer_all(struct crew *crew, size_t watch, struct rule_set *set)
{
	for (int role = 0; role < STORE_ROLE_COUNT; role++)
		if (crew->duties[role].crew)
			offer(&crew->duties[role], watch, rule_set_share(set));
	rule_set_free(set);
}

static bool is_told(struct crew *crew, size_t watch)
{
	struct watcher *watcher = crew_watcher(crew, watch);

	return !watcher || watcher_tells(watcher, crew->waiting[watch].needs);
}

static void told_more(uv_async_t *async)
{
	struct crew *crew = async->data;

	for (size_t i = 0; i < crew->setup->settings->watch_count; i++)
		if (crew->waiting[i].set && is_told(crew, i))
			offer_all(crew, i, TAKE(crew->waiting[i].set));
}

static void wake(void *ctx)
{
	uv_async_send(&((struct crew *)ctx)->told);
}

void crew_offer(struct crew *crew, size_t watch, struct rule_set *set)
{
	const struct watch_settings *settings = &crew->setup->settings->watches[watch];
	struct watcher *watcher = crew_watcher(crew, watch);

	if (!watcher || settings->events == WATCH_EVENTS_ALL)
		return offer_all(crew, watch, set);
	rule_set_free(crew->waiting[watch].set);
	crew->waiting[watch] = (struct waiting){ set, post_needs(settings, set) };
	watcher_on_change(watcher, wake, crew);
	watcher_need(watcher, crew->waiting[watch].needs);
	told_more(&crew->told);
	if (crew->waiting[watch].set)
		log_info("watch",
			 "watch %s: the new rules wait until the stream tells what they need",
			 settings->name);
}

/* ---- Life ---- */

static int open_now(struct duty *duty, struct error *err)
{
	int result;

	share_sets(duty);
	result = post_start(&duty->post, err);
	if (result == 0)
		set_state(duty, CREW_ACTIVE);
	drop_sets(duty);
	return result < 0 ? error_prefix(err, "%s", duty->name) : 0;
}

static int open_duty(struct crew *crew, enum store_role role, struct error *err)
{
	struct duty *duty = &crew->duties[role];
	AUTO(free) char *metric = NULL;

	if (!(crew->roles & CREW_ROLE(role)))
		return 0;
	duty->crew = crew;
	duty->name = store_role_name(role);
	duty->work.data = duty;
	metric = str_format("cn_role_active{role=\"%s\"}", duty->name);
	duty->active = metric_get(metric, METRIC_GAUGE, "1 while this process is active in it");
	post_init(&duty->post, crew->setup, role);
	set_state(duty, CREW_STANDBY);
	if (role == STORE_ACT || settings_store_is_embedded(crew->setup->settings))
		return open_now(duty, err);
	return lease_open(&duty->lease, crew->loop, crew->setup->store, role, duty->name,
			  lease_changed, duty, err);
}

int crew_open(struct crew **out, uv_loop_t *loop, unsigned roles, const struct post_setup *setup,
	      struct reload *reload, struct error *err)
{
	/* The later ones feed the earlier ones, so each finds its successor at work. */
	static const enum store_role order[] = { STORE_ACT, STORE_FILTER, STORE_WATCH };
	struct crew *crew = NEW(struct crew);

	crew->loop = loop;
	crew->roles = roles;
	crew->setup = setup;
	crew->reload = reload;
	crew->waiting = mem_array(setup->settings->watch_count, sizeof(struct waiting));
	uv_async_init(loop, &crew->told, told_more);
	crew->told.data = crew;
	uv_unref((uv_handle_t *)&crew->told);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (open_duty(crew, order[i], err) < 0) {
			crew_close(crew);
			return -1;
		}
	}
	*out = crew;
	return 0;
}

/* Whoever takes over must find what was heard. */
static void drain(struct crew *crew)
{
	AUTO_ERROR err = { 0 };

	if (store_log_drain(crew->setup->store, DRAIN_MS, &err) != 1)
		log_warn("watch",
			 "what was heard last is kept here, and sent on after the next "
			 "start of this process%s%s",
			 err.text ? ": " : "", err.text ? err.text : "");
}

static void close_duty(struct duty *duty)
{
	while (duty->is_busy)
		uv_run(duty->crew->loop, UV_RUN_ONCE);
	post_stop(&duty->post);
	if (duty->post.kind == STORE_WATCH && duty->state == CREW_ACTIVE)
		drain(duty->crew);
	lease_close(TAKE(duty->lease));
}

static void told_closed(uv_handle_t *handle)
{
	struct crew *crew = handle->data;

	free(crew->waiting);
	free(crew);
}

void crew_close(struct crew *crew)
{
	/* From the source on, so that nobody feeds what is gone. */
	static const enum store_role order[] = { STORE_FILTER, STORE_WATCH, STORE_ACT };

	if (!crew)
		return;
	crew->is_closing = true;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (crew->duties[order[i]].crew)
			close_duty(&crew->duties[order[i]]);
	for (size_t i = 0; i < crew->setup->settings->watch_count; i++)
		rule_set_free(crew->waiting[i].set);
	uv_close((uv_handle_t *)&crew->told, told_closed);
}

/* ---- Questions ---- */

void crew_get_status(const struct crew *crew, enum store_role role, struct crew_status *out)
{
	const struct duty *duty = &crew->duties[role];
	struct lease_status lease = { 0 };

	*out = (struct crew_status){ .state = duty->state, .since_ms = duty->since_ms };
	if (duty->lease)
		lease_get_status(duty->lease, &lease);
	out->is_in_trouble = *duty->failure || *lease.trouble;
	if (*lease.trouble)
		snprintf(out->why, sizeof(out->why), "the store cannot be asked: %s",
			 lease.trouble);
	else if (*duty->failure)
		snprintf(out->why, sizeof(out->why), "cannot start: %s", duty->failure);
	else if (duty->state == CREW_STANDBY && *lease.holder)
		snprintf(out->why, sizeof(out->why), "%s is active", lease.holder);
}

static const struct post *post_at_work(const struct crew *crew, enum store_role role)
{
	const struct duty *duty = &crew->duties[role];

	return duty->state == CREW_ACTIVE ? &duty->post : NULL;
}

struct filter *crew_filter(const struct crew *crew)
{
	const struct post *post = post_at_work(crew, STORE_FILTER);

	return post ? post->filter : NULL;
}

struct deliver *crew_deliver(const struct crew *crew)
{
	const struct post *post = post_at_work(crew, STORE_ACT);

	return post ? post->deliver : NULL;
}

struct watcher *crew_watcher(const struct crew *crew, size_t watch)
{
	const struct post *post = post_at_work(crew, STORE_WATCH);

	return post ? post->watchers[watch] : NULL;
}

struct repair *crew_repair(const struct crew *crew, size_t watch)
{
	const struct post *post = post_at_work(crew, STORE_WATCH);

	return post ? post->repairs[watch] : NULL;
}
