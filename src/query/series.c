// SPDX-License-Identifier: Apache-2.0
// Each source is counted by whoever is free into accumulators of its own, which merge at the end in
// any order to the same answer.
#include "query/series.h"

#include <stdio.h>
#include <stdlib.h>

#include "exec/expr.h"
#include "query/answers.h"
#include "query/series_internal.h"

enum { ANSWER_SHARE = 4 }; // of a query's time: a quarter is for the answer, past the deadline if need be
static const char too_late[] =
    "the time for a query (query.timeout) was up before its answer was written: longer steps or fewer series "
    "take less";

// --- all sources -----------------------------------------------------------------------------------

enum err series_worker_ready(struct series_count *r, struct series_worker *w) {
    if (w->is_ready) return ERR_OK;
    TRY(source_batch_init(&w->batch, &r->share.budget));
    arena_init(&w->scratch, SIZE_MAX, &r->share.budget);
    w->is_ready = true;
    w->accs = mem_zalloc((2ull * r->n_functions + 1) * sizeof *w->accs);
    if (!w->accs) return ERR_NOMEM;
    w->one = w->accs + r->n_functions;
    for (uint32_t i = 0; i < 2 * r->n_functions; i++)
        TRY(metric_acc_new(r->functions[i % r->n_functions].counting, &r->share.budget, &r->caller,
                           &w->accs[i]));
    return ERR_OK;
}

static void worker_fini(struct series_count *r, struct series_worker *w) {
    if (!w->is_ready) return;
    source_batch_fini(&w->batch);
    arena_fini(&w->scratch);
    for (uint32_t i = 0; w->accs && i < 2 * r->n_functions; i++) metric_acc_free(w->accs[i]);
    mem_free(w->accs);
    mem_free(w->noted);
    mem_budget_give(&r->share.budget, w->cap_noted * sizeof *w->noted);
    *w = (struct series_worker){ .traces = w->traces, .spans = w->spans };
}

static enum err count_source(struct series_count *r, struct series_worker *w, uint32_t source) {
    const struct source *s = &r->sources.at[source];
    struct series_batch c = { .run = r, .worker = w, .number = source };
    TRY(bounds_check(&r->bounds));
    TRY(series_worker_ready(r, w));
    struct query_stats before = { w->traces, w->spans, w->batch.scan.bytes_read, 0, 0, 0, 0 };
    TRY(source_open(s, &w->batch, &c.batch));
    c.all_in_range = range_has(&r->bounds, s->first_ns) && range_has(&r->bounds, s->last_ns);
    TRY(series_count_batch(&c, s));
    mutex_lock(&r->lock);
    r->so_far.traces += w->traces - before.traces;
    r->so_far.spans += w->spans - before.spans;
    r->so_far.bytes += w->batch.scan.bytes_read - before.bytes;
    mutex_unlock(&r->lock);
    return series_tell_places(&c, source);
}

static enum err tell_progress(struct series_count *r) {
    const struct query_teller *t = &r->query->teller;
    if (clock_mono_ns(r->bounds.clock) < r->tell_at_ns) return ERR_OK;
    mutex_lock(&r->lock);
    struct query_stats s = r->so_far;
    if (r->n_taken > r->so_far.groups) r->so_far.groups = r->n_taken; // it may be the second round
    s.groups = r->so_far.groups;
    mutex_unlock(&r->lock);
    s.groups_total = r->sources.n + r->sources.n_left_out;
    s.blocks_total = r->view->n_blocks;
    s.blocks = r->sources.n ? (uint32_t)((uint64_t)r->sources.n_blocks * s.groups / r->sources.n) : 0;
    enum err e = t->tell(t->ctx, &s);
    r->tell_at_ns = clock_mono_ns(r->bounds.clock) + t->every_ns;
    return e;
}

// Sources that follow each other are of neighbouring intervals: each worker has a share of them, so that
// few cells are in the accumulators of two. Whoever is done helps where most is left, from the end.
static bool take_source(struct series_count *r, struct series_worker *w, uint32_t *out) {
    struct series_worker *of = w;
    for (uint32_t i = 0; i < r->n_workers && w->from == w->to; i++)
        if (r->workers[i].to - r->workers[i].from > of->to - of->from) of = &r->workers[i];
    if (of->from == of->to) return false;
    *out = of == w ? of->from++ : --of->to;
    r->n_taken++;
    return true;
}

