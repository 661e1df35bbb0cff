// SPDX-License-Identifier: Apache-2.0
#include "delivery/band.h"

#define HOUR 3600.0
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

const unsigned band_years[BAND_YEARS] = { 2019, 2021, 2023, 2024 };

// Edges of elite, high, medium. Frequencies: more than (per day); `closed`: at least. Times: less than
// (seconds). Shares: at most.
struct edges {
    unsigned year;
    enum measure measure;
    double elite, high, medium;
    bool closed;
};
static const struct edges table[] = {
    { 2019, MEASURE_DEPLOYMENT_FREQUENCY, 1, 1.0 / 7, 1.0 / 30, false },
    { 2019, MEASURE_LEAD_TIME, DAY, 7 * DAY, 30 * DAY, false },
    { 2019, MEASURE_RESTORE_TIME, HOUR, DAY, DAY, false },
    { 2019, MEASURE_CHANGE_FAILURE_RATE, .15, .15, .15, false },
    { 2021, MEASURE_DEPLOYMENT_FREQUENCY, 1, 1.0 / 30, 1.0 / 180, true },
    { 2021, MEASURE_LEAD_TIME, HOUR, 7 * DAY, 180 * DAY, false },
    { 2021, MEASURE_RESTORE_TIME, HOUR, DAY, 7 * DAY, false },
    { 2021, MEASURE_CHANGE_FAILURE_RATE, .15, .30, .30, false },
    { 2023, MEASURE_DEPLOYMENT_FREQUENCY, 1, 1.0 / 7, 1.0 / 30, false },
    { 2023, MEASURE_LEAD_TIME, DAY, 7 * DAY, 30 * DAY, false },
    { 2023, MEASURE_FAILED_DEPLOYMENT_RECOVERY, HOUR, DAY, 7 * DAY, false },
    { 2023, MEASURE_CHANGE_FAILURE_RATE, .05, .10, .15, false },
    { 2024, MEASURE_DEPLOYMENT_FREQUENCY, 1, 1.0 / 7, 1.0 / 30, false },
    { 2024, MEASURE_LEAD_TIME, DAY, 7 * DAY, 30 * DAY, false },
    { 2024, MEASURE_FAILED_DEPLOYMENT_RECOVERY, HOUR, DAY, DAY, false },
    // The report's high (20 %) is worse than its medium (10 %): see band_of.
    { 2024, MEASURE_CHANGE_FAILURE_RATE, .075, .15, .30, false },
};

// Between the ranges that a report names: [lo, hi) of times, (lo, hi) of frequencies and shares.
static const struct hole {
    unsigned year;
    enum measure measure;
    double lo, hi;
} holes[] = {
    { 2019, MEASURE_RESTORE_TIME, DAY, WEEK },
    { 2019, MEASURE_CHANGE_FAILURE_RATE, .15, .45 },
    { 2021, MEASURE_DEPLOYMENT_FREQUENCY, 1.0 / 7, 1 },
    { 2021, MEASURE_LEAD_TIME, HOUR, DAY },
    { 2021, MEASURE_LEAD_TIME, WEEK, 30 * DAY },
    { 2021, MEASURE_RESTORE_TIME, WEEK, 180 * DAY },
    { 2023, MEASURE_FAILED_DEPLOYMENT_RECOVERY, WEEK, 30 * DAY },
    { 2023, MEASURE_CHANGE_FAILURE_RATE, .05, .10 }, // the report names points, not ranges
    { 2023, MEASURE_CHANGE_FAILURE_RATE, .10, .15 },
    { 2023, MEASURE_CHANGE_FAILURE_RATE, .15, .64 },
    { 2024, MEASURE_FAILED_DEPLOYMENT_RECOVERY, DAY, WEEK },
};

const char *band_text(enum band b) {
    static const char *const texts[] = { "", "elite", "high", "medium", "low" };
    return texts[b];
}

static bool reaches(const struct edges *e, double value, double edge) {
    switch (measure_info(e->measure)->kind) {
    case MEASURE_FREQUENCY: return e->closed && edge == e->elite ? value >= edge : value > edge;
    case MEASURE_RATE: return value <= edge;
    default: return value < edge;
    }
}

static bool in_hole(const struct hole *h, double v) {
    switch (measure_info(h->measure)->kind) {
    case MEASURE_FREQUENCY:
    case MEASURE_RATE: return v > h->lo && v < h->hi;
    default: return v >= h->lo && v < h->hi;
    }
}

bool band_between(unsigned year, enum measure m, double value) {
    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++)
        if (holes[i].year == year && holes[i].measure == m && in_hole(&holes[i], value)) return true;
    return false;
}

bool band_known(unsigned year, enum measure m) {
    return band_of(year, m, 0) != BAND_NONE;
}

enum band band_of(unsigned year, enum measure m, double value) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct edges *e = &table[i];
        if (e->year != year || e->measure != m) continue;
        if (year == 2024 && m == MEASURE_CHANGE_FAILURE_RATE) // nearest of 5, 10 (medium), 20 (high), 40 %
            return value < .075 ? BAND_ELITE : value < .15 ? BAND_MEDIUM : value < .30 ? BAND_HIGH : BAND_LOW;
        return reaches(e, value, e->elite)    ? BAND_ELITE
               : reaches(e, value, e->high)   ? BAND_HIGH
               : reaches(e, value, e->medium) ? BAND_MEDIUM
                                              : BAND_LOW;
    }
    return BAND_NONE;
}

static void widen(enum band b, enum band *best, enum band *worst) {
    if (b < *best) *best = b;
    if (b > *worst) *worst = b;
}

// The levels of the ends, and of the edges between them: those of a report need not be in order.
void band_range(unsigned year, enum measure m, const struct measure_result *r, enum band *best,
                enum band *worst) {
    const struct estimate *v = &r->value;
    *best = *worst = v->defined && !r->small ? band_of(year, m, v->value) : BAND_NONE;
    if (*best == BAND_NONE || !v->bounded) return;
    widen(band_of(year, m, v->lo), best, worst);
    widen(band_of(year, m, v->hi), best, worst);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct edges *e = &table[i];
        const double edges[] = { e->elite, e->high, e->medium };
        if (e->year != year || e->measure != m) continue;
        for (int k = 0; k < 3; k++)
            if (v->lo < edges[k] && edges[k] < v->hi) widen(band_of(year, m, edges[k]), best, worst);
    }
}
