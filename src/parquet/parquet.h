// SPDX-License-Identifier: Apache-2.0
// Apache Parquet, the part that flat tables need: a writer that appends through a sink, a reader
// that asks for ranges, and the copying of row groups without decoding. No I/O of its own.
// What of the format is used, and why: docs/formats/parquet.md.
//
// thread: an opened pq_reader is immutable and may be shared, if its source may. A pq_writer, a
// pq_decoder and the pq_chunks opened with it belong to one thread at a time.
#pragma once

#include "base/str.h"

// Limits, of what is written and of what is believed.
enum {
    PQ_COLUMNS_MAX = 4096,
    PQ_ROW_GROUPS_MAX = 32767, // the ordinal is 16 bits wide
    PQ_ROWS_MAX = 1 << 26,     // of a row group
    PQ_NAME_MAX = 64 << 10,
    PQ_VALUE_MAX = 64 << 20, // bytes of one value
    PQ_PAGE_MAX = 128 << 20, // bytes of one page, unpacked
    PQ_FIXED_MAX = 1024,     // bytes of a fixed-length value
};

// --- Schema --------------------------------------------------------------------------------------

enum pq_type { // the numbers are the format's
    PQ_BOOLEAN = 0,
    PQ_INT32 = 1,
    PQ_INT64 = 2,
    PQ_DOUBLE = 5,
    PQ_BYTE_ARRAY = 6,
    PQ_FIXED = 7, // FIXED_LEN_BYTE_ARRAY
};

enum pq_logical {
    PQ_PLAIN_TYPE,   // none
    PQ_STRING,       // BYTE_ARRAY: UTF-8 text
    PQ_TIMESTAMP_NS, // INT64: nanoseconds since 1970, UTC
    PQ_SIGNED,       // INT32, INT64: an integer of the type's width
    PQ_UNSIGNED,     // INT32, INT64: unsigned, in statistics too
    PQ_NAIVE_NS,     // INT64: as PQ_TIMESTAMP_NS, but of no zone (DuckDB keeps all digits of this one)
    PQ_OTHER,        // readers only: something else, kept by nobody
};

struct pq_column {
    struct str name; // any UTF-8 without NUL
    enum pq_type type;
    uint32_t fixed_len; // PQ_FIXED: bytes of a value
    enum pq_logical logical;
    bool optional; // may lack a value in a row
};

// --- Writing -------------------------------------------------------------------------------------

enum pq_encoding {
    PQ_ENC_AUTO,         // dictionary where it is small and pays, else the best of the rest
    PQ_ENC_DICT,         // dictionary whatever its size; not for BOOLEAN
    PQ_ENC_PLAIN,        //
    PQ_ENC_DELTA,        // DELTA_BINARY_PACKED; INT32, INT64
    PQ_ENC_DELTA_LENGTH, // DELTA_LENGTH_BYTE_ARRAY; BYTE_ARRAY
};

enum pq_codec {
    PQ_CODEC_AUTO, // zstd level 1 where a sample of the chunk shrinks by more than 15 %
    PQ_CODEC_NONE,
    PQ_CODEC_ZSTD,
};

struct pq_column_opts { // all zero = the usual
    enum pq_encoding encoding;
    enum pq_codec codec;
    bool bloom;         // a bloom filter per row group; about 1 % false positives; not for BOOLEAN
    bool bloom_no_dict; // the same for row groups in which the column has no dictionary
    bool no_min_max;    // no minimum and maximum, neither of pages nor of chunks
};

// Appends n bytes. An error is final for the file.
struct pq_sink {
    enum err (*write)(void *ctx, const void *p, size_t n);
    void *ctx;
};

struct pq_writer_opts {
    struct pq_sink sink;
    const struct pq_column *columns;   // copied
    const struct pq_column_opts *opts; // n_columns of them, or NULL; copied
    size_t n_columns;
    struct str version; // created_by becomes "takt version <version>"
    // 0 = the default
    uint32_t page_rows;  // borders of pages are multiples of it: 4,096
    uint32_t page_bytes; // a page ends before its values pass this: 1 MiB
    uint32_t dict_bytes; // a larger dictionary page is not made under PQ_ENC_AUTO: 128 KiB
};

struct pq_writer;

// Writes the magic. ERR_INVALID for a schema that breaks a limit or a rule above.
NODISCARD enum err pq_writer_new(const struct pq_writer_opts *opts, struct pq_writer **out);
void pq_writer_free(struct pq_writer *w); // NULL is fine; a file without pq_writer_finish is void

// After an error of any of the calls below the writer is dead: all later calls return that error.
// Wrong use by the caller is an ERR_INVALID that kills it as well.

// n_rows may be 0: the group then only keeps its number.
// Forced borders: ascending row numbers inside (0, n_rows) at which every column begins a page,
// in place of multiples of page_rows. NULL = none. They must stay valid until the row group ends.
NODISCARD enum err pq_row_group_begin(struct pq_writer *w, uint32_t n_rows, const uint32_t *borders,
                                      size_t n_borders);

