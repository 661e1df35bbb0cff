// SPDX-License-Identifier: Apache-2.0
// A history and its tags, read here and sent to a server elsewhere.
#pragma once

#include "delivery/git.h"

struct upload {
    const char *server;
    struct arena *arena;
    struct git_ask *ask;        // its `known` is set by the call
    struct git_batch *batch;    // what was read
    uint64_t commits, rollouts; // that were new there
};
// An exit code; what went wrong is said.
int upload_history(struct upload *u);
