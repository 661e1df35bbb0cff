// SPDX-License-Identifier: Apache-2.0
#include "impact/inner.h"

#include <math.h>
#include <stdlib.h>

#include "impact/judge.h"
#include "impact/scan_internal.h"
#include "stats/special.h"

void inner_init(struct inner *x) {
    memset(x, 0, sizeof *x);
    map_init(&x->map, INNER_TRACES_MAX);
}
void inner_fini(struct inner *x) {
    map_fini(&x->map);
    mem_free(x->traces);
    x->traces = NULL;
    x->n = x->cap = 0;
}

// --- traces ------------------------------------------------------------------------------------------------

static uint64_t trace_hash(const void *ctx, uint32_t i) {
    return ((const struct inner *)ctx)->traces[i].hash;
}
static bool trace_eq(const void *ctx, uint32_t i, const void *key) {
    return ((const struct inner *)ctx)->traces[i].hash == *(const uint64_t *)key;
}
static bool is_kept(const struct inner *x, uint64_t hash) {
    return (hash & ((1ull << x->shift) - 1)) == 0;
}

static enum err forget_half(struct inner *x) {
    uint32_t n = 0;
    x->shift++;
    map_reset(&x->map);
    for (uint32_t i = 0; i < x->n; i++) {
        if (!is_kept(x, x->traces[i].hash)) continue;
        x->traces[n] = x->traces[i];
        TRY(map_put(&x->map, x->traces[n].hash, n, trace_hash, x));
        n++;
    }
    x->n = n;
    return ERR_OK;
}

// *out NULL: it is among the forgotten ones.
static enum err trace_at(struct inner *x, const uint8_t id[16], enum arm arm, struct inner_trace **out) {
    uint64_t hash = hash_xxh64(id, 16);
    *out = NULL;
    while (is_kept(x, hash)) {
        uint32_t at = map_get(&x->map, hash, trace_eq, x, &hash);
        if (at == MAP_NONE && x->n == INNER_TRACES_MAX) {
            TRY(forget_half(x));
            continue;
        }
        if (at == MAP_NONE) {
            struct inner_trace *more = mem_grow(x->traces, x->n, &x->cap, sizeof *more);
            if (!more) return ERR_NOMEM;
            x->traces = more;
            at = x->n;
            more[at] = (struct inner_trace){ .hash = hash, .route = UINT64_MAX, .arm = (uint8_t)arm };
            TRY(map_put(&x->map, hash, at, trace_hash, x));
            x->n++;
        }
        *out = &x->traces[at];
        return ERR_OK;
    }
    return ERR_OK;
}

enum err inner_add(struct inner *x, const uint8_t trace_id[16], enum arm arm, bool is_request,
                   struct str route) {
    struct inner_trace *t;
    if (arm == ARM_COUNT) return ERR_OK;
    TRY(trace_at(x, trace_id, arm, &t));
    if (!t) return ERR_OK;
    if (t->arm != arm) t->arm = ARM_COUNT;
    if (!is_request) {
        t->spans++;
        return ERR_OK;
    }
    uint64_t of = hash_xxh64(route.ptr, route.len);
    if (of < t->route) t->route = of;
    t->requests++;
    return ERR_OK;
}

// --- judging -----------------------------------------------------------------------------------------------

struct moments {
    double n, sum, squares;
};
static double mean_of(const struct moments *m) {
    return m->sum / m->n;
}
static double variance_of_mean(const struct moments *m) {
    double v = m->n > 1 ? (m->squares - m->sum * m->sum / m->n) / (m->n - 1) : 0;
    return fmax(v, 0) / m->n;
}

static bool counts(const struct inner_trace *t) {
    return t->arm != ARM_COUNT && t->requests;
}

struct route {
    uint64_t hash;
    struct moments of[ARM_COUNT];
};
static double traces_of(const struct route *r) {
    return r->of[ARM_OLD].n + r->of[ARM_NEW].n;
}
static bool is_busier(const struct route *a, const struct route *b) {
    double of_a = traces_of(a), of_b = traces_of(b);
    return of_a != of_b ? of_a > of_b : a->hash < b->hash;
}

static int by_route(const void *a, const void *b) {
    const struct inner_trace *x = a, *y = b;
    if (x->route != y->route) return x->route < y->route ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}
// Of traces in the order of routes: the route of the one at *at, which moves on to the next route.
static struct route read_route(const struct inner *x, uint32_t *at) {
    struct route r = { .hash = x->traces[*at].route };
    for (; *at < x->n && x->traces[*at].route == r.hash; ++*at) {
        const struct inner_trace *t = &x->traces[*at];
        if (!counts(t)) continue;
        double v = (double)t->spans / t->requests;
        struct moments *m = &r.of[t->arm];
        m->n++;
        m->sum += v;
        m->squares += v * v;
    }
    return r;
}

