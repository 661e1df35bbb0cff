// SPDX-License-Identifier: Apache-2.0
#include "delivery/derive.h"

#include <stdio.h>
#include <stdlib.h>

#include "delivery/catalogue_store.h"
#include "delivery/causes.h"
#include "delivery/commits.h"
#include "delivery/environment.h"
#include "delivery/failure.h"
#include "delivery/flows.h"
#include "delivery/near.h"
#include "delivery/pause.h"
#include "delivery/pushes.h"
#include "delivery/revert.h"
#include "delivery/scoped.h"
#include "delivery/words.h"

#define ROW_MEMORY_MAX (1ull << 20) // of one deploy

// Of a deploy: a job's span told it, as hook_otlp.c names it.
#define DERIVE_TASK_DEPLOY(of) of ".key LIKE 'github:%:task:%:deployment'"

const char derive_tables[] =
    "DROP VIEW IF EXISTS incident_impact; DROP VIEW IF EXISTS incident_times; DROP VIEW IF EXISTS "
    "told_deploy; "
    "DROP TABLE IF EXISTS stale; DROP "
    "TABLE IF EXISTS rollout; DROP "
    "TABLE IF EXISTS rollout_commit;"
    "DROP TABLE IF EXISTS link; DROP TABLE IF EXISTS series;"
    // A deploy of GitHub has an id that only its webhooks tell: where they tell how those of a run in an
    // environment ended, what the spans of its jobs tell is the same again.
    "CREATE VIEW told_deploy AS SELECT * FROM deploy d WHERE NOT (" DERIVE_TASK_DEPLOY(
        "d") " AND EXISTS "
             "(SELECT 1 FROM deploy o WHERE o.run = d.run AND o.service = d.service AND "
             "ifnull(o.environment, '') = "
             "ifnull(d.environment, '') AND o.key LIKE 'github:%:deployment:%' AND (o.succeeded_at IS NOT "
             "NULL OR o.ended_at IS NOT NULL)));"
    // When an incident began and ended, for every measure and link alike; one that was opened again has not.
    PAUSE_TABLES
             "CREATE VIEW incident_times AS SELECT i.key, service, ifnull(environment, '') AS environment,"
             " coalesce(started_at, detected_at, acknowledged_at) AS began_at, caused_by, started_at, "
             "detected_at, "
             "acknowledged_at,"
             // A mitigation before the reopening mended nothing for good.
             " CASE WHEN state IN ('resolved', 'mitigated') OR state IS NULL THEN coalesce(CASE WHEN "
             "reopened_at IS "
             "NULL OR mitigated_at >= reopened_at THEN mitigated_at END, resolved_at) END AS recovered_at,"
             " duplicate_of IS NOT NULL AS duplicate, ifnull(p.ns, 0) AS paused_ns FROM incident i LEFT JOIN "
             "incident_pause p ON p.key = i.key;"
             "CREATE TABLE stale(service TEXT NOT NULL, environment TEXT NOT NULL, PRIMARY KEY(service, "
             "environment)) "
             "WITHOUT ROWID;"
             "CREATE TABLE rollout(id INTEGER PRIMARY KEY, service TEXT NOT NULL, environment TEXT NOT NULL, "
             "change_kind TEXT NOT NULL,"
             " production INTEGER NOT NULL, version TEXT, digest TEXT, sha TEXT, repo TEXT, ref TEXT, kind "
             "TEXT NOT "
             "NULL,"
             " state TEXT NOT NULL, attempts INTEGER NOT NULL, targets INTEGER NOT NULL, done_targets "
             "INTEGER NOT "
             "NULL,"
             " started_at INTEGER, first_success_at INTEGER, finished_at INTEGER, recovered_at INTEGER, "
             "failure TEXT, severity INTEGER,"
             " before INTEGER, undoes INTEGER, reverts INTEGER, commits_state TEXT NOT NULL, commits INTEGER "
             "NOT NULL, "
             "changes INTEGER "
             "NOT NULL,"
             " trigger_kind TEXT, actor TEXT, url TEXT, deploy TEXT NOT NULL);"
             "CREATE INDEX rollout_scope ON rollout(service, environment, finished_at);"
             "CREATE INDEX rollout_finished ON rollout(finished_at);"
             "CREATE TABLE rollout_commit(rollout INTEGER NOT NULL, sha BLOB NOT NULL, authored_at INTEGER, "
             "committed_at INTEGER,"
             " flags INTEGER NOT NULL, author TEXT, subject TEXT, PRIMARY KEY(rollout, sha)) WITHOUT ROWID;"
             "CREATE TABLE link(rollout INTEGER NOT NULL, incident TEXT NOT NULL, rule TEXT NOT NULL,"
             " evidence TEXT NOT NULL, decides INTEGER NOT NULL, confirmed INTEGER NOT NULL,"
             " neighbour INTEGER NOT NULL, PRIMARY KEY(rollout, incident, rule, evidence)) WITHOUT ROWID;"
             "CREATE INDEX link_incident ON link(incident);"
             // When the impact of an incident began, for measures: what a person says, the first bad minute
             // in the traces, since when its alert's condition held, the end of the rollout that is surely to
             // blame. Links do not go by it, since it goes by them: they take began_at of incident_times.
             "CREATE VIEW incident_impact AS SELECT incident, impact_by, CASE impact_by"
             " WHEN 'told' THEN told_at WHEN 'traces' THEN onset_at WHEN 'alert' THEN condition_at"
             " WHEN 'rollout' THEN finished_at END AS impact_at, CASE impact_by WHEN 'traces' THEN evidence"
             " WHEN 'alert' THEN 'the alert waited ' || (detected_at - condition_at) / 1000000000 ||"
             " ' s before it fired' WHEN 'rollout' THEN 'the end of the rollout of ' || service ||"
             " ifnull(' ' || coalesce(version, sha), '') END AS impact_says FROM (SELECT i.key AS incident,"
             " i.started_at AS told_at, o.began_at AS onset_at, i.condition_at, i.detected_at, o.evidence,"
             " r.finished_at, r.service, r.version, r.sha, CASE WHEN i.started_at IS NOT NULL THEN 'told'"
             " WHEN o.found THEN 'traces' WHEN i.condition_at IS NOT NULL THEN 'alert'"
             " WHEN r.id IS NOT NULL THEN 'rollout' END AS impact_by FROM incident i"
             " LEFT JOIN onset o ON o.key = i.key LEFT JOIN rollout r ON r.id = (SELECT b.id FROM link l"
             " CROSS JOIN rollout b ON b.id = l.rollout WHERE l.incident = i.key AND l.decides"
             " AND l.rule IN ('said', 'version', 'remedy', 'traces') AND b.finished_at <= i.detected_at"
             " ORDER BY b.finished_at DESC, b.id LIMIT 1));"
             // Incidents whose cause is, or may be, a flag and no rollout.
             "DROP TABLE IF EXISTS flag_link; CREATE TABLE flag_link(service TEXT NOT NULL, environment TEXT "
             "NOT "
             "NULL, "
             "incident TEXT NOT NULL, flag TEXT NOT NULL, decides INTEGER NOT NULL, evidence TEXT NOT NULL, "
             "PRIMARY "
             "KEY(service, environment, incident, flag)) WITHOUT ROWID;"
             "CREATE TABLE series(service TEXT NOT NULL, environment TEXT NOT NULL, change_kind TEXT NOT "
             "NULL, "
             "production INTEGER NOT NULL,"
             // The repository of its last rollout that names one; the end of the first success, and of the
             // last one of which it is not known what it brought.
             " repo TEXT NOT NULL, first_at INTEGER, unknown_at INTEGER,"
             " figures BLOB NOT NULL, PRIMARY KEY(service, environment, change_kind)) WITHOUT "
             "ROWID;" FLOWS_TABLES NEAR_TABLES WORDS_TABLES;

