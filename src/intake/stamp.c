// SPDX-License-Identifier: Apache-2.0
#include "intake/stamp.h"

#include <stdio.h>

#define SECOND_NS 1000000000
enum { DAY_S = 86400, YEAR_MIN = 1678, YEAR_MAX = 2261 };

struct parts {
    int year, month, day, hour, minute, second;
    int64_t fraction_ns;
    int offset_s;
};

static bool digits(struct str *s, unsigned n, int *out) {
    int v = 0;
    if (s->len < n) return false;
    for (unsigned i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') return false;
        v = v * 10 + (s->ptr[i] - '0');
    }
    *s = str_sub(*s, n, s->len);
    *out = v;
    return true;
}

static bool sign(struct str *s, const char *any, char *out) {
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any, s->ptr[0])) return false;
    if (out) *out = s->ptr[0];
    *s = str_sub(*s, 1, s->len);
    return true;
}

static int month_days(int year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool date_read(struct str *s, struct parts *p) {
    return digits(s, 4, &p->year) && sign(s, "-", NULL) && digits(s, 2, &p->month) && sign(s, "-", NULL) &&
           digits(s, 2, &p->day) && p->month >= 1 && p->month <= 12 && p->day >= 1 &&
           p->day <= month_days(p->year, p->month);
}

static bool fraction_read(struct str *s, struct parts *p) {
    int64_t unit = SECOND_NS;
    int d, n = 0;
    for (; digits(s, 1, &d); n++) p->fraction_ns += d * (unit /= 10);
    return n > 0 && n <= STAMP_FRACTION_MAX;
}

static bool time_read(struct str *s, struct parts *p) {
    if (!digits(s, 2, &p->hour) || !sign(s, ":", NULL) || !digits(s, 2, &p->minute) || !sign(s, ":", NULL) ||
        !digits(s, 2, &p->second))
        return false;
    if (sign(s, ".", NULL) && !fraction_read(s, p)) return false;
    return p->hour <= 23 && p->minute <= 59 && p->second <= 60;
}

// "Z", " UTC", "+02:00", "+0200", " +0200".
static bool zone_read(struct str s, struct parts *p) {
    char way;
    int hours, minutes;
    if (str_eq(s, STR(" UTC")) || str_eq(s, STR("Z")) || str_eq(s, STR("z"))) return true;
    (void)sign(&s, " ", NULL);
    if (!sign(&s, "+-", &way) || !digits(&s, 2, &hours)) return false;
    (void)sign(&s, ":", NULL);
    if (!digits(&s, 2, &minutes) || s.len || hours > 23 || minutes > 59) return false;
    p->offset_s = (hours * 60 + minutes) * (way == '-' ? -60 : 60);
    return true;
}

// Days since 1970 in the Gregorian calendar, whose cycle of 400 years has 146097 days.
static int64_t days_of(int year, int month, int day) {
    int64_t y = year - (month <= 2), m = (month + 9) % 12;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool join(const struct parts *p, int64_t *out_ns) {
    int64_t s = days_of(p->year, p->month, p->day) * DAY_S + p->hour * 3600 + p->minute * 60 + p->second -
                p->offset_s;
    if (p->second == 60 && s % DAY_S != 0) return false; // leap seconds end a day of UTC
    if (p->year < YEAR_MIN)
        *out_ns = p->year == 1 && p->month == 1 && p->day == 1 ? 0 : STAMP_BEFORE;
    else if (p->year > YEAR_MAX)
        *out_ns = STAMP_BEYOND;
    else
        *out_ns = s * SECOND_NS + p->fraction_ns;
    return true;
}

bool stamp_read(struct str s, int64_t *out_ns) {
    struct parts p = { 0 };
    if (!date_read(&s, &p)) return false;
    if (s.len && (!sign(&s, "Tt ", NULL) || !time_read(&s, &p) || !zone_read(s, &p))) return false;
    return join(&p, out_ns);
}

int64_t stamp_of(int64_t count, int64_t unit_ns) {
    int64_t ns;
    if (__builtin_mul_overflow(count, unit_ns, &ns)) return count < 0 ? STAMP_BEFORE : STAMP_BEYOND;
    return ns;
}

int64_t stamp_guess(int64_t count) {
    static const int64_t limits[] = { 100000000000, 100000000000000, 100000000000000000 };
    int64_t unit = SECOND_NS;
    for (unsigned i = 0; i < 3 && (count >= limits[i] || count <= -limits[i]); i++) unit /= 1000;
    return stamp_of(count, unit);
}

static bool unit_of(struct str s, int64_t *out_ns) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                  { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        *out_ns = units[i].ms * 1000000;
        if (str_eq(s, str_of(units[i].name))) return true;
    }
    return false;
}

static size_t count_while(struct str s, size_t at, bool digits) {
    size_t n = 0;
    while (at + n < s.len && (s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9') == digits) n++;
    return n;
}

bool stamp_length(struct str s, int64_t *out_ns) {
    const int64_t most = 366ll * DAY_S * SECOND_NS;
    int64_t sum = 0, unit;
    uint64_t count;
    if (!s.len) return false;
    for (size_t at = 0; at < s.len;) {
        size_t digits = count_while(s, at, true), letters = count_while(s, at + digits, false);
        if (!str_u64(str_sub(s, at, digits), &count) || !unit_of(str_sub(s, at + digits, letters), &unit) ||
            count > (uint64_t)(most / unit))
            return false;
        sum += (int64_t)count * unit;
        if (sum > most) return false;
        at += digits + letters;
    }
    *out_ns = sum;
    return true;
}

// The other way: the day of March 1 of year 0 is the zero of the count.
static void date_of(int64_t days, struct parts *p) {
    int64_t z = days + 719468, era = z / 146097, of_era = z % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
    p->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    p->month = (int)(m < 10 ? m + 3 : m - 9);
    p->year = (int)(year + era * 400 + (p->month <= 2));
}

int64_t stamp_month(int64_t ns) {
    struct parts p = { 0 };
    int64_t days = ns / SECOND_NS / DAY_S;
    if (ns < days * DAY_S * SECOND_NS) days--;
    date_of(days, &p);
    return stamp_of((days - p.day + 1) * DAY_S, SECOND_NS);
}

struct str stamp_print(int64_t ns, char out[STAMP_TEXT_SIZE]) {
    struct parts p = { 0 };
    int64_t s = ns / SECOND_NS, f = ns % SECOND_NS;
    if (f < 0) s--, f += SECOND_NS;
    int64_t days = s / DAY_S, of_day = s % DAY_S;
    if (of_day < 0) days--, of_day += DAY_S;
    date_of(days, &p);
    int n = snprintf(out, STAMP_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", p.year, p.month, p.day,
                     (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    int places = f == 0 ? 0 : f % 1000000 == 0 ? 3 : f % 1000 == 0 ? 6 : 9;
    int64_t shown = places == 3 ? f / 1000000 : places == 6 ? f / 1000 : f;
    if (places) n += snprintf(out + n, STAMP_TEXT_SIZE - (size_t)n, ".%0*d", places, (int)shown);
    (void)snprintf(out + n, STAMP_TEXT_SIZE - (size_t)n, "Z");
    return (struct str){ out, (size_t)n + 1 };
}
