// SPDX-License-Identifier: Apache-2.0
// The head: the newest spans of a tenant, in memory, queryable as soon as their request is durable.
// One writer; when it is cut it is frozen, and lives until its block is in the catalog and nobody
// reads it any more. thread: head_apply by the writer; refs and reading by any.
#pragma once

#include "ingest/head_knowledge.h"
#include "otlp/decode.h"
#include "span/table.h"

struct head {
    struct span_table table;
    // writer only
    struct otlp_decoder *decoder;
    uint64_t first_seq, last_seq; // records of the log that it holds; first_seq 0 = none
    uint64_t opened_ns, received_min_ns, received_max_ns;
    bool failed;                       // a request broke off half-way: nothing may be added any more
    struct segvec batch_row, batch_ns; // first row of a request (u32), when it came (u64)
    uint32_t n_batches;
    // When its spans begin, but for outliers, as far as they are published; min > max = none. Read by any.
    _Atomic uint64_t start_min_ns, start_max_ns;
    _Atomic uint32_t refs;
    struct head_knowledge knowledge; // for queries, under its own lock
};

NODISCARD enum err head_new(size_t limit_bytes, struct mem_budget *budget, uint64_t now_ns,
                            struct head **out);
struct head *head_ref(struct head *h);
void head_unref(struct head *h);

// Adds a checked request and publishes its spans. On an error the head is failed: what was
// published stays, the request is not in it.
NODISCARD enum err head_apply(struct head *h, struct str protobuf, const uint32_t *refused,
                              uint32_t n_refused, uint64_t seq, uint64_t received_ns, uint32_t *out_added);

// When the row was received. For a frozen head, or the writer.
uint64_t head_received_ns(void *head, uint32_t row);
