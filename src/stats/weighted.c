// SPDX-License-Identifier: Apache-2.0
#include "stats/weighted.h"

void weighted_add(struct weighted_sum *s, double weight, bool hit) {
    *(hit ? &s->hits : &s->misses) += weight;
    *(hit ? &s->hits2 : &s->misses2) += weight * weight;
}

struct weighted_rate weighted_rate_of(const struct weighted_sum *s) {
    return (struct weighted_rate){ s->hits, s->hits + s->misses };
}

static double effective(double sum, double squares) {
    return squares > 0 ? sum * sum / squares : 0;
}

double weighted_effective(const struct weighted_sum *s) {
    return effective(s->hits + s->misses, s->hits2 + s->misses2);
}

double weighted_effective_hits(const struct weighted_sum *s) {
    return effective(s->hits, s->hits2);
}

double weighted_effect(const struct weighted_sum *s) {
    double all = s->hits + s->misses;
    if (!(all > 0)) return 1;
    // Where one of the two was never drawn, it is taken to be drawn like the other.
    double of_hits = s->hits > 0 ? s->hits2 / s->hits : s->misses2 / s->misses,
           of_misses = s->misses > 0 ? s->misses2 / s->misses : of_hits;
    return (s->misses * of_hits + s->hits * of_misses) / all;
}

void weighted_counts(const double *weights, size_t n, double n2, uint64_t *counts) {
    double sum = 0, so_far = 0;
    uint64_t given = 0;
    for (size_t i = 0; i < n; i++) sum += weights[i];
    double scale = n2 > 0 ? sum / n2 : 0;
    for (size_t i = 0; i < n; i++) {
        so_far += weights[i] * scale;
        uint64_t upto = (uint64_t)(so_far + 0.5);
        counts[i] = upto - given;
        given = upto;
    }
}
