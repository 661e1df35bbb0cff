// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "query/plain.h"
#include "span/wire.h"

_Static_assert(__LDBL_MANT_DIG__ >= 64, "a long double holds every int64 and every double exactly");

static long double number_of(const struct value *v) {
    return v->type == VALUE_FLOAT ? (long double)v->f : (long double)v->i;
}

bool plain_seconds(const struct value *v, long double *out) {
    if (!value_is_number(v->type)) return false;
    *out = v->type == VALUE_DURATION ? (long double)v->i / 1e9L : number_of(v);
    return true;
}

// --- comparisons ---------------------------------------------------------------------------------

static bool holds(enum ql_op op, int order) {
    switch (op) {
    case QL_EQ: return order == 0;
    case QL_NE: return order != 0;
    case QL_LT: return order < 0;
    case QL_LE: return order <= 0;
    case QL_GT: return order > 0;
    case QL_GE: return order >= 0;
    default: return false;
    }
}

static bool compare_numbers(enum ql_op op, long double a, long double b) {
    if (isnan(a) || isnan(b)) return op == QL_NE;
    return holds(op, (a > b) - (a < b));
}

static bool compare_texts(enum ql_op op, struct str a, struct str b, const struct ql_regex *regex) {
    bool matches = false;
    if (op != QL_MATCH && op != QL_NO_MATCH) return holds(op, str_cmp(a, b));
    enum err e = ql_regex_match(regex, a, &matches);
    ASSERT(e == ERR_OK);
    return matches == (op == QL_MATCH);
}

static bool compare_single(enum ql_op op, const struct value *a, const struct value *b,
                           const struct ql_regex *regex) {
    if (value_is_number(a->type) && value_is_number(b->type))
        return compare_numbers(op, number_of(a), number_of(b));
    if (a->type == VALUE_STRING && b->type == VALUE_STRING) return compare_texts(op, a->s, b->s, regex);
    bool with_int = (a->type == VALUE_STATUS && b->type == VALUE_INT) ||
                    (a->type == VALUE_INT && b->type == VALUE_STATUS);
    bool alike =
        a->type == b->type && (a->type == VALUE_BOOL || a->type == VALUE_STATUS || a->type == VALUE_KIND);
    if (!alike && !with_int) return false;
    return (op == QL_EQ || op == QL_NE) && holds(op, (a->i > b->i) - (a->i < b->i));
}

static struct value element_of(struct str any) {
    struct reader r = reader_of(any);
    struct pb_field f;
    struct value v = { .type = VALUE_ANY, .s = any };
    if (!pb_next(&r, &f)) return v;
    if (f.number == ANY_STRING) v = VALUE_OF_STR(f.bytes);
    if (f.number == ANY_BOOL) v = VALUE_OF_BOOL(f.value);
    if (f.number == ANY_INT) v = VALUE_OF_INT(pb_int64(&f));
    if (f.number == ANY_DOUBLE) v = VALUE_OF_FLOAT(pb_double(&f));
    return v;
}

// The next element of an ArrayValue.
static bool next_element(struct reader *list, struct value *out) {
    struct pb_field f;
    if (!pb_next(list, &f)) return false;
    *out = element_of(f.bytes);
    return true;
}

// The ArrayValue of an array whose elements are all of one simple type.
static bool is_array(struct str any, struct str *out_list) {
    struct reader r = reader_of(any);
    struct pb_field f;
    struct value first, v;
    if (!pb_next(&r, &f) || f.number != ANY_ARRAY) return false;
    *out_list = f.bytes;
    r = reader_of(f.bytes);
    if (!next_element(&r, &first)) return true;
    if (first.type == VALUE_ANY) return false;
    while (next_element(&r, &v))
        if (v.type != first.type) return false;
    return true;
}

// != and !~ hold when no element equals or matches, the others when some element does.
static bool compare_array(enum ql_op op, struct str list, const struct value *other, bool is_left,
                          const struct ql_regex *regex) {
    bool none = op == QL_NE || op == QL_NO_MATCH, any = false;
    enum ql_op asked = op == QL_NE ? QL_EQ : op == QL_NO_MATCH ? QL_MATCH : op;
    struct reader r = reader_of(list);
    struct value v;
    while (next_element(&r, &v))
        any |= is_left ? compare_single(asked, &v, other, regex) : compare_single(asked, other, &v, regex);
    return none ? !any : any;
}

bool plain_compare(enum ql_op op, const struct value *a, const struct value *b,
                   const struct ql_regex *regex) {
    struct str list;
    if (a->type == VALUE_NIL || b->type == VALUE_NIL) return false;
    if (a->type == VALUE_ANY && b->type == VALUE_ANY) return false;
    if (a->type == VALUE_ANY) return is_array(a->s, &list) && compare_array(op, list, b, true, regex);
    if (b->type == VALUE_ANY) return is_array(b->s, &list) && compare_array(op, list, a, false, regex);
    return compare_single(op, a, b, regex);
}

static int order_floats(double a, double b) {
    int64_t x, y;
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0); // whatever its bits
    if (a != b) return a < b ? -1 : 1;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return (x > y) - (x < y); // of the zeros the negative one is first
}

int plain_order(const struct value *a, const struct value *b) {
    if (a->type != b->type) return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case VALUE_NIL: return 0;
    case VALUE_FLOAT: return order_floats(a->f, b->f);
    case VALUE_STRING:
    case VALUE_ANY: return str_cmp(a->s, b->s);
    default: return (a->i > b->i) - (a->i < b->i);
    }
}

// --- arithmetic ----------------------------------------------------------------------------------

static struct value duration_of(int64_t ns) {
    return (struct value){ .type = VALUE_DURATION, .i = ns };
}

