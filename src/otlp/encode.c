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

// What one encoding needs. `items` holds what one span is sorted in.
struct encoder {
    const struct span_table *t;
    const uint32_t *rows;
    const struct placed *placed;
    uint32_t n, done;
    struct arena items;
    struct otlp_steps steps;
};

static enum err encoder_init(struct encoder *e, const struct span_table *t, const uint32_t *rows, uint32_t n,
                             struct arena *scratch, struct otlp_steps steps) {
    struct placed *p;
    TRY(place_rows(t, rows, n, scratch, &p));
    *e = (struct encoder){ .t = t, .rows = rows, .placed = p, .n = n, .steps = steps };
    arena_init(&e->items, SIZE_MAX, scratch->budget);
    return ERR_OK;
}

static enum err encode_span(struct encoder *e, uint32_t at, struct buf *out) {
    arena_reset(&e->items);
    return canon_span(e->t, e->rows[e->placed[at].at], &e->items, out);
}

static enum err step(struct encoder *e) {
    e->done++;
    return e->steps.after ? e->steps.after(e->steps.ctx, e->done) : ERR_OK;
}

// Behind the last of the rows from `at` that have its resource, or its resource and scope.
static uint32_t end_of_resource(const struct encoder *e, uint32_t at) {
    uint32_t k = at + 1;
    while (k < e->n && e->placed[k].resource == e->placed[at].resource) k++;
    return k;
}
static uint32_t end_of_scope(const struct encoder *e, uint32_t at, uint32_t end) {
    uint32_t k = at + 1;
    while (k < end && e->placed[k].scope == e->placed[at].scope) k++;
    return k;
}

static struct str resource_of(const struct encoder *e, uint32_t at) {
    return span_resource_at(e->t, SEG_AT(&e->t->resource, e->rows[e->placed[at].at], uint32_t))->bytes;
}
static struct str scope_of(const struct encoder *e, uint32_t at) {
    return span_scope_at(e->t, SEG_AT(&e->t->scope, e->rows[e->placed[at].at], uint32_t))->bytes;
}

// --- protobuf ------------------------------------------------------------------------------------

static enum err write_scope(struct encoder *e, uint32_t at, uint32_t end, struct buf *out) {
    struct str scope, url;
    canon_entity_split(scope_of(e, at), &scope, &url);
    size_t mark = pb_begin(out, RS_SCOPE_SPANS);
    pb_bytes(out, SS_SCOPE, scope);
    for (; at < end; at++) {
        size_t span = pb_begin(out, SS_SPANS);
        TRY(encode_span(e, at, out));
        pb_end(out, span);
        TRY(step(e));
    }
    if (url.len) pb_bytes(out, SS_SCHEMA_URL, url);
    pb_end(out, mark);
    return ERR_OK;
}

static enum err write_resource(struct encoder *e, uint32_t at, uint32_t end, struct buf *out) {
    struct str resource, url;
    canon_entity_split(resource_of(e, at), &resource, &url);
    size_t mark = pb_begin(out, REQUEST_RESOURCE_SPANS);
    pb_bytes(out, RS_RESOURCE, resource);
    for (uint32_t k; at < end; at = k) {
        k = end_of_scope(e, at, end);
        TRY(write_scope(e, at, k, out));
    }
    if (url.len) pb_bytes(out, RS_SCHEMA_URL, url);
    pb_end(out, mark);
    return ERR_OK;
}

enum err otlp_encode(const struct span_table *t, const uint32_t *rows, uint32_t n, struct arena *scratch,
                     struct otlp_steps steps, struct buf *out) {
    struct encoder e;
    TRY(encoder_init(&e, t, rows, n, scratch, steps));
    enum err err = ERR_OK;
    for (uint32_t at = 0, k; at < n && err == ERR_OK; at = k) {
        k = end_of_resource(&e, at);
        err = write_resource(&e, at, k, out);
    }
    arena_fini(&e.items);
    return err == ERR_OK && out->failed ? ERR_NOMEM : err;
}

// --- JSON ----------------------------------------------------------------------------------------

struct json_encoder {
    struct encoder e;
    struct buf pb; // of one span
    struct json_writer *w;
    enum otlp_flavour flavour;
};

static enum err json_entity(struct json_encoder *j, struct str key, const struct otlp_message *m,
                            struct str message) {
    jw_key(j->w, key);
    return otlp_json_write(m, message, j->flavour, j->w);
}

static void json_url(struct json_encoder *j, struct str url) {
    if (!url.len) return;
    jw_key(j->w, STR("schemaUrl"));
    jw_str(j->w, url);
}

static enum err json_scope(struct json_encoder *j, uint32_t at, uint32_t end) {
    struct str scope, url;
    canon_entity_split(scope_of(&j->e, at), &scope, &url);
    jw_object(j->w);
    TRY(json_entity(j, STR("scope"), &otlp_scope, scope));
    jw_key(j->w, STR("spans"));
    jw_array(j->w);
    for (; at < end; at++) {
        buf_reset(&j->pb);
        TRY(encode_span(&j->e, at, &j->pb));
        TRY(otlp_json_write(&otlp_span, buf_view(&j->pb), j->flavour, j->w));
        TRY(step(&j->e));
    }
    jw_array_end(j->w);
    json_url(j, url);
    jw_object_end(j->w);
    return ERR_OK;
}

static enum err json_resource(struct json_encoder *j, uint32_t at, uint32_t end) {
    struct str resource, url;
    canon_entity_split(resource_of(&j->e, at), &resource, &url);
    jw_object(j->w);
    TRY(json_entity(j, STR("resource"), &otlp_resource, resource));
    jw_key(j->w, STR("scopeSpans"));
    jw_array(j->w);
    for (uint32_t k; at < end; at = k) {
        k = end_of_scope(&j->e, at, end);
        TRY(json_scope(j, at, k));
    }
    jw_array_end(j->w);
    json_url(j, url);
    jw_object_end(j->w);
    return ERR_OK;
}

static enum err json_all(struct json_encoder *j, struct str key) {
    jw_object(j->w);
    if (j->e.n) {
        jw_key(j->w, key);
        jw_array(j->w);
        for (uint32_t at = 0, k; at < j->e.n; at = k) {
            k = end_of_resource(&j->e, at);
            TRY(json_resource(j, at, k));
        }
        jw_array_end(j->w);
    }
    jw_object_end(j->w);
    return j->w->out->failed ? ERR_NOMEM : ERR_OK;
}

enum err otlp_encode_json(const struct span_table *t, const uint32_t *rows, uint32_t n, struct arena *scratch,
                          struct otlp_steps steps, const struct otlp_message *m, enum otlp_flavour flavour,
                          struct json_writer *w) {
    struct json_encoder j = { .w = w, .flavour = flavour };
    TRY(encoder_init(&j.e, t, rows, n, scratch, steps));
    buf_init(&j.pb, SIZE_MAX);
    enum err e = json_all(&j, m->fields[0].name);
    buf_fini(&j.pb);
    arena_fini(&j.e.items);
    return e;
}
