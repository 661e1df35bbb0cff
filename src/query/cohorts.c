// SPDX-License-Identifier: Apache-2.0
// A trace that lies in one place is judged where it is met, and kept only while its hash is among the
// smallest of its cohort. One that lies in several is remembered until all of them were looked at.
#include "query/cohorts.h"

#include <stdlib.h>

#include "query/source.h"
#include "query/sweep.h"

// The traces of a cohort with the smallest hashes: a heap, the largest on top.
struct smallest {
    struct cohort_trace *at;
    uint32_t n, limit;
    uint64_t total;
};

struct sorted { // by one thread
    struct smallest of[COHORT_COUNT];
};

struct sorting {
    const struct cohorts_query *q;
    const struct split_set *split;      // traces in several places
    _Atomic bool *is_met, *is_selected; // of those
    struct sorted *sorted;              // by worker
    uint32_t n_sorted;
};

// --- the smallest hashes -----------------------------------------------------------------------------------

// The same in every process, unlike the hashes of maps.
static uint64_t sample_hash(const uint8_t id[16]) {
    uint64_t half[2];
    memcpy(half, id, sizeof half);
    return hash_u64(hash_u64(half[0]) + half[1]);
}

static int by_hash(const void *x, const void *y) {
    const struct cohort_trace *a = x, *b = y;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return memcmp(a->id, b->id, sizeof a->id);
}

static void swap(struct cohort_trace *a, struct cohort_trace *b) {
    struct cohort_trace t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct smallest *s, uint32_t i) {
    for (; i && by_hash(&s->at[(i - 1) / 2], &s->at[i]) < 0; i = (i - 1) / 2)
        swap(&s->at[(i - 1) / 2], &s->at[i]);
}

static void sift_down(struct smallest *s) {
    for (uint32_t i = 0, child; (child = 2 * i + 1) < s->n; i = child) {
        if (child + 1 < s->n && by_hash(&s->at[child], &s->at[child + 1]) < 0) child++;
        if (by_hash(&s->at[i], &s->at[child]) >= 0) return;
        swap(&s->at[i], &s->at[child]);
    }
}

static void put(struct smallest *all, const struct cohort_trace *t) {
    if (all->n < all->limit) {
        all->at[all->n] = *t;
        sift_up(all, all->n++);
    } else if (by_hash(t, &all->at[0]) < 0) {
        all->at[0] = *t;
        sift_down(all);
    }
}

static void add_trace(struct sorted *s, const uint8_t id[16], bool is_selected) {
    enum cohort of = is_selected ? COHORT_SELECTION : COHORT_REST;
    struct cohort_trace t = { .of = of, .hash = sample_hash(id) };
    memcpy(t.id, id, sizeof t.id);
    s->of[of].total++;
    put(&s->of[of], &t);
}

static void join(struct smallest *all, const struct smallest *some) {
    all->total += some->total;
    for (uint32_t i = 0; i < some->n; i++) put(all, &some->at[i]);
}

// --- batches -----------------------------------------------------------------------------------------------

// Of the rows in `bits`, those in the selection.
static enum err rows_selected(const struct sorting *s, struct batch *b, const uint64_t *bits,
                              uint64_t *selected) {
    const struct selection *x = &s->q->selection;
    uint32_t n = (uint32_t)bits_count(bits, b->n_rows), i = 0;
    uint32_t *rows = ARENA_ARRAY(b->arena, n + 1ull, uint32_t);
    uint64_t *start = ARENA_ARRAY(b->arena, n + 1ull, uint64_t),
             *duration = ARENA_ARRAY(b->arena, n + 1ull, uint64_t);
    if (!rows || !start || !duration) return ERR_NOMEM;
    for (uint32_t row = bits_next(bits, 0, b->n_rows); row < b->n_rows;
         row = bits_next(bits, row + 1, b->n_rows))
        rows[i++] = row;
    TRY(b->ops->numbers(b, BATCH_START, rows, n, start));
    TRY(b->ops->numbers(b, BATCH_DURATION, rows, n, duration));
    for (i = 0; i < n; i++) {
        bool in_time = x->to_ns == 0 || (start[i] > x->from_ns && start[i] <= x->to_ns);
        bool in_length = duration[i] >= x->min_ns && (x->max_ns == 0 || duration[i] <= x->max_ns);
        if (in_time && in_length) bit_set(selected, rows[i]);
    }
    return ERR_OK;
}

