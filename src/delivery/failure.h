// SPDX-License-Identifier: Apache-2.0
// Which rollouts failed, and which incidents they caused: the ranked rules over one series. For an
// incident the rules are tried in order, and the first that names a rollout decides; what the others
// name is kept as a candidate. A person's word stands above all: a confirmed link decides, a denied
// one is no candidate. Pure; nothing depends on the order of what is given.
#pragma once

#include "delivery/revert.h"
#include "delivery/series.h"

#define FAILURE_WINDOW_NS (24 * 3600 * 1000000000ll) // how long after a rollout an incident may be its doing
#define FAILURE_FLAG_WINDOW_NS (30 * 60 * 1000000000ll) // and after a change of a flag

enum { FAILURE_WHOLE_WEIGHT = 100 }; // %: a canary that got all traffic was in production

struct incident {
    struct str key, caused_by;
    int64_t began;     // of the impact, else when it was detected
    int64_t recovered; // mitigated, else resolved; 0: open
    uint32_t severity; // 1 is the worst; 0: nobody told
    bool elsewhere;    // of another service: only a person's word that names a rollout alone links it, or
    uint64_t near;     // this one, which was chosen among its neighbours (near.h), with
    struct str says;   // the evidence; empty: none was
};
struct verdict {
    struct str incident, rollout; // the rollout as an id (16 hex digits) or any name of naming_is
    bool confirms;
    struct str by;
    bool of_nothing; // it names nothing that is known, of whatever service
};

// Flags and canaries of the service in the environment.
struct flag_turn {
    struct str key, name, action;
    int64_t changed;
};
struct failed_canary { // aborted, or failed its analysis
    struct str version;
    double weight; // the most that it got, in %
    int64_t started, ended;
};
// What the traces of a rollout showed; suspect is not enough to count it as failed.
struct failure_impact {
    struct str rollout, deploy; // its id, the key of its first attempt
    bool confirmed;
    struct str evidence;
};
#define FAILURE_BY_TRACES STR("traces") // stands for an incident in a person's word on such a verdict

struct failure_link {
    uint32_t rollout;  // ROLLOUT_NONE: the cause is a flag, no rollout is blamed
    uint32_t incident; // index; ROLLOUT_NONE: no incident, the remedy itself is the evidence
    uint32_t flag;     // index; ROLLOUT_NONE
    bool aborted;      // a canary that did not get all traffic: no failure in production
    enum failure_rule rule;
    bool decides;
    bool confirmed;
    bool neighbour;      // of the service that the incident is of
    struct str evidence; // a sentence
};
struct failures {
    struct failure_link *links; // by incident, then rule, then rollout; those without an incident first
    uint32_t n;
};
struct failure_ask {
    const struct rollouts *rollouts; // with their reverts
    const struct incident *incidents;
    uint32_t n_incidents;
    const struct verdict *verdicts;
    uint32_t n_verdicts;
    const struct brought *brought;
    uint32_t n_brought;
    const struct flag_turn *flags; // those that change what runs
    uint32_t n_flags;
    const struct failed_canary *canaries;
    uint32_t n_canaries;
    const struct failure_impact *impacts;
    uint32_t n_impacts;
};
NODISCARD enum err failures_of(struct arena *a, const struct failure_ask *ask, struct failures *out);
