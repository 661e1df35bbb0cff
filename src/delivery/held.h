// SPDX-License-Identifier: Apache-2.0
// Stretches of time, asked which of them hold a moment: sorted once, then each answer costs what it finds
// and a search. Pure. thread: any.
#pragma once

#include "base/mem.h"

struct held {
    int64_t from, to; // both included
    uint32_t of;      // what it is of
    int64_t latest;   // the end of this and all before it; private
};
struct held_list {
    struct held *items;
    uint32_t n, cap;
    uint32_t *found; // room for an answer
};
// Adds one; in any order. Then, once: held_ready.
NODISCARD enum err held_add(struct held_list *h, struct arena *a, int64_t from, int64_t to, uint32_t of);
NODISCARD enum err held_ready(struct held_list *h, struct arena *a);
// Those that hold a moment, by `of`; valid until the next question.
uint32_t held_at(struct held_list *h, int64_t moment, const uint32_t **out);
