// SPDX-License-Identifier: Apache-2.0
// The generator. The endless shop begins traces as its rate allows; their spans lie in slots of a
// tenth of a second until they arrive, so that a trace comes in pieces and its root last, as live
// traces do. A single trace skips the slots: what is made is sent.
#include "load/load_internal.h"

enum { N_SLOTS = 1024, MADE_PER_CALL = 4 * LOAD_REQUEST_SPANS };
static const uint64_t slot_ns = 100000000;
static const size_t pending_max_bytes = 256u << 20; // no new traces beyond
static const uint32_t flags = 0x101;                // sampled; known to have a local parent

static const char *const shape_texts[] = {
#define X(name, text, about) text,
    LOAD_SHAPE_TABLE(X)
#undef X
};
static const char *const shape_abouts[] = {
#define X(name, text, about) about,
    LOAD_SHAPE_TABLE(X)
#undef X
};

const char *load_shape_text(enum load_shape s) {
    return shape_texts[s];
}

const char *load_shape_about(enum load_shape s) {
    return shape_abouts[s];
}

bool load_shape_of(struct str text, enum load_shape *out) {
    for (unsigned i = 0; i < LOAD_SHAPE_COUNT; i++)
        if (str_eq(text, str_of(shape_texts[i]))) {
            *out = (enum load_shape)i;
            return true;
        }
    return false;
}

static bool is_endless(const struct load_gen *g) {
    return g->opts.n_spans == 0;
}

static struct batch *slot_at(struct load_gen *g, uint64_t number) {
    return &g->slots[number % N_SLOTS];
}

struct buf *span_open(struct load_gen *g, const struct span_head *h) {
    struct trace *t = &g->trace;
    g->head = h;
    g->target = &g->single;
    if (is_endless(g)) {
        uint64_t delay_ns = dice_u64(&g->dice) % 1000000000; // an exporter's batch
        uint64_t slot = (h->start_ns + h->duration_ns + delay_ns) / slot_ns;
        if (slot < g->first_slot) slot = g->first_slot;
        if (slot >= g->first_slot + N_SLOTS) slot = g->first_slot + N_SLOTS - 1;
        g->target = slot_at(g, slot);
    }
    g->pending_bytes -= g->target->bytes.len;
    struct buf *b = batch_begin(g->target, h->pod, h->scope);
    pb_bytes(b, 1, (struct str){ (const char *)t->id, 16 });
    pb_bytes(b, 2, (struct str){ (const char *)&h->id, 8 });
    if (h->parent) pb_bytes(b, 4, (struct str){ (const char *)&h->parent, 8 });
    pb_bytes(b, 5, h->name);
    pb_varint(b, 6, h->kind);
    pb_fixed64(b, 7, h->start_ns);
    pb_fixed64(b, 8, h->start_ns + h->duration_ns);
    return b;
}

void span_close(struct load_gen *g) {
    struct buf *b = &g->target->bytes;
    if (g->head->failed) {
        const struct shop_failure *f =
            &g->shop.failures[g->head->by_version ? SHOP_FAILURE_OF_VERSION : g->trace.failure];
        size_t event = pb_begin(b, 11);
        pb_fixed64(b, 1, g->head->start_ns + g->head->duration_ns);
        buf_str(b, f->event);
        pb_end(b, event);
        pb_bytes(b, 15, f->status);
    }
    pb_fixed32(b, 16, flags);
    g->failed |= batch_end(g->target) != ERR_OK;
    g->pending_bytes += b->len;
    g->n_pending++;
    g->trace.n++;
    g->n_made++;
}

enum err load_gen_new(const struct load_gen_opts *opts, struct load_gen **out) {
    if (opts->n_spans > LOAD_SPANS_MAX) return ERR_LIMIT;
    struct load_gen *g = mem_zalloc(sizeof *g);
    if (!g) return ERR_NOMEM;
    g->opts = *opts;
    if (opts->shape != LOAD_SHOP && !opts->n_spans) g->opts.n_spans = 1000;
    g->dice.state = hash_u64(opts->seed);
    arena_init(&g->arena, 8 << 20, NULL);
    buf_init(&g->trace.user, 4 << 10);
    buf_init(&g->trace.session, 4 << 10);
    batch_init(&g->single, pending_max_bytes);
    g->slots = is_endless(g) ? mem_zalloc(N_SLOTS * sizeof *g->slots) : NULL;
    for (size_t i = 0; g->slots && i < N_SLOTS; i++) batch_init(&g->slots[i], pending_max_bytes);
    bool no_slots = is_endless(g) && !g->slots, ships = is_endless(g) && opts->ships_from_ns;
    enum err e = no_slots ? ERR_NOMEM : shop_open(&g->arena, &g->dice, &g->shop);
    if (e == ERR_OK && ships) e = serving_new(opts->seed, opts->ships_from_ns, &g->shop, &g->serving);
    if (e != ERR_OK) {
        load_gen_free(g);
        return e;
    }
    *out = g;
    return ERR_OK;
}

