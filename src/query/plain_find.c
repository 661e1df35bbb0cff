// SPDX-License-Identifier: Apache-2.0
// Sets of spans of one trace, stage by stage, and the answer to a search.
#include "query/plain.h"

#include <stdlib.h>

#include "base/json.h"

struct run {
    struct arena *arena;
    const struct plain_data *data;
    const struct plain_trace *trace;
    uint32_t n; // spans of the trace
};

static struct plain_look look_at(const struct run *r, uint32_t i) {
    return (struct plain_look){ .data = r->data,
                                .trace = r->trace,
                                .span = &r->data->spans[r->trace->first + i] };
}

static bool *new_mask(const struct run *r) {
    return PLAIN_NEW(r->arena, r->n, bool);
}

static bool is_empty(const struct run *r, const bool *has) {
    for (uint32_t i = 0; i < r->n; i++)
        if (has[i]) return false;
    return true;
}

static void sets_add(const struct run *r, struct plain_sets *s, struct plain_set set) {
    struct plain_set *more = PLAIN_NEW(r->arena, s->n + 1, struct plain_set);
    if (s->n) memcpy(more, s->at, s->n * sizeof *more);
    more[s->n++] = set;
    s->at = more;
}

static struct plain_set with_attr(const struct run *r, struct plain_set set, struct str key, struct value v) {
    struct find_attr *more = PLAIN_NEW(r->arena, set.n_attrs + 1, struct find_attr);
    if (set.n_attrs) memcpy(more, set.attrs, set.n_attrs * sizeof *more);
    more[set.n_attrs++] = (struct find_attr){ key, v };
    set.attrs = more;
    return set;
}

// --- relations -----------------------------------------------------------------------------------

// The parent's place in the trace, or SPAN_NONE.
static uint32_t parent_of(const struct run *r, uint32_t i) {
    uint32_t p = r->data->spans[r->trace->first + i].parent;
    return p == SPAN_NONE ? SPAN_NONE : p - r->trace->first;
}

// Whether a is met on the way up from b.
static bool is_above(const struct run *r, uint32_t a, uint32_t b) {
    for (uint32_t p = parent_of(r, b); p != SPAN_NONE; p = parent_of(r, p))
        if (p == a) return true;
    return false;
}

static bool are_related(const struct run *r, enum ql_relation relation, uint32_t a, uint32_t b) {
    switch (relation) {
    case QL_REL_DESCENDANT: return is_above(r, a, b);
    case QL_REL_CHILD: return parent_of(r, b) == a;
    case QL_REL_ANCESTOR: return is_above(r, b, a);
    case QL_REL_PARENT: return parent_of(r, a) == b;
    case QL_REL_SIBLING: return a != b && parent_of(r, a) != SPAN_NONE && parent_of(r, a) == parent_of(r, b);
    default: return false;
    }
}

static void relate(const struct run *r, const struct ql_spanset *s, const bool *a, const bool *b, bool *out) {
    for (uint32_t k = 0; k < r->n; k++) {
        bool found = false;
        for (uint32_t i = 0; i < r->n && b[k]; i++) {
            if (!a[i] || !are_related(r, s->relation, i, k)) continue;
            found = true;
            if (s->both) out[i] = true;
        }
        if (b[k] && found != s->negated) out[k] = true;
    }
}

static struct plain_sets run_pipeline(const struct run *r, const struct ql_pipeline *p,
                                      struct plain_sets sets);
static bool *select_spans(const struct run *r, const struct ql_spanset *s, const bool *from);

static bool *combine(const struct run *r, const struct ql_spanset *s, const bool *from) {
    bool *a = select_spans(r, s->left, from), *b = select_spans(r, s->right, from), *out = new_mask(r);
    if (s->relation != QL_REL_AND && s->relation != QL_REL_OR) {
        relate(r, s, a, b, out);
        return out;
    }
    if (s->relation == QL_REL_AND && (is_empty(r, a) || is_empty(r, b))) return out;
    for (uint32_t i = 0; i < r->n; i++) out[i] = a[i] || b[i];
    return out;
}

