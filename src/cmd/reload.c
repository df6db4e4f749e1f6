#include <stdio.h>

#include "cmd/ask.h"

/* Whether some process has found errors, and did not just keep silent. */
static bool has_refused(json_t *answer)
{
	size_t i;
	json_t *member;

	json_array_foreach(
		json_object_get(answer, "members"), i,
		member) if (!json_is_true(json_object_get(member, "ok")) &&
			    json_is_string(json_object_get(member, "report"))) return true;
	return false;
}

int reload_run(const struct arguments *arguments)
{
	AUTO(monitor_forget) struct monitor *monitor = monitor_find(arguments);
	AUTO_ERROR err = { 0 };

	if (!monitor)
		return EXIT_WRONG;

	json_t *answer = monitor_ask(monitor, "POST", "/v1/reload", &err);

	if (!answer) {
		fprintf(stderr, "cn_monitor reload: %s\n", error_text(&err));
		return EXIT_FAILED;
	}

	bool is_ok = json_is_true(json_object_get(answer, "ok"));
	bool is_refused = has_refused(answer);
	const char *report = json_string_value(json_object_get(answer, "report"));

	fprintf(is_ok ? stdout : stderr, "%s\n", report ? report : "");
	json_decref(answer);
	return is_ok ? EXIT_FINE : is_refused ? EXIT_WRONG : EXIT_FAILED;
}
