// SPDX-License-Identifier: Apache-2.0
#include "api/api_internal.h"

struct str param(const struct net_request *rq, struct str name) {
    struct str rest = rq->query, pair, key, value;
    while (rest.len) {
        (void)str_cut(rest, '&', &pair, &rest);
        (void)str_cut(pair, '=', &key, &value);
        if (!str_eq(key, name)) continue;
        struct str decoded;
        if (net_percent_decode(rq->arena, value, true, &decoded)) return decoded;
    }
    return (struct str){ NULL, 0 };
}

static bool unit_ns(struct str unit, double *out) {
    static const struct {
        struct str name;
        double ns;
    } units[] = { { { "ns", 2 }, 1 },     { { "us", 2 }, 1e3 },         { { "\xc2\xb5s", 3 }, 1e3 },
                  { { "ms", 2 }, 1e6 },   { { "s", 1 }, 1e9 },          { { "m", 1 }, 60e9 },
                  { { "h", 1 }, 3600e9 }, { { "d", 1 }, 86400.0 * 1e9 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eq(unit, units[i].name)) continue;
        *out = units[i].ns;
        return true;
    }
    return false;
}

bool parse_duration(struct str s, uint64_t *out_ns) {
    double total = 0;
    if (str_eq(s, STR("0"))) {
        *out_ns = 0;
        return true;
    }
    if (s.len == 0) return false;
    while (s.len) {
        size_t digits = 0, letters;
        double number, ns;
        while (digits < s.len && ((s.ptr[digits] >= '0' && s.ptr[digits] <= '9') || s.ptr[digits] == '.'))
            digits++;
        for (letters = digits; letters < s.len && !(s.ptr[letters] >= '0' && s.ptr[letters] <= '9');)
            letters++;
        if (!json_f64(str_sub(s, 0, digits), &number)) return false;
        if (!unit_ns(str_sub(s, digits, letters - digits), &ns)) return false;
        total += number * ns;
        s = str_sub(s, letters, s.len);
    }
    if (total >= 9.2e18) return false;
    *out_ns = (uint64_t)total;
    return true;
}

bool parse_time(struct str s, uint64_t *out_ns) {
    uint64_t v;
    double seconds;
    if (str_u64(s, &v)) {
        if (s.len > 10)
            *out_ns = v;
        else
            *out_ns = v * 1000000000;
        return *out_ns <= INT64_MAX;
    }
    if (!json_f64(s, &seconds) || seconds < 0 || seconds > 9e9) return false;
    *out_ns = (uint64_t)(seconds * 1e9);
    return true;
}
