// SPDX-License-Identifier: Apache-2.0
#include "delivery/impact_arms.h"

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
    for (uint32_t i = 1; i <= ARMS_BUCKETS; i++) s->edges[i] = 1000 * pow(BUCKET_STEP, i - 1);
}

void arms_fini(struct arms *s) {
    arena_fini(&s->arena);
    map_fini(&s->route_map);
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
        uint32_t cap = s->cap ? s->cap * 2 : 1024;
        struct arms_sample *more = mem_realloc(s->samples, cap * sizeof *more);
        if (!more) return ERR_NOMEM;
        s->samples = more;
        s->cap = cap;
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

enum err arms_add(struct arms *s, const struct arms_request *r) {
    struct arms_sample x = { .minute = (uint32_t)(r->start_ns / MINUTE_NS),
                             .hash = (uint32_t)hash_xxh64(r->trace_id, 16),
                             .bucket = (uint16_t)arms_bucket(r->duration_ns),
                             .arm = (uint8_t)r->arm,
                             .error = r->error };
    TRY(route_of(s, r->route, &x.route));
    TRY(pod_of(s, r->arm, r->pod, &x.pod));
    s->pods_known |= r->pod.len > 0;
    if (x.minute < s->first_minute[r->arm][x.pod]) s->first_minute[r->arm][x.pod] = x.minute;
    s->added[r->arm]++;
    if (r->arm == ARM_NEW && r->error) keep_example(&s->routes[x.route].errors, r->trace_id, x.hash);
    if (r->arm == ARM_NEW) keep_example(&s->routes[x.route].slow, r->trace_id, r->duration_ns);
    if (!is_kept(s, x.hash)) return ERR_OK;
    TRY(make_room(s));
    if (is_kept(s, x.hash)) s->samples[s->n++] = x;
    return ERR_OK;
}

static int by_stratum(const void *pa, const void *pb) {
    const struct arms_sample *a = pa, *b = pb;
    if (a->route != b->route) return a->route < b->route ? -1 : 1;
    if (a->minute != b->minute) return a->minute < b->minute ? -1 : 1;
    if (a->arm != b->arm) return a->arm < b->arm ? -1 : 1;
    return (a->pod > b->pod) - (a->pod < b->pod);
}

void arms_sort(struct arms *s) {
    if (s->n) qsort(s->samples, s->n, sizeof *s->samples, by_stratum);
}
