// SPDX-License-Identifier: Apache-2.0
// Each figure is one statement over the same values: ?1 and ?2 the window, ?3 the environment, ?4 now,
// ?7 to ?10 the services (scope.h); ?10 is in all of them, so all may be bound. Without an environment all
// that are production count, as in measures: ?11 lists the others. ?12 is
// the severity by which a rollout failed.
#include "delivery/situation.h"

#include "base/json.h"
#include "delivery/alerts.h"
#include "delivery/environment.h"
#include "delivery/evidence.h"
#include "delivery/hidden.h"

enum { OTHERS_MAX = 64 << 20 }; // bytes; environments that are no production

#define ROLLOUTS \
    " FROM rollout WHERE change_kind = 'service' AND finished_at >= ?1 AND finished_at < ?2 AND " \
    "((?3 = '' AND production) OR environment = ?3) AND " SCOPE_SERVICES
#define COUNTED "kind IN ('normal', 'first', 'hotfix') AND state = 'success'"
#define FAILED "(failure IS NOT NULL AND (?12 = 0 OR severity <= ?12))"
#define PLACE "ifnull(length(service) || ':' || service, '') || ':' || ifnull(environment, '')"
// Of what need not tell its environment: that is production then.
#define IN_PRODUCTION "?3 = '' AND " PLACE " NOT IN (SELECT value FROM json_each(?11))"
// Of what has to do with rollouts.
#define AMONG_ROLLOUTS(table) \
    "(environment = ?3 OR ?3 = '' AND EXISTS (SELECT 1 FROM series s WHERE s.production AND " \
    "s.service = " table ".service AND s.environment = " table ".environment))"
#define INCIDENTS \
    " FROM incident_times WHERE NOT duplicate AND began_at >= ?1 AND began_at < ?2 AND (" IN_PRODUCTION \
    " OR environment IN ('', ?3)) AND " SCOPE_SERVICES
#define CANARIES \
    " FROM canary WHERE ended_at >= ?1 AND ended_at < ?2 AND (" IN_PRODUCTION " OR environment = ?3) " \
    "AND " SCOPE_SERVICES
#define DAY "86400000000000"

struct situation {
    struct db *db;
    struct arena *arena;
    const struct situation_ask *ask;
    struct str others; // a JSON array
};

// The values that the statement uses; the others are not in it.
static enum err prepared(const struct situation *s, const char *sql, struct db_row **r) {
    TRY(db_prepare(s->db, sql, r));
    db_bind_i64(*r, 1, s->ask->from);
    db_bind_i64(*r, 2, s->ask->to);
    if (db_values(*r) == 2) return ERR_OK; // whatever it is of
    db_bind_text(*r, 3, s->ask->scope.environment.len ? s->ask->scope.environment : STR(""));
    db_bind_i64(*r, 4, s->ask->now);
    scope_bind(*r, &s->ask->scope);
    if (db_values(*r) >= 11) db_bind_text(*r, 11, s->others);
    if (db_values(*r) >= 12) db_bind_i64(*r, 12, s->ask->failure_severity);
    return ERR_OK;
}
static enum err ask_for(const struct situation *s, const char *sql, struct db_row **r, bool *out_row) {
    TRY(prepared(s, sql, r));
    return db_step(*r, out_row);
}
static uint64_t number(struct db_row *r, int at) {
    int64_t v = db_i64(r, at);
    return v > 0 ? (uint64_t)v : 0;
}
// n shares, from the columns k, n, k, n, …
static enum err shares(const struct situation *s, const char *sql, unsigned n,
                       struct finding_share *const *out) {
    struct db_row *r;
    bool row;
    TRY(ask_for(s, sql, &r, &row));
    for (unsigned i = 0; row && i < n; i++)
        *out[i] = (struct finding_share){ number(r, 2 * (int)i), number(r, 2 * (int)i + 1) };
    if (row) db_reset(r);
    return ERR_OK;
}
// A name with its share: columns name, k, n; none: nothing is known.
static enum err step_name(const struct situation *s, struct db_row *r, struct finding_name *out) {
    bool row;
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = (struct finding_name){ str_dup(s->arena, db_text(r, 0)), { number(r, 1), number(r, 2) } };
    db_reset(r);
    return s->arena->failed ? ERR_NOMEM : ERR_OK;
}
static enum err named(const struct situation *s, const char *sql, struct finding_name *out) {
    struct db_row *r;
    TRY(prepared(s, sql, &r));
    return step_name(s, r, out);
}
static enum err count(const struct situation *s, const char *sql, uint64_t *out) {
    struct db_row *r;
    bool row;
    TRY(ask_for(s, sql, &r, &row));
    *out = row ? number(r, 0) : 0;
    if (row) db_reset(r);
    return ERR_OK;
}

