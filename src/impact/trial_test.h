// SPDX-License-Identifier: Apache-2.0
// Test-only: requests put by hand, and what is made of them. Minutes count from T0.
#pragma once

#include "base/test.h"
#include "impact/onset_record.h"
#include "impact/vanished.h"

#define MINUTE 60000000000ull
#define T0 (29000000ull * MINUTE)

struct trial {
    struct arms arms;
    struct arena a;
    struct impact_judgement j;
    struct onset o;
    struct vanished v;
};
static inline struct trial *begin(void) {
    struct trial *t = mem_zalloc(sizeof *t);
    arms_init(&t->arms);
    arena_init(&t->a, SIZE_MAX, NULL);
    return t;
}
static inline void end(struct trial *t) {
    arms_fini(&t->arms);
    arena_fini(&t->a);
    mem_free(t);
}