// Nearest, halves away from zero; what is no number of nanoseconds stays as it is.
static struct value rounded_duration(double ns) {
    if (!(fabs(ns) < 0x1p63)) return VALUE_OF_FLOAT(ns);
    return duration_of(llround(ns));
}

static int64_t int_power(int64_t base, int64_t n) {
    uint64_t product = 1, square = (uint64_t)base;
    for (; n > 0; n >>= 1, square *= square)
        if (n & 1) product *= square;
    return (int64_t)product;
}

// + - * / % of whole numbers. false: a division by zero.
static bool whole(enum ql_op op, int64_t a, int64_t b, int64_t *out) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    bool divides = op == QL_DIV || op == QL_MOD;
    if (divides && b == 0) return false;
    if (op == QL_ADD) *out = (int64_t)(x + y);
    if (op == QL_SUB) *out = (int64_t)(x - y);
    if (op == QL_MUL) *out = (int64_t)(x * y);
    if (divides && b == -1) // INT64_MIN / -1 wraps
        *out = op == QL_DIV ? (int64_t)(0 - x) : 0;
    else if (divides)
        *out = op == QL_DIV ? a / b : a % b;
    return true;
}

static double real(enum ql_op op, double a, double b) {
    switch (op) {
    case QL_ADD: return a + b;
    case QL_SUB: return a - b;
    case QL_MUL: return a * b;
    case QL_DIV: return a / b;
    case QL_MOD: return fmod(a, b);
    default: return pow(a, b);
    }
}

static struct value calculate_whole(enum ql_op op, const struct value *a, const struct value *b) {
    bool da = a->type == VALUE_DURATION, db = b->type == VALUE_DURATION;
    int64_t out = 0;
    if (op == QL_POW && !da && !db && b->i >= 0) return VALUE_OF_INT(int_power(a->i, b->i));
    bool is_real = op == QL_POW || (op == QL_MUL && da && db) || (op == QL_DIV && db);
    if (is_real) return VALUE_OF_FLOAT(real(op, (double)a->i, (double)b->i));
    if (!whole(op, a->i, b->i, &out)) return VALUE_OF_NIL;
    if (op == QL_MOD ? da : da || db) return duration_of(out);
    return VALUE_OF_INT(out);
}

struct value plain_calculate(enum ql_op op, const struct value *a, const struct value *b) {
    if (!value_is_number(a->type) || !value_is_number(b->type)) return VALUE_OF_NIL;
    if (a->type != VALUE_FLOAT && b->type != VALUE_FLOAT) return calculate_whole(op, a, b);
    bool da = a->type == VALUE_DURATION, db = b->type == VALUE_DURATION;
    double r = real(op, (double)number_of(a), (double)number_of(b));
    bool keeps = op == QL_ADD || op == QL_SUB || op == QL_MUL || ((op == QL_DIV || op == QL_MOD) && da);
    return keeps && da != db ? rounded_duration(r) : VALUE_OF_FLOAT(r);
}

struct value plain_negate(const struct value *v) {
    if (v->type == VALUE_FLOAT) return VALUE_OF_FLOAT(-v->f);
    if (!value_is_number(v->type)) return VALUE_OF_NIL;
    return (struct value){ .type = v->type, .i = (int64_t)(0 - (uint64_t)v->i) };
}

// --- aggregates ----------------------------------------------------------------------------------

// min and max: a NaN only when there is nothing else; of equal ones int, then float, then duration.
static bool wins(enum ql_aggregate how, const struct value *v, const struct value *best) {
    long double a = number_of(v), b = number_of(best);
    if (isnan(a) || isnan(b)) return isnan(b) && !isnan(a);
    if (a == b) return v->type < best->type;
    return how == QL_MIN ? a < b : a > b;
}

static struct value extreme(enum ql_aggregate how, const struct value *v, uint32_t n) {
    struct value best = VALUE_OF_NIL;
    for (uint32_t i = 0; i < n; i++)
        if (value_is_number(v[i].type) && (best.type == VALUE_NIL || wins(how, &v[i], &best))) best = v[i];
    return best;
}

struct sum {
    __float128 total; // exact for what tests hold
    uint32_t n, floats, durations;
};

static struct sum sum_up(const struct value *v, uint32_t n) {
    struct sum s = { .n = 0 };
    for (uint32_t i = 0; i < n; i++) {
        if (!value_is_number(v[i].type)) continue;
        s.total += number_of(&v[i]);
        s.n++;
        s.floats += v[i].type == VALUE_FLOAT;
        s.durations += v[i].type == VALUE_DURATION;
    }
    return s;
}

// A sum of whole numbers by how many there are: the nearest whole number, halves away from zero.
static int64_t nearest(__float128 total, uint32_t n) {
    __int128 whole = (__int128)total, part = whole % n;
    bool up = (part < 0 ? -part : part) * 2 >= n;
    return (int64_t)(whole / n + (up ? whole < 0 ? -1 : 1 : 0));
}

struct value plain_aggregate(enum ql_aggregate how, const struct value *values, uint32_t n) {
    if (how == QL_MIN || how == QL_MAX) return extreme(how, values, n);
    struct sum s = sum_up(values, n);
    if (s.n == 0) return VALUE_OF_NIL;
    if (how == QL_AVG && s.floats == 0 && s.durations > 0) return duration_of(nearest(s.total, s.n));
    if (how == QL_AVG) return VALUE_OF_FLOAT((double)(s.total / s.n));
    if (s.floats > 0) return VALUE_OF_FLOAT((double)s.total);
    uint64_t wrapped = 0;
    for (uint32_t i = 0; i < n; i++)
        if (value_is_number(values[i].type)) wrapped += (uint64_t)values[i].i;
    return s.durations ? duration_of((int64_t)wrapped) : VALUE_OF_INT((int64_t)wrapped);
}
