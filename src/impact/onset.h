// SPDX-License-Identifier: Apache-2.0
// When the impact of an incident began: the first of the bad minutes that lead to the moment at which it was
// noticed. A minute is bad when more of its requests fail, or more of them are slow, than in a usual quarter
// of an hour of the six hours before; a usual one is the median, so that a long impact is not its own
// measure. thread: any; the arms are the caller's.
#pragma once

#include "impact/scan.h"

#define ONSET_WINDOW_NS (6 * 3600 * 1000000000ll) // looked at before it was noticed
#define ONSET_FINAL_NS (3600 * 1000000000ll)      // spans that come later than this after it change nothing
#define ONSET_LATE_NS (5 * 60 * 1000000000ll)     // and after: an alert may come before the impact
// The last bad minute is at most this before it was noticed; between two are at most so many others.
enum { ONSET_NEAR_MINUTES = 15, ONSET_GAP_MINUTES = 5 };
enum { ONSET_ERRORS_MIN = 3, ONSET_QUARTERS_MIN = 4, ONSET_QUARTER_REQUESTS_MIN = 20 };
#define ONSET_P 1e-4 // of a minute by chance

struct onset_ask {
    struct str incident; // its key
    struct impact_of of;
    int64_t detected, now;
};
struct onset {
    int64_t began;       // the start of the minute, ns; 0: no minute is bad, or too little is known
    bool final;          // no later one will come
    uint64_t requests;   // looked at
    struct str state;    // equal ones: nothing new came
    struct str evidence; // a sentence
};

// Of requests that were read for the window. Sets began, requests and evidence. Pure.
NODISCARD enum err onset_find(struct arena *a, const struct arms *arms, int64_t detected, struct onset *out);
// The same of the traces. Errors as visit_run's; ERR_TIMEOUT: not all was read.
NODISCARD enum err onset_compute(struct arena *a, const struct impact_source *src,
                                 const struct onset_ask *ask, struct onset *out, struct err_ctx *ctx);
