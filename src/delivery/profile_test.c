// SPDX-License-Identifier: Apache-2.0
// Rules, ladder and failure modes from planted figures: each rule is seen to hold, not to hold, and to be
// unknowable, and the first that holds is the headline.
#include "delivery/profile.h"

#include "base/test.h"
#include "delivery/world.h"

struct plant {
    struct arena arena;
    struct measure_result now[MEASURE_COUNT], before[MEASURE_COUNT];
    struct finding_facts facts;
    struct world world;
    struct finding rules[PROFILE_RULES];
};

static struct measure_result value_of(double v, uint64_t n) {
    return (struct measure_result){ .value = { .defined = true, .value = v },
                                    .n = n,
                                    .numerator = (uint64_t)(v * (double)n),
                                    .denominator = n,
                                    .small = n < MEASURE_SMALL };
}
// A team that does everything well, of which everything is known.
static void plant_good(struct plant *p) {
    *p = (struct plant){ 0 };
    arena_init(&p->arena, 1 << 20, NULL);
    static const struct {
        enum measure m;
        double v;
    } good[] = {
        { MEASURE_DEPLOYMENT_FREQUENCY, 3 },
        { MEASURE_LEAD_TIME, 7200 },
        { MEASURE_CHANGE_FAILURE_RATE, 0.04 },
        { MEASURE_WASTED_RUN_RATE, 0.01 },
        { MEASURE_FLAKY_TEST_RATE, 0.01 },
        { MEASURE_CODING_TIME, 7200 },
        { MEASURE_PICKUP_TIME, 600 },
        { MEASURE_REVIEW_TIME, 1800 },
        { MEASURE_DEPLOY_TIME, 1200 },
        { MEASURE_QUEUE_RATIO, 0.1 },
        { MEASURE_DETECT_TIME, 60 },
        { MEASURE_ROLLBACK_TIME, 300 },
        { MEASURE_RESTORE_TIME, 1500 },
        { MEASURE_BATCH_SIZE, 3 },
        { MEASURE_WAITING_CHANGES, 3600 },
        { MEASURE_PIPELINE_SUCCESS_RATE, .99 },
        { MEASURE_CI_TIME, 600 },
        { MEASURE_UNREVIEWED_RATE, 0.01 },
        { MEASURE_AUTOMATED_RATE, 0.95 },
        { MEASURE_CANARY_FAILURE_RATE, 0.05 },
        { MEASURE_AUTOMATIC_ROLLBACK_RATE, 1 },
        { MEASURE_FAILED_DEPLOYMENT_RECOVERY, 900 },
        { MEASURE_STALE_FLAG_RATE, 0 },
    };
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        p->now[good[i].m] = p->before[good[i].m] = value_of(good[i].v, 100);
    p->now[MEASURE_QUEUE_RATIO].p90 = (struct estimate){ .defined = true, .value = 0.4 };
    struct finding_share none = { 0, 100 };
    p->facts = (struct finding_facts){
        .unknown_commits = none,
        .untagged = none,
        .mixed = none,
        .approved_wait = { 10, 100 },
        .by_person = { 10, 100 },
        .repeated = none,
        .unlinked = none,
        .unanswered = none,
        .contradicted = none,
        .unowned = none,
        .no_runbook = none,
        .blind = none,
        .rollback_errors = none,
        .unserved = none,
        .unseen = { 10, 100 },
        .elsewhere = { 4, 100 },
        .rollouts = 100,
        .incidents = 100,
        .canaries = 50,
        .runs = 100,
        .services = 4,
    };
    p->facts.backwards.share = p->facts.silent.share = p->facts.storm.share = p->facts.skewed.share =
        p->facts.misrouted.share = p->facts.vanished.share = p->facts.acted.share = none;
    p->facts.worst_service = (struct finding_name){ STR("cart"), { 1, 100 } };
    p->facts.failed_time = (struct finding_name){ STR("cart"), { 30, 100 } };
    p->world = (struct world){ .knows_store = true,
                               .day_spans = 1000000,
                               .day_bytes = 3e7,
                               .usual_bytes = 2.9e7,
                               .knows_keys = true,
                               .keys = 80,
                               .names = { STR("cart"), { 40, 9000 } },
                               .early = { STR("cart"), { 0, 9000 } },
                               .unreported = { STR(""), { 0, 9 } },
                               .drift = { STR(""), { 0, 3 } },
                               .kept_errors = { 50, 5000 },
                               .errors_before = 205,
                               .all_before = 20000,
                               .knows_server = true,
                               .partial = { 3, 1000 },
                               .slow = { 2, 1000 },
                               .refused = { 0, 1000 },
                               .saturation = 0.2 };
}
static void plant_fini(struct plant *p) {
    arena_fini(&p->arena);
}
static struct finding_case case_of(struct plant *p) {
    return (struct finding_case){ &p->arena, p->now, p->before, &p->facts, NULL, &p->world };
}
static const struct finding *rule(struct plant *p, const char *name) {
    struct finding_case c = case_of(p);
    profile_rules(&c, p->rules);
    for (unsigned i = 0; i < PROFILE_RULES; i++)
        if (strcmp(p->rules[i].name, name) == 0) return &p->rules[i];
    CHECK(!"no such rule");
    return NULL;
}
static const char *headline(struct plant *p) {
    struct finding_case c = case_of(p);
    profile_rules(&c, p->rules);
    return p->rules[profile_headline(p->rules)].name;
}

