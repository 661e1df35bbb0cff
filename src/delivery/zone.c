// SPDX-License-Identifier: Apache-2.0
#include "delivery/zone.h"

#include <stdio.h>
#include <time.h>

#define SECOND 1000000000ll

enum { HEADER = 44, DAY = 86400, OFFSET_MAX = 26 * 3600 }; // RFC 8536: offsets lie within a day and a bit

// --- the file ----------------------------------------------------------------------------------------------

struct counts {
    uint32_t utc, standard, leap, times, types, chars;
};

static uint32_t be32(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}
static int64_t be64(const char *p) {
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool take_header(struct str s, struct counts *c) {
    if (s.len < HEADER || !str_starts(s, STR("TZif"))) return false;
    *c = (struct counts){ be32(s.ptr + 20), be32(s.ptr + 24), be32(s.ptr + 28),
                          be32(s.ptr + 32), be32(s.ptr + 36), be32(s.ptr + 40) };
    return c->times <= ZONE_TRANSITIONS_MAX && c->types && c->types <= 256 && c->chars <= 4096 &&
           c->leap <= 4096 && c->utc <= 256 && c->standard <= 256;
}

static size_t block_size(const struct counts *c, size_t wide) {
    return c->times * (wide + 1) + (size_t)c->types * 6 + c->chars + c->leap * (wide + 4) + c->standard +
           c->utc;
}

static enum err take_times(struct str s, const struct counts *c, struct arena *a, struct zone *z) {
    const char *times = s.ptr, *kinds = times + c->times * 8ull, *types = kinds + c->times;
    int64_t *at = ARENA_ARRAY(a, c->times + 1, int64_t);
    int32_t *offset = ARENA_ARRAY(a, c->times + 1, int32_t);
    if (!at || !offset) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->times; i++) {
        unsigned kind = (unsigned char)kinds[i];
        at[i] = be64(times + i * 8ull);
        if (kind >= c->types || (i && at[i] <= at[i - 1])) return ERR_CORRUPT;
        offset[i] = (int32_t)be32(types + kind * 6ull);
        if (offset[i] < -OFFSET_MAX || offset[i] > OFFSET_MAX) return ERR_CORRUPT;
    }
    z->first = (int32_t)be32(types);
    if (z->first < -OFFSET_MAX || z->first > OFFSET_MAX) return ERR_CORRUPT;
    z->at = at;
    z->offset = offset;
    z->n = c->times;
    return ERR_OK;
}

// --- the footer: a TZ string of POSIX ----------------------------------------------------------------------

struct footer {
    struct str s;
    bool bad;
};

static bool next_is(struct footer *f, char c) {
    bool is = f->s.len && f->s.ptr[0] == c;
    if (is) f->s = str_sub(f->s, 1, f->s.len);
    return is;
}

static int take_number(struct footer *f, int most) {
    size_t n = 0;
    int v = 0;
    while (n < f->s.len && n < 4 && f->s.ptr[n] >= '0' && f->s.ptr[n] <= '9')
        v = v * 10 + f->s.ptr[n++] - '0';
    f->s = str_sub(f->s, n, f->s.len);
    if (n == 0 || v > most) f->bad = true;
    return v;
}

static void take_name(struct footer *f) {
    size_t n = 0;
    if (next_is(f, '<')) {
        while (n < f->s.len && f->s.ptr[n] != '>') n++;
        f->s = str_sub(f->s, n, f->s.len);
        f->bad |= !next_is(f, '>');
        return;
    }
    while (n < f->s.len && ((f->s.ptr[n] | 32) >= 'a' && (f->s.ptr[n] | 32) <= 'z')) n++;
    f->s = str_sub(f->s, n, f->s.len);
    f->bad |= n == 0;
}

// [+-]hh[:mm[:ss]]
static int32_t take_clock(struct footer *f) {
    bool minus = next_is(f, '-');
    if (!minus) (void)next_is(f, '+');
    int32_t v = take_number(f, 167) * 3600;
    if (next_is(f, ':')) v += take_number(f, 59) * 60;
    if (next_is(f, ':')) v += take_number(f, 59);
    return minus ? -v : v;
}

