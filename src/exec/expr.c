// SPDX-License-Identifier: Apache-2.0
#include "exec/expr.h"

#include <math.h>

#include "exec/rows_internal.h"

// --- making ----------------------------------------------------------------------------------------

enum err field_list_add(struct field_list *l, const struct field *f, uint32_t *out) {
    for (uint32_t i = 0; i < l->n; i++)
        if (field_eq(&l->at[i], f)) {
            *out = i;
            return ERR_OK;
        }
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 8;
        struct field *more = ARENA_ARRAY(l->arena, cap, struct field);
        if (!more) return ERR_NOMEM;
        if (l->n) memcpy(more, l->at, l->n * sizeof *more);
        l->at = more;
        l->cap = cap;
    }
    *out = l->n;
    l->at[l->n++] = *f;
    return ERR_OK;
}

static bool is_id_of_trace(const struct ql_expr *e) {
    return e->kind == QL_FIELD &&
           (e->field.intrinsic == INTRINSIC_TRACE_ID || e->field.intrinsic == INTRINSIC_LINK_TRACE_ID);
}

// Ids of traces are compared without leading zeros and case: the literal becomes 32 lower digits.
static enum err full_id(struct arena *a, struct value *v) {
    if (v->type != VALUE_STRING || v->s.len >= 32) {
        if (v->type != VALUE_STRING || v->s.len > 32) return ERR_OK;
    }
    char *p = arena_alloc(a, 32);
    if (!p) return ERR_NOMEM;
    memset(p, '0', 32 - v->s.len);
    for (size_t i = 0; i < v->s.len; i++) {
        char c = v->s.ptr[i];
        if (c >= 'A' && c <= 'F') c = (char)(c + 32);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return ERR_OK; // no id: as written
        p[32 - v->s.len + i] = c;
    }
    v->s = (struct str){ p, 32 };
    return ERR_OK;
}

enum err expr_compile(struct arena *a, const struct ql_expr *e, struct field_list *fields,
                      const struct expr **out) {
    struct expr *x = ARENA_NEW(a, struct expr);
    if (!x) return ERR_NOMEM;
    *x = (struct expr){ .kind = e->kind, .op = e->op, .value = e->value, .regex = e->regex };
    if (e->kind == QL_FIELD) {
        TRY(field_list_add(fields, &e->field, &x->field));
        x->events = e->field.scope == FIELD_EVENT;
        x->links = e->field.scope == FIELD_LINK;
    }
    if (e->left) TRY(expr_compile(a, e->left, fields, &x->left));
    if (e->right) TRY(expr_compile(a, e->right, fields, &x->right));
    if (e->kind == QL_BINARY && expr_is_comparison(e->op) && e->op != QL_MATCH && e->op != QL_NO_MATCH) {
        if (is_id_of_trace(e->left) && e->right->kind == QL_CONST)
            TRY(full_id(a, &((struct expr *)(uintptr_t)x->right)->value));
        if (is_id_of_trace(e->right) && e->left->kind == QL_CONST)
            TRY(full_id(a, &((struct expr *)(uintptr_t)x->left)->value));
    }
    x->events |= (x->left && x->left->events) || (x->right && x->right->events);
    x->links |= (x->left && x->left->links) || (x->right && x->right->links);
    *out = x;
    return ERR_OK;
}

static uint32_t count_operands(const struct expr *e, enum ql_op op) {
    uint32_t n = 1;
    for (; e->kind == QL_BINARY && e->op == op; e = e->left) n++;
    return n;
}

enum err expr_operands(struct arena *a, const struct expr *e, enum ql_op op, const struct expr ***out,
                       uint32_t *out_n) {
    uint32_t n = count_operands(e, op), total = 0;
    const struct expr **chain = ARENA_ARRAY(a, n, const struct expr *);
    if (!chain) return ERR_NOMEM;
    for (uint32_t i = n - 1; i > 0; i--, e = e->left) chain[i] = e->right;
    chain[0] = e;
    // (a && (b && c)): what stands on the right may be a chain again.
    for (uint32_t i = 0; i < n; i++) total += count_operands(chain[i], op);
    if (total == n) {
        *out = chain;
        *out_n = n;
        return ERR_OK;
    }
    const struct expr **all = NULL, **part;
    uint32_t n_all = 0, n_part;
    for (uint32_t i = 0; i < n; i++) {
        TRY(expr_operands(a, chain[i], op, &part, &n_part));
        const struct expr **more = ARENA_ARRAY(a, n_all + n_part, const struct expr *);
        if (!more) return ERR_NOMEM;
        if (n_all) memcpy(more, all, n_all * sizeof *more);
        memcpy(more + n_all, part, n_part * sizeof *more);
        all = more;
        n_all += n_part;
    }
    *out = all;
    *out_n = n_all;
    return ERR_OK;
}

