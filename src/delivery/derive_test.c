// SPDX-License-Identifier: Apache-2.0
// Four histories whose answers are computed by hand, in the comments above them.
#include "delivery/derive.h"

#include <math.h>

#include "base/test.h"
#include "delivery/fixture_test.h"
#include "delivery/measure.h"
#include "delivery/series.h"
#include "delivery/stale.h"
#include "vcs/sha.h"

#define MINUTE 60000000000ll
#define DAY (24 * 60 * MINUTE)
#define T0 (1767225600000000000ll) // 2026-01-01T00:00:00Z

static struct db *db;
static struct arena arena;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    db = fixture_facts();
    CHECK_OK(db_run(db, "INSERT INTO git_repo VALUES(1, 'https://example.org/shop', '/shop', 0)"));
}
static void end(void) {
    db_close(db);
    arena_fini(&arena);
}

// The sha of a commit with a short name: "c1" is c1c1c1….
static struct str sha_of(const char *name) {
    char *hex = arena_alloc(&arena, SHA_HEX);
    for (unsigned i = 0; i < SHA_HEX; i++) hex[i] = name[i % 2];
    return (struct str){ hex, SHA_HEX };
}
static struct str bytes_of(const char *name) {
    char *bytes = arena_alloc(&arena, SHA_BYTES);
    CHECK(hex_decode(sha_of(name), bytes, SHA_BYTES));
    return (struct str){ bytes, SHA_BYTES };
}

static void commit(const char *name, const char *parents, int64_t at, const char *picked,
                   const char *reverts) {
    struct db_row *r;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (const char *p = parents; *p; p += 2) buf_str(&b, bytes_of(p));
    CHECK_OK(db_prepare(db, "INSERT INTO git_commit VALUES(1,?,?,?,0,'Ann','work',?,NULL,?,?,NULL)", &r));
    db_bind_blob(r, 1, bytes_of(name));
    db_bind_i64(r, 2, T0 + at * MINUTE);
    db_bind_i64(r, 3, T0 + (at + 1) * MINUTE);
    db_bind_blob(r, 4, buf_view(&b));
    if (*reverts) db_bind_blob(r, 5, bytes_of(reverts));
    if (*picked) db_bind_blob(r, 6, bytes_of(picked));
    CHECK_OK(db_done(r));
    buf_fini(&b);
}

static unsigned n_events;

static void apply(struct claims *c) {
    struct err_ctx ctx = { 0 };
    CHECK_OK(claims_end(c, &ctx));
    CHECK_OK(fact_apply(db, &arena, c, ++n_events, stale_note, db));
}

static void deploy_as(const char *version, const char *sha, int64_t at, const char *state, const char *kind) {
    struct claims c;
    claims_begin(&c, &arena);
    int64_t t = T0 + at * MINUTE;
    struct claim *d =
        claims_add(&c, FACT_DEPLOY, str_fmt(&arena, "%s at %lld", version, (long long)at), t, 2);
    claim_text(&c, d, DEPLOY_SERVICE, STR("shop"));
    claim_text(&c, d, DEPLOY_ENVIRONMENT, STR("production"));
    claim_text(&c, d, DEPLOY_VERSION, str_of(version));
    if (*sha) claim_text(&c, d, DEPLOY_SHA, sha_of(sha));
    if (*kind) claim_text(&c, d, DEPLOY_KIND, str_of(kind));
    claim_text(&c, d, DEPLOY_STATE, str_of(state));
    claim_time(d, DEPLOY_STARTED, t - 5 * MINUTE);
    if (strcmp(state, "success") == 0) claim_time(d, DEPLOY_SUCCEEDED, t);
    claim_time(d, DEPLOY_ENDED, t);
    apply(&c);
}

static void deploy(const char *version, const char *sha, int64_t at, const char *state) {
    deploy_as(version, sha, at, state, "");
}

