// SPDX-License-Identifier: Apache-2.0
#include "impact/record.h"

#include <stdio.h>

#define HOUR_NS (3600 * 1000000000ll)
#define REPORT_MAX (4ull << 20)
enum { ID_DIGITS = 16 };

static void read_ask(struct db_row *r, struct arena *a, int64_t now, struct impact_ask *out) {
    *out = (struct impact_ask){ .rollout = str_fmt(a, "%016llx", (unsigned long long)db_i64(r, 0)),
                                .of = { .service = str_dup(a, db_text(r, 1)),
                                        .environment = str_dup(a, db_text(r, 2)) },
                                .version = str_dup(a, db_text(r, 3)),
                                .digest = str_dup(a, db_text(r, 4)),
                                .sha = str_dup(a, db_text(r, 5)),
                                .started = db_i64(r, 6),
                                .finished = db_i64(r, 7),
                                .deploy = str_dup(a, db_text(r, 8)),
                                .takes_back = str_eq(db_text(r, 10), STR("rollback")),
                                .now = now };
    if (str_eq(db_text(r, 9), STR("flag"))) (void)str_cut(out->version, '=', &out->flag, &out->version);
}

enum err impact_read_names(struct db *db, struct arena *a, struct impact_of *of) {
    struct db_row *r;
    struct str *names = ARENA_ARRAY(a, IMPACT_NAMES_MAX, struct str);
    if (!names) return ERR_NOMEM;
    of->names = names;
    of->n_names = 0;
    TRY(db_prepare(db, "SELECT name FROM catalogue_name WHERE service = ? ORDER BY name LIMIT ?", &r));
    db_bind_text(r, 1, of->service);
    db_bind_i64(r, 2, IMPACT_NAMES_MAX);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return a->failed ? ERR_NOMEM : ERR_OK;
        names[of->n_names++] = str_dup(a, db_text(r, 0));
    }
}

enum err impact_find_names(struct delivery *d, struct arena *a, struct impact_of *of) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = impact_read_names(db, a, of);
    delivery_reader_done(d, db);
    return e;
}

// What else was rolled out within an hour of it, in the same environment.
static enum err load_others(struct db *db, struct arena *a, struct impact_ask *k) {
    struct db_row *r;
    struct str *others = ARENA_ARRAY(a, IMPACT_OTHERS_MAX, struct str);
    if (!others) return ERR_NOMEM;
    TRY(db_prepare(db,
                   "SELECT DISTINCT service FROM rollout WHERE environment = ?1 AND service <> ?2 AND "
                   "coalesce(finished_at, started_at) BETWEEN ?3 AND ?4 ORDER BY service LIMIT ?5",
                   &r));
    db_bind_text(r, 1, k->of.environment);
    db_bind_text(r, 2, k->of.service);
    db_bind_i64(r, 3, k->started - HOUR_NS);
    db_bind_i64(r, 4, (k->finished ? k->finished : k->started) + HOUR_NS);
    db_bind_i64(r, 5, IMPACT_OTHERS_MAX);
    k->others = others;
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        others[k->n_others++] = str_dup(a, db_text(r, 0));
    }
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// A change is at once: what was before it is compared with what is after it. By the name of a flag, the last
// one that changed what runs.
static enum err load_flag(struct db *db, struct arena *a, struct str key, int64_t now, struct impact_ask *out,
                          bool *found) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT key, ifnull(service, ''), ifnull(environment, ''), flag, changed_at FROM flag_change "
        "WHERE (key = ?1 OR flag = ?1) AND flag <> '' AND changed_at <= ?2 ORDER BY key = ?1 DESC, "
        "ifnull(action, '') IN ('created', 'archived'), changed_at DESC, key LIMIT 1",
        &r));
    db_bind_text(r, 1, key);
    db_bind_i64(r, 2, now);
    TRY(db_step(r, found));
    if (!*found) return ERR_OK;
    *out = (struct impact_ask){ .change = str_dup(a, db_text(r, 0)),
                                .of = { .service = str_dup(a, db_text(r, 1)),
                                        .environment = str_dup(a, db_text(r, 2)) },
                                .flag = str_dup(a, db_text(r, 3)),
                                .started = db_i64(r, 4),
                                .finished = db_i64(r, 4),
                                .now = now };
    db_reset(r);
    if (a->failed) return ERR_NOMEM;
    TRY(impact_read_names(db, a, &out->of));
    return load_others(db, a, out);
}

