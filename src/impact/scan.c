// SPDX-License-Identifier: Apache-2.0
#include "impact/scan_internal.h"

#include <stdio.h>

#include "delivery/environment.h"
#include "impact/variants.h"
#include "impact/sampling.h"

#define MINUTE_NS 60000000000ll
enum { USERS_MAX = 1 << 20, SHORT_SHA = 7 };

// --- names -------------------------------------------------------------------------------------------------

static struct str without_v(struct str s) {
    return s.len > 1 && (s.ptr[0] == 'v' || s.ptr[0] == 'V') && s.ptr[1] >= '0' && s.ptr[1] <= '9'
               ? str_sub(s, 1, s.len)
               : s;
}
static struct str tag_of(struct str s) { // registry:5000/name:tag@digest
    struct str head, digest;
    size_t at = 0;
    (void)str_cut(s, '@', &head, &digest);
    for (size_t i = 0; i < head.len; i++) {
        if (head.ptr[i] == '/') at = 0;
        if (head.ptr[i] == ':') at = i + 1;
    }
    return at ? str_sub(head, at, head.len) : head;
}
static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i])) return false;
    return true;
}

bool impact_same_version(struct str reported, struct str seen) {
    if (!reported.len || !seen.len) return false;
    if (str_eq(reported, seen) || str_eq(without_v(tag_of(reported)), without_v(tag_of(seen)))) return true;
    struct str shorter = reported.len < seen.len ? reported : seen,
               longer = reported.len < seen.len ? seen : reported;
    return shorter.len >= SHORT_SHA && longer.len >= 40 && is_hex(longer) &&
           str_eq_nocase(shorter, str_sub(longer, 0, shorter.len));
}

// --- spans -------------------------------------------------------------------------------------------------

static const char *const request_fields[] = { "resource.service.version",
                                              "resource.deployment.environment.name",
                                              "resource.deployment.environment",
                                              "status",
                                              "span:traceState",
                                              "duration",
                                              "name",
                                              "span.http.route",
                                              "span.http.request.method",
                                              "resource.service.instance.id",
                                              "resource.k8s.pod.name",
                                              "span.enduser.id",
                                              "span.user.id",
                                              "resource.service.name",
                                              "parent.resource.service.name" };
enum {
    F_VERSION,
    F_ENVIRONMENT,
    F_OLD_ENVIRONMENT,
    F_STATUS,
    F_TRACE_STATE,
    F_DURATION,
    F_NAME,
    F_ROUTE,
    F_METHOD,
    F_INSTANCE,
    F_POD,
    F_ENDUSER,
    F_USER,
    F_SERVICE,
    F_CALLER,
    F_REQUEST_COUNT
};

struct str scan_text(const struct value *v) {
    return v->type == VALUE_STRING ? v->s : STR("");
}
struct str scan_first(const struct value *a, const struct value *b) {
    return scan_text(a).len ? scan_text(a) : scan_text(b);
}
bool scan_is_error(const struct value *v) {
    return v->type == VALUE_STATUS && v->i == 2;
}

bool scan_same_environment(struct str of, const struct value *name, const struct value *old_name) {
    struct str told = scan_first(name, old_name);
    if (!of.len || !told.len || str_eq_nocase(of, told)) return true;
    return environment_is_production(STR(""), of) && environment_is_production(STR(""), told);
}

static void note_environment(struct arena *a, struct scan_environments *seen, struct str name, bool by_old) {
    for (uint32_t i = 0; i < seen->n; i++)
        if (str_eq(seen->items[i].name, name) && seen->items[i].by_old == by_old) return;
    if (seen->n == SCAN_ENVIRONMENTS_MAX) {
        seen->cut = true;
        return;
    }
    seen->items[seen->n].by_old = by_old;
    seen->items[seen->n++].name = str_dup(a, name);
}

bool scan_environment(const struct impact_of *of, const struct value *name, const struct value *old_name,
                      struct arena *a, struct scan_environments *seen) {
    struct str told = scan_first(name, old_name);
    bool same = scan_same_environment(of->environment, name, old_name);
    if (!same)
        seen->others = true;
    else if (!told.len)
        seen->untold = true;
    else
        note_environment(a, seen, told, !scan_text(name).len);
    return same;
}

void impact_put_service(struct buf *b, const char *op, const struct impact_of *of) {
    buf_fmt(b, of->n_names ? "{ (resource.service.name %s " : "{ resource.service.name %s ", op);
    visit_quote(b, of->service);
    for (uint32_t i = 0; i < of->n_names; i++) {
        buf_fmt(b, " %s resource.service.name %s ", *op == '!' ? "&&" : "||", op);
        visit_quote(b, of->names[i]);
    }
    if (of->n_names) buf_char(b, ')');
}
static void put_requests(struct buf *b, const char *op, const struct impact_of *of) {
    impact_put_service(b, op, of);
    buf_str(b, STR(" && (kind = server || kind = consumer || span:parentID = \"\") }"));
}

