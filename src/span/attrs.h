// SPDX-License-Identifier: Apache-2.0
// The attributes of one kind of rows (spans, events or links) as columns: one typed column for
// each (key, type) that occurs, holding the pairs (row, value) in row order. A row also has a
// shape, the set of its columns, so that a single row can be read back without asking every column.
//
// What fits no column goes into the row's rest: keys that occur twice in one row, values that are
// not UTF-8, columns past ATTR_COLUMNS_MAX, odd fields of the row itself (see REST_*).
// thread: one writer; readers see what was published to them (see table.h).
#pragma once

#include <stdatomic.h>

#include "span/dict.h"
#include "span/wire.h"

enum { ATTR_COLUMNS_MAX = 2000, ATTR_KEY_MAX = 32 << 10, ATTR_ROW_MAX = 4096 };

enum attr_type { ATTR_STRING, ATTR_INT, ATTR_FLOAT, ATTR_BOOL, ATTR_ANY, ATTR_TYPE_COUNT };

struct attr_column {
    struct str key;
    enum attr_type type;
    uint16_t number;    // in its table
    _Atomic uint32_t n; // entries
    struct segvec rows; // u32, ascending
    struct segvec vals; // STRING, ANY: u32 id in dict; BOOL: u32 0 or 1; INT, FLOAT: u64 bits
    struct dict dict;   // ANY: the protobuf bytes of the AnyValue
    size_t longest;     // text: bytes of the longest value
};

// A typed value on its way in or out. `text` for STRING and ANY; `bits` for the rest.
struct attr_value {
    enum attr_type type;
    uint64_t bits;
    struct str text;
};

struct attr_key { // stays where it is
    struct str name;
    struct attr_column *column[ATTR_TYPE_COUNT]; // NULL while there is none
    uint32_t row_stamp;                          // the row that had this key last, plus one
    uint32_t twin_stamp;                         // the row that had it more than once last, plus one
    struct attr_key *next_guess;                 // the key that followed this one last time
};

struct attr_table {
    struct arena *arena;
    struct segvec columns; // struct attr_column
    _Atomic uint32_t n_columns;
    struct segvec keys; // struct attr_key
    uint32_t n_keys;
    struct map key_map;
    struct attr_key start;            // stands before the first key of a row, to guess that
    struct attr_key *guess;           // the key before; what followed it last time is expected next
    struct dict shapes;               // u16 column numbers, ascending in order of arrival
    struct segvec shape;              // u32 per row: id in shapes
    struct segvec rest_row, rest_val; // u32 row, struct str
    _Atomic uint32_t n_rest;
};

// The rest of a row is a protobuf message: repeated KeyValue attributes, and the fields of the row
// that fit no column. Written to blocks as it is (docs/formats/block.md).
enum {
    REST_ATTRIBUTE = 1, // KeyValue
    REST_NAME = 2,      // bytes that are not UTF-8
    REST_STATUS_MESSAGE = 3,
    REST_TRACE_STATE = 4,
    REST_PARENT_ID = 5, // of another length than 8
    REST_KIND = 6,      // varint outside 0..255
    REST_STATUS_CODE = 7,
    REST_TRACE_ID = 8, // of a link, of another length than 16
    REST_SPAN_ID = 9,  // of a link, of another length than 8
    REST_LARGE = 10,   // in blocks only: an attribute whose value is kept apart
};
enum { REST_LARGE_KEY = 1, REST_LARGE_HASH = 2 };

void attrs_init(struct attr_table *t, struct arena *a);
void attrs_fini(struct attr_table *t);

// A key, made on first use; the guess makes the usual sequence of an SDK free of hashing.
NODISCARD enum err attrs_key(struct attr_table *t, struct str name, struct attr_key **out_key);
// The next key is the first of a row.
static inline void attrs_key_first(struct attr_table *t) {
    t->guess = &t->start;
}

// One attribute of the row being built, and the bytes of its KeyValue for the rest.
struct attr_in {
    struct attr_key *key;
    struct attr_value value;
    struct str raw; // the KeyValue message; ptr = NULL: made from key and value where needed
};

// Turns KeyValue messages into attr_in, on memory that is kept for the next row.
struct attr_scratch {
    struct attr_in *in;
    uint32_t n, cap;
    struct buf rest; // REST_ fields of the row at hand
};
void attr_scratch_init(struct attr_scratch *s);
void attr_scratch_fini(struct attr_scratch *s);
// Begins a row: s->in and s->rest are empty.
void attrs_begin(struct attr_table *t, struct attr_scratch *s);
// Adds an attribute that is known already.
NODISCARD enum err attr_scratch_add(struct attr_scratch *s, struct attr_in in);
// Adds a KeyValue message to s->in, or to s->rest if attr_kv cannot split it.
NODISCARD enum err attrs_collect(struct attr_table *t, struct str kv, struct attr_scratch *s);
// Parses a KeyValue into its key and the AnyValue's bytes. false: it must be kept as it is, since
// its value is absent (which is not an empty value) or comes in pieces that readers merge.
bool attr_kv(struct str kv, struct str *key, struct str *any);
// The same for what every SDK writes: key, then value, each with a length below 128 and nothing else.
// false says nothing about the pair.
static inline bool attr_kv_usual(struct str kv, struct str *key, struct str *any) {
    const uint8_t *p = (const uint8_t *)kv.ptr;
    if (kv.len < 4 || p[0] != (KV_KEY << 3 | PB_BYTES) || p[1] >= 0x80) return false;
    size_t n_key = p[1];
    if (kv.len < n_key + 4 || p[2 + n_key] != (KV_VALUE << 3 | PB_BYTES)) return false;
    size_t n_any = p[3 + n_key];
    if (n_any >= 0x80 || n_key + 4 + n_any != kv.len) return false;
    *key = (struct str){ kv.ptr + 2, n_key };
    *any = (struct str){ kv.ptr + 4 + n_key, n_any };
    return true;
}
// The typed value of an AnyValue message; ATTR_ANY for arrays, lists, bytes and the empty value.
struct attr_value attr_value_of(struct str any);
// The other way: the fields of the AnyValue, and a whole KeyValue as field `number`.
void attr_value_write(struct buf *out, const struct attr_value *v);
void attr_kv_write(struct buf *out, uint32_t number, struct str key, const struct attr_value *v);

// Adds row number `row` with its attributes; rest holds REST_ fields to go with it (may be "").
// Rows come in ascending order without gaps. The values that fit no column are appended to rest.
NODISCARD enum err attrs_add(struct attr_table *t, uint32_t row, const struct attr_in *in, uint32_t n,
                             struct buf *rest);

static inline struct attr_column *attrs_column(const struct attr_table *t, uint32_t i) {
    return (struct attr_column *)segvec_at(&t->columns, i, sizeof(struct attr_column));
}
static inline uint32_t attr_column_row(const struct attr_column *c, uint32_t i) {
    return SEG_AT(&c->rows, i, uint32_t);
}
// Value of entry i of the column.
struct attr_value attr_column_value(const struct attr_column *c, uint32_t i);
// The first entry with a row >= row; n entries are looked at (n <= c->n).
uint32_t attr_column_find(const struct attr_column *c, uint32_t n, uint32_t row);

// The columns of a row, in order of arrival: their numbers are u16 in the returned bytes.
static inline struct str attrs_shape(const struct attr_table *t, uint32_t row) {
    return dict_get(&t->shapes, SEG_AT(&t->shape, row, uint32_t));
}
// The rest of a row, "" if it has none.
struct str attrs_rest(const struct attr_table *t, uint32_t row);
