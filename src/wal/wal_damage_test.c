// SPDX-License-Identifier: Apache-2.0
// Files that were cut, flipped, overwritten, renamed or forged.
#include "wal/fixture_test.h"

#include <stdlib.h>

#include "base/hash.h"

static struct seen seen; // large

// A log of one segment with n records of len bytes, a commit each; ends[i] is where record i ends.
static struct str make_log(struct disk *d, const struct wal_opts *opts, size_t n, size_t len, size_t *ends) {
    struct wal *w;
    CHECK_OK(fixture_open(opts, 0, &seen, &w));
    for (size_t i = 0; i < n; i++) {
        struct disk_stat st;
        CHECK_OK(fixture_commit(w, 1 + i, 1, len));
        CHECK_OK(d->ops->stat(d, segment_name(1), &st));
        if (ends) ends[i] = st.size_bytes;
    }
    wal_close(w);
    return file_get(d, segment_name(1));
}

static size_t start_of(const size_t *ends, size_t i) {
    return i ? ends[i - 1] : SEGMENT_HEAD;
}

static void expect_quarantine(struct disk *d, uint64_t segment, uint64_t off, struct str want) {
    char path[128];
    (void)snprintf(path, sizeof path, "/d/wal/quarantine/%020llu-%020llu.bin", (unsigned long long)segment,
                   (unsigned long long)off);
    CHECK_STR(file_get(d, path), want);
}

// --- cuts ---

TEST(wal_every_cut_gives_a_prefix) {
    enum { N = 5 };
    size_t ends[N];
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct str whole = make_log(d, &opts, N, 60, ends);
    disk_sim_free(d);
    for (size_t cut = 0; cut <= whole.len; cut++) {
        d = fixture_disk();
        opts = fixture_opts(d, 1 << 20);
        CHECK_OK(d->ops->mkdir(d, "/d/wal"));
        file_put(d, segment_name(1), str_sub(whole, 0, cut));
        size_t n = 0, torn = cut;
        while (n < N && ends[n] <= cut) n++;
        if (cut >= SEGMENT_HEAD) torn = cut - start_of(ends, n);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        check_seen(&seen, 1, 1, n);
        CHECK(seen.replay.tail_bytes_cut <= torn &&
              seen.replay.tail_bytes_cut + 16 >= torn); // zeros do not count
        CHECK((torn == 0) == (seen.replay.tail_bytes_cut == 0));
        CHECK(seen.replay.quarantined_pieces == 0 && seen.replay.n_missing == 0);
        CHECK_OK(fixture_commit(w, n + 1, 2, 60)); // the numbers go on, behind what was kept
        wal_close(w);
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, n + 2);
        CHECK(seen.replay.tail_bytes_cut == 0 && seen.replay.quarantined_pieces == 0);
        disk_sim_free(d);
    }
}

TEST(wal_zeros_at_the_end_are_no_torn_tail) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct str whole = make_log(d, &opts, 3, 60, NULL);
    char *longer = calloc(1, whole.len + 100000);
    CHECK(longer);
    memcpy(longer, whole.ptr, whole.len);
    file_put(d, segment_name(1), (struct str){ longer, whole.len + 100000 });
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 3);
    CHECK_U64(seen.replay.tail_bytes_cut, 0);
    longer[whole.len + 5000] = 1; // but anything else is
    file_put(d, segment_name(1), (struct str){ longer, whole.len + 100000 });
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 3);
    CHECK_U64(seen.replay.tail_bytes_cut, 5001);
    file_put(d, segment_name(2), (struct str){ longer + whole.len, 4000 }); // a segment never begun
    file_put(d, segment_name(3), STR(""));
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 3);
    CHECK_U64(seen.replay.tail_bytes_cut, 5001);
    free(longer);
    disk_sim_free(d);
}

// --- flips ---

