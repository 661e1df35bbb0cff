// SPDX-License-Identifier: Apache-2.0
// Judges an ExportTraceServiceRequest before it is written to the log: does it parse, how many
// spans has it, and which of them are refused. What it lets through the decoder takes without a
// further question, so that a replay never judges again. Touches no store. thread: any.
// Source: opentelemetry-proto v1 (trace, common, resource); protobuf.dev "Encoding".
#pragma once

#include "base/str.h"

enum { OTLP_VALUE_DEPTH_MAX = 32 }; // arrays and key-value lists inside each other

#define OTLP_REFUSE_TABLE(X) \
    X(TRACE_ID, "trace_id", "the trace id is not 16 bytes or all zero") \
    X(SPAN_ID, "span_id", "the span id is not 8 bytes or all zero") \
    X(KEY, "key", "an attribute key is not UTF-8 or longer than 32 KiB") \
    X(TIME, "time", "a start or end time lies beyond the year 2262") \
    X(DEPTH, "depth", "an attribute value is nested more than 32 deep")

enum otlp_refuse {
#define X(name, label, text) OTLP_REFUSE_##name,
    OTLP_REFUSE_TABLE(X)
#undef X
        OTLP_REFUSE_COUNT
};
const char *otlp_refuse_label(enum otlp_refuse r); // for metrics
const char *otlp_refuse_text(enum otlp_refuse r);  // for people

struct otlp_check {
    uint32_t n_spans;   // all
    uint32_t n_refused; // of them
    uint32_t *refused;  // their ordinals in the request, ascending; in the caller's arena
    uint32_t by_reason[OTLP_REFUSE_COUNT];
    uint32_t n_unknown; // fields that this version does not know; they are not kept
};

// ERR_INVALID (with text) when the body does not parse, ERR_NOMEM.
NODISCARD enum err otlp_check(struct str body, struct arena *arena, struct otlp_check *out,
                              struct err_ctx *ctx);