static bool *filter_spans(const struct run *r, const struct ql_expr *filter, const bool *from) {
    bool *out = new_mask(r);
    for (uint32_t i = 0; i < r->n; i++) {
        struct plain_look at = look_at(r, i);
        out[i] = from[i] && plain_matches(&at, filter);
    }
    return out;
}

// The spans that a spanset expression takes of a set.
static bool *select_spans(const struct run *r, const struct ql_spanset *s, const bool *from) {
    if (s->kind == QL_FILTER) return filter_spans(r, s->filter, from);
    if (s->kind == QL_RELATION) return combine(r, s, from);
    struct plain_sets one = { .n = 0 };
    sets_add(r, &one, (struct plain_set){ .has = (bool *)from });
    one = run_pipeline(r, s->pipeline, one);
    ASSERT(one.n <= 1); // more are refused when the query is checked
    return one.n ? one.at[0].has : new_mask(r);
}

// --- scalars -------------------------------------------------------------------------------------

static struct value scalar(const struct run *r, const struct ql_scalar *s, const bool *set);

static struct value aggregate(const struct run *r, const struct ql_scalar *s, const bool *set) {
    struct value *values = PLAIN_NEW(r->arena, r->n, struct value);
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        struct plain_look at = look_at(r, i);
        if (set[i]) values[n++] = s->aggregate == QL_COUNT ? VALUE_OF_INT(1) : plain_eval(&at, s->of);
    }
    return s->aggregate == QL_COUNT ? VALUE_OF_INT(n) : plain_aggregate(s->aggregate, values, n);
}

static struct plain_sets whole_trace(const struct run *r) {
    struct plain_sets sets = { .n = 0 };
    bool *all = new_mask(r);
    memset(all, true, r->n);
    sets_add(r, &sets, (struct plain_set){ .has = all });
    return sets;
}

static struct value scalar(const struct run *r, const struct ql_scalar *s, const bool *set) {
    struct value a, b;
    struct plain_sets own;
    switch (s->kind) {
    case QL_SCALAR_CONST: return s->value;
    case QL_SCALAR_AGGREGATE: return aggregate(r, s, set);
    case QL_SCALAR_PIPELINE:
        own = run_pipeline(r, s->pipeline, whole_trace(r));
        return own.n == 1 ? scalar(r, s->left, own.at[0].has) : VALUE_OF_NIL;
    default:
        a = scalar(r, s->left, set);
        if (s->op == QL_NEG) return plain_negate(&a);
        b = scalar(r, s->right, set);
        return plain_calculate(s->op, &a, &b);
    }
}

// --- stages --------------------------------------------------------------------------------------

static struct plain_sets keep_by_spanset(const struct run *r, const struct ql_stage *st,
                                         struct plain_sets in) {
    struct plain_sets out = { .n = 0 };
    for (uint32_t i = 0; i < in.n; i++) {
        struct plain_set set = in.at[i];
        set.has = select_spans(r, st->spanset, set.has);
        if (!is_empty(r, set.has)) sets_add(r, &out, set);
    }
    return out;
}

static struct plain_sets keep_by_scalar(const struct run *r, const struct ql_stage *st,
                                        struct plain_sets in) {
    struct plain_sets out = { .n = 0 };
    for (uint32_t i = 0; i < in.n; i++) {
        struct value a = scalar(r, st->left, in.at[i].has), b = scalar(r, st->right, in.at[i].has);
        if (!plain_compare(st->op, &a, &b, NULL)) continue;
        bool named = st->left->kind == QL_SCALAR_AGGREGATE;
        sets_add(r, &out, named ? with_attr(r, in.at[i], st->label, a) : in.at[i]);
    }
    return out;
}

// The least value of the spans in `left`; false: none is in it.
static bool least(const struct run *r, const struct value *values, const bool *left, struct value *out) {
    bool found = false;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!left[i] || (found && plain_order(&values[i], out) >= 0)) continue;
        *out = values[i];
        found = true;
    }
    return found;
}