// --- comparing -------------------------------------------------------------------------------------

enum ql_op expr_mirror(enum ql_op op) {
    switch (op) {
    case QL_LT: return QL_GT;
    case QL_LE: return QL_GE;
    case QL_GT: return QL_LT;
    case QL_GE: return QL_LE;
    default: return op;
    }
}

static bool by_order(enum ql_op op, int c) {
    switch (op) {
    case QL_EQ: return c == 0;
    case QL_NE: return c != 0;
    case QL_LT: return c < 0;
    case QL_LE: return c <= 0;
    case QL_GT: return c > 0;
    case QL_GE: return c >= 0;
    default: return false;
    }
}

static bool is_nan(const struct value *v) {
    return v->type == VALUE_FLOAT && isnan(v->f);
}

static bool compare_numbers(enum ql_op op, const struct value *a, const struct value *b) {
    int c;
    if (is_nan(a) || is_nan(b)) return op == QL_NE;
    return value_compare_numbers(a, b, &c) && by_order(op, c);
}

static bool match(const struct value *v, const struct ql_regex *regex, bool negated, enum err *error) {
    bool yes = false;
    if (v->type != VALUE_STRING || !regex) return false;
    enum err e = ql_regex_match(regex, v->s, &yes);
    if (e != ERR_OK) *error = e;
    return e == ERR_OK && yes != negated;
}

// Neither side is an array.
static bool compare_single(enum ql_op op, const struct value *a, const struct value *b,
                           const struct ql_regex *regex, enum err *error) {
    if (op == QL_MATCH || op == QL_NO_MATCH) return match(a, regex, op == QL_NO_MATCH, error);
    if (value_is_number(a->type) && value_is_number(b->type)) return compare_numbers(op, a, b);
    bool equality = op == QL_EQ || op == QL_NE;
    if (a->type == VALUE_STRING && b->type == VALUE_STRING) {
        if (equality) return str_eq(a->s, b->s) == (op == QL_EQ);
        return by_order(op, str_cmp(a->s, b->s));
    }
    bool enums =
        (a->type == b->type && (a->type == VALUE_BOOL || a->type == VALUE_STATUS || a->type == VALUE_KIND)) ||
        (a->type == VALUE_STATUS && b->type == VALUE_INT) ||
        (a->type == VALUE_INT && b->type == VALUE_STATUS);
    return enums && equality && (a->i == b->i) == (op == QL_EQ);
}

struct any {
    enum ql_op op; // the positive one
    const struct value *other;
    bool array_right;
    const struct ql_regex *regex;
    enum err *error;
    bool hit;
};

static void compare_element(void *ctx, const struct value *v) {
    struct any *c = ctx;
    if (c->hit) return;
    c->hit = c->array_right ? compare_single(c->op, c->other, v, c->regex, c->error)
                            : compare_single(c->op, v, c->other, c->regex, c->error);
}

// Any element for the positive operators, no element for != and !~.
static bool compare_array(enum ql_op op, const struct value *array, const struct value *other, bool right,
                          const struct ql_regex *regex, enum err *error) {
    bool negative = op == QL_NE || op == QL_NO_MATCH;
    struct any c = {
        op == QL_NE ? QL_EQ : op == QL_NO_MATCH ? QL_MATCH : op, other, right, regex, error, false
    };
    if (other->type == VALUE_NIL || other->type == VALUE_ANY) return false;
    return value_array(array->s, compare_element, &c) && c.hit != negative && *error == ERR_OK;
}

