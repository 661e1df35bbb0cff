// SPDX-License-Identifier: Apache-2.0
// Time behind a vtable, so that a test can hold and move it. thread: any.
#pragma once

#include <stdint.h>

struct clock {
    uint64_t (*unix_ns)(struct clock *c); // wall time; may jump
    uint64_t (*mono_ns)(struct clock *c); // never goes back; its zero means nothing
};

// The clock of the kernel; one object, never freed.
struct clock *clock_real(void);

static inline uint64_t clock_unix_ns(struct clock *c) {
    return c->unix_ns(c);
}
static inline uint64_t clock_mono_ns(struct clock *c) {
    return c->mono_ns(c);
}
