/*
 * One party judges events by rules, and tells what that took; tests/bench/rules.py runs it.
 *
 *     rules_bench PARTY RULES.yml FORMS EVENTS LEAST_S MOST_S [MARKS]
 *
 * Prints a JSON object. EVENTS has a message a line, each with as many events. It goes through them
 * again and again for LEAST_S seconds of processor time, and stops in between after MOST_S: what
 * was found counts from the first time only. MARKS: a file that gets, after each message, how much
 * was found so far (two numbers).
 */
#include <malloc.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "event/decode.h"
#include "party.h"

static const struct party *const parties[] = { &party_index,     &party_decode_index, &party_decode,
					       &party_loop,      &party_fnmatch,      &party_re2,
					       &party_vectorscan };

static void quit(const char *what, const char *why)
{
	fprintf(stderr, "rules_bench: %s: %s\n", what, why);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double resident_mib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
		quit("/proc/self/statm", "cannot be read");
	fclose(file);
	return (double)resident * sysconf(_SC_PAGESIZE) / (1 << 20);
}

static double used_mib(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd) / (1 << 20);
}

/* ---- What is read ---- */

static FILE *open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		quit(path, "cannot be opened");
	return file;
}

/* The next word of a line that has tabs between them; it ends where the tab was. */
static char *next_word(char **at)
{
	char *word = strsep(at, "\t\n");

	if (!word)
		quit("FORMS", "a word is missing");
	return word;
}

static event_kinds read_kinds(char *names)
{
	event_kinds kinds = 0;
	char *name;

	while ((name = strsep(&names, "|"))) {
		event_kinds known = event_kinds_parse(text_of(name));

		if (!known)
			quit("FORMS: no such kind", name);
		kinds |= known;
	}
	return kinds;
}

static void read_form(struct task *task, char kind, char *at)
{
	struct form_rule *rule;
	struct form form = { .is_wanted = kind == '+' };

	if (kind == 'R') {
		task->rules = mem_grow(task->rules, task->count + 1, sizeof(*task->rules));
		task->rules[task->count++] =
			(struct form_rule){ .kinds = read_kinds(next_word(&at)) };
		return;
	}
	rule = &task->rules[task->count - 1];
	form.is_of_name = *next_word(&at) == 'n';
	form.glob = str_copy(next_word(&at));
	form.regex = str_copy(next_word(&at));
	rule->forms = mem_grow(rule->forms, rule->count + 1, sizeof(*rule->forms));
	rule->forms[rule->count++] = form;
}

static void read_forms(struct task *task, const char *path)
{
	FILE *file = open_file(path, "r");
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) > 0)
		read_form(task, line[0], line + 2);
	free(line);
	fclose(file);
}

static bool keep(void *ctx, const struct event *event)
{
	struct batch *batch = ctx;

	batch->events = mem_grow(batch->events, batch->count + 1, sizeof(*batch->events));
	batch->events[batch->count++] = event_copy(event);
	return true;
}

static struct batch *read_events(const char *path, size_t *out_count)
{
	AUTO(decoder_free) struct decoder *decoder = decoder_new();
	FILE *file = open_file(path, "r");
	struct batch *batches = NULL;
	size_t count = 0, room = 0, decoded;
	char *line = NULL;
	ssize_t size;
	AUTO_ERROR err = { 0 };

	while ((size = getline(&line, &room, file)) > 0) {
		struct batch batch = { .message = { mem_copy(line, size), size } };

		if (decode_message(decoder, batch.message, TEXT("/"), keep, &batch, &decoded,
				   &err) < 0)
			quit(path, error_text(&err));
		batches = mem_grow(batches, count + 1, sizeof(*batches));
		batches[count++] = batch;
	}
	free(line);
	fclose(file);
	*out_count = count;
	return batches;
}

/* ---- Judging ---- */

struct run {
	const struct party *party;
	void *self;
	const struct batch *batches;
	size_t batch_count;
	double least_s, most_s;
	FILE *marks;
	struct found found; /* of the first time through */
	uint64_t events;    /* of all times */
	double cpu_s, wall_s;
};

static void go_through(struct run *run, struct found *found, bool is_first)
{
	double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	double start = cpu - run->cpu_s;

	for (size_t i = 0; i < run->batch_count && run->cpu_s < run->most_s; i++) {
		run->party->judge(run->self, &run->batches[i], found);
		run->cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
		if (is_first && run->marks)
			fprintf(run->marks, "%llu %llu\n", (unsigned long long)found->count,
				(unsigned long long)found->hash);
	}
	run->events += found->event;
}

static void judge(struct run *run)
{
	double start = seconds(CLOCK_MONOTONIC);

	go_through(run, &run->found, true);
	while (run->cpu_s < run->least_s) {
		struct found again = { 0 };

		go_through(run, &again, false);
	}
	run->wall_s = seconds(CLOCK_MONOTONIC) - start;
}

static const struct party *find_party(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parties); i++)
		if (strcmp(parties[i]->name, name) == 0)
			return parties[i];
	quit(name, "no such party");
	return NULL;
}

int main(int argc, char **argv)
{
	struct task task = { .rule_file = argv[2] };
	struct run run = { .party = NULL };
	AUTO_ERROR err = { 0 };
	double resident, used, cpu_s, wall_s;

	if (argc < 7)
		quit("expected", "PARTY RULES.yml FORMS EVENTS LEAST_S MOST_S [MARKS]");
	run.party = find_party(argv[1]);
	read_forms(&task, argv[3]);
	run.batches = read_events(argv[4], &run.batch_count);
	run.least_s = atof(argv[5]);
	run.most_s = atof(argv[6]);
	run.marks = argv[7] ? open_file(argv[7], "w") : NULL;
	malloc_trim(0);
	resident = resident_mib();
	used = used_mib();
	cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID);
	wall_s = seconds(CLOCK_MONOTONIC);
	if (run.party->open(&run.self, &task, &err) < 0)
		quit(run.party->name, error_text(&err));
	cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_s;
	wall_s = seconds(CLOCK_MONOTONIC) - wall_s;
	resident = resident_mib() - resident;
	used = used_mib() - used;
	judge(&run);
	if (run.marks)
		fclose(run.marks);
	printf("{\"compile_cpu_s\": %.6f, \"compile_s\": %.6f, \"resident_mib\": %.2f, "
	       "\"used_mib\": "
	       "%.2f, \"first\": %llu, \"matches\": %llu, \"hash\": %llu, \"events\": %llu, "
	       "\"cpu_s\": %.6f, \"wall_s\": %.6f}\n",
	       cpu_s, wall_s, resident, used, (unsigned long long)run.found.event,
	       (unsigned long long)run.found.count, (unsigned long long)run.found.hash,
	       (unsigned long long)run.events, run.cpu_s, run.wall_s);
	return 0;
}
