// SPDX-License-Identifier: Apache-2.0
// One webhook of GitHub being read. Private to hook_github.c and hook_github_deploy.c.
#pragma once

#include "intake/hook.h"

struct github {
    struct hook_in *in;
    struct doc d;
    struct str body;
    struct str action, type;
    struct str repo;   // "github.com/owner/repo"
    struct str prefix; // "github:owner/repo"
};

struct intake_event *github_event(struct github *g, int64_t time);
// Of an object with id or run_id, and run_attempt.
struct str github_run_key(const struct github *g, struct doc run);
// What a deployment object tells; state may be NULL, run empty.
void github_say_deployment(struct github *g, struct doc deployment, struct str run, int64_t time,
                           const struct word *state);

void github_deployment(struct github *g);
void github_deployment_status(struct github *g);
void github_release(struct github *g);
void github_issue(struct github *g);
