// SPDX-License-Identifier: Apache-2.0
// A connection from accept to close: handshake, which protocol, reading, writing, timeouts, and the
// lingering close that lets the other end see the last answer. Events only set flags; the work is
// done in conn_run. A closed connection is freed at the end of the turn, so that nobody who holds it
// in this turn falls.
#include "net/net_internal.h"

static const struct str preface = { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24 };

static void timer_fired(struct timer *t);
static void write_timer_fired(struct timer *t);
static void adopt_post(struct post *p);

static void forget(struct conn *c) {
    struct net_server *s = c->loop->server;
    c->loop->n_conns--;
    count_add(&c->counters->closed, 1);
    uint32_t left = --s->n_conns;
    if (left || s->phase < SERVER_DRAINING) return;
    mutex_lock(&s->lock);
    cond_signal(&s->changed);
    mutex_unlock(&s->lock);
}

enum err conn_new(struct loop *l, struct listener *ln, int fd, const char *peer, struct conn **out) {
    struct conn *c = mem_zalloc(sizeof *c);
    if (!c) {
        sock_close(fd);
        return ERR_NOMEM;
    }
    c->listener = ln;
    c->fd = fd;
    c->timer.fire = timer_fired;
    c->write_timer.fire = write_timer_fired;
    c->post.run = adopt_post;
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, 16 * OUT_BYTES);
    memcpy(c->peer, peer, SOCK_TEXT_MAX);
    if (ln->tls && !(c->tls = tls_new(ln->tls, fd))) {
        sock_close(fd);
        mem_free(c);
        return ERR_NOMEM;
    }
    c->phase = c->tls ? CONN_HANDSHAKE : CONN_SNIFF;
    c->loop = l;
    c->counters = &l->counters[ln->index];
    l->n_conns++;
    l->server->n_conns++;
    count_add(&c->counters->connections, 1);
    *out = c;
    return ERR_OK;
}

void conn_free(struct conn *c) {
    http2_free(c);
    buf_fini(&c->in);
    mem_budget_give(&c->loop->server->heads, c->in_charged);
    buf_fini(&c->out);
    mem_free(c);
}

void conn_adopt(struct conn *c, struct loop *l) {
    c->next = l->conns;
    if (l->conns) l->conns->prev = c;
    l->conns = c;
    bool late = l->phase >= SERVER_DRAINING && l->grace.kind == TIMER_OFF;
    if (late || poller_add(&l->poller, c->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c) != ERR_OK) {
        conn_close(c);
        return;
    }
    timer_arm(&l->timers, &c->timer, TIMER_HEADER, l->now_ns);
}

static void adopt_post(struct post *p) {
    struct conn *c = (struct conn *)((char *)p - offsetof(struct conn, post));
    conn_adopt(c, c->loop);
}

// The loop with the fewest connections gets the next one: collectors hold few connections for
// long, and a random choice would leave cores without work.
static struct loop *choose_loop(struct loop *here) {
    struct net_server *s = here->server;
    struct loop *best = here;
    for (unsigned i = 0; i < s->n_loops; i++)
        if (s->loops[i].n_conns < best->n_conns) best = &s->loops[i];
    return best;
}

static void accepted(struct loop *l, struct listener *ln, int fd, const char *peer) {
    struct net_server *s = l->server;
    struct loop *to = choose_loop(l);
    struct conn *c;
    if (s->n_conns >= s->opts.max_connections) {
        server_refused(s, ln, &l->counters[ln->index], NET_REFUSED_CONNECTIONS, "too many connections", peer);
        sock_close(fd);
    } else if (conn_new(to, ln, fd, peer, &c) != ERR_OK) {
        server_refused(s, ln, &l->counters[ln->index], NET_REFUSED_MEMORY, "no memory for a connection",
                       peer);
    } else if (to == l) {
        conn_adopt(c, l);
    } else {
        (void)loop_post(to, &c->post);
    }
}

