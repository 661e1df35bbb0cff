// SPDX-License-Identifier: Apache-2.0
// Every span that a search matches, one after the other, with the values of some fields: for those who count
// what TraceQL metrics cannot. In no order, but those of a trace that lie together come together. A span that
// lies in two places is given once.
// thread: any.
#pragma once

#include "query/stats.h"
#include "span/value.h"
#include "traceql/traceql.h"

struct view;

enum {
    VISIT_FIELDS_MAX = 16,
    VISIT_WHY_MAX = 200,
    VISIT_REGEX_MAX = QL_REGEX_MAX, // bytes of a regular expression in a filter
};

struct visit_span {
    uint8_t trace_id[16];
    uint64_t start_ns;
    const struct value
        *values;   // of the fields, in their order; an event's: of the first that has it, but see by_event
    bool is_event; // by_event: a call for one of its events
};
struct visit {
    struct str filter;         // a search in TraceQL
    const char *const *fields; // as TraceQL writes them: "duration", "resource.service.name"
    uint32_t n_fields;         // up to VISIT_FIELDS_MAX
    // `each` is called for a span without its events, whose fields are nil then, and again for each event
    // with those of that event.
    bool by_event;
    struct query_bounds bounds; // spans that start in (start, end]
    enum err (*each)(void *ctx,
                     const struct visit_span *s); // called by one thread at a time; an error ends it
    void *ctx;
};
struct visit_answer {
    bool partial;            // deadline or memory ended it
    char why[VISIT_WHY_MAX]; // then: why
    struct query_stats stats;
};
// ERR_INVALID: the filter or a field cannot be read (ctx); others as find_run's.
NODISCARD enum err visit_run(struct view *v, const struct visit *q, struct visit_answer *out,
                             struct err_ctx *ctx);
// A text as TraceQL writes it in a comparison, with quotes.
void visit_quote(struct buf *out, struct str text);
