// SPDX-License-Identifier: Apache-2.0
#include "impact/variants.h"

#include "impact/scan_internal.h"

void impact_variants_init(struct impact_variants *v, struct arena *a) {
    memset(v, 0, sizeof *v);
    v->arena = a;
    map_init(&v->map, VARIANT_TRACES_MAX);
}

void impact_variants_fini(struct impact_variants *v) {
    map_fini(&v->map);
    mem_free(v->traces);
    v->traces = NULL;
    v->n_traces = v->cap = 0;
}

// --- traces ------------------------------------------------------------------------------------------------

static uint64_t trace_hash(const void *ctx, uint32_t i) {
    return hash_xxh64(((const struct impact_variants *)ctx)->traces[i].id, 16);
}
static bool trace_eq(const void *ctx, uint32_t i, const void *key) {
    return memcmp(((const struct impact_variants *)ctx)->traces[i].id, key, 16) == 0;
}

static bool is_kept(const struct impact_variants *v, uint64_t hash) {
    return ((uint32_t)hash & ((1u << v->shift) - 1)) == 0;
}

static enum err forget_half(struct impact_variants *v) {
    uint32_t n = 0;
    v->shift++;
    for (uint32_t i = 0; i < v->n_traces; i++)
        if (is_kept(v, trace_hash(v, i))) v->traces[n++] = v->traces[i];
    v->n_traces = n;
    map_reset(&v->map);
    for (uint32_t i = 0; i < n; i++) TRY(map_put(&v->map, trace_hash(v, i), i, trace_hash, v));
    return ERR_OK;
}

