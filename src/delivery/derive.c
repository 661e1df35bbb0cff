// SPDX-License-Identifier: Apache-2.0
#include "delivery/derive.h"

#include "delivery/catalogue_store.h"
#include "delivery/causes.h"
#include "delivery/commits.h"
#include "delivery/environment.h"
#include "delivery/failure.h"
#include "delivery/flows.h"
#include "delivery/near.h"
#include "delivery/pause.h"
#include "delivery/recovery.h"
#include "delivery/revert.h"
#include "delivery/scoped.h"
#include "delivery/told.h"
#include "delivery/words.h"

const char derive_tables[] =
    "DROP VIEW IF EXISTS incident_impact; DROP VIEW IF EXISTS incident_times; DROP VIEW IF EXISTS "
    "told_deploy; "
    "DROP TABLE IF EXISTS stale; DROP "
    "TABLE IF EXISTS rollout; DROP "
    "TABLE IF EXISTS rollout_commit;"
    "DROP TABLE IF EXISTS link; DROP TABLE IF EXISTS series;" TOLD_VIEW
        // When an incident began and ended, for every measure and link alike; one that was opened again has
        // not.
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

// --- writing -----------------------------------------------------------------------------------------------

struct deriving {
    struct db *db;
    struct arena *a;
    struct str service, environment;
    struct str tier; // of the environment, by the catalogue; empty: it does not say
    struct histories *histories;
};
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

static enum err fill_failures(struct arena *a, const struct failure_ask *ask, const struct failures *found,
                              struct figure *figures) {
    struct recoveries recoveries;
    TRY(recoveries_of(a, ask, found, &recoveries));
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
        if (figures[i].failure) figures[i].recovered = recovered_at(&recoveries, i);
    return ERR_OK;
}

static enum err put_all(struct deriving *s, struct str change_kind, const struct failure_ask *ask,
                        const struct failures *found, const struct commit_sets *sets,
                        const struct series *series) {
    for (uint32_t i = 0; i < series->n; i++)
        TRY(put_rollout(s, change_kind, series->production, ask->rollouts, i, &series->figures[i]));
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

struct putting {
    struct deriving *s;
    const struct rollouts *all;
};
static enum err put_commit_of(void *ctx, uint32_t rollout, const struct commit_row *c) {
    struct putting *p = ctx;
    return put_commit(p->s, p->all->items[rollout].id, c);
}

static enum err derive_rollouts(struct deriving *s, struct str change_kind, bool production,
                                const struct failure_ask *ask, const struct commit_sets *sets) {
    struct failures found;
    TRY(failures_of(s->a, ask, &found));
    struct figure *figures = ARENA_ARRAY(s->a, ask->rollouts->n + 1, struct figure);
    if (!figures) return ERR_NOMEM;
    fill_figures(ask->rollouts, sets, figures);
    TRY(fill_failures(s->a, ask, &found, figures));
    struct series series = { .production = production,
                             .figures = figures,
                             .n = ask->rollouts->n,
                             .commits = sets->commits,
                             .n_commits = sets->n };
    return put_all(s, change_kind, ask, &found, sets, &series);
}

static enum err derive_series(struct deriving *s, struct str change_kind, struct deploy *deploys, uint32_t n,
                              struct failure_ask *ask) {
    struct rollouts all;
    struct commit_sets sets;
    struct putting put = { s, &all };
    struct str scope = str_fmt(s->a, "%.*s%c%.*s%c%.*s", STR_ARG(s->service), 0, STR_ARG(s->environment), 0,
                               STR_ARG(change_kind));
    TRY(rollouts_of(s->a, scope, deploys, n, &all));
    enum err e = commit_sets_of(s->histories, s->a, s->service, &all,
                                &(struct commit_sink){ put_commit_of, &put }, &sets);
    if (e == ERR_OK) {
        reverts_find(&all, sets.brought, sets.n_brought);
        // Incidents are of the service: a config change that breaks it is found by name or remedy only.
        struct failure_ask none = { 0 }, *mine = str_eq(change_kind, STR("service")) ? ask : &none;
        mine->rollouts = &all;
        mine->brought = sets.brought;
        mine->n_brought = sets.n_brought;
        e = derive_rollouts(s, change_kind, any_production(s, deploys, n), mine, &sets);
    }
    commit_sets_fini(&sets);
    return e;
}

static enum err derive_scope(struct deriving *s) {
    struct told told = { 0 };
    struct failure_ask ask = { 0 };
    bool neighbours;
    TRY(flows_before(s->db, s->service, s->environment));
    TRY(near_before(s->db, s->service, s->environment, &neighbours));
    TRY(clear_scope(s));
    TRY(catalogue_tier(s->db, s->a, s->service, s->environment, &s->tier));
    TRY(told_read(s->db, s->a, &(struct told_scope){ s->service, s->environment }, &told));
    bool production = any_production(s, told.deploys, told.n);
    TRY(causes_read(s->db, s->a, &(struct causes_scope){ s->service, s->environment, production }, &ask));
    for (uint32_t i = 0, end; i < told.n; i = end) {
        for (end = i + 1; end < told.n && str_eq(told.change_kinds[end], told.change_kinds[i]);) end++;
        TRY(derive_series(s, told.change_kinds[i], told.deploys + i, end - i, &ask));
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
