// SPDX-License-Identifier: Apache-2.0
// What the tests of the log share: records that can be told apart, and what a replay gave.
#pragma once

#include "base/test.h"
#include "os/disk_sim.h"
#include "wal/record.h"

enum { SEEN_MAX = 4096, BODY_MAX = 4096 };

// The record number `id`: everything in it follows from the id. Its bytes are in `body`.
struct sample {
    char tenant[16];
    char body[BODY_MAX];
};
struct wal_record sample_record(struct sample *s, uint64_t id, size_t len);

struct seen {
    size_t n;
    struct {
        uint64_t seq, id;
    } rec[SEEN_MAX];
    bool bad; // a record that no sample_record made
    struct wal_replay replay;
};

struct disk *fixture_disk(void);
struct wal_opts fixture_opts(struct disk *d, uint64_t segment_bytes); // in "/d/wal"

// Opens the log into *out_wal; what it replayed is in *out.
enum err fixture_open(const struct wal_opts *opts, uint64_t after_seq, struct seen *out,
                      struct wal **out_wal);
// Opens and closes it.
void fixture_replay(const struct wal_opts *opts, uint64_t after_seq, struct seen *out);
// One commit of n records with ids from first_id on, of len bytes each.
enum err fixture_commit(struct wal *w, uint64_t first_id, size_t n, size_t len);
void check_seen(const struct seen *s, uint64_t first_seq, uint64_t first_id, size_t n);

// Whole files, around the log.
struct str file_get(struct disk *d, const char *path); // bytes live until the test ends
void file_put(struct disk *d, const char *path, struct str bytes);
const char *segment_name(uint64_t id);              // "/d/wal/000…id.wal"
size_t dir_count(struct disk *d, const char *path); // 0 when it is not there
