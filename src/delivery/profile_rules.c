// SPDX-License-Identifier: Apache-2.0
// The thresholds are those of the project's targets; each rule cites what it looked at.
#include "delivery/evidence.h"
#include "delivery/profile.h"

#define REPEATED_MOST 0.05
#define WORSE 1.5 // a service against all together

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
    else if (finding_share_of(k->unknown_commits) > EVIDENCE_GAP_MOST)
        finding_says(&f, c->arena, FINDING_YES,
                     "the commits of %llu of %llu rollouts are not known (at most %g %%)",
                     (unsigned long long)k->unknown_commits.k, (unsigned long long)k->unknown_commits.n,
                     100 * EVIDENCE_GAP_MOST);
    else
        finding_says(&f, c->arena, FINDING_NO,
                     "%llu rollouts, the commits of %llu not known; no source is silent",
                     (unsigned long long)k->rollouts, (unsigned long long)k->unknown_commits.k);
    return f;
}
static struct finding flaky_runs(const struct finding_case *c) {
    struct finding f =
        finding_begin("flaky-runs", "Pipelines are flaky", "Mend the pipeline before its speed");
    evidence_measure(c, &f, MEASURE_WASTED_RUN_RATE,
                     evidence_target_or(c, MEASURE_WASTED_RUN_RATE, EVIDENCE_FLAKY_MOST));
    return f;
}
static struct finding budget_spent(const struct finding_case *c) {
    struct finding f = finding_begin("budget-spent", "An error budget is spent, or nearly",
                                     "Slow down, and let only reverts and critical fixes through");
    finding_cannot_know(&f, c->arena, "no objectives are defined");
    return f;
}
static struct finding approvals_wait(const struct finding_case *c) {
    return evidence_of_approvals(c, "approvals-wait", "Automate approvals, or widen what needs none");
}

