/* index_hash: the hashes that rules are filed under. For rule_index only. */
#ifndef RULE_INDEX_HASH_H
#define RULE_INDEX_HASH_H

#include "base/text.h"

#define INDEX_HASH_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a, for beginnings of a name: one after the other as it grows. */
static inline uint64_t index_hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t index_hash_beginning(struct text text)
{
	uint64_t hash = INDEX_HASH_START;

	for (size_t i = 0; i < text.size; i++)
		hash = index_hash_byte(hash, text.data[i]);
	return hash;
}

static inline uint64_t index_hash_mix(uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2)));

	hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return (hash ^ (hash >> 32)) | 1;
}

/* Up to eight bytes as a number. */
static inline uint64_t index_hash_load(const char *data, size_t size)
{
	uint64_t eight = 0;
	uint32_t first, last;

	if (size == 8) {
		memcpy(&eight, data, 8);
	} else if (size >= 4) {
		memcpy(&first, data, 4);
		memcpy(&last, data + size - 4, 4);
		eight = (uint64_t)first << 32 | last;
	} else if (size) {
		eight = (uint64_t)(unsigned char)data[0] << 16 |
			(uint64_t)(unsigned char)data[size / 2] << 8 |
			(unsigned char)data[size - 1];
	}
	return eight;
}

/* Of a whole text, eight bytes at a time. */
static inline uint64_t index_hash_text(struct text text)
{
	uint64_t hash = text.size * UINT64_C(0x9e3779b97f4a7c15);

	for (; text.size > 8; text.data += 8, text.size -= 8) {
		hash = (hash ^ index_hash_load(text.data, 8)) * UINT64_C(0xd6e8feb86659fd93);
		hash ^= hash >> 32;
	}
	hash = (hash ^ index_hash_load(text.data, text.size)) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ (hash >> 32);
}

/* Of a directory, from that of the one above it and its own name. */
static inline uint64_t index_hash_below(uint64_t above, struct text name)
{
	uint64_t hash = (above ^ index_hash_text(name)) * UINT64_C(0xff51afd7ed558ccd);

	return hash ^ (hash >> 29);
}

/* The next slash of a path behind the one at slash, or its end. */
static inline size_t index_hash_next_slash(struct text path, size_t slash)
{
	const char *start = path.data + slash + 1;
	const char *next = slash + 1 < path.size ? memchr(start, '/', path.size - slash - 1) : NULL;

	return next ? (size_t)(next - path.data) : path.size;
}

static inline uint64_t index_hash_directory(struct text path)
{
	uint64_t hash = INDEX_HASH_START;
	size_t next;

	for (size_t slash = 0; slash < path.size; slash = next) {
		next = index_hash_next_slash(path, slash);
		hash = index_hash_below(hash,
					(struct text){ path.data + slash + 1, next - slash - 1 });
	}
	return hash;
}

#endif
