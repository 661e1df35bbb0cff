// SPDX-License-Identifier: Apache-2.0
// What traces say of rollouts and versions, from the parameters of a request; the command line asks in the
// same form. thread: that of the ask.
//   impact:   rollout (an id, the key of a deploy or of a change of a flag, or the name of a flag, whose last
//             change is meant); fresh = true: computed now, not what was recorded
//   versions: service, environment; since, or start and end (7 days)
//   ready:    service
//   incident: id (its key, or the end of it behind a colon)
//   compare:  service, environment, baseline, candidate, failIf (several); since, or start and end (1 hour)
#pragma once

#include "api/ask.h"
#include "base/json.h"

struct delivery;
enum impact_question { ASK_IMPACT, ASK_VERSIONS, ASK_COMPARE, ASK_READY, ASK_INCIDENT };

// d may be NULL for compare. ERR_NOT_FOUND: no such rollout. Others as those of queries; k->ctx says why.
NODISCARD enum err impact_answer(struct ask *k, struct delivery *d, enum impact_question what,
                                 struct json_writer *w);
