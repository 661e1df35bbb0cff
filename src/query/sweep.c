// SPDX-License-Identifier: Apache-2.0
// Time picks blocks and row groups by what they hold and, with a filter, rows by their start. Traces of
// which only a part lies in a batch are joined where the filter needs more than single spans. Sources are
// filtered, and what is left of each is gathered, by whoever is free.
#include "query/sweep.h"

#include <stdio.h>

#include "exec/expr.h"
#include "exec/plan.h"
#include "os/thread.h"
#include "query/joined.h"
#include "query/source.h"

enum { CHUNK_ROWS = 16384, WHY_MAX = 200, CHECK_EVERY = 64 };

static bool has_range(const struct sweep *s) {
    return s->bounds->start_ns || s->bounds->end_ns;
}

static bool touches(const struct sweep *s, struct time_range r) {
    return r.min_ns <= r.max_ns && r.min_ns <= s->bounds->end_ns && r.max_ns > s->bounds->start_ns;
}

uint32_t sweep_workers(const struct query_bounds *b) {
    return crew_size(b->crew) + 1;
}

static enum err hand_over(struct sweep *s, uint32_t worker, struct batch *b, const uint64_t *bits,
                          bool is_head) {
    return s->each(s->ctx, &(struct swept){ b, bits, is_head, worker, &s->answers[worker] });
}

static enum err end_by_time(struct sweep *s) {
    s->partial = true;
    (void)snprintf(s->why, WHY_MAX, "query.timeout passed; not everything was looked at");
    return ERR_OK;
}

// Time to stop: an error, or partial is set.
static enum err look_at_limits(struct sweep *s) {
    enum err e = bounds_check(s->bounds);
    return e == ERR_TIMEOUT ? end_by_time(s) : e;
}

// --- without a filter --------------------------------------------------------------------------------------

static enum err plain_head(struct sweep *s, struct head *h) {
    const struct span_table *t = &h->table;
    struct table_index bare = { .n_rows = span_table_count(t) };
    struct head_index *whole = NULL;
    struct table_batch b;
    struct arena a;
    bool some = !has_range(s);
    for (uint32_t i = 0; i < bare.n_rows && !some; i++)
        some = range_has(s->bounds, SEG_AT(&t->start_ns, i, uint64_t));
    if (bare.n_rows == 0 || !some) return ERR_OK;
    if (s->needs_traces) TRY(head_index_take(h, &whole));
    arena_init(&a, SIZE_MAX, &s->share.budget);
    table_batch_open(&b, t, whole ? &whole->rows : &bare, &a);
    enum err e = hand_over(s, 0, &b.batch, NULL, true);
    arena_fini(&a);
    head_index_release(whole);
    return e;
}

// Does a page of the row group hold starts in the range?
static enum err group_touches(const struct sweep *s, struct batch *b, bool *out) {
    const struct batch_bounds *pages;
    uint32_t n;
    *out = true;
    if (!has_range(s)) return ERR_OK;
    TRY(b->ops->start_bounds(b, &pages, &n));
    if (n) *out = false;
    for (uint32_t i = 0; i < n && !*out; i++) {
        struct time_range r = { (uint64_t)pages[i].min, (uint64_t)pages[i].max };
        *out = !pages[i].none && (!pages[i].has_min_max || touches(s, r));
    }
    return ERR_OK;
}

static enum err plain_group(struct sweep *s, struct block *block, struct block_scan *scan, uint32_t g) {
    struct block_batch b;
    bool some;
    block_scan_reset(scan);
    TRY(s->needs_traces ? block_batch_open(&b, block, scan, g)
                        : block_batch_open_columns(&b, block, scan, g));
    TRY(group_touches(s, &b.batch, &some));
    if (!some) return ERR_OK;
    s->stats->groups++;
    return hand_over(s, 0, &b.batch, NULL, false);
}

static enum err plain_block(struct sweep *s, struct block *block, struct block_scan *scan) {
    const struct block_meta *m = block_meta(block);
    if (has_range(s) && !touches(s, m->main) && !touches(s, m->outliers)) return ERR_OK;
    TRY(block_open(block, scan));
    uint32_t n = block_n_groups(block);
    s->stats->blocks++;
    s->stats->groups_total += n;
    for (uint32_t g = 0; g < n && !s->partial; g++) {
        TRY(plain_group(s, block, scan, g));
        TRY(look_at_limits(s));
    }
    return ERR_OK;
}

static enum err plain_all(struct sweep *s) {
    struct block_scan scan;
    for (uint32_t i = 0; i < s->view->n_heads && !s->partial; i++) {
        TRY(plain_head(s, s->view->heads[i]));
        TRY(look_at_limits(s));
    }
    TRY(block_scan_init(&scan, &s->share.budget));
    scan.uses_cache = true;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < s->view->n_blocks && !s->partial && e == ERR_OK; i++)
        e = plain_block(s, s->view->blocks[i], &scan);
    s->stats->bytes += scan.bytes_read;
    block_scan_fini(&scan);
    return e;
}

