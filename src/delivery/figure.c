// SPDX-License-Identifier: Apache-2.0
#include "delivery/figure.h"

#include <stdio.h>
#include <time.h>

#include "delivery/catalogue.h"

#define SECOND 1000000000ll

// Letters, digits and a few marks as they are; all else as %XX.
static void put_value(struct buf *b, struct str v) {
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_./:", c))
            buf_char(b, (char)c);
        else
            buf_fmt(b, "%%%02X", c);
    }
}

static void put_pair(struct buf *b, const char *name, struct str v) {
    if (!v.len) return;
    buf_fmt(b, ",%s=", name);
    put_value(b, v);
}

static void put_time(struct buf *b, const char *name, int64_t t) {
    time_t s = (time_t)(t / SECOND);
    struct tm tm;
    char text[32];
    (void)gmtime_r(&s, &tm);
    (void)strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
    put_pair(b, name, str_of(text));
}

bool figure_of_failures(enum measure m) {
    return m == MEASURE_CHANGE_FAILURE_RATE || m == MEASURE_FAILED_DEPLOYMENT_RECOVERY ||
           m == MEASURE_FAILED_TIME;
}

void figure_print(const struct figure_id *f, struct buf *out) {
    const struct measure_info *m = measure_info(f->measure);
    if (f->compat)
        buf_fmt(out, "%s@%u", compat_info(f->compat)->name, compat_info(f->compat)->version);
    else
        buf_fmt(out, "%s@%u", m->name, m->version);
    put_pair(out, "service", f->scope.service);
    put_pair(out, "environment", f->scope.environment);
    put_pair(out, "change", f->scope.change_kind);
    put_pair(out, "team", f->scope.team);
    put_pair(out, "product", f->scope.product);
    if (f->scope.tier) buf_fmt(out, ",tier=%u", f->scope.tier);
    put_time(out, "from", f->from);
    put_time(out, "to", f->to);
    if (f->period) put_pair(out, "calendar", str_of(period_text(f->period)));
    if (f->period) put_pair(out, "zone", f->zone.len ? f->zone : STR("UTC"));
    if (f->clock == CLOCK_COMMITTER) put_pair(out, "clock", STR("committer"));
    if (f->with_rollbacks) put_pair(out, "rollbacks", STR("yes"));
    if (f->with_redeploys) put_pair(out, "redeploys", STR("yes"));
    if (f->failure_severity && !f->compat && figure_of_failures(f->measure))
        buf_fmt(out, ",severity=%u", f->failure_severity);
    if (f->measure == MEASURE_STALE_FLAG_RATE && f->flag_days && !f->compat)
        buf_fmt(out, ",flag_days=%u", f->flag_days);
    if (f->as_of) buf_fmt(out, ",as_of=%lld", (long long)f->as_of);
    if (f->at) put_time(out, "at", f->at);
}

static bool take_value(struct arena *a, struct str v, struct str *out) {
    char *to = arena_alloc(a, v.len + 1);
    size_t n = 0;
    if (!to) return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '%') {
            if (!hex_decode(str_sub(v, i + 1, 2), to + n++, 1)) return false;
            i += 2;
        } else {
            to[n++] = v.ptr[i];
        }
    }
    *out = (struct str){ to, n };
    return str_is_utf8(*out);
}

static bool take_time(struct str v, int64_t *out) {
    struct tm tm = { 0 };
    char text[32];
    if (v.len != 16) return false;
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(v));
    const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
    if (!end || *end) return false;
    *out = (int64_t)timegm(&tm) * SECOND;
    return true;
}

