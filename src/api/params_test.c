// SPDX-License-Identifier: Apache-2.0
#include "api/params.h"

#include "base/test.h"

TEST(params_times) {
    static const struct {
        const char *text;
        uint64_t ns; // UINT64_MAX: not a time
    } cases[] = {
        { "0", 0 },
        { "1700000000", 1700000000000000000 },
        { "9999999999", UINT64_MAX },    // past what fits
        { "1700000000123", UINT64_MAX }, // milliseconds
        { "1700000000123456", UINT64_MAX },
        { "170000000012345678", 170000000012345678 }, // nanoseconds of 1975
        { "0100.5", 100500000000 },
        { "1.7e9", 1700000000000000000 },
        { "1e400", UINT64_MAX },
        { "NaN", UINT64_MAX },
        { "1700000000123456789", 1700000000123456789 },
        { "1700000000.5", 1700000000500000000 },
        { "2023-11-14T22:13:20Z", 1700000000000000000 },
        { "2023-11-14t22:13:20z", 1700000000000000000 },
        { "2023-11-15T00:13:20.25+02:00", 1700000000250000000 },
        { "2023-11-14T16:43:20-05:30", 1700000000000000000 },
        { "1970-01-01T00:00:00Z", 0 },
        { "2000-02-29T00:00:00.000000001Z", 951782400000000001 },
        { "2023-11-14T22:13:20.1234567899Z", 1700000000123456789 },
        { "1969-12-31T23:59:59Z", UINT64_MAX },
        { "2023-13-01T00:00:00Z", UINT64_MAX },
        { "2023-01-32T00:00:00Z", UINT64_MAX },
        { "2023-02-29T00:00:00Z", UINT64_MAX },
        { "1900-02-29T00:00:00Z", UINT64_MAX },
        { "2023-04-31T00:00:00Z", UINT64_MAX },
        { "2023-12-31T00:00:00Z", 1703980800000000000 },
        { "2024-02-29T00:00:00Z", 1709164800000000000 },
        { "2023-01-01T24:00:00Z", UINT64_MAX },
        { "2023-01-01T00:00:00", UINT64_MAX },
        { "2023-01-01T00:00:00+2:00", UINT64_MAX },
        { "2023-01-01T00:00:00Zx", UINT64_MAX },
        { "2023-01-01", UINT64_MAX },
        { "9999-01-01T00:00:00Z", UINT64_MAX },
        { "-5", UINT64_MAX },
        { "", UINT64_MAX },
        { "now", UINT64_MAX },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ns = UINT64_MAX;
        bool ok = parse_time(test_exact(str_of(cases[i].text)), &ns);
        if (cases[i].ns == UINT64_MAX)
            CHECK(!ok);
        else
            CHECK(ok && ns == cases[i].ns);
    }
}

TEST(params_durations_are_those_of_go) {
    static const struct {
        const char *text;
        uint64_t ns; // UINT64_MAX: not a duration
    } cases[] = {
        { "0", 0 },
        { "1h05m", 3900000000000 },
        { "007s", 7000000000 },
        { ".5h", 1800000000000 },
        { "1.s", 1000000000 },
        { "1h.5m", 3630000000000 },
        { "100us2\xc2\xb5s3\xce\xbcs", 105000 },
        { "1d", 86400000000000 },
        { "1y1w", 32140800000000000 },
        { "0.1234567890123456789s", 123456789 },
        { "00000000000000000000000000000005s", 5000000000 },
        { "", UINT64_MAX },
        { "5", UINT64_MAX },
        { ".s", UINT64_MAX },
        { "1.5.5s", UINT64_MAX },
        { "1h 5m", UINT64_MAX },
        { "-1h", UINT64_MAX },
        { "1e3s", UINT64_MAX },
        { "h", UINT64_MAX },
        { "99999999999999999999s", UINT64_MAX },
        { "300000000h", UINT64_MAX },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ns = UINT64_MAX;
        bool ok = parse_duration(test_exact(str_of(cases[i].text)), &ns);
        if (ok != (cases[i].ns != UINT64_MAX)) printf("# %s\n", cases[i].text);
        CHECK(ok == (cases[i].ns != UINT64_MAX));
        if (ok) CHECK_U64(ns, cases[i].ns);
    }
}

TEST(params_bools_are_written_in_many_ways) {
    static const char *const yes[] = { "1", "t", "T", "true", "True", "TRUE" },
                             *const no[] = { "0", "f", "F", "false", "False", "FALSE" },
                             *const neither[] = { "yes", "tr", "2", "on" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes + sizeof neither / sizeof *neither; i++) {
        struct arena a;
        struct err_ctx ctx = { 0 };
        bool b = true;
        bool bad = i >= sizeof yes / sizeof *yes;
        arena_init(&a, SIZE_MAX, NULL);
        struct params p = { bad ? str_fmt(&a, "b=%s", neither[i - sizeof yes / sizeof *yes])
                                : str_fmt(&a, "b=%s&c=%s", no[i], yes[i]),
                            &a };
        CHECK(params_bool(&p, STR("b"), &b, &ctx) == (bad ? ERR_INVALID : ERR_OK));
        CHECK(b == bad);
        CHECK_OK(params_bool(&p, STR("c"), &b, &ctx));
        CHECK(b);
        arena_fini(&a);
    }
}

