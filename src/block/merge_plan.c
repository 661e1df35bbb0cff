// SPDX-License-Identifier: Apache-2.0
#include "block/merge_plan.h"

#include <stdlib.h>

enum { NEAR = 16 }; // of a trace in more row groups than these, only neighbours are looked at

// --- what the inputs hold ------------------------------------------------------------------------

static enum err add_group(struct block *b, struct block_scan *s, uint32_t input, uint32_t group,
                          struct arena *a, struct merge_plan *p, uint32_t *cap) {
    struct block_traces t;
    TRY(block_read_traces(b, s, group, false, &t));
    if (t.n > *cap - p->n_traces) {
        uint32_t more = (p->n_traces + t.n) * 2;
        struct merge_trace *traces = ARENA_ARRAY(a, more, struct merge_trace);
        if (!traces) return ERR_NOMEM;
        if (p->n_traces) memcpy(traces, p->traces, p->n_traces * sizeof *traces);
        p->traces = traces;
        *cap = more;
    }
    struct merge_group *g = &p->groups[p->n_groups];
    *g = (struct merge_group){ .input = input,
                               .group = group,
                               .n_rows = block_group_rows(b, group),
                               .n_traces = t.n,
                               .start_ns = UINT64_MAX,
                               .mark = block_group_mark(b, group) };
    for (uint32_t i = 0; i < t.n; i++) {
        struct merge_trace *trace = &p->traces[p->n_traces++];
        memcpy(trace->id, t.id + 16ull * i, 16);
        trace->group = p->n_groups;
        if ((uint64_t)t.start_ns[i] < g->start_ns) g->start_ns = (uint64_t)t.start_ns[i];
    }
    p->n_groups++;
    return ERR_OK;
}

static int by_id(const void *x, const void *y) {
    const struct merge_trace *a = x, *b = y;
    int c = memcmp(a->id, b->id, 16);
    return c ? c : (a->group > b->group) - (a->group < b->group);
}

static enum err collect(struct block *const *inputs, uint32_t n, struct block_scan *s, struct arena *a,
                        struct merge_plan *p) {
    uint32_t n_groups = 0, cap = 0;
    for (uint32_t i = 0; i < n; i++) n_groups += block_n_groups(inputs[i]);
    *p = (struct merge_plan){ .groups = ARENA_ARRAY(a, n_groups + 1ull, struct merge_group) };
    if (!p->groups) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t g = 0; g < block_n_groups(inputs[i]); g++)
            TRY(add_group(inputs[i], s, i, g, a, p, &cap));
    if (p->n_traces > 1) qsort(p->traces, p->n_traces, sizeof *p->traces, by_id);
    return ERR_OK;
}

// --- what may go together ------------------------------------------------------------------------

static bool may_join(const struct merge_group *x, const struct merge_group *y) {
    return x != y && !x->mark.is_anew && !y->mark.is_anew && x->mark.is_outlier == y->mark.is_outlier &&
           x->n_rows + y->n_rows <= PLAN_BATCH_ROWS;
}

static uint32_t end_of_trace(const struct merge_plan *p, uint32_t from) {
    uint32_t to = from + 1;
    while (to < p->n_traces && memcmp(p->traces[from].id, p->traces[to].id, 16) == 0) to++;
    return to;
}

// Calls see(ctx, x, y) for the pairs of row groups that a trace lies in and that could be joined.
static void each_pair(const struct merge_plan *p, uint32_t from, uint32_t to,
                      void (*see)(void *ctx, uint32_t x, uint32_t y), void *ctx) {
    for (uint32_t i = from; i < to; i++)
        for (uint32_t k = i + 1; k < to && k <= i + NEAR; k++) {
            uint32_t x = p->traces[i].group, y = p->traces[k].group;
            if (may_join(&p->groups[x], &p->groups[y])) see(ctx, x, y);
        }
}

struct sharing {
    struct merge_plan *p;
    uint32_t *seen_in; // by row group: the last trace (its first index, plus one) that was counted
    uint32_t trace;
};

static void see_shared(void *ctx, uint32_t x, uint32_t y) {
    struct sharing *s = ctx;
    uint32_t both[] = { x, y };
    for (int i = 0; i < 2; i++) {
        if (s->seen_in[both[i]] == s->trace) continue;
        s->seen_in[both[i]] = s->trace;
        s->p->groups[both[i]].n_shared++;
    }
}

