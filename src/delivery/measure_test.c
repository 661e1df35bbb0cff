// SPDX-License-Identifier: Apache-2.0
#include "delivery/measure.h"

#include <math.h>

#include "base/test.h"
#include "delivery/band.h"
#include "delivery/figure.h"

#define MINUTE 60000000000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define T0 1767225600000000000ll

static struct figure figures[16];
static struct figure_commit commits[16];
static struct series series;
static struct measure_incident incidents[8];
static uint32_t n_series, n_incidents;

static void begin(void) {
    memset(figures, 0, sizeof figures);
    memset(incidents, 0, sizeof incidents);
    series = (struct series){ .service = STR("shop"),
                              .environment = STR("production"),
                              .production = true,
                              .figures = figures,
                              .commits = commits };
    n_series = 1;
    n_incidents = 0;
}

static struct figure *rollout(int64_t at, enum rollout_kind kind) {
    struct figure *f = &figures[series.n++];
    *f = (struct figure){ .id = series.n,
                          .state = ROLLOUT_SUCCESS,
                          .kind = kind,
                          .started = T0 + at - MINUTE,
                          .finished = T0 + at,
                          .undoes = ROLLOUT_NONE,
                          .first_commit = series.n_commits };
    return f;
}
static void brings(int64_t authored, int64_t committed, uint8_t flags) {
    commits[series.n_commits++] = (struct figure_commit){ T0 + authored, T0 + committed, flags };
    figures[series.n - 1].n_commits++;
}

static struct measure_result run(enum measure m, enum measure_clock clock) {
    static struct arena a;
    struct measure_ask ask = {
        .measure = m, .from = T0, .to = T0 + 10 * DAY, .now = T0 + 10 * DAY, .clock = clock
    };
    struct measure_result r;
    arena_init(&a, SIZE_MAX, NULL);
    struct measuring run;
    measure_begin(&run, &a, &ask, NULL, NULL);
    for (uint32_t i = 0; i < n_series; i++) measure_series(&run, &series);
    for (uint32_t i = 0; i < n_incidents; i++) measure_incident(&run, &incidents[i]);
    CHECK_OK(measure_end(&run, &r));
    arena_fini(&a);
    return r;
}

