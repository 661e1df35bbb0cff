// SPDX-License-Identifier: Apache-2.0
// Keeps the gauges ready: a thread reads them anew when facts have changed, and as the window moves on.
// Whoever asks gets what was read last and waits for nothing. thread: any, but for start and stop.
#pragma once

#include "delivery/delivery.h"
#include "delivery/gauges.h"

struct clock;

struct gauges_keeper;
struct gauges_keeper_opts {
    struct delivery *delivery;
    struct clock *clock;
    uint64_t every_ns;   // at the latest; 0: a minute
    uint64_t soonest_ns; // after the last time, when facts have changed; 0: five seconds
};
NODISCARD enum err gauges_keeper_start(const struct gauges_keeper_opts *o, struct gauges_keeper **out);
void gauges_keeper_stop(struct gauges_keeper *k); // NULL is fine
// Calls once with what was read last, under a lock: what it points to lives until the call returns.
void gauges_keeper_see(struct gauges_keeper *k, void (*see)(void *ctx, const struct gauges *g), void *ctx);