void load_gen_free(struct load_gen *g) {
    if (!g) return;
    for (size_t i = 0; g->slots && i < N_SLOTS; i++) batch_fini(&g->slots[i]);
    mem_free(g->slots);
    batch_fini(&g->single);
    serving_free(g->serving);
    buf_fini(&g->trace.user);
    buf_fini(&g->trace.session);
    arena_fini(&g->arena);
    mem_free(g);
}

void load_gen_finish(struct load_gen *g) {
    g->finished = true;
}

bool load_gen_done(const struct load_gen *g) {
    bool made_all =
        is_endless(g) ? g->finished : g->finished || (g->trace.n && g->trace.n >= g->trace.n_wanted);
    return made_all && g->n_pending == 0;
}

// The spans that the shop should have made by now.
static uint64_t budget(const struct load_gen *g, uint64_t now_ns) {
    if (g->finished || g->pending_bytes > pending_max_bytes / 2) return 0;
    if (g->opts.rate <= 0) return UINT64_MAX;
    return 1 + (uint64_t)(g->opts.rate * (double)(now_ns - g->began_ns) * 1e-9);
}

static void make_traces(struct load_gen *g, uint64_t now_ns) {
    if (!g->began_ns) {
        g->began_ns = now_ns;
        g->first_slot = now_ns / slot_ns;
    }
    uint64_t until = g->n_made + MADE_PER_CALL, allowed = budget(g, now_ns);
    if (g->serving) g->failed |= serving_step(g->serving, now_ns, &g->shop) != ERR_OK;
    while (g->n_made < until && g->n_made < allowed && !g->failed) {
        // The second and the third are what a newcomer should see first.
        if (g->n_traces == 1)
            trace_begin_bad(g, now_ns);
        else if (g->n_traces == 2)
            trace_begin_slow(g, now_ns);
        else
            trace_begin(g, now_ns, 0);
        while (g->trace.n < g->trace.n_wanted && !g->failed) trace_grow(g);
    }
}

static enum err next_of_shop(struct load_gen *g, uint64_t now_ns, struct buf *out, size_t *out_spans) {
    make_traces(g, now_ns);
    if (g->failed) return ERR_NOMEM;
    for (; g->first_slot < now_ns / slot_ns; g->first_slot++) {
        struct batch *b = slot_at(g, g->first_slot);
        TRY(batch_request(b, &g->shop, LOAD_REQUEST_SPANS, out, out_spans));
        if (*out_spans) return ERR_OK;
        g->pending_bytes -= b->bytes.len;
        batch_reset(b);
        if (g->n_pending == 0) {
            g->first_slot = now_ns / slot_ns;
            break;
        }
    }
    return ERR_OK;
}

static enum err next_of_trace(struct load_gen *g, uint64_t now_ns, struct buf *out, size_t *out_spans) {
    bool is_shop = g->opts.shape == LOAD_SHOP;
    batch_reset(&g->single);
    g->pending_bytes = 0;
    if (!g->trace.n_wanted) {
        if (is_shop)
            trace_begin(g, now_ns - 10000000000u, g->opts.n_spans);
        else
            shape_begin(g, now_ns);
    }
    while (!g->finished && g->single.n < LOAD_REQUEST_SPANS && g->trace.n < g->trace.n_wanted && !g->failed)
        (is_shop ? trace_grow : shape_grow)(g);
    if (g->failed) return ERR_NOMEM;
    return batch_request(&g->single, &g->shop, SIZE_MAX, out, out_spans);
}

enum err load_gen_next(struct load_gen *g, uint64_t now_ns, struct buf *out, size_t *out_spans) {
    *out_spans = 0;
    TRY((is_endless(g) ? next_of_shop : next_of_trace)(g, now_ns, out, out_spans));
    g->n_pending -= *out_spans;
    return ERR_OK;
}
