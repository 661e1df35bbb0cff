// SPDX-License-Identifier: Apache-2.0
// All sums wrap (unsigned): the format says so, and a difference of two int64 needs it.
#include "parquet/delta.h"

#include "parquet/bitpack.h"

enum { BLOCK = 128, MINIS = 4, BLOCK_BYTES_MAX = 10 + MINIS + BLOCK * 8 };
_Static_assert(BLOCK / MINIS == DELTA_STEP, "a miniblock is a step");
// A reader takes foreign block sizes up to this; beyond it nothing real is.
enum { BLOCK_MAX = 1 << 16, MINIS_MAX = 512 };

static void encode_head(struct buf *out, size_t n, int64_t first) {
    wr_varint(out, BLOCK);
    wr_varint(out, MINIS);
    wr_varint(out, n);
    wr_zigzag(out, first);
}

// One block of n differences; deltas[] has room for a whole one.
static void encode_block(struct buf *out, uint64_t *deltas, size_t n) {
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < n; i++) min = (int64_t)deltas[i] < min ? (int64_t)deltas[i] : min;
    for (size_t i = 0; i < n; i++) deltas[i] -= (uint64_t)min;
    for (size_t i = n; i < BLOCK; i++) deltas[i] = 0;
    wr_zigzag(out, min);
    if (!buf_reserve(out, BLOCK_BYTES_MAX + BITPACK_SLACK)) return;
    uint8_t *widths = (uint8_t *)out->ptr + out->len;
    uint8_t *dst = widths + MINIS;
    for (size_t m = 0; m < MINIS; m++) {
        const uint64_t *v = deltas + m * DELTA_STEP;
        uint64_t any = 0;
        for (size_t i = 0; i < DELTA_STEP; i++) any |= v[i];
        unsigned width = bit_width(any);
        widths[m] = (uint8_t)width;
        bitpack_u64(dst, v, DELTA_STEP / 8, width);
        dst += (size_t)width * (DELTA_STEP / 8);
    }
    out->len = (size_t)(dst - (uint8_t *)out->ptr);
}

void delta_encode_i64(struct buf *out, const int64_t *v, size_t n) {
    uint64_t deltas[BLOCK];
    encode_head(out, n, n ? v[0] : 0);
    for (size_t at = 1; at < n; at += BLOCK) {
        size_t k = n - at < BLOCK ? n - at : BLOCK;
        for (size_t i = 0; i < k; i++) deltas[i] = (uint64_t)v[at + i] - (uint64_t)v[at + i - 1];
        encode_block(out, deltas, k);
    }
}

void delta_encode_i32(struct buf *out, const int32_t *v, size_t n) {
    uint64_t deltas[BLOCK];
    encode_head(out, n, n ? v[0] : 0);
    for (size_t at = 1; at < n; at += BLOCK) {
        size_t k = n - at < BLOCK ? n - at : BLOCK;
        // Wrapped to 32 bits, so that no miniblock is wider than that.
        for (size_t i = 0; i < k; i++) {
            int32_t d = (int32_t)((uint32_t)v[at + i] - (uint32_t)v[at + i - 1]);
            deltas[i] = (uint64_t)(int64_t)d;
        }
        encode_block(out, deltas, k);
    }
}

static inline int64_t delta_at(const int32_t *narrow, const int64_t *wide, size_t i) {
    if (wide) return (int64_t)((uint64_t)wide[i] - (uint64_t)wide[i - 1]);
    return (int32_t)((uint32_t)narrow[i] - (uint32_t)narrow[i - 1]);
}

uint64_t delta_estimate(const int32_t *narrow, const int64_t *wide, size_t n) {
    enum { SAMPLE = 4096 };
    size_t k = n < SAMPLE ? n : SAMPLE;
    uint64_t bits = 0;
    for (size_t at = 1; at < k; at += DELTA_STEP) {
        int64_t min = INT64_MAX, max = INT64_MIN;
        for (size_t i = at; i < k && i < at + DELTA_STEP; i++) {
            int64_t d = delta_at(narrow, wide, i);
            min = d < min ? d : min;
            max = d > max ? d : max;
        }
        bits += (uint64_t)DELTA_STEP * bit_width((uint64_t)max - (uint64_t)min) + 8;
    }
    return k ? bits / 8 * n / k + 16 : 16;
}

