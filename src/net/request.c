// SPDX-License-Identifier: Apache-2.0
// What handlers ask of a request, and the bodies that they take along.
#include "net/net_internal.h"

struct str net_header_in(const struct net_header *headers, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, name)) return headers[i].value;
    return (struct str){ 0 };
}

struct str net_request_header(const struct net_request *rq, struct str name) {
    return net_header_in(rq->headers, rq->n_headers, name);
}

bool net_request_canceled(const struct net_request *rq) {
    return ((const struct exch *)rq)->canceled;
}

static bool decode(struct arena *a, struct str s, bool plus_is_space, bool takes_nul, struct str *out) {
    char *p = arena_alloc(a, s.len + 1);
    if (!p) return false;
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (!hex_decode(str_sub(s, i + 1, 2), &c, 1) || (c == '\0' && !takes_nul)) return false;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        p[n++] = c;
    }
    *out = (struct str){ p, n };
    return true;
}

bool net_percent_decode(struct arena *a, struct str s, bool plus_is_space, struct str *out) {
    return decode(a, s, plus_is_space, false, out);
}

bool net_percent_decode_any(struct arena *a, struct str s, bool plus_is_space, struct str *out) {
    return decode(a, s, plus_is_space, true, out);
}

struct net_body *net_body_take(struct net_request *rq) {
    struct exch *x = (struct exch *)rq;
    struct net_body *b = TAKE(x->body.block);
    if (!b) return NULL;
    b->server = x->server;
    b->server->refs++;
    return b;
}

struct str net_body_bytes(const struct net_body *b) {
    return (struct str){ (const char *)b->data, b->len };
}

void net_body_release(struct net_body *b) {
    if (!b) return;
    struct admission *a = b->admission;
    struct net_server *s = b->server;
    uint64_t reserved = b->reserved;
    mem_free(b);
    admission_give(a, reserved);
    if (s) server_unref(s);
}

struct net_bytes net_bytes_copy(struct net_request *rq, struct str s) {
    char *p = arena_copy(rq->arena, s.ptr, s.len);
    return net_bytes_static((struct str){ p, s.len });
}
