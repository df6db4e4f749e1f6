/* sim: the whole simulator, as its parts see each other. One thread, one loop. */
#ifndef SIMULATOR_SIM_H
#define SIMULATOR_SIM_H

#include <uv.h>

#include "simulator/handles.h"
#include "simulator/switches.h"

struct sim {
	uv_loop_t *loop;
	struct switches switches;
	struct tree *tree;
	struct auth *auth;
	struct hub *hub;
	struct faults *faults;
	struct journal *journal;
	struct snapshots *snapshots;
	struct handles handles;
	struct server *server;
	char *root;       /* the directory served */
	char *state;      /* the folder for what the directory cannot hold */
	char *cluster_id; /* a UUID, the same after a restart */
	char *name;
	char *revision; /* "Qumulo Core 7.2.1" */
	struct {
		int total; /* nodes that reboot in this upgrade; 0: there is none */
		int done;
		bool rolling;
		int64_t down_ms;
		char *revision; /* from its end on; NULL: the same */
	} upgrade;
};

/* Tells the tree of the switches that are its own. */
void sim_apply_switches(struct sim *sim);

#endif
