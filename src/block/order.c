// SPDX-License-Identifier: Apache-2.0
#include "block/order.h"

#include <stdlib.h>

#include "span/order.h"

struct trace_key {
    uint64_t start;
    const uint8_t *id;
    uint32_t trace, first, n;
};

static int by_trace(const void *x, const void *y) {
    const struct trace_key *a = x, *b = y;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return memcmp(a->id, b->id, 16);
}

// --- the order -----------------------------------------------------------------------------------

struct maker {
    const struct span_table *t;
    uint32_t n;
    struct arena *a;
    struct order *out;
    const bool *outlier;    // per row
    struct span_key *keys;  // of the section, in runs
    struct span_key *space; // for sorting
};

// The traces of one section (main or outliers) with their spans in m->keys, sorted.
static enum err section_traces(struct maker *m, bool outliers, struct trace_key **out, uint32_t *out_n) {
    const struct span_table *t = m->t;
    uint32_t n_traces = t->n_traces, n = 0, at = 0;
    struct trace_key *tk = ARENA_ARRAY(m->a, n_traces + 1, struct trace_key);
    if (!tk) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_traces; i++)
        tk[i] = (struct trace_key){ UINT64_MAX, span_trace_at(t, i)->id, i, 0, 0 };
    for (uint32_t row = 0; row < m->n; row++) {
        if (m->outlier[row] != outliers) continue;
        struct trace_key *k = &tk[SEG_AT(&t->trace, row, uint32_t)];
        uint64_t start = SEG_AT(&t->start_ns, row, uint64_t);
        if (start < k->start) k->start = start;
        k->n++;
    }
    uint32_t *at_of = ARENA_ARRAY(m->a, n_traces + 1, uint32_t);
    if (!at_of) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_traces; i++) {
        if (tk[i].n == 0) continue;
        at_of[tk[i].trace] = tk[i].first = at;
        at += tk[i].n;
        tk[n++] = tk[i];
    }
    for (uint32_t row = 0; row < m->n; row++) {
        if (m->outlier[row] != outliers) continue;
        uint32_t *p = &at_of[SEG_AT(&t->trace, row, uint32_t)];
        m->keys[(*p)++] = span_key_of(t, row);
    }
    if (n > 1) qsort(tk, n, sizeof *tk, by_trace);
    *out = tk;
    *out_n = n;
    return ERR_OK;
}

static struct order_group *group_new(struct order *o, bool outliers) {
    struct order_group *g = &o->groups[o->n_groups++];
    *g = (struct order_group){ o->n_runs, 0, o->n_rows, 0, outliers };
    return g;
}

static enum err section(struct maker *m, bool outliers) {
    struct order *o = m->out;
    struct order_group *g = NULL;
    struct trace_key *tk;
    uint32_t n;
    TRY(section_traces(m, outliers, &tk, &n));
    for (uint32_t i = 0; i < n; i++) {
        struct span_key *k = m->keys + tk[i].first;
        uint32_t kept;
        span_keys_sort(k, tk[i].n, m->space);
        TRY(span_keys_settle(m->t, k, tk[i].n, &kept));
        o->n_equal += tk[i].n - kept;
        if (!g || g->n + kept > BLOCK_GROUP_ROWS) g = group_new(o, outliers);
        o->runs[o->n_runs++] = (struct order_run){ tk[i].trace, o->n_rows, kept };
        for (uint32_t r = 0; r < kept; r++) o->rows[o->n_rows++] = k[r].row;
        g->n += kept;
        g->n_runs++;
    }
    return ERR_OK;
}

enum err order_sort(const struct span_table *t, uint32_t n, const bool *outlier, struct arena *a,
                    struct order *out) {
    uint32_t n_outliers = 0;
    *out = (struct order){ .rows = ARENA_ARRAY(a, n, uint32_t),
                           .runs = ARENA_ARRAY(a, t->n_traces * 2ull, struct order_run),
                           .groups = ARENA_ARRAY(a, n / (BLOCK_GROUP_ROWS / 2) + 4ull, struct order_group) };
    struct maker m = { t,
                       n,
                       a,
                       out,
                       outlier,
                       ARENA_ARRAY(a, n, struct span_key),
                       ARENA_ARRAY(a, n / 2 + 1ull, struct span_key) };
    if (!out->rows || !out->runs || !out->groups || !m.keys || !m.space) return ERR_NOMEM;
    for (uint32_t row = 0; row < n; row++) n_outliers += outlier[row];
    if (n_outliers < n) TRY(section(&m, false));
    if (n_outliers > 0) TRY(section(&m, true));
    return ERR_OK;
}

enum err order_make(const struct span_table *t, uint32_t n, uint64_t (*received_ns)(void *, uint32_t),
                    void *ctx, struct arena *a, struct order *out) {
    bool *outlier = arena_zalloc(a, n + 1ull);
    if (!outlier) return ERR_NOMEM;
    for (uint32_t row = 0; row < n; row++) {
        uint64_t start = SEG_AT(&t->start_ns, row, uint64_t), at = received_ns(ctx, row);
        outlier[row] = is_outlier(start, at);
    }
    return order_sort(t, n, outlier, a, out);
}
