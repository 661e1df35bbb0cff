// SPDX-License-Identifier: Apache-2.0
// The inside of a pq_decoder, and single pages taken apart.
#pragma once

#include <zstd.h>

#include "parquet/page.h"
#include "parquet/scratch.h"

struct pq_decoder {
    struct err_ctx why; // of the last call
    ZSTD_DCtx *zstd;
    size_t memory_max;    // of each buffer
    struct scratch raw;   // pages as they are in the file
    struct scratch plain; // one page, unpacked
    // For decoding a page; and before that, for loading the dictionary that it wants.
    struct scratch codes, lens;
};

// Room for n bytes and the slack that the kernels want. NULL: *e says why.
void *decoder_room(struct pq_decoder *d, struct scratch *s, size_t n, enum err *e);
// Starts a call: nothing has gone wrong yet.
static inline void decoder_begin(struct pq_decoder *d) {
    d->why.text[0] = '\0';
}
enum err decoder_fail(const struct pq_chunk *c, enum err e, const char *what);
enum err decoder_unsupported(struct pq_chunk *c, const char *what);

struct page_view { // a data page or dictionary page, unpacked
    struct page_head head;
    struct str levels; // definition levels, RLE; used only by OPTIONAL columns
    struct str values; // with slack behind
};

struct kept_page { // in the chunk's arena
    size_t page;
    struct page_view view;
    char *bytes; // of the levels and the values, with slack behind each
    size_t cap;
};

// Takes apart the page that raw holds (with slack behind); it is unpacked into space. n_rows = what
// the page must hold; ignored for dictionaries.
NODISCARD enum err page_view(struct pq_chunk *c, struct str raw, uint32_t n_rows, struct scratch *space,
                             struct page_view *out);
// Reads a range of the file.
NODISCARD enum err chunk_fetch(struct pq_chunk *c, struct pq_range range, struct scratch *space,
                               struct str *out);

// n strings from `skip` on, as PLAIN encodes them. The bytes are copied to the arena. to_end: nothing may
// follow.
NODISCARD enum err strs_plain(struct pq_chunk *c, struct str values, size_t skip, size_t n, bool to_end,
                              struct arena *a, struct str *out);

// Where decoded values gather.
struct vector_out {
    struct pq_chunk *chunk;
    struct arena *arena;
    uint32_t n_rows; // asked for
    uint32_t rows_done;
    size_t n, cap;  // values
    uint32_t *rows; // once a row without a value was met
    size_t rows_cap;
    enum pq_repr repr;
    bool decided; // repr is
    void *data;
};

// Appends the rows [from, to) of a page.
NODISCARD enum err vector_add(struct vector_out *v, const struct page_view *p, uint32_t from, uint32_t to);
// decode.c: appends n values from `skip` on.
NODISCARD enum err decode_values(struct vector_out *v, const struct page_view *p, size_t skip, size_t n);
// Room for n more values; density is that of n in n_rows rows.
NODISCARD enum err vector_room(struct vector_out *v, size_t n, uint32_t n_rows);
// Bytes of a value in the array of a representation.
size_t repr_size(const struct pq_column *c, enum pq_repr repr);
enum pq_repr repr_of(const struct pq_column *c); // when there are no codes
