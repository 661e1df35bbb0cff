// SPDX-License-Identifier: Apache-2.0
#include "impact/presence.h"

#include <math.h>
#include <stdbool.h>

const char *presence_text(enum presence p) {
    static const char *const texts[PRESENCE_COUNT] = { "new", "gone", "same", "unsure" };
    return texts[p];
}

static bool is_absent(uint64_t k, double own, double other, const struct presence_arms *arms) {
    if (k < PRESENCE_TRACES_MIN || own <= 0 || other <= 0) return false;
    double effective = (double)k / fmax(arms->widening, 1);
    return effective * log(own / (own + other)) <= log(PRESENCE_Q / fmax(arms->n, 1));
}

enum presence presence_of(uint64_t old, uint64_t new, const struct presence_arms *arms) {
    if (old && new) return PRESENCE_SAME;
    if (old && is_absent(old, arms->old, arms->new, arms)) return PRESENCE_GONE;
    if (new &&is_absent(new, arms->new, arms->old, arms)) return PRESENCE_NEW;
    return PRESENCE_UNSURE;
}
