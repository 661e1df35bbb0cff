// SPDX-License-Identifier: Apache-2.0
// The tree as text that parses to an equal tree: parentheses only where they are needed.
#include "traceql/print.h"

#include <math.h>

#include "traceql/parse.h"

const char *ql_op_text(enum ql_op op) {
    static const char *const texts[QL_OP_COUNT] = {
        [QL_NO_OP] = "",      [QL_OR] = "||", [QL_AND] = "&&", [QL_EQ] = "=",  [QL_NE] = "!=",
        [QL_LT] = "<",        [QL_LE] = "<=", [QL_GT] = ">",   [QL_GE] = ">=", [QL_MATCH] = "=~",
        [QL_NO_MATCH] = "!~", [QL_ADD] = "+", [QL_SUB] = "-",  [QL_MUL] = "*", [QL_DIV] = "/",
        [QL_MOD] = "%",       [QL_POW] = "^", [QL_NOT] = "!",  [QL_NEG] = "-",
    };
    return texts[op];
}

// --- fields and constants ------------------------------------------------------------------------------

// Whether a name can stand without quotes behind what comes before it.
static bool is_bare(struct str key, bool after_parent, bool unscoped) {
    size_t i = 0, part;
    if (key.len == 0 || (unscoped && !after_parent && key.ptr[0] >= '0' && key.ptr[0] <= '9')) return false;
    for (; i < key.len; i += part)
        if (!lex_is_name(str_sub(key, i, key.len), &part) || key.ptr[i] == '"') return false;
    static const char *const scopes[] = { "span.", "resource.", "event.", "link.", "instrumentation." };
    for (size_t k = 0; after_parent && unscoped && k < 5; k++)
        if (str_starts(key, str_of(scopes[k]))) return false;
    return true;
}

void ql_print_field(const struct field *f, struct buf *out) {
    if (f->intrinsic != INTRINSIC_NONE) {
        buf_str(out, name_of_intrinsic(f->intrinsic));
        return;
    }
    bool unscoped = f->scope == FIELD_UNSCOPED;
    if (f->of_parent) buf_str(out, STR("parent."));
    buf_str(out, field_scope_name(f->scope));
    if (!unscoped || !f->of_parent) buf_char(out, '.');
    if (is_bare(f->key, f->of_parent, unscoped)) {
        buf_str(out, f->key);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < f->key.len; i++) {
        if (f->key.ptr[i] == '"' || f->key.ptr[i] == '\\') buf_char(out, '\\');
        buf_char(out, f->key.ptr[i]);
    }
    buf_char(out, '"');
}

static void print_text(struct str s, struct buf *out) {
    static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    buf_char(out, '"');
    for (size_t i = 0; i < s.len;) {
        size_t n = str_utf8_len(str_sub(s, i, s.len));
        unsigned char c = (unsigned char)s.ptr[i];
        const char *simple = c ? strchr(from, c) : NULL;
        if (simple)
            buf_fmt(out, "\\%c", to[simple - from]);
        else if (n == 0 || c < 0x20 || c == 0x7f)
            buf_fmt(out, "\\x%02x", c);
        else
            buf_add(out, s.ptr + i, n);
        i += n ? n : 1;
    }
    buf_char(out, '"');
}

// Always with a dot or an exponent. What no literal gives is a division that folds to it.
static void print_float(double v, struct buf *out) {
    if (isnan(v)) {
        buf_str(out, STR("(0.0 / 0.0)"));
        return;
    }
    if (isinf(v)) {
        buf_str(out, v < 0 ? STR("(-1.0 / 0.0)") : STR("(1.0 / 0.0)"));
        return;
    }
    size_t start = out->len;
    struct value f = VALUE_OF_FLOAT(v);
    value_text(&f, out);
    bool marked = false;
    for (size_t i = start; i < out->len; i++) marked = marked || out->ptr[i] == '.' || out->ptr[i] == 'e';
    if (!marked) buf_str(out, STR(".0"));
}

void print_literal(const struct value *v, struct buf *out) {
    switch (v->type) {
    case VALUE_STRING: print_text(v->s, out); break;
    case VALUE_FLOAT: print_float(v->f, out); break;
    case VALUE_INT:
        if (v->i == INT64_MIN)
            buf_str(out, STR("minInt"));
        else
            value_text(v, out);
        break;
    case VALUE_DURATION:
        if (v->i == INT64_MIN)
            buf_str(out, STR("(-9223372036854775807ns - 1ns)"));
        else
            value_text(v, out);
        break;
    default: value_text(v, out);
    }
}

// --- expressions ---------------------------------------------------------------------------------------

static bool is_negative(const struct value *v) {
    if (v->type == VALUE_FLOAT) return signbit(v->f) && isfinite(v->f);
    return (v->type == VALUE_INT || v->type == VALUE_DURATION) && v->i < 0 && v->i != INT64_MIN;
}

// How tightly the expression holds together as it is printed; 9: as tight as can be. A sign in front
// takes along all that binds tighter than + and -.
static int level_of(const struct ql_expr *e) {
    if (e->kind == QL_FIELD) return 9;
    if (e->kind == QL_CONST) return is_negative(&e->value) ? op_level(QL_NEG) : 9;
    return op_level(e->op);
}

static void print_operand(const struct ql_expr *e, bool parentheses, struct buf *out) {
    if (parentheses) buf_char(out, '(');
    ql_print_expr(e, out);
    if (parentheses) buf_char(out, ')');
}

// Whether a sign stands in front of it.
static bool is_signed(const struct ql_expr *e) {
    return e->kind == QL_UNARY || (e->kind == QL_CONST && is_negative(&e->value));
}

void ql_print_expr(const struct ql_expr *e, struct buf *out) {
    int level;
    switch (e->kind) {
    case QL_CONST: print_literal(&e->value, out); break;
    case QL_FIELD: ql_print_field(&e->field, out); break;
    case QL_UNARY:
        buf_str(out, str_of(ql_op_text(e->op)));
        // A minus before a constant would fold it.
        print_operand(e->left, level_of(e->left) < op_level(QL_MUL) && !is_signed(e->left), out);
        break;
    case QL_BINARY:
    default:
        level = op_level(e->op);
        bool right_first = e->op == QL_POW;
        print_operand(e->left, level_of(e->left) < level + right_first, out);
        buf_fmt(out, " %s ", ql_op_text(e->op));
        // On the right a sign is no stronger than the operator that comes next, but needs no help there.
        print_operand(e->right,
                      level_of(e->right) < level + !right_first && !(is_signed(e->right) && level <= 3), out);
    }
}
