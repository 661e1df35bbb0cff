// SPDX-License-Identifier: Apache-2.0
#include "delivery/checks.h"

#include "delivery/hidden.h"

#define DAY_NS (86400 * 1000000000ll)
#define HOURS_BEFORE_NS (6 * 3600 * 1000000000ll)
#define SATURATION_MOST 0.8
#define UNTAGGED_MOST 0.1
#define OBJECTIVE_WINDOW_NS (30 * DAY_NS)

struct checking {
    struct db *db;
    struct arena *arena;
    struct str service;
    struct str key; // of the incident
    int64_t now, began;
    const struct check_world *world;
};

static struct str keep(struct checking *k, struct str s) {
    char *copy = s.len ? arena_copy(k->arena, s.ptr, s.len) : NULL;
    return copy ? (struct str){ copy, s.len } : STR("");
}

// A row of counts and one text: ?1 the service, ?2 now, ?3 when the incident began, ?4 its key.
struct counted {
    uint64_t n, of;
    struct str text;
};
static enum err ask(struct checking *k, const char *sql, struct counted *out) {
    struct db_row *r;
    bool row;
    *out = (struct counted){ 0 };
    TRY(db_prepare(k->db, sql, &r));
    int n = db_values(r); // a statement uses some of them
    db_bind_text(r, 1, k->service);
    if (n >= 2) db_bind_i64(r, 2, k->now);
    if (n >= 3) db_bind_i64(r, 3, k->began);
    if (n >= 4) db_bind_text(r, 4, k->key);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    out->n = (uint64_t)db_i64(r, 0);
    out->of = (uint64_t)db_i64(r, 1);
    out->text = keep(k, db_text(r, 2));
    db_reset(r);
    return ERR_OK;
}

#define LAST_90_DAYS "?2 - 7776000000000000"

static const char tagged[] =
    "SELECT coalesce(sum(version IS NOT NULL AND sha IS NOT NULL), 0), count(*), max(version) "
    "FROM rollout WHERE service = ?1 AND finished_at >= " LAST_90_DAYS;
static const char canaries[] =
    "SELECT count(*), 0, max(version) FROM canary WHERE service = ?1 AND started_at >= " LAST_90_DAYS;
static const char rollbacks[] =
    "SELECT count(*), 0, max(version) FROM rollout WHERE service = ?1 AND kind = 'rollback' AND state = "
    "'success' AND finished_at >= " LAST_90_DAYS;
static const char deploys[] =
    "SELECT count(*), 0, NULL FROM deploy WHERE service = ?1 AND coalesce(succeeded_at, ended_at, "
    "started_at) >= " LAST_90_DAYS;
static const char alerts[] =
    "SELECT count(*), 0, max(detected_by) FROM incident WHERE service = ?1 AND detected_by <> 'person' "
    "AND coalesce(detected_at, started_at) >= " LAST_90_DAYS;
static const char runbooks[] =
    "SELECT count(*), 0, max(runbook) FROM catalogue WHERE service = ?1 AND runbook IS NOT NULL";
static const char on_call[] =
    "SELECT count(*), 0, max(on_call) FROM catalogue WHERE service = ?1 AND on_call IS NOT NULL";

// Of the last rollout to production of which traces could tell.
#define HIDDEN(what, can_tell) \
    "SELECT " what ", 1, ifnull(i.version, i.deploy) || ifnull(': ' || i.blind, '') FROM impact i JOIN " \
    "rollout r ON i.key = printf('%016x', r.id) WHERE i.service = ?1 AND i.computed_at <= ?2 AND " \
    "r.production AND " can_tell " ORDER BY r.finished_at DESC, r.id LIMIT 1"
static const char hidden[] = HIDDEN(HIDDEN_ANY, HIDDEN_CAN_TELL);
static const char spans_lost[] = HIDDEN("spans_lost > 0", "spans_lost NOTNULL");

// --- before production -------------------------------------------------------------------------------------

