// SPDX-License-Identifier: Apache-2.0
// Any text as a time: what is read and can be told prints, and reads again, as the same.
#include "intake/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char out[STAMP_TEXT_SIZE];
    int64_t ns, again;
    if (!stamp_read((struct str){ (const char *)data, size }, &ns)) return 0;
    if (ns == STAMP_BEFORE || ns == STAMP_BEYOND) return 0;
    ASSERT(stamp_read(stamp_print(ns, out), &again) && again == ns);
    return 0;
}
