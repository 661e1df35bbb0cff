// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over loopback, against a server driven step by step.
#include "net/kit_test.h"

#include <stdio.h>

#define HOST "Host: h\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void begin(struct kit *k, struct kit_client *c) {
    kit_init(k);
    kit_start(k, false);
    kit_connect(k, c);
}

static void end(struct kit *k, struct kit_client *c) {
    kit_close(c);
    kit_turn(k);
    kit_fini(k);
}

TEST(http1_echo_and_keep_alive) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    for (int i = 0; i < 3; i++) {
        kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
        kit_expect(&c, OK_HEAD "content-length: 5\r\n\r\nhello");
        CHECK_U64(c.in.len, 0);
    }
    struct net_stats s = kit_stats(&k);
    CHECK_U64(s.connections, 1);
    CHECK_U64(s.open, 1);
    CHECK_U64(s.requests, 3);
    CHECK_U64(s.bytes_in, 3 * 56);
    CHECK(s.bytes_out > 3 * 50);
    CHECK_U64(k.n_delivered, 3);
    end(&k, &c);
}

TEST(http1_request_as_the_handler_sees_it) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("PUT http://other:80/hold%2F%C3%A4+b?q=%20 HTTP/1.1\r\n" HOST
                     "X-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi"));
    kit_expect(&c, "HTTP/1.1 404 Not Found\r\n");
    kit_expect(&c, "/hold/\xc3\xa4+b");
    kit_send(&c, STR("PUT http://other:80/h%6fld?q=%20 HTTP/1.1\r\n" HOST
                     "X-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi"));
    struct net_request *rq = kit_held(&k);
    CHECK(rq->kind == 7 && rq->protocol == NET_HTTP1 && !rq->is_grpc && !rq->is_tls);
    CHECK_STR(rq->method, STR("PUT"));
    CHECK_STR(rq->path_raw, STR("/h%6fld"));
    CHECK_STR(rq->path, STR("/hold"));
    CHECK_STR(rq->query, STR("q=%20"));
    CHECK_STR(rq->host, STR("other:80"));
    CHECK_STR(net_request_header(rq, STR("X-a")), STR("1"));
    CHECK(net_request_header(rq, STR("x-b")).ptr == NULL);
    CHECK_U64(rq->n_headers, 4);
    CHECK_STR(rq->body, STR("hi"));
    CHECK(memcmp(rq->body.ptr + 2, (char[NET_BODY_PADDING]){ 0 }, NET_BODY_PADDING) == 0);
    CHECK(str_starts(rq->peer, STR("127.0.0.1:")));
    CHECK_U64(rq->arrived_ns, 1000000000u);
    CHECK_U64(rq->max_body_bytes, 16 << 20);
    CHECK(!net_request_canceled(rq));
    net_reply(rq, &(struct net_reply){ .status = 200 });
    kit_expect(&c, OK_HEAD "content-length: 0\r\n\r\n");
    end(&k, &c);
}

TEST(http1_pipelined_requests_are_answered_in_order) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"
                     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
                     "GET /c HTTP/1.1\r\n" HOST "\r\nGET /d HT"));
    struct net_request *rq = kit_held(&k);
    for (int i = 0; i < 5; i++) kit_wait_turn(&k);
    CHECK_U64(kit_stats(&k).requests, 1); // the others wait
    CHECK_STR(rq->body, STR("a"));
    net_reply(rq, &(struct net_reply){ .status = 200, .body = net_bytes_static(STR("first")) });
    kit_expect(&c, "content-length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\n");
    kit_expect(&c, "content-length: 1\r\n\r\nbHTTP/1.1 404 Not Found\r\n");
    kit_expect(&c, "content-length: 2\r\n\r\n/c");
    kit_send(&c, STR("TP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "\r\n\r\n/d");
    end(&k, &c);
}

TEST(http1_byte_by_byte) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    struct str in = STR("\r\nPOST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                        "POST /echo HTTP/1.1\r\n" HOST
                        "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: t\r\n\r\n");
    for (size_t i = 0; i < in.len; i++) {
        kit_send(&c, str_sub(in, i, 1));
        kit_turn(&k);
    }
    kit_expect(&c, "content-length: 3\r\n\r\nabc");
    kit_expect(&c, "content-length: 3\r\n\r\ndef");
    end(&k, &c);
}

