// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include "base/slab.h"
#include "base/str.h"
#include "base/test.h"

enum { FIT = SLAB_BYTES / POOL_BLOCK };

static char *filled(char mark) {
    char *p = pool_alloc();
    CHECK(p);
    memset(p, mark, POOL_BLOCK);
    return p;
}

TEST(pool_blocks_are_met_again) {
    char *blocks[FIT + 2];
    pool_limit(SLAB_BYTES);
    for (uint32_t i = 0; i < FIT + 2; i++) blocks[i] = filled((char)i); // two are of the heap
    CHECK_U64(pool_bytes(), SLAB_BYTES);
    for (uint32_t i = 0; i < FIT + 2; i++) {
        CHECK(blocks[i][0] == (char)i && blocks[i][POOL_BLOCK - 1] == (char)i);
        pool_free(blocks[i]);
    }
    CHECK_U64(pool_bytes(), SLAB_BYTES);
    char *again = filled(1);
    CHECK(again == blocks[0]);
    pool_free(again);
    pool_trim(); // one was asked for
    CHECK_U64(pool_bytes(), SLAB_BYTES);
    pool_trim();
    CHECK_U64(pool_bytes(), 0);
    pool_free(NULL);
    pool_limit(0);
    again = filled(2);
    CHECK_U64(pool_bytes(), 0);
    pool_free(again);
}

TEST(pool_in_use_is_not_trimmed) {
    pool_limit(SLAB_BYTES);
    char *p = filled(3);
    pool_trim();
    pool_trim();
    CHECK(p[POOL_BLOCK - 1] == 3);
    pool_free(p);
    pool_trim();
    CHECK_U64(pool_bytes(), 0);
    pool_limit(0);
}

TEST(pool_buffers_grow_beyond_their_block) {
    struct buf b;
    size_t len;
    pool_limit(SLAB_BYTES);
    buf_init(&b, SIZE_MAX);
    CHECK(buf_pooled(&b));
    for (uint32_t i = 0; i < POOL_BLOCK / 4; i++) buf_add(&b, &i, 4);
    CHECK(b.pooled && b.len == POOL_BLOCK);
    buf_char(&b, 'x');
    CHECK(!b.pooled && !b.failed && b.ptr[POOL_BLOCK] == 'x');
    for (uint32_t i = 0; i < POOL_BLOCK / 4; i++) CHECK(memcmp(b.ptr + 4ul * i, &i, 4) == 0);
    mem_free(buf_take(&b, &len));
    CHECK_U64(len, POOL_BLOCK + 1);
    CHECK(buf_pooled(&b));
    mem_fail_at(1, true);
    buf_add(&b, &b, sizeof b);
    CHECK(!b.failed && !buf_reserve(&b, POOL_BLOCK) && b.failed && b.pooled);
    mem_fail_at(0, false);
    buf_fini(&b);
    CHECK(buf_pooled(&b) && !b.failed);
    pool_free(buf_take(&b, NULL));
    CHECK(!b.pooled);
    pool_trim();
    pool_trim();
    CHECK_U64(pool_bytes(), 0);
    pool_limit(0);
}
