// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: a search while it runs, between find.c, the judging of traces, and what is told on the
// way.
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
    struct shown_set one; // of a plan that is one filter
};

// A part of a split trace that was judged where it lies: `row` of the hit is its trace there. Where the page
// had no room for the whole it only counts: `more` of the hit is NULL.
struct find_part {
    struct page_hit hit;
    uint32_t split, matched; // spans
    const struct whole *whole;
};

struct find_worker {
    bool is_ready;
    bool is_busy;        // with `source`; under the lock of the run
    uint32_t source;     //
    uint64_t bytes_told; // of what the batch has read: in the stats
    struct source_batch batch;
    struct show_into results; // an arena of find_result.arenas
    struct arena scratch;     // of one trace
};

struct finding {
    struct view *view;
    const struct find *find;
    struct find_result *out;
    const struct plan *plan;
    struct show show;
    struct sources sources;
    struct arena arena;
    struct query_share share;
    struct find_worker *workers;
    struct split_places places;
    struct buf question; // matched.h; empty: nothing is kept
    uint64_t tell_at_ns; // the thread of the query; 0: nobody listens
    // Per split trace, whether its parts tell alone. As the first of them found it, so it stays: spans that
    // come in meanwhile are of the next question.
    _Atomic uint8_t *telling;

    struct mutex lock; // of all below
    struct page page;
    uint32_t next_source;
    struct find_part *parts;
    uint32_t n_parts, cap_parts;
    struct page wholes; // the best of which parts were found, each once: as good as on the page
    uint64_t *is_whole; // split traces that were put there, or not taken
    bool has_skipped;   // a source was left before its traces were read
    enum err error;     // of any worker; ends the search
    struct err_ctx *ctx;
};

// What a source found, before it is told to the others: no more of it than fits on the page.
struct found {
    struct find_worker *worker;
    struct page page, wholes;
    bool is_contested; // the page of all, or that of wholes, was full when it began
    struct split_place *places;
    uint32_t n_places, cap_places;
    struct find_part *parts;
    uint32_t n_parts, cap_parts;
    uint64_t traces, spans, total, matched_spans;
};

// A batch while its traces are judged.
struct looking {
    struct finding *run;
    struct find_worker *worker;
    struct batch *batch;
    struct rows *rows;
    struct plan_bits bits;
    struct found *found;
    uint32_t source;
    bool is_joined;      // split traces, whole
    const bool *doubled; // of them those that are not judged here; NULL: none
};

// find_traces.c: judges the traces of a batch.
void find_page_init(const struct find *f, struct page *p);
void found_init(struct found *f, struct finding *r, struct find_worker *w);
void found_fini(struct found *f);
NODISCARD enum err find_look(struct looking *l);
// The same of a row group that was opened without its traces, which are read only where filters match. all:
// every trace was looked at.
NODISCARD enum err find_look_columns(struct looking *l, bool *any, bool *all);

// By a plan that is one filter: how many rows of a trace match; and them as the set of what is kept.
uint32_t find_simple_count(const struct looking *l, const struct batch_trace *t);
NODISCARD enum err find_keep_simple(const struct looking *l, const struct batch_trace *t, uint32_t matched,
                                    struct find_kept *out);
// Could a trace get on the page now, or stay there?
bool find_page_wants(const struct looking *l, uint64_t start_ns, const uint8_t id[16]);

// find_parts.c: judges parts of split traces where they lie, if each span tells alone whether it matches
// and the whole is known. *told: it is; nothing is left to do for this part.
NODISCARD enum err find_judge_part(struct looking *l, uint32_t trace, uint32_t split, bool *told);
NODISCARD enum err find_parts_begin(struct finding *r); // sources are known
// Under the lock of the run: keeps what a source found of them, until all were looked at.
NODISCARD enum err find_note_parts(struct finding *r, const struct found *f);
// Puts them on the page as traces. By the thread of the query, when no other works any more.
NODISCARD enum err find_add_parts(struct finding *r);
// Keeps what the joined traces of a batch are as wholes, for later questions.
NODISCARD enum err find_keep_wholes(const struct finding *r, struct batch *b, const bool *doubled);

// find_splits.c: judges split traces whole, when all sources were looked at.
NODISCARD enum err find_splits(struct finding *r);

// Shows what was found in the batch that is open: parts of split traces, and all: the others. Adds it to what
// the others found.
NODISCARD enum err find_show_found(struct looking *l, bool all);
NODISCARD enum err find_add(struct finding *r, const struct found *f);
// By the thread of the query, or when no other works any more:
NODISCARD enum err find_worker_ready(struct finding *r, uint32_t number);
// Shows those of the hits that are not shown yet: kept.shown.
NODISCARD enum err find_show(struct finding *r, const struct page_hit *hits, uint32_t n_hits);
// Tells what was found and looked at so far, between two sources.
NODISCARD enum err find_tell(struct finding *r);
