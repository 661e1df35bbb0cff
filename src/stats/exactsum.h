// SPDX-License-Identifier: Apache-2.0
// A sum without rounding errors: of int64 in 128 bits, of doubles in a long fixed-point number. It is
// rounded once, when it is asked for, to the nearest double (ties to even), so that the same values
// give the same bits in any order and any split. Infinities and NaN count as IEEE adds them.
//
// A zeroed struct is the sum of nothing, 0. Memory is the arena's. thread: one at a time.
#pragma once

#include "base/cursor.h"
#include "base/mem.h"

struct exactsum {
    __int128 whole;           // of the integers
    int64_t *digits;          // of the doubles: base 2^32, not carried; digit 0 has the weight 2^-1074
    uint16_t first, n_digits; // digits [first, first + n_digits) are there
    uint32_t pending;         // additions since the last carry
    bool has_nan, has_inf, has_minus_inf;
};

static inline void exactsum_add_int(struct exactsum *s, int64_t x) {
    s->whole += x;
}
NODISCARD enum err exactsum_add(struct arena *a, struct exactsum *s, double x);
// Adds what `from` summed. ERR_NOMEM leaves s as it was.
NODISCARD enum err exactsum_merge(struct arena *a, struct exactsum *s, const struct exactsum *from);
// As bytes of this process, and back into an empty sum. ERR_CORRUPT: they are no sum.
void exactsum_pack(const struct exactsum *s, struct buf *out);
NODISCARD enum err exactsum_unpack(struct arena *a, struct reader *r, struct exactsum *out);
double exactsum_round(const struct exactsum *s);
