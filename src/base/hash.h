// SPDX-License-Identifier: Apache-2.0
// Hashes: XXH3 with a seed drawn at start (so that an attacker cannot choose collisions) for maps
// in memory; unseeded XXH64 for what is stored; CRC-32C for what is checked.
#pragma once

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n); // seeded, differs between processes
static inline uint64_t hash_str(struct str s) {
    return hash_bytes(s.ptr, s.len);
}
static inline uint64_t hash_u64(uint64_t v) { // a strong mixer (splitmix64), unseeded
    v ^= v >> 30;
    v *= 0xbf58476d1ce4e5b9u;
    v ^= v >> 27;
    v *= 0x94d049bb133111ebu;
    return v ^ v >> 31;
}
void hash_seed(uint64_t seed); // once, at start, before any map exists

uint64_t hash_xxh64(const void *p, size_t n); // seed 0: the hash of Parquet's bloom filters

// CRC-32C (Castagnoli) of n bytes, continuing from crc (0 to begin).
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
