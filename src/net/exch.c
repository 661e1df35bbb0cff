// SPDX-License-Identifier: Apache-2.0
// An exchange on its way in: the head is understood, the body admitted and read, the handler called.
//
//   HEAD ─exch_begin─▶ BODY ⇄ WAIT (for the budget) ─exch_body_end─▶ HANDLER ─reply─▶ REPLY ─▶ DONE
//     └──────────── exch_refuse, or an answer of on_head ────────────────▲
#include "net/net_internal.h"

#include <stdio.h>

static void admit_granted(struct admit_wait *w);
static void admit_post_run(struct post *p);
static void timer_fired(struct timer *t);

struct exch *exch_new(struct conn *c) {
    struct net_server *s = c->loop->server;
    if (!mem_budget_take(&s->heads, sizeof(struct exch))) return NULL;
    struct exch *x = mem_zalloc(sizeof *x);
    if (!x) {
        mem_budget_give(&s->heads, sizeof *x);
        return NULL;
    }
    x->server = s;
    s->refs++;
    x->refs = 1;
    x->loop = c->loop;
    x->listener = c->listener;
    x->conn = c;
    x->next = c->exchs;
    if (x->next) x->next->prev = x;
    c->exchs = x;
    arena_init(&x->arena, ARENA_MAX, &s->heads);
    buf_init(&x->held, 2 * H2_STREAM_WINDOW);
    x->timer.fire = timer_fired;
    x->wait.granted = admit_granted;
    x->admit_post.run = admit_post_run;
    x->reply_post.run = exch_reply_post;
    x->rq = (struct net_request){
        .kind = c->listener->opts.kind,
        .protocol = c->phase == CONN_HTTP2 ? NET_HTTP2 : NET_HTTP1,
        .is_tls = c->tls != NULL,
        .max_body_bytes = c->listener->opts.max_body_bytes,
        .arena = &x->arena,
    };
    return x;
}

static void exch_free(struct exch *x) {
    exch_reply_free(x);
    net_body_release(TAKE(x->body.block));
    buf_fini(&x->held);
    arena_fini(&x->arena);
    struct net_server *s = x->server;
    mem_free(x);
    mem_budget_give(&s->heads, sizeof *x);
    server_unref(s);
}

void exch_unref(struct exch *x) {
    if (--x->refs == 0) exch_free(x);
}

void exch_done(struct exch *x, bool delivered) {
    *(x->prev ? &x->prev->next : &x->conn->exchs) = x->next;
    if (x->next) x->next->prev = x->prev;
    if (x->phase == EXCH_WAIT) admission_cancel(&x->server->admission, &x->wait);
    x->conn = NULL;
    x->phase = EXCH_DONE;
    timer_disarm(&x->timer);
    exch_reply_done(x, delivered);
    exch_unref(x);
}

// --- head -----------------------------------------------------------------------------------------

bool exch_field(struct exch *x, struct str name, struct str value) {
    x->head_bytes += name.len + value.len + 32; // as HTTP/2 counts them
    x->head_bad |= x->head_bytes > H1_HEAD_MAX || x->n_fields == H1_FIELDS_MAX;
    if (x->head_bad) return false;
    if (x->n_fields == x->cap_fields) {
        uint32_t cap = x->cap_fields ? 2 * x->cap_fields : 16;
        struct net_header *p = ARENA_ARRAY(&x->arena, cap, struct net_header);
        x->head_bad |= p == NULL;
        if (!p) return false;
        if (x->n_fields) memcpy(p, x->fields, x->n_fields * sizeof *p);
        x->fields = p;
        x->cap_fields = cap;
    }
    struct net_header f = { str_dup(&x->arena, name), str_dup(&x->arena, value) };
    x->head_bad |= x->arena.failed;
    if (x->head_bad) return false;
    x->fields[x->n_fields++] = f;
    return true;
}

// Origin form, absolute form (what a proxy gets), or the "*" of OPTIONS. RFC 9112, 3.2.
bool exch_target(struct exch *x, struct str target) {
    struct net_request *rq = &x->rq;
    if (str_starts(target, STR("http://")) || str_starts(target, STR("https://"))) {
        ptrdiff_t scheme = str_find(target, ':') + 3;
        struct str rest = str_sub(target, (size_t)scheme, target.len);
        size_t at = 0;
        while (at < rest.len && rest.ptr[at] != '/' && rest.ptr[at] != '?') at++;
        if (at == 0) return false;
        rq->host = str_sub(rest, 0, at);
        target = str_sub(rest, at, rest.len);
        if (target.len == 0) target = STR("/");
    }
    (void)str_cut(target, '?', &rq->path_raw, &rq->query);
    if (rq->path_raw.len == 0) rq->path_raw = STR("/"); // http://host?query
    bool star = str_eq(rq->path_raw, STR("*")) && str_eq(rq->method, STR("OPTIONS"));
    if (rq->path_raw.ptr[0] != '/' && !star) return false;
    return net_percent_decode(&x->arena, rq->path_raw, false, &rq->path);
}

