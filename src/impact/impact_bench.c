// SPDX-License-Identifier: Apache-2.0
// How often the verdict on a rollout is right: rollouts made up from a seed, of which the truth is known.
//   build/release/bench/impact_bench [SEED [ROLLOUTS]]     of each kind
// A line per kind: how many, and how many got which verdict; then how long it takes until one is told.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "impact/judge.h"
#include "os/clock.h"

#define MINUTE 60000000000ull
#define T0 (29000000ull * MINUTE)
enum { PODS = 8, ROUTES = 6, CALLERS = 4, LOOKS_MAX = 16 };

static uint64_t state;
static uint64_t next(void) {
    state += 0x9e3779b97f4a7c15u;
    return hash_u64(state);
}
static double chance(void) {
    return (double)(next() >> 11) * 0x1p-53;
}
static double normal(void) {
    return sqrt(-2 * log(1 - chance())) * cos(2 * 3.14159265358979 * chance());
}

struct world { // one rollout
    uint64_t requests[ARM_COUNT];
    unsigned pods[ARM_COUNT], routes, minutes;
    double error[ROUTES], ms[ROUTES], spread;
    double mix[ARM_COUNT][ROUTES]; // cumulative
    unsigned callers;
    double caller_mix[ARM_COUNT][CALLERS];            // cumulative
    double caller_error[CALLERS], caller_ms[CALLERS]; // factors
    double pod_error[ARM_COUNT][PODS];                // factors
    double pod_ms[ARM_COUNT][PODS];
    double keep[ARM_COUNT][2];              // probability, of successes and errors; 0: all, unsaid
    double minute_error[64], minute_ms[64]; // of both arms
    double share_from, share_to;            // of the new arm, by time; 0, 0: even
    double worse_errors, worse_ms;          // factors of the new arm
    bool time_is_arm;
    bool latency; // the truth is one of latency
};

static void even_mix(struct world *w, enum arm arm) {
    for (unsigned r = 0; r < ROUTES; r++) w->mix[arm][r] = (double)(r + 1) / w->routes;
}

static struct world plain(void) {
    static const double bases[] = { 0.001, 0.005, 0.01, 0.02, 0.05 };
    struct world w = { .routes = 1 + (unsigned)(next() % 5),
                       .minutes = 20 + (unsigned)(next() % 41),
                       .spread = 0.3 + chance() * 0.5,
                       .callers = 1,
                       .worse_errors = 1,
                       .worse_ms = 1 };
    double base = bases[next() % 5];
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        w.requests[arm] = 1000 + next() % 12000;
        w.pods[arm] = 2 + (unsigned)(next() % (PODS - 1));
        even_mix(&w, (enum arm)arm);
        for (unsigned p = 0; p < PODS; p++) w.pod_error[arm][p] = w.pod_ms[arm][p] = 1;
    }
    for (unsigned r = 0; r < ROUTES; r++) {
        w.error[r] = base;
        w.ms[r] = 20 + chance() * 300;
    }
    for (unsigned m = 0; m < 64; m++) w.minute_error[m] = w.minute_ms[m] = 1;
    for (unsigned k = 0; k < CALLERS; k++) w.caller_error[k] = w.caller_ms[k] = 1;
    return w;
}

static void overdisperse(struct world *w) {
    for (unsigned arm = 0; arm < ARM_COUNT; arm++)
        for (unsigned p = 0; p < PODS; p++) {
            w->pod_error[arm][p] = exp(0.5 * normal() - 0.125);
            w->pod_ms[arm][p] = exp(0.1 * normal());
        }
}

static void bad_pod(struct world *w) {
    unsigned arm = (unsigned)(next() % ARM_COUNT);
    if (w->pods[arm] < 4) w->pods[arm] = 4;
    w->pod_error[arm][0] = 10;
    w->pod_ms[arm][0] = 2;
}

static void shift_mix(struct world *w) { // the routes differ, and the new arm serves others
    if (w->routes < 3) w->routes = 3;
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        double sum = 0, at[ROUTES];
        for (unsigned r = 0; r < w->routes; r++) sum += at[r] = pow(chance(), 3) + 0.01;
        for (unsigned r = 0, before = 0; r < ROUTES; before = r++)
            w->mix[arm][r] = r < w->routes ? (r ? w->mix[arm][before] : 0) + at[r] / sum : 1;
        w->mix[arm][w->routes - 1] = 1;
    }
    for (unsigned r = 0; r < w->routes; r++) {
        w->error[r] = 0.001 * pow(100, chance());
        w->ms[r] = 5 * pow(100, chance());
    }
}

