// SPDX-License-Identifier: Apache-2.0
// Sources are judged newest first, each by whoever is free; the best traces are kept, and the search
// ends where nothing older can get on the page. Split traces wait until all sources were seen, and
// are then joined and judged whole. Of what ends up on the page, what was not shown at once is read
// again, source by source.
#include "query/find.h"

#include <stdio.h>
#include <stdlib.h>

#include "exec/expr.h"
#include "query/answers.h"
#include "query/find_internal.h"
#include "query/matched.h"

static void fail(struct finding *r, enum err e) {
    mutex_lock(&r->lock);
    if (r->error == ERR_OK) r->error = e;
    mutex_unlock(&r->lock);
}

// --- showing ---------------------------------------------------------------------------------------

// Shows hits of the batch that is open.
static enum err show_hits(struct finding *r, struct find_worker *w, struct batch *b, struct rows *rows,
                          const struct page_hit *const *hits, uint32_t n) {
    struct shown_trace *t = ARENA_ARRAY(b->arena, n + 1ull, struct shown_trace);
    if (!t) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct find_kept *k = hits[i]->more;
        t[i] = (struct shown_trace){ hits[i]->row, k->sets, k->n_sets, NULL };
    }
    w->results.needs_pins = false;
    TRY(show_traces(&r->show, b, rows, t, n, &w->results));
    if (w->results.needs_pins)
        TRY(block_pins_take(&r->out->pins[w->results.arena - r->out->arenas], &w->batch.scan));
    for (uint32_t i = 0; i < n; i++) ((struct find_kept *)hits[i]->more)->shown = t[i].out;
    return ERR_OK;
}

enum err find_show_found(struct looking *l, bool all) {
    const struct found *f = l->found;
    uint32_t n_hits = all ? f->page.n : 0, n = 0;
    const struct page_hit **hits =
        ARENA_ARRAY(l->batch->arena, n_hits + f->n_parts + 1ull, const struct page_hit *);
    if (!hits) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_hits; i++) hits[n++] = &f->page.at[i];
    for (uint32_t i = 0; i < f->n_parts; i++)
        if (f->parts[i].hit.more) hits[n++] = &f->parts[i].hit;
    return n ? show_hits(l->run, l->worker, l->batch, l->rows, hits, n) : ERR_OK;
}

// --- one source ------------------------------------------------------------------------------------

enum err find_add(struct finding *r, const struct found *f) {
    mutex_lock(&r->lock);
    enum err e = page_add_all(&r->page, f->page.at, f->page.n);
    if (e == ERR_OK) e = find_note_parts(r, f);
    r->out->total += f->total;
    r->out->matched_spans += f->matched_spans;
    r->out->stats.traces += f->traces;
    r->out->stats.spans += f->spans;
    r->out->stats.bytes += f->worker->batch.scan.bytes_read - f->worker->bytes_told;
    f->worker->bytes_told = f->worker->batch.scan.bytes_read;
    mutex_unlock(&r->lock);
    return e;
}

// Few hits that all stay on the page are shown while their columns are at hand.
static bool show_now(struct finding *r, const struct found *f) {
    mutex_lock(&r->lock);
    bool all_stay = r->page.n + f->page.n <= r->page.limit;
    mutex_unlock(&r->lock);
    return all_stay && r->find->limit > 1000;
}

static void note_skipped(struct finding *r) {
    mutex_lock(&r->lock);
    r->has_skipped = true;
    mutex_unlock(&r->lock);
}

struct asked { // a row group, before it is opened
    const struct source *source;
    struct block_scan *scan;
};

static enum err may_hold(void *ctx, const struct field *f, struct str text, bool *out) {
    const struct asked *a = ctx;
    return block_may_hold_text(a->source->block, a->scan, a->source->group, f, text, out);
}

static enum err may_touch(const struct finding *r, struct find_worker *w, const struct source *s, bool *out) {
    struct asked a = { s, &w->batch.scan };
    return plan_may_touch(r->plan, &(struct filter_ask){ may_hold, &a }, out);
}

