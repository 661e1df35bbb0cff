// SPDX-License-Identifier: Apache-2.0
// TLS 1.2 and 1.3 over non-blocking sockets, by OpenSSL. A tls_server may be used by many threads,
// a connection by one at a time.
#pragma once

#include "base/str.h"

struct tls_server; // certificate, key, trust
struct tls;        // one connection

// Files in PEM. client_ca_file may be NULL; otherwise clients must show a certificate of it.
// ERR_INVALID: a file is missing or wrong, ctx says which; ERR_NOMEM.
NODISCARD enum err tls_server_new(const char *cert_file, const char *key_file, const char *client_ca_file,
                                  struct tls_server **out, struct err_ctx *ctx);
void tls_server_free(struct tls_server *s);

struct tls *tls_new(struct tls_server *s, int fd); // NULL: no memory. Does not own the fd
void tls_free(struct tls *t);
// AGAIN: the socket must become readable or writable first. INVALID: refused, why in `text`.
NODISCARD enum err tls_handshake(struct tls *t, char *text, size_t n_text);
bool tls_is_h2(const struct tls *t); // the client chose h2 by ALPN
bool tls_is_h1(const struct tls *t); // it chose http/1.1
// As sock_recv and sock_send; ERR_IO also for broken records.
NODISCARD enum err tls_recv(struct tls *t, void *dst, size_t n, size_t *out_n);
NODISCARD enum err tls_send(struct tls *t, const void *src, size_t n, size_t *out_n);
void tls_goodbye(struct tls *t); // close_notify, as far as it can be sent now
