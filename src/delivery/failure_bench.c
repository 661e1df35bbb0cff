// SPDX-License-Identifier: Apache-2.0
// What the rules of failures cost for one service that has many rollouts and as many incidents: five years,
// every 17th rollout a rollback; of the incidents every third names its cause; a flag, a canary that
// failed and a verdict of the traces for every fourth rollout, a word of a person for every eighth incident.
//   build/release/bench/failure_bench [ROLLOUTS]...
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "delivery/recovery.h"

#define SECOND 1000000000ll
#define YEARS (5 * 365 * 24 * 3600 * SECOND)
#define T0 (1600000000 * SECOND)

static double cpu_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void need(enum err e) {
    if (e == ERR_OK) return;
    (void)fprintf(stderr, "%s\n", err_text(e));
    exit(1);
}

#define TEXT(a, fmt, i) str_fmt((a), fmt, (unsigned)(i))

static void make_rollouts(struct arena *a, uint32_t n, struct rollouts *out) {
    struct deploy *d = ARENA_ARRAY(a, n, struct deploy);
    for (uint32_t i = 0; i < n; i++) {
        int64_t t = T0 + (int64_t)i * (YEARS / n);
        uint64_t sha = hash_u64(i);
        d[i] = (struct deploy){ .key = TEXT(a, "bench:%u", i),
                                .version = TEXT(a, "v%u", i % 17 == 16 ? i - 2 : i),
                                .sha = str_fmt(a, "%016llx%016llx%08x", (unsigned long long)sha,
                                               (unsigned long long)hash_u64(sha), i),
                                .state = DEPLOY_SUCCESS,
                                .started = t,
                                .succeeded = t + 300 * SECOND };
    }
    need(rollouts_of(a, STR("bench"), d, n, out));
}

static void make_ask(struct arena *a, uint32_t n, struct rollouts *all, struct failure_ask *ask) {
    struct incident *incidents = ARENA_ARRAY(a, n, struct incident);
    struct flag_turn *flags = ARENA_ARRAY(a, n / 4 + 1, struct flag_turn);
    struct failed_canary *canaries = ARENA_ARRAY(a, n / 4 + 1, struct failed_canary);
    struct failure_impact *impacts = ARENA_ARRAY(a, n / 4 + 1, struct failure_impact);
    struct verdict *verdicts = ARENA_ARRAY(a, n / 8 + 1, struct verdict);
    *ask = (struct failure_ask){ .rollouts = all,
                                 .incidents = incidents,
                                 .n_incidents = n,
                                 .verdicts = verdicts,
                                 .flags = flags,
                                 .canaries = canaries,
                                 .impacts = impacts };
    for (uint32_t i = 0; i < n; i++) {
        int64_t t = T0 + (int64_t)(hash_u64(i) % (uint64_t)YEARS);
        incidents[i] = (struct incident){ .key = TEXT(a, "inc:%07u", i),
                                          .caused_by = i % 3 ? STR("") : TEXT(a, "v%u", hash_u64(i) % n),
                                          .began = t,
                                          .recovered = t + 3600 * SECOND };
        if (i % 8 == 0)
            verdicts[ask->n_verdicts++] = (struct verdict){ .incident = incidents[i].key,
                                                            .rollout = TEXT(a, "v%u", hash_u64(i + 7) % n),
                                                            .confirms = i % 16 == 0 };
        if (i % 4) continue;
        const struct rollout *r = &all->items[hash_u64(i + 3) % all->n];
        flags[ask->n_flags++] =
            (struct flag_turn){ TEXT(a, "flag:%u", i), STR("fast"), STR("enabled"), r->started };
        canaries[ask->n_canaries++] =
            (struct failed_canary){ r->lead->version, 20, r->started, r->started + 600 * SECOND };
        impacts[ask->n_impacts++] = (struct failure_impact){ str_fmt(a, "%016llx", (unsigned long long)r->id),
                                                             r->lead->key, i % 8 == 0, STR("errors") };
    }
}

int main(int argc, char **argv) {
    static const uint32_t usual[] = { 1000, 2000, 4000, 8000 };
    int n_sizes = argc > 1 ? argc - 1 : (int)(sizeof usual / sizeof *usual);
    for (int k = 0; k < n_sizes; k++) {
        uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[k + 1], NULL, 10) : usual[k];
        struct arena a;
        struct rollouts all;
        struct failure_ask ask;
        struct failures found;
        struct recoveries recoveries;
        uint64_t sum = 0;
        arena_init(&a, SIZE_MAX, NULL);
        make_rollouts(&a, n, &all);
        make_ask(&a, n, &all, &ask);
        double start = cpu_ms();
        need(failures_of(&a, &ask, &found));
        need(recoveries_of(&a, &ask, &found, &recoveries));
        for (uint32_t i = 0; i < all.n; i++) sum += (uint64_t)recovered_at(&recoveries, i) / SECOND;
        double ms = cpu_ms() - start;
        for (uint32_t i = 0; i < found.n; i++) {
            const struct failure_link *l = &found.links[i];
            uint64_t link = l->rollout * 31ull + l->incident * 7ull + (uint64_t)l->rule * 2 + l->decides;
            sum = hash_u64(sum + link + hash_str(l->evidence));
        }
        printf("%6u rollouts, %6u incidents: %8.1f ms CPU, %u links, sum %016llx\n", n, n, ms, found.n,
               (unsigned long long)sum);
        arena_fini(&a);
    }
    return 0;
}