TEST(profile_of_a_good_team_has_no_headline) {
    struct plant p;
    plant_good(&p);
    CHECK(strcmp(headline(&p), "nothing") == 0);
    for (unsigned i = 0; i < PROFILE_RULES; i++) CHECK(p.rules[i].evidence.len > 0 && p.rules[i].step);
    plant_fini(&p);
}

// What nothing is known of is never said to be good.
TEST(profile_without_data_is_not_praised) {
    struct plant p;
    plant_good(&p);
    memset(p.now, 0, sizeof p.now);
    memset(p.before, 0, sizeof p.before);
    p.facts = (struct finding_facts){ 0 };
    CHECK(strcmp(headline(&p), "data-gaps") == 0);
    unsigned no = 0;
    for (unsigned i = 1; i < PROFILE_RULES - 1; i++) no += p.rules[i].answer == FINDING_NO;
    CHECK(no == 1 && rule(&p, "one-service")->answer == FINDING_NO); // that nothing failed is known
    struct finding_case c = case_of(&p);
    struct profile_dimension d[PROFILE_DIMENSIONS];
    profile_ladder(&c, d);
    for (unsigned i = 0; i < PROFILE_DIMENSIONS; i++)
        CHECK(d[i].level == 0 && d[i].most == PROFILE_STEPS && d[i].steps[0].answer == FINDING_UNKNOWN);
    plant_fini(&p);
}

static void spoil(struct plant *p, const char *name) {
    struct finding_facts *f = &p->facts;
    struct finding_share much = { 90, 100 };
    if (strcmp(name, "data-gaps") == 0) f->unknown_commits = much;
    if (strcmp(name, "flaky-runs") == 0) p->now[MEASURE_WASTED_RUN_RATE] = value_of(0.06, 100);
    if (strcmp(name, "approvals-wait") == 0) f->approved_wait = much;
    if (strcmp(name, "review-waits") == 0) p->now[MEASURE_PICKUP_TIME] = value_of(90000, 100);
    if (strcmp(name, "queue-long") == 0) p->now[MEASURE_QUEUE_RATIO] = value_of(1.2, 100);
    if (strcmp(name, "detection-slow") == 0) f->by_person = much;
    if (strcmp(name, "no-canary") == 0) {
        f->canaries = 0;
        p->now[MEASURE_CHANGE_FAILURE_RATE] = value_of(0.3, 100);
    }
    if (strcmp(name, "rollback-slow") == 0) p->now[MEASURE_ROLLBACK_TIME] = value_of(1000, 100);
    if (strcmp(name, "restore-slow") == 0) {
        p->now[MEASURE_RESTORE_TIME] = value_of(4000, 100);
        f->no_runbook = (struct finding_share){ 1, 6 };
    }
    if (strcmp(name, "incidents-repeat") == 0) f->repeated = much;
    if (strcmp(name, "batches-grow") == 0) p->now[MEASURE_BATCH_SIZE] = value_of(5, 100);
    if (strcmp(name, "alerts-idle") == 0) f->unanswered = much;
    if (strcmp(name, "canary-small") == 0) f->blind = much;
    if (strcmp(name, "canary-wrong") == 0) f->contradicted = much;
    if (strcmp(name, "flags-stale") == 0) p->now[MEASURE_STALE_FLAG_RATE] = value_of(0.1, 100);
    if (strcmp(name, "builds-untagged") == 0) f->untagged = much;
    if (strcmp(name, "no-owner") == 0) f->unowned = (struct finding_share){ 1, 4 };
    if (strcmp(name, "one-service") == 0) f->failed_time.share = much;
    if (strcmp(name, "merged-waits") == 0) p->now[MEASURE_WAITING_CHANGES] = value_of(3600, 200);
    if (strcmp(name, "average-hides") == 0) f->worst_service.share = (struct finding_share){ 36, 100 };
}
static const char *const all[] = { "data-gaps",    "flaky-runs",       "approvals-wait", "review-waits",
                                   "queue-long",   "detection-slow",   "no-canary",      "rollback-slow",
                                   "restore-slow", "incidents-repeat", "batches-grow",   "alerts-idle",
                                   "canary-small", "canary-wrong",     "flags-stale",    "builds-untagged",
                                   "no-owner",     "one-service",      "merged-waits",   "average-hides" };