TEST(http1_head_204_and_close) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("HEAD /nix HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "content-length: 4\r\n\r\n");
    CHECK_U64(c.in.len, 0); // no body
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    net_reply(kit_held(&k), &(struct net_reply){ .status = 204 });
    kit_expect(&c, "HTTP/1.1 204 No Content\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
    kit_send(&c, STR("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    kit_expect(&c, "connection: keep-alive\r\n\r\n/x");
    kit_send(&c, STR("GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    kit_expect(&c, "connection: close\r\n\r\n/x");
    kit_expect_closed(&c);
    end(&k, &c);
}

TEST(http1_expect_continue) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    kit_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    kit_send(&c, STR("abc"));
    kit_expect(&c, "HTTP/1.1 200 OK\r\n");
    kit_expect(&c, "\r\n\r\nabc");
    // The body is here already: no need to ask for it.
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"));
    kit_expect(&c, "\r\n\r\nabc");
    // Too large: refused without asking for it.
    kit_send(&c,
             STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"));
    kit_expect(&c, "HTTP/1.1 413 Content Too Large\r\n");
    kit_expect(&c,
               "connection: close\r\n\r\nthe body of 99999999 bytes is larger than the limit of 16777216");
    kit_expect_closed(&c);
    end(&k, &c);
}

// The client still sends when it is refused: it must see the answer, not a reset.
TEST(http1_too_large_is_answered_while_the_client_sends) {
    struct kit k;
    struct kit_client c;
    kit_init(&k);
    k.listen.max_body_bytes = 1000;
    kit_start(&k, false);
    for (int chunked = 0; chunked < 2; chunked++) {
        static char junk[2 << 20];
        memset(junk, 'f', sizeof junk);
        kit_connect(&k, &c);
        kit_send(&c, chunked
                         ? STR("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n200000\r\n")
                         : STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2097152\r\n\r\n"));
        kit_send(&c, (struct str){ junk, sizeof junk });
        kit_expect(&c, "HTTP/1.1 413 Content Too Large\r\n");
        kit_expect(&c, "connection: close\r\n\r\nthe body of ");
        kit_expect(&c, " bytes is larger than the limit of 1000");
        kit_expect_closed(&c);
        kit_close(&c);
        kit_turn(&k);
    }
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TOO_LARGE], 2);
    CHECK_U64(kit_stats(&k).requests, 0);
    kit_fini(&k);
}

TEST(http1_malformed_requests_are_answered_and_closed) {
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "GET / HTTP/1.1\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n" },
        { "GET relative HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "GET /%zz HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "GET * HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "CONNECT h:1 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 501 Not Implemented\r\n" },
        { "GET / HTTP/3.0\r\n" HOST "\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n" },
        { "PRI * HTTP/2.0\r\n\r\nXX", "HTTP/1.1 505 HTTP Version Not Supported\r\n" },
        { "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
          "HTTP/1.1 400 Bad Request\r\n" },
    };
    struct kit k;
    struct kit_client c;
    kit_init(&k);
    kit_start(&k, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kit_connect(&k, &c);
        kit_send(&c, str_of(rows[i].in));
        kit_expect(&c, rows[i].want);
        kit_expect(&c, "connection: close\r\n\r\n");
        while (!c.closed) (void)kit_pump(&c);
        CHECK(str_starts(str_of(k.refusal), STR("malformed: ")));
        kit_close(&c);
        kit_turn(&k);
    }
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_MALFORMED], sizeof rows / sizeof *rows);
    CHECK_U64(kit_stats(&k).requests, 0);
    kit_fini(&k);
}

TEST(http1_options_star_reaches_the_handler) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "HTTP/1.1 404 Not Found\r\n");
    kit_expect(&c, "content-length: 1\r\n\r\n*");
    end(&k, &c);
}

TEST(http1_answer_headers_and_retry) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    struct net_header h[] = { { STR("Content-Type"), STR("text/x") }, { STR("X-B"), STR("") } };
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    net_reply(kit_held(&k),
              &(struct net_reply){ .status = 429, .headers = h, .n_headers = 2, .retry_after_ms = 1001 });
    kit_expect(&c, "content-type: text/x\r\nx-b: \r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n");
    h[1].value = STR("a\r\nSet-Cookie: b"); // would split the answer in two
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    net_reply(kit_held(&k), &(struct net_reply){ .status = 200, .headers = h, .n_headers = 2 });
    kit_expect(&c, "HTTP/1.1 500 Internal Server Error\r\n");
    kit_expect(&c, "content-length: 0\r\n\r\n");
    CHECK_U64(c.in.len, 0);
    end(&k, &c);
}