static struct plain_sets split(const struct run *r, const struct ql_stage *st, struct plain_sets in) {
    struct plain_sets out = { .n = 0 };
    struct value *values = PLAIN_NEW(r->arena, r->n, struct value), v;
    for (uint32_t i = 0; i < r->n; i++) {
        struct plain_look at = look_at(r, i);
        values[i] = plain_eval(&at, st->by);
    }
    for (uint32_t k = 0; k < in.n; k++) {
        bool *left = new_mask(r);
        memcpy(left, in.at[k].has, r->n * sizeof *left);
        while (least(r, values, left, &v)) {
            struct plain_set group = in.at[k];
            group.has = new_mask(r);
            for (uint32_t i = 0; i < r->n; i++) {
                group.has[i] = left[i] && plain_order(&values[i], &v) == 0;
                left[i] &= !group.has[i];
            }
            sets_add(r, &out, with_attr(r, group, st->label, v));
        }
    }
    return out;
}

static struct plain_sets coalesce(const struct run *r, struct plain_sets in) {
    struct plain_sets out = { .n = 0 };
    struct plain_set all = { .has = new_mask(r) };
    for (uint32_t k = 0; k < in.n; k++)
        for (uint32_t i = 0; i < r->n; i++) all.has[i] |= in.at[k].has[i];
    if (in.n) sets_add(r, &out, all);
    return out;
}

static struct plain_sets run_stage(const struct run *r, const struct ql_stage *st, struct plain_sets in) {
    switch (st->kind) {
    case QL_STAGE_SPANSET: return keep_by_spanset(r, st, in);
    case QL_STAGE_SCALAR: return keep_by_scalar(r, st, in);
    case QL_STAGE_BY: return split(r, st, in);
    case QL_STAGE_COALESCE: return coalesce(r, in);
    default: return in; // select() shows more, nothing else
    }
}

static struct plain_sets run_pipeline(const struct run *r, const struct ql_pipeline *p,
                                      struct plain_sets sets) {
    for (uint32_t i = 0; i < p->n_stages; i++) sets = run_stage(r, &p->stages[i], sets);
    return sets;
}

struct plain_sets plain_run(struct arena *a, const struct plain_data *d, const struct plain_trace *t,
                            const struct ql_pipeline *p) {
    struct run r = { .arena = a, .data = d, .trace = t, .n = t->n };
    return run_pipeline(&r, p, whole_trace(&r));
}

// --- what is shown -------------------------------------------------------------------------------

// The fields that a query reads, in order of their first appearance, each once.
struct fields {
    struct arena *arena;
    const struct field **at;
    uint32_t n;
    const struct ql_expr **filters; // all of them
    uint32_t n_filters;
};

static void note_field(struct fields *s, const struct field *f) {
    for (uint32_t i = 0; i < s->n; i++)
        if (field_eq(s->at[i], f)) return;
    const struct field **more = PLAIN_NEW(s->arena, s->n + 1, const struct field *);
    if (s->n) memcpy(more, s->at, s->n * sizeof *more);
    more[s->n++] = f;
    s->at = more;
}

static void note_expr(struct fields *s, const struct ql_expr *e) {
    if (!e) return;
    if (e->kind == QL_FIELD) note_field(s, &e->field);
    if (e->kind == QL_UNARY || e->kind == QL_BINARY) note_expr(s, e->left);
    if (e->kind == QL_BINARY) note_expr(s, e->right);
}

static void note_filter(struct fields *s, const struct ql_expr *filter) {
    if (!filter) return;
    const struct ql_expr **more = PLAIN_NEW(s->arena, s->n_filters + 1, const struct ql_expr *);
    if (s->n_filters) memcpy(more, s->filters, s->n_filters * sizeof *more);
    more[s->n_filters++] = filter;
    s->filters = more;
    note_expr(s, filter);
}

static void note_pipeline(struct fields *s, const struct ql_pipeline *p);

static void note_spanset(struct fields *s, const struct ql_spanset *x) {
    if (x->kind == QL_FILTER) note_filter(s, x->filter);
    if (x->kind == QL_WRAPPED) note_pipeline(s, x->pipeline);
    if (x->kind != QL_RELATION) return;
    note_spanset(s, x->left);
    note_spanset(s, x->right);
}

