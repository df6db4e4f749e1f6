#include "random_rules.h"

#include <stdio.h>

#define MUST(done)               \
	do {                     \
		if (!(done))     \
			abort(); \
	} while (0)
#define PUT(buf, ...) MUST(buf_print(buf, __VA_ARGS__))

void random_event_init(struct random_event *out)
{
	*out = (struct random_event){ .path = buf_new(SIZE_MAX), .old_path = buf_new(SIZE_MAX) };
}

void random_event_clear(struct random_event *event)
{
	buf_free(event->path);
	buf_free(event->old_path);
}

/* ---- Paths ---- */

static void put_words(const struct random_rules *rules, struct buf *out, unsigned count)
{
	while (count--)
		PUT(out, "%s", random_word(rules));
}

static void put_directories(const struct random_rules *rules, struct buf *out, unsigned count)
{
	while (count--)
		PUT(out, "/%s", random_word(rules));
}

/* The end of a set or of alternatives that begin at glob; where there is none, its last byte. */
static const char *end_of(const char *glob, char end)
{
	const char *at = strchr(glob, end);

	return at ? at : glob + strlen(glob) - 1;
}

/* One of those between the braces; answers the closing one. */
static const char *put_alternative(struct chance *chance, const char *glob, struct buf *out)
{
	const char *end = end_of(glob, '}'), *at = glob + 1;

	while (at < end && chance_pick(chance, 2) && memchr(at, ',', end - at))
		at = (const char *)memchr(at, ',', end - at) + 1;
	for (; at < end && *at != ','; at++)
		PUT(out, "%c", *at == '*' || *at == '?' ? 'b' : *at);
	return end;
}

/* Answers the closing bracket. */
static const char *put_one_of(struct chance *chance, const char *glob, struct buf *out)
{
	const char *end = end_of(glob, ']');

	PUT(out, "%c",
	    glob[1] == '!' || (glob[1] & 0x80) || chance_hits(chance, 8) ? 'x' : glob[1]);
	return end;
}

/* What the glob matches, more often than not. */
static void put_match(const struct random_rules *rules, const char *glob, struct buf *out)
{
	struct chance *chance = rules->chance;

	for (; *glob; glob++) {
		if (*glob == '\\' && glob[1])
			PUT(out, "%c", *++glob);
		else if (*glob == '?')
			PUT(out, "%s", chance_pick(chance, 2) ? "q" : "\xc3\xa9");
		else if (*glob == '[')
			glob = put_one_of(chance, glob, out);
		else if (*glob == '{')
			glob = put_alternative(chance, glob, out);
		else if (*glob != '*')
			PUT(out, "%c", *glob);
		else if (strncmp(glob, "**/", 3) == 0 && chance_pick(chance, 2))
			glob += 2;
		else if (glob[1] == '*' && *++glob)
			put_directories(rules, out, chance_pick(chance, 3));
		else
			put_words(rules, out, chance_pick(chance, 2));
	}
}

static void put_name(const struct random_rules *rules, struct buf *out)
{
	const struct hint *name = random_hint(rules, HINT_NAME);
	const struct hint *extension = random_hint(rules, HINT_EXTENSION);
	unsigned kind = chance_pick(rules->chance, 5);

	PUT(out, "/");
	if (kind < 2 && name) {
		put_match(rules, name->text, out);
		return;
	}
	put_words(rules, out, chance_pick(rules->chance, 3));
	if (kind > 2 && extension)
		PUT(out, "%s%s", *extension->text == '.' || !*extension->text ? "" : ".",
		    extension->text);
}

/* Nearly the path that it was; still UTF-8. */
static void disturb(struct chance *chance, struct buf *path)
{
	size_t at = chance_pick(chance, path->size);
	char c = path->data[at];

	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		path->data[at] = c ^ 0x20;
	else if (c == '/')
		PUT(path, "/");
	else
		PUT(path, "%c", chance_pick(chance, 2) ? '.' : 'x');
}

static void draw_path(const struct random_rules *rules, struct buf *out)
{
	struct chance *chance = rules->chance;
	const struct hint *path = random_hint(rules, HINT_PATH),
			  *file = random_hint(rules, HINT_FILE);
	const struct hint *directory = random_hint(rules, HINT_DIRECTORY);
	const struct hint *piece = random_hint(rules, HINT_PIECE);
	unsigned kind = chance_pick(chance, 8);

	buf_reset(out);
	MUST(buf_append(out, "", 0));
	if (kind < 4 && directory) {
		PUT(out, "%s", directory->text[1] ? directory->text : "");
		put_directories(rules, out, chance_hits(chance, 4) ? 2 : 0);
		put_name(rules, out);
	} else if (kind == 4 && path) {
		put_match(rules, path->text, out);
	} else if (kind == 5 && file) {
		PUT(out, "%s", file->text);
	} else if (kind == 6 && piece) {
		put_directories(rules, out, chance_pick(chance, 2));
		PUT(out, "/%s", piece->text);
		put_words(rules, out, chance_pick(chance, 2));
	} else {
		put_directories(rules, out, chance_pick(chance, 4));
		put_name(rules, out);
	}
	if (chance_hits(chance, 6))
		disturb(chance, out);
	if (chance_hits(chance, 100)) {
		buf_reset(out);
		PUT(out, "/");
	}
}

