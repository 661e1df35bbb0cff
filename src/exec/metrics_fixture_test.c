// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_fixture_test.h"

#include <math.h>
#include <stdlib.h>

// --- the batch -------------------------------------------------------------------------------------

struct source { // of a part
    struct field field;
    enum value_type type; // NIL: a dictionary
    struct value *dict;
    uint32_t n_dict;
};

static struct value text(const char *s) {
    return s ? VALUE_OF_STR(str_of(s)) : VALUE_OF_NIL;
}

static struct value span_value(const struct fake_span *s, const struct field *f) {
    if (f->intrinsic == INTRINSIC_NAME) return text(s->name);
    if (f->intrinsic == INTRINSIC_DURATION)
        return (struct value){ .type = VALUE_DURATION, .i = (int64_t)s->duration_ns };
    if (f->intrinsic == INTRINSIC_STATUS) return (struct value){ .type = VALUE_STATUS, .i = s->trace % 3 };
    if (f->intrinsic != INTRINSIC_NONE) return VALUE_OF_NIL;
    if (f->scope == FIELD_RESOURCE && str_eq(f->key, STR("service.name"))) return text(s->service);
    if (f->scope == FIELD_SPAN && str_eq(f->key, STR("size"))) return s->size;
    if (f->scope == FIELD_SPAN && str_eq(f->key, STR("route"))) return s->route;
    return VALUE_OF_NIL;
}

static struct batch_part *add_part(struct fake_batch *f, const struct field *field, enum value_type type,
                                   struct batch_column *out) {
    struct batch_part *p = &out->parts[out->n_parts++];
    struct source *s = ARENA_NEW(&f->arena, struct source);
    if (!s) return NULL;
    *s = (struct source){ .field = *field, .type = type };
    *p = (struct batch_part){ .type = type, .source = s };
    return p;
}

// One part with a dictionary, or one for each type.
static enum err fake_column(struct batch *b, enum batch_table table, const struct field *field,
                            struct batch_column *out) {
    struct fake_batch *f = (struct fake_batch *)b;
    bool seen[VALUE_TYPE_COUNT] = { 0 };
    *out = (struct batch_column){ arena_zalloc(&f->arena, VALUE_TYPE_COUNT * sizeof(struct batch_part)), 0 };
    if (!out->parts) return ERR_NOMEM;
    for (uint32_t i = 0; table == BATCH_SPANS && i < b->n_rows; i++)
        seen[span_value(f->rows[i], field).type] = true;
    if (seen[VALUE_STRING] && !f->shape.texts) {
        struct batch_part *p = add_part(f, field, VALUE_NIL, out);
        if (!p) return ERR_NOMEM;
        struct source *s = p->source;
        s->dict = arena_alloc(&f->arena, (b->n_rows + 1) * 2 * sizeof *s->dict);
        if (!s->dict) return ERR_NOMEM;
        s->dict[s->n_dict++] = VALUE_OF_NIL;
        for (uint32_t i = 0; i < b->n_rows; i++) {
            struct value v = span_value(f->rows[i], field);
            uint32_t k = 0;
            while (k < s->n_dict && value_order(&s->dict[k], &v) != 0) k++;
            if (k == s->n_dict) s->dict[s->n_dict++] = v;
        }
        p->dict = s->dict;
        p->n_dict = s->n_dict;
        if (!f->shape.repeats) return ERR_OK;
        memcpy(s->dict + s->n_dict, s->dict, s->n_dict * sizeof *s->dict);
        p->n_dict = s->n_dict * 2;
        return ERR_OK;
    }
    for (int t = VALUE_BOOL; t < VALUE_TYPE_COUNT; t++)
        if (seen[t] && !add_part(f, field, (enum value_type)t, out)) return ERR_NOMEM;
    return ERR_OK;
}

static uint32_t code_of(const struct source *s, const struct value *v) {
    uint32_t k = 0;
    while (value_order(&s->dict[k], v) != 0) k++;
    return k;
}

