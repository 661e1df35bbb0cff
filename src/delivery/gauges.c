// SPDX-License-Identifier: Apache-2.0
#include "delivery/gauges.h"

#include <math.h>
#include <stdlib.h>

#define SECOND_NS 1000000000ll
#define DAY_NS (24 * 3600 * SECOND_NS)
#define VALUES_MEMORY_MAX (256ull << 20) // of the service at hand

static const enum measure measures[GAUGE_COUNT] = {
    [GAUGE_LEAD_TIME] = MEASURE_LEAD_TIME,
    [GAUGE_FREQUENCY] = MEASURE_DEPLOYMENT_FREQUENCY,
    [GAUGE_FAILURE_RATE] = MEASURE_CHANGE_FAILURE_RATE,
    [GAUGE_RECOVERY_TIME] = MEASURE_FAILED_DEPLOYMENT_RECOVERY,
    [GAUGE_REWORK_RATE] = MEASURE_REWORK_RATE,
};

struct reading {
    struct arena *a;     // of what is read
    struct arena values; // of the service at hand
    struct gauges *out;
    uint32_t cap;
    struct str service; // at hand; empty: none yet
    int64_t now;
    unsigned failure_severity;
    struct measuring of[GAUGE_COUNT];
};

static enum err begin_service(struct reading *r, struct str name) {
    arena_reset(&r->values);
    r->service = str_dup(r->a, name);
    if (r->a->failed) return ERR_NOMEM;
    for (unsigned g = 0; g < GAUGE_COUNT; g++) {
        struct measure_ask ask = { .measure = measures[g],
                                   .from = r->out->to - GAUGES_DAYS * DAY_NS,
                                   .to = r->out->to,
                                   .now = r->now,
                                   .failure_severity = r->failure_severity };
        measure_begin(&r->of[g], &r->values, &ask, NULL, NULL);
    }
    return ERR_OK;
}

static enum err end_service(struct reading *r) {
    if (!r->service.len) return ERR_OK;
    struct gauges_service s = { .name = r->service };
    for (unsigned g = 0; g < GAUGE_COUNT; g++) {
        struct measure_result result;
        TRY(measure_end(&r->of[g], &result));
        s.values[g] = result.value.defined ? result.value.value : NAN;
        if (g == GAUGE_FREQUENCY) s.deployments = result.n;
    }
    if (s.name.len > GAUGES_NAME_MAX) {
        r->out->left_out++;
        return ERR_OK;
    }
    struct gauges_service *items = arena_grow(r->a, r->out->services, r->out->n, &r->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    r->out->services = items;
    items[r->out->n++] = s;
    return ERR_OK;
}

static enum err take_series(void *ctx, const struct series *s) {
    struct reading *r = ctx;
    if (!str_eq(s->service, r->service)) { // they come by service
        TRY(end_service(r));
        TRY(begin_service(r, s->service));
    }
    for (unsigned g = 0; g < GAUGE_COUNT; g++) measure_series(&r->of[g], s);
    return ERR_OK;
}

static int by_deployments(const void *pa, const void *pb) {
    const struct gauges_service *a = pa, *b = pb;
    if (a->deployments != b->deployments) return a->deployments < b->deployments ? 1 : -1;
    return str_cmp(a->name, b->name);
}
static int by_name(const void *pa, const void *pb) {
    return str_cmp(((const struct gauges_service *)pa)->name, ((const struct gauges_service *)pb)->name);
}

static void leave_out(struct gauges *g) {
    if (g->n <= GAUGES_SERVICES_MAX) return;
    qsort(g->services, g->n, sizeof *g->services, by_deployments);
    g->left_out += g->n - GAUGES_SERVICES_MAX;
    g->n = GAUGES_SERVICES_MAX;
    qsort(g->services, g->n, sizeof *g->services, by_name);
}

enum err gauges_read(struct db *d, struct arena *a, int64_t now, unsigned failure_severity,
                     struct gauges *out) {
    struct gauges found = { .to = now - now % SECOND_NS + SECOND_NS };
    struct reading r = { .a = a, .out = &found, .now = now, .failure_severity = failure_severity };
    struct scope all = { 0 };
    struct scope_visit visit = { .ctx = &r, .series = take_series, .with_commits = true };
    arena_init(&r.values, VALUES_MEMORY_MAX, NULL);
    enum err e = scope_each(d, &all, &visit);
    if (e == ERR_OK) e = end_service(&r);
    arena_fini(&r.values);
    TRY(e);
    leave_out(&found);
    *out = found;
    return ERR_OK;
}