// --- where ----------------------------------------------------------------------------------------------

#define TIER_OF_PLACE SCOPE_TIER("p")
static const char places[] =
    "SELECT " PLACE ", environment, " TIER_OF_PLACE " FROM (SELECT service, environment FROM incident_times "
    "UNION SELECT service, environment FROM canary) p WHERE environment <> ''";

static enum err add_other(void *ctx, struct db_row *r) {
    struct json_writer *w = ctx;
    if (!environment_is_production(db_text(r, 2), db_text(r, 1))) jw_str(w, db_text(r, 0));
    return ERR_OK;
}
static enum err read_others(struct situation *s) {
    struct db_row *r;
    struct buf json;
    buf_init(&json, OTHERS_MAX);
    struct json_writer w = json_writer_on(&json);
    jw_array(&w);
    enum err e = db_prepare(s->db, places, &r);
    if (e == ERR_OK) e = db_each(r, add_other, &w);
    jw_array_end(&w);
    s->others = str_dup(s->arena, buf_view(&json));
    if (e == ERR_OK && (json.failed || s->arena->failed)) e = ERR_NOMEM;
    buf_fini(&json);
    return e;
}

// --- rollouts ----------------------------------------------------------------------------------------------

// An hour after the rollback an incident that the bad rollout caused went on, or the version that came back
// was worse itself.
#define STILL_BAD \
    "EXISTS (SELECT 1 FROM link l JOIN incident_times t ON t.key = l.incident WHERE l.rollout = " \
    "rollout.undoes " \
    "AND l.decides AND finished_at + 3600000000000 < ifnull(t.recovered_at, ?4)) OR EXISTS (SELECT 1 FROM " \
    "impact i WHERE i.key = printf('%016x', rollout.id) AND i.verdict = 'confirmed')"
// A row for each service, so that the rollouts are read once.
enum {
    OF_SERVICE,
    OF_COMMITS,
    OF_TAGS = 3,
    OF_TARGETS = 5,
    OF_ROLLBACKS,
    OF_FAILED = 8,
    OF_SECONDS = 10,
    OF_OWNER
};
static const char of_services[] =
    "SELECT service, sum(" COUNTED " AND commits_state = 'unknown'), sum(" COUNTED
    " AND commits_state <> 'baseline'), sum(version IS NULL AND digest IS NULL AND sha IS NULL), count(*),"
    " sum(done_targets > 0 AND done_targets < targets),"
    " sum(kind = 'rollback' AND (state IN ('failed', 'cancelled') OR done_targets > 0 AND done_targets < "
    "targets OR " STILL_BAD ")), sum(kind = 'rollback'), sum(" FAILED " AND " COUNTED "), sum(" COUNTED "),"
    // In seconds: the sum of many in nanoseconds is no number any more.
    " sum(CASE WHEN " FAILED " THEN (min(coalesce(recovered_at, ?4), ?2) - finished_at) / 1000000000 END),"
    " EXISTS (SELECT 1 FROM catalogue c WHERE c.service = rollout.service AND (c.owner IS NOT NULL OR c.team "
    "IS NOT NULL))" ROLLOUTS " GROUP BY service ORDER BY service";

