// SPDX-License-Identifier: Apache-2.0
#include "load/ship.h"

#include "base/test.h"
#include "load/load_internal.h"
#include "load/tell.h"

static const int64_t start = 1790000000000000000, second = 1000000000, day = 86400 * INT64_C(1000000000);
static struct ships ships, again;

TEST(the_plan_follows_from_seed_and_start) {
    struct ship a, b;
    ships_init(&ships, 7, start);
    ships_init(&again, 7, start);
    for (unsigned i = 0; i < 20; i++) {
        ships_next(&ships, &a);
        ships_next(&again, &b);
        CHECK(memcmp(&a, &b, sizeof a) == 0);
    }
    CHECK(memcmp(&ships, &again, sizeof ships) == 0);
    ships_init(&again, 8, start);
    CHECK(memcmp(ships.past, again.past, sizeof ships.past) != 0);
}

static void check_order(const struct ship *h) {
    const int64_t times[] = { h->committed[0], h->committed[h->n_commits - 1],
                              h->opened,       h->reviewed,
                              h->merged,       h->build_began,
                              h->build_ended,  h->staged,
                              h->began,        h->full,
                              h->alerted,      h->acknowledged,
                              h->back,         h->resolved };
    int64_t last = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        CHECK(times[i] == 0 || times[i] >= last);
        if (times[i]) last = times[i];
    }
    CHECK(h->n_commits > 0 && h->version > h->before);
}

TEST(the_past_is_twelve_weeks_in_which_all_kinds_of_things_happen) {
    unsigned fates[5] = { 0 }, fixes = 0, flaky = 0;
    ships_init(&ships, 1, start);
    CHECK(ships.n_past > 100 && ships.n_past < SHIP_PAST_MAX);
    for (uint32_t i = 0; i < ships.n_past; i++) {
        const struct ship *h = &ships.past[i];
        check_order(h);
        CHECK(h->merged > start - (SHIP_WEEKS * 7 + 1) * day && h->began < start && h->resolved < start);
        CHECK(h->is_first == (i == 0 || ships.past[i - 1].line != h->line));
        if (h->fixes) CHECK(ships.past[i - 1].fate == SHIP_MENDED && ships.past[i - 1].resolved > h->full);
        fates[h->fate]++;
        fixes += h->fixes != 0;
        flaky += h->is_flaky;
    }
    for (unsigned i = 0; i < 5; i++) CHECK(fates[i] > 0);
    CHECK(fixes == fates[SHIP_MENDED] && flaky > 0 && fates[SHIP_WELL] > ships.n_past / 2);
}

TEST(commits_touch_files_of_every_kind) {
    static const char *const wanted[] = { ".go", "_test.go", ".yaml", "go.mod", ".up.sql" };
    unsigned seen[5] = { 0 };
    ships_init(&ships, 1, start);
    for (uint32_t i = 0; i < ships.n_past; i++)
        for (uint32_t c = 0; c < ships.past[i].n_commits; c++) {
            unsigned n = 0;
            for (struct ship_text t; (t = ship_file(&ships.past[i], c, n)).z[0]; n++)
                for (unsigned k = 0; k < 5; k++) seen[k] += strstr(t.z, wanted[k]) != NULL;
            CHECK(n > 1 && n < 8 && !ship_file(&ships.past[i], c, n + 1).z[0]);
        }
    for (unsigned k = 0; k < 5; k++) CHECK(seen[k] > 5);
}

TEST(the_first_live_delivery_is_bad_and_over_within_a_cycle) {
    struct ship h;
    ships_init(&ships, 3, start);
    ships_next(&ships, &h);
    CHECK(h.fate == SHIP_ERRORS && h.line == 0 && h.full < start + 60 * second);
    for (int64_t k = 0; k < 30; k++) {
        check_order(&h);
        CHECK(h.merged >= start + k * SHIP_CYCLE_S * second);
        CHECK(h.full < start + (k + 1) * SHIP_CYCLE_S * second &&
              h.resolved < start + (k + 1) * SHIP_CYCLE_S * second);
        ships_next(&ships, &h);
    }
}

TEST(everything_told_has_its_time) {
    struct arena a;
    static struct telling t;
    static struct ship h;
    arena_init(&a, 64 << 20, NULL);
    t = (struct telling){ .arena = &a };
    ships_init(&ships, 5, start);
    for (uint32_t i = 0; i < ships.n_past; i++) tell_ship(&t, &ships.past[i]);
    tell_flags(&t, &ships);
    uint32_t n_past = t.n;
    ships_next(&ships, &h);
    tell_ship(&t, &h);
    tell_flag_of(&t, &h);
    CHECK(!t.failed && n_past > 1000 && t.n > n_past + 15);
    for (uint32_t i = 0; i < t.n; i++) {
        CHECK(t.items[i].body.len > 50 && t.items[i].body.ptr[0] == '{');
        CHECK(memchr(t.items[i].body.ptr, '\'', t.items[i].body.len) == NULL);
        CHECK(t.items[i].due_ns > start - 100 * day);
        CHECK(i >= n_past || t.items[i].due_ns < start);
    }
    arena_fini(&a);
}