static void incident(const char *key, int64_t at, int64_t resolved, const char *caused_by) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *i = claims_add(&c, FACT_INCIDENT, str_of(key), T0 + at * MINUTE, 1);
    claim_text(&c, i, INCIDENT_SERVICE, STR("shop"));
    claim_time(i, INCIDENT_STARTED, T0 + at * MINUTE);
    if (resolved) claim_time(i, INCIDENT_RESOLVED, T0 + resolved * MINUTE);
    claim_text(&c, i, INCIDENT_CAUSED_BY, str_of(caused_by));
    apply(&c);
}

static void verdict(const char *key, const char *rollout, const char *says) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *v = claims_add(&c, FACT_VERDICT, str_fmt(&arena, "%s %s", key, rollout), T0, 1);
    claim_text(&c, v, VERDICT_INCIDENT, str_of(key));
    claim_text(&c, v, VERDICT_ROLLOUT, str_of(rollout));
    claim_text(&c, v, VERDICT_SAYS, str_of(says));
    apply(&c);
}

static void settle(void) {
    for (bool left = true; left;) CHECK_OK(derive_some(db, 1, &left));
}

// Version, kind, state of the commits, shas by their first two letters (~ a twin), failure and
// minutes to recovery: "v2 normal known:c2,c3 !near+30"; oldest first.
static void says(const char *want) {
    struct db_row *r, *c;
    struct buf b;
    settle();
    buf_init(&b, SIZE_MAX);
    CHECK_OK(db_prepare(db,
                        "SELECT id, version, kind, commits_state, failure, (recovered_at - finished_at) / "
                        "60000000000, state FROM rollout ORDER BY finished_at, id",
                        &r));
    for (bool row;;) {
        CHECK_OK(db_step(r, &row));
        if (!row) break;
        buf_fmt(&b, "%s%.*s %.*s %.*s", b.len ? "; " : "", STR_ARG(db_text(r, 1)), STR_ARG(db_text(r, 2)),
                STR_ARG(db_text(r, 3)));
        CHECK_OK(db_prepare(
            db,
            "SELECT lower(substr(hex(sha), 1, 2)), flags FROM rollout_commit WHERE rollout = ? ORDER BY sha",
            &c));
        db_bind_i64(c, 1, db_i64(r, 0));
        for (unsigned n = 0;; n++) {
            CHECK_OK(db_step(c, &row));
            if (!row) break;
            buf_fmt(&b, "%c%.*s%s", n ? ',' : ':', STR_ARG(db_text(c, 0)),
                    db_i64(c, 1) & COMMIT_TWIN ? "~" : "");
        }
        if (!db_is_null(r, 4)) buf_fmt(&b, " !%.*s", STR_ARG(db_text(r, 4)));
        if (!db_is_null(r, 5)) buf_fmt(&b, "+%lld", (long long)db_i64(r, 5));
        if (!str_eq(db_text(r, 6), STR("success"))) buf_fmt(&b, " %.*s", STR_ARG(db_text(r, 6)));
    }
    CHECK_STR(buf_view(&b), str_of(want));
    buf_fini(&b);
}

// a1 ─ a2 ─ a3 ─ a5(merge of a3, a4) ─ a6
//        └── a4 ──┘
// v1 = a2 is the baseline; v2 = a5 brings a3 and a4 (the merge is no change of its own); v3 = a6.
TEST(derive_commit_sets_leave_merges_out) {
    begin();
    commit("a1", "", 0, "", "");
    commit("a2", "a1", 1, "", "");
    commit("a3", "a2", 2, "", "");
    commit("a4", "a2", 3, "", "");
    commit("a5", "a3a4", 4, "", "");
    commit("a6", "a5", 5, "", "");
    deploy("v1", "a2", 10, "success");
    deploy("v2", "a5", 20, "success");
    deploy("v3", "a6", 30, "success");
    says("v1 first baseline; v2 normal known:a3,a4; v3 normal known:a6");
    end();
}

