// SPDX-License-Identifier: Apache-2.0
// An accumulator as bytes: attributes, then groups with their cells. Intervals are numbered from the
// beginning of time, so that another range finds them.
#include "exec/metrics_internal.h"

#include "base/cursor.h"

static uint64_t first_interval(const struct metric_plan *p) {
    return p->range.is_instant ? 0 : p->range.start_ns / p->range.step_ns;
}

// --- there -----------------------------------------------------------------------------------------

static void pack_text(struct str s, struct buf *out) {
    wr_varint(out, s.len);
    buf_str(out, s);
}

static void pack_value(const struct value *v, struct buf *out) {
    wr_u8(out, (uint8_t)v->type);
    if (v->type == VALUE_STRING || v->type == VALUE_ANY)
        pack_text(v->s, out);
    else if (v->type != VALUE_NIL)
        wr_u64le(out, (uint64_t)v->i);
}

static void pack_picks(const struct metric_cell *c, struct buf *out) {
    uint32_t n = 0;
    for (const struct metric_pick *x = c->pick; x; x = x->rival) n++;
    wr_varint(out, n);
    if (n) wr_u64le(out, c->rank);
    for (const struct metric_pick *x = c->pick; x; x = x->rival) {
        DASSERT(x->batch != METRIC_BATCH_ONCE);
        buf_add(out, x->trace_id, sizeof x->trace_id);
        wr_u32le(out, x->row);
        buf_add(out, &x->value, sizeof x->value);
        pack_value(&x->of, out);
    }
}

static void pack_cell(const struct metric_plan *p, const struct metric_cell *c, struct buf *out) {
    wr_varint(out, c->count);
    pack_picks(c, out);
    switch (p->function) {
    case QL_MIN_OVER_TIME:
    case QL_MAX_OVER_TIME: buf_add(out, &((const struct extreme_cell *)c)->extreme, sizeof(double)); break;
    case QL_AVG_OVER_TIME:
    case QL_SUM_OVER_TIME: exactsum_pack(&((const struct sum_cell *)c)->sum, out); break;
    case QL_QUANTILE_OVER_TIME: sketch_pack(&((const struct sketch_cell *)c)->sketch, out); break;
    default: break;
    }
}

// The next interval from `step` on that has a cell; NULL: there is none.
static const struct metric_cell *next_cell(const struct metric_plan *p, const struct metric_group *g,
                                           uint32_t *step) {
    for (; *step < p->steps; ++*step) {
        const struct metric_cell *c = metric_cell_get(p, g, *step);
        if (c) return c;
        if (!g->pages[*step / CELLS_PAGE]) *step |= CELLS_PAGE - 1;
    }
    return NULL;
}

static void pack_group(const struct metric_acc *m, const struct metric_group *g, struct buf *out) {
    const struct metric_plan *p = m->plan;
    uint32_t n = 0, step;
    wr_varint(out, g->mark);
    for (uint32_t i = 0; i < metric_group_size(p); i++) pack_value(&g->by[i], out);
    for (step = 0; next_cell(p, g, &step); step++) n++;
    wr_varint(out, n);
    step = 0;
    for (const struct metric_cell *c; (c = next_cell(p, g, &step)) != NULL; step++) {
        wr_varint(out, first_interval(p) + step);
        pack_cell(p, c, out);
    }
}

void metric_pack(const struct metric_acc *m, struct buf *out) {
    wr_varint(out, m->n_attrs);
    for (uint32_t i = 0; i < m->n_attrs; i++) {
        const struct compare_attr *x = &m->attrs[i];
        wr_u8(out, x->field.of_parent);
        wr_u8(out, (uint8_t)x->field.scope);
        wr_u8(out, (uint8_t)x->field.intrinsic);
        pack_text(x->field.key, out);
        for (int side = 0; side < 2; side++) {
            wr_varint(out, x->n_values[side]);
            wr_u8(out, x->has_too_many[side]);
        }
    }
    wr_varint(out, m->n_groups);
    for (uint32_t i = 0; i < m->n_groups && !out->failed; i++) pack_group(m, m->groups[i], out);
}

// --- and back --------------------------------------------------------------------------------------

struct unpacking {
    struct metric_acc *acc;
    struct reader r;
    uint32_t number;
};

static struct str unpack_text(struct reader *r) {
    return rd_bytes(r, rd_varint(r));
}

