// SPDX-License-Identifier: Apache-2.0
// The thresholds are those of the project's targets; each rule cites what it looked at. A rule whose
// figures are too few to tell is "cannot know", so that a quiet team is not praised for missing data.
#include "delivery/profile.h"

#include <stdio.h>

#include "delivery/world.h"
#include "stats/rate.h"

#define FLAKY_MOST 0.05
#define GAP_MOST 0.20
#define REPEATED_MOST 0.05
#define GROWTH 1.5
#define UNSERVED_MOST 0.1
#define ELSEWHERE_MOST 0.2
#define EARLY_MOST 0.01
#define WORSE 1.5 // a service against all together
#define CONFIDENCE 0.95

static const struct measure_result *now(const struct finding_case *c, enum measure m) {
    return &c->now[m];
}
static bool tells(const struct measure_result *r) {
    return r->value.defined && !r->small;
}
static double hours(double seconds) {
    return seconds / 3600;
}
static double percent(double share) {
    return share * 100;
}
static enum finding_answer when(bool it_does) {
    return it_does ? FINDING_YES : FINDING_NO;
}
// Of what is said to be too much, or too little.
static enum finding_answer holds(enum measure_verdict v) {
    return v == MEASURE_UNKNOWN ? FINDING_UNKNOWN : when(v == MEASURE_MISSED);
}

struct amount {
    char z[32];
};

// A value of a measure as people say it.
static struct amount amount_of(enum measure m, double v) {
    static const struct {
        double seconds;
        const char *unit;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    struct amount a;
    enum measure_kind kind = measure_info(m)->kind;
    unsigned u = 0;
    while (u < 3 && v < units[u].seconds) u++;
    if (kind == MEASURE_TIME)
        (void)snprintf(a.z, sizeof a.z, "%.3g %s", v / units[u].seconds, units[u].unit);
    else
        (void)snprintf(a.z, sizeof a.z, "%.3g%s", kind == MEASURE_RATE ? percent(v) : v,
                       kind == MEASURE_RATE        ? " %"
                       : kind == MEASURE_FREQUENCY ? " a day"
                                                   : "");
    return a;
}
// "Change failure rate 20 % (1 of 5, may be 3.62 % to 62.5 %; at most 15 %)" as one more clause of a text of
// len bytes, which has room for size; returns its length then.
static size_t say_measure(char *text, size_t size, size_t len, enum measure m, const struct measure_result *r,
                          double target) {
    const struct estimate *v = &r->value;
    const char *title = measure_info(m)->title;
    char rows[64], likely[80] = "";
    if (measure_info(m)->kind == MEASURE_RATE)
        (void)snprintf(rows, sizeof rows, "%llu of %llu", (unsigned long long)r->numerator,
                       (unsigned long long)r->denominator);
    else
        (void)snprintf(rows, sizeof rows, "%llu rows", (unsigned long long)r->n);
    if (r->small)
        (void)snprintf(likely, sizeof likely, ", too few to tell");
    else if (measure_judge(v, r->small, target) == MEASURE_UNKNOWN)
        (void)snprintf(likely, sizeof likely, ", may be %s to %s", amount_of(m, v->lo).z,
                       amount_of(m, v->hi).z);
    int more = v->defined
                   ? snprintf(text + len, size - len, "%s%s %s (%s%s; %s %s)", len ? "; " : "", title,
                              amount_of(m, v->value).z, rows, likely, target < 0 ? "at least" : "at most",
                              amount_of(m, target < 0 ? -target : target).z)
                   : snprintf(text + len, size - len, "%s%s unknown", len ? "; " : "", title);
    return more < 0 ? len : len + (size_t)more < size ? len + (size_t)more : size - 1;
}

// What the scope's own target is, else this one.
static double target_or(const struct finding_case *c, enum measure m, double target) {
    return c->targets && c->targets[m] != 0 ? c->targets[m] : target;
}
static double target_of(const struct finding_case *c, enum measure m) {
    return target_or(c, m, measure_info(m)->target);
}

// A share as a measure of it would be: of few it may be anything.
static struct estimate likely(struct finding_share s) {
    return rate_wilson((struct rate){ s.k, s.n }, CONFIDENCE);
}
// A share against the most that it may be, by the verdict that measures go by. One is enough where there
// may be none.
static void judge_value(const struct finding_case *c, struct finding *f, struct finding_share s,
                        const struct estimate *v, double most, const char *what) {
    bool is_small = !finding_share_known(s) && !(most == 0 && s.k > 0);
    enum measure_verdict verdict = measure_judge(v, is_small, most);
    unsigned long long k = s.k, n = s.n;
    if (s.n == 0)
        finding_says(f, c->arena, FINDING_UNKNOWN, "no data (%s)", what);
    else if (is_small)
        finding_says(f, c->arena, FINDING_UNKNOWN, "%llu of %llu %s: too few to tell", k, n, what);
    else if (verdict == MEASURE_UNKNOWN)
        finding_says(f, c->arena, FINDING_UNKNOWN,
                     "%llu of %llu %s (%.3g %%, may be %.3g to %.3g %%; at most %.3g %%)", k, n, what,
                     percent(v->value), percent(v->lo), percent(v->hi), percent(most));
    else
        finding_says(f, c->arena, holds(verdict), "%llu of %llu %s (%.3g %%; at most %.3g %%)", k, n, what,
                     percent(v->value), percent(most));
}
// Of what happens: of few it may be anything.
static void judge_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                        const char *what) {
    struct estimate v = likely(s);
    judge_value(c, f, s, &v, most, what);
}
// Of what the data lack: all rows are there, and no more is to be expected.
static void judge_counted(const struct finding_case *c, struct finding *f, struct finding_share s,
                          double most, const char *what) {
    struct estimate v = { .defined = s.n > 0, .value = finding_share_of(s) };
    judge_value(c, f, s, &v, most, what);
}