// b1 ─ b2 ─ b3 ─ b4        main
//   └── b5 (b3 picked)      release branch
// v1 = b1, v2 = b2, the hotfix v1.0.1 = b5 from the old branch, v3 = b4. prev..cur would count b2
// twice (in v2, and in v3 after the hotfix). First reached: v3 brings b3 and b4, of which b3 was
// delivered as its twin b5.
TEST(derive_a_hotfix_from_an_old_branch) {
    begin();
    commit("b1", "", 0, "", "");
    commit("b2", "b1", 1, "", "");
    commit("b3", "b2", 2, "", "");
    commit("b4", "b3", 3, "", "");
    commit("b5", "b1", 4, "b3", "");
    deploy("v1", "b1", 10, "success");
    deploy("v2", "b2", 20, "success");
    deploy("v1.0.1-hotfix", "b5", 30, "success");
    deploy("v3", "b4", 40, "success");
    says("v1 first baseline; v2 normal known:b2 !remedy+10; v1.0.1-hotfix hotfix known:b5; v3 normal "
         "known:b3~,b4");
    end();
}

// v2 breaks; the rollback comes 30 minutes after it; v2 goes out again in the same minute as nothing
// happened: forward again, without commits. v3 reverts c2, which runs again: a hotfix and evidence
// against v2 as well, but v2 was recovered from at the rollback.
TEST(derive_rollback_reroll_and_revert) {
    begin();
    commit("c1", "", 0, "", "");
    commit("c2", "c1", 1, "", "");
    commit("c3", "c2", 2, "", "c2");
    deploy("v1", "c1", 10, "success");
    deploy("v2", "c2", 20, "success");
    deploy("v1", "c1", 50, "success");
    deploy("v2", "c2", 51, "success");
    deploy("v3", "c3", 90, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+30; v1 rollback none; v2 reroll none; v3 hotfix "
         "known:c3");
    end();
}

static int64_t number(const char *sql) {
    int64_t n;
    CHECK_OK(db_number(db, sql, &n));
    return n;
}

static struct measure_result measured(enum measure m) {
    struct measuring run;
    struct measure_result out;
    struct db_row *r;
    struct series s = { .service = STR("shop"), .environment = STR("production") };
    bool row;
    measure_begin(&run, &arena,
                  &(struct measure_ask){ .measure = m, .from = T0, .to = T0 + DAY, .now = T0 + DAY }, NULL,
                  NULL);
    CHECK_OK(db_prepare(db, "SELECT figures FROM series", &r));
    CHECK_OK(db_step(r, &row));
    CHECK(row);
    CHECK_OK(series_unpack(&arena, db_text(r, 0), true, &s));
    measure_series(&run, &s);
    db_reset(r);
    CHECK_OK(measure_end(&run, &out));
    return out;
}

// c2 and c3 shipped in v2 at 20, c4 reverts c2 in v3 at 90: v2 failed, 70 minutes until v3's end. v3 is the
// hotfix of what ran, and the only rework of 3; v4 is new. Of the day's 1440 minutes 70 are of failure.
TEST(derive_a_revert_recovers_what_it_reverts) {
    begin();
    commit("c1", "", 0, "", "");
    commit("c2", "c1", 1, "", "");
    commit("c3", "c2", 2, "", "");
    commit("c4", "c3", 3, "", "c2");
    commit("c5", "c4", 4, "", "");
    deploy("v1", "c1", 10, "success");
    deploy("v2", "c3", 20, "success");
    says("v1 first baseline; v2 normal known:c2,c3");
    deploy("v3", "c4", 90, "success");
    says("v1 first baseline; v2 normal known:c2,c3 !remedy+70; v3 hotfix known:c4");
    struct measure_result rework = measured(MEASURE_REWORK_RATE);
    CHECK(rework.numerator == 1 && rework.denominator == 3);
    struct measure_result recovery = measured(MEASURE_FAILED_DEPLOYMENT_RECOVERY);
    CHECK(recovery.n == 1 && recovery.value.value == 70 * 60);
    CHECK(fabs(measured(MEASURE_FAILED_TIME).value.value - 70. / 1440) < 1e-12);
    deploy("v4", "c5", 100, "success");
    says("v1 first baseline; v2 normal known:c2,c3 !remedy+70; v3 hotfix known:c4; v4 normal known:c5");
    rework = measured(MEASURE_REWORK_RATE);
    CHECK(rework.numerator == 1 && rework.denominator == 4);
    end();
}

