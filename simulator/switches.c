#include "simulator/switches.h"

#include "base/buf.h"
#include "base/parse.h"

enum kind { CHOICE, NUMBER, DURATION, FREE_TEXT };

struct description {
	const char *name;
	const char *unknown; /* its number in section 21 of the API facts, or "" */
	enum kind kind;
	const char *values; /* of a choice, separated by |; else a word for the help */
	const char *initial;
	const char *help;
};

static const struct description descriptions[SWITCH_COUNT] = {
	[SWITCH_OVERFLOW] = { "overflow", "U1", CHOICE, "close|error|end|next-500", "close",
			      "how a stream ends whose client did not keep up" },
	[SWITCH_QUEUE_LIMIT] = { "queue-limit", "", NUMBER, "EVENTS", "100000",
				 "events that wait for one client before its stream overflows" },
	[SWITCH_RECURSIVE_MODE] = { "recursive-mode", "", CHOICE,
				    "ENABLED|DISABLED_ERROR|DISABLED_IGNORE", "ENABLED",
				    "the notify setting of the file system" },
	[SWITCH_RECURSIVE_DISABLED] = { "recursive-disabled", "U2", CHOICE, "400|403|409|501|empty",
					"400", "answer to recursive=true under DISABLED_ERROR" },
	[SWITCH_RECURSIVE_PRIVILEGE] = { "recursive-privilege", "U29", CHOICE,
					 "FILE_FULL_ACCESS|FILE_READ_ACCESS", "FILE_FULL_ACCESS",
					 "privilege that recursive=true asks for" },
	[SWITCH_MISMATCH_CLASS] = { "mismatch-class", "U3", CHOICE, "fs_tag_mismatch_error|none",
				    "fs_tag_mismatch_error", "error class of a 412" },
	[SWITCH_MISSING_PRIVILEGE] = { "missing-privilege", "U4", CHOICE, "403|401", "403",
				       "status when a privilege is missing" },
	[SWITCH_BAD_PASSWORD] = { "bad-password", "U5", CHOICE, "401|400|empty", "401",
				  "answer to a wrong password; empty: 401 without a body" },
	[SWITCH_UNAUTHORIZED_BODY] = { "unauthorized-body", "", CHOICE, "json|empty", "json",
				       "body of a 401 for a missing or dead token" },
	[SWITCH_KEEP_ALIVE] = { "keep-alive", "U6", DURATION, "TIME|none", "20s",
				"silence after which ': keepalive' is sent" },
	[SWITCH_WATCHING_TEXT] = { "watching-text", "U7", FREE_TEXT, "TEXT", "",
				   "text behind ': watching'" },
	[SWITCH_SPINE] = { "spine", "U8", CHOICE, "watched|root|absent|null", "watched",
			   "where the spine of an event starts" },
	[SWITCH_MEMBER_ORDER] = { "member-order", "", CHOICE, "varied|fixed", "varied",
				  "order of the members of an event" },
	[SWITCH_MERGE] = { "merge", "U9", CHOICE, "yes|no", "yes",
			   "adjacent identical attribute events become one" },
	[SWITCH_MESSAGE_EVENTS] = { "message-events", "", NUMBER, "EVENTS", "1000",
				    "most events in one message" },
	[SWITCH_PARENT_MTIME] = { "parent-mtime", "U10", CHOICE, "off|on", "off",
				  "child_mtime_changed for the directory an entry changed in" },
	[SWITCH_NFS_CREATE_NOISE] = { "nfs-create-noise", "", CHOICE, "off|on", "off",
				      "child_acl_changed after a file was created" },
	[SWITCH_SMB_ARCHIVE_NOISE] = { "smb-archive-noise", "", CHOICE, "off|on", "off",
				       "child_extra_attrs_changed after data was written" },
	[SWITCH_WATCHED_MOVED] = { "watched-moved", "U12", CHOICE, "nothing|self_removed",
				   "nothing", "what a watch says when its directory is moved" },
	[SWITCH_EXPIRED_STREAM] = { "expired-stream", "U13", CHOICE, "goes-on|closed", "goes-on",
				    "an open stream whose token expires or is taken away" },
	[SWITCH_NODE_REBOOT] = { "node-reboot", "U14", CHOICE, "close|silence", "close",
				 "what a reboot, or the move of an address, does to its "
				 "connections" },
	[SWITCH_SILENCE] = { "silence-lasts", "U14", DURATION, "TIME", "10m",
			     "how long a connection that died in silence takes packets without "
			     "acknowledging any, before it is reset" },
	[SWITCH_WHILE_DOWN] = { "while-down", "U21", CHOICE, "refused|closed|502|503|html|tls",
				"refused",
				"what an address answers whose node reboots or is upgraded; html: "
				"503 with a web page, tls: no TLS handshake" },
	[SWITCH_BAD_NAMES] = { "bad-names", "U15", CHOICE, "replaced|raw|surrogates", "replaced",
			       "names that are not UTF-8, in JSON" },
	[SWITCH_LOCKED_RENAME] = { "locked-rename", "U16", CHOICE, "403|allowed", "403",
				   "renaming a locked file" },
	[SWITCH_RENAME_BY_ID] = { "rename-by-id", "U17", CHOICE, "refused|allowed", "refused",
				  "a file id as old_path of RENAME" },
	[SWITCH_RESOLVE_DEAD] = { "resolve-dead", "U18", CHOICE, "404|omitted", "404",
				  "a dead id among those to resolve" },
	[SWITCH_METADATA_VALUE] = { "metadata-value", "U19", CHOICE, "base64|numbers", "base64",
				    "form of user metadata values when read" },
	[SWITCH_METADATA_EVENT] = { "metadata-event", "", CHOICE, "none|extra-attrs", "none",
				    "event of changes of user metadata or of a lock" },
	[SWITCH_RATE_LIMIT] = { "rate-limit", "U20", NUMBER, "REQUESTS|none", "none",
				"requests a second beyond which 429 is the answer" },
	[SWITCH_RETRY_AFTER] = { "retry-after", "U20", CHOICE, "yes|no", "yes",
				 "whether that 429 has a Retry-After header" },
	[SWITCH_ID_SIZE] = { "id-size", "U23", CHOICE, "short|29", "short",
			     "digits of file ids; the root is always 2" },
	[SWITCH_PAGING_END] = { "paging-end", "U24", CHOICE, "empty|null|absent", "empty",
				"paging.next on the last page" },
	[SWITCH_PAGE_LIMIT] = { "page-limit", "", NUMBER, "ENTRIES", "10000",
				"most entries in a page, whatever was asked for" },
	[SWITCH_NO_SPACE] = { "no-space", "U26", CHOICE, "507|500", "507",
			      "status when the disk is full" },
	[SWITCH_RENAME_PAIR] = { "rename-pair", "U28", CHOICE, "together|separate|mixed|reversed",
				 "together",
				 "the two halves of a move: in one message, in two, with other "
				 "events "
				 "between them, moved_to first" },
	[SWITCH_LINK_EVENTS] = { "link-events", "U27", CHOICE, "canonical|every", "canonical",
				 "attribute events of a file with several names: once, or once for "
				 "each" },
	[SWITCH_NOTIFY_SETTINGS] = { "notify-settings", "U30", CHOICE, "by-privilege|403",
				     "by-privilege", "reading the notify settings" },
	[SWITCH_EVENT_DELAY] = { "event-delay", "", DURATION, "TIME", "0s",
				 "how long after the change its event is sent" },
	[SWITCH_COPY_PIECE] = { "copy-piece", "", NUMBER, "BYTES", "16777216",
				"most that one copy-chunk copies" },
	[SWITCH_EVENT_COPIES] = { "event-copies", "", CHOICE, "1|2", "1",
				  "how often each event is told" },
	[SWITCH_EVENT_ORDER] = { "event-order", "", CHOICE, "kept|swapped", "kept",
				 "swapped: neighbours that are about different objects change "
				 "places" },
	[SWITCH_EVENT_LOSS] = { "event-loss", "", NUMBER, "EVENTS|none", "none",
				"of so many events one is never told" },
	[SWITCH_SNAPSHOT_LIMIT] = { "snapshot-limit", "", NUMBER, "SNAPSHOTS", "40000",
				    "most snapshots that there may be" },
	[SWITCH_SNAPSHOT_RECORDS] = { "snapshot-records", "", NUMBER, "RECORDS", "2000000",
				      "changed objects and entries that snapshots may keep in "
				      "memory; beyond it the oldest snapshot goes" },
	[SWITCH_SNAPSHOT_DELETE] = { "snapshot-delete", "", DURATION, "TIME", "0s",
				     "how long a deleted snapshot is shown, with in_delete" },
	[SWITCH_SNAPSHOT_FILTER] = { "snapshot-filter", "", CHOICE, "optional|needed", "optional",
				     "the filter parameter of lists of snapshots" },
	[SWITCH_NO_EXPIRATION] = { "no-expiration", "", CHOICE, "null|empty", "null",
				   "expiration of a snapshot that has none" },
	[SWITCH_DIFF_ORDER] = { "diff-order", "U25", CHOICE, "path|reverse|mixed", "path",
				"order of the entries of a tree diff" },
	[SWITCH_DIFF_PAGE_LIMIT] = { "diff-page-limit", "U25", NUMBER, "ENTRIES", "1000",
				     "most entries in a page of a tree diff, and how many without "
				     "a limit" },
	[SWITCH_DIFF_REPLACED] = { "diff-replaced", "", CHOICE, "delete-create|modify",
				   "delete-create",
				   "a name that another object has now, in a tree diff" },
};

