// SPDX-License-Identifier: Apache-2.0
// Assembles a request body into one block of memory. It asks for the bytes to be reserved before
// it takes memory or input: as soon as the length is known, in steps when it is not. Takes bytes,
// returns what to do; no I/O. thread: any, one at a time.
#pragma once

#include "net/grpc.h"
#include "net/net.h"

enum {
    BODY_OVERHEAD = 128,       // counted for every block beside its bytes: header, padding, malloc
    BODY_STEP_MIN = 16 << 10,  // the first step of a body of unknown length
    BODY_SLACK_MAX = 16 << 10, // unused memory beyond this is given back at the end
};

// The block: what net_body_take hands out.
struct admission;
struct net_server;
struct net_body {
    struct admission *admission; // where the bytes are given back
    struct net_server *server;   // kept alive by a block that was taken; NULL before
    uint64_t reserved;
    size_t len;
    uint8_t data[] __attribute__((aligned(16)));
};

enum body_mode { BODY_NONE, BODY_LENGTH, BODY_OPEN, BODY_GRPC };

enum body_next {
    BODY_MORE,    // all input was taken
    BODY_RESERVE, // `need` bytes must be reserved, then body_grow be called
    BODY_FULL,    // LENGTH: the last byte is there; what follows was not taken
    BODY_TOO_LARGE,
    BODY_BAD, // not the framing of a unary gRPC call
};

struct body {
    enum body_mode mode;
    struct net_body *block;
    size_t cap;    // bytes that the block can hold
    uint64_t need; // to reserve
    uint64_t want; // LENGTH, GRPC: bytes in all, once known
    uint64_t max;
    bool known;      // `want` is
    bool compressed; // gRPC
    uint8_t prefix[GRPC_PREFIX];
    uint8_t n_prefix;
};

// LENGTH with a length of 0 is complete at once.
void body_init(struct body *b, enum body_mode mode, uint64_t length, uint64_t max);
void body_fini(struct body *b); // frees the block; the caller gives its reservation back
// Takes bytes from the front of *in.
enum body_next body_feed(struct body *b, struct str *in);
// The bytes asked for are reserved. Out of memory: false, and they are not the body's.
NODISCARD bool body_grow(struct body *b, struct admission *admission);
// The input has ended. MORE: the body is complete (its memory trimmed; *out_excess bytes of the
// reservation are free again). BAD: cut short.
enum body_next body_end(struct body *b, uint64_t *out_excess);
// LENGTH: room for the rest of the body, to receive straight into; then body_advance.
uint8_t *body_room(struct body *b, size_t *out_n);
void body_advance(struct body *b, size_t n);
static inline uint64_t body_reserved(const struct body *b) {
    return b->block ? b->block->reserved : 0;
}
