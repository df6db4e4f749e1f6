/* exec: runs a program about an event, without a shell. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "action/module.h"
#include "action/template.h"
#include "base/buf.h"
#include "base/parse.h"
#include "io/child.h"

#define ARGUMENT_MAX ((size_t)128 * 1024 - 1) /* the kernel's, per argument, with its NUL */
#define OUTPUT_MAX ((size_t)64 * 1024)
#define RESULT_MAX ((size_t)4096)
#define EXIT_RETRY 75 /* EX_TEMPFAIL of sysexits.h */

struct exec_config {
	struct key_list command;
	struct key_list environment;
	char *directory;
	int64_t timeout_ms;
	char *user;
	char *group;
	int64_t memory_bytes;
	struct key_list causes;
	char *causes_in;
};

static const struct config_key exec_keys[] = {
	{ .name = "command",
	  .type = KEY_LIST,
	  .offset = offsetof(struct exec_config, command),
	  .help = "The program (an absolute path, or a name found in PATH) and its arguments; no "
		  "shell is involved, a single text is the program alone.",
	  .is_required = true,
	  .is_template = true },
	{ .name = "timeout",
	  .type = KEY_TIME,
	  .offset = offsetof(struct exec_config, timeout_ms),
	  .standard = "60s",
	  .help = "After this time the program and what it started are ended.",
	  .least = 1,
	  .most = 24 * 60 * 60 * 1000 },
	{ .name = "environment",
	  .type = KEY_LIST,
	  .offset = offsetof(struct exec_config, environment),
	  .help = "NAME=value, added to PATH, HOME, LANG, TZ and the CN_* variables.",
	  .is_template = true },
	{ .name = "directory",
	  .type = KEY_PATH,
	  .offset = offsetof(struct exec_config, directory),
	  .help = "The directory in which the program runs; the monitor's own if not given." },
	{ .name = "user",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct exec_config, user),
	  .help = "As whom the program runs, if the monitor runs as root; with the main group of "
		  "that user." },
	{ .name = "group",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct exec_config, group),
	  .help = "With which group it runs, instead." },
	{ .name = "memory",
	  .type = KEY_SIZE,
	  .offset = offsetof(struct exec_config, memory_bytes),
	  .help = "How much memory each process of it may take; more is refused to it. No limit if "
		  "it is not said.",
	  .least = 1024 * 1024,
	  .most = (int64_t)1 << 50 },
	{ .name = "causes",
	  .type = KEY_LIST,
	  .offset = offsetof(struct exec_config, causes),
	  .help = "Which events the program causes on the cluster, in the words of an event "
		  "condition, so that check can warn of loops. Nobody else can know." },
	{ .name = "causes_in",
	  .type = KEY_TEXT,
	  .offset = offsetof(struct exec_config, causes_in),
	  .help = "The directory on the cluster in which it causes them; the file itself if it is "
		  "not said." },
	{ 0 },
};

/* A list of NAME=value or of arguments, ended by NULL. */
struct strings {
	char **items;
	size_t count;
	size_t bytes;
};

static void strings_add(struct strings *strings, char *text)
{
	strings->items = mem_grow(strings->items, strings->count + 2, sizeof(char *));
	strings->items[strings->count++] = text;
	strings->items[strings->count] = NULL;
	strings->bytes += strlen(text) + 1 + sizeof(char *);
}

static void strings_clear(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){ 0 };
}

/* Where the program is, for free(); NULL: nowhere. */
static char *program_find(const char *program)
{
	const char *path = getenv("PATH");
	struct text rest = text_of(path ? path : "/usr/local/bin:/usr/bin:/bin");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? str_copy(program) : NULL;
	while (rest.data) {
		struct text directory = text_cut(&rest, ':');
		AUTO(free) char *found = str_format("%.*s/%s", TEXT_ARGS(directory), program);

		if (directory.size && access(found, X_OK) == 0)
			return TAKE(found);
	}
	return NULL;
}