// v4 reverts c2 of v2, which v3 followed: v2 failed for 80 minutes, not v3; v4 is no hotfix of what ran, but
// rework. v5 reverts c8 of v4, which a redeploy of v4 followed: a hotfix of v4. v6, which its source calls
// normal, reverts c9 of v5: v5 failed, but no rework. v7 reverts c1, of before the first rollout: nothing. Of
// the 6 rollouts that count (the redeploy does not; v7 makes 7), v4 and v5 are rework.
TEST(derive_reverts_of_older_rollouts_and_of_none) {
    begin();
    commit("c1", "", 0, "", "");
    commit("c2", "c1", 1, "", "");
    commit("c3", "c2", 2, "", "");
    commit("c4", "c3", 3, "", "c2");
    commit("c8", "c4", 3, "", "");
    commit("c9", "c8", 4, "", "");
    commit("c5", "c9", 4, "", "c8");
    commit("c6", "c5", 5, "", "c9");
    commit("c7", "c6", 6, "", "c1");
    deploy("v1", "c1", 10, "success");
    deploy("v2", "c2", 20, "success");
    deploy("v3", "c3", 30, "success");
    deploy("v4", "c8", 100, "success");
    deploy("v4", "c8", 110, "success");
    deploy("v5", "c5", 120, "success");
    deploy_as("v6", "c6", 130, "success", "normal");
    deploy("v7", "c7", 140, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+80; v3 normal known:c3; v4 normal "
         "known:c4,c8 !remedy+20; v4 redeploy none; v5 hotfix known:c5,c9 !remedy+10; v6 normal known:c6; v7 "
         "normal known:c7");
    struct measure_result rework = measured(MEASURE_REWORK_RATE);
    CHECK(rework.numerator == 2 && rework.denominator == 7);
    CHECK_U64(number(
                  "SELECT count(*) FROM rollout r JOIN rollout o ON o.id = r.reverts WHERE r.version = 'v4' "
                  "AND o.version = 'v2'"),
              1);
    end();
}

// c3 of v3 reverts c2 of v2, which failed for 70 minutes; c4 of v4 reverts c3: c2 lands again, v3 did not
// fail and v4 is no rework. c5 of v5 reverts c4: v4, which landed it, failed for 20 minutes. c8 reverts c7,
// which reverts c6 of v6, in v7 together: nothing is taken away. In v8 three are: c9 reverts c6 in the end,
// which v7 followed.
TEST(derive_a_revert_of_a_revert_lands_again) {
    begin();
    commit("c1", "", 0, "", "");
    commit("c2", "c1", 1, "", "");
    commit("c3", "c2", 2, "", "c2");
    commit("c4", "c3", 3, "", "c3");
    commit("c5", "c4", 4, "", "c4");
    commit("c6", "c5", 5, "", "");
    commit("c7", "c6", 6, "", "c6");
    commit("c8", "c7", 7, "", "c7");
    deploy("v1", "c1", 10, "success");
    deploy("v2", "c2", 20, "success");
    deploy("v3", "c3", 90, "success");
    deploy("v4", "c4", 100, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+70; v3 hotfix known:c3; v4 normal known:c4");
    deploy("v5", "c5", 120, "success");
    deploy("v6", "c6", 130, "success");
    deploy("v7", "c8", 140, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+70; v3 hotfix known:c3; v4 normal known:c4 "
         "!remedy+20; v5 "
         "hotfix known:c5; v6 normal known:c6; v7 normal known:c7,c8");
    struct measure_result rework = measured(MEASURE_REWORK_RATE);
    CHECK(rework.numerator == 2 && rework.denominator == 7);
    commit("c9", "c8", 8, "", "c6");
    commit("ca", "c9", 9, "", "c9");
    commit("cb", "ca", 10, "", "ca");
    deploy("v8", "cb", 150, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+70; v3 hotfix known:c3; v4 normal known:c4 "
         "!remedy+20; v5 "
         "hotfix known:c5; v6 normal known:c6 !remedy+20; v7 normal known:c7,c8; v8 normal known:c9,ca,cb");
    end();
}

// A hotfix that says what it reverts mends that: v2, not v3 before it.
TEST(derive_a_hotfix_blames_what_it_reverts) {
    begin();
    commit("c1", "", 0, "", "");
    commit("c2", "c1", 1, "", "");
    commit("c3", "c2", 2, "", "");
    commit("c4", "c3", 3, "", "c2");
    deploy("v1", "c1", 10, "success");
    deploy("v2", "c2", 20, "success");
    deploy("v3", "c3", 30, "success");
    deploy("v4-hotfix", "c4", 90, "success");
    says("v1 first baseline; v2 normal known:c2 !remedy+70; v3 normal known:c3; v4-hotfix hotfix known:c4");
    end();
}

// i1 begins 15 minutes after v2: the last rollout before it (rule 7), resolved 30 minutes after v2.
// i2 names c1 of before the first rollout: nobody's. i3 begins 26 hours after v3: nobody's. i4 names
// the version v3. A denied link is none, a confirmed one is somebody's word.
static void impact(const char *deploy, const char *says, int64_t at) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *v = claims_add(&c, FACT_IMPACT, str_of(deploy), T0 + at * MINUTE, 1);
    claim_text(&c, v, IMPACT_SERVICE, STR("shop"));
    claim_text(&c, v, IMPACT_ENVIRONMENT, STR("production"));
    claim_text(&c, v, IMPACT_DEPLOY, str_of(deploy));
    claim_text(&c, v, IMPACT_VERDICT, str_of(says));
    claim_text(&c, v, IMPACT_EVIDENCE, STR("errors of GET /"));
    apply(&c);
}

