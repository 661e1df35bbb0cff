// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: rows of a block on their way back into a span table; what load.c, load_attrs.c and
// load_children.c share.
#pragma once

#include "block/open.h"
#include "block/restkeys.h"

// A column's values walked in step with the rows.
struct walk {
    struct pq_vector v;
    uint32_t at;
    struct attr_key *key; // of the destination's attribute table
    enum attr_type type;
    struct str name;
    struct str *any; // ATTR_ANY in codes: the values read so far, by code
};

// Moves to row; true if the column has a value there. Rows are asked for in ascending order.
static inline bool walk_to(struct walk *w, uint32_t row) {
    if (!w->v.rows) {
        w->at = row;
        return row < w->v.n_values;
    }
    while (w->at < w->v.n_values && w->v.rows[w->at] < row) w->at++;
    return w->at < w->v.n_values && w->v.rows[w->at] == row;
}

static inline struct str walk_text(const struct walk *w) {
    return w->v.repr == PQ_CODES ? w->v.dict->strs[w->v.codes[w->at]] : w->v.strs[w->at];
}

static inline uint32_t walk_u32(const struct walk *w) {
    return (uint32_t)(w->v.repr == PQ_CODES ? w->v.dict->i32[w->v.codes[w->at]] : w->v.i32[w->at]);
}

struct walks {
    struct walk *at;
    uint32_t n;
};

struct loader {
    struct block *b;
    struct block_scan *s;
    const struct block_wanted *wanted; // NULL: everything
    struct span_table *dst;
    uint32_t group;
    const uint8_t *trace_id;    // with `wanted`: of the run
    struct pq_chunk **open[3];  // of spans, events, links: by column; in the scan's arena
    struct attr_scratch row;    // on its way into the table
    uint32_t *resource, *scope; // of the block -> of the table, SPAN_NONE = not yet
    uint32_t no_scope;          // of the table, where no scope is read; SPAN_NONE = not yet
};

// load.c: a column of the row group, opened once for all rows that are loaded of it; rows of it; and the same
// to be walked.
NODISCARD enum err load_chunk_of(struct loader *l, struct in_file *f, size_t column, struct pq_chunk **out);
NODISCARD enum err load_read(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                             struct pq_vector *out);
NODISCARD enum err load_walk(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                             struct walk *w);
// Is anything of the scope read?
bool load_wants_scope(const struct block_wanted *w, enum field_scope scope);

// load_attrs.c: the attribute columns that are wanted and have a value between the rows.
NODISCARD enum err load_attrs(struct loader *l, struct in_file *f, const struct attr_def *defs, uint32_t n,
                              enum field_scope scope, uint32_t from, uint32_t to, struct attr_table *t,
                              struct walks *out);
// May an attribute that is wanted stand in the rest of these rows?
bool load_wants_rest(const struct loader *l, enum block_rows rows, enum field_scope scope);
// Collects the attributes of one row in l->row: those of the columns, then those of the rest.
NODISCARD enum err load_row_attrs(struct loader *l, struct attr_table *t, struct walks *ws, struct walk *rest,
                                  uint32_t row);

// load_children.c: events and links of the rows [from, to), found once, then added span by span.
struct event_rows {
    uint32_t at, n;
    const int32_t *span;
    const int64_t *offset;
    const struct str *name;
    const int32_t *dropped;
    struct walks attrs;
    struct walk rest;
};

struct link_rows {
    uint32_t at, n;
    const int32_t *span, *flags, *dropped;
    const uint8_t *trace_id, *span_id;
    const struct str *state;
    struct walks attrs;
    struct walk rest;
};

NODISCARD enum err load_events(struct loader *l, uint32_t from, uint32_t to, struct event_rows *e);
NODISCARD enum err load_links(struct loader *l, uint32_t from, uint32_t to, struct link_rows *k);
NODISCARD enum err load_add_events(struct loader *l, struct event_rows *e, uint32_t row, uint64_t start_ns);
NODISCARD enum err load_add_links(struct loader *l, struct link_rows *k, uint32_t row);