TEST(wal_every_flipped_byte_costs_its_record_only) {
    enum { N = 4 };
    size_t ends[N];
    for (int sealed = 0; sealed < 2; sealed++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        (void)make_log(d, &opts, N, 40, ends);
        if (sealed) {
            CHECK_OK(fixture_open(&opts, 0, &seen, &w));
            CHECK_OK(fixture_commit(w, N + 1, 1, 40));
            wal_close(w);
        }
        struct str whole = file_get(d, segment_name(1));
        char *bad = malloc(whole.len);
        CHECK(bad);
        for (size_t at = 0; at < whole.len; at++) {
            memcpy(bad, whole.ptr, whole.len);
            bad[at] ^= (char)(1 + test_below(255));
            file_put(d, segment_name(1), (struct str){ bad, whole.len });
            (void)d->ops->unlink(d, "/d/wal/quarantine/00000000000000000001-00000000000000000000.bin");
            size_t hit = 0; // which record; N: the head
            while (hit < N && !(at >= start_of(ends, hit) && at < ends[hit])) hit++;
            bool is_tail = hit == N - 1 && !sealed;
            fixture_replay(&opts, 0, &seen);
            size_t total = N + (sealed ? 1 : 0), k = 0;
            CHECK_U64(seen.n, total - (hit < N ? 1 : 0));
            for (size_t i = 0; i < total; i++) {
                if (i == hit) continue;
                CHECK_U64(seen.rec[k].id, i + 1);
                CHECK_U64(seen.rec[k++].seq, i + 1);
            }
            CHECK_U64(seen.replay.n_missing, hit < N && !is_tail);
            CHECK((seen.replay.tail_bytes_cut > 0) == is_tail);
            CHECK_U64(seen.replay.quarantined_pieces, !is_tail);
            if (is_tail) continue;
            size_t from = hit == N ? 0 : start_of(ends, hit), to = hit == N ? SEGMENT_HEAD : ends[hit];
            CHECK_U64(seen.replay.quarantined_bytes, to - from);
            expect_quarantine(d, 1, from, (struct str){ bad + from, to - from });
            char path[128];
            (void)snprintf(path, sizeof path, "/d/wal/quarantine/%020d-%020zu.bin", 1, from);
            CHECK_OK(d->ops->unlink(d, path)); // the next flip is another piece
        }
        free(bad);
        disk_sim_free(d);
    }
}

TEST(wal_a_flip_in_the_head_of_the_next_segment_costs_nothing) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 500);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    for (uint64_t id = 1; id <= 6; id++) CHECK_OK(fixture_commit(w, id, 1, 300));
    wal_close(w);
    struct str whole = file_get(d, segment_name(3));
    for (size_t at = 0; at < SEGMENT_HEAD; at++) {
        ((char *)(uintptr_t)whole.ptr)[at] ^= 0x40;
        file_put(d, segment_name(3), whole);
        ((char *)(uintptr_t)whole.ptr)[at] ^= 0x40;
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 6);
        CHECK(seen.replay.quarantined_bytes == SEGMENT_HEAD && seen.replay.n_missing == 0);
    }
    disk_sim_free(d);
}

// Ranges of junk anywhere: every record that was not touched is there, and nothing else is.
TEST(wal_damage_anywhere_never_reaches_other_records) {
    enum { N = 12 };
    for (int round = 0; round < 300; round++) {
        size_t ends[N], n_bad = 1 + test_below(4);
        bool hit[N] = { false };
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct str whole = make_log(d, &opts, N, 20 + test_below(300), ends);
        char *bytes = (char *)(uintptr_t)whole.ptr;
        for (size_t i = 0; i < n_bad; i++) {
            size_t from = SEGMENT_HEAD + test_below(whole.len - SEGMENT_HEAD), len = 1 + test_below(200);
            bool zeros = test_below(2);
            for (size_t at = from; at < from + len && at < whole.len; at++) {
                char v = zeros ? 0 : (char)test_rand();
                for (size_t k = 0; k < N; k++)
                    if (bytes[at] != v && at >= start_of(ends, k) && at < ends[k]) hit[k] = true;
                bytes[at] = v;
            }
        }
        file_put(d, segment_name(1), whole);
        fixture_replay(&opts, 0, &seen);
        size_t k = 0;
        for (size_t i = 0; i < N; i++) {
            if (hit[i]) continue;
            CHECK(k < seen.n && seen.rec[k].seq == i + 1 && seen.rec[k].id == i + 1);
            k++;
        }
        CHECK_U64(k, seen.n);
        uint64_t last = seen.n ? seen.rec[seen.n - 1].seq : 0;
        CHECK_U64(seen.replay.n_missing, last - seen.n);
        CHECK(dir_count(d, "/d/wal/quarantine") == seen.replay.quarantined_pieces);
        disk_sim_free(d);
    }
}