static void shift_callers(struct world *w) { // the callers differ, and the new arm is called by others
    w->callers = CALLERS;
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        double sum = 0, at[CALLERS], so_far = 0;
        for (unsigned k = 0; k < CALLERS; k++) sum += at[k] = pow(chance(), 3) + 0.01;
        for (unsigned k = 0; k < CALLERS; k++) w->caller_mix[arm][k] = so_far += at[k] / sum;
    }
    for (unsigned k = 0; k < CALLERS; k++) {
        w->caller_error[k] = 0.2 * pow(25, chance());
        w->caller_ms[k] = 0.3 * pow(10, chance());
    }
}

static void hide_behind_callers(struct world *w) { // most of the new traffic is of a caller that is quiet
    w->callers = 2;
    w->caller_mix[ARM_OLD][0] = 0.2;
    w->caller_mix[ARM_NEW][0] = 0.8;
    w->caller_error[0] = 0.3;
    w->caller_error[1] = 1.7;
    w->caller_ms[0] = 0.8;
    w->caller_ms[1] = 1.2;
}

static void bursts(struct world *w) { // bad minutes for all, while traffic moves to the new arm
    for (unsigned m = 0; m < 64; m++) {
        bool bad = next() % 6 == 0;
        w->minute_error[m] = bad ? 10 : 1;
        w->minute_ms[m] = bad ? 3 : 1;
    }
    w->share_from = 0.05;
    w->share_to = 0.95;
}

static unsigned minute_of(const struct world *w, enum arm arm) {
    if (w->share_to == 0) return (unsigned)(next() % w->minutes);
    for (;;) {
        unsigned m = (unsigned)(next() % w->minutes);
        double share = w->share_from + (w->share_to - w->share_from) * m / w->minutes;
        if (chance() < (arm == ARM_NEW ? share : 1 - share)) return m;
    }
}

static void put_request(struct arms *s, const struct world *w, enum arm arm, unsigned minute) {
    static const char *const routes[ROUTES] = { "a", "b", "c", "d", "e", "f" };
    static const char *const pods[PODS] = { "0", "1", "2", "3", "4", "5", "6", "7" };
    static const char *const callers[CALLERS] = { "w", "x", "y", "z" };
    unsigned pod = (unsigned)(next() % w->pods[arm]), route = 0, caller = 0;
    double u = chance(), v = w->callers > 1 ? chance() : 0;
    while (route + 1 < w->routes && u > w->mix[arm][route]) route++;
    while (caller + 1 < w->callers && v > w->caller_mix[arm][caller]) caller++;
    struct arms_request r = { .arm = arm,
                              .route = str_of(routes[route]),
                              .pod = str_of(pods[pod]),
                              .caller = str_of(callers[caller]) };
    uint64_t id[2] = { next(), next() };
    memcpy(r.trace_id, id, sizeof id);
    unsigned at = w->time_is_arm && arm == ARM_NEW ? minute + 64 : minute;
    r.start_ns = T0 + at * MINUTE + next() % MINUTE;
    double error = w->error[route] * w->pod_error[arm][pod] * w->minute_error[minute % 64];
    double ms = w->ms[route] * w->pod_ms[arm][pod] * w->minute_ms[minute % 64] * exp(w->spread * normal());
    error *= w->caller_error[caller];
    ms *= w->caller_ms[caller];
    if (arm == ARM_NEW) error *= w->worse_errors;
    if (arm == ARM_NEW) ms *= w->worse_ms;
    r.error = chance() < (error < 0.9 ? error : 0.9);
    r.duration_ns = (uint64_t)(ms * 1e6);
    double keep = w->keep[arm][r.error];
    if (keep > 0 && chance() >= keep) return;
    if (keep > 0) r.weight = 1 / keep;
    if (arms_add(s, &r) != ERR_OK) exit(1);
}

static enum impact_verdict judge(struct arms *s, const struct world *w) {
    struct arena a;
    struct impact_judgement j;
    arena_init(&a, SIZE_MAX, NULL);
    if (impact_judge(&a, s, (struct impact_rules){ .time_is_arm = w->time_is_arm }, &j) != ERR_OK) exit(1);
    enum impact_verdict v = j.verdict;
    arena_fini(&a);
    return v;
}

