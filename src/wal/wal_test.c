// SPDX-License-Identifier: Apache-2.0
// The log as its callers see it: what goes in comes out, numbers, trimming, limits, errors.
#include "wal/fixture_test.h"

#include <stdatomic.h>
#include <sys/stat.h>

#include "os/thread.h"

static struct seen seen; // large

TEST(wal_round_trip) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 0);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_U64(seen.n, 0);
    CHECK_OK(fixture_commit(w, 1, 1, 100));
    CHECK_OK(fixture_commit(w, 2, 5, 0));
    CHECK_OK(wal_commit(w, NULL, 0));
    CHECK_OK(fixture_commit(w, 7, 3, 4000));
    CHECK_U64(disk_sim_calls(d, DISK_SIM_WRITE), 3); // one write and one sync a commit
    CHECK_U64(disk_sim_calls(d, DISK_SIM_SYNC), 3);
    wal_close(w);
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, 9);
    CHECK(seen.replay.bytes > 3 * 4000 && seen.replay.tail_bytes_cut == 0 && seen.replay.n_missing == 0);
    fixture_replay(&opts, 6, &seen);
    check_seen(&seen, 7, 7, 3);
    fixture_replay(&opts, 9, &seen);
    check_seen(&seen, 0, 0, 0);
    disk_sim_free(d);
}

TEST(wal_numbers_go_on_over_restarts_and_segments) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 2000);
    uint64_t id = 1;
    for (int life = 0; life < 10; life++) {
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        check_seen(&seen, 1, 1, id - 1);
        for (int i = 0; i < 5; i++) {
            size_t n = 1 + test_below(4);
            CHECK_OK(fixture_commit(w, id, n, test_below(600)));
            id += n;
        }
        wal_close(w);
    }
    fixture_replay(&opts, 0, &seen);
    check_seen(&seen, 1, 1, id - 1);
    CHECK(dir_count(d, "/d/wal") >= 10);
    for (uint64_t after = 0; after < id; after += 3) {
        fixture_replay(&opts, after, &seen);
        check_seen(&seen, after + 1, after + 1, id - 1 - after);
        CHECK_U64(seen.replay.n_missing, 0);
    }
    disk_sim_free(d);
}

TEST(wal_large_records_pass_through_the_window) {
    struct wal_opts opts = { .disk = disk_real(), .dir = test_dir(), .segment_bytes = 8 << 20 };
    struct wal_replay replay;
    struct wal *w;
    CHECK_OK(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    enum { LARGE = 5 << 20 };
    char *big = mem_zalloc(LARGE);
    CHECK(big);
    for (int i = 0; i < 4; i++) {
        struct wal_record rec = { .tenant = STR("t"), .payload = { { big, 7 }, { big, LARGE } } };
        CHECK_OK(wal_commit(w, &rec, 1));
        CHECK_U64(rec.seq, i + 1);
    }
    mem_free(big);
    wal_close(w);
    CHECK_OK(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    wal_close(w);
    CHECK_U64(replay.n_records, 4);
    CHECK_U64(replay.bytes, 4 * (RECORD_HEAD + 1 + 7 + (uint64_t)LARGE));
}

TEST(wal_keeps_its_marker) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 0);
    for (uint64_t life = 1; life <= 3; life++) {
        struct segment_head h;
        struct wal *w;
        opts.marker = life == 1 ? 0 : life; // drawn once, then that of the log
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, life, 1, 100));
        wal_close(w);
        static uint64_t marker;
        CHECK_OK(segment_head_decode((const uint8_t *)file_get(d, segment_name(life)).ptr, &h));
        if (life == 1) marker = h.marker;
        CHECK_U64(h.marker, marker);
    }
    disk_sim_free(d);
}

