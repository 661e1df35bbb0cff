// SPDX-License-Identifier: Apache-2.0
#include "impact/weight.h"

#define MINUTE_NS 60000000000ll

// The step that holds from a minute before a moment until a minute after it; NULL: none does.
static const struct canary_step *step_at(const struct canary_steps *s, int64_t moment, int64_t until) {
    for (uint32_t i = s->n; i-- > 0;) {
        int64_t end = i + 1 < s->n ? s->items[i + 1].at : until;
        if (s->items[i].at > moment - MINUTE_NS) continue;
        return moment + MINUTE_NS <= end ? &s->items[i] : NULL;
    }
    return NULL;
}

struct weight_answer weight_of(const struct versions *v, const bool *is_new, const struct canary_steps *steps,
                               int64_t until) {
    struct weight_answer a = { 0 };
    for (uint32_t m = 0; m < v->n_minutes; m++) {
        const struct canary_step *s = step_at(steps, ((int64_t)v->base + m) * MINUTE_NS, until);
        if (!s || s->weight <= 0 || s->weight >= 100) continue; // not yet, or everywhere
        uint64_t all = 0;
        for (uint32_t i = 0; i < v->n; i++) {
            if (!v->items[i].version.len) continue;
            all += v->items[i].minutes[m];
            if (is_new[i]) a.got += v->items[i].minutes[m];
        }
        a.all += all;
        a.expected += s->weight / 100 * (double)all;
    }
    return a;
}
