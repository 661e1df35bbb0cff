// SPDX-License-Identifier: Apache-2.0
#include "delivery/packed.h"

void packed_put_time(struct buf *b, int64_t t, int64_t base) {
    if (t == 0) {
        wr_varint(b, 0);
        return;
    }
    uint64_t d = (uint64_t)t - (uint64_t)base, zigzag = d << 1 ^ -(d >> 63);
    if (zigzag == UINT64_MAX) zigzag--; // further apart than time is long
    wr_varint(b, zigzag + 1);
}

int64_t packed_take_time(struct reader *r, int64_t base) {
    uint64_t v = rd_varint(r);
    if (v == 0) return 0;
    v--;
    return (int64_t)((uint64_t)base + (v >> 1 ^ -(v & 1)));
}
