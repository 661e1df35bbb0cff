// SPDX-License-Identifier: Apache-2.0
// Deploys to rollouts. A deploy is one attempt to put one version on one target; a rollout is the
// attempts that belong together: the same version on all targets, retries included. Pure: the same
// deploys, in any order, give the same rollouts.
//
// One series of rollouts is one service, in one environment, of one kind of change: a config change
// is no version of the service, so it neither is rolled back by one nor rolls one back.
//
// Belong together: the same identity (digest, else version, else sha), begun within ROLLOUT_GAP of
// the first of them, on a target that did not have it yet and that got no other version in between;
// or the same group, where the source names one.
#pragma once

#include "base/mem.h"
#include "base/str.h"

#define ROLLOUT_GAP_NS (6 * 3600 * 1000000000ll)

enum deploy_state { DEPLOY_PENDING, DEPLOY_RUNNING, DEPLOY_SUCCESS, DEPLOY_FAILURE, DEPLOY_CANCELLED };
bool deploy_state_of(struct str text, enum deploy_state *out);

struct deploy {
    struct str key, target, version, digest, repo, sha, ref;
    struct str group, kind, trigger, actor, fixes, url, tier; // as the source says, or empty
    enum deploy_state state;
    int64_t started, succeeded, ended; // ns UTC; 0 = not told
};

enum rollout_kind {
    ROLLOUT_NORMAL,
    ROLLOUT_FIRST,    // of the series: a baseline, nothing is known of what it brought
    ROLLOUT_REDEPLOY, // what runs already
    ROLLOUT_ROLLBACK, // to what ran before
    ROLLOUT_REROLL,   // forward again to what a rollback had taken away
    ROLLOUT_HOTFIX,
    ROLLOUT_KIND_COUNT
};
const char *rollout_kind_text(enum rollout_kind k);

enum rollout_state {
    ROLLOUT_OPEN,      // some target is not done
    ROLLOUT_SUCCESS,   // every target has it
    ROLLOUT_FAILED,    // the last attempt on some target failed
    ROLLOUT_CANCELLED, // the last attempt on some target was given up, none failed
    ROLLOUT_STATE_COUNT
};
const char *rollout_state_text(enum rollout_state s);

enum { ROLLOUT_NONE = UINT32_MAX };

struct rollout {
    uint64_t id;               // of its series and the key of its first attempt
    const struct deploy *lead; // the attempt that is named: the first
    enum rollout_state state;
    enum rollout_kind kind;
    uint32_t attempts, targets, done_targets;
    bool retried;          // some target needed more than one attempt
    bool mixed;            // targets ended differently
    int64_t started;       // the first attempt
    int64_t first_success; // of any target; 0: none
    int64_t finished;      // when the last target was done, well or badly; 0: open
    uint32_t before;       // index of what ran before (the last success), or ROLLOUT_NONE
    uint32_t undoes;       // ROLLBACK: index of the rollout that is taken back; else ROLLOUT_NONE
    // By what the rollouts brought (revert.h), ROLLOUT_NONE until then.
    uint32_t reverts;     // index of the last one before it of which it reverts a commit
    uint32_t reverted_by; // index of the first one that reverts a commit of it
};

struct rollouts {
    struct rollout *items; // by finished (open ones last, by started), then id
    uint32_t n;
};
// scope: distinguishes series, for the ids. ERR_NOMEM.
NODISCARD enum err rollouts_of(struct arena *a, struct str scope, struct deploy *deploys, uint32_t n,
                               struct rollouts *out);
// The identity that makes two deploys one version; empty when the source tells none.
struct str deploy_identity(const struct deploy *d);