TEST(profile_each_rule_holds_for_its_own_sign) {
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct plant p;
        plant_good(&p);
        CHECK(rule(&p, all[i])->answer == FINDING_NO);
        spoil(&p, all[i]);
        CHECK(rule(&p, all[i])->answer == FINDING_YES);
        CHECK(strcmp(headline(&p), all[i]) == 0);
        plant_fini(&p);
    }
}

TEST(profile_the_first_rule_that_holds_is_the_headline) {
    struct plant p;
    plant_good(&p);
    for (unsigned i = sizeof all / sizeof *all; i-- > 0;) {
        spoil(&p, all[i]);
        CHECK(strcmp(headline(&p), all[i]) == 0);
    }
    plant_fini(&p);
}

TEST(profile_too_few_rows_do_not_decide) {
    struct plant p;
    plant_good(&p);
    p.now[MEASURE_WASTED_RUN_RATE] = value_of(0.5, MEASURE_SMALL - 1);
    p.facts.repeated = (struct finding_share){ 3, MEASURE_SMALL - 1 };
    CHECK(rule(&p, "flaky-runs")->answer == FINDING_UNKNOWN);
    CHECK(rule(&p, "incidents-repeat")->answer == FINDING_UNKNOWN);
    p.now[MEASURE_DETECT_TIME] = value_of(60, MEASURE_SMALL - 1);
    CHECK(rule(&p, "detection-slow")->answer == FINDING_UNKNOWN); // whoever detected the others
    plant_fini(&p);
}

// A rule, a step and the target's own line go by one verdict.
TEST(profile_an_interval_that_holds_the_target_does_not_decide) {
    struct plant p;
    plant_good(&p);
    p.facts.canaries = 0;
    struct measure_result *r = &p.now[MEASURE_CHANGE_FAILURE_RATE];
    *r = value_of(0.2, 5);
    r->value.bounded = true;
    r->value.lo = 0.0362;
    r->value.hi = 0.6245;
    const struct finding *f = rule(&p, "no-canary");
    CHECK(f->answer == FINDING_UNKNOWN);
    CHECK(
        str_eq(f->evidence, STR("Change failure rate 20 % (1 of 5, may be 3.62 % to 62.5 %; at most 15 %); 0 "
                                "canaries")));
    struct finding_case c = case_of(&p);
    struct profile_dimension d[PROFILE_DIMENSIONS];
    profile_ladder(&c, d);
    CHECK(d[3].steps[1].answer == FINDING_UNKNOWN);
    r->value.lo = 0.16;
    CHECK(rule(&p, "no-canary")->answer == FINDING_YES);
    plant_fini(&p);
}

