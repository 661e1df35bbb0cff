// SPDX-License-Identifier: Apache-2.0
// The server side of the wire: HTTP/1.1, HTTP/2 and unary gRPC on the same ports, with or without
// TLS. A few loop threads own all connections. A handler is called on a loop thread when a whole
// request is there; it answers exactly once, at once or later, from any thread.
//
// Memory: bodies are reserved in the caller's budget before they are read. When it is exhausted,
// requests wait in a short queue while their connection or stream is not read; after admit_wait_ms
// they are refused with a retry hint. Heads of requests have a budget of their own.
// Threads: net_server_* by one thread at a time; net_reply*, net_body_* and net_request_canceled
// by any; a request is used by one thread at a time.
#pragma once

#include "base/mem.h"
#include "base/str.h"

struct clock;
struct net_server;
struct net_body;

enum net_protocol { NET_HTTP1, NET_HTTP2 };

struct net_header {
    struct str name; // lower case in requests; sent in lower case in replies
    struct str value;
};

// One request. Read only for handlers, except `user` and `writes_at_once`. Everything in it lives until the
// answer is given (net_reply or net_reply_end), a taken body until its release.
struct net_request {
    int kind; // of the listener
    enum net_protocol protocol;
    bool is_tls;
    bool is_grpc;         // HTTP/2 and content-type application/grpc[+…]
    bool grpc_compressed; // the body is one message, packed as grpc_encoding says
    struct str grpc_encoding;
    uint64_t deadline_ns; // monotonic, from grpc-timeout; 0 = none
    struct str method;
    struct str path_raw;              // as sent, without the query
    struct str path;                  // percent-decoded; has no NUL
    struct str query;                 // after the '?', as sent
    struct str host;                  // Host or :authority
    const struct net_header *headers; // without the pseudo headers of HTTP/2
    size_t n_headers;
    struct str body;         // of a gRPC call: the message. 32 readable bytes follow
    struct str peer;         // "address:port"
    uint64_t arrived_ns;     // monotonic: the head was complete
    uint64_t max_body_bytes; // of the listener; on_head may lower it
    struct arena *arena;     // small things of the handler, up to NET_ARENA_BYTES
    void *user;              // the handler's own
    bool writes_at_once;     // the handler's: see net_reply_write
};
enum { NET_BODY_PADDING = 32, NET_ARENA_BYTES = 256 << 10 };

// The value of the first header of that name (any case); ptr = NULL when there is none.
struct str net_request_header(const struct net_request *rq, struct str name);
// The client has gone away (or hung up its side): nobody waits for the answer. It is still due.
bool net_request_canceled(const struct net_request *rq);
// Decodes %xx (and '+' as a space when asked). false: a broken escape, NUL, or no memory.
NODISCARD bool net_percent_decode(struct arena *a, struct str s, bool plus_is_space, struct str *out);
// The same, and NUL is a character as any other: for texts whose reader says where it is wrong.
NODISCARD bool net_percent_decode_any(struct arena *a, struct str s, bool plus_is_space, struct str *out);

// Takes the body out of the request: rq->body stays as it is, but lives until the release, which
// any thread may do, before or after the answer. NULL when the body is empty or was taken.
struct net_body *net_body_take(struct net_request *rq);
struct str net_body_bytes(const struct net_body *b);
void net_body_release(struct net_body *b); // NULL is fine

// Bytes of an answer. release(owner), if set, is called exactly once, by any thread, when they are
// no longer needed; without it they outlive the server.
struct net_bytes {
    struct str data;
    void (*release)(void *owner);
    void *owner;
};
static inline struct net_bytes net_bytes_static(struct str s) {
    return (struct net_bytes){ s, NULL, NULL };
}
// From mem_alloc, buf_take and the like; freed with mem_free.
static inline struct net_bytes net_bytes_owned(char *ptr, size_t len) {
    return (struct net_bytes){ { ptr, len }, mem_free, ptr };
}
// A copy that lives with the request. Out of memory: the answer becomes 503 or UNAVAILABLE.
struct net_bytes net_bytes_copy(struct net_request *rq, struct str s);

enum net_grpc_status {
    NET_GRPC_OK = 0,
    NET_GRPC_CANCELLED = 1,
    NET_GRPC_UNKNOWN = 2,
    NET_GRPC_INVALID_ARGUMENT = 3,
    NET_GRPC_DEADLINE_EXCEEDED = 4,
    NET_GRPC_NOT_FOUND = 5,
    NET_GRPC_ALREADY_EXISTS = 6,
    NET_GRPC_PERMISSION_DENIED = 7,
    NET_GRPC_RESOURCE_EXHAUSTED = 8,
    NET_GRPC_FAILED_PRECONDITION = 9,
    NET_GRPC_ABORTED = 10,
    NET_GRPC_OUT_OF_RANGE = 11,
    NET_GRPC_UNIMPLEMENTED = 12,
    NET_GRPC_INTERNAL = 13,
    NET_GRPC_UNAVAILABLE = 14,
    NET_GRPC_DATA_LOSS = 15,
    NET_GRPC_UNAUTHENTICATED = 16,
};

struct net_reply {
    int status;                       // HTTP status; a gRPC call ignores it
    const struct net_header *headers; // copied; content-length, date and connection are set by net
    size_t n_headers;
    struct net_bytes body; // of a gRPC call with status OK: the message, without its prefix
    enum net_grpc_status grpc_status;
    struct str grpc_message; // copied, UTF-8
    struct str grpc_details; // copied: a serialized google.rpc.Status for grpc-status-details-bin
    uint32_t retry_after_ms; // not 0: Retry-After, or RetryInfo among the details
    // The last byte was given to the kernel (HTTP/2: put into its last frame), or never will be. On
    // the loop thread; undelivered also on the thread that answered.
    void (*on_sent)(void *ctx, bool delivered);
    void *on_sent_ctx;
};

