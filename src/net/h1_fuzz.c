// SPDX-License-Identifier: Apache-2.0
// The parser of HTTP/1.1: whatever comes in, the result is the same in one piece and in many, what
// is accepted keeps the promises of the header, and no byte beyond the input is read. The first
// byte chooses the cuts.
#include "net/h1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum h1_result head, body;
    int status;
    size_t head_len, n_headers, left;
    bool chunked, has_length, keep_alive;
    uint64_t length, body_len, body_sum;
};

// A copy that ends with its block.
static struct str copy(struct str s, char **block) {
    *block = malloc(s.len ? s.len : 1);
    if (!*block) abort();
    if (s.len) memcpy(*block, s.ptr, s.len);
    return (struct str){ *block, s.len };
}

static void run_body(struct outcome *o, struct str rest, size_t cut) {
    struct h1_chunked c = { 0 };
    o->body = H1_MORE;
    while (rest.len && o->body == H1_MORE) {
        char *block;
        struct str in = copy(str_sub(rest, 0, cut), &block), piece;
        rest = str_sub(rest, in.len, rest.len);
        while ((o->body = h1_chunk(&c, &in, &piece)) == H1_DATA) {
            o->body_len += piece.len;
            for (size_t i = 0; i < piece.len; i++) o->body_sum = o->body_sum * 31 + (uint8_t)piece.ptr[i];
        }
        o->left = o->body == H1_DONE ? in.len + rest.len : 0;
        free(block);
    }
}

static void check_head(const struct h1_head *h) {
    ASSERT(h->method.len && h->method.len <= H1_METHOD_MAX && h->target.len);
    ASSERT(!(h->chunked && h->has_length) && !(h->http10 && h->chunked));
    ASSERT(h->http10 || h->host.ptr);
    ASSERT(h->n_headers <= H1_FIELDS_MAX);
    for (size_t i = 0; i < h->n_headers; i++) {
        ASSERT(h->headers[i].name.len);
        for (size_t j = 0; j < h->headers[i].value.len; j++) ASSERT((uint8_t)h->headers[i].value.ptr[j] >= 9);
    }
}

static struct outcome run(struct str in, size_t cut) {
    struct outcome o = { .head = H1_MORE };
    struct h1_scan s = { 0 };
    struct h1_error err = { 0 };
    for (size_t have = 0; have < in.len && o.head == H1_MORE;) {
        char *block;
        have = in.len - have < cut ? in.len : have + cut;
        o.head = h1_scan(&s, copy(str_sub(in, 0, have), &block), &err);
        free(block);
    }
    o.status = err.status;
    if (o.head != H1_DONE) return o;
    ASSERT(s.pos <= in.len);
    char *head;
    struct arena a;
    struct h1_head h;
    (void)copy(str_sub(in, 0, s.pos), &head);
    arena_init(&a, 1 << 20, NULL);
    if (h1_parse(&s, head, &a, &h, &err)) {
        check_head(&h);
        o.head_len = s.pos;
        o.n_headers = h.n_headers;
        o.chunked = h.chunked;
        o.has_length = h.has_length;
        o.keep_alive = h.keep_alive;
        o.length = h.length;
        if (h.chunked) run_body(&o, str_sub(in, s.pos, in.len), cut);
    } else {
        ASSERT(err.status >= 400);
        o.status = err.status;
    }
    arena_fini(&a);
    free(head);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > 100000) return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    size_t cut = size > 4096 ? 997 : 1 + data[0] % 16; // small cuts of large inputs take too long
    struct outcome a = run(in, SIZE_MAX), b = run(in, cut);
    ASSERT(a.head == b.head && a.body == b.body && a.status == b.status && a.head_len == b.head_len);
    ASSERT(a.n_headers == b.n_headers && a.left == b.left && a.chunked == b.chunked && a.length == b.length);
    ASSERT(a.body_len == b.body_len && a.body_sum == b.body_sum && a.keep_alive == b.keep_alive);
    return 0;
}