static uint64_t left_out(const struct measure_result *r, const char *why) {
    for (unsigned i = 0; i < r->n_left_out; i++)
        if (strstr(r->left_out[i].text, why)) return r->left_out[i].n;
    return 0;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

// Ten days: the first, two normal, one hotfix count; the rollback, the redeploy and the failed one do
// not, nor what ends exactly at the window's end; what ends exactly at its start does.
TEST(measure_frequency_counts_what_it_says) {
    begin();
    rollout(0, ROLLOUT_FIRST);
    rollout(1 * DAY, ROLLOUT_NORMAL);
    rollout(2 * DAY, ROLLOUT_ROLLBACK);
    rollout(3 * DAY, ROLLOUT_REDEPLOY);
    rollout(4 * DAY, ROLLOUT_HOTFIX);
    rollout(5 * DAY, ROLLOUT_NORMAL)->state = ROLLOUT_FAILED;
    rollout(6 * DAY, ROLLOUT_NORMAL);
    rollout(10 * DAY, ROLLOUT_NORMAL);
    struct measure_result r = run(MEASURE_DEPLOYMENT_FREQUENCY, CLOCK_AUTHOR);
    CHECK_U64(r.n, 4);
    CHECK(near(r.value.value, .4));
    CHECK(near(r.value.lo, 1.0898653 / 10) || fabs(r.value.lo - .10898653) < 1e-6); // chi2(.025; 8) / 2
    CHECK(fabs(r.value.hi - 1.0241590) < 1e-6);                                     // chi2(.975; 10) / 2
    CHECK_U64(left_out(&r, "rollback"), 1);
    CHECK_U64(left_out(&r, "redeploy"), 1);
    CHECK_U64(left_out(&r, "did not end well"), 1);
}

TEST(measure_no_rollout_is_a_frequency_of_zero_no_service_is_none) {
    begin();
    struct measure_result r = run(MEASURE_DEPLOYMENT_FREQUENCY, CLOCK_AUTHOR);
    CHECK(r.value.defined && r.value.value == 0 && r.value.lo == 0);
    n_series = 0;
    r = run(MEASURE_DEPLOYMENT_FREQUENCY, CLOCK_AUTHOR);
    CHECK(!r.value.defined);
    CHECK(!run(MEASURE_CHANGE_FAILURE_RATE, CLOCK_AUTHOR).value.defined);
    CHECK(!run(MEASURE_LEAD_TIME, CLOCK_AUTHOR).value.defined);
}

// By author 1 h, 3 h, 0 (two minutes ahead of the clock), by committer half of it. Left out: a twin, a
// bot, a commit of 1970, one authored an hour after it was delivered.
TEST(measure_lead_times_by_either_clock) {
    begin();
    rollout(1 * HOUR, ROLLOUT_FIRST)->commits_state = COMMITS_BASELINE;
    rollout(1 * DAY, ROLLOUT_NORMAL);
    brings(DAY - 1 * HOUR, DAY - HOUR / 2, 0);
    brings(DAY - 3 * HOUR, DAY - 3 * HOUR / 2, 0);
    brings(DAY + 2 * MINUTE, DAY, 0);
    brings(0, 0, COMMIT_TWIN);
    brings(0, 0, COMMIT_BOT);
    brings(-T0, DAY, COMMIT_BAD_AUTHORED);
    brings(DAY + HOUR, DAY, 0);
    rollout(2 * DAY, ROLLOUT_NORMAL)->commits_state = COMMITS_UNKNOWN;
    rollout(3 * DAY, ROLLOUT_NORMAL)->commits_state = COMMITS_CUT;
    struct measure_result r = run(MEASURE_LEAD_TIME, CLOCK_AUTHOR);
    CHECK_U64(r.n, 3);
    CHECK(near(r.value.value, 3600));
    CHECK(near(r.p75.value, 7200)); // halfway between 1 h and 3 h
    CHECK_U64(r.clamped, 1);
    CHECK(r.small);
    CHECK(!r.value.bounded); // three values have no interval
    CHECK_U64(left_out(&r, "twin"), 1);
    CHECK_U64(left_out(&r, "bot"), 1);
    CHECK_U64(left_out(&r, "cannot be"), 1);
    CHECK_U64(left_out(&r, "before it begins"), 1);
    CHECK_U64(left_out(&r, "baseline"), 1);
    CHECK_U64(left_out(&r, "not known"), 1);
    CHECK_U64(left_out(&r, "more commits"), 1);
    r = run(MEASURE_LEAD_TIME, CLOCK_COMMITTER);
    CHECK_U64(r.n, 5); // 0, 0, 0, 30 min, 90 min
    CHECK(near(r.mean.value, 1440));
}

TEST(measure_failures_and_their_recovery) {
    begin();
    struct figure *f;
    for (int i = 0; i < 5; i++) rollout(i * DAY + HOUR, ROLLOUT_NORMAL);
    f = rollout(5 * DAY, ROLLOUT_NORMAL);
    f->failure = FAILURE_NEAR;
    f->recovered = f->finished + 30 * MINUTE;
    f = rollout(6 * DAY, ROLLOUT_ROLLBACK);
    f->undoes = 5;
    f = rollout(10 * DAY - HOUR, ROLLOUT_HOTFIX);
    f->failure = FAILURE_SAID; // and not recovered
    struct measure_result r = run(MEASURE_CHANGE_FAILURE_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 2 && r.denominator == 7);
    CHECK_U64(r.immature, 1);
    CHECK(fabs(r.value.lo - .0822) < 1e-4 && fabs(r.value.hi - .6411) < 1e-4); // Wilson of 2 in 7
    r = run(MEASURE_FAILED_DEPLOYMENT_RECOVERY, CLOCK_AUTHOR);
    CHECK(r.n == 1 && near(r.value.value, 1800));
    CHECK_U64(left_out(&r, "not recovered"), 1);
    r = run(MEASURE_REWORK_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 2 && r.denominator == 8);
    r = run(MEASURE_ROLLBACK_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 1 && r.denominator == 8);
    r = run(MEASURE_ROLLBACK_TIME, CLOCK_AUTHOR);
    CHECK(r.n == 1 && near(r.value.value, 86400));
    r = run(MEASURE_FAILED_TIME, CLOCK_AUTHOR); // half an hour and the last hour of 240
    CHECK(near(r.value.value, 1.5 / 240));
}

TEST(measure_of_a_window_that_has_not_begun_is_nothing) {
    struct measuring m;
    struct measure_result r;
    struct measure_ask ask = {
        .measure = MEASURE_DEPLOYMENT_FREQUENCY, .from = T0, .to = T0 + DAY, .now = T0
    };
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    for (int i = 0; i < 2; i++, ask.now++) {
        measure_begin(&m, &a, &ask, NULL, NULL);
        measure_series(&m, &(struct series){ .production = true });
        CHECK_OK(measure_end(&m, &r));
        CHECK(r.value.defined == (i == 1) && r.value.value == 0); // none yet is not 0 a day
    }
    arena_fini(&a);
}

TEST(measure_failed_time_counts_each_moment_once) {
    begin();
    for (int i = 0; i < 3; i++) {
        struct figure *f = rollout(DAY + i * HOUR, ROLLOUT_NORMAL);
        f->failure = FAILURE_NEAR;
        f->recovered = T0 + DAY + 4 * HOUR; // all at once
    }
    struct measure_result r = run(MEASURE_FAILED_TIME, CLOCK_AUTHOR);
    CHECK(near(r.value.value, 4.0 / 240) && r.n == 3 && !r.small); // measured, however rarely it failed
}

TEST(measure_incidents) {
    begin();
    incidents[0] = (struct measure_incident){ .began = T0,
                                              .detected = T0 + 5 * MINUTE,
                                              .acknowledged = T0 + 10 * MINUTE,
                                              .recovered = T0 + HOUR,
                                              .production = true };
    incidents[1] = (struct measure_incident){
        .began = T0 + DAY, .detected = T0 + DAY - MINUTE, .recovered = T0 + DAY + 2 * HOUR, .production = true
    };
    incidents[2] = (struct measure_incident){ .began = T0 + DAY, .production = true }; // open
    incidents[3] =
        (struct measure_incident){ .began = T0 + DAY, .recovered = T0 + DAY + HOUR }; // not in production
    incidents[4] = (struct measure_incident){
        .began = T0 + DAY, .recovered = T0 + DAY + HOUR, .production = true, .duplicate = true
    };
    incidents[5] = (struct measure_incident){ .began = T0 - DAY,
                                              .recovered = T0 - 1,
                                              .production = true }; // before the window
    incidents[6] =
        (struct measure_incident){ .began = T0 + 2 * DAY, .recovered = T0 + DAY, .production = true };
    n_incidents = 7;
    struct measure_result r = run(MEASURE_RESTORE_TIME, CLOCK_AUTHOR);
    CHECK(r.n == 2 && near(r.value.value, 5400));
    CHECK(left_out(&r, "open") == 1 && left_out(&r, "repeats") == 1 &&
          left_out(&r, "not in production") == 1 && left_out(&r, "before it begins") == 1);
    r = run(MEASURE_REMEDIATE_TIME, CLOCK_AUTHOR);
    CHECK(r.n == 2 && near(r.value.value, (3300 + 7260) / 2.0));
    r = run(MEASURE_DETECT_TIME, CLOCK_AUTHOR);
    CHECK(r.n == 2 && near(r.value.value, 150)); // 300 and 0
    r = run(MEASURE_ACKNOWLEDGE_TIME, CLOCK_AUTHOR);
    CHECK(r.n == 1 && near(r.value.value, 300));
}

TEST(measure_outcomes_automation_batches) {
    begin();
    rollout(DAY, ROLLOUT_NORMAL)->retried = true;
    rollout(DAY, ROLLOUT_NORMAL)->state = ROLLOUT_FAILED;
    rollout(DAY, ROLLOUT_NORMAL)->state = ROLLOUT_CANCELLED;
    rollout(DAY, ROLLOUT_NORMAL)->automation = AUTOMATION_MANUAL;
    rollout(DAY, ROLLOUT_NORMAL)->automation = AUTOMATION_APPROVED;
    brings(0, 0, 0);
    struct measure_result r = run(MEASURE_DEPLOYMENT_SUCCESS_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 3 && r.denominator == 4 && left_out(&r, "given up") == 1);
    r = run(MEASURE_FIRST_TRY_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 2 && r.denominator == 4);
    r = run(MEASURE_AUTOMATED_RATE, CLOCK_AUTHOR);
    CHECK(r.numerator == 1 && r.denominator == 2 && left_out(&r, "what began it") == 1);
    r = run(MEASURE_BATCH_SIZE, CLOCK_AUTHOR);
    CHECK(r.n == 3 && r.value.value == 0 && near(r.p95.value, .9));
}

TEST(measure_bands_are_closed_and_say_ranges) {
    CHECK(band_of(2023, MEASURE_LEAD_TIME, 86399) == BAND_ELITE);
    CHECK(band_of(2023, MEASURE_LEAD_TIME, 86400) == BAND_HIGH);
    CHECK(band_of(2021, MEASURE_DEPLOYMENT_FREQUENCY, 1) == BAND_ELITE);
    CHECK(band_of(2019, MEASURE_DEPLOYMENT_FREQUENCY, 1) == BAND_HIGH);
    CHECK(band_of(2024, MEASURE_CHANGE_FAILURE_RATE, .10) == BAND_MEDIUM); // the report's order
    CHECK(band_of(2024, MEASURE_CHANGE_FAILURE_RATE, .20) == BAND_HIGH);
    CHECK(band_of(2025, MEASURE_LEAD_TIME, 1) == BAND_NONE);
    CHECK(band_of(2023, MEASURE_BATCH_SIZE, 1) == BAND_NONE);
    CHECK(band_of(2021, MEASURE_LEAD_TIME, 180 * 86400.0) == BAND_LOW);
    CHECK(band_of(2021, MEASURE_LEAD_TIME, 180 * 86400.0 - 1) == BAND_MEDIUM);
    // Four a week lie between the report's "on demand" and "once a week", a commit of 2 h between its ranges.
    CHECK(band_between(2021, MEASURE_DEPLOYMENT_FREQUENCY, 4.0 / 7) &&
          !band_between(2021, MEASURE_DEPLOYMENT_FREQUENCY, 1));
    CHECK(band_between(2021, MEASURE_LEAD_TIME, 7200) && !band_between(2021, MEASURE_LEAD_TIME, 86400));
    CHECK(band_between(2019, MEASURE_CHANGE_FAILURE_RATE, .3) &&
          !band_between(2019, MEASURE_CHANGE_FAILURE_RATE, .15));
    CHECK(!band_between(2023, MEASURE_DEPLOYMENT_FREQUENCY, 4.0 / 7) && !band_known(2025, MEASURE_LEAD_TIME));
    enum band best, worst;
    struct measure_result r = {
        .value = { .defined = true, .bounded = true, .value = .08, .lo = .04, .hi = .2 }, .n = 50
    };
    band_range(2023, MEASURE_CHANGE_FAILURE_RATE, &r, &best, &worst);
    CHECK(best == BAND_ELITE && worst == BAND_LOW);
    r.value.value = .16; // from 5 % over the report's medium (10 %) to its high (20 %)
    band_range(2024, MEASURE_CHANGE_FAILURE_RATE, &r, &best, &worst);
    CHECK(best == BAND_ELITE && worst == BAND_MEDIUM);
    r.small = true;
    band_range(2023, MEASURE_CHANGE_FAILURE_RATE, &r, &best, &worst);
    CHECK(best == BAND_NONE && worst == BAND_NONE);
}

TEST(figure_ids_come_back) {
    struct arena a;
    struct buf b;
    struct err_ctx ctx = { 0 };
    struct figure_id f = { .measure = MEASURE_LEAD_TIME,
                           .scope = { .service = STR("a,b=c \xc3\xa4%"),
                                      .environment = STR("production"),
                                      .team = STR("web=1"),
                                      .product = STR("shop"),
                                      .tier = 2 },
                           .from = T0,
                           .to = T0 + DAY,
                           .clock = CLOCK_COMMITTER,
                           .with_rollbacks = true,
                           .as_of = 4711,
                           .at = T0 + 12 * DAY,
                           .period = PERIOD_DAY,
                           .zone = STR("Europe/Berlin") },
                     back;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&b, SIZE_MAX);
    figure_print(&f, &b);
    CHECK_STR(buf_view(&b),
              STR("lead_time@1,service=a%2Cb%3Dc%20%C3%A4%25,environment=production,team=web%3D1,product="
                  "shop,tier=2,"
                  "from=20260101T000000Z,to=20260102T000000Z,calendar=day,zone=Europe/Berlin,clock=committer,"
                  "rollbacks=yes,as_of=4711,at=20260113T000000Z"));

    CHECK_OK(figure_parse(&a, buf_view(&b), &back, &ctx));
    CHECK_STR(back.scope.service, f.scope.service);
    CHECK(back.from == f.from && back.to == f.to && back.clock == f.clock && back.with_rollbacks &&
          !back.with_redeploys && back.as_of == 4711 && back.at == f.at);
    CHECK(back.scope.tier == 2 && back.period == PERIOD_DAY);
    CHECK_STR(back.scope.team, f.scope.team);
    CHECK_STR(back.scope.product, f.scope.product);
    CHECK_STR(back.zone, f.zone);
    buf_reset(&b);
    f = (struct figure_id){ .measure = MEASURE_STALE_FLAG_RATE, .from = T0, .to = T0 + DAY, .flag_days = 30 };
    figure_print(&f, &b);
    CHECK_STR(buf_view(&b), STR("stale_flag_rate@1,from=20260101T000000Z,to=20260102T000000Z,flag_days=30"));
    CHECK_OK(figure_parse(&a, buf_view(&b), &back, &ctx));
    CHECK(back.flag_days == 30 && figure_ask(&back, T0).flag_days == 30);
    f.measure = MEASURE_FLAG_FREQUENCY; // which does not depend on it
    buf_reset(&b);
    figure_print(&f, &b);
    CHECK_STR(buf_view(&b), STR("flag_frequency@1,from=20260101T000000Z,to=20260102T000000Z"));
    static const char *const wrong[] = { "",
                                         "lead_time",
                                         "lead_time@x",
                                         "lead_tim@1,from=20260101T000000Z",
                                         "lead_time@1",
                                         "lead_time@1,from=20260101T000000Z,to=20260101T000000Z",
                                         "lead_time@1,from=2026,to=20260101T000000Z",
                                         "lead_time@1,what=1",
                                         "lead_time@1,service=%zz",
                                         "lead_time@1,service",
                                         "lead_time@1,tier=0",
                                         "lead_time@1,calendar=year",
                                         "lead_time@1,as_of=-1",
                                         "stale_flag_rate@1,flag_days=0",
                                         "stale_flag_rate@1,flag_days=3651" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ctx = (struct err_ctx){ 0 };
        CHECK(figure_parse(&a, test_exact(str_of(wrong[i])), &back, &ctx) == ERR_INVALID);
        CHECK(ctx.text[0]);
    }
    CHECK(figure_parse(&a, STR("lead_time@9,from=20260101T000000Z,to=20260102T000000Z"), &back, &ctx) ==
          ERR_UNSUPPORTED);
    buf_fini(&b);
    arena_fini(&a);
}
