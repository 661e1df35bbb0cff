// SPDX-License-Identifier: Apache-2.0
// Any bytes as a catalog snapshot: what is read is written again as the same bytes. The checksum is
// put right first, or hardly any input would get past it.
#include "base/hash.h"
#include "block/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct catalog c;
    struct buf out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&out, SIZE_MAX);
    char *bytes = mem_alloc(size);
    ASSERT(bytes != NULL);
    if (size) memcpy(bytes, data, size);
    if (size >= 4) {
        uint32_t crc = crc32c(0, bytes, size - 4);
        memcpy(bytes + size - 4, &crc, sizeof crc);
    }
    if (catalog_decode((struct str){ bytes, size }, &a, &c) == ERR_OK) {
        catalog_encode(&c, &out);
        // Flags that a reader may ignore (bytes 16 to 19) are not kept; all else is.
        ASSERT(out.len == size && memcmp(out.ptr, bytes, 16) == 0);
        ASSERT(memcmp(out.ptr + 20, bytes + 20, size - 24) == 0);
    }
    mem_free(bytes);
    buf_fini(&out);
    arena_fini(&a);
    return 0;
}