static void take_rule(struct footer *f, struct zone_rule *r) {
    *r = (struct zone_rule){ .kind = '0', .time = 2 * 3600 };
    f->bad |= !next_is(f, ',');
    if (next_is(f, 'M')) {
        r->kind = 'M';
        r->month = take_number(f, 12);
        f->bad |= !next_is(f, '.');
        r->week = take_number(f, 5);
        f->bad |= !next_is(f, '.') || !r->month || !r->week;
        r->day = take_number(f, 6);
    } else {
        if (next_is(f, 'J')) r->kind = 'J';
        r->day = take_number(f, 365);
    }
    if (next_is(f, '/')) r->time = take_clock(f);
}

static enum err take_footer(struct str s, struct zone *z) {
    struct footer f = { s, false };
    if (!s.len) return ERR_OK;
    take_name(&f);
    z->standard = -take_clock(&f); // POSIX counts to the west
    z->has_rules = true;
    if (f.s.len) {
        z->has_saving = true;
        z->saving = z->standard + 3600;
        take_name(&f);
        if (f.s.len && f.s.ptr[0] != ',') z->saving = -take_clock(&f);
        take_rule(&f, &z->begins);
        take_rule(&f, &z->ends);
    }
    bool far = z->standard < -OFFSET_MAX || z->standard > OFFSET_MAX || z->saving < -OFFSET_MAX ||
               z->saving > OFFSET_MAX;
    return f.bad || f.s.len || far ? ERR_CORRUPT : ERR_OK;
}

enum err zone_parse(struct str bytes, struct arena *a, struct zone *out) {
    struct counts c;
    *out = (struct zone){ 0 };
    // The first block has times of 32 bits, for old readers; all is again in the second.
    if (!take_header(bytes, &c) || bytes.ptr[4] < '2') return ERR_CORRUPT;
    bytes = str_sub(bytes, HEADER + block_size(&c, 4), bytes.len);
    if (!take_header(bytes, &c)) return ERR_CORRUPT;
    bytes = str_sub(bytes, HEADER, bytes.len);
    if (bytes.len < block_size(&c, 8)) return ERR_CORRUPT;
    TRY(take_times(bytes, &c, a, out));
    struct str footer = str_sub(bytes, block_size(&c, 8), bytes.len);
    if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n') return ERR_CORRUPT;
    return take_footer(str_sub(footer, 1, footer.len - 2), out);
}

static bool is_zone_name(struct str name) {
    if (!name.len || name.len > ZONE_NAME_MAX || name.ptr[0] == '/') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
        if (!letter && !strchr("_+-/", c)) return false; // no dots: no way out of the folder
    }
    return true;
}

static enum err read_file(struct disk *k, const char *path, struct buf *out) {
    struct disk_file *f;
    size_t n = 0;
    TRY(k->ops->open(k, path, DISK_READ, &f));
    enum err e = buf_reserve(out, ZONE_BYTES_MAX) ? ERR_OK : ERR_NOMEM;
    if (e == ERR_OK) e = k->ops->read(f, 0, out->ptr, ZONE_BYTES_MAX, &n);
    k->ops->close(f);
    out->len = n;
    return e;
}

enum err zone_load(struct disk *k, struct str name, struct arena *a, struct zone *out, struct err_ctx *ctx) {
    char path[128];
    struct buf bytes;
    *out = (struct zone){ .name = name };
    if (!name.len || str_eq(name, STR("UTC"))) return ERR_OK;
    if (!is_zone_name(name)) return err_set(ctx, ERR_INVALID, "zone: expected a name such as Europe/Berlin");
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    buf_init(&bytes, ZONE_BYTES_MAX);
    enum err e = read_file(k, path, &bytes);
    if (e == ERR_OK) e = zone_parse(buf_view(&bytes), a, out);
    out->name = name;
    buf_fini(&bytes);
    if (e == ERR_OK || e == ERR_NOMEM) return e;
    return err_set(ctx, ERR_INVALID, "zone: this machine's tzdata has no zone \"%.*s\"", STR_ARG(name));
}

// --- moments -----------------------------------------------------------------------------------------------

static struct tm civil(int64_t seconds) {
    struct tm tm;
    time_t t = (time_t)seconds;
    (void)gmtime_r(&t, &tm);
    return tm;
}

