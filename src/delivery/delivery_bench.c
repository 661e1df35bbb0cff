// SPDX-License-Identifier: Apache-2.0
// What facts and measures cost: a year of SERVICES services with ROLLOUTS rollouts each, a repository's
// commits behind each; half as many changes again, and five runs for each rollout. With incidents: twenty of
// each service. With calls: each service calls five others besides, in every month.
//   build/release/bench/delivery_bench DIR [SERVICES [ROLLOUTS [again|incidents|calls]]]
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "delivery/derive.h"
#include "delivery/record.h"
#include "delivery/scope.h"
#include "delivery/stale.h"
#include "intake/stamp.h"
#include "os/clock.h"

#define SECOND 1000000000ll
#define YEAR (365 * 24 * 3600 * SECOND)
#define T0 (1735689600 * SECOND) // 2025-01-01

enum { COMMITS_EACH = 3, RUNS_EACH = 5, INCIDENTS_EACH = 20, CALLS_EACH = 5, MONTHS = 13 };

struct fill {
    struct db *db;
    struct arena arena;
    uint64_t services, rollouts;
    bool incidents, calls;
    int64_t event;
};

static double now_ms(void) {
    return (double)clock_mono_ns(clock_real()) / 1e6;
}

static void need(enum err e, const char *what) {
    if (e == ERR_OK) return;
    (void)fprintf(stderr, "%s: %s\n", what, err_text(e));
    exit(1);
}

static void sha_of(uint64_t service, uint64_t commit, uint8_t out[20]) {
    uint64_t a = hash_u64(service * 1000003 + commit + 1), b = hash_u64(a);
    memcpy(out, &a, 8);
    memcpy(out + 8, &b, 8);
    memset(out + 16, 0, 4);
}

static int64_t time_of(const struct fill *f, uint64_t rollout) {
    return T0 + (int64_t)(rollout + 1) * (YEAR / (int64_t)(f->rollouts + 1)) / SECOND * SECOND;
}

static void put_commits(struct fill *f, uint64_t service) {
    for (uint64_t c = 0; c < f->rollouts * COMMITS_EACH; c++) {
        struct db_row *r;
        uint8_t sha[20], parent[20];
        int64_t t = time_of(f, c / COMMITS_EACH) - (int64_t)(c % COMMITS_EACH + 1) * 3600 * SECOND;
        sha_of(service, c, sha);
        if (c) sha_of(service, c - 1, parent);
        need(db_prepare(f->db, "INSERT INTO git_commit VALUES(?,?,?,?,0,'Ann','work',?,NULL,NULL,NULL,NULL)",
                        &r),
             "commit");
        db_bind_i64(r, 1, (int64_t)service + 1);
        db_bind_blob(r, 2, (struct str){ (char *)sha, 20 });
        db_bind_i64(r, 3, t);
        db_bind_i64(r, 4, t + 60 * SECOND);
        db_bind_blob(r, 5, (struct str){ (char *)parent, c ? 20 : 0 });
        need(db_done(r), "commit");
    }
}

