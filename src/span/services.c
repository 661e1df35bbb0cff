// SPDX-License-Identifier: Apache-2.0
#include "span/services.h"

#include <stdlib.h>

#include "span/table.h"

enum { DEPTH = 4 }; // of the JSON
enum { STATUS_ERROR = 2 };

// --- writing ---------------------------------------------------------------------------------------

enum err services_tally_init(struct services_tally *y, struct arena *a, const struct span_table *t,
                             uint32_t n_resources) {
    *y = (struct services_tally){ .t = t,
                                  .stamps = arena_zalloc(a, (n_resources + 1ull) * sizeof *y->stamps),
                                  .slots = ARENA_ARRAY(a, n_resources + 1ull, uint32_t),
                                  .counts = ARENA_ARRAY(a, n_resources + 1ull, struct service_count) };
    return y->stamps && y->slots && y->counts ? ERR_OK : ERR_NOMEM;
}

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct service_count *)x)->name, ((const struct service_count *)y)->name);
}

// Instances of a service are one.
static void write_counts(struct service_count *list, uint32_t n, struct buf *out) {
    struct json_writer w = json_writer_on(out);
    if (n > 1) qsort(list, n, sizeof *list, by_name);
    jw_object(&w);
    for (uint32_t i = 0; i < n;) {
        struct service_count sum = list[i];
        for (i++; i < n && str_eq(list[i].name, sum.name); i++) {
            sum.spans += list[i].spans;
            sum.errors += list[i].errors;
        }
        jw_key(&w, sum.name);
        jw_array(&w);
        jw_u64(&w, sum.spans);
        jw_u64(&w, sum.errors);
        jw_array_end(&w);
    }
    jw_object_end(&w);
}

void services_write(struct services_tally *y, const uint32_t *rows, uint32_t n, struct buf *out) {
    uint32_t n_counts = 0;
    y->stamp++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t resource = SEG_AT(&y->t->resource, rows[i], uint32_t);
        if (y->stamps[resource] != y->stamp) {
            y->stamps[resource] = y->stamp;
            y->slots[resource] = n_counts;
            y->counts[n_counts++] = (struct service_count){ span_resource_at(y->t, resource)->service, 0, 0 };
        }
        struct service_count *c = &y->counts[y->slots[resource]];
        c->spans++;
        c->errors += SEG_AT(&y->t->status, rows[i], uint8_t) == STATUS_ERROR;
    }
    write_counts(y->counts, n_counts, out);
}

// --- as it is written ------------------------------------------------------------------------------

static bool read_count(const char **p, const char *end, char close, uint32_t *out) {
    uint64_t n = 0;
    const char *first = *p;
    while (*p < end && **p >= '0' && **p <= '9' && n <= UINT32_MAX) n = n * 10 + (uint64_t)(*(*p)++ - '0');
    if (*p == first || *p == end || n > UINT32_MAX || *(*p)++ != close) return false;
    *out = (uint32_t)n;
    return true;
}

struct services_rest services_counts_(const char *at, const char *end) {
    struct services_rest r = { 0 };
    if (end - at < 3 || memcmp(at, "\":[", 3) != 0) return r;
    at += 3;
    if (read_count(&at, end, ',', &r.spans) && read_count(&at, end, ']', &r.errors) && at < end) r.at = at;
    return r;
}

// false: ask the reader of all JSON.
static bool next_plain(struct services *s, struct service_count *out) {
    const char *p = s->at, *end = s->text.ptr + s->text.len;
    if (p == end || *p != '"') return false;
    const char *name = ++p;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= ' ') p++;
    if (end - p < SERVICES_BEHIND) return false;
    out->name = (struct str){ name, (size_t)(p - name) };
    struct services_rest r = services_counts(p, end);
    p = r.at;
    if (!p || (*p != ',' && *p != '}')) return false;
    if (*p == '}' ? p + 1 != end : p + 1 == end || p[1] != '"') return false;
    out->spans = r.spans;
    out->errors = r.errors;
    s->at = p + 1;
    return true;
}

// --- any JSON --------------------------------------------------------------------------------------

static bool corrupt(struct services *s) {
    s->err = ERR_CORRUPT;
    return false;
}

static bool next_count(struct json *j, uint32_t *out) {
    uint64_t n;
    if (json_next(j) != JSON_NUMBER || !json_u64(j->text, &n) || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static bool next_any(struct services *s, struct service_count *out) {
    struct json *j = &s->json;
    if (json_next(j) == JSON_OBJECT_END) json_next(j);
    if (j->kind == JSON_END) return false; // for ever
    if (j->kind != JSON_KEY) return corrupt(s);
    buf_reset(&s->name);
    json_text(j, &s->name);
    out->name = buf_view(&s->name);
    if (json_next(j) != JSON_ARRAY || !next_count(j, &out->spans) || !next_count(j, &out->errors) ||
        json_next(j) != JSON_ARRAY_END)
        return corrupt(s);
    if (s->name.failed) s->err = ERR_NOMEM;
    return !s->name.failed;
}

// From the first entry on that was not read yet.
static bool begin_any(struct services *s) {
    struct service_count read;
    json_init(&s->json, s->text, DEPTH, &s->ctx);
    s->is_any = true;
    if (json_next(&s->json) != JSON_OBJECT) return corrupt(s);
    for (uint32_t i = 0; i < s->n; i++)
        if (!next_any(s, &read)) return false;
    return true;
}

// --- one after the other -----------------------------------------------------------------------------

void services_begin(struct services *s, struct str text) {
    *s = (struct services){ .text = text, .at = text.len ? text.ptr + 1 : NULL };
    buf_init(&s->name, SIZE_MAX);
    if (text.len < 2 || *text.ptr != '{') begin_any(s);
}

bool services_next(struct services *s, struct service_count *out) {
    if (s->err != ERR_OK) return false;
    if (!s->is_any) {
        if (next_plain(s, out)) {
            s->n++;
            return true;
        }
        if (s->n > 0 && s->at == s->text.ptr + s->text.len) return false; // behind the brace
        if (!begin_any(s)) return false;
    }
    return next_any(s, out);
}

enum err services_end(struct services *s) {
    buf_fini(&s->name);
    return s->err;
}