// A confirmed impact counts; a suspicion waits for an incident or a person, who can also deny either.
TEST(derive_traces_are_evidence) {
    begin();
    deploy("v1", "", 10, "success");
    deploy("v2", "", 100, "success");
    impact("v2 at 100", "clean", 110);
    says("v1 first baseline; v2 normal unknown");
    impact("v2 at 100", "confirmed", 120);
    says("v1 first baseline; v2 normal unknown !traces");
    impact("v2 at 100", "suspect", 130);
    says("v1 first baseline; v2 normal unknown");
    verdict("traces", "v2 at 100", "confirm");
    says("v1 first baseline; v2 normal unknown !traces");
    verdict("traces", "v2 at 100", "deny");
    impact("v2 at 100", "confirmed", 140);
    says("v1 first baseline; v2 normal unknown");
    impact("v1 at 10", "suspect", 150);
    deploy("v3", "", 200, "success");
    incident("i1", 210, 220, ""); // more than chance in time: not v3, which was the last before it
    says("v1 first baseline !traces+210; v2 normal unknown !traces+120; v3 normal unknown");
    end();
}

TEST(derive_incidents_find_their_rollouts) {
    begin();
    commit("d1", "", 0, "", "");
    commit("d2", "d1", 1, "", "");
    commit("d3", "d2", 2, "", "");
    deploy("v1", "d1", 10, "success");
    deploy("v2", "d2", 100, "success");
    deploy("v3", "d3", 200, "success");
    incident("i1", 115, 130, "");
    says("v1 first baseline; v2 normal known:d2 !near+30; v3 normal known:d3");
    incident("i2", 116, 0, "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1");
    incident("i3", 200 + 26 * 60, 0, "");
    says("v1 first baseline !version; v2 normal known:d2 !near+30; v3 normal known:d3");
    incident("i4", 5000, 5060, "v3");
    says("v1 first baseline !version; v2 normal known:d2 !near+30; v3 normal known:d3 !version+4860");
    verdict("i1", "v2", "deny");
    says("v1 first baseline !version+120; v2 normal known:d2; v3 normal known:d3 !version+4860");
    verdict("i1", "v1", "confirm");
    says("v1 first baseline !said+120; v2 normal known:d2; v3 normal known:d3 !version+4860");
    verdict("i4", "v3", "deny"); // what the incident itself says is denied too
    says("v1 first baseline !said+120; v2 normal known:d2; v3 normal known:d3");
    end();
}

