// SPDX-License-Identifier: Apache-2.0
// Minimum and maximum of values, in the order that the format defines for a column's type, and the
// bounds that are written for them.
#pragma once

#include "parquet/format.h"

enum stats_order { STATS_SIGNED, STATS_UNSIGNED, STATS_DOUBLE, STATS_BYTES };

union stats_value {
    int64_t i; // STATS_SIGNED, STATS_UNSIGNED (an INT32 widened accordingly)
    double f;
    struct str s; // borrowed
};

struct minmax {
    bool any; // false: no value, or only NaN
    union stats_value min, max;
    uint64_t min_key, max_key; // STATS_BYTES: the first 8 bytes, as a number that sorts alike
};

enum stats_order stats_order_of(const struct pq_column *c);

// A number that sorts as the value does, as far as 8 bytes tell; not for doubles.
uint64_t stats_key(enum stats_order order, union stats_value v);

void minmax_add(struct minmax *m, enum stats_order order, union stats_value v);
void minmax_merge(struct minmax *m, enum stats_order order, const struct minmax *from);
void minmax_i32(struct minmax *m, enum stats_order order, const int32_t *v, size_t n);
void minmax_i64(struct minmax *m, enum stats_order order, const int64_t *v, size_t n);
void minmax_bools(struct minmax *m, const uint8_t *v, size_t n);
void minmax_fixed(struct minmax *m, const uint8_t *v, size_t n, uint32_t len);

// Bounds as bytes. STRING and plain BYTE_ARRAY are cut to STATS_TEXT_MAX bytes (a cut maximum is
// raised, and may be a byte longer); *exact is cleared where that happened.
enum { STATS_TEXT_MAX = 64 };
struct stats_bound {
    struct str bytes; // in `space`, or borrowed from the value
    char space[STATS_TEXT_MAX + 4];
};
void stats_lower(const struct pq_column *c, union stats_value v, struct stats_bound *out, bool *exact);
void stats_upper(const struct pq_column *c, union stats_value v, struct stats_bound *out, bool *exact);

// Compares two PLAIN values. Numbers of the wrong length compare as equal.
int stats_cmp(const struct pq_column *c, struct str a, struct str b);