static enum err make_room(struct impact_variants *v) {
    while (v->n_traces == VARIANT_TRACES_MAX && v->shift < 20) TRY(forget_half(v));
    if (v->n_traces < v->cap) return ERR_OK;
    if (v->n_traces == VARIANT_TRACES_MAX) return ERR_LIMIT;
    struct variant_trace *more = mem_grow(v->traces, v->n_traces, &v->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    v->traces = more;
    return ERR_OK;
}

static enum err number_of(struct impact_variants *v, struct str variant, uint8_t *out) {
    for (uint32_t i = 0; i < v->n; i++) {
        *out = (uint8_t)i;
        if (str_eq(v->names[i], variant)) return ERR_OK;
    }
    if (v->n == VARIANTS_MAX) {
        v->cut = true;
        *out = VARIANTS_MAX;
        return ERR_OK;
    }
    *out = (uint8_t)v->n;
    v->names[v->n] = str_dup(v->arena, variant);
    if (v->arena->failed) return ERR_NOMEM;
    v->n++;
    return ERR_OK;
}

enum err impact_variants_add(struct impact_variants *v, const uint8_t trace_id[16], struct str variant) {
    uint64_t hash = hash_xxh64(trace_id, 16);
    uint8_t number;
    TRY(number_of(v, variant, &number));
    if (!is_kept(v, hash)) return ERR_OK;
    uint32_t at = map_get(&v->map, hash, trace_eq, v, trace_id);
    if (at != MAP_NONE) {
        struct variant_trace *t = &v->traces[at];
        v->n_mixed += t->variant != number && t->variant != VARIANTS_MAX;
        if (t->variant != number) t->variant = VARIANTS_MAX;
        return ERR_OK;
    }
    TRY(make_room(v));
    if (!is_kept(v, hash)) return ERR_OK;
    struct variant_trace *t = &v->traces[v->n_traces];
    memcpy(t->id, trace_id, sizeof t->id);
    t->variant = number;
    TRY(map_put(&v->map, hash, v->n_traces, trace_hash, v));
    v->n_traces++;
    return ERR_OK;
}

struct str impact_variant_of(const struct impact_variants *v, const uint8_t trace_id[16]) {
    uint32_t at = map_get(&v->map, hash_xxh64(trace_id, 16), trace_eq, v, trace_id);
    if (at == MAP_NONE || v->traces[at].variant >= v->n) return STR("");
    return v->names[v->traces[at].variant];
}

bool impact_variants_keep(const struct impact_variants *v, const uint8_t trace_id[16]) {
    return is_kept(v, hash_xxh64(trace_id, 16));
}

// --- evaluations -------------------------------------------------------------------------------------------

static const char *const fields[] = {
    "span.feature_flag.key",          "span.feature_flag.result.variant",
    "span.feature_flag.variant",      "span.feature_flag.result.value",
    "event.feature_flag.key",         "event.feature_flag.result.variant",
    "event.feature_flag.variant",     "event.feature_flag.result.value",
    "resource.service.name",          "resource.deployment.environment.name",
    "resource.deployment.environment"
};
// Of the span, and the same of one of its events.
enum {
    V_KEY,
    V_VARIANT,
    V_OLD_VARIANT,
    V_VALUE,
    V_EVENT,
    V_SERVICE = 2 * V_EVENT,
    V_ENVIRONMENT,
    V_OLD_ENVIRONMENT,
    V_COUNT
};

struct evaluating {
    struct impact_variants *out;
    struct str flag, environment;
};

// A flag without variants has its value, on or off.
static struct str variant_of(const struct value *v) {
    struct str named = scan_first(&v[V_VARIANT], &v[V_OLD_VARIANT]);
    if (named.len) return named;
    if (v[V_VALUE].type == VALUE_BOOL) return v[V_VALUE].i ? STR("true") : STR("false");
    return scan_text(&v[V_VALUE]);
}

static enum err note_evaluator(struct impact_variants *v, struct str service) {
    for (uint32_t i = 0; i < v->n_evaluators; i++)
        if (str_eq(v->evaluators[i].service, service)) {
            v->evaluators[i].n++;
            return ERR_OK;
        }
    if (v->n_evaluators == EVALUATORS_MAX) return ERR_OK; // the first ones are the busy ones
    v->evaluators[v->n_evaluators++] = (struct evaluator){ str_dup(v->arena, service), 1 };
    return v->arena->failed ? ERR_NOMEM : ERR_OK;
}

struct str impact_evaluator(const struct impact_variants *v) {
    const struct evaluator *most = NULL;
    for (uint32_t i = 0; i < v->n_evaluators; i++)
        if (!most || v->evaluators[i].n > most->n) most = &v->evaluators[i];
    return most ? most->service : STR("");
}

static enum err see_span(void *ctx, const struct visit_span *s) {
    struct evaluating *x = ctx;
    const struct value *v = s->values;
    const struct value *of = str_eq(scan_text(&v[V_EVENT + V_KEY]), x->flag) ? v + V_EVENT : v;
    struct str variant = variant_of(of);
    if (!str_eq(scan_text(&of[V_KEY]), x->flag) || !variant.len ||
        !scan_same_environment(x->environment, &v[V_ENVIRONMENT], &v[V_OLD_ENVIRONMENT]))
        return ERR_OK;
    TRY(note_evaluator(x->out, scan_text(&v[V_SERVICE])));
    return impact_variants_add(x->out, s->trace_id, variant);
}

enum err impact_variants_read(struct impact_variants *v, const struct impact_source *src, struct str flag,
                              struct str environment, struct impact_window w, struct err_ctx *ctx) {
    struct evaluating x = { v, flag, environment };
    struct visit q = { .fields = fields, .n_fields = V_COUNT, .by_event = true, .each = see_span, .ctx = &x };
    struct visit_answer answer;
    struct buf filter;
    buf_init(&filter, SCAN_FILTER_MAX);
    buf_str(&filter, STR("{ span.feature_flag.key = "));
    visit_quote(&filter, flag);
    buf_str(&filter, STR(" || event.feature_flag.key = "));
    visit_quote(&filter, flag);
    buf_str(&filter, STR(" }"));
    enum err e = scan_visit(src, &filter, w, &q, &answer, ctx);
    buf_fini(&filter);
    if (e == ERR_OK && answer.partial) {
        v->partial = true;
        memcpy(v->why, answer.why, sizeof v->why);
    }
    return e;
}
