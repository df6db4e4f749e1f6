#include "app/judge_part.h"

#include "app/heartbeat.h"
#include "app/inbox.h"
#include "app/pending.h"
#include "app/rename.h"
#include "app/repair_state.h"
#include "app/rule_notes.h"
#include "app/settle.h"
#include "app/sighting.h"
#include "base/clock.h"
#include "base/log.h"
#include "event/decode.h"
#include "store/echo.h"
#include "store/echo_digests.h"

/* Expectations are read in one go as long as they are few; many, once so many events have been
 * looked up one by one. */
#define LEDGER_FEW 200
#define LEDGER_LOOKS 50

static int judge_event(void *ctx, const struct event *event, const struct echo *echo,
		       struct error *err);

static void open_heartbeat(struct judged_watch *watch)
{
	watch->private_directory = heartbeat_directory(watch->settings);
	if (watch->private_directory)
		watch->heartbeat_delay = metric_get_of(
			"cn_heartbeat_judged_ms", "watch", watch->settings->name, METRIC_GAUGE,
			"From a heartbeat's receipt to where events are judged");
}

struct judge *judge_new(const struct settings *settings, struct store *store,
			struct rule_set *const *sets)
{
	struct judge *judge = NEW(struct judge);

	judge->store = store;
	judge->settings = settings;
	judge->watch_count = settings->watch_count;
	judge->watches = mem_array(settings->watch_count, sizeof(*judge->watches));
	judge->decoder = decoder_new();
	judge->repeats = repeats_new();
	judge->echoes = echo_digests_new();
	judge->renames = renames_new(judge_event, judge);
	judge->settle = settle_new();
	judge->tally = tally_new();
	judge->pending = pending_new();
	judge->open_files = open_files_new();
	judge->waiting = json_array();
	judge->tripped = buf_new(SIZE_MAX);
	for (size_t i = 0; i < settings->watch_count; i++) {
		judge->watches[i].settings = &settings->watches[i];
		judge->watches[i].name = text_of(settings->watches[i].name);
		open_heartbeat(&judge->watches[i]);
		rule_set_free(judge_swap(judge, i, rule_set_share(sets[i])));
	}
	return judge;
}

void judge_try(struct judge *judge, const struct trial *trial)
{
	judge->trial = trial;
}

void judge_free(struct judge *judge)
{
	if (!judge)
		return;
	for (size_t i = 0; i < judge->watch_count; i++) {
		rule_matcher_free(judge->watches[i].matcher);
		rule_set_free(judge->watches[i].set);
		free(judge->watches[i].private_directory);
	}
	free(judge->watches);
	decoder_free(judge->decoder);
	repeats_free(judge->repeats);
	echo_digests_free(judge->echoes);
	renames_free(judge->renames);
	settle_free(judge->settle);
	tally_free(judge->tally);
	pending_free(judge->pending);
	open_files_free(judge->open_files);
	json_decref(judge->waiting);
	buf_free(judge->tripped);
	free(judge->matched);
	free(judge);
}

/* ---- Limits ---- */

/* Only what holds for the rules of now. */
static void list_trip(void *ctx, const char *name, const char *digest, int64_t since_ms)
{
	struct judge *judge = ctx;
	struct buf *out = judge->tripped;
	AUTO(free) char *since = clock_format(since_ms);

	for (size_t i = 0; i < judge->watch_count; i++) {
		const struct rule *rule = rule_set_find(judge->watches[i].set, name);

		if (!rule || strcmp(rule->digest, digest) != 0)
			continue;
		(void)!buf_print(out, "%s%s (since %s: more than %lld jobs in %lld s)",
				 out->size ? ", " : "", name, since, (long long)rule->limit.count,
				 (long long)(rule->limit.within_ms / 1000));
		return;
	}
}

static void list_tripped(struct judge *judge)
{
	buf_reset(judge->tripped);
	(void)!buf_append(judge->tripped, "", 0);
	tally_visit_tripped(judge->tally, list_trip, judge);
}

