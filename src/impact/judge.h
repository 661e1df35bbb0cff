// SPDX-License-Identifier: Apache-2.0
// Is the new arm worse than the old one, and where? Error rates by the Cochran-Mantel-Haenszel test over
// minutes, routes and callers; the tail of the latency by the share of requests that are slower than the old
// 95th percentile, tested alike; variances inflated by how much pods differ among each other
// (stats/dispersion.h); p-values of all routes adjusted together (Benjamini, Hochberg). A difference is
// called only when it is more than chance and large enough to matter; nothing is called clean whose interval
// still holds an effect that would matter. Pure. thread: the arms are the caller's.
#pragma once

#include "impact/arms.h"
#include "stats/interval.h"

// The least of everything; documented in docs/delivery.md.
enum { IMPACT_REQUESTS_MIN = 200, IMPACT_ERRORS_MIN = 10, IMPACT_COLD_MINUTES = 2 };
#define IMPACT_SUSPECT_Q 0.003
#define IMPACT_CONFIRMED_Q 0.0005
#define IMPACT_ERRORS_POINTS 0.005 // +0.5 points
#define IMPACT_ERRORS_RATIO 1.5
#define IMPACT_LATENCY_SHARE 0.20 // +20 % of p95
#define IMPACT_LATENCY_MS 20.0
#define IMPACT_CONF 0.95

enum impact_verdict { IMPACT_INSUFFICIENT, IMPACT_CLEAN, IMPACT_SUSPECT, IMPACT_CONFIRMED };
const char *impact_verdict_text(enum impact_verdict v);
bool impact_verdict_of(struct str text, enum impact_verdict *out);

struct impact_side {
    uint64_t requests, errors;  // weighted: of all, as estimated from those that were kept
    uint64_t effective;         // as how many requests they count for the least of everything
    struct estimate error_rate; // share, Wilson
    struct estimate p50, p95;   // ms
};
enum impact_kind { IMPACT_ERRORS, IMPACT_LATENCY };
struct impact_test {
    struct str route; // "*": all together
    enum impact_kind kind;
    struct impact_side old, new;
    struct estimate difference;       // ERRORS: of shares; LATENCY: of p95, ms; of alike mixes of requests
    double ratio, ratio_lo, ratio_hi; // new over old: of rates; of p95 (lo 0)
    double p95_alike;                 // LATENCY: of the old arm, in that mix; ms
    double slow_hi;                   // LATENCY: how much larger the share of slow requests may be
    double p, q;                      // one-sided: new is worse. NaN: not tested
    enum impact_verdict verdict;
    struct arms_examples examples;
};
struct spread;
struct impact_judgement {
    enum impact_verdict verdict;
    struct impact_side old, new;
    struct impact_test *tests; // the two of all routes first, then those of the routes with enough requests
    uint32_t n;
    bool one_pod;      // an arm has one pod only: what a pod does cannot be told from what the version does
    double widening;   // of the variance of errors, by pods
    bool weighted;     // requests stand for others that sampling left out
    uint32_t n_pooled; // callers of routes that were not told apart from each other
    const struct spread *spread; // of all routes; tally.h
};
struct impact_rules {
    bool time_is_arm; // before against after: no minutes in common, so quarters of an hour are units too
    bool keeps_cold;  // also the first minutes of each pod count for latency
};
// Sorts the arms. Memory of the arena. ERR_NOMEM.
NODISCARD enum err impact_judge(struct arena *a, struct arms *arms, struct impact_rules rules,
                                struct impact_judgement *out);
