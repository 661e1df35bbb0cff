// SPDX-License-Identifier: Apache-2.0
// Two versions of a service compared for a pipeline: does the candidate break a condition? What is measured
// beyond doubt to break one fails; too little data, or an excess that may be chance, is inconclusive and
// never passes. Minutes in which both serve are compared with each other; without such, the versions as a
// whole. thread: any.
#pragma once

#include "impact/failif.h"
#include "impact/impact.h"

enum compare_result { COMPARE_PASS, COMPARE_INCONCLUSIVE, COMPARE_FAILED };
const char *compare_result_text(enum compare_result r);

struct compare_ask {
    struct impact_of of;
    struct str baseline, candidate; // versions, as impact_same_version has it
    struct impact_window window;
    const struct failif *conditions;
    uint32_t n;
};
struct compare_check {
    const struct failif *condition;
    struct estimate value; // what the amount is compared with
    enum compare_result result;
    struct str why;
};
struct compare_report {
    const struct compare_ask *ask;
    enum compare_result result;
    struct compare_check checks[FAILIF_MAX];
    struct impact_judgement judgement;
    struct str partial; // why not all was looked at; empty: all was
    bool concurrent;
};
// Memory of the arena. Errors as visit_run's.
NODISCARD enum err compare_compute(struct arena *a, const struct impact_source *src,
                                   const struct compare_ask *ask, struct compare_report *out,
                                   struct err_ctx *ctx);
// One condition of arms that were judged.
struct compare_check compare_check(const struct arms *arms, const struct impact_judgement *j,
                                   const struct failif *f);
void compare_put(struct json_writer *w, const struct compare_report *r);