TEST(telling_without_memory_says_so) {
    struct arena a;
    static struct telling t;
    arena_init(&a, 4096, NULL);
    t = (struct telling){ .arena = &a };
    ships_init(&ships, 5, start);
    for (uint32_t i = 0; i < 20; i++) tell_ship(&t, &ships.past[i]);
    CHECK(t.failed);
    arena_fini(&a);
}

// --- the versions in spans ---------------------------------------------------------------------------------

// Requests of checkout on its route within ten seconds from `at`: how many met the new version and failed.
struct met {
    unsigned all, new, failed, slow;
};
static struct met meet(struct serving *s, struct shop *shop, int64_t at, unsigned old_pod) {
    struct met m = { 0 };
    for (unsigned i = 0; i < 1000; i++) {
        CHECK_OK(serving_step(s, (uint64_t)(at + i * second / 100), shop));
        struct lot lot = serving_lot(s, ship_shop_service(0), true);
        m.all++;
        m.new += lot.pod != old_pod;
        m.failed += lot.fails;
        m.slow += lot.is_slow;
        CHECK(lot.pod != old_pod || !lot.fails);
        CHECK(serving_lot(s, ship_shop_service(0), false).fails == false);
        CHECK(serving_lot(s, 0, true).pod == 0); // does not ship
    }
    return m;
}

TEST(a_bad_version_meets_a_share_then_all_then_none) {
    struct arena a;
    static struct shop shop;
    struct dice d = { 1 };
    struct serving *s;
    arena_init(&a, 8 << 20, NULL);
    CHECK_OK(shop_open(&a, &d, &shop));
    CHECK_OK(serving_new(1, (uint64_t)start, &shop, &s));
    struct str old = shop.services[ship_shop_service(0)].pods[0].resource;
    struct ship_text version = ship_version(0, s->ships.lines[0].current);
    CHECK(memmem(old.ptr, old.len, version.z, strlen(version.z)));
    struct met before = meet(s, &shop, start, 0), canary = meet(s, &shop, start + 10 * second, 0),
               all = meet(s, &shop, start + 26 * second, 0), after = meet(s, &shop, start + 55 * second, 0);
    CHECK(before.new == 0 && before.failed == 0);
    CHECK(canary.new > 50 && canary.new < 500 && canary.failed > 30);
    CHECK(all.new == all.all &&all.failed > all.all / 2 && all.slow == 0);
    CHECK(after.new == 0 && after.failed == 0);
    serving_free(s);
    arena_fini(&a);
}

TEST(a_good_version_stays) {
    struct arena a;
    static struct shop shop;
    struct dice d = { 1 };
    struct serving *s;
    struct ship h = { 0 };
    arena_init(&a, 8 << 20, NULL);
    CHECK_OK(shop_open(&a, &d, &shop));
    CHECK_OK(serving_new(2, (uint64_t)start, &shop, &s));
    for (int64_t t = 0; t < 300; t++) CHECK_OK(serving_step(s, (uint64_t)(start + t * second), &shop));
    h = s->ship;
    CHECK(h.fate == SHIP_WELL && s->lines[h.line].pod == 1 && !s->is_out);
    CHECK(serving_lot(s, ship_shop_service(h.line), true).asks_flags == (h.version % 4 > 1));
    struct str r = shop.services[ship_shop_service(h.line)].pods[1].resource;
    struct ship_text version = ship_version(h.line, h.version);
    CHECK(memmem(r.ptr, r.len, version.z, strlen(version.z)));
    serving_free(s);
    arena_fini(&a);
}

TEST(a_shop_that_ships_survives_every_failed_allocation) {
    for (uint64_t n = 1;; n++) {
        struct load_gen_opts opts = { .seed = 5, .rate = 0, .ships_from_ns = (uint64_t)start };
        struct load_gen *g = NULL;
        struct buf out;
        buf_init(&out, 16 << 20);
        mem_fail_at(n, true);
        enum err e = load_gen_new(&opts, &g);
        for (unsigned i = 0; i < 4 && e == ERR_OK; i++) {
            size_t spans;
            e = load_gen_next(g, (uint64_t)start + i * 6000000000u, &out, &spans);
        }
        bool reached = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        load_gen_free(g);
        buf_fini(&out);
        CHECK(e == ERR_OK || reached);
        if (!reached) break;
        CHECK(e == ERR_NOMEM || e == ERR_LIMIT);
        if (n > 300) n += n / 4;
    }
}
