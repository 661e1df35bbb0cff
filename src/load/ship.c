// SPDX-License-Identifier: Apache-2.0
#include "load/ship.h"

#include <stdio.h>

static const int64_t second = 1000000000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

// A line of delivery: a service, which of the shop's it is, and the first number of its versions.
static const struct {
    const char *name;
    uint8_t service;
    uint8_t major;
} lines[SHIP_LINES] = { { "checkout", 12, 3 }, { "cart", 8, 2 },   { "search", 6, 4 },
                        { "catalog", 5, 1 },   { "order", 15, 2 }, { "payment", 13, 5 } };

const char *ship_service(uint8_t line) {
    return lines[line].name;
}

uint8_t ship_shop_service(uint8_t line) {
    return lines[line].service;
}

int ship_line_of(uint8_t shop_service) {
    for (int i = 0; i < SHIP_LINES; i++)
        if (lines[i].service == shop_service) return i;
    return -1;
}

struct ship_text ship_version(uint8_t line, uint32_t version) {
    struct ship_text t;
    (void)snprintf(t.z, sizeof t.z, "%d.%u.0", lines[line].major, 20 + version);
    return t;
}

struct ship_text ship_person(const struct ship *s, unsigned role) {
    static const char *const names[] = { "mara", "jonas", "ines", "tariq", "wen", "olga", "piet", "dalia" };
    struct ship_text t;
    (void)snprintf(t.z, sizeof t.z, "%s", names[(s->number * 5 + s->line + role * 3) % 8]);
    return t;
}

struct ship_text ship_subject(const struct ship *s, unsigned commit) {
    static const char *const verbs[] = { "Add",      "Cache",    "Simplify", "Fix",
                                         "Speed up", "Validate", "Log",      "Test" };
    static const char *const things[SHIP_LINES][4] = {
        { "the address form", "guest checkout", "tax of gift cards", "the payment step" },
        { "coupon stacking", "merging of carts", "the mini cart", "stock of items" },
        { "spelling of queries", "facets by price", "suggestions", "ranking of new products" },
        { "brand pages", "product images", "category trees", "variants" },
        { "order history", "partial returns", "the confirmation", "order numbers" },
        { "3-D Secure", "refunds", "retries of charges", "stored cards" },
    };
    struct ship_text t;
    uint32_t n = s->first_commit + commit;
    (void)snprintf(t.z, sizeof t.z, "%s %s (#%u)", verbs[(n * 3 + s->line) % 8], things[s->line][n % 4],
                   ship_change(s));
    return t;
}

uint32_t ship_change(const struct ship *s) {
    return 400 + s->version * 3 + s->line;
}

struct ship_text ship_file(const struct ship *s, unsigned commit, unsigned k) {
    static const char *const names[] = { "handler", "store", "client", "rules" };
    struct ship_text t = { "" };
    uint32_t n = s->first_commit + commit;
    const struct {
        bool is;
        const char *format;
    } all[] = { { true, "CHANGES" },
                { n % 3 != 1, "internal/%s.go" },
                { n % 3 != 2, "internal/%s_test.go" },
                { n % 4 == 1, "config/%s.yaml" },
                { n % 6 == 2, "go.mod" },
                { n % 6 == 2, "go.sum" },
                { n % 9 == 3, "migrations/0001_%s.up.sql" } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].is && k-- == 0) {
            (void)snprintf(t.z, sizeof t.z, all[i].format, names[n % 4]);
            return t;
        }
    return t;
}

// --- times -------------------------------------------------------------------------------------------------

static int64_t about(struct dice *d, int64_t median, double sigma) {
    return (int64_t)dice_lognormal(d, (double)median, sigma);
}

// People merge on weekdays, between nine and six.
static int64_t at_work(struct dice *d, int64_t ns) {
    int64_t days = ns / day, weekday = (days + 3) % 7; // 1970 began on a Thursday; 0 is Monday
    if (weekday > 4) days += 7 - weekday;
    return days * day + 9 * hour + (int64_t)(dice_unit(d) * 9 * (double)hour);
}

static void plan_commits(struct ships *s, struct ship *h, int64_t until, int64_t apart) {
    h->n_commits = 1 + dice_below(&s->dice, SHIP_COMMITS_MAX);
    h->first_commit = s->lines[h->line].n_commits;
    s->lines[h->line].n_commits += h->n_commits;
    for (uint32_t i = h->n_commits; i-- > 0;) h->committed[i] = until -= about(&s->dice, apart, .8);
}

static void plan_incident(struct dice *d, struct ship *h, int64_t after) {
    h->alerted = after + about(d, 6 * minute, .6);
    h->acknowledged = h->alerted + about(d, 4 * minute, .5);
    h->back = h->acknowledged + about(d, 18 * minute, .6);
    h->resolved = h->back + about(d, 9 * minute, .5);
}

// --- one delivery ------------------------------------------------------------------------------------------

static void begin(struct ships *s, struct ship *h, uint8_t line, enum ship_fate fate) {
    struct ship_line *l = &s->lines[line];
    *h = (struct ship){ .number = ++s->n, .line = line, .fate = fate, .fixes = l->fixes };
    h->before = l->current;
    h->version = ++l->newest;
    h->is_first = h->version == 1;
    l->fixes = 0;
}

