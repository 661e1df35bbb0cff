// SPDX-License-Identifier: Apache-2.0
// What one arm has and the other has not (a kind of error, a call): is it absent there, or only rare? It is
// absent when, had it been as frequent there, chance would hardly have left it out: all k traces that have it
// lie in the one arm with a chance of (its requests / those of both)^k, at most PRESENCE_Q over the number of
// things that are looked at so. The k are divided by how much more than chance the arms vary. Pure. thread:
// any.
#pragma once

#include <stdint.h>

enum presence { PRESENCE_NEW, PRESENCE_GONE, PRESENCE_SAME, PRESENCE_UNSURE, PRESENCE_COUNT };
const char *presence_text(enum presence p);

enum { PRESENCE_TRACES_MIN = 5 }; // fewer say nothing
#define PRESENCE_Q 0.0005

struct presence_arms {
    double old, new; // requests
    double widening; // of variances; below 1: 1
    uint32_t n;      // things that one arm has and the other has not
};
// old, new: traces that have it, of each arm.
enum presence presence_of(uint64_t old, uint64_t new, const struct presence_arms *arms);
