// SPDX-License-Identifier: Apache-2.0
#include "delivery/neighbours.h"

#include "base/hash.h"
#include "base/map.h"
#include "intake/stamp.h"

#define DAY_NS (24 * 3600 * 1000000000ll)
#define FRESH_NS (600 * 1000000000ll) // a time that is off by this is not worth a write

// --- reading -----------------------------------------------------------------------------------------------

// What takes requests or begins traces.
static const char filter[] = "{ kind = server || kind = consumer || span:parentID = \"\" }";
static const char *const fields[] = { "resource.service.name", "parent.resource.service.name" };
enum { F_SERVICE, F_CALLER, F_COUNT };

struct reading {
    struct arena *a;
    struct neighbours *out;
    uint32_t cap;
    struct map found; // hashes of caller and callee → item
    uint64_t n_spans;
};

static uint64_t hash_of(const struct neighbours_seen *s) {
    return (hash_str(s->caller) * 31 + hash_str(s->callee)) * 31 + (uint64_t)stamp_month(s->first);
}
static bool is_same(const void *ctx, uint32_t i, const void *key) {
    const struct neighbours_seen *item = &((const struct reading *)ctx)->out->items[i], *want = key;
    return str_eq(item->caller, want->caller) && str_eq(item->callee, want->callee) &&
           stamp_month(item->first) == stamp_month(want->first);
}
static uint64_t rehash(const void *ctx, uint32_t i) {
    return hash_of(&((const struct reading *)ctx)->out->items[i]);
}

static enum err add(struct reading *r, const struct neighbours_seen *s) {
    struct neighbours *to = r->out;
    if (to->n == NEIGHBOURS_SERVICES_MAX + NEIGHBOURS_CALLS_MAX) {
        to->partial = true;
        return ERR_OK;
    }
    struct neighbours_seen *items = arena_grow(r->a, to->items, to->n, &r->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    to->items = items;
    items[to->n] =
        (struct neighbours_seen){ str_dup(r->a, s->caller), str_dup(r->a, s->callee), s->first, s->last };
    if (r->a->failed) return ERR_NOMEM;
    TRY(map_put(&r->found, hash_of(s), to->n, rehash, r));
    to->n++;
    return ERR_OK;
}

static enum err see(struct reading *r, struct str caller, struct str callee, int64_t start) {
    struct neighbours_seen s = { caller, callee, start, start };
    if (!callee.len || callee.len > NEIGHBOURS_NAME_MAX || caller.len > NEIGHBOURS_NAME_MAX) return ERR_OK;
    uint32_t at = map_get(&r->found, hash_of(&s), is_same, r, &s);
    if (at == MAP_NONE) return add(r, &s);
    struct neighbours_seen *item = &r->out->items[at];
    if (start < item->first) item->first = start;
    if (start > item->last) item->last = start;
    return ERR_OK;
}

static struct str text_of(const struct value *v) {
    return v->type == VALUE_STRING ? v->s : STR("");
}

static enum err see_span(void *ctx, const struct visit_span *s) {
    struct reading *r = ctx;
    struct str service = text_of(&s->values[F_SERVICE]), caller = text_of(&s->values[F_CALLER]);
    int64_t start = (int64_t)s->start_ns;
    if (r->n_spans++ == NEIGHBOURS_SPANS_MAX) return ERR_EXISTS; // enough
    TRY(see(r, STR(""), service, start));
    if (!caller.len || str_eq(caller, service)) return ERR_OK;
    TRY(see(r, STR(""), caller, start));
    return see(r, caller, service, start);
}

enum err neighbours_read(struct arena *a, struct view *v, const struct query_bounds *bounds,
                         struct neighbours *out, struct err_ctx *ctx) {
    struct reading r = { .a = a, .out = out };
    struct visit q = { .filter = str_of(filter),
                       .fields = fields,
                       .n_fields = F_COUNT,
                       .bounds = *bounds,
                       .each = see_span,
                       .ctx = &r };
    struct visit_answer answer = { 0 };
    *out = (struct neighbours){ 0 };
    map_init(&r.found, NEIGHBOURS_SERVICES_MAX + NEIGHBOURS_CALLS_MAX);
    enum err e = visit_run(v, &q, &answer, ctx);
    map_fini(&r.found);
    bool enough = e == ERR_EXISTS && r.n_spans > NEIGHBOURS_SPANS_MAX;
    out->partial |= answer.partial || enough;
    return enough ? ERR_OK : e;
}

// --- keeping -----------------------------------------------------------------------------------------------

static const char keep_service[] =
    "INSERT INTO seen_service SELECT ?2, ?3, ?4 WHERE (SELECT count(*) FROM seen_service) < ?5 OR EXISTS "
    "(SELECT 1 FROM seen_service WHERE service = ?2) ON CONFLICT(service) DO UPDATE SET first_at = "
    "min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at) WHERE excluded.last_at > "
    "last_at + ?6 OR excluded.first_at < first_at";
static const char keep_call[] =
    "INSERT INTO seen_call SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM seen_call) < ?5 OR EXISTS "
    "(SELECT 1 FROM seen_call WHERE caller = ?1 AND callee = ?2) ON CONFLICT(caller, callee) DO UPDATE SET "
    "first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at) WHERE "
    "excluded.last_at > last_at + ?6 OR excluded.first_at < first_at";

static enum err keep(struct db *d, const struct neighbours_seen *s) {
    bool call = s->caller.len > 0;
    struct db_row *r;
    TRY(db_prepare(d, call ? keep_call : keep_service, &r));
    if (call) db_bind_text(r, 1, s->caller);
    db_bind_text(r, 2, s->callee);
    db_bind_i64(r, 3, s->first);
    db_bind_i64(r, 4, s->last);
    db_bind_i64(r, 5, call ? NEIGHBOURS_CALLS_MAX : NEIGHBOURS_SERVICES_MAX);
    db_bind_i64(r, 6, FRESH_NS);
    return db_done(r);
}

static enum err forget(struct db *d, const char *sql, int64_t before) {
    struct db_row *r;
    TRY(db_prepare(d, sql, &r));
    db_bind_i64(r, 1, before);
    return db_done(r);
}

enum err neighbours_keep(struct db *d, const struct neighbours *seen, int64_t now) {
    TRY(forget(d, "DELETE FROM seen_service WHERE last_at < ?", now - NEIGHBOURS_DAYS * DAY_NS));
    TRY(forget(d, "DELETE FROM seen_call WHERE last_at < ?", now - NEIGHBOURS_DAYS * DAY_NS));
    for (uint32_t i = 0; i < seen->n; i++) TRY(keep(d, &seen->items[i]));
    return ERR_OK;
}
