// SPDX-License-Identifier: Apache-2.0
// The unit (seconds where all times are whole), counts, rows. A change's times are differences to its
// opening, that to the one before; a run's to its end, that to the run before.
#include "delivery/flow.h"

#include "delivery/packed.h"

static void put_str(struct buf *b, struct str s) {
    wr_varint(b, s.len);
    buf_str(b, s);
}

static struct str take_str(struct reader *r) {
    uint64_t n = rd_varint(r);
    if (n > rd_left(r)) r->bad = true;
    return r->bad ? STR("") : rd_bytes(r, n);
}

static int64_t take(struct reader *r, int64_t base, int64_t unit) {
    return (int64_t)((uint64_t)packed_take_time(r, base) * (uint64_t)unit);
}

// --- changes -----------------------------------------------------------------------------------------------

static bool changes_whole(const struct flow_changes *c) {
    uint32_t d = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct flow_change *x = &c->items[i];
        if (!packed_is_whole(x->first_commit) || !packed_is_whole(x->opened) ||
            !packed_is_whole(x->first_review) || !packed_is_whole(x->approved) ||
            !packed_is_whole(x->merged) || !packed_is_whole(x->ci_ns) || !packed_is_whole(x->ci_sum_ns))
            return false;
        for (uint32_t k = 0; k < c->n_deliveries[i]; k++)
            if (!packed_is_whole(c->deliveries[d++].finished)) return false;
    }
    return true;
}

static void put_change(struct buf *b, const struct flow_change *x, int64_t base, int64_t unit) {
    int64_t at = x->opened / unit;
    wr_u8(b, x->flags);
    packed_put_time(b, at, base);
    packed_put_time(b, x->first_commit / unit, at);
    packed_put_time(b, x->first_review / unit, at);
    packed_put_time(b, x->approved / unit, at);
    packed_put_time(b, x->merged / unit, at);
    wr_varint(b, x->n_runs);
    if (x->n_runs) {
        wr_varint(b, (uint64_t)(x->ci_ns / unit));
        wr_varint(b, (uint64_t)(x->ci_sum_ns / unit));
    }
    wr_varint(b, x->rounds);
}

void flow_pack_changes(const struct flow_changes *c, struct buf *out, struct buf *out_names) {
    int64_t unit = changes_whole(c) ? PACKED_SECOND : 1, base = 0;
    const struct flow_delivery *d = c->deliveries;
    wr_u8(out, unit == PACKED_SECOND);
    wr_varint(out, c->n_scopes);
    for (uint32_t i = 0; i < c->n_scopes; i++) {
        put_str(out, c->scopes[i].service);
        put_str(out, c->scopes[i].environment);
    }
    wr_varint(out, c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        put_change(out, &c->items[i], base, unit);
        base = c->items[i].opened / unit;
        wr_varint(out, c->n_deliveries[i]);
        for (uint32_t k = c->n_deliveries[i]; k; k--, d++) {
            wr_varint(out, d->scope);
            packed_put_time(out, d->finished / unit, base);
            wr_u64le(out, d->rollout);
        }
        put_str(out_names, c->items[i].key);
    }
}

static void take_change(struct reader *r, struct flow_change *x, int64_t *base, int64_t unit) {
    x->flags = rd_u8(r);
    *base = packed_take_time(r, *base);
    x->opened = (int64_t)((uint64_t)*base * (uint64_t)unit);
    x->first_commit = take(r, *base, unit);
    x->first_review = take(r, *base, unit);
    x->approved = take(r, *base, unit);
    x->merged = take(r, *base, unit);
    x->n_runs = (uint32_t)rd_varint(r);
    if (x->n_runs) {
        x->ci_ns = (int64_t)(rd_varint(r) * (uint64_t)unit);
        x->ci_sum_ns = (int64_t)(rd_varint(r) * (uint64_t)unit);
    }
    x->rounds = (uint16_t)rd_varint(r);
}

static void take_deliveries(struct reader *r, struct flow_change *x, int64_t base, int64_t unit,
                            const bool *holds, uint64_t n_scopes) {
    for (uint64_t k = rd_varint(r); k && !r->bad; k--) {
        uint64_t scope = rd_varint(r);
        int64_t finished = take(r, base, unit);
        uint64_t rollout = rd_u64le(r);
        if (scope >= n_scopes) r->bad = true;
        if (r->bad || !holds[scope] || (x->deployed && x->deployed <= finished)) continue;
        x->deployed = finished;
        x->rollout = rollout;
    }
}

