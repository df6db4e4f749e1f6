#include "app/doctor_part.h"

#include <errno.h>
#include <unistd.h>

#include "app/connect.h"
#include "base/parse.h"
#include "event/sse.h"
#include "qumulo/notify.h"

#define STREAM_PATIENCE_MS 10000

void doctor_report(struct doctor *doctor, enum finding_level level, const char *cure,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *what = str_vformat(format, args);
	va_end(args);

	const struct finding finding = { level, doctor->about, what, cure };

	doctor->found(doctor->ctx, &finding);
}

void doctor_speak_about(struct doctor *doctor, const char *kind, const char *name)
{
	free(doctor->about);
	doctor->about = str_format("%s %s", kind, name);
}

/* ---- one question at a time ---- */

struct reply {
	struct doctor *doctor;
	enum file_result result;
	int status;
	char *why;
	char *error_class;
	json_t *body;
};

static void reply_clear(struct reply *reply)
{
	free(reply->why);
	free(reply->error_class);
	json_decref(reply->body);
}

static void replied(void *ctx, const struct qumulo_answer *answer)
{
	struct reply *reply = ctx;

	reply->result = answer->result;
	reply->status = answer->status;
	reply->why = str_copy(answer->why ? answer->why : "");
	reply->error_class = str_copy(answer->error_class ? answer->error_class : "");
	reply->body = json_incref(answer->body);
	uv_stop(&reply->doctor->loop);
}

/* Asks and waits; the caller clears the reply. */
static struct reply ask(struct doctor *doctor, const char *path)
{
	struct reply reply = { .doctor = doctor };

	qumulo_request(connection_client(doctor->connection), "GET", path, NULL, NULL, replied,
		       &reply);
	uv_run(&doctor->loop, UV_RUN_DEFAULT);
	return reply;
}

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* ---- the cluster ---- */

static void judge_tls(struct doctor *doctor, const struct cluster_settings *cluster)
{
	if (cluster->address_count && cluster->addresses[0].is_plain)
		doctor_report(doctor, FINDING_WARNING,
			      "use https; http is meant for trying things out",
			      "the connection is not encrypted");
	else if (cluster->fingerprint)
		doctor_report(doctor, FINDING_OK, NULL,
			      "TLS: the certificate has the pinned fingerprint");
	else if (!cluster->verify_tls)
		doctor_report(
			doctor, FINDING_WARNING,
			"set CA_FILE to the certificate of your authority, or FINGERPRINT to that "
			"of "
			"the cluster's certificate",
			"TLS: the certificate is not verified, so anybody in between could pose as "
			"the cluster and collect the token");
	else
		doctor_report(doctor, FINDING_OK, NULL, "TLS: the certificate is verified");
}

/* Whether the cluster answers at all. */
static bool try_connection(struct doctor *doctor, const struct cluster_settings *cluster)
{
	struct reply reply = ask(doctor, "/v1/version");
	bool is_there = reply.result == FILE_OK;

	if (is_there) {
		doctor_report(doctor, FINDING_OK, NULL, "answers: %s",
			      text_at(reply.body, "revision_id"));
		judge_tls(doctor, cluster);
	} else {
		doctor_report(
			doctor, FINDING_FAILURE,
			"check CLUSTER_ADDRESS, the network, and the TLS keys of this section",
			"does not answer: %s", reply.why);
	}
	reply_clear(&reply);
	return is_there;
}

static bool has_name(json_t *list, const char *name)
{
	size_t index;
	json_t *item;

	json_array_foreach(list, index,
			   item) if (json_is_string(item) &&
				     strcmp(json_string_value(item), name) == 0) return true;
	return false;
}

bool doctor_has_privilege(const struct doctor *doctor, const char *name)
{
	return has_name(doctor->privileges, name);
}

static void try_credential(struct doctor *doctor)
{
	struct reply reply = ask(doctor, "/v1/session/who-am-i");
	json_t *privileges = json_object_get(reply.body, "privileges");

	free(doctor->user);
	json_decref(doctor->privileges);
	doctor->privileges = json_incref(privileges);
	doctor->user = str_copy(text_at(reply.body, "name"));
	doctor->is_known = reply.result == FILE_OK;
	doctor->full_access = has_name(privileges, "PRIVILEGE_FILE_FULL_ACCESS");
	doctor->read_access =
		doctor->full_access || has_name(privileges, "PRIVILEGE_FILE_READ_ACCESS");

	if (!doctor->is_known)
		doctor_report(
			doctor, FINDING_FAILURE,
			"make a new access token for the monitor's user, or correct user name and "
			"password",
			"the credential was refused: %s", reply.why);
	else
		doctor_report(doctor, FINDING_OK, NULL,
			      "the credential is that of user %s, with %zu privilege%s%s",
			      doctor->user, json_array_size(privileges),
			      json_array_size(privileges) == 1 ? "" : "s",
			      doctor->full_access   ? " (PRIVILEGE_FILE_FULL_ACCESS among them)"
			      : doctor->read_access ? " (PRIVILEGE_FILE_READ_ACCESS among them)"
						    : "");
	reply_clear(&reply);
}

