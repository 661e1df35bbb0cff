// SPDX-License-Identifier: Apache-2.0
#include "impact/impact_internal.h"

#include <math.h>
#include <stdio.h>

#include "impact/callees.h"
#include "query/visit.h"
#include "stats/special.h"

#define MINUTE_NS 60000000000ll
#define LONGEST_NS (6 * HOUR_NS) // of a time before, and after
enum { SIGNATURE_LEAST = 10 };

void impact_say(struct impact_lines *l, struct str text) {
    if (text.ptr && l->n < IMPACT_LINES_MAX) l->at[l->n++] = text;
}

// --- which versions ----------------------------------------------------------------------------------------

static bool is_version_of(const struct impact_ask *ask, struct str seen) {
    if (ask->flag.len) return seen.len && str_eq(ask->version, seen);
    return impact_same_version(ask->version, seen) || impact_same_version(ask->sha, seen) ||
           impact_same_version(ask->digest, seen);
}

// The same, noted. Memory that fails sticks in the arena.
static bool note_version_of(struct computing *c, struct str seen) {
    struct impact_new_names *names = &c->new_names;
    if (!is_version_of(c->ask, seen)) return false;
    for (uint32_t i = 0; i < names->n; i++)
        if (str_eq(names->items[i], seen)) return true;
    names->cut |= names->n == sizeof names->items / sizeof *names->items;
    if (!names->cut) names->items[names->n++] = str_dup(c->a, seen);
    return true;
}

uint64_t impact_requests_in(const struct versions *v, uint32_t i, struct impact_window w) {
    uint64_t n = 0;
    for (uint32_t m = 0; m < v->n_minutes; m++) {
        int64_t t = ((int64_t)v->base + m) * MINUTE_NS;
        if (t >= w.from && t < w.to) n += v->items[i].minutes[m];
    }
    return n;
}

// The baseline is what served most before the rollout; else what serves most beside it.
static void find_baseline(struct computing *c) {
    uint64_t most = 0;
    c->old = VERSIONS_MAX;
    for (unsigned turn = 0; turn < 2 && c->old == VERSIONS_MAX; turn++)
        for (uint32_t i = 0; i < c->versions.n; i++) {
            struct impact_window w = { c->ask->started - HOUR_NS, turn ? INT64_MAX : c->ask->started };
            bool can = !c->is_new[i] && (!c->ask->flag.len || c->versions.items[i].version.len);
            uint64_t n = can ? impact_requests_in(&c->versions, i, w) : 0;
            if (n <= most) continue;
            most = n;
            c->old = i;
        }
}

static void explain_versions(struct computing *c, double all, double without) {
    struct impact_lines *l = &c->out->confounders;
    if (without * 5 > all)
        impact_say(l, str_fmt(c->a, "%.0f of %.0f requests do not tell service.version", without, all));
    else if (all > 0 && !c->new_seen && c->versions.n == 1)
        impact_say(
            l, str_fmt(c->a, "service.version is \"%.*s\" before and after: it does not change with the code",
                       STR_ARG(c->versions.items[0].version)));
    else if (all > 0 && !c->new_seen)
        impact_say(l, STR("the version that was reported was not seen in traffic"));
}

static enum err find_versions(struct computing *c) {
    struct impact_window w = { c->ask->started - HOUR_NS, c->ask->now };
    double all = 0, without = 0;
    if (w.to > c->ask->started + IMPACT_DAY_NS) w.to = c->ask->started + IMPACT_DAY_NS;
    TRY(impact_versions(c->a, c->src, &c->ask->of, w, &c->versions, c->ctx));
    if (c->ask->flag.len) impact_choose_variant(c);
    for (uint32_t i = 0; i < c->versions.n; i++) {
        const struct version_seen *v = &c->versions.items[i];
        c->is_new[i] = note_version_of(c, v->version);
        c->new_seen |= c->is_new[i];
        if (c->is_new[i]) c->out->version = v->version;
        all += v->requests;
        if (!v->version.len) without += v->requests;
    }
    find_baseline(c);
    if (c->old < VERSIONS_MAX) c->out->baseline = c->versions.items[c->old].version;
    if (c->ask->flag.len)
        impact_explain_variants(c, all, without);
    else
        explain_versions(c, all, without);
    // Where many spans tell no version, those of the canary may be among them.
    if (c->new_seen && without * 5 <= all && !c->versions.partial)
        c->out->weight = weight_of(&c->versions, c->is_new, &c->ask->steps, w.to);
    if (c->versions.partial) impact_say(&c->out->confounders, str_fmt(c->a, "%s", c->versions.why));
    if (all == 0) impact_say(&c->out->why, STR("no requests of this service were found"));
    return ERR_OK;
}