static void share_sources(struct series_count *r) {
    for (uint32_t i = 0; i < r->n_workers; i++) {
        r->workers[i].from = (uint32_t)((uint64_t)r->sources.n * i / r->n_workers);
        r->workers[i].to = (uint32_t)((uint64_t)r->sources.n * (i + 1) / r->n_workers);
    }
    r->n_taken = 0;
}

static bool work(void *ctx, uint32_t number) {
    struct series_count *r = ctx;
    enum err e = number == 0 && r->tell_at_ns ? tell_progress(r) : ERR_OK;
    uint32_t i;
    mutex_lock(&r->lock);
    bool go = e == ERR_OK && r->error == ERR_OK && take_source(r, &r->workers[number], &i);
    mutex_unlock(&r->lock);
    if (go) e = count_source(r, &r->workers[number], i);
    if (e == ERR_OK) return go;
    mutex_lock(&r->lock);
    if (r->error == ERR_OK) r->error = e;
    mutex_unlock(&r->lock);
    return false;
}

static enum err count_all(struct series_count *r) {
    share_sources(r);
    crew_run(r->query->bounds.crew, work, r);
    return r->error;
}

// --- the answer ------------------------------------------------------------------------------------

// A source once more, for what exemplars show: columns that need no traces.
static enum err open_again(void *ctx, uint32_t number, struct batch **out) {
    struct series_count *r = ctx;
    return source_open_columns(&r->sources.at[number], &r->workers[0].batch, out);
}

static enum err check(void *ctx) {
    const struct series_count *r = ctx;
    return bounds_check(&r->bounds);
}

// Where counting took all the time, the answer has some of its own.
static void begin_answer(struct series_count *r) {
    uint64_t now = r->allowed_ns ? clock_mono_ns(r->bounds.clock) : 0;
    uint64_t by = now + r->allowed_ns / ANSWER_SHARE;
    r->is_counted = true;
    if (r->bounds.deadline_ns && by > r->bounds.deadline_ns) r->bounds.deadline_ns = by;
    r->out->bounds = r->bounds;
}

static enum err answer(struct series_count *r) {
    struct series_worker *w = &r->workers[0];
    bool cut = false;
    TRY(series_worker_ready(r, w));
    for (uint32_t i = 1; i < r->n_workers; i++)
        for (uint32_t f = 0; f < r->n_functions && r->workers[i].is_ready; f++) {
            TRY(check(r));
            TRY(metric_merge(w->accs[f], r->workers[i].accs[f]));
        }
    TRY(metric_finish(&r->out->arena, r->query->query->metric, w->accs, r->n_functions, &r->caller,
                      r->query->max_series, &r->out->series, &r->out->n, &cut));
    if (cut) {
        r->out->partial = true;
        (void)snprintf(r->out->why, sizeof r->out->why,
                       "there are more series than maxSeries (%u); the rest is left out",
                       r->query->max_series);
    }
    return ERR_OK;
}

static void note_stats(struct series_count *r) {
    struct query_stats *s = &r->out->stats;
    s->blocks = r->sources.n_blocks;
    s->blocks_total = r->view->n_blocks;
    s->groups = r->n_taken;
    s->groups_total = r->sources.n + r->sources.n_left_out;
    for (uint32_t i = 0; i < r->n_workers; i++) {
        s->traces += r->workers[i].traces;
        s->spans += r->workers[i].spans;
        if (r->workers[i].is_ready) s->bytes += r->workers[i].batch.scan.bytes_read;
    }
}

static enum err count_everything(struct series_count *r) {
    bool doubled;
    TRY(count_all(r));
    TRY(series_find_doubled(r, &doubled));
    if (doubled) {
        for (uint32_t i = 0; i < r->n_workers; i++) {
            if (r->workers[i].is_ready) r->out->stats.bytes += r->workers[i].batch.scan.bytes_read;
            worker_fini(r, &r->workers[i]);
        }
        r->places.n = 0;
        TRY(count_all(r));
    }
    return series_count_split(r);
}