static void judge_reading(struct doctor *doctor)
{
	if (doctor->is_known && !doctor->read_access)
		doctor_report(
			doctor, FINDING_WARNING,
			"add PRIVILEGE_FILE_READ_ACCESS (or PRIVILEGE_FILE_FULL_ACCESS) to a role "
			"of "
			"this user",
			"has neither PRIVILEGE_FILE_READ_ACCESS nor PRIVILEGE_FILE_FULL_ACCESS: "
			"files "
			"can only be looked at where their permissions let user %s do so",
			doctor->user);
}

/* ---- a watch ---- */

struct attempt {
	struct doctor *doctor;
	struct sse *sse;
	uv_timer_t patience;
	bool is_watching;
	bool is_over;
	enum file_result result;
	int status;
	char *why;
};

static void attempt_end(struct attempt *attempt, enum file_result result, int status,
			const char *why)
{
	attempt->is_over = true;
	attempt->result = result;
	attempt->status = status;
	attempt->why = str_copy(why ? why : "");
	uv_stop(&attempt->doctor->loop);
}

static void stream_opened(void *ctx, const char *address)
{
}

static void stream_comment(void *ctx, struct text comment)
{
	struct attempt *attempt = ctx;

	if (!text_starts_with(comment, TEXT("watching")))
		return;
	attempt->is_watching = true;
	uv_stop(&attempt->doctor->loop);
}

static void stream_payload(void *ctx, struct text payload)
{
}

static void stream_data(void *ctx, const char *data, size_t size)
{
	struct attempt *attempt = ctx;

	(void)!sse_feed(attempt->sse, data, size, NULL);
}

static void stream_ended(void *ctx, enum file_result result, int status, const char *why,
			 int64_t retry_after_ms)
{
	attempt_end(ctx, result, status, why);
}

static void patience_ended(uv_timer_t *timer)
{
	attempt_end(timer->data, FILE_LATER, 0,
		    "the stream opened, but its first line did not come within 10 s");
}

static void closed(uv_handle_t *handle)
{
	uv_stop(handle->loop);
}

/* Opens the stream as the monitor would and closes it at the first line. */
static void try_stream(struct attempt *attempt, const struct watch_settings *watch)
{
	struct doctor *doctor = attempt->doctor;
	const struct sse_handler lines = { attempt, stream_payload, stream_comment };
	const struct notify_handler handler = { attempt, stream_opened, stream_data, stream_ended };

	attempt->sse = sse_new(&lines, 64u << 20);
	uv_timer_init(&doctor->loop, &attempt->patience);
	attempt->patience.data = attempt;
	uv_timer_start(&attempt->patience, patience_ended, STREAM_PATIENCE_MS, 0);

	struct notify *notify = notify_start(connection_client(doctor->connection), watch->path,
					     watch->recursive, NULL, &handler);

	while (!attempt->is_watching && !attempt->is_over)
		uv_run(&doctor->loop, UV_RUN_DEFAULT);
	if (!attempt->is_over || attempt->status == 0)
		notify_cancel(notify);
	uv_close((uv_handle_t *)&attempt->patience, closed);
	uv_run(&doctor->loop, UV_RUN_DEFAULT);
	sse_free(attempt->sse);
}