static enum err look_at_source(struct finding *r, struct find_worker *w, uint32_t source) {
    struct found f;
    struct looking l = { .run = r, .worker = w, .found = &f, .source = source };
    const struct source *s = &r->sources.at[source];
    bool inside = range_has(&r->find->bounds, s->first_ns) && range_has(&r->find->bounds, s->last_ns);
    // Where other sources were left out, parts of split traces must be noted though nothing matches here.
    bool may_skip = r->sources.n_left_out == 0 || r->sources.split.n == 0;
    bool columns_first =
        s->block && inside && may_skip && !r->plan->filters_read_traces && !r->plan->every_trace;
    bool any = true, all = true; // all: every trace was looked at
    found_init(&f, r, w);
    enum err e = columns_first ? may_touch(r, w, s, &any) : ERR_OK;
    if (!any) f.spans = block_group_rows(s->block, s->group);
    if (e == ERR_OK && any)
        e = columns_first ? source_open_columns(s, &w->batch, &l.batch) : source_open(s, &w->batch, &l.batch);
    if (e == ERR_OK && any) e = columns_first ? find_look_columns(&l, &any, &all) : find_look(&l);
    if (e == ERR_OK && l.rows) e = find_show_found(&l, show_now(r, &f));
    if (e == ERR_OK) e = find_add(r, &f);
    // What was not read for its traces may hold parts of split ones.
    if (e == ERR_OK && any) e = split_places_add(&r->places, source, f.places, f.n_places, all);
    if (!any || !all) note_skipped(r);
    found_fini(&f);
    return e;
}

enum err find_worker_ready(struct finding *r, uint32_t number) {
    struct find_worker *w = &r->workers[number];
    if (w->is_ready) return ERR_OK;
    TRY(source_batch_init(&w->batch, &r->share.budget));
    show_into_init(&w->results, &r->out->arenas[number]);
    arena_init(&w->scratch, SIZE_MAX, &r->share.budget);
    w->is_ready = true;
    return ERR_OK;
}

static bool takes_as_old_as(const struct finding *r, uint64_t start_ns) {
    return page_takes_as_old_as(&r->page, start_ns) && page_takes_as_old_as(&r->wholes, start_ns);
}

// The next source, or false: none is left, or nothing older can get on the page.
static bool next_source(struct finding *r, struct find_worker *w, uint32_t *out) {
    mutex_lock(&r->lock);
    w->is_busy = false;
    bool go = r->error == ERR_OK && r->next_source < r->sources.n;
    if (go && !r->find->count && !takes_as_old_as(r, r->sources.at[r->next_source].newest_ns)) go = false;
    if (go) *out = w->source = r->next_source++;
    w->is_busy = go;
    mutex_unlock(&r->lock);
    return go;
}

static bool work(void *ctx, uint32_t number) {
    struct finding *r = ctx;
    uint32_t source;
    if (number == 0 && r->tell_at_ns && clock_mono_ns(r->find->bounds.clock) >= r->tell_at_ns) {
        enum err told = find_tell(r);
        if (told != ERR_OK) fail(r, told);
    }
    if (!next_source(r, &r->workers[number], &source)) return false;
    enum err e = bounds_check(&r->find->bounds);
    if (e == ERR_OK) e = find_worker_ready(r, number);
    if (e == ERR_OK) e = look_at_source(r, &r->workers[number], source);
    if (e != ERR_OK) fail(r, e);
    return e == ERR_OK;
}

// --- the page --------------------------------------------------------------------------------------

// Downwards, as what is shown at once is.
static int by_place(const void *x, const void *y) {
    const struct page_hit *a = *(const struct page_hit *const *)x, *b = *(const struct page_hit *const *)y;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return (a->row < b->row) - (a->row > b->row);
}

// Reads the source once more for the hits [0, n) that lie in it.
static enum err show_from(struct finding *r, const struct page_hit *const *hits, uint32_t n) {
    struct find_worker *w = &r->workers[0];
    struct batch *b;
    struct rows *rows;
    TRY(find_worker_ready(r, 0));
    TRY(source_open(&r->sources.at[hits[0]->source], &w->batch, &b));
    TRY(rows_new(b, r->plan->fields, r->plan->n_fields, &rows));
    return show_hits(r, w, b, rows, hits, n);
}

