// SPDX-License-Identifier: Apache-2.0
#include "delivery/evidence.h"
#include "delivery/profile.h"

struct test {
    enum measure measure;
    double target; // negative: at least its absolute value
};

// Yes when all tests pass, no when one fails, else cannot know.
static struct finding step_of(const struct finding_case *c, const char *name, const char *text,
                              const struct test *tests, unsigned n) {
    struct finding f = finding_begin(name, text, NULL);
    enum finding_answer answer = FINDING_YES;
    char said[500];
    size_t len = 0;
    for (unsigned i = 0; i < n; i++) {
        enum measure m = tests[i].measure;
        const struct measure_result *r = &c->now[m];
        enum measure_verdict v = measure_judge(&r->value, r->small, tests[i].target);
        finding_uses(&f, m);
        if (v == MEASURE_MISSED) answer = FINDING_NO;
        if (v == MEASURE_UNKNOWN && answer == FINDING_YES) answer = FINDING_UNKNOWN;
        len = evidence_clause(said, sizeof said, len, m, r, tests[i].target);
    }
    finding_says(&f, c->arena, answer, "%.*s", (int)len, said);
    return f;
}
#define STEP(name, text, ...) \
    step_of(c, name, text, (const struct test[]){ __VA_ARGS__ }, \
            sizeof((const struct test[]){ __VA_ARGS__ }) / sizeof(struct test))

#define DAY 86400.0

void profile_ladder(const struct finding_case *c, struct profile_dimension out[static PROFILE_DIMENSIONS]) {
    out[0] = (struct profile_dimension){
        "build",
        { STEP("pipelines", "Builds are automatic", { MEASURE_PIPELINE_SUCCESS_RATE, -0.5 }),
          STEP("trusted", "Builds are fast and can be trusted", { MEASURE_PIPELINE_SUCCESS_RATE, -0.98 },
               { MEASURE_WASTED_RUN_RATE, EVIDENCE_FLAKY_MOST }, { MEASURE_CI_TIME, 1800 }) },
        0,
        0
    };
    out[1] = (struct profile_dimension){
        "review",
        { STEP("reviewed", "Most changes are reviewed", { MEASURE_UNREVIEWED_RATE, 0.5 }),
          STEP("soon", "All changes are reviewed within a day", { MEASURE_UNREVIEWED_RATE, 0.05 },
               { MEASURE_REVIEW_TIME, DAY }) },
        0,
        0
    };
    out[2] = (struct profile_dimension){
        "deploy",
        { STEP("weekly", "Deploys are automatic and weekly", { MEASURE_DEPLOYMENT_FREQUENCY, -1.0 / 7 },
               { MEASURE_AUTOMATED_RATE, -0.5 }),
          STEP("daily", "Deploys are automatic and daily", { MEASURE_DEPLOYMENT_FREQUENCY, -1.0 },
               { MEASURE_AUTOMATED_RATE, -0.8 }, { MEASURE_LEAD_TIME, DAY }) },
        0,
        0
    };
    out[3] = (struct profile_dimension){
        "release",
        { STEP("rollback", "What fails can be taken back", { MEASURE_ROLLBACK_TIME, DAY }),
          STEP("progressive", "Releases are progressive, rollbacks automatic",
               { MEASURE_CANARY_FAILURE_RATE, 1 }, { MEASURE_AUTOMATIC_ROLLBACK_RATE, -0.5 },
               { MEASURE_CHANGE_FAILURE_RATE, 0.15 }) },
        0,
        0
    };
    out[4] = (struct profile_dimension){
        "detect",
        { STEP("alerts", "Detection is measured", { MEASURE_DETECT_TIME, DAY }),
          STEP("minutes", "Failures are detected within minutes", { MEASURE_DETECT_TIME, 300 }) },
        0,
        0
    };
    out[5] = (struct profile_dimension){
        "restore",
        { STEP("day", "Service is restored within a day", { MEASURE_RESTORE_TIME, DAY }),
          STEP("hour", "Service is restored within an hour", { MEASURE_RESTORE_TIME, 3600 },
               { MEASURE_FAILED_DEPLOYMENT_RECOVERY, 3600 }) },
        0,
        0
    };
    for (unsigned d = 0; d < PROFILE_DIMENSIONS; d++) {
        struct profile_dimension *o = &out[d];
        while (o->level < PROFILE_STEPS && o->steps[o->level].answer == FINDING_YES) o->level++;
        while (o->most < PROFILE_STEPS && o->steps[o->most].answer != FINDING_NO) o->most++;
    }
}