TEST(derive_what_is_not_known_is_never_all_of_history) {
    begin();
    commit("e1", "", 0, "", "");
    commit("e2", "e1", 1, "", "");
    commit("e3", "e2", 2, "", "");
    deploy("v1", "e1", 10, "success");
    deploy("v2", "ff", 20, "success"); // of another repository
    deploy("v3", "e2", 30, "success"); // which of them came with v2?
    deploy("v4", "e3", 40, "success");
    deploy("v5", "", 50, "success");
    deploy("v6", "e3", 60, "failure");
    says("v1 first baseline; v2 normal unknown; v3 normal unknown; v4 normal known:e3; v5 normal unknown; v6 "
         "normal none failed");
    end();
}

// Opened again: no longer recovered from, whoever asks.
TEST(derive_an_incident_opened_again_is_open) {
    struct claims c;
    begin();
    deploy("v1", "", 10, "success");
    deploy("v2", "", 100, "success");
    incident("i1", 115, 130, "");
    says("v1 first baseline; v2 normal unknown !near+30");
    claims_begin(&c, &arena);
    struct claim *i = claims_add(&c, FACT_INCIDENT, STR("i1"), T0 + 140 * MINUTE, 1);
    claim_text(&c, i, INCIDENT_STATE, STR("triggered"));
    apply(&c);
    says("v1 first baseline; v2 normal unknown !near");
    end();
}

// A deploy tells a digest; the build, later, which commit it was made from.
static void flag(const char *name, int64_t at, const char *action) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *f = claims_add(&c, FACT_FLAG, str_fmt(&arena, "%s at %lld", name, (long long)at), T0, 1);
    claim_text(&c, f, FLAG_SERVICE, STR("shop"));
    claim_text(&c, f, FLAG_NAME, str_of(name));
    claim_text(&c, f, FLAG_ACTION, str_of(action));
    claim_time(f, FLAG_CHANGED, T0 + at * MINUTE);
    apply(&c);
}

static void canary(const char *version, int64_t from, int64_t to, double weight) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *k = claims_add(&c, FACT_CANARY, str_of(version), T0, 1);
    claim_text(&c, k, CANARY_SERVICE, STR("shop"));
    claim_text(&c, k, CANARY_ENVIRONMENT, STR("production"));
    claim_text(&c, k, CANARY_VERSION, str_of(version));
    claim_text(&c, k, CANARY_STATE, STR("failed"));
    claim_real(k, CANARY_MOST_WEIGHT, weight);
    claim_time(k, CANARY_STARTED, T0 + from * MINUTE);
    claim_time(k, CANARY_ENDED, T0 + to * MINUTE);
    apply(&c);
}

// i1 begins 15 minutes after v2 and exactly 30 after a flag was turned on: the flag is the cause. i2: the
// flag was turned 31 minutes before it, and another only created, so it is v3's. i3 says itself that the flag
// did it, hours later. A denied flag is none.
TEST(derive_a_flag_is_blamed_and_no_rollout) {
    begin();
    deploy("v1", "", 10, "success");
    deploy("v2", "", 25, "success");
    flag("dark", 10, "on");
    incident("i1", 40, 60, "");
    deploy("v3", "", 25 + 1440, "success");
    flag("dark", 9 + 1440, "off");
    flag("new", 39 + 1440, "created");
    incident("i2", 40 + 1440, 60 + 1440, "");
    incident("i3", 300, 310, "dark");
    says("v1 first baseline; v2 normal unknown; v3 normal unknown !near+35");
    CHECK_U64(number("SELECT count(*) FROM flag_link WHERE decides AND incident IN ('i1', 'i3')"), 2);
    CHECK_U64(number("SELECT count(*) FROM flag_link"), 2);
    verdict("i1", "dark", "deny");
    says("v1 first baseline; v2 normal unknown !near+35; v3 normal unknown !near+35");
    end();
}

