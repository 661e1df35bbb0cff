// SPDX-License-Identifier: Apache-2.0
#include "os/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum err err_of_errno(void) {
    switch (errno) {
    case EAGAIN: return ERR_AGAIN;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return ERR_LIMIT;
    case ECONNREFUSED: return ERR_UNAVAILABLE;
    default: return ERR_IO;
    }
}

// --- failures for tests, as mem_fail_at has them ---

static _Atomic uint64_t fail_at, fail_count; // counted only while a test asked for it
static _Atomic bool fail_counting;
static _Atomic int fail_errno;

void sock_fail_at(uint64_t n, int with_errno) {
    fail_at = n;
    fail_errno = with_errno;
    fail_count = 0;
    fail_counting = with_errno != 0;
}

uint64_t sock_fail_seen(void) {
    return fail_count;
}

static bool must_fail(void) {
    if (!atomic_load_explicit(&fail_counting, memory_order_relaxed)) return false;
    if (atomic_fetch_add(&fail_count, 1) + 1 != fail_at) return false;
    errno = fail_errno;
    return true;
}

struct host_port {
    char host[256];
    char port[8];
};

static bool split_address(const char *address, struct host_port *out) {
    struct str s = str_of(address), host, port;
    if (str_starts(s, STR("["))) {
        if (!str_cut(str_sub(s, 1, s.len), ']', &host, &port) || !str_starts(port, STR(":"))) return false;
        port = str_sub(port, 1, port.len);
    } else if (!str_cut(s, ':', &host, &port)) {
        return false;
    }
    uint64_t number;
    if (!str_u64(port, &number) || number > 65535 || host.len >= sizeof out->host) return false;
    (void)snprintf(out->host, sizeof out->host, "%.*s", STR_ARG(host));
    (void)snprintf(out->port, sizeof out->port, "%u", (unsigned)number);
    return true;
}

static int listen_on(const struct addrinfo *ai) {
    int fd =
        must_fail() ? -1 : socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return -1;
    int on = 1, off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (!must_fail() && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && !must_fail() && listen(fd, 1024) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

static enum err listen_error(const char *address, struct err_ctx *ctx) {
    switch (errno) {
    case EADDRINUSE: return err_set(ctx, ERR_EXISTS, "the address %s is in use", address);
    case EACCES:
    case EPERM: return err_set(ctx, ERR_INVALID, "not allowed to listen on %s", address);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: return err_set(ctx, ERR_INVALID, "%s is not an address of this machine", address);
    default: return err_set(ctx, err_of_errno(), "cannot listen on %s: %s", address, strerror(errno));
    }
}

// An empty host listens on the IPv6 wildcard, which takes IPv4 as well; where there is no IPv6 the
// next result, IPv4, is tried.
enum err sock_listen(const char *address, int *out_fd, struct err_ctx *ctx) {
    struct host_port hp;
    if (!split_address(address, &hp))
        return err_set(ctx, ERR_INVALID, "%.100s is not an address like host:port", address);
    bool any = hp.host[0] == '\0' || strcmp(hp.host, "*") == 0;
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(any ? "::" : hp.host, hp.port, &hints, &list);
    if (rc != 0) return err_set(ctx, ERR_INVALID, "cannot resolve %.100s: %s", address, gai_strerror(rc));
    int fd = -1;
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) fd = listen_on(ai);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0 && any && saved == EAFNOSUPPORT) {
        char v4[32];
        (void)snprintf(v4, sizeof v4, "0.0.0.0:%s", hp.port);
        return sock_listen(v4, out_fd, ctx);
    }
    errno = saved;
    if (fd < 0) return listen_error(address, ctx);
    *out_fd = fd;
    return ERR_OK;
}