// --- time -----------------------------------------------------------------------------------------

TEST(http1_silent_and_slow_clients) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    KIT_UNTIL(&k, kit_stats(&k).open == 1);
    kit_advance(&k, 9999);
    CHECK_U64(kit_stats(&k).open, 1);
    kit_advance(&k, 1); // nothing came
    kit_expect_closed(&c);
    kit_close(&c);

    kit_connect(&k, &c);
    kit_send(&c, STR("GET / HT"));
    KIT_UNTIL(&k, kit_stats(&k).bytes_in == 8);
    kit_advance(&k, 5000);
    kit_send(&c, STR("TP/1.1\r\n")); // does not prolong it
    KIT_UNTIL(&k, kit_stats(&k).bytes_in == 16);
    kit_advance(&k, 4999);
    CHECK_U64(kit_stats(&k).open, 1);
    kit_advance(&k, 1);
    kit_expect(&c, "HTTP/1.1 408 Request Timeout\r\n");
    kit_expect(&c, "connection: close\r\n\r\nthe head of the request came too slowly");
    kit_expect_closed(&c);
    kit_close(&c);

    kit_connect(&k, &c);
    kit_send(&c, STR("GET /a HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "\r\n\r\n/a");
    kit_advance(&k, 119999);
    CHECK_U64(kit_stats(&k).open, 1);
    kit_advance(&k, 1); // idle
    kit_expect_closed(&c);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TIMEOUT], 2);
    end(&k, &c);
}

TEST(http1_body_must_make_progress) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    static char part[16 << 10];
    memset(part, 'x', sizeof part);
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n"));
    for (int i = 0; i < 3; i++) {
        uint64_t before = kit_stats(&k).bytes_in;
        kit_send(&c, (struct str){ part, sizeof part });
        KIT_UNTIL(&k, kit_stats(&k).bytes_in >= before + sizeof part);
        kit_advance(&k, 30000);
        CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TIMEOUT], 0);
    }
    uint64_t before = kit_stats(&k).bytes_in;
    kit_send(&c, (struct str){ part, sizeof part - 1 });
    KIT_UNTIL(&k, kit_stats(&k).bytes_in == before + sizeof part - 1);
    kit_advance(&k, 30000);
    kit_expect(&c, "HTTP/1.1 408 Request Timeout\r\n");
    kit_expect(&c, "the body came too slowly");
    kit_expect_closed(&c);
    end(&k, &c);
}

TEST(http1_client_that_does_not_read_is_cut) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    static char large[32 << 20];
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    struct net_reply r = { .status = 200, .body = net_bytes_static((struct str){ large, sizeof large }) };
    r.on_sent = kit_on_sent;
    r.on_sent_ctx = &k;
    net_reply(kit_held(&k), &r);
    for (int i = 0; i < 50; i++) kit_wait_turn(&k);
    kit_advance(&k, 29999);
    uint64_t out = kit_stats(&k).bytes_out;
    while (kit_stats(&k).bytes_out == out) (void)kit_pump(&c); // it reads a little
    kit_advance(&k, 1);
    kit_advance(&k, 29999);
    CHECK_U64(k.n_sent, 0);
    for (int i = 0; i < 10 && !k.n_sent; i++) kit_advance(&k, 30000); // what it read may still make room
    CHECK_U64(k.n_sent, 1);
    CHECK_U64(k.n_delivered, 0);
    CHECK_STR(str_of(k.refusal), STR("timeout: the client does not read its answers"));
    CHECK_U64(kit_stats(&k).open, 0);
    end(&k, &c);
}

// --- answers from elsewhere -----------------------------------------------------------------------

TEST(http1_client_leaves_while_the_handler_works) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
    struct net_request *rq = kit_held(&k);
    struct net_body *b = net_body_take(rq);
    CHECK(net_body_take(rq) == NULL);
    CHECK(k.budget.used > 0);
    kit_close(&c);
    KIT_UNTIL(&k, net_request_canceled(rq));
    CHECK_STR(rq->body, STR("abc"));
    net_reply(rq, &(struct net_reply){ .status = 200, .on_sent = kit_on_sent, .on_sent_ctx = &k });
    CHECK_STR(net_body_bytes(b), STR("abc")); // outlives the answer
    net_body_release(b);
    for (int i = 0; i < 5; i++) kit_turn(&k);
    CHECK_U64(k.n_sent, 1);
    kit_fini(&k);
}

