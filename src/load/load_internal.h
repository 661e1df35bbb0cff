// SPDX-License-Identifier: Apache-2.0
// What the parts of the generator share.
#pragma once

#include "load/attr.h"
#include "load/batch.h"
#include "load/load.h"
#include "load/serving.h"

enum {
    TRACE_SPANS_MAX = 200,   // of the endless shop
    TRACE_SERVERS_MAX = 4096 // spans that may still get children
};

struct span_head {
    uint16_t pod;
    enum shop_scope scope;
    uint64_t id, parent; // parent 0 = none
    struct str name;
    uint8_t kind;
    uint64_t start_ns, duration_ns;
    bool failed, by_version; // by_version: of its own kind
};
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, KIND_PRODUCER = 4, KIND_CONSUMER = 5 };

// A span that serves and so may get children.
struct server {
    uint8_t service;
    uint16_t pod;
    uint64_t id, start_ns, duration_ns;
};

// A trace while it grows.
struct trace {
    uint64_t id[2];
    uint64_t start_ns, duration_ns;
    uint64_t n_wanted, n;
    bool bad;
    uint8_t failure;
    char client_ip[16];
    struct str user_agent;
    struct buf user, session; // encoded attributes
    struct server servers[TRACE_SERVERS_MAX];
    size_t n_servers;
};

// Where spans go: `open` chooses the batch by the time at which the span arrives.
struct load_gen {
    struct load_gen_opts opts;
    struct arena arena;
    struct dice dice;
    struct shop shop;
    struct serving *serving; // NULL: the shop does not ship
    struct trace trace;
    uint64_t previous_trace[2];
    struct batch *target; // of the span that is being written
    const struct span_head *head;
    bool failed, finished;
    // The endless shop: spans by the tenth of a second in which they arrive.
    struct batch *slots;
    uint64_t first_slot; // number of the oldest slot; slot s lies at slots[s % N_SLOTS]
    size_t n_pending, pending_bytes;
    uint64_t began_ns, n_made, n_traces;
    // One trace: what is made is sent.
    struct batch single;
};

struct buf *span_open(struct load_gen *g, const struct span_head *h);
void span_close(struct load_gen *g);

void trace_begin(struct load_gen *g, uint64_t start_ns, uint64_t n_wanted);
void trace_begin_bad(struct load_gen *g, uint64_t start_ns);  // its root fails
void trace_begin_slow(struct load_gen *g, uint64_t start_ns); // takes three seconds
void trace_grow(struct load_gen *g);                          // by one or two spans
// Adds span number trace.n of a trace of odd shape.
void shape_begin(struct load_gen *g, uint64_t end_ns);
void shape_grow(struct load_gen *g);