static void check_rate(struct checking *k, struct finding *f, enum measure m, double most) {
    const struct measure_result *r = k->world->measures ? &k->world->measures[m] : NULL;
    finding_uses(f, m);
    enum measure_verdict v = r ? measure_judge(&r->value, r->small, most) : MEASURE_UNKNOWN;
    if (!r || !r->value.defined || r->small)
        finding_says(f, k->arena, FINDING_UNKNOWN, "%s: too few rows to tell", measure_info(m)->title);
    else if (v == MEASURE_UNKNOWN)
        finding_says(f, k->arena, FINDING_UNKNOWN, "%s %.3g %%, may be %.3g to %.3g %% (at most %.3g %%)",
                     measure_info(m)->title, 100 * r->value.value, 100 * r->value.lo, 100 * r->value.hi,
                     100 * most);
    else
        finding_says(f, k->arena, finding_when(v == MEASURE_MET), "%s %.3g %% (at most %.3g %%)",
                     measure_info(m)->title, 100 * r->value.value, 100 * most);
}
static void check_flags(struct checking *k, struct finding *f) {
    const struct measure_result *r = k->world->measures ? &k->world->measures[MEASURE_STALE_FLAG_RATE] : NULL;
    finding_uses(f, MEASURE_STALE_FLAG_RATE);
    if (!r || !r->value.defined)
        finding_cannot_know(f, k->arena, "no flags are known");
    else
        finding_says(f, k->arena, finding_when(r->numerator == 0), "%llu of %llu flags are past their time",
                     (unsigned long long)r->numerator, (unsigned long long)r->denominator);
}
static void check_views(struct checking *k, struct finding *f) {
    static const enum measure needed[] = { MEASURE_DEPLOYMENT_FREQUENCY, MEASURE_LEAD_TIME,
                                           MEASURE_CHANGE_FAILURE_RATE };
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++) {
        finding_uses(f, needed[i]);
        n += k->world->measures && k->world->measures[needed[i]].value.defined;
    }
    finding_says(f, k->arena, finding_when(n == 3), "%u of 3 figures have a value", n);
}
static void check_spans(struct checking *k, struct finding *f, const char *found) {
    if (!k->world->knows_traces)
        finding_cannot_know(f, k->arena, "the trace store was not asked");
    else if (k->world->trace.len)
        finding_says(f, k->arena, FINDING_YES, "%s: trace %.*s", found, STR_ARG(k->world->trace));
    else
        finding_says(f, k->arena, FINDING_NO, "no trace of the service in the last hour");
}
// And are they all that there were before the last rollout?
static enum err check_hidden(struct checking *k, struct finding *f) {
    struct counted c;
    TRY(ask(k, hidden, &c));
    if (c.n) finding_says(f, k->arena, FINDING_NO, "fewer since %.*s", STR_ARG(c.text));
    return ERR_OK;
}
static enum err check_propagation(struct checking *k, struct finding *f) {
    struct counted c;
    TRY(ask(k, spans_lost, &c));
    if (c.n)
        finding_says(f, k->arena, FINDING_NO, "not since %.*s", STR_ARG(c.text));
    else if (c.of)
        finding_says(f, k->arena, FINDING_UNKNOWN,
                     "no spans are missing since %.*s; partial traces are not told apart by version",
                     STR_ARG(c.text));
    else
        finding_cannot_know(f, k->arena, "partial traces are not told apart by version");
    return ERR_OK;
}
// Some, or none, of what a statement counts.
static enum err check_some(struct checking *k, struct finding *f, const char *sql, const char *what) {
    struct counted c;
    TRY(ask(k, sql, &c));
    finding_says(f, k->arena, finding_when(c.n > 0), "%llu %s%s%.*s", (unsigned long long)c.n, what,
                 c.text.len ? ": " : "", STR_ARG(c.text));
    return ERR_OK;
}
static enum err check_tagged(struct checking *k, struct finding *f) {
    struct counted c;
    TRY(ask(k, tagged, &c));
    if (c.of == 0)
        finding_cannot_know(f, k->arena, "no rollouts in the last 90 days");
    else
        finding_says(f, k->arena, finding_when((double)(c.of - c.n) <= UNTAGGED_MOST * (double)c.of),
                     "%llu of %llu rollouts tell version and commit", (unsigned long long)c.n,
                     (unsigned long long)c.of);
    return ERR_OK;
}