struct of_services {
    struct arena *arena;
    struct finding_facts *out;
    double least; // share of failures that the worst one surely has
};
static void add(struct finding_share *s, uint64_t k, uint64_t n) {
    s->k += k;
    s->n += n;
}
static enum err see_service(void *ctx, struct db_row *r) {
    struct of_services *o = ctx;
    struct finding_facts *f = o->out;
    struct finding_share failed = { number(r, OF_FAILED), number(r, OF_FAILED + 1) };
    double least = evidence_likely(failed).lo;
    uint64_t rollouts = number(r, OF_TAGS + 1), seconds = number(r, OF_SECONDS);
    add(&f->unknown_commits, number(r, OF_COMMITS), number(r, OF_COMMITS + 1));
    add(&f->untagged, number(r, OF_TAGS), rollouts);
    add(&f->mixed, number(r, OF_TARGETS), rollouts);
    add(&f->rollback_errors, number(r, OF_ROLLBACKS), number(r, OF_ROLLBACKS + 1));
    add(&f->unowned, number(r, OF_OWNER) == 0, 1);
    f->failed_time.share.n += seconds;
    if (seconds > f->failed_time.share.k) {
        f->failed_time.share.k = seconds;
        f->failed_time.text = str_dup(o->arena, db_text(r, OF_SERVICE));
    }
    // Of which it is the surest that it fails often: one failure of five is no worse than eight of fifty.
    if (finding_share_known(failed) && (!f->worst_service.share.n || least > o->least)) {
        o->least = least;
        f->worst_service = (struct finding_name){ str_dup(o->arena, db_text(r, OF_SERVICE)), failed };
    }
    return o->arena->failed ? ERR_NOMEM : ERR_OK;
}

// Approved deploys of the window: how long they waited for their start, and then worked.
#define APPROVED \
    " FROM (SELECT service, version, actor, started_at - queued_at AS waited," \
    " coalesce(succeeded_at, ended_at) - started_at AS worked FROM deploy WHERE trigger_kind = 'approved' " \
    "AND " \
    "queued_at <= started_at AND coalesce(succeeded_at, ended_at) >= started_at AND coalesce(succeeded_at, " \
    "ended_at) >= ?1 AND coalesce(succeeded_at, ended_at) < ?2 AND " AMONG_ROLLOUTS( \
        "deploy") " AND " SCOPE_SERVICES ")"
static const char approved_wait[] = "SELECT sum(waited > worked), count(*)" APPROVED;
static const char longest_held[] =
    "SELECT printf('the longest: %s, %.3g h%s', service || ifnull(' ' || version, ''), waited / 3.6e12, "
    "ifnull(', let go by ' || actor, '')), 1, 1" APPROVED " ORDER BY waited DESC, service, version LIMIT 1";
static enum err read_rollouts(const struct situation *s, struct finding_facts *f) {
    struct of_services services = { .arena = s->arena, .out = f };
    struct db_row *r;
    TRY(prepared(s, of_services, &r));
    TRY(db_each(r, see_service, &services));
    f->rollouts = f->untagged.n;
    f->services = f->unowned.n;
    TRY(shares(s, approved_wait, 1, (struct finding_share *[]){ &f->approved_wait }));
    struct finding_name held = { STR(""), { 0, 0 } };
    TRY(named(s, longest_held, &held));
    f->held = held.text;
    return ERR_OK;
}

// --- incidents ---------------------------------------------------------------------------------------------

// Keys of those of whose service and title another one had begun in the 30 days before. In one pass: of a
// service there may be very many.
#define COME_AGAIN \
    "SELECT key FROM (SELECT key, count(coalesce(started_at, detected_at)) OVER (PARTITION BY service, " \
    "title ORDER BY coalesce(started_at, detected_at, acknowledged_at) RANGE BETWEEN 30 * " DAY \
    " PRECEDING AND 1 PRECEDING) AS earlier FROM incident WHERE service IS NOT NULL AND title IS NOT NULL " \
    "AND " SCOPE_SERVICES ") WHERE earlier"
