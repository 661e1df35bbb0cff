// SPDX-License-Identifier: Apache-2.0
// How a rollout is taken back, as the member "rollback" of an open object: the command that the catalogue's
// template gives, else the standard one of the tool that told of the rollout, said to be a suggestion, else
// why there is none and how to set one. thread: as the db.
#pragma once

#include "base/json.h"
#include "facts/db.h"

NODISCARD enum err answer_put_rollback(struct db *db, struct arena *a, int64_t rollout,
                                       struct json_writer *w);