static void check_program(const char *program, struct place place, struct problems *problems)
{
	bool is_relative = !*program || (program[0] != '/' && strchr(program, '/'));
	AUTO(free) char *found = is_relative ? NULL : program_find(program);

	if (strpbrk(program, "{}")) {
		problems_error(problems, place,
			       "exec: program '%s': it cannot depend on the event; give a fixed "
			       "program and pass fields as arguments",
			       program);
		return;
	}
	if (found)
		return;
	if (strchr(program, ' '))
		problems_error(problems, place,
			       "exec: there is no program '%s'; no shell splits it into words: "
			       "write a list like [/path/to/program, argument]",
			       program);
	else if (is_relative)
		problems_error(problems, place,
			       "exec: program '%s': expected an absolute path or a name found in "
			       "PATH",
			       program);
	else if (program[0] == '/' && access(program, F_OK) == 0)
		problems_warning(problems, place,
				 "exec: %s is not executable here (chmod +x?); its jobs will be "
				 "tried again until it is",
				 program);
	else
		problems_warning(problems, place,
				 "exec: program '%s' is not found here; its jobs will be tried "
				 "again until it is",
				 program);
}

/* Whom user and group mean on this machine; home for free(), NULL: ours. -1: there is nobody. */
static int find_user(const struct exec_config *config, struct child_user *out, char **home,
		     struct error *err)
{
	char room[16384];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;

	*out = (struct child_user){ geteuid(), getegid() };
	if (config->user) {
		(void)getpwnam_r(config->user, &user, room, sizeof(room), &found_user);
		if (!found_user)
			return error_set(err, "user '%s': there is none of that name here",
					 config->user);
		*out = (struct child_user){ user.pw_uid, user.pw_gid };
		*home = str_copy(user.pw_dir);
	}
	if (config->group) {
		(void)getgrnam_r(config->group, &group, room, sizeof(room), &found_group);
		if (!found_group)
			return error_set(err, "group '%s': there is none of that name here",
					 config->group);
		out->gid = group.gr_gid;
	}
	return 0;
}

static void check_user(const struct exec_config *config, struct place place,
		       struct problems *problems)
{
	AUTO(free) char *home = NULL;
	struct child_user user;
	AUTO_ERROR err = { 0 };

	if (!config->user && !config->group)
		return;
	if (find_user(config, &user, &home, &err) < 0)
		problems_error(problems, place, "exec: %s", error_text(&err));
	else if (geteuid() && (user.uid != geteuid() || user.gid != getegid()))
		problems_warning(problems, place,
				 "exec: only root can start programs as somebody else; if the "
				 "monitor runs as this user does, its jobs will fail");
}

static bool is_variable_name(struct text name)
{
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] != '_' && !(name.data[i] >= 'A' && name.data[i] <= 'Z') &&
		    !(name.data[i] >= 'a' && name.data[i] <= 'z') &&
		    !(i && name.data[i] >= '0' && name.data[i] <= '9'))
			return false;
	return name.size > 0;
}

