// SPDX-License-Identifier: Apache-2.0
#include "impact/callees.h"

#include "impact/scan_internal.h"

#define ATTRIBUTES \
    "span.peer.service", "span.db.system.name", "span.db.system", "span.messaging.destination.name", \
        "span.rpc.service", "span.server.address", "span.net.peer.name"
const char *const callees_attributes[CALLEES_ATTRIBUTES] = { ATTRIBUTES };
static const char *const fields[] = { "resource.service.version", "resource.deployment.environment.name",
                                      "resource.deployment.environment", "name", ATTRIBUTES };
enum { F_VERSION, F_ENVIRONMENT, F_OLD_ENVIRONMENT, F_NAME, F_FIRST, F_COUNT = F_FIRST + CALLEES_ATTRIBUTES };

struct seeing {
    const struct impact_of *of;
    struct impact_arm_rule rule;
    struct callees *out;
};

static struct str begin_of(struct str s, bool *out_cut) {
    size_t n = 0;
    for (unsigned i = 0; i < CALLEES_TEXT_MAX && n < s.len; i++) {
        size_t c = str_utf8_len(str_sub(s, n, s.len));
        n += c ? c : 1;
    }
    *out_cut = n < s.len;
    return str_sub(s, 0, n);
}

static struct callee_seen *find_callee(struct callees *c, struct str to, struct str operation) {
    for (uint32_t i = 0; i < c->n; i++)
        if (str_eq(c->items[i].to, to) && str_eq(c->items[i].operation, operation)) return &c->items[i];
    if (c->n == CALLEES_MAX) {
        c->cut = true;
        return NULL;
    }
    struct callee_seen *s = &c->items[c->n++];
    *s = (struct callee_seen){ .to = str_dup(c->arena, to), .operation = str_dup(c->arena, operation) };
    return s;
}

static struct callee_seen *callee_at(struct callees *c, struct str to, struct str operation,
                                     unsigned attribute) {
    bool to_cut, operation_cut;
    to = begin_of(to, &to_cut);
    operation = begin_of(operation, &operation_cut);
    struct callee_seen *s = find_callee(c, to, operation);
    if (!s) return NULL;
    s->to_cut |= to_cut;
    s->operation_cut |= operation_cut;
    s->by |= (uint8_t)(1u << attribute);
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
    if (!scan_environment(x->of, &v[F_ENVIRONMENT], &v[F_OLD_ENVIRONMENT], x->out->arena,
                          &x->out->environments))
        return ERR_OK;
    enum arm arm = x->rule.arm(x->rule.ctx, scan_label(x->of, s, &v[F_VERSION]), (int64_t)s->start_ns);
    if (arm == ARM_COUNT) return ERR_OK;
    const struct value *told = v + F_FIRST;
    unsigned at = 0;
    while (at < CALLEES_ATTRIBUTES && !scan_text(&told[at]).len) at++;
    if (at == CALLEES_ATTRIBUTES) {
        x->out->unnamed++;
        return ERR_OK;
    }
    for (unsigned i = at + 1; i < CALLEES_ATTRIBUTES; i++)
        if (scan_text(&told[i]).len) x->out->hidden_by[i] |= (uint8_t)(1u << at);
    count(callee_at(x->out, scan_text(&told[at]), STR(""), at), arm, s->trace_id);
    if (scan_text(&v[F_NAME]).len)
        count(callee_at(x->out, scan_text(&told[at]), scan_text(&v[F_NAME]), at), arm, s->trace_id);
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
