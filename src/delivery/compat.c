// SPDX-License-Identifier: Apache-2.0
#include "delivery/compat.h"

#include <time.h>

#include "stats/percentile.h"

#define SECOND 1000000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum { DAYS_MAX = 366 * 200 };

static const struct compat_info infos[COMPAT_COUNT] = {
#define COMPAT(ID, SET, name, version, title, unit, rate, definition) \
    [COMPAT_##ID] = { COMPAT_##SET, name, version, title, unit, rate, definition },
#include "delivery/compat.def"
};
static const char *const set_names[COMPAT_SET_COUNT] = { "takt", "fourkeys", "devlake-2021", "devlake-2023" };

const struct compat_info *compat_info(enum compat c) {
    return &infos[c];
}
const char *compat_set_text(enum compat_set s) {
    return set_names[s];
}

bool compat_of(struct str name, enum compat *out) {
    for (unsigned i = COMPAT_NONE + 1; i < COMPAT_COUNT; i++)
        if (str_eq(name, str_of(infos[i].name))) {
            *out = (enum compat)i;
            return true;
        }
    return false;
}

bool compat_set_of(struct str name, enum compat_set *out) {
    for (unsigned i = 0; i < COMPAT_SET_COUNT; i++)
        if (str_eq(name, str_of(set_names[i]))) {
            *out = (enum compat_set)i;
            return true;
        }
    return false;
}

// --- rows --------------------------------------------------------------------------------------------------

struct run {
    struct arena *a;
    enum compat what;
    enum compat_set set;
    const struct compat_facts *f;
    int64_t from, to;
    compat_watch *watch;
    void *ctx;
    double *values;
    uint32_t n, cap;
    struct compat_result *out;
};

static bool in_window(const struct run *r, int64_t t) {
    return t && t >= r->from && t < r->to;
}

static void see(struct run *r, struct compat_row row) {
    if (r->watch) r->watch(r->ctx, &row);
}

static void leave_out(struct run *r, struct compat_row row, const char *why) {
    struct compat_result *o = r->out;
    unsigned i = 0;
    while (i < o->n_left_out && o->left_out[i].text != why) i++;
    if (i == o->n_left_out) {
        ASSERT(i < COMPAT_REASONS_MAX);
        o->left_out[i].text = why;
        o->n_left_out++;
    }
    o->left_out[i].n++;
    row.why = why;
    see(r, row);
}

static enum err add(struct run *r, struct compat_row row, double seconds) {
    double *values = arena_grow(r->a, r->values, r->n, &r->cap, sizeof *values);
    if (!values) return ERR_NOMEM;
    r->values = values;
    values[r->n++] = seconds;
    row.counted = true;
    row.value = seconds;
    see(r, row);
    return ERR_OK;
}

// fourkeys takes the continuous median, DevLake the lower one.
static double median(const struct run *r, double *values, uint32_t n) {
    static const double half[] = { .5 };
    struct estimate e;
    double lower = 0;
    if (r->set != COMPAT_FOURKEYS) {
        (void)percentile_lower_median_doubles(values, n, &lower);
        return lower;
    }
    (void)percentile_doubles(values, n, half, 1, .95, &e);
    return e.value;
}

static void conclude_times(struct run *r) {
    r->out->n = r->n;
    r->out->defined = r->n > 0;
    if (r->n) r->out->value = median(r, r->values, r->n);
}

// --- deployment frequency ----------------------------------------------------------------------------------

// Days are counted from 1970-01-01, a Thursday.
static int64_t day_of(int64_t ns) {
    return ns / DAY - (ns % DAY < 0);
}
static int64_t week_of(const struct run *r, int64_t day) {
    return (day + (r->set == COMPAT_FOURKEYS ? 4 : 3)) / 7; // from Sunday, from Monday
}
static int64_t month_of(int64_t day) {
    time_t t = (time_t)(day * 86400);
    struct tm tm;
    (void)gmtime_r(&t, &tm);
    return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

struct counts { // of days (or weeks) with a deploy, per stretch of time
    double *items;
    uint32_t n;
    int64_t last;
};

static void count_in(struct counts *c, int64_t stretch, bool hit) {
    if (!c->n || c->last != stretch) {
        c->items[c->n++] = 0;
        c->last = stretch;
    }
    c->items[c->n - 1] += hit;
}

struct calendar {
    struct counts weeks, months, halves;
};

static enum err calendar_new(struct run *r, uint32_t days, struct calendar *c) {
    *c = (struct calendar){ .weeks.items = ARENA_ARRAY(r->a, days + 1, double),
                            .months.items = ARENA_ARRAY(r->a, days + 1, double),
                            .halves.items = ARENA_ARRAY(r->a, days + 1, double) };
    return r->a->failed ? ERR_NOMEM : ERR_OK;
}

static const char *fourkeys_frequency(struct run *r, struct calendar *c) {
    struct counts *w = &c->weeks;
    double *any = ARENA_ARRAY(r->a, w->n + 1, double);
    if (!any) return NULL;
    for (uint32_t i = 0; i < w->n; i++) any[i] = w->items[i] > 0;
    r->out->value = median(r, w->items, w->n);
    return r->out->value >= 3                             ? "daily"
           : median(r, any, w->n) >= 1                    ? "weekly"
           : median(r, c->months.items, c->months.n) >= 1 ? "monthly"
                                                          : "yearly";
}

static const char *devlake_frequency(struct run *r, struct calendar *c) {
    double week = r->out->value = median(r, c->weeks.items, c->weeks.n);
    double month = median(r, c->months.items, c->months.n);
    if (week >= 5) return "elite";
    if (r->set == COMPAT_DEVLAKE_2023) return week >= 1 ? "high" : month >= 1 ? "medium" : "low";
    return month >= 1 ? "high" : median(r, c->halves.items, c->halves.n) >= 1 ? "medium" : "low";
}

// Marks the days with a deploy, and counts the deploys.
static void mark_days(struct run *r, bool *marked, int64_t first, uint32_t days) {
    for (uint32_t i = 0; i < r->f->n_deploys; i++) {
        const struct compat_deploy *d = &r->f->deploys[i];
        struct compat_row row = { .deploy = d };
        int64_t day = day_of(d->finished);
        if (!in_window(r, d->finished)) continue;
        if (r->set == COMPAT_FOURKEYS && !d->in_history) {
            leave_out(r, row, "nobody told of its commit");
        } else if (day < first || day - first >= days) {
            leave_out(r, row, "on the first day with any event");
        } else {
            marked[day - first] = true;
            row.counted = true;
            r->out->n++;
            see(r, row);
        }
    }
}

// A month of fourkeys counts weeks with a deploy, by the month in which they begin.
static void count_days(struct run *r, const bool *marked, int64_t first, uint32_t days, struct calendar *c) {
    bool week_hit = false;
    for (uint32_t i = 0; i < days; i++) {
        int64_t day = first + i, week = week_of(r, day);
        bool new_week = i == 0 || week != week_of(r, day - 1), hit = marked[i];
        if (new_week) week_hit = false;
        count_in(&c->weeks, week, hit);
        if (r->set == COMPAT_FOURKEYS) {
            count_in(&c->months, month_of(week * 7 - 4), hit && !week_hit);
            week_hit |= hit;
            continue;
        }
        count_in(&c->months, month_of(day), hit);
        count_in(&c->halves, month_of(day) / 6, hit);
    }
}

static enum err frequency(struct run *r) {
    int64_t first = day_of(r->from), last = day_of(r->to - 1);
    struct calendar c;
    if (r->set == COMPAT_FOURKEYS && r->f->first_event && first <= day_of(r->f->first_event))
        first = day_of(r->f->first_event) + 1;
    uint32_t days = last < first ? 0 : last - first >= DAYS_MAX ? DAYS_MAX : (uint32_t)(last - first) + 1;
    bool *marked = arena_zalloc(r->a, days + 1);
    if (!marked) return ERR_NOMEM;
    mark_days(r, marked, first, days);
    TRY(calendar_new(r, days, &c));
    r->out->defined = r->f->n_deploys > 0 && days > 0;
    if (!r->out->defined) return ERR_OK;
    count_days(r, marked, first, days, &c);
    r->out->level = r->set == COMPAT_FOURKEYS ? fourkeys_frequency(r, &c) : devlake_frequency(r, &c);
    return r->a->failed ? ERR_NOMEM : ERR_OK;
}

// --- fourkeys ----------------------------------------------------------------------------------------------

static const char *fourkeys_time_level(const struct run *r) {
    double hours = r->out->value / 3600;
    if (!r->out->defined) return NULL;
    return hours < 24        ? "one day"
           : hours < 168     ? "one week"
           : hours < 730     ? "one month"
           : hours < 730 * 6 ? "six months"
                             : "one year";
}

static enum err fourkeys_lead_time(struct run *r) {
    for (uint32_t i = 0; i < r->f->n_changes; i++) {
        const struct compat_change *c = &r->f->changes[i];
        const struct compat_deploy *d = &r->f->deploys[c->deploy];
        struct compat_row row = { .deploy = d, .change = c };
        int64_t minutes = (d->finished - c->time) / MINUTE;
        if (!in_window(r, d->finished)) continue;
        if (!c->time)
            leave_out(r, row, "the time of the commit is not known");
        else if (minutes <= 0)
            leave_out(r, row, "not above 0 minutes");
        else
            TRY(add(r, row, (double)minutes * 60));
    }
    conclude_times(r);
    r->out->level = fourkeys_time_level(r);
    return ERR_OK;
}

static void fourkeys_change(struct run *r, const struct compat_change *c) {
    for (uint32_t i = 0; i < r->f->n_incidents; i++) {
        const struct compat_incident *in = &r->f->incidents[i];
        if (!in->caused_by.len || !str_eq_nocase(in->caused_by, c->sha)) continue;
        r->out->numerator++;
        see(r, (struct compat_row){ .deploy = &r->f->deploys[c->deploy],
                                    .change = c,
                                    .incident = in,
                                    .counted = true,
                                    .hit = true });
    }
}

static enum err fourkeys_failure_rate(struct run *r) {
    bool *seen = arena_zalloc(r->a, r->f->n_deploys + 1);
    struct compat_result *o = r->out;
    if (!seen) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->f->n_changes; i++) {
        const struct compat_change *c = &r->f->changes[i];
        const struct compat_deploy *d = &r->f->deploys[c->deploy];
        if (!in_window(r, d->finished)) continue;
        if (!seen[c->deploy]) see(r, (struct compat_row){ .deploy = d, .counted = true });
        o->denominator += !seen[c->deploy];
        seen[c->deploy] = true;
        fourkeys_change(r, c);
    }
    for (uint32_t i = 0; i < r->f->n_deploys; i++)
        if (in_window(r, r->f->deploys[i].finished) && !seen[i])
            leave_out(r, (struct compat_row){ .deploy = &r->f->deploys[i] }, "nobody told of its commit");
    o->n = o->denominator;
    o->defined = o->denominator > 0;
    if (!o->defined) return ERR_OK;
    o->value = (double)o->numerator / (double)o->denominator;
    o->level = o->value <= .15 ? "0-15 %" : o->value < .46 ? "16-45 %" : "46-60 %";
    return ERR_OK;
}

static enum err fourkeys_restore_time(struct run *r) {
    for (uint32_t i = 0; i < r->f->n_incidents; i++) {
        const struct compat_incident *in = &r->f->incidents[i];
        struct compat_row row = { .incident = in };
        int64_t created = in->root && in->root < in->created ? in->root : in->created;
        if (!in_window(r, created)) continue;
        if (!in->resolved)
            leave_out(r, row, "still open");
        else
            TRY(add(r, row, (double)((in->resolved - created) / HOUR) * 3600));
    }
    conclude_times(r);
    r->out->level = fourkeys_time_level(r);
    return ERR_OK;
}

// --- DevLake -----------------------------------------------------------------------------------------------

static const char *const levels[] = { "elite", "high", "medium", "low" };

// Of times: below each edge; of shares: at most. Edges of elite, high, medium.
static const char *level_of(const struct run *r, const double edges[3]) {
    bool share = infos[r->what].is_rate;
    unsigned i = 0;
    if (!r->out->defined) return NULL;
    while (i < 3 && !(share ? r->out->value <= edges[i] : r->out->value < edges[i])) i++;
    return levels[i];
}

// The last deploy of the incident's service that ended before it, of any age.
static const struct compat_deploy *linked(const struct run *r, const struct compat_incident *in) {
    uint32_t lo = 0, hi = r->f->n_deploys; // they are by end
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->f->deploys[mid].finished < in->created)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo-- > 0)
        if (str_eq(r->f->deploys[lo].service, in->service)) return &r->f->deploys[lo];
    return NULL;
}