// A measure against its target: yes, where it is missed.
static void judge(const struct finding_case *c, struct finding *f, enum measure m, double target) {
    const struct measure_result *r = now(c, m);
    char text[256];
    finding_uses(f, m);
    size_t len = say_measure(text, sizeof text, 0, m, r, target);
    finding_says(f, c->arena, holds(measure_judge(&r->value, r->small, target)), "%.*s", (int)len, text);
}
// One more sign of the same: yes when any shows it, no when none does and all are known.
static void also(const struct finding_case *c, struct finding *f, const struct finding *sign) {
    enum finding_answer a = f->answer, b = sign->answer;
    enum finding_answer both = a == FINDING_YES || b == FINDING_YES ? FINDING_YES
                               : a == FINDING_NO                    ? b
                                                                    : FINDING_UNKNOWN;
    for (unsigned i = 0; i < sign->n_figures; i++) finding_uses(f, sign->figures[i]);
    finding_says(f, c->arena, both, "%.*s; %.*s", STR_ARG(f->evidence), STR_ARG(sign->evidence));
}
static void also_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                       const char *what) {
    struct finding sign = finding_begin(f->name, f->text, NULL);
    judge_share(c, &sign, s, most, what);
    also(c, f, &sign);
}

static void cannot_know(const struct finding_case *c, struct finding *f, const char *why) {
    finding_says(f, c->arena, FINDING_UNKNOWN, "%s", why);
}

// --- the rules, in order -----------------------------------------------------------------------------------

static struct finding data_gaps(const struct finding_case *c) {
    const struct finding_facts *k = c->facts;
    struct finding f = finding_begin("data-gaps", "Gaps in the data make figures unknowable",
                                     "Mend the source that is named before anything else is believed");
    finding_uses(&f, MEASURE_LEAD_TIME);
    if (k->rollouts == 0)
        finding_says(&f, c->arena, FINDING_YES, "no rollouts to production are known in the window");
    else if (k->silent.share.k > 0)
        finding_says(&f, c->arena, FINDING_YES, "%.*s has been silent for longer than ever before",
                     STR_ARG(k->silent.text));
    else if (finding_share_of(k->unknown_commits) > GAP_MOST)
        finding_says(&f, c->arena, FINDING_YES,
                     "the commits of %llu of %llu rollouts are not known (at most %g %%)",
                     (unsigned long long)k->unknown_commits.k, (unsigned long long)k->unknown_commits.n,
                     percent(GAP_MOST));
    else
        finding_says(&f, c->arena, FINDING_NO,
                     "%llu rollouts, the commits of %llu not known; no source is silent",
                     (unsigned long long)k->rollouts, (unsigned long long)k->unknown_commits.k);
    return f;
}
static struct finding flaky_runs(const struct finding_case *c) {
    struct finding f =
        finding_begin("flaky-runs", "Pipelines are flaky", "Mend the pipeline before its speed");
    judge(c, &f, MEASURE_WASTED_RUN_RATE, target_or(c, MEASURE_WASTED_RUN_RATE, FLAKY_MOST));
    return f;
}
static struct finding budget_spent(const struct finding_case *c) {
    struct finding f = finding_begin("budget-spent", "An error budget is spent, or nearly",
                                     "Slow down, and let only reverts and critical fixes through");
    cannot_know(c, &f, "no objectives are defined");
    return f;
}
static struct finding approvals_wait(const struct finding_case *c) {
    struct finding f = finding_begin("approvals-wait", "Deploys wait for approvals longer than they work",
                                     "Automate approvals, or widen what needs none");
    judge_share(c, &f, c->facts->approved_wait, 0.5, "approved deploys that waited longer than they worked");
    return f;
}

