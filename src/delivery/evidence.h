// SPDX-License-Identifier: Apache-2.0
// What the findings of the profile rest on: measures and shares, each against the most that it may be. Where
// the figures are too few to tell, the answer is "cannot know", so that nobody is praised for missing data.
// Private to this folder. thread: any.
#pragma once

#include "delivery/finding.h"

// Thresholds that more than one of rules, ladder and modes goes by.
#define EVIDENCE_FLAKY_MOST 0.05
#define EVIDENCE_GAP_MOST 0.20
#define EVIDENCE_GROWTH 1.5

bool evidence_tells(const struct measure_result *r); // a value, of enough rows
// The target of the scope, else what the measure has, or this one.
double evidence_target(const struct finding_case *c, enum measure m);
double evidence_target_or(const struct finding_case *c, enum measure m, double target);
// Of what is said to be too much, or too little.
enum finding_answer evidence_exceeds(enum measure_verdict v);
// A share as a measure of it would be: of few it may be anything.
struct estimate evidence_likely(struct finding_share s);

// "Change failure rate 20 % (1 of 5, may be 3.62 % to 62.5 %; at most 15 %)" as one more clause of a text of
// len bytes, which has room for size; returns its length then. target: negative: at least its absolute value.
size_t evidence_clause(char *text, size_t size, size_t len, enum measure m, const struct measure_result *r,
                       double target);

// A measure against its target: yes, where it is missed.
void evidence_measure(const struct finding_case *c, struct finding *f, enum measure m, double target);
// A share of what happens: of few it may be anything. One is enough where there may be none.
void evidence_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                    const char *what);
// A share of what the data lack: all rows are there, and no more is to be expected.
void evidence_counted(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                      const char *what);

// One more sign of the same: yes when any shows it, no when none does and all are known.
void evidence_also(const struct finding_case *c, struct finding *f, const struct finding *sign);
void evidence_also_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                         const char *what);

// What is a rule, and a failure mode under another name.
struct finding evidence_of_stale_flags(const struct finding_case *c, const char *name, const char *step);
struct finding evidence_of_approvals(const struct finding_case *c, const char *name, const char *step);