/* ---- The rest of it ---- */

static event_kinds draw_kinds(struct chance *chance)
{
	unsigned kind = chance_pick(chance, 8);
	enum event_type type;

	if (kind < 2)
		return EVENT_KIND(kind ? CHILD_DIR_ADDED : CHILD_FILE_ADDED);
	if (kind == 2)
		return EVENT_KIND(CHILD_FILE_MOVED_TO) | EVENT_RENAMED;
	type = chance_pick(chance, EVENT_TYPE_COUNT + 1);
	if (event_type_moved_from(type) != EVENT_TYPE_UNKNOWN)
		return EVENT_KIND(type) | (kind < 6 ? EVENT_RENAMED : EVENT_MOVED_IN);
	if (type == CHILD_FILE_MOVED_FROM && kind < 6)
		return EVENT_KIND(type) | EVENT_MOVED_OUT;
	return EVENT_KIND(type);
}

#define MINUTE_MS INT64_C(60000)
#define MARCH_2026_MS INT64_C(1774569600000) /* 27th; the clocks of Berlin change on the 29th */

static void draw_event(struct random_event *out, const struct random_rules *rules)
{
	static const struct text streams[] = { TEXT(""), TEXT(""), TEXT("a"), TEXT("AbX"),
					       TEXT("\xc3\xa9x") };
	static const struct text watches[] = { TEXT("main"), TEXT(""), TEXT("other"),
					       TEXT("third") };
	struct chance *chance = rules->chance;

	draw_path(rules, out->path);
	draw_path(rules, out->old_path);
	out->event = (struct event){ .kinds = draw_kinds(chance),
				     .path = buf_text(out->path),
				     .stream = CHANCE_OF(chance, streams),
				     .watch = CHANCE_OF(chance, watches),
				     .origin = chance_pick(chance, ORIGIN_COUNT) };
	/* What was not paired has no old path; an event that has one all the same shows that
	 * nobody looks at it. */
	if (out->event.kinds & EVENT_RENAMED || chance_hits(chance, 10))
		out->event.old_path = buf_text(out->old_path);
	if (!chance_hits(chance, 4))
		out->event.time_ms = MARCH_2026_MS + chance_pick(chance, 7 * 24 * 60) * MINUTE_MS;
}

static void draw_file(struct random_event *out, struct chance *chance)
{
	static const int64_t sizes[] = { 0, 1, 1024, 1048575, 1048576, 10485760, 10485761 };
	static const unsigned modes[] = { 0640, 0, 0777, 04755, 0622 };
	static const char *const owners[] = { "alice", "CORP\\alice", "1000", "bob", "1001" };
	static const char *const groups[] = { "staff", "100", "S-1-5-21-7" };
	static const char *const times[] = { NULL, "2026-03-01T00:00:00Z",
					     "2026-03-28T23:30:00.123456789Z", "soon" };
	static const char *const alice[] = { "alice", "uid:1000", NULL };
	static const char *const staff[] = { "Staff", NULL };
	const char *owner = CHANCE_OF(chance, owners), *group = CHANCE_OF(chance, groups);

	out->has_file = chance_hits(chance, 2);
	if (!out->has_file)
		return;
	out->info = (struct file_info){
		.type = chance_pick(chance, 4),
		.size = CHANCE_OF(chance, sizes),
		.mode = CHANCE_OF(chance, modes),
		.num_links = chance_pick(chance, 3),
		.owner = chance_hits(chance, 6) ? NULL : (char *)"500",
		.owner_type = (char *)(*owner == '1' ? "NFS_UID" : "LOCAL_USER"),
		.owner_value = (char *)owner,
		.group = (char *)"513",
		.group_type = (char *)(*group == '1'   ? "NFS_GID"
				       : *group == 'S' ? "SMB_SID"
						       : "LOCAL_GROUP"),
		.group_value = (char *)group,
		.creation_time = (char *)CHANCE_OF(chance, times),
		.modification_time = (char *)CHANCE_OF(chance, times),
	};
	out->file = (struct file_facts){ chance_hits(chance, 8) ? NULL : &out->info,
					 chance_hits(chance, 2) ? alice : NULL,
					 chance_hits(chance, 2) ? staff : NULL };
}

void random_event_draw(struct random_event *out, const struct random_rules *rules,
		       struct chance *chance)
{
	struct random_rules drawing = *rules;

	drawing.chance = chance;
	draw_event(out, &drawing);
	draw_file(out, chance);
}
