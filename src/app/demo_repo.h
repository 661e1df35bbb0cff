// SPDX-License-Identifier: Apache-2.0
// The repositories of the demo's services: made in its directory, a commit for each of the plan, and
// taken into the facts as `takt import git` would. thread: one at a time.
#pragma once

#include "delivery/delivery.h"
#include "load/ship.h"

enum { DEMO_PATH_MAX = 512 };

struct demo_repo {
    const char *dir;
    struct delivery *delivery;
};
// For story_opts.commit; repo is a struct demo_repo. ERR_IO, ERR_NOMEM, or what the import says.
NODISCARD enum err demo_repo_commit(void *repo, struct ship *ships, uint32_t n);

// Inside: where the repository of a line lies, and its import.
void demo_repo_path(const struct demo_repo *d, uint8_t line, char out[DEMO_PATH_MAX]);
NODISCARD enum err demo_import(const struct demo_repo *d, uint8_t line);