enum err scan_visit(const struct impact_source *src, struct buf *filter, struct impact_window w,
                    struct visit *q, struct visit_answer *answer, struct err_ctx *ctx) {
    if (filter->failed) return ERR_NOMEM;
    q->filter = buf_view(filter);
    q->bounds = src->bounds;
    q->bounds.start_ns = w.from > 0 ? (uint64_t)w.from : 0;
    q->bounds.end_ns = w.to > 0 ? (uint64_t)w.to : 1;
    return visit_run(src->view, q, answer, ctx);
}

struct str scan_label(const struct impact_of *of, const struct visit_span *s, const struct value *version) {
    return of->variants ? impact_variant_of(of->variants, s->trace_id) : scan_text(version);
}

static bool is_forgotten(const struct impact_of *of, const struct visit_span *s) {
    return of->variants && !impact_variants_keep(of->variants, s->trace_id);
}

// How many a span stands for; one that does not say counts once.
static double weight_of(const struct value *trace_state) {
    double weight = sampling_weight(scan_text(trace_state));
    return weight > 0 ? weight : 1;
}

// --- versions ----------------------------------------------------------------------------------------------

struct counting {
    struct arena *a;
    const struct impact_of *of;
    struct versions *out;
};

static struct version_seen *version_at(struct counting *c, struct str version) {
    struct versions *v = c->out;
    for (uint32_t i = 0; i < v->n; i++)
        if (str_eq(v->items[i].version, version)) return &v->items[i];
    if (v->n == VERSIONS_MAX) {
        v->partial = true;
        (void)snprintf(v->why, sizeof v->why, "more than %d versions", VERSIONS_MAX);
        return NULL;
    }
    struct version_seen *x = &v->items[v->n];
    *x = (struct version_seen){ .version = str_dup(c->a, version), .first = INT64_MAX };
    x->minutes = arena_zalloc(c->a, v->n_minutes * sizeof *x->minutes);
    if (c->a->failed) return NULL;
    v->n++;
    return x;
}

static enum err count_version(void *ctx, const struct visit_span *s) {
    struct counting *c = ctx;
    if (is_forgotten(c->of, s) ||
        !scan_same_environment(c->of->environment, &s->values[F_ENVIRONMENT], &s->values[F_OLD_ENVIRONMENT]))
        return ERR_OK;
    struct version_seen *v = version_at(c, scan_label(c->of, s, &s->values[F_VERSION]));
    if (!v) return c->a->failed ? ERR_NOMEM : ERR_OK;
    int64_t start = (int64_t)s->start_ns;
    uint32_t minute = (uint32_t)(start / MINUTE_NS) - c->out->base;
    double weight = weight_of(&s->values[F_TRACE_STATE]);
    v->requests += weight;
    if (scan_is_error(&s->values[F_STATUS])) v->errors += weight;
    if (minute < c->out->n_minutes) v->minutes[minute]++;
    if (start < v->first) v->first = start;
    if (start > v->last) v->last = start;
    return ERR_OK;
}

enum err impact_versions(struct arena *a, const struct impact_source *src, const struct impact_of *of,
                         struct impact_window w, struct versions *out, struct err_ctx *ctx) {
    struct counting c = { a, of, out };
    struct visit q = {
        .fields = request_fields, .n_fields = F_TRACE_STATE + 1, .each = count_version, .ctx = &c
    };
    struct visit_answer answer;
    struct buf filter;
    memset(out, 0, sizeof *out);
    if (w.to - w.from >= VERSION_MINUTES_MAX * MINUTE_NS) w.from = w.to - VERSION_MINUTES_MAX * MINUTE_NS;
    out->base = (uint32_t)(w.from / MINUTE_NS);
    out->n_minutes = (uint32_t)(w.to / MINUTE_NS) - out->base + 1;
    buf_init(&filter, SCAN_FILTER_MAX);
    put_requests(&filter, "=", of);
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    if (e == ERR_OK && answer.partial) {
        out->partial = true;
        (void)snprintf(out->why, sizeof out->why, "%s", answer.why);
    }
    return e;
}

// --- requests ----------------------------------------------------------------------------------------------

void impact_reading_init(struct impact_reading *r, struct arms *arms) {
    memset(r, 0, sizeof *r);
    r->arms = arms;
    map_init(&r->users, USERS_MAX);
}
void impact_reading_fini(struct impact_reading *r) {
    map_fini(&r->users);
    mem_free(r->user_items);
    r->user_items = NULL;
}

static uint64_t user_hash(const void *ctx, uint32_t i) {
    return ((const struct impact_reading *)ctx)->user_items[i].hash;
}
static bool user_eq(const void *ctx, uint32_t i, const void *key) {
    return ((const struct impact_reading *)ctx)->user_items[i].hash == *(const uint64_t *)key;
}

