/* log_action: one line about an event, into a file as JSON or into our own log. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "action/module.h"
#include "action/template.h"
#include "base/buf.h"
#include "base/log.h"

#define TEXT_MAX ((size_t)1 << 20)

struct log_config {
	char *file;
	char *text;
};

/* The file stays open between runs. */
struct log_file {
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
	bool is_torn; /* the last line was written in part */
};

static const struct config_key log_keys[] = {
	{ "file", KEY_PATH, offsetof(struct log_config, file), NULL,
	  "Where to append a JSON object a line; without it the line goes to the monitor's log." },
	{ "text", KEY_TEMPLATE, offsetof(struct log_config, text), NULL,
	  "What the line says; in a file it becomes the member text." },
	{ 0 },
};

static int log_open(struct action *action, struct error *err)
{
	struct log_file *file = NEW(struct log_file);

	(void)err;
	file->fd = -1;
	action->data = file;
	return 0;
}

static void forget(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static void log_close(struct action *action)
{
	forget(action->data);
	free(action->data);
}

/* logrotate moves the file away or removes it: then the next line starts a new one. */
static bool is_still_there(const struct log_file *file, const char *path)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == file->device && now.st_ino == file->inode;
}

static int reach(struct log_file *file, const char *path, struct error *err)
{
	struct stat now;

	if (file->fd >= 0 && is_still_there(file, path))
		return 0;
	forget(file);
	/* Without O_NONBLOCK a pipe that nobody reads would hold up every other action. */
	file->fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (file->fd < 0 || fstat(file->fd, &now) < 0)
		return error_errno(err, "cannot open %s", path);
	file->device = now.st_dev;
	file->inode = now.st_ino;
	file->is_torn = false;
	return 0;
}

/* One write for the whole line, so that lines of several writers do not mix. */
static int append(struct log_file *file, const char *path, struct text line, struct error *err)
{
	ssize_t written;

	if (file->is_torn && write(file->fd, "\n", 1) == 1)
		file->is_torn = false;
	do {
		written = write(file->fd, line.data, line.size);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return error_errno(err, "cannot write to %s", path);
	if ((size_t)written == line.size)
		return 0;
	file->is_torn = written > 0;
	return error_set(err, "only %zd of %zu bytes could be written to %s: is the disk full?",
			 written, line.size, path);
}

static char *log_line(struct action_run *run, const char *text)
{
	json_t *object = module_event(run);
	char *line;

	if (text) {
		AUTO(free) char *clean = module_utf8(text_of(text), TEXT_MAX);

		json_object_set_new(object, "text", json_string(clean));
	}
	AUTO(free) char *json = json_dumps(object, JSON_COMPACT);
	line = str_format("%s\n", json);
	json_decref(object);
	return line;
}

static void log_start(struct action_run *run)
{
	const struct log_config *config = run->action->config;
	AUTO(free) char *text = NULL;
	AUTO_ERROR err = { 0 };

	if (config->text && template_render(&text, config->text, run, TEXT_MAX, &err) < 0) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
		return;
	}
	if (!config->file) {
		AUTO(free) char *who = str_format("rule/%s", run->rule ? run->rule : "");

		if (text)
			log_info(who, "%s", text);
		else
			log_info(who, "%.*s %.*s", TEXT_ARGS(run->event->type_name),
				 TEXT_ARGS(run->event->path));
		action_finish(run, ACTION_DONE, NULL);
		return;
	}
	AUTO(free) char *line = log_line(run, text);
	if (reach(run->action->data, config->file, &err) < 0 ||
	    append(run->action->data, config->file, text_of(line), &err) < 0)
		module_retry(run, 0, "%s", error_text(&err));
	else
		action_finish(run, ACTION_DONE, NULL);
}

static void log_cancel(struct action_run *run)
{
	(void)run; /* it is finished when start returns */
}

static char *log_plan(struct action_run *run)
{
	const struct log_config *config = run->action->config;

	if (config->file)
		return str_format("would append a line to %s", config->file);
	return str_copy("would write a line to the log");
}

const struct action_type action_log = {
	.name = "log",
	.help = "Writes a line about the event, into a file as JSON or into the monitor's log.",
	.keys = log_keys,
	.short_key = "file",
	.config_size = sizeof(struct log_config),
	.open = log_open,
	.close = log_close,
	.plan = log_plan,
	.start = log_start,
	.cancel = log_cancel,
};