const char *judge_tripped(const struct judge *judge)
{
	return judge->tripped->size ? judge->tripped->data : "";
}

int judge_load(struct judge *judge, struct error *err)
{
	if (renames_load(judge->renames, judge->store, err) < 0 ||
	    tally_load(judge->tally, judge->store, err) < 0 ||
	    pending_load(judge->pending, judge->store, err) < 0)
		return -1;
	list_tripped(judge);
	return settle_load(judge->settle, judge->store, err);
}

struct rule_set *judge_swap(struct judge *judge, size_t index, struct rule_set *set)
{
	struct judged_watch *watch = &judge->watches[index];
	struct rule_set *old = watch->set;

	rule_matcher_free(watch->matcher);
	watch->set = set;
	pending_use(judge->pending, index, set);
	watch->matcher = rule_matcher_new(set);
	watch->is_noted = false;
	return old;
}

bool judge_has_news(const struct judge *judge)
{
	for (size_t i = 0; i < judge->watch_count; i++)
		if (!judge->watches[i].is_noted)
			return true;
	return false;
}

int64_t judge_next_due(const struct judge *judge)
{
	int64_t timers_ms = MIN(renames_next_due(judge->renames), settle_next_due(judge->settle));

	return MIN(timers_ms, tally_next_due(judge->tally));
}

struct judged_watch *judge_find_watch(struct judge *judge, struct text name)
{
	for (size_t i = 0; i < judge->watch_count; i++)
		if (text_equal(judge->watches[i].name, name))
			return &judge->watches[i];
	return NULL;
}

/* ---- Labels ---- */

static void label_echo(json_t *label, const struct echo *echo)
{
	if (!echo->is_echo)
		return;
	json_object_set_new_nocheck(label, "echo_of", json_integer((json_int_t)echo->job));
	json_object_set_new_nocheck(label, "step", json_integer(echo->step));
}

int judge_label(struct judge *judge, const struct event *event, const json_t *label,
		struct error *err)
{
	if (judge->trial)
		return 0;
	return label_put(judge->txn, event->seq, event->index, label, err);
}

static int put_trouble(struct judge *judge, uint64_t seq, uint32_t index, const char *reason,
		       struct error *err)
{
	const struct event event = { .seq = seq, .index = index };
	AUTO(json_decref) json_t *label = json_pack("{s:s}", "trouble", reason);

	return label ? judge_label(judge, &event, label, err) : 0;
}

/* ---- Rules ---- */

static void remember(struct judge *judge, const struct rule *rule)
{
	if (judge->matched_count == judge->matched_room) {
		judge->matched_room = MAX(16, judge->matched_room * 2);
		judge->matched =
			mem_grow(judge->matched, judge->matched_room, sizeof(*judge->matched));
	}
	judge->matched[judge->matched_count++] = rule;
}

/*
 * What is true happens now, unless a rule before it might say stop. Where it depends on what the
 * cluster knows of the file, that is asked first; with settle, when the file is quiet.
 */
static bool remember_match(void *ctx, const struct rule *rule, enum truth truth)
{
	struct judge *judge = ctx;
	bool is_unknown = truth == TRUTH_UNKNOWN;
	bool waits = rule->settle_ms || rule->absent_ms;

	if (judge->is_echo && !rule->on_own)
		return true;
	if (judge->trial && (!is_unknown || judge->trial->unknown_is_true) && !judge->is_blocked)
		judge->trial->matched(judge->trial->ctx, judge->asked, rule, !is_unknown);
	if (judge->trial && judge->trial->unknown_is_true) {
		remember(judge, rule);
		return is_unknown || !rule->stop;
	}
	if (judge->is_blocked || (is_unknown && (!waits || rule->stop))) {
		json_array_append_new(judge->waiting, json_string(rule->name));
		judge->is_blocked |= is_unknown && rule->stop;
	} else {
		remember(judge, rule);
	}
	return is_unknown || !rule->stop;
}

