// SPDX-License-Identifier: Apache-2.0
// A thread that does the same again and again, with a rest between, until it is stopped.
#pragma once

#include <stdatomic.h>

#include "os/thread.h"

struct rounds { // private
    struct thread thread;
    struct mutex lock;
    struct cond wake;
    atomic_bool stopping;
    uint64_t first_ns;
    uint64_t (*round)(void *ctx);
    void *ctx;
};

// round returns for how many ns to rest after it; the first comes after first_ns. The struct stays at its
// place until rounds_stop. Errors as thread_start; rounds_stop may be called all the same.
NODISCARD enum err rounds_start(struct rounds *r, const char *name, uint64_t first_ns,
                                uint64_t (*round)(void *ctx), void *ctx);
// Returns when the round under way has ended. Nothing happens to one that was zeroed and not started.
void rounds_stop(struct rounds *r);
bool rounds_stopping(const struct rounds *r); // thread: any; a long round ends soon then
