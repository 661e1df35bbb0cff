// SPDX-License-Identifier: Apache-2.0
#include "delivery/inputs.h"

#include "base/map.h"
#include "delivery/environment.h"

#define ROW_MEMORY_MAX (1ull << 30)

// The services and environments of the scope, and what they ship.
struct shipped {
    struct str service, environment, repo;
    int64_t first, unknown;
};
struct inputs {
    struct db *db;
    struct arena kept;  // until all is read
    struct arena arena; // of the row at hand
    const struct scope *scope;
    const struct scope_visit *visit;
    struct shipped *shipped;
    uint32_t n, cap;
    struct map by_scope; // of shipped, by service and environment
    struct measure_flag flag;
    struct measure_flag_change *changes; // of the flag at hand
    uint32_t n_changes, cap_changes;
};

static void bind(struct db_row *r, const struct scope *s) {
    scope_bind(r, s);
    db_bind_text(r, 2, s->environment.len ? s->environment : STR(""));
}

static enum err give(struct inputs *in, const struct measure_input *what) {
    return in->visit->input(in->visit->ctx, what);
}

// --- flows -------------------------------------------------------------------------------------------------

static uint64_t hash_scope(struct str service, struct str environment) {
    return hash_u64(hash_str(service) ^ hash_str(environment) << 1);
}
static bool same_scope(const void *ctx, uint32_t i, const void *key) {
    const struct inputs *in = ctx;
    const struct flow_scope *s = key;
    return str_eq(in->shipped[i].service, s->service) && str_eq(in->shipped[i].environment, s->environment);
}
static uint64_t rehash_scope(const void *ctx, uint32_t i) {
    const struct inputs *in = ctx;
    return hash_scope(in->shipped[i].service, in->shipped[i].environment);
}
static bool holds(const void *ctx, const struct flow_scope *s) {
    const struct inputs *in = ctx;
    return map_get(&in->by_scope, hash_scope(s->service, s->environment), same_scope, in, s) != MAP_NONE;
}

