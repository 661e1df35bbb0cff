// SPDX-License-Identifier: Apache-2.0
// Commits of a history on their way to a server, as JSON: {"repository": "https://…", "commits": [{"sha":
// "…", "parents": "…" (the shas, one behind the other), "authored", "committed" (ns), "flags", "author",
// "subject", "change", "reverts", "picked", "patch"}]}. Pure. thread: any.
#pragma once

#include "base/document.h"
#include "delivery/git.h"

enum {
    GIT_WIRE_COMMITS_MAX = 1000, // of one request
    GIT_WIRE_BYTES = 512 << 10,  // of one request, and a commit more
    GIT_WIRE_PARENTS_MAX = 100,  // of one commit; one with more is sent with these
    GIT_WIRE_NAME_MAX = 1024,    // bytes of the repository's name
    GIT_WIRE_TEXT_MAX = 400,     // bytes of an author or subject that are sent
    GIT_WIRE_KNOWN_MAX = 20000,  // shas of one answer
};

// Commits from `from` on, as many as fit a request, into an empty buffer; returns where the next begin.
uint32_t git_put_commits(struct buf *body, const struct git_batch *b, uint32_t from);
// ERR_INVALID: the place, and what was expected. Texts point into the document or lie in its arena.
NODISCARD enum err git_take_commits(struct document *d, struct git_batch *out);
