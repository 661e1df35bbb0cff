// SPDX-License-Identifier: Apache-2.0
// The impact of a rollout, from its traces: the new version against the old one while both serve; when too
// little came in that time, what was after the rollout against what was before it, with the same hours a day
// and a week earlier and the other services as controls. A change of a flag is judged alike, by the variant
// that each trace was served instead of a version. thread: any; memory of the arena.
#pragma once

#include "base/json.h"
#include "impact/inner.h"
#include "impact/judge.h"
#include "impact/scan.h"
#include "impact/vanished.h"
#include "impact/weight.h"
#include "stats/rate.h"

#define IMPACT_DAY_NS (24 * 3600 * 1000000000ll) // a rollout is watched so long
enum { IMPACT_OTHERS_MAX = 8, IMPACT_LINES_MAX = 24 };

struct impact_ask {
    struct str rollout, deploy; // its id; the key of its first attempt
    struct impact_of of;
    struct str version, digest, sha; // as it was reported; any may be empty
    int64_t started, finished;       // finished 0: not yet
    int64_t now;
    bool takes_back;           // a rollback: what goes with it came with what it undoes
    struct canary_steps steps; // of its canary
    const struct str *others;  // services with a rollout at the same time
    uint32_t n_others;
    // Of a change of a flag: its name, and the key of the change (empty: a rollout by flag). version is then
    // the variant that is new, empty: the one that gained most; an empty service is the one that evaluates
    // the flag.
    struct str flag, change;
};
enum impact_phase { IMPACT_NO_PHASE, IMPACT_CONCURRENT, IMPACT_BEFORE_AFTER };
struct impact_lines {
    struct str at[IMPACT_LINES_MAX];
    uint32_t n;
};
struct impact_report {
    const struct impact_ask *ask;
    enum impact_verdict verdict;
    enum impact_phase phase;
    bool final;                   // no later one will come
    struct str version, baseline; // as spans call them; empty: not known
    struct impact_judgement judgement;
    const struct signatures *signatures;     // NULL: not read
    const struct callees *callees;           // what it calls; NULL: not read
    struct impact_window windows[ARM_COUNT]; // that were compared
    struct str where[ARM_COUNT];             // which versions they have, in TraceQL; empty: all
    bool where_cut[ARM_COUNT];               // they have more names than where has
    struct estimate excess;          // failing requests at the edge more than the old arm would have had
    uint32_t users;                  // distinct ones among failing requests of the new arm
    double users_most;               // weighted: no more than these, if each failed once
    const struct versions *variants; // of a flag: what was served, from an hour before; NULL: no flag
    unsigned variants_shift;         // 1 << so many requests for each that was kept of them
    struct impact_lines confounders, why;
    struct vanished vanished; // of a rollout; no testable routes: it cannot be known
    struct inner_answer inner;
    struct weight_answer weight; // all 0: no canary, no steps, or nothing came while they held
    struct str blind;    // a sentence: what is not seen any more; empty: nothing is missing, or none knows
    struct str state;    // equal ones: nothing new came
    struct str evidence; // a sentence
};
// Errors as visit_run's. What the deadline cut is said in the confounders.
NODISCARD enum err impact_compute(struct arena *a, const struct impact_source *src,
                                  const struct impact_ask *ask, struct impact_report *out,
                                  struct err_ctx *ctx);
// As docs/openapi.json has it.
void impact_put(struct json_writer *w, const struct impact_report *r);
// Members of an object that the caller has begun: a side, a test.
void impact_put_side(struct json_writer *w, const struct impact_side *s);
// Kinds of errors and calls by what became of them.
void impact_put_kinds(struct json_writer *w, const struct impact_report *r);
void impact_put_tests(struct json_writer *w, const struct impact_judgement *j);