static void note_scalar(struct fields *s, const struct ql_scalar *x) {
    if (!x) return;
    if (x->kind == QL_SCALAR_PIPELINE) note_pipeline(s, x->pipeline);
    if (x->kind == QL_SCALAR_AGGREGATE && x->aggregate != QL_COUNT) note_expr(s, x->of);
    if (x->kind == QL_SCALAR_PIPELINE || x->kind == QL_SCALAR_OP) note_scalar(s, x->left);
    if (x->kind == QL_SCALAR_OP) note_scalar(s, x->right);
}

static void note_pipeline(struct fields *s, const struct ql_pipeline *p) {
    for (uint32_t i = 0; i < p->n_stages; i++) {
        const struct ql_stage *st = &p->stages[i];
        if (st->kind == QL_STAGE_SPANSET) note_spanset(s, st->spanset);
        if (st->kind == QL_STAGE_BY) note_expr(s, st->by);
        if (st->kind == QL_STAGE_SCALAR) {
            note_scalar(s, st->left);
            note_scalar(s, st->right);
        }
        for (uint32_t k = 0; st->kind == QL_STAGE_SELECT && k < st->n_fields; k++)
            note_field(s, &st->fields[k]);
    }
}

struct str plain_field_text(struct arena *a, const struct field *f) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    ql_print_field(f, &b);
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

// The key under which answers show a field: an attribute's own, of the parent's the whole field; "": they do
// not show it as an attribute.
static struct str shown_key(struct arena *a, const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return f->of_parent ? plain_field_text(a, f) : f->key;
    case INTRINSIC_STATUS: return STR("status");
    case INTRINSIC_STATUS_MESSAGE: return STR("statusMessage");
    case INTRINSIC_KIND: return STR("kind");
    case INTRINSIC_DURATION:
    case INTRINSIC_NAME:
    case INTRINSIC_SPAN_ID:
    case INTRINSIC_TRACE_ID:
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_ROOT_NAME:
    case INTRINSIC_ROOT_SERVICE:
    case INTRINSIC_PARENT: return STR("");
    default: return intrinsic_name(f->intrinsic);
    }
}

static struct find_span show_span(const struct run *r, const struct fields *fields, uint32_t i) {
    struct plain_look at = look_at(r, i);
    struct find_attr *attrs = PLAIN_NEW(r->arena, fields->n, struct find_attr);
    struct find_span out = { .name = at.span->name,
                             .is_error = at.span->status == 2,
                             .start_ns = at.span->start_ns,
                             .duration_ns = at.span->duration_ns,
                             .attrs = attrs };
    memcpy(&out.span_id, at.span->id, 8);
    for (uint32_t k = 0; k < fields->n; k++) {
        const struct field *f = fields->at[k];
        struct find_attr attr = { shown_key(r->arena, f),
                                  plain_told(&at, f, fields->filters, fields->n_filters) };
        if (f->intrinsic == INTRINSIC_NAME) out.has_name = true;
        bool is_shown = f->intrinsic == INTRINSIC_NONE || attr.key.len > 0;
        if (is_shown && attr.value.type != VALUE_NIL) attrs[out.n_attrs++] = attr;
    }
    return out;
}

static struct find_set show_set(const struct run *r, const struct fields *fields, const struct plain_set *set,
                                uint32_t spans_max) {
    struct find_span *spans = PLAIN_NEW(r->arena, r->n, struct find_span);
    struct find_attr *attrs = PLAIN_NEW(r->arena, set->n_attrs, struct find_attr);
    struct find_set out = { .spans = spans, .attrs = attrs };
    for (uint32_t i = 0; i < set->n_attrs; i++)
        if (set->attrs[i].value.type != VALUE_NIL) attrs[out.n_attrs++] = set->attrs[i];
    for (uint32_t i = 0; i < r->n; i++) {
        if (!set->has[i]) continue;
        if (out.n_spans < spans_max) spans[out.n_spans++] = show_span(r, fields, i);
        out.matched++;
    }
    return out;
}

// --- the answer ----------------------------------------------------------------------------------

struct plain_service {
    struct str name;
    uint32_t spans, errors;
};