bool expr_compare(enum ql_op op, const struct value *a, const struct value *b, const struct ql_regex *regex,
                  enum err *error) {
    if (a->type == VALUE_NIL || b->type == VALUE_NIL) return false;
    if (a->type == VALUE_ANY) return compare_array(op, a, b, false, regex, error);
    if (b->type == VALUE_ANY) return compare_array(op, b, a, true, regex, error);
    return compare_single(op, a, b, regex, error);
}

// --- arithmetic ------------------------------------------------------------------------------------

static double as_double(const struct value *v) {
    return v->type == VALUE_FLOAT ? v->f : (double)v->i;
}

static int64_t power(int64_t base, int64_t exponent) {
    uint64_t result = 1, b = (uint64_t)base;
    for (uint64_t e = (uint64_t)exponent; e; e >>= 1, b *= b)
        if (e & 1) result *= b;
    return (int64_t)result;
}

static struct value of_ints(enum ql_op op, int64_t a, int64_t b) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case QL_ADD: return VALUE_OF_INT((int64_t)(x + y));
    case QL_SUB: return VALUE_OF_INT((int64_t)(x - y));
    case QL_MUL: return VALUE_OF_INT((int64_t)(x * y));
    case QL_DIV:
    case QL_MOD:
        if (b == 0) return VALUE_OF_NIL;
        if (b == -1) return VALUE_OF_INT(op == QL_DIV ? (int64_t)(0 - x) : 0);
        return VALUE_OF_INT(op == QL_DIV ? a / b : a % b);
    default: return b < 0 ? VALUE_OF_FLOAT(pow((double)a, (double)b)) : VALUE_OF_INT(power(a, b));
    }
}

static double of_doubles(enum ql_op op, double a, double b) {
    switch (op) {
    case QL_ADD: return a + b;
    case QL_SUB: return a - b;
    case QL_MUL: return a * b;
    case QL_DIV: return a / b;
    case QL_MOD: return fmod(a, b);
    default: return pow(a, b);
    }
}

static struct value duration_of(double ns) {
    double r = round(ns);
    if (!(fabs(ns) < 0x1p63)) return VALUE_OF_FLOAT(ns);
    return (struct value){ .type = VALUE_DURATION, .i = (int64_t)r };
}

// A result in units of time: a duration beside a plain number, or two durations added up.
static bool gives_duration(enum ql_op op, bool a, bool b) {
    switch (op) {
    case QL_ADD:
    case QL_SUB: return a || b;
    case QL_MUL: return a != b;
    case QL_DIV: return a && !b;
    case QL_MOD: return a;
    default: return false;
    }
}

struct value expr_arithmetic(enum ql_op op, const struct value *a, const struct value *b) {
    if (!value_is_number(a->type) || !value_is_number(b->type)) return VALUE_OF_NIL;
    bool da = a->type == VALUE_DURATION, db = b->type == VALUE_DURATION;
    bool duration = gives_duration(op, da, db);
    bool floats = a->type == VALUE_FLOAT || b->type == VALUE_FLOAT;
    if ((da || db) && !duration && op != QL_MOD) floats = true; // duration / duration and the like
    if (floats) {
        double r = of_doubles(op, as_double(a), as_double(b));
        return duration ? duration_of(r) : VALUE_OF_FLOAT(r);
    }
    struct value v = of_ints(op, a->i, b->i);
    if (duration && v.type == VALUE_INT) v.type = VALUE_DURATION;
    return v;
}

// --- evaluating ------------------------------------------------------------------------------------

static struct value field_value(const struct expr *e, struct expr_at *at) {
    enum field_scope scope = at->rows->fields[e->field].field.scope;
    if (scope == FIELD_EVENT && at->event != EXPR_NONE)
        return rows_column_value(at->rows, e->field, at->event);
    if (scope == FIELD_LINK && at->link != EXPR_NONE) return rows_column_value(at->rows, e->field, at->link);
    return rows_value(at->rows, e->field, at->row);
}

// One side of a comparison: a value, or the values of all events that have an unscoped attribute.
struct side {
    uint32_t field, from, to; // of children; to = 0: `one`
    struct value one;
};

