// SPDX-License-Identifier: Apache-2.0
// The input is a file: open it, read all of it, validate it, copy it.
#include <stdlib.h>

#include "parquet/parquet.h"

enum { MEMORY = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static enum err read_input(void *ctx, uint64_t off, void *dst, size_t n) {
    const struct input *in = ctx;
    ASSERT(off <= in->size && n <= in->size - off);
    if (n) memcpy(dst, in->data + off, n);
    return ERR_OK;
}

static enum err discard(void *ctx, const void *p, size_t n) {
    (void)ctx, (void)p, (void)n;
    return ERR_OK;
}

static void read_chunk(const struct pq_reader *r, size_t g, size_t i, struct pq_decoder *d) {
    struct arena a;
    struct pq_chunk c;
    struct pq_vector v;
    bool might;
    arena_init(&a, MEMORY, NULL);
    pq_chunk_open(r, g, i, d, &a, &c);
    (void)!pq_chunk_bounds(&c);
    if (pq_chunk_read(&c, c.n_rows / 2, c.n_rows - c.n_rows / 4, &a, &v) == ERR_OK && v.repr == PQ_CODES)
        for (uint32_t k = 0; k < v.n_values; k++) ASSERT(v.codes[k] < v.dict->n);
    if (pq_chunk_read(&c, 0, c.n_rows, &a, &v) == ERR_OK && v.rows)
        for (uint32_t k = 0; k < v.n_values; k++)
            ASSERT(v.rows[k] < v.n_rows && (k == 0 || v.rows[k] > v.rows[k - 1]));
    if (c.n_rows > 3) {
        uint32_t rows[] = { c.n_rows / 3, c.n_rows / 2, c.n_rows - 1 };
        uint64_t picked[3];
        (void)!pq_chunk_pick(&c, rows, 3, &a, picked);
    }
    (void)!pq_bloom_might_contain(&c, STR("12345678"), &might);
    arena_fini(&a);
}

static void copy(const struct pq_reader *r, struct pq_decoder *d) {
    struct pq_writer_opts o = { .sink = { discard, NULL }, .columns = r->columns, .n_columns = r->n_columns };
    struct pq_writer *w;
    if (pq_writer_new(&o, &w)) return;
    enum err e = ERR_OK;
    for (size_t g = 0; g < r->n_groups && !e; g++) e = pq_copy_row_group(w, r, g, d, NULL, 0);
    if (!e) (void)!pq_writer_finish(w);
    pq_writer_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = { data, size };
    struct pq_source s = { read_input, &in, size };
    struct err_ctx ctx = { .text = "" };
    struct pq_reader *r;
    if (pq_reader_open(&s, &(struct pq_reader_opts){ .memory_max = MEMORY }, &r, &ctx)) return 0;
    struct pq_decoder *d = pq_decoder_new(MEMORY);
    for (size_t g = 0; d && g < r->n_groups && g < 4; g++)
        for (size_t i = 0; i < r->n_columns && i < 16; i++) read_chunk(r, g, i, d);
    if (d) (void)!pq_validate(r, d, MEMORY);
    if (d) copy(r, d);
    pq_decoder_free(d);
    pq_reader_close(r);
    return 0;
}
