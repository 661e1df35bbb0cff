// SPDX-License-Identifier: Apache-2.0
// A batch: some whole traces as columns that are read only when asked for. Heads, row groups of
// blocks and joined traces are batches; the engine sees nothing else.
//
// A batch has a table of spans and two tables of children (events, links), whose rows name the span
// that owns them. A column of a field has one part for each type that the field has; a row has a
// value in at most one part (of a key that occurs twice, the first value counts), in none where the
// attribute is absent. Columns are known by their dictionary before any row is read, and rows are
// read by ranges, so that what cannot match is never decoded.
//
// Memory: what the calls give lives in the arena given to batch_open_… until it is reset.
// thread: one at a time.
#pragma once

#include "span/field.h"

enum batch_table { BATCH_SPANS, BATCH_EVENTS, BATCH_LINKS, BATCH_TABLE_COUNT };

enum vec_form {
    VEC_CODES,  // into the part's dictionary
    VEC_INTS,   // INT, DURATION, STATUS, KIND, BOOL
    VEC_FLOATS, //
    VEC_TEXTS,  // STRING, ANY
};

// The values of a part for the rows [from, to) that were asked for.
struct vec {
    enum vec_form form;
    uint32_t n;           // values
    const uint32_t *rows; // of each value, ascending, counted from `from`; NULL: every row has one
    union {
        const uint32_t *codes;
        const int64_t *ints;
        const double *floats;
        const struct str *texts;
    };
};

struct batch_rows { // rows of a table, ascending
    const uint32_t *at;
    uint32_t n;
};

struct batch_bounds { // of a stretch of rows [first, first + n)
    uint32_t first, n;
    bool none;        // no row has a value
    int64_t min, max; // INTS only: of the values
    bool has_min_max;
};

struct batch_part {
    enum value_type type; // of its values; NIL: differs from value to value (dictionary only)
    // Dictionary: then vectors come as VEC_CODES. Entries may be NIL (the row has no value) and may
    // repeat. Not every entry need occur.
    const struct value *dict;
    uint32_t n_dict;
    const struct batch_bounds *bounds; // NULL: none are known. Ascending, covering all rows
    uint32_t n_bounds;
    bool is_at_hand; // all of it is in memory as `load` gives it: no need to ask for less
    void *source;    // of the batch
};

struct batch_column {
    struct batch_part *parts;
    uint32_t n_parts; // 0: no row has a value
};

struct batch_summary;
struct batch;
enum batch_number { BATCH_SPAN_ID, BATCH_START, BATCH_DURATION }; // the id: its 8 bytes as they are

struct batch_ops {
    // The column of a field of `table`. For BATCH_SPANS: scope SPAN, RESOURCE, INSTRUMENTATION and
    // intrinsics of those, the trace's among them (constant over the rows of a trace); not
    // UNSCOPED, not of_parent, not CHILD_COUNT, NESTED_*, PARENT, PARENT_ID, which follow from the
    // parents. For BATCH_EVENTS (LINKS): scope EVENT (LINK) and their intrinsics.
    enum err (*column)(struct batch *b, enum batch_table table, const struct field *f,
                       struct batch_column *out);
    // Rows [from, to) of a part's table.
    enum err (*load)(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                     struct vec *out);
    // The rows of a part that is at hand with this entry of its dictionary. false: they are not known, load
    // and look. NULL: they never are.
    bool (*rows_with)(struct batch *b, const struct batch_part *p, uint32_t code, struct batch_rows *out);
    // *out = false only if surely no row of the part has this value (a STRING or INT); cheap.
    enum err (*may_hold)(struct batch *b, const struct batch_part *p, const struct value *v, bool *out);
    // For rows [from, to) of the spans: the row of the parent within the batch, BATCH_ROOT for a span
    // that names none, BATCH_ORPHAN where the named one is not in the batch. Of several spans with
    // the id the parent is the one that ends last, then the later in order.
    enum err (*parents)(struct batch *b, uint32_t from, uint32_t to, const uint32_t **out);
    // Ids of the spans [from, to), the 8 bytes as they are; of their parents, 0 = none.
    enum err (*span_ids)(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out);
    enum err (*parent_ids)(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out);
    enum err (*starts)(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out);
    // One number each of some spans, whose rows ascend. Where few of many are wanted, this is what costs
    // least.
    enum err (*numbers)(struct batch *b, enum batch_number what, const uint32_t *rows, uint32_t n,
                        uint64_t *out);
    // Stretches of rows with the least and greatest start in each; *out_n = 0: none are known.
    enum err (*start_bounds)(struct batch *b, const struct batch_bounds **out, uint32_t *out_n);
    // The row of the owning span for each row of a child table, ascending.
    enum err (*owners)(struct batch *b, enum batch_table table, const uint32_t **out, uint32_t *out_n);
    // Root and services of the traces in the bitmap (NULL: of all), one after the other as their numbers
    // ascend.
    enum err (*summaries)(struct batch *b, const uint64_t *wanted, const struct batch_summary **out);
    // The keys of a scope that occur in the batch, each once; may name some that no longer do.
    enum err (*keys)(struct batch *b, enum field_scope scope, void (*each)(void *ctx, struct str key),
                     void *ctx);
};
enum { BATCH_ROOT = 0xffffffffu, BATCH_ORPHAN = 0xfffffffeu };

struct batch_trace { // what is known of a trace without reading spans
    uint8_t id[16];
    uint64_t start_ns, end_ns; // of its spans here: earliest start, latest end
    uint64_t last_start_ns;    // start of the span that starts last
    uint32_t first, n;         // its spans: order[first … first + n), by start, then id, then bytes
};

struct batch_summary { // per trace
    bool has_root;
    struct str root_service, root_name;
    struct str services; // services.h; of one that was read from a block not yet known to be such a list
    bool services_stay;  // in a column with their pad, for as long as the scan holds what it was given
};

struct batch {
    const struct batch_ops *ops;
    struct arena *arena;
    uint32_t n_rows;
    uint32_t n_traces;
    const struct batch_trace *traces;
    const uint32_t
        *firsts; // of each trace .first alone, which is looked through fast; NULL: order is not NULL
    const uint32_t *order; // NULL: the rows themselves, in order
    const uint64_t *live;  // bitmap of rows that count (equal spans count once); NULL: all
    uint64_t bytes_read;   // from disk
};

static inline uint32_t batch_row(const struct batch *b, const struct batch_trace *t, uint32_t i) {
    return b->order ? b->order[t->first + i] : t->first + i;
}
