// SPDX-License-Identifier: Apache-2.0
#include "delivery/impact_scan.h"

#include <stdio.h>

#include "delivery/environment.h"

#define MINUTE_NS 60000000000ll
enum { FILTER_MAX = 8 << 10, USERS_MAX = 1 << 20, SHORT_SHA = 7, MESSAGE_MAX = 200 };

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
                                              "duration",
                                              "name",
                                              "span.http.route",
                                              "span.http.request.method",
                                              "resource.service.instance.id",
                                              "resource.k8s.pod.name",
                                              "span.enduser.id",
                                              "span.user.id",
                                              "resource.service.name" };
enum {
    F_VERSION,
    F_ENVIRONMENT,
    F_OLD_ENVIRONMENT,
    F_STATUS,
    F_DURATION,
    F_NAME,
    F_ROUTE,
    F_METHOD,
    F_INSTANCE,
    F_POD,
    F_ENDUSER,
    F_USER,
    F_SERVICE,
    F_REQUEST_COUNT
};

static struct str text_of(const struct value *v) {
    return v->type == VALUE_STRING ? v->s : STR("");
}
static struct str first_text(const struct value *a, const struct value *b) {
    return text_of(a).len ? text_of(a) : text_of(b);
}
static bool is_error(const struct value *v) {
    return v->type == VALUE_STATUS && v->i == 2;
}

static bool same_environment(struct str of, const struct value *name, const struct value *old_name) {
    struct str told = first_text(name, old_name);
    if (!of.len || !told.len || str_eq_nocase(of, told)) return true;
    return environment_is_production(STR(""), of) && environment_is_production(STR(""), told);
}

static void put_service(struct buf *b, const char *op, struct str service) {
    buf_fmt(b, "{ resource.service.name %s ", op);
    visit_quote(b, service);
}
static void put_requests(struct buf *b, const char *op, struct str service) {
    put_service(b, op, service);
    buf_str(b, STR(" && (kind = server || kind = consumer || span:parentID = \"\") }"));
}

static enum err visit(const struct impact_source *src, struct buf *filter, struct impact_window w,
                      struct visit *q, struct visit_answer *answer, struct err_ctx *ctx) {
    if (filter->failed) return ERR_NOMEM;
    q->filter = buf_view(filter);
    q->bounds = src->bounds;
    q->bounds.start_ns = w.from > 0 ? (uint64_t)w.from : 0;
    q->bounds.end_ns = w.to > 0 ? (uint64_t)w.to : 1;
    return visit_run(src->view, q, answer, ctx);
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
    if (!same_environment(c->of->environment, &s->values[F_ENVIRONMENT], &s->values[F_OLD_ENVIRONMENT]))
        return ERR_OK;
    struct version_seen *v = version_at(c, text_of(&s->values[F_VERSION]));
    if (!v) return c->a->failed ? ERR_NOMEM : ERR_OK;
    int64_t start = (int64_t)s->start_ns;
    uint32_t minute = (uint32_t)(start / MINUTE_NS) - c->out->base;
    v->requests++;
    v->errors += is_error(&s->values[F_STATUS]);
    if (minute < c->out->n_minutes) v->minutes[minute]++;
    if (start < v->first) v->first = start;
    if (start > v->last) v->last = start;
    return ERR_OK;
}

enum err impact_versions(struct arena *a, const struct impact_source *src, const struct impact_of *of,
                         struct impact_window w, struct versions *out, struct err_ctx *ctx) {
    struct counting c = { a, of, out };
    struct visit q = { .fields = request_fields, .n_fields = F_STATUS + 1, .each = count_version, .ctx = &c };
    struct visit_answer answer;
    struct buf filter;
    memset(out, 0, sizeof *out);
    if (w.to - w.from >= VERSION_MINUTES_MAX * MINUTE_NS) w.from = w.to - VERSION_MINUTES_MAX * MINUTE_NS;
    out->base = (uint32_t)(w.from / MINUTE_NS);
    out->n_minutes = (uint32_t)(w.to / MINUTE_NS) - out->base + 1;
    buf_init(&filter, FILTER_MAX);
    put_requests(&filter, "=", of->service);
    enum err e = visit(src, &filter, w, &q, &answer, ctx);
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
    mem_free(r->user_hashes);
    r->user_hashes = NULL;
}

static uint64_t user_hash(const void *ctx, uint32_t i) {
    return ((const struct impact_reading *)ctx)->user_hashes[i];
}
static bool user_eq(const void *ctx, uint32_t i, const void *key) {
    return ((const struct impact_reading *)ctx)->user_hashes[i] == *(const uint64_t *)key;
}

