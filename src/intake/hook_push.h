// SPDX-License-Identifier: Apache-2.0
// The commits of a push, as GitHub and GitLab tell them alike. Private to their hooks.
#pragma once

#include "intake/hook.h"

enum { PUSH_COMMITS_MAX = 5000 }; // of one push: what is older is left out, and the push is cut

struct push {
    struct hook_in *in;
    struct str repo, prefix;
    struct str before, after, ref;
    struct str default_branch; // empty: not told
    bool forced;               // what was there before is not behind it
    bool cut;                  // the list of commits lacks the oldest
    struct doc commits;        // the oldest first
    int64_t time;
};
// Claims of the newest event: the commits, and the repository's default branch.
void push_say(const struct push *p);
// "0000…": there was, or is, no such branch.
bool push_is_no_sha(struct str sha);
// The latest time that a commit tells and that can be; else 0.
int64_t push_last_time(const struct hook_in *in, struct doc commits);