int judge_fire(struct judge *judge, const struct judged_watch *watch, const struct rule *rule,
	       const struct event *event, json_t *label, struct error *err)
{
	const struct firing firing = {
		.txn = judge->txn,
		.tally = judge->tally,
		.set = watch->set,
		.now_ms = judge->now_ms,
		.time_ms = judge->time_ms,
		.trial = judge->trial,
		.cause = judge->cause,
		.depth_most = judge->settings->act.max_depth,
		.runs_most = { .count = judge->settings->act.runs_per_file,
			       .within_ms = judge->settings->act.runs_within_ms,
			       .per = PER_FILE },
	};
	int result = fire_rule(&firing, rule, event, label, err);

	judge->counts.jobs += result > 0;
	return MIN(result, 0);
}

int judge_follow(struct judge *judge, const struct judged_watch *watch, const struct rule *rule,
		 const struct event *event, json_t *label, struct error *err)
{
	judge->counts.matches++;
	label_append(label, "rules", json_string(rule->name));
	if (!rule->settle_ms && !rule->absent_ms)
		return judge_fire(judge, watch, rule, event, label, err);
	json_object_set_new_nocheck(label, rule->absent_ms ? "awaiting" : "settling", json_true());
	return settle_start(judge->settle, judge->txn, rule, event, err);
}

static json_t *label_of(const struct event *event, const struct echo *echo)
{
	json_t *label = json_object();

	label_echo(label, echo);
	if (event->kinds & EVENT_RENAMED)
		json_object_set_new_nocheck(
			label, "old_path",
			json_stringn_nocheck(event->old_path.data, event->old_path.size));
	return label;
}

/* A directory that was moved in: of what is inside nobody is told; it is looked through
 * (app/repair), if a rule could be about that.
 */
static bool brings_things_in(const struct judged_watch *watch, const struct event *event)
{
	const event_kinds told = EVENT_KIND(CHILD_FILE_ADDED) | EVENT_KIND(CHILD_DIR_ADDED) |
				 EVENT_KIND(CHILD_DATA_WRITTEN) | EVENT_KIND(CHILD_SIZE_CHANGED);

	return event->type == CHILD_DIR_MOVED_TO && (event->kinds & EVENT_MOVED_IN) &&
	       (event->origin == ORIGIN_LIVE || event->origin == ORIGIN_REPAIR) &&
	       event->file_id.size && watch->settings->recursive &&
	       watch->settings->gap_repair != GAP_REPAIR_OFF &&
	       rule_set_may_match_below(watch->set, event->path, told);
}

static bool is_heartbeat(const struct judge *judge, const struct judged_watch *watch,
			 const struct event *event)
{
	if (!watch->private_directory ||
	    !heartbeat_is_own(text_of(watch->private_directory), event))
		return false;
	if (event->origin == ORIGIN_LIVE && !judge->trial)
		metric_set(watch->heartbeat_delay, judge->now_ms - event->time_ms);
	return true;
}

/* Asks the rules about one event, and does what they say. The only place where that is done. */
static int judge_event(void *ctx, const struct event *event, const struct echo *echo,
		       struct error *err)
{
	struct judge *judge = ctx;
	struct judged_watch *watch = judge_find_watch(judge, event->watch);
	AUTO(json_decref) json_t *label = NULL;

	if (!watch)
		return 0; /* its half waited while the watch was taken out of the settings */
	if (is_heartbeat(judge, watch, event))
		return 0;
	if (!echo->is_echo && brings_things_in(watch, event) &&
	    repair_moved_in_put(judge->txn, event, err) < 0)
		return -1;
	judge->counts.judged++;
	judge->time_ms = MAX(judge->time_ms, event->time_ms);
	if (settle_hear(judge->settle, judge->txn, event, echo->is_echo, err) < 0)
		return -1;
	judge->matched_count = 0;
	judge->is_echo = echo->is_echo;
	judge->cause = echo->is_echo ? echo->job : 0;
	judge->asked = watch->set;
	judge->is_blocked = false;
	json_array_clear(judge->waiting);
	rule_match_with(watch->matcher, event, NULL, remember_match, judge);
	if (!judge->matched_count && !json_array_size(judge->waiting) && !echo->is_echo &&
	    !(event->kinds & EVENT_RENAMED))
		return 0;
	if (!judge->trial)
		label = label_of(event, echo);
	for (size_t i = 0; i < judge->matched_count; i++)
		if (judge_follow(judge, watch, judge->matched[i], event, label, err) < 0)
			return -1;
	if (json_array_size(judge->waiting) && judge_wait(judge, event, label, err) < 0)
		return -1;
	return judge_label(judge, event, label, err);
}

