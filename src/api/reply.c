// SPDX-License-Identifier: Apache-2.0
#include <libdeflate.h>
#include <stdatomic.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "delivery/delivery.h"

enum {
    GZIP_FROM_BYTES = 1400,
    GZIP_LEVEL = 1,
    TEXT_MAX = 1024,
    HEADERS_MAX = 12,
    WAITING_FROM_BYTES = 256 << 10
};

int status_of(enum err e) {
    switch (e) {
    case ERR_OK: return 200;
    case ERR_INVALID: return 400;
    case ERR_NOT_FOUND: return 404;
    case ERR_EXISTS: return 409;
    case ERR_LIMIT:
    case ERR_AGAIN: return 429;
    case ERR_CANCELED: return 499;
    case ERR_UNSUPPORTED: return 501;
    case ERR_NOMEM:
    case ERR_UNAVAILABLE: return 503;
    case ERR_TIMEOUT: return 504;
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_COUNT:
    default: return 500;
    }
}

enum net_grpc_status grpc_status_of(enum err e) {
    switch (e) {
    case ERR_OK: return NET_GRPC_OK;
    case ERR_INVALID: return NET_GRPC_INVALID_ARGUMENT;
    case ERR_NOT_FOUND: return NET_GRPC_NOT_FOUND;
    case ERR_LIMIT:
    case ERR_AGAIN: return NET_GRPC_RESOURCE_EXHAUSTED;
    case ERR_CANCELED: return NET_GRPC_CANCELLED;
    case ERR_UNSUPPORTED: return NET_GRPC_UNIMPLEMENTED;
    case ERR_TIMEOUT: return NET_GRPC_DEADLINE_EXCEEDED;
    case ERR_CORRUPT: return NET_GRPC_DATA_LOSS;
    case ERR_EXISTS:
    case ERR_IO:
    case ERR_NOMEM:
    case ERR_UNAVAILABLE:
    case ERR_COUNT:
    default: return NET_GRPC_UNAVAILABLE; // clients retry these
    }
}

bool reply_unless_delivery(struct api *a, struct net_request *rq) {
    if (!a->opts.delivery) reply_error(rq, 503, "delivery is closed: %.*s", STR_ARG(a->opts.delivery_closed));
    return a->opts.delivery != NULL;
}

bool reply_unless_room(struct api *a, struct net_request *rq) {
    if (!a->opts.delivery) a->hooks_refused[HOOK_REFUSE_CLOSED]++;
    if (!reply_unless_delivery(a, rq)) return false;
    if (ingest_has_room(a->opts.ingest)) return true;
    a->hooks_refused[HOOK_REFUSE_DISK]++;
    reply_busy(rq, "the disk budget is used up; events are refused until there is room\n");
    return false;
}

void reply_error(struct net_request *rq, int status, const char *fmt, ...) {
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text - 1, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text - 2 ? (size_t)n : sizeof text - 2;
    text[len++] = '\n';
    struct net_header h[] = { { STR("content-type"), TYPE_TEXT },
                              { STR("x-content-type-options"), STR("nosniff") } };
    net_reply(rq, &(struct net_reply){ .status = status,
                                       .headers = h,
                                       .n_headers = 2,
                                       .body = net_bytes_copy(rq, (struct str){ text, len }) });
}

void reply_method(struct net_request *rq, const char *allowed) {
    struct net_header h[] = { { STR("content-type"), TYPE_TEXT }, { STR("allow"), str_of(allowed) } };
    net_reply(rq, &(struct net_reply){ .status = 405,
                                       .headers = h,
                                       .n_headers = 2,
                                       .body = net_bytes_static(STR("this method is not for this path\n")) });
}

void reply_busy(struct net_request *rq, const char *why) {
    struct net_header h = { STR("content-type"), TYPE_TEXT };
    net_reply(rq, &(struct net_reply){ .status = 429,
                                       .headers = &h,
                                       .n_headers = 1,
                                       .body = net_bytes_copy(rq, str_of(why)),
                                       .retry_after_ms = 1000 });
}

bool reply_takes_gzip(const struct net_request *rq) {
    struct str accept = net_request_header(rq, STR("accept-encoding"));
    return accept.ptr && memmem(accept.ptr, accept.len, "gzip", 4) != NULL;
}

// Replaces the bytes by their gzip; false leaves them as they are.
static bool gzip(struct buf *body) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
    struct buf out;
    if (!c) return false;
    buf_init(&out, SIZE_MAX);
    if (buf_reserve(&out, libdeflate_gzip_compress_bound(c, body->len)))
        out.len = libdeflate_gzip_compress(c, body->ptr, body->len, out.ptr, out.cap);
    libdeflate_free_compressor(c);
    if (out.len == 0) {
        buf_fini(&out);
        return false;
    }
    buf_fini(body);
    *body = out;
    return true;
}

