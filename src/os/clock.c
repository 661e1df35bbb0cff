// SPDX-License-Identifier: Apache-2.0
#include "os/clock.h"

#include <time.h>

static uint64_t now_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t real_unix_ns(struct clock *c) {
    (void)c;
    return now_ns(CLOCK_REALTIME);
}

static uint64_t real_mono_ns(struct clock *c) {
    (void)c;
    return now_ns(CLOCK_MONOTONIC);
}

struct clock *clock_real(void) {
    static struct clock real = { real_unix_ns, real_mono_ns };
    return &real;
}
