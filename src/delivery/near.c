// SPDX-License-Identifier: Apache-2.0
#include "delivery/near.h"

#include "delivery/failure.h"
#include "delivery/scoped.h"
#include "delivery/words.h"
#include "intake/stamp.h"

#define DAY_NS (24 * 3600 * 1000000000ll)
#define INCIDENT_MEMORY_MAX (1ull << 20)
enum { STEP = 1000 }; // incidents chosen for at once
#define ANY_NEIGHBOURS "(EXISTS (SELECT 1 FROM call) OR EXISTS (SELECT 1 FROM catalogue_dependency))"

// --- what has changed --------------------------------------------------------------------------------------

enum err near_note_incident(struct db *d, struct str incident) {
    static const char *const texts[] = {
        // Its recovery may be another one.
        "INSERT OR IGNORE INTO stale SELECT service, environment FROM near WHERE incident = ?1",
        "INSERT OR IGNORE INTO near_stale SELECT ?1 WHERE " ANY_NEIGHBOURS
        " OR EXISTS (SELECT 1 FROM verdict WHERE incident = ?1)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct db_row *r;
        TRY(db_prepare(d, texts[i], &r));
        db_bind_text(r, 1, incident);
        TRY(db_done(r));
    }
    return ERR_OK;
}

enum err near_note_call(struct db *d, struct str caller, struct str callee, int64_t month) {
    struct db_row *r;
    int64_t next = stamp_month(month + 31 * DAY_NS); // which counts too: this is the month before it
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO near_stale SELECT key FROM incident_times WHERE service IN (?1, ?2) AND "
        "began_at >= ?3 AND began_at < ?4",
        &r));
    db_bind_text(r, 1, caller);
    db_bind_text(r, 2, callee);
    db_bind_i64(r, 3, month);
    db_bind_i64(r, 4, stamp_month(next + 31 * DAY_NS));
    return db_done(r);
}

enum err near_note_catalogue(struct db *d) {
    return db_run(
        d,
        "INSERT OR IGNORE INTO near_stale WITH moved AS (SELECT * FROM (SELECT * FROM catalogue_dependency "
        "EXCEPT SELECT * FROM catalogue_dependency_was) UNION ALL SELECT * FROM (SELECT * FROM "
        "catalogue_dependency_was EXCEPT SELECT * FROM catalogue_dependency)) SELECT key FROM incident "
        "WHERE service IN (SELECT service FROM moved UNION SELECT needs FROM moved);");
}

enum err near_forget_all(struct db *d) {
    return db_run(d, "DELETE FROM near; DELETE FROM near_stale; DELETE FROM near_scope;");
}

// --- a scope derived anew ----------------------------------------------------------------------------------

// What may be chosen, and which incidents have a cause that is no such choice.
#define ROLLOUTS \
    "SELECT id, finished_at, production, deploy FROM rollout WHERE service = ?1 AND environment = ?2 AND " \
    "change_kind = 'service' AND state = 'success'"
// In one of both and not in the other.
#define MOVED \
    "SELECT * FROM (" ROLLOUTS \
    " EXCEPT SELECT * FROM near_was) UNION ALL SELECT * FROM (SELECT * FROM near_was " \
    "EXCEPT " ROLLOUTS ")"
#define DECIDED \
    "SELECT l.incident FROM rollout r CROSS JOIN link l ON l.rollout = r.id WHERE r.service = ?1 AND " \
    "r.environment = ?2 AND l.decides AND NOT l.neighbour AND l.incident <> '' UNION SELECT incident FROM " \
    "flag_link WHERE service = ?1 AND environment = ?2 AND decides"

enum err near_before(struct db *d, struct str service, struct str environment, bool *out_any) {
    static const char *const texts[] = { "DELETE FROM near_was", "INSERT INTO near_was " ROLLOUTS,
                                         "DELETE FROM near_decided", "INSERT INTO near_decided " DECIDED };
    int64_t any;
    TRY(db_number(d, "SELECT " ANY_NEIGHBOURS " OR EXISTS (SELECT 1 FROM verdict)", &any));
    *out_any = any != 0;
    return any ? scoped_run(d, texts, sizeof texts / sizeof *texts, service, environment) : ERR_OK;
}

