// SPDX-License-Identifier: Apache-2.0
// One whole trace: its fragments from all heads and blocks of a view, joined and freed of
// duplicates, in a span table of its own. thread: any.
#pragma once

#include "ingest/ingest.h"
#include "query/memory.h"

struct trace {
    struct span_table table;
    struct arena arena;
    struct query_share share; // of both
    uint32_t *rows;           // in order: start, span id, then the canonical bytes
    uint32_t n;
    bool partial;        // not everything was looked at or kept
    char why[160];       // then: why
    uint64_t bytes_read; // of blocks
};

struct trace_limits {
    uint64_t bytes_max;        // memory of the table; beyond it the trace is partial. 0 = none
    uint64_t start_ns, end_ns; // only blocks with spans in it are looked at; 0, 0 = all
    bool skip_heads, skip_blocks;
    struct mem_budget *budget;   // of the question that it is a part of; NULL: it is one of its own
    struct query_memory *memory; // then of all questions; NULL = no limit of that kind
};

// ERR_OK with n = 0 when nobody knows the trace. ERR_CORRUPT, ERR_IO: a block cannot be read. ERR_AGAIN:
// other questions have all the memory. *out must not move.
NODISCARD enum err trace_load(struct view *v, const uint8_t id[16], const struct trace_limits *limits,
                              struct trace *out);
void trace_fini(struct trace *t);
// What became of something that was wanted of a trace, of its loading too: ERR_AGAIN, with text, where others
// have all the memory. All else is e.
enum err trace_explain(const struct trace *t, enum err e, struct err_ctx *ctx);
// Has the trace a root, and is every parent there? ERR_NOT_FOUND when it is gone, ERR_LIMIT when it
// is too large to say, ERR_NOMEM, ERR_IO, ERR_CORRUPT.
NODISCARD enum err trace_is_whole(struct view *v, const uint8_t id[16], bool *out);
