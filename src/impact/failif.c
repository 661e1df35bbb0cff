// SPDX-License-Identifier: Apache-2.0
#include "impact/failif.h"

#include <math.h>

#include "base/json.h"

struct reader {
    struct str all, rest;
    struct err_ctx *ctx;
};

static void skip_spaces(struct reader *r) {
    while (r->rest.len && (r->rest.ptr[0] == ' ' || r->rest.ptr[0] == '\t'))
        r->rest = str_sub(r->rest, 1, r->rest.len);
}

static enum err expected(const struct reader *r, const char *what) {
    struct str found = str_sub(r->rest, 0, 20);
    size_t at = r->all.len - r->rest.len + 1;
    if (!found.len)
        return err_set(r->ctx, ERR_INVALID, "\"%.*s\": expected %s at its end", STR_ARG(r->all), what);
    return err_set(r->ctx, ERR_INVALID, "\"%.*s\": expected %s at character %zu, found \"%.*s\"",
                   STR_ARG(r->all), what, at, STR_ARG(found));
}

static bool take(struct reader *r, const char *word) {
    if (!str_starts(r->rest, str_of(word))) return false;
    r->rest = str_sub(r->rest, strlen(word), r->rest.len);
    return true;
}

static bool take_number(struct reader *r, double *out) {
    size_t n = json_number_len(r->rest);
    if (!n || !json_f64(str_sub(r->rest, 0, n), out)) return false;
    r->rest = str_sub(r->rest, n, r->rest.len);
    return true;
}

static enum err read_metric(struct reader *r, struct failif *out) {
    double percent;
    if (take(r, "errors")) return ERR_OK;
    struct reader before = *r;
    if (take(r, "p") && take_number(r, &percent) && percent > 0 && percent < 100) {
        out->percentile = percent / 100;
        return ERR_OK;
    }
    return expected(&before, "errors, or a percentile of the duration as p50, p95 or p99.9");
}

static enum err read_unit(struct reader *r, bool plus, struct failif *out) {
    static const struct {
        const char *name;
        double ms;
    } units[] = { { "ms", 1 }, { "us", 1e-3 }, { "µs", 1e-3 }, { "s", 1e3 } };
    bool errors = out->percentile == 0;
    out->kind = plus ? FAILIF_DIFFERENCE : FAILIF_ABSOLUTE;
    if ((plus || errors) && take(r, "%")) {
        if (plus) out->kind = FAILIF_RELATIVE;
        out->amount /= 100;
        return ERR_OK;
    }
    if (errors && plus && (take(r, "points") || take(r, "point"))) {
        out->amount /= 100;
        return ERR_OK;
    }
    for (size_t i = 0; !errors && i < sizeof units / sizeof *units; i++)
        if (take(r, units[i].name)) {
            out->amount *= units[i].ms;
            return ERR_OK;
        }
    if (errors) return expected(r, plus ? "% or points" : "%, or a + before the number");
    return expected(r, plus ? "%, ms or s" : "ms or s, or a + before the number");
}

enum err failif_parse(struct str text, struct failif *out, struct err_ctx *ctx) {
    struct reader r = { text, text, ctx };
    *out = (struct failif){ .text = text };
    if (text.len > FAILIF_TEXT_MAX || !str_is_utf8(text))
        return err_set(ctx, ERR_INVALID, "a condition is UTF-8 of up to %d bytes", FAILIF_TEXT_MAX);
    skip_spaces(&r);
    TRY(read_metric(&r, out));
    skip_spaces(&r);
    if (!take(&r, ">")) return expected(&r, ">");
    skip_spaces(&r);
    bool plus = take(&r, "+");
    skip_spaces(&r);
    struct reader before = r;
    if (!take_number(&r, &out->amount) || out->amount < 0 || !isfinite(out->amount))
        return expected(&before, plus ? "a number" : "a number, or + and a number");
    skip_spaces(&r);
    TRY(read_unit(&r, plus, out));
    skip_spaces(&r);
    return r.rest.len ? expected(&r, "the end") : ERR_OK;
}
