#include "base/log.h"

#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"

#define REMEMBERED 64 /* lines whose repetition is noticed */
#define LONGEST_PAUSE_MS (10 * 60 * 1000)

struct remembered {
	uint64_t digest;
	int64_t pause_ms;
	int64_t until_ms;
	unsigned swallowed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_TEXT;
static void (*line_sink)(enum log_level, const char *, const char *);
static struct remembered memory[REMEMBERED];
static char **secrets;
static size_t secret_count;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_setup(enum log_level least, enum log_format format)
{
	pthread_mutex_lock(&lock);
	least_level = least;
	line_format = format;
	pthread_mutex_unlock(&lock);
}

void log_redirect(void (*sink)(enum log_level, const char *, const char *))
{
	pthread_mutex_lock(&lock);
	line_sink = sink;
	pthread_mutex_unlock(&lock);
}

static bool is_hidden(const char *secret)
{
	for (size_t i = 0; i < secret_count; i++)
		if (strcmp(secrets[i], secret) == 0)
			return true;
	return false;
}

void log_hide(const char *secret)
{
	if (!secret || strlen(secret) < 4)
		return;
	pthread_mutex_lock(&lock);
	if (!is_hidden(secret)) {
		secrets = mem_grow(secrets, secret_count + 1, sizeof(*secrets));
		secrets[secret_count++] = str_copy(secret);
	}
	pthread_mutex_unlock(&lock);
}

static void hide_secrets(char *line)
{
	for (size_t i = 0; i < secret_count; i++) {
		size_t size = strlen(secrets[i]);
		char *at = line;

		while ((at = strstr(at, secrets[i]))) {
			memcpy(at, "***", 3);
			memmove(at + 3, at + size, strlen(at + size) + 1);
			at += 3;
		}
	}
}

static uint64_t digest_of(const char *who, const char *line)
{
	uint64_t digest = 14695981039346656037ull; /* FNV-1a */

	for (; *who; who++)
		digest = (digest ^ (unsigned char)*who) * 1099511628211ull;
	for (; *line; line++)
		digest = (digest ^ (unsigned char)*line) * 1099511628211ull;
	return digest;
}

/* Whether to stay silent about this line; otherwise how many were swallowed since it was shown. */
static bool is_repetition(const char *who, const char *line, unsigned *swallowed)
{
	uint64_t digest = digest_of(who, line);
	struct remembered *entry = &memory[digest % REMEMBERED];
	int64_t now = clock_monotonic_ms();

	*swallowed = 0;
	if (entry->digest != digest || now - entry->until_ms > LONGEST_PAUSE_MS) {
		*entry = (struct remembered){ digest, 1000, now + 1000, 0 };
		return false;
	}
	if (now < entry->until_ms) {
		entry->swallowed++;
		return true;
	}
	*swallowed = entry->swallowed;
	entry->swallowed = 0;
	entry->pause_ms = MIN(entry->pause_ms * 2, LONGEST_PAUSE_MS);
	entry->until_ms = now + entry->pause_ms;
	return false;
}

/* Standard error has no buffer: what is printed in pieces would be a system call a character, and
 * lines of several processes would mix. */
static void print_line(enum log_level level, const char *who, const char *line)
{
	AUTO(free) char *time = clock_format(clock_now_ms());
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort(); /* out of memory */
	if (line_format == LOG_JSON) {
		fprintf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"", time,
			level_names[level]);
		escape_print(out, who, ESCAPE_JSON);
		fputs("\",\"message\":\"", out);
		escape_print(out, line, ESCAPE_JSON);
		fputs("\"}\n", out);
	} else {
		fprintf(out, "%s %-5s ", time, level_names[level]);
		escape_print(out, who, ESCAPE_TEXT);
		fputs(": ", out);
		escape_print(out, line, ESCAPE_TEXT);
		fputc('\n', out);
	}
	fclose(out);
	fwrite(text, 1, size, stderr);
	free(text);
}

void log_write(enum log_level level, const char *who, const char *format, ...)
{
	unsigned swallowed;
	va_list args;

	if (level > least_level && !line_sink)
		return;
	va_start(args, format);
	AUTO(free) char *line = str_vformat(format, args);
	va_end(args);

	pthread_mutex_lock(&lock);
	hide_secrets(line);
	if (line_sink) {
		line_sink(level, who, line);
	} else if (!is_repetition(who, line, &swallowed)) {
		if (swallowed) {
			AUTO(free)
			char *counted = str_format("%s (%u more like this since)", line, swallowed);

			print_line(level, who, counted);
		} else {
			print_line(level, who, line);
		}
	}
	pthread_mutex_unlock(&lock);
}