enum err flow_unpack_changes(struct arena *a, struct str packed, struct str names, flow_holds *holds,
                             const void *ctx, struct flow *out) {
    struct reader r = reader_of(packed), named = reader_of(names);
    int64_t unit = rd_u8(&r) ? PACKED_SECOND : 1, base = 0;
    uint64_t n_scopes = rd_varint(&r);
    if (r.bad || n_scopes > packed.len) return ERR_CORRUPT; // each takes more than a byte
    bool *held = ARENA_ARRAY(a, n_scopes + 1, bool);
    if (!held) return ERR_NOMEM;
    for (uint64_t i = 0; i < n_scopes && !r.bad; i++) {
        struct flow_scope s = { take_str(&r), { 0 } };
        s.environment = take_str(&r);
        held[i] = holds(ctx, &s);
    }
    uint64_t n = rd_varint(&r);
    if (r.bad || n > packed.len) return ERR_CORRUPT;
    out->changes = ARENA_ARRAY(a, n + 1, struct flow_change);
    if (!out->changes) return ERR_NOMEM;
    for (uint64_t i = 0; i < n && !r.bad; i++) {
        struct flow_change *x = &out->changes[i];
        *x = (struct flow_change){ .key = names.len ? take_str(&named) : STR("") };
        take_change(&r, x, &base, unit);
        take_deliveries(&r, x, base, unit, held, n_scopes);
    }
    out->n_changes = (uint32_t)n;
    return r.bad || named.bad || r.pos != r.end ? ERR_CORRUPT : ERR_OK;
}

// --- runs --------------------------------------------------------------------------------------------------

static bool runs_whole(const struct flow *f) {
    for (uint32_t i = 0; i < f->n_runs; i++)
        if (!packed_is_whole(f->runs[i].queued) || !packed_is_whole(f->runs[i].started) ||
            !packed_is_whole(f->runs[i].ended))
            return false;
    for (uint32_t i = 0; i < f->n_groups; i++)
        if (!packed_is_whole(f->groups[i].ended)) return false;
    return true;
}

void flow_pack_runs(const struct flow *f, struct buf *out, struct buf *out_names) {
    int64_t unit = runs_whole(f) ? PACKED_SECOND : 1, base = 0;
    wr_u8(out, unit == PACKED_SECOND);
    wr_varint(out, f->n_runs);
    wr_varint(out, f->n_groups);
    for (uint32_t i = 0; i < f->n_runs; i++) {
        const struct flow_run *x = &f->runs[i];
        int64_t ended = x->ended / unit, at = ended ? ended : base;
        wr_u8(out, (uint8_t)((unsigned)x->result | (unsigned)x->branch << 3 | (unsigned)x->begins << 5));
        packed_put_time(out, ended, base);
        packed_put_time(out, x->started / unit, at);
        packed_put_time(out, x->queued / unit, at);
        base = at;
        put_str(out_names, x->key);
    }
    for (uint32_t i = 0; i < f->n_groups; i++) {
        const struct flow_group *g = &f->groups[i];
        wr_u8(out, g->is_test);
        wr_varint(out, g->n_success);
        wr_varint(out, g->n_failure);
        wr_varint(out, g->n_error);
        packed_put_time(out, g->ended / unit, base);
        if (g->ended) base = g->ended / unit;
        put_str(out_names, g->name);
        put_str(out_names, g->sha);
    }
}

static void take_run(struct reader *r, struct flow_run *x, int64_t *base, int64_t unit) {
    unsigned bits = rd_u8(r);
    x->result = (enum flow_result)(bits & 7);
    x->branch = (enum flow_branch)(bits >> 3 & 3);
    x->begins = bits >> 5 & 1;
    int64_t ended = packed_take_time(r, *base);
    if (ended) *base = ended;
    x->ended = (int64_t)((uint64_t)ended * (uint64_t)unit);
    x->started = take(r, *base, unit);
    x->queued = take(r, *base, unit);
    if (x->result > FLOW_OTHER || x->branch > FLOW_BRANCH_ANOTHER) r->bad = true;
}

static void take_group(struct reader *r, struct flow_group *g, int64_t *base, int64_t unit) {
    g->is_test = rd_u8(r) != 0;
    g->n_success = (uint32_t)rd_varint(r);
    g->n_failure = (uint32_t)rd_varint(r);
    g->n_error = (uint32_t)rd_varint(r);
    int64_t ended = packed_take_time(r, *base);
    if (ended) *base = ended;
    g->ended = (int64_t)((uint64_t)ended * (uint64_t)unit);
}

enum err flow_unpack_runs(struct arena *a, struct str packed, struct str names, struct flow *out) {
    struct reader r = reader_of(packed), named = reader_of(names);
    int64_t unit = rd_u8(&r) ? PACKED_SECOND : 1, base = 0;
    uint64_t n = rd_varint(&r), n_groups = rd_varint(&r);
    if (r.bad || n > packed.len || n_groups > packed.len) return ERR_CORRUPT;
    out->runs = ARENA_ARRAY(a, n + 1, struct flow_run);
    out->groups = ARENA_ARRAY(a, n_groups + 1, struct flow_group);
    if (!out->runs || !out->groups) return ERR_NOMEM;
    for (uint64_t i = 0; i < n && !r.bad; i++) {
        out->runs[i].key = names.len ? take_str(&named) : STR("");
        take_run(&r, &out->runs[i], &base, unit);
    }
    for (uint64_t i = 0; i < n_groups && !r.bad; i++) {
        struct flow_group *g = &out->groups[i];
        *g = (struct flow_group){ .name = names.len ? take_str(&named) : STR("") };
        if (names.len) g->sha = take_str(&named);
        take_group(&r, g, &base, unit);
    }
    out->n_runs = (uint32_t)n;
    out->n_groups = (uint32_t)n_groups;
    return r.bad || named.bad || r.pos != r.end ? ERR_CORRUPT : ERR_OK;
}
