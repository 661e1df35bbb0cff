// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// Random messages of OTLP, driven by the tables of otlp/schema.h: every field, every kind of value,
// edges of numbers, odd Unicode, ids shared between spans and requests. thread: one at a time.
#pragma once

#include "otlp/schema.h"

struct random_opts {
    uint64_t (*rand)(void);
    uint32_t spans_max;         // per scope; 0 = 5
    uint32_t depth_max;         // arrays and key-value lists inside each other; 0 = 4, at most 32
    uint32_t invalid_percent;   // of spans: bad ids, times past 2262
    uint32_t duplicate_percent; // of spans: twice in their scope; of resources: come again
    // The wire as hostile as it is legal: fields in any order, twice, with explicit zeros, unknown
    // ones between them. Without it a message is canonical: what otlp_json_to_pb writes for it.
    bool wild;
    bool large;    // now and then strings of 64 KiB, many attributes, values down to depth_max
    bool bad_utf8; // strings that are not UTF-8; keys only in invalid spans
};

enum { RANDOM_TRACES = 8, RANDOM_SPANS = 64 };

struct random_otlp {
    struct random_opts opts;
    uint8_t trace_ids[RANDOM_TRACES][16];
    uint8_t span_ids[RANDOM_SPANS][8];
    uint32_t depth;  // of values, at the moment
    bool chain;      // the value in work goes down as far as it may
    bool invalid;    // the span in work is to be refused
    struct buf kept; // a resource with its spans, to come again
};

void random_init(struct random_otlp *g, struct random_opts opts);
void random_fini(struct random_otlp *g);
// Appends an ExportTraceServiceRequest.
void random_request(struct random_otlp *g, struct buf *out);
// Appends any message of the schema.
void random_message(struct random_otlp *g, const struct otlp_message *m, struct buf *out);