// The largest of the stages that can be told; MEASURE_COUNT: fewer than two can.
static enum measure largest_stage(const struct finding_case *c) {
    static const enum measure stages[] = { MEASURE_CODING_TIME, MEASURE_PICKUP_TIME, MEASURE_REVIEW_TIME,
                                           MEASURE_DEPLOY_TIME };
    enum measure most = MEASURE_COUNT;
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof stages / sizeof *stages; i++) {
        const struct measure_result *r = now(c, stages[i]);
        if (!tells(r)) continue;
        n++;
        if (most == MEASURE_COUNT || r->value.value > now(c, most)->value.value) most = stages[i];
    }
    return n < 2 ? MEASURE_COUNT : most;
}
static struct finding review_waits(const struct finding_case *c) {
    struct finding f = finding_begin("review-waits", "The wait for review is the largest stage",
                                     "More reviewers, smaller changes");
    enum measure m = largest_stage(c);
    finding_uses(&f, MEASURE_PICKUP_TIME);
    finding_uses(&f, MEASURE_REVIEW_TIME);
    if (m == MEASURE_COUNT)
        cannot_know(c, &f, "fewer than two stages of changes are known");
    else
        finding_says(&f, c->arena, when(m == MEASURE_PICKUP_TIME || m == MEASURE_REVIEW_TIME),
                     "the largest stage is %s, %.3g h in the middle", measure_info(m)->title,
                     hours(now(c, m)->value.value));
    return f;
}
static struct finding queue_long(const struct finding_case *c) {
    struct finding f = finding_begin("queue-long", "Runs wait longer than they run",
                                     "More runners, parallel stages, a cache");
    const struct measure_result *r = now(c, MEASURE_QUEUE_RATIO);
    judge(c, &f, MEASURE_QUEUE_RATIO, target_or(c, MEASURE_QUEUE_RATIO, 1));
    if (r->p90.defined)
        finding_says(&f, c->arena, f.answer, "%.*s; p90 %.3g", STR_ARG(f.evidence), r->p90.value);
    return f;
}
static struct finding detection_slow(const struct finding_case *c) {
    struct finding f = finding_begin("detection-slow", "Failures are detected late, or by people",
                                     "Instrument the routes that people report");
    judge(c, &f, MEASURE_DETECT_TIME, target_of(c, MEASURE_DETECT_TIME));
    also_share(c, &f, c->facts->by_person, 0.5, "incidents that a person detected");
    return f;
}
static struct finding no_canary(const struct finding_case *c) {
    struct finding f = finding_begin(
        "no-canary", "Changes fail too often, and none goes to a few users first", "Roll out progressively");
    uint64_t n = c->facts->canaries;
    judge(c, &f, MEASURE_CHANGE_FAILURE_RATE, target_of(c, MEASURE_CHANGE_FAILURE_RATE));
    finding_uses(&f, MEASURE_CANARY_FAILURE_RATE);
    finding_says(&f, c->arena, n ? FINDING_NO : f.answer, "%.*s; %llu canaries", STR_ARG(f.evidence),
                 (unsigned long long)n);
    return f;
}
static struct finding rollback_slow(const struct finding_case *c) {
    struct finding f =
        finding_begin("rollback-slow", "Rollbacks are slow", "Let a trigger roll back by itself");
    judge(c, &f, MEASURE_ROLLBACK_TIME, target_of(c, MEASURE_ROLLBACK_TIME));
    return f;
}
static struct finding restore_slow(const struct finding_case *c) {
    struct finding f = finding_begin("restore-slow", "Restoring is slow, and no runbook tells how",
                                     "Write the runbook and put it into the catalogue");
    struct finding_share s = c->facts->no_runbook;
    judge(c, &f, MEASURE_RESTORE_TIME, target_of(c, MEASURE_RESTORE_TIME));
    if (f.answer == FINDING_YES)
        finding_says(&f, c->arena, when(s.k > 0),
                     "%.*s; %llu of %llu services with incidents have no runbook", STR_ARG(f.evidence),
                     (unsigned long long)s.k, (unsigned long long)s.n);
    return f;
}
static struct finding incidents_repeat(const struct finding_case *c) {
    struct finding f =
        finding_begin("incidents-repeat", "Incidents come again", "Do the actions that are still open");
    judge_share(c, &f, c->facts->repeated, REPEATED_MOST, "incidents that had come within 30 days before");
    return f;
}
static struct finding grows(const struct finding_case *c, struct finding f, enum measure m, bool by_number) {
    const struct measure_result *r = now(c, m), *b = &c->before[m];
    finding_uses(&f, m);
    double is = by_number ? (double)r->n : r->value.value, was = by_number ? (double)b->n : b->value.value;
    if (!tells(r) || !tells(b))
        cannot_know(c, &f, "too few rows in this window or in the one before");
    else
        finding_says(&f, c->arena, when(is > was * GROWTH),
                     "%s: %.3g now, %.3g in the window before (at most %.3g times)", measure_info(m)->title,
                     is, was, GROWTH);
    return f;
}
static struct finding batches_grow(const struct finding_case *c) {
    return grows(c, finding_begin("batches-grow", "Rollouts grow", "Ship smaller changes"),
                 MEASURE_BATCH_SIZE, false);
}
static struct finding alerts_idle(const struct finding_case *c) {
    struct finding f =
        finding_begin("alerts-idle", "Most alerts lead to nothing", "Raise, group or delete them");
    judge_share(c, &f, c->facts->unanswered, 0.5, "ended incidents that nobody acknowledged");
    return f;
}
static struct finding canary_small(const struct finding_case *c) {
    struct finding f = finding_begin("canary-small", "Too little traffic tells whether a version is bad",
                                     "A larger share, or a longer wait");
    judge_share(c, &f, c->facts->blind, 0.5, "verdicts from traces that were insufficient");
    return f;
}
static struct finding canary_wrong(const struct finding_case *c) {
    struct finding f =
        finding_begin("canary-wrong", "Canaries are promoted that then fail", "Look at their baseline");
    judge_share(c, &f, c->facts->contradicted, 0.2, "promoted canaries that failed in production");
    return f;
}
static struct finding flags_stale(const struct finding_case *c) {
    struct finding f = finding_begin("flags-stale", "Flags are past their time", "Remove them");
    const struct measure_result *r = now(c, MEASURE_STALE_FLAG_RATE);
    finding_uses(&f, MEASURE_STALE_FLAG_RATE);
    if (!r->value.defined)
        cannot_know(c, &f, "no flags are known");
    else
        finding_says(&f, c->arena, when(r->numerator > 0), "%llu of %llu flags",
                     (unsigned long long)r->numerator, (unsigned long long)r->denominator);
    return f;
}
static struct finding builds_untagged(const struct finding_case *c) {
    struct finding f = finding_begin("builds-untagged", "Deploys tell neither version nor commit",
                                     "Tag every build, and let its deploy say so");
    judge_counted(c, &f, c->facts->untagged, 0.1, "rollouts that tell neither version nor commit");
    return f;
}
static struct finding no_owner(const struct finding_case *c) {
    struct finding f = finding_begin("no-owner", "Services have no owner", "Put them into the catalogue");
    struct finding_share s = c->facts->unowned;
    if (s.n == 0)
        cannot_know(c, &f, "no services are known");
    else
        finding_says(&f, c->arena, when(s.k > 0), "%llu of %llu services", (unsigned long long)s.k,
                     (unsigned long long)s.n);
    return f;
}
static struct finding cost_rises(const struct finding_case *c) {
    struct finding f =
        finding_begin("cost-rises", "A deploy costs more than before", "Smaller canaries, shorter retention");
    cannot_know(c, &f, "nothing tells what a deploy costs");
    return f;
}
static struct finding patches_late(const struct finding_case *c) {
    struct finding f = finding_begin("patches-late", "Patches wait too long", "An emergency path");
    cannot_know(c, &f, "nothing tells which changes are patches");
    return f;
}
static struct finding one_service(const struct finding_case *c) {
    struct finding f =
        finding_begin("one-service", "One service has most of the time in failed state", "Begin there");
    const struct finding_name *n = &c->facts->failed_time;
    finding_uses(&f, MEASURE_FAILED_TIME);
    if (n->share.n == 0)
        finding_says(&f, c->arena, FINDING_NO, "no time in failed state");
    else if (c->facts->services < 2)
        cannot_know(c, &f, "there is one service only");
    else
        finding_says(&f, c->arena, when(finding_share_of(n->share) > 0.5),
                     "%.*s has %.3g %% of it (at most 50 %%)", STR_ARG(n->text),
                     percent(finding_share_of(n->share)));
    return f;
}
static struct finding merged_waits(const struct finding_case *c) {
    return grows(c,
                 finding_begin("merged-waits", "More and more is merged and not deployed", "Deploy sooner"),
                 MEASURE_WAITING_CHANGES, true);
}
static struct finding average_hides(const struct finding_case *c) {
    struct finding f =
        finding_begin("average-hides", "The average hides a service that does worse", "Look at it alone");
    const struct measure_result *r = now(c, MEASURE_CHANGE_FAILURE_RATE);
    const struct finding_name *w = &c->facts->worst_service;
    finding_uses(&f, MEASURE_CHANGE_FAILURE_RATE);
    if (!tells(r) || c->facts->services < 2)
        cannot_know(c, &f, "too few rollouts, or one service only");
    else if (!finding_share_known(w->share))
        finding_says(&f, c->arena, FINDING_NO, "no service with enough rollouts is worse");
    else {
        struct estimate v = likely(w->share);
        finding_says(
            &f, c->arena, holds(measure_judge(&v, false, r->value.value * WORSE)),
            "%.*s: %llu of %llu failed (%.3g %%, may be %.3g to %.3g %%), all together %.3g %% (at most "
            "%.3g times)",
            STR_ARG(w->text), (unsigned long long)w->share.k, (unsigned long long)w->share.n,
            percent(v.value), percent(v.lo), percent(v.hi), percent(r->value.value), WORSE);
    }
    return f;
}