TEST(http1_answer_in_pieces) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    struct net_header h = { STR("content-type"), STR("text/plain") };
    struct net_reply head = { .status = 200, .headers = &h, .n_headers = 1 };
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    struct net_request *rq = kit_held(&k);
    CHECK_OK(net_reply_begin(rq, &head));
    kit_expect(&c, "content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n");
    CHECK_OK(net_reply_write(rq, net_bytes_static(STR("hello"))));
    kit_expect(&c, "5\r\nhello\r\n");
    CHECK_OK(net_reply_write(rq, net_bytes_static(STR("")))); // must not end it
    char *own = mem_alloc(100000);
    memset(own, 'y', 100000);
    CHECK_OK(net_reply_write(rq, net_bytes_owned(own, 100000)));
    kit_expect(&c, "186a0\r\nyyyy");
    CHECK_OK(net_reply_write(rq, net_bytes_static(STR("end"))));
    net_reply_end(rq, &(struct net_reply){ .on_sent = kit_on_sent, .on_sent_ctx = &k }, false);
    kit_expect(&c, "yyyy\r\n3\r\nend\r\n0\r\n\r\n");
    CHECK_U64(k.n_delivered, 1);
    // The connection goes on.
    kit_send(&c, STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "\r\n\r\n/x");
    // HTTP/1.0 has no chunks: the end of the connection is the end.
    kit_send(&c, STR("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    rq = kit_held(&k);
    CHECK_OK(net_reply_begin(rq, &(struct net_reply){ .status = 200 }));
    CHECK_OK(net_reply_write(rq, net_bytes_static(STR("old"))));
    net_reply_end(rq, NULL, false);
    kit_expect(&c, "connection: close\r\n\r\nold");
    kit_expect_closed(&c);
    end(&k, &c);
}

TEST(http1_aborted_answer_is_seen_as_such) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    struct net_request *rq = kit_held(&k);
    CHECK_OK(net_reply_begin(rq, &(struct net_reply){ .status = 200 }));
    CHECK_OK(net_reply_write(rq, net_bytes_static(STR("part"))));
    kit_expect(&c, "part\r\n");
    net_reply_end(rq, NULL, true);
    kit_expect_closed(&c); // without the last chunk
    end(&k, &c);
}

static void release_count(void *n) {
    ++*(int *)n;
}

TEST(http1_pieces_are_released_once_when_the_client_leaves) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    static char block[600 << 10];
    int released = 0;
    struct net_bytes bytes = { { block, sizeof block }, release_count, &released };
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    struct net_request *rq = kit_held(&k);
    CHECK_OK(net_reply_begin(rq, &(struct net_reply){ .status = 200 }));
    CHECK_OK(net_reply_write(rq, bytes));
    CHECK_OK(net_reply_write(rq, bytes)); // the queue is full now; a third would wait
    kit_close(&c);
    KIT_UNTIL(&k, net_request_canceled(rq));
    CHECK(net_reply_write(rq, bytes) == ERR_CANCELED);
    net_reply_end(rq, NULL, false);
    for (int i = 0; i < 5; i++) kit_turn(&k);
    CHECK_U64(released, 3);
    kit_fini(&k);
}

// --- on_head --------------------------------------------------------------------------------------

static void judge_head(void *ctx, struct net_request *rq) {
    (void)ctx;
    if (str_eq(rq->path, STR("/no"))) net_reply(rq, &(struct net_reply){ .status = 401 });
    if (str_eq(rq->path, STR("/echo"))) rq->max_body_bytes = 4;
}

TEST(http1_on_head_answers_before_the_body) {
    struct kit k;
    struct kit_client c;
    kit_init(&k);
    k.listen.on_head = judge_head;
    kit_start(&k, false);
    kit_connect(&k, &c);
    kit_send(&c, STR("GET /no HTTP/1.1\r\n" HOST "\r\n")); // no body: the connection stays
    kit_expect(&c, "HTTP/1.1 401 Unauthorized\r\n");
    kit_expect(&c, "content-length: 0\r\n\r\n");
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"));
    kit_expect(&c, "\r\n\r\nabcd");
    kit_send(&c, STR("POST /no HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab"));
    kit_expect(&c, "HTTP/1.1 401 Unauthorized\r\n");
    kit_expect(&c, "content-length: 0\r\nconnection: close\r\n\r\n");
    kit_expect_closed(&c);
    kit_close(&c);
    kit_connect(&k, &c);
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde"));
    kit_expect(&c, "HTTP/1.1 413 Content Too Large\r\n");
    CHECK_U64(kit_stats(&k).requests, 1);
    end(&k, &c);
}