// The minutes in which both serve, and how many requests they have.
static void find_overlap(struct computing *c, uint64_t n[ARM_COUNT]) {
    const struct versions *v = &c->versions;
    n[ARM_OLD] = n[ARM_NEW] = 0;
    if (c->old == VERSIONS_MAX) return;
    for (uint32_t m = 0; m < v->n_minutes; m++) {
        uint32_t new = 0, old = v->items[c->old].minutes[m];
        for (uint32_t i = 0; i < v->n; i++)
            if (c->is_new[i]) new += v->items[i].minutes[m];
        if (!new || !old) continue;
        int64_t t = ((int64_t)v->base + m) * MINUTE_NS;
        if (!n[ARM_NEW]) c->window.from = t - 1; // its beginning counts
        c->window.to = t + MINUTE_NS - 1;
        n[ARM_OLD] += old;
        n[ARM_NEW] += new;
    }
}

// --- arms --------------------------------------------------------------------------------------------------

static enum arm arm_by_version(void *ctx, struct str version, int64_t start) {
    struct computing *c = ctx;
    (void)start;
    if (c->old < VERSIONS_MAX && str_eq(version, c->versions.items[c->old].version)) return ARM_OLD;
    return note_version_of(c, version) ? ARM_NEW : ARM_COUNT;
}

static bool within(struct impact_window w, int64_t t) {
    return t > w.from && t <= w.to;
}

static enum arm arm_by_time(void *ctx, struct str version, int64_t start) {
    struct computing *c = ctx;
    bool is_new = note_version_of(c, version);
    if (c->ask->flag.len && !version.len) return ARM_COUNT; // of neither variant
    if (within(c->before, start)) return c->new_seen && is_new ? ARM_COUNT : ARM_OLD;
    if (within(c->after, start)) return c->new_seen && !is_new ? ARM_COUNT : ARM_NEW;
    return ARM_COUNT;
}

static enum arm arm_of_new(void *ctx, struct str version, int64_t start) {
    const struct computing *c = ctx;
    (void)start;
    return is_version_of(c->ask, version) ? ARM_NEW : ARM_COUNT;
}

struct impact_arm_rule impact_rule_of(struct computing *c) {
    return (struct impact_arm_rule){ c->out->phase == IMPACT_CONCURRENT ? arm_by_version : arm_by_time, c };
}
struct impact_arm_rule impact_rule_of_new(struct computing *c) {
    return (struct impact_arm_rule){ arm_of_new, c };
}

struct shifted { // the windows of a control
    const struct computing *c;
    int64_t by;
};
static enum arm arm_shifted(void *ctx, struct str version, int64_t start) {
    const struct shifted *s = ctx;
    (void)version;
    if (within(s->c->before, start + s->by)) return ARM_OLD;
    return within(s->c->after, start + s->by) ? ARM_NEW : ARM_COUNT;
}

static void take_users(struct impact_report *o, const struct impact_reading *r) {
    o->users = r->n_users;
    o->users_most = 0;
    for (uint32_t i = 0; i < r->n_users; i++) o->users_most += r->user_items[i].weight;
}

static enum err find_vanished(struct computing *c, const struct arms *arms, struct impact_rules rules,
                              struct vanished *out) {
    TRY(vanished_find(c->a, arms, rules, out));
    for (uint32_t i = 0; i < out->n; i++) out->lost[i].route = str_dup(c->a, out->lost[i].route);
    out->gained = str_dup(c->a, out->gained);
    return ERR_OK;
}