// In their order on the page hits lie all over memory: what comes later is fetched.
enum { FETCH_AHEAD = 8 };

static const struct find_kept *kept_of(const struct page_hit *hits, uint32_t i, uint32_t n) {
    if (i + 2 * FETCH_AHEAD < n) mem_fetch(hits[i + 2 * FETCH_AHEAD].more);
    if (i + FETCH_AHEAD < n) mem_fetch(((const struct find_kept *)hits[i + FETCH_AHEAD].more)->shown);
    return hits[i].more;
}

static bool is_shown(const struct find_kept *k) {
    return k->shown && k->shown->sets; // its sets come last
}

enum err find_show(struct finding *r, const struct page_hit *hits, uint32_t n_hits) {
    const struct page_hit **todo = ARENA_ARRAY(&r->arena, n_hits + 1ull, const struct page_hit *);
    uint32_t n = 0;
    if (!todo) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_hits; i++)
        if (!is_shown(kept_of(hits, i, n_hits))) todo[n++] = &hits[i];
    if (n > 1) qsort(todo, n, sizeof *todo, by_place);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && todo[end]->source == todo[i]->source; end++) {}
        if (!r->out->partial) TRY(bounds_check(&r->find->bounds));
        TRY(show_from(r, todo + i, end - i));
    }
    return ERR_OK;
}

// --- the end ---------------------------------------------------------------------------------------

// What was found by then is the answer when time or memory is up.
static enum err call_it_partial(struct finding *r, enum err e) {
    if (!r->out->partial) e = query_share_cause(&r->share, e);
    if (e != ERR_TIMEOUT && e != ERR_NOMEM) return e;
    if (r->share.is_refused) return ERR_NOMEM;
    if (r->out->partial) return ERR_OK;
    r->out->partial = true;
    r->share.budget.limit *= 2; // what is on the page must still be shown
    for (uint32_t i = 0; i < r->out->n_arenas; i++) r->out->arenas[i].failed = false;
    (void)snprintf(r->out->why, sizeof r->out->why,
                   e == ERR_TIMEOUT
                       ? "the time for a query (query.timeout) was up before everything was looked at"
                       : "the memory of a query (query.max_memory) was used up before everything was "
                         "looked at");
    return ERR_OK;
}

// Traces that there was no memory to show are left out, and the answer says so.
static enum err show_what_fits(struct finding *r) {
    enum err e = find_show(r, r->page.at, r->page.n);
    if (e == ERR_OK) return ERR_OK;
    TRY(call_it_partial(r, e));
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->page.n; i++)
        if (is_shown(r->page.at[i].more)) r->page.at[n++] = r->page.at[i];
    r->page.n = n;
    return ERR_OK;
}

static enum err fill_answer(struct finding *r) {
    struct find_result *out = r->out;
    bool full = r->page.n == r->page.limit;
    page_sort(&r->page);
    TRY(show_what_fits(r));
    out->traces = ARENA_ARRAY(&out->arena, r->page.n + 1ull, struct find_trace);
    if (!out->traces) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->page.n; i++) out->traces[i] = *kept_of(r->page.at, i, r->page.n)->shown;
    out->n = r->page.n;
    out->is_exact = !out->partial && r->next_source == r->sources.n && r->find->count;
    out->has_more = full;
    return ERR_OK;
}

static void note_stats(struct finding *r) {
    struct query_stats *s = &r->out->stats;
    s->blocks = r->sources.n_blocks;
    s->blocks_total = r->view->n_blocks;
    s->groups = r->next_source;
    s->groups_total = r->sources.n + r->sources.n_left_out;
    for (uint32_t i = 0; i <= crew_size(r->find->bounds.crew); i++)
        if (r->workers[i].is_ready)
            s->bytes += r->workers[i].batch.scan.bytes_read - r->workers[i].bytes_told;
}

