/* chain_verify: whether history and dead letters are what their marks and links say. */
#include <inttypes.h>

#include "base/clock.h"
#include "store/chain_part.h"

#define SLACK_MS (5 * 60 * 1000) /* history and links are not forgotten in the same moment */

struct verify {
	struct store *store;
	const struct chain_head *known;
	void (*tell)(void *ctx, const char *sentence);
	void *ctx;
	size_t most;
	struct chain_report *report;
	int64_t now_ms, keep_ms;
	struct anchor head, anchor;
	/* Walking along the links: */
	uint64_t number;
	uint8_t link[CHAIN_LINK_SIZE];
	/* A bit for each link from anchor + 1 on: a job stands by it. */
	uint8_t *seen;
	struct error *err;
	int result;
};

static void wrong(struct verify *verify, const char *format, ...) PRINTF_LIKE(2, 3);
static void wrong(struct verify *verify, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	AUTO(free) char *sentence = str_vformat(format, args);
	va_end(args);
	if (verify->report->wrong++ < verify->most)
		verify->tell(verify->ctx, sentence);
}

/* ---- What stands under one key ---- */

struct fixed {
	struct text key;
	void *out;
	size_t size;
	bool is_there;
};

static bool read_fixed(void *ctx, struct text key, struct text value)
{
	struct fixed *fixed = ctx;

	if (text_equal(key, fixed->key) && value.size == fixed->size) {
		memcpy(fixed->out, value.data, value.size);
		fixed->is_there = true;
	}
	return false;
}

/* 1: of just this size; 0: not there, or not of it. */
static int peek_fixed(struct verify *verify, struct text key, void *out, size_t size)
{
	struct fixed fixed = { key, out, size, false };

	if (store_peek_scan(verify->store, SPACE_CHAIN, key, read_fixed, &fixed, verify->err) < 0)
		return -1;
	return fixed.is_there;
}

/* The newest link of a job; 0: none. */
static int newest_link(struct verify *verify, uint64_t job, uint64_t *out)
{
	struct chain_key key = chain_key('j', &job, 1);
	struct store_key number;
	int there = peek_fixed(verify, chain_key_text(&key), &number, sizeof(number));

	*out = there > 0 ? chain_number(&number) : 0;
	return there;
}

/* ---- The links ---- */

static void check_known(struct verify *verify, uint64_t number, const uint8_t link[CHAIN_LINK_SIZE])
{
	char hex[CHAIN_HEX_SIZE];

	if (!verify->known || verify->known->number != number)
		return;
	chain_hex(link, hex);
	if (strcmp(hex, verify->known->hex) != 0)
		wrong(verify,
		      "link %" PRIu64 " is not the one that was kept: it, or what it follows from, "
		      "was made anew",
		      number);
}

static void check_link(struct verify *verify, uint64_t number, const struct link *link)
{
	uint8_t should[CHAIN_LINK_SIZE];

	chain_link(verify->link, &link->mark, should);
	if (number != verify->number + 1)
		wrong(verify, "links %" PRIu64 " to %" PRIu64 " are missing", verify->number + 1,
		      number - 1);
	else if (memcmp(should, link->link, CHAIN_LINK_SIZE) != 0)
		wrong(verify,
		      "link %" PRIu64 " (job %" PRIu64 ") does not follow from the one before it: "
		      "one of the two was changed",
		      number, chain_number(&link->mark.job));
	verify->number = number;
	memcpy(verify->link, link->link, CHAIN_LINK_SIZE);
	check_known(verify, number, link->link);
	verify->report->links++;
}

static bool each_link(void *ctx, struct text key, struct text value)
{
	struct verify *verify = ctx;
	uint64_t number;
	struct link link;

	if (key.size != 9 || key.data[0] != 'l')
		return false;
	number = store_key_number((struct text){ key.data + 1, 8 });
	if (number > chain_number(&verify->head.number))
		return false; /* made since this began */
	if (value.size != sizeof(link)) {
		wrong(verify, "link %" PRIu64 " cannot be read", number);
		return true;
	}
	memcpy(&link, value.data, sizeof(link));
	check_link(verify, number, &link);
	return true;
}

