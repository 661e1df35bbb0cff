// SPDX-License-Identifier: Apache-2.0
// Canaries and feature flags: changes of production that are no rollouts.
#include "delivery/measuring.h"

#define DAY_NS (24 * 3600 * 1000000000ll)

void measuring_canary(struct measuring *r, const struct measure_canary *c) {
    struct measure_row row = { .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .canary = c };
    if (!measuring_in_window(r, c->ended) || c->state == CANARY_OPEN) return;
    if (!c->production)
        measuring_leave_out(r, row, "not in production");
    else if (c->state == CANARY_OVERTAKEN)
        measuring_leave_out(r, row, "overtaken by a newer version");
    else
        measuring_add_case(r, row, c->state == CANARY_BAD);
}

static struct measure_row row_of(const struct measure_flag *f, uint32_t i) {
    return (
        struct measure_row){ .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .flag = f, .flag_change = i };
}

static void see_changes(struct measuring *r, const struct measure_flag *f) {
    for (uint32_t i = 0; i < f->n; i++) {
        if (!measuring_in_window(r, f->changes[i].changed)) continue;
        if (str_eq(f->changes[i].action, STR("created")) || str_eq(f->changes[i].action, STR("archived")))
            measuring_leave_out(r, row_of(f, i), "created or archived: it changes nothing that runs");
        else
            measuring_add_case(r, row_of(f, i), true);
    }
}

// As it stood at the end of the window.
static void see_age(struct measuring *r, const struct measure_flag *f) {
    int64_t until = r->ask.to < r->ask.now ? r->ask.to : r->ask.now;
    int64_t days = r->ask.flag_days ? r->ask.flag_days : MEASURE_FLAG_DAYS;
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < f->n; i++)
        if (f->changes[i].changed < until) last = i;
    if (last == UINT32_MAX) return;
    if (str_eq(f->changes[last].action, STR("archived")))
        measuring_leave_out(r, row_of(f, last), "archived");
    else
        measuring_add_case(r, row_of(f, last), until - f->changes[last].changed > days * DAY_NS);
}

void measuring_flag(struct measuring *r, const struct measure_flag *f) {
    r->n_flags++;
    if (r->ask.measure == MEASURE_FLAG_FREQUENCY)
        see_changes(r, f);
    else
        see_age(r, f);
}
