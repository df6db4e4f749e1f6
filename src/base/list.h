/* list: a doubly linked list through members of the structs; a head is a link too. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Safe on a link that is in no list, provided it was initialised. */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* All links of `from`, in their order, become those of `to`. */
static inline void list_take_all(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	list_init(from);
}

#define list_entry(link, type, member) CONTAINER_OF(link, type, member)
/* The body may remove `item` itself. */
#define list_for_each(item, head, member)                                             \
	for (__typeof__(item) item##_next =                                           \
		     ((item) = list_entry((head)->next, __typeof__(*(item)), member), \
		     list_entry((item)->member.next, __typeof__(*(item)), member));   \
	     &(item)->member != (head);                                               \
	     (item) = item##_next, item##_next = list_entry((item)->member.next,      \
							    __typeof__(*(item)), member))

#endif
