// SPDX-License-Identifier: Apache-2.0
// The power goes, syncs fail, processes die: over many seeds, what was acknowledged is there
// exactly once and in order, and no number ever stands for two records.
#include "wal/fixture_test.h"

static struct seen seen; // large

enum { SEQS = 4096 };

// What the world outside knows of the log.
struct model {
    uint64_t id_of[SEQS]; // of the record that was acknowledged, or replayed, under a number; 0 = none
    uint64_t highest;     // of those numbers
    uint64_t next_id;     // ids are never used twice: a record that comes back is known by its id
    uint64_t covered;     // given to wal_trim
    size_t group_max;     // records of a commit
};

static void check_replay(struct model *m) {
    uint64_t last = 0;
    CHECK(!seen.bad);
    for (size_t i = 0; i < seen.n; i++) {
        uint64_t seq = seen.rec[i].seq, id = seen.rec[i].id;
        CHECK(seq > last && seq > m->covered && seq < SEQS && id < m->next_id);
        for (uint64_t gap = last + 1; gap < seq; gap++) CHECK(gap <= m->covered || m->id_of[gap] == 0);
        last = seq;
        if (m->id_of[seq]) CHECK_U64(id, m->id_of[seq]);
        m->id_of[seq] = id; // seen once: from now on it must stay
    }
    if (last > m->highest) m->highest = last;
    for (uint64_t seq = last + 1; seq <= m->highest; seq++) CHECK(seq <= m->covered || m->id_of[seq] == 0);
    // What was synced is as it was: whatever cannot be read was never acknowledged, and is no damage.
    CHECK_U64(seen.replay.quarantined_bytes, 0);
    CHECK_U64(seen.replay.n_missing, 0);
}

static enum err commit_some(struct model *m, struct wal *w) {
    struct sample s[4];
    struct wal_record recs[4];
    size_t n = 1 + test_below(m->group_max);
    for (size_t i = 0; i < n; i++)
        recs[i] = sample_record(&s[i], m->next_id++, test_below(4) ? test_below(300) : test_below(2500));
    enum err e = wal_commit(w, recs, n);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        uint64_t seq = recs[i].seq, id;
        CHECK(seq > m->highest && seq > m->covered && seq < SEQS); // numbers are not used again
        memcpy(&id, s[i].body, 8);
        m->id_of[seq] = id;
        m->highest = seq;
    }
    return e;
}

static void arm_something(struct disk *d) {
    struct disk_sim_fault f = { .op = DISK_SIM_ANY, .nth = 1 + test_below(80), .power_off = true };
    uint64_t kind = test_below(6);
    if (kind < 3) { // the disk has a bad moment, or a bad time
        static const enum disk_sim_op ops[] = { DISK_SIM_SYNC, DISK_SIM_WRITE, DISK_SIM_SYNC_DIR,
                                                DISK_SIM_ANY };
        f = (struct disk_sim_fault){ .op = ops[test_below(4)],
                                     .nth = 1 + test_below(10),
                                     .keep = test_below(3) == 0 };
    }
    disk_sim_arm(d, &f);
}

// One life of a process, until the power goes or it has done enough.
static void live(struct model *m, struct disk *d, const struct wal_opts *opts) {
    struct wal *w;
    if (fixture_open(opts, m->covered, &seen, &w) != ERR_OK) return;
    check_replay(m);
    for (uint64_t steps = test_below(30); steps > 0 && !disk_sim_is_down(d); steps--) {
        if (test_below(6) == 0) arm_something(d);
        if (test_below(10) == 0) disk_sim_arm(d, NULL);
        if (test_below(8) == 0) {
            uint64_t covered = m->covered + test_below(m->highest - m->covered + 1);
            m->covered = covered; // as a snapshot would say before the log is trimmed
            enum err e = wal_trim(w, covered);
            (void)e;
        } else {
            enum err e = commit_some(m, w);
            (void)e;
        }
    }
    wal_close(w);
}

static void crash_loop(uint64_t n_seeds, size_t group_max, uint64_t segment_bytes) {
    for (uint64_t seed = 0; seed < n_seeds; seed++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, segment_bytes);
        struct model m = { .next_id = 1, .group_max = group_max };
        for (int lives = 0; lives < 8; lives++) {
            if (test_below(2)) arm_something(d); // also while it opens
            live(&m, d, &opts);
            if (test_below(3) == 0)
                disk_sim_restart(d);
            else
                CHECK_OK(disk_sim_crash(d, test_rand()));
        }
        struct wal *w;
        CHECK_OK(fixture_open(&opts, m.covered, &seen, &w));
        check_replay(&m);
        wal_close(w);
        disk_sim_free(d);
    }
}

