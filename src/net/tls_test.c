// SPDX-License-Identifier: Apache-2.0
// TLS against OpenSSL's own client, with certificates made here.
#include "net/tls.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>

#include "net/identity_test.h"

struct client {
    struct kit_client c;
    SSL_CTX *ctx;
    SSL *ssl;
};

static void client_open(struct client *c, struct kit *k, const struct identity *id, const char *alpn,
                        size_t n_alpn) {
    kit_connect(k, &c->c);
    c->ctx = SSL_CTX_new(TLS_client_method());
    CHECK(c->ctx != NULL);
    if (id)
        CHECK(SSL_CTX_use_certificate(c->ctx, id->cert) == 1 && SSL_CTX_use_PrivateKey(c->ctx, id->key) == 1);
    c->ssl = SSL_new(c->ctx);
    CHECK(c->ssl && SSL_set_fd(c->ssl, c->c.fd) == 1);
    if (alpn) CHECK(SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)n_alpn) == 0);
    SSL_set_connect_state(c->ssl);
}

static void client_close(struct client *c) {
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    kit_close(&c->c);
}

// One step of the client's side: true when it is through, false to be tried again. Fails on errors
// unless they are expected.
static bool step(struct client *c, int rc, bool *broken) {
    if (rc > 0) return true;
    int why = SSL_get_error(c->ssl, rc);
    *broken = why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
    kit_wait_turn(c->c.kit);
    return *broken;
}

static bool handshake(struct client *c) {
    bool broken = false;
    for (int i = 0; i < 5000; i++)
        if (step(c, SSL_do_handshake(c->ssl), &broken)) return !broken;
    return false;
}

static void send_all(struct client *c, struct str s) {
    bool broken = false;
    while (s.len && !broken) {
        size_t n = 0;
        int rc = SSL_write_ex(c->ssl, s.ptr, s.len < 16384 ? s.len : 16384, &n);
        if (step(c, rc, &broken) && !broken) s = str_sub(s, n, s.len);
    }
}

// Reads until `want` has come or the connection ends.
static bool expect(struct client *c, const char *want) {
    bool broken = false;
    for (int i = 0; i < 5000 && !broken; i++) {
        char part[16384];
        size_t n = 0;
        if (step(c, SSL_read_ex(c->ssl, part, sizeof part, &n), &broken) && !broken)
            buf_add(&c->c.in, part, n);
        if (c->c.in.len && memmem(c->c.in.ptr, c->c.in.len, want, strlen(want))) return true;
    }
    return false;
}

static void begin(struct kit *k, struct identity *server, const char *ca) {
    kit_init(k);
    k->budget.limit = 8 << 20;
    k->listen.cert_file = server->cert_file;
    k->listen.key_file = server->key_file;
    k->listen.client_ca_file = ca;
    kit_start(k, false);
}

static char body[1 << 20];

TEST(tls_http1_large_body_both_ways) {
    struct identity id;
    struct kit k;
    struct client c;
    identity_make(&id, "server", NULL);
    begin(&k, &id, NULL);
    client_open(&c, &k, NULL, "\x08http/1.1", 9);
    CHECK(handshake(&c));
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 23);
    memcpy(body + sizeof body - 5, "@end@", 5);
    for (int i = 0; i < 2; i++) {
        send_all(&c, STR("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n"));
        send_all(&c, (struct str){ body, sizeof body });
        CHECK(expect(&c, "@end@"));
        CHECK(str_ends(buf_view(&c.c.in), ((struct str){ body, sizeof body })));
        buf_reset(&c.c.in);
    }
    client_close(&c);
    KIT_UNTIL(&k, kit_stats(&k).open == 0);
    CHECK_U64(kit_stats(&k).requests, 2);
    kit_fini(&k);
    identity_free(&id);
}

TEST(tls_alpn_chooses_the_protocol) {
    struct identity id;
    struct kit k;
    struct client c;
    identity_make(&id, "server", NULL);
    begin(&k, &id, NULL);
    client_open(&c, &k, NULL, "\x02h2\x08http/1.1", 12);
    CHECK(handshake(&c));
    CHECK(expect(&c, "\x04")); // a settings frame comes first
    CHECK_U64((uint8_t)c.c.in.ptr[3], 4);
    client_close(&c);
    client_open(&c, &k, NULL, NULL, 0); // without ALPN it is found out
    CHECK(handshake(&c));
    send_all(&c, STR("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK(expect(&c, "\r\n\r\n/x"));
    client_close(&c);
    client_open(&c, &k, NULL, "\003foo", 4);
    CHECK(!handshake(&c));
    client_close(&c);
    KIT_UNTIL(&k, kit_stats(&k).open == 0);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TLS], 1);
    kit_fini(&k);
    identity_free(&id);
}

TEST(tls_client_certificates) {
    struct identity ca, other, server, good, bad;
    struct kit k;
    struct client c;
    identity_make(&ca, "ca", NULL);
    identity_make(&other, "other", NULL);
    identity_make(&server, "server", &ca);
    identity_make(&good, "good", &ca);
    identity_make(&bad, "bad", &other);
    begin(&k, &server, ca.cert_file);
    const struct identity *ids[] = { &good, NULL, &bad };
    for (int i = 0; i < 3; i++) {
        client_open(&c, &k, ids[i], NULL, 0);
        // TLS 1.3: the client's side is through before the server has judged it.
        if (handshake(&c)) send_all(&c, STR("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
        CHECK(expect(&c, "\r\n\r\n/x") == (i == 0));
        client_close(&c);
        KIT_UNTIL(&k, kit_stats(&k).open == 0);
        CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TLS], (uint64_t)i);
    }
    CHECK_U64(kit_stats(&k).requests, 1);
    kit_fini(&k);
    struct identity *all[] = { &ca, &other, &server, &good, &bad };
    for (int i = 0; i < 5; i++) identity_free(all[i]);
}

TEST(tls_not_tls_and_silence) {
    struct identity id;
    struct kit k;
    struct kit_client c;
    identity_make(&id, "server", NULL);
    begin(&k, &id, NULL);
    kit_connect(&k, &c);
    kit_send(&c, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    KIT_UNTIL(&k, kit_stats(&k).refused[NET_REFUSED_TLS] == 1);
    CHECK_STR(str_of(k.refusal), STR("tls: http request"));
    kit_close(&c);
    kit_connect(&k, &c);
    KIT_UNTIL(&k, kit_stats(&k).connections == 2);
    kit_advance(&k, 10000);
    kit_expect_closed(&c);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TIMEOUT], 1);
    kit_close(&c);
    kit_fini(&k);
    identity_free(&id);
}

TEST(tls_wrong_files_are_named) {
    struct identity a, b;
    struct tls_server *s = NULL;
    identity_make(&a, "a", NULL);
    identity_make(&b, "b", NULL);
    const struct {
        const char *cert, *key, *ca, *want;
    } rows[] = {
        { "/nowhere.crt", a.key_file, NULL, "certificate /nowhere.crt: No such file" },
        { a.key_file, a.key_file, NULL, "certificate " },
        { a.cert_file, "/nowhere.key", NULL, "key /nowhere.key" },
        { a.cert_file, b.key_file, NULL, "key " },
        { a.cert_file, a.key_file, "/nowhere.ca", "client CA /nowhere.ca" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err_ctx ctx = { 0 };
        CHECK(tls_server_new(rows[i].cert, rows[i].key, rows[i].ca, &s, &ctx) == ERR_INVALID);
        CHECK(str_starts(str_of(ctx.text), str_of(rows[i].want)));
        CHECK(s == NULL);
    }
    identity_free(&a);
    identity_free(&b);
}
