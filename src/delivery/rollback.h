// SPDX-License-Identifier: Apache-2.0
// The command that takes a rollout back, for a person to copy: a template of the catalogue, in which
// {version} and the like stand for what is known of the rollout, each put in as one word of a POSIX shell.
// Takt never runs it. The values come from outside, so a template is refused in which a quoted value would
// not be one word: within quotes, behind $ or a backslash, in `…` or in arithmetic. Pure. thread: any.
#pragma once

#include "base/str.h"

enum {
    ROLLBACK_TEMPLATE_MAX = 500, // bytes
    ROLLBACK_VALUE_MAX = 300,    // bytes of a value that is put in
    ROLLBACK_COMMAND_MAX = 64 << 10,
};

enum rollback_name {
    ROLLBACK_SERVICE,
    ROLLBACK_ENVIRONMENT,
    ROLLBACK_VERSION,  // of the rollout that is taken back
    ROLLBACK_PREVIOUS, // the version that ran before it
    ROLLBACK_SHA,      // of the commits of both
    ROLLBACK_PREVIOUS_SHA,
    ROLLBACK_NAMES
};
struct rollback_values {
    struct str of[ROLLBACK_NAMES]; // empty: not known
};

// ERR_INVALID: the text says what is wrong, and what was expected.
NODISCARD enum err rollback_check(struct str template, struct err_ctx *ctx);
// *out lies in the arena. ERR_NOT_FOUND: a value that the template names is not known; ERR_INVALID: one that
// no command should hold (control characters, a leading -, too long), or the template; the text says which.
NODISCARD enum err rollback_write(struct arena *a, struct str template, const struct rollback_values *v,
                                  struct str *out, struct err_ctx *ctx);
