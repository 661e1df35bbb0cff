// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// A plain model of a store: the set of spans that it was given, as canonical bytes, and a search
// over them by brute force. What a store answers is read into a second model and compared.
// thread: one at a time.
#pragma once

#include "span/table.h"

struct model_span {
    uint8_t trace[16];
    uint64_t id; // the 8 bytes as a number, most significant first: sorts as the bytes do
    uint64_t start_ns, end_ns;
    struct str service, name;
    struct str span, resource, scope; // canonical bytes
    bool is_root, is_error;
    bool is_sure; // acknowledged; else it may be there or not
};

struct model {
    struct arena arena;
    struct model_span *at;
    uint32_t n, cap;
};

void model_init(struct model *m);
void model_fini(struct model *m);
// Adds the spans of a request that the check lets through.
NODISCARD enum err model_add(struct model *m, struct str body, bool is_sure);
NODISCARD enum err model_add_rows(struct model *m, const struct span_table *t, const uint32_t *rows,
                                  uint32_t n, bool is_sure);
void model_drop(struct model *m, const uint8_t id[16]);  // all spans of a trace
void model_doubt(struct model *m, const uint8_t id[16]); // they may be there or not
// Trace by trace, as a reader sees them: by start, span id, bytes. Equal ones become one.
void model_sort(struct model *m);
// Of a sorted model: where the spans of the trace are; 0 when there are none.
uint32_t model_find(const struct model *m, const uint8_t id[16], uint32_t *out_first);
int model_compare(const struct model_span *a, const struct model_span *b);
