// SPDX-License-Identifier: Apache-2.0
// Answers that judge: the tempo profile, a report over a window, and the checks of a service or an
// incident, in JSON. Every finding names the figures that it looked at. thread: any.
#pragma once

#include "delivery/answer.h"
#include "delivery/checks.h"
#include "delivery/world.h"

NODISCARD enum err answer_profile(struct delivery *d, const struct answer_ask *ask, const struct world *world,
                                  struct json_writer *w, struct err_ctx *ctx);
// The profile's headline, each measure beside that of the window before, and the rollouts that failed.
NODISCARD enum err answer_report(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                 struct err_ctx *ctx);
// The measures of the world are filled in here.
NODISCARD enum err answer_ready(struct delivery *d, struct str service, int64_t now,
                                const struct check_world *world, struct json_writer *w, struct err_ctx *ctx);
// ERR_NOT_FOUND.
NODISCARD enum err answer_incident(struct delivery *d, struct str key, int64_t now,
                                   const struct check_world *world, struct json_writer *w,
                                   struct err_ctx *ctx);
