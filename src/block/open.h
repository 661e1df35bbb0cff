// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: an opened block.
#pragma once

#include <pthread.h>

#include "block/block.h"
#include "block/file.h"

struct in_file {
    struct block *block;
    char key[BLOCK_KEY_MAX];
    struct pq_reader *pq; // NULL = the file is not there
};

struct attr_def { // an attribute column of a file
    size_t column;
    struct str key;
    enum attr_type type;
};

struct block {
    struct object_store *store;
    struct str tenant;
    struct block_meta meta;
    _Atomic uint32_t refs;
    _Atomic bool dead;

    pthread_mutex_t lock; // of the opening
    _Atomic bool is_open;
    struct arena arena; // of what is opened, until the block is freed
    struct in_file spans, traces, events, links, resources, scopes, large, split;
    struct attr_def *span_attrs, *event_attrs, *link_attrs;
    uint32_t n_span_attrs, n_event_attrs, n_link_attrs;
    struct span_entity *resource, *scope;
    uint32_t n_resources, n_scopes;
    const uint8_t *split_ids;
    uint32_t n_split;
    struct bloom_bits { // of trace ids, per row group; bits = NULL: none
        const uint8_t *bits;
        size_t size;
    } * blooms;
};

// Opens column `column` of a row group for this scan.
NODISCARD enum err scan_chunk(struct in_file *f, struct block_scan *s, size_t group, size_t column,
                              struct pq_chunk *out);
// The same, and the rows [from, to) of it.
NODISCARD enum err scan_read(struct in_file *f, struct block_scan *s, size_t group, size_t column,
                             uint32_t from, uint32_t to, struct pq_vector *out);
// Adds the pages of the rows to the bytes that the scan has read.
void scan_count(struct block_scan *s, const struct pq_chunk *c, uint32_t from, uint32_t to);
// Value i of the vector where the column must have one in every row.
NODISCARD enum err vector_i32(const struct pq_vector *v, struct arena *a, const int32_t **out);
NODISCARD enum err vector_i64(const struct pq_vector *v, struct arena *a, const int64_t **out);
NODISCARD enum err vector_fixed(const struct pq_vector *v, struct arena *a, size_t len, const uint8_t **out);
// Text of every value (of rows that have one), in order.
NODISCARD enum err vector_strs(const struct pq_vector *v, struct arena *a, const struct str **out);
