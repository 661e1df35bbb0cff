// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: a search while it runs, between find.c and what is told of it on the way.
#pragma once

#include "os/thread.h"
#include "query/find.h"
#include "query/joined.h"
#include "query/page.h"
#include "query/show.h"
#include "query/source.h"

// A trace on the page that is not shown yet: what it takes to show it.
struct find_kept {
    struct find_trace *shown; // NULL = not yet
    struct shown_set *sets;
    uint32_t n_sets;
    bool is_told;
};

struct find_worker {
    bool is_ready;
    bool is_busy;        // with `source`; under the lock of the run
    uint32_t source;     //
    uint64_t bytes_told; // of what the batch has read: in the stats
    struct source_batch batch;
    struct arena *results; // of find_result.arenas
    struct arena scratch;  // of one trace
};

struct finding {
    struct view *view;
    const struct find *find;
    struct find_result *out;
    const struct plan *plan;
    struct show show;
    struct sources sources;
    struct arena arena;
    struct mem_budget budget;
    struct find_worker *workers;
    struct split_places places;
    uint64_t tell_at_ns; // the thread of the query; 0: nobody listens

    struct mutex lock; // of all below
    struct page page;
    uint32_t next_source;
    bool has_skipped; // a source was left before its traces were read
    enum err error;   // of any worker; ends the search
    struct err_ctx *ctx;
};

// By the thread of the query, or when no other works any more:
NODISCARD enum err find_worker_ready(struct finding *r, uint32_t number);
// Shows those of the hits that are not shown yet: kept.shown.
NODISCARD enum err find_show(struct finding *r, const struct page_hit *hits, uint32_t n_hits);
// Tells what was found and looked at so far, between two sources.
NODISCARD enum err find_tell(struct finding *r);
