// SPDX-License-Identifier: Apache-2.0
#include "block/order.h"

#include <stdlib.h>

#include "span/canon.h"

// What a span is sorted by inside its trace.
struct key {
    uint64_t start, span_id;
    uint32_t row;
};

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

static int by_span(const void *x, const void *y) {
    const struct key *a = x, *b = y;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    uint64_t p = __builtin_bswap64(a->span_id), q = __builtin_bswap64(b->span_id);
    return p != q ? (p < q ? -1 : 1) : (a->row > b->row) - (a->row < b->row);
}

// Small runs are sorted in place: most traces have some twenty spans, nearly in order already.
static void sort_keys(struct key *k, uint32_t n) {
    if (n > 64) {
        qsort(k, n, sizeof *k, by_span);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        struct key x = k[i];
        uint32_t j = i;
        for (; j > 0 && by_span(&x, &k[j - 1]) < 0; j--) k[j] = k[j - 1];
        k[j] = x;
    }
}

// --- equal spans ---------------------------------------------------------------------------------

struct twin {
    struct str span; // canonical bytes
    const struct span_entity *resource, *scope;
    uint32_t row;
};

static int by_entity(const struct span_entity *a, const struct span_entity *b) {
    return a == b ? 0 : str_cmp(a->bytes, b->bytes);
}

// By content alone: the numbers of resources and scopes follow from the order of arrival.
static int by_twin(const void *x, const void *y) {
    const struct twin *a = x, *b = y;
    int c = str_cmp(a->span, b->span);
    if (c == 0) c = by_entity(a->resource, b->resource);
    return c ? c : by_entity(a->scope, b->scope);
}

static enum err twin_bytes(const struct span_table *t, uint32_t row, struct arena *a, struct buf *buf,
                           struct twin *out) {
    buf_reset(buf);
    TRY(canon_span(t, row, a, buf));
    *out = (struct twin){ str_dup(a, buf_view(buf)), span_resource_at(t, SEG_AT(&t->resource, row, uint32_t)),
                          span_scope_at(t, SEG_AT(&t->scope, row, uint32_t)), row };
    return out->span.ptr ? ERR_OK : ERR_NOMEM;
}

// n spans of one trace with the same start and span id: keeps one of those equal in every field.
static enum err drop_equal(const struct span_table *t, struct key *k, uint32_t n, uint32_t *out_kept) {
    struct arena a;
    struct buf buf;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&buf, SIZE_MAX);
    struct twin *twins = ARENA_ARRAY(&a, n, struct twin);
    enum err e = twins ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) e = twin_bytes(t, k[i].row, &a, &buf, &twins[i]);
    uint32_t kept = 0;
    if (e == ERR_OK) {
        struct key proto = k[0];
        qsort(twins, n, sizeof *twins, by_twin);
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0 && by_twin(&twins[i], &twins[i - 1]) == 0) continue;
            k[kept] = proto;
            k[kept++].row = twins[i].row;
        }
    }
    buf_fini(&buf);
    arena_fini(&a);
    *out_kept = kept;
    return e;
}

static enum err dedup_run(const struct span_table *t, struct key *k, uint32_t n, uint32_t *out_n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1, m = 1;
        while (end < n && k[end].start == k[i].start && k[end].span_id == k[i].span_id) end++;
        if (end - i > 1) TRY(drop_equal(t, k + i, end - i, &m));
        memmove(k + kept, k + i, m * sizeof *k);
        kept += m;
        i = end;
    }
    *out_n = kept;
    return ERR_OK;
}

// --- the order -----------------------------------------------------------------------------------

struct maker {
    const struct span_table *t;
    uint32_t n;
    struct arena *a;
    struct order *out;
    const bool *outlier; // per row
    struct key *keys;    // of the section, in runs
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
        m->keys[(*p)++] =
            (struct key){ SEG_AT(&t->start_ns, row, uint64_t), SEG_AT(&t->span_id, row, uint64_t), row };
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
        struct key *k = m->keys + tk[i].first;
        uint32_t kept;
        sort_keys(k, tk[i].n);
        TRY(dedup_run(m->t, k, tk[i].n, &kept));
        o->n_equal += tk[i].n - kept;
        if (!g || g->n + kept > BLOCK_GROUP_ROWS) g = group_new(o, outliers);
        o->runs[o->n_runs++] = (struct order_run){ tk[i].trace, o->n_rows, kept };
        for (uint32_t r = 0; r < kept; r++) o->rows[o->n_rows++] = k[r].row;
        g->n += kept;
        g->n_runs++;
    }
    return ERR_OK;
}

enum err order_make(const struct span_table *t, uint32_t n, uint64_t (*received_ns)(void *, uint32_t),
                    void *ctx, struct arena *a, struct order *out) {
    bool *outlier = arena_zalloc(a, n);
    uint32_t n_outliers = 0;
    *out = (struct order){ .rows = ARENA_ARRAY(a, n, uint32_t),
                           .runs = ARENA_ARRAY(a, t->n_traces * 2ull, struct order_run),
                           .groups = ARENA_ARRAY(a, n / (BLOCK_GROUP_ROWS / 2) + 4ull, struct order_group) };
    struct maker m = { t, n, a, out, outlier, ARENA_ARRAY(a, n, struct key) };
    if (!outlier || !out->rows || !out->runs || !out->groups || !m.keys) return ERR_NOMEM;
    for (uint32_t row = 0; row < n; row++) {
        uint64_t start = SEG_AT(&t->start_ns, row, uint64_t), at = received_ns(ctx, row);
        outlier[row] = start > at + OUTLIER_AHEAD_NS || start + OUTLIER_BEHIND_NS < at;
        n_outliers += outlier[row];
    }
    if (n_outliers < n) TRY(section(&m, false));
    if (n_outliers > 0) TRY(section(&m, true));
    return ERR_OK;
}