/* Whether recursive watches see what is below: DISABLED_IGNORE narrows them without a word. */
static void judge_recursive_mode(struct doctor *doctor)
{
	struct reply reply = ask(doctor, "/v1/file-system/settings/notify");
	const char *mode = text_at(reply.body, "recursive_mode");

	if (reply.result != FILE_OK)
		doctor_report(
			doctor, FINDING_WARNING,
			"add PRIVILEGE_FS_SETTINGS_READ to a role of this user",
			"cannot read whether the cluster has recursive notifications enabled (%s); "
			"if "
			"its mode were DISABLED_IGNORE, events below the top would be missing "
			"silently",
			reply.why);
	else if (strcmp(mode, "ENABLED") == 0)
		doctor_report(doctor, FINDING_OK, NULL, "recursive notifications are enabled");
	else
		doctor_report(doctor, FINDING_FAILURE,
			      "have an administrator set recursive_mode to ENABLED (PUT "
			      "/v1/file-system/settings/notify)",
			      "the cluster's mode of recursive notifications is %s: %s", mode,
			      strcmp(mode, "DISABLED_IGNORE") == 0
				      ? "only the top directory would be reported, silently"
				      : "recursive watches are refused");
	reply_clear(&reply);
}

static bool judge_directory(struct doctor *doctor, const struct watch_settings *watch)
{
	AUTO(free) char *ref = qumulo_ref(watch->path);
	AUTO(free) char *path = str_format("/v1/files/%s/info/attributes", ref);
	struct reply reply = ask(doctor, path);
	bool is_fine = false;

	if (reply.result == FILE_GONE)
		doctor_report(doctor, FINDING_FAILURE, "correct PATH, or create the directory",
			      "%s does not exist on the cluster", watch->path);
	else if (reply.result != FILE_OK)
		doctor_report(doctor, FINDING_WARNING, NULL, "%s cannot be looked at: %s",
			      watch->path, reply.why);
	else if (strcmp(text_at(reply.body, "type"), "FS_FILE_TYPE_DIRECTORY") != 0)
		doctor_report(doctor, FINDING_FAILURE, "watch the directory that it is in",
			      "%s is not a directory", watch->path);
	else
		is_fine = true;
	is_fine |= reply.result != FILE_GONE && reply.result != FILE_OK;
	reply_clear(&reply);
	return is_fine;
}

/* The first privilege that is missing for the repair of gaps by snapshot; NULL: none is. */
static const char *missing_for_snapshots(const struct doctor *doctor)
{
	static const char *const needed[] = { "PRIVILEGE_SNAPSHOT_READ", "PRIVILEGE_SNAPSHOT_WRITE",
					      "PRIVILEGE_SNAPSHOT_DIFFERENCE_READ" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!doctor_has_privilege(doctor, needed[i]))
			return needed[i];
	return NULL;
}

static void judge_repair(struct doctor *doctor, const struct watch_settings *watch)
{
	const char *missing = missing_for_snapshots(doctor);

	if (watch->gap_repair == GAP_REPAIR_OFF)
		doctor_report(doctor, FINDING_WARNING, "set GAP_REPAIR = auto",
			      "what happens while nothing is heard will not be found out "
			      "(GAP_REPAIR = off)");
	else if (watch->gap_repair == GAP_REPAIR_SCAN || (missing && doctor->is_known))
		doctor_report(doctor, FINDING_WARNING,
			      watch->gap_repair == GAP_REPAIR_SCAN
				      ? "set GAP_REPAIR = auto"
				      : "add PRIVILEGE_SNAPSHOT_READ, PRIVILEGE_SNAPSHOT_WRITE and "
					"PRIVILEGE_SNAPSHOT_DIFFERENCE_READ to a role of this user",
			      watch->gap_repair == GAP_REPAIR_SNAPSHOT
				      ? "gaps cannot be repaired: the user has no %s"
			      : missing ? "gaps will be repaired by scan, which does not see "
					  "removals: the user has no %s"
					: "gaps will be repaired by scan, which does not see "
					  "removals%s",
			      missing ? missing : "");
	else
		doctor_report(doctor, FINDING_OK, NULL, "gaps will be repaired by snapshots");
}

static void examine_watch(struct doctor *doctor, const struct watch_settings *watch)
{
	struct attempt attempt = { .doctor = doctor };

	if (!judge_directory(doctor, watch))
		return;
	if (watch->recursive)
		judge_recursive_mode(doctor);
	try_stream(&attempt, watch);
	if (attempt.is_watching)
		doctor_report(doctor, FINDING_OK, NULL, "will work: the stream of %s%s opened",
			      watch->path, watch->recursive ? " and everything below it" : "");
	else if (attempt.result == FILE_DENIED && watch->recursive)
		doctor_report(
			doctor, FINDING_FAILURE,
			"give this user the role Data-Administrators (or Administrators), or a "
			"role "
			"with PRIVILEGE_FILE_FULL_ACCESS",
			"will not work: a recursive watch was refused (%s); user %s lacks the role "
			"Data-Administrators%s",
			attempt.why, doctor->user,
			doctor->full_access ? "" : " and PRIVILEGE_FILE_FULL_ACCESS");
	else if (attempt.result == FILE_DENIED)
		doctor_report(doctor, FINDING_FAILURE,
			      "give this user the READ right on the directory, or "
			      "PRIVILEGE_FILE_READ_ACCESS",
			      "will not work: the watch was refused (%s)", attempt.why);
	else
		doctor_report(doctor, FINDING_FAILURE, NULL, "will not work: %s", attempt.why);
	judge_repair(doctor, watch);
	free(attempt.why);
}