bool delta_open(struct delta *d, struct str data, uint64_t max_values) {
    struct reader r = reader_of(data);
    uint64_t block = rd_varint(&r);
    uint64_t minis = rd_varint(&r);
    uint64_t total = rd_varint(&r);
    int64_t first = rd_zigzag(&r);
    if (r.bad || block == 0 || block > BLOCK_MAX || minis == 0 || minis > MINIS_MAX) return false;
    if (block % minis || block / minis % DELTA_STEP || total > max_values) return false;
    // Each field by itself: the buffer of ready values need not be cleared.
    d->pos = r.pos;
    d->end = r.end;
    d->total = d->left = total;
    d->last = (uint64_t)first;
    d->min_delta = 0;
    d->widths = NULL;
    d->mini_per_block = (uint32_t)minis;
    d->mini_size = (uint32_t)(block / minis);
    d->mini = d->mini_per_block;
    d->mini_left = 0;
    d->first = total > 0;
    d->ready_pos = d->ready_end = 0;
    return true;
}

static bool next_mini(struct delta *d) {
    if (d->mini == d->mini_per_block) {
        struct reader r = { d->pos, d->end, false };
        d->min_delta = (uint64_t)rd_zigzag(&r);
        struct str widths = rd_bytes(&r, d->mini_per_block);
        if (r.bad) return false;
        d->widths = (const uint8_t *)widths.ptr;
        d->pos = r.pos;
        d->mini = 0;
    }
    unsigned width = d->widths[d->mini++];
    if (width > 64 || (uint64_t)width * d->mini_size / 8 > (uint64_t)(d->end - d->pos)) return false;
    d->mini_left = d->mini_size;
    return true;
}

static uint64_t plain_step(const uint8_t *src, unsigned width, uint64_t min, uint64_t last, int64_t *dst) {
    uint64_t deltas[DELTA_STEP];
    bitunpack_u64(deltas, src, DELTA_STEP / 8, width);
    for (int i = 0; i < DELTA_STEP; i++) {
        last += deltas[i] + min;
        if (dst) dst[i] = (int64_t)last;
    }
    return last;
}

// Unpacks the next step (a whole one, padding included) to dst; NULL: goes past it.
static bool next_step(struct delta *d, int64_t *dst) {
    if (d->mini_left == 0 && !next_mini(d)) return false;
    unsigned width = d->widths[d->mini - 1];
    if (!delta_step_fast(d->pos, width, d->min_delta, &d->last, dst))
        d->last = plain_step(d->pos, width, d->min_delta, d->last, dst);
    d->pos += (size_t)width * (DELTA_STEP / 8);
    d->mini_left -= DELTA_STEP;
    return true;
}

bool delta_read(struct delta *d, int64_t *dst, size_t n) {
    if (n > d->left) return false;
    d->left -= n;
    if (n && d->first) {
        *dst++ = (int64_t)d->last;
        n--;
        d->first = false;
    }
    while (n > 0) {
        if (d->ready_pos < d->ready_end) {
            size_t have = d->ready_end - d->ready_pos, step = n < have ? n : have;
            memcpy(dst, d->ready + d->ready_pos, step * sizeof *dst);
            d->ready_pos += (uint32_t)step;
            dst += step;
            n -= step;
        } else if (n >= DELTA_STEP) {
            if (!next_step(d, dst)) return false;
            dst += DELTA_STEP;
            n -= DELTA_STEP;
        } else {
            if (!next_step(d, d->ready)) return false;
            d->ready_pos = 0;
            d->ready_end = DELTA_STEP;
        }
    }
    return true;
}

bool delta_skip(struct delta *d, size_t n) {
    int64_t sink[DELTA_STEP];
    size_t ready = (size_t)d->first + (d->ready_end - d->ready_pos);
    if (n > d->left) return false;
    if (n <= ready) return delta_read(d, sink, n);
    if (!delta_read(d, sink, ready)) return false;
    for (n -= ready; n >= DELTA_STEP; n -= DELTA_STEP, d->left -= DELTA_STEP)
        if (!next_step(d, NULL)) return false;
    return delta_read(d, sink, n);
}

struct str delta_rest(const struct delta *d) {
    // The miniblock in hand is there to its end, padding included.
    unsigned width = d->mini_left ? d->widths[d->mini - 1] : 0;
    const uint8_t *p = d->pos + (size_t)width * (d->mini_left / 8);
    return (struct str){ (const char *)p, (size_t)(d->end - p) };
}
