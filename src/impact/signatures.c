// SPDX-License-Identifier: Apache-2.0
// Kinds of errors: which of them the new arm has and nobody had before.
#include "impact/scan_internal.h"

#define WEEK_NS (7 * 24 * 3600 * 1000000000ll)
enum { MESSAGE_MAX = 200 };

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
    bool before;   // of the time before: what is met is known
    enum arm arm;  // of the span at hand
    uint64_t span; // its number
    bool typed;    // an exception event of it has told a type
    // What span.error.type says counts where none of the span's events tells a type: known at its end.
    struct buf type, name;
    uint8_t trace_id[16];
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

// A trace counts once: its spans come together. So do examples of the old arm; of the new one each span is
// one.
static void count(struct signature_seen *s, enum arm arm, uint64_t span, const uint8_t trace_id[16]) {
    if (s->span_at == span) return; // by another of its events
    s->span_at = span;
    bool again = s->n_old + s->n_new > 0 && memcmp(s->last, trace_id, 16) == 0;
    struct arms_examples *e = arm == ARM_OLD ? &s->old_examples : &s->examples;
    if (arm == ARM_NEW) s->count++;
    if (!again) arm == ARM_OLD ? s->n_old++ : s->n_new++;
    memcpy(s->last, trace_id, 16);
    if (e->n < ARMS_EXAMPLES && (arm == ARM_NEW || !again)) memcpy(e->of[e->n++].trace_id, trace_id, 16);
}

static enum err see_kind(struct seeing *x, const struct signature_seen *like, const uint8_t trace_id[16]) {
    struct signature_seen *seen = signature_at(x, like);
    if (x->out->arena->failed) return ERR_NOMEM;
    if (!seen) return ERR_OK;
    if (x->arm == ARM_OLD) seen->known = true;
    if (x->before) return ERR_OK;
    seen->by_event |= like->by_event;
    seen->by_span |= like->by_span;
    count(seen, x->arm, x->span, trace_id);
    return ERR_OK;
}

// The end of a span.
static enum err see_rest(struct seeing *x) {
    struct signature_seen like = { .type = buf_view(&x->type), .span = buf_view(&x->name), .by_span = true };
    if (x->type.failed || x->name.failed) return ERR_NOMEM;
    enum err e = x->arm == ARM_COUNT || x->typed || !like.type.len ? ERR_OK : see_kind(x, &like, x->trace_id);
    buf_reset(&x->type);
    buf_reset(&x->name);
    return e;
}

static enum err see_span(struct seeing *x, const struct visit_span *s) {
    const struct value *v = s->values;
    TRY(see_rest(x));
    x->span++;
    x->typed = false;
    x->arm = ARM_COUNT;
    if (!scan_environment(x->of, &v[E_ENVIRONMENT], &v[E_OLD_ENVIRONMENT], x->out->arena,
                          &x->out->environments))
        return ERR_OK;
    x->arm = x->before ? ARM_OLD
                       : x->rule.arm(x->rule.ctx, scan_label(x->of, s, &v[E_VERSION]), (int64_t)s->start_ns);
    memcpy(x->trace_id, s->trace_id, sizeof x->trace_id);
    buf_str(&x->type, scan_text(&v[E_ERROR_TYPE]));
    buf_str(&x->name, scan_text(&v[E_NAME]));
    return ERR_OK;
}

static enum err see_error(void *ctx, const struct visit_span *s) {
    struct seeing *x = ctx;
    const struct value *v = s->values;
    if (!s->is_event) return see_span(x, s);
    struct signature_seen like = { .type = scan_text(&v[E_TYPE]),
                                   .frame = signature_frame(scan_text(&v[E_STACK])),
                                   .span = scan_text(&v[E_NAME]),
                                   .message = scan_text(&v[E_MESSAGE]),
                                   .by_event = true };
    if (x->arm == ARM_COUNT || !like.type.len) return ERR_OK;
    x->typed = true;
    if (x->type.len && (like.frame.len || !str_eq(buf_view(&x->type), like.type))) x->out->differ = true;
    return see_kind(x, &like, s->trace_id);
}

static enum err see_errors(const struct impact_source *src, struct seeing *x, struct impact_window w,
                           struct err_ctx *ctx) {
    struct visit q = {
        .fields = error_fields, .n_fields = E_COUNT, .by_event = true, .each = see_error, .ctx = x
    };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    impact_put_service(&filter, "=", x->of);
    buf_str(&filter, STR(" && status = error }"));
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    x->out->partial |= e == ERR_OK && answer.partial;
    return e == ERR_OK ? see_rest(x) : e;
}

static enum err read_signatures(const struct impact_source *src, struct seeing *x, struct impact_window w,
                                struct err_ctx *ctx) {
    TRY(see_errors(src, x, w, ctx));
    bool any = false;
    for (uint32_t i = 0; i < x->out->n; i++) any |= !x->out->items[i].known;
    if (!any) return ERR_OK; // nothing that the week before could tell
    x->before = true;
    return see_errors(src, x, (struct impact_window){ w.from - WEEK_NS, w.from }, ctx);
}

enum err impact_read_signatures(const struct impact_source *src, const struct impact_of *of,
                                struct impact_window w, struct impact_arm_rule rule, struct signatures *out,
                                struct err_ctx *ctx) {
    struct seeing x = { .of = of, .rule = rule, .out = out, .arm = ARM_COUNT };
    buf_init(&x.type, SIZE_MAX);
    buf_init(&x.name, SIZE_MAX);
    enum err e = read_signatures(src, &x, w, ctx);
    buf_fini(&x.type);
    buf_fini(&x.name);
    return e;
}