static struct finding (*const rules[PROFILE_RULES - 1])(const struct finding_case *c) = {
    data_gaps,      flaky_runs,   budget_spent,  approvals_wait, review_waits,     queue_long,
    detection_slow, no_canary,    rollback_slow, restore_slow,   incidents_repeat, batches_grow,
    alerts_idle,    canary_small, canary_wrong,  flags_stale,    builds_untagged,  no_owner,
    cost_rises,     patches_late, one_service,   merged_waits,   average_hides,
};

void profile_rules(const struct finding_case *c, struct finding out[static PROFILE_RULES]) {
    unsigned unknown = 0, holding = 0;
    for (unsigned i = 0; i < PROFILE_RULES - 1; i++) {
        out[i] = rules[i](c);
        unknown += out[i].answer == FINDING_UNKNOWN;
        holding += out[i].answer == FINDING_YES;
    }
    struct finding *last = &out[PROFILE_RULES - 1];
    *last = finding_begin("nothing", "Nothing that can be seen holds the tempo back",
                          "Ask for the time to market");
    finding_says(last, c->arena, when(holding == 0), "%u rules hold, %u cannot be answered", holding,
                 unknown);
}

unsigned profile_headline(const struct finding all[static PROFILE_RULES]) {
    for (unsigned i = 0; i < PROFILE_RULES; i++)
        if (all[i].answer == FINDING_YES) return i;
    return PROFILE_RULES - 1;
}

