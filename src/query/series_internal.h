// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: a metrics query while it is counted, between series.c, its functions, the batches and
// the split traces.
#pragma once

#include "exec/plan.h"
#include "query/counted.h"
#include "query/joined.h"
#include "query/series.h"

struct series_function { // one metrics function of the query
    const struct ql_metric *metric;
    const struct plan *plan;
    struct metric_plan *counting;
    const struct field *fields; // of the counting
    uint32_t n_fields;
    // compare(): its selection
    const struct filter *selection;
    struct field_list selection_fields;
    bool is_local;         // each span is judged by itself
    uint32_t first_filter; // of all functions' filters: the bits of struct split_place
};

struct series_worker {
    bool is_ready;
    uint32_t from, to; // its share of the sources, as far as nobody has taken them; under the run's lock
    struct source_batch batch;
    struct arena scratch;
    struct metric_acc **accs;
    struct metric_acc **one; // of one source, before it is kept; empty in between
    struct noted *noted;
    uint32_t n_noted, cap_noted;
    uint64_t traces, spans;
};

struct series_count { // the query
    struct view *view;
    const struct series_query *query;
    struct series_answer *out;
    struct query_bounds bounds;
    struct series_function *functions;
    uint32_t n_functions;
    struct sources sources;
    struct arena arena;
    struct query_share share;
    struct series_worker *workers;
    uint32_t n_workers;
    struct split_places places;
    struct buf question; // what every source is asked, of their keys; empty: nothing is kept
    uint64_t tell_at_ns; // the thread of the query; 0: nobody listens
    uint64_t allowed_ns; // of time; 0: any
    bool is_counted;
    struct metric_caller caller;

    struct mutex lock;         // of all below
    struct query_stats so_far; // as it is told
    uint32_t n_taken;          // sources
    enum err error;
    struct split_set joined; // split traces that are judged whole by every function
};

struct series_batch { // while it is counted
    struct series_count *run;
    struct series_worker *worker;
    struct metric_acc **accs;
    struct batch *batch;
    uint32_t number; // of the batch, for exemplars
    const bool *in;
    const uint64_t *mask;
    bool all_in_range;          // every span of the batch starts in the range
    struct counted_part *parts; // of split traces in the batch
    uint32_t n_parts;
    bool is_joined;      // split traces, whole
    const bool *doubled; // of them those that are not counted here; NULL: none
};

// series_functions.c: those of the query, into r->functions.
NODISCARD enum err series_make_functions(struct series_count *r);

// series_batch.c: counts a batch; source: of it, NULL: joined traces.
NODISCARD enum err series_count_batch(struct series_batch *c, const struct source *source);
// Notes where the split traces of the batch lie.
NODISCARD enum err series_tell_places(struct series_batch *c, uint32_t source);

// series_splits.c: traces of which a span was counted twice, for all functions together: into r->joined.
NODISCARD enum err series_find_doubled(struct series_count *r, bool *any);
// Counts what was not counted in its places.
NODISCARD enum err series_count_split(struct series_count *r);

// series.c: makes a worker ready that was not.
NODISCARD enum err series_worker_ready(struct series_count *r, struct series_worker *w);