// The headers that every such answer has, then more; the caller has room for those of the packing.
static size_t headers_of(struct str content_type, const struct net_header *more, size_t n_more,
                         struct net_header h[static HEADERS_MAX]) {
    size_t n = 0;
    h[n++] = (struct net_header){ STR("content-type"), content_type };
    h[n++] = (struct net_header){ STR("x-content-type-options"), STR("nosniff") };
    h[n++] = (struct net_header){ STR("vary"), STR("accept-encoding") };
    for (size_t i = 0; i < n_more && n < HEADERS_MAX - 1; i++) h[n++] = more[i];
    return n;
}

enum err reply_begin(struct net_request *rq, int status, struct str content_type,
                     const struct net_header *more, size_t n_more) {
    struct net_header h[HEADERS_MAX];
    size_t n = headers_of(content_type, more, n_more, h);
    return net_reply_begin(rq, &(struct net_reply){ .status = status, .headers = h, .n_headers = n });
}

// --- answers that wait for their readers ---

static struct {
    _Atomic uint64_t bytes, refused;
    uint64_t limit; // 0: none
} waiting;

struct waiting_answer {
    char *bytes;
    size_t len;
};

void api_waiting_limit(uint64_t bytes) {
    waiting.limit = bytes;
}
uint64_t reply_waiting_bytes(void) {
    return waiting.bytes;
}
uint64_t reply_waiting_refused(void) {
    return waiting.refused;
}

static void waiting_release(void *owner) {
    struct waiting_answer *w = owner;
    waiting.bytes -= w->len;
    mem_free(w->bytes);
    mem_free(w);
}

// One answer is let through whatever its size, or it could never be had.
static bool waiting_take(size_t len, uint64_t limit) {
    uint64_t now = waiting.bytes;
    do {
        if (limit && now && now + len > limit) return false;
    } while (!atomic_compare_exchange_weak(&waiting.bytes, &now, now + len));
    return true;
}

// False: too many wait, or memory is short; then *out just owns the bytes.
static bool waiting_own(char *bytes, size_t len, uint64_t limit, struct net_bytes *out) {
    struct waiting_answer *w = mem_alloc(sizeof *w);
    *out = net_bytes_owned(bytes, len);
    if (!w || !waiting_take(len, limit)) {
        mem_free(w);
        return false;
    }
    *w = (struct waiting_answer){ bytes, len };
    *out = (struct net_bytes){ { bytes, len }, waiting_release, w };
    return true;
}

// Takes the buffer's bytes; false: they would wait beside too many others, and are freed.
static bool waiting_bytes(struct buf *body, struct net_bytes *out) {
    size_t len;
    char *bytes = buf_take(body, &len);
    *out = net_bytes_owned(bytes, len);
    if (len < WAITING_FROM_BYTES || waiting_own(bytes, len, waiting.limit, out)) return true;
    waiting.refused++;
    mem_free(bytes);
    return false;
}

enum err reply_write(struct net_request *rq, struct buf *piece) {
    struct net_bytes bytes;
    size_t len;
    char *taken = buf_take(piece, &len);
    rq->writes_at_once = waiting_own(taken, len, waiting.limit / 2, &bytes);
    return net_reply_write(rq, bytes);
}

void reply_buf_with(struct net_request *rq, int status, struct str content_type, struct buf *body,
                    const struct net_header *more, size_t n_more) {
    struct net_header h[HEADERS_MAX];
    size_t n = headers_of(content_type, more, n_more, h);
    if (body->failed) {
        buf_fini(body);
        reply_error(rq, 503, "out of memory for the answer");
        return;
    }
    if (body->len >= GZIP_FROM_BYTES && reply_takes_gzip(rq) && gzip(body))
        h[n++] = (struct net_header){ STR("content-encoding"), STR("gzip") };
    struct net_bytes bytes;
    if (waiting_bytes(body, &bytes))
        net_reply(rq, &(struct net_reply){ .status = status, .headers = h, .n_headers = n, .body = bytes });
    else
        reply_busy(rq, "large answers wait for clients that read slowly; try again\n");
}

void reply_buf(struct net_request *rq, int status, struct str content_type, struct buf *body) {
    reply_buf_with(rq, status, content_type, body, NULL, 0);
}

void reply_static(struct net_request *rq, int status, struct str content_type, struct str body) {
    struct net_header h[] = { { STR("content-type"), content_type },
                              { STR("x-content-type-options"), STR("nosniff") } };
    net_reply(rq, &(struct net_reply){
                      .status = status, .headers = h, .n_headers = 2, .body = net_bytes_static(body) });
}
