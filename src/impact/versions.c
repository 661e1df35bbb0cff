// SPDX-License-Identifier: Apache-2.0
#include "impact/versions.h"

#include <stdio.h>

#include "impact/record.h"

enum { ROLLOUTS_MAX = 2000 };

struct reported {
    struct str id, version, digest, sha, environment, state;
    int64_t finished;
    bool served;
};
struct reports {
    struct arena *a;
    struct reported *items;
    uint32_t n, cap;
};

// Rollouts of the window, the newest first; what ran when it began is among them.
static enum err read_reported(struct db *db, const struct impact_of *of, struct impact_window w,
                              struct reports *out) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT id, version, digest, sha, environment, state, ifnull(finished_at, 0) FROM rollout WHERE "
        "service = ?1 AND (?2 = '' OR environment = ?2) AND change_kind = 'service' AND "
        "coalesce(finished_at, started_at) < ?3 ORDER BY coalesce(finished_at, started_at) DESC LIMIT ?4",
        &r));
    db_bind_text(r, 1, of->service);
    db_bind_text(r, 2, of->environment);
    db_bind_i64(r, 3, w.to);
    db_bind_i64(r, 4, ROLLOUTS_MAX);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        struct reported *items = arena_grow(out->a, out->items, out->n, &out->cap, sizeof *items);
        if (items) {
            out->items = items;
            items[out->n++] =
                (struct reported){ .id = str_fmt(out->a, "%016llx", (unsigned long long)db_i64(r, 0)),
                                   .version = str_dup(out->a, db_text(r, 1)),
                                   .digest = str_dup(out->a, db_text(r, 2)),
                                   .sha = str_dup(out->a, db_text(r, 3)),
                                   .environment = str_dup(out->a, db_text(r, 4)),
                                   .state = str_dup(out->a, db_text(r, 5)),
                                   .finished = db_i64(r, 6) };
        }
        if (!out->a->failed) continue;
        db_reset(r);
        return ERR_NOMEM;
    }
}

static bool is_of(const struct reported *r, struct str seen) {
    return impact_same_version(r->version, seen) || impact_same_version(r->sha, seen) ||
           impact_same_version(r->digest, seen);
}

static void put_text(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_time(struct json_writer *w, const char *key, int64_t t) {
    if (!t) return;
    jw_key(w, str_of(key));
    jw_i64_str(w, t);
}

static void put_version(struct json_writer *w, const struct version_seen *v, struct reports *all) {
    const struct reported *by = NULL;
    for (uint32_t i = 0; i < all->n; i++) {
        if (!is_of(&all->items[i], v->version)) continue;
        all->items[i].served = true;
        if (!by) by = &all->items[i];
    }
    jw_object(w);
    put_text(w, "version", v->version);
    jw_key(w, STR("requests"));
    jw_u64(w, (uint64_t)(v->requests + 0.5));
    jw_key(w, STR("errors"));
    jw_u64(w, (uint64_t)(v->errors + 0.5));
    put_time(w, "firstSeen", v->first);
    put_time(w, "lastSeen", v->last);
    jw_key(w, STR("reported"));
    jw_bool(w, by != NULL);
    if (by) put_text(w, "rollout", by->id);
    jw_object_end(w);
}

static void put_all(struct json_writer *w, const struct impact_of *of, struct impact_window window,
                    const struct versions *seen, struct reports *all) {
    jw_object(w);
    put_text(w, "service", of->service);
    put_text(w, "environment", of->environment);
    put_time(w, "from", window.from);
    put_time(w, "to", window.to);
    jw_key(w, STR("versions"));
    jw_array(w);
    for (uint32_t i = 0; i < seen->n; i++) put_version(w, &seen->items[i], all);
    jw_array_end(w);
    jw_key(w, STR("unserved"));
    jw_array(w);
    for (uint32_t i = 0; i < all->n; i++) {
        const struct reported *r = &all->items[i];
        if (r->served || r->finished < window.from || !r->finished || !str_eq(r->state, STR("success")))
            continue;
        jw_object(w);
        put_text(w, "rollout", r->id);
        put_text(w, "version", r->version);
        put_text(w, "environment", r->environment);
        put_time(w, "finished", r->finished);
        jw_object_end(w);
    }
    jw_array_end(w);
    if (seen->partial) put_text(w, "partial", str_of(seen->why));
    jw_object_end(w);
}

enum err impact_put_versions(struct delivery *d, const struct impact_source *src, const struct impact_of *of,
                             struct impact_window w, struct json_writer *out, struct err_ctx *ctx) {
    struct arena a;
    struct db *db;
    struct reports all = { .a = &a };
    arena_init(&a, 256 << 20, NULL);
    struct versions *seen = ARENA_NEW(&a, struct versions);
    struct impact_of named = *of;
    enum err e = seen ? delivery_reader(d, &db) : ERR_NOMEM;
    if (e == ERR_OK) {
        e = read_reported(db, of, w, &all);
        if (e == ERR_OK) e = impact_read_names(db, &a, &named);
        delivery_reader_done(d, db);
    }
    if (e == ERR_OK) e = impact_versions(&a, src, &named, w, seen, ctx);
    if (e == ERR_OK) put_all(out, of, w, seen, &all);
    arena_fini(&a);
    return e;
}
