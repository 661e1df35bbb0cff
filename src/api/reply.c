// SPDX-License-Identifier: Apache-2.0
#include <libdeflate.h>
#include <stdatomic.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "base/pool.h"
#include "delivery/delivery.h"

enum {
    GZIP_FROM_BYTES = 1400,
    GZIP_LEVEL = 1,
    TEXT_MAX = 1024,
    HEADERS_MAX = 12,
    WAITING_FROM_BYTES = 256 << 10,
    ALONE_SHARES = 2, // of the limit: what an answer may hold while no other waits
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
    char *tight = mem_realloc(out.ptr, out.len);
    if (tight) out.ptr = tight, out.cap = out.len;
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
    struct net_bytes *w = owner;
    waiting.bytes -= w->data.len;
    w->release(w->owner);
    mem_free(w);
}

// `own` is taken already. One answer is let through whatever its size, or it could never be had.
static bool waiting_take(uint64_t own, uint64_t len, uint64_t limit) {
    uint64_t now = waiting.bytes;
    do {
        if (limit && now > own && now + len > limit) return false;
    } while (!atomic_compare_exchange_weak(&waiting.bytes, &now, now + len));
    return true;
}

// Makes what is taken `len`, of which `reserved` is. false: there is no room, and nothing is taken any more.
static bool waiting_settle(uint64_t reserved, size_t len, uint64_t limit) {
    if (len > reserved && waiting_take(reserved, len - reserved, limit)) return true;
    waiting.bytes -= len > reserved ? reserved : reserved - len;
    return len <= reserved;
}

static struct net_bytes owned(struct buf *b) {
    void (*release)(void *) = b->pooled ? pool_free : mem_free;
    size_t len;
    char *taken = buf_take(b, &len);
    return (struct net_bytes){ { taken, len }, release, taken };
}

// Until they are released the bytes are counted. False: too many wait, or memory is short; then they are not,
// and `reserved` is given back.
static bool waiting_own(struct net_bytes *bytes, uint64_t reserved, uint64_t limit) {
    struct net_bytes *w = mem_alloc(sizeof *w);
    if (!waiting_settle(reserved, w ? bytes->data.len : 0, limit) || !w) {
        mem_free(w);
        return false;
    }
    *w = *bytes;
    *bytes = (struct net_bytes){ w->data, waiting_release, w };
    return true;
}

enum err reply_write(struct net_request *rq, struct buf *piece) {
    struct net_bytes bytes = owned(piece);
    rq->writes_at_once = waiting_own(&bytes, 0, waiting.limit / 2);
    return net_reply_write(rq, bytes);
}

bool reply_piece(struct buf *b) {
    _Static_assert(POOL_BLOCK > (int)REPLY_PIECE_BYTES, "most items fit behind");
    return buf_pooled(b);
}

static void reply_slow(struct net_request *rq) {
    waiting.refused++;
    reply_busy(rq, "large answers wait for clients that read slowly; try again\n");
}

// Of what the answer holds `reserved` is taken already.
static void reply_whole(struct net_request *rq, int status, struct str content_type, struct buf *body,
                        uint64_t reserved, const struct net_header *more, size_t n_more) {
    struct net_header h[HEADERS_MAX];
    size_t n = headers_of(content_type, more, n_more, h);
    if (body->failed) {
        waiting.bytes -= reserved;
        buf_fini(body);
        reply_error(rq, 503, "out of memory for the answer");
        return;
    }
    if (body->len >= GZIP_FROM_BYTES && reply_takes_gzip(rq) && gzip(body))
        h[n++] = (struct net_header){ STR("content-encoding"), STR("gzip") };
    struct net_bytes bytes = owned(body);
    bool counts = bytes.data.len >= WAITING_FROM_BYTES || reserved;
    if (!counts || waiting_own(&bytes, reserved, waiting.limit)) {
        net_reply(rq, &(struct net_reply){ .status = status, .headers = h, .n_headers = n, .body = bytes });
        return;
    }
    bytes.release(bytes.owner);
    reply_slow(rq);
}

void reply_buf_with(struct net_request *rq, int status, struct str content_type, struct buf *body,
                    const struct net_header *more, size_t n_more) {
    reply_whole(rq, status, content_type, body, 0, more, n_more);
}