static enum err devlake_failure_rate(struct run *r) {
    static const double edges[2][3] = { { .15, .20, .30 }, { .05, .10, .15 } };
    bool *failed = arena_zalloc(r->a, r->f->n_deploys + 1);
    struct compat_result *o = r->out;
    if (!failed) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->f->n_incidents; i++) {
        const struct compat_deploy *d = linked(r, &r->f->incidents[i]);
        if (d) failed[d - r->f->deploys] = true;
    }
    for (uint32_t i = 0; i < r->f->n_deploys; i++) {
        if (!in_window(r, r->f->deploys[i].finished)) continue;
        o->denominator++;
        o->numerator += failed[i];
        see(r, (struct compat_row){ .deploy = &r->f->deploys[i], .counted = true, .hit = failed[i] });
    }
    o->n = o->denominator;
    o->defined = o->denominator > 0;
    if (o->defined) o->value = (double)o->numerator / (double)o->denominator;
    o->level = level_of(r, edges[r->set == COMPAT_DEVLAKE_2023]);
    return ERR_OK;
}

// From the deploy that the incident belongs to, or from the incident.
static enum err devlake_recovery(struct run *r, bool from_deploy) {
    static const double edges[3] = { 3600, 86400, 7 * 86400 };
    for (uint32_t i = 0; i < r->f->n_incidents; i++) {
        const struct compat_incident *in = &r->f->incidents[i];
        const struct compat_deploy *d = from_deploy ? linked(r, in) : NULL;
        struct compat_row row = { .incident = in, .deploy = d };
        if (!in->resolved && in->created < r->to) leave_out(r, row, "still open");
        if (!in_window(r, in->resolved)) continue;
        if (from_deploy && !d)
            leave_out(r, row, "no deploy before it");
        else
            TRY(add(r, row, (double)((in->resolved - (d ? d->finished : in->created)) / MINUTE) * 60));
    }
    conclude_times(r);
    r->out->level = level_of(r, edges);
    return ERR_OK;
}

