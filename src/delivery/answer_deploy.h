// SPDX-License-Identifier: Apache-2.0
// All that is known of one rollout, in JSON: its attempts, what it brought, who built it, which
// incidents it is held for and why, what a person said of that, what ran before and came after.
// Written into w as one value. thread: any.
#pragma once

#include "base/json.h"
#include "delivery/delivery.h"

// Rows of each list of the answer; `all` says how many there are.
enum { ANSWER_DEPLOY_ROWS_MAX = 200 };

// name: the id of the rollout (16 hex digits), or the key of its first attempt. ERR_INVALID: no name;
// ERR_NOT_FOUND: no such rollout.
NODISCARD enum err answer_deploy(struct delivery *d, struct str name, struct json_writer *w,
                                 struct err_ctx *ctx);
