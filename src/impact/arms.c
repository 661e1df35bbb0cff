// SPDX-License-Identifier: Apache-2.0
#include "impact/arms.h"

#include <math.h>
#include <stdlib.h>

#define MINUTE_NS 60000000000ull
#define BUCKET_STEP 1.02

uint32_t arms_bucket(uint64_t duration_ns) {
    if (duration_ns <= 1000) return 0;
    double b = ceil(log((double)duration_ns / 1000) / log(BUCKET_STEP));
    return b >= ARMS_BUCKETS - 1 ? ARMS_BUCKETS - 1 : (uint32_t)b;
}

void arms_init(struct arms *s) {
    memset(s, 0, sizeof *s);
    arena_init(&s->arena, 4 << 20, NULL);
    map_init(&s->route_map, ARMS_ROUTES_MAX);
    map_init(&s->caller_map, ARMS_CALLERS_MAX);
    for (uint32_t i = 1; i <= ARMS_BUCKETS; i++) s->edges[i] = 1000 * pow(BUCKET_STEP, i - 1);
}

void arms_fini(struct arms *s) {
    arena_fini(&s->arena);
    map_fini(&s->route_map);
    map_fini(&s->caller_map);
    mem_free(s->samples);
    s->samples = NULL;
    s->n = s->cap = 0;
}

// --- names -------------------------------------------------------------------------------------------------

static uint64_t route_hash(const void *ctx, uint32_t i) {
    return hash_str(((const struct arms *)ctx)->routes[i].name);
}
static bool route_eq(const void *ctx, uint32_t i, const void *key) {
    return str_eq(((const struct arms *)ctx)->routes[i].name, *(const struct str *)key);
}

static enum err route_of(struct arms *s, struct str name, uint8_t *out) {
    uint64_t hash = hash_str(name);
    uint32_t at = map_get(&s->route_map, hash, route_eq, s, &name);
    *out = (uint8_t)at;
    if (at != MAP_NONE) return ERR_OK;
    *out = ARMS_ROUTES_MAX - 1;
    if (s->n_routes >= ARMS_ROUTES_MAX - 1) {
        s->n_routes = ARMS_ROUTES_MAX;
        s->routes[ARMS_ROUTES_MAX - 1].name = STR("other");
        return ERR_OK;
    }
    *out = (uint8_t)s->n_routes;
    s->routes[s->n_routes].name = str_dup(&s->arena, name);
    if (s->arena.failed) return ERR_NOMEM;
    TRY(map_put(&s->route_map, hash, s->n_routes, route_hash, s));
    s->n_routes++;
    return ERR_OK;
}

static uint64_t caller_hash(const void *ctx, uint32_t i) {
    return hash_str(((const struct arms *)ctx)->callers[i]);
}
static bool caller_eq(const void *ctx, uint32_t i, const void *key) {
    return str_eq(((const struct arms *)ctx)->callers[i], *(const struct str *)key);
}

static enum err caller_of(struct arms *s, struct str name, uint8_t *out) {
    uint64_t hash = hash_str(name);
    uint32_t at = map_get(&s->caller_map, hash, caller_eq, s, &name);
    *out = at != MAP_NONE ? (uint8_t)at : ARMS_CALLER_POOLED;
    if (at != MAP_NONE || s->n_callers == ARMS_CALLERS_MAX) return ERR_OK;
    *out = (uint8_t)s->n_callers;
    s->callers[s->n_callers] = str_dup(&s->arena, name);
    if (s->arena.failed) return ERR_NOMEM;
    TRY(map_put(&s->caller_map, hash, s->n_callers, caller_hash, s));
    s->n_callers++;
    return ERR_OK;
}

static enum err pod_of(struct arms *s, enum arm arm, struct str name, uint8_t *out) {
    for (uint32_t i = 0; i < s->n_pods[arm]; i++) {
        *out = (uint8_t)i;
        if (str_eq(s->pods[arm][i], name)) return ERR_OK;
    }
    *out = (uint8_t)(hash_xxh64(name.ptr, name.len) % ARMS_PODS_MAX);
    if (s->n_pods[arm] == ARMS_PODS_MAX) return ERR_OK;
    *out = (uint8_t)s->n_pods[arm];
    s->pods[arm][*out] = str_dup(&s->arena, name);
    s->first_minute[arm][*out] = UINT32_MAX;
    if (s->arena.failed) return ERR_NOMEM;
    s->n_pods[arm]++;
    return ERR_OK;
}

// --- requests ----------------------------------------------------------------------------------------------

static void keep_example(struct arms_examples *e, const uint8_t trace_id[16], uint64_t rank) {
    uint32_t least = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        if (memcmp(e->of[i].trace_id, trace_id, 16) == 0) return;
        if (e->of[i].rank < e->of[least].rank) least = i;
    }
    if (e->n < ARMS_EXAMPLES)
        least = e->n++;
    else if (e->of[least].rank >= rank)
        return;
    e->of[least].rank = rank;
    memcpy(e->of[least].trace_id, trace_id, 16);
}

static bool is_kept(const struct arms *s, uint32_t hash) {
    return (hash & ((1u << s->shift) - 1)) == 0;
}