// --- the ladder --------------------------------------------------------------------------------------------

struct test {
    enum measure measure;
    double target; // negative: at least its absolute value
};

// Yes when all tests pass, no when one fails, else cannot know.
static struct finding step_of(const struct finding_case *c, const char *name, const char *text,
                              const struct test *tests, unsigned n) {
    struct finding f = finding_begin(name, text, NULL);
    enum finding_answer answer = FINDING_YES;
    char said[500];
    size_t len = 0;
    for (unsigned i = 0; i < n; i++) {
        enum measure m = tests[i].measure;
        const struct measure_result *r = now(c, m);
        enum measure_verdict v = measure_judge(&r->value, r->small, tests[i].target);
        finding_uses(&f, m);
        if (v == MEASURE_MISSED) answer = FINDING_NO;
        if (v == MEASURE_UNKNOWN && answer == FINDING_YES) answer = FINDING_UNKNOWN;
        len = say_measure(said, sizeof said, len, m, r, tests[i].target);
    }
    finding_says(&f, c->arena, answer, "%.*s", (int)len, said);
    return f;
}
#define STEP(name, text, ...) \
    step_of(c, name, text, (const struct test[]){ __VA_ARGS__ }, \
            sizeof((const struct test[]){ __VA_ARGS__ }) / sizeof(struct test))

#define DAY 86400.0

void profile_ladder(const struct finding_case *c, struct profile_dimension out[static PROFILE_DIMENSIONS]) {
    out[0] = (struct profile_dimension){
        "build",
        { STEP("pipelines", "Builds are automatic", { MEASURE_PIPELINE_SUCCESS_RATE, -0.5 }),
          STEP("trusted", "Builds are fast and can be trusted", { MEASURE_PIPELINE_SUCCESS_RATE, -0.98 },
               { MEASURE_WASTED_RUN_RATE, FLAKY_MOST }, { MEASURE_CI_TIME, 1800 }) },
        0,
        0
    };
    out[1] = (struct profile_dimension){
        "review",
        { STEP("reviewed", "Most changes are reviewed", { MEASURE_UNREVIEWED_RATE, 0.5 }),
          STEP("soon", "All changes are reviewed within a day", { MEASURE_UNREVIEWED_RATE, 0.05 },
               { MEASURE_REVIEW_TIME, DAY }) },
        0,
        0
    };
    out[2] = (struct profile_dimension){
        "deploy",
        { STEP("weekly", "Deploys are automatic and weekly", { MEASURE_DEPLOYMENT_FREQUENCY, -1.0 / 7 },
               { MEASURE_AUTOMATED_RATE, -0.5 }),
          STEP("daily", "Deploys are automatic and daily", { MEASURE_DEPLOYMENT_FREQUENCY, -1.0 },
               { MEASURE_AUTOMATED_RATE, -0.8 }, { MEASURE_LEAD_TIME, DAY }) },
        0,
        0
    };
    out[3] = (struct profile_dimension){
        "release",
        { STEP("rollback", "What fails can be taken back", { MEASURE_ROLLBACK_TIME, DAY }),
          STEP("progressive", "Releases are progressive, rollbacks automatic",
               { MEASURE_CANARY_FAILURE_RATE, 1 }, { MEASURE_AUTOMATIC_ROLLBACK_RATE, -0.5 },
               { MEASURE_CHANGE_FAILURE_RATE, 0.15 }) },
        0,
        0
    };
    out[4] = (struct profile_dimension){
        "detect",
        { STEP("alerts", "Detection is measured", { MEASURE_DETECT_TIME, DAY }),
          STEP("minutes", "Failures are detected within minutes", { MEASURE_DETECT_TIME, 300 }) },
        0,
        0
    };
    out[5] = (struct profile_dimension){
        "restore",
        { STEP("day", "Service is restored within a day", { MEASURE_RESTORE_TIME, DAY }),
          STEP("hour", "Service is restored within an hour", { MEASURE_RESTORE_TIME, 3600 },
               { MEASURE_FAILED_DEPLOYMENT_RECOVERY, 3600 }) },
        0,
        0
    };
    for (unsigned d = 0; d < PROFILE_DIMENSIONS; d++) {
        struct profile_dimension *o = &out[d];
        while (o->level < PROFILE_STEPS && o->steps[o->level].answer == FINDING_YES) o->level++;
        while (o->most < PROFILE_STEPS && o->steps[o->most].answer != FINDING_NO) o->most++;
    }
}

