// SPDX-License-Identifier: Apache-2.0
// Any bytes as a zone: refused, or with offsets and days that can be asked for at any time.
#include "delivery/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct zone z;
    arena_init(&a, 4 << 20, NULL);
    if (zone_parse((struct str){ (const char *)data, size }, &a, &z) == ERR_OK)
        for (int64_t t = -4000000000; t < 8000000000; t += 123456789) {
            int64_t start = period_start(&z, PERIOD_DAY, t * 1000000000);
            ASSERT(zone_offset(&z, t) >= -26 * 3600 && zone_offset(&z, t) <= 26 * 3600);
            ASSERT(start % 1000000000 == 0);
        }
    arena_fini(&a);
    return 0;
}
