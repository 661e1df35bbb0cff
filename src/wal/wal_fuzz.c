// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment. What the scan finds must not depend on how the bytes are cut into
// windows, must lie inside them in order, and together with the unreadable parts cover them all.
// The first byte chooses what the reader knows beforehand and whether checksums are made right
// (a fuzzer does not guess them); the rest are the bytes.
#include "base/hash.h"
#include "wal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KNOWS_MARKER = 1, KNOWS_END = 2, SKIPS = 4, LIMITS = 8, MENDS = 16 };

struct result {
    uint64_t n, digest, covered;
};

static struct scan scan_begin(uint8_t how, const uint8_t *p, size_t n) {
    struct scan s = { .segment_id = 1, .end = n, .limit_seq = SEQ_MAX, .bad_off = SCAN_GOOD };
    if ((how & KNOWS_MARKER) && n >= 8) memcpy(&s.marker, p, 8);
    s.end_is_known = how & KNOWS_END;
    if (how & SKIPS) s.skip_seq = 3;
    if (how & LIMITS) s.limit_seq = 6;
    s.last_seq_is_known = how & 32;
    return s;
}

static struct result scan_all(struct scan s, const uint8_t *p, size_t n, size_t window) {
    struct result r = { 0 };
    uint64_t at = 0, last_seq = 0;
    size_t need = 1;
    for (;;) {
        struct scan_out out;
        size_t have = n - (size_t)s.off, give = need > window ? need : window;
        enum scan_result result = scan_step(&s, p + s.off, have < give ? have : give, &out);
        if (result == SCAN_MORE) {
            ASSERT(out.need <= n - s.off);
            need = out.need;
            continue;
        }
        ASSERT(out.bad_from <= out.bad_to && out.bad_from >= at && out.bad_to <= n);
        at = out.bad_to;
        r.digest = hash_u64(r.digest ^ hash_u64(out.bad_from) ^ (out.bad_to << 1));
        if (result == SCAN_END) break;
        uint64_t seq = out.head.seq;
        ASSERT(out.at == p + out.bad_to && s.off == out.bad_to + record_bytes(&out.head) && s.off <= n);
        ASSERT(seq > last_seq && (seq < s.limit_seq) && record_body_ok(&out.head, out.at + RECORD_HEAD));
        last_seq = seq;
        at = s.off;
        r.n++;
        r.digest = hash_u64(r.digest ^ seq);
        need = 1;
    }
    r.covered = at;
    return r;
}

// Gives every place that says it is a record of the marker the checksums it would need.
static void mend(uint8_t *p, size_t n) {
    for (size_t i = 0; n >= RECORD_HEAD && i <= n - RECORD_HEAD; i++) {
        if (i > 0 && memcmp(p + i, p, 8) != 0) continue;
        uint32_t len;
        memcpy(&len, p + i + 32, 4);
        len %= 64;
        p[i + 37] %= 8;
        if (len + p[i + 37] > n - i - RECORD_HEAD) continue;
        memcpy(p + i + 32, &len, 4);
        uint32_t crc = crc32c(0, p + i + RECORD_HEAD, len + p[i + 37]);
        memcpy(p + i + 12, &crc, 4);
        const uint8_t id[8] = { 1 };
        crc = crc32c(crc32c(0, id, 8), p + i, 8);
        crc = crc32c(crc, p + i + 12, RECORD_HEAD - 12);
        memcpy(p + i + 8, &crc, 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 64 << 10) return 0;
    uint8_t how = data[0];
    size_t n = size - 1;
    uint8_t *p = mem_alloc(n);
    if (!p) return 0;
    if (n) memcpy(p, data + 1, n);
    if (how & MENDS) mend(p, n);
    struct segment_head h;
    enum err e = n >= SEGMENT_HEAD ? segment_head_decode(p, &h) : ERR_CORRUPT;
    ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
    struct scan s = scan_begin(how, p, n);
    struct result whole = scan_all(s, p, n, SIZE_MAX / 2);
    static const size_t windows[] = { 1, RECORD_HEAD, 97 };
    for (size_t i = 0; i < 3; i++) {
        struct result r = scan_all(s, p, n, windows[i]);
        ASSERT(r.n == whole.n && r.digest == whole.digest && r.covered == whole.covered);
    }
    mem_free(p);
    return 0;
}
