// SPDX-License-Identifier: Apache-2.0
// The first bad minute before an incident, in requests with a planted one. Minutes count from T0, which is
// six hours before it is noticed (minute 360).
#include "impact/onset.h"

#include <math.h>

#include "impact/trial_test.h"

#define NOTICED ((int64_t)(T0 + 360 * MINUTE + MINUTE / 2))

// So many requests a minute in [from, to).
static void put(struct trial *t, unsigned from, unsigned to, unsigned per_minute, double errors, double ms) {
    for (unsigned m = from; m < to; m++)
        for (unsigned i = 0; i < per_minute; i++) {
            struct arms_request r = {
                .arm = ARM_OLD,
                .route = STR("GET /"),
                .start_ns = T0 + m * MINUTE + test_below(MINUTE),
                .duration_ns = (uint64_t)(ms * 1e6 * exp(0.3 * (test_uniform() + test_uniform() - 1))),
                .error = test_uniform() < errors
            };
            uint64_t id[2] = { test_rand(), test_rand() };
            memcpy(r.trace_id, id, sizeof r.trace_id);
            CHECK_OK(arms_add(&t->arms, &r));
        }
}
// The minute; -1: none.
static int64_t found(struct trial *t) {
    CHECK_OK(onset_find(&t->a, &t->arms, NOTICED, &t->o));
    return t->o.began ? (t->o.began - (int64_t)T0) / (int64_t)MINUTE : -1;
}

