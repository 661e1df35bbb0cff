// SPDX-License-Identifier: Apache-2.0
// One webhook of GitLab being read. Private to hook_gitlab.c and hook_gitlab_deploy.c.
#pragma once

#include "intake/hook.h"

struct gitlab {
    struct hook_in *in;
    struct doc d, at; // at: object_attributes
    struct str kind, action;
    struct str repo;   // "gitlab.com/group/project"
    struct str prefix; // "gitlab:group/project"
};

struct intake_event *gitlab_event(struct gitlab *g, struct str action, int64_t time);

void gitlab_pipeline(struct gitlab *g);
void gitlab_job(struct gitlab *g);
void gitlab_deployment(struct gitlab *g);