uint16_t sock_port(int fd) {
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) return 0;
    if (addr.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

bool sock_is_loopback(int fd) {
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) return false;
    if (addr.ss_family == AF_INET) return ntohl(((struct sockaddr_in *)&addr)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *in6 = &((struct sockaddr_in6 *)&addr)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

static void address_text(const struct sockaddr_storage *addr, char out[static SOCK_TEXT_MAX]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        (void)inet_ntop(mapped ? AF_INET : AF_INET6,
                        mapped ? (const void *)&in6->sin6_addr.s6_addr[12] : &in6->sin6_addr, host,
                        sizeof host);
        (void)snprintf(out, SOCK_TEXT_MAX, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(in6->sin6_port));
        return;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
    (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    (void)snprintf(out, SOCK_TEXT_MAX, "%s:%u", host, ntohs(in->sin_port));
}

static void send_at_once(int fd) {
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // messages leave as whole writes
}

// A connection that died in the queue is not an error of the listener: the next one is taken.
enum err sock_accept(int fd, int *out_fd, char peer[static SOCK_TEXT_MAX]) {
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int got;
    do {
        got = must_fail() ? -1 : accept4(fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (got < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (got < 0) return err_of_errno();
    send_at_once(got);
    address_text(&addr, peer);
    *out_fd = got;
    return ERR_OK;
}

enum err sock_connect(const char *address, int *out_fd) {
    struct host_port hp;
    if (!split_address(address, &hp)) return ERR_INVALID;
    struct addrinfo hints = { .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *ai = NULL;
    if (getaddrinfo(hp.host, hp.port, &hints, &ai) != 0) return ERR_INVALID;
    int fd =
        must_fail() ? -1 : socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd >= 0) send_at_once(fd);
    int rc = fd < 0 || must_fail() ? -1 : connect(fd, ai->ai_addr, ai->ai_addrlen);
    enum err e = fd < 0 ? err_of_errno() : rc == 0 || errno == EINPROGRESS ? ERR_OK : ERR_IO;
    freeaddrinfo(ai);
    if (e != ERR_OK) {
        sock_close(fd);
        return e;
    }
    *out_fd = fd;
    return ERR_OK;
}

static enum err received(ssize_t n, size_t *out_n) {
    if (n < 0) return err_of_errno();
    *out_n = (size_t)n;
    return ERR_OK;
}

enum err sock_recv(int fd, void *dst, size_t n, size_t *out_n) {
    ssize_t got;
    do got = must_fail() ? -1 : recv(fd, dst, n, 0);
    while (got < 0 && errno == EINTR);
    return received(got, out_n);
}

enum err sock_discard(int fd, size_t n, size_t *out_n) {
    ssize_t got; // the raw call: the wrapped one wants to see n bytes of memory, which nobody touches
    do got = must_fail() ? -1 : syscall(SYS_recvfrom, fd, NULL, n, MSG_TRUNC, NULL, NULL);
    while (got < 0 && errno == EINTR);
    return received(got, out_n);
}

enum err sock_send(int fd, const struct iovec *iov, int n_iov, size_t *out_n) {
    struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov };
    ssize_t sent;
    do sent = must_fail() ? -1 : sendmsg(fd, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return received(sent, out_n);
}

void sock_shutdown(int fd) {
    (void)shutdown(fd, SHUT_WR); // fails only when the connection is gone already
}

void sock_close(int fd) {
    if (fd >= 0) (void)close(fd);
}

enum err poller_init(struct poller *p) {
    p->fd = must_fail() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? ERR_LIMIT : ERR_OK;
}

void poller_fini(struct poller *p) {
    sock_close(p->fd);
    p->fd = -1;
}

enum err poller_add(struct poller *p, int fd, uint32_t events, void *tag) {
    struct epoll_event ev = { .events = events, .data.ptr = tag };
    return !must_fail() && epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? ERR_OK : ERR_LIMIT;
}

void poller_remove(struct poller *p, int fd) {
    (void)epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
}

int poller_wait(struct poller *p, struct epoll_event *events, int n, int timeout_ms) {
    int got = epoll_wait(p->fd, events, n, timeout_ms);
    ASSERT(got >= 0 || errno == EINTR);
    return got < 0 ? 0 : got;
}
