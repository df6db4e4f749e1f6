/* doctor_part: what doctor.c and doctor_rules.c share. For these two. */
#ifndef APP_DOCTOR_PART_H
#define APP_DOCTOR_PART_H

#include <jansson.h>

#include "app/doctor.h"
#include "io/http_client.h"

struct doctor {
	const struct settings *settings;
	void (*found)(void *ctx, const struct finding *finding);
	void *ctx;
	uv_loop_t loop;
	struct http *http;
	/* Of the cluster under examination: */
	struct connection *connection;
	char *about;
	bool is_known;    /* the credential was accepted */
	bool full_access; /* PRIVILEGE_FILE_FULL_ACCESS, or all of them by role */
	bool read_access; /* that or PRIVILEGE_FILE_READ_ACCESS */
	bool is_dry_run;  /* the rule under examination does nothing as it is configured */
	char *user;
	json_t *privileges; /* their names */
};

void doctor_report(struct doctor *doctor, enum finding_level level, const char *cure,
		   const char *format, ...) PRINTF_LIKE(4, 5);
/* What the findings to come are about: "watch main". */
void doctor_speak_about(struct doctor *doctor, const char *kind, const char *name);
bool doctor_has_privilege(const struct doctor *doctor, const char *name);
/* The actions of a watch's rules, with what is known of the credential by now. */
void doctor_examine_rules(struct doctor *doctor, const struct watch_settings *watch);

#endif
