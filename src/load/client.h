// SPDX-License-Identifier: Apache-2.0
// Sends OTLP requests, one after the other, over HTTP/1.1 or gRPC. Blocking, but for the stop flag
// that is looked at ten times a second. thread: one at a time.
#pragma once

#include <stdatomic.h>

#include "base/str.h"

enum { CLIENT_ANSWER_MAX = 64 << 10, CLIENT_RETRY_MS = 200, CLIENT_RETRY_MAX_MS = 30000 };

enum client_result {
    CLIENT_ACKED,
    CLIENT_RETRY,   // the receiver asks for patience
    CLIENT_REFUSED, // a retry will not mend it
    CLIENT_LOST,    // no answer: not there, gone away, or nonsense
};
struct client_answer {
    enum client_result result;
    uint64_t rejected_spans; // of an acknowledged request
    uint32_t retry_after_ms;
    bool is_closed; // LOST: nobody listens there
    char text[200]; // why not, for a person
};

struct client_target {
    bool is_grpc;
    char authority[300]; // "host:port"
    char address[80];    // numeric "host:port"
};
// Parses http://host[:port] or grpc://host[:port] and resolves the host. ERR_INVALID, ERR_NOT_FOUND.
NODISCARD enum err client_target_of(const char *url, struct client_target *out, struct err_ctx *ctx);

struct client;
// Does not connect yet. ERR_NOMEM.
NODISCARD enum err client_new(const struct client_target *to, const atomic_bool *stop, struct client **out);
void client_free(struct client *c); // NULL is fine
void client_send(struct client *c, struct str body, struct client_answer *out);
