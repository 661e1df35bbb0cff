// SPDX-License-Identifier: Apache-2.0
#include "net/h1.h"

#include "base/test.h"

// What the whole parser makes of an input that arrives in pieces of `cut` bytes at most (0 = random
// pieces): a line of text, so that results can be compared.
static void print_head(struct buf *b, const struct h1_head *h) {
    buf_fmt(b, "%.*s %.*s", STR_ARG(h->method), STR_ARG(h->target));
    if (h->http10) buf_str(b, STR(" 1.0"));
    if (h->keep_alive) buf_str(b, STR(" keep"));
    if (h->chunked) buf_str(b, STR(" chunked"));
    if (h->expect_continue) buf_str(b, STR(" expect"));
    if (h->has_length) buf_fmt(b, " length=%llu", (unsigned long long)h->length);
    for (size_t i = 0; i < h->n_headers; i++)
        buf_fmt(b, " [%.*s=%.*s]", STR_ARG(h->headers[i].name), STR_ARG(h->headers[i].value));
}

// A copy that ends where its block ends, so that ASan sees one byte too many.
static struct str exact(struct str s, char **block) {
    *block = mem_alloc(s.len);
    memcpy(*block, s.ptr, s.len);
    return (struct str){ *block, s.len };
}

static void print_body(struct buf *b, struct str rest, size_t cut) {
    struct h1_chunked c = { 0 };
    enum h1_result r = H1_MORE;
    buf_str(b, STR(" body="));
    while (rest.len && r != H1_DONE && r != H1_BAD) {
        size_t n = cut ? cut : 1 + test_below(7);
        char *block;
        struct str in = exact(str_sub(rest, 0, n), &block), piece;
        rest = str_sub(rest, in.len, rest.len);
        while ((r = h1_chunk(&c, &in, &piece)) == H1_DATA) buf_str(b, piece);
        if (r == H1_DONE) buf_fmt(b, " done, left=%zu", in.len + rest.len);
        if (r == H1_BAD) buf_str(b, STR(" bad"));
        mem_free(block);
    }
}