/* ---- Records ---- */

struct reading {
	struct judge *judge;
	const struct judged_watch *watch;
	const struct record *record;
	uint32_t next_index;
	uint32_t damaged_index; /* the first that could not be read, if any */
	bool is_damaged;
	bool is_self_removed;
	int result;
	struct error *err;
};

/* Another process may act meanwhile: of records that came since then the ledger is asked anew. */
static int read_ledger(struct judge *judge, uint64_t seq, size_t max, struct error *err)
{
	uint64_t first, last;
	int known;

	/* This record is in the log, and so is everything up to its end now; the ledger is read
	 * after that. */
	if (store_log_range(judge->store, &first, &last, err) < 0 ||
	    (known = echo_digests_read(judge->echoes, judge->store, max, err)) < 0)
		return error_prefix(err, "echoes");
	judge->echoes_until = MAX(last, seq);
	judge->echoes_are_known = known;
	judge->echo_looks = 0;
	return 0;
}

/* 0: it is no echo. */
static int may_be_echo(struct judge *judge, const struct event *event, struct error *err)
{
	if (event->seq > judge->echoes_until && read_ledger(judge, event->seq, LEDGER_FEW, err) < 0)
		return -1;
	if (!judge->echoes_are_known && ++judge->echo_looks > LEDGER_LOOKS &&
	    read_ledger(judge, event->seq, SIZE_MAX, err) < 0)
		return -1;
	return !judge->echoes_are_known || echo_digests_may_have(judge->echoes, event);
}

/* Of an event that meets no expectation. */
static int find_repeat(struct judge *judge, const struct event *event, struct echo *echo)
{
	echo->is_echo = repeats_find(judge->repeats, event, &echo->job, &echo->step);
	judge->counts.echoes += echo->is_echo;
	return 0;
}

static int find_echo(struct judge *judge, const struct event *event, struct echo *echo,
		     struct error *err)
{
	int may_be;

	if (judge->trial) {
		if (judge->trial->find_echo(judge->trial->ctx, event, echo, err) < 0)
			return -1;
		judge->counts.echoes += echo->is_echo;
		return 0;
	}
	may_be = may_be_echo(judge, event, err);
	if (may_be <= 0)
		return may_be < 0 ? -1 : find_repeat(judge, event, echo);

	/* By the time of receipt: a filter that is behind must know an echo all the same. Of what a
	 * repair found the time is not known: what is kept for it still counts. */
	int64_t time_ms = event->origin == ORIGIN_REPAIR ? 0 : event->time_ms;
	int found = echo_match(judge->txn, event, time_ms, &echo->job, &echo->step, err);

	if (found < 0)
		return error_prefix(err, "echoes");
	if (!found)
		return find_repeat(judge, event, echo);
	echo->is_echo = true;
	judge->counts.echoes++;
	repeats_note(judge->repeats, event, echo->job, echo->step);
	return 0;
}

static int take_event(struct judge *judge, const struct judged_watch *watch,
		      const struct event *event, struct error *err)
{
	struct echo echo = { 0 };

	judge->counts.events++;
	if (find_echo(judge, event, &echo, err) < 0)
		return -1;
	if (!event_is_half(event))
		return judge_event(judge, event, &echo, err);
	if (echo.is_echo) {
		AUTO(json_decref) json_t *label = json_object();

		label_echo(label, &echo);
		if (judge_label(judge, event, label, err) < 0)
			return -1;
	}
	return renames_take(judge->renames, judge->txn, event, &echo,
			    watch->settings->rename_window_ms, err);
}

