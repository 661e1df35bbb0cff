// SPDX-License-Identifier: Apache-2.0
#include "delivery/evidence.h"

#include <stdio.h>

#include "stats/rate.h"

#define CONFIDENCE 0.95

bool evidence_tells(const struct measure_result *r) {
    return r->value.defined && !r->small;
}
double evidence_target_or(const struct finding_case *c, enum measure m, double target) {
    return c->targets && c->targets[m] != 0 ? c->targets[m] : target;
}
double evidence_target(const struct finding_case *c, enum measure m) {
    return evidence_target_or(c, m, measure_info(m)->target);
}
enum finding_answer evidence_exceeds(enum measure_verdict v) {
    return v == MEASURE_UNKNOWN ? FINDING_UNKNOWN : finding_when(v == MEASURE_MISSED);
}
struct estimate evidence_likely(struct finding_share s) {
    return rate_wilson((struct rate){ s.k, s.n }, CONFIDENCE);
}

// --- measures ----------------------------------------------------------------------------------------------

struct amount {
    char z[32];
};

// A value of a measure as people say it.
static struct amount amount_of(enum measure m, double v) {
    static const struct {
        double seconds;
        const char *unit;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    struct amount a;
    enum measure_kind kind = measure_info(m)->kind;
    unsigned u = 0;
    while (u < 3 && v < units[u].seconds) u++;
    if (kind == MEASURE_TIME)
        (void)snprintf(a.z, sizeof a.z, "%.3g %s", v / units[u].seconds, units[u].unit);
    else
        (void)snprintf(a.z, sizeof a.z, "%.3g%s", kind == MEASURE_RATE ? 100 * v : v,
                       kind == MEASURE_RATE        ? " %"
                       : kind == MEASURE_FREQUENCY ? " a day"
                                                   : "");
    return a;
}

size_t evidence_clause(char *text, size_t size, size_t len, enum measure m, const struct measure_result *r,
                       double target) {
    const struct estimate *v = &r->value;
    const char *title = measure_info(m)->title;
    char rows[64], likely[80] = "";
    if (measure_info(m)->kind == MEASURE_RATE)
        (void)snprintf(rows, sizeof rows, "%llu of %llu", (unsigned long long)r->numerator,
                       (unsigned long long)r->denominator);
    else
        (void)snprintf(rows, sizeof rows, "%llu rows", (unsigned long long)r->n);
    if (r->small)
        (void)snprintf(likely, sizeof likely, ", too few to tell");
    else if (measure_judge(v, r->small, target) == MEASURE_UNKNOWN)
        (void)snprintf(likely, sizeof likely, ", may be %s to %s", amount_of(m, v->lo).z,
                       amount_of(m, v->hi).z);
    int more = v->defined
                   ? snprintf(text + len, size - len, "%s%s %s (%s%s; %s %s)", len ? "; " : "", title,
                              amount_of(m, v->value).z, rows, likely, target < 0 ? "at least" : "at most",
                              amount_of(m, target < 0 ? -target : target).z)
                   : snprintf(text + len, size - len, "%s%s unknown", len ? "; " : "", title);
    return more < 0 ? len : len + (size_t)more < size ? len + (size_t)more : size - 1;
}
void evidence_measure(const struct finding_case *c, struct finding *f, enum measure m, double target) {
    const struct measure_result *r = &c->now[m];
    char text[256];
    finding_uses(f, m);
    size_t len = evidence_clause(text, sizeof text, 0, m, r, target);
    finding_says(f, c->arena, evidence_exceeds(measure_judge(&r->value, r->small, target)), "%.*s", (int)len,
                 text);
}

// --- shares ------------------------------------------------------------------------------------------------

// A share against the most that it may be, by the verdict that measures go by. One is enough where there
// may be none.
static void against(const struct finding_case *c, struct finding *f, struct finding_share s,
                    const struct estimate *v, double most, const char *what) {
    bool is_small = !finding_share_known(s) && !(most == 0 && s.k > 0);
    enum measure_verdict verdict = measure_judge(v, is_small, most);
    unsigned long long k = s.k, n = s.n;
    if (s.n == 0)
        finding_says(f, c->arena, FINDING_UNKNOWN, "no data (%s)", what);
    else if (is_small)
        finding_says(f, c->arena, FINDING_UNKNOWN, "%llu of %llu %s: too few to tell", k, n, what);
    else if (verdict == MEASURE_UNKNOWN)
        finding_says(f, c->arena, FINDING_UNKNOWN,
                     "%llu of %llu %s (%.3g %%, may be %.3g to %.3g %%; at most %.3g %%)", k, n, what,
                     100 * v->value, 100 * v->lo, 100 * v->hi, 100 * most);
    else
        finding_says(f, c->arena, evidence_exceeds(verdict), "%llu of %llu %s (%.3g %%; at most %.3g %%)", k,
                     n, what, 100 * v->value, 100 * most);
}
void evidence_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                    const char *what) {
    struct estimate v = evidence_likely(s);
    against(c, f, s, &v, most, what);
}
void evidence_counted(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                      const char *what) {
    struct estimate v = { .defined = s.n > 0, .value = finding_share_of(s) };
    against(c, f, s, &v, most, what);
}

// --- more signs --------------------------------------------------------------------------------------------

void evidence_also(const struct finding_case *c, struct finding *f, const struct finding *sign) {
    enum finding_answer a = f->answer, b = sign->answer;
    enum finding_answer both = a == FINDING_YES || b == FINDING_YES ? FINDING_YES
                               : a == FINDING_NO                    ? b
                                                                    : FINDING_UNKNOWN;
    for (unsigned i = 0; i < sign->n_figures; i++) finding_uses(f, sign->figures[i]);
    finding_says(f, c->arena, both, "%.*s; %.*s", STR_ARG(f->evidence), STR_ARG(sign->evidence));
}
void evidence_also_share(const struct finding_case *c, struct finding *f, struct finding_share s, double most,
                         const char *what) {
    struct finding sign = finding_begin(f->name, f->text, NULL);
    evidence_share(c, &sign, s, most, what);
    evidence_also(c, f, &sign);
}

// --- of a rule and a mode alike ----------------------------------------------------------------------------

struct finding evidence_of_stale_flags(const struct finding_case *c, const char *name, const char *step) {
    struct finding f = finding_begin(name, "Flags are past their time", step);
    const struct measure_result *r = &c->now[MEASURE_STALE_FLAG_RATE];
    finding_uses(&f, MEASURE_STALE_FLAG_RATE);
    if (!r->value.defined)
        finding_cannot_know(&f, c->arena, "no flags are known");
    else
        finding_says(&f, c->arena, finding_when(r->numerator > 0), "%llu of %llu flags",
                     (unsigned long long)r->numerator, (unsigned long long)r->denominator);
    return f;
}
struct finding evidence_of_approvals(const struct finding_case *c, const char *name, const char *step) {
    struct finding f = finding_begin(name, "Deploys wait for approvals longer than they work", step);
    evidence_share(c, &f, c->facts->approved_wait, 0.5,
                   "approved deploys that waited longer than they worked");
    return f;
}
