#include "app/heartbeat.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "qumulo/files.h"

#define DIRECTORY ".cn_monitor"
#define FILE_START "heartbeat-"
#define PATIENCE 3   /* times the interval */
#define DEAF_AFTER 3 /* streams in a row without a beat: opening another will not help */

struct heartbeat {
	struct qumulo *cluster;
	const struct watch_settings *watch;
	const char *who;
	struct heartbeat_handler handler;

	char *directory; /* absolute */
	char *name;      /* of the file in it */
	char *mark;      /* how a path of it ends in a message */
	char *id;        /* of the file; NULL: not known */

	uv_timer_t timer; /* the next beat, or the end of patience with this one */
	struct qumulo_call *call;
	bool is_on;
	bool is_paused;
	bool is_awaited;
	bool is_suspect; /* it did not come in time; looked once more, behind the sockets */
	int64_t sent_steady_ms;
	int64_t proven_ms; /* until when the stream told everything; the wall's clock */
	unsigned unheard;  /* streams in a row */
	struct heartbeat_status status;
	struct metric *delay;
	struct metric *heard;
	struct metric *missed;
};

static void beat_due(uv_timer_t *timer);

const char *heartbeat_state_name(enum heartbeat_state state)
{
	static const char *const names[] = { "off", "asked", "heard", "failed", "deaf" };

	return names[state];
}

char *heartbeat_directory(const struct watch_settings *watch)
{
	if (!watch->heartbeat_ms)
		return NULL;
	return str_format("%s%s" DIRECTORY, watch->path, strcmp(watch->path, "/") ? "/" : "");
}

bool heartbeat_is_own(struct text directory, const struct event *event)
{
	AUTO(free) char *ending = NULL;
	struct text name = event->path;

	if (!text_starts_with(event->path, directory))
		return false;
	/* A repair tells what it found, in other types than those in which it happened. */
	if (event->origin == ORIGIN_LIVE && event->type != CHILD_FILE_ADDED &&
	    event->type != CHILD_DIR_ADDED && event->type != CHILD_MTIME_CHANGED)
		return false;
	name.data += directory.size;
	name.size -= directory.size;
	if (!name.size)
		return true;
	ending = str_format("-%.*s", TEXT_ARGS(event->watch));
	return text_starts_with(name, TEXT("/" FILE_START)) &&
	       text_ends_with(name, text_of(ending)) && !memchr(name.data + 1, '/', name.size - 1);
}

static int64_t patience_ms(const struct heartbeat *heartbeat)
{
	return PATIENCE * heartbeat->watch->heartbeat_ms;
}

static void set_state(struct heartbeat *heartbeat, enum heartbeat_state state, const char *why)
{
	heartbeat->status.state = state;
	snprintf(heartbeat->status.why, sizeof(heartbeat->status.why), "%s", why);
	heartbeat->handler.changed(heartbeat->handler.ctx, &heartbeat->status);
}

static void wait_ms(struct heartbeat *heartbeat, int64_t time_ms)
{
	uv_timer_start(&heartbeat->timer, beat_due, (uint64_t)time_ms, 0);
}

/* ---- Touching the file ---- */

/* Said again only when it is something else. */
static void fail(struct heartbeat *heartbeat, const char *what, const char *why)
{
	AUTO(free)
	char *text = str_format("%s %s/%s: %s", what, heartbeat->directory, heartbeat->name, why);

	if (heartbeat->status.state != HEARTBEAT_FAILED ||
	    strncmp(heartbeat->status.why, text, sizeof(heartbeat->status.why) - 1) != 0)
		log_warn(heartbeat->who,
			 "no heartbeat, so that nothing proves that the stream tells everything: "
			 "cannot %s",
			 text);
	heartbeat->is_awaited = false;
	set_state(heartbeat, HEARTBEAT_FAILED, text);
	wait_ms(heartbeat, heartbeat->watch->heartbeat_ms);
}

static void touched(void *ctx, const struct file_reply *reply)
{
	struct heartbeat *heartbeat = ctx;

	heartbeat->call = NULL;
	if (reply->result == FILE_OK)
		return;
	if (reply->result == FILE_GONE) {
		free(TAKE(heartbeat->id));
		return fail(heartbeat, "touch", "it is gone; it is made anew");
	}
	/* It may have happened all the same: then the event comes. */
	if (reply->result != FILE_AMBIGUOUS)
		fail(heartbeat, "touch", reply->why);
}

