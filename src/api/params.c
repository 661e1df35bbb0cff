// SPDX-License-Identifier: Apache-2.0
#include "api/params.h"

#include "base/json.h"
#include "net/net.h"
#include "os/clock.h"

enum { SHOWN = 40 }; // bytes of a wrong value in a message

static int shown(struct str s) {
    return (int)(s.len < SHOWN ? s.len : SHOWN);
}

// In TraceQL a NUL is told of by its parser, with the place; nowhere else is there one.
static bool decode(const struct params *p, struct str key, struct str raw, struct str *out) {
    return str_eq(key, STR("q")) ? net_percent_decode_any(p->arena, raw, true, out)
                                 : net_percent_decode(p->arena, raw, true, out);
}

bool params_next(const struct params *p, struct str *rest, struct str *name, struct str *value) {
    struct str pair, key, raw;
    while (rest->len) {
        (void)str_cut(*rest, '&', &pair, rest);
        (void)str_cut(pair, '=', &key, &raw);
        if (key.len && net_percent_decode(p->arena, key, true, name) && decode(p, key, raw, value))
            return true;
    }
    return false;
}

struct str params_get(const struct params *p, struct str name) {
    struct str rest = p->query, pair, key, value, decoded;
    while (rest.len) {
        (void)str_cut(rest, '&', &pair, &rest);
        (void)str_cut(pair, '=', &key, &value);
        if (!str_eq(key, name)) continue;
        if (decode(p, key, value, &decoded)) return decoded;
    }
    return (struct str){ NULL, 0 };
}

enum err params_check(const struct params *p, struct err_ctx *ctx) {
    struct str rest = p->query, pair, key, value, decoded;
    if (!memchr(rest.len ? rest.ptr : "", '%', rest.len)) return ERR_OK;
    while (rest.len) {
        (void)str_cut(rest, '&', &pair, &rest);
        (void)str_cut(pair, '=', &key, &value);
        if (net_percent_decode(p->arena, key, true, &decoded) && decode(p, key, value, &decoded)) continue;
        return p->arena->failed
                   ? ERR_NOMEM
                   : err_set(ctx, ERR_INVALID,
                             "\"%.*s\" is not well encoded: a percent sign is %%25, and there is no %%00",
                             shown(pair), pair.ptr);
    }
    return ERR_OK;
}

static void add_encoded(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain || c == '-' || c == '.' || c == '_')
            buf_char(out, (char)c);
        else
            buf_fmt(out, "%%%02X", c);
    }
}

void params_add(struct buf *query, struct str name, struct str value) {
    if (query->len) buf_char(query, '&');
    add_encoded(query, name);
    buf_char(query, '=');
    add_encoded(query, value);
}

enum err params_number(const struct params *p, struct str name, uint64_t most, uint64_t *out,
                       struct err_ctx *ctx) {
    struct str s = params_get(p, name);
    uint64_t v;
    if (s.len == 0) return ERR_OK;
    if (!str_u64(s, &v) || v > most)
        return err_set(ctx, ERR_INVALID, "%.*s=\"%.*s\" is not a number up to %llu", STR_ARG(name), shown(s),
                       s.ptr, (unsigned long long)most);
    *out = v;
    return ERR_OK;
}

enum err params_duration(const struct params *p, struct str name, uint64_t *out_ns, struct err_ctx *ctx) {
    struct str s = params_get(p, name);
    if (s.len == 0 || parse_duration(s, out_ns)) return ERR_OK;
    return err_set(ctx, ERR_INVALID, "%.*s=\"%.*s\" is not a duration like 250ms, 1.5s or 1h30m",
                   STR_ARG(name), shown(s), s.ptr);
}

// Clients write them as their language does: True, t, 1.
static bool is_one_of(struct str s, const char *word) {
    return str_eq_nocase(s, str_of(word)) || str_eq_nocase(s, (struct str){ word, 1 });
}

enum err params_bool(const struct params *p, struct str name, bool *out, struct err_ctx *ctx) {
    struct str s = params_get(p, name);
    bool yes = is_one_of(s, "true") || str_eq(s, STR("1"));
    if (s.len == 0) return ERR_OK;
    if (!yes && !is_one_of(s, "false") && !str_eq(s, STR("0")))
        return err_set(ctx, ERR_INVALID, "%.*s=\"%.*s\" is neither true nor false", STR_ARG(name), shown(s),
                       s.ptr);
    *out = yes;
    return ERR_OK;
}

enum err params_time(const struct params *p, struct str name, uint64_t *out_ns, struct err_ctx *ctx) {
    struct str s = params_get(p, name);
    if (s.len == 0 || parse_time(s, out_ns)) return ERR_OK;
    return err_set(ctx, ERR_INVALID,
                   "%.*s=\"%.*s\": times are unix seconds, nanoseconds (18 digits or more) or RFC 3339",
                   STR_ARG(name), shown(s), s.ptr);
}

enum err params_range(const struct params *p, struct clock *clock, uint64_t *start_ns, uint64_t *end_ns,
                      struct err_ctx *ctx) {
    struct str start = params_get(p, STR("start")), end = params_get(p, STR("end"));
    uint64_t since = 0, now = clock_unix_ns(clock), from = 0, to = 0;
    *start_ns = *end_ns = 0;
    TRY(params_duration(p, STR("since"), &since, ctx));
    if (since) {
        *start_ns = now > since ? now - since : 0;
        *end_ns = INT64_MAX;
        return ERR_OK;
    }
    if (start.len == 0 && end.len == 0) return ERR_OK;
    if (start.len == 0 || end.len == 0) return err_set(ctx, ERR_INVALID, "start and end go together");
    TRY(params_time(p, STR("start"), &from, ctx));
    TRY(params_time(p, STR("end"), &to, ctx));
    if (to <= from) return err_set(ctx, ERR_INVALID, "end must be after start");
    *start_ns = from;
    *end_ns = to;
    return ERR_OK;
}

