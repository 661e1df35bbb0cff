// SPDX-License-Identifier: Apache-2.0
#include "delivery/measure.h"

#include <stdlib.h>

#include "delivery/measuring.h"
#include "stats/percentile.h"
#include "stats/rate.h"

#define DAY_NS (24 * 3600 * 1000000000ll)
#define CONFIDENCE .95

static const struct measure_info infos[MEASURE_COUNT] = {
#define MEASURE(ID, name, version, kind, title, target, definition) \
    [MEASURE_##ID] = { name, version, MEASURE_##kind, title, target, definition },
#include "delivery/measure.def"
};

const struct measure_info *measure_info(enum measure m) {
    return &infos[m];
}

bool measure_of(struct str name, enum measure *out) {
    for (unsigned m = 0; m < MEASURE_COUNT; m++)
        if (str_eq(name, str_of(infos[m].name))) {
            *out = (enum measure)m;
            return true;
        }
    return false;
}

// --- collecting --------------------------------------------------------------------------------------------

bool measuring_in_window(const struct measuring *r, int64_t t) {
    return t != 0 && t >= r->ask.from && t < r->ask.to;
}

void measuring_see(struct measuring *r, struct measure_row row) {
    if (r->watch) r->watch(r->ctx, &row);
}

void measuring_leave_out(struct measuring *r, struct measure_row row, const char *why) {
    struct measure_result *o = &r->result;
    unsigned i = 0;
    while (i < o->n_left_out && o->left_out[i].text != why) i++;
    if (i == o->n_left_out) {
        ASSERT(i < MEASURE_REASONS_MAX);
        o->left_out[o->n_left_out++] = (struct measure_reason){ why, 0 };
    }
    o->left_out[i].n++;
    row.why = why;
    measuring_see(r, row);
}

void measuring_add_value(struct measuring *r, struct measure_row row, double v) {
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 256;
        double *more = ARENA_ARRAY(r->arena, cap, double);
        if (!more) {
            r->err = ERR_NOMEM;
            return;
        }
        if (r->n) memcpy(more, r->values, r->n * sizeof *more);
        r->values = more;
        r->cap = cap;
    }
    r->values[r->n++] = v;
    row.counted = true;
    row.value = v;
    measuring_see(r, row);
}

// A time between two stamps of two clocks: a little below zero is their difference, more is an error.
void measuring_add_time(struct measuring *r, struct measure_row row, int64_t from, int64_t to) {
    int64_t d = to - from;
    if (d < -MEASURE_CLAMP_NS) {
        measuring_leave_out(r, row, "ends before it begins");
        return;
    }
    if (d < 0) r->result.clamped++;
    measuring_add_value(r, row, d < 0 ? 0 : (double)d / 1e9);
}

void measuring_add_case(struct measuring *r, struct measure_row row, bool hit) {
    r->result.denominator++;
    r->result.numerator += hit;
    row.counted = true;
    row.hit = hit;
    measuring_see(r, row);
}

// --- rollouts ----------------------------------------------------------------------------------------------

static const char *const kind_reasons[ROLLOUT_KIND_COUNT] = {
    [ROLLOUT_REDEPLOY] = "redeploy of what ran already",
    [ROLLOUT_ROLLBACK] = "rollback",
    [ROLLOUT_REROLL] = "forward again after a rollback",
};

// Why a rollout that ended well is not counted; NULL: it is.
static const char *not_counted(const struct measuring *r, const struct figure *f) {
    if (f->kind == ROLLOUT_ROLLBACK && r->ask.with_rollbacks) return NULL;
    if ((f->kind == ROLLOUT_REDEPLOY || f->kind == ROLLOUT_REROLL) && r->ask.with_redeploys) return NULL;
    return kind_reasons[f->kind];
}

static const char *const state_reasons[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_FAILED] = "did not end well",
    [ROLLOUT_CANCELLED] = "given up",
};

// The rollouts that the measure counts; the others are left out with their reason.
static bool counted(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!measuring_in_window(r, f->finished)) return false;
    const char *why = f->state != ROLLOUT_SUCCESS ? state_reasons[f->state] : not_counted(r, f);
    if (why) measuring_leave_out(r, row, why);
    return !why;
}

static void see_lead(struct measuring *r, struct measure_row row, const struct figure *f,
                     const struct figure_commit *c) {
    bool author = r->ask.clock == CLOCK_AUTHOR;
    if (c->flags & COMMIT_TWIN)
        measuring_leave_out(r, row, "cherry-pick whose twin was delivered");
    else if (c->flags & COMMIT_BOT)
        measuring_leave_out(r, row, "commit of a bot");
    else if (c->flags & (author ? COMMIT_BAD_AUTHORED : COMMIT_BAD_COMMITTED))
        measuring_leave_out(r, row, "a time that cannot be");
    else
        measuring_add_time(r, row, author ? c->authored : c->committed, f->finished);
}