// Minutes, rounded up; nothing when an end is not known or the two are in the wrong order.
static double part(int64_t from, int64_t to) {
    if (!from || !to || to < from) return 0;
    return (double)((to - from + MINUTE - 1) / MINUTE);
}

static enum err devlake_lead_time(struct run *r) {
    static const double edges[2][3] = { { 3600, 7 * 86400, 180 * 86400.0 },
                                        { 86400, 7 * 86400, 30 * 86400 } };
    for (uint32_t i = 0; i < r->f->n_requests; i++) {
        const struct compat_request *q = &r->f->requests[i];
        const struct compat_deploy *d = &r->f->deploys[q->deploy];
        if (!in_window(r, d->finished)) continue;
        double minutes =
            part(q->first_commit, q->opened) + part(q->opened, q->merged) + part(q->merged, d->finished);
        TRY(add(r, (struct compat_row){ .request = q, .deploy = d }, minutes * 60));
    }
    conclude_times(r);
    r->out->level = level_of(r, edges[r->set == COMPAT_DEVLAKE_2023]);
    return ERR_OK;
}

enum err compat_run(struct arena *a, enum compat c, const struct compat_facts *f, int64_t from, int64_t to,
                    compat_watch *watch, void *ctx, struct compat_result *out) {
    struct run r = { .a = a,
                     .what = c,
                     .set = infos[c].set,
                     .f = f,
                     .from = from,
                     .to = to,
                     .watch = watch,
                     .ctx = ctx,
                     .out = out };
    *out = (struct compat_result){ 0 };
    switch (c) {
    case COMPAT_FOURKEYS_LEAD_TIME: return fourkeys_lead_time(&r);
    case COMPAT_FOURKEYS_FAILURE_RATE: return fourkeys_failure_rate(&r);
    case COMPAT_FOURKEYS_RESTORE_TIME: return fourkeys_restore_time(&r);
    case COMPAT_DEVLAKE21_LEAD_TIME:
    case COMPAT_DEVLAKE23_LEAD_TIME: return devlake_lead_time(&r);
    case COMPAT_DEVLAKE21_FAILURE_RATE:
    case COMPAT_DEVLAKE23_FAILURE_RATE: return devlake_failure_rate(&r);
    case COMPAT_DEVLAKE21_RESTORE_TIME: return devlake_recovery(&r, false);
    case COMPAT_DEVLAKE23_RECOVERY_TIME: return devlake_recovery(&r, true);
    default: return frequency(&r);
    }
}