// A share, too, goes by its interval: 12 of 100 are surely more than 5 %, 1 of 9 may be less.
TEST(profile_a_share_of_few_does_not_decide) {
    static const struct {
        struct finding_share share;
        enum finding_answer answer;
    } cases[] = {
        { { 1, 9 }, FINDING_UNKNOWN },   { { 0, 9 }, FINDING_UNKNOWN }, { { 12, 100 }, FINDING_YES },
        { { 9, 100 }, FINDING_UNKNOWN }, { { 1, 200 }, FINDING_NO },    { { 0, 0 }, FINDING_UNKNOWN },
    };
    struct plant p;
    plant_good(&p);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        p.facts.repeated = cases[i].share;
        CHECK(rule(&p, "incidents-repeat")->answer == cases[i].answer);
    }
    p.facts.repeated = cases[0].share;
    CHECK_STR(rule(&p, "incidents-repeat")->evidence,
              STR("1 of 9 incidents that had come within 30 days before (11.1 %, may be 1.99 to 43.5 %; at "
                  "most 5 %)"));
    p.facts.contradicted = (struct finding_share){ 3, 9 };
    CHECK(rule(&p, "canary-wrong")->answer == FINDING_UNKNOWN);
    p.facts.contradicted = (struct finding_share){ 7, 9 };
    CHECK(rule(&p, "canary-wrong")->answer == FINDING_YES);
    p.facts.worst_service.share = (struct finding_share){ 1, 9 }; // of 4 % in all
    CHECK(rule(&p, "average-hides")->answer == FINDING_UNKNOWN);
    plant_fini(&p);
}

TEST(profile_rules_go_by_the_targets_of_the_scope) {
    struct plant p;
    double targets[MEASURE_COUNT] = { [MEASURE_ROLLBACK_TIME] = 120, [MEASURE_WASTED_RUN_RATE] = 0.005 };
    plant_good(&p);
    struct finding_case c = case_of(&p);
    c.targets = targets;
    profile_rules(&c, p.rules);
    CHECK(strcmp(p.rules[1].name, "flaky-runs") == 0 && p.rules[1].answer == FINDING_YES);
    CHECK(strcmp(p.rules[8].name, "rollback-slow") == 0 && p.rules[8].answer == FINDING_YES);
    CHECK(p.rules[7].answer == FINDING_NO); // without one of its own, Takt's
    plant_fini(&p);
}

// One is enough where there may be none, however few there are.
TEST(profile_one_of_few_is_seen_where_none_may_be) {
    struct plant p;
    struct finding m[PROFILE_MODES];
    plant_good(&p);
    p.facts.mixed = (struct finding_share){ 1, 3 };
    p.now[MEASURE_RESTORE_TIME] = value_of(4000, 100);
    p.facts.no_runbook = (struct finding_share){ 1, 1 };
    struct finding_case c = case_of(&p);
    profile_modes(&c, m);
    CHECK(strcmp(m[9].name, "partial-rollout") == 0 && m[9].answer == FINDING_YES);
    CHECK(rule(&p, "restore-slow")->answer == FINDING_YES);
    p.facts.mixed.k = 0;
    profile_modes(&c, m);
    CHECK(m[9].answer == FINDING_UNKNOWN);
    p.facts.no_runbook.k = 0;
    CHECK(rule(&p, "restore-slow")->answer == FINDING_NO);
    plant_fini(&p);
}

TEST(profile_steps_stand_on_each_other) {
    struct plant p;
    struct profile_dimension d[PROFILE_DIMENSIONS];
    plant_good(&p);
    struct finding_case c = case_of(&p);
    profile_ladder(&c, d);
    for (unsigned i = 0; i < PROFILE_DIMENSIONS; i++) CHECK(d[i].level == PROFILE_STEPS);
    p.now[MEASURE_DEPLOYMENT_FREQUENCY] = value_of(0.3, 100); // weekly, not daily
    p.now[MEASURE_CI_TIME] = value_of(600, 2);                // too few to tell
    profile_ladder(&c, d);
    CHECK(d[2].level == 1 && d[2].steps[1].answer == FINDING_NO);
    CHECK(str_starts(d[2].steps[1].evidence,
                     STR("Deployment frequency 0.3 a day (100 rows; at least 1 a day); ")));
    CHECK(str_starts(d[4].steps[1].evidence, STR("Time to detect 1 min (100 rows; at most 5 min)")));
    CHECK(d[0].level == 1 && d[0].most == 2 && d[0].steps[1].answer == FINDING_UNKNOWN);
    CHECK(d[2].most == 1 && d[4].most == d[4].level);
    p.now[MEASURE_AUTOMATED_RATE] = value_of(0.2, 100);
    profile_ladder(&c, d);
    CHECK(d[2].level == 0);
    plant_fini(&p);
}

