// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: gathers the keys of the rests of a row group that is being written.
#pragma once

#include "block/restkeys.h"
#include "parquet/parquet.h"

enum {
    REST_KEYS_MAX = 3000,   // beyond these nothing is said
    REST_FILTER_MAX = 4096, // bytes: what that many keys take
};

struct rest_keys {
    uint64_t *hashes; // open addressing; 0 = free
    uint32_t n, cap;
    bool has_zero; // the hash 0
    bool too_many; // or one that cannot be told
    struct arena *arena;
};
void rest_keys_init(struct rest_keys *k, struct arena *a);
void rest_keys_add(struct rest_keys *k, struct str key);
// The keys of a rest (see REST_ATTRIBUTE).
void rest_keys_of(struct rest_keys *k, struct str rest);
// Into the footer, as that of row group number `group`. ERR_NOMEM, also when an addition had no memory.
NODISCARD enum err rest_keys_write(const struct rest_keys *k, struct pq_writer *w, uint32_t group);
// For a row group that is copied: what the source says, if it says anything. from = NULL: it is empty.
NODISCARD enum err rest_keys_copy(struct pq_writer *w, uint32_t group, const struct pq_reader *from,
                                  uint32_t from_group);
