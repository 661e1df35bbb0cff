// SPDX-License-Identifier: Apache-2.0
#include "net/body.h"

#include "base/test.h"

struct outcome {
    enum body_next next;
    uint64_t len, asked; // asked: bytes reserved in all
    bool compressed;
    uint64_t sum; // of the bytes
};

// Feeds `in` in pieces of at most `cut` bytes and ends it, as the loop would do with an endless budget.
static struct outcome run(enum body_mode mode, uint64_t length, uint64_t max, struct str in, size_t cut) {
    struct body b;
    struct outcome o = { .next = BODY_MORE };
    body_init(&b, mode, length, max);
    struct str piece = STR("");
    while (in.len && o.next == BODY_MORE) {
        size_t n = cut ? cut : 1 + test_below(11);
        char *block = mem_alloc(n); // exactly as large, so that ASan sees one byte too many
        piece = str_sub(in, 0, n);
        memcpy(block + (n - piece.len), piece.ptr, piece.len);
        piece.ptr = block + (n - piece.len);
        in = str_sub(in, piece.len, in.len);
        do {
            o.next = body_feed(&b, &piece);
            if (o.next != BODY_RESERVE) break;
            CHECK(b.need > 0);
            o.asked += b.need;
            CHECK(body_grow(&b, NULL));
            CHECK_U64(body_reserved(&b), o.asked);
        } while (o.next == BODY_RESERVE);
        mem_free(block);
    }
    uint64_t excess = 0;
    if (o.next == BODY_MORE || (o.next == BODY_FULL && in.len + piece.len == 0)) {
        o.next = body_end(&b, &excess);
        o.asked -= excess;
    }
    o.compressed = b.compressed;
    if (b.block) {
        o.len = b.block->len;
        for (size_t i = 0; i < b.block->len; i++) o.sum = o.sum * 31 + b.block->data[i];
        CHECK_U64(body_reserved(&b), o.asked);
        // The padding is readable: ASan looks.
        if (o.next == BODY_MORE)
            for (int i = 0; i < NET_BODY_PADDING; i++) CHECK(b.block->data[b.block->len + (size_t)i] == 0);
    }
    body_fini(&b);
    return o;
}

