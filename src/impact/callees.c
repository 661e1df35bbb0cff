// SPDX-License-Identifier: Apache-2.0
#include "impact/callees.h"

#include "impact/scan_internal.h"

// Whom a span calls: the first of these that it has.
static const char *const fields[] = { "resource.service.version",
                                      "resource.deployment.environment.name",
                                      "resource.deployment.environment",
                                      "name",
                                      "span.peer.service",
                                      "span.db.system.name",
                                      "span.db.system",
                                      "span.messaging.destination.name",
                                      "span.rpc.service",
                                      "span.server.address",
                                      "span.net.peer.name" };
enum { F_VERSION, F_ENVIRONMENT, F_OLD_ENVIRONMENT, F_NAME, F_FIRST, F_COUNT = 11 };

struct seeing {
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct callees *out;
};

static struct callee_seen *callee_at(struct callees *c, struct str to, struct str operation,
                                     const char *attribute) {
    to = str_sub(to, 0, CALLEES_TEXT_MAX);
    operation = str_sub(operation, 0, CALLEES_TEXT_MAX);
    for (uint32_t i = 0; i < c->n; i++)
        if (str_eq(c->items[i].to, to) && str_eq(c->items[i].operation, operation)) return &c->items[i];
    if (c->n == CALLEES_MAX) {
        c->cut = true;
        return NULL;
    }
    struct callee_seen *s = &c->items[c->n++];
    *s = (struct callee_seen){ .to = str_dup(c->arena, to),
                               .operation = str_dup(c->arena, operation),
                               .attribute = str_of(attribute) };
    return s;
}

// A trace counts once: its spans come together.
static void count(struct callee_seen *s, enum arm arm, const uint8_t trace_id[16]) {
    if (!s || (s->count[arm] && memcmp(s->last[arm], trace_id, 16) == 0)) return;
    s->count[arm]++;
    memcpy(s->last[arm], trace_id, 16);
    bool first = !s->count[arm == ARM_OLD ? ARM_NEW : ARM_OLD] || arm == ARM_OLD;
    if (first && s->examples.n < ARMS_EXAMPLES)
        memcpy(s->examples.of[s->examples.n++].trace_id, trace_id, 16);
}

static enum err see_call(void *ctx, const struct visit_span *s) {
    struct seeing *x = ctx;
    const struct value *v = s->values;
    if (!scan_same_environment(x->of->environment, &v[F_ENVIRONMENT], &v[F_OLD_ENVIRONMENT])) return ERR_OK;
    enum arm arm = x->rule.arm(x->rule.ctx, scan_label(x->of, s, &v[F_VERSION]), (int64_t)s->start_ns);
    if (arm == ARM_COUNT) return ERR_OK;
    unsigned at = F_FIRST;
    while (at < F_COUNT && !scan_text(&v[at]).len) at++;
    if (at == F_COUNT) {
        x->out->unnamed++;
        return ERR_OK;
    }
    count(callee_at(x->out, scan_text(&v[at]), STR(""), fields[at]), arm, s->trace_id);
    if (scan_text(&v[F_NAME]).len)
        count(callee_at(x->out, scan_text(&v[at]), scan_text(&v[F_NAME]), fields[at]), arm, s->trace_id);
    return x->out->arena->failed ? ERR_NOMEM : ERR_OK;
}

enum err impact_read_callees(const struct impact_source *src, const struct impact_of *of,
                             struct impact_window w, struct impact_arm_rule rule, struct callees *out,
                             struct err_ctx *ctx) {
    struct seeing x = { .of = of, .rule = rule, .out = out };
    struct visit q = { .fields = fields, .n_fields = F_COUNT, .each = see_call, .ctx = &x };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    impact_put_service(&filter, "=", of);
    buf_str(&filter, STR(" && (kind = client || kind = producer) }"));
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    out->partial |= e == ERR_OK && answer.partial;
    return e;
}