static void end(struct ships *s, struct ship *h) {
    struct ship_line *l = &s->lines[h->line];
    static const char digits[] = "0123456789abcdef";
    if (h->fate == SHIP_WELL || h->fate == SHIP_MENDED) l->current = h->version;
    if (h->fate == SHIP_MENDED) l->fixes = h->version;
    // A name for the commit, where nobody makes a real one.
    for (unsigned i = 0; i < 40; i++) h->sha[i] = digits[hash_u64(s->seed ^ (h->number * 64ull + i)) & 15];
}

static enum ship_fate draw_fate(struct dice *d) {
    uint32_t percent = dice_below(d, 100);
    if (percent < 80) return SHIP_WELL;
    if (percent < 86) return SHIP_ERRORS;
    if (percent < 90) return SHIP_SLOW;
    return percent < 96 ? SHIP_ABORTED : SHIP_MENDED;
}

static void plan_past(struct ships *s, struct ship *h, int64_t merged) {
    struct dice *d = &s->dice;
    bool is_fix = h->fixes != 0;
    h->merged = merged;
    h->opened = merged - about(d, is_fix ? 8 * minute : 7 * hour, .8);
    h->reviewed = h->opened + (h->merged - h->opened) / 3 * 2;
    plan_commits(s, h, h->opened, is_fix ? 4 * minute : 3 * hour);
    h->is_flaky = dice_chance(d, .12);
    h->build_began = merged + about(d, 40 * second, .5);
    h->build_ended = h->build_began + about(d, 9 * minute, .3) * (h->is_flaky ? 2 : 1);
    h->staged = h->build_ended + about(d, 3 * minute, .3);
    h->began = h->staged + about(d, is_fix ? 2 * minute : 50 * minute, .6);
    if (h->fate == SHIP_ABORTED) {
        h->back = h->began + about(d, 14 * minute, .3);
        return;
    }
    h->full = h->began + about(d, 22 * minute, .3);
    if (h->fate != SHIP_WELL) plan_incident(d, h, h->full);
}

static int64_t last_time(const struct ship *h) {
    return h->resolved ? h->resolved : h->full ? h->full : h->back;
}

// The weeks before the start, of one line. A fix follows what it mends within minutes, and that
// incident ends with it.
static void make_line(struct ships *s, uint8_t line) {
    int64_t at = s->start_ns - SHIP_WEEKS * 7 * day + about(&s->dice, day, .5);
    struct ship *mended = NULL;
    while (s->n_past < SHIP_PAST_MAX) {
        int64_t merged =
            mended ? mended->acknowledged + about(&s->dice, 12 * minute, .4) : at_work(&s->dice, at);
        if (merged > s->start_ns - 12 * hour) return;
        struct ship *h = &s->past[s->n_past++];
        bool calm = mended || s->lines[line].newest == 0 || merged > s->start_ns - 2 * day;
        begin(s, h, line, calm ? SHIP_WELL : draw_fate(&s->dice));
        plan_past(s, h, merged);
        end(s, h);
        if (mended) mended->resolved = h->full + about(&s->dice, 5 * minute, .4);
        mended = h->fate == SHIP_MENDED ? h : NULL;
        if (mended) mended->back = 0;
        at = last_time(h) + about(&s->dice, 3 * day, .6);
    }
}

void ships_init(struct ships *s, uint64_t seed, int64_t start_ns) {
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->start_ns = start_ns;
    s->dice.state = hash_u64(seed ^ 0x5351495053);
    for (uint8_t line = 0; line < SHIP_LINES; line++) make_line(s, line);
}

// --- live --------------------------------------------------------------------------------------------------

// In seconds what takes hours elsewhere: the canary after ten, all after twenty-five, back after less
// than a minute.
static void plan_live(struct ships *s, struct ship *h, int64_t at) {
    h->is_live = true;
    h->merged = at + second;
    h->opened = at - about(&s->dice, 50 * minute, .6);
    h->reviewed = at - (at - h->opened) / 4;
    plan_commits(s, h, h->opened, hour);
    h->build_began = at + 2 * second;
    h->build_ended = at + 7 * second;
    h->staged = at + 8 * second;
    h->began = at + 10 * second;
    if (h->fate == SHIP_ABORTED) {
        h->back = at + 45 * second;
        return;
    }
    h->full = at + 25 * second;
    if (h->fate == SHIP_WELL) return;
    h->alerted = at + 36 * second;
    h->acknowledged = at + 41 * second;
    h->back = at + 54 * second;
    h->resolved = at + 62 * second;
}

void ships_next(struct ships *s, struct ship *out) {
    static const enum ship_fate fates[] = { SHIP_ERRORS,  SHIP_WELL, SHIP_SLOW, SHIP_WELL,
                                            SHIP_ABORTED, SHIP_WELL, SHIP_WELL };
    uint32_t k = s->n_live++;
    begin(s, out, (uint8_t)((k + k / SHIP_LINES) % SHIP_LINES), fates[k % 7]);
    plan_live(s, out, s->start_ns + (int64_t)k * SHIP_CYCLE_S * second);
    end(s, out);
}