// In a log of groups: what was before the last commit had been synced, so any bad record there is
// damage; in a sealed segment the last commit was synced as well.
TEST(wal_a_bad_record_before_the_last_sync_is_damage) {
    enum { GROUPS = 3, RECORDS = 3, LEN = 60, N = GROUPS * RECORDS };
    for (int sealed = 0; sealed < 2; sealed++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        struct disk_stat st;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        size_t last_commit = 0;
        for (uint64_t g = 0; g < GROUPS; g++) {
            if (d->ops->stat(d, segment_name(1), &st) == ERR_OK) last_commit = st.size_bytes;
            CHECK_OK(fixture_commit(w, 1 + g * RECORDS, RECORDS, LEN));
        }
        wal_close(w);
        if (sealed) {
            CHECK_OK(fixture_open(&opts, 0, &seen, &w));
            CHECK_OK(fixture_commit(w, N + 1, 1, LEN));
            wal_close(w);
        }
        struct str whole = file_get(d, segment_name(1));
        for (size_t at = SEGMENT_HEAD; at < whole.len; at++) {
            bool is_damage = sealed || at < last_commit;
            ((char *)(uintptr_t)whole.ptr)[at] ^= 0x21;
            file_put(d, segment_name(1), whole);
            ((char *)(uintptr_t)whole.ptr)[at] ^= 0x21;
            fixture_replay(&opts, 0, &seen);
            CHECK_U64(seen.n, N - 1 + sealed); // all others are there in any case
            CHECK((seen.replay.quarantined_bytes > 0) == is_damage);
            CHECK_U64(seen.replay.n_missing, is_damage);
            CHECK((seen.replay.tail_bytes_cut > 0) == !is_damage);
        }
        disk_sim_free(d);
    }
}

// The last record of a commit and the first of the next, which is the last: one hole, but part of it
// had been synced.
TEST(wal_a_hole_that_reaches_before_the_last_commit_is_damage) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    struct disk_stat st;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 1, 2, 60));
    CHECK_OK(d->ops->stat(d, segment_name(1), &st));
    CHECK_OK(fixture_commit(w, 3, 3, 60));
    wal_close(w);
    struct str whole = file_get(d, segment_name(1));
    for (size_t reach = 0; reach < 90; reach++) {
        memset((char *)(uintptr_t)whole.ptr + st.size_bytes - reach, 0, reach + 50);
        file_put(d, segment_name(1), whole);
        fixture_replay(&opts, 0, &seen);
        CHECK_U64(seen.n, reach ? 3 : 4);
        CHECK((seen.replay.quarantined_bytes > 0) == (reach > 0));
        CHECK_U64(seen.replay.n_missing, reach ? 2 : 0);
    }
    disk_sim_free(d);
}

TEST(wal_quarantine_is_durable_and_not_made_twice) {
    for (int i = 0; i < 20; i++) {
        size_t ends[4];
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct str bytes = make_log(d, &opts, 4, 600, ends);
        ((char *)(uintptr_t)bytes.ptr)[ends[1] + 100] ^= 1;
        file_put(d, segment_name(1), bytes);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        expect_quarantine(d, 1, ends[1], str_sub(bytes, ends[1], ends[2] - ends[1]));
        uint64_t renames = disk_sim_calls(d, DISK_SIM_RENAME);
        fixture_replay(&opts, 0, &seen); // counted again, as long as it is in the log
        CHECK(seen.replay.quarantined_pieces == 1 && seen.replay.quarantined_bytes == ends[2] - ends[1]);
        CHECK_U64(disk_sim_calls(d, DISK_SIM_RENAME), renames);
        CHECK_U64(dir_count(d, "/d/wal/quarantine"), 1);
        disk_sim_free(d);
    }
}

TEST(wal_damage_that_cannot_be_set_aside_stops_the_opening) {
    size_t ends[4];
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    struct str bytes = make_log(d, &opts, 4, 600, ends);
    ((char *)(uintptr_t)bytes.ptr)[ends[1] + 100] ^= 1;
    file_put(d, segment_name(1), bytes);
    disk_sim_limit(d, bytes.len + 100);
    CHECK(fixture_open(&opts, 0, &seen, &w) == ERR_LIMIT);
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_limit(d, 0);
    fixture_replay(&opts, 0, &seen);
    CHECK_U64(seen.n, 3);
    disk_sim_free(d);
}