// --- memory ---------------------------------------------------------------------------------------

TEST(http1_bodies_wait_for_the_budget_in_order) {
    struct kit k;
    struct kit_client c[4];
    static char body[400 << 10];
    memset(body, 'b', sizeof body);
    kit_init(&k); // a budget of 1 MiB: two bodies of 400 KiB
    kit_start(&k, false);
    struct net_request *rq[4];
    for (int i = 0; i < 4; i++) {
        kit_connect(&k, &c[i]);
        char head[128];
        int n = snprintf(head, sizeof head, "POST /hold?%d HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                         i, sizeof body);
        kit_send(&c[i], (struct str){ head, (size_t)n });
        if (i < 2) kit_send(&c[i], (struct str){ body, sizeof body });
        if (i < 2) rq[i] = kit_held(&k);
        if (i >= 2) KIT_UNTIL(&k, net_server_waiting(k.server) == (uint32_t)i - 1);
    }
    CHECK_U64(net_server_waiting(k.server), 2);
    CHECK(k.budget.used <= k.budget.limit);
    net_reply(rq[0], &(struct net_reply){ .status = 200 });
    kit_send(&c[2], (struct str){ body, sizeof body });
    rq[2] = kit_held(&k);
    CHECK_STR(rq[2]->query, STR("2"));
    CHECK_STR(rq[2]->body, ((struct str){ body, sizeof body }));
    CHECK_U64(net_server_waiting(k.server), 1);
    // The fourth has waited long enough.
    kit_advance(&k, 1000);
    kit_expect(&c[3], "HTTP/1.1 429 Too Many Requests\r\n");
    kit_expect(&c[3], "retry-after: 1\r\n");
    kit_expect(&c[3], "too many bodies at once, try again later");
    CHECK_U64(net_server_waiting(k.server), 0);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_BUDGET], 1);
    // One that waits and leaves is forgotten.
    struct kit_client gone;
    kit_connect(&k, &gone);
    kit_send(&gone, STR("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 500000\r\n\r\n"));
    KIT_UNTIL(&k, net_server_waiting(k.server) == 1);
    kit_close(&gone);
    kit_advance(&k, 1000);
    CHECK_U64(net_server_waiting(k.server), 0);
    net_reply(rq[1], &(struct net_reply){ .status = 200 });
    net_reply(rq[2], &(struct net_reply){ .status = 200 });
    for (int i = 0; i < 4; i++) kit_close(&c[i]);
    kit_turn(&k);
    kit_fini(&k);
}