void conn_accept(struct loop *l, struct listener *ln) {
    char peer[SOCK_TEXT_MAX];
    int fd;
    enum err e;
    while ((e = sock_accept(ln->fd, &fd, peer)) == ERR_OK) accepted(l, ln, fd, peer);
    if (e != ERR_LIMIT || l->phase > SERVER_RUNNING) return;
    // Out of descriptors: the listener stays readable, so it must not be asked for a while.
    for (unsigned i = 0; i < l->server->n_listeners; i++)
        poller_remove(&l->poller, l->server->listeners[i].fd);
    timer_arm(&l->timers, &l->pause, TIMER_PAUSE, l->now_ns);
    server_refused(l->server, ln, &l->counters[ln->index], NET_REFUSED_CONNECTIONS, "no descriptors left",
                   "");
}

void conn_refused(struct conn *c, enum net_refusal why, const char *text) {
    server_refused(c->loop->server, c->listener, c->counters, why, text, c->peer);
}

void conn_ready(struct conn *c) {
    if (c->is_ready || c->phase == CONN_DEAD) return;
    c->is_ready = true;
    c->ready_next = NULL;
    *c->loop->ready_end = c;
    c->loop->ready_end = &c->ready_next;
}

// With TLS either direction may unblock the other.
void conn_event(struct conn *c, uint32_t events) {
    if (c->phase == CONN_DEAD) return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        if (c->phase == CONN_HANDSHAKE) conn_refused(c, NET_REFUSED_TLS, "the client hung up");
        conn_close(c);
        return;
    }
    if (events & EPOLLRDHUP) c->hung_up = true;
    if (events & (EPOLLIN | EPOLLRDHUP) || c->tls) c->readable = true;
    conn_ready(c);
}

void conn_close(struct conn *c) {
    if (c->phase == CONN_DEAD) return;
    c->phase = CONN_DEAD;
    while (c->exchs) exch_done(c->exchs, false);
    timer_disarm(&c->timer);
    timer_disarm(&c->write_timer);
    tls_free(c->tls);
    c->tls = NULL;
    sock_close(c->fd);
    struct loop *l = c->loop;
    *(c->prev ? &c->prev->next : &l->conns) = c->next;
    if (c->next) c->next->prev = c->prev;
    c->next = l->dead;
    l->dead = c;
    forget(c);
}

// --- bytes ----------------------------------------------------------------------------------------

// A short read means that the socket is empty now: the next bytes raise a new event. The end of
// the stream raised one already, so then it is read until it shows.
enum err conn_read(struct conn *c, void *dst, size_t n, size_t *out_n) {
    if (!c->readable) return ERR_AGAIN;
    size_t got = 0;
    enum err e = c->tls ? tls_recv(c->tls, dst, n, &got) : sock_recv(c->fd, dst, n, &got);
    if (e == ERR_AGAIN || (e == ERR_OK && !c->tls && got < n && !c->hung_up)) c->readable = false;
    if (e != ERR_OK) return e == ERR_AGAIN ? e : ERR_IO;
    if (got == 0) return ERR_CANCELED;
    count_add(&c->counters->bytes_in, got);
    *out_n = got;
    return ERR_OK;
}

static enum err tls_write(struct conn *c, const struct iovec *iov, int n_iov, size_t *out_n) {
    size_t total = 0;
    enum err e = ERR_OK;
    for (int i = 0; i < n_iov && e == ERR_OK; i++) {
        for (size_t at = 0, sent; at < iov[i].iov_len; at += sent, total += sent)
            if ((e = tls_send(c->tls, (char *)iov[i].iov_base + at, iov[i].iov_len - at, &sent)) != ERR_OK)
                break;
    }
    *out_n = total;
    return e == ERR_AGAIN && total ? ERR_OK : e;
}

