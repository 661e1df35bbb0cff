// SPDX-License-Identifier: Apache-2.0
// Any text as a condition: what is read is a number that can be compared with; what is not says why.
#include "impact/failif.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct failif f;
    struct err_ctx ctx = { 0 };
    if (failif_parse((struct str){ (const char *)data, size }, &f, &ctx) == ERR_OK)
        ASSERT(isfinite(f.amount) && f.amount >= 0 && f.percentile >= 0 && f.percentile < 1);
    else
        ASSERT(ctx.text[0]);
    return 0;
}
