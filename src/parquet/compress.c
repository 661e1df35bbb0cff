// SPDX-License-Identifier: Apache-2.0
// zstd, where it pays: a chunk's codec is decided on samples, since most chunks are encoded integers
// that gain nothing, and a scan is faster without. Levels count: of a column that few rows have they are
// most, and where that saves more, they are compressed with the values (then the pages are V1).
#include "parquet/writer.h"

enum { SAMPLE_PAGES = 4, SAMPLE_BYTES = 32 << 10, WORTH_PERCENT = 85, WITH_LEVELS_PERCENT = 95 };
// Codes of a dictionary are what searches scan: unpacking them would cost as much as all the rest.
enum { CODES_PERCENT = 70 };

enum err codec_pack(struct pq_writer *w, const void *p, size_t n, bool forced, size_t *out_n) {
    *out_n = 0;
    if (n == 0 && !forced) return ERR_OK;
    if (!w->zstd) w->zstd = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(n);
    void *dst = scratch_get(&w->packed, room, 1);
    if (!w->zstd || !dst) return ERR_NOMEM;
    size_t got = ZSTD_compressCCtx(w->zstd, dst, room, p, n, PQ_ZSTD_LEVEL);
    if (ZSTD_isError(got)) return ERR_NOMEM; // with that room nothing else can fail
    if (forced || got < n) *out_n = got;
    return ERR_OK;
}

struct sample {
    uint64_t plain, packed;
};

static enum err take(struct pq_writer *w, const char *p, size_t n, struct sample *s) {
    size_t got, k = n < SAMPLE_BYTES ? n : SAMPLE_BYTES;
    TRY(codec_pack(w, p, k, false, &got));
    s->plain += k;
    s->packed += got ? got : k;
    return ERR_OK;
}

// What `bytes` would shrink to if all of them were like the sample.
static uint64_t scaled(struct sample s, uint64_t bytes) {
    return s.plain ? bytes * s.packed / s.plain : bytes;
}

static bool worth(uint64_t packed, uint64_t plain) {
    return packed * 100 < plain * WORTH_PERCENT;
}

// Sizes of the first n pages, as they are and (by samples) compressed; with their levels or without.
static enum err sample_pages(struct chunk *k, size_t n, bool levels, uint64_t *plain, uint64_t *packed) {
    struct sample s = { 0 };
    size_t step = (n + SAMPLE_PAGES - 1) / SAMPLE_PAGES;
    const char *at = k->w->raw.ptr;
    *plain = 0;
    for (size_t i = 0; i < n; i++) {
        const struct page_plan *p = &k->plans[i];
        size_t skip = levels ? 0 : p->levels_len, len = p->levels_len + p->body_len;
        if (i % step == 0) TRY(take(k->w, at + skip, len - skip, &s));
        at += len;
        *plain += len - skip;
    }
    *packed = scaled(s, *plain);
    return ERR_OK;
}

enum err codec_decide(struct chunk *k, size_t n) {
    const struct buf *dict = &k->w->entries;
    bool forced = k->opts->codec == PQ_CODEC_ZSTD, optional = k->column->optional;
    struct sample entries = { 0 };
    uint64_t plain, packed, bodies, packed_bodies;
    k->decided = true;
    k->pack_pages = forced;
    k->pack_levels = forced && optional;
    k->out->codec = forced ? FMT_ZSTD : FMT_UNCOMPRESSED;
    if (k->opts->codec != PQ_CODEC_AUTO) return ERR_OK;
    TRY(sample_pages(k, n, true, &plain, &packed));
    if (dict->len) TRY(take(k->w, dict->ptr, dict->len, &entries));
    uint64_t packed_dict = scaled(entries, dict->len);
    bool enough = optional ? packed * 100 < plain * WITH_LEVELS_PERCENT : worth(packed, plain);
    if (k->has_dict) enough = packed * 100 < plain * CODES_PERCENT;
    k->pack_pages = enough && worth(packed + packed_dict, plain + dict->len);
    if (k->pack_pages || worth(plain + packed_dict, plain + dict->len)) k->out->codec = FMT_ZSTD;
    if (!k->pack_pages || !optional) return ERR_OK;
    // Text shrinks less when bits of levels stand before it.
    TRY(sample_pages(k, n, false, &bodies, &packed_bodies));
    k->pack_levels = packed < plain - bodies + packed_bodies;
    return ERR_OK;
}
