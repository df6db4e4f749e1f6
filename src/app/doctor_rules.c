/* doctor_rules: which actions of the rules will work with the credential that was found. */
#include "action/action.h"
#include "app/doctor_part.h"
#include "app/modules.h"

static void judge_built_in(struct doctor *doctor, const struct action_type *type,
			   const struct rule_step *step)
{
	const char *dry = doctor->is_dry_run ? " once the dry run is over" : "";
	AUTO(free)
	char *cure = type->privilege ? str_format("add %s to a role of this user", type->privilege)
				     : NULL;

	if (type->privilege && !doctor_has_privilege(doctor, type->privilege))
		doctor_report(doctor, doctor->is_dry_run ? FINDING_WARNING : FINDING_FAILURE, cure,
			      "%s will not work%s: %s is missing", step->module, dry,
			      type->privilege);
	else if (doctor->full_access)
		doctor_report(doctor, FINDING_OK, NULL,
			      "%s will work%s: the user has PRIVILEGE_FILE_FULL_ACCESS",
			      step->module, dry);
	else
		doctor_report(
			doctor, doctor->is_dry_run ? FINDING_WARNING : FINDING_FAILURE,
			"add PRIVILEGE_FILE_FULL_ACCESS to a role of this user (the role "
			"Data-Administrators has it)",
			"%s will not work%s, except on files whose permissions let user %s change "
			"them: PRIVILEGE_FILE_FULL_ACCESS is missing",
			step->module, dry, doctor->user);
}

/* What acts here and not on the cluster: whether it can be set up, and what it asks about the file.
 */
static void judge_local(struct doctor *doctor, const struct action_type *type,
			const struct rule_step *step)
{
	/* As far as the action asks; the server itself is not. */
	const struct mail_server mail = { .host = doctor->settings->email.server,
					  .from = doctor->settings->email.from };
	const struct action_host host = {
		.loop = &doctor->loop,
		.http = doctor->http,
		.mail = doctor->settings->email.server ? &mail : NULL,
	};
	AUTO(action_close) struct action *action = NULL;
	AUTO_ERROR err = { 0 };

	if (action_open(&action, type, step->options, &host, &err) < 0)
		doctor_report(doctor, FINDING_FAILURE, NULL, "will not work: %s", error_text(&err));
	else if (action_needs_file(action) && !doctor->read_access)
		doctor_report(doctor, FINDING_WARNING,
			      "add PRIVILEGE_FILE_READ_ACCESS to a role of this user, or leave out "
			      "{size}, {owner}, {group} and {mode}",
			      "%s will run, but what it tells about a file will be empty where the "
			      "file's "
			      "permissions do not let user %s look: PRIVILEGE_FILE_READ_ACCESS is "
			      "missing",
			      step->module, doctor->user);
	else
		doctor_report(
			doctor, FINDING_OK, NULL,
			"%s needs nothing of the cluster (not tried, because trying is doing)",
			step->module);
}

static void judge_privilege(struct doctor *doctor, const char *privilege, const char *without)
{
	AUTO(free) char *cure = str_format("add %s to a role of this user", privilege);

	if (!doctor_has_privilege(doctor, privilege))
		doctor_report(doctor, FINDING_FAILURE, cure, "%s: %s is missing", without,
			      privilege);
}

static void note_name(void *ctx, const char *name)
{
	(void)name;
	*(bool *)ctx = true;
}

/* Names of owners and groups are the cluster's to know. */
static void examine_names(struct doctor *doctor, const struct watch_settings *watch,
			  const struct rule_set *set)
{
	bool has_names = false;

	rule_set_visit_names(set, note_name, &has_names);
	doctor_speak_about(doctor, "rules", watch->items);
	if (has_names)
		judge_privilege(doctor, "PRIVILEGE_IDENTITY_READ",
				"owners and groups that rules name cannot be asked of the cluster, "
				"and files of numbers and SIDs stay undecided");
}

static void examine_rule(struct doctor *doctor, const struct watch_settings *watch,
			 const struct rule *rule)
{
	AUTO(free)
	char *name = doctor->settings->watch_count == 1
			     ? str_copy(rule->name)
			     : str_format("%s of watch %s", rule->name, watch->name);

	doctor_speak_about(doctor, "rule", name);
	if (rule->unless_open)
		judge_privilege(doctor, "PRIVILEGE_SMB_FILE_HANDLE_READ",
				"unless_open will not work, who has files open cannot be asked, "
				"and the rule waits");
	for (size_t i = 0; i < rule->step_count; i++) {
		const struct rule_step *step = &rule->steps[i];
		const struct action_type *type = action_type_find(step->module);

		doctor->is_dry_run = step->dry_run || rule->mode == RULE_DRY_RUN ||
				     doctor->settings->act.dry_run;
		if (type->is_built_in_change)
			judge_built_in(doctor, type, step);
		else
			judge_local(doctor, type, step);
	}
}

/* What check warns of, like a program that is not there, is what will not work, too. */
static void report_warning(void *ctx, const struct problem *problem)
{
	struct doctor *doctor = ctx;

	doctor_speak_about(doctor, "rules", problem->place.file);
	doctor_report(doctor, FINDING_WARNING, NULL, "line %d: %s", problem->place.line,
		      problem->message);
}

void doctor_examine_rules(struct doctor *doctor, const struct watch_settings *watch)
{
	AUTO(problems_free) struct problems *problems = problems_new();
	AUTO(rule_set_free)
	struct rule_set *set = rule_set_load(watch->items, &app_modules, problems);

	if (!set) {
		doctor_report(doctor, FINDING_FAILURE, "cn_monitor check shows each of them",
			      "the rules in %s have %zu error%s", watch->items,
			      problems_error_count(problems),
			      problems_error_count(problems) == 1 ? "" : "s");
		return;
	}
	modules_check_rules(set, watch->items, doctor->settings, problems);
	problems_visit(problems, report_warning, doctor);
	examine_names(doctor, watch, set);
	for (size_t i = 0; i < rule_set_count(set); i++)
		if (rule_set_get(set, i)->mode != RULE_OFF)
			examine_rule(doctor, watch, rule_set_get(set, i));
}
