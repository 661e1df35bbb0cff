// SPDX-License-Identifier: Apache-2.0
// What the shop ships: the plan of its deliveries, twelve weeks before the start and then one every
// SHIP_CYCLE_S. Seed and start decide everything, so that whoever sends spans and whoever sends events
// need not talk to each other. No clock, no I/O. thread: one at a time.
#pragma once

#include "load/dice.h"

enum {
    SHIP_LINES = 6, // services that ship
    SHIP_WEEKS = 12,
    SHIP_COMMITS_MAX = 3,
    SHIP_PAST_MAX = 400,
    SHIP_VERSIONS_KEPT = 256, // of a line, whose commits are known
    SHIP_CYCLE_S = 150,       // from one live delivery to the next
    SHIP_ROUTE = 0,           // the operation of a service that a bad version breaks
};

enum ship_fate {
    SHIP_WELL,
    SHIP_ERRORS,  // one route fails; an incident, rolled back
    SHIP_SLOW,    // one route takes seconds; an incident, rolled back
    SHIP_ABORTED, // one route fails; its canary shows it, so it goes no further
    SHIP_MENDED,  // one route fails; an incident, the next delivery of the line is the fix
};

// A delivery. Times are Unix time in ns; 0: it does not come to that.
struct ship {
    uint32_t number; // of all, from 1
    uint8_t line;
    enum ship_fate fate;
    bool is_first, is_flaky, is_live;
    uint32_t version, before; // counts of the line; before: what ran until then
    uint32_t fixes;           // the version that it mends, 0: none
    uint32_t n_commits, first_commit;
    int64_t committed[SHIP_COMMITS_MAX], opened, reviewed, merged;
    int64_t build_began, build_ended, staged;
    int64_t began, full;                     // in production: the canary, all
    int64_t alerted, acknowledged, resolved; // of its incident
    int64_t back;                            // the version before runs again
    char sha[41];                            // of its last commit
};

struct ship_line {
    uint32_t current, newest, n_commits, fixes;
};
struct ships {
    uint64_t seed;
    int64_t start_ns;
    struct dice dice;
    struct ship_line lines[SHIP_LINES];
    uint32_t n, n_live;
    struct ship past[SHIP_PAST_MAX]; // by line, then by time
    uint32_t n_past;
};

void ships_init(struct ships *s, uint64_t seed, int64_t start_ns);
// The next live delivery; the first begins at once and is bad.
void ships_next(struct ships *s, struct ship *out);

const char *ship_service(uint8_t line);
uint8_t ship_shop_service(uint8_t line); // its number in the shop
int ship_line_of(uint8_t shop_service);  // -1: it does not ship

struct ship_text {
    char z[96];
};
struct ship_text ship_version(uint8_t line, uint32_t version);     // "2.41.0"
struct ship_text ship_person(const struct ship *s, unsigned role); // 0 author, 1 reviewer
struct ship_text ship_subject(const struct ship *s, unsigned commit);
uint32_t ship_change(const struct ship *s); // number of its pull request
// The files that a commit touches, one after the other; empty: no more.
struct ship_text ship_file(const struct ship *s, unsigned commit, unsigned k);