static bool read_event(void *ctx, const struct event *decoded)
{
	struct reading *reading = ctx;
	struct event event = *decoded;

	if (event.index != reading->next_index && !reading->is_damaged) {
		reading->is_damaged = true;
		reading->damaged_index = reading->next_index;
	}
	reading->next_index = event.index + 1;
	event.origin = reading->record->origin;
	event.watch = reading->watch->name;
	event.seq = reading->record->seq;
	event.time_ms = reading->record->time_ms;
	reading->is_self_removed |= event.type == SELF_REMOVED;
	reading->result = take_event(reading->judge, reading->watch, &event, reading->err);
	return reading->result == 0;
}

int judge_record(struct judge *judge, const struct record *record,
		 void (*trouble)(void *ctx, size_t watch, const char *reason), void *ctx,
		 struct error *err)
{
	struct judged_watch *watch = judge_find_watch(judge, record->watch);
	struct reading reading = { judge, watch, record, .err = err };
	AUTO_ERROR damage = { 0 };
	size_t count;

	if (!watch) {
		AUTO(free)
		char *why = str_format("no watch '%.*s' in the settings any more",
				       TEXT_ARGS(record->watch));

		log_warn("filter", "records are passed over: %s", why);
		return put_trouble(judge, record->seq, 0, why, err);
	}

	int decoded = decode_message(judge->decoder, record->bytes, text_of(watch->settings->path),
				     read_event, &reading, &count, &damage);

	if (reading.result < 0)
		return -1;
	if (reading.is_self_removed)
		trouble(ctx, watch - judge->watches, "the watched directory was removed");
	if (decoded == 0)
		return 0;
	log_warn("filter", "watch '%s': a message cannot be read: %s", watch->settings->name,
		 error_text(&damage));
	trouble(ctx, watch - judge->watches, error_text(&damage));
	return put_trouble(judge, record->seq,
			   reading.is_damaged ? reading.damaged_index : reading.next_index,
			   error_text(&damage), err);
}

/* ---- When time passes ---- */

int judge_quiet(void *ctx, struct text name, const struct event *event, bool may_be_open,
		struct error *err)
{
	struct judge *judge = ctx;
	struct judged_watch *watch = judge_find_watch(judge, event->watch);
	AUTO(free) char *rule_name = text_copy(name);
	const struct rule *rule = watch ? rule_set_find(watch->set, rule_name) : NULL;
	AUTO(json_decref) json_t *label = NULL;
	enum truth truth;

	if (!rule || rule->mode == RULE_OFF) {
		log_info("filter",
			 "rule '%s' is gone: it does not fire on %.*s, whose time has come",
			 rule_name, TEXT_ARGS(event->path));
		return 0;
	}
	truth = rule_test(watch->matcher, rule, event);
	if (truth == TRUTH_FALSE) {
		log_info("filter", "rule '%s' is not true any more for %.*s, whose time has come",
			 rule_name, TEXT_ARGS(event->path));
		return 0;
	}
	/* Where it cannot be asked for now, it is when the timer comes again. A trial asks nobody.
	 */
	if (rule->unless_open && may_be_open && !judge->trial) {
		(void)!open_files_ask(judge->open_files, event->watch, event->file_id);
		return SETTLE_ASK;
	}
	if (event->seq && !judge->trial &&
	    label_get(judge->txn, event->seq, event->index, &label, err) < 0)
		return -1;
	if (!label && !judge->trial)
		label = json_pack("{s:[s]}", "rules", rule->name);
	if (truth == TRUTH_UNKNOWN ? judge_wait_about(judge, watch, rule, event, label, err) < 0
				   : judge_fire(judge, watch, rule, event, label, err) < 0)
		return -1;
	return judge_label(judge, event, label, err);
}

