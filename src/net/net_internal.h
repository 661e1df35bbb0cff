// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share: server, loop, connection, exchange (one request and its
// answer). Who may touch what is said at each struct; "loop" means the thread of that loop.
#pragma once

#include "net/admit.h"
#include "net/body.h"
#include "net/h1.h"
#include "net/net.h"
#include "net/timer.h"
#include "net/tls.h"
#include "os/clock.h"
#include "os/socket.h"
#include "os/thread.h"

enum {
    SCRATCH_BYTES = 256 << 10, // one read; shared by the connections of a loop
    H1_READ_BYTES = 16 << 10,  // a read that may hold the head of a request: little is copied twice
    OUT_BYTES = 64 << 10,      // written at once; a connection buffers little more than that
    RUN_BYTES = 1 << 20,       // one connection reads before others have their turn
    IN_MAX = H1_HEAD_MAX + SCRATCH_BYTES, // bytes received and not looked at yet
    LINGER_BYTES = 8 << 20, // read and dropped after a refusal, so that the client sees the answer
    LINGER_MS = 1000,
    PAUSE_MS = 100,              // without descriptors: no accept
    ADMIT_POLL_MS = 50,          // another user of the budget gives back without telling us
    H2_STREAM_WINDOW = 64 << 10, // what a waiting stream may buffer
    H2_CONN_WINDOW = 8 << 20,
    H2_GRANT_WINDOW = 4 << 20, // at most, for a stream whose memory is reserved
    BODY_PROGRESS_MIN = 16 << 10,
    REPLY_HEADERS_MAX = 64,
    LISTENERS_MAX = 16,
    LOOPS_MAX = 256,
    EVENTS_MAX = 256,
    ARENA_MAX = NET_ARENA_BYTES + 3 * H1_HEAD_MAX, // a head is copied, and its address decoded twice
};

struct loop;
struct conn;
struct exch;

// A note to a loop; embedded in the object it is about. queued: under the lock of the loop.
struct post {
    struct post *next;
    bool queued;
    void (*run)(struct post *p); // on the loop
};

struct counters {
    _Atomic uint64_t connections, closed, requests, bytes_in, bytes_out;
    _Atomic uint64_t refused[NET_REFUSED_COUNT];
} __attribute__((aligned(64)));

