#include "store/redis_route.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/redis_address.h"

#define LEARNED_MAX 100

struct redis_route {
	pthread_mutex_t lock;
	struct redis_host *hosts; /* first those of the settings, which stay */
	size_t count, given;
	size_t current;
	atomic_bool is_alone;
	size_t oldest; /* of the learned ones: makes room when there are too many */
};

static struct redis_host copy_of(const struct redis_host *host)
{
	return (struct redis_host){ str_copy(host->name), str_copy(host->port) };
}

static bool is_same(const struct redis_host *a, const struct redis_host *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->port, b->port) == 0;
}

struct redis_route *redis_route_new(const struct redis_host *hosts, size_t count)
{
	struct redis_route *route = NEW(struct redis_route);

	pthread_mutex_init(&route->lock, NULL);
	route->hosts = mem_array(count + LEARNED_MAX, sizeof(*route->hosts));
	for (size_t i = 0; i < count; i++)
		route->hosts[i] = copy_of(&hosts[i]);
	route->count = route->given = route->oldest = count;
	return route;
}

void redis_route_free(struct redis_route *route)
{
	if (!route)
		return;
	for (size_t i = 0; i < route->count; i++)
		redis_host_clear(&route->hosts[i]);
	free(route->hosts);
	pthread_mutex_destroy(&route->lock);
	free(route);
}

bool redis_route_has_others(struct redis_route *route)
{
	bool has_others;

	pthread_mutex_lock(&route->lock);
	has_others = route->count > 1;
	pthread_mutex_unlock(&route->lock);
	return has_others;
}

void redis_route_pick(struct redis_route *route, struct redis_host *out)
{
	pthread_mutex_lock(&route->lock);
	*out = copy_of(&route->hosts[route->current]);
	pthread_mutex_unlock(&route->lock);
}

void redis_route_avoid(struct redis_route *route, const struct redis_host *host)
{
	pthread_mutex_lock(&route->lock);
	/* Somebody else may have found the right one meanwhile. */
	if (route->count && is_same(&route->hosts[route->current], host))
		route->current = (route->current + 1) % route->count;
	pthread_mutex_unlock(&route->lock);
}

static size_t find(struct redis_route *route, const struct redis_host *host)
{
	size_t i = 0;

	while (i < route->count && !is_same(&route->hosts[i], host))
		i++;
	if (i < route->count)
		return i;
	if (route->count < route->given + LEARNED_MAX) {
		route->hosts[route->count] = copy_of(host);
		return route->count++;
	}
	if (route->oldest == route->current && ++route->oldest == route->count)
		route->oldest = route->given;
	i = route->oldest++;
	if (route->oldest == route->count)
		route->oldest = route->given;
	redis_host_clear(&route->hosts[i]);
	route->hosts[i] = copy_of(host);
	return i;
}

void redis_route_move(struct redis_route *route, const struct redis_host *host)
{
	pthread_mutex_lock(&route->lock);
	route->current = find(route, host);
	pthread_mutex_unlock(&route->lock);
}

void redis_route_learn(struct redis_route *route, const struct redis_host *host)
{
	pthread_mutex_lock(&route->lock);
	(void)find(route, host);
	pthread_mutex_unlock(&route->lock);
}

void redis_route_set_alone(struct redis_route *route)
{
	route->is_alone = true;
}

bool redis_route_is_alone(const struct redis_route *route)
{
	return route->is_alone;
}
