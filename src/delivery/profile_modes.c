// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "delivery/evidence.h"
#include "delivery/profile.h"
#include "delivery/world.h"

#define UNSERVED_MOST 0.1
#define ELSEWHERE_MOST 0.2
#define EARLY_MOST 0.01

static const char not_asked[] = "a server tells it while it runs; none was asked";
static const char no_traces[] = "the traces were not asked";

static struct finding mode_share(const struct finding_case *c, const char *name, const char *text,
                                 struct finding_share s, double most, const char *what) {
    struct finding f = finding_begin(name, text, NULL);
    evidence_share(c, &f, s, most, what);
    return f;
}
static struct finding mode_named(const struct finding_case *c, const char *name, const char *text,
                                 const struct finding_name *n, const char *what) {
    struct finding f = finding_begin(name, text, NULL);
    if (n->share.n == 0)
        finding_cannot_know(&f, c->arena, "no events are known");
    else if (n->share.k == 0)
        finding_says(&f, c->arena, FINDING_NO, "none of %llu", (unsigned long long)n->share.n);
    else
        finding_says(&f, c->arena, FINDING_YES, "%.*s %s", STR_ARG(n->text), what);
    return f;
}
// How many of those that can tell show it, and one of them.
static void count_named(const struct finding_case *c, struct finding *f, const struct finding_name *n,
                        const char *what, const char *nothing) {
    if (n->share.n == 0)
        finding_cannot_know(f, c->arena, nothing);
    else
        finding_says(f, c->arena, finding_when(n->share.k > 0), "%llu of %llu %s%s%.*s",
                     (unsigned long long)n->share.k, (unsigned long long)n->share.n, what,
                     n->share.k ? ": " : "", STR_ARG(n->text));
}

// The tail is what people wait for; that it was as long before makes it no better.
static struct finding pipeline_bottleneck(const struct finding_case *c) {
    struct finding f = finding_begin("pipeline-bottleneck", "One run in ten waits longer than it runs", NULL);
    const struct measure_result *r = &c->now[MEASURE_QUEUE_RATIO], *b = &c->before[MEASURE_QUEUE_RATIO];
    double most = evidence_target_or(c, MEASURE_QUEUE_RATIO, 1);
    finding_uses(&f, MEASURE_QUEUE_RATIO);
    if (!evidence_tells(r) || !r->p90.defined) {
        finding_cannot_know(&f, c->arena, "too few runs tell how long they waited");
        return f;
    }
    char was[64] = "nothing is known of the window before";
    if (evidence_tells(b) && b->p90.defined)
        (void)snprintf(was, sizeof was, "%.3g in the window before%s", b->p90.value,
                       r->p90.value > b->p90.value ? ", rising" : "");
    finding_says(&f, c->arena, evidence_exceeds(measure_judge(&r->p90, r->small, most)),
                 "Queue time over run time p90 %.3g (%llu rows, may be %.3g to %.3g; at most %.3g); %s",
                 r->p90.value, (unsigned long long)r->n, r->p90.bounded ? r->p90.lo : r->p90.value,
                 r->p90.bounded ? r->p90.hi : r->p90.value, most, was);
    return f;
}

static struct finding flag_drift(const struct finding_case *c) {
    struct finding f = evidence_of_stale_flags(c, "flag-drift", NULL);
    struct finding sign = finding_begin(f.name, f.text, NULL);
    if (!c->world->knows_store)
        finding_cannot_know(&sign, c->arena, no_traces);
    else
        count_named(c, &sign, &c->world->drift, "flags differ between instances",
                    "no flag was evaluated on two instances often enough in the last hour");
    evidence_also(c, &f, &sign);
    return f;
}

static struct finding compliance_hold(const struct finding_case *c) {
    struct finding f = evidence_of_approvals(c, "compliance-hold", NULL);
    if (c->facts->held.len)
        finding_says(&f, c->arena, f.answer, "%.*s; %.*s", STR_ARG(f.evidence), STR_ARG(c->facts->held));
    return f;
}

static struct finding missing_deploy_data(const struct finding_case *c) {
    struct finding f =
        finding_begin("missing-deploy-data", "Deploys are not told, or not what they deploy", NULL);
    struct finding sign = f;
    evidence_counted(c, &f, c->facts->unknown_commits, EVIDENCE_GAP_MOST,
                     "rollouts whose commits are not known");
    evidence_counted(c, &sign, c->facts->unserved, UNSERVED_MOST, "rollouts whose version no trace shows");
    evidence_also(c, &f, &sign);
    if (!c->world->knows_store)
        finding_cannot_know(&sign, c->arena, no_traces);
    else
        count_named(c, &sign, &c->world->unreported, "versions in the last hour's spans were never reported",
                    "no service with rollouts tells its version in the last hour's spans");
    evidence_also(c, &f, &sign);
    return f;
}

