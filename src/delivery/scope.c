// SPDX-License-Identifier: Apache-2.0
#include "delivery/scope.h"

#include "delivery/environment.h"
#include "delivery/inputs.h"

#define ROW_MEMORY_MAX (1ull << 30) // figures of one series

struct reading {
    struct arena arena; // of the row at hand
    const struct scope_visit *visit;
    const struct scope *scope;
};

static enum err read_series(void *ctx, struct db_row *r) {
    struct reading *rd = ctx;
    struct series s = { .service = db_text(r, 0),
                        .environment = db_text(r, 1),
                        .change_kind = db_text(r, 2),
                        .production = db_i64(r, 3) != 0 };
    arena_reset(&rd->arena);
    TRY(series_unpack(&rd->arena, db_text(r, 4), rd->visit->with_commits, &s));
    return rd->visit->series(rd->visit->ctx, &s);
}

static enum err read_incident(void *ctx, struct db_row *r) {
    struct reading *rd = ctx;
    struct measure_incident i = { .key = db_text(r, 0),
                                  .service = db_text(r, 1),
                                  .environment = db_text(r, 2),
                                  .began = db_i64(r, 3),
                                  .detected = db_i64(r, 4),
                                  .acknowledged = db_i64(r, 5),
                                  .recovered = db_i64(r, 6),
                                  .duplicate = db_i64(r, 7) != 0,
                                  .paused = db_i64(r, 8),
                                  .began_by = db_text(r, 10),
                                  .began_says = db_text(r, 11) };
    // An incident whose environment nobody told is one of production: that is where they are declared.
    i.production = rd->scope->environment.len || !i.environment.len ||
                   environment_is_production(db_text(r, 9), i.environment);
    return rd->visit->incident(rd->visit->ctx, &i);
}

// What is not asked for is an empty value that fits all.
void scope_bind(struct db_row *r, const struct scope *s) {
    db_bind_text(r, 7, s->service.len ? s->service : STR(""));
    db_bind_text(r, 8, s->team.len ? s->team : STR(""));
    db_bind_text(r, 9, s->product.len ? s->product : STR(""));
    db_bind_i64(r, 10, s->tier);
}

static const char select_series[] =
    "SELECT service, environment, change_kind, production, figures FROM series WHERE " SCOPE_SERVICES
    " AND ((?2 = '' AND production) OR environment = ?2) AND change_kind = ?3 ORDER BY service, environment";
#define TIER_OF_INCIDENT SCOPE_TIER("incident_times")
static const char select_incidents[] =
    "SELECT key, ifnull(service, ''), environment, impact_at, detected_at, acknowledged_at, recovered_at, "
    "duplicate, paused_ns, " TIER_OF_INCIDENT ", impact_by, impact_says"
    " FROM incident_times JOIN incident_impact ON incident = key WHERE " SCOPE_SERVICES
    " AND (?2 = '' OR environment IN ('', ?2)) ORDER BY key";

static enum err each_series(struct reading *rd, struct db *d, const struct scope *s) {
    struct db_row *r;
    TRY(db_prepare(d, select_series, &r));
    scope_bind(r, s);
    db_bind_text(r, 2, s->environment.len ? s->environment : STR(""));
    db_bind_text(r, 3, s->change_kind.len ? s->change_kind : STR("service"));
    return db_each(r, read_series, rd);
}

static enum err each_incident(struct reading *rd, struct db *d, const struct scope *s) {
    struct db_row *r;
    TRY(db_prepare(d, select_incidents, &r));
    scope_bind(r, s);
    db_bind_text(r, 2, s->environment.len ? s->environment : STR(""));
    return db_each(r, read_incident, rd);
}

enum err scope_each(struct db *d, const struct scope *s, const struct scope_visit *visit) {
    struct reading rd = { .visit = visit, .scope = s };
    enum err e = ERR_OK;
    arena_init(&rd.arena, ROW_MEMORY_MAX, NULL);
    if (visit->series) e = each_series(&rd, d, s);
    if (e == ERR_OK && visit->incident) e = each_incident(&rd, d, s);
    arena_fini(&rd.arena);
    return e == ERR_OK && visit->input && visit->wants ? inputs_each(d, s, visit) : e;
}
