// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// A small block that has something of everything, and a reader that looks at all of it.
// thread: one at a time.
#pragma once

#include "block/block.h"
#include "block/writer.h"

#define SAMPLE_NOW_NS 1700000000000000000ull
#define SAMPLE_ID "01HF7YAT00AAAAAAAAAAAAAAAA"
enum { SAMPLE_TRACES = 12 };

// Spans with attributes of every kind, rests, a value over 64 KiB, events, links, outliers, parents
// inside and outside; the same table for the same seed.
NODISCARD enum err sample_table(struct span_table *t, uint64_t seed, uint32_t n_spans);
void sample_trace_id(uint32_t i, uint8_t out[16]); // of SAMPLE_TRACES
uint64_t sample_received(void *ctx, uint32_t row);
// Writes it as block SAMPLE_ID of tenant "t"; trace 0 is said to lie elsewhere too.
NODISCARD enum err sample_write(struct object_store *store, const struct span_table *t,
                                struct mem_budget *budget, struct block_meta *out);
// Opens the block and reads everything in every way there is; the spans into dst if it is not NULL.
NODISCARD enum err sample_read(struct object_store *store, const struct block_meta *meta,
                               struct span_table *dst);