static const char incident_shares[] =
    "SELECT sum(detector = 'person'), sum(detector IS NOT NULL),"
    " sum(key IN (" COME_AGAIN ")), count(*),"
    " sum(NOT linked), count(*),"
    " sum(recovered_at IS NOT NULL AND acknowledged_at IS NULL AND NOT linked), sum(recovered_at IS NOT "
    "NULL),"
    " sum(linked AND detector = 'person'), sum(linked AND detector IS NOT NULL), sum(elsewhere), sum(linked)"
    " FROM (SELECT key, service, began_at, acknowledged_at, recovered_at,"
    " (SELECT detected_by FROM incident n WHERE n.key = incident_times.key) AS detector,"
    " EXISTS (SELECT 1 FROM link WHERE link.incident = incident_times.key AND decides) AS linked,"
    " EXISTS (SELECT 1 FROM link l JOIN rollout b ON b.id = l.rollout JOIN catalogue theirs ON "
    "theirs.service = "
    "b.service JOIN catalogue ours ON ours.service = incident_times.service WHERE l.incident = "
    "incident_times.key AND l.decides AND NOT l.confirmed AND theirs.team <> ours.team) AS "
    "elsewhere" INCIDENTS ") i";
// On which teams acted that the catalogue knows, and of which it knows whose the service is. Of several teams
// one is enough. Without regard to case, of which tools make what they like.
#define IS_ONE_OF(team, teams) \
    "instr(char(10) || lower(" teams ") || char(10), char(10) || lower(" team ") || char(10))"
static const char acted[] =
    "WITH acted AS (SELECT t.key, t.began_at, t.service || ' of ' || c.team || ', ' || replace(n.team, "
    "char(10), "
    "' and ') || ' acted' AS says, NOT " IS_ONE_OF(
        "c.team",
        "n.team") " AS elsewhere FROM (SELECT key, service, "
                  "began_at" INCIDENTS
                  " AND (acknowledged_at NOTNULL OR recovered_at NOTNULL)) t JOIN incident n ON n.key = "
                  "t.key JOIN catalogue c ON c.service = t.service WHERE c.team NOTNULL AND n.team NOTNULL "
                  "AND EXISTS (SELECT 1 "
                  "FROM catalogue k WHERE k.team NOTNULL AND " IS_ONE_OF(
                      "k.team", "n.team") "))"
                                          " SELECT (SELECT group_concat(says, '; ') FROM (SELECT key || ' (' "
                                          "|| says || ')' AS says FROM acted WHERE "
                                          "elsewhere ORDER BY began_at DESC, key LIMIT 3)), "
                                          "ifnull(sum(elsewhere), 0), count(*) FROM acted";

// Far more than usual: so many, and so many times the mean of the four weeks before, rounded up.
enum { STORM_ALERTS = 10, STORM_TIMES = 4 };