// What was reserved behind the end of a segment is given back when it is sealed, and by the next
// opening when the process died before.
TEST(wal_gives_back_reserved_space) {
    struct wal_opts opts = { .disk = disk_real(), .dir = test_dir(), .segment_bytes = 8 << 20 };
    struct wal_replay replay;
    struct disk_file *f;
    struct stat st;
    struct wal *w;
    char path[512];
    CHECK_OK(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    CHECK_OK(fixture_commit(w, 1, 1, 100));
    wal_close(w);
    (void)snprintf(path, sizeof path, "%s/%020d.wal", test_dir(), 1);
    CHECK(stat(path, &st) == 0 && st.st_blocks * 512 < 1 << 20);
    CHECK_OK(opts.disk->ops->open(opts.disk, path, DISK_WRITE, &f));
    CHECK_OK(opts.disk->ops->reserve(f, 8 << 20));
    opts.disk->ops->close(f);
    CHECK_OK(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    wal_close(w);
    CHECK(stat(path, &st) == 0 && st.st_blocks * 512 < 1 << 20);
}

TEST(wal_sequence_continues_behind_what_blocks_cover) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 0);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 500, &seen, &w)); // the files of the log are gone, the catalog is not
    CHECK_OK(fixture_commit(w, 501, 2, 50));
    wal_close(w);
    fixture_replay(&opts, 500, &seen);
    check_seen(&seen, 501, 501, 2);
    disk_sim_free(d);
}

static enum err stop_at_two(void *ctx, const struct wal_record *rec) {
    ++*(size_t *)ctx;
    return rec->seq == 2 ? ERR_CANCELED : ERR_OK;
}

TEST(wal_open_stops_with_the_callers_error) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 0);
    struct wal *w = NULL;
    struct wal_replay replay;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK_OK(fixture_commit(w, 1, 3, 50));
    wal_close(w);
    size_t n = 0;
    CHECK(wal_open(&opts, 0, &n, stop_at_two, &replay, &w) == ERR_CANCELED);
    CHECK_U64(n, 2);
    CHECK_U64(replay.n_records, 2);
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_free(d);
}

TEST(wal_refuses_what_is_too_large_before_it_writes) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 0);
    struct wal *w;
    char tenant[WAL_TENANT_MAX + 1];
    memset(tenant, 't', sizeof tenant);
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    struct wal_record rec = { .tenant = { tenant, sizeof tenant } };
    CHECK(wal_commit(w, &rec, 1) == ERR_INVALID);
    rec.tenant.len--;
    rec.payload[1] = (struct str){ tenant, (size_t)WAL_RECORD_MAX + 1 }; // never read
    CHECK(wal_commit(w, &rec, 1) == ERR_LIMIT);
    rec.payload[1].len = WAL_RECORD_MAX;
    rec.payload[2] = (struct str){ tenant, 1 };
    CHECK(wal_commit(w, &rec, 1) == ERR_LIMIT);
    struct wal_record many[5];
    for (int i = 0; i < 5; i++) many[i] = (struct wal_record){ .payload = { { tenant, WAL_RECORD_MAX } } };
    CHECK(wal_commit(w, many, 5) == ERR_LIMIT);
    CHECK_U64(disk_sim_calls(d, DISK_SIM_WRITE), 0);
    wal_close(w);
    disk_sim_free(d);
}

// --- trimming ---

TEST(wal_trim_removes_covered_segments_only) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1000);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    for (uint64_t id = 1; id <= 40; id++) CHECK_OK(fixture_commit(w, id, 1, 300)); // two or so a segment
    for (uint64_t covered = 0; covered <= 40; covered++) {
        struct wal_opts reader = opts;
        reader.read_only = true;
        CHECK_OK(wal_trim(w, covered));
        fixture_replay(&reader, covered, &seen);
        check_seen(&seen, covered + 1, covered + 1, 40 - covered);
        CHECK_U64(seen.replay.n_missing, 0);
        struct wal_stats st;
        wal_stats(w, &st);
        CHECK_U64(st.segments, dir_count(d, "/d/wal"));
        if (covered < 40)
            CHECK(st.oldest_time_ns <= 1000 + covered + 1 && st.oldest_time_ns + 3 > 1000 + covered);
    }
    CHECK_U64(dir_count(d, "/d/wal"), 1); // a new one was begun, so that the last could go
    CHECK_OK(fixture_commit(w, 41, 1, 300));
    wal_close(w);
    fixture_replay(&opts, 40, &seen);
    check_seen(&seen, 41, 41, 1);
    disk_sim_free(d);
}

