// SPDX-License-Identifier: Apache-2.0
// Verdicts by itself: a thread that looks, some minutes after a rollout began, a flag was changed or an
// incident was noticed, at what its traces say, again as time goes on, and for the last time after a day (of
// an incident, an hour). It runs beside everything else: alone, without the helpers of queries, under a
// deadline and a limit of memory. thread: main.
#pragma once

#include "impact/record.h"

struct impact_keeper;
struct impact_keeper_opts {
    struct delivery *delivery;
    struct clock *clock;
    struct view *(*take)(void *ctx); // of the traces, as they are now
    void (*give)(struct view *v);
    void *ctx;
    int64_t after_ns; // a rollout began
};
NODISCARD enum err impact_keeper_start(const struct impact_keeper_opts *o, struct impact_keeper **out);
void impact_keeper_stop(struct impact_keeper *k); // NULL is fine; ends what it is doing
