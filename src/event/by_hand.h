/* by_hand: an event that a person types, to ask what the rules would make of it. */
#ifndef EVENT_BY_HAND_H
#define EVENT_BY_HAND_H

#include "event/event.h"

/*
 * json is the short form {"event":"created","path":"/home/a.jpg"}, the cluster's own, or
 * event_to_json's. event (or type) is a type's full name or a group's; a group stands for its type
 * about files, or about directories where the path ends with a slash. A path that does not begin
 * with a slash is below directory, as in the cluster's form. A move whose other half is not given
 * is taken as one that has none. For free().
 */
MUST_CHECK int event_by_hand(struct event **out, struct text json, struct text directory,
			     struct error *err);

#endif
