// SPDX-License-Identifier: Apache-2.0
// Conditions under which a comparison of two versions fails, as people write them:
//   errors > +0.5 points     the error rate rises by more than half a point
//   errors > +50 %           … by more than a half of what it was
//   errors > 2 %             … is more than this, whatever it was
//   p99 > +10 %              the 99th percentile of the duration rises by more than a tenth
//   p95 > +20 ms             … by more than 20 ms
//   p50 > 300 ms             … is longer than this
// thread: any.
#pragma once

#include "base/str.h"

enum { FAILIF_TEXT_MAX = 100, FAILIF_MAX = 16 }; // bytes of one; conditions of a comparison

enum failif_kind { FAILIF_ABSOLUTE, FAILIF_DIFFERENCE, FAILIF_RELATIVE };
struct failif {
    struct str text;
    double percentile; // 0 … 1 of the duration; 0: errors
    enum failif_kind kind;
    double amount; // errors: a share; durations: ms; RELATIVE: a share of the old value
};
// ERR_INVALID: ctx says what was found, where, and what was expected. The text is borrowed.
NODISCARD enum err failif_parse(struct str text, struct failif *out, struct err_ctx *ctx);