TEST(http1_chunked_body_waits_while_it_grows) {
    struct kit k;
    struct kit_client a, b;
    static char body[300 << 10];
    memset(body, 'c', sizeof body);
    kit_init(&k);
    k.budget.limit = 400 << 10;
    kit_start(&k, false);
    kit_connect(&k, &a);
    kit_connect(&k, &b);
    kit_send(&a, STR("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n"));
    kit_send(&a, (struct str){ body, 300000 });
    struct net_request *rq = kit_held(&k);
    kit_send(&b, STR("POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    size_t sent = 0;
    for (; sent < 250000; sent += 1000) {
        kit_send(&b, STR("3e8\r\n"));
        kit_send(&b, (struct str){ body, 1000 });
        kit_send(&b, STR("\r\n"));
    }
    KIT_UNTIL(&k, net_server_waiting(k.server) == 1);
    net_reply(rq, &(struct net_reply){ .status = 200 });
    kit_send(&b, STR("0\r\n\r\n"));
    rq = kit_held(&k);
    CHECK_STR(rq->body, ((struct str){ body, sent }));
    CHECK(k.budget.used < sent + (32 << 10)); // trimmed
    net_reply(rq, &(struct net_reply){ .status = 200 });
    kit_expect(&b, "HTTP/1.1 200 OK");
    kit_close(&a);
    end(&k, &b);
}

TEST(http1_heads_have_a_budget) {
    enum { CLIENTS = 6 };
    struct kit k;
    struct kit_client c[CLIENTS];
    static char filler[H1_LINE_MAX - 100];
    memset(filler, 'f', sizeof filler);
    kit_init(&k);
    k.opts.max_head_bytes = 2 << 20;
    kit_start(&k, false);
    for (int i = 0; i < CLIENTS; i++) { // addresses that do not end
        kit_connect(&k, &c[i]);
        uint64_t before = kit_stats(&k).bytes_in;
        kit_send(&c[i], STR("GET /"));
        kit_send(&c[i], (struct str){ filler, sizeof filler });
        KIT_UNTIL(&k, kit_stats(&k).bytes_in >= before + sizeof filler ||
                          kit_stats(&k).refused[NET_REFUSED_MEMORY]);
        CHECK(k.server->heads.used <= k.server->heads.limit);
    }
    CHECK(kit_stats(&k).refused[NET_REFUSED_MEMORY] > 0);
    CHECK(k.server->heads.used > H1_LINE_MAX); // those that had room wait for the rest
    kit_advance(&k, 10000);
    KIT_UNTIL(&k, kit_stats(&k).refused[NET_REFUSED_TIMEOUT] > 0 && k.server->heads.used == 0);
    for (int i = 0; i < CLIENTS; i++) kit_close(&c[i]);
    KIT_UNTIL(&k, kit_stats(&k).open == 0);
    kit_connect(&k, &c[0]);
    kit_send(&c[0], STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c[0], "\r\n\r\n/x");
    end(&k, &c[0]);
}

TEST(http1_client_leaves_in_the_body) {
    static const char *const heads[] = { "Content-Length: 10\r\n\r\nabc",
                                         "Transfer-Encoding: chunked\r\n\r\n5\r\nabc" };
    struct kit k;
    struct kit_client c;
    kit_init(&k);
    kit_start(&k, false);
    for (int i = 0; i < 2; i++) {
        kit_connect(&k, &c);
        kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST));
        kit_send(&c, str_of(heads[i]));
        KIT_UNTIL(&k, k.budget.used > 0);
        kit_close(&c);
        KIT_UNTIL(&k, kit_stats(&k).open == 0);
        CHECK_U64(k.budget.used, 0);
    }
    CHECK_U64(kit_stats(&k).requests, 0);
    kit_fini(&k);
}

TEST(http1_answer_in_pieces_without_memory) {
    struct kit k;
    struct kit_client c;
    begin(&k, &c);
    int released = 0;
    struct net_bytes bytes = { STR("lost"), release_count, &released };
    kit_send(&c, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    struct net_request *rq = kit_held(&k);
    mem_fail_at(1, true);
    CHECK(net_reply_begin(rq, &(struct net_reply){ .status = 200 }) == ERR_NOMEM);
    mem_fail_at(0, false);
    CHECK_OK(net_reply_begin(rq, &(struct net_reply){ .status = 299 })); // a status without a name
    mem_fail_at(1, true);
    CHECK(net_reply_write(rq, bytes) == ERR_NOMEM);
    mem_fail_at(0, false);
    CHECK_U64(released, 1);
    net_reply_end(rq, NULL, false);
    kit_expect(&c, "HTTP/1.1 299 Status\r\n");
    kit_expect(&c, "0\r\n\r\n");
    end(&k, &c);
}

// One scenario, once for every allocation that it makes: whatever fails, the client gets an answer
// or a closed connection, nothing leaks, and the server serves the next one.
static void scenario(struct kit *k) {
    struct kit_client c;
    kit_connect(k, &c);
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Le"));
    kit_turn(k);
    kit_send(&c, STR("ngth: 5\r\n\r\nhelloPOST /echo HTTP/1.1\r\n" HOST
                     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    for (int i = 0; i < 20 && !c.closed; i++) {
        kit_turn(k);
        (void)kit_receive(&c);
    }
    kit_close(&c);
    for (int i = 0; i < 3; i++) kit_turn(k);
}

TEST(http1_every_allocation_may_fail) {
    struct kit k;
    kit_init(&k);
    kit_start(&k, false);
    scenario(&k);
    mem_fail_at(0, false);
    scenario(&k);
    uint64_t n = mem_fail_seen();
    CHECK(n > 10);
    for (uint64_t at = 1; at <= n; at++) {
        for (int keep = 0; keep < 2; keep++) {
            mem_fail_at(at, keep);
            scenario(&k);
            mem_fail_at(0, false);
            CHECK_U64(k.budget.used, 0);
            CHECK_U64(k.server->heads.used, 0);
        }
    }
    struct kit_client c;
    kit_connect(&k, &c);
    kit_send(&c, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
    kit_expect(&c, "\r\n\r\nhello");
    end(&k, &c);
}