static enum err add_user(struct impact_reading *r, struct str user) {
    uint64_t hash = hash_xxh64(user.ptr, user.len);
    if (!user.len || r->n_users == USERS_MAX) return ERR_OK;
    if (map_get(&r->users, hash, user_eq, r, &hash) != MAP_NONE) return ERR_OK;
    if (r->n_users == r->users_cap) {
        uint32_t cap = r->users_cap ? r->users_cap * 2 : 256;
        uint64_t *more = mem_realloc(r->user_hashes, cap * sizeof *more);
        if (!more) return ERR_NOMEM;
        r->user_hashes = more;
        r->users_cap = cap;
    }
    r->user_hashes[r->n_users] = hash;
    TRY(map_put(&r->users, hash, r->n_users, user_hash, r));
    r->n_users++;
    return ERR_OK;
}

struct reading {
    struct impact_reading *r;
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct buf route;
};

static struct str route_of(struct reading *x, const struct value *v) {
    if (x->r->other_services) return text_of(&v[F_SERVICE]);
    if (!text_of(&v[F_ROUTE]).len) return text_of(&v[F_NAME]);
    buf_reset(&x->route);
    if (text_of(&v[F_METHOD]).len) buf_fmt(&x->route, "%.*s ", STR_ARG(text_of(&v[F_METHOD])));
    buf_str(&x->route, text_of(&v[F_ROUTE]));
    return x->route.failed ? text_of(&v[F_ROUTE]) : buf_view(&x->route);
}

static enum err read_request(void *ctx, const struct visit_span *s) {
    struct reading *x = ctx;
    const struct value *v = s->values;
    if (!same_environment(x->of->environment, &v[F_ENVIRONMENT], &v[F_OLD_ENVIRONMENT])) return ERR_OK;
    struct arms_request r = { .arm = x->rule.arm(x->rule.ctx, text_of(&v[F_VERSION]), (int64_t)s->start_ns),
                              .start_ns = s->start_ns,
                              .duration_ns = v[F_DURATION].i > 0 ? (uint64_t)v[F_DURATION].i : 0,
                              .route = route_of(x, v),
                              .pod = first_text(&v[F_POD], &v[F_INSTANCE]),
                              .error = is_error(&v[F_STATUS]) };
    if (r.arm == ARM_COUNT) return ERR_OK;
    memcpy(r.trace_id, s->trace_id, sizeof r.trace_id);
    if (r.arm == ARM_NEW && r.error) TRY(add_user(x->r, first_text(&v[F_ENDUSER], &v[F_USER])));
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
    buf_init(&filter, FILTER_MAX);
    buf_init(&x.route, FILTER_MAX);
    put_requests(&filter, r->other_services ? "!=" : "=", of->service);
    enum err e = visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&x.route);
    buf_fini(&filter);
    if (e == ERR_OK && answer.partial) {
        r->partial = true;
        (void)snprintf(r->why, sizeof r->why, "%s", answer.why);
    }
    return e;
}

// --- kinds of errors ---------------------------------------------------------------------------------------

static const char *const error_fields[] = { "resource.service.version",
                                            "resource.deployment.environment.name",
                                            "resource.deployment.environment",
                                            "name",
                                            "event.exception.type",
                                            "event.exception.message",
                                            "event.exception.stacktrace",
                                            "span.error.type" };
enum {
    E_VERSION,
    E_ENVIRONMENT,
    E_OLD_ENVIRONMENT,
    E_NAME,
    E_TYPE,
    E_MESSAGE,
    E_STACK,
    E_ERROR_TYPE,
    E_COUNT
};

static struct str until(struct str s, const char *text) {
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= s.len; i++)
        if (memcmp(s.ptr + i, text, n) == 0) return str_sub(s, 0, i);
    return s;
}

// "at com.shop.Cart.add(Cart.java:12)" (Java, JavaScript, .NET: innermost first), "File "cart.py", line 3, in
// add" (Python: innermost last).
struct str signature_frame(struct str stack) {
    struct str rest = stack, line, file = STR("");
    for (bool more = stack.len > 0; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (str_starts(line, STR("at "))) return str_trim(until(str_sub(line, 3, line.len), "("));
        if (str_starts(line, STR("File \""))) file = until(str_sub(line, 5, line.len), ", line");
    }
    return file;
}

struct seeing {
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct signatures *out;
    bool before; // of the time before: what is met is known
};

static struct signature_seen *signature_at(struct seeing *x, const struct signature_seen *like) {
    for (uint32_t i = 0; i < x->out->n; i++) {
        struct signature_seen *s = &x->out->items[i];
        if (str_eq(s->type, like->type) && str_eq(s->frame, like->frame) && str_eq(s->span, like->span))
            return s;
    }
    if (x->before) return NULL;
    if (x->out->n == SIGNATURES_MAX) {
        x->out->cut = true;
        return NULL;
    }
    struct arena *a = x->out->arena;
    struct signature_seen *s = &x->out->items[x->out->n++];
    *s = (struct signature_seen){ .type = str_dup(a, like->type),
                                  .frame = str_dup(a, like->frame),
                                  .span = str_dup(a, like->span),
                                  .message = str_dup(a, str_sub(like->message, 0, MESSAGE_MAX)) };
    return s;
}