static enum err add_user(struct impact_reading *r, struct str user, double weight) {
    uint64_t hash = hash_xxh64(user.ptr, user.len);
    if (!user.len) return ERR_OK;
    uint32_t at = map_get(&r->users, hash, user_eq, r, &hash);
    if (at != MAP_NONE) {
        if (r->user_items[at].weight < weight) r->user_items[at].weight = weight;
        return ERR_OK;
    }
    if (r->n_users == USERS_MAX) return ERR_OK;
    struct impact_user *more = mem_grow(r->user_items, r->n_users, &r->users_cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    r->user_items = more;
    r->user_items[r->n_users] = (struct impact_user){ hash, weight };
    TRY(map_put(&r->users, hash, r->n_users, user_hash, r));
    r->n_users++;
    return ERR_OK;
}

// As requests are told apart by route: METHOD ROUTE, else the name of the span.
static struct str put_route(struct buf *b, const struct value *v) {
    if (!scan_text(&v[F_ROUTE]).len) return scan_text(&v[F_NAME]);
    buf_reset(b);
    if (scan_text(&v[F_METHOD]).len) buf_fmt(b, "%.*s ", STR_ARG(scan_text(&v[F_METHOD])));
    buf_str(b, scan_text(&v[F_ROUTE]));
    return b->failed ? scan_text(&v[F_ROUTE]) : buf_view(b);
}

struct reading {
    struct impact_reading *r;
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct buf route;
};

static struct str route_of(struct reading *x, const struct value *v) {
    return x->r->other_services ? scan_text(&v[F_SERVICE]) : put_route(&x->route, v);
}

static enum err read_request(void *ctx, const struct visit_span *s) {
    struct reading *x = ctx;
    const struct value *v = s->values;
    if (is_forgotten(x->of, s) ||
        !scan_same_environment(x->of->environment, &v[F_ENVIRONMENT], &v[F_OLD_ENVIRONMENT]))
        return ERR_OK;
    struct str label = scan_label(x->of, s, &v[F_VERSION]);
    struct arms_request r = { .arm = x->rule.arm(x->rule.ctx, label, (int64_t)s->start_ns),
                              .start_ns = s->start_ns,
                              .duration_ns = v[F_DURATION].i > 0 ? (uint64_t)v[F_DURATION].i : 0,
                              .route = route_of(x, v),
                              .pod = scan_first(&v[F_POD], &v[F_INSTANCE]),
                              .caller = scan_text(&v[F_CALLER]),
                              .weight = sampling_weight(scan_text(&v[F_TRACE_STATE])),
                              .error = scan_is_error(&v[F_STATUS]) };
    if (r.arm == ARM_COUNT) return ERR_OK;
    memcpy(r.trace_id, s->trace_id, sizeof r.trace_id);
    if (r.arm == ARM_NEW && r.error)
        TRY(add_user(x->r, scan_first(&v[F_ENDUSER], &v[F_USER]), weight_of(&v[F_TRACE_STATE])));
    return arms_add(x->r->arms, &r);
}

enum err impact_read_arms(const struct impact_source *src, const struct impact_of *of, struct impact_window w,
                          struct impact_arm_rule rule, struct impact_reading *r, struct err_ctx *ctx) {
    struct reading x = { .r = r, .of = of, .rule = rule };
    struct visit q = {
        .fields = request_fields, .n_fields = F_REQUEST_COUNT, .each = read_request, .ctx = &x
    };
    struct visit_answer answer;
    struct buf filter;
    if (of->variants) r->arms->shift = of->variants->shift;
    buf_init(&filter, SCAN_FILTER_MAX);
    buf_init(&x.route, SCAN_FILTER_MAX);
    put_requests(&filter, r->other_services ? "!=" : "=", of);
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&x.route);
    buf_fini(&filter);
    if (e == ERR_OK && answer.partial) {
        r->partial = true;
        (void)snprintf(r->why, sizeof r->why, "%s", answer.why);
    }
    return e;
}

// --- requests of some routes -------------------------------------------------------------------------------

struct counting_routes {
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct route_counts *out;
    struct buf route;
};
static enum err count_route(void *ctx, const struct visit_span *s) {
    struct counting_routes *k = ctx;
    const struct value *v = s->values;
    if (!scan_same_environment(k->of->environment, &v[F_ENVIRONMENT], &v[F_OLD_ENVIRONMENT]) ||
        k->rule.arm(k->rule.ctx, scan_label(k->of, s, &v[F_VERSION]), (int64_t)s->start_ns) != ARM_NEW)
        return ERR_OK;
    struct str route = put_route(&k->route, v);
    k->out->all++;
    for (uint32_t i = 0; i < k->out->n; i++) k->out->of[i] += str_eq(k->out->names[i], route);
    return ERR_OK;
}

enum err impact_count_routes(const struct impact_source *src, const struct impact_of *of,
                             struct impact_window w, struct impact_arm_rule rule, struct route_counts *out,
                             struct err_ctx *ctx) {
    struct counting_routes k = { .of = of, .rule = rule, .out = out };
    struct visit q = { .fields = request_fields, .n_fields = F_METHOD + 1, .each = count_route, .ctx = &k };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    buf_init(&k.route, SCAN_FILTER_MAX);
    put_requests(&filter, "=", of);
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&k.route);
    buf_fini(&filter);
    out->partial |= e == ERR_OK && answer.partial;
    return e;
}