static enum err before_production(struct checking *k, struct finding *out) {
    out[0] = finding_begin("flake-rate", "Is the flake rate in bounds?", "Mend the pipeline");
    check_rate(k, &out[0], MEASURE_WASTED_RUN_RATE, 0.05);
    out[1] = finding_begin("builds-tagged", "Do version and commit stand on every build?",
                           "Let the deploy event say both");
    TRY(check_tagged(k, &out[1]));
    out[2] = finding_begin("canary", "Do versions go to a few users first?", "A canary policy");
    TRY(check_some(k, &out[2], canaries, "canaries in the last 90 days"));
    out[3] =
        finding_begin("indicators", "Are the critical indicators there, and moving?", "Define objectives");
    finding_cannot_know(&out[3], k->arena, "no objectives are defined");
    out[4] = finding_begin("rollback", "Was a rollback exercised in the last 90 days?",
                           "Roll back once on a quiet day");
    TRY(check_some(k, &out[4], rollbacks, "rollbacks in the last 90 days"));
    out[5] = finding_begin("deploy-events", "Do deploy events arrive?", "Send them: docs/hooks.md");
    TRY(check_some(k, &out[5], deploys, "deploys in the last 90 days"));
    out[6] = finding_begin("flags", "Are flags looked after?", "Remove those past their time");
    check_flags(k, &out[6]);
    out[7] = finding_begin("spans", "Do spans arrive?", "Point the SDK at this server");
    check_spans(k, &out[7], "spans arrive");
    TRY(check_hidden(k, &out[7]));
    out[8] = finding_begin("trace", "Can a trace be fetched?", NULL);
    check_spans(k, &out[8], "fetched");
    out[9] = finding_begin("views", "Have the views data?", NULL);
    check_views(k, &out[9]);
    return ERR_OK;
}

// --- ready -------------------------------------------------------------------------------------------------

static void check_room(struct checking *k, struct finding *f) {
    if (!k->world->knows_load)
        finding_cannot_know(f, k->arena, "no server was asked");
    else
        finding_says(f, k->arena, finding_when(k->world->saturation <= SATURATION_MOST),
                     "%.3g %% of what it can take (at most %.3g %%)", 100 * k->world->saturation,
                     100 * SATURATION_MOST);
}
static void check_retention(struct checking *k, struct finding *f) {
    if (!k->world->knows_load)
        finding_cannot_know(f, k->arena, "no server was asked");
    else if (k->world->retention_ns == 0)
        finding_says(f, k->arena, FINDING_YES, "traces are kept for ever");
    else
        finding_says(f, k->arena, finding_when(k->world->retention_ns >= OBJECTIVE_WINDOW_NS),
                     "traces are kept for %lld days (at least 30)",
                     (long long)(k->world->retention_ns / DAY_NS));
}

enum err checks_ready(struct db *d, struct arena *a, struct str service, int64_t now,
                      const struct check_world *world, struct finding out[static CHECKS_READY]) {
    struct checking k = {
        .db = d, .arena = a, .service = service, .key = STR(""), .now = now, .world = world
    };
    TRY(before_production(&k, out));
    struct finding *f = out + CHECKS_BEFORE;
    f[0] = finding_begin("objective", "Are objective and budget visible?", "Define objectives");
    finding_cannot_know(&f[0], k.arena, "no objectives are defined");
    f[1] = finding_begin("alerts", "Were alerts exercised in the last 90 days?", "Let one fire on purpose");
    TRY(check_some(&k, &f[1], alerts, "incidents that a machine detected"));
    f[2] = finding_begin("runbook", "Is a runbook linked?", "Put it into the catalogue");
    TRY(check_some(&k, &f[2], runbooks, "in the catalogue"));
    f[3] = finding_begin("access", "Is access limited?", NULL);
    finding_cannot_know(&f[3], k.arena, "this server knows no users");
    f[4] = finding_begin("retention", "Does retention cover the window of objectives?", "Raise retention");
    check_retention(&k, &f[4]);
    f[5] = finding_begin("sampling", "Do sampling rules keep errors?", NULL);
    finding_cannot_know(&f[5], k.arena, "nothing tells how the senders sample");
    f[6] = finding_begin("head-room", "Has ingest head-room?", "A larger memory budget, or more cores");
    check_room(&k, &f[6]);
    f[7] = finding_begin("on-call", "Is somebody named who is on call?", "Put it into the catalogue");
    TRY(check_some(&k, &f[7], on_call, "in the catalogue"));
    for (unsigned i = 0; i < CHECKS_READY; i++) out[i].due = FINDING_NO;
    return ERR_OK;
}

