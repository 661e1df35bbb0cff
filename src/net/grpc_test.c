// SPDX-License-Identifier: Apache-2.0
#include "net/grpc.h"

#include "base/pb.h"
#include "base/test.h"

TEST(grpc_content_types) {
    static const struct {
        const char *in;
        bool want;
    } rows[] = {
        { "application/grpc", true },
        { "application/grpc+proto", true },
        { "Application/gRPC", true },
        { "application/grpc; charset=x", true },
        { "application/grpc-web", false },
        { "application/grp", false },
        { "application/grpc-web+proto", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(grpc_is_content_type(test_exact(str_of(rows[i].in))) == rows[i].want);
}

TEST(grpc_timeouts) {
    static const struct {
        const char *in;
        uint64_t want; // 0 = refused
        const char *why;
    } rows[] = {
        { "1H", 3600000000000u, "hours" },
        { "2M", 120000000000u, "minutes" },
        { "3S", 3000000000u, "seconds" },
        { "100m", 100000000u, "milliseconds" },
        { "5u", 5000u, "microseconds" },
        { "7n", 7, "nanoseconds" },
        { "99999999H", UINT64_MAX, "more than fits: as long as can be said" },
        { "123456789S", 0, "nine digits" },
        { "S", 0, "no digits" },
        { "10", 0, "no unit" },
        { "10s", 0, "unknown unit" },
        { "-1S", 0, "sign" },
        { "", 0, "empty" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ns = 0;
        bool ok = grpc_timeout(test_exact(str_of(rows[i].in)), &ns);
        if (ok != (rows[i].want != 0) || ns != rows[i].want) printf("# %s\n", rows[i].why);
        CHECK(ok == (rows[i].want != 0));
        CHECK_U64(ns, rows[i].want);
    }
}

TEST(grpc_texts) {
    struct buf b;
    buf_init(&b, 1000);
    grpc_message_encode(&b, STR("a%\n\xc3\xa4~ "));
    CHECK_STR(buf_view(&b), STR("a%25%0A%C3%A4~ "));
    uint8_t prefix[GRPC_PREFIX];
    grpc_prefix_encode(true, 0x01020304, prefix);
    CHECK(memcmp(prefix, "\x01\x01\x02\x03\x04", GRPC_PREFIX) == 0);
    buf_fini(&b);
}

static struct str field(struct str message, uint32_t number, uint64_t *value) {
    struct reader r = reader_of(message);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number != number) continue;
        if (value) *value = f.value;
        return f.bytes;
    }
    test_fail(__FILE__, __LINE__, "no such field");
}

TEST(grpc_retry_status_is_what_clients_read) {
    struct buf b;
    buf_init(&b, 1000);
    grpc_retry_status(&b, 8, STR("wait"), 2500);
    struct str s = buf_view(&b);
    uint64_t v;
    (void)field(s, 1, &v);
    CHECK_U64(v, 8);
    CHECK_STR(field(s, 2, NULL), STR("wait"));
    struct str any = field(s, 3, NULL);
    CHECK_STR(field(any, 1, NULL), STR("type.googleapis.com/google.rpc.RetryInfo"));
    struct str delay = field(field(any, 2, NULL), 1, NULL);
    (void)field(delay, 1, &v);
    CHECK_U64(v, 2);
    (void)field(delay, 2, &v);
    CHECK_U64(v, 500000000);
    buf_fini(&b);
}
