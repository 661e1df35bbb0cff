// SPDX-License-Identifier: Apache-2.0
// The way out: answers arrive from any thread, are kept in the exchange, and the loop is told by a
// post. Whole answers are one chunk; answers in pieces are a queue with back-pressure.
#include "net/net_internal.h"

#include "base/base64.h"

enum {
    GRPC_TEXT_MAX = 2 << 10, // of a message or details: clients bound their metadata
};

static void bytes_release(struct net_bytes *b) {
    if (b->release) b->release(b->owner);
    *b = (struct net_bytes){ 0 };
}

void exch_post(struct exch *x, struct post *p) {
    exch_ref(x);
    if (!loop_post(x->loop, p)) exch_unref(x);
}

// --- what the answer says -------------------------------------------------------------------------

// A line break in a value would let its author write headers and answers of his own.
static bool copy_header(struct exch *x, const struct net_header *from, struct net_header *to) {
    for (size_t i = 0; i < from->value.len; i++) {
        unsigned char c = (unsigned char)from->value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    to->name = str_dup(&x->arena, from->name);
    to->value = str_dup(&x->arena, from->value);
    if (x->arena.failed) return false;
    char *name = (char *)to->name.ptr;
    for (size_t i = 0; i < to->name.len; i++)
        if (name[i] >= 'A' && name[i] <= 'Z') name[i] = (char)(name[i] + 32);
    return true;
}

static bool copy_headers(struct exch *x, const struct net_reply *r) {
    ASSERT(r->n_headers <= REPLY_HEADERS_MAX);
    x->n_reply_headers = 0;
    x->reply_headers = ARENA_ARRAY(&x->arena, r->n_headers, struct net_header);
    if (!x->reply_headers) return false;
    for (size_t i = 0; i < r->n_headers; i++)
        if (!copy_header(x, &r->headers[i], &x->reply_headers[i])) return false;
    x->n_reply_headers = r->n_headers;
    return true;
}

static void write_details(struct buf *b, const struct net_reply *r, struct str message) {
    struct buf raw;
    buf_init(&raw, 2 * GRPC_TEXT_MAX);
    if (r->grpc_details.len)
        buf_str(&raw, r->grpc_details);
    else if (r->retry_after_ms)
        grpc_retry_status(&raw, r->grpc_status, message, r->retry_after_ms);
    if (!raw.failed && raw.len && buf_reserve(b, base64_size(raw.len))) {
        base64_encode(raw.ptr, raw.len, b->ptr);
        b->len = base64_size(raw.len);
        while (b->ptr[b->len - 1] == '=') b->len--; // headers go without padding
    }
    b->failed |= raw.failed;
    buf_fini(&raw);
}

static bool copy_grpc(struct exch *x, const struct net_reply *r) {
    x->grpc_status = r->grpc_status;
    x->grpc_message = x->grpc_details = STR("");
    if (r->grpc_status == NET_GRPC_OK) return true;
    struct str message = str_sub(r->grpc_message, 0, GRPC_TEXT_MAX);
    struct buf text, details;
    buf_init(&text, 4 * GRPC_TEXT_MAX);
    buf_init(&details, 4 * GRPC_TEXT_MAX);
    grpc_message_encode(&text, message);
    write_details(&details, r, message);
    if (!text.failed) x->grpc_message = str_dup(&x->arena, buf_view(&text));
    if (!details.failed) x->grpc_details = str_dup(&x->arena, buf_view(&details));
    bool ok = !text.failed && !details.failed && !x->arena.failed;
    buf_fini(&text);
    buf_fini(&details);
    return ok;
}

static bool set_head(struct exch *x, const struct net_reply *r) {
    x->status = r->status;
    x->retry_after_s = r->retry_after_ms / 1000 + (r->retry_after_ms % 1000 != 0);
    return copy_headers(x, r) && (!x->rq.is_grpc || copy_grpc(x, r));
}

// What is left to say when the answer itself could not be kept: a header that must not be sent is
// the handler's fault, the rest is want of memory.
static void set_failed(struct exch *x) {
    bool memory = x->arena.failed;
    x->status = memory ? 503 : 500;
    x->n_reply_headers = 0;
    x->grpc_status = memory ? NET_GRPC_UNAVAILABLE : NET_GRPC_INTERNAL;
    x->grpc_message = memory ? STR("out of memory") : STR("the answer is not valid");
    x->grpc_details = STR("");
}

static void set_body(struct exch *x, struct net_bytes body) {
    if (x->rq.is_grpc && x->grpc_status != NET_GRPC_OK) {
        bytes_release(&body);
        return;
    }
    x->one.bytes = body;
    x->has_one = true;
    if (!x->rq.is_grpc) return;
    grpc_prefix_encode(false, (uint32_t)body.data.len, x->one.prefix);
    x->one.n_prefix = GRPC_PREFIX;
}

static void set_whole(struct exch *x, const struct net_reply *r) {
    struct net_bytes body = r->body;
    bool too_long = x->rq.is_grpc && body.data.len > UINT32_MAX;
    bool lost = body.data.len && !body.data.ptr; // net_bytes_copy had no memory
    x->arena.failed |= lost;
    if (!set_head(x, r) || lost || too_long) {
        set_failed(x);
        bytes_release(&body);
    }
    set_body(x, body);
    x->on_sent = r->on_sent;
    x->on_sent_ctx = r->on_sent_ctx;
    x->answered = true;
    x->finished = true;
}

static void start(struct exch *x) {
    if (x->rq.protocol == NET_HTTP2)
        http2_reply(x);
    else
        http1_reply(x);
}

void exch_answer_now(struct exch *x, const struct net_reply *r) {
    set_whole(x, r);
    start(x);
}

void net_reply(struct net_request *rq, const struct net_reply *reply) {
    struct exch *x = (struct exch *)rq;
    ASSERT(!x->answered);
    net_body_release(TAKE(x->body.block));
    set_whole(x, reply);
    exch_post(x, &x->reply_post);
    exch_unref(x);
}

// --- answers in pieces ----------------------------------------------------------------------------

enum err net_reply_begin(struct net_request *rq, const struct net_reply *head) {
    struct exch *x = (struct exch *)rq;
    ASSERT(!x->answered);
    struct out_stream *s = mem_zalloc(sizeof *s);
    struct net_reply only_head = { .status = head->status,
                                   .headers = head->headers,
                                   .n_headers = head->n_headers };
    if (!s || !set_head(x, &only_head)) {
        mem_free(s);
        x->arena.failed = false;
        return ERR_NOMEM;
    }
    s->last = &s->first;
    mutex_init(&s->lock);
    cond_init(&s->room);
    x->stream = s;
    x->answered = true;
    exch_post(x, &x->reply_post);
    return ERR_OK;
}

static void chunk_free(struct out_chunk *c) {
    bytes_release(&c->bytes);
    mem_free(c);
}

// Under the lock.
static enum err wait_for_room(struct exch *x, struct out_stream *s) {
    while (s->queued >= NET_STREAM_BYTES && !x->rq.writes_at_once && !x->canceled) {
        if (loop_is_current()) return ERR_AGAIN;
        cond_wait(&s->room, &s->lock);
    }
    return x->canceled ? ERR_CANCELED : ERR_OK;
}

enum err net_reply_write(struct net_request *rq, struct net_bytes bytes) {
    struct exch *x = (struct exch *)rq;
    struct out_stream *s = x->stream;
    ASSERT(s && !x->finished);
    bool too_long = bytes.data.len > UINT32_MAX;
    struct out_chunk *c = too_long ? NULL : mem_zalloc(sizeof *c);
    if (!c) {
        bytes_release(&bytes);
        return too_long ? ERR_LIMIT : ERR_NOMEM;
    }
    c->bytes = bytes;
    if (rq->is_grpc) {
        grpc_prefix_encode(false, (uint32_t)bytes.data.len, c->prefix);
        c->n_prefix = GRPC_PREFIX;
    }
    mutex_lock(&s->lock);
    enum err e = wait_for_room(x, s);
    if (e == ERR_OK) {
        *s->last = c;
        s->last = &c->next;
        s->queued += c->n_prefix + bytes.data.len;
    }
    mutex_unlock(&s->lock);
    if (e == ERR_AGAIN) c->bytes = (struct net_bytes){ 0 }; // the caller keeps them
    if (e == ERR_OK)
        exch_post(x, &x->reply_post);
    else
        chunk_free(c);
    return e;
}

void net_reply_end(struct net_request *rq, const struct net_reply *end, bool abort) {
    struct exch *x = (struct exch *)rq;
    struct out_stream *s = x->stream;
    ASSERT(s && !x->finished);
    if (end) {
        if (rq->is_grpc && !copy_grpc(x, end)) set_failed(x);
        x->on_sent = end->on_sent;
        x->on_sent_ctx = end->on_sent_ctx;
    }
    net_body_release(TAKE(x->body.block));
    x->finished = true;
    mutex_lock(&s->lock);
    s->ended = true;
    s->aborted = abort;
    mutex_unlock(&s->lock);
    exch_post(x, &x->reply_post);
    exch_unref(x);
}

// --- the loop's side ------------------------------------------------------------------------------

static void wake_writer(struct exch *x) {
    struct out_stream *s = x->stream;
    if (!s) return;
    mutex_lock(&s->lock);
    cond_broadcast(&s->room);
    mutex_unlock(&s->lock);
}

void exch_reply_post(struct post *p) {
    struct exch *x = (struct exch *)((char *)p - offsetof(struct exch, reply_post));
    if (x->conn)
        start(x);
    else
        wake_writer(x); // it may have begun after the client went away
    exch_unref(x);
}

void exch_cancel(struct exch *x) {
    x->canceled = true;
    if (x->begun) wake_writer(x);
}

static void tell_sent(struct exch *x, bool delivered) {
    void (*tell)(void *, bool) = x->on_sent;
    x->on_sent = NULL;
    if (tell) tell(x->on_sent_ctx, delivered);
}

// Before `begun` the fields of the answer may be in the making on another thread.
void exch_reply_done(struct exch *x, bool delivered) {
    if (!delivered) exch_cancel(x);
    if (!x->begun) return;
    bytes_release(&x->one.bytes);
    if (x->finished) tell_sent(x, delivered);
}

void exch_reply_free(struct exch *x) {
    bytes_release(&x->one.bytes);
    tell_sent(x, false);
    struct out_stream *s = x->stream;
    if (!s) return;
    while (s->first) {
        struct out_chunk *c = s->first;
        s->first = c->next;
        chunk_free(c);
    }
    mutex_fini(&s->lock);
    cond_fini(&s->room);
    mem_free(s);
}

static size_t copy_out(struct out_chunk *c, uint8_t *dst, size_t n) {
    size_t prefix = (size_t)(c->n_prefix - c->prefix_pos), body = c->bytes.data.len - c->pos;
    if (prefix > n) prefix = n;
    if (body > n - prefix) body = n - prefix;
    if (prefix) memcpy(dst, c->prefix + c->prefix_pos, prefix);
    if (body) memcpy(dst + prefix, c->bytes.data.ptr + c->pos, body);
    c->prefix_pos = (uint8_t)(c->prefix_pos + prefix);
    c->pos += body;
    return prefix + body;
}

static bool is_empty(const struct out_chunk *c) {
    return c->prefix_pos == c->n_prefix && c->pos == c->bytes.data.len;
}

static size_t pull_stream(struct out_stream *s, uint8_t *dst, size_t n, bool *end, bool *abort) {
    struct out_chunk *used = NULL;
    size_t got = 0;
    mutex_lock(&s->lock);
    while (s->first && (got < n || is_empty(s->first))) {
        struct out_chunk *c = s->first;
        got += copy_out(c, dst + got, n - got);
        if (!is_empty(c)) break;
        s->first = c->next;
        if (!s->first) s->last = &s->first;
        c->next = used;
        used = c;
    }
    s->queued -= got;
    *end = s->ended && !s->first;
    *abort = s->aborted;
    if (got) cond_broadcast(&s->room);
    mutex_unlock(&s->lock);
    while (used) {
        struct out_chunk *next = used->next;
        chunk_free(used);
        used = next;
    }
    return got;
}

bool exch_take(struct exch *x, bool *end, bool *abort) {
    struct out_stream *s = x->stream;
    struct out_chunk *c;
    DASSERT(x->one.bytes.data.len == 0);
    mutex_lock(&s->lock);
    while ((c = s->first) && c->bytes.data.len == 0) {
        s->first = c->next;
        chunk_free(c);
    }
    if (c) s->first = c->next;
    if (!s->first) s->last = &s->first;
    if (c) s->queued -= c->bytes.data.len;
    *end = s->ended && !c;
    *abort = s->aborted;
    if (c) cond_broadcast(&s->room);
    mutex_unlock(&s->lock);
    if (!c) return false;
    x->progress += c->bytes.data.len;
    x->one = *c;
    mem_free(c);
    return true;
}

bool exch_drop(struct exch *x) {
    bool had = x->one.bytes.data.len > 0;
    bytes_release(&x->one.bytes);
    x->one.pos = 0;
    return had;
}

size_t exch_pull(struct exch *x, uint8_t *dst, size_t n, bool *end, bool *abort) {
    size_t got;
    if (x->stream) {
        got = pull_stream(x->stream, dst, n, end, abort);
    } else {
        got = x->has_one ? copy_out(&x->one, dst, n) : 0;
        *end = is_empty(&x->one);
        *abort = false;
    }
    x->progress += got;
    return got;
}