static enum err read_shipped(void *ctx, struct db_row *r) {
    struct inputs *in = ctx;
    struct shipped *items = arena_grow(&in->kept, in->shipped, in->n, &in->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    in->shipped = items;
    items[in->n] = (struct shipped){ str_dup(&in->kept, db_text(r, 0)), str_dup(&in->kept, db_text(r, 1)),
                                     str_dup(&in->kept, db_text(r, 2)), db_i64(r, 3), db_i64(r, 4) };
    if (in->kept.failed) return ERR_NOMEM;
    uint64_t hash = hash_scope(items[in->n].service, items[in->n].environment);
    return map_put(&in->by_scope, hash, in->n++, rehash_scope, in);
}

// By repository, so that those of one stand together.
static void find_frontier(const struct inputs *in, struct flow *f) {
    uint32_t lo = 0, hi = in->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (str_cmp(in->shipped[mid].repo, f->repo) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; f->repo.len && lo < in->n && str_eq(in->shipped[lo].repo, f->repo); lo++) {
        const struct shipped *s = &in->shipped[lo];
        f->n_series++;
        if (s->first > f->first_success) f->first_success = s->first;
        if (s->unknown > f->unknown_until) f->unknown_until = s->unknown;
    }
}

static enum err read_flow(void *ctx, struct db_row *r) {
    struct inputs *in = ctx;
    struct flow f = { .repo = db_text(r, 1) };
    struct str names = db_text(r, 3);
    arena_reset(&in->arena);
    if (db_i64(r, 0) == FLOW_CHANGES) {
        find_frontier(in, &f);
        TRY(flow_unpack_changes(&in->arena, db_text(r, 2), names, holds, in, &f));
    } else {
        TRY(flow_unpack_runs(&in->arena, db_text(r, 2), names, &f));
    }
    return give(in, &(struct measure_input){ .flow = &f });
}

#define OF_SCOPE \
    " WHERE kind BETWEEN ?3 AND ?4 AND (?5 OR repo IN (SELECT repo FROM service_repo WHERE " SCOPE_SERVICES \
    ")) ORDER BY kind, repo, part"
static const char
    select_flows[] = "SELECT kind, repo, figures, NULL FROM flow" OF_SCOPE,
    select_named[] =
        "SELECT kind, repo, figures, names FROM flow JOIN flow_name USING (kind, repo, part)" OF_SCOPE;

static enum err each_flow(struct inputs *in) {
    const struct scope *s = in->scope;
    bool changes = in->visit->wants & MEASURE_WANTS_CHANGES, runs = in->visit->wants & MEASURE_WANTS_RUNS;
    struct db_row *r;
    TRY(db_prepare(
        in->db,
        "SELECT service, environment, repo, first_at, unknown_at FROM series WHERE " SCOPE_SERVICES
        " AND ((?2 = '' AND production) OR environment = ?2) AND change_kind = 'service' ORDER BY repo, "
        "service, environment",
        &r));
    bind(r, s);
    TRY(db_each(r, read_shipped, in));
    TRY(db_prepare(in->db, in->visit->with_names ? select_named : select_flows, &r));
    scope_bind(r, s);
    db_bind_i64(r, 3, changes ? FLOW_CHANGES : FLOW_RUNS);
    db_bind_i64(r, 4, runs ? FLOW_RUNS : FLOW_CHANGES);
    db_bind_i64(r, 5, !s->service.len && !s->team.len && !s->product.len && !s->tier);
    return db_each(r, read_flow, in);
}

// --- canaries and flags ------------------------------------------------------------------------------------

#define TIER_OF_CANARY SCOPE_TIER("canary")
#define TIER_OF_FLAG SCOPE_TIER("flag_change")

// What nobody told is where changes are watched.
static bool is_production(struct str tier, struct str environment) {
    return !environment.len || environment_is_production(tier, environment);
}

static enum canary_state canary_state_of(struct str s) {
    if (str_eq(s, STR("promoted"))) return CANARY_GOOD;
    if (str_eq(s, STR("failed"))) return CANARY_BAD;
    return str_eq(s, STR("superseded")) ? CANARY_OVERTAKEN : CANARY_OPEN;
}

static enum err read_canary(void *ctx, struct db_row *r) {
    struct inputs *in = ctx;
    struct measure_canary c = { .key = db_text(r, 0),
                                .service = db_text(r, 1),
                                .environment = db_text(r, 2),
                                .version = db_text(r, 3),
                                .reason = db_text(r, 4),
                                .state = canary_state_of(db_text(r, 5)),
                                .weight = db_f64(r, 6),
                                .started = db_i64(r, 7),
                                .ended = db_i64(r, 8) };
    c.production = in->scope->environment.len || is_production(db_text(r, 9), c.environment);
    return give(in, &(struct measure_input){ .canary = &c });
}

static enum err each_canary(struct inputs *in) {
    struct db_row *r;
    TRY(db_prepare(in->db,
                   "SELECT key, ifnull(service, ''), ifnull(environment, ''), version, reason, state, "
                   "most_weight, started_at, ended_at, " TIER_OF_CANARY " FROM canary"
                   " WHERE " SCOPE_SERVICES " AND (?2 = '' OR environment = ?2) ORDER BY key",
                   &r));
    bind(r, in->scope);
    return db_each(r, read_canary, in);
}

static enum err end_flag(struct inputs *in) {
    in->flag.changes = in->changes;
    in->flag.n = in->n_changes;
    enum err e = in->n_changes ? give(in, &(struct measure_input){ .flag = &in->flag }) : ERR_OK;
    arena_reset(&in->arena);
    in->changes = NULL;
    in->n_changes = in->cap_changes = 0;
    return e;
}

static enum err read_flag(void *ctx, struct db_row *r) {
    struct inputs *in = ctx;
    struct arena *a = &in->arena;
    struct str project = db_text(r, 1), name = db_text(r, 2), environment = db_text(r, 4);
    if (!in->scope->environment.len && !is_production(db_text(r, 8), environment)) return ERR_OK;
    if (in->n_changes && (!str_eq(project, in->flag.project) || !str_eq(name, in->flag.name)))
        TRY(end_flag(in));
    if (!in->n_changes) in->flag = (struct measure_flag){ str_dup(a, project), str_dup(a, name), NULL, 0 };
    void *changes = arena_grow(a, in->changes, in->n_changes, &in->cap_changes, sizeof *in->changes);
    if (!changes) return ERR_NOMEM;
    in->changes = changes;
    in->changes[in->n_changes++] =
        (struct measure_flag_change){ str_dup(a, db_text(r, 0)), str_dup(a, db_text(r, 3)),
                                      str_dup(a, environment),   str_dup(a, db_text(r, 5)),
                                      str_dup(a, db_text(r, 6)), db_i64(r, 7) };
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err each_flag(struct inputs *in) {
    struct db_row *r;
    TRY(db_prepare(in->db,
                   "SELECT key, ifnull(project, ''), ifnull(flag, ''), ifnull(service, ''), "
                   "ifnull(environment, ''), ifnull(action, ''),"
                   " ifnull(actor, ''), changed_at, " TIER_OF_FLAG
                   " FROM flag_change WHERE changed_at IS NOT NULL "
                   "AND " SCOPE_SERVICES " AND (?2 = '' OR environment = ?2) ORDER BY 2, 3, changed_at, key",
                   &r));
    bind(r, in->scope);
    arena_reset(&in->arena);
    TRY(db_each(r, read_flag, in));
    return end_flag(in);
}

enum err inputs_each(struct db *d, const struct scope *s, const struct scope_visit *visit) {
    struct inputs in = { .db = d, .scope = s, .visit = visit };
    enum err e = ERR_OK;
    arena_init(&in.kept, ROW_MEMORY_MAX, NULL);
    arena_init(&in.arena, ROW_MEMORY_MAX, NULL);
    map_init(&in.by_scope, UINT32_MAX / 4);
    if (visit->wants & (MEASURE_WANTS_CHANGES | MEASURE_WANTS_RUNS)) e = each_flow(&in);
    if (e == ERR_OK && visit->wants & MEASURE_WANTS_CANARIES) e = each_canary(&in);
    if (e == ERR_OK && visit->wants & MEASURE_WANTS_FLAGS) e = each_flag(&in);
    map_fini(&in.by_scope);
    arena_fini(&in.arena);
    arena_fini(&in.kept);
    return e;
}
