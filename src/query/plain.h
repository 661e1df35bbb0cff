// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// TraceQL a second time, slow and plain: one span after the other, straight from what the language
// says (docs/traceql.md), over all spans that a model of a store holds. Shared with the engine are
// the syntax tree and the types of values and fields, nothing else; answers are compared.
// Memory that runs out, or a regular expression that takes too long, ends the program.
// thread: one at a time.
#pragma once

#include "exec/metrics.h"
#include "ingest/model.h"
#include "query/find.h"
#include "query/series.h"

struct plain_attr {
    struct str key;
    struct value value;
};
struct plain_attrs { // in the order of the keys; equal keys in the order sent
    struct plain_attr *at;
    uint32_t n;
};
struct plain_event {
    uint64_t time_ns;
    struct str name;
    struct plain_attrs attrs;
};
struct plain_link {
    struct str trace_id, span_id; // bytes
    struct plain_attrs attrs;
};
struct plain_span {
    uint8_t trace[16];
    uint8_t id[8];
    struct str parent_id; // bytes; "" = a root
    uint64_t start_ns, end_ns, duration_ns;
    struct str name, trace_state, status_message, scope_name, scope_version, service;
    int64_t status, kind;
    struct plain_attrs attrs, resource, scope;
    struct plain_event *events;
    struct plain_link *links;
    uint32_t n_events, n_links;

    // What follows from the other spans of the trace.
    uint32_t parent;                                  // index in the data; SPAN_NONE: there is none
    int64_t children;                                 //
    int64_t nested_left, nested_right, nested_parent; // 0: not connected to a root
};
struct plain_trace {
    uint32_t first, n; // spans, in order: by start, id, bytes
    uint64_t start_ns, end_ns;
    uint32_t root; // index in the data; SPAN_NONE
};
struct plain_data {
    struct arena arena;
    struct plain_span *spans;
    uint32_t n_spans;
    struct plain_trace *traces;
    uint32_t n_traces;
};

// All spans of the model, which is sorted by this and outlives the data.
void plain_init(struct plain_data *d, struct model *m);
void plain_fini(struct plain_data *d);

// --- values --------------------------------------------------------------------------------------

// Whether `a op b` is true. An absent value makes it false; what `nil` means is not decided here.
bool plain_compare(enum ql_op op, const struct value *a, const struct value *b, const struct ql_regex *regex);
struct value plain_calculate(enum ql_op op, const struct value *a, const struct value *b);
struct value plain_negate(const struct value *v);
int plain_order(const struct value *a, const struct value *b); // as value_order
// A number as metrics see it: durations in seconds. false: not a number.
bool plain_seconds(const struct value *v, long double *out);
// min, max, sum or avg of those that are numbers; NIL: there are none.
struct value plain_aggregate(enum ql_aggregate how, const struct value *values, uint32_t n);

// --- spans ---------------------------------------------------------------------------------------

// Where an expression looks at a span from.
struct plain_look {
    const struct plain_data *data;
    const struct plain_trace *trace;
    const struct plain_span *span;
    const struct plain_event *event; // NULL: none is at hand, and a field of events is the first event's
    const struct plain_link *link;
};
struct value plain_field(const struct plain_look *at, const struct field *f);
struct value plain_eval(const struct plain_look *at, const struct ql_expr *e);
bool plain_matches(const struct plain_look *at, const struct ql_expr *filter); // NULL: {}
// As answers show it: of the event (link) that the filters are about.
struct value plain_told(const struct plain_look *at, const struct field *f,
                        const struct ql_expr *const *filters, uint32_t n_filters);

// --- traces --------------------------------------------------------------------------------------

struct plain_set {
    bool *has; // by place in the trace
    struct find_attr *attrs;
    uint32_t n_attrs;
};
struct plain_sets {
    struct plain_set *at;
    uint32_t n;
};
// The sets that a pipeline leaves of the trace, in the order of their creation.
struct plain_sets plain_run(struct arena *a, const struct plain_data *d, const struct plain_trace *t,
                            const struct ql_pipeline *p);

struct plain_answer {
    struct arena arena;
    struct find_trace *traces; // all of them: no limit, no page
    uint32_t n;
    uint64_t matched_spans;
};
// Of f: query, bounds and spans_per_set.
void plain_find(const struct plain_data *d, const struct find *f, struct plain_answer *out);
void plain_answer_fini(struct plain_answer *a);

// --- metrics -------------------------------------------------------------------------------------

struct plain_series {
    struct metric_label *labels;
    uint32_t n_labels;
    // A sample per interval, NaN = none. Between low and high lies what may be answered: of a
    // quantile, the two values next to its rank.
    double *low, *high;
};
struct plain_metrics {
    struct arena arena;
    struct plain_series *series; // by number of labels, then key, then value
    uint32_t n, n_steps;
    bool is_rough; // a quantile is among it: low and high differ
};
// Of q: query, bounds and step_ns.
void plain_series(const struct plain_data *d, const struct series_query *q, struct plain_metrics *out);
void plain_metrics_fini(struct plain_metrics *m);

struct str plain_field_text(struct arena *a, const struct field *f); // as TraceQL writes it
// Memory or the end of the program.
void *plain_alloc(struct arena *a, size_t n, size_t size);
#define PLAIN_NEW(a, n, type) ((type *)plain_alloc((a), (n), sizeof(type)))
