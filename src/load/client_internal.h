// SPDX-License-Identifier: Apache-2.0
// The connection that both protocols share.
#pragma once

#include "load/client.h"
#include "os/socket.h"

struct client {
    struct client_target to;
    const atomic_bool *stop;
    struct poller poller;
    int fd; // -1: not connected
    struct buf in;
    void *http2; // the nghttp2 session, while connected
};

// ERR_TIMEOUT, ERR_CANCELED (stop), ERR_IO.
NODISCARD enum err client_connect(struct client *c);
void client_disconnect(struct client *c);
NODISCARD enum err client_write(struct client *c, struct iovec *iov, int n_iov);
// Appends at least one byte to c->in.
NODISCARD enum err client_read(struct client *c);

// A POST to anything that speaks HTTP, answered as client_send is.
struct http1_post {
    const char *path, *type; // Content-Type
    struct str headers;      // more lines, each with its end
    struct str body;
    bool is_otlp; // the answer says how many spans are rejected
};
void http1_post(struct client *c, const struct http1_post *post, struct client_answer *out);
void client_post(struct client *c, const struct http1_post *post, struct client_answer *out);
void http1_send(struct client *c, struct str body, struct client_answer *out);
void grpc_send(struct client *c, struct str body, struct client_answer *out);
void grpc_close(struct client *c);
// Finds out how many spans an ExportTraceServiceResponse rejects, and why.
void client_read_response(struct str message, struct client_answer *out);
void client_text(struct client_answer *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
