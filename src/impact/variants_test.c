// SPDX-License-Identifier: Apache-2.0
// Traces and the variant that each was served.
#include "impact/variants.h"

#include "base/test.h"

static void id_of(uint64_t n, uint8_t out[16]) {
    uint64_t id[2] = { n, ~n };
    memcpy(out, id, 16);
}
static enum err add(struct impact_variants *v, uint64_t trace, const char *variant) {
    uint8_t id[16];
    id_of(trace, id);
    return impact_variants_add(v, id, str_of(variant));
}
static struct str of(const struct impact_variants *v, uint64_t trace) {
    uint8_t id[16];
    id_of(trace, id);
    return impact_variant_of(v, id);
}

TEST(variants_of_a_trace_are_one_or_none) {
    struct impact_variants v;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    impact_variants_init(&v, &a);
    CHECK_OK(add(&v, 1, "on"));
    CHECK_OK(add(&v, 1, "on"));
    CHECK_OK(add(&v, 2, "off"));
    CHECK_OK(add(&v, 3, "off"));
    CHECK_OK(add(&v, 3, "on"));
    CHECK_OK(add(&v, 3, "on")); // it does not become one again
    CHECK_OK(add(&v, 3, "off"));
    CHECK_STR(of(&v, 1), STR("on"));
    CHECK_STR(of(&v, 2), STR("off"));
    CHECK_STR(of(&v, 3), STR(""));
    CHECK_STR(of(&v, 4), STR(""));
    CHECK(v.n == 2 && v.n_traces == 3 && v.n_mixed == 1);
    for (int i = 0; i < 2 * VARIANTS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "v%d", i);
        CHECK_OK(add(&v, 100 + (uint64_t)i, name));
    }
    CHECK(v.cut && v.n == VARIANTS_MAX);
    CHECK_STR(of(&v, 100 + 2 * VARIANTS_MAX - 1), STR(""));
    CHECK_STR(of(&v, 100), STR("v0"));
    impact_variants_fini(&v);
    arena_fini(&a);
}

TEST(variants_forget_half_of_the_traces_alike_when_there_are_too_many) {
    struct impact_variants v;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    impact_variants_init(&v, &a);
    uint64_t n = VARIANT_TRACES_MAX + 1000, on = 0, known = 0;
    for (uint64_t i = 0; i < n; i++) CHECK_OK(add(&v, i, i % 4 ? "off" : "on"));
    CHECK(v.shift == 1 && v.n_traces < VARIANT_TRACES_MAX);
    for (uint64_t i = 0; i < n; i++) {
        struct str variant = of(&v, i);
        uint8_t id[16];
        id_of(i, id);
        CHECK(impact_variants_keep(&v, id) == (variant.len > 0));
        known += variant.len > 0;
        on += str_eq(variant, STR("on"));
        CHECK(!variant.len || str_eq(variant, i % 4 ? STR("off") : STR("on")));
    }
    CHECK_U64(known, v.n_traces);
    CHECK(known > n * 49 / 100 && known < n * 51 / 100 && on > known * 24 / 100 && on < known * 26 / 100);
    impact_variants_fini(&v);
    arena_fini(&a);
}

TEST(variants_survive_a_lack_of_memory) {
    for (uint64_t at = 1; at < 20; at++) {
        struct impact_variants v;
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        impact_variants_init(&v, &a);
        mem_fail_at(at, true);
        enum err e = ERR_OK;
        for (uint64_t i = 0; i < 3000 && e == ERR_OK; i++) e = add(&v, i, i & 1 ? "on" : "off");
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        impact_variants_fini(&v);
        arena_fini(&a);
    }
}