static void print_result(struct buf *b, struct str in, size_t cut) {
    struct h1_scan s = { 0 };
    struct h1_error err = { 0 };
    enum h1_result r = H1_MORE;
    buf_reset(b);
    for (size_t have = 0; r == H1_MORE && have < in.len;) {
        have += cut ? cut : 1 + test_below(9);
        if (have > in.len) have = in.len;
        char *block;
        r = h1_scan(&s, exact(str_sub(in, 0, have), &block), &err);
        mem_free(block);
    }
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    struct h1_head h;
    if (r == H1_MORE) {
        buf_str(b, STR("more"));
    } else if (r == H1_BAD) {
        buf_fmt(b, "%d %s", err.status, err.text);
    } else {
        char *head = arena_copy(&a, in.ptr, s.pos);
        if (h1_parse(&s, head, &a, &h, &err)) {
            print_head(b, &h);
            if (h.chunked) print_body(b, str_sub(in, s.pos, in.len), cut);
        } else {
            buf_fmt(b, "%d %s", err.status, err.text);
        }
    }
    arena_fini(&a);
    CHECK(!b->failed);
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *in, *want, *why;
} cases[] = {
    { GET "\r\n", "GET / keep [host=h]", "the least" },
    { "\r\n" GET "\r\n", "GET / keep [host=h]", "one empty line before is forgiven" },
    { "\r\n\r\n" GET "\r\n", "400 this is not HTTP", "two are not" },
    { "GET /a?b=c%20 HTTP/1.0\r\n\r\n", "GET /a?b=c%20 1.0", "1.0 needs no Host and ends by itself" },
    { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keep [connection=Keep-Alive]",
      "unless asked" },
    { GET "Connection: foo, close\r\n\r\n", "GET / [host=h] [connection=foo, close]", "close in a list" },
    { GET "X: \t a b \t\r\nY:\r\n\r\n", "GET / keep [host=h] [x=a b] [y=]", "blanks around values" },
    { POST "Content-Length: 12\r\n\r\n", "POST / keep length=12 [host=h] [content-length=12]", "length" },
    { POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "POST / keep length=5 [host=h] [content-length=5] [content-length=5]", "the same length twice" },
    { POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
      "POST / keep expect length=1 [host=h] [expect=100-Continue] [content-length=1]", "expect" },
    { "GET http://h/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET http://h/ keep [host=[::1]:80]",
      "absolute form" },
    { "M-SEARCH * HTTP/1.1\r\nHost:\r\n\r\n", "M-SEARCH * keep [host=]",
      "any token is a method, Host may be empty" },
    { "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /\xc3\xa4 keep [host=h]", "raw UTF-8 in the target" },

    { "GET / HTTP/1.1\nHost: h\n\n", "400 a line ends without CR", "bare LF" },
    { GET "X: a\n\r\n", "400 a line ends without CR", "bare LF in a field" },
    { GET "X: a\rb\r\n\r\n", "400 malformed value of a header field", "bare CR" },
    { "GET / HTTP/1.1\r\n\r\n", "400 no Host", "1.1 needs a Host" },
    { GET "Host: h\r\n\r\n", "400 two Host", "even when equal" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 malformed Host", "blank in Host" },
    { "GET / HTTP/1.1\r\nHost: u@h/x\r\n\r\n", "400 malformed Host", "more than a host" },
    { GET " folded\r\n\r\n", "400 folded header field", "obs-fold" },
    { GET "\tfolded\r\n\r\n", "400 folded header field", "obs-fold by tab" },
    { GET "X : a\r\n\r\n", "400 malformed name of a header field", "blank before the colon" },
    { GET "X\r\n\r\n", "400 a header field without a colon", "no colon" },
    { GET ": a\r\n\r\n", "400 malformed name of a header field", "no name" },
    { GET "X\xc3\xa4: a\r\n\r\n", "400 malformed name of a header field", "not ASCII in a name" },
    { GET "X: a\x01\r\n\r\n", "400 malformed value of a header field", "control character" },
    { GET "X: a\x7f\r\n\r\n", "400 malformed value of a header field", "DEL" },
    { "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed request line", "two blanks" },
    { "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed target", "two blanks" },
    { "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed request line", "blank in the target" },
    { "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed target", "fragment" },
    { "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed target", "control character" },
    { "GET /\r\nHost: h\r\n\r\n", "400 malformed request line", "HTTP/0.9" },
    { "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 this version of HTTP is not served", "2.0" },
    { "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "505 this version of HTTP is not served", "1.2" },
    { "GET / http/1.1\r\nHost: h\r\n\r\n", "400 malformed request line", "case of the version" },
    { "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "400 malformed request line", "blank after the version" },
    { "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed method", "method is a token" },
    { " GET / HTTP/1.1\r\nHost: h\r\n\r\n", "400 this is not HTTP", "blank first" },
    { "\x16\x03\x01\x02", "400 this is not HTTP", "TLS on a plain port is told at once" },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: h\r\n\r\n", "501 unknown method",
      "too long for a method" },
    { POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "400 two different Content-Length",
      "smuggling" },
    { POST "Content-Length: 5, 5\r\n\r\n", "400 malformed Content-Length", "list" },
    { POST "Content-Length: +5\r\n\r\n", "400 malformed Content-Length", "sign" },
    { POST "Content-Length: 0x5\r\n\r\n", "400 malformed Content-Length", "hex" },
    { POST "Content-Length:\r\n\r\n", "400 malformed Content-Length", "empty" },
    { POST "Content-Length: 18446744073709551616\r\n\r\n", "400 malformed Content-Length", "overflow" },
    { POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400 both Transfer-Encoding and Content-Length", "smuggling" },
    { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400 two Transfer-Encoding",
      "twice" },
    { POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 unknown Transfer-Encoding",
      "codings we do not undo" },
    { POST "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
      "400 malformed value of a header field", "hidden by VT" },
    { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Transfer-Encoding in HTTP/1.0",
      "not in 1.0" },
    { POST "Expect: 200-ok\r\n\r\n", "417 unknown expectation", "other expectations" },
    { GET, "more", "not complete" },
    { "", "more", "nothing" },

    { CHUNKED "5\r\nhello\r\n0\r\n\r\nrest",
      "POST / keep chunked [host=h] [transfer-encoding=chunked] body=hello done, left=4", "one chunk" },
    { CHUNKED "5;a=\"b\"\r\nhello\r\n00A \r\n",
      "POST / keep chunked [host=h] [transfer-encoding=chunked] body=hello bad", "blank after the size" },
    { CHUNKED "5;a=\"b\"\r\nhello\r\n006\r\n world\r\n0\r\nT: x\r\n\r\n",
      "POST / keep chunked [host=h] [transfer-encoding=chunked] body=hello world done, left=0",
      "extension, zeros, trailer" },
    { CHUNKED "5\nhello\r\n0\r\n\r\n", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "bare LF" },
    { CHUNKED "5\r\nhelloX\r\n0\r\n\r\n",
      "POST / keep chunked [host=h] [transfer-encoding=chunked] body=hello bad", "longer than its size" },
    { CHUNKED "5\r\nhello\n0\r\n\r\n",
      "POST / keep chunked [host=h] [transfer-encoding=chunked] body=hello bad", "bare LF after data" },
    { CHUNKED "\r\nhello", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad", "no size" },
    { CHUNKED "-5\r\nhello", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "negative" },
    { CHUNKED "0x5\r\nhello", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad", "0x" },
    { CHUNKED "1000000000000000\r\nh", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "sixteen digits" },
    { CHUNKED "fffffffffffffff\r\nh", "POST / keep chunked [host=h] [transfer-encoding=chunked] body=h",
      "fifteen digits" },
    { CHUNKED "5;a\x01\r\nhello", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "control character in an extension" },
    { CHUNKED "0\r\n x\r\n\r\n", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "folded trailer" },
    { CHUNKED "0\r\nT: x\n\r\n", "POST / keep chunked [host=h] [transfer-encoding=chunked] body= bad",
      "bare LF in a trailer" },
};

TEST(h1_cases_whole_and_in_every_cut) {
    struct buf got;
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str in = str_of(cases[i].in);
        static const size_t cuts[] = { 1 << 20, 1, 2, 3, 7 };
        for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
            print_result(&got, in, cuts[k]);
            if (str_eq(buf_view(&got), str_of(cases[i].want))) continue;
            printf("# case %zu (%s), cut %zu\n", i, cases[i].why, cuts[k]);
            CHECK_STR(buf_view(&got), str_of(cases[i].want));
        }
    }
    buf_fini(&got);
}

// Random damage of good requests: whatever comes out, it is the same for every cut.
TEST(h1_result_does_not_depend_on_the_cut) {
    struct buf whole, cut, in;
    buf_init(&whole, 1 << 20);
    buf_init(&cut, 1 << 20);
    buf_init(&in, 1 << 20);
    for (int round = 0; round < 600; round++) {
        buf_reset(&in);
        buf_str(&in, str_of(cases[test_below(sizeof cases / sizeof *cases)].in));
        for (uint64_t n = test_below(4); n && in.len; n--) {
            static const char odd[] = "\r\n :\t\0;5aGZ\x80";
            in.ptr[test_below(in.len)] = odd[test_below(sizeof odd - 1)];
        }
        print_result(&whole, buf_view(&in), 1 << 20);
        print_result(&cut, buf_view(&in), 0);
        CHECK_STR(buf_view(&cut), buf_view(&whole));
    }
    buf_fini(&whole);
    buf_fini(&cut);
    buf_fini(&in);
}

static void check_limit(struct buf *in, const char *want) {
    struct buf got;
    buf_init(&got, 1 << 20);
    static const size_t cuts[] = { 1 << 20, 1000, 4099 };
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        print_result(&got, buf_view(in), cuts[k]);
        CHECK_STR(str_sub(buf_view(&got), 0, strlen(want)), str_of(want));
    }
    buf_fini(&got);
}

static void add_many(struct buf *b, char c, size_t n) {
    for (size_t i = 0; i < n; i++) buf_char(b, c);
}

TEST(h1_limits_hold_exactly) {
    struct buf in;
    buf_init(&in, 1 << 20);
    for (int over = 0; over <= 1; over++) {
        buf_reset(&in); // "GET /aaa HTTP/1.1\r" has the greatest length
        buf_str(&in, STR("GET /"));
        add_many(&in, 'a', (size_t)(H1_LINE_MAX - 15 + over));
        buf_str(&in, STR(" HTTP/1.1\r\nHost: h\r\n\r\n"));
        check_limit(&in, over ? "414 the request line is too long" : "GET /aaa");
    }
    for (int over = 0; over <= 1; over++) {
        buf_reset(&in);
        buf_str(&in, STR(GET "X: "));
        add_many(&in, 'x',
                 (size_t)H1_HEAD_MAX - in.len - 3 + (size_t)over); // the last LF is byte H1_HEAD_MAX
        buf_str(&in, STR("\r\n\r\n"));
        check_limit(&in, over ? "431 the head is too large" : "GET / keep");
    }
    for (int over = 0; over <= 1; over++) {
        buf_reset(&in);
        buf_str(&in, STR(GET));
        for (int i = 1; i < H1_FIELDS_MAX + over; i++) buf_str(&in, STR("A: b\r\n"));
        buf_str(&in, STR("\r\n"));
        check_limit(&in, over ? "431 too many header fields" : "GET / keep");
    }
    for (int over = 0; over <= 1; over++) {
        buf_reset(&in);
        buf_str(&in, STR(CHUNKED "1;"));
        add_many(&in, 'x', (size_t)(H1_CHUNK_LINE_MAX - 1 + over));
        buf_str(&in, STR("\r\na\r\n0\r\n\r\n"));
        struct buf got;
        buf_init(&got, 1 << 20);
        print_result(&got, buf_view(&in), 1 << 20);
        CHECK(str_ends(buf_view(&got), over ? STR("body= bad") : STR("body=a done, left=0")));
        buf_fini(&got);
    }
    buf_fini(&in);
}

TEST(h1_without_memory_says_503) {
    struct str in = STR(GET "A: b\r\n\r\n");
    struct h1_scan s = { 0 };
    struct h1_error err = { 0 };
    struct h1_head h;
    char head[64];
    CHECK(h1_scan(&s, in, &err) == H1_DONE);
    memcpy(head, in.ptr, in.len);
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    mem_fail_at(1, true);
    CHECK(!h1_parse(&s, head, &a, &h, &err));
    CHECK(err.status == 503);
    mem_fail_at(0, false);
    a.failed = false;
    CHECK(h1_parse(&s, head, &a, &h, &err));
    CHECK_U64(h.n_headers, 2);
    arena_fini(&a);
}