struct storm {
    struct arena *arena;
    struct finding_name *out;
};
static enum err see_team(void *ctx, const struct alert_team *t) {
    struct storm *s = ctx;
    uint64_t earlier = 0;
    for (unsigned i = 1; i < ALERT_WEEKS; i++) earlier += t->weeks[i];
    uint64_t usual = (earlier + ALERT_WEEKS - 2) / (ALERT_WEEKS - 1);
    if (!usual) return ERR_OK;
    s->out->share.n++;
    if (t->weeks[0] < STORM_ALERTS || t->weeks[0] <= STORM_TIMES * usual) return ERR_OK;
    struct str team = t->team.len ? t->team : STR("what has no team");
    if (!s->out->share.k++) // the loudest comes first
        s->out->text = str_fmt(s->arena, "%.*s had %llu in seven days, %llu in a usual week", STR_ARG(team),
                               (unsigned long long)t->weeks[0], (unsigned long long)usual);
    return s->arena->failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_incidents(const struct situation *s, struct finding_facts *f) {
    TRY(shares(s, incident_shares, 6,
               (struct finding_share *[]){ &f->by_person, &f->repeated, &f->unlinked, &f->unanswered,
                                           &f->unseen, &f->elsewhere }));
    f->incidents = f->repeated.n;
    TRY(named(s, acted, &f->acted));
    struct storm storm = { s->arena, &f->storm };
    return alerts_each(s->db, &s->ask->scope, s->ask->to < s->ask->now ? s->ask->to : s->ask->now, see_team,
                       &storm);
}

// --- canaries, verdicts ------------------------------------------------------------------------------------

static const char canary_share[] =
    "SELECT sum(state = 'promoted' AND EXISTS (SELECT 1 FROM rollout o WHERE o.service = canary.service AND "
    "o.version = canary.version AND o.production AND " FAILED ")), sum(state = "
    "'promoted')" CANARIES;
#define OF_VERDICTS \
    " AND computed_at >= ?1 AND computed_at < ?2 AND " AMONG_ROLLOUTS("impact") " AND " SCOPE_SERVICES
// Where traces were held against the steps of a canary, those say: far more, or far fewer where enough were
// to be expected. Else what it got while both versions served, against the most that it was given; of a
// promoted one both serve at any share for a while.
#define LEAST "200"
#define FAR "share > 2 * most_weight AND share > most_weight + 10"
#define FAR_BY_STEPS \
    "canary_expected >= " LEAST " AND 2 * canary_requests < canary_expected OR canary_requests >= " LEAST \
    " AND canary_requests > 2 * canary_expected AND canary_requests > canary_expected + canary_all / 10"
static const char misrouted[] =
    "SELECT max(CASE WHEN far THEN says END), sum(far), count(*) FROM (SELECT " FAR
    " AS far, printf('%s %s had "
    "%.0f %% of the requests at a weight of %.0f %%', service, version, share, most_weight) AS says FROM "
    "(SELECT "
    "c.service, c.version, most_weight, 100.0 * i.new_requests / (i.old_requests + i.new_requests) AS share, "
    "max(r.started_at)"
    " FROM (SELECT key, service, environment, version, most_weight, ended_at" CANARIES
    " AND ifnull(state, '') <> 'promoted' AND most_weight > 0 AND most_weight < 100) c JOIN rollout r ON "
    "r.service = c.service AND r.environment = ifnull(c.environment, r.environment) AND r.started_at <= "
    "c.ended_at JOIN impact i ON i.key = printf('%016x', r.id) WHERE c.version IN (r.version, i.version) AND "
    "i.phase = 'concurrent' AND i.old_requests + i.new_requests > 0 AND i.canary_all IS NULL GROUP BY c.key)"
    " UNION ALL SELECT " FAR_BY_STEPS ", printf('%s %s had %d of %d requests, its weights said %d', service, "
    "version, canary_requests, canary_all, canary_expected) FROM impact WHERE (canary_expected >= " LEAST
    " OR canary_requests >= " LEAST ")" OF_VERDICTS ")";
// And of those on rollouts that are the last, where spans tell versions: that of the rollout was not seen.
#define LAST "final AND rollout NOTNULL AND ifnull(baseline, '') <> ''"
static const char verdict_shares[] = "SELECT sum(verdict = 'insufficient'), count(*), sum(" LAST
                                     " AND ifnull(version, '') = ''), sum(" LAST ")"
                                     " FROM impact WHERE 1" OF_VERDICTS;

// What a rollout hid, of those where it would have shown. The bare columns are of the last one that did.
static const char vanished[] =
    "SELECT (SELECT service || ifnull(' ' || version, '') || ': ' || blind FROM impact WHERE " HIDDEN_ANY
        OF_VERDICTS " ORDER BY computed_at DESC, key LIMIT 1), sum(" HIDDEN_ANY
    "), count(*) FROM impact WHERE " HIDDEN_CAN_TELL OF_VERDICTS;

static enum err read_canaries(const struct situation *s, struct finding_facts *f) {
    TRY(count(s, "SELECT count(*)" CANARIES, &f->canaries));
    TRY(shares(s, canary_share, 1, (struct finding_share *[]){ &f->contradicted }));
    TRY(named(s, misrouted, &f->misrouted));
    TRY(named(s, vanished, &f->vanished));
    return shares(s, verdict_shares, 2, (struct finding_share *[]){ &f->blind, &f->unserved });
}

// --- the catalogue -----------------------------------------------------------------------------------------

static const char no_runbook[] = "SELECT sum(NOT EXISTS (SELECT 1 FROM catalogue c WHERE c.service = "
                                 "seen.service AND c.runbook IS NOT NULL)),"
                                 " count(*) FROM (SELECT DISTINCT service" INCIDENTS ") seen";

// --- sources -----------------------------------------------------------------------------------------------

// A source's habit is its longest gap among its last events, at least a day; what came in one burst has
// none. Of the whole store, not of the scope: a source serves many services. What Takt itself notes, when
// there is something to note, is no source.
enum { HABIT_EVENTS = 50000 };
#define FROM_OTHERS "source NOT IN ('takt', 'takt/call', 'takt/onset')"
static const char silent_source[] =
    "SELECT max(CASE WHEN silent THEN source END), sum(silent), count(*) FROM (SELECT source,"
    " ?4 - max(time) > max(3 * max(gap), " DAY ") AS silent FROM (SELECT source, time,"
    " time - lag(time) OVER (PARTITION BY source ORDER BY time) AS gap FROM event WHERE id > (SELECT max(id) "
    "FROM "
    "event) - ?5 AND time <= ?4 AND " FROM_OTHERS ") GROUP BY source HAVING count(*) >= 20)";
static const char skewed_source[] =
    "SELECT source, sum(time > received_at + 300000000000), count(*) FROM event WHERE id > (SELECT max(id) "
    "FROM event) "
    "- ?5 AND " FROM_OTHERS
    " GROUP BY source ORDER BY 1.0 * sum(time > received_at + 300000000000) / count(*) DESC, 1 LIMIT 1";

// Of the whole store too, the newest rollouts of the window and its incidents. By whose key it is: that
// begins with the source.
static const char backwards_source[] =
    "SELECT source, k, n FROM (SELECT substr(key, 1, instr(key || ':', ':') - 1) AS source, sum(first > last "
    "+ "
    "300000000000) AS k, count(*) AS n FROM (SELECT * FROM (SELECT deploy AS key, started_at AS first, "
    "finished_at AS last FROM rollout WHERE finished_at >= ?1 AND finished_at < ?2 AND started_at NOTNULL "
    "ORDER "
    "BY finished_at DESC LIMIT 20000) UNION ALL SELECT key, began_at, recovered_at FROM incident_times WHERE "
    "recovered_at >= ?1 AND recovered_at < ?2) GROUP BY source) ORDER BY 1.0 * k / n DESC, n DESC, source "
    "LIMIT "
    "1";

static enum err read_source(const struct situation *s, const char *sql, bool with_now,
                            struct finding_name *out) {
    struct db_row *r;
    TRY(db_prepare(s->db, sql, &r));
    if (with_now) db_bind_i64(r, 4, s->ask->now);
    db_bind_i64(r, 5, HABIT_EVENTS);
    return step_name(s, r, out);
}

enum err situation_read(struct db *d, struct arena *a, const struct situation_ask *ask,
                        struct finding_facts *out) {
    struct situation s = { d, a, ask, STR("") };
    *out = (struct finding_facts){ 0 };
    TRY(read_others(&s));
    TRY(read_rollouts(&s, out));
    TRY(read_incidents(&s, out));
    TRY(read_canaries(&s, out));
    TRY(shares(&s, no_runbook, 1, (struct finding_share *[]){ &out->no_runbook }));
    TRY(named(&s, backwards_source, &out->backwards));
    TRY(read_source(&s, silent_source, true, &out->silent));
    return read_source(&s, skewed_source, false, &out->skewed);
}
