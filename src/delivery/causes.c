// SPDX-License-Identifier: Apache-2.0
#include "delivery/causes.h"

struct reading {
    struct db *db;
    struct arena *a;
    const struct causes_scope *scope;
    // The list at hand.
    void *items;
    uint32_t n, cap;
};

// Room for one item more; NULL: no memory.
static void *next(struct reading *s, size_t size) {
    void *items = arena_grow(s->a, s->items, s->n, &s->cap, size);
    if (!items) return NULL;
    s->items = items;
    return (char *)items + size * s->n++;
}
static struct str text(struct reading *s, struct db_row *r, int at) {
    return str_dup(s->a, db_text(r, at));
}
static enum err read_list(struct reading *s, const char *sql, enum err (*add)(void *ctx, struct db_row *r)) {
    struct db_row *r;
    s->items = NULL;
    s->n = s->cap = 0;
    TRY(db_prepare(s->db, sql, &r));
    int n = db_values(r); // a statement uses some of them
    db_bind_text(r, 1, s->scope->service);
    if (n >= 2) db_bind_text(r, 2, s->scope->environment);
    if (n >= 3) db_bind_i64(r, 3, s->scope->production);
    TRY(db_each(r, add, s));
    return s->a->failed ? ERR_NOMEM : ERR_OK;
}

// Duplicates count once, as the incident that they repeat. An incident whose environment nobody told is
// one of production. Any other comes with a person's word that some rollout caused it, or because one of here
// was chosen for it.
static const char incidents[] =
    "SELECT t.key, t.caused_by, t.began_at, t.recovered_at, NOT (ifnull(t.service, '') = ?1 AND "
    "(t.environment "
    "= ?2 OR (t.environment = '' AND ?3))), n.rollout, n.evidence, (SELECT severity FROM incident i WHERE "
    "i.key = t.key) FROM incident_times t LEFT JOIN near n ON "
    "n.incident = t.key AND n.service = ?1 AND n.environment = ?2 WHERE t.key IN (SELECT key FROM incident "
    "WHERE "
    "service = ?1 AND (ifnull(environment, '') = ?2 OR (ifnull(environment, '') = '' AND ?3)) UNION SELECT "
    "incident FROM verdict WHERE says = 'confirm' AND incident <> 'traces' UNION SELECT incident FROM near "
    "WHERE "
    "service = ?1 AND environment = ?2) AND NOT t.duplicate AND t.began_at IS NOT NULL ORDER BY t.key";
static enum err add_incident(void *ctx, struct db_row *r) {
    struct incident *i = next(ctx, sizeof *i);
    if (!i) return ERR_NOMEM;
    *i = (struct incident){ .key = text(ctx, r, 0),
                            .caused_by = text(ctx, r, 1),
                            .began = db_i64(r, 2),
                            .recovered = db_i64(r, 3),
                            .elsewhere = db_i64(r, 4) != 0,
                            .near = (uint64_t)db_i64(r, 5),
                            .says = text(ctx, r, 6) };
    int64_t severity = db_i64(r, 7);
    if (severity > 0)
        i->severity = severity < FAILURE_SEVERITY_MAX ? (uint32_t)severity : FAILURE_SEVERITY_MAX;
    return ERR_OK;
}

// All that people said of the incidents above, also of what traces showed. Of two words on the same the later
// stands before the other.
static const char verdicts[] =
    "SELECT v.incident, v.rollout, v.says = 'confirm', v.said_by, v.key IN (SELECT verdict FROM "
    "word_of_nothing) FROM verdict v LEFT JOIN incident i ON i.key = v.incident WHERE i.service = ?1 OR "
    "v.incident = 'traces' OR v.incident IN (SELECT incident FROM verdict WHERE says = 'confirm') ORDER BY "
    "v.said_at DESC, v.key";
static enum err add_verdict(void *ctx, struct db_row *r) {
    struct verdict *v = next(ctx, sizeof *v);
    if (!v) return ERR_NOMEM;
    *v = (struct verdict){ .incident = text(ctx, r, 0),
                           .rollout = text(ctx, r, 1),
                           .confirms = db_i64(r, 2) != 0,
                           .by = text(ctx, r, 3),
                           .of_nothing = db_i64(r, 4) != 0 };
    return ERR_OK;
}

static const char impacts[] =
    "SELECT rollout, deploy, verdict = 'confirmed', evidence FROM impact WHERE service = ?1 AND "
    "ifnull(environment, '') = ?2 AND verdict IN ('suspect', 'confirmed') ORDER BY key";
static enum err add_impact(void *ctx, struct db_row *r) {
    struct failure_impact *i = next(ctx, sizeof *i);
    if (!i) return ERR_NOMEM;
    *i = (struct failure_impact){ text(ctx, r, 0), text(ctx, r, 1), db_i64(r, 2) != 0, text(ctx, r, 3) };
    return ERR_OK;
}

// Changes of flags that change what runs.
static const char flags[] =
    "SELECT key, flag, action, changed_at FROM flag_change WHERE service = ?1 AND changed_at IS NOT NULL AND "
    "ifnull(action, '') NOT IN ('created', 'archived')"
    " AND (environment = ?2 OR (ifnull(environment, '') = '' AND ?3)) ORDER BY key";
static enum err add_flag(void *ctx, struct db_row *r) {
    struct flag_turn *t = next(ctx, sizeof *t);
    if (!t) return ERR_NOMEM;
    *t = (struct flag_turn){ text(ctx, r, 0), text(ctx, r, 1), text(ctx, r, 2), db_i64(r, 3) };
    return ERR_OK;
}

static const char canaries[] =
    "SELECT version, most_weight, started_at, ended_at FROM canary WHERE service = ?1 AND state = 'failed' "
    "AND "
    "ended_at IS NOT NULL AND (environment = ?2 OR (ifnull(environment, '') = '' AND ?3)) ORDER BY key";
static enum err add_canary(void *ctx, struct db_row *r) {
    struct failed_canary *c = next(ctx, sizeof *c);
    if (!c) return ERR_NOMEM;
    *c = (struct failed_canary){ text(ctx, r, 0), db_f64(r, 1), db_i64(r, 2), db_i64(r, 3) };
    return ERR_OK;
}

enum err causes_read(struct db *d, struct arena *a, const struct causes_scope *scope,
                     struct failure_ask *ask) {
    struct reading s = { .db = d, .a = a, .scope = scope };
    TRY(read_list(&s, incidents, add_incident));
    ask->incidents = s.items;
    ask->n_incidents = s.n;
    TRY(read_list(&s, verdicts, add_verdict));
    ask->verdicts = s.items;
    ask->n_verdicts = s.n;
    TRY(read_list(&s, impacts, add_impact));
    ask->impacts = s.items;
    ask->n_impacts = s.n;
    TRY(read_list(&s, flags, add_flag));
    ask->flags = s.items;
    ask->n_flags = s.n;
    TRY(read_list(&s, canaries, add_canary));
    ask->canaries = s.items;
    ask->n_canaries = s.n;
    return ERR_OK;
}
