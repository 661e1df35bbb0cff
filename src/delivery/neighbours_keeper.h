// SPDX-License-Identifier: Apache-2.0
// Looks at the newest traces again and again, for services and who calls whom: a thread beside everything
// else, alone, under a deadline and a limit of memory. thread: main.
#pragma once

#include "delivery/delivery.h"

struct clock;
struct view;

struct neighbours_keeper;
struct neighbours_keeper_opts {
    struct delivery *delivery;
    struct clock *clock;
    struct view *(*take)(void *ctx); // of the traces, as they are now
    void (*give)(struct view *v);
    void *ctx;
    uint64_t every_ns;
};
NODISCARD enum err neighbours_keeper_start(const struct neighbours_keeper_opts *o,
                                           struct neighbours_keeper **out);
void neighbours_keeper_stop(struct neighbours_keeper *k); // NULL is fine; ends what it is doing
