/*
 * watcher: the watch role for one watch: keeps its stream open, appends what comes to the log.
 * Never parses JSON, never waits for rules or actions.
 *
 * DOWN -> CONNECTING -> LISTENING, and back to DOWN from anywhere; leaving LISTENING opens a gap.
 */
#ifndef APP_WATCHER_H
#define APP_WATCHER_H

#include "app/heartbeat.h"
#include "app/settings.h"
#include "event/event.h"
#include "qumulo/client.h"
#include "store/store.h"

struct watcher;

enum watcher_state { WATCHER_DOWN, WATCHER_CONNECTING, WATCHER_LISTENING };

struct watcher_status { /* a snapshot, safe to take from any thread */
	enum watcher_state state;
	char why[256]; /* the last change of state */
	int64_t since_ms;
	int64_t last_byte_ms;
	char store_trouble[256]; /* "" or why the stream is not read: nothing can be stored */
	uint64_t messages;
	uint64_t bytes;
	uint64_t reconnects;
	uint64_t gaps; /* that ended in this run */
	struct heartbeat_status heartbeat;
	int64_t complete_ms; /* the last message or comment that was heard whole */
	event_kinds types;   /* of events that are told; EVENT_ANY: all */
};

/* needs: types of events that the rules need to be told of; EVENT_ANY: no filter. */
MUST_CHECK int watcher_open(struct watcher **out, uv_loop_t *loop, struct qumulo *cluster,
			    const struct watch_settings *watch, event_kinds needs,
			    enum commit_mode commit, struct store *store, struct error *err);
void watcher_close(struct watcher *watcher); /* in its loop; commits what was appended */
/*
 * From any thread: what came from the stream at heard_ms says that events are missing. The stream
 * is opened anew, unless that has happened since, and the gap begins there.
 */
void watcher_report_trouble(struct watcher *watcher, int64_t heard_ms, const char *reason);
/* From any thread: writes down soon until when everything was heard. */
void watcher_note_alive(struct watcher *watcher);
/*
 * From any thread. What the rules need from now on: of more types a further stream tells soon. What
 * is not needed any more is asked for until the stream is opened anew.
 */
void watcher_need(struct watcher *watcher, event_kinds types);
/* From any thread: whether events of all these types are told, or nothing is and a gap is open. */
bool watcher_tells(struct watcher *watcher, event_kinds types);
/* From any thread: changed, in the watcher's, says that watcher_tells() may answer otherwise. */
void watcher_on_change(struct watcher *watcher, void (*changed)(void *ctx), void *ctx);
void watcher_get_status(struct watcher *watcher, struct watcher_status *out);

#endif
