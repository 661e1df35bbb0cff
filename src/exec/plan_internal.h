// SPDX-License-Identifier: Apache-2.0
// Inside `exec` only: the stages of a plan, and what judging one trace holds.
#pragma once

#include "exec/plan.h"
#include "exec/rows_internal.h"

struct plan_set {
    enum ql_spanset_kind kind;
    uint32_t filter;
    enum ql_relation relation;
    bool negated, both;
    const struct plan_set *left, *right;
    const struct plan_pipe *pipe;
};
struct plan_scalar {
    enum ql_scalar_kind kind;
    struct value value;
    enum ql_aggregate aggregate;
    const struct expr *of;
    enum ql_op op;
    const struct plan_scalar *left, *right;
    const struct plan_pipe *pipe;
};
struct plan_stage {
    enum ql_stage_kind kind;
    const struct plan_set *set;
    const struct plan_scalar *left, *right;
    enum ql_op op;
    const struct expr *by;
    struct str label;
    bool shows; // SCALAR: the left side becomes an attribute of the set
};
struct plan_pipe {
    const struct plan_stage *stages;
    uint32_t n;
};

// Spans of a trace: positions in its order, ascending. at NULL: all n of them.
struct spans {
    const uint32_t *at;
    uint32_t n;
};

struct judging {
    const struct plan *plan;
    struct rows *rows;
    const struct plan_bits *bits;
    const struct batch_trace *trace;
    struct arena *scratch;
    // Pipelines among scalars speak of the whole trace: each is run once.
    struct known_scalar {
        const struct plan_scalar *of;
        struct value value;
        struct known_scalar *next;
    } * known;
    const uint32_t *parent; // by position; SPANS_NONE = none there. NULL: not made yet
};
#define SPANS_NONE UINT32_MAX

static inline uint32_t spans_at(struct spans s, uint32_t i) {
    return s.at ? s.at[i] : i;
}
static inline uint32_t judging_row(const struct judging *j, uint32_t place) {
    return batch_row(j->rows->batch, j->trace, place);
}

// The spans of B that stand in the relation to A (docs/traceql.md, structural operators).
NODISCARD enum err relation_apply(struct judging *j, const struct plan_set *how, struct spans a,
                                  struct spans b, struct spans *out);
NODISCARD enum err spans_union(struct judging *j, struct spans a, struct spans b, struct spans *out);
// Of any number of sets.
NODISCARD enum err spans_union_all(struct judging *j, const struct spans *sets, uint32_t n,
                                   struct spans *out);

// The value of an aggregate over the spans; NIL where there is nothing to add up.
NODISCARD enum err aggregate_value(struct judging *j, enum ql_aggregate how, const struct expr *of,
                                   struct spans s, struct value *out);
NODISCARD enum err pipe_run(struct judging *j, const struct plan_pipe *p, struct spans in,
                            const struct match_set **out, uint32_t *out_n);
