// SPDX-License-Identifier: Apache-2.0
#include "delivery/stale.h"

#include "delivery/flows.h"
#include "delivery/near.h"
#include "delivery/pause.h"
#include "delivery/pushes.h"
#include "delivery/words.h"

static enum err note_scope(struct db *d, struct str service, struct str environment) {
    struct db_row *r;
    if (!service.len) return ERR_OK; // shown as deploys without a service
    TRY(db_prepare(d, "INSERT OR IGNORE INTO stale VALUES(?, ?)", &r));
    db_bind_text(r, 1, service);
    db_bind_text(r, 2, environment);
    return db_done(r);
}

static enum err note_service(struct db *d, struct str service) {
    struct db_row *r;
    TRY(db_prepare(
        d, "INSERT OR IGNORE INTO stale SELECT DISTINCT service, environment FROM deploy WHERE service = ?",
        &r));
    db_bind_text(r, 1, service);
    return db_done(r);
}

static enum err note_incident(struct db *d, struct str key) {
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM deploy"
                   " WHERE service = (SELECT service FROM incident WHERE key = ?)",
                   &r));
    db_bind_text(r, 1, key);
    return db_done(r);
}

// Rollouts of other services that people said to have caused an incident.
static enum err note_said(struct db *d, struct str incident) {
    struct db_row *r;
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO stale SELECT r.service, r.environment FROM verdict v CROSS JOIN rollout "
        "r WHERE v.incident = ?1 AND v.rollout IN (printf('%016x', r.id), r.deploy)",
        &r));
    db_bind_text(r, 1, incident);
    return db_done(r);
}

// Those that a person's word names, or named before.
static enum err note_word(struct db *d, const struct fact *f) {
    struct db_row *r;
    if (!f->known) return ERR_OK;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT service, environment FROM rollout WHERE ?1 IN "
                   "(printf('%016x', id), deploy)",
                   &r));
    db_bind_text(r, 1, fact_get(f, VERDICT_ROLLOUT)->s);
    return db_done(r);
}

static enum err note_traced(struct db *d, struct str rollout) {
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT service, ifnull(environment, '') FROM impact"
                   " WHERE service <> '' AND ?1 IN (rollout, deploy)",
                   &r));
    db_bind_text(r, 1, rollout);
    return db_done(r);
}

static enum err note_artifact(struct db *d, struct str key) {
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM deploy"
                   " WHERE service <> '' AND sha IS NULL AND (digest = ?1 OR version = ?1)",
                   &r));
    db_bind_text(r, 1, key);
    return db_done(r);
}

// What it names is its key: it changes by the names of the catalogue only.
static enum err note_call(struct db *d, const struct fact *before, const struct fact *after) {
    const struct fact *both[] = { before, after };
    bool same = before->known && str_eq(fact_get(before, CALL_CALLER)->s, fact_get(after, CALL_CALLER)->s) &&
                str_eq(fact_get(before, CALL_CALLEE)->s, fact_get(after, CALL_CALLEE)->s);
    for (unsigned i = 0; i < 2 && !same; i++)
        if (both[i]->known)
            TRY(near_note_call(d, fact_get(both[i], CALL_CALLER)->s, fact_get(both[i], CALL_CALLEE)->s,
                               fact_get(both[i], CALL_MONTH)->i));
    return ERR_OK;
}

static enum err note_fact(struct db *d, enum fact_kind k, const struct fact *f) {
    if (!f->known) return ERR_OK;
    if (k == FACT_IMPACT)
        return note_scope(d, fact_get(f, IMPACT_SERVICE)->s, fact_get(f, IMPACT_ENVIRONMENT)->s);
    switch (k) {
    case FACT_DEPLOY:
        return note_scope(d, fact_get(f, DEPLOY_SERVICE)->s, fact_get(f, DEPLOY_ENVIRONMENT)->s);
    case FACT_INCIDENT: return note_service(d, fact_get(f, INCIDENT_SERVICE)->s);
    case FACT_FLAG: return note_service(d, fact_get(f, FLAG_SERVICE)->s);
    case FACT_CANARY: return note_service(d, fact_get(f, CANARY_SERVICE)->s);
    case FACT_VERDICT:
        TRY(near_note_incident(d, fact_get(f, VERDICT_INCIDENT)->s));
        return note_incident(d, fact_get(f, VERDICT_INCIDENT)->s);
    default: return ERR_OK;
    }
}

enum err stale_note(void *db, const struct fact_change *c) {
    struct db *d = db;
    TRY(flows_note(d, c));
    TRY(words_note(d, c));
    if (c->kind == FACT_INCIDENT) {
        TRY(pause_note(d, c->key));
        TRY(note_said(d, c->key));
        TRY(near_note_incident(d, c->key));
    }
    if (c->kind == FACT_CALL) return note_call(d, c->before, c->after);
    if (c->kind == FACT_ARTIFACT) return note_artifact(d, c->key);
    if (c->kind == FACT_PUSHED) // all of a push are there with its last
        return fact_get(c->after, PUSHED_NEXT)->s.len ? ERR_OK
                                                      : pushes_note(d, fact_get(c->after, PUSHED_REPO)->s);
    if (c->kind == FACT_VERDICT) {
        TRY(note_traced(d, fact_get(c->after, VERDICT_ROLLOUT)->s));
        TRY(note_word(d, c->before));
        TRY(note_word(d, c->after));
    }
    TRY(note_fact(d, c->kind, c->before));
    return note_fact(d, c->kind, c->after);
}

enum err stale_note_all(struct db *d) {
    TRY(flows_note_all(d));
    TRY(pause_note_all(d));
    TRY(near_forget_all(d));
    TRY(words_forget_all(d));
    return db_run(d, "DELETE FROM rollout; DELETE FROM rollout_commit; DELETE FROM link; DELETE FROM "
                     "flag_link; DELETE FROM series;"
                     "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM "
                     "deploy WHERE service <> ''");
}

enum err stale_note_repo(struct db *d, struct str repo) {
    struct db_row *r;
    TRY(words_note_history(d));
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM deploy"
                   " WHERE service <> '' AND (repo IN (?1, replace(?1, 'https://', '')) OR repo IS NULL)",
                   &r));
    db_bind_text(r, 1, repo);
    return db_done(r);
}
