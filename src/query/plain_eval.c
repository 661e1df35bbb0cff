// SPDX-License-Identifier: Apache-2.0
// One expression at one span.
#include "query/plain.h"

// --- fields --------------------------------------------------------------------------------------

static bool is_of_events(const struct field *f) {
    if (f->intrinsic == INTRINSIC_NONE) return f->scope == FIELD_EVENT;
    return f->intrinsic == INTRINSIC_EVENT_NAME || f->intrinsic == INTRINSIC_EVENT_TIME;
}

static bool is_of_links(const struct field *f) {
    if (f->intrinsic == INTRINSIC_NONE) return f->scope == FIELD_LINK;
    return f->intrinsic == INTRINSIC_LINK_TRACE_ID || f->intrinsic == INTRINSIC_LINK_SPAN_ID;
}

static struct value find(const struct plain_attrs *attrs, struct str key) {
    for (uint32_t i = 0; i < attrs->n; i++)
        if (str_eq(attrs->at[i].key, key)) return attrs->at[i].value;
    return VALUE_OF_NIL;
}

static struct value hex_of(const struct plain_look *at, struct str bytes) {
    struct arena *a = (struct arena *)&at->data->arena; // the text lives as long as the data
    char *hex = PLAIN_NEW(a, bytes.len * 2, char);
    hex_encode(bytes.ptr, bytes.len, hex);
    return VALUE_OF_STR(((struct str){ hex, bytes.len * 2 }));
}

static struct value event_field(const struct plain_span *s, const struct plain_event *e,
                                const struct field *f) {
    if (f->intrinsic == INTRINSIC_EVENT_NAME) return VALUE_OF_STR(e->name);
    if (f->intrinsic == INTRINSIC_EVENT_TIME)
        return (struct value){ .type = VALUE_DURATION, .i = (int64_t)(e->time_ns - s->start_ns) };
    return find(&e->attrs, f->key);
}

static struct value link_field(const struct plain_look *at, const struct plain_link *l,
                               const struct field *f) {
    if (f->intrinsic == INTRINSIC_LINK_TRACE_ID) return hex_of(at, l->trace_id);
    if (f->intrinsic == INTRINSIC_LINK_SPAN_ID) return hex_of(at, l->span_id);
    return find(&l->attrs, f->key);
}

// At the event at hand, else of the first that has it.
static struct value events_field(const struct plain_look *at, const struct field *f) {
    if (at->event) return event_field(at->span, at->event, f);
    for (uint32_t i = 0; i < at->span->n_events; i++) {
        struct value v = event_field(at->span, &at->span->events[i], f);
        if (v.type != VALUE_NIL) return v;
    }
    return VALUE_OF_NIL;
}

static struct value links_field(const struct plain_look *at, const struct field *f) {
    if (at->link) return link_field(at, at->link, f);
    for (uint32_t i = 0; i < at->span->n_links; i++) {
        struct value v = link_field(at, &at->span->links[i], f);
        if (v.type != VALUE_NIL) return v;
    }
    return VALUE_OF_NIL;
}

static struct value duration_between(uint64_t from, uint64_t to) {
    return (struct value){ .type = VALUE_DURATION, .i = (int64_t)(to - from) };
}

