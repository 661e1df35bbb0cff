// SPDX-License-Identifier: Apache-2.0
// Requests of which only a sample is known, each standing for as many as it was drawn from: its weight, the
// inverse of its probability. Sums of weights estimate the counts of all (Horvitz, Thompson, J. American
// Statistical Association 47 (1952) 663-685); how sure they are, the squares say. thread: any.
#pragma once

#include "stats/interval.h"

struct weighted_rate {
    double k, n; // k of n; need not be whole
};
// Does it count? n > 0, and k inside [0, n].
static inline bool weighted_is_rate(struct weighted_rate r) {
    return r.n > 0 && r.k >= 0 && r.k <= r.n;
}

struct weighted_sum {
    double hits, misses;   // sums of weights
    double hits2, misses2; // sums of their squares
};
void weighted_add(struct weighted_sum *s, double weight, bool hit);
struct weighted_rate weighted_rate_of(const struct weighted_sum *s);

// As how many requests the sample counts where only numbers matter: (sum of weights)^2 / sum of squares,
// never more than were drawn; alike weights: as many as were drawn. Of all, and of the hits. Kish, Survey
// Sampling (1965), section 8.2. 0 for none.
double weighted_effective(const struct weighted_sum *s);
double weighted_effective_hits(const struct weighted_sum *s);

// By what the variance of the sample's rate is larger than that of as many requests as the weights add up to:
// the mean weight of the hits times the share of misses, and the other way round; so a sample that keeps all
// hits and few misses is as sure as it is. Alike weights: that weight. 1 for none. Kish, as above; with hits
// and misses drawn differently it is the linearised variance of a ratio (Saerndal, Swensson, Wretman, Model
// Assisted Survey Sampling (1992), section 5.6).
double weighted_effect(const struct weighted_sum *s);

// Counts per bucket of weighted values, as counts of as many values as the weights say as much as: whole
// numbers that add up to weighted n^2 / n2, where n2 is the sum of all squares. counts may not be weights.
void weighted_counts(const double *weights, size_t n, double n2, uint64_t *counts);
