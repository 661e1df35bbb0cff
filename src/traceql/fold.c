// SPDX-License-Identifier: Apache-2.0
// Arithmetic on constants, as the engine would do it span by span.
#include <math.h>

#include "traceql/parse.h"

static double as_float(const struct value *v) {
    return v->type == VALUE_FLOAT ? v->f : (double)v->i;
}

// Whether the result of an operation is a duration.
static bool stays_duration(enum ql_op op, int a, int b) {
    bool one = (a == VALUE_DURATION) != (b == VALUE_DURATION);
    if (op == QL_ADD || op == QL_SUB) return a == VALUE_DURATION || b == VALUE_DURATION;
    if (op == QL_MUL) return one;
    if (op == QL_DIV) return a == VALUE_DURATION && one;
    return op == QL_MOD && a == VALUE_DURATION;
}

int arithmetic_type(enum ql_op op, int a, int b) {
    if (a == QL_UNKNOWN || b == QL_UNKNOWN) return QL_UNKNOWN;
    bool floats = a == VALUE_FLOAT || b == VALUE_FLOAT,
         durations = a == VALUE_DURATION || b == VALUE_DURATION;
    if (stays_duration(op, a, b)) return VALUE_DURATION;
    if (op == QL_POW && !floats && !durations) return QL_UNKNOWN; // by the sign of the exponent
    if (op == QL_MOD && !floats) return VALUE_INT;
    return floats || durations ? VALUE_FLOAT : VALUE_INT;
}

static int64_t power(int64_t base, int64_t exponent) {
    uint64_t result = 1, b = (uint64_t)base;
    for (uint64_t e = (uint64_t)exponent; e; e >>= 1, b *= b)
        if (e & 1) result *= b;
    return (int64_t)result;
}

static double float_result(enum ql_op op, double a, double b) {
    switch (op) {
    case QL_ADD: return a + b;
    case QL_SUB: return a - b;
    case QL_MUL: return a * b;
    case QL_DIV: return a / b;
    case QL_MOD: return fmod(a, b);
    default: return pow(a, b);
    }
}

// Wraps around, as two's complement does. false: division by zero.
static bool int_result(enum ql_op op, int64_t a, int64_t b, int64_t *out) {
    switch (op) {
    case QL_ADD: *out = (int64_t)((uint64_t)a + (uint64_t)b); return true;
    case QL_SUB: *out = (int64_t)((uint64_t)a - (uint64_t)b); return true;
    case QL_MUL: *out = (int64_t)((uint64_t)a * (uint64_t)b); return true;
    case QL_POW: *out = power(a, b); return true;
    default: break;
    }
    if (b == 0) return false;
    if (op == QL_DIV)
        *out = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    else
        *out = b == -1 ? 0 : a % b;
    return true;
}

static bool float_to_duration(double f, struct value *out) {
    f = round(f);
    if (!(f >= -0x1p63 && f < 0x1p63)) return false;
    *out = (struct value){ .type = VALUE_DURATION, .i = (int64_t)f };
    return true;
}

bool fold_arithmetic(enum ql_op op, const struct value *a, const struct value *b, struct value *out) {
    bool floats = a->type == VALUE_FLOAT || b->type == VALUE_FLOAT;
    int type = arithmetic_type(op, (int)a->type, (int)b->type);
    if (type == QL_UNKNOWN) type = b->i < 0 ? VALUE_FLOAT : VALUE_INT;
    if (type == VALUE_FLOAT || floats) {
        double f = float_result(op, as_float(a), as_float(b));
        if (type == VALUE_DURATION) return float_to_duration(f, out);
        // A duration by a duration, or to a power: float maths from integers knows division by zero too.
        if (!floats && (op == QL_DIV || op == QL_MOD) && b->i == 0) return false;
        *out = VALUE_OF_FLOAT(f);
        return true;
    }
    out->type = (enum value_type)type;
    return int_result(op, a->i, b->i, &out->i);
}

struct value fold_negate(const struct value *v) {
    struct value out = *v;
    if (v->type == VALUE_FLOAT)
        out.f = -v->f;
    else
        out.i = (int64_t)(0 - (uint64_t)v->i);
    return out;
}
