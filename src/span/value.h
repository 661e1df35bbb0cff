// SPDX-License-Identifier: Apache-2.0
// A typed value as questions see it: of an attribute, of an intrinsic, or written in a query.
#pragma once

#include "base/str.h"

enum value_type {
    VALUE_NIL, // absent
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_DURATION, // ns, in i
    VALUE_STATUS,   // in i: 0 unset, 1 ok, 2 error (OTLP's numbers)
    VALUE_KIND,     // in i: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    VALUE_STRING,   // in s
    VALUE_ANY,      // in s: the AnyValue message of an array, a list of pairs, bytes or the empty value
    VALUE_TYPE_COUNT
};

struct value {
    enum value_type type;
    union {
        int64_t i; // BOOL: 0 or 1
        double f;
        struct str s; // borrowed
    };
};

#define VALUE_OF_NIL ((struct value){ .type = VALUE_NIL })
#define VALUE_OF_INT(x) ((struct value){ .type = VALUE_INT, .i = (x) })
#define VALUE_OF_FLOAT(x) ((struct value){ .type = VALUE_FLOAT, .f = (x) })
#define VALUE_OF_BOOL(x) ((struct value){ .type = VALUE_BOOL, .i = (x) ? 1 : 0 })
#define VALUE_OF_STR(x) ((struct value){ .type = VALUE_STRING, .s = (x) })

static inline bool value_is_number(enum value_type t) {
    return t == VALUE_INT || t == VALUE_FLOAT || t == VALUE_DURATION;
}

// A total order over all values, for output and maps: by type, then by value (numbers of one type
// by size, NaN last; text by bytes). 0 only for values that are the same in type and content.
int value_order(const struct value *a, const struct value *b);
uint64_t value_hash(const struct value *v); // equal in value_order -> equal hash

// How numbers compare, exactly, whatever their types (int against float without rounding).
// false: one is NaN or not a number.
bool value_compare_numbers(const struct value *a, const struct value *b, int *out);

// The elements of a VALUE_ANY that is an array of strings, ints, floats or bools, all of one kind.
// false: it is something else, which no comparison matches. Calls back for each element in order.
bool value_array(struct str any, void (*each)(void *ctx, const struct value *element), void *ctx);

// Text as TraceQL writes the value and as answers show it: strings bare (no quotes), durations as Go
// prints them (1.5s, 2m30s, 150ms), floats shortest, status and kind as their words. ANY: as
// OTLP/JSON. NIL: "nil".
void value_text(const struct value *v, struct buf *out);
