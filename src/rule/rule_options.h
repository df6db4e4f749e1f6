/* rule_options: what a rule says beside its name, conditions and actions. For rule/ only. */
#ifndef RULE_RULE_OPTIONS_H
#define RULE_RULE_OPTIONS_H

#include "rule/rule_set.h"

/* Name, what it means, and what holds without it. */
#define RULE_OPTIONS(OPTION)                                                                       \
	OPTION("settle",                                                                           \
	       "wait until nothing has happened to the file for this long: `5s`, `2m`; `{quiet: "  \
	       "5s, max: 10m}` waits 10 minutes at most; with `unless_open: yes` also while an "   \
	       "SMB client has it open for writing, see below",                                    \
	       "act at once")                                                                      \
	OPTION("absent",                                                                           \
	       "act if this does not happen to the file in time: `{event: written, within: 1h}`",  \
	       "act at once")                                                                      \
	OPTION("threshold", "act only when so many events came within a time, see below",          \
	       "act on each")                                                                      \
	OPTION("throttle",                                                                         \
	       "at most so many jobs within a time; what is too much is counted and left out",     \
	       "no bound")                                                                         \
	OPTION("limit", "with more jobs within a time than this, the rule becomes a dry run",      \
	       "no bound")                                                                         \
	OPTION("mode", "`enforce`; `dry_run`: write down what would be done; `off`: never apply",  \
	       "`enforce`")                                                                        \
	OPTION("on_own", "also see events that cn_monitor's own actions cause", "`no`")            \
	OPTION("ignore_case", "compare without regard to case", "`no`")                            \
	OPTION("stop", "where this rule is true, no rule after it is asked about the event",       \
	       "`no`")                                                                             \
	OPTION("priority",                                                                         \
	       "a whole number: rules with a greater one are asked first, those with the same in " \
	       "the order of the file",                                                            \
	       "`0`")

#define RULE_OPTION_NAME(name, help, missing) name,
#define RULE_OPTION_ROW(name, help, missing) { name, help, missing },

/* Reads the options that node, a rule or `defaults:`, has; the others stay as they are. */
void rule_options_read(struct set_rule *rule, const struct node *node, struct problems *problems);

#endif