static void touch(struct heartbeat *heartbeat)
{
	AUTO(free) char *now = clock_format(clock_now_ms());

	heartbeat->is_awaited = true;
	heartbeat->is_suspect = false;
	heartbeat->sent_steady_ms = clock_monotonic_ms();
	wait_ms(heartbeat, patience_ms(heartbeat));
	heartbeat->call = files_touch(heartbeat->cluster, heartbeat->id, now, touched, heartbeat);
}

static void file_found(struct heartbeat *heartbeat, const struct file_info *info)
{
	if (info->type != FILE_REGULAR || info->size != 0)
		return fail(heartbeat, "use", "it is not an empty file, and so not ours");
	heartbeat->id = str_copy(info->id);
	touch(heartbeat);
}

static void file_looked_up(void *ctx, const struct file_reply *reply)
{
	struct heartbeat *heartbeat = ctx;

	heartbeat->call = NULL;
	if (reply->result != FILE_OK)
		return fail(heartbeat, "find", reply->why);
	file_found(heartbeat, reply->info);
}

static void file_made(void *ctx, const struct file_reply *reply)
{
	struct heartbeat *heartbeat = ctx;

	heartbeat->call = NULL;
	if (reply->result == FILE_OK)
		return file_found(heartbeat, reply->info);
	if (reply->result != FILE_EXISTS)
		return fail(heartbeat, "make", reply->why);

	AUTO(free) char *path = str_format("%s/%s", heartbeat->directory, heartbeat->name);

	heartbeat->call = files_get(heartbeat->cluster, path, file_looked_up, heartbeat);
}

static void directory_made(void *ctx, const struct file_reply *reply)
{
	struct heartbeat *heartbeat = ctx;

	heartbeat->call = NULL;
	if (reply->result != FILE_OK && reply->result != FILE_EXISTS)
		return fail(heartbeat, "make the directory of", reply->why);
	heartbeat->call = files_make_file(heartbeat->cluster, heartbeat->directory, heartbeat->name,
					  file_made, heartbeat);
}

/* ---- Awaiting its event ---- */

static void beat_missed(struct heartbeat *heartbeat)
{
	int64_t since_ms = heartbeat->proven_ms;
	AUTO(free)
	char *why = str_format("the heartbeat's event did not come within %.1f s",
			       (double)patience_ms(heartbeat) / 1000);

	metric_add(heartbeat->missed, 1);
	heartbeat->is_awaited = false;
	if (++heartbeat->unheard < DEAF_AFTER)
		return heartbeat->handler.lost(heartbeat->handler.ctx, since_ms, why);
	if (heartbeat->status.state != HEARTBEAT_DEAF)
		log_error(heartbeat->who,
			  "%u streams in a row told nothing of %s/%s, which is touched every %.1f "
			  "s: the stream lives, but does not tell everything; is recursive_mode "
			  "ENABLED? (cn_monitor doctor)",
			  heartbeat->unheard, heartbeat->directory, heartbeat->name,
			  (double)heartbeat->watch->heartbeat_ms / 1000);
	set_state(heartbeat, HEARTBEAT_DEAF, why);
	wait_ms(heartbeat, heartbeat->watch->heartbeat_ms);
}

static void beat_due(uv_timer_t *timer)
{
	struct heartbeat *heartbeat = timer->data;

	if (heartbeat->is_paused)
		return wait_ms(heartbeat, heartbeat->watch->heartbeat_ms);
	if (heartbeat->call) { /* no answer yet: the request's own time-out ends it */
		if (heartbeat->is_awaited)
			return wait_ms(heartbeat, patience_ms(heartbeat));
		qumulo_cancel(TAKE(heartbeat->call));
	}
	if (heartbeat->is_awaited && !heartbeat->is_suspect) {
		heartbeat->is_suspect = true;
		return wait_ms(heartbeat, 1);
	}
	if (heartbeat->is_awaited)
		return beat_missed(heartbeat);
	if (heartbeat->id)
		return touch(heartbeat);
	heartbeat->call = files_make_directory(heartbeat->cluster, heartbeat->watch->path,
					       DIRECTORY, directory_made, heartbeat);
}