/* ---- all of it ---- */

static void examine_cluster(struct doctor *doctor, const struct cluster_settings *cluster)
{
	const struct settings *settings = doctor->settings;

	doctor->connection = connection_new(doctor->http, cluster);
	doctor->is_known = false;
	doctor_speak_about(doctor, "cluster", cluster->name);
	if (try_connection(doctor, cluster)) {
		try_credential(doctor);
		judge_reading(doctor);
	}
	for (size_t i = 0; i < settings->watch_count; i++) {
		if (settings->watches[i].on != cluster)
			continue;
		doctor_speak_about(doctor, "watch", settings->watches[i].name);
		if (!doctor->is_known) {
			doctor_report(doctor, FINDING_FAILURE, NULL,
				      "will not work, nor will its actions on the cluster: see "
				      "cluster %s",
				      cluster->name);
			continue;
		}
		examine_watch(doctor, &settings->watches[i]);
		doctor_examine_rules(doctor, &settings->watches[i]);
	}
	connection_free(TAKE(doctor->connection));
}

/* The first directory of path that exists: what is below it would be created. */
static char *nearest_there(const char *path)
{
	char *there = str_copy(path);

	while (access(there, F_OK) < 0 && strlen(there) > 1) {
		struct text parent = path_parent(text_of(there));
		char *shorter = parent.size ? text_copy(parent) : str_copy(".");

		free(there);
		there = shorter;
	}
	return there;
}

static void advise(void *ctx, const char *sentence)
{
	doctor_report(ctx, FINDING_WARNING, "see docs/redis.md", "%s", sentence);
}

static void examine_redis(struct doctor *doctor)
{
	const struct store_settings settings = settings_of_store(doctor->settings);
	AUTO(store_close) struct store *store = NULL;
	AUTO_ERROR err = { 0 };

	doctor_speak_about(doctor, "store", doctor->settings->store.shown);
	if (store_open(&store, &settings, &err) < 0)
		doctor_report(doctor, FINDING_FAILURE, "check [STORE] and the server", "%s",
			      error_text(&err));
	else
		doctor_report(doctor, FINDING_OK, NULL, "answers, and lets us in");
	if (store)
		store_advice(store, advise, doctor);
}

static void examine_store(struct doctor *doctor)
{
	const char *path = doctor->settings->store.url + strlen("embedded:");
	AUTO(free) char *there = NULL;

	if (!settings_store_is_embedded(doctor->settings)) {
		examine_redis(doctor);
		return;
	}
	there = nearest_there(path);

	doctor_speak_about(doctor, "store", path);
	if (access(there, W_OK | X_OK) < 0)
		doctor_report(doctor, FINDING_FAILURE,
			      "create it and give it to the user that cn_monitor runs as",
			      "%s cannot be written to: %s", there, strerror(errno));
	else if (strcmp(there, path) != 0)
		doctor_report(doctor, FINDING_OK, NULL, "will be created");
	else
		doctor_report(doctor, FINDING_OK, NULL, "is there and can be written to");
}

int doctor_examine(const struct settings *settings,
		   void (*found)(void *ctx, const struct finding *finding), void *ctx,
		   struct error *err)
{
	struct doctor doctor = { .settings = settings, .found = found, .ctx = ctx };

	uv_loop_init(&doctor.loop);
	if (http_open(&doctor.http, &doctor.loop, err) < 0) {
		uv_loop_close(&doctor.loop);
		return -1;
	}
	for (size_t i = 0; i < settings->cluster_count; i++)
		examine_cluster(&doctor, &settings->clusters[i]);
	examine_store(&doctor);
	http_close(doctor.http);
	uv_run(&doctor.loop, UV_RUN_DEFAULT);
	uv_loop_close(&doctor.loop);
	free(doctor.about);
	free(doctor.user);
	json_decref(doctor.privileges);
	return 0;
}
