// SPDX-License-Identifier: Apache-2.0
#include "query/counted.h"

#include "query/answers.h"

void counted_question(struct buf *out, const struct series_query *q) {
    wr_u8(out, 'm');
    wr_u8(out, q->exemplars > 0);
    wr_varint(out, q->step_ns);
    wr_varint(out, q->step_ns ? q->bounds.start_ns % q->step_ns : 0);
    ql_print(q->query, out);
}

// Where the range begins or ends within the row group; elsewhere it makes no difference.
static void add_range(struct buf *out, const struct query_bounds *b, const struct source *s) {
    wr_varint(out, s->first_ns <= b->start_ns ? b->start_ns + 1 : 0);
    wr_varint(out, s->last_ns > b->end_ns ? b->end_ns + 1 : 0);
}

void counted_key(struct buf *out, struct str question, const struct query_bounds *bounds,
                 const struct source *s, const struct counted_part *parts, uint32_t n_parts) {
    answers_key(out, block_meta(s->block)->id, s->group, question);
    add_range(out, bounds, s);
    for (uint32_t i = 0; i < n_parts; i++) {
        wr_varint(out, parts[i].trace);
        wr_u8(out, parts[i].is_joined);
    }
}

void counted_pack(struct buf *out, const struct counted_part *parts, uint32_t n_parts,
                  const struct noted *noted, uint32_t n_noted) {
    wr_varint(out, n_parts);
    for (uint32_t i = 0; i < n_parts; i++) wr_u64le(out, parts[i].hits);
    wr_varint(out, n_noted);
    for (uint32_t i = 0; i < n_noted; i++) {
        wr_u64le(out, noted[i].hash);
        buf_add(out, noted[i].trace, sizeof noted[i].trace);
    }
}

void counted_pack_function(struct buf *out, const struct metric_acc *m) {
    size_t at = out->len;
    wr_u64le(out, 0);
    metric_pack(m, out);
    uint64_t len = out->len - at - sizeof len;
    if (!out->failed) memcpy(out->ptr + at, &len, sizeof len);
}

enum err counted_open(struct str bytes, struct counted_part *parts, uint32_t n_parts,
                      struct counted_reader *out) {
    *out = (struct counted_reader){ .r = reader_of(bytes) };
    if (rd_varint(&out->r) != n_parts) return ERR_CORRUPT;
    for (uint32_t i = 0; i < n_parts; i++) parts[i].hits = rd_u64le(&out->r);
    out->n_noted = rd_varint(&out->r);
    return out->r.bad ? ERR_CORRUPT : ERR_OK;
}

bool counted_noted(struct counted_reader *r, struct noted *out) {
    if (r->n_noted == 0) return false;
    r->n_noted--;
    out->hash = rd_u64le(&r->r);
    struct str trace = rd_bytes(&r->r, sizeof out->trace);
    if (r->r.bad) return false;
    memcpy(out->trace, trace.ptr, sizeof out->trace);
    return true;
}

struct str counted_function(struct counted_reader *r) {
    return rd_bytes(&r->r, rd_u64le(&r->r));
}
