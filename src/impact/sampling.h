// SPDX-License-Identifier: Apache-2.0
// How many spans a span that was sampled stands for, by the threshold that samplers write into the W3C trace
// state: "ot=th:c" rejects three quarters (OpenTelemetry, TraceState: probability sampling). Pure. thread:
// any.
#pragma once

#include "base/str.h"

// At least 1; 0: the state does not say. A threshold that rejects nearly everything counts as the largest
// weight, so that no single span outweighs all others.
#define SAMPLING_WEIGHT_MAX 1e6
double sampling_weight(struct str trace_state);