static void see_leads(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!counted(r, row, f)) return;
    if (f->kind == ROLLOUT_FIRST || f->commits_state == COMMITS_BASELINE) {
        measuring_leave_out(r, row, "first rollout: a baseline");
        return;
    }
    if (f->commits_state == COMMITS_UNKNOWN)
        measuring_leave_out(r, row, "rollout whose commits are not known");
    if (f->commits_state == COMMITS_CUT)
        measuring_leave_out(r, row, "rollout with more commits than are listed");
    for (uint32_t k = 0; k < f->n_commits; k++) {
        row.commit = f->first_commit + k;
        see_lead(r, row, f, &row.series->commits[row.commit]);
    }
}

static bool failed(const struct measuring *r, const struct figure *f) {
    return f->failure != FAILURE_NONE &&
           (r->ask.failure_severity == 0 || f->severity <= r->ask.failure_severity);
}

static void see_failure(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!counted(r, row, f)) return;
    if (f->finished > r->ask.now - MEASURE_IMMATURE_NS) r->result.immature++;
    measuring_add_case(r, row, failed(r, f));
}

static void see_recovery(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!failed(r, f)) return;
    if (f->recovered == 0 && f->finished < r->ask.to) measuring_leave_out(r, row, "not recovered yet");
    if (measuring_in_window(r, f->recovered)) measuring_add_time(r, row, f->finished, f->recovered);
}

// Over counted rollouts and rollbacks.
static void see_share(struct measuring *r, struct measure_row row, const struct figure *f, bool hit) {
    if (!measuring_in_window(r, f->finished)) return;
    const char *why = f->state != ROLLOUT_SUCCESS   ? state_reasons[f->state]
                      : f->kind == ROLLOUT_ROLLBACK ? NULL
                                                    : kind_reasons[f->kind];
    if (why)
        measuring_leave_out(r, row, why);
    else
        measuring_add_case(r, row, hit);
}

static bool is_rework(const struct figure *f) {
    return f->kind == ROLLOUT_HOTFIX || f->kind == ROLLOUT_ROLLBACK || f->reverts;
}

static void see_rollback(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (f->kind != ROLLOUT_ROLLBACK || f->state != ROLLOUT_SUCCESS || !measuring_in_window(r, f->finished))
        return;
    if (f->undoes == ROLLOUT_NONE)
        measuring_leave_out(r, row, "it is not known what it took back");
    else
        measuring_add_time(r, row, row.series->figures[f->undoes].finished, f->finished);
}

static void see_rollback_began(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (f->kind != ROLLOUT_ROLLBACK || f->state != ROLLOUT_SUCCESS || !measuring_in_window(r, f->finished))
        return;
    if (f->automation == AUTOMATION_UNKNOWN)
        measuring_leave_out(r, row, "it is not known what began it");
    else
        measuring_add_case(r, row, f->automation == AUTOMATION_AUTOMATIC);
}

static void see_outcome(struct measuring *r, struct measure_row row, const struct figure *f, bool first_try) {
    if (!measuring_in_window(r, f->finished)) return;
    if (f->state == ROLLOUT_CANCELLED)
        measuring_leave_out(r, row, state_reasons[f->state]);
    else
        measuring_add_case(r, row, f->state == ROLLOUT_SUCCESS && !(first_try && f->retried));
}

static void see_automation(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!counted(r, row, f)) return;
    if (f->automation == AUTOMATION_UNKNOWN)
        measuring_leave_out(r, row, "it is not known what began it");
    else
        measuring_add_case(r, row, f->automation != AUTOMATION_MANUAL);
}

static void see_batch(struct measuring *r, struct measure_row row, const struct figure *f) {
    if (!counted(r, row, f)) return;
    if (f->commits_state == COMMITS_KNOWN || f->commits_state == COMMITS_NONE)
        measuring_add_value(r, row, f->n_commits);
    else
        measuring_leave_out(r, row,
                            f->commits_state == COMMITS_BASELINE ? "first rollout: a baseline"
                            : f->commits_state == COMMITS_CUT    ? "more commits than are listed"
                                                                 : "rollout whose commits are not known");
}