// --- an incident -------------------------------------------------------------------------------------------

static const char find_incident[] =
    "SELECT i.key, t.service, t.environment, i.title, i.state, i.url, t.began_at, t.detected_at, "
    "t.acknowledged_at, t.recovered_at, p.impact_at, p.impact_by, p.impact_says, i.team FROM incident i JOIN "
    "incident_times t ON t.key = i.key JOIN incident_impact p ON p.incident = i.key WHERE i.key = ?1 OR "
    "(length(?1) > 0 AND "
    "substr(i.key, -length(?1) - 1) = ':' || ?1) ORDER BY i.key <> ?1, i.key LIMIT 2";
static const char cause[] = "SELECT o.id, o.version, l.rule, nullif(o.service, ?2), l.evidence FROM link l "
                            "JOIN rollout o ON o.id = l.rollout WHERE l.incident = ?1 AND "
                            "l.decides ORDER BY l.confirmed DESC, o.finished_at DESC LIMIT 1";

static enum err read_incident(struct checking *k, struct check_incident *i) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(k->db, find_incident, &r));
    db_bind_text(r, 1, k->key);
    TRY(db_step(r, &row));
    if (!row) return ERR_NOT_FOUND;
    *i = (struct check_incident){ .key = keep(k, db_text(r, 0)),
                                  .service = keep(k, db_text(r, 1)),
                                  .environment = keep(k, db_text(r, 2)),
                                  .title = keep(k, db_text(r, 3)),
                                  .state = keep(k, db_text(r, 4)),
                                  .url = keep(k, db_text(r, 5)),
                                  .began = db_i64(r, 6),
                                  .detected = db_i64(r, 7),
                                  .acknowledged = db_i64(r, 8),
                                  .recovered = db_i64(r, 9),
                                  .impact = db_i64(r, 10),
                                  .impact_by = keep(k, db_text(r, 11)),
                                  .impact_says = keep(k, db_text(r, 12)),
                                  .teams = keep(k, db_text(r, 13)) };
    TRY(db_step(r, &row)); // a second one with that ending: which is meant cannot be told
    if (row) db_reset(r);
    if (row && !str_eq(i->key, k->key)) return ERR_NOT_FOUND;
    TRY(db_prepare(k->db, cause, &r));
    db_bind_text(r, 1, i->key);
    db_bind_text(r, 2, i->service);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    i->rollout = (uint64_t)db_i64(r, 0);
    i->version = keep(k, db_text(r, 1));
    i->rule = keep(k, db_text(r, 2));
    i->cause_service = keep(k, db_text(r, 3));
    i->says = keep(k, db_text(r, 4));
    db_reset(r);
    return ERR_OK;
}

static const char serving[] = "SELECT count(*), 0, max(version) FROM (SELECT version FROM rollout WHERE "
                              "service = ?1 AND state = 'success' AND "
                              "production ORDER BY finished_at DESC LIMIT 1)";
static const char canary_now[] = "SELECT count(*), 0, max(version) FROM canary WHERE service = ?1 AND state "
                                 "IN ('progressing', 'paused')";
static const char bad_runs[] = "SELECT coalesce(sum(result IN ('failure', 'error', 'timeout')), 0), "
                               "count(*), max(name) FROM run WHERE repo IN (SELECT "
                               "repo FROM service_repo WHERE service = ?1) AND ended_at >= ?3 - "
                               "86400000000000 AND ended_at <= ?2";
static const char path_deploys[] =
    "SELECT count(*), 0, group_concat(service || ' ' || coalesce(version, "
    "''), ', ') FROM (SELECT service, version FROM rollout "
    "WHERE production AND (service = ?1 OR service IN (SELECT other FROM "
    "neighbour WHERE service = ?1 AND calls AND (month_at = 0 OR month_at BETWEEN "
    "strftime('%s', ?3 / 1000000000, 'unixepoch', 'start of month', '-1 month') * "
    "1000000000 AND ?3))) AND "
    "coalesce(finished_at, started_at) >= ?3 - 21600000000000 AND "
    "coalesce(started_at, finished_at) <= ?3 ORDER BY "
    "finished_at DESC LIMIT 8)";