static struct finding misattributed_incident(const struct finding_case *c) {
    struct finding f =
        mode_share(c, "misattributed-incident", "Incidents are tied to no rollout, or another team's",
                   c->facts->unlinked, 0.5, "incidents without a rollout that caused them");
    evidence_also_share(
        c, &f, c->facts->elsewhere, ELSEWHERE_MOST,
        "incidents with a cause, which is another team's rollout and was confirmed by nobody");
    struct finding sign = finding_begin(f.name, f.text, NULL);
    const struct finding_name *acted = &c->facts->acted;
    evidence_share(c, &sign, acted->share, ELSEWHERE_MOST, "incidents on which another team acted");
    if (acted->share.k)
        finding_says(&sign, c->arena, sign.answer, "%.*s: %.*s", STR_ARG(sign.evidence),
                     STR_ARG(acted->text));
    evidence_also(c, &f, &sign);
    return f;
}

static struct finding blind_after_deploy(const struct finding_case *c) {
    struct finding f =
        mode_share(c, "blind-after-deploy", "What a deploy does is not seen in time, or by people",
                   c->facts->blind, 0.5, "verdicts from traces that were insufficient");
    evidence_also_share(c, &f, c->facts->unseen, 0.5,
                        "incidents that a rollout caused and a person detected");
    struct finding sign = finding_begin(f.name, f.text, NULL);
    count_named(c, &sign, &c->facts->vanished, "rollouts hid routes, or spans within requests",
                "of no rollout can it be told whether routes or spans vanished");
    evidence_also(c, &f, &sign);
    return f;
}

static struct finding time_skew(const struct finding_case *c) {
    struct finding f = mode_named(c, "time-skew", "Clocks of sources are wrong", &c->facts->skewed,
                                  "sends events from the future");
    struct finding sign =
        mode_named(c, f.name, f.text, &c->facts->backwards, "tells of ends before their beginnings");
    const struct finding_name *e = &c->world->early;
    evidence_also(c, &f, &sign);
    if (!c->world->knows_store)
        finding_cannot_know(&sign, c->arena, no_traces);
    else {
        char what[160];
        (void)snprintf(what, sizeof what, "spans of %.*s start 10 ms and more before their parent",
                       (int)(e->text.len < 80 ? e->text.len : 80), e->text.ptr ? e->text.ptr : "");
        evidence_share(c, &sign, e->share, EARLY_MOST,
                       e->share.n ? what : "spans with their parents in the last hour");
    }
    evidence_also(c, &f, &sign);
    return f;
}

static struct finding canary_misrouted(const struct finding_case *c) {
    struct finding f = finding_begin(
        "canary-misrouted", "Canaries get far more, or far fewer, requests than their weight says", NULL);
    count_named(c, &f, &c->facts->misrouted, "canaries had more than twice their weight, or less than half",
                "no canary tells its weight and was seen in traces beside the old version");
    return f;
}

static struct finding alert_storm(const struct finding_case *c) {
    struct finding f = finding_begin("alert-storm", "A team gets far more alerts than in a usual week", NULL);
    count_named(c, &f, &c->facts->storm, "teams", "no earlier alerts to compare with");
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
        evidence_share(c, &f, c->world->partial, PARTIAL_MOST,
                       "traces without a root or with a parent missing, since this server started");
    else
        finding_cannot_know(&f, c->arena, not_asked);
    return f;
}

static struct finding index_explosion(const struct finding_case *c) {
    struct finding f =
        finding_begin("index-explosion", "Names of spans or attributes are without number", NULL);
    const struct world *w = c->world;
    const struct finding_share *n = &w->names.share;
    bool many_keys = w->knows_keys && w->keys > WORLD_KEYS_MOST;
    struct estimate v = evidence_likely(*n);
    enum measure_verdict names = measure_judge(&v, n->n == 0, NAMES_MOST);
    char keys[64] = "attributes not counted";
    if (w->knows_keys)
        (void)snprintf(keys, sizeof keys, "%s%u names of attributes (at most %u)",
                       many_keys ? "more than " : "",
                       many_keys ? (unsigned)WORLD_KEYS_MOST : (unsigned)w->keys, (unsigned)WORLD_KEYS_MOST);
    if (!w->knows_store)
        finding_cannot_know(&f, c->arena, no_traces);
    else if (n->n == 0)
        finding_says(&f, c->arena, many_keys ? FINDING_YES : FINDING_UNKNOWN,
                     "%s; no service has spans enough in the last hour", keys);
    else
        finding_says(&f, c->arena, many_keys ? FINDING_YES : evidence_exceeds(names),
                     "%s; %.*s has %llu names of %llu spans (%.3g %%; at most %.3g %%)", keys,
                     STR_ARG(w->names.text), (unsigned long long)n->k, (unsigned long long)n->n,
                     100 * v.value, 100 * NAMES_MOST);
    return f;
}