enum err conn_write(struct conn *c, const struct iovec *iov, int n_iov, size_t *out_n) {
    enum err e = c->tls ? tls_write(c, iov, n_iov, out_n) : sock_send(c->fd, iov, n_iov, out_n);
    if (e == ERR_AGAIN) {
        if (c->write_timer.kind != TIMER_OFF) return e;
        c->write_mark = c->written;
        timer_arm(&c->loop->timers, &c->write_timer, TIMER_WRITE, c->loop->now_ns);
    }
    if (e != ERR_OK) return e;
    c->written += *out_n;
    count_add(&c->counters->bytes_out, *out_n);
    return ERR_OK;
}

static void out_sent(struct conn *c, size_t n) {
    c->out_pos += n;
    if (c->out_pos < c->out.len) return;
    c->out_pos = 0;
    buf_reset(&c->out);
    if (c->out.cap > 1024) buf_fini(&c->out); // idle connections hold next to nothing
}

enum err conn_flush(struct conn *c, struct str *tail) {
    if (c->out.failed) return ERR_IO;
    for (;;) {
        size_t own = c->out.len - c->out_pos, n;
        if (own + tail->len == 0) break;
        struct iovec iov[2] = { { own ? c->out.ptr + c->out_pos : NULL, own },
                                { (char *)tail->ptr, tail->len } };
        int first = own == 0, last = tail->len == 0;
        TRY(conn_write(c, iov + first, 2 - first - last, &n));
        size_t of_own = n < own ? n : own;
        if (of_own) out_sent(c, of_own);
        *tail = str_sub(*tail, n - of_own, tail->len);
    }
    timer_disarm(&c->write_timer);
    return ERR_OK;
}

static bool in_scratch(const struct conn *c) {
    const uint8_t *p = (const uint8_t *)c->view.ptr, *scratch = c->loop->scratch;
    return p >= scratch && p < scratch + SCRATCH_BYTES;
}

// Room behind the bytes in c->in; charged to the budget of heads.
static bool in_reserve(struct conn *c, size_t n) {
    size_t before = c->in.cap;
    if (!buf_reserve(&c->in, n)) return false;
    uint64_t more = c->in.cap - before;
    if (more && !mem_budget_take(&c->loop->server->heads, more)) {
        c->in.failed = true; // not counted, so not to be used; conn_free takes it away
        return false;
    }
    c->in_charged += more;
    return true;
}

static void in_release(struct conn *c) {
    buf_fini(&c->in);
    mem_budget_give(&c->loop->server->heads, c->in_charged);
    c->in_charged = 0;
}

// Makes c->in hold exactly the view.
static bool settle(struct conn *c) {
    if (c->view.len == 0) {
        if (c->in.cap) in_release(c);
    } else if (in_scratch(c)) {
        buf_reset(&c->in);
        if (!in_reserve(c, c->view.len)) return false;
        buf_str(&c->in, c->view);
    } else if (c->view.ptr != c->in.ptr || c->view.len != c->in.len) {
        memmove(c->in.ptr, c->view.ptr, c->view.len);
        c->in.len = c->view.len;
    }
    c->view = buf_view(&c->in);
    return true;
}

enum err conn_fill(struct conn *c, size_t n) {
    size_t got;
    DASSERT(n <= SCRATCH_BYTES);
    if (c->view.len == 0) {
        TRY(conn_read(c, c->loop->scratch, n, &got));
        c->view = (struct str){ (char *)c->loop->scratch, got };
        return ERR_OK;
    }
    if (!settle(c) || !in_reserve(c, n)) return ERR_NOMEM;
    c->view = buf_view(&c->in);
    TRY(conn_read(c, c->in.ptr + c->in.len, n, &got));
    c->in.len += got;
    c->view = buf_view(&c->in);
    return ERR_OK;
}

void conn_consume(struct conn *c, size_t n) {
    c->view = str_sub(c->view, n, c->view.len);
}

// --- phases ---------------------------------------------------------------------------------------