static void put_deploy(struct fill *f, uint64_t service, uint64_t rollout, bool late) {
    struct claims c;
    uint8_t sha[20];
    char hex[40];
    struct arena *a = &f->arena;
    int64_t t = time_of(f, rollout) - (late ? 7200 * SECOND : 0);
    if (f->incidents) // each service at times of its own
        t += (int64_t)(hash_u64(service) % (uint64_t)(YEAR / (int64_t)(f->rollouts + 1)) / SECOND) * SECOND;
    sha_of(service, (rollout + 1) * COMMITS_EACH - 1, sha);
    hex_encode(sha, 20, hex);
    claims_begin(&c, a);
    struct claim *d = claims_add(&c, FACT_DEPLOY,
                                 str_fmt(a, "bench:%llu:%llu%s", (unsigned long long)service,
                                         (unsigned long long)rollout, late ? ":late" : ""),
                                 t, 3);
    claim_text(&c, d, DEPLOY_SERVICE, str_fmt(a, "service-%04llu", (unsigned long long)service));
    claim_text(&c, d, DEPLOY_ENVIRONMENT, STR("production"));
    claim_text(&c, d, DEPLOY_VERSION,
               str_fmt(a, "v%llu", (unsigned long long)(rollout % 17 == 16 ? rollout - 2 : rollout)));
    claim_text(&c, d, DEPLOY_SHA, (struct str){ hex, 40 });
    claim_text(&c, d, DEPLOY_REPO, str_fmt(a, "repo-%04llu", (unsigned long long)service));
    claim_text(&c, d, DEPLOY_STATE, STR("success"));
    claim_time(d, DEPLOY_STARTED, t - 300 * SECOND);
    claim_time(d, DEPLOY_SUCCEEDED, t);
    need(fact_apply(f->db, a, &c, ++f->event, stale_note, f->db), "deploy");
    arena_reset(a);
}

static void put_change(struct fill *f, uint64_t service, uint64_t number) {
    struct claims c;
    uint8_t sha[20];
    char hex[40];
    struct arena *a = &f->arena;
    int64_t t = time_of(f, number * 2 / 3);
    sha_of(service, (number * 2 / 3 + 1) * COMMITS_EACH - 1 - number % 2, sha);
    hex_encode(sha, 20, hex);
    claims_begin(&c, a);
    struct str key = str_fmt(a, "bench:%llu!%llu", (unsigned long long)service, (unsigned long long)number);
    struct claim *x = claims_add(&c, FACT_CHANGE, key, t, 3);
    claim_text(&c, x, CHANGE_REPO, str_fmt(a, "repo-%04llu", (unsigned long long)service));
    claim_int(x, CHANGE_NUMBER, (int64_t)number);
    claim_text(&c, x, CHANGE_AUTHOR, STR("ann"));
    claim_text(&c, x, CHANGE_HEAD_SHA, (struct str){ hex, 40 });
    claim_text(&c, x, CHANGE_MERGE_SHA, (struct str){ hex, 40 });
    claim_time(x, CHANGE_FIRST_COMMIT, t - 90000 * SECOND);
    claim_time(x, CHANGE_OPENED, t - 80000 * SECOND);
    claim_time(x, CHANGE_MERGED, t - 3600 * SECOND);
    struct claim *r = claims_add(&c, FACT_REVIEW, str_fmt(a, "%.*s:1", STR_ARG(key)), t, 3);
    claim_text(&c, r, REVIEW_CHANGE, key);
    claim_text(&c, r, REVIEW_AUTHOR, STR("bob"));
    claim_text(&c, r, REVIEW_STATE, STR("approved"));
    claim_time(r, REVIEW_SUBMITTED, t - 7200 * SECOND);
    need(fact_apply(f->db, a, &c, ++f->event, stale_note, f->db), "change");
    arena_reset(a);
}

static void put_run(struct fill *f, uint64_t service, uint64_t run) {
    static const char *const results[] = { "success", "success", "success", "failure" };
    struct claims c;
    uint8_t sha[20];
    char hex[40];
    struct arena *a = &f->arena;
    int64_t t = time_of(f, run / RUNS_EACH) + (int64_t)(run % RUNS_EACH) * 600 * SECOND;
    sha_of(service, run / 2, sha);
    hex_encode(sha, 20, hex);
    claims_begin(&c, a);
    struct claim *x =
        claims_add(&c, FACT_RUN,
                   str_fmt(a, "bench:%llu:%llu", (unsigned long long)service, (unsigned long long)run), t, 3);
    claim_text(&c, x, RUN_REPO, str_fmt(a, "repo-%04llu", (unsigned long long)service));
    claim_text(&c, x, RUN_NAME, STR("test"));
    claim_text(&c, x, RUN_SHA, (struct str){ hex, 40 });
    claim_text(&c, x, RUN_RESULT, str_of(results[hash_u64(run) % 4]));
    claim_time(x, RUN_QUEUED, t - 500 * SECOND);
    claim_time(x, RUN_STARTED, t - 400 * SECOND);
    claim_time(x, RUN_ENDED, t);
    need(fact_apply(f->db, a, &c, ++f->event, stale_note, f->db), "run");
    arena_reset(a);
}

