// SPDX-License-Identifier: Apache-2.0
#include "intake/hook.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

static const struct hook *const hooks[] = {
    &hook_events,        &hook_github,       &hook_gitlab,    &hook_devlake,
    &hook_alertmanager,  &hook_grafana,      &hook_pagerduty, &hook_argocd,
    &hook_argo_rollouts, &hook_flux,         &hook_flagger,   &hook_opsgenie,
    &hook_jenkins,       &hook_launchdarkly, &hook_unleash,   &hook_otlp,
};
const char *const intake_sources[] = {
    "events",        "github", "gitlab",  "devlake",  "alertmanager", "grafana",      "pagerduty", "argocd",
    "argo-rollouts", "flux",   "flagger", "opsgenie", "jenkins",      "launchdarkly", "unleash",   "otlp",
};
const unsigned n_intake_sources = sizeof intake_sources / sizeof *intake_sources;
_Static_assert(sizeof hooks / sizeof *hooks == sizeof intake_sources / sizeof *intake_sources,
               "a name for each");

struct str intake_header(const struct intake_request *r, struct str name) {
    for (unsigned i = 0; i < r->n_headers; i++)
        if (str_eq_nocase(r->headers[i].name, name)) return r->headers[i].value;
    return STR("");
}

static const struct hook *hook_of(struct str source, struct str *path) {
    struct str name;
    (void)str_cut(source, '/', &name, path);
    for (unsigned i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (str_eq(str_of(hooks[i]->name), name)) return hooks[i];
    return str_eq(str_of(hook_takt.name), name) ? &hook_takt : NULL;
}

static enum err no_hook(struct str source, struct err_ctx *ctx) {
    struct str shown = str_sub(source, 0, 60);
    return err_set(ctx, ERR_NOT_FOUND, "there is no source \"%.*s\"", STR_ARG(shown));
}

enum err intake_check(const struct intake_request *r, const struct intake_secret *secrets, unsigned n,
                      struct err_ctx *ctx) {
    struct str path;
    const struct hook *h = hook_of(r->source, &path);
    if (!h || !h->n_forms) return no_hook(r->source, ctx); // spans or we ourselves tell it, no request does
    return signature_check(r, h->forms, h->n_forms, secrets, n, ctx);
}

// --- times that cannot be ------------------------------------------------------------------------

bool intake_is_possible(int64_t ns, int64_t received) {
    if (ns < INTAKE_EARLIEST_NS) return false;
    return ns <= received || ns - received <= DAY_NS;
}

static struct str aside_text(struct arena *a, const char *what, int64_t ns) {
    char text[STAMP_TEXT_SIZE];
    struct str shown = stamp_print(ns, text);
    if (ns < INTAKE_EARLIEST_NS) return str_fmt(a, "%s is before 1990: %.*s", what, STR_ARG(shown));
    return str_fmt(a, "%s is more than a day after it was received: %.*s", what, STR_ARG(shown));
}

static void judge_claim(struct intake_event *e, const struct claim *c, int64_t received, struct arena *a) {
    enum fact_field first;
    unsigned n;
    fact_fields(c->kind, &first, &n);
    for (unsigned i = 0; i < n && !e->aside.len; i++) {
        const struct fact_field_info *f = fact_field_info((enum fact_field)(first + i));
        if (f->type == FACT_TIME && c->values[i].set && !intake_is_possible(c->values[i].i, received))
            e->aside = aside_text(a, f->column, c->values[i].i);
    }
    if (!e->aside.len && !intake_is_possible(c->time, received))
        e->aside = aside_text(a, "the time", c->time);
}

static void judge(struct intake_event *e, int64_t received, struct arena *a) {
    if (!intake_is_possible(e->time, received)) e->aside = aside_text(a, "the event's time", e->time);
    for (unsigned i = 0; i < e->claims.n && !e->aside.len; i++)
        judge_claim(e, e->claims.items[i], received, a);
    if (e->aside.len) claims_begin(&e->claims, a);
}

// --- reading -------------------------------------------------------------------------------------

static enum err check_request(const struct intake_request *r, struct err_ctx *ctx) {
    size_t envelope = r->kept_type.len ? 64 << 10 : 0; // that an event is kept in
    if (r->body.len > INTAKE_BODY_MAX + envelope)
        return err_set(ctx, ERR_INVALID, "a body of more than %d bytes", INTAKE_BODY_MAX);
    if (r->n_headers > INTAKE_HEADERS_MAX)
        return err_set(ctx, ERR_INVALID, "more than %d headers", INTAKE_HEADERS_MAX);
    bool nul = str_find(r->source, '\0') >= 0;
    for (unsigned i = 0; i < r->n_headers; i++) nul = nul || str_find(r->headers[i].value, '\0') >= 0;
    return nul ? err_set(ctx, ERR_INVALID, "a NUL byte in the URL or a header") : ERR_OK;
}

enum err intake_read(const struct intake_request *r, struct arena *a, struct intake *out,
                     struct err_ctx *ctx) {
    struct intake made = { 0 };
    struct hook_in in = { .r = r, .arena = a, .ctx = ctx, .out = &made };
    const struct hook *h = hook_of(r->source, &in.path);
    if (!h) return no_hook(r->source, ctx);
    TRY(check_request(r, ctx));
    claims_begin(&in.spare.claims, a);
    enum err e = h->read(&in);
    if (e == ERR_LIMIT) return ERR_INVALID; // of depth or size, which no later try changes
    TRY(e);
    for (unsigned i = 0; i < made.n; i++) {
        TRY(claims_end(&made.events[i].claims, ctx));
        judge(&made.events[i], r->received, a);
    }
    if (a->failed) return ERR_NOMEM;
    *out = made;
    return ERR_OK;
}
