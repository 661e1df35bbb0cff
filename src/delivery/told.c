// SPDX-License-Identifier: Apache-2.0
#include "delivery/told.h"

#include "intake/fact.h"

#define ROW_MEMORY_MAX (1ull << 20) // of one deploy

struct reading {
    struct db *db;
    struct arena *a;
    const struct told_scope *of;
};

static struct str text_of(const struct fact *f, enum fact_field field) {
    return fact_get(f, field)->s;
}

// A text of the row at hand, which the one before may have too.
static struct str keep_text(struct reading *s, const struct fact *f, enum fact_field field,
                            const struct str *before) {
    struct str text = text_of(f, field);
    return before && str_eq(text, *before) ? *before : str_dup(s->a, text);
}

static void take_deploy(struct reading *s, struct told *rows, struct str key, const struct fact *f) {
    struct deploy *d = &rows->deploys[rows->n], *last = rows->n ? d - 1 : NULL;
    struct str *kinds = &rows->change_kinds[rows->n];
#define KEEP(field, of) keep_text(s, f, field, last ? &last->of : NULL)
    *d = (struct deploy){ .key = str_dup(s->a, key),
                          .target = KEEP(DEPLOY_TARGET, target),
                          .version = KEEP(DEPLOY_VERSION, version),
                          .digest = KEEP(DEPLOY_DIGEST, digest),
                          .repo = KEEP(DEPLOY_REPO, repo),
                          .sha = KEEP(DEPLOY_SHA, sha),
                          .ref = KEEP(DEPLOY_REF, ref),
                          .group = KEEP(DEPLOY_ROLLOUT, group),
                          .kind = KEEP(DEPLOY_KIND, kind),
                          .trigger = KEEP(DEPLOY_TRIGGER, trigger),
                          .actor = KEEP(DEPLOY_ACTOR, actor),
                          .fixes = KEEP(DEPLOY_FIXES, fixes),
                          .url = KEEP(DEPLOY_URL, url),
                          .tier = KEEP(DEPLOY_TIER, tier),
                          .started = fact_get(f, DEPLOY_STARTED)->i,
                          .succeeded = fact_get(f, DEPLOY_SUCCEEDED)->i,
                          .ended = fact_get(f, DEPLOY_ENDED)->i };
#undef KEEP
    if (!deploy_state_of(text_of(f, DEPLOY_STATE), &d->state)) d->state = DEPLOY_PENDING;
    *kinds = text_of(f, DEPLOY_CHANGE_KIND).len ? keep_text(s, f, DEPLOY_CHANGE_KIND, last ? kinds - 1 : NULL)
                                                : STR("service");
}

// What only the spans of a job know of the deploy that a webhook told: its version, where they name one only.
static enum err find_version(struct reading *s, struct str run, struct deploy *d) {
    struct db_row *r;
    bool row;
    bool of_github = str_starts(d->key, STR("github:")) && !str_ends(d->key, STR(":deployment"));
    if (!run.len || d->version.len || d->digest.len || !of_github) return ERR_OK;
    TRY(db_prepare(
        s->db,
        "SELECT min(version) FROM deploy d WHERE run = ?1 AND service = ?2 AND ifnull(environment, '') = "
        "?3 AND version <> '' AND " TOLD_BY_TASK("d") " HAVING min(version) = max(version)",
        &r));
    db_bind_text(r, 1, run);
    db_bind_text(r, 2, s->of->service);
    db_bind_text(r, 3, s->of->environment);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    d->version = str_dup(s->a, db_text(r, 0));
    db_reset(r);
    return ERR_OK;
}

// A deploy that names a digest or an image, and no commit: what built the artifact knows it.
static enum err find_sha(struct reading *s, struct deploy *d) {
    struct db_row *r;
    bool row;
    if (d->sha.len || (!d->digest.len && !d->version.len)) return ERR_OK;
    TRY(db_prepare(s->db,
                   "SELECT sha, repo FROM artifact WHERE key IN (?1, ?2) AND sha IS NOT NULL ORDER BY key = "
                   "?1 DESC LIMIT 1",
                   &r));
    db_bind_text(r, 1, d->digest);
    db_bind_text(r, 2, d->version);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    d->sha = str_dup(s->a, db_text(r, 0));
    if (!d->repo.len) d->repo = str_dup(s->a, db_text(r, 1));
    db_reset(r);
    return ERR_OK;
}

static enum err add_deploy(struct reading *s, struct arena *row, struct db_row *r, struct told *out) {
    struct fact f;
    arena_reset(row);
    fact_read(r, row, FACT_DEPLOY, &f);
    if (row->failed) return ERR_NOMEM;
    take_deploy(s, out, db_text(r, 0), &f);
    TRY(find_version(s, text_of(&f, DEPLOY_RUN), &out->deploys[out->n]));
    TRY(find_sha(s, &out->deploys[out->n]));
    out->n++;
    return s->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err ask_deploys(struct reading *s, const char *sql, struct db_row **r) {
    TRY(db_prepare(s->db, sql, r));
    db_bind_text(*r, 1, s->of->service);
    db_bind_text(*r, 2, s->of->environment);
    return ERR_OK;
}

static enum err make_room(struct reading *s, struct told *out) {
    struct db_row *r;
    bool row;
    uint64_t n = 0;
    TRY(ask_deploys(s, "SELECT count(*) FROM told_deploy WHERE service = ? AND ifnull(environment, '') = ?",
                    &r));
    TRY(db_step(r, &row));
    if (row) n = (uint64_t)db_i64(r, 0);
    db_reset(r);
    out->deploys = ARENA_ARRAY(s->a, n + 1, struct deploy);
    out->change_kinds = ARENA_ARRAY(s->a, n + 1, struct str);
    return s->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_rows(struct reading *s, struct arena *row, struct told *out) {
    struct db_row *r;
    TRY(make_room(s, out));
    TRY(ask_deploys(s,
                    "SELECT * FROM told_deploy WHERE service = ? AND ifnull(environment, '') = ? ORDER BY "
                    "ifnull(change_kind, 'service'), key",
                    &r));
    for (bool is_row;;) {
        TRY(db_step(r, &is_row));
        if (!is_row) return ERR_OK;
        enum err e = add_deploy(s, row, r, out);
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

enum err told_read(struct db *d, struct arena *a, const struct told_scope *scope, struct told *out) {
    struct reading s = { d, a, scope };
    struct arena row;
    arena_init(&row, ROW_MEMORY_MAX, NULL);
    enum err e = read_rows(&s, &row, out);
    arena_fini(&row);
    return e;
}
