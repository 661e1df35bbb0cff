// SPDX-License-Identifier: Apache-2.0
// How many spans of a service lie within its requests, in two arms: where instrumentation is lost, requests
// are still seen and what they do no longer. Traces are the units, routes the strata: of each route its mean
// counts in both arms as often as the arm with fewer traces has it, so that a shift of the mix moves nothing.
// Nothing depends on the order of spans.
// Lost is what surely (one-sided, INNER_ERROR) fell below INNER_FRACTION. thread: any.
#pragma once

#include "impact/scan.h"

#define INNER_FRACTION 0.5
#define INNER_ERROR 0.001
enum {
    INNER_TRACES_MAX = 1 << 16,
    INNER_ROUTES_MAX = 128, // the busiest ones; the last one stands for all further ones
    INNER_LEAST = 1,        // fewer spans than this within a request: none to lose
};

struct inner_trace {
    uint64_t hash;            // of its id
    uint32_t requests, spans; // spans: those that are none
    uint64_t route;           // a hash of its name: of several the least
    uint8_t arm;              // ARM_COUNT: of both
};
struct inner {
    struct inner_trace *traces;
    uint32_t n, cap;
    unsigned shift; // one trace in 1 << shift is kept
    struct map map;
    bool partial;
};
struct inner_answer {
    bool known, lost;
    double requests; // that were compared, of each arm
    double old, new; // spans within one
};
void inner_init(struct inner *x);
void inner_fini(struct inner *x);
NODISCARD enum err inner_add(struct inner *x, const uint8_t trace_id[16], enum arm arm, bool is_request,
                             struct str route);
// Adds what the window has.
NODISCARD enum err inner_read(struct inner *x, const struct impact_source *src, const struct impact_of *of,
                              struct impact_window w, struct impact_arm_rule rule, struct err_ctx *ctx);
// Puts the traces in the order of their routes: nothing is added afterwards.
struct inner_answer inner_judge(struct inner *x);