TEST(wal_damage_in_very_many_places_is_set_aside_in_few_pieces) {
    enum { N = 1200 };
    static size_t ends[N];
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct str bytes = make_log(d, &opts, N, 20, ends);
    for (size_t i = 0; i < N - 1; i += 2) ((char *)(uintptr_t)bytes.ptr)[ends[i] - 1] ^= 1;
    file_put(d, segment_name(1), bytes);
    fixture_replay(&opts, 0, &seen);
    CHECK_U64(seen.n, N / 2);
    CHECK_U64(seen.replay.n_missing, N / 2);
    CHECK_U64(dir_count(d, "/d/wal/quarantine"), 256);
    disk_sim_free(d);
}

// --- segments ---

TEST(wal_a_lost_segment_is_counted) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 500);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    for (uint64_t id = 1; id <= 5; id++) CHECK_OK(fixture_commit(w, id, 1, 400));
    wal_close(w);
    CHECK_OK(d->ops->unlink(d, segment_name(3)));
    fixture_replay(&opts, 0, &seen);
    CHECK(seen.n == 4 && seen.replay.n_missing == 1 && seen.replay.quarantined_pieces == 0);
    fixture_replay(&opts, 3, &seen); // which nobody misses once it is covered
    CHECK(seen.n == 2 && seen.replay.n_missing == 0);
    CHECK_OK(d->ops->unlink(d, segment_name(1)));
    fixture_replay(&opts, 0, &seen);
    CHECK(seen.n == 3 && seen.replay.n_missing == 2);
    disk_sim_free(d);
}

// Its first commit failed, and so did its removal; then a third segment was begun.
TEST(wal_a_segment_that_never_counted_is_no_damage) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 500);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 1, 1, 450));
    disk_sim_arm(d,
                 &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = 5, .keep = true }); // from the sync on
    CHECK(fixture_commit(w, 70, 1, 450) == ERR_IO);
    disk_sim_arm(d, NULL);
    CHECK_U64(dir_count(d, "/d/wal"), 2);
    CHECK_OK(fixture_commit(w, 2, 1, 450));
    struct str failed = file_get(d, segment_name(2));
    CHECK(failed.len > 200);
    ((char *)(uintptr_t)failed.ptr)[SEGMENT_HEAD + 20] ^= 1; // torn as well
    file_put(d, segment_name(2), failed);
    CHECK_OK(wal_trim(w, 0));
    wal_close(w);
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 2);
    CHECK(seen.replay.quarantined_pieces == 0 && seen.replay.tail_bytes_cut == 0 &&
          seen.replay.n_missing == 0);
    CHECK_OK(fixture_open(&opts, 2, &seen, &w));
    CHECK_OK(wal_trim(w, 2)); // it goes with the others
    CHECK_U64(dir_count(d, "/d/wal"), 1);
    wal_close(w);
    disk_sim_free(d);
}

TEST(wal_a_record_in_the_wrong_place_never_counts) {
    size_t ends[3];
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    struct str first = make_log(d, &opts, 3, 50, ends);
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 4, 1, 50));
    wal_close(w);
    struct str second = file_get(d, segment_name(2));
    char joined[4096];
    // a record of the segment before it, one of its own once more, behind the last of the second
    memcpy(joined, second.ptr, second.len);
    memcpy(joined + second.len, first.ptr + ends[1], ends[2] - ends[1]);
    size_t len = second.len + (ends[2] - ends[1]);
    memcpy(joined + len, second.ptr + SEGMENT_HEAD, second.len - SEGMENT_HEAD);
    len += second.len - SEGMENT_HEAD;
    file_put(d, segment_name(2), (struct str){ joined, len });
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 4);
    CHECK_U64(seen.replay.tail_bytes_cut, len - second.len);
    file_put(d, segment_name(9), first); // a whole file under the name of another
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 4);
    disk_sim_free(d);
}

