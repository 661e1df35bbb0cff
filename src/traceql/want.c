// SPDX-License-Identifier: Apache-2.0
// Notes of what may come at the end of the text.
#include "traceql/parse.h"

void parse_want_operators(struct parser *p, int type_class) {
    uint32_t what = 0;
    switch ((enum type_class)type_class) {
    case CLASS_ANY:
        what = QL_WANT_LOGIC | QL_WANT_EQUALITY | QL_WANT_ORDER | QL_WANT_PATTERN | QL_WANT_ARITHMETIC;
        break;
    case CLASS_BOOL: what = QL_WANT_LOGIC | QL_WANT_EQUALITY; break;
    case CLASS_NUMBER: what = QL_WANT_EQUALITY | QL_WANT_ORDER | QL_WANT_ARITHMETIC; break;
    case CLASS_STRING: what = QL_WANT_EQUALITY | QL_WANT_ORDER | QL_WANT_PATTERN; break;
    case CLASS_NIL:
    case CLASS_STATUS:
    case CLASS_KIND:
    default: what = QL_WANT_EQUALITY;
    }
    parse_want(p, what);
}