// The canary of v2 failed at 20 %: the incident within it is that rollout's doing, not v1's, and no failure
// in production. That of v3 had all traffic.
TEST(derive_a_failed_canary_counts_when_it_got_all) {
    begin();
    deploy("v1", "", 10, "success");
    deploy("v2", "", 30, "failure");
    canary("v2", 26, 30, 20);
    incident("i1", 28, 29, "");
    deploy("v3", "", 50, "success");
    canary("v3", 46, 52, 100);
    says("v1 first baseline; v2 normal none failed; v3 normal unknown !canary");
    CHECK_U64(number("SELECT count(*) FROM link WHERE rule = 'canary' AND incident = 'i1' AND decides"), 1);
    CHECK_U64(number("SELECT count(*) FROM link WHERE rule = 'near' AND incident = 'i1' AND NOT decides"), 1);
    end();
}

static void again(const char *state, int64_t at, enum fact_field stamp) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *i = claims_add(&c, FACT_INCIDENT, STR("i"), T0 + at * MINUTE, 2);
    claim_text(&c, i, INCIDENT_STATE, str_of(state));
    claim_time(i, stamp, T0 + at * MINUTE);
    apply(&c);
}

// 10 to 20, then 50 to 65, then 100 to 110: 35 minutes in all, whatever lies between and whatever comes
// first.
TEST(derive_a_reopened_incident_is_its_intervals) {
    for (unsigned turn = 0; turn < 2; turn++) {
        begin();
        incident("i", 10, 0, "");
        if (turn) again("resolved", 110, INCIDENT_RESOLVED);
        again("mitigated", 20, INCIDENT_MITIGATED);
        again("resolved", 30, INCIDENT_RESOLVED);
        again("triggered", 50, INCIDENT_REOPENED);
        again("resolved", 65, INCIDENT_RESOLVED);
        again("triggered", 100, INCIDENT_REOPENED);
        if (!turn) again("resolved", 110, INCIDENT_RESOLVED);
        CHECK_U64(number("SELECT (recovered_at - began_at - paused_ns) / 60000000000 FROM incident_times"),
                  35);
        CHECK_OK(stale_note_all(db));
        CHECK_U64(number("SELECT paused_ns / 60000000000 FROM incident_times"), 65);
        end();
    }
}

TEST(derive_finds_the_commit_of_an_image) {
    struct claims c;
    begin();
    commit("f1", "", 0, "", "");
    commit("f2", "f1", 1, "", "");
    deploy("v1", "f1", 10, "success");
    deploy("img:2", "", 20, "success");
    says("v1 first baseline; img:2 normal unknown");
    claims_begin(&c, &arena);
    struct claim *a = claims_add(&c, FACT_ARTIFACT, STR("img:2"), T0, 1);
    claim_text(&c, a, ARTIFACT_SHA, sha_of("f2"));
    apply(&c);
    says("v1 first baseline; img:2 normal known:f2");
    end();
}