// --- what is stale -----------------------------------------------------------------------------------------

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

enum err derive_note(struct db *d, const struct fact_change *c) {
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

enum err derive_note_all(struct db *d) {
    TRY(flows_note_all(d));
    TRY(pause_note_all(d));
    TRY(near_forget_all(d));
    TRY(words_forget_all(d));
    return db_run(d, "DELETE FROM rollout; DELETE FROM rollout_commit; DELETE FROM link; DELETE FROM "
                     "flag_link; DELETE FROM series;"
                     "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM "
                     "deploy WHERE service <> ''");
}

enum err derive_note_repo(struct db *d, struct str repo) {
    struct db_row *r;
    TRY(words_note_history(d));
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM deploy"
                   " WHERE service <> '' AND (repo IN (?1, replace(?1, 'https://', '')) OR repo IS NULL)",
                   &r));
    db_bind_text(r, 1, repo);
    return db_done(r);
}

// --- reading -----------------------------------------------------------------------------------------------

struct deriving {
    struct db *db;
    struct arena *a;
    struct str service, environment;
    struct str tier; // of the environment, by the catalogue; empty: it does not say
    struct histories *histories;
};
// There may be very many: each of their texts is kept once in a row.
struct rows {
    struct deploy *deploys;
    struct str *change_kinds; // of each
    uint32_t n;
};

