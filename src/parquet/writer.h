// SPDX-License-Identifier: Apache-2.0
// The inside of a pq_writer: what is known of the chunks written so far, and the memory in which a
// chunk is made.
#pragma once

#include <zstd.h>

#include "parquet/dict.h"
#include "parquet/format.h"
#include "parquet/scratch.h"
#include "parquet/stats.h"

struct chunk_out { // what the footer and the page index will say of a column chunk
    const struct pq_page *pages;
    size_t n_pages;
    struct pq_range where; // all pages
    struct pq_range dict;  // within it; len 0 = none
    struct pq_range bloom; // off is relative to the row group's filters until they are written
    struct pq_range offset_index, column_index; // set by pq_writer_finish
    struct pq_chunk_sums sums;
    struct str bounds; // an encoded ColumnIndex; "" = none
    struct pq_stats stats;
    uint64_t bytes_plain;
    uint32_t encodings; // a set
    enum fmt_codec codec;
};

struct group_out {
    struct group_out *next;
    uint32_t n_rows;
    struct chunk_out *chunks;
};

struct page_plan { // which values go into a page, and how it came out
    uint32_t first_row, n_rows;
    size_t first_value, n_values;
    // In the raw buffer, one behind the other: levels (4 bytes of length and the levels; nothing of a
    // REQUIRED column), values.
    size_t levels_len, body_len;
    struct minmax minmax;
};

struct kv_out {
    struct kv_out *next;
    struct str key, value;
};

struct pq_writer {
    struct pq_sink sink;
    enum err dead; // the first error; sticks
    bool finished;
    uint64_t bytes;     // handed to the sink
    struct arena arena; // all that lives until the footer
    struct pq_column *columns;
    struct pq_column_opts *opts;
    size_t n_columns;
    uint32_t page_rows, page_bytes, dict_bytes;
    struct str created_by;
    struct kv_out *kv, **kv_end;
    struct group_out *groups, **groups_end;
    size_t n_groups;
    uint64_t n_rows;
    // The row group in hand; NULL between two.
    struct group_out *group;
    size_t next_column;
    const uint32_t *borders;
    size_t n_borders;
    struct buf blooms; // written behind the row group's pages
    // The chunk in hand.
    struct dict dict;
    struct buf raw;     // pages, encoded
    struct buf entries; // the dictionary page's body
    struct buf out;     // pages as they go to the sink
    struct scratch plans, pages, bits, packed, flat, stamps, bounds, hashes;
    ZSTD_CCtx *zstd;
};

// Hands n bytes to the sink.
NODISCARD enum err writer_put(struct pq_writer *w, const void *p, size_t n);
// Writes columns without values up to (not including) `until`.
NODISCARD enum err writer_fill(struct pq_writer *w, size_t until);
// Remembers an error: the writer is dead.
enum err writer_fail(struct pq_writer *w, enum err e);

// --- plan.c: where pages end ---------------------------------------------------------------------

struct chunk_shape {
    uint32_t n_rows;
    const uint32_t *rows; // NULL = every row has a value
    size_t n_values;
    uint32_t value_bits;    // of each value in a page, where all take the same; else 0 and:
    const struct str *strs; // each takes its length and 4 bytes
};
// Plans the pages into w->plans.
NODISCARD enum err plan_pages(struct pq_writer *w, const struct chunk_shape *s, size_t *out_n);

// --- encode.c: the chunk -------------------------------------------------------------------------

struct chunk { // being made
    struct pq_writer *w;
    const struct pq_column *column;
    const struct pq_column_opts *opts;
    struct chunk_shape shape;
    struct values values; // the values as they are, unless has_dict
    bool has_dict;        // w->dict holds codes and entries
    enum fmt_encoding encoding;
    struct page_plan *plans;
    struct pq_page *pages;
    size_t n_pages;
    bool decided;     // the codec is
    bool pack_pages;  // data pages are compressed too, not the dictionary alone
    bool pack_levels; // and the levels with the values: pages are V1
    struct chunk_out *out;
};

// Encodes a column of the row group in hand and hands it to the sink.
NODISCARD enum err encode_chunk(struct pq_writer *w, size_t column, const struct pq_values *v,
                                struct chunk_out *out);

// --- values.c: bytes of a page -------------------------------------------------------------------

enum { LEVELS_HEAD = 4 }; // bytes of the length in front of levels
// Appends the levels of a page and, in front, their length (nothing for a REQUIRED column).
NODISCARD enum err page_levels(struct chunk *k, const struct page_plan *p);
// Appends its values, and gathers their minimum and maximum.
NODISCARD enum err page_values(struct chunk *k, struct page_plan *p, uint32_t number);

// --- compress.c ----------------------------------------------------------------------------------

// Decides the codec of a chunk after its first pages were encoded (n of them, in w->raw; its dictionary in
// w->entries).
NODISCARD enum err codec_decide(struct chunk *k, size_t n);
// Compresses into w->packed. *out_n = 0 where that saves nothing worth having (unless forced).
NODISCARD enum err codec_pack(struct pq_writer *w, const void *p, size_t n, bool forced, size_t *out_n);

// --- filter.c: bloom filters ---------------------------------------------------------------------

// Appends the filter of the chunk in hand to w->blooms.
NODISCARD enum err filter_chunk(struct chunk *k);
// The same for a plain array of n values.
NODISCARD enum err filter_values(struct pq_writer *w, const struct values *v, const uint32_t *which, size_t n,
                                 struct chunk_out *out);
// Says where it is: the bytes from `start` on.
void filter_note(struct pq_writer *w, size_t start, struct chunk_out *out);

// --- footer.c ------------------------------------------------------------------------------------

// Writes page indexes, footer and magic.
NODISCARD enum err footer_write(struct pq_writer *w);
// Copies what statistics borrow into the writer's arena.
NODISCARD enum err stats_keep(struct pq_writer *w, struct pq_stats *s);