// --- failure modes -----------------------------------------------------------------------------------------

static const char not_asked[] = "a server tells it while it runs; none was asked";
static const char no_traces[] = "the traces were not asked";

static struct finding mode_share(const struct finding_case *c, const char *name, const char *text,
                                 struct finding_share s, double most, const char *what) {
    struct finding f = finding_begin(name, text, NULL);
    judge_share(c, &f, s, most, what);
    return f;
}
static struct finding mode_named(const struct finding_case *c, const char *name, const char *text,
                                 const struct finding_name *n, const char *what) {
    struct finding f = finding_begin(name, text, NULL);
    if (n->share.n == 0)
        finding_says(&f, c->arena, FINDING_UNKNOWN, "no events are known");
    else if (n->share.k == 0)
        finding_says(&f, c->arena, FINDING_NO, "none of %llu", (unsigned long long)n->share.n);
    else
        finding_says(&f, c->arena, FINDING_YES, "%.*s %s", STR_ARG(n->text), what);
    return f;
}

// The tail is what people wait for; that it was as long before makes it no better.
static struct finding pipeline_bottleneck(const struct finding_case *c) {
    struct finding f = finding_begin("pipeline-bottleneck", "One run in ten waits longer than it runs", NULL);
    const struct measure_result *r = now(c, MEASURE_QUEUE_RATIO), *b = &c->before[MEASURE_QUEUE_RATIO];
    double most = target_or(c, MEASURE_QUEUE_RATIO, 1);
    finding_uses(&f, MEASURE_QUEUE_RATIO);
    if (!tells(r) || !r->p90.defined) {
        cannot_know(c, &f, "too few runs tell how long they waited");
        return f;
    }
    char was[64] = "nothing is known of the window before";
    if (tells(b) && b->p90.defined)
        (void)snprintf(was, sizeof was, "%.3g in the window before%s", b->p90.value,
                       r->p90.value > b->p90.value ? ", rising" : "");
    finding_says(&f, c->arena, holds(measure_judge(&r->p90, r->small, most)),
                 "Queue time over run time p90 %.3g (%llu rows, may be %.3g to %.3g; at most %.3g); %s",
                 r->p90.value, (unsigned long long)r->n, r->p90.bounded ? r->p90.lo : r->p90.value,
                 r->p90.bounded ? r->p90.hi : r->p90.value, most, was);
    return f;
}

static struct finding flag_drift(const struct finding_case *c) {
    struct finding f = flags_stale(c), sign = finding_begin("", "", NULL);
    const struct finding_name *d = &c->world->drift;
    f.name = "flag-drift";
    f.step = NULL;
    if (!c->world->knows_store)
        cannot_know(c, &sign, no_traces);
    else if (d->share.n == 0)
        cannot_know(c, &sign, "no flag was evaluated on two instances often enough in the last hour");
    else
        finding_says(&sign, c->arena, when(d->share.k > 0),
                     "%llu of %llu flags differ between instances%s%.*s", (unsigned long long)d->share.k,
                     (unsigned long long)d->share.n, d->share.k ? ": " : "", STR_ARG(d->text));
    also(c, &f, &sign);
    return f;
}

static struct finding compliance_hold(const struct finding_case *c) {
    struct finding f = approvals_wait(c);
    f.name = "compliance-hold";
    f.step = NULL;
    if (c->facts->held.len)
        finding_says(&f, c->arena, f.answer, "%.*s; %.*s", STR_ARG(f.evidence), STR_ARG(c->facts->held));
    return f;
}

static struct finding missing_deploy_data(const struct finding_case *c) {
    struct finding f =
        finding_begin("missing-deploy-data", "Deploys are not told, or not what they deploy", NULL);
    struct finding sign = f;
    const struct finding_name *u = &c->world->unreported;
    judge_counted(c, &f, c->facts->unknown_commits, GAP_MOST, "rollouts whose commits are not known");
    judge_counted(c, &sign, c->facts->unserved, UNSERVED_MOST, "rollouts whose version no trace shows");
    also(c, &f, &sign);
    if (!c->world->knows_store)
        cannot_know(c, &sign, no_traces);
    else if (u->share.n == 0)
        cannot_know(c, &sign, "no service with rollouts tells its version in the last hour's spans");
    else
        finding_says(&sign, c->arena, when(u->share.k > 0),
                     "%llu of %llu versions in the last hour's spans were never reported%s%.*s",
                     (unsigned long long)u->share.k, (unsigned long long)u->share.n, u->share.k ? ": " : "",
                     STR_ARG(u->text));
    also(c, &f, &sign);
    return f;
}