TEST(wal_crash_loop_single_records) {
    crash_loop(400, 1, 3000);
}
TEST(wal_crash_loop_groups) {
    crash_loop(400, 4, 3000);
}
TEST(wal_crash_loop_one_large_segment) {
    crash_loop(150, 2, 1 << 20);
}

// --- single rules, each with nothing else in the way ---

// Acknowledged before the sync: lost.
TEST(wal_an_acknowledged_record_survives_a_crash_at_once) {
    for (int i = 0; i < 100; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 1, 700));
        if (i % 2) CHECK_OK(fixture_commit(w, 2, 2, 700));
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, i % 2 ? 3 : 1);
        disk_sim_free(d);
    }
}

// The folder must be synced before the first commit in a new segment counts.
TEST(wal_a_new_segment_has_a_durable_name) {
    for (int i = 0; i < 50; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 500);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        for (uint64_t id = 1; id <= 4; id++) CHECK_OK(fixture_commit(w, id, 1, 400)); // a segment each
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 4);
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC_DIR, .nth = 1 });
        CHECK(fixture_commit(w, 5, 1, 400) == ERR_IO);
        wal_close(w);
        disk_sim_free(d);
    }
}

// After a failed sync the next one on that file says ERR_OK although the pages are gone.
TEST(wal_a_failed_sync_is_never_retried_on_its_file) {
    for (int i = 0; i < 100; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 1, 600));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1 });
        CHECK(fixture_commit(w, 77, 1, 600) == ERR_IO);
        CHECK_OK(fixture_commit(w, 2, 2, 600));
        CHECK_U64(dir_count(d, "/d/wal"), 2);
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 3);
        CHECK(seen.replay.tail_bytes_cut == 0 && seen.replay.quarantined_pieces == 0);
        disk_sim_free(d);
    }
}

// The failed record is whole in its file, and the cut of the file fails as well: its number must
// not come back once it stands for another record.
TEST(wal_a_failed_commit_is_not_resurrected_with_its_number_used_again) {
    static const enum disk_sim_op failing[] = { DISK_SIM_SYNC, DISK_SIM_SYNC_DIR, DISK_SIM_WRITE };
    for (int i = 0; i < 300; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, i % 2 ? 1 << 20 : 500); // in an old segment, or a new one
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 2, 400));
        size_t attempts = 1 + test_below(3);
        for (size_t k = 0; k < attempts; k++) {
            disk_sim_arm(d, &(struct disk_sim_fault){ .op = failing[test_below(3)], .nth = 1 });
            enum err e = fixture_commit(w, 70 + k, 1, 400);
            CHECK(e == ERR_IO || (i % 2 && e == ERR_OK)); // an old segment needs no sync of the folder
            if (e == ERR_OK) break;
        }
        disk_sim_arm(d, NULL);
        struct wal_stats st;
        wal_stats(w, &st);
        uint64_t next = st.last_seq + 1;
        CHECK_OK(fixture_commit(w, next, 1, 400));
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        CHECK_U64(seen.n, next);
        CHECK_U64(seen.rec[next - 1].id, next);
        CHECK_U64(seen.replay.n_missing, 0);
        disk_sim_free(d);
    }
}

TEST(wal_a_failed_commit_stays_dead_when_nothing_could_be_cut) {
    for (int i = 0; i < 50; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 2, 400));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = 2, .keep = true }); // sync, cut
        CHECK(fixture_commit(w, 70, 1, 400) == ERR_IO);
        disk_sim_arm(d, NULL);
        CHECK_OK(fixture_commit(w, 3, 2, 400));
        wal_close(w);
        if (i % 2) CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 4);
        CHECK(seen.replay.quarantined_pieces == 0 && seen.replay.tail_bytes_cut == 0);
        disk_sim_free(d);
    }
}

// What a replay has handed out is on the disk, though the process that wrote it died before its
// sync.
TEST(wal_what_was_replayed_once_survives) {
    unsigned replayed = 0;
    for (int i = 0; i < 200; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, i % 2 ? 1 << 20 : 500);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 1, 400));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1, .power_off = true });
        CHECK(fixture_commit(w, 2, 1, 400) == ERR_IO);
        wal_close(w);
        disk_sim_restart(d);
        fixture_replay(&opts, 0, &seen);
        size_t n = seen.n;
        CHECK(n >= 1);
        replayed += n == 2;
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, n);
        disk_sim_free(d);
    }
    CHECK(replayed > 0);
}