static bool begin_grpc(struct exch *x) {
    struct net_request *rq = &x->rq;
    rq->grpc_encoding = net_request_header(rq, STR("grpc-encoding"));
    struct str timeout = net_request_header(rq, STR("grpc-timeout"));
    uint64_t ns;
    if (!timeout.ptr) return true;
    if (!grpc_timeout(timeout, &ns)) {
        exch_refuse(x, NET_REFUSED_MALFORMED, 400, "malformed grpc-timeout");
        return false;
    }
    if (__builtin_add_overflow(rq->arrived_ns, ns, &rq->deadline_ns)) rq->deadline_ns = UINT64_MAX;
    return true;
}

// HTTP/2 has no need of the length, but it lets the whole body be reserved at once.
static void find_length(struct exch *x) {
    struct str value = net_request_header(&x->rq, STR("content-length"));
    if (x->rq.protocol == NET_HTTP2 && value.ptr) x->has_length = str_u64(value, &x->length);
}

static void refuse_large(struct exch *x, uint64_t bytes) {
    char text[128];
    (void)snprintf(text, sizeof text, "the body of %llu bytes is larger than the limit of %llu",
                   (unsigned long long)bytes, (unsigned long long)x->rq.max_body_bytes);
    exch_refuse(x, NET_REFUSED_TOO_LARGE, 413, text);
}

static bool answered_by_head(struct exch *x) {
    const struct net_listen *o = &x->listener->opts;
    if (!o->on_head) return false;
    exch_ref(x); // the handler's, which net_reply gives up
    o->on_head(o->ctx, &x->rq);
    if (x->answered) return true;
    exch_unref(x);
    return false;
}

bool exch_begin(struct exch *x) {
    struct net_request *rq = &x->rq;
    rq->headers = x->fields;
    rq->n_headers = x->n_fields;
    rq->peer = str_dup(&x->arena, str_of(x->conn->peer));
    rq->arrived_ns = x->loop->now_ns;
    if (x->head_bad || x->arena.failed) {
        bool memory = x->arena.failed;
        exch_refuse(x, memory ? NET_REFUSED_MEMORY : NET_REFUSED_TOO_LARGE, memory ? 503 : 431,
                    memory ? "no memory for the head" : "the head is too large");
        return false;
    }
    rq->is_grpc = rq->protocol == NET_HTTP2 && str_eq(rq->method, STR("POST")) &&
                  grpc_is_content_type(net_request_header(rq, STR("content-type")));
    if (rq->is_grpc && !begin_grpc(x)) return false;
    find_length(x);
    x->phase = EXCH_HANDLER; // while on_head looks at it
    if (answered_by_head(x)) return false;
    x->phase = EXCH_BODY;
    if (!rq->is_grpc && x->has_length && x->length > rq->max_body_bytes) {
        refuse_large(x, x->length);
        return false;
    }
    enum body_mode mode = rq->is_grpc ? BODY_GRPC : x->has_length ? BODY_LENGTH : BODY_OPEN;
    body_init(&x->body, mode, x->length, rq->max_body_bytes);
    timer_arm(&x->loop->timers, &x->timer, TIMER_BODY, x->loop->now_ns);
    return true;
}

// --- body -----------------------------------------------------------------------------------------

static bool grow(struct exch *x) {
    uint64_t need = x->body.need;
    if (body_grow(&x->body, &x->server->admission)) return true;
    admission_give(&x->server->admission, need);
    exch_refuse(x, NET_REFUSED_MEMORY, 503, "no memory for the body");
    return false;
}

// MORE: reserved. RESERVE: must wait. BAD: refused.
static enum body_next reserve(struct exch *x) {
    switch (admission_take(&x->server->admission, &x->wait, x->body.need)) {
    case ADMIT_YES: return grow(x) ? BODY_MORE : BODY_BAD;
    case ADMIT_WAIT:
        x->phase = EXCH_WAIT;
        timer_arm(&x->loop->timers, &x->timer, TIMER_ADMIT, x->loop->now_ns);
        return BODY_RESERVE;
    default:
        exch_refuse(x, NET_REFUSED_BUDGET, 429, "too many bodies at once, try again later");
        return BODY_BAD;
    }
}

static enum body_next feed(struct exch *x, struct str *in) {
    for (;;) {
        enum body_next r = body_feed(&x->body, in);
        if (r == BODY_TOO_LARGE) {
            refuse_large(x, x->body.known   ? x->body.want
                            : x->body.block ? x->body.block->len + in->len
                                            : in->len);
            return BODY_BAD;
        }
        if (r == BODY_BAD) exch_refuse(x, NET_REFUSED_MALFORMED, 400, "not the framing of a unary call");
        if (r != BODY_RESERVE) return r;
        r = reserve(x);
        if (r != BODY_MORE) return r;
    }
}

