// SPDX-License-Identifier: Apache-2.0
// Test-only: the spans of a trace as a test writes them down.
#pragma once

#include "api/skeleton.h"
#include "base/test.h"

enum { SPANS_MAX = 512 };

// Spans as a test writes them down; filled into the arrays of an input.
struct spans {
    struct skeleton_input in;
    uint64_t id[SPANS_MAX], parent[SPANS_MAX], start[SPANS_MAX], end[SPANS_MAX];
    struct str name[SPANS_MAX], message[SPANS_MAX], service[8];
    uint32_t resource[SPANS_MAX];
    uint8_t kind[SPANS_MAX], status[SPANS_MAX], flags[SPANS_MAX];
};

static inline void spans_init(struct spans *s) {
    memset(s, 0, sizeof *s);
    s->in = (struct skeleton_input){ .span_id = s->id,
                                     .parent_id = s->parent,
                                     .start_ns = s->start,
                                     .end_ns = s->end,
                                     .name = s->name,
                                     .message = s->message,
                                     .resource = s->resource,
                                     .kind = s->kind,
                                     .status = s->status,
                                     .flags = s->flags,
                                     .service = s->service };
}

static inline uint32_t span_add(struct spans *s, uint64_t id, uint64_t parent, uint64_t start, uint64_t end,
                                const char *name) {
    uint32_t i = s->in.n++;
    s->in.n_known++;
    s->id[i] = __builtin_bswap64(id); // ids read like numbers in a test
    s->parent[i] = __builtin_bswap64(parent);
    s->start[i] = start;
    s->end[i] = end;
    s->name[i] = str_of(name);
    return i;
}
