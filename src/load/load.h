// SPDX-License-Identifier: Apache-2.0
// A live, made-up shop that sends its traces to an OTLP receiver: for demos, for load, and for
// traces of odd shapes. The generator (load_gen_*) has no clock and no socket: time goes in,
// requests come out, and the same seed and times give the same bytes. load_run is the shell
// around it that sends.
#pragma once

#include <stdatomic.h>

#include "base/str.h"

#define LOAD_SHAPE_TABLE(X) \
    X(SHOP, "shop", "a live shop; with --spans one of its traces, that large") \
    X(WIDE, "wide", "a root with all others as its children") \
    X(DEEP, "deep", "chains of 1000 levels") \
    X(SPARSE, "sparse", "two bursts with eight idle hours between them") \
    X(ORPHANS, "orphans", "no root, and one parent in twenty never arrives") \
    X(SKEW, "skew", "every service's clock is off by up to thirty seconds")

enum load_shape {
#define X(name, text, about) LOAD_##name,
    LOAD_SHAPE_TABLE(X)
#undef X
        LOAD_SHAPE_COUNT
};
const char *load_shape_text(enum load_shape s);
const char *load_shape_about(enum load_shape s);
NODISCARD bool load_shape_of(struct str text, enum load_shape *out);

// One trace may have so many spans, and one request about so many.
enum { LOAD_SPANS_MAX = 10 << 20, LOAD_REQUEST_SPANS = 500 };

struct load_gen;
struct load_gen_opts {
    uint64_t seed;
    enum load_shape shape;
    uint64_t n_spans; // of the one trace; 0: the shop without end (other shapes: 1000)
    double rate;      // spans per second of the endless shop; 0: as many as are asked for
    // Of the endless shop, when it ships (load/ship.h): the start of its plan, Unix time. 0: it does not,
    // and every service runs in three versions at once.
    uint64_t ships_from_ns;
};

// ERR_NOMEM, ERR_LIMIT (n_spans).
NODISCARD enum err load_gen_new(const struct load_gen_opts *opts, struct load_gen **out);
void load_gen_free(struct load_gen *g); // NULL is fine
// Appends the next ExportTraceServiceRequest that is due at now_ns (Unix time, never going back)
// to `out`. *out_spans = 0: none is due, ask again later. Spans of the shop arrive as they end, so
// a trace is spread over requests. thread: one at a time. ERR_NOMEM, ERR_LIMIT (of `out`).
NODISCARD enum err load_gen_next(struct load_gen *g, uint64_t now_ns, struct buf *out, size_t *out_spans);
// No new traces: what has begun still arrives.
void load_gen_finish(struct load_gen *g);
bool load_gen_done(const struct load_gen *g); // nothing will ever be due again

struct load_stats {
    uint64_t spans, requests, bytes; // sent, each once
    uint64_t acked_spans;            // in requests that were answered with success
    uint64_t rejected_spans;         // of those: refused one by one (partial success)
    uint64_t refused_requests;       // answered with an error that a retry will not mend
    uint64_t retries, reconnects;
    uint64_t elapsed_ns;
};

struct load_opts {
    struct load_gen_opts gen;
    const char *url;      // http://host[:4318] or grpc://host[:4317]
    uint64_t duration_ns; // of the endless shop; 0: until stopped
    // Called about once a second on the calling thread; may be NULL.
    void (*progress)(void *ctx, const struct load_stats *s);
    void *progress_ctx;
};

// Sends until the trace is sent, the duration is over, or *stop. A receiver that is not there (any
// more) is tried again for half a minute; one that asks for patience (429, RESOURCE_EXHAUSTED) gets it. *out
// is set in any case. ERR_INVALID (url), ERR_UNAVAILABLE (never answered), ERR_LIMIT, ERR_NOMEM.
NODISCARD enum err load_run(const struct load_opts *opts, const atomic_bool *stop, struct load_stats *out,
                            struct err_ctx *ctx);

// The shop's tools, which tell a Takt what is shipped: first the weeks before the start, in a second or
// two, then what happens, when it happens. With the seed and the start of a generator they tell of the
// versions in its spans.
struct ship;
struct story_opts {
    const char *url; // http://host:port, Takt's own address
    uint64_t seed;
    uint64_t start_ns; // Unix time
    // Gives the last commits of deliveries their names (ship.sha); NULL: made-up ones.
    enum err (*commit)(void *ctx, struct ship *ships, uint32_t n);
    void *ctx;
};
// Until *stop. ERR_INVALID (url), ERR_UNAVAILABLE, ERR_NOMEM, or what commit returns.
NODISCARD enum err story_run(const struct story_opts *opts, const atomic_bool *stop, struct err_ctx *ctx);