static int check_links(struct verify *verify)
{
	const uint64_t first = chain_number(&verify->anchor.number) + 1;
	const uint64_t last = chain_number(&verify->head.number);
	struct chain_key key = chain_key('l', &first, 1);

	verify->number = first - 1;
	memcpy(verify->link, verify->anchor.link, CHAIN_LINK_SIZE);
	check_known(verify, first - 1, verify->anchor.link);
	if (store_peek_scan(verify->store, SPACE_CHAIN, chain_key_text(&key), each_link, verify,
			    verify->err) < 0)
		return -1;
	if (verify->number != last)
		wrong(verify, "links %" PRIu64 " to %" PRIu64 " are missing, the newest ones",
		      verify->number + 1, last);
	else if (memcmp(verify->link, verify->head.link, CHAIN_LINK_SIZE) != 0)
		wrong(verify, "the newest link is not the one that is kept as such");
	if (verify->known && verify->known->number > last)
		wrong(verify,
		      "link %" PRIu64 ", which was kept, is not there: the chain ends at %" PRIu64,
		      verify->known->number, last);
	return 0;
}

/* ---- The jobs ---- */

static bool is_kind_of(uint8_t kind, enum job_state state)
{
	return state == JOB_DEAD ? kind == CHAIN_DEAD : kind == CHAIN_DONE || kind == CHAIN_DROPPED;
}

static bool has_prefix(void *ctx, struct text key, struct text value)
{
	struct fixed *fixed = ctx;

	fixed->is_there = text_starts_with(key, fixed->key);
	return false;
}

static int has_mark(struct verify *verify, uint64_t job)
{
	struct chain_key key = chain_key('u', &job, 1);
	struct fixed fixed = { .key = chain_key_text(&key) };

	if (store_peek_scan(verify->store, SPACE_CHAIN, fixed.key, has_prefix, &fixed,
			    verify->err) < 0)
		return -1;
	return fixed.is_there;
}

static int compare(struct verify *verify, const struct job *job, uint64_t number,
		   const struct link *link)
{
	const uint64_t bit = number - chain_number(&verify->anchor.number);
	struct mark mark;
	AUTO(free) char *ended = clock_format(job->ended_ms);
	int is_marked = 0;

	chain_mark_init(&mark, link->mark.kind, job);
	verify->seen[bit / 8] |= (uint8_t)(1u << bit % 8);
	if (is_kind_of(link->mark.kind, job->state) &&
	    memcmp(mark.digest, link->mark.digest, CHAIN_LINK_SIZE) == 0)
		return 0;
	/* Something became of it that has no link yet. */
	if (link->mark.kind == CHAIN_DEAD || link->mark.kind == CHAIN_RETRIED)
		is_marked = has_mark(verify, job->id);
	if (is_marked > 0)
		verify->report->unsealed++;
	else if (is_marked == 0)
		wrong(verify,
		      "job %" PRIu64 ", ended %s, is not what link %" PRIu64
		      " says of it: it was changed",
		      job->id, ended, number);
	return is_marked < 0 ? -1 : 0;
}

static int check_without_link(struct verify *verify, const struct job *job)
{
	AUTO(free) char *ended = clock_format(job->ended_ms);
	int is_marked = has_mark(verify, job->id);

	if (is_marked < 0)
		return -1;
	if (job->ended_ms < (int64_t)chain_number(&verify->anchor.since_ms))
		verify->report->older++;
	else if (is_marked || job->ended_ms >= verify->now_ms - 1000)
		verify->report->unsealed++;
	else
		wrong(verify,
		      "job %" PRIu64 ", ended %s, has no link: it was added, or changed before it "
		      "had one",
		      job->id, ended);
	return 0;
}

static int check_job(struct verify *verify, const struct job *job)
{
	uint64_t number;
	struct chain_key key;
	struct link link;
	int there;

	verify->report->entries++;
	if (newest_link(verify, job->id, &number) < 0)
		return -1;
	if (!number)
		return check_without_link(verify, job);
	if (number > chain_number(&verify->head.number) ||
	    number <= chain_number(&verify->anchor.number))
		return 0; /* of the time since this began, or forgotten meanwhile */
	key = chain_key('l', &number, 1);
	there = peek_fixed(verify, chain_key_text(&key), &link, sizeof(link));
	if (there > 0) /* that it is missing was said */
		there = compare(verify, job, number, &link);
	return there < 0 ? -1 : 0;
}

static bool each_job(void *ctx, const struct job *job)
{
	struct verify *verify = ctx;

	verify->result = check_job(verify, job);
	return verify->result == 0;
}

static int check_jobs(struct verify *verify)
{
	static const enum job_state states[] = { JOB_DEAD, JOB_DONE };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (store_job_visit(verify->store, states[i], SIZE_MAX, each_job, verify,
				    verify->err) < 0 ||
		    verify->result < 0)
			return -1;
	return 0;
}