static enum err fake_load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                          struct vec *out) {
    struct fake_batch *f = (struct fake_batch *)b;
    const struct source *s = p->source;
    uint32_t n = to - from, *rows = arena_alloc(&f->arena, (n + 1) * sizeof *rows);
    void *values = arena_alloc(&f->arena, (n + 1) * sizeof(struct str));
    if (!rows || !values) return ERR_NOMEM;
    *out = (struct vec){ .rows = rows, .codes = values };
    out->form = s->dict                                           ? VEC_CODES
                : s->type == VALUE_FLOAT                          ? VEC_FLOATS
                : s->type == VALUE_STRING || s->type == VALUE_ANY ? VEC_TEXTS
                                                                  : VEC_INTS;
    for (uint32_t i = 0; i < n; i++) {
        struct value v = span_value(f->rows[from + i], &s->field);
        if (!s->dict && v.type != s->type) continue;
        if (s->dict)
            ((uint32_t *)values)[out->n] = code_of(s, &v) + (f->shape.repeats && i % 2 ? s->n_dict : 0);
        else if (out->form == VEC_TEXTS)
            ((struct str *)values)[out->n] = v.s;
        else
            ((int64_t *)values)[out->n] = v.i; // the bits of a double too
        rows[out->n++] = i;
    }
    if (out->n == n) out->rows = NULL;
    return ERR_OK;
}

static enum err fake_starts(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    struct fake_batch *f = (struct fake_batch *)b;
    uint64_t *t = arena_alloc(&f->arena, (to - from + 1) * sizeof *t);
    if (!t) return ERR_NOMEM;
    for (uint32_t i = from; i < to; i++) t[i - from] = f->rows[i]->start_ns;
    f->starts_read += to - from;
    *out = t;
    return ERR_OK;
}

static enum err fake_bounds(struct batch *b, const struct batch_bounds **out, uint32_t *out_n) {
    struct fake_batch *f = (struct fake_batch *)b;
    uint32_t size = f->shape.stretch ? f->shape.stretch : b->n_rows + 1, n = 0;
    *out_n = 0;
    if (f->shape.no_bounds) return ERR_OK;
    struct batch_bounds *x = arena_zalloc(&f->arena, (b->n_rows / size + 1) * sizeof *x);
    if (!x) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        int64_t t = (int64_t)f->rows[i]->start_ns;
        if (i % size == 0) x[n++] = (struct batch_bounds){ i, 0, false, t, t, true };
        struct batch_bounds *at = &x[n - 1];
        at->n++;
        if (t < at->min) at->min = t;
        if (t > at->max) at->max = t;
    }
    *out = x;
    *out_n = n;
    return ERR_OK;
}

static enum err fake_keys(struct batch *b, enum field_scope scope, void (*each)(void *ctx, struct str key),
                          void *ctx) {
    (void)b;
    if (scope == FIELD_RESOURCE) each(ctx, STR("service.name"));
    if (scope == FIELD_SPAN) each(ctx, STR("size"));
    if (scope == FIELD_SPAN) each(ctx, STR("route"));
    if (scope == FIELD_SPAN) each(ctx, STR("gone"));
    return ERR_OK;
}

static enum err fake_owners(struct batch *b, enum batch_table table, const uint32_t **out, uint32_t *out_n) {
    static const uint32_t none;
    (void)b;
    ASSERT(table != BATCH_SPANS);
    *out = &none;
    *out_n = 0;
    return ERR_OK;
}

static const struct batch_ops fake_ops = {
    .column = fake_column,
    .load = fake_load,
    .starts = fake_starts,
    .start_bounds = fake_bounds,
    .owners = fake_owners,
    .keys = fake_keys,
};

enum err fake_batch_open(struct fake_batch *f, const struct fake_span *spans, uint32_t n,
                         struct fake_shape shape) {
    *f = (struct fake_batch){ .shape = shape, .number = METRIC_BATCH_ONCE };
    arena_init(&f->arena, SIZE_MAX, NULL);
    f->rows = arena_alloc(&f->arena, (n + 1) * sizeof *f->rows);
    f->bits = arena_zalloc(&f->arena, (n / 64 + 1) * sizeof *f->bits);
    uint32_t *order = arena_alloc(&f->arena, (n + 1) * sizeof *order);
    struct batch_trace *traces = arena_zalloc(&f->arena, (n + 1) * sizeof *traces);
    if (f->arena.failed) return ERR_NOMEM;
    f->batch = (struct batch){ .ops = &fake_ops, .arena = &f->arena, .n_rows = n, .traces = traces };
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (uint32_t i = n; shape.shuffled && i > 1; i--) {
        uint32_t k = (uint32_t)test_below(i), x = order[k];
        order[k] = order[i - 1];
        order[i - 1] = x;
    }
    for (uint32_t i = 0; i < n; i++) {
        f->rows[order[i]] = &spans[i];
        bit_set(f->bits, i);
        if (i == 0 || spans[i].trace != spans[i - 1].trace) {
            struct batch_trace *t = &traces[f->batch.n_traces++];
            *t = (struct batch_trace){ .first = i };
            memcpy(t->id, &spans[i].trace, sizeof spans[i].trace);
        }
        traces[f->batch.n_traces - 1].n++;
    }
    if (shape.shuffled) f->batch.order = order;
    return ERR_OK;
}