void heartbeat_hear(struct heartbeat *heartbeat, struct text message)
{
	if (!heartbeat || !heartbeat->is_awaited ||
	    !memmem(message.data, message.size, heartbeat->mark, strlen(heartbeat->mark)))
		return;
	if (heartbeat->status.state == HEARTBEAT_DEAF ||
	    heartbeat->status.state == HEARTBEAT_FAILED)
		log_info(heartbeat->who, "the heartbeat is heard again");
	heartbeat->is_awaited = false;
	heartbeat->unheard = 0;
	heartbeat->proven_ms = clock_now_ms();
	heartbeat->status.heard_ms = heartbeat->proven_ms;
	heartbeat->status.delay_ms = clock_monotonic_ms() - heartbeat->sent_steady_ms;
	metric_set(heartbeat->delay, heartbeat->status.delay_ms);
	metric_add(heartbeat->heard, 1);
	set_state(heartbeat, HEARTBEAT_HEARD, "");
	wait_ms(heartbeat, heartbeat->watch->heartbeat_ms);
}

/* ---- Life ---- */

void heartbeat_start(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	heartbeat->is_on = true;
	heartbeat->proven_ms = clock_now_ms();
	if (heartbeat->status.state == HEARTBEAT_OFF)
		set_state(heartbeat, HEARTBEAT_ASKED, "");
	wait_ms(heartbeat, 0);
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
	if (!heartbeat || !heartbeat->is_on)
		return;
	heartbeat->is_on = false;
	heartbeat->is_awaited = false;
	if (heartbeat->call)
		qumulo_cancel(TAKE(heartbeat->call));
	uv_timer_stop(&heartbeat->timer);
	if (heartbeat->status.state == HEARTBEAT_ASKED ||
	    heartbeat->status.state == HEARTBEAT_HEARD)
		set_state(heartbeat, HEARTBEAT_OFF, "");
}

void heartbeat_pause(struct heartbeat *heartbeat, bool is_paused)
{
	if (!heartbeat)
		return;
	heartbeat->is_paused = is_paused;
	if (heartbeat->is_on && !is_paused) { /* whatever was awaited is still to be read */
		heartbeat->is_awaited = false;
		wait_ms(heartbeat, heartbeat->watch->heartbeat_ms);
	}
}

struct heartbeat *heartbeat_new(uv_loop_t *loop, struct qumulo *cluster,
				const struct watch_settings *watch, const char *who,
				const struct heartbeat_handler *handler)
{
	struct heartbeat *heartbeat;
	char host[256] = "";

	if (!watch->heartbeat_ms)
		return NULL;
	heartbeat = NEW(struct heartbeat);
	gethostname(host, sizeof(host) - 1);
	heartbeat->cluster = cluster;
	heartbeat->watch = watch;
	heartbeat->who = who;
	heartbeat->handler = *handler;
	heartbeat->directory = heartbeat_directory(watch);
	heartbeat->name = str_format(FILE_START "%s-%s", host, watch->name);
	heartbeat->mark = str_format("%s\"", heartbeat->name);
	heartbeat->delay =
		metric_get_of("cn_heartbeat_delay_ms", "watch", watch->name, METRIC_GAUGE,
			      "From the last heartbeat's request to its event");
	heartbeat->heard = metric_get_of("cn_heartbeat_heard_total", "watch", watch->name,
					 METRIC_COUNTER, "Heartbeats that came back as an event");
	heartbeat->missed = metric_get_of("cn_heartbeat_missed_total", "watch", watch->name,
					  METRIC_COUNTER, "Heartbeats that did not");
	uv_timer_init(loop, &heartbeat->timer);
	heartbeat->timer.data = heartbeat;
	return heartbeat;
}

static void timer_closed(uv_handle_t *handle)
{
	struct heartbeat *heartbeat = handle->data;

	free(heartbeat->directory);
	free(heartbeat->name);
	free(heartbeat->mark);
	free(heartbeat->id);
	free(heartbeat);
}

void heartbeat_free(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	heartbeat_stop(heartbeat);
	uv_close((uv_handle_t *)&heartbeat->timer, timer_closed);
}