const char *switch_name(enum switch_id id)
{
	return descriptions[id].name;
}

/* The place of value among "a|b|c", or -1. */
static int choice_find(const char *values, struct text value)
{
	struct text rest = text_of(values);

	for (int place = 0; rest.size; place++) {
		if (text_equal(text_cut(&rest, '|'), value))
			return place;
	}
	return -1;
}

static int value_parse(const struct description *description, struct text value, int64_t *out,
		       struct error *err)
{
	bool may_be_none = strstr(description->values, "|none");

	*out = -1;
	switch (description->kind) {
	case CHOICE:
		*out = choice_find(description->values, value);
		if (*out < 0)
			return error_set(err, "'%.*s': expected one of %s", TEXT_ARGS(value),
					 description->values);
		return 0;
	case NUMBER:
		if (may_be_none && text_is(value, "none"))
			return 0;
		return parse_number(value, 1, INT32_MAX, out, err);
	case DURATION:
		if (may_be_none && text_is(value, "none"))
			return 0;
		return parse_duration(value, out, err);
	case FREE_TEXT:
		if (memchr(value.data, '\n', value.size) || memchr(value.data, '\r', value.size))
			return error_set(err, "a line break cannot be part of it");
		return 0;
	}
	return 0;
}

int switches_put(struct switches *switches, struct text name, struct text value, struct error *err)
{
	const char *names[SWITCH_COUNT + 1] = { 0 };

	for (int id = 0; id < SWITCH_COUNT; id++) {
		const struct description *description = &descriptions[id];
		int64_t parsed;

		names[id] = description->name;
		if (!text_is(name, description->name))
			continue;
		if (value_parse(description, value, &parsed, err) < 0)
			return error_prefix(err, "switch %s", description->name);
		switches->value[id] = parsed;
		free(switches->text[id]);
		switches->text[id] = text_copy(value);
		return 0;
	}
	const char *nearest = parse_nearest(name, names);
	return error_set(err, "there is no switch '%.*s'%s%s%s", TEXT_ARGS(name),
			 nearest ? "; did you mean " : "", nearest ? nearest : "",
			 nearest ? "?" : ", see --help for all of them");
}

