// SPDX-License-Identifier: Apache-2.0
// Random numbers of the generator: small, fast, and the same everywhere.
#pragma once

#include <math.h>

#include "base/hash.h"

struct dice {
    uint64_t state;
};

static inline uint64_t dice_u64(struct dice *d) {
    d->state += 0x9e3779b97f4a7c15u;
    return hash_u64(d->state);
}
static inline double dice_unit(struct dice *d) { // in [0, 1)
    return (double)(dice_u64(d) >> 11) * 0x1p-53;
}
static inline uint32_t dice_below(struct dice *d, uint32_t n) { // n > 0
    return (uint32_t)(dice_u64(d) % n);
}
static inline bool dice_chance(struct dice *d, double share) {
    return dice_unit(d) < share;
}
// Below n, the small ones far more often.
static inline uint32_t dice_skewed(struct dice *d, uint32_t n, double power) {
    return (uint32_t)((double)n * pow(dice_unit(d), power));
}
static inline double dice_lognormal(struct dice *d, double median, double sigma) {
    double radius = sqrt(-2 * log(1 - dice_unit(d)));
    return median * exp(sigma * radius * cos(2 * M_PI * dice_unit(d)));
}
