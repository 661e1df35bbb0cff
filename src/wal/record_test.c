// SPDX-License-Identifier: Apache-2.0
// The scan alone, over bytes: what it takes for a record, and what not.
#include "wal/fixture_test.h"

enum { MARKER = 0x51, OTHER = 0x52 };

struct bytes {
    uint8_t p[8192];
    size_t n;
};

// Appends a record of a commit of its own; returns where it begins.
static size_t add(struct bytes *b, uint64_t marker, uint64_t seq, struct str payload) {
    struct wal_record rec = { .seq = seq, .tenant = STR("t"), .payload = { payload } };
    size_t at = b->n;
    b->n += record_encode(7, marker, &rec, 0, b->p + b->n);
    memcpy(b->p + b->n, payload.ptr, payload.len);
    b->n += payload.len;
    return at;
}

static struct scan scan_of(const struct bytes *b) {
    return (struct scan){ .segment_id = 7,
                          .marker = MARKER,
                          .end = b->n,
                          .end_is_known = true,
                          .limit_seq = SEQ_MAX,
                          .last_seq_is_known = true,
                          .bad_off = SCAN_GOOD };
}

// "1 [47] 3 ": the numbers of the records, and between them how many bytes could not be read.
static void check_scan(struct scan s, const struct bytes *b, const char *want) {
    struct buf got;
    struct scan_out out;
    enum scan_result result;
    struct str exact = test_exact((struct str){ (const char *)b->p, b->n });
    buf_init(&got, 4096);
    do {
        result = scan_step(&s, (const uint8_t *)exact.ptr + s.off, exact.len - (size_t)s.off, &out);
        CHECK(result != SCAN_MORE);
        if (out.bad_from != out.bad_to) buf_fmt(&got, "[%d] ", (int)(out.bad_to - out.bad_from));
        if (result == SCAN_RECORD) buf_fmt(&got, "%d ", (int)out.head.seq);
    } while (result != SCAN_END);
    CHECK_STR(buf_view(&got), str_of(want));
    buf_fini(&got);
}

TEST(scan_reads_records_in_a_row) {
    struct bytes b = { .n = 0 };
    check_scan(scan_of(&b), &b, "");
    for (uint64_t seq = 1; seq <= 3; seq++) (void)add(&b, MARKER, seq, STR("payload"));
    check_scan(scan_of(&b), &b, "1 2 3 ");
}

TEST(scan_refuses_numbers_that_do_not_follow) {
    static const struct {
        uint64_t seqs[3];
        const char *want, *why;
    } rows[] = {
        { { 1, 1, 2 }, "1 [41] 2 ", "the same again" },
        { { 1, 3, 4 }, "1 [82] ", "one left out, though no byte is missing" },
        { { 2, 1, 2 }, "[41] 1 2 ", "one too high" },
        { { 1, 9, 2 }, "1 [41] 2 ", "far too high for the bytes in between" },
        { { 1, 2, 1 }, "1 2 [41] ", "one from before" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes b = { .n = 0 };
        for (size_t k = 0; k < 3; k++) (void)add(&b, MARKER, rows[i].seqs[k], STR(""));
        check_scan(scan_of(&b), &b, rows[i].want);
    }
}

TEST(scan_bounds_the_gap_by_the_bytes_that_are_missing) {
    for (uint64_t seq = 2; seq < 8; seq++) {
        struct bytes b = { .n = 0 };
        (void)add(&b, MARKER, 1, STR(""));
        memset(b.p + b.n, 0xee, 3 * RECORD_HEAD + 5); // room for three
        b.n += 3 * RECORD_HEAD + 5;
        (void)add(&b, MARKER, seq, STR(""));
        char want[64];
        (void)snprintf(want, sizeof want, seq <= 5 ? "1 [125] %d " : "1 [166] ", (int)seq);
        check_scan(scan_of(&b), &b, want);
    }
}

TEST(scan_wants_the_marker_of_the_segment) {
    struct bytes b = { .n = 0 };
    (void)add(&b, MARKER, 1, STR(""));
    (void)add(&b, OTHER, 2, STR(""));
    (void)add(&b, MARKER, 3, STR(""));
    check_scan(scan_of(&b), &b, "1 [41] 3 ");
    struct scan s = scan_of(&b);
    s.marker = 0; // not known: that of the first good one
    check_scan(s, &b, "1 [41] 3 ");
    s = scan_of(&b);
    s.segment_id = 8;
    check_scan(s, &b, "[123] ");
}

TEST(scan_does_not_look_into_a_damaged_body) {
    struct bytes inner = { .n = 0 }, b = { .n = 0 };
    (void)add(&inner, MARKER, 2, STR("inner"));
    (void)add(&inner, MARKER, 3, STR("inner"));
    size_t at = add(&b, MARKER, 1, (struct str){ (const char *)inner.p, inner.n });
    (void)add(&b, MARKER, 2, STR(""));
    b.p[at + RECORD_HEAD] ^= 1; // the tenant
    char want[64];
    (void)snprintf(want, sizeof want, "[%zu] 2 ", (size_t)RECORD_HEAD + 1 + inner.n);
    check_scan(scan_of(&b), &b, want);
}

TEST(scan_stops_where_the_next_segment_begins) {
    struct bytes b = { .n = 0 };
    for (uint64_t seq = 1; seq <= 4; seq++) (void)add(&b, MARKER, seq, STR(""));
    struct scan s = scan_of(&b);
    s.limit_seq = 3;
    check_scan(s, &b, "1 2 [82] "); // inside what counts, they have no business
    s.end_is_known = false;
    check_scan(s, &b, "1 2 ");
    b.p[RECORD_HEAD + 1 + 3] ^= 1; // also behind damage
    check_scan(s, &b, "1 [41] ");
}

TEST(scan_skips_without_a_look_at_bodies) {
    struct bytes b = { .n = 0 };
    size_t at = add(&b, MARKER, 1, STR("payload"));
    (void)add(&b, MARKER, 2, STR(""));
    (void)add(&b, MARKER, 3, STR(""));
    b.p[at + RECORD_HEAD + 3] ^= 1;
    struct scan s = scan_of(&b);
    s.skip_seq = 2;
    check_scan(s, &b, "3 ");
}

// Without a marker, anybody could write heads into a payload, each of which would have the rest of
// the segment checked: the scan gives up in time.
TEST(scan_gives_up_on_forged_heads) {
    struct bytes b = { .n = 0 };
    memset(b.p, 0xee, 10);
    b.n = 10;
    for (uint64_t seq = 1; seq <= 100; seq++) { // each with a body that is not there
        struct wal_record rec = { .seq = seq, .payload = { STR("1234567890") } };
        b.n += record_encode(7, OTHER, &rec, 0, b.p + b.n);
    }
    (void)add(&b, MARKER, 200, STR("1"));
    struct scan s = scan_of(&b);
    s.marker = 0;
    s.last_seq_is_known = false;
    check_scan(s, &b, "[4052] "); // the last one is good, and lost
    s.marker = MARKER;
    check_scan(s, &b, "[4010] 200 ");
}