static enum err make_room(struct arms *s) {
    if (s->n < s->cap) return ERR_OK;
    if (s->cap < ARMS_REQUESTS_MAX) {
        struct arms_sample *more = mem_grow(s->samples, s->n, &s->cap, sizeof *more);
        if (!more) return ERR_NOMEM;
        s->samples = more;
        return ERR_OK;
    }
    while (s->n == s->cap && s->shift < 20) {
        uint32_t n = 0;
        s->shift++;
        for (uint32_t i = 0; i < s->n; i++)
            if (is_kept(s, s->samples[i].hash)) s->samples[n++] = s->samples[i];
        s->n = n;
    }
    return s->n < s->cap ? ERR_OK : ERR_LIMIT; // of one trace alone
}

static void note_weight(struct arms *s, const struct arms_request *r) {
    if (r->weight == 0) return;
    s->told.weighted |= r->weight != 1;
    (*(r->error ? &s->told.hits : &s->told.misses))++;
    *(r->error ? &s->told.hits_weight : &s->told.misses_weight) += r->weight;
}

enum err arms_add(struct arms *s, const struct arms_request *r) {
    struct arms_sample x = { .minute = (uint32_t)(r->start_ns / MINUTE_NS),
                             .hash = (uint32_t)hash_xxh64(r->trace_id, 16),
                             .weight = r->weight > 0 ? (float)r->weight : 1,
                             .bucket = (uint16_t)arms_bucket(r->duration_ns),
                             .arm = r->arm == ARM_NEW,
                             .error = r->error };
    ASSERT(r->arm < ARM_COUNT);
    TRY(route_of(s, r->route, &x.route));
    TRY(caller_of(s, r->caller, &x.caller));
    TRY(pod_of(s, r->arm, r->pod, &x.pod));
    s->pods_known |= r->pod.len > 0;
    if (x.minute < s->first_minute[r->arm][x.pod]) s->first_minute[r->arm][x.pod] = x.minute;
    s->added[r->arm]++;
    note_weight(s, r);
    if (r->arm == ARM_OLD) keep_example(&s->routes[x.route].old, r->trace_id, x.hash);
    if (r->arm == ARM_NEW && r->error) keep_example(&s->routes[x.route].errors, r->trace_id, x.hash);
    if (r->arm == ARM_NEW) keep_example(&s->routes[x.route].slow, r->trace_id, r->duration_ns);
    if (!is_kept(s, x.hash)) return ERR_OK;
    TRY(make_room(s));
    if (is_kept(s, x.hash)) s->samples[s->n++] = x;
    return ERR_OK;
}

// --- strata ------------------------------------------------------------------------------------------------

typedef uint32_t callers_count[ARMS_CALLERS_MAX + 1];

// How busy the least of those callers of a route is that are kept apart.
static uint32_t least_kept(const callers_count n) {
    uint32_t top[ARMS_CALLERS_OF_ROUTE] = { 0 }; // falling
    for (unsigned i = 0; i < ARMS_CALLERS_MAX; i++) {
        unsigned at = ARMS_CALLERS_OF_ROUTE;
        while (at > 0 && n[i] > top[at - 1]) at--;
        if (at == ARMS_CALLERS_OF_ROUTE) continue;
        memmove(top + at + 1, top + at, (ARMS_CALLERS_OF_ROUTE - 1 - at) * sizeof *top);
        top[at] = n[i];
    }
    return top[ARMS_CALLERS_OF_ROUTE - 1];
}

static bool is_apart(const callers_count n, uint32_t least, unsigned caller) {
    unsigned before = 0; // of callers that are as busy, the first ones
    if (caller == ARMS_CALLER_POOLED || n[caller] < least) return false;
    if (n[caller] > least) return true;
    for (unsigned i = 0; i < ARMS_CALLERS_MAX; i++) before += n[i] > least || (n[i] == least && i < caller);
    return before < ARMS_CALLERS_OF_ROUTE;
}

static enum err pool_callers(struct arms *s) {
    callers_count *all = mem_zalloc(ARMS_ROUTES_MAX * sizeof *all);
    bool(*apart)[ARMS_CALLERS_MAX + 1] = mem_zalloc(ARMS_ROUTES_MAX * sizeof *apart);
    bool ok = all && apart;
    for (uint32_t i = 0; ok && i < s->n; i++) all[s->samples[i].route][s->samples[i].caller]++;
    uint32_t n_pooled = 0; // on a second time those that were pooled are one
    for (uint32_t r = 0; ok && r < s->n_routes; r++) {
        uint32_t least = least_kept(all[r]);
        for (unsigned c = 0; c <= ARMS_CALLERS_MAX; c++) {
            apart[r][c] = is_apart(all[r], least, c);
            n_pooled += all[r][c] > 0 && !apart[r][c];
        }
    }
    for (uint32_t i = 0; ok && i < s->n; i++)
        if (!apart[s->samples[i].route][s->samples[i].caller]) s->samples[i].caller = ARMS_CALLER_POOLED;
    if (n_pooled > s->n_pooled) s->n_pooled = n_pooled;
    mem_free(all);
    mem_free(apart);
    return ok ? ERR_OK : ERR_NOMEM;
}

static int by_stratum(const void *pa, const void *pb) {
    const struct arms_sample *a = pa, *b = pb;
    if (a->route != b->route) return a->route < b->route ? -1 : 1;
    if (a->caller != b->caller) return a->caller < b->caller ? -1 : 1;
    if (a->minute != b->minute) return a->minute < b->minute ? -1 : 1;
    if (a->arm != b->arm) return a->arm < b->arm ? -1 : 1;
    return (a->pod > b->pod) - (a->pod < b->pod);
}

enum err arms_sort(struct arms *s) {
    TRY(pool_callers(s));
    if (s->n) qsort(s->samples, s->n, sizeof *s->samples, by_stratum);
    return ERR_OK;
}