TEST(wal_trim_keeps_the_numbers_when_everything_goes) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1000);
    struct wal *w;
    for (uint64_t id = 1; id <= 30; id += 10) {
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_U64(seen.n, 0);
        for (uint64_t i = 0; i < 10; i++) CHECK_OK(fixture_commit(w, id + i, 1, 300));
        if (id == 11) { // as well when nothing was written since the start
            wal_close(w);
            CHECK_OK(fixture_open(&opts, id + 9, &seen, &w));
        }
        CHECK_OK(wal_trim(w, id + 9));
        wal_close(w);
    }
    CHECK_OK(fixture_open(&opts, 0, &seen, &w)); // even by a caller who lost his mark
    CHECK_OK(fixture_commit(w, 31, 1, 50));
    wal_close(w);
    fixture_replay(&opts, 30, &seen);
    check_seen(&seen, 31, 31, 1);
    disk_sim_free(d);
}

TEST(wal_trim_leaves_a_small_segment_in_use) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1 << 20);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    for (uint64_t id = 1; id <= 20; id++) {
        CHECK_OK(fixture_commit(w, id, 1, 100));
        CHECK_OK(wal_trim(w, id));
    }
    CHECK_U64(disk_sim_calls(d, DISK_SIM_UNLINK), 0);
    CHECK_U64(dir_count(d, "/d/wal"), 1);
    wal_close(w);
    disk_sim_free(d);
}

// --- reading only ---

TEST(wal_read_only_writes_nothing) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1000);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    for (uint64_t id = 1; id <= 10; id++) CHECK_OK(fixture_commit(w, id, 1, 300));
    wal_close(w);
    struct str bytes = file_get(d, segment_name(2)); // damaged in the middle of the log
    ((char *)(uintptr_t)bytes.ptr)[200] ^= 1;
    file_put(d, segment_name(2), bytes);
    static const enum disk_sim_op changing[] = { DISK_SIM_WRITE,  DISK_SIM_SYNC,  DISK_SIM_TRUNCATE,
                                                 DISK_SIM_MKDIR,  DISK_SIM_LINK,  DISK_SIM_RENAME,
                                                 DISK_SIM_UNLINK, DISK_SIM_RMDIR, DISK_SIM_SYNC_DIR };
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) before += disk_sim_calls(d, changing[i]);
    opts.read_only = true;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    CHECK(seen.n == 9 && seen.replay.quarantined_pieces == 1);
    CHECK(fixture_commit(w, 1, 1, 1) == ERR_INVALID);
    CHECK(wal_trim(w, 5) == ERR_INVALID);
    wal_close(w);
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) after += disk_sim_calls(d, changing[i]);
    CHECK_U64(after, before);
    opts.dir = "/nothing/here";
    fixture_replay(&opts, 0, &seen);
    CHECK_U64(seen.n, 0);
    disk_sim_free(d);
}

// --- stats ---

TEST(wal_stats_say_what_is_held) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 1000);
    struct wal *w;
    struct wal_stats st, again;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    wal_stats(w, &st);
    CHECK(st.segments == 0 && st.bytes == 0 && st.last_seq == 0 && st.oldest_time_ns == 0);
    for (uint64_t id = 1; id <= 10; id++) CHECK_OK(fixture_commit(w, id, 1, 300));
    wal_stats(w, &st);
    CHECK(st.last_seq == 10 && st.oldest_time_ns == 1001 && st.sync_count == 10 && st.segments == 5);
    uint64_t bytes = 0;
    for (uint64_t id = 1; id <= 5; id++) {
        struct disk_stat file;
        CHECK_OK(d->ops->stat(d, segment_name(id), &file));
        bytes += file.size_bytes;
    }
    CHECK_U64(st.bytes, bytes);
    CHECK_U64(st.bytes_written_total, bytes);
    wal_close(w);
    CHECK_OK(fixture_open(&opts, 7, &seen, &w));
    wal_stats(w, &again);
    CHECK(again.bytes == st.bytes && again.segments == 5 && again.last_seq == 10 &&
          again.oldest_time_ns == 1001);
    wal_close(w);
    disk_sim_free(d);
}

struct watcher {
    struct wal *w;
    _Atomic bool stop;
    bool went_back;
};
static void watch(void *arg) {
    struct watcher *x = arg;
    struct wal_stats last = { 0 }, now;
    while (!x->stop) {
        wal_stats(x->w, &now);
        x->went_back |= now.last_seq < last.last_seq || now.sync_count < last.sync_count;
        last = now;
    }
}