static enum err count_shared(struct merge_plan *p, struct arena *a) {
    struct sharing s = { p, arena_zalloc(a, (p->n_groups + 1ull) * sizeof(uint32_t)), 0 };
    if (!s.seen_in) return ERR_NOMEM;
    for (uint32_t i = 0, to; i < p->n_traces; i = to) {
        to = end_of_trace(p, i);
        s.trace = i + 1;
        if (to - i > 1) each_pair(p, i, to, see_shared, &s);
    }
    return ERR_OK;
}

// --- batches -------------------------------------------------------------------------------------

struct choice {
    struct merge_plan *p;
    struct merge_group *at[PLAN_CANDIDATES_MAX]; // by start
    uint32_t n;
    uint32_t *number; // by row group: index in at, or n
    uint32_t *pair;   // n * n: traces that both hold
    bool taken[PLAN_CANDIDATES_MAX];
    // the batch at hand
    uint32_t batch, n_members, rows;
    uint32_t pull[PLAN_CANDIDATES_MAX]; // traces that it shares with each
};

static bool is_split(const struct merge_group *g) {
    return g->n_shared * 20ull > g->n_traces;
}

static bool is_small(const struct merge_group *g) {
    return g->n_rows < PLAN_SMALL_ROWS;
}

static int by_start(const void *x, const void *y) {
    const struct merge_group *a = *(const struct merge_group *const *)x,
                             *b = *(const struct merge_group *const *)y;
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns ? -1 : 1;
    return (a > b) - (a < b);
}

static void see_pair(void *ctx, uint32_t x, uint32_t y) {
    struct choice *c = ctx;
    uint32_t i = c->number[x], k = c->number[y];
    if (i == c->n || k == c->n) return;
    c->pair[i * c->n + k]++;
    c->pair[k * c->n + i]++;
}

static enum err choice_make(struct choice *c, struct merge_plan *p, struct arena *a) {
    *c = (struct choice){ .p = p };
    for (uint32_t i = 0; i < p->n_groups && c->n < PLAN_CANDIDATES_MAX; i++) {
        struct merge_group *g = &p->groups[i];
        if (!g->mark.is_anew && (g->n_shared || is_small(g))) c->at[c->n++] = g;
    }
    if (c->n > 1) qsort(c->at, c->n, sizeof *c->at, by_start);
    c->number = ARENA_ARRAY(a, p->n_groups + 1ull, uint32_t);
    c->pair = arena_zalloc(a, ((size_t)c->n * c->n + 1) * sizeof *c->pair);
    if (!c->number || !c->pair) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_groups; i++) c->number[i] = c->n;
    for (uint32_t i = 0; i < c->n; i++) c->number[c->at[i] - p->groups] = i;
    for (uint32_t i = 0, to; i < p->n_traces; i = to) {
        to = end_of_trace(p, i);
        if (to - i > 1) each_pair(p, i, to, see_pair, c);
    }
    return ERR_OK;
}

static void batch_begin(struct choice *c) {
    c->batch++;
    c->n_members = c->rows = 0;
    memset(c->pull, 0, sizeof c->pull);
}

static void batch_add(struct choice *c, uint32_t k) {
    c->taken[k] = true;
    c->at[k]->batch = c->batch;
    c->rows += c->at[k]->n_rows;
    c->n_members++;
    for (uint32_t i = 0; i < c->n; i++) c->pull[i] += c->pair[k * c->n + i];
}

static bool batch_takes(const struct choice *c, uint32_t k, bool is_outlier) {
    return !c->taken[k] && c->at[k]->mark.is_outlier == is_outlier &&
           c->rows + c->at[k]->n_rows <= PLAN_BATCH_ROWS;
}

// First those that share the most traces with what is in it, then small ones, the earliest first.
static void batch_fill(struct choice *c, bool is_outlier) {
    for (;;) {
        uint32_t best = c->n;
        for (uint32_t k = 0; k < c->n; k++)
            if (batch_takes(c, k, is_outlier) && c->pull[k] > (best < c->n ? c->pull[best] : 0)) best = k;
        if (best == c->n) break;
        batch_add(c, best);
    }
    for (uint32_t k = 0; k < c->n; k++)
        if (is_small(c->at[k]) && batch_takes(c, k, is_outlier)) batch_add(c, k);
}

