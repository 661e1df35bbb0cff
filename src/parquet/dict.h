// SPDX-License-Identifier: Apache-2.0
// The dictionary of one column chunk that is being written: the values that occur, numbered in the
// order in which they first do, so that the first pages have the narrowest codes.
#pragma once

#include "base/map.h"
#include "parquet/format.h"
#include "parquet/scratch.h"
#include "parquet/stats.h"

// Where entries and values come from: an array of the caller's, in the one form that is set.
struct values {
    const struct pq_column *column;
    const int32_t *i32;
    const int64_t *i64;
    const double *f64;
    const uint8_t *bools;
    const uint8_t *fixed;
    const struct str *strs; // BYTE_ARRAY, or a FIXED from a caller's dictionary
};
union stats_value values_at(const struct values *v, size_t i);
// The bytes that PLAIN encodes for a value, without a length. tmp has 8 bytes.
struct str values_bytes(const struct values *v, size_t i, char *tmp);

struct dict {
    struct values source;
    uint32_t *codes; // of the values of the chunk
    uint32_t *used;  // entry k is source[used[k]]
    uint32_t n;      // entries
    uint64_t bytes;  // of the page, PLAIN
    bool fits;
    // Set by dict_rank: the place of each entry in the order of values, and the entry at each place.
    uint32_t *ranks, *by_rank;
    // private
    struct scratch codes_mem, used_mem, remap_mem, ranks_mem, keys_mem;
    size_t n_remap; // of remap_mem that are initialised; all are DICT_NONE between uses
    struct map map;
};

enum { DICT_NONE = -1 };

void pq_dict_build_init(struct dict *d);
void pq_dict_build_fini(struct dict *d);
// Both set fits = false, and leave the rest undefined, as soon as the page would pass max_bytes, or
// (give_up) the values turn out to repeat too little. ERR_INVALID for a code past the dictionary.
NODISCARD enum err dict_from_codes(struct dict *d, const struct pq_column *c, const struct pq_values *v,
                                   uint64_t max_bytes);
NODISCARD enum err dict_from_values(struct dict *d, const struct values *v, size_t n, uint64_t max_bytes,
                                    bool give_up);
// Sorts the entries (not of DOUBLE, whose NaN have no place).
NODISCARD enum err dict_rank(struct dict *d);
// Appends the dictionary page's body.
void dict_write(const struct dict *d, struct buf *out);
// Appends one value in PLAIN encoding.
void values_write(const struct values *v, size_t i, struct buf *out);
