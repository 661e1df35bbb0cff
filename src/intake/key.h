// SPDX-License-Identifier: Apache-2.0
// Names of facts. Whatever tells of the same thing (two hooks, a hook and the spans of the same run)
// must come to the same key, so keys are made here and nowhere else:
//   github:owner/repo:change:12                 a change; …:review:7, …:comment:7 a review of it
//   github:owner/repo:run:30:1                  attempt 1 of a run; …:task:44 a job of it
//   github:owner/repo:deployment:5              a deploy
//   gitlab:group/project:job:44:deployment      a deploy that a job of GitLab makes
// A repository is "github.com/owner/repo" as a field; as a part of a key the host is left out where
// it is the provider's own. thread: any.
#pragma once

#include "base/str.h"

// Of any URL of a repository (https, ssh, git@host:path), or "" when it is none.
struct str key_repo(struct arena *a, struct str url);
// "github" and "github.com/owner/repo" → "github:owner/repo"; of another host "github:host/owner/repo".
struct str key_prefix(struct arena *a, const char *provider, struct str repo);
struct str key_change(struct arena *a, struct str prefix, struct str number);
struct str key_run(struct arena *a, struct str prefix, struct str id, int64_t attempt);
// "jenkins:ci.example.com/job/shop:run:12:1": several servers, each with its numbers. url: of the run;
// where it is none, the job is known by its name.
struct str key_jenkins_run(struct arena *a, struct str url, struct str number, struct str name);
struct str key_task(struct arena *a, struct str run, struct str id);
struct str key_job_deploy(struct arena *a, struct str prefix, struct str job);
// 32 hex digits for a thing that has no id of its own.
struct str key_hash(struct arena *a, const struct str *parts, unsigned n);

// 40 or 64 hex digits.
bool key_is_sha(struct str s);
// What an image or a package URL says of an artifact. Empty where it says nothing.
struct key_artifact {
    struct str key;     // the digest, else the whole without its qualifiers
    struct str version; // the tag
    struct str digest;  // sha256:…
    struct str sha;     // the commit, when the tag is one ("…", "sha-…")
};
struct key_artifact key_artifact(struct arena *a, struct str image_or_purl);