// The pair that shares the most, of which one has too many split traces.
static bool best_pair(const struct choice *c, uint32_t *x, uint32_t *y) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t k = i + 1; k < c->n; k++) {
            if (c->taken[i] || c->taken[k] || c->pair[i * c->n + k] <= most) continue;
            if (!is_split(c->at[i]) && !is_split(c->at[k])) continue;
            most = c->pair[i * c->n + k];
            *x = i;
            *y = k;
        }
    return most > 0;
}

static void choose_batches(struct choice *c) {
    uint32_t x, y;
    while (best_pair(c, &x, &y)) {
        batch_begin(c);
        batch_add(c, x);
        batch_add(c, y);
        batch_fill(c, c->at[x]->mark.is_outlier);
    }
    for (uint32_t k = 0; k < c->n; k++) {
        if (c->taken[k] || !is_small(c->at[k])) continue;
        batch_begin(c);
        batch_add(c, k);
        batch_fill(c, c->at[k]->mark.is_outlier);
        if (c->n_members == 1) c->at[k]->batch = 0; // alone there is nothing to gain
    }
}

// --- the order of the output -----------------------------------------------------------------------

struct place {
    struct merge_group g;
    uint32_t index;    // before
    uint64_t start_ns; // of the batch, or of the row group that is copied
};

static int by_place(const void *x, const void *y) {
    const struct place *a = x, *b = y;
    if (a->g.mark.is_outlier != b->g.mark.is_outlier) return a->g.mark.is_outlier ? 1 : -1;
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns ? -1 : 1;
    if (a->g.batch != b->g.batch) return a->g.batch < b->g.batch ? -1 : 1;
    if (a->g.start_ns != b->g.start_ns) return a->g.start_ns < b->g.start_ns ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

// By start, outliers behind.
static enum err put_in_order(struct merge_plan *p, struct arena *a, uint32_t n_batches) {
    struct place *places = ARENA_ARRAY(a, p->n_groups + 1ull, struct place);
    uint64_t *start = ARENA_ARRAY(a, n_batches + 1ull, uint64_t);
    uint32_t *now = ARENA_ARRAY(a, p->n_groups + 1ull, uint32_t);
    if (!places || !start || !now) return ERR_NOMEM;
    for (uint32_t i = 0; i <= n_batches; i++) start[i] = UINT64_MAX;
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct merge_group *g = &p->groups[i];
        if (g->start_ns < start[g->batch]) start[g->batch] = g->start_ns;
    }
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct merge_group *g = &p->groups[i];
        places[i] = (struct place){ *g, i, g->batch ? start[g->batch] : g->start_ns };
    }
    if (p->n_groups > 1) qsort(places, p->n_groups, sizeof *places, by_place);
    for (uint32_t i = 0; i < p->n_groups; i++) {
        p->groups[i] = places[i].g;
        now[places[i].index] = i;
    }
    for (uint32_t i = 0; i < p->n_traces; i++) p->traces[i].group = now[p->traces[i].group];
    return ERR_OK;
}

enum err merge_plan_make(struct block *const *inputs, uint32_t n_inputs, struct block_scan *s,
                         struct arena *a, struct merge_plan *out) {
    struct choice c;
    TRY(collect(inputs, n_inputs, s, a, out));
    TRY(count_shared(out, a));
    TRY(choice_make(&c, out, a));
    choose_batches(&c);
    return put_in_order(out, a, c.batch);
}

void merge_plan_drop(struct merge_plan *p, const uint8_t (*ids)[16], uint32_t n) {
    uint32_t n_batches = 0, kept = 0;
    for (uint32_t i = 0; i < p->n_groups; i++)
        if (p->groups[i].batch > n_batches) n_batches = p->groups[i].batch;
    for (uint32_t i = 0; i < p->n_traces; i++) {
        bool is_dropped = false;
        for (uint32_t k = 0; k < n; k++) is_dropped |= memcmp(p->traces[i].id, ids[k], 16) == 0;
        struct merge_group *g = &p->groups[p->traces[i].group];
        if (!is_dropped)
            p->traces[kept++] = p->traces[i];
        else if (g->batch == 0)
            g->batch = ++n_batches;
    }
    p->n_traces = kept;
}