// The values of one column in one row group. Exactly one of the forms is set.
struct pq_values {
    const uint32_t *rows; // OPTIONAL: the ascending row numbers that have a value; NULL = all rows
    size_t n_values;      // = n_rows of the row group where rows is NULL
    // As they are:
    const int32_t *i32;
    const int64_t *i64;
    const double *f64;
    const uint8_t *bools; // 0 or 1 each
    const uint8_t *fixed; // n_values * fixed_len bytes
    const struct str *strs;
    // Or as codes into a dictionary of different values, of which not all need occur:
    const uint32_t *codes;  // each < n_dict
    const struct str *dict; // BYTE_ARRAY and FIXED
    const int32_t *dict_i32;
    const int64_t *dict_i64;
    size_t n_dict;
};

// Columns come in the order of the schema. One that is left out has no value in any row.
NODISCARD enum err pq_column_write(struct pq_writer *w, size_t column, const struct pq_values *v);
NODISCARD enum err pq_row_group_end(struct pq_writer *w);
// Text for the footer's key/value list; at any time before pq_writer_finish.
NODISCARD enum err pq_writer_kv(struct pq_writer *w, struct str key, struct str value);
// Writes the page index and the footer. Nothing may follow but pq_writer_free.
NODISCARD enum err pq_writer_finish(struct pq_writer *w);
uint64_t pq_writer_bytes(const struct pq_writer *w); // handed to the sink so far

// --- Reading -------------------------------------------------------------------------------------

// Fills dst with the n bytes at off, all within size. thread: as many at once as use the reader.
struct pq_source {
    enum err (*read)(void *ctx, uint64_t off, void *dst, size_t n);
    void *ctx;
    uint64_t size;
};

struct pq_reader_opts {        // all zero = the defaults
    size_t footer_max;         // bytes of the footer in the file: 64 MiB
    size_t memory_max;         // bytes that the reader may hold: 256 MiB
    struct mem_budget *budget; // may be NULL
    bool must_have_sums;       // a file without checksums of its footer is damaged
};

// Minimum and maximum are values as PLAIN encodes them, without a length: little-endian numbers,
// or bytes. They may be shortened bounds. A DOUBLE's leave NaN out.
struct pq_stats {
    struct str min, max; // has_min_max
    bool has_min_max;
    bool exact;             // both occur in the data
    int64_t null_count;     // -1 = unknown
    int64_t distinct_count; // -1 = unknown
};

struct pq_range {
    uint64_t off;
    uint64_t len; // 0 = absent
};

struct pq_chunk_sums { // CRC-32 of what is no page; of no meaning unless the reader has_sums
    uint32_t bloom, column_index, offset_index;
};

struct pq_chunk_meta { // of one column in one row group
    struct pq_stats stats;
    struct pq_range pages; // dictionary page and data pages
    struct pq_range dict;  // dictionary page; its length is at most this
    struct pq_range bloom, offset_index, column_index;
    struct pq_chunk_sums sums;
    uint64_t n_rows;
    uint64_t bytes_plain; // total_uncompressed_size
    uint32_t encodings;   // a set: 1 << the format's number
    uint32_t codec;       // the format's number
};

struct pq_row_group {
    uint64_t first_row; // within the file
    uint32_t n_rows;
    const struct pq_chunk_meta *chunks; // one per column
};

struct pq_kv {
    struct str key, value;
};

struct pq_reader { // immutable
    struct pq_source source;
    uint64_t n_rows;
    const struct pq_column *columns;
    const struct pq_row_group *groups;
    const struct pq_kv *kv;
    size_t n_columns, n_groups, n_kv;
    struct str created_by;
    struct pq_range index; // covers every page index of the file, for one read ahead; may be empty
    bool has_sums;         // footer, bloom filters and page index are checked when they are read
};

// Reads and checks the footer. ERR_CORRUPT, ERR_UNSUPPORTED (ctx names what), ERR_LIMIT past
// footer_max, ERR_NOMEM past memory_max or the budget, or what source.read returns.
NODISCARD enum err pq_reader_open(const struct pq_source *source, const struct pq_reader_opts *opts,
                                  struct pq_reader **out, struct err_ctx *ctx);
void pq_reader_close(struct pq_reader *r);                                     // NULL is fine
size_t pq_reader_column(const struct pq_reader *r, struct str name);           // SIZE_MAX = there is none
bool pq_reader_kv(const struct pq_reader *r, struct str key, struct str *out); // false = there is none

// What a thread needs to unpack pages; reused for any number of readers and chunks. Its buffers take
// at most memory_max bytes (0 = 512 MiB); a page that needs more gives ERR_LIMIT.
struct pq_decoder;
struct pq_decoder *pq_decoder_new(size_t memory_max); // NULL = no memory
void pq_decoder_free(struct pq_decoder *d);
// Gives the buffers back if they take more than `most` bytes.
void pq_decoder_trim(struct pq_decoder *d, size_t most);
// Why the last call with this decoder failed; "" when there is nothing to say.
const char *pq_decoder_why(const struct pq_decoder *d);