static void see_rollout(struct measuring *r, struct measure_row row, const struct figure *f) {
    switch (r->ask.measure) {
    case MEASURE_DEPLOYMENT_FREQUENCY:
        if (counted(r, row, f)) measuring_add_case(r, row, true);
        break;
    case MEASURE_LEAD_TIME: see_leads(r, row, f); break;
    case MEASURE_CHANGE_FAILURE_RATE: see_failure(r, row, f); break;
    case MEASURE_FAILED_DEPLOYMENT_RECOVERY: see_recovery(r, row, f); break;
    case MEASURE_REWORK_RATE: see_share(r, row, f, is_rework(f)); break;
    case MEASURE_ROLLBACK_RATE: see_share(r, row, f, f->kind == ROLLOUT_ROLLBACK); break;
    case MEASURE_ROLLBACK_TIME: see_rollback(r, row, f); break;
    case MEASURE_DEPLOYMENT_SUCCESS_RATE: see_outcome(r, row, f, false); break;
    case MEASURE_FIRST_TRY_RATE: see_outcome(r, row, f, true); break;
    case MEASURE_AUTOMATED_RATE: see_automation(r, row, f); break;
    case MEASURE_BATCH_SIZE: see_batch(r, row, f); break;
    case MEASURE_AUTOMATIC_ROLLBACK_RATE: see_rollback_began(r, row, f); break;
    default: break;
    }
}

// --- time in failed state ----------------------------------------------------------------------------------

struct stretch {
    int64_t from, to;
};

static int by_from(const void *pa, const void *pb) {
    const struct stretch *a = pa, *b = pb;
    return (a->from > b->from) - (a->from < b->from);
}

// The failed stretches of a series within the window, each moment once.
static void see_failed_time(struct measuring *r, const struct series *s) {
    int64_t until = r->ask.to < r->ask.now ? r->ask.to : r->ask.now, end = r->ask.from;
    struct stretch *all = ARENA_ARRAY(r->arena, s->n + 1, struct stretch);
    uint32_t n = 0;
    if (!all) {
        r->err = ERR_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct figure *f = &s->figures[i];
        int64_t to = f->recovered && f->recovered < until ? f->recovered : until;
        if (!failed(r, f) || f->finished >= until || to <= r->ask.from) continue;
        all[n++] = (struct stretch){ f->finished, to };
        r->result.n++;
        measuring_see(r, (struct measure_row){ .series = s,
                                               .rollout = i,
                                               .commit = ROLLOUT_NONE,
                                               .counted = true,
                                               .hit = true,
                                               .value = (double)(to - f->finished) / 1e9 });
    }
    if (n) qsort(all, n, sizeof *all, by_from);
    for (uint32_t i = 0; i < n; i++) {
        int64_t from = all[i].from > end ? all[i].from : end;
        if (all[i].to <= from) continue;
        r->failed_ns += (double)(all[i].to - from);
        end = all[i].to;
    }
}

static void conclude_failed_time(struct measuring *r) {
    int64_t until = r->ask.to < r->ask.now ? r->ask.to : r->ask.now;
    if (r->n_series && until > r->ask.from)
        r->result.value =
            (struct estimate){ .defined = true,
                               .value = r->failed_ns / ((double)(until - r->ask.from) * r->n_series) };
}

// --- incidents ---------------------------------------------------------------------------------------------

void measure_incident(struct measuring *r, const struct measure_incident *i) {
    struct measure_row row = { .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .incident = i };
    int64_t began = i->began ? i->began : i->detected, detected = i->detected ? i->detected : i->began, end;
    switch (r->ask.measure) {
    case MEASURE_RESTORE_TIME:
    case MEASURE_REMEDIATE_TIME: end = i->recovered; break;
    case MEASURE_DETECT_TIME: end = i->detected; break;
    case MEASURE_ACKNOWLEDGE_TIME: end = i->acknowledged; break;
    default: return;
    }
    bool restores = r->ask.measure == MEASURE_RESTORE_TIME || r->ask.measure == MEASURE_REMEDIATE_TIME;
    if (restores && !end && began && began < r->ask.to) {
        measuring_leave_out(r, row, "still open");
        return;
    }
    if (!measuring_in_window(r, end)) return;
    if (i->duplicate)
        measuring_leave_out(r, row, "repeats another incident");
    else if (!i->production)
        measuring_leave_out(r, row, "not in production");
    else if (r->ask.measure == MEASURE_DETECT_TIME && !i->began)
        measuring_leave_out(r, row, "the start of its impact is not known");
    else if (r->ask.measure == MEASURE_DETECT_TIME) {
        r->result.clamped += end < i->began;
        measuring_add_value(r, row, end < i->began ? 0 : (double)(end - i->began) / 1e9);
    } else
        measuring_add_time(
            r, row, (r->ask.measure == MEASURE_RESTORE_TIME ? began : detected) + (restores ? i->paused : 0),
            end);
}

