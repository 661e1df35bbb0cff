// SPDX-License-Identifier: Apache-2.0
// Names that mean one version, places in stack traces, and Takt's own event: read as a fact, and from nobody
// else.
#include "impact/scan.h"

#include "base/test.h"
#include "intake/intake.h"

TEST(impact_versions_are_the_same_but_for_their_clothes) {
    static const char *const same[][2] = {
        { "1.2.3", "1.2.3" },
        { "v1.2.3", "1.2.3" },
        { "registry:5000/team/shop:v1.2.3", "1.2.3" },
        { "registry:5000/team/shop:1.2.3@sha256:00", "v1.2.3" },
        { "c0ffee1", "c0ffee1234567890c0ffee1234567890c0ffee12" },
        { "C0FFEE1234567890C0FFEE1234567890C0FFEE12", "c0ffee12345" },
    };
    static const char *const other[][2] = {
        { "", "" },
        { "1.2.3", "" },
        { "1.2.3", "1.2.30" },
        { "version", "ersion" },
        { "c0ffee", "c0ffee1234567890c0ffee1234567890c0ffee12" }, // too short to be sure
        { "registry:5000/team/shop", "5000/team/shop" },
        { "20260101", "2026010112" },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        CHECK(impact_same_version(str_of(same[i][0]), str_of(same[i][1])));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        CHECK(!impact_same_version(str_of(other[i][0]), str_of(other[i][1])));
}

TEST(impact_frames_are_the_place_without_its_line) {
    static const char *const of[][2] = {
        { "", "" },
        { "just words", "" },
        { "java.lang.X: no\n\tat com.shop.Cart.add(Cart.java:12)\n\tat com.shop.Main.main(Main.java:3)",
          "com.shop.Cart.add" },
        { "TypeError: x\n    at add (/app/cart.js:1:2)\n    at main (/app/main.js:9:9)", "add" },
        { "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in main\n    add()\n"
          "  File \"/app/cart.py\", line 7, in add\n    raise X\nX: no",
          "\"/app/cart.py\"" },
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        CHECK_STR(signature_frame(test_exact(str_of(of[i][0]))), str_of(of[i][1]));
}

TEST(impact_events_of_ours_are_facts_and_nobody_else_sends_them) {
    struct arena a;
    struct intake in;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    struct intake_request r = {
        .source = STR("takt"),
        .received = 1767225600000000000,
        .body =
            STR("{\"rollout\":\"00ab\",\"deploy\":\"d\",\"service\":\"shop\",\"environment\":\"production\","
                "\"verdict\":\"confirmed\",\"state\":\"1-2\",\"final\":true,\"computedAt\":"
                "\"1767225500000000000\",\"evidence\":\"errors\"}"),
    };
    CHECK_OK(intake_read(&r, &a, &in, &ctx));
    CHECK(in.n == 1 && in.events[0].known && in.events[0].claims.n == 1);
    CHECK_STR(in.events[0].id, STR("00ab:1-2"));
    const struct claim *c = in.events[0].claims.items[0];
    CHECK(c->kind == FACT_IMPACT && c->time == 1767225500000000000);
    CHECK_STR(c->key, STR("00ab"));
    CHECK(intake_check(&r, NULL, 0, &ctx) == ERR_NOT_FOUND);
    r.source = STR("events");
    r.body =
        STR("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"dev.takt.impact\",\"data\":{"
            "\"verdict\":\"confirmed\"}}");
    CHECK_OK(intake_read(&r, &a, &in, &ctx));
    CHECK(in.n == 1 && !in.events[0].known);
    arena_fini(&a);
}