// --- with a filter -----------------------------------------------------------------------------------------

struct worker {
    bool is_ready;
    uint32_t number;
    struct source_batch batch;
    struct arena scratch; // of one trace
};

struct filtering {
    const struct plan *plan;
    struct sources sources;
    struct worker *workers;
    bool joins; // split traces must be looked at as a whole

    struct mutex lock; // of all below
    struct sweep *sweep;
    struct split_set candidates; // split traces that may match as a whole
    uint32_t next_source;
    enum err error;
};

// Leaves the rows whose span starts in the range.
static enum err keep_range(const struct sweep *s, struct batch *b, uint64_t *bits) {
    const uint64_t *starts;
    if (!has_range(s)) return ERR_OK;
    for (uint32_t from = 0; from < b->n_rows; from += CHUNK_ROWS) {
        uint32_t to = b->n_rows - from < CHUNK_ROWS ? b->n_rows : from + CHUNK_ROWS;
        if (!bits_any_range(bits, from, to)) continue;
        TRY(b->ops->starts(b, from, to, &starts));
        for (uint32_t i = from; i < to; i++)
            if (!range_has(s->bounds, starts[i - from])) bit_clear(bits, i);
    }
    return ERR_OK;
}

static enum err match_trace(struct filtering *f, struct worker *w, struct rows *rows,
                            const struct plan_bits *bits, uint32_t trace, uint64_t *left) {
    const struct match_set *sets;
    uint32_t n;
    arena_reset(&w->scratch);
    TRY(plan_match(f->plan, rows, bits, trace, &w->scratch, &sets, &n));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < sets[i].n; k++) bit_set(left, sets[i].rows[k]);
    return ERR_OK;
}

static enum err add_candidate(struct filtering *f, const uint8_t id[16]) {
    mutex_lock(&f->lock);
    enum err e = split_set_add(&f->candidates, id);
    mutex_unlock(&f->lock);
    return e;
}

static enum err match_traces(struct filtering *f, struct worker *w, struct batch *b, struct rows *rows,
                             const struct plan_bits *bits, bool is_joined, uint64_t *left) {
    for (uint32_t t = 0; t < b->n_traces; t++) {
        const uint8_t *id = b->traces[t].id;
        if (t % CHECK_EVERY == 0 && bounds_check(f->sweep->bounds) == ERR_CANCELED) return ERR_CANCELED;
        if (f->joins && !is_joined && split_has(&f->sources.split, id))
            TRY(add_candidate(f, id));
        else
            TRY(match_trace(f, w, rows, bits, t, left));
    }
    return ERR_OK;
}

static enum err filter_batch(struct filtering *f, struct worker *w, struct batch *b, bool is_joined,
                             bool is_head) {
    struct plan_bits bits;
    struct rows *rows;
    uint64_t *left = arena_zalloc(b->arena, (bits_words(b->n_rows) + 1) * sizeof *left);
    if (!left) return ERR_NOMEM;
    TRY(rows_new(b, f->plan->fields, f->plan->n_fields, &rows));
    TRY(plan_filter(f->plan, rows, NULL, &bits));
    if (f->plan->is_simple && !f->joins)
        bits_or(left, bits.of[0], b->n_rows);
    else
        TRY(match_traces(f, w, b, rows, &bits, is_joined, left));
    TRY(keep_range(f->sweep, b, left));
    mutex_lock(&f->lock);
    f->sweep->stats->spans += b->n_rows;
    f->sweep->stats->traces += b->n_traces;
    mutex_unlock(&f->lock);
    return bits_any(left, b->n_rows) ? hand_over(f->sweep, w->number, b, left, is_head) : ERR_OK;
}

static enum err worker_ready(struct filtering *f, struct worker *w) {
    if (w->is_ready) return ERR_OK;
    TRY(source_batch_init(&w->batch, &f->sweep->share.budget));
    arena_init(&w->scratch, SIZE_MAX, &f->sweep->share.budget);
    w->is_ready = true;
    return ERR_OK;
}

static enum err filter_source(struct filtering *f, struct worker *w, const struct source *src) {
    struct batch *b;
    TRY(worker_ready(f, w));
    TRY(source_open(src, &w->batch, &b));
    return filter_batch(f, w, b, false, src->head != NULL);
}

static bool work(void *ctx, uint32_t number) {
    struct filtering *f = ctx;
    mutex_lock(&f->lock);
    if (f->error == ERR_OK) f->error = look_at_limits(f->sweep);
    bool go = f->error == ERR_OK && !f->sweep->partial && f->next_source < f->sources.n;
    uint32_t i = f->next_source;
    if (go) f->next_source++;
    mutex_unlock(&f->lock);
    if (!go) return false;
    enum err e = filter_source(f, &f->workers[number], &f->sources.at[i]);
    mutex_lock(&f->lock);
    if (f->error == ERR_OK) f->error = e;
    if (f->sources.at[i].block) f->sweep->stats->groups++;
    mutex_unlock(&f->lock);
    return e == ERR_OK;
}

