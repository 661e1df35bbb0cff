// SPDX-License-Identifier: Apache-2.0
// A run pays where it saves more than its own header and that of the bit-packed run it interrupts:
// from 48 bits on. Bit-packed runs begin anywhere but count in groups of 8, so a run can start only
// a multiple of 8 values behind the start of the bit-packed run before it.
#include "parquet/rle.h"

#include "parquet/bitpack.h"

enum { RUN_BITS_MIN = 48 };

void rle_encode_run(struct buf *out, uint64_t n, uint32_t value, unsigned width) {
    wr_varint(out, n << 1);
    buf_add(out, &value, (width + 7) / 8);
}

// The n values from v on, bit-packed; where n is no multiple of 8, zeros fill the last group.
static void encode_packed(struct buf *out, const uint32_t *v, size_t n, unsigned width) {
    if (n == 0) return;
    size_t groups = (n + 7) / 8;
    wr_varint(out, groups << 1 | 1);
    if (!buf_reserve(out, groups * width + BITPACK_SLACK)) return;
    uint8_t *dst = (uint8_t *)out->ptr + out->len;
    bitpack_u32(dst, v, n / 8, width);
    if (n % 8) {
        uint32_t last[8] = { 0 };
        memcpy(last, v + n / 8 * 8, n % 8 * sizeof *v);
        bitpack_u32(dst + n / 8 * width, last, 1, width);
    }
    out->len += groups * width;
}

static inline bool is_uniform(const uint32_t *v) {
    uint32_t d = (v[0] ^ v[1]) | (v[0] ^ v[2]) | (v[0] ^ v[3]) | (v[0] ^ v[4]);
    return (d | (v[0] ^ v[5]) | (v[0] ^ v[6]) | (v[0] ^ v[7])) == 0;
}

void rle_encode(struct buf *out, const uint32_t *v, size_t n, unsigned width) {
    size_t begin = 0, i = 0; // [begin, i) waits to be bit-packed
    while (i + 8 <= n) {
        if (!is_uniform(v + i)) {
            i += 8;
            continue;
        }
        size_t run = 8;
        while (i + run < n && v[i + run] == v[i]) run++;
        if (run * width < RUN_BITS_MIN && i + run < n) {
            i += run & ~(size_t)7;
            continue;
        }
        encode_packed(out, v + begin, i - begin, width);
        rle_encode_run(out, run, v[i], width);
        begin = i += run;
    }
    encode_packed(out, v + begin, n - begin, width);
}

// How many of n bytes are like the first, which is 0 or 0xff.
static size_t uniform_bytes(const uint8_t *b, size_t n) {
    const uint64_t all = b[0] ? UINT64_MAX : 0;
    size_t run = 1;
    for (uint64_t word; run + 8 <= n; run += 8) {
        memcpy(&word, b + run, 8);
        if (word != all) break;
    }
    while (run < n && b[run] == b[0]) run++;
    return run;
}

void rle_encode_bits(struct buf *out, uint64_t *bits, size_t n) {
    if (n == 0) return;
    uint8_t *b = (uint8_t *)bits;
    size_t n_bytes = (n + 7) / 8;
    if (n % 8) { // the padding repeats the last bit, so that it does not end a run
        uint8_t pad = (uint8_t)(0xff << n % 8);
        b[n_bytes - 1] =
            (uint8_t)(b[n_bytes - 1] >> (n % 8 - 1) & 1 ? b[n_bytes - 1] | pad : b[n_bytes - 1] & ~pad);
    }
    size_t begin = 0, i = 0;
    while (i < n_bytes) {
        bool uniform = b[i] == 0 || b[i] == 0xff;
        size_t run = uniform ? uniform_bytes(b + i, n_bytes - i) : 1;
        bool whole = run == n_bytes;
        if (!uniform || (run * 8 < RUN_BITS_MIN && !whole)) {
            i += run;
            continue;
        }
        if (i > begin) {
            wr_varint(out, (i - begin) << 1 | 1);
            buf_add(out, b + begin, i - begin);
        }
        size_t end = (i + run) * 8 < n ? (i + run) * 8 : n;
        rle_encode_run(out, end - i * 8, b[i] & 1, 1);
        begin = i += run;
    }
    if (n_bytes > begin) {
        wr_varint(out, (n_bytes - begin) << 1 | 1);
        buf_add(out, b + begin, n_bytes - begin);
    }
}

bool rle_open(struct rle *r, struct str data, unsigned width) {
    const uint8_t *p = (const uint8_t *)data.ptr;
    *r = (struct rle){ .pos = p, .end = p + data.len, .width = width };
    return width <= 32;
}