// The unscoped field behind an expression and the row that it is looked up at (of the parent, for
// parent.x); false: it is something else.
static bool unscoped_at(const struct expr *e, const struct expr_at *at, uint32_t *field, uint32_t *row) {
    const struct rows_field *f = e->kind == QL_FIELD ? &at->rows->fields[e->field] : NULL;
    *row = at->row;
    if (!f) return false;
    *field = e->field;
    if (f->kind == ROWS_PARENT) {
        *row = at->rows->tree.parent[at->row];
        *field = f->sub[0];
        if (*row >= BATCH_ORPHAN) return false;
    }
    return at->rows->fields[*field].kind == ROWS_UNSCOPED;
}

static struct side side_of(const struct expr *e, struct expr_at *at) {
    struct side s = { .to = 0 };
    enum batch_table table;
    uint32_t field, row;
    if (!unscoped_at(e, at, &field, &row)) {
        s.one = expr_value(e, at);
        return s;
    }
    if (!rows_resolve(at->rows, field, row, &s.field, &table, &s.from, &s.to)) return s;
    if (table == BATCH_SPANS) s.one = rows_column_value(at->rows, s.field, row);
    return s;
}

static bool compare_sides(const struct expr *e, const struct side *a, const struct side *b,
                          struct expr_at *at) {
    for (uint32_t i = a->from; i < a->to || (a->to == 0 && i == a->from); i++) {
        struct value x = a->to ? rows_column_value(at->rows, a->field, i) : a->one;
        for (uint32_t k = b->from; k < b->to || (b->to == 0 && k == b->from); k++) {
            struct value y = b->to ? rows_column_value(at->rows, b->field, k) : b->one;
            if (a->to && b->to && ++at->pairs > EXPR_PAIRS_MAX) at->error = ERR_LIMIT;
            if (at->error != ERR_OK) return false;
            if (expr_compare(e->op, &x, &y, e->regex, &at->error)) return true;
        }
    }
    return false;
}

static bool is_nil_literal(const struct expr *e) {
    return e->kind == QL_CONST && e->value.type == VALUE_NIL;
}

static struct value compare(const struct expr *e, struct expr_at *at) {
    bool left = is_nil_literal(e->left), right = is_nil_literal(e->right);
    if (left && right) return VALUE_OF_BOOL(false);
    if (left || right) {
        struct value v = expr_value(left ? e->right : e->left, at);
        return VALUE_OF_BOOL((v.type == VALUE_NIL) == (e->op == QL_EQ));
    }
    struct side a = side_of(e->left, at), b = side_of(e->right, at);
    return VALUE_OF_BOOL(compare_sides(e, &a, &b, at));
}

static bool is_true(const struct value *v) {
    return v->type == VALUE_BOOL && v->i;
}

struct value expr_value(const struct expr *e, struct expr_at *at) {
    struct value a, b;
    switch (e->kind) {
    case QL_CONST: return e->value;
    case QL_FIELD: return field_value(e, at);
    case QL_UNARY:
        a = expr_value(e->left, at);
        if (e->op == QL_NOT) return a.type == VALUE_BOOL ? VALUE_OF_BOOL(!a.i) : VALUE_OF_NIL;
        if (a.type == VALUE_FLOAT) return VALUE_OF_FLOAT(-a.f);
        if (value_is_number(a.type))
            return (struct value){ .type = a.type, .i = (int64_t)(0 - (uint64_t)a.i) };
        return VALUE_OF_NIL;
    default: break;
    }
    if (expr_is_comparison(e->op)) return compare(e, at);
    a = expr_value(e->left, at);
    if (e->op == QL_AND && !is_true(&a)) return VALUE_OF_BOOL(false);
    if (e->op == QL_OR && is_true(&a)) return VALUE_OF_BOOL(true);
    b = expr_value(e->right, at);
    if (e->op == QL_AND || e->op == QL_OR) return VALUE_OF_BOOL(is_true(&b));
    return expr_arithmetic(e->op, &a, &b);
}

// --- filters ---------------------------------------------------------------------------------------

// What gives true or false whatever it is applied to.
static bool is_logical(const struct expr *e) {
    if (e->kind == QL_UNARY) return e->op == QL_NOT && is_logical(e->left);
    return e->kind == QL_BINARY && (expr_is_comparison(e->op) || e->op == QL_AND || e->op == QL_OR);
}