// The routes that are told apart, the busiest first.
struct routes {
    struct route of[INNER_ROUTES_MAX - 1];
    uint32_t n;
};
static void add_route(struct routes *all, const struct route *r) {
    uint32_t at = all->n;
    while (at && is_busier(r, &all->of[at - 1])) at--;
    if (at == INNER_ROUTES_MAX - 1) return;
    if (all->n < INNER_ROUTES_MAX - 1) all->n++;
    memmove(all->of + at + 1, all->of + at, (all->n - at - 1) * sizeof *all->of);
    all->of[at] = *r;
}
static bool is_told_apart(const struct routes *all, const struct route *r) {
    return all->n < INNER_ROUTES_MAX - 1 || !is_busier(&all->of[all->n - 1], r);
}

static void add_moments(struct moments *to, const struct moments *m) {
    to->n += m->n;
    to->sum += m->sum;
    to->squares += m->squares;
}
static void add_stratum(struct inner_answer *a, double variance[ARM_COUNT], const struct route *r) {
    const struct moments *old = &r->of[ARM_OLD], *new = &r->of[ARM_NEW];
    double w = fmin(old->n, new->n);
    if (w == 0) return;
    a->requests += w;
    a->old += w * mean_of(old);
    a->new += w *mean_of(new);
    variance[ARM_OLD] += w * w * variance_of_mean(old);
    variance[ARM_NEW] += w * w * variance_of_mean(new);
}

struct inner_answer inner_judge(struct inner *x) {
    struct routes routes = { .n = 0 };
    struct route further = { 0 };
    struct inner_answer a = { 0 };
    double variance[ARM_COUNT] = { 0 };
    if (x->n > 1) qsort(x->traces, x->n, sizeof *x->traces, by_route);
    for (uint32_t at = 0; at < x->n;) {
        struct route r = read_route(x, &at);
        add_route(&routes, &r);
    }
    for (uint32_t at = 0; at < x->n;) {
        struct route r = read_route(x, &at);
        if (is_told_apart(&routes, &r)) continue;
        for (enum arm arm = 0; arm < ARM_COUNT; arm++) add_moments(&further.of[arm], &r.of[arm]);
    }
    for (uint32_t i = 0; i < routes.n; i++) add_stratum(&a, variance, &routes.of[i]);
    add_stratum(&a, variance, &further);
    double below = INNER_FRACTION * a.old - a.new;
    double error = sqrt(variance[ARM_NEW] + INNER_FRACTION * INNER_FRACTION * variance[ARM_OLD]);
    a.known = a.requests >= IMPACT_REQUESTS_MIN && a.old >= INNER_LEAST * a.requests;
    a.lost = a.known && below > 0 && below >= normal_quantile(1 - INNER_ERROR) * error;
    a.old /= fmax(1, a.requests);
    a.new /= fmax(1, a.requests);
    return a;
}

// --- reading -----------------------------------------------------------------------------------------------

static const char *const fields[] = { "resource.service.version",
                                      "resource.deployment.environment.name",
                                      "resource.deployment.environment",
                                      "kind",
                                      "span:parentID",
                                      "name",
                                      "span.http.route" };
enum { N_VERSION, N_ENVIRONMENT, N_OLD_ENVIRONMENT, N_KIND, N_PARENT, N_NAME, N_ROUTE, N_COUNT };
enum { KIND_SERVER = 2, KIND_CONSUMER = 5 };

struct adding {
    struct inner *x;
    const struct impact_of *of;
    struct impact_arm_rule rule;
};
static enum err add_span(void *ctx, const struct visit_span *s) {
    struct adding *k = ctx;
    const struct value *v = s->values;
    if (!scan_same_environment(k->of->environment, &v[N_ENVIRONMENT], &v[N_OLD_ENVIRONMENT])) return ERR_OK;
    bool is_request =
        (v[N_KIND].type == VALUE_KIND && (v[N_KIND].i == KIND_SERVER || v[N_KIND].i == KIND_CONSUMER)) ||
        !scan_text(&v[N_PARENT]).len;
    enum arm arm = k->rule.arm(k->rule.ctx, scan_label(k->of, s, &v[N_VERSION]), (int64_t)s->start_ns);
    return inner_add(k->x, s->trace_id, arm, is_request, scan_first(&v[N_ROUTE], &v[N_NAME]));
}

enum err inner_read(struct inner *x, const struct impact_source *src, const struct impact_of *of,
                    struct impact_window w, struct impact_arm_rule rule, struct err_ctx *ctx) {
    struct adding k = { x, of, rule };
    struct visit q = { .fields = fields, .n_fields = N_COUNT, .each = add_span, .ctx = &k };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    impact_put_service(&filter, "=", of);
    buf_str(&filter, STR(" }"));
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    if (e == ERR_OK && answer.partial) x->partial = true;
    return e;
}
