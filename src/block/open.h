// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: an opened block.
#pragma once

#include <pthread.h>

#include "block/block.h"
#include "block/file.h"
#include "span/field.h"

struct kept_dict;
struct kept_traces;
struct kept_filter;

struct column_places {                   // of the pages of a column in a row group
    const struct pq_page *_Atomic pages; // NULL = not kept (yet)
    size_t n_pages;
    const struct kept_dict *_Atomic dict;     // memo.c: its dictionary; NULL = not kept (yet)
    const struct kept_filter *_Atomic filter; // filters.c: of its values; NULL = not kept (yet)
    _Atomic bool is_refused;                  // there was no room for the dictionary
    _Atomic bool has_no_filter;               // none can be made, or there was no room for it
    _Atomic bool bloom_is_whole;              // the filter of the file was checked
    struct cached_column *cached;             // cache.c, under its lock
    _Atomic uint32_t rows_in_pieces;          // cache.c: unpacked since the column was last read whole
};

struct in_file {
    struct block *block;
    char key[BLOCK_KEY_MAX];
    struct pq_reader *pq;         // NULL = the file is not there
    struct column_places *places; // by row group, then column
    const struct str *rest_keys;  // restkeys.c: of each row group; NULL = there are no rests
};

struct attr_def { // an attribute column of a file
    size_t column;
    struct str key;
    uint32_t hash; // of the key
    enum attr_type type;
};

static inline uint32_t attr_def_hash(struct str key) {
    return (uint32_t)hash_bytes(key.ptr, key.len);
}

struct block {
    struct object_store *store;
    struct str tenant;
    struct block_meta meta;
    _Atomic uint32_t refs;
    _Atomic bool dead;

    pthread_mutex_t lock; // of the opening
    _Atomic bool is_open;
    bool has_files;              // under that lock: the first half of it is done
    struct arena arena;          // of what is opened, until the block is freed
    struct arena tables;         // resources, scopes and split traces, until then
    pthread_mutex_t places_lock; // of adding to them
    struct arena places;
    struct entity_memo *entity_memos; // under the same lock
    pthread_mutex_t memo_lock;        // of adding to these
    struct arena memo_dicts, memo_filters;
    struct kept_traces *memo_traces;                 // a list
    const struct kept_traces *_Atomic *group_traces; // per row group of an opened block
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

void places_init(struct block *b);
void places_fini(struct block *b);
// Sets the pages of a chunk that was just opened, from memory if they were asked for before.
NODISCARD enum err places_find(struct in_file *f, size_t group, size_t column, struct pq_chunk *c);

void memo_init(struct block *b);
void memo_fini(struct block *b);
// Gives a chunk that was just opened its dictionary, if that is kept.
void memo_dict_use(struct in_file *f, size_t group, size_t column, struct pq_chunk *c);
// Is this the dictionary that is kept?
bool memo_has_dict(const struct column_places *p, const struct pq_dict *d);
// Loads the dictionary of a chunk and keeps it, where there is room. *values: its entries, of this
// type, in the memory of the block; NULL: it is not kept, or there is none.
NODISCARD enum err memo_dict_keep(struct in_file *f, size_t group, size_t column, enum value_type type,
                                  struct pq_chunk *c, const struct value **values);
// The entries of a dictionary as values; texts are borrowed, but ANY's are made in the arena.
NODISCARD enum err dict_values(const struct pq_column *c, const struct pq_dict *d, enum value_type type,
                               struct arena *a, struct value *out);

// The dictionary of a chunk, if it is kept; else NULL.
const struct pq_dict *memo_dict_find(const struct in_file *f, size_t group, size_t column);

// restkeys.c: what the footer says of each row group, when a file of rows is opened.
NODISCARD enum err rest_keys_find(struct arena *a, struct in_file *f);

void filters_init(struct block *b);
void filters_fini(struct block *b);
void filters_limit(uint64_t bytes); // of the filters of all blocks
uint64_t filters_bytes(void);

// The value that a field (an attribute or an intrinsic) has in each resource, or in each scope, of an
// opened block: an array by number. Kept with the block, or in `a` when there is no room.
NODISCARD enum err entity_values(struct block *b, bool is_scope, const struct field *f, struct arena *a,
                                 const struct value **out);

// Opens column `column` of a row group for this scan, and finds its pages.
NODISCARD enum err scan_chunk(struct in_file *f, struct block_scan *s, size_t group, size_t column,
                              struct pq_chunk *out);
// The same, and the rows [from, to) of it.
NODISCARD enum err scan_read(struct in_file *f, struct block_scan *s, size_t group, size_t column,
                             uint32_t from, uint32_t to, struct pq_vector *out);
// The first page with a row that is not before `row`; n_pages: none.
size_t chunk_page_of(const struct pq_chunk *c, uint32_t row);
// Adds the pages of the rows to the bytes that the scan has read.
void scan_count(struct block_scan *s, const struct pq_chunk *c, uint32_t from, uint32_t to);
// Value i of the vector where the column must have one in every row.
NODISCARD enum err vector_i32(const struct pq_vector *v, struct arena *a, const int32_t **out);
NODISCARD enum err vector_i64(const struct pq_vector *v, struct arena *a, const int64_t **out);
NODISCARD enum err vector_fixed(const struct pq_vector *v, struct arena *a, size_t len, const uint8_t **out);
// Text of every value (of rows that have one), in order.
NODISCARD enum err vector_strs(const struct pq_vector *v, struct arena *a, const struct str **out);
// large.c: the value of large.parquet with this hash, in the scan's arena. ERR_CORRUPT: there is none.
NODISCARD enum err large_find(struct block *b, struct block_scan *s, struct str hash, struct str *out);
