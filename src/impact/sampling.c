// SPDX-License-Identifier: Apache-2.0
#include "impact/sampling.h"

enum { THRESHOLD_DIGITS = 14 }; // of 56 bits

static int digit_of(char c) { // the standard has lower case only
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Trailing zeros may be left out: "8" is half of 2^56.
static double weight_of_threshold(struct str hex) {
    double rejected = 0, unit = 1;
    if (hex.len < 1 || hex.len > THRESHOLD_DIGITS) return 0;
    for (size_t i = 0; i < hex.len; i++) {
        int digit = digit_of(hex.ptr[i]);
        if (digit < 0) return 0;
        unit /= 16;
        rejected += digit * unit;
    }
    double weight = 1 / (1 - rejected);
    return weight < SAMPLING_WEIGHT_MAX ? weight : SAMPLING_WEIGHT_MAX;
}

// th:c;rv:1234…
static double weight_of_member(struct str value) {
    struct str part, rest = value;
    for (bool more = true; more;) {
        more = str_cut(rest, ';', &part, &rest);
        if (str_starts(part, STR("th:"))) return weight_of_threshold(str_sub(part, 3, part.len));
    }
    return 0;
}

double sampling_weight(struct str trace_state) {
    struct str member, rest = trace_state;
    for (bool more = trace_state.len > 0; more;) {
        more = str_cut(rest, ',', &member, &rest);
        member = str_trim(member);
        if (str_starts(member, STR("ot="))) return weight_of_member(str_sub(member, 3, member.len));
    }
    return 0;
}
