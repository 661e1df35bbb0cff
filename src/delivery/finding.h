// SPDX-License-Identifier: Apache-2.0
// A question that is answered from data: yes, no, or cannot know, with what the answer rests on.
// Rules, steps of maturity, failure modes and checks are all of this one shape. thread: any.
#pragma once

#include "delivery/measure.h"

enum finding_answer { FINDING_UNKNOWN, FINDING_NO, FINDING_YES };
const char *finding_answer_text(enum finding_answer a); // "cannot know", "no", "yes"

enum { FINDING_FIGURES_MAX = 6 };

struct finding {
    const char *name;        // "flaky-runs"
    const char *text;        // the question, or what is claimed
    const char *step;        // what to do about it; NULL: nothing
    enum finding_answer due; // the answer for which it is to be done
    enum finding_answer answer;
    struct str evidence; // in words, with numbers
    enum measure figures[FINDING_FIGURES_MAX];
    unsigned n_figures;
};

// What the questions are asked about. Shares are k of n; n = 0: nothing is known of it.
struct finding_share {
    uint64_t k, n;
};
struct finding_name { // what a share's worst is called
    struct str text;
    struct finding_share share;
};
// What rules look at beside measures, counted in the window; filled by situation.h.
struct finding_facts {
    struct finding_share
        unknown_commits;           // rollouts whose commits are not known, of those that should have some
    struct finding_share untagged; // rollouts that tell neither version nor commit
    struct finding_share mixed;    // rollouts whose targets ended differently, of all
    struct str held;               // the approved deploy that waited longest, by whom it was let go
    struct finding_share unserved; // rollouts whose version no trace shows, of those with a last verdict
    struct finding_share approved_wait; // approved deploys that waited longer than they worked, of all
    struct finding_name silent;         // sources silent for longer than their habit; the most silent one
    struct finding_name backwards;      // facts that end before they begin; the worst source
    struct finding_name skewed;         // events from the future by more than five minutes; the worst source
    struct finding_share by_person;     // incidents that a person detected, of those of which it is known
    struct finding_share unseen;        // of those that a rollout caused
    struct finding_share elsewhere;     // incidents laid to a rollout of another team, which nobody confirmed
    struct finding_name acted; // incidents on which another team acted than owns the service; some of them
    struct finding_share repeated; // incidents of a service and title that came within 30 days before
    struct finding_share unlinked; // incidents without a rollout that caused them
    struct finding_share
        unanswered; // incidents that nobody acknowledged and no rollout caused, of ended ones
    struct finding_share contradicted; // promoted canaries whose rollout failed, of promoted ones
    struct finding_name misrouted;   // canaries with far more of the requests than their weight; one of them
    struct finding_share unowned;    // services of the scope without owner or team in the catalogue
    struct finding_share no_runbook; // services with incidents, without a runbook
    struct finding_name failed_time; // seconds in failed state: the worst service's, of all
    struct finding_name worst_service;    // failed rollouts of the service that most surely fails often
    struct finding_share blind;           // verdicts on impact that are "insufficient", of all
    struct finding_name vanished;         // rollouts after which routes or spans are gone; the last of them
    struct finding_share rollback_errors; // rollbacks that failed, were partial or mended nothing, of all
    struct finding_name storm; // teams with far more alerts than in a usual week, of those with earlier ones
    uint64_t rollouts, incidents, canaries, runs, services;
};

struct world;
struct finding_case {
    struct arena *arena;                 // of the evidence
    const struct measure_result *now;    // [MEASURE_COUNT], of the window
    const struct measure_result *before; // the same of the window before it
    const struct finding_facts *facts;
    const double *targets; // [MEASURE_COUNT], of the scope, as measure_info has them; NULL: those
    const struct world *world;
};

// A finding on its way, whose step is due when it is answered yes. The evidence is formatted into the arena;
// when that is full, it is empty.
struct finding finding_begin(const char *name, const char *text, const char *step);
void finding_uses(struct finding *f, enum measure m);
void finding_says(struct finding *f, struct arena *a, enum finding_answer answer, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void finding_cannot_know(struct finding *f, struct arena *a, const char *why);
enum finding_answer finding_when(bool it_does); // yes or no
// n >= MEASURE_SMALL and k/n known.
bool finding_share_known(struct finding_share s);
double finding_share_of(struct finding_share s); // 0 of nothing