static enum err see_error(void *ctx, const struct visit_span *s) {
    struct seeing *x = ctx;
    const struct value *v = s->values;
    struct signature_seen like = { .type = first_text(&v[E_TYPE], &v[E_ERROR_TYPE]),
                                   .frame = signature_frame(text_of(&v[E_STACK])),
                                   .span = text_of(&v[E_NAME]),
                                   .message = text_of(&v[E_MESSAGE]) };
    if (!like.type.len || !same_environment(x->of->environment, &v[E_ENVIRONMENT], &v[E_OLD_ENVIRONMENT]))
        return ERR_OK;
    enum arm arm =
        x->before ? ARM_OLD : x->rule.arm(x->rule.ctx, text_of(&v[E_VERSION]), (int64_t)s->start_ns);
    struct signature_seen *seen = arm == ARM_COUNT ? NULL : signature_at(x, &like);
    if (x->out->arena->failed) return ERR_NOMEM;
    if (!seen) return ERR_OK;
    if (arm == ARM_OLD) {
        seen->known = true;
        return ERR_OK;
    }
    seen->count++;
    if (seen->examples.n < ARMS_EXAMPLES)
        memcpy(seen->examples.of[seen->examples.n++].trace_id, s->trace_id, 16);
    return ERR_OK;
}

static enum err see_errors(const struct impact_source *src, struct seeing *x, struct impact_window w,
                           struct err_ctx *ctx) {
    struct visit q = { .fields = error_fields, .n_fields = E_COUNT, .each = see_error, .ctx = x };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, FILTER_MAX);
    put_service(&filter, "=", x->of->service);
    buf_str(&filter, STR(" && status = error }"));
    enum err e = visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    x->out->partial |= e == ERR_OK && answer.partial;
    return e;
}

enum err impact_read_signatures(const struct impact_source *src, const struct impact_of *of,
                                struct impact_window w, struct impact_arm_rule rule, struct signatures *out,
                                struct err_ctx *ctx) {
    struct seeing x = { .of = of, .rule = rule, .out = out };
    TRY(see_errors(src, &x, w, ctx));
    bool any = false;
    for (uint32_t i = 0; i < out->n; i++) any |= !out->items[i].known;
    if (!any) return ERR_OK; // nothing that the week before could tell
    x.before = true;
    return see_errors(src, &x, (struct impact_window){ w.from - 7 * 24 * 60 * MINUTE_NS, w.from }, ctx);
}

// --- the edge ----------------------------------------------------------------------------------------------

struct root_reading {
    const struct impact_of *of;
    struct impact_reading *users;
    struct impact_roots *out;
    uint8_t last[16];
};

static const char *const root_fields[] = { "span.enduser.id", "span.user.id" };

static enum err read_root(void *ctx, const struct visit_span *s) {
    struct root_reading *x = ctx;
    if (x->out->failed && memcmp(x->last, s->trace_id, 16) == 0) return ERR_OK; // a second root of the trace
    memcpy(x->last, s->trace_id, 16);
    x->out->failed++;
    return x->users ? add_user(x->users, first_text(&s->values[0], &s->values[1])) : ERR_OK;
}

static void put_failing(struct buf *b, const struct impact_of *of, struct str version, const char *more) {
    put_service(b, "=", of->service);
    buf_fmt(b, " && status = error%s", more);
    if (version.len) {
        buf_str(b, STR(" && resource.service.version = "));
        visit_quote(b, version);
    }
    buf_str(b, STR(" }"));
}

enum err impact_read_roots(const struct impact_source *src, const struct impact_of *of, struct str version,
                           struct impact_window w, struct impact_reading *users, struct impact_roots *out,
                           struct err_ctx *ctx) {
    struct root_reading x = { .of = of, .users = users, .out = out };
    struct visit q = { .fields = root_fields, .n_fields = 2, .each = read_root, .ctx = &x };
    struct visit_answer answer;
    struct buf filter;
    *out = (struct impact_roots){ 0 };
    buf_init(&filter, FILTER_MAX);
    buf_char(&filter, '(');
    put_failing(&filter, of, version, "");
    buf_str(&filter, STR(" << { span:parentID = \"\" && status = error }) || "));
    put_failing(&filter, of, version, " && span:parentID = \"\"");
    enum err e = visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    out->partial = e == ERR_OK && answer.partial;
    return e;
}

static enum err enough(void *ctx, const struct visit_span *s) {
    (void)ctx, (void)s;
    return ERR_EXISTS;
}

enum err impact_share_traces(const struct impact_source *src, struct str a, struct str b,
                             struct impact_window w, bool *out, struct err_ctx *ctx) {
    struct visit q = { .n_fields = 0, .each = enough };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, FILTER_MAX);
    put_service(&filter, "=", a);
    buf_str(&filter, STR(" } && "));
    put_service(&filter, "=", b);
    buf_str(&filter, STR(" }"));
    enum err e = visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    *out = e == ERR_EXISTS;
    return e == ERR_EXISTS ? ERR_OK : e;
}