void fake_batch_close(struct fake_batch *f) {
    arena_fini(&f->arena);
}

enum err fake_add(struct metric_acc *m, const struct metric_plan *p, struct fake_batch *f,
                  uint64_t selected_ns) {
    uint32_t n;
    const struct field *fields = metric_plan_fields(p, &n);
    struct rows *rows;
    TRY(rows_new(&f->batch, fields, n, &rows));
    uint64_t *selected = arena_zalloc(&f->arena, (f->batch.n_rows / 64 + 1) * sizeof *selected);
    if (!selected) return ERR_NOMEM;
    for (uint32_t i = 0; i < f->batch.n_rows; i++)
        if (f->rows[i]->duration_ns >= selected_ns) bit_set(selected, i);
    return metric_add(m, &f->batch, f->number, rows, f->bits, selected);
}

// --- answers ---------------------------------------------------------------------------------------

static void print_labels(const struct metric_label *l, uint32_t n, struct buf *out) {
    buf_char(out, '{');
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_str(out, STR(", "));
        buf_str(out, l[i].key);
        buf_char(out, '=');
        value_text(&l[i].value, out);
    }
    buf_char(out, '}');
}

void answer_print(const struct metric_series *s, uint32_t n, uint32_t steps, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        print_labels(s[i].labels, s[i].n_labels, out);
        for (uint32_t k = 0; k < steps; k++) {
            if (isnan(s[i].samples[k]))
                buf_str(out, STR(" -"));
            else
                buf_fmt(out, " %.12g", s[i].samples[k]);
        }
        for (uint32_t k = 0; k < s[i].n_exemplars; k++) {
            const struct metric_exemplar *e = &s[i].exemplars[k];
            uint32_t trace;
            memcpy(&trace, e->trace_id, sizeof trace);
            buf_fmt(out, " t%u@%g=%g", trace, (double)e->time_ns / 1e9, e->value);
            print_labels(e->labels, e->n_labels, out);
        }
        buf_char(out, '\n');
    }
}

static uint32_t count_functions(const struct ql_metric *m) {
    if (m->kind == QL_METRIC_OP) return count_functions(m->left) + count_functions(m->right);
    return m->kind == QL_METRIC_FUNCTION;
}

static const struct ql_metric *function_at(const struct ql_metric *m, uint32_t i) {
    while (m->kind == QL_METRIC_OP) {
        uint32_t left = count_functions(m->left);
        if (i < left) {
            m = m->left;
        } else {
            m = m->right;
            i -= left;
        }
    }
    return m;
}

struct running {
    const struct fake_run *run;
    struct arena arena;
    struct metric_acc *accs[8], *part[8];
    uint32_t n_accs, n_parts;
    struct kept_part { // to be opened again; shuffled rows must lie as they did
        struct fake_batch batch;
        uint32_t opened;
    } kept[64];
    uint32_t n_kept, looks;
    struct metric_caller caller;
};

static enum err open_again(void *ctx, uint32_t number, struct batch **out) {
    struct running *w = ctx;
    CHECK(number < w->n_kept && w->kept[number].opened++ < 8);
    *out = &w->kept[number].batch.batch;
    return ERR_OK;
}

static enum err check(void *ctx) {
    struct running *w = ctx;
    return ++w->looks == w->run->stop_at ? ERR_CANCELED : ERR_OK;
}

// The spans of one part: whole traces.
static enum err add_part_spans(struct running *w, const struct metric_plan *p, struct metric_acc *m,
                               const uint8_t *part_of, uint32_t part) {
    const struct fake_run *r = w->run;
    struct fake_span *spans = arena_alloc(&w->arena, (r->n + 1) * sizeof *spans);
    uint32_t n = 0;
    if (!spans) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->n; i++)
        if (!part_of || part_of[r->spans[i].trace] == part) spans[n++] = r->spans[i];
    ASSERT(w->n_kept < sizeof w->kept / sizeof *w->kept);
    struct fake_batch *f = &w->kept[w->n_kept++].batch;
    TRY(fake_batch_open(f, spans, n, r->shape));
    if (r->again) f->number = w->n_kept - 1;
    return fake_add(m, p, f, r->selected_ns);
}