TEST(params_that_are_not_well_encoded_are_told) {
    static const struct {
        const char *query;
        bool good;
    } cases[] = {
        { "", true },       { "a=1&b", true },      { "q=50%25&%61=%C3%A9", true },
        { "q=50%", false }, { "a=1&q=%2", false },  { "%zz=1", false },
        { "a=%00", false }, { "q=%2G&b=1", false }, { "a=%&b=25", false },
        { "q=%00", true },  { "q%00=1", false },    { "q=%7B%00&a=1%00", false },
        { "=&&==", true },  { "q=+%2b", true },     { "a=1&b=%f", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct err_ctx ctx = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        struct params p = { test_exact(str_of(cases[i].query)), &a };
        enum err e = params_check(&p, &ctx);
        if ((e == ERR_OK) != cases[i].good) printf("# %s\n", cases[i].query);
        CHECK(e == (cases[i].good ? ERR_OK : ERR_INVALID) && (e == ERR_OK) == (ctx.text[0] == '\0'));
        arena_fini(&a);
    }
}

TEST(params_names_and_values) {
    struct arena a;
    struct buf query;
    struct str name, value;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&query, 1000);
    params_add(&query, STR("q"), STR("{ .a = \"é&=%+\" }"));
    params_add(&query, STR("odd name"), STR(""));
    params_add(&query, STR("q"), STR("second"));
    struct params p = { test_exact(buf_view(&query)), &a };
    CHECK_STR(params_get(&p, STR("q")), STR("{ .a = \"é&=%+\" }"));
    CHECK(params_get(&p, STR("p")).ptr == NULL);
    struct str rest = p.query;
    CHECK(params_next(&p, &rest, &name, &value));
    CHECK_STR(name, STR("q"));
    CHECK(params_next(&p, &rest, &name, &value));
    CHECK_STR(name, STR("odd name"));
    CHECK_STR(value, STR(""));
    CHECK(params_next(&p, &rest, &name, &value));
    CHECK_STR(value, STR("second"));
    CHECK(!params_next(&p, &rest, &name, &value));
    p.query = STR("&=x&a=%zz&a=%41+b&c");
    CHECK_STR(params_get(&p, STR("a")), STR("A b")); // the first that can be read
    rest = p.query;
    CHECK(params_next(&p, &rest, &name, &value));
    CHECK_STR(value, STR("A b"));
    CHECK(params_next(&p, &rest, &name, &value));
    CHECK_STR(name, STR("c"));
    CHECK(!params_next(&p, &rest, &name, &value));
    p.query = STR("q=a%00b&c=a%00b&q=x");
    CHECK_STR(params_get(&p, STR("q")), ((struct str){ "a\0b", 3 }));
    CHECK(params_get(&p, STR("c")).ptr == NULL);
    buf_fini(&query);
    arena_fini(&a);
}

TEST(params_that_are_wrong_say_so) {
    struct arena a;
    uint64_t n = 5;
    bool b = true;
    arena_init(&a, SIZE_MAX, NULL);
    struct params p = { STR("n=12&d=1m30s&b=false&x=y&e="), &a };
    struct err_ctx ctx = { 0 };
    CHECK_OK(params_number(&p, STR("absent"), 9, &n, &ctx));
    CHECK_OK(params_number(&p, STR("e"), 9, &n, &ctx));
    CHECK_U64(n, 5);
    CHECK_OK(params_number(&p, STR("n"), 12, &n, &ctx));
    CHECK_U64(n, 12);
    CHECK_OK(params_duration(&p, STR("d"), &n, &ctx));
    CHECK_U64(n, 90000000000);
    CHECK_OK(params_bool(&p, STR("b"), &b, &ctx));
    CHECK(!b);
    CHECK(params_number(&p, STR("n"), 11, &n, &ctx) == ERR_INVALID && strstr(ctx.text, "n=\"12\""));
    ctx = (struct err_ctx){ .line = 0 };
    CHECK(params_duration(&p, STR("x"), &n, &ctx) == ERR_INVALID && strstr(ctx.text, "x=\"y\""));
    ctx = (struct err_ctx){ .line = 0 };
    CHECK(params_bool(&p, STR("x"), &b, &ctx) == ERR_INVALID && strstr(ctx.text, "x=\"y\""));
    arena_fini(&a);
}