static bool take_tier(struct str v, uint32_t *out) {
    uint64_t n;
    if (!str_u64(v, &n) || n < 1 || n > CATALOGUE_TIER_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static bool take_severity(struct str v, unsigned *out) {
    uint64_t n;
    if (!str_u64(v, &n) || n < 1 || n > FAILURE_SEVERITY_MAX) return false;
    *out = (unsigned)n;
    return true;
}

static bool take_days(struct str v, unsigned *out) {
    uint64_t n;
    if (!str_u64(v, &n) || n < 1 || n > FIGURE_FLAG_DAYS_MAX) return false;
    *out = (unsigned)n;
    return true;
}

static enum err take_pair(struct arena *a, struct str name, struct str v, struct figure_id *f,
                          struct err_ctx *ctx) {
    struct str value;
    bool good = take_value(a, v, &value);
    if (a->failed) return ERR_NOMEM;
    if (!good)
        return err_set(ctx, ERR_INVALID, "the value of %.*s is not percent-encoded text", STR_ARG(name));
    if (str_eq(name, STR("service")))
        f->scope.service = value;
    else if (str_eq(name, STR("environment")))
        f->scope.environment = str_dup_lower(a, value);
    else if (str_eq(name, STR("change")))
        f->scope.change_kind = value;
    else if (str_eq(name, STR("team")))
        f->scope.team = value;
    else if (str_eq(name, STR("product")))
        f->scope.product = value;
    else if (str_eq(name, STR("tier")))
        good = take_tier(value, &f->scope.tier);
    else if (str_eq(name, STR("calendar")))
        good = period_of(value, &f->period);
    else if (str_eq(name, STR("zone")))
        f->zone = value;
    else if (str_eq(name, STR("from")))
        good = take_time(value, &f->from);
    else if (str_eq(name, STR("to")))
        good = take_time(value, &f->to);
    else if (str_eq(name, STR("clock")))
        good = (f->clock = str_eq(value, STR("committer")) ? CLOCK_COMMITTER : CLOCK_AUTHOR) ==
                   CLOCK_COMMITTER ||
               str_eq(value, STR("author"));
    else if (str_eq(name, STR("rollbacks")))
        good = f->with_rollbacks = str_eq(value, STR("yes"));
    else if (str_eq(name, STR("redeploys")))
        good = f->with_redeploys = str_eq(value, STR("yes"));
    else if (str_eq(name, STR("severity")))
        good = take_severity(value, &f->failure_severity);
    else if (str_eq(name, STR("flag_days")))
        good = take_days(value, &f->flag_days);
    else if (str_eq(name, STR("as_of")))
        good = str_i64(value, &f->as_of) && f->as_of >= 0;
    else if (str_eq(name, STR("at")))
        good = take_time(value, &f->at);
    else
        return err_set(ctx, ERR_INVALID, "a figure has no part \"%.*s\"", STR_ARG(name));
    return good ? ERR_OK
                : err_set(ctx, ERR_INVALID, "the value of %.*s in the figure cannot be read", STR_ARG(name));
}

static enum err take_definition(struct str head, struct figure_id *f, struct err_ctx *ctx) {
    struct str name, version;
    uint64_t number;
    if (!str_cut(head, '@', &name, &version) || !str_u64(version, &number))
        return err_set(ctx, ERR_INVALID, "a figure begins with its definition, as in lead_time@1");
    bool other = compat_of(name, &f->compat);
    if (!other && !measure_of(name, &f->measure))
        return err_set(ctx, ERR_INVALID, "there is no measure \"%.*s\"", STR_ARG(str_sub(name, 0, 64)));
    unsigned today = other ? compat_info(f->compat)->version : measure_info(f->measure)->version;
    if (number != today)
        return err_set(ctx, ERR_UNSUPPORTED, "version %llu of %.*s is not computed any more; today's is %u",
                       (unsigned long long)number, STR_ARG(name), today);
    return ERR_OK;
}

enum err figure_parse(struct arena *a, struct str text, struct figure_id *out, struct err_ctx *ctx) {
    struct str head = text, rest = { 0 }, part, name, value;
    *out = (struct figure_id){ 0 };
    if (text.len > FIGURE_ID_MAX)
        return err_set(ctx, ERR_INVALID, "a figure is at most %d bytes", FIGURE_ID_MAX);
    (void)str_cut(text, ',', &head, &rest);
    TRY(take_definition(head, out, ctx));
    while (rest.len) {
        (void)str_cut(rest, ',', &part, &rest);
        if (!str_cut(part, '=', &name, &value))
            return err_set(ctx, ERR_INVALID, "\"%.*s\" is no name=value", STR_ARG(str_sub(part, 0, 64)));
        TRY(take_pair(a, name, value, out, ctx));
    }
    if (out->to <= out->from)
        return err_set(ctx, ERR_INVALID, "a figure needs from and to, the latter later");
    return ERR_OK;
}

struct measure_ask figure_ask(const struct figure_id *f, int64_t now) {
    return (struct measure_ask){ .measure = f->measure,
                                 .from = f->from,
                                 .to = f->to,
                                 .now = now,
                                 .clock = f->clock,
                                 .with_rollbacks = f->with_rollbacks,
                                 .with_redeploys = f->with_redeploys,
                                 .failure_severity = f->failure_severity,
                                 .flag_days = f->flag_days };
}
