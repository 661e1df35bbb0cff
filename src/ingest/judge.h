// SPDX-License-Identifier: Apache-2.0
// Inside `ingest` only: which traces are whole. When a head is cut, every trace of it that no block
// held before is counted. Those without a root, or with a parent that is not there, are suspects:
// JUDGE_AFTER_NS later, when late spans have come, each is looked at once more, wherever its spans
// lie by then. thread: the keeper.
#pragma once

#include "ingest/ingest.h"

#define JUDGE_AFTER_NS 60000000000ull

// What a block being written says of its traces.
struct judge_notes {
    const struct span_table *table;
    const bool *held; // by trace: older blocks hold it too
    struct arena *arena;
    const uint8_t **broken; // ids of the suspects
    uint32_t n_broken, cap;
    uint64_t n_traces, n_errors;
};

struct suspect {
    uint8_t id[16];
    uint64_t due_ns;
};

struct judge {
    struct suspect *ring; // oldest first; NULL until there is one
    uint32_t first;
    _Atomic uint32_t n;
    _Atomic uint64_t traces_total, errors_total, partial_total, rebuilt_total, unknown_total;
};

void judge_note(void *notes, uint32_t trace, bool has_error, bool is_broken); // block_write_opts.on_trace
void judge_take(struct ingest *in, const struct judge_notes *notes);
// Judges some suspects whose time has come. true: call again.
bool judge_step(struct ingest *in);
void judge_stats(struct ingest *in, struct ingest_stats *out);