void reply_buf(struct net_request *rq, int status, struct str content_type, struct buf *body) {
    reply_buf_with(rq, status, content_type, body, NULL, 0);
}

// --- long answers ---

void long_reply_init(struct long_reply *l, struct net_request *rq, struct str content_type, uint32_t n_items,
                     bool in_pieces) {
    *l = (struct long_reply){ .rq = rq,
                              .content_type = content_type,
                              .n_items = n_items,
                              .packed = reply_takes_gzip(rq),
                              .in_pieces = in_pieces && !reply_takes_gzip(rq) };
    buf_init(&l->buf, SIZE_MAX);
}

// What all items will take, as those that are done have it; a packed answer is there twice for a while.
static uint64_t whole_of(const struct long_reply *l, uint32_t done) {
    uint64_t bytes = (uint64_t)((double)l->buf.len / done * l->n_items);
    return bytes + bytes / 16 + (l->packed ? bytes / 4 : 0);
}

// Before a byte is sent it is known whether the answer has room.
static enum err reserve(struct long_reply *l, uint32_t done) {
    uint64_t whole = whole_of(l, done);
    // One alone that is larger yet waits for its reader with the rest, and its worker with it.
    if (l->in_pieces && waiting.limit && whole > ALONE_SHARES * waiting.limit)
        whole = ALONE_SHARES * waiting.limit;
    if (whole < l->buf.len) whole = l->buf.len;
    l->refused = !waiting_take(l->reserved, whole - l->reserved, waiting.limit);
    if (l->refused) return ERR_AGAIN;
    l->reserved = whole;
    if (l->in_pieces) return reply_begin(l->rq, 200, l->content_type, NULL, 0);
    return buf_reserve(&l->buf, whole - l->buf.len) ? ERR_OK : ERR_NOMEM;
}

// The worker waits for its reader only with what is more than was reserved.
static enum err write_piece(struct long_reply *l) {
    struct net_bytes bytes = owned(&l->buf);
    uint64_t of_it = bytes.data.len < l->reserved ? bytes.data.len : l->reserved;
    l->begun = true;
    l->reserved -= of_it;
    l->rq->writes_at_once = waiting_own(&bytes, of_it, waiting.limit);
    return net_reply_write(l->rq, bytes);
}

enum err long_reply_step(void *ctx, uint32_t done) {
    struct long_reply *l = ctx;
    if (l->buf.failed) return ERR_NOMEM;
    if (l->buf.len < REPLY_PIECE_BYTES) return ERR_OK;
    if (!l->begun && l->buf.len > l->reserved) TRY(reserve(l, done));
    if (!l->in_pieces) return ERR_OK;
    TRY(write_piece(l));
    return reply_piece(&l->buf) ? ERR_OK : ERR_NOMEM;
}

static void end_pieces(struct long_reply *l, enum err e) {
    if (e == ERR_OK && l->buf.failed) e = ERR_NOMEM;
    if (e == ERR_OK) e = write_piece(l);
    waiting.bytes -= l->reserved;
    net_reply_end(l->rq, NULL, e != ERR_OK);
}

void long_reply_end(struct long_reply *l, enum err e, const char *busy) {
    if (l->begun) {
        end_pieces(l, e);
    } else if (e == ERR_OK) {
        reply_whole(l->rq, 200, l->content_type, &l->buf, l->reserved, NULL, 0);
    } else {
        waiting.bytes -= l->reserved;
        if (l->refused)
            reply_slow(l->rq);
        else if (e == ERR_AGAIN)
            reply_busy(l->rq, busy);
        else
            reply_error(l->rq, status_of(e), "the answer cannot be written: %s", err_text(e));
    }
    buf_fini(&l->buf);
}

void reply_static(struct net_request *rq, int status, struct str content_type, struct str body) {
    struct net_header h[] = { { STR("content-type"), content_type },
                              { STR("x-content-type-options"), STR("nosniff") } };
    net_reply(rq, &(struct net_reply){
                      .status = status, .headers = h, .n_headers = 2, .body = net_bytes_static(body) });
}
