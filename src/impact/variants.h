// SPDX-License-Identifier: Apache-2.0
// Which variant of a flag each trace was served: from the evaluations that spans tell, as attributes of a
// span or as its events (feature_flag.key, with feature_flag.result.variant, feature_flag.variant or
// feature_flag.result.value), whichever service evaluates. A trace that got two variants has none. Traces are
// kept up to a number; past it half of them (by a hash of their id, as arms.h does it) are forgotten, again
// and again. thread: any, once it is read.
#pragma once

#include "impact/scan.h"

enum { VARIANTS_MAX = 32, VARIANT_TRACES_MAX = 1 << 20, EVALUATORS_MAX = 64 };

struct impact_variants {
    struct str names[VARIANTS_MAX]; // further ones are left out, and cut is set
    uint32_t n;
    struct evaluator { // services that evaluate the flag
        struct str service;
        uint64_t n;
    } evaluators[EVALUATORS_MAX];
    uint32_t n_evaluators;
    struct variant_trace {
        uint8_t id[16];
        uint8_t variant; // VARIANTS_MAX: several
    } * traces;
    uint32_t n_traces, cap;
    struct map map; // of traces
    unsigned shift; // one trace in 1 << shift is kept
    uint64_t n_mixed;
    bool cut, partial;
    char why[VISIT_WHY_MAX];
    struct arena *arena; // of names
};
void impact_variants_init(struct impact_variants *v, struct arena *a);
void impact_variants_fini(struct impact_variants *v);
// Evaluations of the flag by any service, in the environment and the window.
NODISCARD enum err impact_variants_read(struct impact_variants *v, const struct impact_source *src,
                                        struct str flag, struct str environment, struct impact_window w,
                                        struct err_ctx *ctx);
// For tests too: a trace was served a variant.
NODISCARD enum err impact_variants_add(struct impact_variants *v, const uint8_t trace_id[16],
                                       struct str variant);
struct str impact_variant_of(const struct impact_variants *v, const uint8_t trace_id[16]); // empty: none
// false: it is not known whether the trace has one. Of those that are kept 1 << shift times as many are.
bool impact_variants_keep(const struct impact_variants *v, const uint8_t trace_id[16]);
// The service that evaluates most; empty: none does.
struct str impact_evaluator(const struct impact_variants *v);
