// SPDX-License-Identifier: Apache-2.0
// What a canary got against its weights, minute by minute.
#include "impact/weight.h"

#include "base/test.h"

#define MINUTE 60000000000ll
#define T0 (29000000ll * MINUTE)
enum { MINUTES = 60 };

static struct versions versions;
static uint32_t counts[3][MINUTES];
static const bool is_new[3] = { false, true, false };

// The old version, the canary, and spans that tell no version: so many a minute.
static void serve(uint32_t from, uint32_t to, uint32_t old, uint32_t canary) {
    static const char *const names[] = { "1", "2", "" };
    versions = (struct versions){ .n = 3, .base = T0 / MINUTE, .n_minutes = MINUTES };
    for (unsigned i = 0; i < 3; i++)
        versions.items[i] = (struct version_seen){ .version = str_of(names[i]), .minutes = counts[i] };
    for (uint32_t m = from; m < to; m++) {
        counts[0][m] = old;
        counts[1][m] = canary;
        counts[2][m] = 7;
    }
}
static struct weight_answer ask(const struct canary_step *steps, uint32_t n, int64_t until) {
    return weight_of(&versions, is_new, &(struct canary_steps){ (struct canary_step *)steps, n }, until);
}

// Ten minutes at 10 %, twenty at 30 %, then all: of each step all minutes count but the first, in which it
// was turned, so nine and nineteen; and the traffic of each minute, which was more in the first ten.
TEST(weight_is_of_the_traffic_of_its_steps) {
    static const struct canary_step steps[] = { { T0 + 10 * MINUTE, 10 },
                                                { T0 + 20 * MINUTE, 30 },
                                                { T0 + 40 * MINUTE, 100 } };
    serve(0, 20, 900, 100);
    serve(20, MINUTES, 70, 30);
    struct weight_answer a = ask(steps, 3, T0 + MINUTES * MINUTE);
    CHECK_U64(a.all, 9 * 1000 + 19 * 100);
    CHECK_U64(a.got, 9 * 100 + 19 * 30);
    CHECK(a.expected > 1469.9 && a.expected < 1470.1);
    a = ask(steps, 3, T0 + 15 * MINUTE); // nothing later: the step that ends is told, so it counts whole
    CHECK_U64(a.all, 9 * 1000 + 19 * 100);
    a = ask(steps, 1, T0 + 15 * MINUTE); // it goes on
    CHECK_U64(a.all, 4 * 1000);
}

TEST(weight_of_a_step_within_a_minute_is_not_known) {
    static const struct canary_step steps[] = { { T0 + 10 * MINUTE + 1, 10 }, { T0 + 12 * MINUTE, 0 } };
    serve(0, MINUTES, 900, 100);
    CHECK_U64(ask(steps, 2, T0 + MINUTES * MINUTE).all, 0);
    CHECK_U64(ask(steps, 0, T0 + MINUTES * MINUTE).all, 0);
    static const struct canary_step all[] = { { T0, 100 } };
    CHECK_U64(ask(all, 1, T0 + MINUTES * MINUTE).all, 0);
}
