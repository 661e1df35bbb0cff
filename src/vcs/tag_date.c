// SPDX-License-Identifier: Apache-2.0
#include "vcs/tags.h"

enum { YEAR_MIN = 1990, YEAR_MAX = 2099 };

struct reader {
    struct str s;
    size_t at;
};

static bool is_digit_at(struct str s, size_t i) {
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

// Exactly n digits; what follows does not matter.
static bool take_number(struct reader *r, size_t n, int *out) {
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit_at(r->s, r->at + i)) return false;
        v = 10 * v + (r->s.ptr[r->at + i] - '0');
    }
    r->at += n;
    *out = v;
    return true;
}

static char peek(const struct reader *r) {
    return r->at < r->s.len ? r->s.ptr[r->at] : '\0';
}

static size_t digits_from(struct str s, size_t at) {
    size_t n = 0;
    while (is_digit_at(s, at + n)) n++;
    return n;
}

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_date(int year, int month, int day) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1) return false;
    return day <= days[month - 1] + (month == 2 && is_leap(year));
}

// Days from 1970-01-01, for years from 1970 on.
static int64_t day_number(int year, int month, int day) {
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    int64_t y = year - 1; // whole years before this one
    int64_t leaps = (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return 365 * (int64_t)(year - 1970) + leaps + before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

// HHMM, HHMMSS, HH-MM, HH-MM-SS, HH.MM, HH.MM.SS, HH_MM, HH_MM_SS, and no digit behind; to seconds.
static bool take_time(struct reader *r, int *out_s) {
    struct reader t = *r;
    int hour, minute, second = 0;
    size_t run = digits_from(t.s, t.at);
    if (run != 2 && run != 4 && run != 6) return false;
    if (!take_number(&t, 2, &hour)) return false;
    char sep = run == 2 ? peek(&t) : '\0';
    if (run == 2 && sep != '-' && sep != '.' && sep != '_') return false;
    t.at += run == 2;
    if (run == 2 && digits_from(t.s, t.at) != 2) return false;
    if (!take_number(&t, 2, &minute)) return false;
    if (run == 2 && peek(&t) == sep && digits_from(t.s, t.at + 1) == 2) {
        t.at++;
        if (!take_number(&t, 2, &second)) return false;
    }
    if (run == 6 && !take_number(&t, 2, &second)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    *out_s = hour * 3600 + minute * 60 + second;
    *r = t;
    return true;
}

static bool take_ymd(struct reader *r, int64_t *out_day) {
    int year, month, day;
    if (!take_number(r, 4, &year)) return false;
    char sep = peek(r);
    bool apart = sep == '-' || sep == '.' || sep == '_';
    r->at += apart;
    if (!take_number(r, 2, &month)) return false;
    if (apart && peek(r) != sep) return false;
    r->at += apart;
    if (!take_number(r, 2, &day) || !is_date(year, month, day)) return false;
    *out_day = day_number(year, month, day);
    return true;
}

// A date that begins at r->at, where a run of digits begins.
static bool take_date(struct reader r, struct tag_date *out) {
    size_t run = digits_from(r.s, r.at);
    int64_t day;
    int seconds = 0;
    if (!take_ymd(&r, &day)) return false;
    bool has_time = false;
    if (run == 12 || run == 14) { // one number: the time must be there
        if (!take_time(&r, &seconds)) return false;
        has_time = true;
    } else if (is_digit_at(r.s, r.at)) {
        return false;
    } else if (peek(&r) && strchr("-_Tt", peek(&r))) {
        r.at++;
        has_time = take_time(&r, &seconds);
    }
    *out = (struct tag_date){ (day * 86400 + seconds) * 1000000000, has_time };
    return true;
}

bool tag_name_date(struct str name, struct tag_date *out) {
    for (size_t at = 0; at < name.len;) {
        size_t run = digits_from(name, at);
        if (run >= 4 && take_date((struct reader){ name, at }, out)) return true;
        at += run ? run : 1;
    }
    return false;
}
