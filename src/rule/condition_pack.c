/* Conditions of a rule, moved side by side. */
#include "rule/condition.h"

static const struct condition *pack(struct arena *arena, const struct condition *condition);

static void pack_children(struct arena *arena, struct condition *condition)
{
	const struct condition **children =
		arena_take(arena, condition->child_count * sizeof(*children));

	for (size_t i = 0; i < condition->child_count; i++)
		children[i] = pack(arena, condition->children[i]);
	free(condition->children);
	condition->children = children;
}

static void pack_directories(struct arena *arena, struct condition *condition)
{
	struct text *directories =
		arena_take(arena, condition->directory_count * sizeof(*directories));

	for (size_t i = 0; i < condition->directory_count; i++)
		directories[i] = arena_move_text(arena, condition->directories[i]);
	free(condition->directories);
	condition->directories = directories;
}

static void pack_patterns(struct arena *arena, struct pattern_list *list)
{
	struct pattern **items = arena_take(arena, list->count * sizeof(*items));

	for (size_t i = 0; i < list->count; i++)
		items[i] = pattern_pack(arena, list->items[i]);
	free(list->items);
	list->items = items;
}

static const struct condition *pack(struct arena *arena, const struct condition *condition)
{
	struct condition *packed = condition->source->packed;

	if (packed)
		return packed;
	packed = arena_take(arena, sizeof(*packed));
	*packed = *condition;
	packed->source->packed = packed;
	switch (packed->kind) {
	case CONDITION_ALL:
	case CONDITION_ANY:
	case CONDITION_NOT:
		pack_children(arena, packed);
		break;
	case CONDITION_DIRECTORY:
		pack_directories(arena, packed);
		break;
	case CONDITION_PATH:
	case CONDITION_NAME:
	case CONDITION_STREAM:
	case CONDITION_WATCH:
		pack_patterns(arena, &packed->patterns);
		break;
	default: /* what they have is theirs alone, wherever it is */
		break;
	}
	return packed;
}

void condition_pool_pack(struct condition_pool *pool, const struct condition **roots, size_t count)
{
	struct condition *last = pool->last;

	for (size_t i = 0; i < count; i++) {
		arena_begin_line(&pool->arena);
		roots[i] = pack(&pool->arena, roots[i]);
	}
	pool->last = NULL;
	while (last) {
		struct condition *condition = last;
		struct condition_source *source = condition->source;

		last = source->made_before;
		source->made_before = pool->last;
		pool->last = source->packed ? source->packed : condition;
		if (source->packed)
			free(condition);
	}
}
