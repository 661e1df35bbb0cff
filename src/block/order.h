// SPDX-License-Identifier: Apache-2.0
// The order of spans in a block: whole traces, by (start of the trace's part, trace id), inside a
// trace by (start, span id); cut into row groups; equal spans kept once. Spans that lie far from
// the time they were received at (outliers) form row groups of their own at the end.
#pragma once

#include "span/table.h"

enum { BLOCK_GROUP_ROWS = 131072 };
#define OUTLIER_AHEAD_NS (10ull * 60 * 1000000000)
#define OUTLIER_BEHIND_NS (7ull * 86400 * 1000000000)

static inline bool is_outlier(uint64_t start_ns, uint64_t received_ns) {
    return start_ns > received_ns + OUTLIER_AHEAD_NS || start_ns + OUTLIER_BEHIND_NS < received_ns;
}

struct order_run {  // a trace within a row group
    uint32_t trace; // of the table
    uint32_t first; // position in `rows`
    uint32_t n;
};

struct order_group {
    uint32_t first_run, n_runs;
    uint32_t first, n; // positions in `rows`
    bool is_outlier;
};

struct order {
    uint32_t *rows; // of the table, in the order of the block
    uint32_t n_rows;
    uint32_t n_equal; // spans left out because an equal one is there
    struct order_run *runs;
    uint32_t n_runs;
    struct order_group *groups;
    uint32_t n_groups;
};

// received_ns(ctx, row) tells when a row was received. All memory is the arena's. ERR_NOMEM.
NODISCARD enum err order_make(const struct span_table *t, uint32_t n,
                              uint64_t (*received_ns)(void *, uint32_t), void *ctx, struct arena *a,
                              struct order *out);
// The same where it is known which rows are outliers.
NODISCARD enum err order_sort(const struct span_table *t, uint32_t n, const bool *outlier, struct arena *a,
                              struct order *out);
