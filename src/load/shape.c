// SPDX-License-Identifier: Apache-2.0
// Traces of odd shapes. Every span follows from the seed and its number alone, so that a child knows
// the id and the time of its parent without a table of a million spans.
#include "load/load_internal.h"

enum { DEPTH = 1000, ORPHAN_EVERY = 20 };
static const uint64_t span_s = 1000000000, burst_gap_s = 8 * 3600, skew_max_s = 30;

struct place {
    uint64_t parent; // number of the parent; itself: none
    double from, to; // part of the trace's time
};

static uint64_t mixed(const struct load_gen *g, uint64_t i, uint64_t salt) {
    return hash_u64(g->opts.seed * 0x9e3779b97f4a7c15u + i * 0xd1342543de82ef95u + salt);
}

static uint64_t span_id(const struct load_gen *g, uint64_t i) {
    return mixed(g, i, 1) | 1;
}

static double part(const struct load_gen *g, uint64_t i, uint64_t salt) {
    return (double)(mixed(g, i, salt) >> 11) * 0x1p-53;
}

// A tree in which everybody has about eight children; the child lies within its parent.
static struct place in_tree(const struct load_gen *g, uint64_t i) {
    if (i == 0) return (struct place){ 0, 0, 1 };
    uint64_t path[64], depth = 0;
    for (uint64_t at = i; at; at = (at - 1) / 8) path[depth++] = at;
    double from = 0, to = 1;
    while (depth--) {
        double length = to - from, at = part(g, path[depth], 2) * .8;
        from += length * at;
        to = from + length * (.1 + (.9 - at) * part(g, path[depth], 3));
    }
    return (struct place){ (i - 1) / 8, from, to };
}

static struct place place_of(const struct load_gen *g, uint64_t i) {
    uint64_t n = g->opts.n_spans;
    double at = n > 1 ? (double)i / (double)(n - 1) : 0;
    switch (g->opts.shape) {
    case LOAD_WIDE:
        if (i == 0) return (struct place){ 0, 0, 1 };
        return (struct place){ 0, at * .9, at * .9 + .001 + .09 * part(g, i, 2) };
    case LOAD_DEEP: {
        uint64_t level = i ? 1 + (i - 1) % (DEPTH - 1) : 0; // further chains hang on the root
        uint64_t levels = n < DEPTH ? n : DEPTH;
        double inset = (double)level / (double)(2 * levels);
        return (struct place){ level > 1 ? i - 1 : 0, inset, 1 - inset };
    }
    default: return in_tree(g, i);
    }
}

// Where in time a place lies, in nanoseconds since the trace began.
static uint64_t time_of(const struct load_gen *g, double at) {
    uint64_t total_ns = g->trace.duration_ns;
    if (g->opts.shape != LOAD_SPARSE) return (uint64_t)((double)total_ns * at);
    uint64_t burst_ns = total_ns - burst_gap_s * span_s;
    return (uint64_t)((double)burst_ns * at) + (at >= .5 ? burst_gap_s * span_s : 0);
}

static uint64_t skewed(const struct load_gen *g, uint64_t service, uint64_t ns) {
    if (g->opts.shape != LOAD_SKEW) return ns;
    return ns + mixed(g, service, 4) % (2 * skew_max_s * span_s) - skew_max_s * span_s;
}

void shape_begin(struct load_gen *g, uint64_t end_ns) {
    struct trace *t = &g->trace;
    t->id[0] = mixed(g, 0, 5) | 1;
    t->id[1] = mixed(g, 0, 6);
    t->n_wanted = g->opts.n_spans;
    t->duration_ns = (g->opts.shape == LOAD_SPARSE ? burst_gap_s + 10 : 10) * span_s;
    t->start_ns = end_ns - t->duration_ns;
}

void shape_grow(struct load_gen *g) {
    struct trace *t = &g->trace;
    uint64_t i = t->n;
    struct place p = place_of(g, i);
    uint64_t service = i ? mixed(g, i, 7) % SHOP_SERVICES : 0;
    const struct shop_ops *ops = &g->shop.services[service].done;
    const struct shop_op *op = &ops->list[mixed(g, i, 8) % ops->n];
    bool lost = g->opts.shape == LOAD_ORPHANS && (i == 0 || mixed(g, i, 9) % ORPHAN_EVERY == 0);
    bool has_parent = lost || p.parent != i;
    struct span_head h = { .pod = (uint16_t)(service * SHOP_VERSIONS),
                           .scope = SHOP_OWN,
                           .id = span_id(g, i),
                           .parent = !has_parent ? 0
                                     : lost      ? span_id(g, i + LOAD_SPANS_MAX)
                                                 : span_id(g, p.parent),
                           .name = op->name,
                           .kind = i ? KIND_INTERNAL : KIND_SERVER,
                           .start_ns = t->start_ns + skewed(g, service, time_of(g, p.from)),
                           .duration_ns = time_of(g, p.to) - time_of(g, p.from),
                           .failed = mixed(g, i, 10) % 200 == 0 };
    struct buf *b = span_open(g, &h);
    buf_str(b, op->constant);
    attr_int(b, ATTR_SPAN, "thread.id", mixed(g, i, 11) % 64);
    attr_int(b, ATTR_SPAN, "app.items.count", mixed(g, i, 12) % 40);
    span_close(g);
}