TEST(body_grpc_cases) {
    static const struct {
        const char *in;
        size_t n;
        uint64_t max;
        enum body_next want;
        uint64_t len;
        const char *why;
    } rows[] = {
        { "\0\0\0\0\5hello", 10, 100, BODY_MORE, 5, "one message" },
        { "\1\0\0\0\5hello", 10, 100, BODY_MORE, 5, "packed" },
        { "\0\0\0\0\0", 5, 100, BODY_MORE, 0, "an empty message" },
        { "", 0, 100, BODY_BAD, 0, "no message" },
        { "\0\0\0\0", 4, 100, BODY_BAD, 0, "cut prefix" },
        { "\0\0\0\0\5hell", 9, 100, BODY_BAD, 4, "cut message" },
        { "\0\0\0\0\5hello\0", 11, 100, BODY_BAD, 5, "a second message" },
        { "\0\0\0\0\0\0", 6, 100, BODY_BAD, 0, "a second message after an empty one" },
        { "\2\0\0\0\5hello", 10, 100, BODY_BAD, 0, "unknown flag" },
        { "\0\0\0\0\5", 5, 4, BODY_TOO_LARGE, 0, "larger than allowed: known from the prefix alone" },
        { "\0\xff\xff\xff\xff", 5, 1 << 20, BODY_TOO_LARGE, 0, "4 GiB announced" },
        { "\0\0\0\0\5hello", 10, 5, BODY_MORE, 5, "as large as allowed" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str in = { rows[i].in, rows[i].n };
        for (size_t cut = 1; cut < 13; cut++) {
            struct outcome o = run(BODY_GRPC, 0, rows[i].max, in, cut);
            if (o.next != rows[i].want) printf("# %s, cut %zu\n", rows[i].why, cut);
            CHECK(o.next == rows[i].want);
            if (o.next == BODY_MORE) CHECK_U64(o.len, rows[i].len);
            if (o.next == BODY_TOO_LARGE) CHECK_U64(o.asked, 0); // nothing was reserved for it
        }
    }
}

TEST(body_asks_before_it_takes) {
    struct body b;
    struct str in = STR("\0\0\0\x10\0abc");
    body_init(&b, BODY_GRPC, 0, 1 << 20);
    CHECK(body_feed(&b, &in) == BODY_RESERVE);
    CHECK_U64(b.need, 4096 + BODY_OVERHEAD);
    CHECK_STR(in, STR("abc"));
    CHECK(body_feed(&b, &in) == BODY_RESERVE); // asks again, takes nothing
    CHECK_STR(in, STR("abc"));
    mem_fail_at(1, false);
    CHECK(!body_grow(&b, NULL));
    CHECK(b.block == NULL);
    mem_fail_at(0, false);
    CHECK(body_grow(&b, NULL));
    CHECK(body_feed(&b, &in) == BODY_MORE);
    CHECK_U64(in.len, 0);
    CHECK_STR(((struct str){ (char *)b.block->data, b.block->len }), STR("abc"));
    body_fini(&b);
}

TEST(body_of_known_length) {
    struct outcome o = run(BODY_LENGTH, 5, 100, STR("hello"), 2);
    CHECK(o.next == BODY_MORE);
    CHECK_U64(o.len, 5);
    CHECK_U64(o.asked, 5 + BODY_OVERHEAD);
    CHECK(run(BODY_LENGTH, 5, 100, STR("hell"), 2).next == BODY_BAD);
    CHECK(run(BODY_LENGTH, 5, 4, STR("hello"), 2).next == BODY_TOO_LARGE);
    CHECK(run(BODY_LENGTH, 5, 100, STR("hello more"), 100).next == BODY_FULL); // what follows stays
    CHECK(run(BODY_LENGTH, UINT64_MAX, 100, STR("h"), 1).next == BODY_TOO_LARGE);
    struct body b;
    size_t room;
    struct str none = STR("");
    body_init(&b, BODY_LENGTH, 4, 100);
    CHECK(body_feed(&b, &none) == BODY_RESERVE);
    CHECK(body_grow(&b, NULL));
    uint8_t *dst = body_room(&b, &room);
    CHECK_U64(room, 4);
    memcpy(dst, "ab", 2);
    body_advance(&b, 2);
    CHECK(body_room(&b, &room) == dst + 2);
    CHECK_U64(room, 2);
    body_fini(&b);
}

TEST(body_of_unknown_length_grows_and_is_trimmed) {
    static char data[300000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7);
    struct str in = { data, sizeof data };
    struct outcome o = run(BODY_OPEN, 0, 1 << 20, in, 1000);
    CHECK(o.next == BODY_MORE);
    CHECK_U64(o.len, sizeof data);
    CHECK(o.asked <= sizeof data + BODY_OVERHEAD + BODY_SLACK_MAX);
    CHECK(o.sum == run(BODY_OPEN, 0, 1 << 20, in, 70000).sum);
    CHECK(run(BODY_OPEN, 0, sizeof data, in, 1000).next == BODY_MORE);
    CHECK(run(BODY_OPEN, 0, sizeof data - 1, in, 1000).next == BODY_TOO_LARGE);
    CHECK(run(BODY_OPEN, 0, 100, STR(""), 1).next == BODY_MORE);
}

TEST(body_result_does_not_depend_on_the_cut) {
    for (int round = 0; round < 300; round++) {
        char in[40];
        size_t n = test_below(sizeof in);
        for (size_t i = 0; i < n; i++) in[i] = (char)(i < 4 ? test_below(20) == 0 : test_below(12));
        struct str s = { in, n };
        struct outcome a = run(BODY_GRPC, 0, 8, s, 100), b = run(BODY_GRPC, 0, 8, s, 0);
        CHECK(a.next == b.next);
        if (a.next == BODY_MORE) CHECK(a.len == b.len && a.sum == b.sum && a.asked == b.asked);
    }
}