static uint32_t count_service(struct plain_service *list, uint32_t n, const struct plain_span *span) {
    uint32_t i = 0, k;
    for (i = 0; i < n && str_cmp(list[i].name, span->service) < 0;) i++;
    if (i == n || !str_eq(list[i].name, span->service)) {
        for (k = n++; k > i; k--) list[k] = list[k - 1];
        list[i] = (struct plain_service){ .name = span->service };
    }
    list[i].spans++;
    list[i].errors += span->status == 2;
    return n;
}

static struct str services_of(const struct run *r, const struct plain_span *spans) {
    struct plain_service *list = PLAIN_NEW(r->arena, r->n, struct plain_service);
    uint32_t n = 0;
    struct buf text;
    for (uint32_t i = 0; i < r->n; i++) n = count_service(list, n, &spans[i]);
    buf_init(&text, SIZE_MAX);
    buf_char(&text, '{');
    for (uint32_t i = 0; i < n; i++) {
        buf_str(&text, i ? STR(",") : STR(""));
        json_quote(&text, list[i].name);
        buf_fmt(&text, ":[%u,%u]", list[i].spans, list[i].errors);
    }
    buf_char(&text, '}');
    struct str copy = str_dup(r->arena, buf_view(&text));
    buf_fini(&text);
    return copy;
}

static struct trace_summary summarise(const struct run *r) {
    const struct plain_span *spans = &r->data->spans[r->trace->first];
    struct trace_summary s = { .start_ns = r->trace->start_ns,
                               .duration_ns = r->trace->end_ns - r->trace->start_ns,
                               .has_root = r->trace->root != SPAN_NONE,
                               .root_name = STR(""),
                               .root_service = STR(""),
                               .spans = r->n,
                               .services = services_of(r, spans) };
    memcpy(s.id, spans[0].trace, 16);
    if (s.has_root) {
        s.root_name = r->data->spans[r->trace->root].name;
        s.root_service = r->data->spans[r->trace->root].service;
    }
    return s;
}

static bool is_in_range(const struct run *r, const struct query_bounds *b) {
    if (b->start_ns == 0 && b->end_ns == 0) return true;
    for (uint32_t i = 0; i < r->n; i++) {
        uint64_t start = r->data->spans[r->trace->first + i].start_ns;
        if (start > b->start_ns && start <= b->end_ns) return true;
    }
    return false;
}

static int newest_first(const void *x, const void *y) {
    const struct trace_summary *a = &((const struct find_trace *)x)->summary;
    const struct trace_summary *b = &((const struct find_trace *)y)->summary;
    if (a->start_ns != b->start_ns) return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(a->id, b->id, 16);
}

void plain_find(const struct plain_data *d, const struct find *f, struct plain_answer *out) {
    *out = (struct plain_answer){ .n = 0 };
    arena_init(&out->arena, SIZE_MAX, NULL);
    struct arena *a = &out->arena;
    struct fields fields = { .arena = a };
    note_pipeline(&fields, f->query->pipeline);
    out->traces = PLAIN_NEW(a, d->n_traces, struct find_trace);
    for (uint32_t i = 0; i < d->n_traces; i++) {
        struct run r = { .arena = a, .data = d, .trace = &d->traces[i], .n = d->traces[i].n };
        if (!is_in_range(&r, &f->bounds)) continue;
        struct plain_sets sets = plain_run(a, d, r.trace, f->query->pipeline);
        if (sets.n == 0) continue;
        struct find_set *shown = PLAIN_NEW(a, sets.n, struct find_set);
        for (uint32_t k = 0; k < sets.n; k++) {
            shown[k] = show_set(&r, &fields, &sets.at[k], f->spans_per_set);
            out->matched_spans += shown[k].matched;
        }
        out->traces[out->n++] =
            (struct find_trace){ .summary = summarise(&r), .sets = shown, .n_sets = sets.n };
    }
    if (out->n > 1) qsort(out->traces, out->n, sizeof *out->traces, newest_first);
}

void plain_answer_fini(struct plain_answer *a) {
    arena_fini(&a->arena);
}
