// SPDX-License-Identifier: Apache-2.0
// What the requests of two versions were like, by minute, route, caller and pod: the old version's (or
// time's, or variant's) arm and the new one's. A request that was sampled stands for as many as its weight
// says. Requests are kept packed, a fixed number of them at most; when there are more, half of the traces (by
// a hash of their id, alike in both arms) are forgotten, again and again, and the shares stay what they were.
// Pure. thread: one at a time.
#pragma once

#include "base/map.h"
#include "base/str.h"

enum arm { ARM_OLD, ARM_NEW, ARM_COUNT };

enum {
    ARMS_REQUESTS_MAX = 2 << 20,
    ARMS_ROUTES_MAX = 128,      // further ones count as the last, which is named "other"
    ARMS_PODS_MAX = 64,         // of an arm; further ones share those numbers
    ARMS_CALLERS_MAX = 255,     // that are told apart at all
    ARMS_CALLERS_OF_ROUTE = 16, // the busiest; the rest of a route is one
    ARMS_CALLER_POOLED = 255,
    ARMS_BUCKETS = 1060, // of durations: 2 % apart, from 1 µs to some 20 minutes
    ARMS_EXAMPLES = 3,
};

struct arms_request { // as it is added
    enum arm arm;
    uint8_t trace_id[16];
    uint64_t start_ns, duration_ns;
    struct str route, pod; // pod empty: not known
    struct str caller;     // the service that called; empty: none, or not known
    double weight;         // how many requests it stands for, at least 1; 0: it does not say, and counts once
    bool error;
};
struct arms_sample { // as it is kept
    uint32_t minute; // since 1970
    uint32_t hash;   // of the trace
    float weight;
    uint16_t bucket;
    uint8_t route, caller, pod;
    uint8_t arm : 1, error : 1;
};
struct arms_example {
    uint8_t trace_id[16];
    uint64_t rank; // errors: a hash; slow ones: the duration. The largest are kept
};
struct arms_examples {
    struct arms_example of[ARMS_EXAMPLES];
    uint32_t n;
};
struct arms_route {
    struct str name;
    struct arms_examples errors, slow; // of the new arm
    struct arms_examples old;          // of the old one
};
struct arms_told { // of requests that say what they stand for
    uint64_t hits, misses;
    double hits_weight, misses_weight; // sums
    bool weighted;                     // some stand for more than themselves
};
struct arms {
    struct arena arena; // of names
    struct arms_sample *samples;
    uint32_t n, cap;
    unsigned shift; // one trace in 1 << shift is kept
    uint64_t added[ARM_COUNT];
    struct arms_told told;
    struct arms_route routes[ARMS_ROUTES_MAX];
    uint32_t n_routes;
    struct map route_map;
    struct str pods[ARM_COUNT][ARMS_PODS_MAX];
    uint32_t n_pods[ARM_COUNT];
    struct str callers[ARMS_CALLERS_MAX];
    uint32_t n_callers;
    struct map caller_map;
    uint32_t n_pooled; // callers of routes that are one with others; see arms_sort
    bool pods_known;   // some request tells its pod
    uint32_t first_minute[ARM_COUNT][ARMS_PODS_MAX]; // in which the pod was seen
    double edges[ARMS_BUCKETS + 1];                  // ns; see stats/histogram.h
};

void arms_init(struct arms *s);
void arms_fini(struct arms *s);
NODISCARD enum err arms_add(struct arms *s, const struct arms_request *r);
// By route, then caller, then minute, then arm, then pod; before anything is counted. Of each route the
// busiest callers are kept apart, whatever came first.
NODISCARD enum err arms_sort(struct arms *s);
uint32_t arms_bucket(uint64_t duration_ns);