static struct str name_of(struct fill *f, uint64_t service) {
    return str_fmt(&f->arena, "service-%04llu", (unsigned long long)service);
}

static void put_incident(struct fill *f, uint64_t service, uint64_t number) {
    struct claims c;
    struct arena *a = &f->arena;
    int64_t t = T0 + (int64_t)(hash_u64(service * 1009 + number) % (YEAR / SECOND)) * SECOND;
    claims_begin(&c, a);
    struct str key = str_fmt(a, "bench:%llu:%llu", (unsigned long long)service, (unsigned long long)number);
    struct claim *x = claims_add(&c, FACT_INCIDENT, key, t, 3);
    claim_text(&c, x, INCIDENT_SERVICE, name_of(f, service));
    claim_time(x, INCIDENT_STARTED, t);
    claim_time(x, INCIDENT_RESOLVED, t + 3600 * SECOND);
    need(fact_apply(f->db, a, &c, ++f->event, stale_note, f->db), "incident");
    arena_reset(a);
}

static void put_call(struct fill *f, uint64_t service, uint64_t number, int64_t month) {
    struct claims c;
    struct arena *a = &f->arena;
    uint64_t callee = (service + 1 + number * number * 7) % f->services;
    claims_begin(&c, a);
    struct str key = str_fmt(a, "%lld:%llu:%llu", (long long)month, (unsigned long long)service,
                             (unsigned long long)callee);
    struct claim *x = claims_add(&c, FACT_CALL, key, month, 3);
    claim_text(&c, x, CALL_CALLER, name_of(f, service));
    claim_text(&c, x, CALL_CALLEE, name_of(f, callee));
    claim_time(x, CALL_MONTH, month);
    claim_time(x, CALL_FIRST, month);
    need(fact_apply(f->db, a, &c, ++f->event, stale_note, f->db), "call");
    arena_reset(a);
}

static void put_calls(struct fill *f, uint64_t service) {
    int64_t month = T0;
    for (unsigned m = 0; m < MONTHS; m++, month = stamp_month(month + 32 * 24 * 3600 * SECOND))
        for (uint64_t c = 0; c < CALLS_EACH; c++) put_call(f, service, c, month);
}

static void fill(struct fill *f) {
    need(db_begin(f->db), "begin");
    for (uint64_t s = 0; s < f->services; s++) {
        for (uint64_t i = 0; f->incidents && i < INCIDENTS_EACH; i++) put_incident(f, s, i);
        if (f->calls) put_calls(f, s);
        put_commits(f, s);
        for (uint64_t r = 0; r < f->rollouts; r++) put_deploy(f, s, r, false);
        for (uint64_t c = 0; c < f->rollouts * 3 / 2; c++) put_change(f, s, c);
        for (uint64_t r = 0; r < f->rollouts * RUNS_EACH; r++) put_run(f, s, r);
    }
    need(db_commit(f->db), "commit");
}

static void settle(struct db *db) {
    for (bool left = true; left;) {
        need(db_begin(db), "begin");
        need(derive_some(db, 64, &left), "derive");
        need(db_commit(db), "commit");
    }
}

static enum err see_series(void *ctx, const struct series *s) {
    measure_series(ctx, s);
    return ERR_OK;
}
static enum err see_incident(void *ctx, const struct measure_incident *i) {
    measure_incident(ctx, i);
    return ERR_OK;
}

static enum err see_input(void *ctx, const struct measure_input *in) {
    measure_input(ctx, in);
    return ERR_OK;
}

