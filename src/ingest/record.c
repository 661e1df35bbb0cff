// SPDX-License-Identifier: Apache-2.0
#include "ingest/record.h"

#include "base/cursor.h"

enum { VERSION = 1, HEAD_BYTES = 12 };

// version u8, packing u8, format u8, 0, unpacked length u32, number of refused u32, their ordinals.
void record_head_write(const struct record *r, struct buf *out) {
    wr_u8(out, VERSION);
    wr_u8(out, (uint8_t)r->packing);
    wr_u8(out, (uint8_t)r->format);
    wr_u8(out, 0);
    wr_u32le(out, r->unpacked_len);
    wr_u32le(out, r->n_refused);
    for (uint32_t i = 0; i < r->n_refused; i++) wr_u32le(out, r->refused[i]);
}

enum err record_read(struct str payload, struct arena *a, struct record *out) {
    struct reader r = reader_of(payload);
    struct record rec = { 0 };
    uint8_t version = rd_u8(&r), packing = rd_u8(&r), format = rd_u8(&r), zero = rd_u8(&r);
    rec.unpacked_len = rd_u32le(&r);
    rec.n_refused = rd_u32le(&r);
    if (r.bad || zero != 0 || packing >= BODY_PACKING_COUNT || format >= BODY_FORMAT_COUNT)
        return ERR_CORRUPT;
    if (version != VERSION) return ERR_UNSUPPORTED;
    if (rec.n_refused > rd_left(&r) / 4) return ERR_CORRUPT;
    uint32_t *refused = ARENA_ARRAY(a, rec.n_refused + 1ull, uint32_t);
    if (!refused) return ERR_NOMEM;
    for (uint32_t i = 0; i < rec.n_refused; i++) refused[i] = rd_u32le(&r);
    rec.refused = refused;
    rec.packing = (enum body_packing)packing;
    rec.format = (enum body_format)format;
    rec.body = rd_bytes(&r, rd_left(&r));
    *out = rec;
    return ERR_OK;
}
