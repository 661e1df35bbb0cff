// SPDX-License-Identifier: Apache-2.0
// A git history as deployments: its commits go into the record, and each tag that matches becomes a
// rollout of a service, at the time that the tag was made or that its name spells. Incremental: what
// the record has is not read again. Reading (git_read) and keeping (git_keep) are apart, since the
// repository may lie elsewhere than the facts. thread: one at a time for each batch.
#pragma once

#include "base/json.h"
#include "delivery/record.h"
#include "os/clock.h"

enum git_time { GIT_CREATED, GIT_NAME };

struct git_ask {
    const char *path;
    struct str service, environment, tags; // tags: a regular expression that is searched in names
    enum git_time time;
    int64_t now;
    // Is this commit in the record of the repository `identity`? May be NULL: nothing is.
    bool (*known)(void *ctx, struct str identity, const uint8_t sha[20]);
    void *ctx;
};

struct git_commit {
    uint8_t sha[20], reverts[20], picked[20], patch[20];
    bool has_reverts, has_picked, has_patch;
    struct str parents; // 20 bytes each
    int64_t authored, committed;
    uint8_t flags; // of enum in series.h
    uint32_t change;
    struct str author, subject;
};
struct git_rollout {
    struct str tag, sha; // sha in hex
    int64_t time;
};
struct git_batch {
    struct str identity, path; // of the repository
    struct git_commit *commits;
    uint32_t n;
    struct git_rollout *rollouts; // by time
    uint32_t n_rollouts;
    uint32_t n_tags, n_undated, n_other; // tags in all; matching ones whose name spells no date; not matching
    uint32_t n_no_commit, n_unreadable;  // matching tags: of a tree or a file; missing or damaged
    uint32_t n_cut;                      // matching tags past TAGS_MAX
    uint32_t n_missing;                  // commits that the repository names and does not hold
};
// Everything lies in the arena. Errors as repo_open; ERR_INVALID also for a regular expression, with its
// place.
NODISCARD enum err git_read(struct arena *a, const struct git_ask *ask, struct git_batch *out,
                            struct err_ctx *ctx);

// The patterns that tags follow, for whoever does not know yet what to ask for.
struct git_pattern {
    struct str regex, example;
    uint32_t n, n_dated;
};
NODISCARD enum err git_patterns(struct arena *a, const char *path, int64_t now, struct git_pattern **out,
                                uint32_t *n, uint32_t *n_tags, struct err_ctx *ctx);

// Keeps a batch: commits in the record, rollouts as events of the source "git". Inside a transaction.
// *out_commits, *out_rollouts: those that were new.
NODISCARD enum err git_keep(struct db *d, const struct git_ask *ask, const struct git_batch *b,
                            uint64_t *out_commits, uint64_t *out_rollouts, struct err_ctx *ctx);
// The commits alone, of a repository that lies elsewhere when its path is empty.
NODISCARD enum err git_keep_commits(struct db *d, const struct git_batch *b, int64_t now,
                                    uint64_t *out_commits);
// Rollouts [from, to) of a batch as a list of the events that git_keep makes of them.
void git_put_rollouts(struct json_writer *w, struct arena *a, const struct git_ask *ask,
                      const struct git_batch *b, uint32_t from, uint32_t to);
// For git_ask.known; ctx is the db.
bool git_is_kept(void *db, struct str identity, const uint8_t sha[20]);
