// SPDX-License-Identifier: Apache-2.0
#include "os/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/err.h"

void random_bytes(void *dst, size_t n) {
    unsigned char *p = dst;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        ASSERT(got > 0 || errno == EINTR); // the call has no other way to fail on Linux
        if (got < 0) continue;
        p += got;
        n -= (size_t)got;
    }
}

uint64_t random_u64(void) {
    uint64_t v;
    random_bytes(&v, sizeof v);
    return v;
}