static struct value intrinsic(const struct plain_look *at, enum intrinsic i) {
    const struct plain_span *s = at->span;
    const struct plain_span *root = at->trace->root == SPAN_NONE ? NULL : &at->data->spans[at->trace->root];
    switch (i) {
    case INTRINSIC_DURATION: return duration_between(0, s->duration_ns);
    case INTRINSIC_NAME: return VALUE_OF_STR(s->name);
    case INTRINSIC_STATUS: return (struct value){ .type = VALUE_STATUS, .i = s->status };
    case INTRINSIC_STATUS_MESSAGE: return VALUE_OF_STR(s->status_message);
    case INTRINSIC_TRACE_STATE: return VALUE_OF_STR(s->trace_state);
    case INTRINSIC_KIND: return (struct value){ .type = VALUE_KIND, .i = s->kind };
    case INTRINSIC_SPAN_ID: return hex_of(at, (struct str){ (const char *)s->id, 8 });
    case INTRINSIC_PARENT_ID: return hex_of(at, s->parent_id);
    case INTRINSIC_CHILD_COUNT: return VALUE_OF_INT(s->children);
    case INTRINSIC_TRACE_ID: return hex_of(at, (struct str){ (const char *)s->trace, 16 });
    case INTRINSIC_TRACE_DURATION: return duration_between(at->trace->start_ns, at->trace->end_ns);
    case INTRINSIC_ROOT_NAME: return root ? VALUE_OF_STR(root->name) : VALUE_OF_NIL;
    case INTRINSIC_ROOT_SERVICE: return root ? VALUE_OF_STR(root->service) : VALUE_OF_NIL;
    case INTRINSIC_SCOPE_NAME: return VALUE_OF_STR(s->scope_name);
    case INTRINSIC_SCOPE_VERSION: return VALUE_OF_STR(s->scope_version);
    case INTRINSIC_NESTED_LEFT: return VALUE_OF_INT(s->nested_left);
    case INTRINSIC_NESTED_RIGHT: return VALUE_OF_INT(s->nested_right);
    case INTRINSIC_NESTED_PARENT: return VALUE_OF_INT(s->nested_parent);
    case INTRINSIC_PARENT: return s->parent == SPAN_NONE ? VALUE_OF_NIL : VALUE_OF_BOOL(true);
    default: return VALUE_OF_NIL;
    }
}

// The first scope that has the key. *in_events, *in_links: where it was found.
static struct value unscoped(const struct plain_look *at, const struct field *f, bool *in_events,
                             bool *in_links) {
    struct field event = { .scope = FIELD_EVENT, .key = f->key },
                 link = { .scope = FIELD_LINK, .key = f->key };
    struct plain_look whole = *at; // all events and links, whichever is at hand
    *in_events = *in_links = false;
    whole.event = NULL;
    whole.link = NULL;
    struct value v = find(&at->span->attrs, f->key);
    if (v.type == VALUE_NIL) v = find(&at->span->resource, f->key);
    if (v.type != VALUE_NIL) return v;
    v = events_field(&whole, &event);
    *in_events = v.type != VALUE_NIL;
    if (*in_events) return v;
    v = links_field(&whole, &link);
    *in_links = v.type != VALUE_NIL;
    return *in_links ? v : find(&at->span->scope, f->key);
}

// Moves to the span that the field is read from; false: there is no parent.
static bool look_from(struct plain_look *at, const struct field *f) {
    if (!f->of_parent) return true;
    if (at->span->parent == SPAN_NONE) return false;
    at->span = &at->data->spans[at->span->parent];
    at->event = NULL;
    at->link = NULL;
    return true;
}

struct value plain_field(const struct plain_look *from, const struct field *f) {
    struct plain_look at = *from;
    bool in_events, in_links;
    if (!look_from(&at, f)) return VALUE_OF_NIL;
    if (is_of_events(f)) return events_field(&at, f);
    if (is_of_links(f)) return links_field(&at, f);
    if (f->intrinsic != INTRINSIC_NONE) return intrinsic(&at, f->intrinsic);
    switch (f->scope) {
    case FIELD_SPAN: return find(&at.span->attrs, f->key);
    case FIELD_RESOURCE: return find(&at.span->resource, f->key);
    case FIELD_INSTRUMENTATION: return find(&at.span->scope, f->key);
    default: return unscoped(&at, f, &in_events, &in_links);
    }
}

// --- comparisons ---------------------------------------------------------------------------------

// What an operand of a comparison stands for: several values only where an unscoped attribute was
// found in the events (links), of all that have it.
struct operand {
    struct value *values;
    uint32_t n;
};

