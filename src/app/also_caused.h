/* also_caused: events that a cluster tells of our own changes beside those that a module knows of:
 * [ACT] ALSO_CAUSED, as `cn_monitor calibrate` prints it. */
#ifndef APP_ALSO_CAUSED_H
#define APP_ALSO_CAUSED_H

#include "action/action.h"
#include "config/key.h"

struct also_caused;

/* NULL, or what is wrong with "rename child_mtime_changed of directory". For free(). */
char *also_caused_check(const char *text);
/* Of a list that was checked. */
struct also_caused *also_caused_new(const struct key_list *list);
void also_caused_free(struct also_caused *also);
/*
 * The effects of a module's request, and what also comes of each: of the same file, or of the
 * directory in which it is seen. Borrows from effects; release with also_caused_clear.
 */
struct action_effect *also_caused_add(const struct also_caused *also, const char *module,
				      const struct action_effect *effects, size_t count,
				      size_t *out_count);
void also_caused_clear(struct action_effect *all, size_t count, size_t all_count);

#endif