static struct str text_of(const struct fact *f, enum fact_field field) {
    return fact_get(f, field)->s;
}

// A text of the row at hand, which the one before may have too.
static struct str keep_text(struct deriving *s, const struct fact *f, enum fact_field field,
                            const struct str *before) {
    struct str text = text_of(f, field);
    return before && str_eq(text, *before) ? *before : str_dup(s->a, text);
}

static void take_deploy(struct deriving *s, struct rows *rows, struct str key, const struct fact *f) {
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
static enum err find_version(struct deriving *s, struct str run, struct deploy *d) {
    struct db_row *r;
    bool row;
    bool of_github = str_starts(d->key, STR("github:")) && !str_ends(d->key, STR(":deployment"));
    if (!run.len || d->version.len || d->digest.len || !of_github) return ERR_OK;
    TRY(db_prepare(
        s->db,
        "SELECT min(version) FROM deploy d WHERE run = ?1 AND service = ?2 AND ifnull(environment, '') = "
        "?3 AND version <> '' AND " DERIVE_TASK_DEPLOY("d") " HAVING min(version) = max(version)",
        &r));
    db_bind_text(r, 1, run);
    db_bind_text(r, 2, s->service);
    db_bind_text(r, 3, s->environment);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    d->version = str_dup(s->a, db_text(r, 0));
    db_reset(r);
    return ERR_OK;
}

// A deploy that names a digest or an image, and no commit: what built the artifact knows it.
static enum err find_sha(struct deriving *s, struct deploy *d) {
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

static enum err add_deploy(struct deriving *s, struct arena *row, struct db_row *r, struct rows *out) {
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

static enum err ask_deploys(struct deriving *s, const char *sql, struct db_row **r) {
    TRY(db_prepare(s->db, sql, r));
    db_bind_text(*r, 1, s->service);
    db_bind_text(*r, 2, s->environment);
    return ERR_OK;
}

static enum err make_room(struct deriving *s, struct rows *out) {
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

static enum err read_rows(struct deriving *s, struct arena *row, struct rows *out) {
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

static enum err read_deploys(struct deriving *s, struct rows *out) {
    struct arena row;
    arena_init(&row, ROW_MEMORY_MAX, NULL);
    enum err e = read_rows(s, &row, out);
    arena_fini(&row);
    return e;
}

// --- writing -----------------------------------------------------------------------------------------------

static enum err clear_scope(struct deriving *s) {
    static const char *const texts[] = {
        "DELETE FROM rollout_commit WHERE rollout IN (SELECT id FROM rollout WHERE service = ? AND "
        "environment = ?)",
        "DELETE FROM link WHERE rollout IN (SELECT id FROM rollout WHERE service = ? AND environment = ?)",
        "DELETE FROM flag_link WHERE service = ? AND environment = ?",
        "DELETE FROM rollout WHERE service = ? AND environment = ?",
        "DELETE FROM series WHERE service = ? AND environment = ?",
        "DELETE FROM stale WHERE service = ? AND environment = ?",
    };
    return scoped_run(s->db, texts, sizeof texts / sizeof *texts, s->service, s->environment);
}

static void bind_text_or_null(struct db_row *r, int at, struct str v) {
    if (v.len)
        db_bind_text(r, at, v);
    else
        db_bind_null(r, at);
}
static void bind_time(struct db_row *r, int at, int64_t t) {
    if (t)
        db_bind_i64(r, at, t);
    else
        db_bind_null(r, at);
}
static void bind_rollout(struct db_row *r, int at, const struct rollouts *all, uint32_t i) {
    if (i == ROLLOUT_NONE)
        db_bind_null(r, at);
    else
        db_bind_i64(r, at, (int64_t)all->items[i].id);
}

static enum err put_rollout(struct deriving *s, struct str change_kind, bool production,
                            const struct rollouts *all, uint32_t i, const struct figure *f) {
    const struct rollout *o = &all->items[i];
    const struct deploy *d = o->lead;
    struct db_row *r;
    int at = 1;
    TRY(db_prepare(s->db,
                   "INSERT OR REPLACE INTO rollout "
                   "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   &r));
    db_bind_i64(r, at++, (int64_t)o->id);
    db_bind_text(r, at++, s->service);
    db_bind_text(r, at++, s->environment);
    db_bind_text(r, at++, change_kind);
    db_bind_i64(r, at++, production);
    bind_text_or_null(r, at++, d->version);
    bind_text_or_null(r, at++, d->digest);
    bind_text_or_null(r, at++, d->sha);
    bind_text_or_null(r, at++, d->repo);
    bind_text_or_null(r, at++, d->ref);
    db_bind_text(r, at++, str_of(rollout_kind_text(o->kind)));
    db_bind_text(r, at++, str_of(rollout_state_text(o->state)));
    db_bind_i64(r, at++, o->attempts);
    db_bind_i64(r, at++, o->targets);
    db_bind_i64(r, at++, o->done_targets);
    bind_time(r, at++, o->started);
    bind_time(r, at++, o->first_success);
    bind_time(r, at++, o->finished);
    bind_time(r, at++, f->recovered);
    bind_text_or_null(r, at++, f->failure ? str_of(failure_rule_text(f->failure)) : STR(""));
    db_bind_i64(r, at++, f->severity);
    bind_rollout(r, at++, all, o->before);
    bind_rollout(r, at++, all, o->undoes);
    bind_rollout(r, at++, all, o->reverts);
    db_bind_text(r, at++, str_of(commits_state_text(f->commits_state)));
    db_bind_i64(r, at++, f->n_commits);
    db_bind_i64(r, at++, f->n_changes);
    bind_text_or_null(r, at++, d->trigger);
    bind_text_or_null(r, at++, d->actor);
    bind_text_or_null(r, at++, d->url);
    db_bind_text(r, at++, d->key);
    return db_done(r);
}

static enum err put_commit(struct deriving *s, uint64_t rollout, const struct commit_row *c) {
    struct db_row *r;
    TRY(db_prepare(s->db, "INSERT OR REPLACE INTO rollout_commit VALUES(?,?,?,?,?,?,?)", &r));
    db_bind_i64(r, 1, (int64_t)rollout);
    db_bind_blob(r, 2, c->sha);
    bind_time(r, 3, c->figure.authored);
    bind_time(r, 4, c->figure.committed);
    db_bind_i64(r, 5, c->figure.flags);
    bind_text_or_null(r, 6, c->author);
    bind_text_or_null(r, 7, c->subject);
    return db_done(r);
}

static enum err put_flag_link(struct deriving *s, const struct failure_ask *ask,
                              const struct failure_link *l) {
    struct db_row *r;
    TRY(db_prepare(s->db, "INSERT OR REPLACE INTO flag_link VALUES(?,?,?,?,?,?)", &r));
    db_bind_text(r, 1, s->service);
    db_bind_text(r, 2, s->environment);
    db_bind_text(r, 3, ask->incidents[l->incident].key);
    db_bind_text(r, 4, ask->flags[l->flag].key);
    db_bind_i64(r, 5, l->decides);
    db_bind_text(r, 6, l->evidence);
    return db_done(r);
}

static enum err put_link(struct deriving *s, const struct failure_ask *ask, const struct failure_link *l) {
    struct db_row *r;
    if (l->flag != ROLLOUT_NONE) return put_flag_link(s, ask, l);
    TRY(db_prepare(s->db, "INSERT OR REPLACE INTO link VALUES(?,?,?,?,?,?,?)", &r));
    db_bind_i64(r, 1, (int64_t)ask->rollouts->items[l->rollout].id);
    db_bind_text(r, 2, l->incident == ROLLOUT_NONE ? STR("") : ask->incidents[l->incident].key);
    db_bind_text(r, 3, str_of(failure_rule_text(l->rule)));
    db_bind_text(r, 4, l->evidence);
    db_bind_i64(r, 5, l->decides);
    db_bind_i64(r, 6, l->confirmed);
    db_bind_i64(r, 7, l->neighbour);
    return db_done(r);
}

static enum err put_merge(struct deriving *s, uint64_t rollout, struct str sha) {
    struct db_row *r;
    TRY(db_prepare(s->db, "INSERT OR IGNORE INTO rollout_merge VALUES(?,?)", &r));
    db_bind_i64(r, 1, (int64_t)rollout);
    db_bind_blob(r, 2, sha);
    return db_done(r);
}

static struct str repo_of(const struct rollouts *all) {
    for (uint32_t i = all->n; i-- > 0;)
        if (all->items[i].lead->repo.len) return all->items[i].lead->repo;
    return STR("");
}

static void bind_frontier(struct db_row *r, const struct series *series) {
    int64_t first = 0, unknown = 0;
    for (uint32_t i = 0; i < series->n; i++) {
        const struct figure *f = &series->figures[i];
        if (f->state != ROLLOUT_SUCCESS) continue;
        if (!first) first = f->finished;
        if (f->commits_state == COMMITS_UNKNOWN || f->commits_state == COMMITS_CUT) unknown = f->finished;
    }
    bind_time(r, 6, first);
    bind_time(r, 7, unknown);
}

static enum err put_series(struct deriving *s, struct str change_kind, const struct rollouts *all,
                           const struct series *series) {
    struct db_row *r;
    struct buf packed;
    buf_init(&packed, SIZE_MAX);
    series_pack(series, &packed);
    enum err e =
        packed.failed ? ERR_NOMEM : db_prepare(s->db, "INSERT INTO series VALUES(?,?,?,?,?,?,?,?)", &r);
    if (e == ERR_OK) {
        db_bind_text(r, 1, s->service);
        db_bind_text(r, 2, s->environment);
        db_bind_text(r, 3, change_kind);
        db_bind_i64(r, 4, series->production);
        db_bind_text(r, 5, repo_of(all));
        bind_frontier(r, series);
        db_bind_blob(r, 8, buf_view(&packed));
        e = db_done(r);
    }
    buf_fini(&packed);
    return e;
}

// --- one series --------------------------------------------------------------------------------------------

static enum automation automation_of(const struct deploy *d) {
    if (str_eq(d->trigger, STR("automatic"))) return AUTOMATION_AUTOMATIC;
    if (str_eq(d->trigger, STR("approved"))) return AUTOMATION_APPROVED;
    return str_eq(d->trigger, STR("manual")) ? AUTOMATION_MANUAL : AUTOMATION_UNKNOWN;
}

static void fill_figures(const struct rollouts *all, const struct commit_sets *sets, struct figure *figures) {
    for (uint32_t i = 0, first = 0; i < all->n; i++) {
        const struct rollout *o = &all->items[i];
        figures[i] = (struct figure){ .id = o->id,
                                      .state = o->state,
                                      .kind = o->kind,
                                      .commits_state = sets->of[i].state,
                                      .automation = automation_of(o->lead),
                                      .retried = o->retried,
                                      .mixed = o->mixed,
                                      .reverts = revert_is_rework(o),
                                      .started = o->started,
                                      .first_success = o->first_success,
                                      .finished = o->finished,
                                      .n_changes = sets->of[i].n_changes,
                                      .n_commits = sets->of[i].n,
                                      .first_commit = first,
                                      .undoes = o->undoes };
        first += sets->of[i].n;
    }
}

static void fill_failures(const struct failure_ask *ask, const struct failures *found,
                          struct figure *figures) {
    for (uint32_t i = 0; i < found->n; i++) {
        const struct failure_link *l = &found->links[i];
        if (l->rollout == ROLLOUT_NONE || l->aborted) continue;
        struct figure *f = &figures[l->rollout];
        if (!l->decides) continue;
        uint32_t severity = l->incident == ROLLOUT_NONE ? 0 : ask->incidents[l->incident].severity;
        if (f->failure == FAILURE_NONE || severity < f->severity) f->severity = (uint8_t)severity;
        if (f->failure == FAILURE_NONE || l->rule < f->failure) f->failure = l->rule;
    }
    for (uint32_t i = 0; i < ask->rollouts->n; i++)
        if (figures[i].failure) figures[i].recovered = failure_recovered(ask, found, i);
}

static enum err put_all(struct deriving *s, struct str change_kind, const struct failure_ask *ask,
                        const struct failures *found, const struct commit_sets *sets,
                        const struct series *series) {
    for (uint32_t i = 0; i < series->n; i++) {
        const struct figure *f = &series->figures[i];
        TRY(put_rollout(s, change_kind, series->production, ask->rollouts, i, f));
        for (uint32_t k = 0; k < f->n_commits; k++)
            TRY(put_commit(s, f->id, &sets->commits[f->first_commit + k]));
    }
    for (uint32_t i = 0; i < found->n; i++) TRY(put_link(s, ask, &found->links[i]));
    for (uint32_t i = 0; i < sets->n_merges; i++)
        TRY(put_merge(s, series->figures[sets->merges[i].rollout].id, sets->merges[i].sha));
    return put_series(s, change_kind, ask->rollouts, series);
}

static bool any_production(const struct deriving *s, const struct deploy *deploys, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (environment_is_production(deploys[i].tier.len ? deploys[i].tier : s->tier, s->environment))
            return true;
    return false;
}

static enum err derive_series(struct deriving *s, struct str change_kind, struct deploy *deploys, uint32_t n,
                              struct failure_ask *ask) {
    struct rollouts all;
    struct commit_sets sets;
    struct failures found;
    struct str scope = str_fmt(s->a, "%.*s%c%.*s%c%.*s", STR_ARG(s->service), 0, STR_ARG(s->environment), 0,
                               STR_ARG(change_kind));
    TRY(rollouts_of(s->a, scope, deploys, n, &all));
    TRY(commit_sets_of(s->histories, s->a, s->service, &all, &sets));
    reverts_find(&all, sets.brought, sets.n_brought);
    ask->rollouts = &all;
    ask->brought = sets.brought;
    ask->n_brought = sets.n_brought;
    struct failure_ask none = { .rollouts = &all };
    // Incidents are of the service: a config change that breaks it is found by name or remedy only.
    bool is_service = str_eq(change_kind, STR("service"));
    TRY(failures_of(s->a, is_service ? ask : &none, &found));
    struct figure *figures = ARENA_ARRAY(s->a, all.n + 1, struct figure);
    struct figure_commit *commits = ARENA_ARRAY(s->a, sets.n + 1, struct figure_commit);
    if (!figures || !commits) return ERR_NOMEM;
    for (uint32_t i = 0; i < sets.n; i++) commits[i] = sets.commits[i].figure;
    fill_figures(&all, &sets, figures);
    fill_failures(is_service ? ask : &none, &found, figures);
    struct series series = { .production = any_production(s, deploys, n),
                             .figures = figures,
                             .n = all.n,
                             .commits = commits,
                             .n_commits = sets.n };
    return put_all(s, change_kind, is_service ? ask : &none, &found, &sets, &series);
}

static enum err derive_scope(struct deriving *s) {
    struct rows rows = { 0 };
    struct failure_ask ask = { 0 };
    bool neighbours;
    TRY(flows_before(s->db, s->service, s->environment));
    TRY(near_before(s->db, s->service, s->environment, &neighbours));
    TRY(clear_scope(s));
    TRY(catalogue_tier(s->db, s->a, s->service, s->environment, &s->tier));
    TRY(read_deploys(s, &rows));
    bool production = any_production(s, rows.deploys, rows.n);
    TRY(causes_read(s->db, s->a, &(struct causes_scope){ s->service, s->environment, production }, &ask));
    for (uint32_t i = 0, end; i < rows.n; i = end) {
        for (end = i + 1; end < rows.n && str_eq(rows.change_kinds[end], rows.change_kinds[i]);) end++;
        TRY(derive_series(s, rows.change_kinds[i], rows.deploys + i, end - i, &ask));
    }
    if (neighbours) TRY(near_after(s->db, s->service, s->environment));
    return flows_after(s->db, s->service, s->environment);
}

static enum err next_stale(struct db *d, struct arena *a, struct deriving *out, bool *found) {
    struct db_row *r;
    TRY(db_prepare(d, "SELECT service, environment FROM stale LIMIT 1", &r));
    TRY(db_step(r, found));
    if (!*found) return ERR_OK;
    out->service = str_dup(a, db_text(r, 0));
    out->environment = str_dup(a, db_text(r, 1));
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err derive_some(struct db *d, unsigned n, bool *out_left) {
    struct arena a;
    struct histories *histories;
    enum err e = ERR_OK;
    *out_left = true;
    TRY(histories_new(d, &histories));
    arena_init(&a, DERIVE_MEMORY_MAX, NULL);
    for (unsigned i = 0; i < n && e == ERR_OK && *out_left; i++) {
        struct deriving s = { .db = d, .a = &a, .histories = histories };
        e = next_stale(d, &a, &s, out_left);
        if (e == ERR_OK && *out_left) e = derive_scope(&s);
        arena_reset(&a);
    }
    arena_fini(&a);
    histories_free(histories);
    if (e == ERR_OK && !*out_left) e = near_some(d, out_left);
    // Flows read what rollouts delivered: those come first.
    return e != ERR_OK || *out_left ? e : flows_some(d, n, out_left);
}
