// SPDX-License-Identifier: Apache-2.0
// The questions that are asked of a service before it goes to production and while it is there, and of
// an incident: each answered from data, yes, no, or cannot know. thread: as the db.
#pragma once

#include "delivery/finding.h"
#include "facts/db.h"

// What is not in the facts; whoever asks fills it in. Nothing of it known: all zero.
struct check_world {
    bool knows_traces;                     // the trace store was asked
    struct str trace;                      // a trace of the service, in hex; empty: none was found
    bool knows_load;                       // of this server
    double saturation;                     // 0 to 1
    int64_t retention_ns;                  // of traces; 0: for ever
    const struct measure_result *measures; // [MEASURE_COUNT] of the service
};
#define CHECK_WINDOW_NS (90 * 86400 * 1000000000ll)

enum { CHECKS_READY = 18, CHECKS_INCIDENT = 10 };
// In the order of the checklist; the first CHECKS_BEFORE are those before production.
enum { CHECKS_BEFORE = 10 };
NODISCARD enum err checks_ready(struct db *d, struct arena *a, struct str service, int64_t now,
                                const struct check_world *world, struct finding out[static CHECKS_READY]);

struct check_incident {
    struct str key, service, environment, title, state, url;
    struct str teams;                                 // that act on it, a line each
    int64_t began, detected, acknowledged, recovered; // began: as told, else when it was noticed
    int64_t impact;                                   // its start, and how it is known: told, traces, alert,
    struct str impact_by, impact_says;                // rollout; empty: it is not
    uint64_t rollout;                                 // that caused it, as far as is known; 0: none
    struct str version, rule, cause_service, says; // cause_service: of the rollout, where it is another one
};
// ERR_NOT_FOUND: no incident has that key, and no single one's key ends with it.
NODISCARD enum err checks_incident(struct db *d, struct arena *a, struct str key, int64_t now,
                                   const struct check_world *world, struct check_incident *out_incident,
                                   struct finding out[static CHECKS_INCIDENT]);
