// SPDX-License-Identifier: Apache-2.0
// Repositories for the tests, made with the git command. Only *_test.c include this.
#pragma once

#include "base/test.h"
#include "vcs/repo.h"

// Runs a shell script (sh -e) in the test's folder; a failure fails the test. No settings of the user or the
// machine count. The script may use:
//   at SECONDS [ZONE]         the time of what comes next
//   save FILE TEXT MESSAGE    writes a file and commits it
//   git …
void git_sh(const char *fmt, ...) PRINTF_LIKE(1, 2);
// What the script prints, without the last line break; valid until the end of the test.
struct str git_out(const char *fmt, ...) PRINTF_LIKE(1, 2);
// A repository in the test's folder, opened. Closed by the test.
struct repo *git_open(const char *name);
// The arena of the test; new at every call.
struct arena *git_arena(void);
struct sha git_sha(struct repo *r, const char *name); // of what a name resolves to
