/* language: what rules may say, as the tables of docs/rules.md: printed from the tables that parse.
 */
#include <stdio.h>

#include "action/action.h"
#include "action/template.h"
#include "cmd/command.h"
#include "rule/reference.h"

static void begin(const char *title, const char *name, const char *columns, int count)
{
	printf("## %s\n\n<!-- begin %s -->\n%s\n|", title, name, columns);
	for (int i = 0; i < count; i++)
		fputs("---|", stdout);
	putchar('\n');
}

static void end(const char *name)
{
	printf("<!-- end %s -->\n\n", name);
}

/* ---- Keys and conditions ---- */

static void print_key(void *ctx, const struct reference_row *row)
{
	printf("| `%s` | %s | %s |\n", row->name, row->help, row->missing ? row->missing : "");
}

static void print_condition(void *ctx, const struct reference_row *row)
{
	printf("| `%s` | %s |\n", row->name, row->help ? row->help : "");
}

/* ---- Events ---- */

static void print_types(event_kinds kinds)
{
	const char *between = "";

	for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
		if (!(kinds & EVENT_KIND(type)))
			continue;
		printf("%s`%s`", between, event_type_name(type));
		between = ", ";
	}
}

static void print_group(void *ctx, const char *name, event_kinds kinds, const char *help)
{
	printf("| `%s` | %s | ", name, help);
	if (kinds == EVENT_ANY)
		fputs("all", stdout);
	else if (kinds == EVENT_RENAMED)
		fputs("a `..._moved_to` whose `..._moved_from` was heard, too", stdout);
	else if (kinds == EVENT_MOVED_IN)
		fputs("a `..._moved_to` alone", stdout);
	else if (kinds == EVENT_MOVED_OUT)
		fputs("a `..._moved_from` alone", stdout);
	else
		print_types(kinds);
	puts(" |");
}

static void print_all_types(void)
{
	for (int type = 0; type < EVENT_TYPE_COUNT; type++)
		printf("%s`%s`", type ? type % 4 ? ", " : ",\n" : "", event_type_name(type));
	putchar('\n');
}

/* ---- Actions ---- */

static void print_module(const struct action_type *type)
{
	const char *between = "";

	printf("| `%s` | %s | ", type->name, type->help);
	for (const struct config_key *key = type->keys; key->name; key++) {
		bool is_short = type->short_key && strcmp(type->short_key, key->name) == 0;

		printf("%s%s`%s`%s", between, is_short ? "**" : "", key->name,
		       is_short ? "**" : "");
		between = ", ";
	}
	puts(" |");
}

static void print_fields(void)
{
	const char *const *fields = template_fields();

	for (size_t i = 0; fields[i]; i++)
		printf("%s`{%s}`", i ? i % 8 ? ", " : ",\n" : "", fields[i]);
	putchar('\n');
}

void language_print(void)
{
	begin("A rule file", "file-keys", "| key | meaning | if it is missing |", 3);
	reference_visit(REFERENCE_FILE, print_key, NULL);
	end("file-keys");
	begin("A rule", "rule-keys", "| key | meaning | if it is missing |", 3);
	reference_visit(REFERENCE_RULE, print_key, NULL);
	end("rule-keys");
	begin("Conditions", "conditions", "| key | true if |", 2);
	reference_visit(REFERENCE_CONDITIONS, print_condition, NULL);
	end("conditions");
	begin("What the cluster knows of the file", "facts", "| key | true if |", 2);
	reference_visit(REFERENCE_FACTS, print_condition, NULL);
	end("facts");
	begin("Events", "events", "| name | means | the cluster's types |", 3);
	event_group_visit(print_group, NULL);
	end("events");
	puts("## The cluster's types of events\n\n<!-- begin types -->");
	print_all_types();
	end("types");
	begin("Actions", "modules", "| module | does | options |", 3);
	for (size_t i = 0; action_types[i]; i++)
		print_module(action_types[i]);
	end("modules");
	puts("## Fields of templates\n\n<!-- begin fields -->");
	print_fields();
	end("fields");
}
