// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: from rows of a batch to what answers show of them. thread: the batch's.
#pragma once

#include "exec/plan.h"
#include "query/find.h"

// What a search shows of a span: the fields that it reads and selects, by the names of answers.
struct show {
    const struct plan *plan;
    const struct field *fields; // of the plan
    uint32_t n_fields;
    struct str *keys;  // per field; ptr NULL: not shown as an attribute
    bool *chosen;      // per field: exec/told.h chooses what is shown; NULL: of none
    bool has_name;     // the span's name is among them
    uint32_t duration; // that field, or n_fields
    bool errors;       // set by the caller: spans say whether they are in error
};
NODISCARD enum err show_new(struct arena *a, const struct plan *p, struct show *out);

// A trace to be shown: its number in the batch, and its sets with at most spans_per_set rows.
struct shown_set {
    const struct match_attr *attrs;
    uint32_t n_attrs, matched;
    const uint32_t *rows;
    uint32_t n_rows;
};
struct shown_trace {
    uint32_t trace;
    const struct shown_set *sets;
    uint32_t n_sets;
    struct find_trace *out; // made
};
// Where what is shown is copied to, and texts that are there already. Long texts of kept columns are not
// copied: whoever shows takes the pins of the scan then.
enum { SHOW_TEXTS = 512 };
struct show_into {
    struct arena *arena;
    bool needs_pins;              // of a batch that was shown
    struct str texts[SHOW_TEXTS]; // by a hash
};
void show_into_init(struct show_into *x, struct arena *a);
// Makes what each of them shows.
NODISCARD enum err show_traces(const struct show *s, struct batch *b, struct rows *rows,
                               struct shown_trace *traces, uint32_t n, struct show_into *into);
// What is known of a trace, with texts that are the batch's.
void show_summary(const struct batch_trace *t, const struct batch_summary *s, struct trace_summary *out);
// Copies whose bytes are the arena's; of services with their pad.
NODISCARD enum err show_services(struct arena *a, struct str text, struct str *out);
struct value show_value(struct arena *a, const struct value *v);
