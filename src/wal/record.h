// SPDX-License-Identifier: Apache-2.0
// The bytes of a segment, without any I/O: heads, records, and a scan that finds the records of a
// segment in slices of it, whatever is between them. docs/formats/wal.md has the tables.
// thread: any.
#pragma once

#include "wal/wal.h"

enum { SEGMENT_HEAD = 64, RECORD_HEAD = 40 };
#define SEQ_MAX (1ull << 62) // so that arithmetic on what a file says cannot overflow

struct segment_head {
    uint64_t id;        // also the file's name
    uint64_t first_seq; // of the first record to come
    uint64_t marker;    // of every record; never 0
    // The last segment before this one that counts, and how many of its bytes do. What comes after
    // them, and any segment between the two, was never acknowledged. 0 = there was none.
    uint64_t prev_id, prev_end;
    // The last commit of that segment was found torn: what it lacks was never acknowledged.
    bool prev_is_torn;
};

void segment_head_encode(const struct segment_head *h, uint8_t dst[SEGMENT_HEAD]);
// ERR_CORRUPT, or ERR_UNSUPPORTED when it is whole but of a newer format.
NODISCARD enum err segment_head_decode(const uint8_t src[SEGMENT_HEAD], struct segment_head *out);

struct record_head {
    uint64_t marker, seq, time_ns;
    uint32_t body_crc, payload_len;
    uint16_t index; // in its commit; records of one commit share seq - index
    uint8_t kind, tenant_len;
};

static inline uint64_t record_bytes(const struct record_head *h) {
    return (uint64_t)RECORD_HEAD + h->tenant_len + h->payload_len;
}
// Head and tenant of the index-th record of a commit into dst (RECORD_HEAD + WAL_TENANT_MAX bytes);
// returns how many. The payload follows in the file as it is.
size_t record_encode(uint64_t segment_id, uint64_t marker, const struct wal_record *rec, uint16_t index,
                     uint8_t *dst);
bool record_decode(uint64_t segment_id, const uint8_t src[RECORD_HEAD], struct record_head *out);
bool record_body_ok(const struct record_head *h, const uint8_t *body); // tenant and payload

#define SCAN_GOOD UINT64_MAX

// Where the reading of a segment stands. Set up by the caller, then advanced by scan_step.
struct scan {
    uint64_t segment_id;
    uint64_t marker;   // 0: not known (the segment's head is damaged)
    uint64_t off, end; // the next byte to look at; the end of what counts
    bool end_is_known; // if not, a record with seq >= limit_seq ends the segment
    uint64_t limit_seq;
    uint64_t last_seq;      // of the record before
    bool last_seq_is_known; // if not, any greater one may follow
    uint64_t skip_seq;      // records up to it are passed over without a look at their bodies
    uint64_t bad_off;       // where unreadable bytes began; SCAN_GOOD: they did not
    uint64_t good_seq;      // of the last good record, skipped ones included; 0 = none yet
    uint64_t good_end;      // where it ended
    uint32_t n_false;       // heads without a body, while the marker is not known
};

enum scan_result {
    SCAN_RECORD, // out->head at out->at
    SCAN_MORE,   // come again with at least out->need bytes from scan.off on
    SCAN_END,
};
struct scan_out {
    struct record_head head;
    const uint8_t *at;
    size_t need;
    uint64_t before_seq;       // of the good record before this one; 0 = there was none
    uint64_t bad_from, bad_to; // what could not be read just before the record or the end
};

// p are n bytes of the segment from s->off on. A good record is what has a good checksum and a
// sequence number that fits; after anything else, the next such record is searched.
enum scan_result scan_step(struct scan *s, const uint8_t *p, size_t n, struct scan_out *out);
