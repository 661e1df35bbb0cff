// SPDX-License-Identifier: Apache-2.0
#include "ingest/model.h"

#include <stdlib.h>

#include "otlp/check.h"
#include "otlp/decode.h"
#include "span/canon.h"

enum { STATUS_ERROR = 2 };

void model_init(struct model *m) {
    *m = (struct model){ .n = 0 };
    arena_init(&m->arena, SIZE_MAX, NULL);
}

void model_fini(struct model *m) {
    mem_free(m->at);
    arena_fini(&m->arena);
}

static enum err canonical(struct model *m, const struct span_table *t, uint32_t row, struct arena *scratch,
                          struct str *out) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    enum err e = canon_span(t, row, scratch, &b);
    if (e == ERR_OK) *out = str_dup(&m->arena, buf_view(&b));
    buf_fini(&b);
    return e;
}

static enum err add_row(struct model *m, const struct span_table *t, uint32_t row, struct arena *scratch,
                        bool is_sure) {
    struct model_span *more = mem_grow(m->at, m->n, &m->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    m->at = more;
    struct model_span *s = &m->at[m->n];
    const struct span_entity *r = span_resource_at(t, SEG_AT(&t->resource, row, uint32_t));
    *s = (struct model_span){
        .id = __builtin_bswap64(SEG_AT(&t->span_id, row, uint64_t)),
        .start_ns = SEG_AT(&t->start_ns, row, uint64_t),
        .service = str_dup(&m->arena, r->service),
        .name = str_dup(&m->arena, span_name(t, row)),
        .resource = str_dup(&m->arena, r->bytes),
        .scope = str_dup(&m->arena, span_scope_at(t, SEG_AT(&t->scope, row, uint32_t))->bytes),
        .is_root = SEG_AT(&t->parent_id, row, uint64_t) == 0,
        .is_error = SEG_AT(&t->status, row, uint8_t) == STATUS_ERROR,
        .is_sure = is_sure,
    };
    s->end_ns = s->start_ns + span_duration_ns(t, row);
    memcpy(s->trace, span_trace_id(t, row), 16);
    TRY(canonical(m, t, row, scratch, &s->span));
    m->n++;
    return m->arena.failed ? ERR_NOMEM : ERR_OK;
}

enum err model_add_rows(struct model *m, const struct span_table *t, const uint32_t *rows, uint32_t n,
                        bool is_sure) {
    struct arena scratch;
    enum err e = ERR_OK;
    arena_init(&scratch, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
        arena_reset(&scratch);
        e = add_row(m, t, rows ? rows[i] : i, &scratch, is_sure);
    }
    arena_fini(&scratch);
    return e;
}

enum err model_add(struct model *m, struct str body, bool is_sure) {
    struct span_table t;
    struct otlp_decoder *d;
    struct otlp_check c;
    struct arena a;
    struct err_ctx ctx = { 0 };
    uint32_t added;
    span_table_init(&t, SIZE_MAX, NULL);
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = otlp_decoder_new(&t, &d);
    if (e == ERR_OK) {
        e = otlp_check(body, &a, &c, &ctx);
        if (e == ERR_OK) e = otlp_decode(d, body, c.refused, c.n_refused, &added);
        if (e == ERR_OK) e = model_add_rows(m, &t, NULL, t.n, is_sure);
        otlp_decoder_free(d);
    }
    span_table_fini(&t);
    arena_fini(&a);
    return e;
}

int model_compare(const struct model_span *a, const struct model_span *b) {
    int c = memcmp(a->trace, b->trace, 16);
    if (c) return c;
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    if ((c = str_cmp(a->span, b->span)) != 0) return c;
    if ((c = str_cmp(a->resource, b->resource)) != 0) return c;
    return str_cmp(a->scope, b->scope);
}

static int by_place(const void *x, const void *y) {
    const struct model_span *a = x, *b = y;
    int c = model_compare(a, b);
    return c ? c : (int)b->is_sure - (int)a->is_sure; // of equal ones the sure one stays
}

void model_sort(struct model *m) {
    uint32_t kept = 0;
    if (m->n > 1) qsort(m->at, m->n, sizeof *m->at, by_place);
    for (uint32_t i = 0; i < m->n; i++)
        if (kept == 0 || model_compare(&m->at[kept - 1], &m->at[i]) != 0) m->at[kept++] = m->at[i];
    m->n = kept;
}

uint32_t model_find(const struct model *m, const uint8_t id[16], uint32_t *out_first) {
    uint32_t low = 0, high = m->n, end;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (memcmp(m->at[mid].trace, id, 16) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < m->n && memcmp(m->at[end].trace, id, 16) == 0;) end++;
    *out_first = low;
    return end - low;
}

void model_drop(struct model *m, const uint8_t id[16]) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (memcmp(m->at[i].trace, id, 16) != 0) m->at[n++] = m->at[i];
    m->n = n;
}

void model_doubt(struct model *m, const uint8_t id[16]) {
    for (uint32_t i = 0; i < m->n; i++)
        if (memcmp(m->at[i].trace, id, 16) == 0) m->at[i].is_sure = false;
}
