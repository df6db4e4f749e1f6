#include <stdio.h>

#include "base/escape.h"
#include "cmd/ask.h"

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void print_roles(json_t *answer)
{
	const char *role, *between = "";
	json_t *status;

	json_object_foreach(json_object_get(answer, "roles"), role, status)
	{
		printf("%s%s %s", between, role, text_at(status, "state"));
		if (strcmp(text_at(status, "state"), "standby") == 0 && *text_at(status, "why")) {
			fputs(" (", stdout);
			escape_print(stdout, text_at(status, "why"), ESCAPE_TEXT);
			putchar(')');
		}
		between = ", ";
	}
	putchar('\n');
}

int health_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	AUTO_ERROR err = { 0 };

	if (!monitor)
		return EXIT_WRONG;

	json_t *answer = monitor_ask(monitor, "GET", arguments->live ? "/livez" : "/readyz", &err);

	if (!answer) {
		fprintf(stderr, "cn_monitor health: %s\n", error_text(&err));
		return EXIT_FAILED;
	}
	if (arguments->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_roles(answer);
	}
	json_decref(answer);
	return EXIT_FINE;
}
