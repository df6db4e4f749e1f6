/* options: the command line of cn_simulator. */
#ifndef SIMULATOR_OPTIONS_H
#define SIMULATOR_OPTIONS_H

#include "simulator/switches.h"

enum options_result { OPTIONS_RUN, OPTIONS_SHOWN, OPTIONS_WRONG };

struct options {
	char *root;          /* absolute */
	char *state;         /* root + ".cn_simulator" unless said otherwise */
	const char **listen; /* ended by NULL, as the next ones */
	const char *control; /* NULL: none */
	const char *tls;     /* "auto", "off", "CERT,KEY" */
	const char **users;
	const char **tokens;
	bool verbose;
	struct switches switches;
};

/* OPTIONS_SHOWN: help or version was printed. OPTIONS_WRONG: err says what. */
enum options_result options_parse(struct options *options, int argc, char **argv,
				  struct error *err);
void options_clear(struct options *options);

#endif
