// SPDX-License-Identifier: Apache-2.0
// zstd, where it pays: a chunk's codec is decided on samples, since most chunks are encoded integers
// that gain nothing, and a scan is faster without. Levels count: of a column that few rows have they are
// most, and where pages are compressed, the levels are too (then the pages are V1).
#include "parquet/writer.h"

enum { SAMPLE_PAGES = 4, SAMPLE_BYTES = 32 << 10, WORTH_PERCENT = 85, WITH_LEVELS_PERCENT = 95 };

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

enum err codec_decide(struct chunk *k, size_t n) {
    struct pq_writer *w = k->w;
    const struct buf *dict = &w->entries;
    bool forced = k->opts->codec == PQ_CODEC_ZSTD;
    k->decided = true;
    k->pack_pages = forced;
    k->out->codec = forced ? FMT_ZSTD : FMT_UNCOMPRESSED;
    if (k->opts->codec != PQ_CODEC_AUTO) return ERR_OK;
    struct sample pages = { 0 }, entries = { 0 };
    uint64_t plain = 0;
    size_t step = (n + SAMPLE_PAGES - 1) / SAMPLE_PAGES;
    const char *at = w->raw.ptr;
    for (size_t i = 0; i < n; i++) {
        size_t len = k->plans[i].levels_len + k->plans[i].body_len;
        if (i % step == 0) TRY(take(w, at, len, &pages));
        at += len;
        plain += len;
    }
    if (dict->len) TRY(take(w, dict->ptr, dict->len, &entries));
    uint64_t packed = scaled(pages, plain), packed_dict = scaled(entries, dict->len);
    bool all = worth(packed + packed_dict, plain + dict->len);
    bool enough = k->column->optional ? packed * 100 < plain * WITH_LEVELS_PERCENT : worth(packed, plain);
    k->pack_pages = all && enough;
    if (k->pack_pages || worth(plain + packed_dict, plain + dict->len)) k->out->codec = FMT_ZSTD;
    return ERR_OK;
}