TEST(wal_stats_by_another_thread) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 4000);
    struct watcher x = { 0 };
    struct thread t = { 0 };
    CHECK_OK(fixture_open(&opts, 0, &seen, &x.w));
    CHECK_OK(thread_start(&t, "watch", watch, &x));
    for (uint64_t id = 1; id <= 300; id++) {
        CHECK_OK(fixture_commit(x.w, id, 1, 200));
        if (id % 50 == 0) CHECK_OK(wal_trim(x.w, id));
    }
    x.stop = true;
    thread_join(&t);
    CHECK(!x.went_back);
    wal_close(x.w);
    disk_sim_free(d);
}

// --- errors ---

TEST(wal_full_disk_is_a_limit_and_the_log_goes_on_when_there_is_room) {
    struct disk *d = fixture_disk();
    struct wal_opts opts = fixture_opts(d, 4000);
    struct wal *w;
    CHECK_OK(fixture_open(&opts, 0, &seen, &w));
    uint64_t id = 1;
    disk_sim_limit(d, 10000);
    enum err e;
    while ((e = fixture_commit(w, id, 1, 500)) == ERR_OK) id++;
    CHECK(e == ERR_LIMIT && id > 10);
    for (int i = 0; i < 5; i++) CHECK(fixture_commit(w, id, 1, 500) == ERR_LIMIT);
    CHECK(dir_count(d, "/d/wal") <= 4); // attempts leave no files behind
    CHECK_OK(wal_trim(w, 8));
    CHECK_OK(fixture_commit(w, id, 1, 500));
    wal_close(w);
    fixture_replay(&opts, 8, &seen);
    check_seen(&seen, 9, 9, id - 8);
    CHECK_U64(seen.replay.quarantined_pieces, 0);
    disk_sim_free(d);
}

static enum err scenario(const struct wal_opts *opts, uint64_t *acked) {
    struct wal *w;
    TRY(fixture_open(opts, 0, &seen, &w));
    enum err first = ERR_OK;
    for (uint64_t i = 0; i < 8; i++) {
        enum err e = fixture_commit(w, *acked + 1, 2, 300);
        if (e == ERR_OK) *acked += 2;
        if (e == ERR_OK && i == 5) e = wal_trim(w, 4);
        if (first == ERR_OK) first = e;
    }
    wal_close(w);
    return first;
}

// Whatever call fails: the error is told, the log goes on at once, and holds what was acknowledged.
TEST(wal_every_failing_call_is_told_and_survived) {
    for (uint64_t nth = 1;; nth++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1000);
        uint64_t acked = 0;
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = nth });
        enum err e = scenario(&opts, &acked);
        bool done = disk_sim_calls(d, DISK_SIM_ANY) < nth;
        disk_sim_arm(d, NULL);
        CHECK_U64(disk_sim_open_files(d), 0);
        if (e == ERR_OK) CHECK_U64(acked, 16);
        CHECK(acked >= 14 || acked == 0); // one failure costs at most one commit, or the opening
        fixture_replay(&opts, 4, &seen);
        check_seen(&seen, 5, 5, acked > 4 ? acked - 4 : 0);
        CHECK_U64(seen.replay.quarantined_pieces, 0);
        disk_sim_free(d);
        if (!done) continue;
        CHECK_OK(e);
        break;
    }
}

TEST(wal_allocation_failure_is_told_and_survived) {
    for (uint64_t nth = 1;; nth++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1000);
        uint64_t acked = 0;
        mem_fail_at(nth, false);
        enum err e = scenario(&opts, &acked);
        bool done = mem_fail_seen() < nth;
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        CHECK_U64(disk_sim_open_files(d), 0);
        fixture_replay(&opts, 4, &seen);
        check_seen(&seen, 5, 5, acked > 4 ? acked - 4 : 0);
        for (uint64_t in = 1; in < 40; in++) { // and while it replays
            struct wal *w = NULL;
            mem_fail_at(in, false);
            enum err again = fixture_open(&opts, 4, &seen, &w);
            mem_fail_at(0, false);
            CHECK(again == ERR_OK || again == ERR_NOMEM);
            if (again == ERR_OK) wal_close(w);
        }
        disk_sim_free(d);
        if (!done) continue;
        CHECK_OK(e);
        break;
    }
}
