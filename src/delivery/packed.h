// SPDX-License-Identifier: Apache-2.0
// Times in packed figures: differences in a unit that the packer chose, as varints. 0 is "not told"
// and stays one byte wherever it stands; everything else is the zigzag of the difference, plus 1.
// Pure. thread: any.
#pragma once

#include "base/cursor.h"

enum { PACKED_SECOND = 1000000000 };

static inline bool packed_is_whole(int64_t t) {
    return t % PACKED_SECOND == 0;
}
// Times and bases are in the unit here.
void packed_put_time(struct buf *b, int64_t t, int64_t base);
int64_t packed_take_time(struct reader *r, int64_t base);