int switches_set(struct switches *switches, struct text assignment, struct error *err)
{
	struct text rest = assignment;

	if (!assignment.size || !memchr(assignment.data, '=', assignment.size))
		return error_set(err, "switch '%.*s': expected NAME=VALUE", TEXT_ARGS(assignment));
	struct text name = text_cut(&rest, '=');
	return switches_put(switches, name, rest, err);
}

void switches_init(struct switches *switches)
{
	memset(switches, 0, sizeof(*switches));
	for (int id = 0; id < SWITCH_COUNT; id++) {
		AUTO_ERROR err = { 0 };

		if (switches_put(switches, text_of(descriptions[id].name),
				 text_of(descriptions[id].initial), &err) < 0)
			abort(); /* the table above is wrong */
	}
}

void switches_clear(struct switches *switches)
{
	for (int id = 0; id < SWITCH_COUNT; id++)
		free(switches->text[id]);
	memset(switches, 0, sizeof(*switches));
}

json_t *switches_json(const struct switches *switches)
{
	json_t *object = json_object();

	for (int id = 0; id < SWITCH_COUNT; id++)
		json_object_set_new(object, descriptions[id].name,
				    json_string(switches->text[id] ? switches->text[id] : ""));
	return object;
}

char *switches_help(void)
{
	struct buf *help = buf_new(1 << 20);

	for (int id = 0; id < SWITCH_COUNT; id++) {
		const struct description *d = &descriptions[id];

		if (!buf_print(help, "  %s=%s\n        %s%s%s%s (default: %s)\n", d->name,
			       d->values, d->help, *d->unknown ? " [" : "", d->unknown,
			       *d->unknown ? "]" : "", *d->initial ? d->initial : "nothing"))
			abort();
	}
	char *text = buf_take(help);
	buf_free(help);
	return text;
}
