// SPDX-License-Identifier: Apache-2.0
// A bitmap is the distances between its rows where there are few of them, else its words.
#include "query/matched.h"

#include "base/cursor.h"
#include "query/answers.h"
#include "traceql/traceql.h"

enum form { FORM_ROWS, FORM_WORDS };
enum { FEW_OF = 16 }; // of so many rows one: few

void matched_question(struct buf *out, const struct ql_query *q) {
    wr_u8(out, 'f');
    ql_print(q, out);
}

// --- as bytes ----------------------------------------------------------------------------------------

static void pack_bits(const uint64_t *bits, uint32_t n_rows, struct buf *out) {
    uint64_t n = bits_count(bits, n_rows);
    if (n * FEW_OF > n_rows) {
        wr_u8(out, FORM_WORDS);
        buf_add(out, bits, bits_words(n_rows) * sizeof *bits);
        return;
    }
    wr_u8(out, FORM_ROWS);
    wr_varint(out, n);
    uint32_t from = 0;
    for (uint32_t row; (row = bits_next(bits, from, n_rows)) < n_rows; from = row + 1)
        wr_varint(out, row - from);
}

static enum err unpack_bits(struct reader *r, uint32_t n_rows, uint64_t *bits) {
    if (rd_u8(r) == FORM_WORDS) {
        struct str words = rd_bytes(r, bits_words(n_rows) * sizeof *bits);
        if (r->bad) return ERR_CORRUPT;
        memcpy(bits, words.ptr, words.len);
        return ERR_OK;
    }
    uint64_t row = 0;
    for (uint64_t n = rd_varint(r); n > 0; n--, row++) {
        row += rd_varint(r);
        if (r->bad || row >= n_rows) return ERR_CORRUPT;
        bit_set(bits, (uint32_t)row);
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

// --- the door ----------------------------------------------------------------------------------------

static enum err recall(const struct plan *p, struct batch *b, struct rows *rows, struct str bytes,
                       struct plan_bits *out) {
    struct reader r = reader_of(bytes);
    size_t size = (bits_words(b->n_rows) + 1) * sizeof *out->any;
    out->of = ARENA_ARRAY(b->arena, p->n_filters + 1ull, uint64_t *);
    out->any = arena_zalloc(b->arena, size);
    if (!out->of || !out->any) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_filters; i++) {
        out->of[i] = p->is_simple ? out->any : arena_zalloc(b->arena, size);
        if (!out->of[i]) return ERR_NOMEM;
        TRY(unpack_bits(&r, b->n_rows, out->of[i]));
        if (!p->is_simple) bits_or(out->any, out->of[i], b->n_rows);
    }
    for (uint32_t i = 0; i < p->n_values; i++) TRY(rows_want(rows, p->values[i], out->any));
    return rd_left(&r) ? ERR_CORRUPT : ERR_OK;
}

static enum err filter_and_keep(const struct plan *p, const struct source *s, struct batch *b,
                                struct rows *rows, struct str key, struct plan_bits *out) {
    struct buf bytes;
    TRY(plan_filter(p, rows, NULL, out));
    buf_init(&bytes, answers_size_max());
    for (uint32_t i = 0; i < p->n_filters && !bytes.failed; i++) pack_bits(out->of[i], b->n_rows, &bytes);
    if (!bytes.failed) answers_keep(block_meta(s->block)->id, key, buf_view(&bytes));
    buf_fini(&bytes);
    return ERR_OK;
}

enum err matched_rows(const struct plan *p, struct str question, const struct source *s, struct batch *b,
                      struct rows *rows, struct plan_bits *out) {
    struct buf key;
    if (question.len == 0 || p->every_trace) return plan_filter(p, rows, NULL, out);
    ASSERT(s->block && !p->filters_read_traces);
    buf_init(&key, ANSWERS_KEY_MAX);
    answers_key(&key, block_meta(s->block)->id, s->group, question);
    const struct kept_answer *a = key.failed ? NULL : answers_find(buf_view(&key));
    enum err e = a            ? recall(p, b, rows, answers_bytes(a), out)
                 : key.failed ? plan_filter(p, rows, NULL, out)
                              : filter_and_keep(p, s, b, rows, buf_view(&key), out);
    answers_release(a);
    buf_fini(&key);
    return e;
}
