// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: a trace as the skeleton wants it.
#pragma once

#include "api/skeleton.h"
#include "query/trace.h"

// Arrays in t->arena; strings of the trace.
NODISCARD enum err trace_skeleton(struct trace *t, struct skeleton_input *out);