static struct operand single(struct arena *a, struct value v) {
    struct operand o = { PLAIN_NEW(a, 1, struct value), 1 };
    o.values[0] = v;
    return o;
}

static struct operand operand(struct arena *a, const struct plain_look *from, const struct ql_expr *e) {
    struct plain_look at = *from;
    bool in_events = false, in_links = false;
    bool may_be_many =
        e->kind == QL_FIELD && e->field.scope == FIELD_UNSCOPED && e->field.intrinsic == INTRINSIC_NONE;
    if (may_be_many && look_from(&at, &e->field)) (void)unscoped(&at, &e->field, &in_events, &in_links);
    if (!in_events && !in_links) return single(a, plain_eval(from, e));
    uint32_t n = in_events ? at.span->n_events : at.span->n_links;
    struct operand o = { PLAIN_NEW(a, n, struct value), 0 };
    for (uint32_t i = 0; i < n; i++) {
        const struct plain_attrs *attrs = in_events ? &at.span->events[i].attrs : &at.span->links[i].attrs;
        struct value v = find(attrs, e->field.key);
        if (v.type != VALUE_NIL) o.values[o.n++] = v;
    }
    return o;
}

static bool is_nil_literal(const struct ql_expr *e) {
    return e->kind == QL_CONST && e->value.type == VALUE_NIL;
}

static bool is_trace_id(const struct ql_expr *e) {
    return e->kind == QL_FIELD && !e->field.of_parent &&
           (e->field.intrinsic == INTRINSIC_TRACE_ID || e->field.intrinsic == INTRINSIC_LINK_TRACE_ID);
}

// A literal that a trace id is compared with: lower case, 32 digits.
static void as_trace_id(struct arena *a, const struct ql_expr *e, struct operand *o) {
    if (e->kind != QL_CONST || e->value.type != VALUE_STRING) return;
    struct str s = e->value.s;
    while (s.len > 0 && s.ptr[0] == '0') s = str_sub(s, 1, s.len - 1);
    size_t zeros = s.len < 32 ? 32 - s.len : 0;
    char *text = PLAIN_NEW(a, zeros + s.len, char);
    for (size_t i = 0; i < zeros; i++) text[i] = '0';
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        text[zeros + i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    o->values[0] = VALUE_OF_STR(((struct str){ text, zeros + s.len }));
}

static bool compare(const struct plain_look *at, const struct ql_expr *e) {
    bool nil_left = is_nil_literal(e->left), nil_right = is_nil_literal(e->right), any = false;
    if (nil_left && nil_right) return false;
    if (nil_left || nil_right) {
        bool is_absent = plain_eval(at, nil_left ? e->right : e->left).type == VALUE_NIL;
        return e->op == QL_EQ ? is_absent : e->op == QL_NE ? !is_absent : false;
    }
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX, NULL);
    struct operand l = operand(&scratch, at, e->left), r = operand(&scratch, at, e->right);
    bool by_pattern = e->op == QL_MATCH || e->op == QL_NO_MATCH;
    if (is_trace_id(e->left) && !by_pattern) as_trace_id(&scratch, e->right, &r);
    if (is_trace_id(e->right) && !by_pattern) as_trace_id(&scratch, e->left, &l);
    for (uint32_t i = 0; i < l.n; i++)
        for (uint32_t k = 0; k < r.n; k++) any |= plain_compare(e->op, &l.values[i], &r.values[k], e->regex);
    arena_fini(&scratch);
    return any;
}

// --- expressions ---------------------------------------------------------------------------------

static bool is_true(struct value v) {
    return v.type == VALUE_BOOL && v.i != 0;
}

static struct value eval_unary(const struct plain_look *at, const struct ql_expr *e) {
    struct value v = plain_eval(at, e->left);
    if (e->op == QL_NEG) return plain_negate(&v);
    return v.type == VALUE_BOOL ? VALUE_OF_BOOL(!v.i) : VALUE_OF_NIL;
}