bool expr_is_negation(const struct expr *e) {
    return e->kind == QL_UNARY && e->op == QL_NOT &&
           (is_logical(e->left) || e->left->events || e->left->links);
}

// A conjunct that is judged at one event and one link, together with others that mention them.
static bool is_bound(const struct expr *e) {
    return e->events || e->links;
}

const struct expr *expr_only_bound(const struct expr *e) {
    if (e->kind != QL_BINARY || e->op != QL_AND) return e;
    bool left = is_bound(e->left), right = is_bound(e->right);
    return left && right ? NULL : expr_only_bound(left ? e->left : e->right);
}

// At the event and the link at hand.
static bool true_here(const struct expr *e, struct expr_at *at) {
    if (expr_is_negation(e)) return !true_here(e->left, at);
    if (e->kind == QL_BINARY && e->op == QL_AND) return true_here(e->left, at) && true_here(e->right, at);
    if (e->kind == QL_BINARY && e->op == QL_OR) return true_here(e->left, at) || true_here(e->right, at);
    struct value v = expr_value(e, at);
    return is_true(&v);
}

// Where an event or a link is needed and there is none, only a side of || that does without can make it true.
static bool bound_true(const struct expr *e, struct expr_at *at) {
    bool lacks = (e->events && at->event == EXPR_NONE) || (e->links && at->link == EXPR_NONE);
    if (!lacks) return true_here(e, at);
    if (e->kind != QL_BINARY) return false;
    if (e->op == QL_OR) return bound_true(e->left, at) || bound_true(e->right, at);
    return e->op == QL_AND && bound_true(e->left, at) && bound_true(e->right, at);
}

static bool bound_conjuncts(const struct expr *e, struct expr_at *at) {
    if (e->kind == QL_BINARY && e->op == QL_AND)
        return bound_conjuncts(e->left, at) && bound_conjuncts(e->right, at);
    return !is_bound(e) || bound_true(e, at);
}

bool expr_joint_at(const struct expr *e, enum batch_table other, struct expr_at *at) {
    bool in_links = other == BATCH_LINKS, mentions = in_links ? e->links : e->events;
    uint32_t *child = in_links ? &at->link : &at->event, to = 0;
    if (mentions) rows_children(at->rows, other, at->row, child, &to);
    for (; mentions && *child < to && at->error == ERR_OK; ++*child) {
        if (++at->pairs > EXPR_PAIRS_MAX) at->error = ERR_LIMIT;
        if (bound_conjuncts(e, at)) return true;
    }
    *child = EXPR_NONE;
    return bound_conjuncts(e, at);
}

bool expr_joint(const struct expr *e, struct expr_at *at) {
    struct expr_at inner = *at;
    bool found = false;
    uint32_t to = 0;
    if (e->events) rows_children(at->rows, BATCH_EVENTS, at->row, &inner.event, &to);
    for (; e->events && inner.event < to && !found && inner.error == ERR_OK; inner.event++)
        found = expr_joint_at(e, BATCH_LINKS, &inner);
    if (!found) {
        inner.event = EXPR_NONE;
        found = expr_joint_at(e, BATCH_LINKS, &inner);
    }
    at->error = inner.error;
    at->pairs = inner.pairs;
    return found;
}

// The conjuncts that are judged by the span alone.
static bool plain_conjuncts(const struct expr *e, struct expr_at *at) {
    if (e->kind == QL_BINARY && e->op == QL_AND)
        return plain_conjuncts(e->left, at) && plain_conjuncts(e->right, at);
    return is_bound(e) || expr_true(e, at);
}

bool expr_true(const struct expr *e, struct expr_at *at) {
    if (expr_is_negation(e)) return !expr_true(e->left, at);
    if (e->kind == QL_BINARY && e->op == QL_OR) return expr_true(e->left, at) || expr_true(e->right, at);
    if (is_bound(e)) {
        const struct expr *only = expr_only_bound(e);
        if (!plain_conjuncts(e, at)) return false;
        return only && only != e ? expr_true(only, at) : expr_joint(e, at);
    }
    if (e->kind == QL_BINARY && e->op == QL_AND) return expr_true(e->left, at) && expr_true(e->right, at);
    struct value v = expr_value(e, at);
    return is_true(&v);
}
