// SPDX-License-Identifier: Apache-2.0
#include "block/ulid.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's base 32

void ulid_make(uint64_t unix_ms, const uint8_t random[10], char out[ULID_LEN + 1]) {
    for (int i = 9; i >= 0; i--, unix_ms >>= 5) out[i] = digits[unix_ms & 31];
    for (int half = 0; half < 2; half++) {
        uint64_t v = 0;
        for (int i = 0; i < 5; i++) v = v << 8 | random[half * 5 + i];
        for (int i = 7; i >= 0; i--, v >>= 5) out[10 + half * 8 + i] = digits[v & 31];
    }
    out[ULID_LEN] = '\0';
}

bool ulid_valid(struct str s) {
    if (s.len != ULID_LEN || s.ptr[0] > '7') return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\0' || !strchr(digits, s.ptr[i])) return false;
    return true;
}