int64_t judge_expire(struct judge *judge, int64_t now_ms, size_t max, struct error *err)
{
	int64_t halves, timers, windows;

	judge->time_ms = now_ms;
	judge->cause = 0;
	halves = renames_expire(judge->renames, judge->txn, now_ms, max, err);
	if (halves < 0)
		return -1;
	if (halves == max)
		return halves;
	timers = settle_expire(judge->settle, judge->txn, now_ms, max - halves, judge_quiet, judge,
			       err);
	if (timers < 0)
		return -1;
	if (halves + timers == max)
		return max;
	windows = tally_expire(judge->tally, judge->txn, now_ms, max - halves - timers, err);
	return windows < 0 ? -1 : halves + timers + windows;
}

/* ---- The inbox ---- */

static int take_item(struct judge *judge, const struct inbox_item *item, uint64_t cursor,
		     int64_t now_ms, struct error *err)
{
	static const struct echo foreign;
	struct event event = *item->event;
	int seen = sighting_find(judge->txn, judge->store, judge->decoder, &event, item->after_seq,
				 cursor, err);

	/* What was put back may have come by a rename, too. */
	if (seen == 0 && (event.type == CHILD_FILE_ADDED || event.type == CHILD_DIR_ADDED)) {
		struct event moved = event;

		moved.type =
			event.type == CHILD_FILE_ADDED ? CHILD_FILE_MOVED_TO : CHILD_DIR_MOVED_TO;
		seen = sighting_find(judge->txn, judge->store, judge->decoder, &moved,
				     item->after_seq, cursor, err);
	}

	if (seen < 0 || inbox_remove(judge->txn, item->number, err) < 0)
		return -1;
	if (seen)
		return 0;
	event.seq = 0;
	if (!event.time_ms)
		event.time_ms = now_ms;
	judge->counts.events++;
	return judge_event(judge, &event, &foreign, err);
}

static void item_clear(struct inbox_item *item)
{
	free(item->event);
}

int64_t judge_inbox(struct judge *judge, uint64_t cursor, int64_t now_ms, size_t max,
		    struct error *err)
{
	int64_t count = 0;

	for (; count < max; count++) {
		__attribute__((cleanup(item_clear))) struct inbox_item item = { 0 };
		int found = inbox_next(judge->txn, 0, &item, err);

		if (found <= 0)
			return found < 0 ? -1 : count;
		if (item.until_seq > cursor)
			return count;
		if (take_item(judge, &item, cursor, now_ms, err) < 0)
			return -1;
	}
	return count;
}

/* ---- Transactions ---- */

int judge_begin(struct judge *judge, struct store_txn *txn, uint64_t cursor, int64_t now_ms,
		struct error *err)
{
	judge->txn = txn;
	judge->now_ms = now_ms;
	judge->time_ms = 0;
	judge->counts = (struct judge_counts){ 0 };
	judge->echoes_until = 0;
	for (size_t i = 0; i < judge->watch_count; i++) {
		struct judged_watch *watch = &judge->watches[i];

		watch->is_noting = !watch->is_noted;
		if (watch->is_noting && rule_note_put(txn, watch->settings->name, cursor,
						      rule_set_digest(watch->set), now_ms, err) < 0)
			return -1;
	}
	return 0;
}

uint64_t judge_event_count(const struct judge *judge)
{
	return judge->counts.events;
}

int judge_end(struct judge *judge, uint64_t cursor, struct error *err)
{
	if (renames_save(judge->renames, judge->txn, err) < 0 ||
	    tally_save(judge->tally, judge->txn, err) < 0 ||
	    pending_save(judge->pending, judge->txn, err) < 0)
		return -1;
	return store_cursor_put(judge->txn, cursor, err);
}

struct judge_counts judge_committed(struct judge *judge)
{
	for (size_t i = 0; i < judge->watch_count; i++)
		judge->watches[i].is_noted |= judge->watches[i].is_noting;
	judge->txn = NULL;
	tally_committed(judge->tally);
	pending_committed(judge->pending);
	open_files_committed(judge->open_files);
	list_tripped(judge);
	return judge->counts;
}