// What comes while the exchange waits is held: never more than the stream's window, or one read.
enum body_next exch_feed(struct exch *x, struct str *in) {
    enum body_next r = BODY_RESERVE;
    x->progress += in->len;
    if (x->phase == EXCH_BODY) r = feed(x, in);
    if (r != BODY_RESERVE || in->len == 0) return r;
    buf_str(&x->held, *in);
    *in = str_sub(*in, in->len, 0);
    if (!x->held.failed) return r;
    exch_refuse(x, NET_REFUSED_MEMORY, 503, "no memory for the body");
    return BODY_BAD;
}

static void admit_granted(struct admit_wait *w) {
    struct exch *x = (struct exch *)((char *)w - offsetof(struct exch, wait));
    exch_post(x, &x->admit_post);
}

// The bytes are ours. If the client has gone in the meantime they go to the next.
static void admit_post_run(struct post *p) {
    struct exch *x = (struct exch *)((char *)p - offsetof(struct exch, admit_post));
    if (x->phase != EXCH_WAIT) {
        admission_give(&x->server->admission, x->wait.need_bytes);
    } else {
        x->phase = EXCH_BODY;
        timer_arm(&x->loop->timers, &x->timer, TIMER_BODY, x->loop->now_ns);
        struct buf held = x->held;
        buf_init(&x->held, held.limit);
        struct str in = buf_view(&held);
        if (grow(x) && exch_feed(x, &in) != BODY_BAD) {
            if (x->rq.protocol == NET_HTTP2)
                http2_resume(x);
            else
                http1_resume(x);
        }
        buf_fini(&held);
    }
    exch_unref(x);
}

static void dispatch(struct exch *x) {
    static const char nothing[NET_BODY_PADDING];
    struct net_request *rq = &x->rq;
    rq->body = x->body.block ? net_body_bytes(x->body.block) : (struct str){ nothing, 0 };
    rq->grpc_compressed = x->body.compressed;
    struct str enc = rq->grpc_encoding;
    if (rq->grpc_compressed && (enc.len == 0 || str_eq(enc, STR("identity")))) {
        exch_refuse(x, NET_REFUSED_MALFORMED, 400,
                    "a compressed message, but grpc-encoding names no compression");
        return;
    }
    timer_disarm(&x->timer);
    x->phase = EXCH_HANDLER;
    count_add(&x->conn->counters->requests, 1);
    exch_ref(x); // the handler's
    x->listener->opts.handler(x->listener->opts.ctx, rq);
}

void exch_body_end(struct exch *x) {
    x->remote_end = true;
    if (x->phase != EXCH_BODY) return; // waits, or was refused
    uint64_t excess;
    if (body_end(&x->body, &excess) == BODY_BAD) {
        exch_refuse(x, NET_REFUSED_MALFORMED, 400,
                    x->rq.is_grpc ? "the call has no whole message" : "the body was cut short");
        return;
    }
    if (excess) admission_give(&x->server->admission, excess);
    dispatch(x);
}

// --- refusals and timeouts ------------------------------------------------------------------------

static unsigned grpc_code(enum net_refusal why) {
    switch (why) {
    case NET_REFUSED_TOO_LARGE:
    case NET_REFUSED_BUDGET: return NET_GRPC_RESOURCE_EXHAUSTED;
    case NET_REFUSED_TIMEOUT: return NET_GRPC_DEADLINE_EXCEEDED;
    case NET_REFUSED_MALFORMED: return NET_GRPC_INTERNAL;
    default: return NET_GRPC_UNAVAILABLE;
    }
}

void exch_refuse(struct exch *x, enum net_refusal why, int status, const char *text) {
    conn_refused(x->conn, why, text);
    timer_disarm(&x->timer);
    net_body_release(TAKE(x->body.block));
    buf_fini(&x->held);
    struct net_header type = { STR("content-type"), STR("text/plain; charset=utf-8") };
    struct net_reply r = {
        .status = status,
        .headers = &type,
        .n_headers = 1,
        .body = net_bytes_copy(&x->rq, str_of(text)),
        .grpc_status = grpc_code(why),
        .grpc_message = str_of(text),
        .retry_after_ms =
            why == NET_REFUSED_BUDGET || why == NET_REFUSED_MEMORY ? x->server->opts.retry_after_ms : 0,
    };
    exch_answer_now(x, &r);
}

static void timer_fired(struct timer *t) {
    struct exch *x = (struct exch *)((char *)t - offsetof(struct exch, timer));
    switch (x->phase) {
    case EXCH_HEAD:
        exch_refuse(x, NET_REFUSED_TIMEOUT, 408, "the head of the request came too slowly");
        return;
    case EXCH_WAIT:
        admission_cancel(&x->server->admission, &x->wait);
        exch_refuse(x, NET_REFUSED_BUDGET, 429, "too many bodies at once, try again later");
        return;
    case EXCH_BODY:
        if (x->progress - x->progress_mark < BODY_PROGRESS_MIN) {
            exch_refuse(x, NET_REFUSED_TIMEOUT, 408, "the body came too slowly");
            return;
        }
        break;
    default:
        http2_stalled(x); // only HTTP/2 watches single answers
        return;
    }
    x->progress_mark = x->progress;
    timer_arm(&x->loop->timers, t, TIMER_BODY, x->loop->now_ns);
}
