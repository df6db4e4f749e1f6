/* base: the few macros that every file uses. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* has a MIN and MAX of its own: first, so that ours stay */

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED __attribute__((unused))

/*
 * AUTO(f) in front of a declaration calls f on every way out of the block, unless the pointer is
 * NULL by then. A header that declares a free or close function enables it with AUTO_DEFINE.
 */
#define AUTO(f) __attribute__((cleanup(auto_##f)))
#define AUTO_DEFINE(type, f)                            \
	static inline UNUSED void auto_##f(type *place) \
	{                                               \
		if (*place)                             \
			f(*place);                      \
	}

/* Gives a pointer away: its value, with NULL left behind. */
#define TAKE(place)                                 \
	({                                          \
		__typeof__(place) taken_ = (place); \
		(place) = NULL;                     \
		taken_;                             \
	})

/* Each argument is evaluated once, unlike those of the system's macros of these names. */
#undef MIN
#undef MAX
#define MIN(a, b) BASE_CHOOSE(<, a, b, __COUNTER__)
#define MAX(a, b) BASE_CHOOSE(>, a, b, __COUNTER__)
#define BASE_CHOOSE(order, a, b, number) BASE_CHOOSE_(order, a, b, number)
#define BASE_CHOOSE_(order, a, b, number)                                      \
	({                                                                     \
		__typeof__(a) one##number = (a);                               \
		__typeof__(b) other##number = (b);                             \
		one##number order other##number ? one##number : other##number; \
	})

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