static struct value unpack_value(struct reader *r) {
    struct value v = { .type = (enum value_type)rd_u8(r) };
    if (v.type == VALUE_STRING || v.type == VALUE_ANY)
        v.s = unpack_text(r);
    else if (v.type != VALUE_NIL)
        v.i = (int64_t)rd_u64le(r);
    if (v.type >= VALUE_TYPE_COUNT) r->bad = true;
    return v;
}

static enum err unpack_doubles(struct reader *r, double *out) {
    struct str bytes = rd_bytes(r, sizeof *out);
    if (r->bad) return ERR_CORRUPT;
    memcpy(out, bytes.ptr, sizeof *out);
    return ERR_OK;
}

static enum err unpack_picks(struct unpacking *u, struct metric_cell *c) {
    struct metric_pick **last = &c->pick;
    uint64_t n = rd_varint(&u->r);
    if (n) c->rank = rd_u64le(&u->r);
    for (; n > 0 && !u->r.bad; n--, last = &(*last)->rival) {
        struct metric_pick *x = ARENA_NEW(&u->acc->arena, struct metric_pick);
        if (!x) return ERR_NOMEM;
        struct str id = rd_bytes(&u->r, sizeof x->trace_id);
        if (u->r.bad) return ERR_CORRUPT;
        memcpy(x->trace_id, id.ptr, sizeof x->trace_id);
        x->batch = u->number;
        x->row = rd_u32le(&u->r);
        TRY(unpack_doubles(&u->r, &x->value));
        x->of = unpack_value(&u->r);
        if (x->of.type == VALUE_STRING || x->of.type == VALUE_ANY) return ERR_CORRUPT; // numbers are measured
        *last = x;
    }
    return u->r.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err unpack_cell(struct unpacking *u, struct metric_cell *c) {
    struct arena *a = &u->acc->arena;
    c->count = rd_varint(&u->r);
    TRY(unpack_picks(u, c));
    switch (u->acc->plan->function) {
    case QL_MIN_OVER_TIME:
    case QL_MAX_OVER_TIME: return unpack_doubles(&u->r, &((struct extreme_cell *)c)->extreme);
    case QL_AVG_OVER_TIME:
    case QL_SUM_OVER_TIME: return exactsum_unpack(a, &u->r, &((struct sum_cell *)c)->sum);
    case QL_QUANTILE_OVER_TIME: return sketch_unpack(a, &u->r, &((struct sketch_cell *)c)->sketch);
    default: return ERR_OK;
    }
}

static enum err unpack_group(struct unpacking *u) {
    const struct metric_plan *p = u->acc->plan;
    uint64_t mark = rd_varint(&u->r);
    struct value by[QL_BY_MAX];
    uint32_t at;
    for (uint32_t i = 0; i < metric_group_size(p); i++) by[i] = unpack_value(&u->r);
    uint64_t n = rd_varint(&u->r);
    if (u->r.bad || mark > UINT32_MAX) return ERR_CORRUPT;
    TRY(metric_group_find(u->acc, by, (uint32_t)mark, true, &at));
    for (; n > 0; n--) {
        uint64_t step = rd_varint(&u->r) - first_interval(p);
        if (u->r.bad || step >= p->steps) return ERR_CORRUPT;
        struct metric_cell *c = metric_cell_at(u->acc, u->acc->groups[at], (uint32_t)step);
        if (!c) return ERR_NOMEM;
        TRY(unpack_cell(u, c));
    }
    return ERR_OK;
}

static enum err unpack_attr(struct unpacking *u) {
    struct reader *r = &u->r;
    struct field f = { .of_parent = rd_u8(r), .scope = (enum field_scope)rd_u8(r) };
    uint32_t at;
    f.intrinsic = (enum intrinsic)rd_u8(r);
    f.key = unpack_text(r);
    if (r->bad) return ERR_CORRUPT;
    TRY(metric_compare_attr(u->acc, &f, &at));
    for (int side = 0; side < 2; side++) {
        u->acc->attrs[at].n_values[side] = (uint32_t)rd_varint(r);
        u->acc->attrs[at].has_too_many[side] = rd_u8(r);
    }
    return ERR_OK;
}

enum err metric_unpack(struct metric_acc *m, struct str packed, uint32_t number) {
    struct unpacking u = { .acc = m, .r = reader_of(packed), .number = number };
    ASSERT(m->n_groups == 0 && m->n_attrs == 0);
    for (uint64_t n = rd_varint(&u.r); n > 0; n--) TRY(unpack_attr(&u));
    for (uint64_t n = rd_varint(&u.r); n > 0; n--) TRY(unpack_group(&u));
    return u.r.bad || rd_left(&u.r) ? ERR_CORRUPT : ERR_OK;
}
