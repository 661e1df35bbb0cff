// SPDX-License-Identifier: Apache-2.0
// What a repository's changes and pipelines give to measure, packed as the rollouts are in series.h: a
// few bytes a row, so that a year of a million runs is read at once. Derived from facts; an index, not
// a record. A repository lies in parts, so that an event costs the making of one part anew:
// changes by their number, runs, tasks and tests by their commit, so that all results of a commit are
// together. Names lie apart, since only who opens a figure reads them.
// thread: any.
#pragma once

#include "base/mem.h"
#include "base/str.h"

enum { FLOW_PARTS = 16, FLOW_PART_OTHER = 16 }; // the last: what has no commit

enum flow_kind { FLOW_CHANGES, FLOW_RUNS };

enum { // struct flow_change.flags
    FLOW_BOT = 1,
    FLOW_CLOSED = 2, // without a merge
};
struct flow_change {              // a pull or merge request; times in ns UTC, 0: not known, or not yet
    struct str key;               // of the fact; empty unless names were read
    int64_t first_commit, opened; // opened: ready for review, when it was a draft
    int64_t first_review;         // by another person
    int64_t approved;             // the last before the merge
    int64_t merged;
    int64_t deployed; // end of the first rollout of the scope that contains it
    uint64_t rollout; // that one's id
    int64_t ci_ns;    // some run of one of its heads was running
    int64_t ci_sum_ns;
    uint32_t n_runs;
    uint16_t rounds; // changes were requested
    uint8_t flags;
};

enum flow_result { FLOW_OPEN, FLOW_SUCCESS, FLOW_FAILURE, FLOW_ERROR, FLOW_TIMEOUT, FLOW_OTHER };
enum flow_branch { FLOW_BRANCH_UNKNOWN, FLOW_BRANCH_DEFAULT, FLOW_BRANCH_ANOTHER };

struct flow_run { // one attempt
    struct str key;
    int64_t queued, started, ended;
    enum flow_result result;
    enum flow_branch branch;
    bool begins; // the first of its commit and pipeline; those that follow are of the same
};
struct flow_group { // the results of one task, or one test, at one commit, of which there are two or more
    struct str name, sha;
    bool is_test;
    uint32_t n_success, n_failure, n_error;
    int64_t ended; // the last
};
struct flow_delivery { // a change in one service and environment
    uint32_t scope;
    int64_t finished;
    uint64_t rollout;
};
struct flow_scope {
    struct str service, environment;
};

// Of a part of a repository. Changes: by key. Runs: by commit, pipeline, time. Groups: tasks, tests.
struct flow {
    struct str repo;
    struct flow_change *changes;
    struct flow_run *runs;
    struct flow_group *groups;
    uint32_t n_changes, n_runs, n_groups;
    // Of the services that ship it, in the scope at hand; for changes that wait.
    uint32_t n_series;
    int64_t first_success; // the latest of their first successes
    int64_t unknown_until; // the last rollout of which it is not known what it brought
};

// What is packed of changes: their deliveries in all scopes, of which the reader picks.
struct flow_changes {
    const struct flow_change *items;
    uint32_t n;
    const uint32_t *n_deliveries; // of each
    const struct flow_delivery *deliveries;
    const struct flow_scope *scopes;
    uint32_t n_scopes;
};
void flow_pack_changes(const struct flow_changes *c, struct buf *out, struct buf *out_names);
void flow_pack_runs(const struct flow *f, struct buf *out, struct buf *out_names);

// Is a service in an environment of the scope that is asked for?
typedef bool flow_holds(const void *ctx, const struct flow_scope *s);
// ERR_CORRUPT, ERR_NOMEM. Everything lies in the arena, names in `names` (empty: not read).
NODISCARD enum err flow_unpack_changes(struct arena *a, struct str packed, struct str names,
                                       flow_holds *holds, const void *ctx, struct flow *out);
NODISCARD enum err flow_unpack_runs(struct arena *a, struct str packed, struct str names, struct flow *out);
