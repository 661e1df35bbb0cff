// SPDX-License-Identifier: Apache-2.0
// Inside `exec` only: comparisons of numbers as intervals. thread: any.
#pragma once

#include "exec/leaf.h"

struct interval {
    int64_t min, max; // min > max: nothing
    bool inverted;    // all values but these
};
// Which ints of the part's type pass.
struct interval interval_of(const struct leaf *l, enum value_type type);