// What a client sends may contain what looks like a record of this very segment: without the marker
// it is none, wherever the damage around it lies.
TEST(wal_a_record_inside_a_payload_is_never_taken_for_one) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    char forged[600];
    struct sample s;
    size_t len = 0;
    for (uint64_t seq = 2; seq <= 4; seq++) {
        struct wal_record rec = sample_record(&s, 500 + seq, 40);
        rec.seq = seq;
        len += record_encode(1, 0x1111111111111111, &rec, 0, (uint8_t *)forged + len);
        memcpy(forged + len, s.body, 40);
        len += 40;
    }
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 1, 1, 40));
    struct wal_record outer = { .tenant = STR("evil"), .payload = { { forged, len } } };
    CHECK_OK(wal_commit(w, &outer, 1));
    CHECK_OK(fixture_commit(w, 3, 1, 40));
    wal_close(w);
    struct str whole = file_get(d, segment_name(1));
    struct record_head h;
    CHECK(record_decode(1, (const uint8_t *)whole.ptr + SEGMENT_HEAD, &h));
    size_t start = SEGMENT_HEAD + (size_t)record_bytes(&h);
    for (size_t at = start; at < start + RECORD_HEAD + 4; at++) {
        ((char *)(uintptr_t)whole.ptr)[at] ^= 0x10;
        file_put(d, segment_name(1), whole);
        ((char *)(uintptr_t)whole.ptr)[at] ^= 0x10;
        fixture_replay(&opts, 0, &seen);
        CHECK(seen.n == 2 && seen.rec[0].id == 1 && seen.rec[1].id == 3 && seen.rec[1].seq == 3);
    }
    disk_sim_free(d);
}

// --- the format itself ---

TEST(wal_the_bytes_are_what_the_format_says) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    opts.marker = 0x0807060504030201;
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 41, &seen, &w));
    struct wal_record rec = { .kind = 3,
                              .tenant = STR("ab"),
                              .time_ns = 0x1122334455667788,
                              .payload = { STR("x"), STR(""), STR("yz") } };
    CHECK_OK(wal_commit(w, &rec, 1));
    wal_close(w);
    struct str got = file_get(d, segment_name(1));
    static const char want[] = "54414b5457414c0a" // TAKTWAL\n
                               "01000000"         // version
                               "0000000000000000" // flags
                               "806edcfb"         // crc
                               "0100000000000000" // id
                               "2a00000000000000" // first sequence
                               "0102030405060708" // marker
                               "0000000000000000" // previous segment
                               "0000000000000000" // its end
                               "0102030405060708" // record: marker
                               "bddcc156"         // crc of the head
                               "726539d7"         // crc of the body
                               "2a00000000000000" // sequence
                               "8877665544332211" // time
                               "03000000"         // length
                               "0302"             // kind, length of the tenant
                               "0000"             // index in its commit
                               "616278797a";      // ab xyz
    char hex[512];
    CHECK_U64(got.len * 2, sizeof want - 1);
    hex_encode(got.ptr, got.len, hex);
    CHECK_STR(((struct str){ hex, got.len * 2 }), str_of(want));
    disk_sim_free(d);
}

static enum err open_with_flags(size_t at) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    struct str bytes = make_log(d, &opts, 2, 50, NULL);
    uint8_t *p = (uint8_t *)(uintptr_t)bytes.ptr;
    p[at] ^= 2;
    uint32_t crc = crc32c(crc32c(0, p, 20), p + 24, SEGMENT_HEAD - 24);
    memcpy(p + 20, &crc, 4);
    file_put(d, segment_name(1), bytes);
    enum err e = fixture_open(&opts, 0, &seen, &w);
    if (e == ERR_OK) wal_close(w);
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_free(d);
    return e;
}

TEST(wal_a_newer_format_is_refused_and_not_called_damage) {
    CHECK(open_with_flags(8) == ERR_UNSUPPORTED);  // version
    CHECK(open_with_flags(12) == ERR_UNSUPPORTED); // must understand
    CHECK_OK(open_with_flags(16));                 // may ignore
    CHECK_U64(seen.n, 2);
}

// A damaged head in a log with nothing else to tell the marker: the records tell it.
TEST(wal_without_any_marker_records_are_still_found) {
    size_t ends[5];
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct str bytes = make_log(d, &opts, 5, 100, ends);
    ((char *)(uintptr_t)bytes.ptr)[3] ^= 1;                 // the head
    ((char *)(uintptr_t)bytes.ptr)[SEGMENT_HEAD + 20] ^= 1; // and the first record
    file_put(d, segment_name(1), bytes);
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 2, 2, 4);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 6, 1, 100));
    wal_close(w);
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 2, 2, 5);
    disk_sim_free(d);
}