static int64_t seconds_of(int year, int month, int day) {
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
    return (int64_t)timegm(&tm);
}

// Local seconds at which a rule holds in a year.
static int64_t rule_at(const struct zone_rule *r, int year) {
    int64_t first = seconds_of(year, 1, 1);
    if (r->kind == 'M') {
        first = seconds_of(year, r->month, 1);
        int64_t day = (r->day - civil(first).tm_wday + 7) % 7 + (r->week - 1) * 7;
        if (first + day * DAY >= seconds_of(year, r->month + 1, 1)) day -= 7; // the fifth is the last
        return first + day * DAY + r->time;
    }
    bool leap = seconds_of(year, 3, 1) - seconds_of(year, 2, 28) == 2 * DAY;
    int day = r->kind == 'J' ? r->day - 1 + (leap && r->day >= 60) : r->day;
    return first + (int64_t)day * DAY + r->time;
}

static int32_t rules_offset(const struct zone *z, int64_t seconds) {
    if (!z->has_saving) return z->standard;
    int year = civil(seconds + z->standard).tm_year + 1900;
    int64_t from = rule_at(&z->begins, year) - z->standard, to = rule_at(&z->ends, year) - z->saving;
    bool saves = from < to ? seconds >= from && seconds < to : seconds < to || seconds >= from;
    return saves ? z->saving : z->standard;
}

int32_t zone_offset(const struct zone *z, int64_t seconds) {
    uint32_t lo = 0, hi = z->n; // transitions at or before
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (z->at[mid] <= seconds)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == z->n && z->has_rules) return rules_offset(z, seconds);
    return lo ? z->offset[lo - 1] : z->first;
}

// The first moment whose local time is this or later. Where clocks go back, the earlier of two.
static int64_t moment_of(const struct zone *z, int64_t local) {
    int64_t early = local - OFFSET_MAX, late = local + OFFSET_MAX;
    int64_t a = local - zone_offset(z, early), b = local - zone_offset(z, late);
    int64_t lo = a < b ? a : b, hi = a < b ? b : a;
    if (lo + zone_offset(z, lo) == local) return lo;
    if (hi + zone_offset(z, hi) == local) return hi;
    while (lo < hi) { // skipped: the moment at which the clocks jump over it
        int64_t mid = lo + (hi - lo) / 2;
        if (mid + zone_offset(z, mid) >= local)
            hi = mid;
        else
            lo = mid + 1;
    }
    return hi;
}

// --- periods -----------------------------------------------------------------------------------------------

static const char *const names[PERIOD_COUNT] = { "", "day", "week", "month", "quarter" };

const char *period_text(enum period p) {
    return names[p];
}

bool period_of(struct str name, enum period *out) {
    for (unsigned i = PERIOD_DAY; i < PERIOD_COUNT; i++)
        if (str_eq(name, str_of(names[i]))) {
            *out = (enum period)i;
            return true;
        }
    return false;
}

static int64_t floor_second(int64_t ns) {
    return ns / SECOND - (ns % SECOND < 0);
}

static int64_t boundary(const struct zone *z, enum period p, int64_t ns, int more) {
    int64_t s = floor_second(ns);
    struct tm tm = civil(s + zone_offset(z, s));
    int year = tm.tm_year + 1900, month = tm.tm_mon + 1, day = tm.tm_mday;
    switch (p) {
    case PERIOD_WEEK: day += -(tm.tm_wday + 6) % 7 + 7 * more; break;
    case PERIOD_MONTH: day = 1, month += more; break;
    case PERIOD_QUARTER: day = 1, month += -(month - 1) % 3 + 3 * more; break;
    default: day += more; break;
    }
    return zone_day(z, year, month, day);
}

int64_t period_start(const struct zone *z, enum period p, int64_t ns) {
    return boundary(z, p, ns, 0);
}
int64_t period_next(const struct zone *z, enum period p, int64_t ns) {
    return boundary(z, p, ns, 1);
}
int64_t zone_day(const struct zone *z, int year, int month, int day) {
    return moment_of(z, seconds_of(year, month, day)) * SECOND;
}
