// SPDX-License-Identifier: Apache-2.0
#include "api/guard.h"

#include "base/test.h"

TEST(guard_knows_hosts_that_nobody_can_point_elsewhere) {
    static const struct {
        struct str host;
        bool is_loopback;
        const char *why;
    } rows[] = {
        { STR("localhost"), true, "the name" },
        { STR("LocalHost:3200"), true, "names have no case" },
        { STR("127.0.0.1:3200"), true, "the address" },
        { STR("127.0.1.1"), true, "as Debian has its own name" },
        { STR("127.1"), true, "short form" },
        { STR("[::1]:3200"), true, "version 6" },
        { STR("[::1]"), true, "without a port" },
        { STR(""), false, "nothing" },
        { STR("evil.example"), false, "a name" },
        { STR("127.0.0.1.evil.example:3200"), false, "begins like an address" },
        { STR("127.evil.example"), false, "begins like an address" },
        { STR("localhost.evil.example"), false, "begins like the name" },
        { STR("evil.example:127.0.0.1"), false, "in the place of the port" },
        { STR("[::1].evil.example"), false, "behind the bracket is a port or nothing" },
        { STR("[::1"), false, "not closed" },
        { STR("[::2]"), false, "another address" },
        { STR("0.0.0.0:3200"), false, "any address" },
        { STR("10.0.0.1"), false, "another machine" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str exact = test_exact(rows[i].host);
        if (guard_is_loopback(exact) != rows[i].is_loopback) printf("# %s\n", rows[i].why);
        CHECK(guard_is_loopback(exact) == rows[i].is_loopback);
    }
}

TEST(guard_compares_names_without_ports_and_case) {
    struct str names[] = { STR("takt.example"), STR("[2001:db8::1]"), STR("with.port:80") }, any = STR("*");
    CHECK(guard_is_named(STR("takt.example"), names, 3));
    CHECK(guard_is_named(STR("TAKT.example:3200"), names, 3));
    CHECK(guard_is_named(STR("[2001:db8::1]:3200"), names, 3));
    CHECK(guard_is_named(STR("with.port:3200"), names, 3));
    CHECK(!guard_is_named(STR("a.takt.example"), names, 3));
    CHECK(!guard_is_named(STR("takt.example.evil"), names, 3));
    CHECK(!guard_is_named(STR("takt.example"), NULL, 0));
    CHECK(guard_is_named(STR("whatever"), &any, 1));
}
