// SPDX-License-Identifier: Apache-2.0
// What a canary got of the requests, against what its weight said: minute by minute, by the step that held
// all through it and the minute before, since routers and instances take a while. Pure. thread: any.
#pragma once

#include "delivery/canary.h"
#include "impact/scan.h"

struct weight_answer {
    double expected;   // requests of its version, by the weights of its steps
    uint64_t got, all; // as they were kept, of spans that tell a version
};
// is_new: of each version. until: what came later is not looked at. All 0: no minute can tell.
struct weight_answer weight_of(const struct versions *v, const bool *is_new, const struct canary_steps *steps,
                               int64_t until);
