// SPDX-License-Identifier: Apache-2.0
// Requests that failed at the edge, and which services take part in one trace.
#include "impact/scan_internal.h"
#include "impact/variants.h"
#include "impact/sampling.h"

struct root_reading {
    const struct impact_of *of;
    struct str version;
    struct impact_roots *out;
    uint8_t last[16];
};

static const char *const root_fields[] = { "span:traceState" };

static enum err read_root(void *ctx, const struct visit_span *s) {
    struct root_reading *x = ctx;
    if (x->out->failed > 0 && memcmp(x->last, s->trace_id, 16) == 0)
        return ERR_OK; // a second root of the trace
    if (x->of->variants && x->version.len &&
        !str_eq(impact_variant_of(x->of->variants, s->trace_id), x->version))
        return ERR_OK;
    double weight = sampling_weight(scan_text(&s->values[0]));
    if (weight == 0) weight = 1;
    if (x->of->variants) weight *= (double)(1u << x->of->variants->shift);
    memcpy(x->last, s->trace_id, 16);
    x->out->failed += weight;
    x->out->squares += weight * weight;
    return ERR_OK;
}

static void put_failing(struct buf *b, const struct impact_of *of, struct str version, const char *more) {
    impact_put_service(b, "=", of);
    buf_fmt(b, " && status = error%s", more);
    if (version.len && !of->variants) {
        buf_str(b, STR(" && resource.service.version = "));
        visit_quote(b, version);
    }
    buf_str(b, STR(" }"));
}

enum err impact_read_roots(const struct impact_source *src, const struct impact_of *of, struct str version,
                           struct impact_window w, struct impact_roots *out, struct err_ctx *ctx) {
    struct root_reading x = { .of = of, .version = version, .out = out };
    struct visit q = { .fields = root_fields, .n_fields = 1, .each = read_root, .ctx = &x };
    struct visit_answer answer;
    struct buf filter;
    *out = (struct impact_roots){ 0 };
    buf_init(&filter, SCAN_FILTER_MAX);
    buf_char(&filter, '(');
    put_failing(&filter, of, version, "");
    buf_str(&filter, STR(" << { span:parentID = \"\" && status = error }) || "));
    put_failing(&filter, of, version, " && span:parentID = \"\"");
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    out->partial = e == ERR_OK && answer.partial;
    return e;
}

static enum err enough(void *ctx, const struct visit_span *s) {
    (void)ctx, (void)s;
    return ERR_EXISTS;
}

enum err impact_share_traces(const struct impact_source *src, const struct impact_of *a, struct str b,
                             struct impact_window w, bool *out, struct err_ctx *ctx) {
    struct visit q = { .n_fields = 0, .each = enough };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    impact_put_service(&filter, "=", a);
    buf_str(&filter, STR(" } && "));
    impact_put_service(&filter, "=", &(struct impact_of){ .service = b });
    buf_str(&filter, STR(" }"));
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    *out = e == ERR_EXISTS;
    return e == ERR_EXISTS ? ERR_OK : e;
}