static enum impact_verdict verdict_on(const struct world *w) {
    struct arms *s = mem_zalloc(sizeof *s);
    if (!s) exit(1);
    arms_init(s);
    for (unsigned arm = 0; arm < ARM_COUNT; arm++)
        for (uint64_t i = 0; i < w->requests[arm]; i++)
            put_request(s, w, (enum arm)arm, minute_of(w, (enum arm)arm));
    enum impact_verdict v = judge(s, w);
    arms_fini(s);
    mem_free(s);
    return v;
}

// --- kinds of rollouts -------------------------------------------------------------------------------------

static struct world make_plain(void) {
    return plain();
}
static struct world make_overdispersed(void) {
    struct world w = plain();
    overdisperse(&w);
    return w;
}
static struct world make_bad_pod(void) {
    struct world w = plain();
    bad_pod(&w);
    return w;
}
static struct world make_mix(void) {
    struct world w = plain();
    shift_mix(&w);
    return w;
}
static struct world make_callers(void) {
    struct world w = plain();
    shift_callers(&w);
    return w;
}
static struct world make_sampled(void) { // the new arm by outcome, the old one by chance
    struct world w = plain();
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) w.requests[arm] *= 3;
    w.keep[ARM_OLD][0] = w.keep[ARM_OLD][1] = 0.3;
    w.keep[ARM_NEW][0] = 0.2;
    w.keep[ARM_NEW][1] = 1;
    return w;
}
static struct world make_bursts(void) {
    struct world w = plain();
    bursts(&w);
    return w;
}
static struct world make_canary(void) {
    struct world w = plain();
    w.requests[ARM_OLD] = 20000;
    w.requests[ARM_NEW] = 1000;
    w.pods[ARM_NEW] = 1;
    overdisperse(&w);
    w.pod_error[ARM_NEW][0] = w.pod_ms[ARM_NEW][0] = 1;
    return w;
}
static struct world make_before_after(void) {
    struct world w = plain();
    w.time_is_arm = true;
    overdisperse(&w);
    for (unsigned m = 0; m < 64; m++) w.minute_error[m] = exp(0.3 * sin(m / 9.0));
    return w;
}
static struct world make_few(void) { // below the least: insufficient, whatever the truth
    struct world w = plain();
    w.requests[next() % ARM_COUNT] = next() % IMPACT_REQUESTS_MIN;
    if (next() % 2) w.worse_errors = 10;
    return w;
}

static struct world doubled(double base) { // 150 errors or more in both
    struct world w = plain();
    w.routes = 1 + (unsigned)(next() % 3);
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) even_mix(&w, (enum arm)arm);
    for (unsigned r = 0; r < ROUTES; r++) w.error[r] = base;
    w.requests[ARM_OLD] = w.requests[ARM_NEW] = (uint64_t)(190 / base);
    w.worse_errors = 2;
    return w;
}
static struct world make_double_01(void) {
    return doubled(0.001);
}
static struct world make_double_1(void) {
    return doubled(0.01);
}
static struct world make_double_5(void) {
    return doubled(0.05);
}
static struct world make_double_hidden(void) {
    struct world w = doubled(0.01);
    hide_behind_callers(&w);
    return w;
}
static struct world make_double_sampled(void) { // both by outcome
    struct world w = doubled(0.01);
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        w.keep[arm][0] = 0.25;
        w.keep[arm][1] = 1;
    }
    return w;
}
static struct world make_slower_hidden(void) {
    struct world w = plain();
    w.routes = 1;
    w.ms[0] = 120 + chance() * 200;
    w.requests[ARM_OLD] = w.requests[ARM_NEW] = 11000;
    hide_behind_callers(&w);
    w.worse_ms = 1.3;
    return w;
}
static struct world make_slower(void) {
    struct world w = plain();
    w.routes = 1;
    w.latency = true;
    w.ms[0] = 120 + chance() * 200;
    w.requests[ARM_OLD] = w.requests[ARM_NEW] = 5500; // 5,000 of pods that are warm
    w.worse_ms = 1.2;
    return w;
}

struct kind {
    const char *name;
    struct world (*make)(void);
    bool changed, cheap;
};
static const struct kind kinds[] = {
    { "same", make_plain, false, true },
    { "same_pods_differ", make_overdispersed, false, true },
    { "same_one_bad_pod", make_bad_pod, false, true },
    { "same_mix_shifts", make_mix, false, true },
    { "same_callers_shift", make_callers, false, true },
    { "same_sampled", make_sampled, false, true },
    { "same_bad_minutes", make_bursts, false, true },
    { "same_canary", make_canary, false, true },
    { "same_before_after", make_before_after, false, true },
    { "doubled_01", make_double_01, true, false },
    { "doubled_1", make_double_1, true, true },
    { "doubled_5", make_double_5, true, true },
    { "p95_20", make_slower, true, true },
    { "doubled_hidden", make_double_hidden, true, true }, // by a shift of callers
    { "doubled_sampled", make_double_sampled, true, true },
    { "p95_30_hidden", make_slower_hidden, true, true },
};