static void check_causes(const struct exec_config *config, struct place place,
			 struct problems *problems)
{
	for (size_t i = 0; i < config->causes.count; i++) {
		const char *name = config->causes.items[i];
		const char *near;

		if (event_kinds_parse(text_of(name)))
			continue;
		near = parse_nearest(text_of(name), event_kind_names());
		problems_error(
			problems, place,
			"exec: causes '%s': expected an event, like written or renamed%s%s%s", name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	if (config->causes_in && config->causes_in[0] != '/')
		problems_error(problems, place,
			       "exec: causes_in '%s': expected a path that begins with /, as the "
			       "cluster has it",
			       config->causes_in);
	else if (config->causes_in && !config->causes.count)
		problems_error(problems, place,
			       "exec: causes_in says where, and causes, which is not there, what: "
			       "expected both or causes alone");
}

static void exec_check(const void *options, struct place place, struct problems *problems)
{
	const struct exec_config *config = options;

	check_causes(config, place, problems);
	if (!config->command.count)
		problems_error(problems, place, "exec: command is empty: expected a program");
	else
		check_program(config->command.items[0], place, problems);
	check_user(config, place, problems);
	for (size_t i = 0; i < config->environment.count; i++) {
		struct text value = text_of(config->environment.items[i]);
		struct text name = text_cut(&value, '=');

		if (!value.data || !is_variable_name(name))
			problems_error(problems, place,
				       "exec: environment '%s': expected NAME=value",
				       config->environment.items[i]);
	}
	if (config->directory && access(config->directory, X_OK) < 0)
		problems_warning(problems, place, "exec: directory %s cannot be entered here",
				 config->directory);
}

/* The name and the value in one text; what the kernel would refuse is told on stdin instead. */
static void add_variable(struct strings *strings, json_t *omitted, const char *name,
			 struct text value)
{
	if (strlen(name) + 1 + value.size > ARGUMENT_MAX)
		json_array_append_new(omitted, json_string(name));
	else
		strings_add(strings, str_format("%s=%.*s", name, TEXT_ARGS(value)));
}

static void add_event(struct strings *strings, json_t *omitted, const struct action_run *run)
{
	static const struct {
		const char *name;
		const char *template;
	} variables[] = {
		{ "CN_PATH", "{path}" },       { "CN_NAME", "{name}" },
		{ "CN_DIR", "{dir}" },         { "CN_OLD_PATH", "{old_path}" },
		{ "CN_EVENT", "{event}" },     { "CN_FILE_ID", "{file_id}" },
		{ "CN_RULE", "{rule}" },       { "CN_WATCH", "{watch}" },
		{ "CN_CLUSTER", "{cluster}" }, { "CN_ORIGIN", "{origin}" },
		{ "CN_TIME", "{time}" },       { "CN_JOB", "{job}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		AUTO(free) char *value = NULL;

		if (template_render(&value, variables[i].template, run, ARGUMENT_MAX, NULL) < 0)
			json_array_append_new(omitted, json_string(variables[i].name));
		else
			add_variable(strings, omitted, variables[i].name, text_of(value));
	}
}

/* Only what a program needs to feel at home: our own environment may hold secrets. */
static void add_ours(struct strings *strings, json_t *omitted, const char *home)
{
	static const char *const names[] = { "PATH", "HOME", "LANG", "TZ" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (i == 1 && home)
			add_variable(strings, omitted, names[i], text_of(home));
		else if (getenv(names[i]))
			add_variable(strings, omitted, names[i], text_of(getenv(names[i])));
}

static int render_list(struct strings *out, const struct key_list *list,
		       const struct action_run *run, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		char *text = NULL;

		if (template_render(&text, list->items[i], run, ARGUMENT_MAX, err) < 0)
			return error_set(err,
					 "'%s' with its fields filled in is longer than the "
					 "%zu bytes that the system hands to a program; read "
					 "the event from standard input instead",
					 list->items[i], ARGUMENT_MAX);
		strings_add(out, text);
	}
	return 0;
}

static size_t exec_effects(const void *options, struct event_effect *effects, size_t max)
{
	const struct exec_config *config = options;

	if (!config->causes.count || !max)
		return 0;
	effects[0] = (struct event_effect){ .by_program = true, .same_file = !config->causes_in };
	for (size_t i = 0; i < config->causes.count; i++)
		effects[0].kinds |= event_kinds_parse(text_of(config->causes.items[i]));
	if (config->causes_in)
		effects[0].path = path_join(text_of(config->causes_in), TEXT_NONE);
	return 1;
}

struct exec_run {
	struct action_run *run;
	struct child *child;
};

static void exec_done(void *ctx, const struct child_exit *exit)
{
	struct exec_run *state = ctx;
	struct action_run *run = state->run;
	const struct exec_config *config = run->action->config;
	const char *program = config->command.items[0];
	AUTO(free) char *output = module_utf8(text_trim(exit->output), RESULT_MAX);
	AUTO(free) char *said = module_last_line(exit->errors, 500);
	const char *colon = *said ? ": " : "";

	free(state);
	module_note_result(run, "output", output);
	if (exit->timed_out) {
		module_retry(run, 0, "%s took longer than %.10g s and was ended%s%s", program,
			     (double)config->timeout_ms / 1000, colon, said);
	} else if (exit->signal) {
		module_retry(run, 0, "%s was ended by signal %d%s%s", program, exit->signal, colon,
			     said);
	} else if (exit->status == EXIT_RETRY) {
		module_retry(run, 0, "%s asks to be tried again (exit status 75)%s%s", program,
			     colon, said);
	} else if (exit->status) {
		action_finish(run, ACTION_REJECTED, "%s failed with exit status %d%s%s", program,
			      exit->status, colon, said);
	} else {
		action_finish(run, ACTION_DONE, NULL);
	}
}

static size_t total_max(void)
{
	long most = sysconf(_SC_ARG_MAX);

	return most > 65536 ? (size_t)most - 4096 : (size_t)1 << 20;
}

static void exec_start(struct action_run *run)
{
	const struct exec_config *config = run->action->config;
	struct strings arguments = { 0 };
	struct strings environment = { 0 };
	json_t *event = module_event(run);
	json_t *omitted = json_array();
	struct child_user user;
	AUTO(free) char *home = NULL;
	AUTO_ERROR err = { 0 };
	bool fits = find_user(config, &user, &home, &err) == 0;

	add_ours(&environment, omitted, home);
	add_event(&environment, omitted, run);
	fits = fits && render_list(&environment, &config->environment, run, &err) == 0 &&
	       render_list(&arguments, &config->command, run, &err) == 0;
	if (fits && arguments.bytes + environment.bytes > total_max()) {
		error_set(&err,
			  "arguments and environment together are longer than the %zu bytes "
			  "that the system hands to a program",
			  total_max());
		fits = false;
	}
	if (json_array_size(omitted))
		json_object_set(event, "omitted_variables", omitted);
	json_decref(omitted);
	AUTO(free) char *json = json_dumps(event, JSON_COMPACT);
	AUTO(free) char *input = str_format("%s\n", json);
	json_decref(event);

	if (!fits) {
		action_finish(run, ACTION_REJECTED, "%s", error_text(&err));
	} else {
		struct exec_run *state = NEW(struct exec_run);
		struct child_options options = {
			.argv = (const char *const *)arguments.items,
			.environment = (const char *const *)environment.items,
			.directory = config->directory,
			.user = &user,
			.memory_limit_bytes = config->memory_bytes,
			.input = text_of(input),
			.timeout_ms = config->timeout_ms,
			.output_limit_bytes = OUTPUT_MAX,
			.done = exec_done,
			.ctx = state,
		};

		state->run = run;
		run->data = state;
		if (child_start(&state->child, run->action->host->loop, &options, &err) < 0) {
			free(state);
			module_retry(run, 0, "%s", error_text(&err));
		}
	}
	strings_clear(&arguments);
	strings_clear(&environment);
}

static void exec_cancel(struct action_run *run)
{
	struct exec_run *state = run->data;

	child_cancel(state->child);
	free(state);
}

static char *exec_plan(struct action_run *run)
{
	const struct exec_config *config = run->action->config;
	struct strings arguments = { 0 };
	AUTO(buf_free) struct buf *plan = buf_new(SIZE_MAX / 2);
	AUTO_ERROR err = { 0 };
	bool fits = true;

	if (render_list(&arguments, &config->command, run, &err) < 0) {
		strings_clear(&arguments);
		return str_format("would be refused: %s", error_text(&err));
	}
	fits &= buf_print(plan, "would run");
	for (size_t i = 0; i < arguments.count; i++) {
		AUTO(free) char *shown = module_utf8(text_of(arguments.items[i]), 1000);

		fits &= buf_print(plan, " '%s'", shown);
	}
	(void)fits;
	strings_clear(&arguments);
	return buf_take(plan);
}

const struct action_type action_exec = {
	.name = "exec",
	.help = "Runs a program, without a shell, with the event as JSON on its standard input.",
	.keys = exec_keys,
	.short_key = "command",
	.config_size = sizeof(struct exec_config),
	.check = exec_check,
	.effects = exec_effects,
	.plan = exec_plan,
	.start = exec_start,
	.cancel = exec_cancel,
};