static enum err run_all(struct finding *r) {
    const struct find *f = r->find;
    struct plan *plan;
    uint32_t n_workers = crew_size(f->bounds.crew) + 1;
    TRY(plan_new(&r->arena, f->query->pipeline, &plan));
    r->plan = plan;
    TRY(show_new(&r->out->arena, plan, &r->show));
    r->show.errors = f->errors;
    r->out->columns = r->show.keys;
    r->out->n_columns = r->show.n_fields;
    r->workers = arena_zalloc(&r->arena, n_workers * sizeof *r->workers);
    r->out->arenas = mem_zalloc(n_workers * sizeof *r->out->arenas);
    r->out->pins = mem_zalloc(n_workers * sizeof *r->out->pins);
    if (!r->workers || !r->out->arenas || !r->out->pins) return ERR_NOMEM;
    r->out->n_arenas = n_workers;
    for (uint32_t i = 0; i < n_workers; i++) {
        arena_init(&r->out->arenas[i], SIZE_MAX, &r->share.budget);
        r->out->arenas[i].pooled = true;
    }
    if (!f->anew && answers_are_kept()) matched_question(&r->question, f->query);
    if (r->question.failed) buf_reset(&r->question); // too long to be kept
    TRY(sources_open(r->view, &f->bounds, &r->sources));
    TRY(split_places_begin(&r->places, r->sources.n));
    TRY(find_parts_begin(r));
    if (f->teller.tell) r->tell_at_ns = clock_mono_ns(f->bounds.clock) + f->teller.every_ns;
    crew_run(f->bounds.crew, work, r);
    enum err e = r->error;
    if (e != ERR_OK) TRY(call_it_partial(r, e));
    e = find_add_parts(r);
    if (e == ERR_OK && !r->out->partial) e = find_splits(r);
    if (e != ERR_OK) TRY(call_it_partial(r, e));
    TRY(fill_answer(r));
    note_stats(r);
    return ERR_OK;
}

enum err find_run(struct view *v, const struct find *f, struct find_result *out, struct err_ctx *ctx) {
    struct finding r = { .view = v, .find = f, .out = out, .ctx = ctx };
    memset(out, 0, sizeof *out);
    if (f->limit == 0 || f->limit > SEARCH_LIMIT_MAX || !f->query->pipeline)
        return err_set(ctx, ERR_INVALID, "the limit of traces is out of range");
    arena_init(&out->arena, SIZE_MAX, NULL);
    arena_init(&r.arena, SIZE_MAX, NULL);
    out->arena.pooled = r.arena.pooled = true;
    query_share_init(&r.share, &f->bounds);
    mutex_init(&r.lock);
    split_places_init(&r.places);
    buf_init(&r.question, ANSWERS_KEY_MAX);
    find_page_init(f, &r.page);
    find_page_init(f, &r.wholes);
    enum err e = run_all(&r);
    for (uint32_t i = 0; i < out->n_arenas; i++)
        if (r.workers && r.workers[i].is_ready) {
            source_batch_fini(&r.workers[i].batch);
            arena_fini(&r.workers[i].scratch);
        }
    sources_close(&r.sources);
    split_places_fini(&r.places);
    buf_fini(&r.question);
    page_fini(&r.page);
    page_fini(&r.wholes);
    mem_free(r.parts);
    mutex_fini(&r.lock);
    arena_fini(&r.arena);
    for (uint32_t i = 0; i < out->n_arenas; i++) out->arenas[i].budget = NULL; // it ends here
    query_share_end(&r.share, &out->held);
    e = query_share_explain(&r.share, e, ctx);
    if (e == ERR_TIMEOUT)
        err_set(ctx, e, "the time for a query (query.timeout) was up before anything was looked at");
    if (e == ERR_LIMIT) ql_explain_steps(f->query, ctx);
    if (e == ERR_LIMIT) err_set(ctx, e, EXPR_PAIRS_TEXT);
    if (e != ERR_OK) find_fini(out);
    return e;
}

void find_fini(struct find_result *r) {
    for (uint32_t i = 0; i < r->n_arenas; i++) {
        arena_fini(&r->arenas[i]);
        block_pins_release(&r->pins[i]);
    }
    mem_free(r->arenas);
    mem_free(r->pins);
    arena_fini(&r->arena);
    query_held_release(&r->held);
    *r = (struct find_result){ .n = 0 };
}