// After a failed sync the pages can be read but are on no disk; a process that dies before it could
// seal the segment leaves them like that.
TEST(wal_what_was_replayed_once_survives_a_failed_sync_before) {
    for (int i = 0; i < 300; i++) {
        struct disk *d = fixture_disk();
        bool is_new = i % 2;
        struct wal_opts opts = fixture_opts(d, is_new ? 500 : 1 << 20);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 1, 600));
        // the sync and all that comes after it; a new segment needs four calls before
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = is_new ? 5 : 2, .keep = true });
        CHECK(fixture_commit(w, 2, 4, 600) == ERR_IO);
        wal_close(w);
        disk_sim_restart(d);
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 5);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, 5);
        CHECK(seen.replay.quarantined_pieces == 0 && seen.replay.tail_bytes_cut == 0);
        disk_sim_free(d);
    }
}

// A torn tail is cut for good: what follows it later must not make it look like damage.
TEST(wal_a_torn_tail_is_cut_once) {
    unsigned torn = 0;
    for (int i = 0; i < 200; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 1 << 20);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 1, 400));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1, .power_off = true });
        CHECK(fixture_commit(w, 2, 1, 2000) == ERR_IO);
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        size_t n = seen.n;
        bool cut = seen.replay.tail_bytes_cut > 0;
        torn += cut;
        CHECK(n == 2 ? !cut : n == 1);
        CHECK_OK(fixture_commit(w, n + 1, 1, 300));
        wal_close(w);
        fixture_replay(&opts, 0, &seen);
        check_seen(&seen, 1, 1, n + 1);
        CHECK(seen.replay.tail_bytes_cut == 0 && seen.replay.quarantined_pieces == 0);
        CHECK_U64(dir_count(d, "/d/wal/quarantine"), 0);
        disk_sim_free(d);
    }
    CHECK(torn > 20);
}

// Pages of one write reach the disk in any order: a later record of the last commit may be there
// without an earlier one. Nobody was told that they are safe, so it is no damage, then or later.
TEST(wal_a_torn_group_is_no_damage) {
    unsigned n_torn = 0;
    for (int i = 0; i < 300; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, i % 2 ? 1 << 20 : 2500); // in an old segment, or a new one
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        CHECK_OK(fixture_commit(w, 1, 3, 700));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1, .power_off = true });
        CHECK(fixture_commit(w, 4, 12, 150) == ERR_IO);
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        struct wal_opts reader = opts;
        reader.read_only = true;
        uint64_t n_seen = 0, id = 100;
        for (int opening = 0; opening < 5; opening++) {
            CHECK_OK(fixture_open(opening == 0 ? &reader : &opts, 0, &seen, &w));
            CHECK(seen.n >= 3 && !seen.bad && (opening < 2 || seen.n == n_seen));
            CHECK(seen.replay.quarantined_bytes == 0 && seen.replay.n_missing == 0);
            CHECK(opening < 3 || seen.replay.tail_bytes_cut == 0); // once a segment follows it is known
            n_torn += opening == 0 && seen.rec[seen.n - 1].seq > seen.n;
            n_seen = seen.n;
            if (opening >= 2) CHECK_OK(fixture_commit(w, id++, 1, 300));
            n_seen += opening >= 2;
            wal_close(w);
        }
        disk_sim_free(d);
    }
    CHECK(n_torn > 8);
}

// Removals are durable one after the other, so that no crash leaves a hole in the log.
TEST(wal_trim_leaves_no_hole) {
    for (int i = 0; i < 200; i++) {
        struct disk *d = fixture_disk();
        struct wal_opts opts = fixture_opts(d, 500);
        struct wal *w;
        CHECK_OK(fixture_open(&opts, 0, &seen, &w));
        for (uint64_t id = 1; id <= 9; id++) CHECK_OK(fixture_commit(w, id, 1, 400));
        disk_sim_arm(
            d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = 1 + test_below(14), .power_off = true });
        enum err e = wal_trim(w, 6);
        (void)e;
        wal_close(w);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        fixture_replay(&opts, 0, &seen); // by a caller who asks for everything
        size_t n = seen.n;
        CHECK(n >= 3 && n <= 9);
        check_seen(&seen, 10 - n, 10 - n, n);
        disk_sim_free(d);
    }
}
