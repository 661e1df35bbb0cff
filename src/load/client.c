// SPDX-License-Identifier: Apache-2.0
#include "load/client_internal.h"

#include <netdb.h>
#include <stdio.h>

#include "base/pb.h"
#include "load/load.h"

enum { WAIT_MS = 100, PATIENCE = 300 }; // half a minute without a byte

void client_text(struct client_answer *out, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out->text, sizeof out->text, fmt, args);
    va_end(args);
}

static enum err resolve(const char *host, const char *port, struct client_target *out, struct err_ctx *ctx) {
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure) return err_set(ctx, ERR_NOT_FOUND, "%s: %s", host, gai_strerror(failure));
    char numeric[64];
    failure =
        getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof numeric, NULL, 0, NI_NUMERICHOST);
    bool is_v6 = found->ai_family == AF_INET6;
    freeaddrinfo(found);
    if (failure) return err_set(ctx, ERR_NOT_FOUND, "%s: %s", host, gai_strerror(failure));
    (void)snprintf(out->address, sizeof out->address, is_v6 ? "[%s]:%s" : "%s:%s", numeric, port);
    return ERR_OK;
}

enum err client_target_of(const char *url, struct client_target *out, struct err_ctx *ctx) {
    struct str rest = str_of(url), host, port;
    out->is_grpc = str_starts(rest, STR("grpc://"));
    if (!out->is_grpc && !str_starts(rest, STR("http://")))
        return err_set(ctx, ERR_INVALID, "%s: http://host[:port] or grpc://host[:port] is expected", url);
    rest = str_sub(rest, 7, rest.len);
    if (str_ends(rest, STR("/"))) rest.len--;
    if (str_starts(rest, STR("["))) {
        str_cut(str_sub(rest, 1, rest.len), ']', &host, &port);
        if (port.len) port = str_sub(port, 1, port.len);
    } else {
        str_cut(rest, ':', &host, &port);
    }
    if (!port.len) port = out->is_grpc ? STR("4317") : STR("4318");
    uint64_t number;
    char host_z[256], port_z[8];
    if (!host.len || host.len >= sizeof host_z || !str_u64(port, &number) || number == 0 || number > 65535)
        return err_set(ctx, ERR_INVALID, "%s: not a host and a port", url);
    (void)snprintf(host_z, sizeof host_z, "%.*s", STR_ARG(host));
    (void)snprintf(port_z, sizeof port_z, "%u", (unsigned)number);
    (void)snprintf(out->authority, sizeof out->authority, "%s:%s", host_z, port_z);
    return resolve(host_z, port_z, out, ctx);
}

enum err client_new(const struct client_target *to, const atomic_bool *stop, struct client **out) {
    struct client *c = mem_zalloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    c->to = *to;
    c->stop = stop;
    c->fd = -1;
    buf_init(&c->in, CLIENT_ANSWER_MAX);
    enum err e = poller_init(&c->poller);
    if (e) {
        mem_free(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void client_free(struct client *c) {
    if (!c) return;
    client_disconnect(c);
    poller_fini(&c->poller);
    buf_fini(&c->in);
    mem_free(c);
}

void client_disconnect(struct client *c) {
    grpc_close(c);
    if (c->fd < 0) return;
    poller_remove(&c->poller, c->fd);
    sock_close(c->fd);
    c->fd = -1;
    buf_reset(&c->in);
}

// Waits until the socket can do what `events` says.
static enum err wait_for(struct client *c, uint32_t events) {
    poller_remove(&c->poller, c->fd);
    TRY(poller_add(&c->poller, c->fd, events, c));
    for (int i = 0; i < PATIENCE; i++) {
        struct epoll_event event;
        if (poller_wait(&c->poller, &event, 1, WAIT_MS) > 0) return ERR_OK;
        if (*c->stop) return ERR_CANCELED;
    }
    return ERR_TIMEOUT;
}

enum err client_connect(struct client *c) {
    if (c->fd >= 0) return ERR_OK;
    TRY(sock_connect(c->to.address, &c->fd));
    enum err e = poller_add(&c->poller, c->fd, EPOLLOUT, c);
    if (!e) e = wait_for(c, EPOLLOUT);
    size_t sent;
    if (!e) e = sock_send(c->fd, &(struct iovec){ 0 }, 1, &sent); // writable is also what was refused
    if (e) client_disconnect(c);
    return e;
}

enum err client_write(struct client *c, struct iovec *iov, int n_iov) {
    while (n_iov) {
        size_t sent = 0;
        enum err e = sock_send(c->fd, iov, n_iov, &sent);
        if (e == ERR_AGAIN) e = wait_for(c, EPOLLOUT);
        TRY(e);
        while (n_iov && sent >= iov->iov_len) sent -= iov->iov_len, iov++, n_iov--;
        if (n_iov) iov->iov_base = (char *)iov->iov_base + sent, iov->iov_len -= sent;
    }
    return ERR_OK;
}

enum err client_read(struct client *c) {
    enum { STEP = 16 << 10 };
    if (!buf_reserve(&c->in, STEP)) return ERR_LIMIT;
    for (;;) {
        size_t n = 0;
        enum err e = sock_recv(c->fd, c->in.ptr + c->in.len, STEP, &n);
        if (e == ERR_AGAIN) {
            TRY(wait_for(c, EPOLLIN));
            continue;
        }
        TRY(e);
        c->in.len += n;
        return n ? ERR_OK : ERR_IO;
    }
}

void client_read_response(struct str message, struct client_answer *out) {
    struct reader r = reader_of(message);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number != 1 || f.wire != PB_BYTES) continue;
        struct reader partial = reader_of(f.bytes);
        while (pb_next(&partial, &f)) {
            if (f.number == 1 && f.wire == PB_VARINT) out->rejected_spans = f.value;
            if (f.number == 2 && f.wire == PB_BYTES)
                client_text(out, "%.*s", STR_ARG(str_sub(f.bytes, 0, 190)));
        }
    }
}

static bool begin(struct client *c, struct client_answer *out) {
    *out = (struct client_answer){ .result = CLIENT_LOST, .retry_after_ms = CLIENT_RETRY_MS };
    enum err e = client_connect(c);
    if (e == ERR_OK) return true;
    out->is_closed = e == ERR_UNAVAILABLE;
    client_text(out, "cannot connect to %s", c->to.authority);
    return false;
}

static void end(struct client *c, struct client_answer *out) {
    if (out->result == CLIENT_LOST) client_disconnect(c);
    if (out->retry_after_ms > CLIENT_RETRY_MAX_MS) out->retry_after_ms = CLIENT_RETRY_MAX_MS;
}

void client_send(struct client *c, struct str body, struct client_answer *out) {
    if (!begin(c, out)) return;
    (c->to.is_grpc ? grpc_send : http1_send)(c, body, out);
    end(c, out);
}

void client_post(struct client *c, const struct http1_post *post, struct client_answer *out) {
    if (!begin(c, out)) return;
    http1_post(c, post, out);
    end(c, out);
}