static enum err repack(const struct metric_plan *p, struct metric_acc **at, uint32_t number) {
    struct buf bytes;
    struct metric_acc *to;
    buf_init(&bytes, SIZE_MAX);
    metric_pack(*at, &bytes);
    TRY(metric_acc_new(p, NULL, NULL, &to));
    metric_acc_free(*at);
    *at = to;
    enum err e = bytes.failed ? ERR_NOMEM : metric_unpack(to, buf_view(&bytes), number);
    buf_fini(&bytes);
    return e;
}

// Through bytes into a wider range, and from there into its own.
static enum err go_through_bytes(struct running *w, const struct ql_metric *m, const struct metric_plan *p,
                                 struct metric_acc **at) {
    enum { BEFORE = 5, BEHIND = 3 };
    struct metric_range wide = *w->run->range;
    struct metric_plan *of_wide;
    if (!wide.is_instant) {
        wide.start_ns -= BEFORE * wide.step_ns;
        wide.end_ns += BEHIND * wide.step_ns;
    }
    TRY(metric_plan_new(&w->arena, m, &wide, &of_wide));
    TRY(repack(of_wide, at, 77));
    return repack(p, at, w->n_kept - 1);
}

static enum err run_function(struct running *w, const struct ql_metric *m, struct metric_acc **out) {
    const struct fake_run *r = w->run;
    struct metric_plan *p;
    uint32_t parts = r->parts ? r->parts : 1;
    uint8_t *part_of = NULL;
    TRY(metric_plan_new(&w->arena, m, r->range, &p));
    if (r->parts) {
        part_of = arena_zalloc(&w->arena, 65536);
        if (!part_of) return ERR_NOMEM;
        for (uint32_t i = 0; i < r->n; i++) ASSERT(r->spans[i].trace < 65536);
        for (uint32_t i = 0; i < 65536; i++) part_of[i] = (uint8_t)test_below(parts);
    }
    for (w->n_parts = 0; w->n_parts < parts;) {
        struct metric_acc **at = &w->part[w->n_parts];
        TRY(metric_acc_new(p, NULL, &w->caller, at));
        TRY(add_part_spans(w, p, *at, part_of, w->n_parts++));
        if (r->packed && r->again) TRY(go_through_bytes(w, m, p, at));
    }
    while (w->n_parts > 1) {
        uint32_t from = (uint32_t)test_below(w->n_parts), to = (uint32_t)test_below(w->n_parts);
        if (from == to) continue;
        TRY(metric_merge(w->part[to], w->part[from]));
        metric_acc_free(w->part[from]);
        w->part[from] = w->part[--w->n_parts];
    }
    *out = w->part[0];
    w->n_parts = 0;
    return ERR_OK;
}

static enum err run_all(struct running *w, const struct ql_metric *m, struct buf *out) {
    const struct fake_run *r = w->run;
    struct metric_series *s;
    uint32_t n, functions = count_functions(m);
    bool cut;
    for (; w->n_accs < functions; w->n_accs++)
        TRY(run_function(w, function_at(m, w->n_accs), &w->accs[w->n_accs]));
    TRY(metric_finish(&w->arena, m, w->accs, w->n_accs, &w->caller, r->max_series, &s, &n, &cut));
    struct metric_plan *p;
    TRY(metric_plan_new(&w->arena, function_at(m, 0), r->range, &p));
    answer_print(s, n, metric_plan_steps(p), out);
    if (cut) buf_str(out, STR("cut\n"));
    return out->failed ? ERR_NOMEM : ERR_OK;
}

enum err metric_run_try(const struct ql_metric *m, const struct fake_run *r, struct buf *out) {
    struct running w = { .run = r };
    w.caller = (struct metric_caller){ r->again ? open_again : NULL, check, &w };
    arena_init(&w.arena, SIZE_MAX, NULL);
    enum err e = run_all(&w, m, out);
    for (uint32_t i = 0; i < w.n_accs; i++) metric_acc_free(w.accs[i]);
    for (uint32_t i = 0; i < w.n_parts; i++) metric_acc_free(w.part[i]);
    for (uint32_t i = 0; i < w.n_kept; i++) fake_batch_close(&w.kept[i].batch);
    arena_fini(&w.arena);
    if (r->looks) *r->looks = w.looks;
    return e;
}

void metric_run_text(const struct ql_metric *m, const struct fake_run *r, struct buf *out) {
    CHECK_OK(metric_run_try(m, r, out));
}

void metric_run_check(const struct ql_metric *m, const struct fake_run *r, const char *want, const char *file,
                      int line) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    metric_run_text(m, r, &b);
    test_str(buf_view(&b), str_of(want), file, line, "the answer");
    buf_fini(&b);
}