// Whatever comes first: the same tables.
TEST(derive_does_not_depend_on_the_order_of_events) {
    enum { EVENTS = 14 };
    char want[4096] = "";
    for (unsigned turn = 0; turn < 6; turn++) {
        unsigned order[EVENTS];
        begin();
        for (unsigned i = 0; i < EVENTS; i++) order[i] = i;
        for (unsigned i = EVENTS; turn && i > 1; i--) {
            unsigned j = (unsigned)test_below(i), t = order[i - 1];
            order[i - 1] = order[j];
            order[j] = t;
        }
        commit("c1", "", 0, "", "");
        commit("c2", "c1", 1, "", "");
        commit("c3", "c2", 2, "", "");
        commit("c4", "c3", 3, "", "c3");
        for (unsigned i = 0; i < EVENTS; i++) {
            switch (order[i]) {
            case 0: deploy("v1", "c1", 10, "success"); break;
            case 1: deploy("v2", "c2", 20, "success"); break;
            case 2: deploy("v1", "c1", 50, "success"); break;
            case 3: deploy("v2", "c2", 51, "success"); break;
            case 4: deploy("v3", "c3", 90, "success"); break;
            case 5: incident("i1", 95, 0, ""); break;
            case 6: incident("i1", 95, 120, ""); break;
            case 7: incident("i2", 25, 40, ""); break;
            case 8: verdict("i1", "v3", "deny"); break;
            case 9: deploy("v4", "c4", 200, "failure"); break;
            case 10: deploy("v4", "c4", 210, "success"); break;
            case 11: incident("i3", 211, 0, "v2"); break;
            case 12: deploy("v5", "", 300, "aborted"); break;
            default: deploy("v1", "c1", 10, "success"); break;
            }
            if (test_below(3) == 0) settle();
        }
        settle();
        struct db_row *r;
        bool row;
        char got[sizeof want];
        CHECK_OK(db_prepare(
            db,
            "SELECT (SELECT group_concat(id || kind || state || ifnull(failure, '-') || ifnull(recovered_at, "
            "'-') || ifnull(reverts, '-') || commits, ' ') FROM (SELECT * FROM rollout ORDER BY id))"
            " || (SELECT group_concat(rollout || incident || rule || decides || evidence, ' ') FROM (SELECT "
            "* FROM link ORDER BY 1, 2, 3, 4))"
            " || (SELECT group_concat(hex(figures), ' ') FROM (SELECT * FROM series ORDER BY 1, 2, 3))",
            &r));
        CHECK_OK(db_step(r, &row));
        (void)snprintf(got, sizeof got, "%.*s", STR_ARG(db_text(r, 0)));
        db_reset(r);
        CHECK(strlen(got) > 100);
        CHECK_U64(number("SELECT count(*) FROM rollout WHERE version = 'v4' AND kind = 'hotfix'"), 1);
        if (turn == 0) memcpy(want, got, sizeof want);
        CHECK_STR(str_of(got), str_of(want));
        end();
    }
}

// A deploy of a kind, which may be told or not: a config change lies between them in the order of words.
static void deploy_of_kind(const char *version, int64_t at, const char *change_kind) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *d = claims_add(&c, FACT_DEPLOY, str_of(version), T0 + at * MINUTE, 2);
    claim_text(&c, d, DEPLOY_SERVICE, STR("shop"));
    claim_text(&c, d, DEPLOY_ENVIRONMENT, STR("production"));
    claim_text(&c, d, DEPLOY_VERSION, str_of(version));
    claim_text(&c, d, DEPLOY_CHANGE_KIND, str_of(change_kind));
    claim_text(&c, d, DEPLOY_STATE, STR("success"));
    claim_time(d, DEPLOY_SUCCEEDED, T0 + at * MINUTE);
    apply(&c);
}

TEST(derive_of_a_kind_told_and_untold_is_one_series) {
    begin();
    deploy_of_kind("v1", 10, "");
    deploy_of_kind("c1", 20, "config");
    deploy_of_kind("v2", 30, "service");
    settle();
    CHECK_U64(number("SELECT count(*) FROM series"), 2);
    CHECK_U64(number("SELECT count(*) FROM rollout WHERE change_kind = 'service'"), 2);
    CHECK_U64(number("SELECT count(*) FROM rollout WHERE kind = 'first'"), 2);
    end();
}

// The check of SQLite 3.40 finds NULL in columns of a table WITHOUT ROWID that stand before one of its key,
// where there is none, and takes every backup for damaged.
TEST(derive_tables_have_their_keys_first) {
    begin();
    CHECK_U64(number("SELECT count(*) FROM pragma_table_list l JOIN pragma_table_info(l.name) c JOIN "
                     "pragma_table_info(l.name) k ON k.pk > 0 AND c.pk = 0 AND c.cid < k.cid WHERE l.wr = 1 "
                     "AND l.schema "
                     "= 'main'"),
              0);
    CHECK(number("SELECT count(*) FROM pragma_table_list WHERE wr = 1 AND name = 'link'") == 1);
    end();
}