static void measure_all(const char *path) {
    struct err_ctx ctx = { 0 };
    for (unsigned m = 0; m < MEASURE_COUNT; m++) {
        struct db *db;
        struct arena a;
        struct measuring run;
        struct measure_result r;
        double start = now_ms();
        struct measure_ask ask = {
            .measure = (enum measure)m, .from = T0, .to = T0 + YEAR, .now = T0 + YEAR
        };
        bool rollouts = measure_wants((enum measure)m) == 0;
        struct scope_visit visit = { &run,
                                     rollouts ? see_series : NULL,
                                     rollouts ? see_incident : NULL,
                                     measure_needs_commits((enum measure)m),
                                     see_input,
                                     measure_wants((enum measure)m),
                                     false };
        need(db_open(path, DB_READ, &db, &ctx), ctx.text); // cold: nothing is kept from one to the next
        arena_init(&a, SIZE_MAX, NULL);
        measure_begin(&run, &a, &ask, NULL, NULL);
        need(scope_each(db, &(struct scope){ .service = STR("") }, &visit), "read");
        need(measure_end(&run, &r), "measure");
        arena_fini(&a);
        db_close(db);
        printf("%-28s %7.1f ms  n = %llu\n", measure_info((enum measure)m)->name, now_ms() - start,
               (unsigned long long)r.n);
    }
}

static void say_links(struct db *db) {
    int64_t all, near;
    need(db_number(db, "SELECT count(*) FROM link WHERE incident <> '' AND decides", &all), "links");
    need(db_number(db, "SELECT count(*) FROM link WHERE neighbour", &near), "links");
    printf("links of incidents: %lld, of which by neighbours %lld\n", (long long)all, (long long)near);
}

int main(int argc, char **argv) {
    struct fill f = { .services = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000,
                      .rollouts = argc > 3 ? strtoull(argv[3], NULL, 10) : 200 };
    bool changed;
    struct err_ctx ctx = { 0 };
    char path[4096];
    if (argc < 2) return 2;
    arena_init(&f.arena, SIZE_MAX, NULL);
    (void)snprintf(path, sizeof path, "%s/facts.db", argv[1]);
    need(db_open(path, DB_WRITE, &f.db, &ctx), ctx.text);
    f.calls = argc > 4 && strcmp(argv[4], "calls") == 0;
    f.incidents = f.calls || (argc > 4 && strcmp(argv[4], "incidents") == 0);
    if (argc > 4 && !f.incidents) { // of a directory that was filled before
        measure_all(path);
        return 0;
    }
    need(db_migrate(f.db, record_migrations, n_record_migrations, &ctx), ctx.text);
    need(fact_tables(f.db, derive_tables, &changed), "tables");
    double start = now_ms();
    fill(&f);
    printf("fill   %llu rollouts: %.0f ms\n", (unsigned long long)(f.services * f.rollouts),
           now_ms() - start);
    start = now_ms();
    settle(f.db);
    printf("derive all: %.0f ms\n", now_ms() - start);
    say_links(f.db);
    measure_all(path);
    start = now_ms();
    need(db_begin(f.db), "begin");
    put_deploy(&f, 7, f.rollouts - 20, true); // late: into the middle of the window
    need(db_commit(f.db), "commit");
    settle(f.db);
    printf("one late event, derived: %.1f ms\n", now_ms() - start);
    if (f.incidents) {
        start = now_ms();
        need(db_begin(f.db), "begin");
        put_incident(&f, 7, INCIDENTS_EACH + 1);
        need(db_commit(f.db), "commit");
        settle(f.db);
        printf("one incident, derived: %.1f ms\n", now_ms() - start);
    }
    start = now_ms();
    need(db_begin(f.db), "begin");
    put_run(&f, 7, f.rollouts * RUNS_EACH + 1);
    need(db_commit(f.db), "commit");
    settle(f.db);
    printf("one run, derived: %.1f ms\n", now_ms() - start);
    db_close(f.db);
    arena_fini(&f.arena);
    return 0;
}
