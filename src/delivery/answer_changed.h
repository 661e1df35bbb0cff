// SPDX-License-Identifier: Apache-2.0
// What is different since what ran before a rollout, in JSON: files by kind, and what else of the service was
// rolled out or switched in between: configuration, schemas, flags. Written into w as one value. thread: any.
#pragma once

#include "base/json.h"
#include "delivery/delivery.h"

enum {
    ANSWER_CHANGED_FILES_MAX = 500, // told by name, of each kind; n says how many there are
    ANSWER_CHANGED_PARTS_MAX = 50,  // of each file; parts_n says how many there are
    ANSWER_CHANGED_ROWS_MAX = 200,  // of each other list; rollouts_n and flags_n say how many there are
};

// name: as of answer_deploy, and its errors.
NODISCARD enum err answer_changed(struct delivery *d, struct str name, struct json_writer *w,
                                  struct err_ctx *ctx);
