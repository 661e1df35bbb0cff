// SPDX-License-Identifier: Apache-2.0
// The span table: spans as columns in memory, append-only. The head of a tenant is one, a trace
// that is being read is one, and a block is written from one; every source and every sink of
// spans meets here. Whatever OTLP can say about a span is kept, except the order of its attributes.
//
// thread: one writer. Readers take `n = span_table_count(t)` once and look only at rows < n, without
// a lock: nothing that was published moves or changes, but for a trace's newest row (see trace_rows).
#pragma once

#include "span/attrs.h"

#define SPAN_NONE UINT32_MAX

enum { SPAN_TIME_MAX_BITS = 63, RESOURCES_MAX = 50000 };

// Where a span's resource or scope is described: canonical protobuf bytes (see canon.h).
struct span_entity {
    struct str bytes;
    struct str service; // of a resource: the string value of service.name, or ""
};

struct span_trace {
    uint8_t id[16];
    _Atomic uint32_t last_row; // of the chain through `prev`
    uint32_t n_rows;
};

struct span_table {
    struct arena arena;
    _Atomic uint32_t n_published;
    uint32_t n; // rows of the writer

    // A value per row.
    struct segvec trace;     // u32: index in traces
    struct segvec prev;      // u32: the trace's row before this one, SPAN_NONE = first
    struct segvec span_id;   // u64: the 8 bytes as they are
    struct segvec parent_id; // u64, 0 = none
    struct segvec start_ns;  // u64
    struct segvec end_ns;    // u64
    struct segvec name;      // u32: id in names
    struct segvec flags;     // u32
    struct segvec resource;  // u32: index in resources
    struct segvec scope;     // u32: index in scopes
    struct segvec kind;      // u8
    struct segvec status;    // u8
    struct dict names;
    struct attr_table attrs;

    // Values that few rows have: pairs (row, value) in row order.
    struct span_sparse {
        struct segvec rows, vals; // u32, u32
        _Atomic uint32_t n;
    } status_message, trace_state, dropped_attributes, dropped_events, dropped_links;
    struct dict texts; // of status_message, trace_state, event names, link trace states

    // Events and links: rows of their own, in the order of their spans.
    struct span_events {
        struct segvec span, time_ns, name, dropped; // u32, u64, u32 id in texts, u32
        struct attr_table attrs;
        _Atomic uint32_t n;
    } events;
    struct span_links {
        struct segvec span, trace_hi, trace_lo, span_id, state, flags, dropped; // u32, u64 x3, u32 x3
        struct attr_table attrs;
        _Atomic uint32_t n;
    } links;

    struct segvec resources, scopes; // struct span_entity
    _Atomic uint32_t n_resources, n_scopes;
    struct map resource_map, scope_map;

    struct segvec traces; // struct span_trace
    _Atomic uint32_t n_traces;
    struct span_index *_Atomic index; // of trace ids; replaced by a larger one, the old stays readable
};

// A span on its way in. Everything is borrowed for the call.
struct span_in {
    const uint8_t *trace_id; // 16 bytes
    uint64_t span_id, parent_id;
    uint64_t start_ns, end_ns; // at most 2^63 - 1
    struct str name, trace_state, status_message;
    uint32_t flags, resource, scope;
    uint32_t dropped_attributes, dropped_events, dropped_links;
    uint8_t kind, status;
    const struct attr_in *attrs;
    uint32_t n_attrs;
};
struct span_event_in {
    uint64_t time_ns;
    struct str name;
    uint32_t dropped;
    const struct attr_in *attrs; // keys of t->events.attrs
    uint32_t n_attrs;
};
struct span_link_in {
    uint8_t trace_id[16];
    uint64_t span_id;
    struct str trace_state;
    uint32_t flags, dropped;
    const struct attr_in *attrs; // keys of t->links.attrs
    uint32_t n_attrs;
};

// limit_bytes and budget bound the memory. No allocation until the first row.
void span_table_init(struct span_table *t, size_t limit_bytes, struct mem_budget *budget);
void span_table_fini(struct span_table *t);

// The index of an entity with exactly these canonical bytes. ERR_LIMIT past RESOURCES_MAX.
NODISCARD enum err span_table_resource(struct span_table *t, struct str bytes, struct str service,
                                       uint32_t *out);
NODISCARD enum err span_table_scope(struct span_table *t, struct str bytes, uint32_t *out);

// Adds a span, then its events and links (in this order; they belong to the span added last).
// rest: REST_ fields to go with it; "" mostly. After an error the table may hold half a row past
// its published count: it must not be added to again.
NODISCARD enum err span_table_add(struct span_table *t, const struct span_in *in, struct buf *rest);
NODISCARD enum err span_table_add_event(struct span_table *t, const struct span_event_in *in,
                                        struct buf *rest);
NODISCARD enum err span_table_add_link(struct span_table *t, const struct span_link_in *in, struct buf *rest);

// Makes the rows added so far visible to readers.
static inline void span_table_publish(struct span_table *t) {
    atomic_store_explicit(&t->n_published, t->n, memory_order_release);
}
static inline uint32_t span_table_count(const struct span_table *t) {
    return atomic_load_explicit(&t->n_published, memory_order_acquire);
}

// The newest row of a trace among the first n_rows, or SPAN_NONE; then follow span_table_prev.
uint32_t span_table_find(const struct span_table *t, uint32_t n_rows, const uint8_t id[16]);
static inline uint32_t span_table_prev(const struct span_table *t, uint32_t row) {
    return SEG_AT(&t->prev, row, uint32_t);
}

static inline struct span_trace *span_trace_at(const struct span_table *t, uint32_t i) {
    return (struct span_trace *)segvec_at(&t->traces, i, sizeof(struct span_trace));
}
static inline const uint8_t *span_trace_id(const struct span_table *t, uint32_t row) {
    return span_trace_at(t, SEG_AT(&t->trace, row, uint32_t))->id;
}
static inline struct span_entity *span_resource_at(const struct span_table *t, uint32_t i) {
    return (struct span_entity *)segvec_at(&t->resources, i, sizeof(struct span_entity));
}
static inline struct span_entity *span_scope_at(const struct span_table *t, uint32_t i) {
    return (struct span_entity *)segvec_at(&t->scopes, i, sizeof(struct span_entity));
}
static inline struct str span_service(const struct span_table *t, uint32_t row) {
    return span_resource_at(t, SEG_AT(&t->resource, row, uint32_t))->service;
}
static inline struct str span_name(const struct span_table *t, uint32_t row) {
    return dict_get(&t->names, SEG_AT(&t->name, row, uint32_t));
}
// The value of a sparse column for a row, `none` where it has none.
uint32_t span_sparse_get(const struct span_sparse *s, uint32_t row, uint32_t none);
// The first event (link) of a row, and how many follow; only rows of spans < the reader's count.
uint32_t span_table_events(const struct span_table *t, uint32_t row, uint32_t *out_n);
uint32_t span_table_links(const struct span_table *t, uint32_t row, uint32_t *out_n);

// end - start, 0 where the end lies before the start (kept as sent, queried as 0).
static inline uint64_t span_duration_ns(const struct span_table *t, uint32_t row) {
    uint64_t start = SEG_AT(&t->start_ns, row, uint64_t), end = SEG_AT(&t->end_ns, row, uint64_t);
    return end > start ? end - start : 0;
}