/* ---- What is missing ---- */

static bool was_seen(const struct verify *verify, uint64_t number)
{
	uint64_t bit = number - chain_number(&verify->anchor.number);

	return verify->seen[bit / 8] & 1u << bit % 8;
}

/* What a link says that no job stands by. */
static int check_promise(struct verify *verify, uint64_t number, const struct mark *mark)
{
	const uint64_t job = chain_number(&mark->job);
	const int64_t time_ms = (int64_t)chain_number(&mark->time_ms);
	bool is_for_good = mark->kind == CHAIN_DONE || mark->kind == CHAIN_DROPPED;
	AUTO(free) char *ended = clock_format(time_ms);
	uint64_t newest;

	if (mark->kind == CHAIN_RETRIED || was_seen(verify, number))
		return 0;
	if (newest_link(verify, job, &newest) < 0)
		return -1;
	/* A dead letter that was tried again or dropped a moment ago. */
	if (!is_for_good && newest == number) {
		int is_marked = has_mark(verify, job);

		if (is_marked != 0)
			return is_marked < 0 ? -1 : 0;
	}
	if (newest != number && is_for_good)
		wrong(verify,
		      "job %" PRIu64 " ended for good by link %" PRIu64 ", and once more by link "
		      "%" PRIu64,
		      job, number, newest);
	else if (newest == number &&
		 !(is_for_good && time_ms < verify->now_ms - verify->keep_ms + SLACK_MS))
		wrong(verify,
		      "job %" PRIu64 ", ended %s, of which link %" PRIu64
		      " speaks, is not there any more",
		      job, ended, number);
	return 0;
}

static bool each_promise(void *ctx, struct text key, struct text value)
{
	struct verify *verify = ctx;
	uint64_t number;
	struct link link;

	if (key.size != 9 || key.data[0] != 'l')
		return false;
	number = store_key_number((struct text){ key.data + 1, 8 });
	if (value.size != sizeof(link))
		return true; /* that was said */
	if (number > chain_number(&verify->head.number))
		return false;
	memcpy(&link, value.data, sizeof(link));
	verify->result = check_promise(verify, number, &link.mark);
	return verify->result == 0;
}

static int check_promises(struct verify *verify)
{
	const uint64_t first = chain_number(&verify->anchor.number) + 1;
	struct chain_key key = chain_key('l', &first, 1);

	if (store_peek_scan(verify->store, SPACE_CHAIN, chain_key_text(&key), each_promise, verify,
			    verify->err) < 0)
		return -1;
	return verify->result < 0 ? -1 : 0;
}

/* ---- All of it ---- */

static void report_ends(struct verify *verify)
{
	struct chain_report *report = verify->report;
	bool is_any = chain_number(&verify->head.number) > chain_number(&verify->anchor.number);

	report->head.number = chain_number(&verify->head.number);
	chain_hex(verify->head.link, report->head.hex);
	report->oldest.number = is_any ? chain_number(&verify->anchor.number) + 1 : 0;
}

int chain_verify(struct store *store, int64_t keep_ms, const struct chain_head *known,
		 void (*tell)(void *ctx, const char *sentence), void *ctx, size_t most,
		 struct chain_report *out, struct error *err)
{
	struct verify verify = {
		.store = store,
		.known = known && known->number ? known : NULL,
		.tell = tell,
		.ctx = ctx,
		.most = most,
		.report = out,
		.now_ms = clock_now_ms(),
		.keep_ms = keep_ms,
		.err = err,
	};
	uint64_t head, anchor;
	int rc;

	*out = (struct chain_report){ 0 };
	if (peek_fixed(&verify, TEXT("h"), &verify.head, sizeof(verify.head)) < 0 ||
	    peek_fixed(&verify, TEXT("a"), &verify.anchor, sizeof(verify.anchor)) < 0)
		return -1;
	head = chain_number(&verify.head.number);
	anchor = chain_number(&verify.anchor.number);
	report_ends(&verify);
	if (anchor > head || head - anchor > (uint64_t)1 << 32) {
		wrong(&verify,
		      "the chain ends at link %" PRIu64 ", before its beginning at %" PRIu64, head,
		      anchor + 1);
		return 0;
	}
	verify.seen = mem_new((head - anchor) / 8 + 1);
	rc = check_links(&verify) < 0 || check_jobs(&verify) < 0 || check_promises(&verify) < 0;
	free(verify.seen);
	return rc ? -1 : 0;
}
