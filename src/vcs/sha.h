// SPDX-License-Identifier: Apache-2.0
// The name of a git object: 20 bytes of SHA-1. Repositories with SHA-256 names are refused when they
// are opened (vcs/repo.h). thread: any.
#pragma once

#include "base/hash.h"

enum { SHA_BYTES = 20, SHA_HEX = 40 };

struct sha {
    uint8_t byte[SHA_BYTES];
};

static inline bool sha_eq(const struct sha *a, const struct sha *b) {
    return memcmp(a->byte, b->byte, SHA_BYTES) == 0;
}
static inline int sha_cmp(const struct sha *a, const struct sha *b) {
    return memcmp(a->byte, b->byte, SHA_BYTES);
}
static inline uint64_t sha_hash(const struct sha *a) { // seeded: for maps in memory
    return hash_bytes(a->byte, SHA_BYTES);
}
// Exactly 40 hex digits, either case.
NODISCARD static inline bool sha_parse(struct str hex, struct sha *out) {
    return hex_decode(hex, out->byte, SHA_BYTES);
}
struct sha_text {
    char z[SHA_HEX + 1];
};
static inline struct sha_text sha_text(const struct sha *a) {
    struct sha_text t;
    hex_encode(a->byte, SHA_BYTES, t.z);
    t.z[SHA_HEX] = '\0';
    return t;
}