// The answer. Never fails for the caller: when memory is short the client gets 503 or UNAVAILABLE,
// when the client is gone nothing is sent. rq must not be touched afterwards. A body that was not
// taken is released here.
void net_reply(struct net_request *rq, const struct net_reply *reply);

// An answer in pieces: begin, any number of writes, one end. The reply's body, retry and gRPC
// fields are ignored by begin. For gRPC each write is one message. rq lives until the end, which
// is due even after an error. Begin fails only with ERR_NOMEM; then net_reply is still possible.
NODISCARD enum err net_reply_begin(struct net_request *rq, const struct net_reply *head);
// Takes the bytes, also when it fails. Waits while NET_STREAM_BYTES are queued (back-pressure of a
// slow reader; write_timeout_ms bounds it), unless rq->writes_at_once: who sets that bounds what is
// queued. On a loop thread ERR_AGAIN instead of waiting, and then the bytes stay with the caller.
// ERR_CANCELED: the client is gone. ERR_NOMEM, ERR_LIMIT (over 4 GiB at once).
NODISCARD enum err net_reply_write(struct net_request *rq, struct net_bytes bytes);
// Uses the gRPC fields and on_sent of the reply; `end` may be NULL for a plain good end. With
// `abort` the client sees that the answer is incomplete (connection or stream reset).
void net_reply_end(struct net_request *rq, const struct net_reply *end, bool abort);
enum { NET_STREAM_BYTES = 1 << 20 };

#define NET_REFUSAL_TABLE(X) \
    X(TOO_LARGE, "too_large") \
    X(BUDGET, "budget") \
    X(MALFORMED, "malformed") \
    X(TIMEOUT, "timeout") \
    X(CONNECTIONS, "too_many_connections") \
    X(TLS, "tls") \
    X(MEMORY, "memory")

// Why net itself turned something away. A handler's own refusals are not counted here.
enum net_refusal {
#define X(name, text) NET_REFUSED_##name,
    NET_REFUSAL_TABLE(X)
#undef X
        NET_REFUSED_COUNT
};
const char *net_refusal_text(enum net_refusal r); // stable, for metrics

typedef void net_handler(void *ctx, struct net_request *rq);

struct net_listen {
    const char *address;              // "host:port", see os/socket.h
    int kind;                         // a cookie for the handler and the callbacks
    const char *cert_file, *key_file; // PEM; both or none
    const char *client_ca_file;       // PEM; clients must then show a certificate of this CA
    uint64_t max_body_bytes;          // 0 = 16 MiB
    net_handler *handler;             // a whole request
    // Optional: the head is there and no body yet. It may answer at once with net_reply (the body
    // is then not read) or lower rq->max_body_bytes; it keeps nothing.
    net_handler *on_head;
    void *ctx;
};

// 0 in any number means the default.
struct net_opts {
    struct mem_budget *body_budget; // required; outlives the server and every taken body
    struct clock *clock;            // NULL = clock_real()
    uint32_t n_loops;               // one per core
    uint32_t max_connections;       // 4096
    uint32_t max_streams;           // 128 per HTTP/2 connection
    uint32_t max_waiting;           // 256 requests that wait for the budget (64 KiB each at most)
    uint64_t max_head_bytes;        // 64 MiB: heads, handlers' arenas and heads of answers
    uint32_t admit_wait_ms;         // 1000
    uint32_t retry_after_ms;        // 1000: the hint of a refusal for want of budget
    uint32_t header_timeout_ms;     // 10 000: TLS handshake, request head
    uint32_t body_timeout_ms;       // 30 000: in it at least 16 KiB of a body must arrive
    uint32_t idle_timeout_ms;       // 120 000
    uint32_t write_timeout_ms;      // 30 000 without any byte taken by the client
    uint32_t drain_grace_ms;        // 300: a stopping server still takes new requests that long
    // Called on a loop thread for each refusal; must be quick.
    void (*on_refused)(void *ctx, int kind, enum net_refusal why, const char *text, struct str peer);
    void *on_refused_ctx;
};

struct net_stats {
    uint64_t connections; // ever accepted
    uint64_t open;        // now
    uint64_t requests;    // handed to the handler
    uint64_t bytes_in, bytes_out;
    uint64_t refused[NET_REFUSED_COUNT];
};

// ERR_NOMEM, ERR_LIMIT (no descriptors).
NODISCARD enum err net_server_new(const struct net_opts *opts, struct net_server **out);
// Before the start; up to 16 listeners, numbered from 0. The port takes connections from now on,
// which wait for the start. ERR_EXISTS (address in use; the text names it), ERR_INVALID (address,
// certificate), ERR_LIMIT, ERR_IO, ERR_NOMEM.
NODISCARD enum err net_server_listen(struct net_server *s, const struct net_listen *listen,
                                     struct err_ctx *ctx);
uint16_t net_server_port(const struct net_server *s, unsigned listener); // the real one
bool net_server_is_loopback(const struct net_server *s, unsigned listener);
NODISCARD enum err net_server_start(struct net_server *s); // ERR_LIMIT
void net_server_stats(const struct net_server *s, unsigned listener, struct net_stats *out);
uint32_t net_server_waiting(const struct net_server *s); // requests that wait for the budget
// Stops accepting, lets what has begun end, tells HTTP/2 clients (GOAWAY), closes. ERR_TIMEOUT when
// deadline_ms passed and connections were cut. Handlers may answer later still. May be repeated.
NODISCARD enum err net_server_stop(struct net_server *s, uint32_t deadline_ms);
// Stops at once if need be. Requests still with handlers and taken bodies stay valid; the last of
// them frees what they share.
void net_server_free(struct net_server *s);
