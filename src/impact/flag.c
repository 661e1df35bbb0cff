// SPDX-License-Identifier: Apache-2.0
// A change of a flag: variants in place of versions.
#include "impact/impact_internal.h"

#define LOOK_BACK_NS (6 * HOUR_NS) // as long as a time before can be

enum err impact_read_variants(struct computing *c) {
    struct impact_ask *k = c->ask;
    struct impact_variants *v = &c->variants;
    struct impact_window w = { k->started - LOOK_BACK_NS, k->now };
    if (w.to > k->started + IMPACT_DAY_NS) w.to = k->started + IMPACT_DAY_NS;
    TRY(impact_variants_read(v, c->src, k->flag, k->of.environment, w, c->ctx));
    if (!k->of.service.len) {
        k->of.service = impact_evaluator(v);
        if (k->of.service.len)
            impact_say(&c->out->why,
                       str_fmt(c->a, "the change names no service: %.*s evaluates the flag most",
                               STR_ARG(k->of.service)));
    }
    k->of.variants = v;
    c->out->variants = &c->versions;
    c->out->variants_shift = v->shift;
    if (v->partial) impact_say(&c->out->confounders, str_fmt(c->a, "%s", v->why));
    if (v->n_mixed)
        impact_say(&c->out->confounders,
                   str_fmt(c->a, "%llu traces were served several variants, and are of none",
                           (unsigned long long)v->n_mixed));
    if (v->cut)
        impact_say(&c->out->confounders, str_fmt(c->a, "the flag has more than %d variants", VARIANTS_MAX));
    return ERR_OK;
}

static double share_in(const struct versions *v, uint32_t i, struct impact_window w) {
    uint64_t all = 0;
    for (uint32_t k = 0; k < v->n; k++)
        if (v->items[k].version.len) all += impact_requests_in(v, k, w);
    return all ? (double)impact_requests_in(v, i, w) / (double)all : 0;
}

// The baseline is what served most before; new is what gained most of the others.
void impact_choose_variant(struct computing *c) {
    const struct versions *v = &c->versions;
    struct impact_window before = { c->ask->started - HOUR_NS, c->ask->started },
                         after = { c->ask->started, INT64_MAX };
    double most = 0, gained = -1;
    uint32_t baseline = VERSIONS_MAX;
    if (c->ask->version.len) return; // the change tells
    for (unsigned turn = 0; turn < 2 && baseline == VERSIONS_MAX; turn++)
        for (uint32_t i = 0; i < v->n; i++) {
            double share = v->items[i].version.len ? share_in(v, i, turn ? after : before) : 0;
            if (share <= most) continue;
            most = share;
            baseline = i;
        }
    for (uint32_t i = 0; i < v->n; i++) {
        double share = share_in(v, i, after), gain = share - share_in(v, i, before);
        if (i == baseline || !v->items[i].version.len || share == 0 || gain <= gained) continue;
        gained = gain;
        c->ask->version = v->items[i].version;
    }
}

void impact_explain_variants(struct computing *c, double all, double without) {
    struct impact_lines *l = &c->out->confounders;
    double scale = (double)(1u << c->variants.shift);
    if (!c->variants.n)
        impact_say(&c->out->why, STR("no span tells that the flag was evaluated (feature_flag.key)"));
    else if (!c->new_seen)
        impact_say(&c->out->why, STR("one variant only was served, before and after"));
    struct impact_window before = { c->ask->started - HOUR_NS, c->ask->started };
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->versions.n; i++)
        if (c->versions.items[i].version.len) n += impact_requests_in(&c->versions, i, before);
    if (n == 0 && c->new_seen)
        impact_say(l,
                   STR("no variant was served in the hour before the change: the baseline is what is served "
                       "most since"));
    if (without > 0 && c->variants.n)
        impact_say(l, str_fmt(c->a, "%.0f of %.0f requests are of no variant, and were left out",
                              without * scale, all * scale));
}