TEST(profile_modes_show_their_sign) {
    struct plant p;
    struct finding m[PROFILE_MODES];
    plant_good(&p);
    struct finding_case c = case_of(&p);
    profile_modes(&c, m);
    for (unsigned i = 0; i < PROFILE_MODES; i++)
        CHECK(m[i].answer == FINDING_NO && m[i].name && m[i].evidence.len);
    p.facts.storm = (struct finding_name){ STR("web had 41 in seven days, 10 in a usual week"), { 1, 3 } };
    p.facts.skewed = (struct finding_name){ STR("gitlab"), { 3, 100 } };
    p.facts.mixed = (struct finding_share){ 1, 100 };
    profile_modes(&c, m);
    unsigned n = 0;
    for (unsigned i = 0; i < PROFILE_MODES; i++) {
        bool planted = strcmp(m[i].name, "alert-storm") == 0 || strcmp(m[i].name, "time-skew") == 0 ||
                       strcmp(m[i].name, "partial-rollout") == 0;
        CHECK((m[i].answer == FINDING_YES) == planted);
        n += planted;
    }
    CHECK(n == 3);
    p.facts.misrouted = (struct finding_name){ STR("shop 2"), { 1, 3 } };
    profile_modes(&c, m);
    CHECK(strcmp(m[12].name, "canary-misrouted") == 0 && m[12].answer == FINDING_YES);
    p.facts.misrouted = (struct finding_name){ 0 };
    profile_modes(&c, m);
    CHECK(m[12].answer == FINDING_UNKNOWN);
    plant_fini(&p);
}

static const struct finding *mode(struct plant *p, const char *name) {
    static struct finding m[PROFILE_MODES];
    struct finding_case c = case_of(p);
    profile_modes(&c, m);
    for (unsigned i = 0; i < PROFILE_MODES; i++)
        if (strcmp(m[i].name, name) == 0) return &m[i];
    CHECK(!"no such mode");
    return NULL;
}

// Those with several signs: any one shows it, and what was not asked is no sign that it is well.
TEST(profile_modes_of_several_signs) {
    static const struct finding_share much = { 90, 100 }, none = { 0, 100 };
    struct plant p;
    struct finding_facts *k = &p.facts;
    struct world *w = &p.world;
    plant_good(&p);
    p.now[MEASURE_QUEUE_RATIO].p90.value = 3; // the median is what it was
    p.before[MEASURE_QUEUE_RATIO].p90 = (struct estimate){ .defined = true, .value = 1.5 };
    CHECK(mode(&p, "pipeline-bottleneck")->answer == FINDING_YES);
    CHECK(memmem(mode(&p, "pipeline-bottleneck")->evidence.ptr, mode(&p, "pipeline-bottleneck")->evidence.len,
                 "1.5 in the window before, rising", 32));
    w->drift = (struct finding_name){ STR("dark gives p2 another share"), { 1, 3 } };
    CHECK(mode(&p, "flag-drift")->answer == FINDING_YES);
    w->drift.share.n = 0;
    CHECK(mode(&p, "flag-drift")->answer == FINDING_UNKNOWN);
    p.now[MEASURE_STALE_FLAG_RATE] = value_of(0.1, 100);
    CHECK(mode(&p, "flag-drift")->answer == FINDING_YES);
    k->held = STR("the longest: shop v2, 5 h, let go by ann");
    k->approved_wait = much;
    CHECK(mode(&p, "compliance-hold")->answer == FINDING_YES);
    CHECK_STR(mode(&p, "compliance-hold")->evidence,
              STR("90 of 100 approved deploys that waited longer than they worked (90 %; at most 50 %); the "
                  "longest: shop v2, 5 h, let go by ann"));
    k->unserved = much;
    CHECK(mode(&p, "missing-deploy-data")->answer == FINDING_YES);
    k->unserved = none;
    CHECK(mode(&p, "missing-deploy-data")->answer == FINDING_NO);
    w->unreported = (struct finding_name){ STR("shop 2.0"), { 1, 9 } };
    CHECK(mode(&p, "missing-deploy-data")->answer == FINDING_YES);
    k->elsewhere = much;
    CHECK(mode(&p, "misattributed-incident")->answer == FINDING_YES);
    k->elsewhere = none;
    CHECK(mode(&p, "misattributed-incident")->answer == FINDING_NO);
    k->acted = (struct finding_name){ STR("i1 (shop of web, pay acted)"), much };
    CHECK(mode(&p, "misattributed-incident")->answer == FINDING_YES);
    CHECK(memmem(mode(&p, "misattributed-incident")->evidence.ptr,
                 mode(&p, "misattributed-incident")->evidence.len, "at most 20 %): i1 (shop of web", 30));
    k->unseen = much;
    CHECK(mode(&p, "blind-after-deploy")->answer == FINDING_YES);
    k->unseen = none;
    CHECK(mode(&p, "blind-after-deploy")->answer == FINDING_NO);
    k->vanished = (struct finding_name){ STR("shop 2: GET /pay is not served any more"), { 1, 9 } };
    CHECK(mode(&p, "blind-after-deploy")->answer == FINDING_YES);
    CHECK(memmem(mode(&p, "blind-after-deploy")->evidence.ptr, mode(&p, "blind-after-deploy")->evidence.len,
                 "within requests: shop 2: GET /pay", 33));
    k->vanished.share = (struct finding_share){ 0, 0 };
    CHECK(mode(&p, "blind-after-deploy")->answer == FINDING_UNKNOWN);
    CHECK(mode(&p, "time-skew")->answer == FINDING_NO);
    k->backwards = (struct finding_name){ STR("gitlab"), { 1, 100 } };
    CHECK(mode(&p, "time-skew")->answer == FINDING_YES);
    k->backwards.share.k = 0;
    w->early = (struct finding_name){ STR("cart"), { 400, 9000 } };
    CHECK(mode(&p, "time-skew")->answer == FINDING_YES);
    w->knows_store = false;
    CHECK(mode(&p, "time-skew")->answer == FINDING_UNKNOWN);
    plant_fini(&p);
}

