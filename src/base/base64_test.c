// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include "base/test.h"

TEST(base64_known_answers) { // RFC 4648, section 10
    static const char *const rows[][2] = { { "", "" },
                                           { "f", "Zg==" },
                                           { "fo", "Zm8=" },
                                           { "foo", "Zm9v" },
                                           { "foob", "Zm9vYg==" },
                                           { "fooba", "Zm9vYmE=" },
                                           { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        struct str plain = str_of(rows[i][0]), coded = str_of(rows[i][1]);
        CHECK_U64(base64_size(plain.len), coded.len);
        base64_encode(plain.ptr, plain.len, text);
        CHECK_STR(((struct str){ text, coded.len }), coded);
    }
}

TEST(base64_reads_both_alphabets_with_or_without_padding) {
    static const char *const same[] = { "+/8=", "-_8=", "+/8", "-_8", "+_8=" };
    struct buf b;
    buf_init(&b, 64);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        buf_reset(&b);
        CHECK_OK(base64_decode(test_exact(str_of(same[i])), &b));
        CHECK_STR(buf_view(&b), STR("\xfb\xff"));
    }
    buf_fini(&b);
}

TEST(base64_refuses_the_rest) {
    static const char *const bad[] = { "A",  "AAAAA", "A===", "=",     "====", "AA=A",
                                       "A=", "AAA==", "AA A", "AA\n=", "A*==" };
    struct buf b;
    buf_init(&b, 64);
    buf_str(&b, STR("kept"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(base64_decode(test_exact(str_of(bad[i])), &b) == ERR_INVALID);
        CHECK_STR(buf_view(&b), STR("kept"));
    }
    char many[80];
    memset(many, 'A', sizeof many);
    CHECK(base64_decode((struct str){ many, sizeof many }, &b) == ERR_NOMEM && b.failed);
    buf_fini(&b);
}

TEST(base64_goes_round) {
    for (size_t n = 0; n < 200; n++) {
        uint8_t in[200];
        char text[268];
        for (size_t i = 0; i < n; i++) in[i] = (uint8_t)test_rand();
        base64_encode(in, n, text);
        struct buf b;
        buf_init(&b, 300);
        struct str coded = test_exact((struct str){ text, base64_size(n) });
        CHECK_OK(base64_decode(coded, &b));
        CHECK_STR(buf_view(&b), ((struct str){ (const char *)in, n }));
        buf_reset(&b);
        while (coded.len && coded.ptr[coded.len - 1] == '=') coded.len--;
        CHECK_OK(base64_decode(test_exact(coded), &b));
        CHECK_STR(buf_view(&b), ((struct str){ (const char *)in, n }));
        buf_fini(&b);
    }
}
