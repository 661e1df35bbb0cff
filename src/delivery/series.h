// SPDX-License-Identifier: Apache-2.0
// The figures of one series of rollouts (a service in an environment, of one kind of change), packed:
// all that the measures count, in a few bytes a rollout, so that a year of a thousand services is
// read at once. Derived from facts; an index, not a record: the tables `rollout` and
// `rollout_commit` say the same in SQL. thread: any.
#pragma once

#include "delivery/rollout.h"

enum commits_state {
    COMMITS_KNOWN,
    COMMITS_BASELINE, // the first rollout: what it brought is not known, and not "all history"
    COMMITS_NONE,     // brings nothing that was not there: redeploy, rollback, reroll
    COMMITS_UNKNOWN,  // its sha, or that of what ran before, is not in the history that we have
    COMMITS_CUT,      // more than the limit: only the newest are counted
    COMMITS_STATE_COUNT
};
const char *commits_state_text(enum commits_state s);

enum { // struct figure_commit.flags
    COMMIT_BOT = 1,
    COMMIT_BAD_AUTHORED = 2,  // the author's time is no time that can be (before 1990, in the future)
    COMMIT_BAD_COMMITTED = 4, // the committer's
    COMMIT_TWIN = 8,          // a cherry-pick whose twin was counted
    COMMIT_REVERT = 16,
};
struct figure_commit {
    int64_t authored, committed; // ns UTC
    uint8_t flags;
};

// How a rollout is known to have failed. Ranks as in the order of the rules: the least that holds decides.
enum failure_rule {
    FAILURE_NONE,
    FAILURE_SAID,    // 1: somebody named the rollout
    FAILURE_VERSION, // 2: the incident names a sha, digest or version that it brought
    FAILURE_REMEDY,  // 3: it was rolled back, or a fix or a revert of it was shipped
    FAILURE_FLAG,    // 4: no failure of a rollout: a flag is the cause
    FAILURE_CANARY,  // 5
    FAILURE_TRACES,  // 6: errors or latency moved with its version
    FAILURE_NEAR,    // 7: the last rollout before the incident began
    FAILURE_RULE_COUNT
};
enum { FAILURE_SEVERITY_MAX = 100 }; // what is beyond is told as that
const char *failure_rule_text(enum failure_rule r);

enum automation { AUTOMATION_UNKNOWN, AUTOMATION_AUTOMATIC, AUTOMATION_APPROVED, AUTOMATION_MANUAL };

struct figure { // of a rollout
    uint64_t id;
    enum rollout_state state;
    enum rollout_kind kind;
    enum commits_state commits_state;
    enum failure_rule failure;
    // Of the worst incident that shows the failure, 1 is the worst; 0: nobody told it, or what shows the
    // failure is no incident (a remedy, its traces), so that it counts whatever the threshold.
    uint8_t severity;
    enum automation automation;
    bool retried, mixed;
    bool reverts;                             // it is rework by the revert that it brings (revert.h)
    int64_t started, first_success, finished; // as in struct rollout
    int64_t recovered;                        // from its failure; 0: not, or not known
    uint32_t n_changes;                       // pull requests among its commits
    uint32_t n_commits, first_commit;         // without merges; in series.commits
    uint32_t undoes;                          // ROLLBACK: index in the series
};
struct series {
    struct str service, environment, change_kind;
    bool production;
    const struct figure *figures; // by finished, open ones last
    uint32_t n;
    const struct figure_commit *commits;
    uint32_t n_commits;
};

// Packed without names: those are columns beside it.
void series_pack(const struct series *s, struct buf *out);
// ERR_CORRUPT, ERR_NOMEM. Figures lie in the arena, and commits, which are read only when asked for.
NODISCARD enum err series_unpack(struct arena *a, struct str packed, bool with_commits, struct series *out);