static enum err run_all(struct series_count *r) {
    r->n_workers = crew_size(r->query->bounds.crew) + 1;
    r->workers = arena_zalloc(&r->arena, r->n_workers * sizeof *r->workers);
    if (!r->workers) return ERR_NOMEM;
    TRY(series_make_functions(r));
    if (!r->query->anew && answers_are_kept()) counted_question(&r->question, r->query);
    if (r->question.failed) buf_reset(&r->question); // too long to be kept
    TRY(sources_open(r->view, &r->bounds, &r->sources));
    TRY(split_places_begin(&r->places, r->sources.n));
    const struct query_teller *t = &r->query->teller;
    if (t->tell) r->tell_at_ns = clock_mono_ns(r->bounds.clock) + t->every_ns;
    enum err e = query_share_cause(&r->share, count_everything(r));
    if (e == ERR_TIMEOUT) {
        r->out->partial = true;
        (void)snprintf(r->out->why, sizeof r->out->why,
                       "the time for a query (query.timeout) was up before everything was counted");
    } else if (e != ERR_OK) {
        return e;
    }
    begin_answer(r);
    TRY(answer(r));
    note_stats(r);
    return ERR_OK;
}

static uint64_t time_left(const struct query_bounds *b) {
    uint64_t now = b->deadline_ns ? clock_mono_ns(b->clock) : 0;
    return b->deadline_ns > now ? b->deadline_ns - now : 0;
}

enum err series_run(struct view *v, const struct series_query *q, struct series_answer *out,
                    struct err_ctx *ctx) {
    struct series_count r = { .view = v, .query = q, .out = out, .bounds = q->bounds };
    *out = (struct series_answer){ .n = 0 };
    if (!q->query->metric || q->bounds.end_ns <= q->bounds.start_ns)
        return err_set(ctx, ERR_INVALID, "a metrics query needs a start before its end");
    r.allowed_ns = time_left(&r.bounds);
    r.caller = (struct metric_caller){ open_again, check, &r };
    if (q->step_ns == 0 && r.bounds.start_ns > 0) r.bounds.start_ns--; // closed on both sides
    query_share_init(&r.share, &r.bounds);
    arena_init(&out->arena, SIZE_MAX, &r.share.budget);
    out->arena.pooled = true;
    arena_init(&r.arena, SIZE_MAX, NULL);
    buf_init(&r.question, ANSWERS_KEY_MAX);
    mutex_init(&r.lock);
    split_set_init(&r.joined, NULL, NULL);
    split_places_init(&r.places);
    enum err e = query_share_cause(&r.share, run_all(&r));
    for (uint32_t i = 0; r.workers && i < r.n_workers; i++) worker_fini(&r, &r.workers[i]);
    sources_close(&r.sources);
    split_set_fini(&r.joined);
    split_places_fini(&r.places);
    mutex_fini(&r.lock);
    buf_fini(&r.question);
    arena_fini(&r.arena);
    out->arena.budget = NULL; // it ends here
    query_share_end(&r.share, &out->held);
    e = query_share_explain(&r.share, e, ctx);
    if (e == ERR_TIMEOUT && r.is_counted) err_set(ctx, e, "%s", too_late);
    if (e == ERR_TIMEOUT)
        err_set(ctx, e, "the time for a query (query.timeout) was up before anything was looked at");
    if (e == ERR_LIMIT) ql_explain_steps(q->query, ctx);
    if (e == ERR_LIMIT) err_set(ctx, e, "more series than %d, or " EXPR_PAIRS_TEXT, METRIC_SERIES_MAX);
    if (e == ERR_NOMEM) err_set(ctx, e, "the memory of a query (query.max_memory) is used up");
    if (e != ERR_OK) series_fini(out);
    return e;
}

enum err series_go_on(struct series_answer *r, uint64_t waited_ns, struct err_ctx *ctx) {
    if (r->bounds.deadline_ns) r->bounds.deadline_ns += waited_ns;
    enum err e = bounds_check(&r->bounds);
    return e == ERR_TIMEOUT ? err_set(ctx, e, "%s", too_late) : e;
}

void series_fini(struct series_answer *r) {
    arena_fini(&r->arena);
    query_held_release(&r->held);
    *r = (struct series_answer){ .n = 0 };
}
