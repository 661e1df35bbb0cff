// SPDX-License-Identifier: Apache-2.0
// The traces of a search in two cohorts: those with a span in a selection, and the rest of them. A trace
// counts when a span that the search matches starts in the range; it is of the selection when one of those
// lies in it. Of a cohort that is larger than the limit a sample is given, chosen by a hash of the trace ids:
// always the same, and fair, as ids say nothing about their traces. thread: any.
#pragma once

#include "ingest/ingest.h"
#include "query/stats.h"
#include "traceql/traceql.h"

enum {
    COHORT_TRACES_MAX = 1000, // given of a cohort: means of more are hardly better, and take longer
    COHORTS_WHY_MAX = 200,
};
enum cohort { COHORT_REST, COHORT_SELECTION, COHORT_COUNT };

// Spans that start in (from, to] and last min to max.
struct selection {
    uint64_t from_ns, to_ns; // 0, 0 = at any time
    uint64_t min_ns, max_ns; // max 0 = none
};

struct cohorts_query {
    const struct ql_query *query; // a search; its hints do not count
    struct query_bounds bounds;
    struct selection selection;
    uint32_t limit; // of each cohort, 1 … COHORT_TRACES_MAX
};
struct cohort_trace {
    uint8_t id[16];
    enum cohort of;
    uint64_t hash;
};
struct cohorts {
    struct arena arena;
    struct cohort_trace *traces; // by hash, so that the first few of them are a fair sample as well
    uint32_t n;
    uint32_t shown[COHORT_COUNT]; // of them, by cohort
    uint64_t total[COHORT_COUNT]; // traces there are; exact unless partial
    bool partial;                 // deadline or memory ended it
    char why[COHORTS_WHY_MAX];    // then: why
    struct query_stats stats;
};

// ERR_INVALID: the query is no search (ctx), ERR_TIMEOUT: the deadline passed before anything was looked at;
// others as find_run's.
NODISCARD enum err cohorts_run(struct view *v, const struct cohorts_query *q, struct cohorts *out,
                               struct err_ctx *ctx);
void cohorts_fini(struct cohorts *c);