static struct finding misattributed_incident(const struct finding_case *c) {
    struct finding f =
        mode_share(c, "misattributed-incident", "Incidents are tied to no rollout, or another team's",
                   c->facts->unlinked, 0.5, "incidents without a rollout that caused them");
    also_share(c, &f, c->facts->elsewhere, ELSEWHERE_MOST,
               "incidents with a cause, which is another team's rollout and was confirmed by nobody");
    return f;
}

static struct finding blind_after_deploy(const struct finding_case *c) {
    struct finding f =
        mode_share(c, "blind-after-deploy", "What a deploy does is not seen in time, or by people",
                   c->facts->blind, 0.5, "verdicts from traces that were insufficient");
    also_share(c, &f, c->facts->unseen, 0.5, "incidents that a rollout caused and a person detected");
    return f;
}

static struct finding time_skew(const struct finding_case *c) {
    struct finding f = mode_named(c, "time-skew", "Clocks of sources are wrong", &c->facts->skewed,
                                  "sends events from the future");
    struct finding sign =
        mode_named(c, f.name, f.text, &c->facts->backwards, "tells of ends before their beginnings");
    const struct finding_name *e = &c->world->early;
    also(c, &f, &sign);
    if (!c->world->knows_store)
        cannot_know(c, &sign, no_traces);
    else {
        char what[160];
        (void)snprintf(what, sizeof what, "spans of %.*s start 10 ms and more before their parent",
                       (int)(e->text.len < 80 ? e->text.len : 80), e->text.ptr ? e->text.ptr : "");
        judge_share(c, &sign, e->share, EARLY_MOST,
                    e->share.n ? what : "spans with their parents in the last hour");
    }
    also(c, &f, &sign);
    return f;
}

static struct finding canary_misrouted(const struct finding_case *c) {
    struct finding f =
        finding_begin("canary-misrouted", "Canaries get far more requests than their weight says", NULL);
    const struct finding_name *n = &c->facts->misrouted;
    if (n->share.n == 0)
        cannot_know(
            c, &f,
            "no canary that was given up tells its weight and was seen in traces beside the old version");
    else
        finding_says(&f, c->arena, when(n->share.k > 0),
                     "%llu of %llu canaries that were given up had more than twice their weight%s%.*s",
                     (unsigned long long)n->share.k, (unsigned long long)n->share.n, n->share.k ? ": " : "",
                     STR_ARG(n->text));
    return f;
}

static struct finding alert_storm(const struct finding_case *c) {
    struct finding f = finding_begin("alert-storm", "A team gets far more alerts than in a usual week", NULL);
    const struct finding_name *n = &c->facts->storm;
    if (n->share.n == 0)
        cannot_know(c, &f, "no earlier alerts to compare with");
    else
        finding_says(&f, c->arena, when(n->share.k > 0), "%llu of %llu teams%s%.*s",
                     (unsigned long long)n->share.k, (unsigned long long)n->share.n, n->share.k ? ": " : "",
                     STR_ARG(n->text));
    return f;
}

// --- modes of traces, and of Takt itself -------------------------------------------------------------------

#define PARTIAL_MOST 0.05
#define SLOW_MOST 0.05 // so that 95 % are not slow
#define REFUSED_MOST 0.01
#define NAMES_MOST 0.5
#define BIAS 1.5
#define SATURATION_MOST 0.9

static struct finding missing_spans(const struct finding_case *c) {
    struct finding f = finding_begin("missing-spans", "Spans of traces are missing", NULL);
    if (c->world->knows_server)
        judge_share(c, &f, c->world->partial, PARTIAL_MOST,
                    "traces without a root or with a parent missing, since this server started");
    else
        cannot_know(c, &f, not_asked);
    return f;
}

static struct finding index_explosion(const struct finding_case *c) {
    struct finding f =
        finding_begin("index-explosion", "Names of spans or attributes are without number", NULL);
    const struct world *w = c->world;
    const struct finding_share *n = &w->names.share;
    bool many_keys = w->knows_keys && w->keys > WORLD_KEYS_MOST;
    struct estimate v = likely(*n);
    enum measure_verdict names = measure_judge(&v, n->n == 0, NAMES_MOST);
    char keys[64] = "attributes not counted";
    if (w->knows_keys)
        (void)snprintf(keys, sizeof keys, "%s%u names of attributes (at most %u)",
                       many_keys ? "more than " : "",
                       many_keys ? (unsigned)WORLD_KEYS_MOST : (unsigned)w->keys, (unsigned)WORLD_KEYS_MOST);
    if (!w->knows_store)
        cannot_know(c, &f, no_traces);
    else if (n->n == 0)
        finding_says(&f, c->arena, many_keys ? FINDING_YES : FINDING_UNKNOWN,
                     "%s; no service has spans enough in the last hour", keys);
    else
        finding_says(&f, c->arena, many_keys ? FINDING_YES : holds(names),
                     "%s; %.*s has %llu names of %llu spans (%.3g %%; at most %.3g %%)", keys,
                     STR_ARG(w->names.text), (unsigned long long)n->k, (unsigned long long)n->n,
                     percent(v.value), percent(NAMES_MOST));
    return f;
}

