// SPDX-License-Identifier: Apache-2.0
#include "delivery/compat_read.h"

#include <stdlib.h>

#include "vcs/sha.h"

struct reading {
    struct db *db;
    struct arena *a;
    const struct scope *scope;
    enum measure_clock clock;
    struct compat_facts *out;
    const struct compat_deploy **by_sha; // all deploys: by service, commit, start
};

// Calls `take` for every row. What it returns ends the reading.
static enum err each(struct reading *rd, struct db_row *r, enum err (*take)(void *ctx, struct db_row *r)) {
    TRY(db_each(r, take, rd));
    return rd->a->failed ? ERR_NOMEM : ERR_OK;
}

static void bind_scope(struct reading *rd, struct db_row *r) {
    const struct scope *s = rd->scope;
    scope_bind(r, s);
    db_bind_text(r, 2, s->environment.len ? s->environment : STR(""));
    db_bind_text(r, 3, s->change_kind.len ? s->change_kind : STR("service"));
}

static bool sha_bytes(struct str hex, char bytes[SHA_BYTES]) {
    return hex.len == SHA_HEX && hex_decode(hex, bytes, SHA_BYTES);
}

// --- deploys -----------------------------------------------------------------------------------------------

// What is production is said by its series.
static const char select_deploys[] =
    "SELECT key, service, ifnull(sha, ''), coalesce(started_at, succeeded_at, ended_at), "
    "coalesce(succeeded_at, "
    "ended_at) AS finished FROM told_deploy AS deploy WHERE state = 'success' AND coalesce(succeeded_at, "
    "ended_at) IS NOT "
    "NULL AND "
    "ifnull(change_kind, 'service') = ?3 AND " SCOPE_SERVICES
    " AND EXISTS(SELECT 1 FROM series s WHERE s.service = deploy.service AND s.environment = "
    "ifnull(deploy.environment, '') AND s.change_kind = ?3 AND ((?2 = '' AND s.production) OR s.environment "
    "= ?2))"
    " ORDER BY finished, key";

static enum err take_deploy(void *ctx, struct db_row *r) {
    struct reading *rd = ctx;
    struct compat_facts *f = rd->out;
    struct compat_deploy *items = arena_grow(rd->a, f->deploys, f->n_deploys, &f->cap_deploys, sizeof *items);
    if (!items) return ERR_NOMEM;
    f->deploys = items;
    items[f->n_deploys++] = (struct compat_deploy){ .key = str_dup(rd->a, db_text(r, 0)),
                                                    .service = str_dup(rd->a, db_text(r, 1)),
                                                    .sha = str_dup(rd->a, db_text(r, 2)),
                                                    .started = db_i64(r, 3),
                                                    .finished = db_i64(r, 4) };
    return ERR_OK;
}

static enum err add_change(struct reading *rd, uint32_t deploy, const char bytes[SHA_BYTES], int64_t time) {
    struct compat_facts *f = rd->out;
    struct compat_change *items = arena_grow(rd->a, f->changes, f->n_changes, &f->cap_changes, sizeof *items);
    char *hex = arena_alloc(rd->a, SHA_HEX);
    if (!items || !hex) return ERR_NOMEM;
    hex_encode(bytes, SHA_BYTES, hex);
    f->changes = items;
    items[f->n_changes++] = (struct compat_change){ deploy, { hex, SHA_HEX }, time };
    return ERR_OK;
}

// The commit itself, which is a merge more often than not.
static enum err add_head(struct reading *rd, uint32_t deploy) {
    struct compat_deploy *d = &rd->out->deploys[deploy];
    char bytes[SHA_BYTES];
    struct db_row *r;
    bool row;
    if (!sha_bytes(d->sha, bytes)) return ERR_OK;
    TRY(db_prepare(
        rd->db,
        "SELECT authored_at, committed_at FROM (SELECT authored_at, committed_at, 0 AS told, repo FROM "
        "git_commit WHERE sha = ?1 UNION ALL SELECT authored_at, committed_at, 1, key FROM pushed_commit "
        "WHERE sha = lower(?2) AND committed_at IS NOT NULL) ORDER BY told, repo LIMIT 1",
        &r));
    db_bind_blob(r, 1, (struct str){ bytes, SHA_BYTES });
    db_bind_text(r, 2, d->sha);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    int64_t time = db_i64(r, rd->clock == CLOCK_COMMITTER);
    db_reset(r);
    d->in_history = true;
    return add_change(rd, deploy, bytes, time);
}