// The distinct values of a chunk (a foreign writer may repeat some). Order has no meaning.
struct pq_dict {
    uint32_t n;
    union {
        const int32_t *i32;
        const int64_t *i64;
        const double *f64;
        const uint8_t *fixed;
        const struct str *strs; // BYTE_ARRAY
    };
};

struct pq_page {
    uint64_t offset; // in the file, of its header
    uint32_t size;   // in the file, with its header
    uint32_t first_row, n_rows;
};

struct pq_bounds {       // of a page
    struct str min, max; // as in pq_stats; empty where all_null
    bool all_null;
    int64_t null_count; // -1 = unknown
};

// A chunk opened for reading. What it loads (page places, bounds, dictionary) it loads once, into
// the arena given at the start, which must outlive it. Errors of all calls:
// ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOMEM, or what source.read returns.
struct pq_chunk {
    const struct pq_reader *reader;
    const struct pq_column *column;
    const struct pq_chunk_meta *meta;
    struct pq_decoder *decoder;
    struct arena *arena;
    uint32_t n_rows;
    // private: lazily loaded; but pages may be set to those of another opening of the same chunk
    const struct pq_page *pages;
    size_t n_pages;
    const struct pq_bounds *bounds;
    const struct pq_dict *dict;
    // Set once the bloom filter was found to be whole; may be shared by openings. NULL: checked each time.
    _Atomic bool *bloom_is_whole;
    struct kept_page *kept; // the page that a few rows were read of last: neighbours often follow
    void *opener;           // whatever who opened it wants to find there
};

// No I/O. The row group and column must exist.
void pq_chunk_open(const struct pq_reader *r, size_t group, size_t column, struct pq_decoder *d,
                   struct arena *a, struct pq_chunk *out);
// Sets c->pages: where the data pages lie, in order, covering all rows.
NODISCARD enum err pq_chunk_pages(struct pq_chunk *c);
// Sets c->bounds, one per page, or leaves it NULL where the file has none.
NODISCARD enum err pq_chunk_bounds(struct pq_chunk *c);
// Sets c->dict, or leaves it NULL where the chunk has no dictionary page.
NODISCARD enum err pq_chunk_dict(struct pq_chunk *c);

enum pq_repr { PQ_I32, PQ_I64, PQ_F64, PQ_BOOLS, PQ_FIXEDS, PQ_STRS, PQ_CODES };

struct pq_vector {
    uint32_t n_rows;
    uint32_t n_values;
    const uint32_t *rows; // ascending, relative to the first row asked for; NULL = every row has a value
    enum pq_repr repr;
    union {
        const int32_t *i32;
        const int64_t *i64;
        const double *f64;
        const uint8_t *bools; // 0 or 1 each
        const uint8_t *fixed;
        const struct str *strs;
        const uint32_t *codes; // PQ_CODES: each < dict->n
    };
    const struct pq_dict *dict; // PQ_CODES only
};

// The rows [from, to), from <= to <= c->n_rows. Reads and unpacks only pages that overlap. Arrays
// are allocated in `a`; a dictionary in the chunk's arena. Codes are given where all the pages are
// dictionary-coded, else values.
NODISCARD enum err pq_chunk_read(struct pq_chunk *c, uint32_t from, uint32_t to, struct arena *a,
                                 struct pq_vector *out);

// The values of single rows, ascending, of a column of 8 bytes a value (INT64, DOUBLE, FIXED of 8) with a
// value in each of them. Only pages with such a row are read, and nothing between the rows is unpacked.
NODISCARD enum err pq_chunk_pick(struct pq_chunk *c, const uint32_t *rows, uint32_t n, struct arena *a,
                                 uint64_t *out);

// *out = false only if no row of the chunk holds the value (as bytes of its PLAIN encoding, without
// a length). true where there is no bloom filter. Reads 32 bytes and the header; all of
// it before that, unless it is known to be whole.
NODISCARD enum err pq_bloom_might_contain(struct pq_chunk *c, struct str value, bool *out);
// All bits of the bloom filter, without its header, in the chunk's arena; len 0: there is none.
NODISCARD enum err pq_bloom_read(struct pq_chunk *c, struct str *out);

// Walks everything that the footer refers to and checks that it fits together: pages, rows, nulls,
// bounds, dictionaries, bloom filters. Uses at most memory_max bytes at a time.
NODISCARD enum err pq_validate(const struct pq_reader *r, struct pq_decoder *d, size_t memory_max);

// --- Copying -------------------------------------------------------------------------------------

// For an INT32 column that is dictionary-coded throughout: value v becomes map[v].
struct pq_remap {
    struct str column;
    const uint32_t *map;
    size_t n_map;
};

// Appends a row group of an open file to w (between row groups) without decoding its pages. Every
// column of the source must be in w's schema with the same type and optionality (else ERR_INVALID);
// other columns of w get no values. Bloom filters and page indexes come along; the bounds of a
// remapped column become those of its new dictionary.
NODISCARD enum err pq_copy_row_group(struct pq_writer *w, const struct pq_reader *r, size_t group,
                                     struct pq_decoder *d, const struct pq_remap *remaps, size_t n_remaps);