static enum err read_and_judge(struct computing *c, struct impact_window w, struct impact_arm_rule rule,
                               struct impact_rules rules, bool others, struct impact_judgement *out,
                               struct impact_report *users, struct vanished *lost) {
    struct arms *arms = mem_zalloc(sizeof *arms);
    struct impact_reading r;
    if (!arms) return ERR_NOMEM;
    arms_init(arms);
    impact_reading_init(&r, arms);
    r.other_services = others;
    enum err e = impact_read_arms(c->src, &c->ask->of, w, rule, &r, c->ctx);
    if (e == ERR_OK) e = impact_judge(c->a, arms, rules, out);
    if (e == ERR_OK && lost && !r.partial) e = find_vanished(c, arms, rules, lost);
    // Names of routes die with the arms.
    for (uint32_t i = 0; e == ERR_OK && i < out->n; i++)
        out->tests[i].route = str_dup(c->a, out->tests[i].route);
    if (r.partial) impact_say(&c->out->confounders, str_fmt(c->a, "%s", r.why));
    if (users) take_users(users, &r);
    if (e == ERR_OK && users) {
        c->told = arms->told;
        c->compared = arms->added[ARM_OLD] + arms->added[ARM_NEW];
    }
    impact_reading_fini(&r);
    arms_fini(arms);
    mem_free(arms);
    return e != ERR_OK ? e : c->a->failed ? ERR_NOMEM : ERR_OK;
}

// --- controls ----------------------------------------------------------------------------------------------

// Did what the verdict is about move there too?
static bool moved_too(const struct impact_judgement *control, const struct impact_judgement *of) {
    for (uint32_t i = 0; i < of->n; i++)
        for (uint32_t k = 0; of->tests[i].verdict >= IMPACT_SUSPECT && k < control->n; k++)
            if (control->tests[k].kind == of->tests[i].kind && control->tests[k].verdict >= IMPACT_SUSPECT)
                return true;
    return false;
}

static void doubt(struct computing *c, struct str why) {
    struct impact_report *o = c->out;
    o->verdict = o->verdict == IMPACT_CONFIRMED ? IMPACT_SUSPECT : IMPACT_INSUFFICIENT;
    impact_say(&o->confounders, why);
}

static enum err ask_controls(struct computing *c) {
    static const struct {
        int64_t by;
        const char *text;
    } controls[] = { { IMPACT_DAY_NS, "the same hours a day earlier moved alike" },
                     { 7 * IMPACT_DAY_NS, "the same hours a week earlier moved alike" },
                     { 0, "other services moved alike at the same time" } };
    unsigned known = 0;
    for (unsigned i = 0; i < sizeof controls / sizeof *controls && c->out->verdict >= IMPACT_SUSPECT; i++) {
        struct shifted s = { c, controls[i].by };
        struct impact_judgement j;
        struct impact_window w = { c->before.from - s.by, c->after.to - s.by };
        TRY(read_and_judge(c, w, (struct impact_arm_rule){ arm_shifted, &s },
                           (struct impact_rules){ .time_is_arm = true, .keeps_cold = true }, s.by == 0, &j,
                           NULL, NULL));
        known += j.old.effective >= IMPACT_REQUESTS_MIN && j.new.effective >= IMPACT_REQUESTS_MIN;
        if (moved_too(&j, &c->out->judgement)) doubt(c, str_of(controls[i].text));
    }
    if (!known && c->out->verdict == IMPACT_CONFIRMED)
        doubt(c, STR("before against after without a control: no traffic of other days or services to "
                     "compare with"));
    return ERR_OK;
}

// --- the two phases ----------------------------------------------------------------------------------------