static enum err add_changes(struct reading *rd, uint32_t deploy) {
    const struct compat_deploy *d = &rd->out->deploys[deploy];
    struct db_row *r;
    TRY(db_prepare(
        rd->db,
        "SELECT DISTINCT c.sha, c.authored_at, c.committed_at FROM rollout r JOIN rollout_commit c ON "
        "c.rollout = r.id WHERE r.service = ?1 AND r.sha = ?2 AND lower(hex(c.sha)) <> lower(?2) ORDER BY "
        "c.sha",
        &r));
    db_bind_text(r, 1, d->service);
    db_bind_text(r, 2, d->sha);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        struct str sha = db_text(r, 0);
        enum err e = sha.len == SHA_BYTES
                         ? add_change(rd, deploy, sha.ptr, db_i64(r, rd->clock == CLOCK_COMMITTER ? 2 : 1))
                         : ERR_CORRUPT;
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

static enum err read_deploys(struct reading *rd, int64_t from, int64_t to) {
    struct db_row *r;
    TRY(db_prepare(rd->db, select_deploys, &r));
    bind_scope(rd, r);
    TRY(each(rd, r, take_deploy));
    for (uint32_t i = 0; i < rd->out->n_deploys; i++) {
        const struct compat_deploy *d = &rd->out->deploys[i];
        if (d->finished < from || d->finished >= to) continue;
        TRY(add_head(rd, i));
        if (d->in_history) TRY(add_changes(rd, i));
    }
    return ERR_OK;
}

// --- incidents ---------------------------------------------------------------------------------------------

static const char select_incidents[] =
    "SELECT key, ifnull(service, ''), ifnull(caused_by, ''), coalesce(detected_at, started_at, "
    "acknowledged_at) AS "
    "created, CASE WHEN state = 'resolved' OR state IS NULL THEN resolved_at END FROM incident WHERE created "
    "IS NOT "
    "NULL AND " SCOPE_SERVICES " AND (?2 = '' OR ifnull(environment, '') IN ('', ?2)) ORDER BY key";

static enum err take_incident(void *ctx, struct db_row *r) {
    struct reading *rd = ctx;
    struct compat_facts *f = rd->out;
    struct compat_incident *items =
        arena_grow(rd->a, f->incidents, f->n_incidents, &f->cap_incidents, sizeof *items);
    if (!items) return ERR_NOMEM;
    f->incidents = items;
    items[f->n_incidents++] = (struct compat_incident){ .key = str_dup(rd->a, db_text(r, 0)),
                                                        .service = str_dup(rd->a, db_text(r, 1)),
                                                        .caused_by = str_dup(rd->a, db_text(r, 2)),
                                                        .created = db_i64(r, 3),
                                                        .resolved = db_i64(r, 4) };
    return ERR_OK;
}

// The end of the first deploy of a commit: of it, or of a rollout that delivered it.
static enum err find_root(struct reading *rd, struct compat_incident *in) {
    char bytes[SHA_BYTES];
    struct db_row *r;
    bool row;
    if (!sha_bytes(in->caused_by, bytes)) return ERR_OK;
    TRY(db_prepare(
        rd->db,
        "SELECT min(coalesce(succeeded_at, ended_at)) FROM deploy WHERE state = 'success' AND sha IN "
        "(SELECT lower(?1) UNION SELECT r.sha FROM rollout_commit c JOIN rollout r ON r.id = c.rollout "
        "WHERE c.sha = ?2)",
        &r));
    db_bind_text(r, 1, in->caused_by);
    db_bind_blob(r, 2, (struct str){ bytes, SHA_BYTES });
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    in->root = db_i64(r, 0);
    db_reset(r);
    return ERR_OK;
}

static enum err read_incidents(struct reading *rd) {
    struct db_row *r;
    TRY(db_prepare(rd->db, select_incidents, &r));
    bind_scope(rd, r);
    TRY(each(rd, r, take_incident));
    for (uint32_t i = 0; i < rd->out->n_incidents; i++) TRY(find_root(rd, &rd->out->incidents[i]));
    return ERR_OK;
}

// --- pull requests -----------------------------------------------------------------------------------------

static enum err take_request(void *ctx, struct db_row *r) {
    struct reading *rd = ctx;
    struct compat_facts *f = rd->out;
    struct compat_request *items =
        arena_grow(rd->a, f->requests, f->n_requests, &f->cap_requests, sizeof *items);
    if (!items) return ERR_NOMEM;
    f->requests = items;
    items[f->n_requests++] = (struct compat_request){ .key = str_dup(rd->a, db_text(r, 0)),
                                                      .first_commit = db_i64(r, 1),
                                                      .opened = db_i64(r, 2),
                                                      .merged = db_i64(r, 3),
                                                      .deploy = UINT32_MAX,
                                                      .merge_sha = str_dup(rd->a, db_text(r, 4)) };
    return ERR_OK;
}

static int order_scope(const struct compat_deploy *d, struct str service, struct str sha) {
    int c = str_cmp(d->service, service);
    return c ? c : str_cmp(d->sha, sha);
}
static int order_deploys(const void *pa, const void *pb) {
    const struct compat_deploy *a = *(const struct compat_deploy *const *)pa;
    const struct compat_deploy *b = *(const struct compat_deploy *const *)pb;
    int c = order_scope(a, b->service, b->sha);
    if (c) return c;
    if (a->started != b->started) return a->started < b->started ? -1 : 1;
    return a < b ? -1 : a > b; // as they ended
}
static enum err index_deploys(struct reading *rd) {
    struct compat_facts *f = rd->out;
    rd->by_sha = ARENA_ARRAY(rd->a, f->n_deploys + 1ull, const struct compat_deploy *);
    if (!rd->by_sha) return ERR_NOMEM;
    for (uint32_t i = 0; i < f->n_deploys; i++) rd->by_sha[i] = &f->deploys[i];
    qsort(rd->by_sha, f->n_deploys, sizeof *rd->by_sha, order_deploys);
    return ERR_OK;
}

// Of the deploys of a rollout's commit the first that began.
static void take_first(const struct reading *rd, struct str service, struct str sha, uint32_t *best) {
    const struct compat_facts *f = rd->out;
    uint32_t lo = 0, hi = f->n_deploys;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (order_scope(rd->by_sha[mid], service, sha) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == f->n_deploys || order_scope(rd->by_sha[lo], service, sha) != 0) return;
    const struct compat_deploy *d = rd->by_sha[lo];
    if (*best == UINT32_MAX || d->started < f->deploys[*best].started) *best = (uint32_t)(d - f->deploys);
}

static enum err find_deploy(struct reading *rd, struct compat_request *q) {
    char bytes[SHA_BYTES];
    struct db_row *r;
    if (!sha_bytes(q->merge_sha, bytes)) return ERR_OK;
    TRY(db_prepare(
        rd->db,
        "SELECT r.service, r.sha FROM rollout_commit c JOIN rollout r ON r.id = c.rollout WHERE c.sha = ?1 "
        "UNION SELECT r.service, r.sha FROM rollout_merge m JOIN rollout r ON r.id = m.rollout WHERE "
        "m.sha = ?1",
        &r));
    db_bind_blob(r, 1, (struct str){ bytes, SHA_BYTES });
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        take_first(rd, db_text(r, 0), db_text(r, 1), &q->deploy);
    }
}