static enum err filter_joined(void *ctx, struct batch *b, const bool *doubled) {
    struct filtering *f = ctx;
    (void)doubled; // each comes alone
    return filter_batch(f, &f->workers[0], b, true, true);
}

static enum err filter_candidates(struct filtering *f) {
    struct sweep *s = f->sweep;
    struct joining j = { .view = s->view,
                         .bounds = s->bounds,
                         .scan = &f->workers[0].batch.scan,
                         .each = filter_joined,
                         .ctx = f };
    enum err e = f->candidates.n ? worker_ready(f, &f->workers[0]) : ERR_OK;
    for (uint32_t i = 0; i < f->candidates.n && !s->partial && e == ERR_OK; i++) {
        e = joining_alone(&j, split_id(&f->candidates, i));
        if (e == ERR_OK || e == ERR_TIMEOUT) e = look_at_limits(s);
    }
    s->stats->bytes += j.bytes;
    if (e != ERR_OK || s->partial || j.n_left_out == 0) return e;
    s->partial = true;
    joining_why(&j, s->why);
    return ERR_OK;
}

static enum err filter_run_all(struct filtering *f, struct arena *a) {
    struct sweep *s = f->sweep;
    uint32_t n_workers = sweep_workers(s->bounds);
    f->workers = arena_zalloc(a, n_workers * sizeof *f->workers);
    if (!f->workers) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_workers; i++) f->workers[i].number = i;
    TRY(sources_open(s->view, s->bounds, &f->sources));
    crew_run(s->bounds->crew, work, f);
    enum err e = f->error == ERR_OK ? filter_candidates(f) : f->error;
    s->stats->groups_total = s->stats->groups + f->sources.n_left_out;
    s->stats->blocks = f->sources.n_blocks;
    for (uint32_t i = 0; i < n_workers; i++) {
        if (!f->workers[i].is_ready) continue;
        s->stats->bytes += f->workers[i].batch.scan.bytes_read;
        source_batch_fini(&f->workers[i].batch);
        arena_fini(&f->workers[i].scratch);
    }
    return e;
}

static enum err filter_all(struct sweep *s) {
    struct filtering f = { .sweep = s };
    struct arena plans;
    struct plan *plan;
    arena_init(&plans, SIZE_MAX, NULL);
    mutex_init(&f.lock);
    split_set_init(&f.candidates, NULL, NULL);
    enum err e = plan_new(&plans, s->filter->pipeline, &plan);
    if (e == ERR_OK) {
        f.plan = plan;
        f.joins = !plan->is_simple || plan->needs_whole;
        e = filter_run_all(&f, &plans);
    }
    sources_close(&f.sources);
    split_set_fini(&f.candidates);
    mutex_fini(&f.lock);
    arena_fini(&plans);
    return e;
}

// --- the end -----------------------------------------------------------------------------------------------

// What was gathered by then is the answer when time or the question's own memory is up; that grows, so that
// it can still be joined.
static enum err call_it_partial(struct sweep *s, enum err e) {
    if (e != ERR_NOMEM || s->share.is_refused) return e;
    if (s->partial) return ERR_OK;
    e = query_share_cause(&s->share, e);
    if (e == ERR_TIMEOUT) return end_by_time(s);
    if (e != ERR_NOMEM || !s->bounds->memory_max) return e;
    s->partial = true;
    s->share.budget.limit *= 2;
    (void)snprintf(s->why, WHY_MAX, "query.max_memory is used up; not everything was looked at");
    return ERR_OK;
}

static enum err gather_all(struct sweep *s) {
    uint32_t n = sweep_workers(s->bounds);
    s->answers = mem_zalloc(n * sizeof *s->answers);
    if (!s->answers) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) arena_init(&s->answers[i], SIZE_MAX, &s->share.budget);
    enum err e = call_it_partial(s, s->filter ? filter_all(s) : plain_all(s));
    for (uint32_t i = 0; i < n; i++) arena_adopt(s->answer, &s->answers[i]);
    mem_free(TAKE(s->answers));
    s->answer->failed = false;
    return e == ERR_OK && s->end ? call_it_partial(s, s->end(s->ctx)) : e;
}

enum err sweep_run(struct sweep *s, struct err_ctx *ctx) {
    s->stats->blocks_total = s->view->n_blocks;
    if (s->filter && s->filter->is_metrics)
        return err_set(ctx, ERR_INVALID, "the filter of names and values is a search, not metrics");
    ASSERT(s->answer->used == 0);
    query_share_init(&s->share, s->bounds);
    s->answer->budget = &s->share.budget;
    enum err e = gather_all(s);
    s->answer->budget = NULL;
    s->answer->failed = false;
    query_share_end(&s->share, &s->held);
    e = query_share_explain(&s->share, e, ctx);
    if (e != ERR_LIMIT || !s->filter) return e;
    ql_explain_steps(s->filter, ctx);
    return err_set(ctx, e, EXPR_PAIRS_TEXT);
}