enum err impact_load(struct db *db, struct arena *a, struct str key, int64_t now, struct impact_ask *out,
                     bool *found) {
    struct db_row *r;
    uint8_t id[ID_DIGITS / 2];
    uint64_t number = 0;
    if (key.len == ID_DIGITS && hex_decode(key, id, sizeof id))
        for (unsigned i = 0; i < sizeof id; i++) number = number << 8 | id[i];
    TRY(db_prepare(
        db,
        "SELECT id, service, environment, version, digest, sha, coalesce(started_at, finished_at), "
        "ifnull(finished_at, 0), deploy, change_kind, kind FROM rollout WHERE (id = ?1 AND ?1 <> 0) OR "
        "deploy = ?2 "
        "LIMIT 1",
        &r));
    db_bind_i64(r, 1, (int64_t)number);
    db_bind_text(r, 2, key);
    TRY(db_step(r, found));
    if (!*found) return load_flag(db, a, key, now, out, found);
    read_ask(r, a, now, out);
    uint64_t rollout = (uint64_t)db_i64(r, 0);
    db_reset(r);
    if (a->failed) return ERR_NOMEM;
    TRY(canary_steps_of(db, a, rollout, &out->steps));
    TRY(impact_read_names(db, a, &out->of));
    return load_others(db, a, out);
}

enum err impact_recorded(struct db *db, struct arena *a, struct str key, struct str *out) {
    struct db_row *r;
    bool row;
    *out = STR("");
    TRY(db_prepare(
        db,
        "SELECT e.body FROM impact i JOIN claim c ON c.kind = ?1 AND c.key = i.key JOIN event e ON "
        "e.id = c.event WHERE i.key = ?2 OR i.deploy = ?2 ORDER BY c.time DESC LIMIT 1",
        &r));
    db_bind_i64(r, 1, FACT_IMPACT);
    db_bind_text(r, 2, key);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = str_dup(a, db_text(r, 0));
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- recording ---------------------------------------------------------------------------------------------

static struct str key_of(const struct impact_ask *ask) {
    return ask->rollout.len ? ask->rollout : ask->change;
}

static enum err read_state(struct db *db, const char *select, struct str key, struct str state, bool *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, select, &r));
    db_bind_text(r, 1, key);
    TRY(db_step(r, &row));
    *out = row && str_eq(db_text(r, 0), state);
    if (row) db_reset(r);
    return ERR_OK;
}

enum err impact_is_kept(struct delivery *d, const char *select, struct str key, struct str state, bool *out) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = read_state(db, select, key, state, out);
    delivery_reader_done(d, db);
    return e;
}

enum err impact_record(struct delivery *d, const struct impact_report *r) {
    bool kept;
    struct arena a;
    struct buf body;
    TRY(impact_is_kept(d, "SELECT state FROM impact WHERE key = ?", key_of(r->ask), r->state, &kept));
    if (kept) return ERR_OK;
    arena_init(&a, 8 * REPORT_MAX, NULL);
    buf_init(&body, REPORT_MAX);
    struct json_writer w = json_writer_on(&body);
    impact_put(&w, r);
    enum err e = delivery_tell(d, &a, STR("takt"), &body, r->ask->now);
    buf_fini(&body);
    arena_fini(&a);
    return e;
}

// --- what is due -------------------------------------------------------------------------------------------

void impact_bind_due(struct db_row *r, const struct impact_due_ask *ask) {
    db_bind_i64(r, 1, ask->now - 3 * IMPACT_DAY_NS);
    db_bind_i64(r, 2, ask->now - ask->after);
    db_bind_i64(r, 3, IMPACT_DUE_MAX);
    db_bind_i64(r, 4, ask->past.time);
    db_bind_text(r, 5, ask->past.key.len ? ask->past.key : STR(""));
}

enum err impact_list_due(struct db *db, struct arena *a, const struct impact_due_ask *ask,
                         struct impact_due **out, uint32_t *out_n) {
    struct db_row *r;
    *out_n = 0;
    *out = ARENA_ARRAY(a, IMPACT_DUE_MAX, struct impact_due);
    if (!*out) return ERR_NOMEM;
    TRY(db_prepare(
        db,
        "SELECT key, began FROM (SELECT printf('%016x', r.id) AS key, coalesce(r.started_at, r.finished_at) "
        "AS began FROM rollout r "
        "LEFT JOIN impact i ON i.key = printf('%016x', r.id) WHERE r.change_kind IN ('service', 'flag') AND "
        "r.state IN ('success', 'open') AND (r.finished_at > ?1 OR r.finished_at IS NULL) AND began > ?1 AND "
        "began <= ?2 AND ifnull(i.final, 0) = 0 UNION ALL SELECT f.key, f.changed_at FROM flag_change f LEFT "
        "JOIN impact i ON i.key = f.key WHERE f.flag <> '' AND f.changed_at > ?1 AND f.changed_at <= ?2 AND "
        "ifnull(f.action, '') NOT IN ('created', 'archived') AND ifnull(i.final, 0) = 0) "
        "WHERE began < ?4 OR began = ?4 AND key > ?5 ORDER BY began DESC, key LIMIT ?3",
        &r));
    impact_bind_due(r, ask);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return a->failed ? ERR_NOMEM : ERR_OK;
        (*out)[(*out_n)++] = (struct impact_due){ str_dup(a, db_text(r, 0)), db_i64(r, 1) };
    }
}