static enum err sort_batch(void *ctx, const struct swept *x) {
    struct sorting *s = ctx;
    struct batch *b = x->batch;
    uint64_t *selected = arena_zalloc(b->arena, (bits_words(b->n_rows) + 1) * sizeof *selected);
    if (!selected) return ERR_NOMEM;
    TRY(rows_selected(s, b, x->bits, selected));
    for (uint32_t i = 0; i < b->n_traces; i++) {
        const struct batch_trace *t = &b->traces[i];
        bool is_met = false, is_selected = false;
        for (uint32_t k = 0; k < t->n && !is_selected; k++) {
            uint32_t row = batch_row(b, t, k);
            is_met |= bit_get(x->bits, row);
            is_selected = bit_get(selected, row);
        }
        uint32_t split = is_met ? split_find(s->split, t->id) : MAP_NONE;
        if (split != MAP_NONE) {
            s->is_met[split] = true;
            if (is_selected) s->is_selected[split] = true;
        } else if (is_met) {
            add_trace(&s->sorted[x->worker], t->id, is_selected);
        }
    }
    return ERR_OK;
}

// --- all of it ---------------------------------------------------------------------------------------------

static enum err sorting_init(struct sorting *s, struct arena *a) {
    s->is_met = arena_zalloc(a, (s->split->n + 1ull) * sizeof *s->is_met);
    s->is_selected = arena_zalloc(a, (s->split->n + 1ull) * sizeof *s->is_selected);
    s->n_sorted = sweep_workers(&s->q->bounds);
    s->sorted = arena_zalloc(a, s->n_sorted * sizeof *s->sorted);
    for (uint32_t i = 0; s->sorted && i < s->n_sorted; i++)
        for (int of = 0; of < COHORT_COUNT; of++)
            s->sorted[i].of[of] = (struct smallest){ .at = ARENA_ARRAY(a, s->q->limit, struct cohort_trace),
                                                     .limit = s->q->limit };
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err give(struct sorting *s, struct cohorts *out) {
    struct sorted *all = &s->sorted[0];
    out->traces = ARENA_ARRAY(&out->arena, (size_t)COHORT_COUNT * s->q->limit, struct cohort_trace);
    if (!out->traces) return ERR_NOMEM;
    for (uint32_t i = 0; i < s->split->n; i++)
        if (s->is_met[i]) add_trace(all, split_id(s->split, i), s->is_selected[i]);
    for (int i = 0; i < COHORT_COUNT; i++) {
        for (uint32_t k = 1; k < s->n_sorted; k++) join(&all->of[i], &s->sorted[k].of[i]);
        memcpy(out->traces + out->n, all->of[i].at, all->of[i].n * sizeof *out->traces);
        out->n += all->of[i].n;
        out->shown[i] = all->of[i].n;
        out->total[i] = all->of[i].total;
    }
    qsort(out->traces, out->n, sizeof *out->traces, by_hash);
    return ERR_OK;
}

// Memory of the sorting is bounded by the limit and by the split traces, which the view holds.
static enum err run(struct view *v, const struct cohorts_query *q, const struct sources *sources,
                    struct arena *sorting, struct cohorts *out, struct err_ctx *ctx) {
    struct sorting s = { .q = q, .split = &sources->split };
    struct sweep sweep = { .view = v,
                           .bounds = &q->bounds,
                           .filter = q->query,
                           .answer = &out->arena,
                           .each = sort_batch,
                           .ctx = &s,
                           .stats = &out->stats,
                           .why = out->why };
    TRY(sorting_init(&s, sorting));
    enum err e = sweep_run(&sweep, ctx);
    query_held_release(&sweep.held);
    out->partial = sweep.partial;
    return e == ERR_OK ? give(&s, out) : e;
}

enum err cohorts_run(struct view *v, const struct cohorts_query *q, struct cohorts *out,
                     struct err_ctx *ctx) {
    struct sources sources = { 0 };
    struct arena sorting;
    ASSERT(q->limit > 0 && q->limit <= COHORT_TRACES_MAX);
    *out = (struct cohorts){ 0 };
    arena_init(&out->arena, SIZE_MAX, NULL);
    arena_init(&sorting, SIZE_MAX, NULL);
    enum err e = sources_open(v, &q->bounds, &sources);
    if (e == ERR_OK) e = run(v, q, &sources, &sorting, out, ctx);
    sources_close(&sources);
    arena_fini(&sorting);
    if (e != ERR_OK) cohorts_fini(out);
    return e;
}

void cohorts_fini(struct cohorts *c) {
    arena_fini(&c->arena);
    *c = (struct cohorts){ 0 };
}
