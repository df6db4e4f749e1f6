/* faults: answers that go wrong on demand, set by POST /sim/faults. */
#ifndef SIMULATOR_FAULTS_H
#define SIMULATOR_FAULTS_H

#include "base/list.h"
#include "simulator/request.h"

enum fault_body { FAULT_JSON, FAULT_HTML, FAULT_EMPTY };
enum fault_loss {
	FAULT_ANSWERED,
	FAULT_LOST,    /* performed, then closed without an answer */
	FAULT_DROPPED, /* closed without being performed */
};

struct fault {
	struct list link;
	int64_t number;
	char *method; /* NULL: any */
	char *path;   /* a prefix, of the path as sent or of the route's pattern; NULL: any */
	int64_t skip;
	int64_t count;   /* -1: until it is taken away */
	unsigned status; /* 0: the true answer */
	enum fault_body body;
	char *error_class;
	char *retry_after; /* NULL: no header */
	int64_t delay_ms;
	enum fault_loss loss;
};

struct faults {
	struct list faults;
	int64_t last_number;
	int64_t hits;
	int64_t second; /* rate limit: the second that is being counted */
	int64_t in_second;
};

struct faults *faults_new(void);
void faults_free(struct faults *faults);
/* From the JSON that the manual describes; answers the new fault's number, or -1. */
MUST_CHECK int64_t faults_add(struct faults *faults, const json_t *description, struct error *err);
int faults_remove_all(struct faults *faults);
json_t *faults_json(const struct faults *faults);

/* What this request shall suffer: a copy for fault_free(), or NULL. */
struct fault *faults_take(struct faults *faults, const struct request *request);
void fault_free(struct fault *fault);
/* Answers the fault's status instead of the true answer. */
void fault_answer(const struct fault *fault, struct request *request);

/* Counts a request; true: 429 was answered. */
bool faults_limit_rate(struct faults *faults, struct request *request);

#endif