static inline void count_add(_Atomic uint64_t *c, uint64_t n) {
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

// Fixed once the server has started.
struct listener {
    struct net_server *server;
    int fd;
    unsigned index;
    struct net_listen opts; // its texts are not kept
    struct tls_server *tls;
};

enum server_phase { SERVER_NEW, SERVER_RUNNING, SERVER_DRAINING, SERVER_CUT, SERVER_STOPPED };

struct net_server {
    struct net_opts opts;
    struct clock *clock;
    struct admission admission;
    struct mem_budget heads;
    struct listener listeners[LISTENERS_MAX];
    unsigned n_listeners;
    struct loop *loops;
    unsigned n_loops;
    _Atomic uint32_t phase;
    _Atomic uint32_t n_conns;
    _Atomic uint32_t n_deaf; // loops that accept no more
    _Atomic uint64_t refs;   // the owner, every exchange, every taken body
    struct mutex lock;
    struct cond changed; // n_conns or n_deaf, while draining
};

struct loop {
    struct net_server *server;
    struct thread thread;
    struct poller poller;
    struct wake wake;
    struct timers timers;
    struct timer pause; // armed: out of descriptors; or the grace of a drain
    struct timer grace;
    uint64_t now_ns;
    uint32_t phase; // of the server, as far as this loop has followed it
    struct conn *conns, *dead;
    struct conn *ready, **ready_end; // connections with something to do
    _Atomic uint32_t n_conns;
    uint8_t *scratch;
    struct buf out;
    uint64_t date_until_ns; // when `date` is to be looked at again
    char date[32];
    struct counters counters[LISTENERS_MAX];

    struct mutex lock; // of what follows
    struct post *first, **last;
    bool ended;
};

// --- loop.c ---------------------------------------------------------------------------------------
NODISCARD enum err loop_init(struct loop *l, struct net_server *s);
void loop_fini(struct loop *l);
void loop_main(void *arg);
// One turn: waits at most max_wait_ms (-1 = as long as the timers allow), then does what is due.
void loop_turn(struct loop *l, int max_wait_ms);
void loop_end(struct loop *l); // closes what is left; the loop takes no posts any more
// false: it is queued already, or the loop has ended.
bool loop_post(struct loop *l, struct post *p);
bool loop_is_current(void); // the calling thread is a loop's
struct str loop_date(struct loop *l);

// --- conn.c ---------------------------------------------------------------------------------------
enum conn_phase { CONN_HANDSHAKE, CONN_SNIFF, CONN_HTTP1, CONN_HTTP2, CONN_LINGER, CONN_DEAD };

enum http1_phase { HTTP1_HEAD, HTTP1_WAIT, HTTP1_BODY, HTTP1_HANDLER, HTTP1_REPLY };
struct http1 {
    enum http1_phase phase;
    struct exch *x;
    struct h1_scan scan;
    struct h1_chunked chunk;
    bool chunked, keep_alive, http10, expects; // expects: "100 Continue" before it sends the body
    bool ended;                                // an answer in pieces: all of it is in conn.out or sent
};
struct http2 {
    struct nghttp2_session *session;
    uint32_t n_streams; // with an exchange
    bool invalid;       // a frame that was not valid came, and was counted
};

// thread: the loop's.
struct conn {
    struct loop *loop;
    struct listener *listener;
    struct counters *counters;
    struct conn *prev, *next, *ready_next;
    struct post post; // while it is handed to another loop
    int fd;
    struct tls *tls;
    enum conn_phase phase;
    bool is_ready, readable, hung_up; // hung_up: the other end sends no more
    struct timer timer, write_timer;
    uint64_t written, write_mark;
    uint64_t lingered;
    uint64_t turn_bytes; // read in this run
    struct buf in;       // received, not looked at
    struct str view;     // during a run: what is not looked at yet, in `in` or in the loop's scratch
    uint64_t in_charged;
    struct buf out; // to be sent
    size_t out_pos;
    struct exch *exchs;
    struct http1 h1;
    struct http2 h2;
    char peer[SOCK_TEXT_MAX];
};

void conn_accept(struct loop *l, struct listener *ln); // takes all that wait
// Serves fd on this loop. The fd is closed on failure.
NODISCARD enum err conn_new(struct loop *l, struct listener *ln, int fd, const char *peer, struct conn **out);
void conn_adopt(struct conn *c, struct loop *l); // on the thread of l
void conn_free(struct conn *c);
void conn_event(struct conn *c, uint32_t events);
void conn_ready(struct conn *c); // its turn comes
void conn_run(struct conn *c);
void conn_close(struct conn *c); // at once; freed at the end of the turn
// Sends what is buffered, says goodbye, waits a little for the other end to have seen it.
void conn_finish(struct conn *c);
// AGAIN; CANCELED: the other end has finished; IO.
NODISCARD enum err conn_read(struct conn *c, void *dst, size_t n, size_t *out_n);
// OK: *out_n bytes left, maybe not all. AGAIN, IO. Watches over the progress.
NODISCARD enum err conn_write(struct conn *c, const struct iovec *iov, int n_iov, size_t *out_n);
// Sends c->out, then `tail` (may be empty). OK: everything; *tail is advanced. AGAIN, IO.
NODISCARD enum err conn_flush(struct conn *c, struct str *tail);
// Reads up to n bytes behind c->view. NOMEM beside the errors of conn_read.
NODISCARD enum err conn_fill(struct conn *c, size_t n);
void conn_consume(struct conn *c, size_t n);
void conn_refused(struct conn *c, enum net_refusal why, const char *text); // counts and tells

// --- exch.c ---------------------------------------------------------------------------------------
struct out_chunk {
    struct out_chunk *next;
    struct net_bytes bytes;
    size_t pos;
    uint8_t prefix[GRPC_PREFIX];
    uint8_t n_prefix, prefix_pos;
};

// The queue of an answer in pieces. Everything under its lock; `canceled` of the exchange too,
// when a writer waits.
struct out_stream {
    struct mutex lock;
    struct cond room;
    struct out_chunk *first, **last;
    size_t queued; // bytes
    bool ended, aborted;
};

enum exch_phase { EXCH_HEAD, EXCH_WAIT, EXCH_BODY, EXCH_HANDLER, EXCH_REPLY, EXCH_DONE };

// One request and its answer. Until the handler is called, and after its answer came by the
// mailbox, it is the loop's; in between the handler's, except for what is said to be the loop's.
struct exch {
    struct net_request rq; // first: handlers see only this
    struct net_server *server;
    struct loop *loop;
    struct listener *listener;
    struct arena arena;
    _Atomic uint64_t refs; // the connection; the handler; each queued post
    _Atomic bool canceled;

    struct conn *conn;        // loop; NULL once the connection or stream is gone
    struct exch *prev, *next; // loop: of the same connection
    enum exch_phase phase;    // loop
    int32_t stream_id;
    bool remote_end;    // loop: the whole body was received
    bool end_sent;      // loop
    bool deferred;      // loop, HTTP/2: sending waits for the handler
    bool window_open;   // loop, HTTP/2
    size_t window_owed; // loop, HTTP/2: bytes received whose window was not given back
    bool begun;         // loop: the answer goes out
    struct timer timer;
    uint64_t progress, progress_mark; // loop: bytes of the body, or of the answer
    struct admit_wait wait;
    struct post admit_post;

    struct body body;
    struct buf held; // received while waiting for the budget
    uint32_t n_fields, cap_fields;
    size_t head_bytes;
    struct net_header *fields;
    bool head_bad;                // too large, or no memory for it
    bool has_length, open_length; // open_length: chunked
    uint64_t length;

    struct post reply_post;
    bool answered;         // begin or reply was called
    _Atomic bool finished; // reply or end was called: no more comes
    int status;
    struct net_header *reply_headers;
    size_t n_reply_headers;
    struct out_chunk one; // the body of a whole answer
    bool has_one;
    struct out_stream *stream; // or an answer in pieces
    unsigned grpc_status;
    struct str grpc_message, grpc_details; // as sent
    uint32_t retry_after_s;
    void (*on_sent)(void *ctx, bool delivered);
    void *on_sent_ctx;
};

// NULL: no memory.
struct exch *exch_new(struct conn *c);
static inline void exch_ref(struct exch *x) {
    x->refs++;
}
void exch_unref(struct exch *x);
// A field of the head, copied. false: too many, too large or no memory; then head_bad is set.
NODISCARD bool exch_field(struct exch *x, struct str name, struct str value);
NODISCARD bool exch_target(struct exch *x, struct str target); // false: malformed, or no memory
// The head is complete, `method`, `host` and target are set: prepares the body and calls on_head.
// false: it was refused or answered; the body is not read.
NODISCARD bool exch_begin(struct exch *x);
// Body bytes: takes from the front of *in as long as memory is there. MORE: all taken; FULL: end
// of a body of known length; RESERVE: must wait for memory, exch_granted follows; BAD: refused.
enum body_next exch_feed(struct exch *x, struct str *in);
// The end of the body: calls the handler, or refuses.
void exch_body_end(struct exch *x);
// Answers for net itself.
void exch_refuse(struct exch *x, enum net_refusal why, int status, const char *text);
void exch_post(struct exch *x, struct post *p); // the post holds a reference
// The answer is out, or the client is gone: the connection lets go of it.
void exch_done(struct exch *x, bool delivered);

// --- reply.c --------------------------------------------------------------------------------------
void exch_answer_now(struct exch *x, const struct net_reply *r); // of net itself, on the loop
void exch_cancel(struct exch *x);                                // the client is gone, or hung up its side
void exch_reply_post(struct post *p);
void exch_reply_done(struct exch *x, bool delivered);
void exch_reply_free(struct exch *x);
// Of an answer in pieces: the next piece, which is not empty, becomes x->one. false: there is none now.
// *end: nothing more comes; *abort: and that is wrong.
bool exch_take(struct exch *x, bool *end, bool *abort);
bool exch_drop(struct exch *x); // the piece in hand was sent; false: there was none
// Copies up to n bytes of the answer's body. *end: nothing more comes; *abort: and that is wrong.
size_t exch_pull(struct exch *x, uint8_t *dst, size_t n, bool *end, bool *abort);

struct str net_header_in(const struct net_header *headers, size_t n, struct str name);
void server_unref(struct net_server *s);
void server_refused(struct net_server *s, struct listener *ln, struct counters *k, enum net_refusal why,
                    const char *text, const char *peer);

// --- http1.c, http2.c -----------------------------------------------------------------------------
void http1_start(struct conn *c);
void http1_run(struct conn *c);
void http1_resume(struct exch *x); // memory was granted
void http1_reply(struct exch *x);  // the answer, or more of it, is there
void http1_drain(struct conn *c);  // closes it if it is idle
void http1_timeout(struct conn *c);
NODISCARD enum err http2_start(struct conn *c);
void http2_run(struct conn *c);
void http2_resume(struct exch *x);
void http2_reply(struct exch *x);
void http2_stalled(struct exch *x); // a timer's question: does the client still read the answer?
void http2_drain(struct conn *c, bool last);
void http2_timeout(struct conn *c);
void http2_free(struct conn *c);