static struct finding storage_jump(const struct finding_case *c) {
    struct finding f = finding_begin("storage-jump", "A span takes far more room than last week", NULL);
    const struct world *w = c->world;
    if (!w->knows_store)
        finding_cannot_know(&f, c->arena, no_traces);
    else if (!w->day_spans)
        finding_cannot_know(&f, c->arena, "no blocks of the last day and of the week before that are alike");
    else
        finding_says(&f, c->arena, finding_when(w->day_bytes > EVIDENCE_GROWTH * w->usual_bytes),
                     "%.3g bytes a span in the last day, %.3g in the week before (at most %.3g times)",
                     w->day_bytes / (double)w->day_spans, w->usual_bytes / (double)w->day_spans,
                     EVIDENCE_GROWTH);
    return f;
}

static struct finding slow_queries(const struct finding_case *c) {
    struct finding f = finding_begin("slow-queries", "More than one query in twenty is slow", NULL);
    if (c->world->knows_server)
        evidence_share(c, &f, c->world->slow, SLOW_MOST,
                       "queries since this server started took more than 1 s");
    else
        finding_cannot_know(&f, c->arena, not_asked);
    return f;
}

static struct finding overload(const struct finding_case *c) {
    struct finding f = finding_begin("overload", "Takt refuses what it is sent, or drops it", NULL);
    const struct world *w = c->world;
    if (!w->knows_server) {
        finding_cannot_know(&f, c->arena, not_asked);
        return f;
    }
    evidence_counted(c, &f, w->refused, REFUSED_MOST,
                     "requests with spans found no room since this server started");
    bool full = w->disk_full || w->dropped || w->saturation > SATURATION_MOST;
    finding_says(&f, c->arena, full ? FINDING_YES : f.answer,
                 "%.*s; %llu spans dropped; %.3g %% of what it can take (at most %.3g %%)%s",
                 STR_ARG(f.evidence), (unsigned long long)w->dropped, 100 * w->saturation,
                 100 * SATURATION_MOST, w->disk_full ? "; the disk budget is used up" : "");
    return f;
}

// Errors are kept at another rate than the rest, beyond what chance does to those that were kept.
static struct finding sampling_bias(const struct finding_case *c) {
    struct finding f =
        finding_begin("sampling-bias", "Sampling keeps errors at another rate than the rest", NULL);
    const struct world *w = c->world;
    struct finding_share s = w->kept_errors;
    double before = w->all_before > 0 ? w->errors_before / w->all_before : 0;
    struct estimate kept = evidence_likely(s);
    double ratio = before > 0 ? kept.value / before : 1;
    bool far = ratio > BIAS || ratio < 1 / BIAS, chance = kept.lo <= before && before <= kept.hi;
    if (!w->knows_store)
        finding_cannot_know(&f, c->arena, no_traces);
    else if (!finding_share_known(s))
        finding_cannot_know(
            &f, c->arena,
            "hardly a span of the last hour says what sampling left out (ot=th of its trace state)");
    else
        finding_says(&f, c->arena,
                     !far     ? FINDING_NO
                     : chance ? FINDING_UNKNOWN
                              : FINDING_YES,
                     "%llu of %llu sampled spans are in error (%.3g %%), of all that were there %.3g %% (at "
                     "most %.3g times more or fewer)",
                     (unsigned long long)s.k, (unsigned long long)s.n, 100 * kept.value, 100 * before, BIAS);
    return f;
}

void profile_modes(const struct finding_case *c, struct finding out[static PROFILE_MODES]) {
    const struct finding_facts *k = c->facts;
    out[0] = pipeline_bottleneck(c);
    out[1] = finding_begin("flaky-tests", "Tests are flaky", NULL);
    evidence_measure(c, &out[1], MEASURE_FLAKY_TEST_RATE,
                     evidence_target_or(c, MEASURE_FLAKY_TEST_RATE, EVIDENCE_FLAKY_MOST));
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