// Each by its own sign; without the traces, or a server, it is said that these were not asked.
TEST(profile_modes_of_traces_and_of_takt) {
    static const char *const of_store[] = { "index-explosion", "storage-jump", "sampling-bias" };
    static const char *const of_server[] = { "missing-spans", "slow-queries", "overload" };
    struct plant p;
    struct world *w = &p.world;
    plant_good(&p);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(mode(&p, of_store[i])->answer == FINDING_NO);
        CHECK(mode(&p, of_server[i])->answer == FINDING_NO);
    }
    w->partial.k = 90;
    CHECK(mode(&p, "missing-spans")->answer == FINDING_YES);
    w->keys = WORLD_KEYS_MOST + 1;
    CHECK(mode(&p, "index-explosion")->answer == FINDING_YES);
    w->keys = 80;
    w->names.share.k = 8000;
    CHECK(mode(&p, "index-explosion")->answer == FINDING_YES);
    w->names = (struct finding_name){ 0 }; // few spans: their names say nothing
    CHECK(mode(&p, "index-explosion")->answer == FINDING_UNKNOWN);
    w->day_bytes = 6e7;
    CHECK(mode(&p, "storage-jump")->answer == FINDING_YES);
    CHECK_STR(mode(&p, "storage-jump")->evidence,
              STR("60 bytes a span in the last day, 29 in the week before (at most 1.5 times)"));
    w->day_spans = 0;
    CHECK(mode(&p, "storage-jump")->answer == FINDING_UNKNOWN);
    w->slow.k = 80;
    CHECK(mode(&p, "slow-queries")->answer == FINDING_YES);
    w->refused.k = 30;
    CHECK(mode(&p, "overload")->answer == FINDING_YES);
    w->refused.k = 0;
    w->dropped = 1;
    CHECK(mode(&p, "overload")->answer == FINDING_YES);
    w->errors_before = 40; // 1 % of what was kept, 0.2 % of all
    CHECK(mode(&p, "sampling-bias")->answer == FINDING_YES);
    w->kept_errors = (struct finding_share){ 1, 100 };
    CHECK(mode(&p, "sampling-bias")->answer == FINDING_UNKNOWN); // it may be chance
    p.world = (struct world){ 0 };
    for (unsigned i = 0; i < 3; i++) {
        CHECK(mode(&p, of_store[i])->answer == FINDING_UNKNOWN);
        CHECK_STR(mode(&p, of_store[i])->evidence, STR("the traces were not asked"));
        CHECK(mode(&p, of_server[i])->answer == FINDING_UNKNOWN);
        CHECK_STR(mode(&p, of_server[i])->evidence, STR("a server tells it while it runs; none was asked"));
    }
    plant_fini(&p);
}

// A full arena leaves evidence out, never answers.
TEST(profile_without_memory) {
    struct plant p;
    plant_good(&p);
    arena_fini(&p.arena);
    arena_init(&p.arena, 0, NULL);
    spoil(&p, "queue-long");
    CHECK(rule(&p, "queue-long")->answer == FINDING_YES);
    plant_fini(&p);
}
