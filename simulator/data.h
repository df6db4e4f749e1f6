/* data: what the data calls of a file and of its named streams have in common (section 9). */
#ifndef SIMULATOR_DATA_H
#define SIMULATOR_DATA_H

#include "simulator/files.h"

/* Each serves one request for the data of node or of one of its streams. */
void data_get(struct request *request, struct node *node, uint64_t stream);
void data_write(struct request *request, struct node *node, uint64_t stream, bool replace);
void data_copy_chunk(struct request *request, struct node *node, uint64_t stream);
void data_punch_hole(struct request *request, struct node *node, uint64_t stream);

/* The stream of a node that the second argument of the path names; false: 404 was answered. */
bool stream_find(struct request *request, struct node *node, struct tree_stream *out);
json_t *stream_json(const struct tree_stream *stream);

#endif