// --- the value ---------------------------------------------------------------------------------------------

static void conclude_values(struct measuring *r) {
    static const double wanted[] = { .5, .75, .9, .95 };
    struct measure_result *o = &r->result;
    struct estimate found[4];
    o->n = r->n;
    o->mean = percentile_mean_doubles(r->values, r->n);
    (void)percentile_doubles(r->values, r->n, wanted, 4, CONFIDENCE, found);
    o->value = found[0];
    o->p75 = found[1];
    o->p90 = found[2];
    o->p95 = found[3];
    for (size_t i = 0; i < r->n; i++)
        if (!o->most.defined || r->values[i] > o->most.value)
            o->most = (struct estimate){ .defined = true, .value = r->values[i] };
}

// No rollout at all is a frequency of 0; no service at all is none, nor is a window that has not begun.
static void conclude_frequency(struct measuring *r) {
    struct measure_result *o = &r->result;
    double days = (double)(r->ask.to - r->ask.from) / (double)DAY_NS;
    o->n = o->numerator;
    o->numerator = o->denominator = 0;
    if ((r->n_series || r->n_flags) && r->ask.from < r->ask.now)
        o->value = rate_poisson(o->n, days, CONFIDENCE);
}

static void conclude(struct measuring *r) {
    struct measure_result *o = &r->result;
    switch (infos[r->ask.measure].kind) {
    case MEASURE_FREQUENCY: conclude_frequency(r); break;
    case MEASURE_RATE:
        o->n = o->denominator;
        o->value = rate_wilson((struct rate){ o->numerator, o->denominator }, CONFIDENCE);
        break;
    case MEASURE_TIME:
    case MEASURE_SIZE: conclude_values(r); break;
    case MEASURE_KIND_COUNT: break;
    }
}

enum measure_verdict measure_judge(const struct estimate *v, bool small, double target) {
    double bound = target < 0 ? -target : target;
    if (!v->defined || small || (v->bounded && v->lo < bound && bound < v->hi)) return MEASURE_UNKNOWN;
    return (target < 0 ? v->value >= bound : v->value <= bound) ? MEASURE_MET : MEASURE_MISSED;
}

void measure_begin(struct measuring *m, struct arena *a, const struct measure_ask *ask, measure_watch *watch,
                   void *ctx) {
    *m = (struct measuring){ .arena = a, .ask = *ask, .watch = watch, .ctx = ctx };
}

bool measure_needs_commits(enum measure m) {
    return m == MEASURE_LEAD_TIME;
}

unsigned measure_wants(enum measure m) {
    if (m >= MEASURE_CHANGE_LEAD_TIME && m <= MEASURE_CI_COST) return MEASURE_WANTS_CHANGES;
    if (m >= MEASURE_PIPELINE_SUCCESS_RATE && m <= MEASURE_FLAKY_TEST_RATE) return MEASURE_WANTS_RUNS;
    if (m == MEASURE_CANARY_FAILURE_RATE) return MEASURE_WANTS_CANARIES;
    return m == MEASURE_FLAG_FREQUENCY || m == MEASURE_STALE_FLAG_RATE ? MEASURE_WANTS_FLAGS : 0;
}

void measure_input(struct measuring *m, const struct measure_input *in) {
    unsigned wants = measure_wants(m->ask.measure);
    if (in->flow && wants == MEASURE_WANTS_CHANGES) measuring_changes(m, in->flow);
    if (in->flow && wants == MEASURE_WANTS_RUNS) measuring_runs(m, in->flow);
    if (in->canary && wants == MEASURE_WANTS_CANARIES) measuring_canary(m, in->canary);
    if (in->flag && wants == MEASURE_WANTS_FLAGS) measuring_flag(m, in->flag);
}

void measure_series(struct measuring *m, const struct series *s) {
    if (measure_wants(m->ask.measure)) return; // of something else
    m->n_series++;
    if (m->ask.measure == MEASURE_FAILED_TIME) {
        see_failed_time(m, s);
        return;
    }
    for (uint32_t i = 0; i < s->n; i++)
        see_rollout(m, (struct measure_row){ .series = s, .rollout = i, .commit = ROLLOUT_NONE },
                    &s->figures[i]);
}

enum err measure_end(struct measuring *m, struct measure_result *out) {
    TRY(m->err);
    if (m->ask.measure == MEASURE_FAILED_TIME)
        conclude_failed_time(m);
    else
        conclude(m);
    // Time in failed state is the whole window's, no sample of it.
    m->result.small = m->result.n < MEASURE_SMALL && m->ask.measure != MEASURE_FAILED_TIME;
    *out = m->result;
    return ERR_OK;
}
