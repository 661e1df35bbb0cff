// SPDX-License-Identifier: Apache-2.0
#include "os/socket.h"

#include <poll.h>
#include <stdio.h>

#include "base/test.h"

static int listen_any(const char *address) {
    int fd = -1;
    struct err_ctx ctx = { 0 };
    CHECK_OK(sock_listen(address, &fd, &ctx));
    return fd;
}

static void wait_for(int fd, short what) {
    struct pollfd p = { .fd = fd, .events = what };
    CHECK(poll(&p, 1, 5000) == 1);
}

TEST(socket_busy_port_names_the_address) {
    int fd = listen_any("127.0.0.1:0");
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(fd));
    int again = -1;
    struct err_ctx ctx = { 0 };
    CHECK(sock_listen(address, &again, &ctx) == ERR_EXISTS);
    CHECK(strstr(ctx.text, address) != NULL);
    CHECK(again == -1);
    sock_close(fd);
    again = listen_any(address);
    sock_close(again);
}

TEST(socket_loopback_is_told_by_the_address_that_is_bound) {
    static const struct {
        const char *address;
        bool is_loopback;
    } rows[] = { { "127.0.0.1:0", true },          { "127.0.0.7:0", true }, { "localhost:0", true },
                 { "[::ffff:127.0.0.1]:0", true }, { "0.0.0.0:0", false },  { ":0", false } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = listen_any(rows[i].address);
        CHECK(sock_is_loopback(fd) == rows[i].is_loopback);
        sock_close(fd);
    }
    CHECK(!sock_is_loopback(-1));
}

TEST(socket_bad_addresses) {
    static const struct {
        const char *address, *why;
    } rows[] = {
        { "", "nothing" },
        { "localhost", "no port" },
        { "127.0.0.1:", "empty port" },
        { "127.0.0.1:65536", "port too large" },
        { "127.0.0.1:12x", "not a number" },
        { "[::1:80", "bracket not closed" },
        { "[::1]80", "no colon after the bracket" },
        { "192.0.2.1:0", "documentation address, not of this machine" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = -1;
        struct err_ctx ctx = { 0 };
        enum err e = sock_listen(rows[i].address, &fd, &ctx);
        if (e != ERR_INVALID) printf("# %s: %s\n", rows[i].why, err_text(e));
        CHECK(e == ERR_INVALID && fd == -1 && ctx.text[0]);
    }
}

TEST(socket_accept_send_recv_discard) {
    int ln = listen_any("127.0.0.1:0"), client = -1, fd = -1;
    char address[32], peer[SOCK_TEXT_MAX], got[8];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(ln));
    CHECK(sock_accept(ln, &fd, peer) == ERR_AGAIN);
    CHECK_OK(sock_connect(address, &client));
    wait_for(ln, POLLIN);
    CHECK_OK(sock_accept(ln, &fd, peer));
    char want[32];
    (void)snprintf(want, sizeof want, "127.0.0.1:%u", sock_port(client));
    CHECK_STR(str_of(peer), str_of(want));
    size_t n = 0;
    CHECK(sock_recv(fd, got, sizeof got, &n) == ERR_AGAIN);
    struct iovec iov[2] = { { (char *)"drop", 4 }, { (char *)"this", 4 } };
    CHECK_OK(sock_send(client, iov, 2, &n));
    CHECK_U64(n, 8);
    wait_for(fd, POLLIN);
    CHECK_OK(sock_discard(fd, 4, &n));
    CHECK_U64(n, 4);
    CHECK_OK(sock_recv(fd, got, sizeof got, &n));
    CHECK_STR(((struct str){ got, n }), STR("this"));
    sock_shutdown(client);
    wait_for(fd, POLLIN);
    CHECK_OK(sock_recv(fd, got, sizeof got, &n));
    CHECK_U64(n, 0);
    sock_close(fd);
    wait_for(client, POLLIN);
    CHECK_OK(sock_recv(client, got, sizeof got, &n));
    CHECK_U64(n, 0);
    sock_close(client);
    sock_close(ln);
}

TEST(socket_poller_gives_the_tag) {
    int ln = listen_any(":0"), client = -1, tag;
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(ln));
    struct poller p;
    CHECK_OK(poller_init(&p));
    CHECK_OK(poller_add(&p, ln, EPOLLIN, &tag));
    struct epoll_event ev[4];
    CHECK(poller_wait(&p, ev, 4, 0) == 0);
    CHECK_OK(sock_connect(address, &client));
    CHECK(poller_wait(&p, ev, 4, 5000) == 1);
    CHECK(ev[0].data.ptr == &tag);
    poller_remove(&p, ln);
    CHECK(poller_wait(&p, ev, 4, 0) == 0);
    poller_fini(&p);
    sock_close(client);
    sock_close(ln);
}
