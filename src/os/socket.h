// SPDX-License-Identifier: Apache-2.0
// TCP sockets and epoll. All sockets are non-blocking and close on exec. ERR_AGAIN = would block,
// ERR_IO = the connection is broken, ERR_UNAVAILABLE = nobody listens there, ERR_LIMIT = no descriptors or
// memory in the kernel.
// thread: any.
#pragma once

#include <sys/epoll.h>
#include <sys/uio.h>

#include "base/str.h"

enum { SOCK_TEXT_MAX = 64 }; // "[ipv6]:port" and its NUL

// Listens on "host:port"; an IPv6 host stands in brackets, an empty host means every address of
// the machine, port 0 lets the kernel choose. The first address of the host that works is taken.
// ERR_EXISTS: somebody listens there; ERR_INVALID: no such address, or not allowed; ERR_IO.
NODISCARD enum err sock_listen(const char *address, int *out_fd, struct err_ctx *ctx);
uint16_t sock_port(int fd);    // of this end; 0 on failure
bool sock_is_loopback(int fd); // so is the address of this end; false on failure
// ERR_AGAIN: none is waiting. peer gets the address of the other end.
NODISCARD enum err sock_accept(int fd, int *out_fd, char peer[static SOCK_TEXT_MAX]);
// Starts to connect to a numeric "host:port"; the socket becomes writable when done.
NODISCARD enum err sock_connect(const char *address, int *out_fd);
// At most n bytes; *out_n = 0 means that the other end has finished.
NODISCARD enum err sock_recv(int fd, void *dst, size_t n, size_t *out_n);
// Reads up to n bytes and throws them away, without copying.
NODISCARD enum err sock_discard(int fd, size_t n, size_t *out_n);
NODISCARD enum err sock_send(int fd, const struct iovec *iov, int n_iov, size_t *out_n);
void sock_shutdown(int fd); // no more bytes from this end
void sock_close(int fd);

struct poller {
    int fd;
};
NODISCARD enum err poller_init(struct poller *p);
void poller_fini(struct poller *p);
// `events` as for epoll_ctl; tag comes back in data.ptr.
NODISCARD enum err poller_add(struct poller *p, int fd, uint32_t events, void *tag);
void poller_remove(struct poller *p, int fd);
// The number of events; 0 after timeout_ms (-1 = none) or a signal.
int poller_wait(struct poller *p, struct epoll_event *events, int n, int timeout_ms);

// For tests: the n-th call from now that may fail does so with this errno, on whatever thread; 0, 0 ends
// that. Counted are the calls of the kernel behind all of the above; TLS makes them too.
void sock_fail_at(uint64_t n, int with_errno);
uint64_t sock_fail_seen(void); // calls since then
