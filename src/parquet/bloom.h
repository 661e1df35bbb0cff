// SPDX-License-Identifier: Apache-2.0
// Parquet's split block bloom filter: blocks of 8 words of 32 bits; a value sets one bit in each
// word of one block. Source: apache/parquet-format, BloomFilter.md.
#pragma once

#include "base/hash.h"

enum { BLOOM_BLOCK = 32 };

// Bytes of a filter for n distinct values: 10.5 bits each, which gives 1 % of false positives.
size_t bloom_size(uint64_t n);
void bloom_add(uint8_t *bits, size_t size, uint64_t hash);
// Where in a filter of `size` bytes the block of a hash lies.
size_t bloom_block(size_t size, uint64_t hash);
bool bloom_test(const uint8_t block[BLOOM_BLOCK], uint64_t hash);

// The header in front of the bits. Reading it gives the size of the bits and of the header.
void bloom_head_write(struct buf *out, size_t size);
// ERR_CORRUPT; ERR_UNSUPPORTED for another algorithm, hash or a compressed one.
NODISCARD enum err bloom_head_read(struct str data, size_t *out_size, size_t *out_head);