static struct value eval_binary(const struct plain_look *at, const struct ql_expr *e) {
    struct value l, r;
    if (e->op >= QL_EQ && e->op <= QL_NO_MATCH) return VALUE_OF_BOOL(compare(at, e));
    l = plain_eval(at, e->left);
    r = plain_eval(at, e->right);
    if (e->op == QL_AND) return VALUE_OF_BOOL(is_true(l) && is_true(r));
    if (e->op == QL_OR) return VALUE_OF_BOOL(is_true(l) || is_true(r));
    return plain_calculate(e->op, &l, &r);
}

struct value plain_eval(const struct plain_look *at, const struct ql_expr *e) {
    switch (e->kind) {
    case QL_CONST: return e->value;
    case QL_FIELD: return plain_field(at, &e->field);
    case QL_UNARY: return eval_unary(at, e);
    default: return eval_binary(at, e);
    }
}

// --- filters: events and links -------------------------------------------------------------------

static bool mentions(const struct ql_expr *e, bool (*is)(const struct field *f)) {
    if (e->kind == QL_FIELD) return is(&e->field);
    if (e->kind == QL_UNARY) return mentions(e->left, is);
    return e->kind == QL_BINARY && (mentions(e->left, is) || mentions(e->right, is));
}

static bool is_bound_part(const struct ql_expr *e) {
    return mentions(e, is_of_events) || mentions(e, is_of_links);
}

static bool closed(const struct plain_look *at, const struct ql_expr *e);

// Every conjunct that mentions neither events nor links.
static bool closed_parts(const struct plain_look *at, const struct ql_expr *e) {
    if (e->kind == QL_BINARY && e->op == QL_AND)
        return closed_parts(at, e->left) && closed_parts(at, e->right);
    return is_bound_part(e) || closed(at, e);
}

// At the event and the link at hand. A bare event.x that is no boolean is not true, so !event.x is.
static bool is_true_here(const struct plain_look *at, const struct ql_expr *e) {
    if (e->kind == QL_UNARY && e->op == QL_NOT && is_bound_part(e)) return !is_true_here(at, e->left);
    if (e->kind == QL_BINARY && e->op == QL_AND)
        return is_true_here(at, e->left) && is_true_here(at, e->right);
    if (e->kind == QL_BINARY && e->op == QL_OR)
        return is_true_here(at, e->left) || is_true_here(at, e->right);
    return is_true(plain_eval(at, e));
}

// Where an event or a link is needed and there is none, only a side of || that does without can make it true.
static bool bound(const struct plain_look *at, const struct ql_expr *e) {
    bool lacks = (!at->event && mentions(e, is_of_events)) || (!at->link && mentions(e, is_of_links));
    if (!lacks) return is_true_here(at, e);
    if (e->kind != QL_BINARY) return false;
    if (e->op == QL_OR) return bound(at, e->left) || bound(at, e->right);
    return e->op == QL_AND && bound(at, e->left) && bound(at, e->right);
}

// All the other conjuncts.
static bool bound_parts(const struct plain_look *at, const struct ql_expr *e) {
    if (e->kind == QL_BINARY && e->op == QL_AND) return bound_parts(at, e->left) && bound_parts(at, e->right);
    return !is_bound_part(e) || bound(at, e);
}

static bool some_link(struct plain_look at, const struct ql_expr *e) {
    for (uint32_t i = 0; i < at.span->n_links; i++) {
        at.link = &at.span->links[i];
        if (bound_parts(&at, e)) return true;
    }
    at.link = NULL;
    return bound_parts(&at, e);
}

static bool some_event_and_link(struct plain_look at, const struct ql_expr *e) {
    for (uint32_t i = 0; i < at.span->n_events; i++) {
        at.event = &at.span->events[i];
        if (some_link(at, e)) return true;
    }
    at.event = NULL;
    return some_link(at, e);
}