enum err near_after(struct db *d, struct str service, struct str environment) {
    static const char *const texts[] = {
        "DELETE FROM near_moved",
        "INSERT OR IGNORE INTO near_moved SELECT finished_at FROM (" MOVED ")",
        "INSERT OR IGNORE INTO near_stale SELECT incident FROM verdict WHERE says = 'confirm' AND rollout IN "
        "(SELECT printf('%016x', id) FROM (" MOVED "))",
        "INSERT OR IGNORE INTO near_stale SELECT t.key FROM incident_times t WHERE t.service IN (SELECT "
        "other FROM neighbour WHERE service = ?1) AND t.environment IN ('', ?2) AND EXISTS (SELECT 1 FROM "
        "near_moved m WHERE m.finished_at BETWEEN t.began_at - ?3 AND t.began_at)",
        // No longer decided; or decided now, and something was chosen.
        "INSERT OR IGNORE INTO near_stale SELECT * FROM near_decided EXCEPT SELECT * FROM (" DECIDED ")",
        "INSERT OR IGNORE INTO near_stale SELECT * FROM (" DECIDED
        ") WHERE incident IN (SELECT incident FROM near)",
    };
    return scoped_run(d, texts, sizeof texts / sizeof *texts, service, environment);
}

// --- choosing ----------------------------------------------------------------------------------------------

struct choosing {
    struct db *db;
    struct arena *a;
    struct str incident;
    // Of the incident; no service: nothing is to be chosen.
    struct str service, environment;
    int64_t began;
};
struct choice {
    int64_t rollout;
    struct str service, environment, evidence; // no service: none
};

// An incident that nothing else has a cause for.
static const char select_open[] =
    "SELECT t.service, t.environment, t.began_at FROM incident_times t WHERE "
    "t.key = ?1 AND t.service <> '' AND t.began_at IS NOT NULL AND NOT "
    "t.duplicate AND NOT EXISTS (SELECT 1 FROM link l WHERE l.incident = "
    "t.key AND l.decides AND NOT l.neighbour) AND NOT EXISTS (SELECT 1 FROM "
    "flag_link f WHERE f.service = t.service AND f.incident = t.key AND "
    "f.decides) AND NOT EXISTS (SELECT 1 FROM verdict v WHERE v.incident = "
    "t.key AND v.says = 'confirm' AND v.key NOT IN (SELECT verdict FROM word_of_nothing))";

static enum err read_incident(struct choosing *c) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(c->db, select_open, &r));
    db_bind_text(r, 1, c->incident);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    c->service = str_dup(c->a, db_text(r, 0));
    c->environment = str_dup(c->a, db_text(r, 1));
    c->began = db_i64(r, 2);
    db_reset(r);
    return c->a->failed ? ERR_NOMEM : ERR_OK;
}

// The closest, then the last id; of what makes the two neighbours the strongest: that it is called, that the
// catalogue says so. An incident whose environment nobody told is one of production.
static const char select_choice[] =
    "SELECT r.id, r.service, r.environment, r.finished_at, n.calls, n.month_at FROM neighbour n CROSS JOIN "
    "series s ON s.service = n.other AND s.change_kind = 'service' AND (s.environment = ?2 OR (?2 = '' AND "
    "s.production)) CROSS JOIN rollout r ON r.service = s.service AND r.environment = s.environment AND "
    "r.finished_at BETWEEN ?3 - ?4 AND ?3 WHERE n.service = ?1 AND n.month_at IN (0, ?5, ?6) AND n.other "
    "<> ?1 AND r.change_kind = 'service' AND r.state = 'success' AND NOT EXISTS (SELECT 1 FROM verdict v "
    "WHERE v.incident = ?7 AND v.says = 'deny' AND v.rollout IN (printf('%016x', r.id), r.deploy)) ORDER "
    "BY r.finished_at DESC, r.id DESC, n.calls DESC, n.month_at = 0 DESC, n.month_at DESC LIMIT 1";

static struct str say_why(const struct choosing *c, int64_t finished, bool calls, int64_t month) {
    char text[STAMP_TEXT_SIZE];
    struct str shown = str_sub(stamp_print(month, text), 0, sizeof "2026-01" - 1);
    struct str how = month ? str_fmt(c->a, "traces of %.*s show", STR_ARG(shown)) : STR("the catalogue says");
    return str_fmt(c->a, "%.*s %s it, as %.*s; the last rollout among such services, %lld min before",
                   STR_ARG(c->service), calls ? "calls" : "is called by", STR_ARG(how),
                   (long long)((c->began - finished) / 60000000000ll));
}