// The largest of the stages that can be told; MEASURE_COUNT: fewer than two can.
static enum measure largest_stage(const struct finding_case *c) {
    static const enum measure stages[] = { MEASURE_CODING_TIME, MEASURE_PICKUP_TIME, MEASURE_REVIEW_TIME,
                                           MEASURE_DEPLOY_TIME };
    enum measure most = MEASURE_COUNT;
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof stages / sizeof *stages; i++) {
        const struct measure_result *r = &c->now[stages[i]];
        if (!evidence_tells(r)) continue;
        n++;
        if (most == MEASURE_COUNT || r->value.value > c->now[most].value.value) most = stages[i];
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
        finding_cannot_know(&f, c->arena, "fewer than two stages of changes are known");
    else
        finding_says(&f, c->arena, finding_when(m == MEASURE_PICKUP_TIME || m == MEASURE_REVIEW_TIME),
                     "the largest stage is %s, %.3g h in the middle", measure_info(m)->title,
                     c->now[m].value.value / 3600);
    return f;
}
static struct finding queue_long(const struct finding_case *c) {
    struct finding f = finding_begin("queue-long", "Runs wait longer than they run",
                                     "More runners, parallel stages, a cache");
    const struct measure_result *r = &c->now[MEASURE_QUEUE_RATIO];
    evidence_measure(c, &f, MEASURE_QUEUE_RATIO, evidence_target_or(c, MEASURE_QUEUE_RATIO, 1));
    if (r->p90.defined)
        finding_says(&f, c->arena, f.answer, "%.*s; p90 %.3g", STR_ARG(f.evidence), r->p90.value);
    return f;
}
static struct finding detection_slow(const struct finding_case *c) {
    struct finding f = finding_begin("detection-slow", "Failures are detected late, or by people",
                                     "Instrument the routes that people report");
    evidence_measure(c, &f, MEASURE_DETECT_TIME, evidence_target(c, MEASURE_DETECT_TIME));
    evidence_also_share(c, &f, c->facts->by_person, 0.5, "incidents that a person detected");
    return f;
}
static struct finding no_canary(const struct finding_case *c) {
    struct finding f = finding_begin(
        "no-canary", "Changes fail too often, and none goes to a few users first", "Roll out progressively");
    uint64_t n = c->facts->canaries;
    evidence_measure(c, &f, MEASURE_CHANGE_FAILURE_RATE, evidence_target(c, MEASURE_CHANGE_FAILURE_RATE));
    finding_uses(&f, MEASURE_CANARY_FAILURE_RATE);
    finding_says(&f, c->arena, n ? FINDING_NO : f.answer, "%.*s; %llu canaries", STR_ARG(f.evidence),
                 (unsigned long long)n);
    return f;
}
static struct finding rollback_slow(const struct finding_case *c) {
    struct finding f =
        finding_begin("rollback-slow", "Rollbacks are slow", "Let a trigger roll back by itself");
    evidence_measure(c, &f, MEASURE_ROLLBACK_TIME, evidence_target(c, MEASURE_ROLLBACK_TIME));
    return f;
}
static struct finding restore_slow(const struct finding_case *c) {
    struct finding f = finding_begin("restore-slow", "Restoring is slow, and no runbook tells how",
                                     "Write the runbook and put it into the catalogue");
    struct finding_share s = c->facts->no_runbook;
    evidence_measure(c, &f, MEASURE_RESTORE_TIME, evidence_target(c, MEASURE_RESTORE_TIME));
    if (f.answer == FINDING_YES)
        finding_says(&f, c->arena, finding_when(s.k > 0),
                     "%.*s; %llu of %llu services with incidents have no runbook", STR_ARG(f.evidence),
                     (unsigned long long)s.k, (unsigned long long)s.n);
    return f;
}
static struct finding incidents_repeat(const struct finding_case *c) {
    struct finding f =
        finding_begin("incidents-repeat", "Incidents come again", "Do the actions that are still open");
    evidence_share(c, &f, c->facts->repeated, REPEATED_MOST, "incidents that had come within 30 days before");
    return f;
}
static struct finding grows(const struct finding_case *c, struct finding f, enum measure m, bool by_number) {
    const struct measure_result *r = &c->now[m], *b = &c->before[m];
    finding_uses(&f, m);
    double is = by_number ? (double)r->n : r->value.value, was = by_number ? (double)b->n : b->value.value;
    if (!evidence_tells(r) || !evidence_tells(b))
        finding_cannot_know(&f, c->arena, "too few rows in this window or in the one before");
    else
        finding_says(&f, c->arena, finding_when(is > was * EVIDENCE_GROWTH),
                     "%s: %.3g now, %.3g in the window before (at most %.3g times)", measure_info(m)->title,
                     is, was, EVIDENCE_GROWTH);
    return f;
}
static struct finding batches_grow(const struct finding_case *c) {
    return grows(c, finding_begin("batches-grow", "Rollouts grow", "Ship smaller changes"),
                 MEASURE_BATCH_SIZE, false);
}
static struct finding alerts_idle(const struct finding_case *c) {
    struct finding f =
        finding_begin("alerts-idle", "Most alerts lead to nothing", "Raise, group or delete them");
    evidence_share(c, &f, c->facts->unanswered, 0.5, "ended incidents that nobody acknowledged");
    return f;
}
static struct finding canary_small(const struct finding_case *c) {
    struct finding f = finding_begin("canary-small", "Too little traffic tells whether a version is bad",
                                     "A larger share, or a longer wait");
    evidence_share(c, &f, c->facts->blind, 0.5, "verdicts from traces that were insufficient");
    return f;
}
static struct finding canary_wrong(const struct finding_case *c) {
    struct finding f =
        finding_begin("canary-wrong", "Canaries are promoted that then fail", "Look at their baseline");
    evidence_share(c, &f, c->facts->contradicted, 0.2, "promoted canaries that failed in production");
    return f;
}
static struct finding flags_stale(const struct finding_case *c) {
    return evidence_of_stale_flags(c, "flags-stale", "Remove them");
}
static struct finding builds_untagged(const struct finding_case *c) {
    struct finding f = finding_begin("builds-untagged", "Deploys tell neither version nor commit",
                                     "Tag every build, and let its deploy say so");
    evidence_counted(c, &f, c->facts->untagged, 0.1, "rollouts that tell neither version nor commit");
    return f;
}
static struct finding no_owner(const struct finding_case *c) {
    struct finding f = finding_begin("no-owner", "Services have no owner", "Put them into the catalogue");
    struct finding_share s = c->facts->unowned;
    if (s.n == 0)
        finding_cannot_know(&f, c->arena, "no services are known");
    else
        finding_says(&f, c->arena, finding_when(s.k > 0), "%llu of %llu services", (unsigned long long)s.k,
                     (unsigned long long)s.n);
    return f;
}
static struct finding cost_rises(const struct finding_case *c) {
    struct finding f =
        finding_begin("cost-rises", "A deploy costs more than before", "Smaller canaries, shorter retention");
    finding_cannot_know(&f, c->arena, "nothing tells what a deploy costs");
    return f;
}
static struct finding patches_late(const struct finding_case *c) {
    struct finding f = finding_begin("patches-late", "Patches wait too long", "An emergency path");
    finding_cannot_know(&f, c->arena, "nothing tells which changes are patches");
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
        finding_cannot_know(&f, c->arena, "there is one service only");
    else
        finding_says(&f, c->arena, finding_when(finding_share_of(n->share) > 0.5),
                     "%.*s has %.3g %% of it (at most 50 %%)", STR_ARG(n->text),
                     100 * finding_share_of(n->share));
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
    const struct measure_result *r = &c->now[MEASURE_CHANGE_FAILURE_RATE];
    const struct finding_name *w = &c->facts->worst_service;
    finding_uses(&f, MEASURE_CHANGE_FAILURE_RATE);
    if (!evidence_tells(r) || c->facts->services < 2)
        finding_cannot_know(&f, c->arena, "too few rollouts, or one service only");
    else if (!finding_share_known(w->share))
        finding_says(&f, c->arena, FINDING_NO, "no service with enough rollouts is worse");
    else {
        struct estimate v = evidence_likely(w->share);
        finding_says(
            &f, c->arena, evidence_exceeds(measure_judge(&v, false, r->value.value * WORSE)),
            "%.*s: %llu of %llu failed (%.3g %%, may be %.3g to %.3g %%), all together %.3g %% (at most "
            "%.3g times)",
            STR_ARG(w->text), (unsigned long long)w->share.k, (unsigned long long)w->share.n, 100 * v.value,
            100 * v.lo, 100 * v.hi, 100 * r->value.value, WORSE);
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
    finding_says(last, c->arena, finding_when(holding == 0), "%u rules hold, %u cannot be answered", holding,
                 unknown);
}

unsigned profile_headline(const struct finding all[static PROFILE_RULES]) {
    for (unsigned i = 0; i < PROFILE_RULES; i++)
        if (all[i].answer == FINDING_YES) return i;
    return PROFILE_RULES - 1;
}