static struct finding storage_jump(const struct finding_case *c) {
    struct finding f = finding_begin("storage-jump", "A span takes far more room than last week", NULL);
    const struct world *w = c->world;
    if (!w->knows_store)
        cannot_know(c, &f, no_traces);
    else if (!w->day_spans)
        cannot_know(c, &f, "no blocks of the last day and of the week before that are alike");
    else
        finding_says(&f, c->arena, when(w->day_bytes > GROWTH * w->usual_bytes),
                     "%.3g bytes a span in the last day, %.3g in the week before (at most %.3g times)",
                     w->day_bytes / (double)w->day_spans, w->usual_bytes / (double)w->day_spans, GROWTH);
    return f;
}

static struct finding slow_queries(const struct finding_case *c) {
    struct finding f = finding_begin("slow-queries", "More than one query in twenty is slow", NULL);
    if (c->world->knows_server)
        judge_share(c, &f, c->world->slow, SLOW_MOST, "queries since this server started took more than 1 s");
    else
        cannot_know(c, &f, not_asked);
    return f;
}

static struct finding overload(const struct finding_case *c) {
    struct finding f = finding_begin("overload", "Takt refuses what it is sent, or drops it", NULL);
    const struct world *w = c->world;
    if (!w->knows_server) {
        cannot_know(c, &f, not_asked);
        return f;
    }
    judge_counted(c, &f, w->refused, REFUSED_MOST,
                  "requests with spans found no room since this server started");
    bool full = w->disk_full || w->dropped || w->saturation > SATURATION_MOST;
    finding_says(&f, c->arena, full ? FINDING_YES : f.answer,
                 "%.*s; %llu spans dropped; %.3g %% of what it can take (at most %.3g %%)%s",
                 STR_ARG(f.evidence), (unsigned long long)w->dropped, percent(w->saturation),
                 percent(SATURATION_MOST), w->disk_full ? "; the disk budget is used up" : "");
    return f;
}

// Errors are kept at another rate than the rest, beyond what chance does to those that were kept.
static struct finding sampling_bias(const struct finding_case *c) {
    struct finding f =
        finding_begin("sampling-bias", "Sampling keeps errors at another rate than the rest", NULL);
    const struct world *w = c->world;
    struct finding_share s = w->kept_errors;
    double before = w->all_before > 0 ? w->errors_before / w->all_before : 0;
    struct estimate kept = likely(s);
    double ratio = before > 0 ? kept.value / before : 1;
    bool far = ratio > BIAS || ratio < 1 / BIAS, chance = kept.lo <= before && before <= kept.hi;
    if (!w->knows_store)
        cannot_know(c, &f, no_traces);
    else if (!finding_share_known(s))
        cannot_know(c, &f,
                    "hardly a span of the last hour says what sampling left out (ot=th of its trace state)");
    else
        finding_says(&f, c->arena,
                     !far     ? FINDING_NO
                     : chance ? FINDING_UNKNOWN
                              : FINDING_YES,
                     "%llu of %llu sampled spans are in error (%.3g %%), of all that were there %.3g %% (at "
                     "most %.3g times more or fewer)",
                     (unsigned long long)s.k, (unsigned long long)s.n, percent(kept.value), percent(before),
                     BIAS);
    return f;
}

void profile_modes(const struct finding_case *c, struct finding out[static PROFILE_MODES]) {
    const struct finding_facts *k = c->facts;
    out[0] = pipeline_bottleneck(c);
    out[1] = finding_begin("flaky-tests", "Tests are flaky", NULL);
    judge(c, &out[1], MEASURE_FLAKY_TEST_RATE, target_or(c, MEASURE_FLAKY_TEST_RATE, FLAKY_MOST));
    out[2] = mode_share(c, "rollback-failed", "Rollbacks fail, stay partial, or mend nothing",
                        k->rollback_errors, 0, "rollbacks that did not end well, or after which it went on");
    out[3] = flag_drift(c);
    out[4] = alert_storm(c);
    out[5] = compliance_hold(c);
    out[6] = missing_deploy_data(c);
    out[7] = misattributed_incident(c);
    out[8] = time_skew(c);
    out[9] = mode_share(c, "partial-rollout", "Targets of one rollout end differently", k->mixed, 0,
                        "rollouts that ended differently on their targets");
    out[10] = mode_named(c, "data-gap", "A source has fallen silent", &k->silent,
                         "is silent for longer than ever before");
    out[11] = blind_after_deploy(c);
    out[12] = canary_misrouted(c);
    out[13] = missing_spans(c);
    out[14] = index_explosion(c);
    out[15] = storage_jump(c);
    out[16] = slow_queries(c);
    out[17] = overload(c);
    out[18] = sampling_bias(c);
}