// What ran before the rollout that caused it, while nothing has recovered from it yet.
static const char before_cause[] = "SELECT count(*), sum(o.recovered_at IS NOT NULL), max(b.version) FROM "
                                   "link l JOIN rollout o ON o.id = l.rollout JOIN "
                                   "rollout b ON b.id = o.before WHERE l.incident = ?4 AND l.decides";

static enum err incident_changes(struct checking *k, const struct check_incident *i, struct finding *out) {
    struct counted c;
    out[0] = finding_begin("versions", "Is it known which version serves?", NULL);
    TRY(check_some(k, &out[0], serving, "last rollout"));
    out[1] = finding_begin("canary", "Is a canary on its way?", "Compare it: takt compare");
    TRY(check_some(k, &out[1], canary_now, "canaries"));
    out[2] = finding_begin("pipelines", "Did runs fail in the day before?", NULL);
    TRY(ask(k, bad_runs, &c));
    if (c.of == 0)
        finding_cannot_know(&out[2], k->arena, "no runs of its repositories are known");
    else
        finding_says(&out[2], k->arena, finding_when(c.n > 0), "%llu of %llu runs", (unsigned long long)c.n,
                     (unsigned long long)c.of);
    out[3] = finding_begin("deploys", "Was anything deployed on the call path in the six hours before?",
                           "Look at it first");
    TRY(check_some(k, &out[3], path_deploys, "rollouts"));
    out[4] = finding_begin("budget", "Is the error budget critical?", NULL);
    finding_cannot_know(&out[4], k->arena, "no objectives are defined");
    out[5] = finding_begin("rollback", "Is a rollback advised?", "Roll back");
    TRY(ask(k, before_cause, &c));
    bool open = !i->recovered;
    if (!i->rollout)
        finding_cannot_know(&out[5], k->arena, "no rollout is known to have caused it");
    else if (c.n == 0)
        finding_says(&out[5], k->arena, FINDING_NO, "nothing ran before %.*s", STR_ARG(i->version));
    else
        finding_says(&out[5], k->arena, finding_when(open && c.of == 0), "%s; %.*s ran before %.*s",
                     open ? "it is open" : "it is over", STR_ARG(c.text), STR_ARG(i->version));
    return ERR_OK;
}

static const char *known(bool it_is) {
    return it_is ? "known" : "unknown";
}

enum err checks_incident(struct db *d, struct arena *a, struct str key, int64_t now,
                         const struct check_world *world, struct check_incident *i,
                         struct finding out[static CHECKS_INCIDENT]) {
    struct checking k = { .db = d, .arena = a, .key = key, .now = now, .world = world };
    TRY(read_incident(&k, i));
    k.key = i->key;
    k.service = i->service;
    k.began = i->began ? i->began : i->detected;
    TRY(incident_changes(&k, i, out));
    out[6] = finding_begin("takt", "Has Takt itself head-room?", NULL);
    check_room(&k, &out[6]);
    out[7] = finding_begin("propagation", "Is context passed on in all traces?", NULL);
    TRY(check_propagation(&k, &out[7]));
    out[8] = finding_begin("sampling", "Do sampling rules keep errors?", NULL);
    finding_cannot_know(&out[8], k.arena, "nothing tells how the senders sample");
    out[9] = finding_begin("recorded", "Are times and cause recorded?",
                           "takt event incident --id … --caused-by …");
    out[9].due = FINDING_NO;
    bool over = i->recovered != 0,
         open = !over && (str_eq(i->state, STR("triggered")) || str_eq(i->state, STR("acknowledged")));
    finding_says(&out[9], a, finding_when(i->impact_by.len && i->detected && i->rollout && (over || open)),
                 "start of the impact %s%.*s%s, detection %s, cause %s, end %s",
                 i->impact_by.len ? "known (" : "unknown", STR_ARG(i->impact_by), i->impact_by.len ? ")" : "",
                 known(i->detected != 0), known(i->rollout != 0),
                 over   ? "known"
                 : open ? "not yet"
                        : "unknown");
    return ERR_OK;
}