// Those that no deploy of the scope delivered are not kept.
static enum err read_requests(struct reading *rd) {
    struct compat_facts *f = rd->out;
    struct db_row *r;
    uint32_t kept = 0;
    TRY(db_prepare(rd->db,
                   "SELECT key, first_commit_at, opened_at, merged_at, merge_sha FROM change WHERE merged_at "
                   "IS NOT NULL "
                   "AND merge_sha IS NOT NULL ORDER BY key",
                   &r));
    TRY(each(rd, r, take_request));
    TRY(index_deploys(rd));
    for (uint32_t i = 0; i < f->n_requests; i++) {
        TRY(find_deploy(rd, &f->requests[i]));
        if (f->requests[i].deploy != UINT32_MAX) f->requests[kept++] = f->requests[i];
    }
    f->n_requests = kept;
    return ERR_OK;
}

enum err compat_read(struct db *d, struct arena *a, const struct scope *s, enum measure_clock clock,
                     int64_t from, int64_t to, struct compat_facts *out) {
    struct reading rd = { .db = d, .a = a, .scope = s, .clock = clock, .out = out };
    *out = (struct compat_facts){ 0 };
    TRY(db_number(d, "SELECT min(time) FROM event WHERE time > 0", &out->first_event));
    TRY(read_deploys(&rd, from, to));
    TRY(read_incidents(&rd));
    return read_requests(&rd);
}