// The conjunct that is alone in mentioning events or links; NULL: there are several.
static const struct ql_expr *only_bound_part(const struct ql_expr *e) {
    if (e->kind != QL_BINARY || e->op != QL_AND) return e;
    bool left = is_bound_part(e->left), right = is_bound_part(e->right);
    return left && right ? NULL : only_bound_part(left ? e->left : e->right);
}

static bool closed(const struct plain_look *at, const struct ql_expr *e) {
    if (!is_bound_part(e)) return is_true(plain_eval(at, e));
    if (e->kind == QL_BINARY && e->op == QL_OR) return closed(at, e->left) || closed(at, e->right);
    if (e->kind == QL_UNARY && e->op == QL_NOT) return !closed(at, e->left);
    const struct ql_expr *only = only_bound_part(e);
    if (!closed_parts(at, e)) return false;
    return only && only != e ? closed(at, only) : some_event_and_link(*at, e);
}

bool plain_matches(const struct plain_look *at, const struct ql_expr *filter) {
    return filter == NULL || closed(at, filter);
}

// --- what answers tell -----------------------------------------------------------------------------

static bool some_event(struct plain_look at, const struct ql_expr *e) {
    for (uint32_t i = 0; i < at.span->n_events; i++) {
        at.event = &at.span->events[i];
        if (bound_parts(&at, e)) return true;
    }
    at.event = NULL;
    return bound_parts(&at, e);
}

// Is the filter about the event at hand (in_links: the link)?
static bool is_about(const struct plain_look *at, const struct ql_expr *e, bool in_links) {
    if (!mentions(e, in_links ? is_of_links : is_of_events)) return false;
    if (e->kind == QL_UNARY && e->op == QL_NOT) return false;
    if (e->kind == QL_BINARY && e->op == QL_OR)
        return is_about(at, e->left, in_links) || is_about(at, e->right, in_links);
    const struct ql_expr *only = only_bound_part(e);
    if (only && only != e) return is_about(at, only, in_links);
    return in_links ? some_event(*at, e) : some_link(*at, e);
}

static bool is_field(const struct ql_expr *e, const struct field *f) {
    return e->kind == QL_FIELD && field_eq(&e->field, f);
}

static bool meets(const struct ql_expr *e, const struct field *f, const struct value *v) {
    if (e->kind != QL_BINARY) return false;
    if (e->op == QL_AND || e->op == QL_OR) return meets(e->left, f, v) || meets(e->right, f, v);
    if (e->op < QL_EQ || e->op > QL_NO_MATCH) return false;
    if (is_field(e->left, f) && e->right->kind == QL_CONST)
        return plain_compare(e->op, v, &e->right->value, e->regex);
    return is_field(e->right, f) && e->left->kind == QL_CONST &&
           plain_compare(e->op, &e->left->value, v, e->regex);
}

struct value plain_told(const struct plain_look *from, const struct field *f,
                        const struct ql_expr *const *filters, uint32_t n_filters) {
    struct plain_look at = *from;
    bool in_events = is_of_events(f), in_links = is_of_links(f), scoped = in_events || in_links;
    if (f->of_parent) return plain_field(from, f);
    if (!scoped && f->scope == FIELD_UNSCOPED && f->intrinsic == INTRINSIC_NONE)
        (void)unscoped(from, f, &in_events, &in_links);
    uint32_t n = in_events ? at.span->n_events : in_links ? at.span->n_links : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (in_events)
            at.event = &at.span->events[i];
        else
            at.link = &at.span->links[i];
        struct field here = *f;
        if (!scoped) here.scope = in_events ? FIELD_EVENT : FIELD_LINK;
        struct value v = plain_field(&at, &here);
        if (v.type == VALUE_NIL) continue;
        for (uint32_t k = 0; k < n_filters; k++)
            if (scoped ? is_about(&at, filters[k], in_links) : meets(filters[k], f, &v)) return v;
    }
    return plain_field(from, f);
}
