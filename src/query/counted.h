// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: what a row group counted for a metrics query, as a key and bytes for answers.h. The
// key names all that it depends on: block and row group; the query as it is printed, its grid of intervals,
// and whether exemplars are wanted; where the range cuts the row group; and which of its traces are split,
// and joined. thread: any.
#pragma once

#include "base/cursor.h"
#include "exec/metrics.h"
#include "query/series.h"
#include "query/source.h"

struct noted { // a matched span of a split trace
    uint64_t hash;
    uint8_t trace[16];
};
struct counted_part { // of a split trace in a row group
    uint32_t trace;   // its number there
    uint32_t split;   // in the split set
    bool in_range, is_joined;
    uint64_t hits; // of filters
};

// What all sources are asked.
void counted_question(struct buf *out, const struct series_query *q);
void counted_key(struct buf *out, struct str question, const struct query_bounds *bounds,
                 const struct source *s, const struct counted_part *parts, uint32_t n_parts);

// The bytes: this, then every function.
void counted_pack(struct buf *out, const struct counted_part *parts, uint32_t n_parts,
                  const struct noted *noted, uint32_t n_noted);
void counted_pack_function(struct buf *out, const struct metric_acc *m);
// And back, in the same order: the hits of the parts, what was noted, until false, then every function.
struct counted_reader {
    struct reader r;
    uint64_t n_noted; // left
};
// ERR_CORRUPT: they are of other parts.
NODISCARD enum err counted_open(struct str bytes, struct counted_part *parts, uint32_t n_parts,
                                struct counted_reader *out);
bool counted_noted(struct counted_reader *r, struct noted *out);
struct str counted_function(struct counted_reader *r); // "" past the end, which is no function