struct score {
    uint64_t hits, missed, false_alarms, unchanged, false_confirmed;
};

static void run_kind(const struct kind *k, uint64_t n, struct score *sum) {
    uint64_t got[4] = { 0 };
    if (!k->cheap) n = n / 4 + 1;
    for (uint64_t i = 0; i < n; i++) {
        struct world w = k->make();
        got[verdict_on(&w)]++;
    }
    uint64_t called = got[IMPACT_SUSPECT] + got[IMPACT_CONFIRMED];
    printf("%-18s n %llu insufficient %llu clean %llu suspect %llu confirmed %llu called %.4f\n", k->name,
           (unsigned long long)n, (unsigned long long)got[0], (unsigned long long)got[1],
           (unsigned long long)got[2], (unsigned long long)got[3], (double)called / (double)n);
    (void)fflush(stdout);
    if (k->changed) {
        sum->hits += called;
        sum->missed += n - called;
    } else {
        sum->false_alarms += called;
        sum->false_confirmed += got[IMPACT_CONFIRMED];
        sum->unchanged += n;
    }
}

static void run_few(uint64_t n) {
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct world w = make_few();
        wrong += verdict_on(&w) != IMPACT_INSUFFICIENT;
    }
    printf("few_not_insufficient %llu of %llu\n", (unsigned long long)wrong, (unsigned long long)n);
}

// A stream of 20 requests a second for each version, looked at as the keeper looks: after 5 minutes, then
// each time half as much has passed again. When is the first verdict, and how often is there one of nothing?
static void run_stream(uint64_t n, double worse, const char *name) {
    uint64_t called = 0, minutes[64 * LOOKS_MAX] = { 0 }, total = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct world w = plain();
        struct arms *s = mem_zalloc(sizeof *s);
        if (!s) exit(1);
        arms_init(s);
        w.worse_errors = worse;
        for (unsigned r = 0; r < ROUTES; r++) w.error[r] = 0.01;
        overdisperse(&w);
        if (worse > 1) // as the plain kinds: the truth is the version, not the pods
            for (unsigned p = 0; p < PODS; p++) w.pod_error[0][p] = w.pod_error[1][p] = 1;
        bool found = false;
        for (unsigned from = 0, to = 5; to <= 60 && !found; from = to, to += to / 2) {
            for (unsigned m = from; m < to; m++)
                for (unsigned k = 0; k < 1200; k++) put_request(s, &w, (enum arm)(k % 2), m);
            found = judge(s, &w) >= IMPACT_SUSPECT;
            if (found) minutes[called++ % (64 * LOOKS_MAX)] = to;
        }
        arms_fini(s);
        mem_free(s);
        total++;
    }
    for (uint64_t i = 1; i < called && called <= 64 * LOOKS_MAX; i++) // to the median
        for (uint64_t k = i; k > 0 && minutes[k] < minutes[k - 1]; k--) {
            uint64_t x = minutes[k];
            minutes[k] = minutes[k - 1];
            minutes[k - 1] = x;
        }
    printf("%s n %llu called %.4f median_minutes %llu\n", name, (unsigned long long)total,
           (double)called / (double)total, (unsigned long long)(called ? minutes[called / 2] : 0));
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
             n = argc > 2 ? strtoull(argv[2], NULL, 10) : 400;
    struct score sum = { 0 };
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) run_kind(&kinds[i], n, &sum);
    run_few(n);
    run_stream(n / 2 + 1, 1, "stream_same");
    run_stream(n / 4 + 1, 2, "stream_doubled");
    printf("false_share %.4f of %llu, confirmed %.4f\n", (double)sum.false_alarms / (double)sum.unchanged,
           (unsigned long long)sum.unchanged, (double)sum.false_confirmed / (double)sum.unchanged);
    printf("precision %.4f recall %.4f\n", (double)sum.hits / (double)(sum.hits + sum.false_alarms),
           (double)sum.hits / (double)(sum.hits + sum.missed));
    return 0;
}
