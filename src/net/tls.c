// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <limits.h>
#include <stdio.h>

#include "os/socket.h"

struct tls_server {
    SSL_CTX *ctx;
    BIO_METHOD *socket;
};
struct tls {
    SSL *ssl;
    int fd;
    bool ended; // the other end has finished
};

// --- the socket, as OpenSSL wants it: its own would call the kernel past os, and raise SIGPIPE -----

static int socket_read(BIO *b, char *dst, size_t n, size_t *out_n) {
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    enum err e = sock_recv(t->fd, dst, n, out_n);
    if (e == ERR_AGAIN) BIO_set_retry_read(b);
    t->ended |= e == ERR_OK && *out_n == 0;
    return e == ERR_OK && *out_n > 0;
}

static int socket_write(BIO *b, const char *src, size_t n, size_t *out_n) {
    const struct tls *t = BIO_get_data(b);
    struct iovec iov = { (char *)(uintptr_t)src, n };
    BIO_clear_retry_flags(b);
    enum err e = sock_send(t->fd, &iov, 1, out_n);
    if (e == ERR_AGAIN) BIO_set_retry_write(b);
    return e == ERR_OK;
}

static long socket_ctrl(BIO *b, int what, long n, void *p) {
    const struct tls *t = BIO_get_data(b);
    (void)n, (void)p;
    if (what == BIO_CTRL_EOF) return t->ended;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void) {
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
    if (!m) return NULL;
    if (BIO_meth_set_read_ex(m, socket_read) == 1 && BIO_meth_set_write_ex(m, socket_write) == 1 &&
        BIO_meth_set_ctrl(m, socket_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

static bool attach(struct tls *t, const BIO_METHOD *socket) {
    BIO *b = BIO_new(socket);
    if (!b) return false;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b); // which owns it
    return true;
}

// --- certificates ----------------------------------------------------------------------------------

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg) {
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    (void)ssl, (void)arg;
    unsigned char *chosen;
    int rc = SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len);
    *out = chosen;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static const char *error_text(unsigned long code) {
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    if (ERR_SYSTEM_ERROR(code)) return strerror(ERR_GET_REASON(code));
    return text ? text : "unknown cause";
}

// The first one is the cause; what comes after it says in which part of OpenSSL.
static const char *first_error(void) {
    return error_text(ERR_peek_error());
}

static enum err load(SSL_CTX *c, const char *cert, const char *key, const char *ca, struct err_ctx *ctx) {
    if (SSL_CTX_use_certificate_chain_file(c, cert) != 1)
        return err_set(ctx, ERR_INVALID, "certificate %.120s: %s", cert, first_error());
    if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
        return err_set(ctx, ERR_INVALID, "key %.120s: %s", key, first_error());
    if (SSL_CTX_check_private_key(c) != 1)
        return err_set(ctx, ERR_INVALID, "key %.120s does not fit the certificate", key);
    if (!ca) return ERR_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (!names || SSL_CTX_load_verify_file(c, ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return err_set(ctx, ERR_INVALID, "client CA %.120s: %s", ca, first_error());
    }
    SSL_CTX_set_client_CA_list(c, names);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ERR_OK;
}

// Read-ahead: one system call fetches a record with its header. (A larger buffer saves 5 % and could
// be held full by every slow client.) Idle connections keep no buffers of records.
static void tune(SSL_CTX *c) {
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_id_context(c, (const unsigned char *)"takt", 4);
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
}

enum err tls_server_new(const char *cert_file, const char *key_file, const char *client_ca_file,
                        struct tls_server **out, struct err_ctx *ctx) {
    struct tls_server *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    ERR_clear_error();
    s->ctx = SSL_CTX_new(TLS_server_method());
    s->socket = socket_method();
    enum err e = s->ctx && s->socket ? load(s->ctx, cert_file, key_file, client_ca_file, ctx) : ERR_NOMEM;
    ERR_clear_error();
    if (e != ERR_OK) {
        tls_server_free(s);
        return e;
    }
    tune(s->ctx);
    *out = s;
    return ERR_OK;
}

void tls_server_free(struct tls_server *s) {
    if (!s) return;
    SSL_CTX_free(s->ctx);
    BIO_meth_free(s->socket);
    mem_free(s);
}

// --- a connection ----------------------------------------------------------------------------------

struct tls *tls_new(struct tls_server *s, int fd) {
    struct tls *t = mem_zalloc(sizeof *t);
    if (!t) return NULL;
    t->ssl = SSL_new(s->ctx);
    t->fd = fd;
    if (!t->ssl || !attach(t, s->socket)) {
        ERR_clear_error();
        tls_free(t);
        return NULL;
    }
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t) {
    if (!t) return;
    SSL_free(t->ssl);
    mem_free(t);
}

static enum err result(struct tls *t, int rc) {
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_NONE: return ERR_OK;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return ERR_CANCELED;
    default: return ERR_IO;
    }
}

enum err tls_handshake(struct tls *t, char *text, size_t n_text) {
    ERR_clear_error();
    enum err e = result(t, SSL_do_handshake(t->ssl));
    if (e == ERR_OK || e == ERR_AGAIN) return e;
    unsigned long code = ERR_peek_last_error();
    (void)snprintf(text, n_text, "%s", code ? error_text(code) : "the client hung up");
    ERR_clear_error();
    return ERR_INVALID;
}

static struct str protocol(const struct tls *t) {
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(t->ssl, &p, &n);
    return (struct str){ (const char *)p, n };
}

bool tls_is_h2(const struct tls *t) {
    return str_eq(protocol(t), STR("h2"));
}

bool tls_is_h1(const struct tls *t) {
    return str_eq(protocol(t), STR("http/1.1"));
}

// A connection cut without close_notify shows as an error here; the caller treats both alike.
enum err tls_recv(struct tls *t, void *dst, size_t n, size_t *out_n) {
    ERR_clear_error();
    int rc = SSL_read(t->ssl, dst, n > INT_MAX ? INT_MAX : (int)n);
    enum err e = result(t, rc);
    if (e == ERR_CANCELED) {
        *out_n = 0;
        return ERR_OK;
    }
    if (e == ERR_OK) *out_n = (size_t)rc;
    return e;
}

enum err tls_send(struct tls *t, const void *src, size_t n, size_t *out_n) {
    ERR_clear_error();
    int rc = SSL_write(t->ssl, src, n > INT_MAX ? INT_MAX : (int)n);
    enum err e = result(t, rc);
    if (e == ERR_OK) *out_n = (size_t)rc;
    return e == ERR_CANCELED ? ERR_IO : e;
}

void tls_goodbye(struct tls *t) {
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl)) (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}
