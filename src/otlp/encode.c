// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"

#include <stdlib.h>

#include "span/canon.h"
#include "span/wire.h"

struct placed {
    uint32_t resource, scope; // ranks
    uint32_t at;              // among the rows
};

static int by_place(const void *x, const void *y) {
    const struct placed *a = x, *b = y;
    if (a->resource != b->resource) return a->resource < b->resource ? -1 : 1;
    if (a->scope != b->scope) return a->scope < b->scope ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

// Ranks by first occurrence; rank[i] = 0: not seen yet.
static uint32_t rank_of(uint32_t *rank, uint32_t *n, uint32_t i) {
    if (rank[i] == 0) rank[i] = ++*n;
    return rank[i];
}

static enum err place_rows(const struct span_table *t, const uint32_t *rows, uint32_t n, struct arena *a,
                           struct placed **out) {
    struct placed *p = ARENA_ARRAY(a, n + 1ull, struct placed);
    uint32_t *resources = arena_zalloc(a, (t->n_resources + 1ull) * sizeof(uint32_t));
    uint32_t *scopes = arena_zalloc(a, (t->n_scopes + 1ull) * sizeof(uint32_t)), n_res = 0, n_scopes = 0;
    if (!p || !resources || !scopes) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        p[i] = (struct placed){ rank_of(resources, &n_res, SEG_AT(&t->resource, rows[i], uint32_t)),
                                rank_of(scopes, &n_scopes, SEG_AT(&t->scope, rows[i], uint32_t)), i };
    if (n > 1) qsort(p, n, sizeof *p, by_place);
    *out = p;
    return ERR_OK;
}

static void write_entity(struct buf *out, struct str entity, uint32_t field) {
    struct str message, url;
    canon_entity_split(entity, &message, &url);
    pb_bytes(out, field, message);
}

static void write_schema_url(struct buf *out, struct str entity, uint32_t field) {
    struct str message, url;
    canon_entity_split(entity, &message, &url);
    if (url.len) pb_bytes(out, field, url);
}

static enum err write_scope(const struct span_table *t, const uint32_t *rows, const struct placed *p,
                            uint32_t n, struct arena *scratch, struct buf *out) {
    struct str scope = span_scope_at(t, SEG_AT(&t->scope, rows[p[0].at], uint32_t))->bytes;
    size_t mark = pb_begin(out, RS_SCOPE_SPANS);
    write_entity(out, scope, SS_SCOPE);
    for (uint32_t i = 0; i < n; i++) {
        size_t span = pb_begin(out, SS_SPANS);
        TRY(canon_span(t, rows[p[i].at], scratch, out));
        pb_end(out, span);
    }
    write_schema_url(out, scope, SS_SCHEMA_URL);
    pb_end(out, mark);
    return ERR_OK;
}

static enum err write_resource(const struct span_table *t, const uint32_t *rows, const struct placed *p,
                               uint32_t n, struct arena *scratch, struct buf *out) {
    struct str resource = span_resource_at(t, SEG_AT(&t->resource, rows[p[0].at], uint32_t))->bytes;
    size_t mark = pb_begin(out, REQUEST_RESOURCE_SPANS);
    write_entity(out, resource, RS_RESOURCE);
    for (uint32_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && p[k].scope == p[i].scope;) k++;
        TRY(write_scope(t, rows, p + i, k - i, scratch, out));
    }
    write_schema_url(out, resource, RS_SCHEMA_URL);
    pb_end(out, mark);
    return ERR_OK;
}

enum err otlp_encode(const struct span_table *t, const uint32_t *rows, uint32_t n, struct arena *scratch,
                     struct buf *out) {
    struct placed *p;
    TRY(place_rows(t, rows, n, scratch, &p));
    for (uint32_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && p[k].resource == p[i].resource;) k++;
        TRY(write_resource(t, rows, p + i, k - i, scratch, out));
    }
    return out->failed ? ERR_NOMEM : ERR_OK;
}
