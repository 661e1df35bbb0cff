// SPDX-License-Identifier: Apache-2.0
#include "parquet/bloom.h"

#include "parquet/thrift.h"

static const uint32_t salts[8] = { 0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                   0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u };

size_t bloom_size(uint64_t n) {
    uint64_t bytes = n * 21 / 16;
    return (size_t)(bytes / BLOOM_BLOCK + 1) * BLOOM_BLOCK;
}

size_t bloom_block(size_t size, uint64_t hash) {
    uint64_t n_blocks = size / BLOOM_BLOCK;
    return (size_t)((hash >> 32) * n_blocks >> 32) * BLOOM_BLOCK;
}

static inline uint32_t bit_of(uint64_t hash, int word) {
    return (uint32_t)1 << ((uint32_t)hash * salts[word] >> 27);
}

void bloom_add(uint8_t *bits, size_t size, uint64_t hash) {
    uint8_t *block = bits + bloom_block(size, hash);
    uint32_t words[8];
    memcpy(words, block, sizeof words);
    for (int i = 0; i < 8; i++) words[i] |= bit_of(hash, i);
    memcpy(block, words, sizeof words);
}

bool bloom_test(const uint8_t block[BLOOM_BLOCK], uint64_t hash) {
    uint32_t words[8], missing = 0;
    memcpy(words, block, sizeof words);
    for (int i = 0; i < 8; i++) missing |= ~words[i] & bit_of(hash, i);
    return missing == 0;
}

enum { HEAD_NUM_BYTES = 1, HEAD_ALGORITHM = 2, HEAD_HASH = 3, HEAD_COMPRESSION = 4, UNION_ONLY = 1 };

void bloom_head_write(struct buf *out, size_t size) {
    struct thrift_out t = { .buf = out };
    thrift_begin(&t);
    thrift_i32(&t, HEAD_NUM_BYTES, (int32_t)size);
    for (int16_t id = HEAD_ALGORITHM; id <= HEAD_COMPRESSION; id++) {
        thrift_struct(&t, id);
        thrift_empty(&t, UNION_ONLY);
        thrift_end(&t);
    }
    thrift_end(&t);
}

// Each union of the header has one member that we know, the first.
static bool union_is_first(struct reader *r, const struct thrift_field *outer) {
    struct thrift_field f = { 0 };
    bool first = false;
    if (!thrift_get_struct(r, outer)) return false;
    while (thrift_next(r, &f)) {
        first = f.id == UNION_ONLY;
        thrift_skip(r, &f);
    }
    return first;
}

enum err bloom_head_read(struct str data, size_t *out_size, size_t *out_head) {
    struct reader r = reader_of(data);
    struct thrift_field f = { 0 };
    int32_t size = 0;
    unsigned known = 0;
    while (thrift_next(&r, &f)) {
        if (f.id == HEAD_NUM_BYTES)
            size = thrift_get_i32(&r, &f);
        else if (f.id >= HEAD_ALGORITHM && f.id <= HEAD_COMPRESSION)
            known += union_is_first(&r, &f);
        else
            thrift_skip(&r, &f);
    }
    if (r.bad || size < BLOOM_BLOCK || size % BLOOM_BLOCK) return ERR_CORRUPT;
    if (known != 3) return ERR_UNSUPPORTED;
    *out_size = (size_t)size;
    *out_head = data.len - rd_left(&r);
    return ERR_OK;
}