static bool unit_ns(struct str unit, double *out) {
    static const struct {
        struct str name;
        double ns;
    } units[] = { { { "ns", 2 }, 1 },          { { "us", 2 }, 1e3 },         { { "\xc2\xb5s", 3 }, 1e3 },
                  { { "\xce\xbcs", 3 }, 1e3 }, { { "ms", 2 }, 1e6 },         { { "s", 1 }, 1e9 },
                  { { "m", 1 }, 60e9 },        { { "h", 1 }, 3600e9 },       { { "d", 1 }, 86400e9 },
                  { { "w", 1 }, 7 * 86400e9 }, { { "y", 1 }, 365 * 86400e9 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eq(unit, units[i].name)) continue;
        *out = units[i].ns;
        return true;
    }
    return false;
}

bool parse_decimal(struct str s, double *out) {
    static const uint64_t most = 100000000000000000; // what follows it is too little to count
    uint64_t digits = 0;
    double scale = 1;
    bool any = false, dot = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool first_dot = c == '.' && !dot, digit = c >= '0' && c <= '9';
        if (!first_dot && !digit) return false;
        dot |= first_dot;
        any |= digit;
        if (!digit || (digits >= most && dot)) continue;
        if (digits >= most) return false;
        digits = digits * 10 + (uint64_t)(c - '0');
        if (dot) scale *= 10;
    }
    *out = (double)digits / scale;
    return any;
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
        for (letters = digits;
             letters < s.len && s.ptr[letters] != '.' && !(s.ptr[letters] >= '0' && s.ptr[letters] <= '9');)
            letters++;
        if (!parse_decimal(str_sub(s, 0, digits), &number)) return false;
        if (!unit_ns(str_sub(s, digits, letters - digits), &ns)) return false;
        total += number * ns;
        s = str_sub(s, letters, s.len);
    }
    if (total >= 9.2e18) return false;
    *out_ns = (uint64_t)total;
    return true;
}

// --- times -----------------------------------------------------------------------------------------------

static bool digits(struct str *s, size_t n, uint32_t *out) {
    uint64_t v;
    if (s->len < n || !str_u64(str_sub(*s, 0, n), &v)) return false;
    *out = (uint32_t)v;
    *s = str_sub(*s, n, s->len);
    return true;
}

static bool skip(struct str *s, char c) {
    char small = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    if (s->len == 0 || (*s->ptr != c && *s->ptr != small)) return false;
    *s = str_sub(*s, 1, s->len);
    return true;
}

// Days from 1970-01-01 of a day in the Gregorian calendar.
static int64_t days_of(uint32_t year, uint32_t month, uint32_t day) {
    int64_t y = (int64_t)year - (month <= 2), m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

bool date_exists(uint32_t year, uint32_t month, uint32_t day) {
    bool is_last = month == 12;
    return month - 1 < 12 && day >= 1 &&
           days_of(year, month, day) < days_of(year + is_last, is_last ? 1 : month + 1, 1);
}

static bool parse_zone(struct str s, int64_t *out_s) {
    uint32_t hours, minutes;
    *out_s = 0;
    if (skip(&s, 'Z')) return s.len == 0;
    int64_t sign = s.len && *s.ptr == '-' ? -1 : 1;
    if (!skip(&s, sign < 0 ? '-' : '+') || !digits(&s, 2, &hours) || !skip(&s, ':') ||
        !digits(&s, 2, &minutes) || s.len || hours > 23 || minutes > 59)
        return false;
    *out_s = sign * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

// 2026-01-31T12:00:00.5+02:00
static bool parse_rfc3339(struct str s, uint64_t *out_ns) {
    uint32_t year, month, day, hour, minute, second, nanos = 0, unit = 100000000;
    int64_t zone;
    if (!digits(&s, 4, &year) || !skip(&s, '-') || !digits(&s, 2, &month) || !skip(&s, '-') ||
        !digits(&s, 2, &day) || !skip(&s, 'T') || !digits(&s, 2, &hour) || !skip(&s, ':') ||
        !digits(&s, 2, &minute) || !skip(&s, ':') || !digits(&s, 2, &second))
        return false;
    if (!date_exists(year, month, day) || hour > 23 || minute > 59 || second > 60) return false;
    if (skip(&s, '.'))
        for (uint32_t d; digits(&s, 1, &d); unit /= 10) nanos += d * unit;
    if (!parse_zone(s, &zone)) return false;
    int64_t t = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    if (t < 0 || t > INT64_MAX / 1000000000 - 1) return false;
    *out_ns = (uint64_t)t * 1000000000 + nanos;
    return true;
}

bool parse_time(struct str s, uint64_t *out_ns) {
    enum { SECONDS_DIGITS = 10, NANOSECONDS_DIGITS = 18 }; // from 1973 on; between them: milliseconds
    uint64_t v;
    double seconds;
    if (str_u64(s, &v)) {
        if (s.len > SECONDS_DIGITS && s.len < NANOSECONDS_DIGITS) return false;
        *out_ns = s.len > SECONDS_DIGITS ? v : v * 1000000000;
        return *out_ns <= INT64_MAX;
    }
    if (s.len > 4 && s.ptr[4] == '-') return parse_rfc3339(s, out_ns);
    if (!parse_decimal(s, &seconds) && !json_f64(s, &seconds)) return false; // 1.7e9 is one too
    if (seconds < 0 || seconds > 9e9) return false;
    *out_ns = (uint64_t)(seconds * 1e9);
    return true;
}