static enum err choose(const struct choosing *c, struct choice *out) {
    struct db_row *r;
    bool row;
    int64_t month = stamp_month(c->began);
    if (!c->service.len) return ERR_OK;
    TRY(db_prepare(c->db, select_choice, &r));
    db_bind_text(r, 1, c->service);
    db_bind_text(r, 2, c->environment);
    db_bind_i64(r, 3, c->began);
    db_bind_i64(r, 4, FAILURE_WINDOW_NS);
    db_bind_i64(r, 5, month);
    db_bind_i64(r, 6, stamp_month(month - 1));
    db_bind_text(r, 7, c->incident);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = (struct choice){ .rollout = db_i64(r, 0),
                            .service = str_dup(c->a, db_text(r, 1)),
                            .environment = str_dup(c->a, db_text(r, 2)),
                            .evidence = say_why(c, db_i64(r, 3), db_i64(r, 4) != 0, db_i64(r, 5)) };
    db_reset(r);
    return c->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_chosen(const struct choosing *c, struct choice *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(c->db, "SELECT rollout, service, environment, evidence FROM near WHERE incident = ?", &r));
    db_bind_text(r, 1, c->incident);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = (struct choice){ db_i64(r, 0), str_dup(c->a, db_text(r, 1)), str_dup(c->a, db_text(r, 2)),
                            str_dup(c->a, db_text(r, 3)) };
    db_reset(r);
    return c->a->failed ? ERR_NOMEM : ERR_OK;
}

static bool is_same(const struct choice *a, const struct choice *b) {
    return a->rollout == b->rollout && str_eq(a->service, b->service) &&
           str_eq(a->environment, b->environment) && str_eq(a->evidence, b->evidence);
}

static enum err note_scope(const struct choosing *c, const struct choice *of) {
    struct db_row *r;
    if (!of->service.len) return ERR_OK;
    TRY(db_prepare(c->db, "INSERT OR IGNORE INTO near_scope VALUES(?, ?)", &r));
    db_bind_text(r, 1, of->service);
    db_bind_text(r, 2, of->environment);
    return db_done(r);
}

static enum err keep(const struct choosing *c, const struct choice *of) {
    struct db_row *r;
    TRY(db_prepare(c->db,
                   of->service.len ? "INSERT OR REPLACE INTO near VALUES(?, ?, ?, ?, ?)"
                                   : "DELETE FROM near WHERE incident = ?",
                   &r));
    db_bind_text(r, 1, c->incident);
    if (of->service.len) {
        db_bind_i64(r, 2, of->rollout);
        db_bind_text(r, 3, of->service);
        db_bind_text(r, 4, of->environment);
        db_bind_text(r, 5, of->evidence);
    }
    return db_done(r);
}

// The rollouts of the incident's own service, whose links a word may silence.
static enum err note_own(const struct choosing *c) {
    struct db_row *r;
    TRY(db_prepare(
        c->db,
        "INSERT OR IGNORE INTO near_scope SELECT DISTINCT service, ifnull(environment, '') FROM deploy "
        "WHERE service = (SELECT service FROM incident WHERE key = ?)",
        &r));
    db_bind_text(r, 1, c->incident);
    return db_done(r);
}

static enum err choose_anew(struct choosing *c) {
    struct choice was = { 0 }, now = { 0 };
    bool words;
    TRY(words_judge(c->db, c->a, c->incident, &words));
    if (words) TRY(note_own(c));
    TRY(read_incident(c));
    TRY(choose(c, &now));
    TRY(read_chosen(c, &was));
    if (is_same(&was, &now) && !words) return ERR_OK;
    TRY(note_scope(c, &was));
    TRY(note_scope(c, &now));
    return keep(c, &now);
}

static enum err next_stale(struct choosing *c, bool *found) {
    struct db_row *r;
    TRY(db_prepare(c->db, "SELECT incident FROM near_stale LIMIT 1", &r));
    TRY(db_step(r, found));
    if (!*found) return ERR_OK;
    c->incident = str_dup(c->a, db_text(r, 0));
    db_reset(r);
    if (c->a->failed) return ERR_NOMEM;
    TRY(db_prepare(c->db, "DELETE FROM near_stale WHERE incident = ?", &r));
    db_bind_text(r, 1, c->incident);
    return db_done(r);
}

static enum err choose_some(struct db *d, bool *out_left) {
    struct arena a;
    enum err e = ERR_OK;
    *out_left = true;
    arena_init(&a, INCIDENT_MEMORY_MAX, NULL);
    for (unsigned i = 0; i < STEP && e == ERR_OK && *out_left; i++) {
        struct choosing c = { .db = d, .a = &a };
        e = next_stale(&c, out_left);
        if (e == ERR_OK && *out_left) e = choose_anew(&c);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e;
}

enum err near_some(struct db *d, bool *out_left) {
    int64_t moved;
    TRY(choose_some(d, out_left));
    if (*out_left) return ERR_OK;
    TRY(db_number(d, "SELECT EXISTS (SELECT 1 FROM near_scope)", &moved));
    *out_left = moved != 0;
    // All at once, so that a scope is derived once for all of its incidents.
    return moved ? db_run(d, "INSERT OR IGNORE INTO stale SELECT * FROM near_scope; DELETE FROM near_scope;")
                 : ERR_OK;
}