TEST(onset_is_the_first_bad_minute_of_those_that_lead_to_the_notice) {
    static const struct {
        unsigned from, to, per_minute;
        double usual, bad, usual_ms, bad_ms;
        int64_t want;
        const char *why;
    } cases[] = {
        { 340, 366, 100, 0.01, 0.30, 50, 50, 340, "errors" },
        { 340, 366, 100, 0, 0.10, 50, 50, 340, "errors where there were none" },
        { 340, 366, 100, 0.01, 0.01, 50, 120, 340, "slow requests" },
        { 340, 350, 100, 0.01, 0.30, 50, 50, 340, "it was over before it was noticed" },
        { 300, 320, 100, 0.01, 0.30, 50, 50, -1, "it was over long before" },
        { 362, 366, 100, 0.01, 0.30, 50, 50, 362, "noticed before it began" },
        { 200, 366, 100, 0.01, 0.30, 50, 50, 200, "nearly three hours" },
        { 340, 366, 100, 0.01, 0.012, 50, 50, -1, "no effect that matters" },
        { 340, 366, 100, 0.20, 0.20, 50, 50, -1, "as bad as usual" },
        { 340, 366, 100, 0.01, 0.01, 50, 55, -1, "slower by less than matters" },
        { 340, 366, 1, 0.01, 0.5, 50, 50, -1, "too few to tell" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial *t = begin();
        put(t, 0, cases[i].from, cases[i].per_minute, cases[i].usual, cases[i].usual_ms);
        put(t, cases[i].from, cases[i].to, cases[i].per_minute, cases[i].bad, cases[i].bad_ms);
        put(t, cases[i].to, 366, cases[i].per_minute, cases[i].usual, cases[i].usual_ms);
        int64_t got = found(t);
        if (got != cases[i].want) printf("# %s: %lld\n", cases[i].why, (long long)got);
        CHECK_U64(got, cases[i].want);
        end(t);
    }
}

TEST(onset_bridges_a_few_good_minutes_and_no_more) {
    struct trial *t = begin();
    put(t, 0, 320, 100, 0.01, 50);
    put(t, 320, 330, 100, 0.3, 50);
    put(t, 330, 330 + ONSET_GAP_MINUTES, 100, 0.01, 50);
    put(t, 330 + ONSET_GAP_MINUTES, 360, 100, 0.3, 50);
    CHECK_U64(found(t), 320);
    CHECK(memmem(t->o.evidence.ptr, t->o.evidence.len, "failed instead of", 17));
    end(t);
    t = begin();
    put(t, 0, 320, 100, 0.01, 50);
    put(t, 320, 329, 100, 0.3, 50);
    put(t, 329, 330 + ONSET_GAP_MINUTES, 100, 0.01, 50);
    put(t, 330 + ONSET_GAP_MINUTES, 360, 100, 0.3, 50);
    CHECK_U64(found(t), 330 + ONSET_GAP_MINUTES);
    end(t);
}

TEST(onset_without_traces_before_it_is_not_known) {
    struct trial *t = begin();
    CHECK_U64(found(t), -1);
    put(t, 320, 366, 100, 0.3, 50); // nothing to compare with
    CHECK_U64(found(t), -1);
    end(t);
}

TEST(onset_is_hardly_ever_found_where_nothing_changed) {
    unsigned wrong = 0;
    for (unsigned i = 0; i < 60; i++) {
        struct trial *t = begin();
        put(t, 0, 366, 30, i % 2 ? 0.01 : 0.05, 50);
        wrong += found(t) >= 0;
        end(t);
    }
    CHECK(wrong <= 2);
}

// --- the record --------------------------------------------------------------------------------------------

static void take(struct delivery *d, struct arena *a, const char *source, int64_t now, struct str body) {
    struct intake in;
    struct delivery_taken taken;
    struct err_ctx ctx = { 0 };
    struct intake_header type = { STR("content-type"), STR("application/cloudevents+json") };
    struct intake_request r = {
        .source = str_of(source), .headers = &type, .n_headers = 1, .body = body, .received = now
    };
    CHECK_OK(intake_read(&r, a, &in, &ctx));
    CHECK_OK(delivery_take(d, &r, &in, &taken));
    CHECK_U64(taken.aside, 0);
}
static void incident(struct delivery *d, struct arena *a, const char *id, const char *more) {
    take(d, a, "events", NOTICED,
         str_fmt(a,
                 "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"t\",\"type\":\"dev.takt.incident\","
                 "\"data\":{"
                 "\"id\":\"%s\",\"state\":\"triggered\",\"time\":%lld%s}}",
                 id, id, (long long)NOTICED, more));
}
static struct str due_keys(struct delivery *d, struct arena *a, int64_t now, struct onset_ask **due) {
    struct db *db;
    uint32_t n;
    struct str all = STR("");
    CHECK_OK(delivery_reader(d, &db));
    struct impact_due_ask ask = { now, 5 * (int64_t)MINUTE, { .time = INT64_MAX } };
    CHECK_OK(onset_list_due(db, a, &ask, due, &n));
    delivery_reader_done(d, db);
    for (uint32_t i = 0; i < n; i++)
        all = str_fmt(a, "%.*s%s%.*s/%.*s", STR_ARG(all), i ? " " : "", STR_ARG((*due)[i].incident),
                      STR_ARG((*due)[i].of.environment));
    return all;
}

TEST(onset_is_asked_of_what_nobody_knows_and_kept_as_an_event) {
    struct delivery *d;
    struct arena a;
    struct onset_ask *due;
    struct err_ctx ctx = { 0 };
    const int64_t minute = (int64_t)MINUTE;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(delivery_open(&(struct delivery_opts){ .dir = test_dir() }, &d, &ctx));
    incident(d, &a, "a", ",\"service\":\"shop\"");
    incident(d, &a, "b", ",\"service\":\"shop\",\"environment\":\"eu\"");
    incident(d, &a, "told", ",\"service\":\"shop\",\"started_at\":1700000000");
    incident(d, &a, "again", ",\"service\":\"shop\",\"duplicate_of\":\"takt:a\"");
    incident(d, &a, "of-nobody", "");
    CHECK_STR(due_keys(d, &a, NOTICED + minute, &due), STR(""));
    CHECK_STR(due_keys(d, &a, NOTICED + 5 * minute, &due), STR("takt:a/production takt:b/eu"));
    struct onset found = {
        .began = NOTICED - 7 * minute, .final = true, .state = STR("s"), .evidence = STR("bad")
    };
    CHECK_OK(onset_record(d, &due[0], &found));
    CHECK_OK(onset_record(d, &due[0], &found)); // the same: nothing
    CHECK_STR(due_keys(d, &a, NOTICED + 5 * minute, &due), STR("takt:b/eu"));
    CHECK_OK(delivery_reprocess(d, NULL, NULL));
    CHECK_STR(due_keys(d, &a, NOTICED + 5 * minute, &due), STR("takt:b/eu"));
    struct db *db;
    int64_t began, events;
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(db_number(db, "SELECT impact_at FROM incident_impact WHERE impact_by = 'traces'", &began));
    CHECK_OK(db_number(db, "SELECT count(*) FROM event WHERE source = 'takt/onset'", &events));
    delivery_reader_done(d, db);
    CHECK_U64(began, NOTICED - 7 * minute);
    CHECK_U64(events, 1);
    delivery_close(d);
    arena_fini(&a);
}

// More than a page of one moment: each stands on one page.
TEST(onset_and_impact_lists_go_on_where_a_page_ended) {
    struct delivery *d;
    struct arena a;
    struct err_ctx ctx = { 0 };
    struct onset_ask *due;
    struct impact_due *flags;
    struct db *db;
    uint32_t n, all = 0;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(delivery_open(&(struct delivery_opts){ .dir = test_dir() }, &d, &ctx));
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < IMPACT_DUE_MAX + 44; i++) {
        buf_fmt(&b,
                "%s{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.incident\","
                "\"data\":"
                "{\"id\":\"%03u\",\"state\":\"triggered\",\"service\":\"s\",\"time\":%lld}},"
                "{\"specversion\":\"1.0\",\"id\":\"f%u\",\"source\":\"t\",\"type\":\"dev.takt.flag_change\","
                "\"data\":"
                "{\"id\":\"f%03u\",\"flag\":\"x\",\"action\":\"on\",\"changed_at\":%lld}}",
                i ? "," : "[", i, i, (long long)(NOTICED + i / 100), i, i, (long long)(NOTICED + i / 100));
    }
    buf_char(&b, ']');
    struct intake in;
    struct delivery_taken taken;
    struct intake_header type = { STR("content-type"), STR("application/cloudevents-batch+json") };
    struct intake_request r = {
        .source = STR("events"), .headers = &type, .n_headers = 1, .body = buf_view(&b), .received = NOTICED
    };
    CHECK_OK(intake_read(&r, &a, &in, &ctx));
    CHECK_OK(delivery_take(d, &r, &in, &taken));
    buf_fini(&b);
    CHECK_OK(delivery_reader(d, &db));
    struct impact_due_ask ask = { NOTICED + 10 * (int64_t)MINUTE, (int64_t)MINUTE, { .time = INT64_MAX } };
    for (n = IMPACT_DUE_MAX; n == IMPACT_DUE_MAX; all += n) {
        CHECK_OK(onset_list_due(db, &a, &ask, &due, &n));
        ask.past = (struct impact_place){ due[n - 1].detected, due[n - 1].incident };
    }
    CHECK(all == IMPACT_DUE_MAX + 44 && n == 44);
    all = 0;
    ask.past = (struct impact_place){ .time = INT64_MAX };
    for (n = IMPACT_DUE_MAX; n == IMPACT_DUE_MAX; all += n) {
        CHECK_OK(impact_list_due(db, &a, &ask, &flags, &n));
        ask.past = (struct impact_place){ flags[n - 1].started, flags[n - 1].key };
    }
    CHECK(all == IMPACT_DUE_MAX + 44 && n == 44);
    delivery_reader_done(d, db);
    delivery_close(d);
    arena_fini(&a);
}
