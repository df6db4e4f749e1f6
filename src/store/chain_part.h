/* chain_part: how marks and links are written down; for chain.c and chain_verify.c. */
#ifndef STORE_CHAIN_PART_H
#define STORE_CHAIN_PART_H

#include "store/chain.h"

struct mark {
	uint8_t kind;
	struct store_key job, time_ms;
	uint8_t body[CHAIN_LINK_SIZE];
	uint8_t digest[CHAIN_LINK_SIZE];
};

struct link {
	struct mark mark;
	uint8_t link[CHAIN_LINK_SIZE];
};

struct anchor {
	struct store_key number, since_ms;
	uint8_t link[CHAIN_LINK_SIZE];
};

struct chain_key {
	char bytes[1 + 8 + 8 + 1];
	size_t size;
};

struct chain_key chain_key(char letter, const uint64_t *numbers, size_t count);
struct chain_key chain_mark_key(const struct mark *mark);
struct text chain_key_text(const struct chain_key *key);
uint64_t chain_number(const struct store_key *key);

/* Of a job; body NULL: it is as it was, of which nothing is known here. */
void chain_mark_init(struct mark *out, enum chain_kind kind, const struct job *job);
/* The digest of a mark whose body's is given. */
void chain_digest(struct mark *mark, const char *outcome);
void chain_link(const uint8_t before[CHAIN_LINK_SIZE], const struct mark *mark,
		uint8_t out[CHAIN_LINK_SIZE]);
void chain_hex(const uint8_t link[CHAIN_LINK_SIZE], char out[CHAIN_HEX_SIZE]);

#endif