static void linger(struct conn *c) {
    struct str none = { 0 };
    enum err e = conn_flush(c, &none);
    if (e == ERR_AGAIN) return;
    if (e == ERR_OK && c->timer.kind != TIMER_LINGER) {
        if (c->tls) tls_goodbye(c->tls);
        sock_shutdown(c->fd);
        timer_arm(&c->loop->timers, &c->timer, TIMER_LINGER, c->loop->now_ns);
    }
    size_t n = 0;
    while (e == ERR_OK && c->readable && c->lingered < LINGER_BYTES) {
        e = sock_discard(c->fd, RUN_BYTES, &n);
        if (e == ERR_OK && n == 0) e = ERR_CANCELED;
        if (e == ERR_OK) c->lingered += n;
    }
    if (e == ERR_AGAIN) c->readable = false;
    if (e != ERR_OK && e != ERR_AGAIN) conn_close(c);
}

void conn_finish(struct conn *c) {
    if (c->phase >= CONN_LINGER) return;
    c->phase = CONN_LINGER;
    timer_disarm(&c->timer);
    while (c->exchs) exch_done(c->exchs, false);
    c->readable = true;
    linger(c);
}

static void start_http2(struct conn *c) {
    c->phase = CONN_HTTP2;
    if (http2_start(c) == ERR_OK) return;
    conn_refused(c, NET_REFUSED_MEMORY, "no memory for a session");
    conn_close(c);
}

static void start_http1(struct conn *c) {
    c->phase = CONN_HTTP1;
    http1_start(c);
}

static void handshake(struct conn *c) {
    char why[128];
    enum err e = tls_handshake(c->tls, why, sizeof why);
    if (e == ERR_AGAIN) return;
    if (e != ERR_OK) {
        conn_refused(c, NET_REFUSED_TLS, why);
        conn_close(c);
        return;
    }
    if (tls_is_h2(c->tls))
        start_http2(c);
    else if (tls_is_h1(c->tls))
        start_http1(c);
    else
        c->phase = CONN_SNIFF;
}

// HTTP/2 shows itself by 24 bytes that no HTTP/1.1 request begins with.
static void sniff(struct conn *c) {
    while (c->view.len < preface.len && str_eq(c->view, str_sub(preface, 0, c->view.len))) {
        enum err e = conn_fill(c, H1_READ_BYTES);
        if (e == ERR_AGAIN) return;
        if (e == ERR_OK) continue;
        conn_close(c);
        return;
    }
    if (str_starts(c->view, preface))
        start_http2(c);
    else
        start_http1(c);
}

void conn_run(struct conn *c) {
    c->view = buf_view(&c->in);
    if (c->phase == CONN_HANDSHAKE) handshake(c);
    if (c->phase == CONN_SNIFF) sniff(c);
    if (c->phase == CONN_HTTP1)
        http1_run(c);
    else if (c->phase == CONN_HTTP2)
        http2_run(c);
    else if (c->phase == CONN_LINGER)
        linger(c);
    if (c->phase == CONN_LINGER) c->view = (struct str){ 0 };
    if (c->phase != CONN_DEAD && !settle(c)) {
        conn_refused(c, NET_REFUSED_MEMORY, "no memory for what was received");
        conn_close(c);
    }
}

static void timer_fired(struct timer *t) {
    struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, timer));
    if (c->phase == CONN_HTTP1)
        http1_timeout(c);
    else if (c->phase == CONN_HTTP2)
        http2_timeout(c);
    else {
        if (c->phase != CONN_LINGER) conn_refused(c, NET_REFUSED_TIMEOUT, "no request came");
        conn_close(c);
    }
}

static void write_timer_fired(struct timer *t) {
    struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, write_timer));
    if (c->written == c->write_mark) {
        conn_refused(c, NET_REFUSED_TIMEOUT, "the client does not read its answers");
        conn_close(c);
        return;
    }
    c->write_mark = c->written;
    timer_arm(&c->loop->timers, t, TIMER_WRITE, c->loop->now_ns);
}
