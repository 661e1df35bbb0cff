// SPDX-License-Identifier: Apache-2.0
// The names of attributes and the values of a field, complete: from heads and dictionaries of
// blocks; never cut without saying so. thread: any.
#pragma once

#include "ingest/ingest.h"
#include "query/memory.h"
#include "traceql/traceql.h"

struct tag_scope {
    enum field_scope scope;
    struct str *names; // sorted
    uint32_t n;
};
struct tag_names {
    struct arena arena;
    struct query_held held;                     // by the arena, of the memory of all questions
    struct tag_scope scopes[FIELD_SCOPE_COUNT]; // by enum field_scope; those not asked for are empty
    bool cut;                                   // `limit` names of a scope were not enough
    bool partial;                               // deadline or memory ended it
    char why[200];                              // then: why
    struct query_stats stats;
};
// scopes: bit 1 << scope for each that is wanted. filter: a search of one filter, or NULL; then of the
// spans that it matches. limit per scope; 0 = none. ERR_INVALID: the filter cannot be run.
NODISCARD enum err tags_names(struct view *v, uint32_t scopes, const struct ql_query *filter,
                              const struct query_bounds *bounds, uint32_t limit, struct tag_names *out,
                              struct err_ctx *ctx);
void tag_names_fini(struct tag_names *t);

struct tag_values {
    struct arena arena;
    struct query_held held; // by the arena, of the memory of all questions
    struct value *values;   // sorted by type and value, each once
    uint32_t n;
    bool cut;      // there are more than `limit`
    bool partial;  // deadline or memory ended it
    char why[200]; // then: why
    struct query_stats stats;
};
// filter: a search of one filter, or NULL. Of a field of a span with several values (events): all.
NODISCARD enum err tags_values(struct view *v, const struct field *f, const struct ql_query *filter,
                               const struct query_bounds *bounds, uint32_t limit, struct tag_values *out,
                               struct err_ctx *ctx);
void tag_values_fini(struct tag_values *t);