static enum err judge_concurrent(struct computing *c, const uint64_t n[ARM_COUNT]) {
    struct impact_report *o = c->out;
    if (n[ARM_OLD] < IMPACT_REQUESTS_MIN || n[ARM_NEW] < IMPACT_REQUESTS_MIN) return ERR_OK;
    o->phase = IMPACT_CONCURRENT;
    TRY(read_and_judge(c, c->window, (struct impact_arm_rule){ arm_by_version, c },
                       (struct impact_rules){ 0 }, false, &o->judgement, o, &o->vanished));
    o->verdict = o->judgement.verdict;
    return ERR_OK;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static enum err read_in_time(struct computing *c, struct impact_judgement *out, struct impact_report *users,
                             struct vanished *lost) {
    const struct impact_ask *k = c->ask;
    int64_t length = least(k->now - k->finished, LONGEST_NS);
    c->before = (struct impact_window){ k->started - length, k->started };
    c->after = (struct impact_window){ k->finished, k->finished + length };
    return read_and_judge(c, (struct impact_window){ c->before.from, c->after.to },
                          (struct impact_arm_rule){ arm_by_time, c },
                          (struct impact_rules){ .time_is_arm = true }, false, out, users, lost);
}

enum err impact_find_lost_in_time(struct computing *c) {
    struct impact_judgement j;
    return read_in_time(c, &j, NULL, &c->out->vanished);
}

static enum err judge_before_after(struct computing *c) {
    struct impact_report *o = c->out;
    const struct impact_ask *k = c->ask;
    if (!k->finished || k->now <= k->finished) return ERR_OK;
    struct impact_judgement j;
    struct impact_report users = *o;
    struct vanished lost = { 0 };
    TRY(read_in_time(c, &j, &users, &lost));
    bool has_both = j.old.requests && j.new.requests;
    if (!o->vanished.n_testable) o->vanished = lost;
    if (o->phase == IMPACT_CONCURRENT && !has_both) return ERR_OK;
    o->phase = has_both ? IMPACT_BEFORE_AFTER : IMPACT_NO_PHASE;
    o->judgement = j;
    o->users = users.users;
    o->users_most = users.users_most;
    o->verdict = j.verdict;
    return ask_controls(c);
}

// --- what else it did --------------------------------------------------------------------------------------

static struct impact_window whole_window(const struct computing *c) {
    if (c->out->phase == IMPACT_CONCURRENT) return c->window;
    return (struct impact_window){ c->before.from, c->after.to };
}

// "resource.service.version = \"2.0\"": of all names that the new version has.
static void put_new_version(struct buf *b, struct computing *c, enum arm arm) {
    const struct impact_new_names *names = &c->new_names;
    c->out->where_cut[arm] = names->cut;
    if (names->n > 1) buf_char(b, '(');
    for (uint32_t i = 0; i < names->n; i++) {
        buf_str(b, i ? STR(" || resource.service.version = ") : STR("resource.service.version = "));
        visit_quote(b, names->items[i]);
    }
    if (names->n > 1) buf_char(b, ')');
}

static void put_versions(struct buf *b, struct computing *c, enum arm arm) {
    struct str baseline = c->out->baseline;
    if (arm == ARM_NEW && c->new_seen) {
        put_new_version(b, c, arm);
    } else if (c->out->phase != IMPACT_CONCURRENT) { // all that is not the new one
        if (!c->new_seen) return;
        buf_str(b, STR("!("));
        put_new_version(b, c, arm);
        buf_char(b, ')');
    } else if (baseline.len) {
        buf_str(b, STR("resource.service.version = "));
        visit_quote(b, baseline);
    } else { // spans that tell none
        buf_str(b, STR("!(resource.service.version =~ \".+\")"));
    }
}

static enum err tell_versions(struct computing *c) {
    for (enum arm arm = 0; arm < ARM_COUNT; arm++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        put_versions(&b, c, arm);
        c->out->where[arm] = str_dup(c->a, buf_view(&b));
        bool failed = b.failed;
        buf_fini(&b);
        if (failed) return ERR_NOMEM;
    }
    return ERR_OK;
}

static enum err find_new_errors(struct computing *c) {
    struct impact_report *o = c->out;
    struct signatures *s = ARENA_NEW(c->a, struct signatures);
    if (!s) return ERR_NOMEM;
    s->arena = c->a;
    TRY(impact_read_signatures(c->src, &c->ask->of, whole_window(c), impact_rule_of(c), s, c->ctx));
    o->signatures = s;
    if (s->partial || s->cut) {
        impact_say(&o->confounders,
                   STR("not all errors of the week before were looked at: which ones are new is not sure"));
        return ERR_OK;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct signature_seen *x = &s->items[i];
        if (x->known || x->count < SIGNATURE_LEAST) continue;
        if (o->judgement.new.effective < IMPACT_REQUESTS_MIN ||
            o->judgement.old.effective < IMPACT_REQUESTS_MIN)
            continue;
        if (o->verdict < IMPACT_SUSPECT) o->verdict = IMPACT_SUSPECT;
        impact_say(&o->why, str_fmt(c->a, "%.*s in %.*s, %llu times, was not there in the 7 days before",
                                    STR_ARG(x->type), STR_ARG(x->span), (unsigned long long)x->count));
    }
    return ERR_OK;
}

static enum err find_calls(struct computing *c) {
    struct impact_report *o = c->out;
    struct callees *called = ARENA_NEW(c->a, struct callees);
    if (!called) return ERR_NOMEM;
    called->arena = c->a;
    TRY(impact_read_callees(c->src, &c->ask->of, whole_window(c), impact_rule_of(c), called, c->ctx));
    bool together = o->phase == IMPACT_CONCURRENT;
    o->callees = called;
    o->windows[ARM_OLD] = together ? c->window : c->before;
    o->windows[ARM_NEW] = together ? c->window : c->after;
    return ERR_OK;
}

// Of the requests of an arm these failed at the edge.
static struct estimate share_of_roots(const struct impact_roots *r, const struct impact_side *s) {
    double effect = r->failed > 0 ? r->squares / r->failed : (double)s->requests / (double)s->effective;
    double failed = fmin(r->failed, (double)s->requests);
    return rate_wilson_weighted(failed / effect, (double)s->requests / effect, normal_two_sided(IMPACT_CONF));
}

static enum err count_roots(struct computing *c) {
    struct impact_report *o = c->out;
    const struct impact_judgement *j = &o->judgement;
    bool by_version = o->phase == IMPACT_CONCURRENT;
    struct impact_roots old, new;
    if (!j->old.effective || !j->new.effective || !j->new.errors) return ERR_OK;
    TRY(impact_read_roots(c->src, &c->ask->of, by_version ? o->baseline : STR(""),
                          by_version ? c->window : c->before, &old, c->ctx));
    TRY(impact_read_roots(c->src, &c->ask->of, c->new_seen ? o->version : STR(""),
                          by_version ? c->window : c->after, &new, c->ctx));
    if (old.partial || new.partial) return ERR_OK;
    o->excess = estimate_difference(share_of_roots(&old, &j->old), share_of_roots(&new, &j->new));
    o->excess.value *= (double)j->new.requests;
    o->excess.lo *= (double)j->new.requests;
    o->excess.hi *= (double)j->new.requests;
    return ERR_OK;
}

static enum err find_others(struct computing *c) {
    struct impact_window w = { c->ask->started - HOUR_NS, least(c->ask->now, c->ask->started + HOUR_NS) };
    for (uint32_t i = 0; i < c->ask->n_others && i < IMPACT_OTHERS_MAX; i++) {
        bool shared;
        TRY(impact_share_traces(c->src, &c->ask->of, c->ask->others[i], w, &shared, c->ctx));
        if (shared)
            impact_say(&c->out->confounders,
                       str_fmt(c->a, "%.*s, which shares traces with it, was rolled out at the same time",
                               STR_ARG(c->ask->others[i])));
    }
    return ERR_OK;
}

// --- all of it ---------------------------------------------------------------------------------------------

static enum err compute(struct computing *c) {
    struct impact_report *out = c->out;
    uint64_t n[ARM_COUNT];
    if (c->ask->flag.len) TRY(impact_read_variants(c));
    TRY(find_versions(c));
    find_overlap(c, n);
    TRY(judge_concurrent(c, n));
    if (out->verdict == IMPACT_INSUFFICIENT) TRY(judge_before_after(c));
    if (out->phase != IMPACT_NO_PHASE) {
        TRY(find_new_errors(c));
        TRY(find_calls(c));
        TRY(tell_versions(c));
        TRY(count_roots(c));
    }
    TRY(find_others(c));
    impact_explain(c);
    TRY(impact_find_blind(c));
    const struct impact_judgement *j = &out->judgement;
    out->state =
        str_fmt(c->a, "%d-%llu-%llu-%llu-%llu-%u-%u-%d-%d-%llu-%.0f-%s", (int)out->phase,
                (unsigned long long)j->old.requests, (unsigned long long)j->old.errors,
                (unsigned long long)j->new.requests, (unsigned long long)j->new.errors,
                out->vanished.n_testable, out->vanished.n, out->inner.known, out->inner.lost,
                (unsigned long long)out->weight.got, out->weight.expected, out->final ? "final" : "open");
    return c->a->failed ? ERR_NOMEM : ERR_OK;
}

enum err impact_compute(struct arena *a, const struct impact_source *src, const struct impact_ask *ask,
                        struct impact_report *out, struct err_ctx *ctx) {
    struct computing *c = ARENA_NEW(a, struct computing);
    struct impact_ask *mine = ARENA_NEW(a, struct impact_ask);
    if (!c || !mine) return ERR_NOMEM;
    *mine = *ask;
    *out = (struct impact_report){ .ask = mine, .final = ask->now >= ask->started + IMPACT_DAY_NS };
    *c = (struct computing){ .a = a, .src = src, .ask = mine, .out = out, .ctx = ctx };
    impact_variants_init(&c->variants, a);
    enum err e = compute(c);
    impact_variants_fini(&c->variants);
    return e;
}