// Enters the next run that has values.
static bool next_run(struct rle *r) {
    while (r->left == 0) {
        struct reader in = { r->pos, r->end, false };
        uint64_t head = rd_varint(&in);
        if (in.bad) return false;
        r->at = 0;
        if (head & 1) {
            uint64_t groups = head >> 1;
            if (groups > (r->width ? rd_left(&in) / r->width : UINT32_MAX)) return false;
            r->packed = in.pos;
            r->left = groups * 8;
            in.pos += groups * r->width;
        } else {
            struct str value = rd_bytes(&in, (r->width + 7) / 8);
            if (in.bad) return false;
            r->packed = NULL;
            r->left = head >> 1;
            r->value = 0;
            memcpy(&r->value, value.ptr, value.len);
            if ((uint64_t)r->value >> r->width) return false; // the bytes have room for more
        }
        r->pos = in.pos;
    }
    return true;
}

// n values of the bit-packed run in hand, which has them.
static void read_packed(struct rle *r, uint32_t *dst, size_t n) {
    uint32_t group[8];
    while (n > 0) {
        const uint8_t *src = r->packed + r->at / 8 * r->width;
        size_t step = n & ~(size_t)7, skip = r->at % 8;
        if (skip == 0 && step > 0) {
            bitunpack_u32(dst, src, step / 8, r->width);
        } else {
            bitunpack_u32(group, src, 1, r->width);
            step = n < 8 - skip ? n : 8 - skip;
            memcpy(dst, group + skip, step * sizeof *dst);
        }
        r->at += step;
        dst += step;
        n -= step;
    }
}

bool rle_read(struct rle *r, uint32_t *dst, size_t n) {
    while (n > 0) {
        if (!next_run(r)) return false;
        size_t step = r->left < n ? (size_t)r->left : n;
        if (r->packed)
            read_packed(r, dst, step);
        else
            for (size_t i = 0; i < step; i++) dst[i] = r->value;
        r->left -= step;
        dst += step;
        n -= step;
    }
    return true;
}

bool rle_skip(struct rle *r, size_t n) {
    while (n > 0) {
        if (!next_run(r)) return false;
        size_t step = r->left < n ? (size_t)r->left : n;
        r->at += step;
        r->left -= step;
        n -= step;
    }
    return true;
}

// Up to 56 bits of a bit-packed run of width 1 from r->at on, in the low bits; *n says how many.
static uint64_t take_bits(struct rle *r, size_t *n) {
    const uint8_t *p = r->packed + r->at / 8;
    uint64_t word;
    memcpy(&word, p, 8);
    if (*n > 56) *n = 56;
    word = word >> r->at % 8 & (((uint64_t)1 << *n) - 1);
    r->at += *n;
    r->left -= *n;
    return word;
}

bool rle_count_ones(struct rle *r, size_t n, size_t *out_ones) {
    size_t ones = 0;
    while (n > 0) {
        if (!next_run(r)) return false;
        size_t step = r->left < n ? (size_t)r->left : n;
        if (r->packed) {
            ones += (size_t)__builtin_popcountll(take_bits(r, &step));
        } else {
            ones += r->value & 1 ? step : 0;
            r->left -= step;
        }
        n -= step;
    }
    *out_ones = ones;
    return true;
}

// The places of the ones in four bits.
typedef uint32_t lanes __attribute__((vector_size(16)));
static const lanes places[16] = { { 0 },    { 0 },       { 1 },       { 0, 1 },      { 2 },    { 0, 2 },
                                  { 1, 2 }, { 0, 1, 2 }, { 3 },       { 0, 3 },      { 1, 3 }, { 0, 1, 3 },
                                  { 2, 3 }, { 0, 2, 3 }, { 1, 2, 3 }, { 0, 1, 2, 3 } };

// Many ones: without branches, four bits at a time. Few: a step for every one.
static size_t find_in_word(uint64_t word, size_t n, uint32_t base, uint32_t *dst) {
    size_t k = 0;
    if ((size_t)__builtin_popcountll(word) * 8 > n) {
        for (; word; word >>= 4, base += 4) {
            lanes four = places[word & 15] + base;
            memcpy(dst + k, &four, sizeof four);
            k += (size_t)__builtin_popcount(word & 15);
        }
        return k;
    }
    for (; word; word &= word - 1) dst[k++] = base + (uint32_t)__builtin_ctzll(word);
    return k;
}

bool rle_find_ones(struct rle *r, size_t n, uint32_t base, uint32_t *dst, size_t *out_ones) {
    size_t k = 0;
    while (n > 0) {
        if (!next_run(r)) return false;
        size_t step = r->left < n ? (size_t)r->left : n;
        if (r->packed) {
            uint64_t word = take_bits(r, &step);
            k += find_in_word(word, step, base, dst + k);
        } else {
            if (r->value & 1)
                for (size_t i = 0; i < step; i++) dst[k++] = base + (uint32_t)i;
            r->left -= step;
        }
        base += (uint32_t)step;
        n -= step;
    }
    *out_ones = k;
    return true;
}
