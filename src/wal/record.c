// SPDX-License-Identifier: Apache-2.0
#include "wal/record.h"

#include "base/cursor.h"
#include "base/hash.h"

enum { VERSION = 1, HEAD_CRC_AT = 20, RECORD_CRC_AT = 8, RECORD_AFTER_CRC = 12 };
enum { PREV_IS_TORN = 1 }; // among the flags that a reader may ignore
static const char magic[8] = { 'T', 'A', 'K', 'T', 'W', 'A', 'L', '\n' };

// Records that look right but are not are expected only where somebody forges them; a scan that
// does not know the marker gives up before it costs more than this many checksums of bodies.
enum { FALSE_MAX = 64 };

static void put_u32(uint8_t *dst, uint32_t v) {
    for (int i = 0; i < 4; i++) dst[i] = (uint8_t)(v >> 8 * i);
}
static void put_u64(uint8_t *dst, uint64_t v) {
    for (int i = 0; i < 8; i++) dst[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t head_crc(const uint8_t *p) {
    uint32_t crc = crc32c(0, p, HEAD_CRC_AT);
    return crc32c(crc, p + HEAD_CRC_AT + 4, SEGMENT_HEAD - HEAD_CRC_AT - 4);
}

void segment_head_encode(const struct segment_head *h, uint8_t dst[SEGMENT_HEAD]) {
    memset(dst, 0, SEGMENT_HEAD);
    memcpy(dst, magic, sizeof magic);
    put_u32(dst + 8, VERSION); // 12: must-understand flags, none
    put_u32(dst + 16, h->prev_is_torn ? PREV_IS_TORN : 0);
    put_u64(dst + 24, h->id);
    put_u64(dst + 32, h->first_seq);
    put_u64(dst + 40, h->marker);
    put_u64(dst + 48, h->prev_id);
    put_u64(dst + 56, h->prev_end);
    put_u32(dst + HEAD_CRC_AT, head_crc(dst));
}

enum err segment_head_decode(const uint8_t src[SEGMENT_HEAD], struct segment_head *out) {
    struct reader r = reader_of((struct str){ (const char *)src, SEGMENT_HEAD });
    struct segment_head h;
    struct str start = rd_bytes(&r, sizeof magic);
    uint32_t version = rd_u32le(&r);
    uint32_t must_understand = rd_u32le(&r);
    h.prev_is_torn = (rd_u32le(&r) & PREV_IS_TORN) != 0;
    uint32_t crc = rd_u32le(&r);
    h.id = rd_u64le(&r);
    h.first_seq = rd_u64le(&r);
    h.marker = rd_u64le(&r);
    h.prev_id = rd_u64le(&r);
    h.prev_end = rd_u64le(&r);
    if (memcmp(start.ptr, magic, sizeof magic) != 0 || crc != head_crc(src)) return ERR_CORRUPT;
    if (version != VERSION || must_understand != 0) return ERR_UNSUPPORTED;
    if (h.marker == 0 || h.first_seq == 0 || h.first_seq > SEQ_MAX || h.prev_id >= h.id) return ERR_CORRUPT;
    *out = h;
    return ERR_OK;
}

// Over the segment's id and the head but for the checksum itself. Through body_crc in the head it
// binds the body as well.
static uint32_t record_crc(uint64_t segment_id, const uint8_t *p) {
    uint8_t id[8];
    put_u64(id, segment_id);
    uint32_t crc = crc32c(crc32c(0, id, sizeof id), p, RECORD_CRC_AT);
    return crc32c(crc, p + RECORD_AFTER_CRC, RECORD_HEAD - RECORD_AFTER_CRC);
}

size_t record_encode(uint64_t segment_id, uint64_t marker, const struct wal_record *rec, uint16_t index,
                     uint8_t *dst) {
    uint32_t body_crc = crc32c(0, rec->tenant.ptr, rec->tenant.len);
    size_t len = 0;
    for (int i = 0; i < 3; i++) {
        body_crc = crc32c(body_crc, rec->payload[i].ptr, rec->payload[i].len);
        len += rec->payload[i].len;
    }
    ASSERT(len <= WAL_RECORD_MAX && rec->tenant.len <= WAL_TENANT_MAX && rec->seq < SEQ_MAX);
    memset(dst, 0, RECORD_HEAD);
    put_u64(dst, marker);
    put_u32(dst + 12, body_crc);
    put_u64(dst + 16, rec->seq);
    put_u64(dst + 24, rec->time_ns);
    put_u32(dst + 32, (uint32_t)len);
    dst[36] = rec->kind;
    dst[37] = (uint8_t)rec->tenant.len;
    dst[38] = (uint8_t)index;
    dst[39] = (uint8_t)(index >> 8);
    put_u32(dst + RECORD_CRC_AT, record_crc(segment_id, dst));
    if (rec->tenant.len) memcpy(dst + RECORD_HEAD, rec->tenant.ptr, rec->tenant.len);
    return RECORD_HEAD + rec->tenant.len;
}

bool record_decode(uint64_t segment_id, const uint8_t src[RECORD_HEAD], struct record_head *out) {
    struct reader r = reader_of((struct str){ (const char *)src, RECORD_HEAD });
    struct record_head h;
    h.marker = rd_u64le(&r);
    uint32_t crc = rd_u32le(&r);
    h.body_crc = rd_u32le(&r);
    h.seq = rd_u64le(&r);
    h.time_ns = rd_u64le(&r);
    h.payload_len = rd_u32le(&r);
    h.kind = rd_u8(&r);
    h.tenant_len = rd_u8(&r);
    h.index = rd_u16le(&r);
    if (h.marker == 0 || h.seq == 0 || h.seq >= SEQ_MAX || h.payload_len > WAL_RECORD_MAX) return false;
    if (h.tenant_len > WAL_TENANT_MAX || h.index >= h.seq || crc != record_crc(segment_id, src)) return false;
    *out = h;
    return true;
}

bool record_body_ok(const struct record_head *h, const uint8_t *body) {
    return crc32c(0, body, (size_t)h->tenant_len + h->payload_len) == h->body_crc;
}

// --- the scan ---

// In a row, numbers follow without a gap; behind unreadable bytes as many may be missing as records
// fit into them.
static bool seq_fits(const struct scan *s, uint64_t seq) {
    if (seq <= s->last_seq) return false;
    if (!s->last_seq_is_known) return true;
    uint64_t gap = seq - s->last_seq - 1;
    return gap <= (s->bad_off == SCAN_GOOD ? 0 : (s->off - s->bad_off) / RECORD_HEAD);
}

static bool head_fits(const struct scan *s, const uint8_t *p, struct record_head *h) {
    return record_decode(s->segment_id, p, h) && (s->marker == 0 || h->marker == s->marker) &&
           seq_fits(s, h->seq);
}

// How many of the n bytes cannot be the start of a record, the first one included.
static size_t dead_bytes(const struct scan *s, const uint8_t *p, size_t n) {
    struct record_head h;
    if (s->marker) {
        uint8_t marker[8];
        put_u64(marker, s->marker);
        const uint8_t *at = memmem(p + 1, n - 1, marker, sizeof marker);
        return at ? (size_t)(at - p) : n - (sizeof marker - 1);
    }
    size_t i = 1;
    while (i + RECORD_HEAD <= n && !record_decode(s->segment_id, p + i, &h)) i++;
    return i;
}

static enum scan_result scan_end(struct scan *s, uint64_t at, struct scan_out *out) {
    out->bad_from = s->bad_off == SCAN_GOOD ? at : s->bad_off;
    out->bad_to = at;
    s->off = s->end = at;
    s->bad_off = SCAN_GOOD;
    return SCAN_END;
}

static enum scan_result scan_more(struct scan_out *out, uint64_t need) {
    out->need = (size_t)need;
    return SCAN_MORE;
}

static void scan_pass(struct scan *s, const uint8_t **p, size_t *n, uint64_t bytes) {
    s->off += bytes;
    *p += bytes < *n ? bytes : *n;
    *n -= bytes < *n ? bytes : *n;
}

static enum scan_result scan_good(struct scan *s, const struct record_head *h, const uint8_t *p,
                                  struct scan_out *out) {
    out->head = *h;
    out->at = p;
    out->before_seq = s->good_seq;
    out->bad_from = s->bad_off == SCAN_GOOD ? s->off : s->bad_off;
    out->bad_to = s->off;
    s->off += record_bytes(h);
    s->marker = h->marker;
    s->last_seq = s->good_seq = h->seq;
    s->last_seq_is_known = true;
    s->good_end = s->off;
    s->bad_off = SCAN_GOOD;
    return SCAN_RECORD;
}

// A head whose body is damaged. Its length can be trusted, so that nothing inside the body is
// taken for a record; except where it may be inside a body itself.
static uint64_t bad_body(struct scan *s, const struct record_head *h) {
    bool may_be_forged = s->marker == 0 && s->bad_off != SCAN_GOOD;
    if (s->bad_off == SCAN_GOOD) s->bad_off = s->off;
    if (may_be_forged) return ++s->n_false > FALSE_MAX ? s->end - s->off : 1;
    s->marker = h->marker;
    s->last_seq = h->seq;
    s->last_seq_is_known = true;
    return record_bytes(h);
}

enum scan_result scan_step(struct scan *s, const uint8_t *p, size_t n, struct scan_out *out) {
    for (;;) {
        struct record_head h;
        uint64_t left = s->end - s->off;
        if (left == 0) return scan_end(s, s->end, out);
        if (left >= RECORD_HEAD && n < RECORD_HEAD) return scan_more(out, RECORD_HEAD);
        bool fits = left >= RECORD_HEAD && head_fits(s, p, &h);
        if (fits && h.seq >= s->limit_seq && !s->end_is_known) return scan_end(s, s->off, out);
        if (!fits || h.seq >= s->limit_seq || record_bytes(&h) > left) {
            if (s->bad_off == SCAN_GOOD) s->bad_off = s->off;
            scan_pass(s, &p, &n, left < RECORD_HEAD ? left : dead_bytes(s, p, left < n ? (size_t)left : n));
            continue;
        }
        if (h.seq <= s->skip_seq && s->bad_off == SCAN_GOOD) {
            (void)scan_good(s, &h, p, out);
            s->off -= record_bytes(&h);
            scan_pass(s, &p, &n, record_bytes(&h));
            continue;
        }
        if (n < record_bytes(&h)) return scan_more(out, record_bytes(&h));
        if (record_body_ok(&h, p + RECORD_HEAD)) return scan_good(s, &h, p, out);
        scan_pass(s, &p, &n, bad_body(s, &h));
    }
}
