// SPDX-License-Identifier: Apache-2.0
#include "exec/interval.h"

#include <math.h>

#define INTERVAL_NONE ((struct interval){ 1, 0, false })

static struct interval of_int(enum ql_op op, int64_t c) {
    switch (op) {
    case QL_EQ: return (struct interval){ c, c, false };
    case QL_NE: return (struct interval){ c, c, true };
    case QL_LT: return c == INT64_MIN ? INTERVAL_NONE : (struct interval){ INT64_MIN, c - 1, false };
    case QL_LE: return (struct interval){ INT64_MIN, c, false };
    case QL_GT: return c == INT64_MAX ? INTERVAL_NONE : (struct interval){ c + 1, INT64_MAX, false };
    case QL_GE: return (struct interval){ c, INT64_MAX, false };
    default: return INTERVAL_NONE;
    }
}

// Of ints against a float: the ints below, at and above it are exact.
static struct interval of_float(enum ql_op op, double f) {
    struct interval all = { INT64_MIN, INT64_MAX, false };
    if (isnan(f)) return op == QL_NE ? all : INTERVAL_NONE;
    if (f >= 9223372036854775808.0) return op == QL_LT || op == QL_LE || op == QL_NE ? all : INTERVAL_NONE;
    if (f < -9223372036854775808.0) return op == QL_GT || op == QL_GE || op == QL_NE ? all : INTERVAL_NONE;
    double down = floor(f);
    int64_t at = (int64_t)down;
    if (down == f) return of_int(op, at);
    switch (op) {
    case QL_NE: return all;
    case QL_LT:
    case QL_LE: return (struct interval){ INT64_MIN, at, false };
    case QL_GT:
    case QL_GE: return of_int(QL_GT, at);
    default: return INTERVAL_NONE;
    }
}

struct interval interval_of(const struct leaf *l, enum value_type type) {
    const struct value *c = &l->value;
    bool number = type == VALUE_INT || type == VALUE_DURATION;
    bool equality = l->op == QL_EQ || l->op == QL_NE;
    if (number && c->type == VALUE_FLOAT) return of_float(l->op, c->f);
    if (number && value_is_number(c->type)) return of_int(l->op, c->i);
    bool same = c->type == type || (type == VALUE_STATUS && c->type == VALUE_INT) ||
                (type == VALUE_INT && c->type == VALUE_STATUS);
    return same && equality ? of_int(l->op, c->i) : INTERVAL_NONE;
}
