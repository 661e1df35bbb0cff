// SPDX-License-Identifier: Apache-2.0
// The order of the spans of one trace: by start, then span id (as bytes), then canonical bytes. Blocks
// and heads share it, so that a trace looks the same wherever it lies. thread: a reader of the table.
#pragma once

#include "span/table.h"

// What a span is sorted by. The id as a number that compares as its bytes do.
struct span_key {
    uint64_t start_ns, span_id;
    uint32_t row;
};

static inline struct span_key span_key_of(const struct span_table *t, uint32_t row) {
    return (struct span_key){ SEG_AT(&t->start_ns, row, uint64_t),
                              __builtin_bswap64(SEG_AT(&t->span_id, row, uint64_t)), row };
}

// By start, id and row. space: for n / 2 + 1 keys.
void span_keys_sort(struct span_key *k, uint32_t n, struct span_key *space);

// Of sorted keys: puts those with the same start and id in the order of their canonical bytes (then
// those of their resource and scope), and keeps one of spans that are equal in all of these.
NODISCARD enum err span_keys_settle(const struct span_table *t, struct span_key *k, uint32_t n,
                                    uint32_t *out_kept);
